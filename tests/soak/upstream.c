/*
 * upstream.c: resolvers that flap. One process plays those at all the addresses it is given, over UDP and TCP; each
 * line on its standard input, `INDEX MOOD`, changes one of them. The first half of the addresses are domestic: there a
 * zone fails for the first FAIL_S seconds of its life in the way that its first letter says (enum kind). Its name tells
 * when it began: t123.test is silent from half-second 123 of the monotonic clock on.
 *
 * usage: upstream PORT ADDRESS ...; ends at the end of its input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    FAIL_S      = 15,
    SLOW_MS     = 300,
    UPSTREAMS   = 4,
    MESSAGE     = 4096, /* bytes; what is sent here is shorter */
    CONNECTIONS = 2048,
    WAITING     = 8192, /* replies that are slow; the oldest is lost */
    LARGE       = 8,    /* strings of 200 bytes: too large for UDP */
};

enum mood {
    FAIR,
    SILENT,
    FAILING,
    LOSSY,
    CUTTING,
    GARBLING,
    CLOSED,
    MOODS
};
static const char *const moods[MOODS] = {"fair", "silent", "failing", "lossy", "cutting", "garbling", "closed"};

enum kind { /* by the zone's letter; the last three at external too */
    ZONE_SILENT   = 't',
    ZONE_SERVFAIL = 's',
    ZONE_REFUSED  = 'r',
    ZONE_ALIAS    = 'a', /* the apex is fine, its names lead into a zone that is silent */
    ZONE_LARGE    = 'l',
    ZONE_SLOW     = 'w',
    ZONE_NONE     = 'n', /* NXDOMAIN below the apex */
    ZONE_DEAD     = 'd',
    ZONE_BROKEN   = 'b',
};

enum {
    NOERROR  = 0,
    SERVFAIL = 2,
    NXDOMAIN = 3,
    REFUSED  = 5,
    NO_REPLY = -1
};
enum {
    TYPE_A     = 1,
    TYPE_NS    = 2,
    TYPE_CNAME = 5,
    TYPE_SOA   = 6,
    TYPE_MX    = 15,
    TYPE_TXT   = 16,
    TYPE_AAAA  = 28
};

struct peer { /* epoll's data: a socket, and what has come on it */
    int      fd, index;
    bool     listens, udp;
    uint16_t have;
    uint8_t  bytes[MESSAGE + 2];
};

struct upstream {
    struct sockaddr_in address;
    enum mood          mood;
    struct peer        udp, tcp;
};

struct slow {
    int64_t            due;
    int                fd;
    struct sockaddr_in to;
    size_t             len;
    uint8_t            reply[512];
};

static struct upstream upstreams[UPSTREAMS];
static int             upstream_count, epoll_fd, connection_count;
static struct peer    *connections[CONNECTIONS];
static struct slow     waiting[WAITING];
static unsigned        waiting_head, waiting_tail;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- replies ---- */

struct question {
    const uint8_t *name;              /* from `begin` of the wire */
    unsigned       len, zone, labels; /* of the name; offset of its last two labels */
    uint16_t       type;
    bool           edns;
};

static bool read_question(const uint8_t *wire, size_t len, struct question *ret)
{
    unsigned starts[128], at = 12;

    *ret = (struct question){0};
    if (len < 17 || wire[5] != 1)
        return false;
    while (at < len && wire[at] != 0) {
        if (wire[at] > 63 || ret->labels == 128)
            return false;
        starts[ret->labels++] = at;
        at += wire[at] + 1u;
    }
    if (at + 5 > len)
        return false;
    ret->name = wire + 12;
    ret->len  = at + 1 - 12;
    ret->zone = ret->labels >= 2 ? starts[ret->labels - 2] : at;
    ret->type = (uint16_t) (wire[at + 1] << 8 | wire[at + 2]);
    ret->edns = wire[11] != 0;
    return true;
}

struct writer {
    uint8_t *bytes;
    size_t   len;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
    memcpy(w->bytes + w->len, bytes, len);
    w->len += len;
}

static void put16(struct writer *w, unsigned value) { put(w, (uint8_t[]){(uint8_t) (value >> 8), (uint8_t) value}, 2); }

