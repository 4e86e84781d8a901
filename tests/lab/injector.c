/*
 * injector.c: the border's forger. It sees what crosses the border on UDP port 53, either way and for any address, be
 * there a server or not, and answers questions about names on its list before the true one can: with the id, the
 * question and the letters that were asked, AAAA by AAAA and all else by A, no authority and no OPT. The question goes
 * on some milliseconds later, so the true answer comes, too.
 *
 * The packets are taken before the kernel forwards them (AF_PACKET), and it is the injector that sends them on (raw
 * IP); whoever starts it tells the kernel to drop them, and, with --loss, those from port 53 as well. What does not
 * come by UDP to or from port 53, or comes in fragments, or by IPv6, it leaves alone.
 *
 * usage: injector [OPTION ...] NAME ...; it says "ready" once it sees packets. For the options see usage().
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PORT       = 53,
    PACKET_MAX = 65535,
    NAME_MAX   = 256, /* as text */
    LISTED     = 1024,
    ADDRESSES  = 64,
    FORGED_MAX = 3, /* packets for one question */
    HEADER     = 12,
    RECORD     = 12, /* a record's owner, as a pointer, to the length of its data */
    TTL_LEAST  = 60,
    TTL_MOST   = 234,
    A          = 1,
    AAAA       = 28,
    QR         = 0x80, /* in a message's third byte */
    RD         = 0x01,
};

/* A packet that goes on later. */
struct held {
    struct held *next;
    int64_t      at; /* ms */
    size_t       len;
    uint8_t      data[];
};

static struct {
    const char     *names[LISTED];
    unsigned        listed;
    struct in_addr  a[ADDRESSES];
    struct in6_addr aaaa[ADDRESSES];
    unsigned        as, aaaas;
    unsigned        packets;     /* 0: one to FORGED_MAX */
    unsigned        least, most; /* ms that a question is held back */
    double          loss;
} setup = {.least = 1, .most = 400};

static uint64_t     random_state;
static struct held *held; /* the soonest first */
static int          out;  /* raw IP */

/* ---- small tools ---- */

