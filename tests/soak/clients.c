/*
 * clients.c: clients that come and go. Those over UDP ask RATE questions a second in all and hold each answer to its
 * question and to its time; those over TCP pipeline, close halfway, break off, fall silent or send rubbish; one address
 * asks more than it may, one sends what is no DNS. Once a second a line of JSON with what has been counted.
 *
 * usage: clients ADDRESS PORT RATE LIMIT_MS SEED; an answer that has not come after LIMIT_MS is lost. At the end of its
 * input it asks no more, waits for what is open, and prints last.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CLIENTS  = 128,
    OPEN     = 16, /* questions of one client without an answer; a power of two */
    STREAMS  = 48,
    PIPELINE = 60, /* of one stream */
    QUESTION = 256,
    FRAMES   = PIPELINE * (QUESTION + 2),
    FLOOD    = 20, /* one in so many seconds is flooded */
    LIFE_S   = 30, /* zones are asked for so long after they began; twice what upstream.c lets them fail, and a bit */
};

/* What a stream does once it has sent its questions. */
enum manner {
    READS,
    HALF_CLOSES,
    BREAKS_OFF,
    STAYS_MUTE,
    STOPS_AMID,
    SENDS_RUBBISH,
    MANNERS
};

struct open {
    int64_t  sent; /* 0: free */
    uint16_t id, len;
    uint8_t  question[QUESTION]; /* the section, for the reply must repeat it */
};

struct client {
    int         fd, uses; /* questions until it goes */
    unsigned    open;
    struct open opens[OPEN];
};

struct stream {
    int         fd; /* -1: none */
    enum manner manner;
    unsigned    asked, answered;
    int64_t     until;
    size_t      have, len, sent;
    uint8_t     output[FRAMES], input[65536 + 2];
};

static struct {
    long sent, answered, lost, wrong, gone, slowest, rcodes[16], streams, tcp_sent, tcp_answered, tcp_lost, tcp_cut,
        flooded, flood_answered, rubbish;
} count;

static struct sockaddr_in where;
static struct client      clients[CLIENTS];
static struct stream      streams[STREAMS];
static int                flooder, rubbisher;
static int64_t            now, limit;
static bool               ending;
static uint64_t           dice;

static unsigned below(unsigned bound) /* xorshift64* */
{
    dice ^= dice >> 12;
    dice ^= dice << 25;
    dice ^= dice >> 27;
    return (unsigned) ((dice * 2685821657736338717u) >> 33) % bound;
}

static int64_t now_ms(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t) at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* ---- questions ---- */

static void name_one(char ret[QUESTION])
{
    static const char failing[] = "tsra", odd[] = "lwndb";
    int64_t           born = now / 500 - below(LIFE_S * 2);
    unsigned          die  = below(100);

    if (die < 35)
        snprintf(ret, QUESTION, "often.f%u.test", below(200));
    else if (die < 70)
        snprintf(ret, QUESTION, "once%u.f%u.test", below(1u << 30), below(5000));
    else if (die < 82)
        snprintf(ret, QUESTION, "x%u.%c%lld.test", below(20), failing[below(4)], (long long) born);
    else if (die < 86)
        snprintf(ret, QUESTION, "%c%lld.test", failing[below(4)], (long long) born);
    else if (die < 92)
        snprintf(ret, QUESTION, "y%u.%c%u.test", below(100), odd[below(5)], below(20));
    else if (die < 94)
        snprintf(ret, QUESTION, "fence%u.refuse.test", below(1000));
    else if (die < 96)
        snprintf(ret, QUESTION, "%u.2.0.192.in-addr.arpa", below(256));
    else if (die < 98)
        snprintf(ret, QUESTION, "z%u.i%u.test", below(10), below(3000));
    else
        snprintf(ret, QUESTION, "office%u.corp.test", below(10000));
}

