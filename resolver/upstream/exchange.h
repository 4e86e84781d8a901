/*
 * exchange.h: one question to one upstream, until its outcome is known. No I/O: it writes the query, and says of each
 * packet whether it is the reply.
 *
 * Embedded in whoever asks (a query, a probe). The one who drives it sends what exchange_write() wrote and keeps his
 * socket in `ticket`.
 */
#ifndef UPSTREAM_EXCHANGE_H
#define UPSTREAM_EXCHANGE_H

#include "base/rng.h"
#include "dns/compose.h"
#include "dns/kind.h"
#include "upstream/server.h"

struct inquiry {      /* what is asked, whoever is asked */
    struct name name; /* lower case */
    uint16_t    type, class;
    bool        dnssec_ok, checking_disabled;
};

uint64_t inquiry_hash(struct hash_key key, const struct inquiry *inquiry);

enum exchange_state {
    EXCHANGE_UNUSED,
    EXCHANGE_OPEN,
    EXCHANGE_DONE
};

struct exchange {
    enum exchange_state   state;
    enum transport        transport;
    enum outcome          outcome; /* when DONE */
    bool                  edns;
    bool                  refused; /* EDNS was, by a reply */
    bool                  silent;  /* server_on_silence() was told */
    uint8_t               sends;   /* on this transport */
    uint16_t              id;
    uint64_t              letters;   /* random letter case */
    struct keepalive      keepalive; /* what the reply over TCP says of the connection */
    struct server        *server;
    const struct inquiry *inquiry; /* borrowed from the owner */
    uint8_t               part;    /* of the owner's: not touched here */
    void                 *owner;   /* who asks */
    void                 *ticket;  /* the driver's; NULL: no socket */
    msec_t                started, sent;
};

/* Makes it ready for a first send by `transport` (TCP where the server is TCP only). */
void exchange_open(struct exchange *exchange, struct server *server, const struct inquiry *inquiry,
                   enum transport transport, struct rng *rng, msec_t now);
/* The same again over TCP, or without EDNS: a new id, the counters of sends begin anew. */
void exchange_reopen(struct exchange *exchange, enum transport transport, bool edns, struct rng *rng, msec_t now);

/* Writes the query; `out` holds QUERY_MAX. */
size_t exchange_write(const struct exchange *exchange, uint8_t *out);
/* It was handed to the network. */
void exchange_on_sent(struct exchange *exchange, msec_t now);

enum exchange_step {
    EXCHANGE_IGNORE,    /* not the reply: keep waiting */
    EXCHANGE_ASK_TCP,   /* truncated, in another letter case by a server that kept it, or somebody guesses ids: ask
                           again over TCP */
    EXCHANGE_ASK_PLAIN, /* EDNS refused: ask again without */
    EXCHANGE_REPLY,     /* the reply: ret_message, ret_kind are set, outcome is set, state is DONE */
};
/* A packet came on this exchange's socket. Tells the server's health. */
enum exchange_step exchange_on_packet(struct exchange *exchange, struct view packet, msec_t now,
                                      struct message *ret_message, struct kind *ret_kind);

/* It ended without a reply. */
void exchange_on_timeout(struct exchange *exchange);
void exchange_on_unreachable(struct exchange *exchange, msec_t now);

#endif
