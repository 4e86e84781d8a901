/*
 * origin.c: an upstream without DNS work of its own: what it does is in the name, and it counts. On both sides of the
 * border: a domestic one keeps silent about names below silent*.test and answers SERVFAIL below fail*.test, an external
 * one answers all. TXT counts.test tells what was asked of it so far, by kind. TCP has a thread for each connection:
 * dnsdist keeps what came over UDP from its clients over TCP, and asks again.
 *
 * usage: bench-origin ADDRESS PORT domestic|external
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BATCH    = 32,
    DATAGRAM = 2048,
    BUFFER   = 4 << 20,
    HEADER   = 12,
    ROOM     = 400, /* for records after a question */
    SERVFAIL = 2,
    NXDOMAIN = 3,
};

enum type {
    A   = 1,
    NS  = 2,
    SOA = 6,
    TXT = 16,
};

enum kind {
    FINE,
    SILENT,
    FAIL,
    OWN, /* the apex of the world, the root, and what is asked of the program itself */
    KINDS
};

static const char *const kind_names[KINDS] = {"fine", "silent", "fail", "own"};

static struct mmsghdr        messages[BATCH];
static struct iovec          parts[BATCH];
static struct sockaddr_in    peers[BATCH];
static uint8_t               data[BATCH][DATAGRAM];
static _Atomic unsigned long counts[KINDS];
static bool                  external;

struct question {
    const uint8_t *zone; /* the two labels next to the root */
    unsigned       labels;
    size_t         end; /* of the question */
    uint16_t       type;
    enum kind      kind;
};

static bool has_prefix(const uint8_t *label, const char *prefix)
{
    size_t len = strlen(prefix);
    return label[0] >= len && strncasecmp((const char *) label + 1, prefix, len) == 0;
}

static enum kind kind_of(const struct question *question, const uint8_t *name)
{
    if (question->labels < 2 || has_prefix(name, "counts"))
        return OWN;
    return has_prefix(question->zone, "silent") ? SILENT : has_prefix(question->zone, "fail") ? FAIL : FINE;
}

static bool read_question(const uint8_t *query, size_t len, struct question *ret)
{
    size_t         pos    = HEADER;
    const uint8_t *two[2] = {query + HEADER, query + HEADER};
    ret->labels           = 0;
    for (; pos < len && query[pos] != 0; pos += 1u + query[pos]) {
        two[0] = two[1];
        two[1] = query + pos;
        ret->labels++;
    }
    if (len < pos + 5)
        return false;
    ret->zone = two[0];
    ret->type = (uint16_t) (query[pos + 1] << 8 | query[pos + 2]);
    ret->end  = pos + 5;
    ret->kind = kind_of(ret, query + HEADER);
    return true;
}

/* Appends a record of the name at `owner` (an offset). */
static size_t put(uint8_t *out, size_t at, size_t owner, enum type type, const void *rdata, size_t len)
{
    const uint8_t fixed[] = {(uint8_t) (0xc0 | owner >> 8), (uint8_t) owner, 0, (uint8_t) type, 0, 1, 0, 0, 1, 44,
                             (uint8_t) (len >> 8),          (uint8_t) len};
    memcpy(out + at, fixed, sizeof(fixed));
    memcpy(out + at + sizeof(fixed), rdata, len);
    return at + sizeof(fixed) + len;
}

static size_t put_counts(uint8_t *out, size_t at)
{
    char text[256];
    int  len = 0;
    for (unsigned i = 0; i < KINDS; i++)
        len += snprintf(text + 1 + len, sizeof(text) - 1 - (size_t) len, "%s%s=%lu", i ? " " : "", kind_names[i],
                        atomic_load(&counts[i]));
    text[0] = (char) len;
    return put(out, at, HEADER, TXT, text, 1 + (size_t) len);
}

