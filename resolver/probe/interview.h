/*
 * interview.h: an upstream is asked what it can do before it is taken on: whether it answers, how fast, EDNS, DNSSEC,
 * and whether what it says is forged on the way. Questions to it alone, for which nobody waits but the operator.
 *
 * First the root's SOA, whose zone is signed: once cold, twice warm. Then, all at once, the same over TCP where it is a
 * UDP upstream, and questions whose answers show a forger. Over UDP such a question keeps its socket for LISTEN, because
 * the true answer comes behind the forged one.
 *
 * Signs of a forger, by rank:
 *   1. records of another type than asked: an injector answers MX with an address;
 *   2. an address or an alias that the configuration knows for a censor's (dns/forgery.h);
 *   3. two different answers to one datagram;
 *   4. no OPT, where its other answers have one.
 *
 * Thread: keeper.
 */
#ifndef PROBE_INTERVIEW_H
#define PROBE_INTERVIEW_H

#include "core/errand.h"

enum {
    INTERVIEW_LIFE   = 8000, /* ms; all of it */
    INTERVIEW_COLD   = 5000, /* ms for the first answer, handshakes included */
    INTERVIEW_WARM   = 1200, /* ms for each of the next */
    INTERVIEW_LISTEN = 2500, /* ms that answers come behind another one */
    INTERVIEW_HEARD  = 4,    /* answers to one datagram that are kept */
    INTERVIEW_BAITS  = 3,    /* questions whose answers show a forger */
};

enum interview_errand { /* of the root's SOA */
    INTERVIEW_FIRST,
    INTERVIEW_SECOND,
    INTERVIEW_THIRD,
    INTERVIEW_BY_TCP,
    INTERVIEW_ERRANDS
};

enum interview_doubt {
    DOUBT_NONE,
    DOUBT_TYPE,
    DOUBT_KNOWN,
    DOUBT_SEVERAL,
    DOUBT_NO_OPT,
};

struct hearing { /* one answer */
    struct view  wire;
    msec_t       ms;
    enum outcome outcome;
    bool         known; /* for a censor's */
    bool         edns;
};

struct bait { /* one question, and all that came for it */
    struct exchange exchange;
    struct inquiry  inquiry;
    struct hearing  heard[INTERVIEW_HEARD];
    unsigned        count; /* 0 when over: exchange.outcome says why */
};

struct interview_options {
    struct effects     effects;  /* answer and observe are not used */
    struct setup      *setup;    /* takes a reference of its own */
    struct server     *server;   /* both borrowed, and nobody else's */
    struct server     *by_tcp;   /* the same, asked over TCP; NULL: it is no UDP upstream */
    const struct name *censored; /* a name that is forged here; NULL: the operator knows of none */
    uint8_t            seed[RNG_SEED_BYTES];
};

struct interview {
    struct env    *env;
    struct errands errands;
    struct server *server, *by_tcp;
    struct errand  errand[INTERVIEW_ERRANDS];
    struct bait    bait[INTERVIEW_BAITS];
    unsigned       baits;
    bool           knows_censored;
    bool           baited; /* the questions of `bait` are out */
    bool           ended;
    msec_t         began;
    bool           authentic, is_signed; /* of the root's SOA, if it was usable: AD; RRSIG */
};

/* NULL: no memory. */
struct interview *interview_create(const struct interview_options *options);
/* Gives up what is under way. NULL is allowed. */
void interview_destroy(struct interview *interview);

void   interview_begin(struct interview *interview, msec_t now);
void   interview_on_packet(struct interview *interview, struct exchange *exchange, enum transport transport,
                           struct view packet, msec_t now);
void   interview_on_unreachable(struct interview *interview, struct exchange *exchange, enum transport transport,
                                msec_t now);
msec_t interview_next(const struct interview *interview); /* MSEC_NEVER: it has ended */
void   interview_on_time(struct interview *interview, msec_t now);

/* ---- when it has ended ---- */

/* Something came back, be it a refusal. */
bool interview_reached(const struct interview *interview);
/* ms from a question to its answer: the first one's, the best of the others; -1: there was none. */
msec_t interview_cold(const struct interview *interview);
msec_t interview_warm(const struct interview *interview);
/* Answers have OPT. */
bool                 interview_has_edns(const struct interview *interview);
enum interview_doubt interview_doubt(const struct interview *interview, const struct bait *bait, unsigned answer);
/* The worst of all; DOUBT_NONE: no sign of a forger was seen. */
enum interview_doubt interview_worst(const struct interview *interview);

#endif