static size_t write_question(uint16_t id, uint8_t ret[QUESTION])
{
    static const uint16_t types[] = {1, 1, 1, 1, 28, 28, 15, 15, 16, 16, 2, 6, 12, 33, 65, 255, 257, 65280};
    char                  text[QUESTION], *save = NULL;
    size_t                len      = 12;
    unsigned              type     = types[below(sizeof(types) / sizeof(types[0]))];
    bool                  edns     = below(2);
    const uint8_t         head[12] = {
                (uint8_t) (id >> 8), (uint8_t) id, 1, (uint8_t) (below(10) ? 0 : 0x30 & below(64)), 0, 1, [11] = edns};

    memcpy(ret, head, sizeof(head));
    name_one(text);
    for (char *label = strtok_r(text, ".", &save); label; label = strtok_r(NULL, ".", &save)) {
        ret[len++] = (uint8_t) strlen(label);
        for (; *label; label++)
            ret[len++] = (uint8_t) (*label >= 'a' && below(2) ? *label - 32 : *label);
    }
    memcpy(ret + len, (uint8_t[]){0, (uint8_t) (type >> 8), (uint8_t) type, 0, 1}, 5);
    len += 5;
    if (edns) {
        bool option = below(5) == 0;
        memcpy(ret + len, (uint8_t[]){0, 0, 41, 4, 208, 0, 0, below(4) ? 0 : 0x80, 0, 0, option ? 12 : 0}, 11);
        memcpy(ret + len + 11, (uint8_t[]){0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8}, option ? 12 : 0);
        len += option ? 23 : 11;
    }
    return len;
}

/* Bytes that are almost a question, or not at all one; never one that is right. */
static size_t write_rubbish(uint8_t ret[QUESTION])
{
    size_t len = below(3) ? write_question((uint16_t) below(65536), ret) : QUESTION / 2;

    if (below(2))
        len = below((unsigned) len);
    for (unsigned i = below(8); i > 0 && len > 0; i--)
        ret[below((unsigned) len)] = (uint8_t) below(256);
    return len;
}

/* ---- sockets ---- */

static int open_socket(int kind, unsigned network, unsigned host)
{
    int                fd = socket(AF_INET, kind | SOCK_NONBLOCK, 0), room = 1 << 20;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(127u << 24 | network << 16 | host)};

    if (kind == SOCK_DGRAM)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    if (fd < 0 || bind(fd, (struct sockaddr *) &from, sizeof(from)) < 0 ||
        (connect(fd, (struct sockaddr *) &where, sizeof(where)) < 0 && errno != EINPROGRESS)) {
        perror("clients: socket");
        exit(1);
    }
    return fd;
}

/* ---- clients over UDP ---- */

static void come(struct client *client)
{
    *client    = (struct client){.uses = 1 + (int) below(2000)};
    client->fd = open_socket(SOCK_DGRAM, 1, 1 + (unsigned) (client - clients));
}

/* The socket is closed last: the next one has another port then, and hears no answer that was for this one. */
static void leave(struct client *client)
{
    int left = client->fd;

    count.gone += client->open;
    come(client);
    close(left);
}

static void ask(struct client *client)
{
    uint8_t      wire[QUESTION];
    unsigned     place = below(OPEN);
    struct open *open  = &client->opens[place];

    if (open->sent)
        return;
    uint16_t id  = (uint16_t) ((below(65536 / OPEN) * OPEN) | place);
    size_t   len = write_question(id, wire);
    if (send(client->fd, wire, len, 0) < 0)
        return;
    count.sent++;
    client->open++;
    *open = (struct open){.sent = now, .id = id};
    while (wire[12 + open->len])
        open->len = (uint16_t) (open->len + wire[12 + open->len] + 1);
    open->len = (uint16_t) (open->len + 5);
    memcpy(open->question, wire + 12, open->len);
    if (--client->uses <= 0 && (below(4) == 0 || client->open == 0)) /* some go without waiting */
        leave(client);
}

static void hear(struct client *client)
{
    uint8_t wire[4096];
    ssize_t len;

    while ((len = recv(client->fd, wire, sizeof(wire), 0)) >= 0) {
        struct open *open = &client->opens[wire[1] % OPEN];
        if (len < 12 || !open->sent || open->id != (wire[0] << 8 | wire[1]) || !(wire[2] & 0x80) ||
            len < 12 + open->len || memcmp(wire + 12, open->question, open->len) != 0) {
            fprintf(stderr, "wrong: %zd bytes, id %d, for client %td at %lld\n", len, wire[0] << 8 | wire[1],
                    client - clients, (long long) now);
            count.wrong++;
            continue;
        }
        if (now - open->sent > count.slowest)
            count.slowest = (long) (now - open->sent);
        count.answered++;
        count.rcodes[wire[3] & 15]++;
        open->sent = 0;
        client->open--;
    }
}