/* Turns the query into its answer, in place. Returns the length, 0: silence. */
static size_t answer(uint8_t *message, size_t len)
{
    static const uint8_t address[] = {192, 0, 2, 1}, server[] = {2, 'n', 's', 0xc0, HEADER};
    static const uint8_t soa[] = {0, 0, 0, 0, 0, 1, 0, 0, 2, 88, 0, 0, 2, 88, 0, 0, 2, 88, 0, 0, 2, 88};
    static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
    struct question      question;
    if (len < HEADER || !read_question(message, len, &question))
        return 0;
    atomic_fetch_add_explicit(&counts[question.kind], 1, memory_order_relaxed);
    if (!external && question.kind == SILENT)
        return 0;
    bool     edns = message[11] > 0, fail = !external && question.kind == FAIL;
    bool     apex = question.labels == 2 || question.labels == 0;
    size_t   zone = (size_t) (question.zone - message), at = question.end;
    unsigned found = 0, authority = 0;
    if (fail)
        ;
    else if (question.kind == OWN && question.type == TXT)
        found = 1, at = put_counts(message, at);
    else if (question.type == A && question.kind != OWN)
        found = 1, at = put(message, at, HEADER, A, address, sizeof(address));
    else if (question.type == NS && apex)
        found = 1, at = put(message, at, HEADER, NS, server, sizeof(server));
    else if (question.type == SOA && apex)
        found = 1, at = put(message, at, HEADER, SOA, soa, sizeof(soa));
    else
        authority = 1, at = put(message, at, zone, SOA, soa, sizeof(soa));
    message[2] |= 0x84;
    message[3]  = (uint8_t) (0x80 | (fail ? SERVFAIL : 0));
    message[7]  = (uint8_t) found;
    message[9]  = (uint8_t) authority;
    message[11] = edns;
    if (edns) {
        memcpy(message + at, opt, sizeof(opt));
        at += sizeof(opt);
    }
    return at;
}

static int open_socket(const char *host, uint16_t port, int type)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int                fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), buffer = BUFFER, on = 1;
    if (fd >= 0 && type == SOCK_STREAM)
        (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1 || fd < 0 ||
        bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
        return -1;
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
    return fd;
}

static void *serve_connection(void *argument)
{
    int     fd = (int) (intptr_t) argument;
    uint8_t frame[2 + DATAGRAM];
    for (;;) {
        if (recv(fd, frame, 2, MSG_WAITALL) != 2)
            break;
        size_t len = (size_t) frame[0] << 8 | frame[1];
        if (len > DATAGRAM - ROOM || recv(fd, frame + 2, len, MSG_WAITALL) != (ssize_t) len)
            break;
        len      = answer(frame + 2, len);
        frame[0] = (uint8_t) (len >> 8);
        frame[1] = (uint8_t) len;
        if (len > 0 && send(fd, frame, 2 + len, MSG_NOSIGNAL) < 0)
            break;
    }
    close(fd);
    return NULL;
}

static void *serve_tcp(void *argument)
{
    int fd = (int) (intptr_t) argument, connection;
    while ((connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve_connection, (void *) (intptr_t) connection) == 0)
            pthread_detach(thread);
        else
            close(connection);
    }
    return NULL;
}

static int receive(int fd)
{
    for (unsigned i = 0; i < BATCH; i++) {
        parts[i]            = (struct iovec){data[i], DATAGRAM - ROOM};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &peers[i], .msg_namelen = sizeof(peers[i]), .msg_iov = &parts[i], .msg_iovlen = 1};
    }
    return recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
}

int main(int argc, char **argv)
{
    int       fd  = argc == 4 ? open_socket(argv[1], (uint16_t) atoi(argv[2]), SOCK_DGRAM) : -1;
    int       tcp = argc == 4 ? open_socket(argv[1], (uint16_t) atoi(argv[2]), SOCK_STREAM) : -1;
    pthread_t thread;
    if (fd < 0 || tcp < 0 || listen(tcp, SOMAXCONN) < 0) {
        fprintf(stderr, "usage: bench-origin ADDRESS PORT domestic|external (a free port)\n");
        return 2;
    }
    external = strcmp(argv[3], "external") == 0;
    if (pthread_create(&thread, NULL, serve_tcp, (void *) (intptr_t) tcp) != 0)
        return 1;
    for (;;) {
        int      count = receive(fd);
        unsigned ready = 0;
        for (int i = 0; i < count; i++) {
            size_t len = answer(data[i], messages[i].msg_len);
            if (len == 0)
                continue;
            parts[i].iov_len          = len;
            messages[ready++].msg_hdr = messages[i].msg_hdr;
        }
        if (ready > 0)
            (void) sendmmsg(fd, messages, ready, 0);
    }
}
