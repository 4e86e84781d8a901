/*
 * query.h: one question from the first upstream asked to the answer of all who wait for it, and beyond: a domestic
 * answer that comes late is evidence too.
 *
 * A state machine without I/O: it is told what happened and when, acts through env->effects, and says when to wake it.
 *
 *            ┌────────┐ usable answer, or nobody has one ┌──────────┐ last domestic exchange ended ┌──────────┐
 *   start ──▶│ ASKING │────────────────────────────────▶│ ANSWERED │─────────────────────────────▶│ FINISHED │
 *            └────────┘                                  └──────────┘                              └──────────┘
 *
 * STEPS, in each of which `run` looks at everything afresh, so that no order of events matters:
 *   0. If another worker asks the same, its answer is waited for in the cache; should the claim end without one, this
 *      one asks.
 *   1. The first group's best upstream is asked at once; one that is down or outdone may get a copy (server.h).
 *   2. An upstream that is silent for its hedge time (srtt + 4 rttvar, 250 to 400 ms) is joined by the next one of its
 *      group; when all are asked, by a resend, at doubling intervals. It stays open. Who joins the question later than
 *      that asks once more, too.
 *   3. An upstream that fails is followed by the next one at once, and so is one of which ICMP says that it is not
 *      there, or whose reply is doubtful; these stay open.
 *   4. The second group is asked too when the route's patience is over, or the first one's upstreams have all failed,
 *      or all have but one that is not known to answer others and has been silent for 250 ms; and fallback.on allows
 *      it.
 *   5. The first usable answer wins. Where domestic was asked first, a SERVFAIL that is bogus by the zone's own fault
 *      stands; one that a border could have caused is overridden only by an authenticated answer from a trusted
 *      upstream. A blocklist's error (blocklist.h) is no usable answer, unless the setting passes it on: the next
 *      upstream of the group may be one that the list serves. Alone it does not open external. Nor is an NXDOMAIN of
 *      external's usable where domestic, which has failed, answered for that domain within a day: the name may be one
 *      that only domestic knows, and NXDOMAIN is a bounce.
 *   6. Who has waited STALE_AFTER is given a stale answer, if there is one; at once where nobody can be asked who is
 *      not down.
 *   7. All failed: a stale answer or SERVFAIL. A waiter's deadline: the same for him, and the work goes on until
 *      QUERY_LIFE. Where byway's own empty zone stands in for the group (policy/local.h) it is given in SERVFAIL's
 *      place: to who has waited EMPTY_AFTER, and at once where all are down. Nothing of that is kept, so what domestic
 *      says behind it is what the next one hears.
 *      An answer may be held, or set aside, because the border forges the domain: see holding.h.
 *   8. Behind the answer, upstreams that were asked and have not replied are listened to until it is known whether they
 *      are silent, and domestic as evidence about the zone.
 *
 * External, first or second, is asked only if external_rate.h has a question left: one for all of the query's packets.
 * If not, domestic is asked alone, or nobody where domestic must not be; that it fails then is our limit, not the
 * zone's fault.
 *
 * Thread: worker.
 */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include "base/list.h"
#include "base/timers.h"
#include "core/env.h"
#include "query/claims.h"
#include "query/flight.h"
#include "query/route.h"

enum { /* ms */
    HEDGE_MIN    = 250,
    HEDGE_MAX    = 400,
    HEDGE_FAILED = 250,  /* silence of the last upstream, others having failed, if it is not known to answer others */
    RESEND_MIN   = 300,  /* towards external, which is far away */
    RESEND_MAX   = 400,  /* of the first resend; each later one waits twice as long */
    STALE_AFTER  = 1800, /* RFC 8767, 5: client response timer */
    EMPTY_AFTER  = 1000, /* each internal connection to a mail server waits for it */
    EMPTY_AGAIN  = HEDGE_MAX, /* who joins a question that has been silent longer has this much for his own datagram */
    QUERY_LIFE   = 10000,
    SAMPLE_EVERY = 1000,
    UNTRIED_TTL  = 5,  /* s that an answer is kept that the canary should have been asked about (holding.h) */
    DENIED_TTL   = 60, /* s that external's NXDOMAIN is kept where domestic has failed: see step 5 */
};

enum {
    QUERY_EXCHANGES = LIMIT_UDP_SENDS,
    QUERY_ANEW      = 4, /* datagrams of one that begins beside another that was silent: two to each side */
};

struct waiter { /* a client that waits */
    struct list         link;
    struct client_query query;
    struct path         path;
    msec_t              since;
    msec_t              stale_at; /* from then on a stale answer will do */
    msec_t              deadline;
};