static void give_up(struct client *client)
{
    for (int i = 0; i < OPEN; i++) {
        struct open *open = &client->opens[i];
        if (open->sent == 0 || now - open->sent <= limit)
            continue;
        char text[QUESTION] = "";
        for (int at = 0; open->question[at]; at += open->question[at] + 1)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s.", open->question[at],
                     open->question + at + 1);
        fprintf(stderr, "lost: %s type %d, sent at %lld\n", text,
                open->question[open->len - 4] << 8 | open->question[open->len - 3], (long long) open->sent);
        count.lost++;
        open->sent = 0;
        client->open--;
    }
}

/* ---- clients over TCP ---- */

static void begin(struct stream *stream)
{
    stream->manner   = (enum manner) below(MANNERS);
    stream->fd       = open_socket(SOCK_STREAM, 1, 1000 + (unsigned) (stream - streams));
    stream->asked    = 1 + below(PIPELINE);
    stream->answered = 0;
    stream->have = stream->len = stream->sent = 0;
    stream->until                             = now + (stream->manner <= HALF_CLOSES ? limit : below((unsigned) limit));
    for (unsigned i = 0; i < stream->asked; i++) {
        uint8_t *frame = stream->output + stream->len;
        size_t   len =
            stream->manner == SENDS_RUBBISH ? write_rubbish(frame + 2) : write_question((uint16_t) i, frame + 2);
        frame[0] = 0;
        frame[1] = (uint8_t) len;
        stream->len += len + 2;
    }
    if (stream->manner == STOPS_AMID)
        stream->len -= 1 + below(20);
    count.streams++;
    if (stream->manner <= HALF_CLOSES)
        count.tcp_sent += stream->asked;
}

static void end(struct stream *stream, bool cut)
{
    if (stream->manner <= HALF_CLOSES) {
        count.tcp_answered += stream->answered;
        *(cut ? &count.tcp_cut : &count.tcp_lost) += stream->asked - stream->answered;
        if (stream->answered < stream->asked)
            fprintf(stderr, "stream %s with %u of %u answers, sent %zu of %zu bytes, manner %d\n", cut ? "cut" : "late",
                    stream->answered, stream->asked, stream->sent, stream->len, stream->manner);
    }
    if (stream->manner == BREAKS_OFF)
        setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(stream->fd);
    stream->fd = -1;
}

static void take(struct stream *stream)
{
    ssize_t len = recv(stream->fd, stream->input + stream->have, sizeof(stream->input) - stream->have, 0);
    size_t  at  = 0;

    if (len <= 0) {
        if (len == 0 || errno != EAGAIN)
            end(stream, true);
        return;
    }
    stream->have += (size_t) len;
    while (stream->have - at >= 2) {
        size_t want = (size_t) (stream->input[at] << 8 | stream->input[at + 1]) + 2;
        if (stream->have - at < want)
            break;
        stream->answered++;
        at += want;
    }
    stream->have -= at;
    memmove(stream->input, stream->input + at, stream->have);
    if (stream->manner <= HALF_CLOSES && stream->answered == stream->asked)
        end(stream, false);
}

static void give(struct stream *stream)
{
    ssize_t len = send(stream->fd, stream->output + stream->sent, stream->len - stream->sent, MSG_NOSIGNAL);

    if (len < 0 && errno != EAGAIN)
        end(stream, true);
    if (len <= 0)
        return;
    stream->sent += (size_t) len;
    if (stream->sent == stream->len && stream->manner == HALF_CLOSES)
        shutdown(stream->fd, SHUT_WR);
}

static short wants(const struct stream *stream)
{
    return (short) ((stream->sent < stream->len ? POLLOUT : 0) | (stream->manner == STAYS_MUTE ? 0 : POLLIN));
}

/* ---- all of them ---- */

