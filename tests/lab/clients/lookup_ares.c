/*
 * lookup_ares.c: one lookup by c-ares, which reads /etc/resolv.conf: for the addresses of a host, or for records of a
 * type, with the library's own times.
 *
 * usage: lookup_ares host NAME | lookup_ares TYPE NAME
 * Says what lookup.c says.
 */
#define _GNU_SOURCE

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>

static double began;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static void say(int status)
{
    const char *word = "temporary";
    if (status == ARES_SUCCESS)
        word = "found";
    else if (status == ARES_ENOTFOUND || status == ARES_ENODATA)
        word = "absent";
    printf("%.3f %s", seconds() - began, word);
}

static void on_host(void *context, int status, int timeouts, struct ares_addrinfo *found)
{
    (void) context, (void) timeouts;
    say(status);
    for (struct ares_addrinfo_node *at = found ? found->nodes : NULL; at; at = at->ai_next) {
        char        text[INET6_ADDRSTRLEN];
        const void *address = at->ai_family == AF_INET ? (void *) &((struct sockaddr_in *) at->ai_addr)->sin_addr
                                                       : (void *) &((struct sockaddr_in6 *) at->ai_addr)->sin6_addr;
        printf(" %s", inet_ntop(at->ai_family, address, text, sizeof text));
    }
    ares_freeaddrinfo(found);
}

static void on_records(void *context, int status, int timeouts, unsigned char *answer, int len)
{
    (void) context, (void) timeouts, (void) answer;
    say(status);
    if (status == ARES_SUCCESS)
        printf(" %d", len);
}

static void wait_for_all(ares_channel channel)
{
    for (;;) {
        fd_set         reads, writes;
        struct timeval room;
        FD_ZERO(&reads);
        FD_ZERO(&writes);
        int count = ares_fds(channel, &reads, &writes);
        if (count == 0)
            return;
        select(count, &reads, &writes, NULL, ares_timeout(channel, NULL, &room));
        ares_process(channel, &reads, &writes);
    }
}

int main(int argc, char **argv)
{
    ares_channel channel;
    if (argc != 3 || ares_library_init(ARES_LIB_INIT_ALL) != 0 || ares_init(&channel) != 0) {
        fprintf(stderr, "usage: lookup_ares host NAME | lookup_ares TYPE NAME\n");
        return 2;
    }
    began = seconds();
    if (strcmp(argv[1], "host") == 0) {
        struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
        ares_getaddrinfo(channel, argv[2], NULL, &hints, on_host, NULL);
    } else {
        ares_query(channel, argv[2], ns_c_in, strcmp(argv[1], "MX") == 0 ? ns_t_mx : ns_t_txt, on_records, NULL);
    }
    wait_for_all(channel);
    putchar('\n');
    ares_destroy(channel);
    return 0;
}
