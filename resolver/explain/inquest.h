/*
 * inquest.h: what explain asks, and the facts that come of it: each is one question to one *party*: to domestic, to
 * external, or to one server of a zone, over UDP or over TCP. Without I/O, like interview.h.
 *
 * Who wants to know something asks for the fact, and is told what is known of it so far: at first nothing, and the
 * question is on its way. After each event all that wants to know is run again from the beginning (`look`), over the
 * same facts, until nothing is under way. So no order of replies matters, and nothing is asked twice.
 *
 * A fact has three values: present (ANSWER), absent (NXDOMAIN or NODATA, and whose word that is), unknown (any other
 * outcome). At most INQUEST_FACTS questions, INQUEST_AT_ONCE at the same time, INQUEST_LIFE for all; where one of these
 * bounds is met the fact says so. A name behind a fence is asked of the fence's group alone, and of no zone's server; what external
 * is asked counts as a question of our own. Silence says nothing of an upstream's health here.
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_INQUEST_H
#define EXPLAIN_INQUEST_H

#include "core/errand.h"
#include "stream/remote.h"

enum {
    INQUEST_LIFE    = 15000, /* ms, all of it */
    INQUEST_ASK     = 4000,  /* ms for one upstream: what takes longer has failed mail servers, too */
    INQUEST_SERVER  = 2500,  /* ms for one of a zone's servers, which looks nothing up */
    INQUEST_RESEND  = 800,   /* ms */
    INQUEST_TRIES   = 2,     /* upstreams of a group that are asked one after the other, where the first fails */
    INQUEST_FACTS   = 200,
    INQUEST_AT_ONCE = 32,
    INQUEST_SERVERS = 48 /* addresses and transports of zones' servers */
};

enum party { /* a group by its index, and from PARTY_SERVER on a zone's server */
    PARTY_DOMESTIC = SETUP_DOMESTIC,
    PARTY_EXTERNAL = SETUP_EXTERNAL,
    PARTY_SERVER   = LIMIT_GROUPS
};

enum fact_state {
    FACT_WAITING, /* not yet known: it is to be asked, or has been */
    FACT_KNOWN,
    FACT_FENCED,   /* not asked: it may not go there */
    FACT_LEFT_OUT, /* not asked: a bound, the quota, or memory */
};

struct fact {
    struct name      name; /* lower case */
    uint16_t         type;
    bool             unvalidated; /* asked with CD and DO: with signatures, and whatever they are worth */
    unsigned         party;
    enum fact_state  state;
    enum outcome     outcome; /* these where it is known */
    msec_t           ms;      /* from the first question to the outcome */
    struct view      wire;    /* the reply, usable or not; empty where there was none; owned */
    struct judgement judgement;
    uint16_t         flags;  /* of the reply, in its header */
    bool             edns;   /* the reply has OPT */
    struct server   *server; /* whose outcome it is; NULL: nobody was there to be asked */
    unsigned         tried;  /* bit mask of the group's upstreams */
    struct errand    errand;
    struct inquest  *inquest;
};

struct inquest;
typedef void (*inquest_look_fn)(void *owner, struct inquest *inquest);

struct inquest_options {
    struct effects  effects; /* answer and observe are not used */
    struct shared   shared;  /* borrowed: the quota */
    struct setup   *setup;   /* takes a reference of its own */
    uint8_t         seed[RNG_SEED_BYTES];
    inquest_look_fn look;
    void           *owner;
};

struct inquest_server { /* of a zone */
    struct address address;
    bool           tcp;
    struct server *server;
    struct remote *remote;
};

struct inquest {
    struct env           *env;
    struct errands        errands;
    struct fact          *facts[INQUEST_FACTS];
    unsigned              fact_count, running;
    struct inquest_server servers[INQUEST_SERVERS];
    unsigned              server_count;
    bool                  is_bounded; /* something was left out */
    bool                  has_changed, ended;
    msec_t                began, now;
    inquest_look_fn       look;
    void                 *owner;
};

/* NULL: no memory. */
struct inquest *inquest_create(const struct inquest_options *options);
/* Gives up what is under way. NULL is allowed. */
void inquest_destroy(struct inquest *inquest);

/* Looks for the first time. */
void inquest_begin(struct inquest *inquest, msec_t now);
void inquest_on_packet(struct inquest *inquest, struct exchange *exchange, enum transport transport, struct view packet,
                       msec_t now);
void inquest_on_unreachable(struct inquest *inquest, struct exchange *exchange, enum transport transport, msec_t now);
msec_t inquest_next(const struct inquest *inquest); /* MSEC_NEVER: it has ended */
void   inquest_on_time(struct inquest *inquest, msec_t now);

/* ---- from within look() ---- */

/* What is known of it; asks, class IN, where nobody has. Valid until inquest_destroy(); NULL: no room for another, or
 * it has ended. */
const struct fact *inquest_ask(struct inquest *inquest, struct view name, uint16_t type, unsigned party);
/* As inquest_ask(): what there is without validation (RFC 4035, 3.2.2), with its signatures. */
const struct fact *inquest_ask_unvalidated(struct inquest *inquest, struct view name, uint16_t type, unsigned party);
/* The party that is the zone's server there. False: too many. */
bool inquest_party(struct inquest *inquest, const struct address *address, bool tcp, unsigned *ret_party);

/* ---- facts; NULL is one that is waited for, or was left out ---- */

static inline bool fact_is_known(const struct fact *fact) { return fact && fact->state == FACT_KNOWN; }
static inline bool fact_is_waited_for(const struct fact *fact) { return fact && fact->state == FACT_WAITING; }
static inline bool fact_is_present(const struct fact *fact)
{
    return fact_is_known(fact) && fact->outcome == OUTCOME_ANSWER;
}
static inline bool fact_is_usable(const struct fact *fact)
{
    return fact_is_known(fact) && outcome_usable(fact->outcome);
}
static inline bool fact_has_failed(const struct fact *fact)
{
    return fact_is_known(fact) && !outcome_usable(fact->outcome);
}

#endif
