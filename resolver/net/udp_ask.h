/*
 * udp_ask.h: questions to upstreams over UDP from ports that nobody can guess, and their replies. Knows ids, not DNS.
 *
 * For each question a connected socket on a fresh port that the kernel chose, up to 2,000 questions a second; beyond
 * that a random one of at least 256 kept sockets for each upstream address and source, retired after 32 uses or 2 s (fewer where
 * `sockets` says so). All sockets hang in one epoll set that the uv_loop watches as one handle. IP_PMTUDISC_OMIT.
 *
 * Thread: owner, whose loop it is on.
 */
#ifndef NET_UDP_ASK_H
#define NET_UDP_ASK_H

#include "base/rng.h"
#include "stream/way.h"

#include <uv.h>

struct udp_ask;
struct udp_ticket; /* one question's use of one socket */

enum udp_event {
    UDP_REPLY,       /* a datagram with this ticket's id */
    UDP_STRAY,       /* one on this ticket's socket with an id never sent there, or too short for any: maybe forgery */
    UDP_UNREACHABLE, /* ICMP says so (ECONNREFUSED, EHOSTUNREACH, …) */
};
/* `owner` is the ticket's. A late reply to a released ticket is no event. The handler may release any ticket and open
 * new ones. */
typedef void (*udp_ask_fn)(void *context, void *owner, enum udp_event event, struct view datagram);

struct udp_ask_stats {
    uint64_t sockets; /* that have a port */
    uint64_t sent, received, stray, unreachable, send_failed;
    uint64_t opened; /* ports so far */
};

/* `begin` as in udp_listen.h. `rng`: borrowed, of the same thread. `sockets`: open at once, beside 8 descriptors that
 * are held back. NULL: no memory or descriptors. */
struct udp_ask *udp_ask_create(uv_loop_t *loop, struct rng *rng, unsigned sockets, udp_ask_fn handle,
                               void (*begin)(void *context), void *context);
/* Sends `question` (its first two bytes are the id) to the way's address, from where the way says. On success *ret is a
 * ticket that lives until udp_ask_release(). -errno: nothing is open (ENETUNREACH and its kin included, EADDRNOTAVAIL
 * where there is no such source address; -EMFILE: no descriptor left, even among kept sockets). `now`: ms. */
int udp_ask_open(struct udp_ask *ask, const struct way *way, struct view question, void *owner, msec_t now,
                 struct udp_ticket **ret);
/* Sends again on the same socket. -errno on failure, the ticket stays. */
int  udp_ask_resend(struct udp_ask *ask, struct udp_ticket *ticket, struct view question);
void udp_ask_release(struct udp_ask *ask, struct udp_ticket *ticket);
/* Closes all sockets; every ticket must have been released. Memory is freed when libuv is done (run the loop). */
void                        udp_ask_close(struct udp_ask *ask);
const struct udp_ask_stats *udp_ask_read_stats(struct udp_ask *ask);

#endif
