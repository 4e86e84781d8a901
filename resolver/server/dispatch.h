/*
 * dispatch.h: the way of a thread's exchanges to the network: core/effects.h's send and release on top of net/udp_ask
 * and net/tcp_ask.
 *
 * Thread: owner: worker or keeper.
 */
#ifndef SERVER_DISPATCH_H
#define SERVER_DISPATCH_H

#include "core/effects.h"
#include "net/tcp_ask.h"
#include "net/udp_ask.h"

struct dispatch {
    struct udp_ask *udp;
    struct tcp_ask *tcp;
    const msec_t   *now; /* the thread's clock */
    void           *context;
    void (*on_packet)(void *context, struct exchange *exchange, enum transport transport, struct view packet);
    void (*on_unreachable)(void *context, struct exchange *exchange, enum transport transport);
};

/* All fields but udp and tcp are set. `sockets`: see udp_ask.h. False: no memory or descriptors; nothing is open. */
bool dispatch_open(struct dispatch *dispatch, uv_loop_t *loop, struct rng *rng, unsigned sockets,
                   void (*begin)(void *context));
/* Every exchange has been released. Run the loop afterwards. */
void dispatch_close(struct dispatch *dispatch);

/* For struct effects, whose `network` is a dispatch. */
bool dispatch_send(void *network, struct exchange *exchange, struct view query);
void dispatch_release(void *network, struct exchange *exchange, enum transport transport);

#endif
