/*
 * query.h: one question from the first upstream asked to the answer of all who wait for it, and beyond: a domestic
 * answer that comes late is evidence too.
 *
 * A state machine without I/O: it is told what happened and when, acts through desk->effects, and says when to wake it.
 *
 *            ┌────────┐ usable answer, or nobody has one ┌──────────┐ last domestic exchange ended ┌──────────┐
 *   start ──▶│ ASKING │────────────────────────────────▶│ ANSWERED │─────────────────────────────▶│ FINISHED │
 *            └────────┘                                  └──────────┘                              └──────────┘
 *
 * STEPS, in each of which `run` looks at everything afresh, so that no order of events matters:
 *   0. If another worker asks the same, its answer is waited for in the cache; should the claim end without one, this
 * one asks.
 *   1. The first group's best upstream is asked at once.
 *   2. An upstream that is silent for its hedge time (srtt + 4 rttvar, 250 to 400 ms) is joined by the next one of its
 * group; when all are asked, by a resend, at doubling intervals. It stays open.
 *   3. An upstream that fails is followed by the next one at once.
 *   4. The second group is asked too when the first one's upstreams have all failed, or one failed and the last asked
 * has been silent for 250 ms, or the route's patience is over; and fallback.on allows it.
 *   5. The first usable answer wins. A SERVFAIL that is bogus by the zone's own fault stands; one that a border could
 * have caused is overridden only by an authenticated answer from a trusted upstream.
 *      So is a blocklist's error code (blocklist.h) no usable answer, unless the setting passes it on: the next
 * upstream of the group may be one that the list serves. Alone it does not open external.
 *   6. All failed: a stale answer or SERVFAIL. An asker's deadline: the same for him, and the work goes on until
 * QUERY_LIFE.
 *
 * External, first or second, is asked only if quota.h has a question left: one for all of the query's packets. If not,
 * domestic is asked alone, or nobody where domestic must not be; that it fails then is our limit, not the zone's fault.
 */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include "base/list.h"
#include "base/timers.h"
#include "query/claims.h"
#include "query/desk.h"
#include "query/flight.h"
#include "query/route.h"

enum { /* ms */
    HEDGE_MIN       = 250,
    HEDGE_MAX       = 400,
    HEDGE_FAILED    = 250,  /* silence of the last upstream that is waited for after another one failed */
    RESEND_MIN      = 300,  /* towards external, which is far away */
    RESEND_MAX      = 400,  /* of the first resend; each later one waits twice as long */
    EXCHANGE_SILENT = 800,  /* a fact for the upstream's health: a probe finds out whether it is still there */
    EXCHANGE_LIFE   = 5000, /* no reply that long after sending is a timeout */
    QUERY_LIFE      = 10000,
    SAMPLE_EVERY    = 1000,
};

enum {
    QUERY_EXCHANGES = LIMIT_UDP_SENDS,
    FIRST_SENDS     = LIMIT_UDP_SENDS / 2 /* datagrams of the first group, where there is a second one */
};

struct asker { /* a client that waits */
    struct list  link;
    struct asked asked;
    struct path  path;
    msec_t       deadline;
};

struct side { /* one group's part in it */
    uint8_t                group;
    bool                   begun;
    bool                   exhausted;   /* every upstream was asked and has failed */
    unsigned               tried;       /* bit mask */
    unsigned               failed;      /* exchanges that failed */
    unsigned               sends;       /* datagrams */
    bool                   hurry;       /* one failed: the next is asked without waiting for those that are open */
    const struct exchange *last;        /* the upstream asked last */
    bool                   last_failed; /* the upstream asked last is among those that failed */
    msec_t                 begun_at;
    msec_t                 last_asked; /* when the last upstream or resend was sent */
    msec_t                 wait;       /* of that one, before the next is asked */
};

enum query_state {
    QUERY_WAITING, /* another worker asks: look into the cache now and then */
    QUERY_ASKING,
    QUERY_ANSWERED,
    QUERY_FINISHED
};

struct query {
    struct flight    flight;
    struct timer     timer;
    struct list      link; /* the engine's queries that somebody waits for, or its others */
    struct inquiry   inquiry;
    struct list      askers;   /* who waits, oldest first */
    struct list      answered; /* who was answered; the engine frees them */
    unsigned         asker_count;
    enum query_state state;
    struct setup    *setup; /* counted */
    struct route     route;
    struct terms     terms;
    msec_t           started;
    uint64_t         claim;   /* hash of the question, for claims.h */
    bool             claimed; /* and it is held */
    msec_t           look_at; /* QUERY_WAITING: when to look into the cache */
    msec_t           look_wait;
    struct side      sides[2];
    unsigned         sends; /* datagrams */
    bool             bogus_final, needs_authentic;
    bool             list_error;   /* a blocklist answered with an error code: no answer, and no evidence of any kind */
    bool             displaced;    /* it gave way to a newer one: that it has no answer is our limit */
    bool             over_quota;   /* it was kept from external: that it has no answer says nothing of the zone */
    bool             failure_told; /* the failure was cached and observed */
    struct exchange  exchanges[QUERY_EXCHANGES];
};

/* Takes a zeroed query with its inquiry and first asker in place, and begins. */
void query_start(struct query *query, struct desk *desk, msec_t now);
/* One more client waits; `asker` is linked by this. */
void query_join(struct query *query, struct asker *asker);

/* Events. The exchange is one of the query's. */
void query_on_packet(struct query *query, struct desk *desk, struct exchange *exchange, struct view packet, msec_t now);
void query_on_unreachable(struct query *query, struct desk *desk, struct exchange *exchange, msec_t now);
void query_on_time(struct query *query, struct desk *desk, msec_t now);
/* Answers everybody SERVFAIL and lets go of everything. */
void query_cancel(struct query *query, struct desk *desk, msec_t now);

/* When query_on_time() is wanted. */
msec_t query_deadline(const struct query *query);

#endif