static void put_head(struct writer *w, unsigned owner, uint16_t type)
{
    put16(w, 0xc000 | owner);
    put16(w, type);
    put16(w, 1);
    put16(w, 0);
    put16(w, 1 + (unsigned) rand() % 60);
}

static void put_soa(struct writer *w, unsigned zone)
{
    static const uint8_t rest[] = {0, 0, 0, 0, 0, 1, 0, 0, 14, 16, 0, 0, 3, 132, 0, 9, 58, 128, 0, 0, 0, 30};

    put_head(w, zone, TYPE_SOA);
    put16(w, sizeof(rest));
    put(w, rest, sizeof(rest));
}

/* False: the name has no such record. */
static bool put_record(struct writer *w, unsigned owner, uint16_t type, const struct question *q, bool large)
{
    uint8_t text[201] = {200};

    switch (type) {
    case TYPE_A:
    case TYPE_AAAA:
        put_head(w, owner, type);
        put16(w, type == TYPE_A ? 4 : 16);
        put(w, (uint8_t[16]){192, 0, 2, (uint8_t) rand()}, type == TYPE_A ? 4 : 16);
        return true;
    case TYPE_MX:
        put_head(w, owner, type);
        put16(w, 4);
        put16(w, 10);
        put16(w, 0xc000 | q->zone);
        return true;
    case TYPE_TXT:
        put_head(w, owner, type);
        put16(w, large ? LARGE * sizeof(text) : sizeof(text));
        for (int i = 0; i < (large ? LARGE : 1); i++)
            put(w, text, sizeof(text));
        return true;
    case TYPE_SOA:
    case TYPE_NS:
        if (q->zone != 12)
            return false;
        if (type == TYPE_SOA) {
            put_soa(w, q->zone);
            return true;
        }
        put_head(w, owner, type);
        put16(w, 6);
        put(w, "\3ns1", 4);
        put16(w, 0xc000 | q->zone);
        return true;
    default:
        return false;
    }
}

/* The answer section; its count. */
static unsigned put_answer(struct writer *w, const struct question *q, int kind)
{
    uint8_t  target[64];
    unsigned owner = 12;

    if (kind == ZONE_ALIAS && q->zone != 12) { /* x.tN.test for NAME.aN.test */
        size_t len = q->len + 12 - q->zone;
        memcpy(target, "\1x", 2);
        memcpy(target + 2, q->name + q->zone - 12, len);
        target[3] = ZONE_SILENT;
        put_head(w, 12, TYPE_CNAME);
        put16(w, (unsigned) len + 2);
        owner = (unsigned) w->len;
        put(w, target, len + 2);
        return 1 + put_record(w, owner, q->type, q, false);
    }
    return put_record(w, owner, q->type, q, kind == ZONE_LARGE);
}

/* What this zone comes to at that side, now: an rcode, or NO_REPLY. */
static int fate_of(const struct question *q, int kind, bool domestic)
{
    int64_t born    = q->labels >= 2 ? atoll((const char *) q->name + q->zone - 12 + 2) * 500 : 0;
    bool    failing = domestic && now_ms() - born < FAIL_S * 1000;

    switch (kind) {
    case ZONE_SILENT:
        return failing ? NO_REPLY : NOERROR;
    case ZONE_SERVFAIL:
        return failing ? SERVFAIL : NOERROR;
    case ZONE_REFUSED:
        return failing ? REFUSED : NOERROR;
    case ZONE_ALIAS:
        return failing && q->zone != 12 ? SERVFAIL : NOERROR;
    case ZONE_NONE:
        return q->zone != 12 ? NXDOMAIN : NOERROR;
    case ZONE_DEAD:
        return NO_REPLY;
    case ZONE_BROKEN:
        return SERVFAIL;
    default:
        return NOERROR;
    }
}