static void die(const char *what)
{
    fprintf(stderr, "injector: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* xorshift64*: the same packets in the same order have the same fate for one seed. */
static uint32_t draw(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t) (random_state * 0x2545f4914f6cdd1dULL >> 32);
}

static unsigned between(unsigned least, unsigned most) { return least + draw() % (most - least + 1); }

static bool is_lost(void) { return setup.loss > 0 && draw() < setup.loss / 100 * UINT32_MAX; }

static uint32_t add_up(uint32_t sum, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? bytes[i] : (uint32_t) bytes[i] << 8;
    return sum;
}

/* ---- sending ---- */

/* A question that came from a program of this machine has no checksum yet. */
static void put_checksum(struct iphdr *ip, struct udphdr *udp, size_t len)
{
    uint32_t sum = IPPROTO_UDP + (uint32_t) len;
    udp->check   = 0;
    sum          = add_up(sum, &ip->saddr, sizeof(ip->saddr));
    sum          = add_up(sum, &ip->daddr, sizeof(ip->daddr));
    sum          = add_up(sum, udp, len);
    while (sum >> 16)
        sum = (sum >> 16) + (sum & 0xffff);
    udp->check = htons(sum == 0xffff ? 0xffff : (uint16_t) ~sum);
}

static void emit(uint8_t *packet, size_t len)
{
    struct iphdr      *ip  = (struct iphdr *) packet;
    struct udphdr     *udp = (struct udphdr *) (packet + ip->ihl * 4);
    struct sockaddr_in to  = {.sin_family = AF_INET, .sin_addr.s_addr = ip->daddr};
    put_checksum(ip, udp, len - (size_t) ip->ihl * 4);
    (void) sendto(out, packet, len, 0, (struct sockaddr *) &to, sizeof(to)); /* no route: as lost as with a router */
}

static void hold(const uint8_t *packet, size_t len, unsigned ms)
{
    struct held *one = malloc(sizeof(*one) + len), **place = &held;
    if (!one)
        return;
    one->at  = now() + ms;
    one->len = len;
    memcpy(one->data, packet, len);
    while (*place && (*place)->at <= one->at)
        place = &(*place)->next;
    one->next = *place;
    *place    = one;
}

/* Lets go what is due. Returns the ms until the next is, -1: there is none. */
static int release(void)
{
    while (held && held->at <= now()) {
        struct held *one = held;
        held             = one->next;
        emit(one->data, one->len);
        free(one);
    }
    if (!held)
        return -1;
    int64_t left = held->at - now();
    return left > 0 ? (int) left : 0;
}

/* ---- forging ---- */

static bool is_listed(const char *name)
{
    size_t len = strlen(name);
    for (unsigned i = 0; i < setup.listed; i++) {
        size_t      tail = strlen(setup.names[i]);
        const char *from = name + len - tail;
        if (len >= tail && strcasecmp(from, setup.names[i]) == 0 && (len == tail || from[-1] == '.'))
            return true;
    }
    return false;
}

/* Returns the length of the message up to the end of its question, whose name it writes; 0: it is no plain question. */
static size_t read_question(const uint8_t *message, size_t len, char *name)
{
    size_t at = HEADER, end = 0;
    if (len < HEADER || (message[2] & QR) || message[4] != 0 || message[5] != 1)
        return 0;
    for (; at < len && message[at] != 0; at += 1u + message[at]) {
        size_t label = message[at];
        if (label > 63 || at + 1 + label >= len || end + label + 1 >= NAME_MAX)
            return 0;
        memcpy(name + end, message + at + 1, label);
        end += label;
        name[end++] = '.';
    }
    name[end > 0 ? end - 1 : 0] = '\0';
    return at + 5 <= len ? at + 5 : 0;
}

static size_t put_answer(uint8_t *message, size_t end)
{
    bool        v6   = message[end - 3] == AAAA && message[end - 4] == 0;
    const void *data = v6 ? (void *) &setup.aaaa[draw() % setup.aaaas] : (void *) &setup.a[draw() % setup.as];
    uint8_t     size = v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
    uint8_t     ttl  = (uint8_t) between(TTL_LEAST, TTL_MOST);
    memcpy(message + end, (const uint8_t[]){0xc0, HEADER, 0, v6 ? AAAA : A, 0, 1, 0, 0, 0, ttl, 0, size}, RECORD);
    memcpy(message + end + RECORD, data, size);
    return end + RECORD + size;
}

/* The answer, as if from whomever the packet was for, to whoever sent it. `end`: of its question. */
static void forge(const struct iphdr *ip, const struct udphdr *udp, const uint8_t *question, size_t end)
{
    struct {
        struct iphdr  ip;
        struct udphdr udp;
        uint8_t       message[HEADER + NAME_MAX + 4 + RECORD + sizeof(struct in6_addr)];
    } packet      = {.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP}};
    bool recursed = question[2] & RD;
    memcpy(packet.message, question, end);
    memcpy(packet.message + 2, recursed ? "\x81\x80\0\1\0\1\0\0\0\0" : "\x84\0\0\1\0\1\0\0\0\0", HEADER - 2);
    size_t len      = sizeof(packet.udp) + put_answer(packet.message, end);
    packet.ip.saddr = ip->daddr;
    packet.ip.daddr = ip->saddr;
    packet.udp      = (struct udphdr){.source = udp->dest, .dest = udp->source, .len = htons((uint16_t) len)};
    if (!is_lost())
        emit((uint8_t *) &packet, sizeof(packet.ip) + len);
}

/* A packet that crosses the border. */
static void on_packet(uint8_t *packet, size_t len)
{
    char           name[NAME_MAX];
    struct iphdr  *ip   = (struct iphdr *) packet;
    struct udphdr *udp  = (struct udphdr *) (packet + ip->ihl * 4);
    uint8_t       *body = (uint8_t *) (udp + 1);
    size_t         end  = 0;
    if (ip->ttl-- <= 1 || is_lost())
        return;
    if (ntohs(udp->dest) == PORT)
        end = read_question(body, len - (size_t) (body - packet), name);
    if (end == 0 || !is_listed(name)) {
        emit(packet, len);
        return;
    }
    for (unsigned count = setup.packets ? setup.packets : between(1, FORGED_MAX); count > 0; count--)
        forge(ip, udp, body, end);
    hold(packet, len, between(setup.least, setup.most));
}