struct side { /* one group's part in it */
    uint8_t  group;
    bool     begun;
    bool     over;       /* nothing more may come of it, whoever is left */
    bool     forbidden;  /* a fence that came meanwhile has ended it: the other side is asked as if it had failed */
    bool     stopped;    /* nothing more is asked, but an answer may come */
    bool     hurry;      /* one failed: the next is asked without waiting for those that are open */
    unsigned tried;      /* bit mask */
    unsigned failed;     /* exchanges that failed */
    unsigned sends;      /* datagrams */
    msec_t   last_asked; /* when the last upstream or resend was sent */
    msec_t   wait;       /* of that one, before the next is asked */
};

struct holding {            /* an answer of one side (holding.h) */
    uint8_t         *bytes; /* owned; NULL: none is held */
    size_t           len;
    struct exchange *exchange;
    msec_t           came; /* when it did */
};

enum query_state {
    QUERY_WAITING, /* another worker asks: look into the cache now and then */
    QUERY_ASKING,
    QUERY_ANSWERED,
    QUERY_FINISHED
};

struct query {
    struct flight      flight;
    struct timer       timer;
    struct list        link; /* the engine's queries that somebody waits for, or its others */
    struct inquiry     inquiry;
    struct list        waiters;  /* who waits, oldest first */
    struct list        answered; /* who was answered; the engine frees them */
    unsigned           waiter_count;
    enum query_state   state;
    struct setup      *setup; /* counted */
    const struct rule *rule;  /* the setup's, for its question */
    struct route       route;
    uint64_t           epoch; /* in which it began */
    msec_t             started;
    struct claim       claim;
    msec_t             look_at; /* QUERY_WAITING, or no datagram is left: when to look into the cache */
    msec_t             look_wait;
    struct side        sides[2];
    unsigned           sends, most; /* datagrams: sent, and how many it has */
    bool               anew;        /* it begins beside one that has spent its datagrams */
    bool               bogus_final; /* the zone's own fault: nobody has another answer */
    bool               needs_authentic;
    bool               list_error; /* a blocklist answered with an error: no answer, and no evidence of any kind */
    bool               displaced;  /* it gave way to a newer one: that it has no answer is our limit */
    bool               cancelled;  /* we have given it up: nobody has failed */
    bool               no_stale;   /* there is no stale answer */
    bool               denied; /* domestic's NXDOMAIN is being checked at external: it is no failure of the zone's */
    bool               unsure; /* external's denial may be of a name that only domestic knows */
    bool               over_quota;   /* it was kept from external: that it has no answer says nothing of the zone */
    bool               failure_told; /* the failure was cached and observed */
    bool               forged;       /* domestic is not believed: the border forges the domain, or seems to */
    bool               inner;        /* external is not, for the same reason */
    bool               untried;      /* its name could not be tried: what domestic says is not kept for long */
    bool               suspense;     /* no answer may be given out yet */
    msec_t             held_until;   /* so long answers are held; 0: they need not be */
    struct holding     held[2];      /* by side */
    struct side       *answered_by;  /* NULL: nobody has yet */
    struct trace      *trace;        /* owned; NULL: nobody watches (tracing.h) */
    struct exchange    exchanges[QUERY_EXCHANGES];
};

/* Takes a zeroed query with its inquiry and first waiter in place, and begins. `rule`: its question's, of env->setup.
 * `anew`: though another one asks the same, which cannot be joined. */
void query_start(struct query *query, struct env *env, const struct rule *rule, bool anew, msec_t now);
/* False: it has spent its datagrams, and was silent since; who asks now had better ask anew. */
bool query_can_be_joined(const struct query *query, msec_t now);
/* One more client waits; `waiter` is linked by this. */
void query_join(struct query *query, struct env *env, struct waiter *waiter, msec_t now);

/* Events. The exchange is one of the query's. */
void query_on_packet(struct query *query, struct env *env, struct exchange *exchange, enum transport transport,
                     struct view packet, msec_t now);
void query_on_unreachable(struct query *query, struct env *env, struct exchange *exchange, enum transport transport,
                          msec_t now);
void query_on_time(struct query *query, struct env *env, msec_t now);
/* Answers everybody SERVFAIL and lets go of everything. */
void query_cancel(struct query *query, struct env *env, msec_t now);

/* When query_on_time() is wanted. */
msec_t query_deadline(struct query *query, const struct env *env, msec_t now);

#endif