/* Length of the reply in `ret`, 0: none. */
static size_t reply_to(const uint8_t *wire, size_t len, const struct upstream *upstream, bool udp, uint8_t *ret,
                       bool *ret_slow)
{
    struct question q;
    struct writer   w       = {.bytes = ret};
    unsigned        answers = 0, authority = 0;

    if (upstream->mood == SILENT || (udp && upstream->mood == LOSSY && rand() % 3 == 0) ||
        !read_question(wire, len, &q))
        return 0;
    int kind  = q.labels >= 2 ? q.name[q.zone - 12 + 1] | 0x20 : 0;
    int rcode = fate_of(&q, kind, upstream - upstreams < upstream_count / 2);
    if (rcode == NO_REPLY)
        return 0;
    if (upstream->mood == FAILING)
        rcode = SERVFAIL;
    *ret_slow = udp && kind == ZONE_SLOW;
    put(&w, wire, 12 + q.len + 4);
    if (rcode == NOERROR)
        answers = put_answer(&w, &q, kind);
    if ((rcode == NOERROR && answers == 0) || rcode == NXDOMAIN) {
        put_soa(&w, q.zone);
        authority = 1;
    }
    bool cut = udp && (w.len > 1200 || upstream->mood == CUTTING);
    if (cut) {
        w.len   = 12 + q.len + 4;
        answers = authority = 0;
    }
    ret[2] = (uint8_t) (0x80 | (cut ? 2 : 0) | (wire[2] & 1));
    ret[3] = (uint8_t) (0x80 | rcode);
    memset(ret + 6, 0, 6);
    ret[7] = (uint8_t) answers;
    ret[9] = (uint8_t) authority;
    if (q.edns) {
        ret[11] = 1;
        put(&w, "\0\0\x29\x04\xd0\0\0\0\0\0", 11);
    }
    if (upstream->mood == GARBLING && rand() % 2)
        for (int i = 0; i < 4; i++)
            ret[(size_t) rand() % w.len] = (uint8_t) rand();
    return w.len;
}

/* ---- sockets ---- */

static void watch(struct peer *peer)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};

    if (peer->fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, peer->fd, &event) < 0) {
        perror("upstream: epoll");
        exit(1);
    }
}

static void open_peer(struct peer *peer, int index, bool udp)
{
    int on = 1, room = 8 << 20;

    *peer    = (struct peer){.index = index, .udp = udp, .listens = !udp};
    peer->fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);
    setsockopt(peer->fd, SOL_SOCKET, udp ? SO_RCVBUFFORCE : SO_REUSEADDR, udp ? &room : &on, sizeof(on));
    if (bind(peer->fd, (struct sockaddr *) &upstreams[index].address, sizeof(struct sockaddr_in)) < 0 ||
        (!udp && listen(peer->fd, 512) < 0)) {
        perror("upstream: bind");
        exit(1);
    }
    watch(peer);
}

static void close_connection(int place)
{
    struct peer *peer = connections[place];

    connections[place] = connections[--connection_count];
    close(peer->fd);
    free(peer);
}

static void set_mood(int index, enum mood mood)
{
    struct upstream *upstream = &upstreams[index];

    if (mood == CLOSED && upstream->mood != CLOSED) {
        close(upstream->udp.fd);
        close(upstream->tcp.fd);
        for (int i = connection_count - 1; i >= 0; i--)
            if (connections[i]->index == index)
                close_connection(i);
    } else if (mood != CLOSED && upstream->mood == CLOSED) {
        open_peer(&upstream->udp, index, true);
        open_peer(&upstream->tcp, index, false);
    }
    upstream->mood = mood;
}

static void put_off(int fd, const struct sockaddr_in *to, const uint8_t *reply, size_t len)
{
    struct slow *slow = &waiting[waiting_tail++ % WAITING];

    *slow = (struct slow){.due = now_ms() + SLOW_MS, .fd = fd, .to = *to, .len = len};
    memcpy(slow->reply, reply, len);
    if (waiting_tail - waiting_head > WAITING)
        waiting_head++;
}

static void send_slow(void)
{
    for (; waiting_head != waiting_tail && waiting[waiting_head % WAITING].due <= now_ms(); waiting_head++) {
        struct slow *slow = &waiting[waiting_head % WAITING];
        sendto(slow->fd, slow->reply, slow->len, 0, (struct sockaddr *) &slow->to, sizeof(slow->to));
    }
}