/* It is whole, UDP, and to port 53, or from there where packets are lost. */
static bool is_ours(const uint8_t *packet, size_t len)
{
    const struct iphdr *ip = (const struct iphdr *) packet;
    if (len < sizeof(*ip) || ip->version != 4 || ip->protocol != IPPROTO_UDP || ntohs(ip->tot_len) != len ||
        len < ip->ihl * 4 + sizeof(struct udphdr) || (ntohs(ip->frag_off) & (IP_MF | IP_OFFMASK)))
        return false;
    const struct udphdr *udp = (const struct udphdr *) (packet + ip->ihl * 4);
    return ntohs(udp->dest) == PORT || (setup.loss > 0 && ntohs(udp->source) == PORT);
}

static void receive(int in)
{
    static uint8_t     packet[PACKET_MAX];
    struct sockaddr_ll from;
    socklen_t          from_len = sizeof(from);
    ssize_t            len      = recvfrom(in, packet, sizeof(packet), 0, (struct sockaddr *) &from, &from_len);
    if (len > 0 && from.sll_pkttype == PACKET_HOST && is_ours(packet, (size_t) len))
        on_packet(packet, (size_t) len);
}

/* ---- start ---- */

static void usage(FILE *to, int status)
{
    fputs("usage: injector [OPTION ...] NAME ...\n"
          "  --address ADDRESS  one to give out, IPv4 or IPv6; may be repeated\n"
          "  --packets N        forged ones for each question, 1 to 3; else their number is random\n"
          "  --delay LEAST-MOST ms until the question goes on, else 1-400\n"
          "  --loss PERCENT     of all packets to and from port 53 by UDP, forged ones included\n"
          "  --seed N           of all that is random, else 1\n",
          to);
    exit(status);
}

static void add_address(const char *text)
{
    if (setup.as < ADDRESSES && inet_pton(AF_INET, text, &setup.a[setup.as]) == 1)
        setup.as++;
    else if (setup.aaaas < ADDRESSES && inet_pton(AF_INET6, text, &setup.aaaa[setup.aaaas]) == 1)
        setup.aaaas++;
    else
        usage(stderr, 2);
}

static void read_arguments(int argc, char **argv)
{
    static const struct option options[] = {{"address", required_argument, NULL, 'a'},
                                            {"packets", required_argument, NULL, 'p'},
                                            {"delay", required_argument, NULL, 'd'},
                                            {"loss", required_argument, NULL, 'l'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int                        option;
    unsigned                   seed = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'a')
            add_address(optarg);
        else if (option == 'p')
            setup.packets = (unsigned) atoi(optarg);
        else if (option == 'd' && sscanf(optarg, "%u-%u", &setup.least, &setup.most) == 2)
            ;
        else if (option == 'l')
            setup.loss = atof(optarg);
        else if (option == 's')
            seed = (unsigned) atoi(optarg);
        else
            usage(option == 'h' ? stdout : stderr, option == 'h' ? 0 : 2);
    }
    if (optind == argc || argc - optind > LISTED || setup.packets > FORGED_MAX || setup.least > setup.most)
        usage(stderr, 2);
    while (optind < argc)
        setup.names[setup.listed++] = argv[optind++];
    random_state = 0x9e3779b97f4a7c15ULL * (seed + 1ULL);
}

int main(int argc, char **argv)
{
    read_arguments(argc, argv);
    if (setup.as == 0)
        add_address("192.0.2.66");
    if (setup.aaaas == 0)
        add_address("2001:db8::66");
    int in = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP)), buffer = 4 << 20;
    out = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (in < 0 || out < 0)
        die("a raw socket");
    (void) setsockopt(in, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct pollfd ready = {.fd = in, .events = POLLIN};
        if (poll(&ready, 1, release()) > 0)
            receive(in);
    }
}
