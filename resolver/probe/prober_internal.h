/*
 * prober_internal.h: the prober's parts to each other, each of which calls only those before it: studies.c (what is
 * under way), suspicions.c (from a strike to a confirmation), verdicts.c (what a study says of a zone), rechecks.c
 * (which zone is rechecked when), prober.c (events, life), observed.c (what workers have observed).
 *
 * Thread: keeper.
 */
#ifndef PROBE_PROBER_INTERNAL_H
#define PROBE_PROBER_INTERNAL_H

#include "policy/attribution.h"
#include "probe/canary.h"
#include "probe/delegation.h"
#include "probe/monitor.h"
#include "probe/prober.h"

struct recheck_budget {
    uint64_t seen;  /* hooks.domestic_questions() when it was last looked at */
    uint64_t saved; /* questions that rechecks may ask, times RECHECK_SHARE_UNIT */
    msec_t   last;  /* when a zone was rechecked last */
};

struct prober {
    struct env            env;
    struct errands        errands;
    struct learner       *learner;
    struct prober_hooks   hooks;
    study_done_fn         study_done; /* of every study */
    struct prober_stats   stats;
    struct list           studies, finished;
    unsigned              study_counts[STUDY_KINDS];
    struct recheck_budget budget;
    unsigned              leases; /* asked for, and not yet known */
    struct delegations    delegations;
    struct recent        *cuts; /* zones and names below blocked ones that were asked about lately */
    struct recent        *fine; /* zones that were seen fine, though a name in them had failed */
    struct monitors       monitors;
    struct canary         canary;
};

static inline bool prober_domestic_down(const struct prober *prober)
{
    return group_down(&prober->env.setup->groups[SETUP_DOMESTIC]);
}

/* ---- studies.c ---- */

/* A new study, not begun; NULL: there are too many, or no memory. */
struct study *prober_study_new(struct prober *prober, enum study_kind kind, msec_t now);
/* It is freed when the call that led here has returned. */
void prober_study_ended(struct prober *prober, struct study *study);
void prober_free_finished(struct prober *prober);
/* Single flight: the study of that kind that is already about `zone` (may be empty) or `name`. NULL: none. */
struct study *prober_study_of(const struct prober *prober, enum study_kind kind, struct view zone, struct view name);

/* ---- suspicions.c ---- */

struct zone *prober_entry(struct prober *prober, const struct name *name, enum zone_scope scope, uint16_t type);
/* The name of the zone, or guess, at which the suspicion stands that led to this study. */
const struct name *prober_suspected(const struct study *study);
void               prober_clear_suspicion(struct prober *prober, const struct study *study, msec_t now);
/* The zone as a whole is fine, whatever becomes of the name: for a while no neighbour of a name that fails is suspected
 * with it. */
void prober_note_fine(struct prober *prober, struct view zone, msec_t now);
/* Suspicions whose zone has become known since move there, and are believed if its past or its nameservers say so. */
void prober_place_suspicions(struct prober *prober, msec_t now);
/* The domain that the canary was asked about, of a trial by its word. */
struct view prober_canary_domain(const struct prober *prober, const struct study *study);
/* The canary has answered for `name`. */
void prober_shown(struct prober *prober, struct view name, msec_t now);
void prober_strike(struct prober *prober, const struct observation *observation, msec_t now);

/* ---- verdicts.c ---- */

void prober_on_study_done(void *owner, struct study *study, msec_t now);

/* ---- rechecks.c ---- */

void   rechecks_on_time(struct prober *prober, msec_t now);
void   rechecks_on_lease(struct prober *prober, const struct zone_id *id, bool granted, msec_t now);
msec_t rechecks_next(const struct prober *prober);

/* ---- prober.c ---- */

/* After every event. */
void prober_tend(struct prober *prober, msec_t now);

#endif