static void on_udp(struct peer *peer)
{
    uint8_t wire[MESSAGE], reply[MESSAGE * 2];

    for (int i = 0; i < 64; i++) {
        struct sockaddr_in from;
        socklen_t          from_len = sizeof(from);
        bool               slow     = false;
        ssize_t            len      = recvfrom(peer->fd, wire, sizeof(wire), 0, (struct sockaddr *) &from, &from_len);
        if (len < 0)
            return;
        size_t reply_len = reply_to(wire, (size_t) len, &upstreams[peer->index], true, reply, &slow);
        if (slow && reply_len <= sizeof(waiting->reply))
            put_off(peer->fd, &from, reply, reply_len);
        else if (reply_len)
            sendto(peer->fd, reply, reply_len, 0, (struct sockaddr *) &from, from_len);
    }
}

/* False: it is over. */
static bool on_stream(struct peer *peer)
{
    uint8_t reply[MESSAGE * 2 + 2];
    bool    slow;
    ssize_t len = recv(peer->fd, peer->bytes + peer->have, sizeof(peer->bytes) - peer->have, 0);

    if (len <= 0)
        return len < 0 && errno == EAGAIN;
    peer->have = (uint16_t) (peer->have + len);
    for (;;) {
        size_t want = peer->have < 2 ? 0 : (size_t) peer->bytes[0] << 8 | peer->bytes[1];
        if (want > MESSAGE)
            return false;
        if (peer->have < 2 || peer->have < want + 2)
            return true;
        size_t reply_len = reply_to(peer->bytes + 2, want, &upstreams[peer->index], false, reply + 2, &slow);
        reply[0]         = (uint8_t) (reply_len >> 8);
        reply[1]         = (uint8_t) reply_len;
        if (reply_len && send(peer->fd, reply, reply_len + 2, MSG_NOSIGNAL) != (ssize_t) reply_len + 2)
            return false;
        peer->have = (uint16_t) (peer->have - want - 2);
        memmove(peer->bytes, peer->bytes + want + 2, peer->have);
    }
}

static void on_listener(struct peer *listener)
{
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK);

    if (fd < 0)
        return;
    if (connection_count == CONNECTIONS) {
        close(fd);
        return;
    }
    struct peer *peer               = calloc(1, sizeof(*peer));
    *peer                           = (struct peer){.fd = fd, .index = listener->index};
    connections[connection_count++] = peer;
    watch(peer);
}

static void on_peer(struct peer *peer)
{
    if (peer->udp) {
        on_udp(peer);
    } else if (peer->listens) {
        on_listener(peer);
    } else if (!on_stream(peer)) {
        for (int i = 0; i < connection_count; i++)
            if (connections[i] == peer) {
                close_connection(i);
                return;
            }
    }
}

/* False: the end. A line comes whole: it is short, and nobody else writes to the pipe. */
static bool on_order(void)
{
    char    line[4096], *save = NULL, word[32];
    int     index;
    ssize_t len = read(STDIN_FILENO, line, sizeof(line) - 1);

    if (len <= 0)
        return false;
    line[len] = 0;
    for (char *one = strtok_r(line, "\n", &save); one; one = strtok_r(NULL, "\n", &save)) {
        if (sscanf(one, "%d %31s", &index, word) != 2 || index < 0 || index >= upstream_count)
            continue;
        for (int mood = 0; mood < MOODS; mood++)
            if (strcmp(word, moods[mood]) == 0)
                set_mood(index, (enum mood) mood);
    }
    return true;
}

int main(int argc, char **argv)
{
    struct peer order = {.fd = STDIN_FILENO};

    if (argc < 3 || argc - 2 > UPSTREAMS)
        return 2;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    watch(&order);
    for (upstream_count = 0; upstream_count < argc - 2; upstream_count++) {
        struct upstream *upstream = &upstreams[upstream_count];
        upstream->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t) atoi(argv[1]))};
        inet_pton(AF_INET, argv[2 + upstream_count], &upstream->address.sin_addr);
        open_peer(&upstream->udp, upstream_count, true);
        open_peer(&upstream->tcp, upstream_count, false);
    }
    for (;;) { /* one event a turn: whatever it closes, no later event can name */
        struct epoll_event event;
        int                count = epoll_wait(epoll_fd, &event, 1, waiting_head == waiting_tail ? -1 : 5);
        if (count == 1 && event.data.ptr == &order) {
            if (!on_order())
                return 0;
        } else if (count == 1) {
            on_peer(event.data.ptr);
        }
        send_slow();
    }
}
