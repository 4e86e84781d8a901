/*
 * udp_socket.h: connected UDP sockets in one epoll set, each on a port that the kernel drew for it, and the ids of the
 * questions that went through each. Does not know which question goes where. Part of udp_ask.
 *
 * Ports: connect() without bind() lets the kernel choose. For UDP, Linux draws that port from its CSPRNG, uniformly
 * over net.ipv4.ip_local_port_range (some 28,000 ports: 14.8 bits beside the 16 of the id and the letter case).
 * Choosing ourselves from 1024..65535 would add 1.2 bits, and cost a system call, retries, and now and then the port
 * that another service of this host is about to bind.
 *
 * A socket on which as much came as was sent is not closed but disconnected, which gives its port back, and waits. The
 * next connect() draws a new one. That takes three system calls for a fresh port instead of six: the third makes sure
 * that nothing is left in its queue, which the next question would be told of. One that is bound to a source address or
 * an interface is of no use to others, and is closed.
 *
 * Thread: owner, whose loop it is on.
 */
#ifndef NET_UDP_SOCKET_H
#define NET_UDP_SOCKET_H

#include "base/list.h"
#include "stream/way.h"

enum {
    UDP_SOCKET_IDS    = 32, /* questions that a socket should carry at most */
    UDP_SOCKET_SPARES = 8,  /* descriptors held back, so that one question to each upstream can always be asked */
};

struct udp_socket {
    int         fd; /* -1: dead, freed by udp_sockets_free_dead() */
    bool        ipv6;
    bool        bound;   /* to what `way` says */
    bool        unclean; /* there was an error: another may wait. Told by udp_ask, as is the next */
    unsigned    awaited; /* datagrams sent, less those that came for one of its tickets */
    unsigned    uses;    /* questions so far, from this port */
    struct list link;    /* among the unused or the dead */
    uint16_t    ids[UDP_SOCKET_IDS];
    uint8_t    *all_ids; /* a bit for each, once there are more; else NULL */

    /* udp_ask's own; zero when opened */
    struct list      tickets; /* empty when opened; those told of the current event stand at the end */
    struct upstream *kept;    /* the upstream that shares it; NULL: closed with its last ticket */
    unsigned         place;
    msec_t           born;
    bool             aged; /* has seen a sweep */
};

struct udp_sockets {
    int         epoll; /* data.ptr of an event is the socket */
    unsigned    open;  /* have a port */
    unsigned    limit; /* of the descriptors, beside epoll's and the spares */
    uint64_t    opened;
    bool        dispatching; /* events are handed out: memory of dead sockets stays, for one may still point there */
    struct list unused[2];   /* IPv4, IPv6; the last used first */
    unsigned    unused_count, unused_least; /* now; at the least since the last sweep */
    struct list dead;
    int         spares[UDP_SOCKET_SPARES], spare_count;
};

/* False: no descriptors. `limit`: as above. */
bool udp_sockets_init(struct udp_sockets *sockets, unsigned limit);
/* All that were opened must have been closed. */
void udp_sockets_fini(struct udp_sockets *sockets);

/* A socket connected to the way's address, from where the way says, on a port of its own. 0 or -errno: -EMFILE and
 * -ENFILE if there is no descriptor, ENETUNREACH and its kin, EADDRNOTAVAIL. */
int udp_sockets_open(struct udp_sockets *sockets, const struct way *way, struct udp_socket **ret);
/* Its port is given back at once. No ticket may be left. */
void udp_sockets_close(struct udp_sockets *sockets, struct udp_socket *socket);
/* Gives one of the spares up, for the next udp_sockets_open(); a later close fills the place again. False: none left.
 */
bool udp_sockets_spend_spare(struct udp_sockets *sockets);
/* After the events were handed out: frees the dead. */
void udp_sockets_free_dead(struct udp_sockets *sockets);
/* Every now and then: closes those that were not needed since the last time. */
void udp_sockets_sweep(struct udp_sockets *sockets);

/* A question with this id was sent for the first time. */
void udp_socket_note_id(struct udp_socket *socket, uint16_t id);
/* Was it ever, from this port? (For lack of descriptors a socket may carry more than UDP_SOCKET_IDS; where there was no
 * memory for all of them: lately?) An id that was forgotten would look like forgery. */
bool udp_socket_sent_id(const struct udp_socket *socket, uint16_t id);

#endif
