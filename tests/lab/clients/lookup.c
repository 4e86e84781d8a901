/*
 * lookup.c: one lookup by the C library's own resolver, which reads /etc/resolv.conf: for the addresses of a host, as
 * programs that connect do, or for records of a type, as mail servers do. For glibc (cc) and for musl (musl-gcc).
 *
 * usage: lookup host NAME | lookup [dnssec] TYPE NAME
 * Says what it took for the program, one word for what came, and the addresses, or the length and the flags:
 *   0.912 found 192.0.2.99
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static double began;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static void say(const char *word) { printf("%.3f %s", seconds() - began, word); }

static const char *host_word(int error)
{
    switch (error) {
    case 0:
        return "found";
    case EAI_AGAIN:
        return "temporary";
    case EAI_NONAME:
#if defined(EAI_NODATA) && EAI_NODATA != EAI_NONAME
    case EAI_NODATA:
#endif
        return "absent";
    default:
        return "error";
    }
}

static void look_up_host(const char *name)
{
    struct addrinfo  hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list  = NULL;
    say(host_word(getaddrinfo(name, NULL, &hints, &list)));
    for (struct addrinfo *at = list; at; at = at->ai_next) {
        char text[NI_MAXHOST];
        if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0)
            printf(" %s", text);
    }
}

static int type_of(const char *word)
{
    static const struct {
        const char *word;
        int         type;
    } types[] = {{"A", ns_t_a}, {"MX", ns_t_mx}, {"TXT", ns_t_txt}, {"AAAA", ns_t_aaaa}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].word, word) == 0)
            return types[i].type;
    fprintf(stderr, "lookup: no type %s\n", word);
    exit(2);
}

static void look_up_records(const char *type, const char *name)
{
    static unsigned char answer[NS_MAXMSG];
    int                  len = res_query(name, ns_c_in, type_of(type), answer, sizeof answer);
    if (len < 0) {
        say(h_errno == TRY_AGAIN ? "temporary" : h_errno == HOST_NOT_FOUND || h_errno == NO_DATA ? "absent" : "error");
        return;
    }
    say("found");
    printf(" %d%s%s", len, answer[2] & 0x02 ? " tc" : "", answer[3] & 0x20 ? " ad" : "");
}

int main(int argc, char **argv)
{
    res_init();
#ifdef __GLIBC__
    if (argc == 4 && strcmp(argv[1], "dnssec") == 0) { /* as Postfix does for DANE */
        _res.options |= RES_USE_EDNS0 | RES_USE_DNSSEC;
        argc--;
        argv++;
    }
#endif
    if (argc != 3) {
        fprintf(stderr, "usage: lookup host NAME | lookup [dnssec] TYPE NAME\n");
        return 2;
    }
    began = seconds();
    if (strcmp(argv[1], "host") == 0)
        look_up_host(argv[2]);
    else
        look_up_records(argv[1], argv[2]);
    putchar('\n');
    return 0;
}
