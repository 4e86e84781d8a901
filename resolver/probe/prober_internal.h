/*
 * prober_internal.h: the prober's parts to each other: prober.c (studies, events, life), observed.c (what workers have
 * observed), verdicts.c (what a study says of a zone), rechecks.c (which zone is rechecked when).
 */
#ifndef PROBE_PROBER_INTERNAL_H
#define PROBE_PROBER_INTERNAL_H

#include "policy/attribution.h"
#include "probe/monitor.h"
#include "probe/prober.h"
#include "probe/survey.h"

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
    struct prober_stats   stats;
    struct list           studies, finished;
    unsigned              study_counts[STUDY_KINDS];
    struct recheck_budget budget;
    struct surveys        surveys;
    struct recent        *cuts; /* zones and names below blocked ones that were asked about lately */
    struct recent        *fine; /* zones that were seen fine, though a name in them had failed */
    struct monitors       monitors;
};

static inline bool prober_domestic_down(const struct prober *prober)
{
    return group_down(&prober->env.setup->groups[SETUP_DOMESTIC]);
}

/* ---- prober.c ---- */

/* A new study, not begun; NULL: there are too many, or no memory. */
struct study *prober_study_new(struct prober *prober, enum study_kind kind, msec_t now);
/* It is freed when the call that led here has returned. */
void prober_study_ended(struct prober *prober, struct study *study);
/* Single flight: the study of that kind that is already about `zone` (may be empty) or `name`. NULL: none. */
struct study *prober_study_of(const struct prober *prober, enum study_kind kind, struct view zone, struct view name);
/* After every event. */
void prober_tend(struct prober *prober, msec_t now);

/* ---- observed.c ---- */

void prober_strike(struct prober *prober, const struct observation *observation, msec_t now);

/* ---- verdicts.c ---- */

struct zone *prober_listed(struct prober *prober, const struct name *name, enum zone_scope scope, uint16_t type);
void prober_add_strike(struct prober *prober, struct view name, enum zone_scope scope, const struct study *study,
                       msec_t now);
/* Suspicions whose zone has become known since move there, and are believed if its past or its nameservers say so. */
void prober_place_suspicions(struct prober *prober, msec_t now);
void prober_on_study_done(void *owner, struct study *study, msec_t now);

/* ---- rechecks.c ---- */

void   rechecks_on_time(struct prober *prober, msec_t now);
msec_t rechecks_next(const struct prober *prober);

#endif
