/*
 * exchange.h: one question to one upstream, until its outcome is known. No I/O: it writes the query, says of each
 * packet whether it is the reply, and in what other form the question must be asked again.
 *
 * Embedded in whoever asks (a query, an errand), who drives it: sends what exchange_write() wrote, by
 * exchange->transport, and keeps the sockets in `tickets`.
 *
 * A reply that matches (socket, id, question) is never silence. It is the reply, or a reason to ask again at once:
 *
 *   1. It cannot be parsed, has records that have nothing to do with the question, is forged (judge.h, forgery.h), leaves
 *      the question out though its rcode is none of those for which servers do that, or has lost the letter case: it is
 *      *doubted*. TCP is asked as
 *      well, where nobody but the upstream can answer; the UDP socket goes on listening, since the true reply may stand
 *      behind a forged one. The first sound answer wins; what comes over TCP is final.
 *   2. It is cut (TC): TCP, and the socket is given up.
 *   3. EDNS, or an option, is refused: the same without options, then without EDNS. That it helped is remembered for
 *      the name (forms.h).
 *   4. An id that was never sent comes to a UDP socket: somebody guesses. As 1; after EXCHANGE_STRAYS of them the
 *      socket is given up. Where TCP was seen to fail they are ignored.
 *   5. It comes from a plain upstream beyond the border and has no OPT, though that one always sends one: as 1. Shown to
 *      be forged by another reply, it has the server asked over TCP from then on, for an hour.
 *
 * And silence: after two datagrams the third says that 512 bytes will do, and TCP is asked beside it, at most once a
 * second for each upstream: a firewall may drop what is longer, or UDP.
 *
 * ICMP is a hint that anybody may forge: the exchange goes on, `hinted` tells its owner to ask another upstream, too.
 * Only where probes have found that upstream down it says what is known already, and ends the exchange.
 *
 * Thread: owner.
 */
#ifndef UPSTREAM_EXCHANGE_H
#define UPSTREAM_EXCHANGE_H

#include "base/rng.h"
#include "dns/compose.h"
#include "dns/forgery.h"
#include "dns/judge.h"
#include "upstream/server.h"

struct inquiry {      /* what is asked, whoever is asked */
    struct name name; /* lower case */
    uint16_t    type, class;
    bool        dnssec_ok, checking_disabled;
};

uint64_t inquiry_hash(struct hash_key key, const struct inquiry *inquiry);

enum {                        /* ms */
    EXCHANGE_SILENT   = 800,  /* a fact for the upstream's health */
    EXCHANGE_LIFE     = 5000, /* no reply that long after sending is a timeout */
    EXCHANGE_DOUBTFUL = 500,  /* a true reply comes that soon behind a forged one, if any does and TCP is no way */
    EXCHANGE_STRAYS   = 8,    /* guesses that a socket sees before it is given up */
};

enum exchange_state {
    EXCHANGE_UNUSED,
    EXCHANGE_OPEN,
    EXCHANGE_DONE
};

struct exchange {
    enum exchange_state   state;
    enum transport        transport; /* that it is sent by next */
    enum outcome          outcome;   /* when DONE */
    enum form             form;
    bool                  bare;       /* without options */
    bool                  refused;    /* EDNS, or an option, was, by a reply */
    bool                  mixed;      /* letter case */
    bool                  silent;     /* server_on_silence() was told */
    bool                  hinted;     /* the network said that nobody is there */
    bool                  listens;    /* a reply over UDP may count */
    bool                  waited;     /* the driver\'s: it had to wait for a connection, so its time says nothing */
    bool                  tcp_over;   /* TCP came to its end while the UDP socket listens */
    bool                  forged;     /* a doubtful reply was */
    bool                  suspicious; /* a reply had no OPT, though this server always sends one */
    bool                  copy;       /* the owner's: nobody waits for it */
    bool                  weak;       /* the owner's: that it is answered says little of the upstream (server.h) */
    uint8_t               strays;
    uint16_t              id;
    uint64_t              letters;   /* random letter case */
    struct keepalive      keepalive; /* what the reply over TCP says of the connection */
    struct server        *server;
    const struct inquiry *inquiry;                  /* borrowed from the owner */
    uint8_t               part;                     /* of the owner's: not touched here */
    void                 *owner;                    /* who asks */
    void                 *tickets[TRANSPORT_COUNT]; /* the driver's; NULL: no socket */
    uint8_t               sends[TRANSPORT_COUNT];
    msec_t                started, sent; /* first and last, by any transport */
    msec_t                doubted;       /* when the first doubtful reply came; 0: none did */
};

/* Makes it ready for a first send by UDP (TCP where the server is TCP only), in the form that the server is known to
 * need. Clears all but `part`, `owner` and `weak`. */
void exchange_open(struct exchange *exchange, struct server *server, const struct inquiry *inquiry, struct rng *rng,
                   msec_t now);

/* Writes the query; `out` holds QUERY_MAX. */
size_t exchange_write(const struct exchange *exchange, uint8_t *out);
/* It was handed to the network. */
void exchange_on_sent(struct exchange *exchange, msec_t now);

enum exchange_step {
    EXCHANGE_IGNORE, /* not the reply: keep waiting */
    EXCHANGE_AGAIN,  /* give up the sockets that exchange_listens() does not name, and send it by exchange->transport */
    EXCHANGE_LEAVE,  /* give up the UDP socket; what it would ask for is asked over TCP already */
    EXCHANGE_REPLY,  /* the reply: *ret_message and *ret_judgement are set, outcome is set, state is DONE */
};
struct arrival {
    enum transport        transport; /* by which the packet came */
    struct view           packet;
    const struct forgery *known; /* what only a censor gives out; NULL: nothing */
    msec_t                now;
};
/* A packet came. Tells the server's health. `rng`: for a new id. */
enum exchange_step exchange_on_packet(struct exchange *exchange, const struct arrival *arrival, struct rng *rng,
                                      struct message *ret_message, struct judgement *ret_judgement);
/* True if a reply by `transport` may still count: its socket is kept. */
bool exchange_listens(const struct exchange *exchange, enum transport transport);

/* It was silent so far and is about to be sent once more, by UDP. True: then over TCP, too (transport is set for that
 * by exchange_try_tcp(), once the datagram is out). */
bool exchange_on_resend(struct exchange *exchange, msec_t now);
void exchange_try_tcp(struct exchange *exchange);

/* The network, or the system, says that `transport` leads nowhere. True: the exchange has ended by it, outcome
 * UNREACHABLE. False: it goes on, by UDP: it was a hint (`sent`: said of what had been sent), or TCP that came to its
 * end beside a socket that listens. */
bool exchange_on_unreachable(struct exchange *exchange, enum transport transport, bool sent, msec_t now);
/* When it is to be given up. */
msec_t exchange_due(const struct exchange *exchange);
/* It is given up: TIMEOUT, UNREACHABLE where the network had said so, MALFORMED or FORGED where a doubtful reply is all
 * that came. */
void exchange_on_timeout(struct exchange *exchange);
/* Once it has been silent for EXCHANGE_SILENT: tells the server's health, once. */
void exchange_tell_silence(struct exchange *exchange, msec_t now);

#endif
