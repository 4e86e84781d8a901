/*
 * prober.h: the keeper's share of the logic: turns what workers observed into studies, studies into evidence for the
 * learner; rechecks blocked zones; asks control questions; monitors the health of upstreams. Without I/O, like
 * engine.h.
 *
 * Thread: keeper.
 */
#ifndef PROBE_PROBER_H
#define PROBE_PROBER_H

#include "core/counters.h"
#include "learn/learner.h"
#include "probe/study.h"

struct prober;

enum { /* ms */
    RECHECKS_AT_ONCE = 16,
    CUT_AGAIN        = 600 * 1000, /* so long a zone below a blocked one that failed too is not asked about again */
    CUTS_KEPT        = 4096,       /* of these that are remembered; one that is not is asked about sooner */
    FINE_LIFE        = 600 * 1000, /* so long a name that fails brings no suspicion on a zone that was seen fine */
    FINE_KEPT        = 4096,
    GOOD_LATELY      = 120 * 1000, /* domestic has answered for the domain: what fails now is likelier an upstream */
};
#define RECHECK_WEIGHT 0.1 /* see TRIAL_WEIGHT */

struct prober_hooks {
    void *context;
    /* An upstream went down or came up. */
    void (*server_changed)(void *context, const struct server *server, bool up);
    /* An upstream forwards to this daemon: a question that it was asked has come back, once for each such question. */
    void (*server_loops)(void *context, const struct server *server);
    /* The canary has answered for that name: the border forges it. */
    void (*canary_shown)(void *context, struct view name);
    /* The canary answers whatever is asked, and is of no use; or is silent again, as it should be. */
    void (*canary_blind)(void *context, bool blind);
    /* How many questions clients' queries have asked of domestic since the start. */
    uint64_t (*domestic_questions)(void *context);
    /* The zone is due to be rechecked, which only one of the nodes that share what they learn shall do: true if that is
     * being found out; then prober_on_lease() is called once, later. False, or NULL: there is nobody else. */
    bool (*ask_lease)(void *context, const struct zone *zone);
};

struct prober_options {
    struct shared       shared;
    struct setup       *setup;   /* takes a reference of its own */
    struct effects      effects; /* answer and observe are not used */
    struct learner     *learner; /* borrowed */
    struct prober_hooks hooks;
    uint8_t             seed[RNG_SEED_BYTES];
};

struct prober *prober_create(const struct prober_options *options);
void           prober_destroy(struct prober *prober);
/* Studies under way are given up: they were about the old upstreams and fences. */
void prober_set_setup(struct prober *prober, struct setup *setup, msec_t now);

/* From a worker's ring. What was asked in an earlier epoch is no evidence. */
void prober_observe(struct prober *prober, const struct observation *observation, msec_t now);
/* The operator: asks both sides about `zone` now, or, where nothing is known of the zone itself, about the narrowest
 * entry of that name, study->scope. probed() is called once, later or before this returns, with hooks.context; the
 * study is borrowed. False: it was not begun (limit, memory). */
bool prober_probe(struct prober *prober, struct view zone, study_probed_fn probed, void *cookie, msec_t now);
/* What came of hooks.ask_lease(). A zone whose recheck is another node's is due again after ZONE_POSTPONE. */
void prober_on_lease(struct prober *prober, const struct zone_id *id, bool granted, msec_t now);
/* Gives up the studies at or below `zone`, forgets what the canary has shown of its domain, and probes no upstream with a
 * name there: after a pin, a forget. */
void prober_abandon(struct prober *prober, struct view zone, msec_t now);

void   prober_on_packet(struct prober *prober, struct exchange *exchange, enum transport transport, struct view packet,
                        msec_t now);
void   prober_on_unreachable(struct prober *prober, struct exchange *exchange, enum transport transport, msec_t now);
msec_t prober_next(const struct prober *prober);
void   prober_on_time(struct prober *prober, msec_t now);

const struct prober_stats *prober_read_stats(const struct prober *prober);
struct rng                *prober_rng(struct prober *prober);

#endif
