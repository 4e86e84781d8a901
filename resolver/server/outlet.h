/*
 * outlet.h: the way of a thread's exchanges to the network: core/effects.h's send and release on top of net/udp_ask
 * and net/tcp_ask.
 */
#ifndef SERVER_OUTLET_H
#define SERVER_OUTLET_H

#include "core/effects.h"
#include "net/tcp_ask.h"
#include "net/udp_ask.h"

struct outlet {
    struct udp_ask *udp;
    struct tcp_ask *tcp;
    const msec_t   *now; /* the thread's clock */
    void           *context;
    void (*on_packet)(void *context, struct exchange *exchange, enum transport transport, struct view packet);
    void (*on_unreachable)(void *context, struct exchange *exchange, enum transport transport);
};

/* All fields but udp and tcp are set. `sockets`: see udp_ask.h. False: no memory or descriptors; nothing is open. */
bool outlet_open(struct outlet *outlet, uv_loop_t *loop, struct rng *rng, unsigned sockets,
                 void (*begin)(void *context));
/* Every exchange has been released. Run the loop afterwards. */
void outlet_close(struct outlet *outlet);

/* For struct effects; `context` there is not the outlet, so these take it by hand. */
bool outlet_send(struct outlet *outlet, struct exchange *exchange, struct view query);
void outlet_release(struct outlet *outlet, struct exchange *exchange, enum transport transport);

#endif