static void flood(void)
{
    uint8_t wire[QUESTION];

    if (!ending && now / 1000 % FLOOD == 0)
        for (int i = 0; i < 10; i++)
            count.flooded += send(flooder, wire, write_question((uint16_t) i, wire), 0) > 0;
    while (recv(flooder, wire, sizeof(wire), 0) >= 0)
        count.flood_answered++;
    if (!ending && below(4) == 0)
        count.rubbish += send(rubbisher, wire, write_rubbish(wire), 0) >= 0;
    while (recv(rubbisher, wire, sizeof(wire), 0) >= 0)
        continue;
}

static bool is_idle(void)
{
    unsigned open = 0;

    for (int i = 0; i < CLIENTS; i++)
        open += clients[i].open;
    for (int i = 0; i < STREAMS; i++)
        open += streams[i].fd >= 0;
    return open == 0;
}

static void print(void)
{
    printf(
        "{\"sent\":%ld,\"answered\":%ld,\"lost\":%ld,\"wrong\":%ld,\"gone\":%ld,\"slowest_ms\":%ld,\"streams\":%ld,"
        "\"tcp_sent\":%ld,\"tcp_answered\":%ld,\"tcp_lost\":%ld,\"tcp_cut\":%ld,\"flooded\":%ld,\"flood_answered\":%ld,"
        "\"rubbish\":%ld,\"rcodes\":[%ld,%ld,%ld,%ld,%ld,%ld]}\n",
        count.sent, count.answered, count.lost, count.wrong, count.gone, count.slowest, count.streams, count.tcp_sent,
        count.tcp_answered, count.tcp_lost, count.tcp_cut, count.flooded, count.flood_answered, count.rubbish,
        count.rcodes[0], count.rcodes[1], count.rcodes[2], count.rcodes[3], count.rcodes[4], count.rcodes[5]);
    fflush(stdout);
}

static void turn(void)
{
    struct pollfd polls[1 + CLIENTS + STREAMS] = {{.fd = STDIN_FILENO, .events = ending ? 0 : POLLIN}};

    for (int i = 0; i < CLIENTS; i++)
        polls[1 + i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
    for (int i = 0; i < STREAMS; i++)
        polls[1 + CLIENTS + i] =
            (struct pollfd){.fd = streams[i].fd, .events = streams[i].fd < 0 ? 0 : wants(&streams[i])};
    poll(polls, 1 + CLIENTS + STREAMS, 5);
    now = now_ms();
    if (polls[0].revents && read(STDIN_FILENO, &(char){0}, 1) <= 0)
        ending = true;
    for (int i = 0; i < CLIENTS; i++)
        if (polls[1 + i].revents)
            hear(&clients[i]);
    for (int i = 0; i < STREAMS; i++) {
        struct stream *stream = &streams[i];
        short          ready  = polls[1 + CLIENTS + i].revents;
        if (stream->fd < 0) {
            if (!ending && below(20) == 0)
                begin(stream);
            continue;
        }
        if (ready & (POLLOUT | POLLERR) && stream->sent < stream->len)
            give(stream);
        if (stream->fd >= 0 && ready & (POLLIN | POLLHUP | POLLERR))
            take(stream);
        if (stream->fd >= 0 && now >= stream->until)
            end(stream, false);
    }
    flood();
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    where = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t) atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &where.sin_addr);
    int64_t rate = atoi(argv[3]);
    limit        = atoi(argv[4]);
    dice         = strtoull(argv[5], NULL, 10) * 2 + 1;
    now          = now_ms();
    for (int i = 0; i < CLIENTS; i++)
        come(&clients[i]);
    for (int i = 0; i < STREAMS; i++)
        streams[i].fd = -1;
    flooder      = open_socket(SOCK_DGRAM, 2, 1);
    rubbisher    = open_socket(SOCK_DGRAM, 2, 2);
    int64_t last = now, told = now, credit = 0;
    while (!ending || !is_idle()) {
        turn();
        credit += (now - last) * rate;
        last = now;
        if (credit > rate * 100)
            credit = rate * 100; /* 100 ms: what a stalled machine has missed is not made good */
        for (; !ending && credit >= 1000; credit -= 1000)
            ask(&clients[below(CLIENTS)]);
        if (now - told >= 1000) {
            for (int i = 0; i < CLIENTS; i++)
                give_up(&clients[i]);
            print();
            told = now;
        }
    }
    print();
    return 0;
}
