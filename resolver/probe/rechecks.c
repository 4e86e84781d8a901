/*
 * rechecks.c: which zone is rechecked when, and what share of the questions that clients' queries ask of domestic that
 * may take (learning.recheck_share). See prober_internal.h.
 *
 * CONSTANTS
 *   RECHECK_EVERY     1 s  one zone in that time may be rechecked whatever the share is: at night blocks end too
 *   RECHECK_SAVED     256  questions; what a busy hour leaves unused is no licence for a burst
 */
#include "probe/prober_internal.h"

enum {
    RECHECK_SHARE_UNIT = 10000, /* of setup.recheck_share */
    RECHECK_EVERY      = 1000,
    RECHECK_SAVED      = 256,
    RECHECK_COST       = RECHECK_SHARE_UNIT, /* one question; two of a zone that recovers, which is rare */
};

/* A reload may have put a fence where something was learned. */
static bool is_fenced(const struct prober *prober, const struct zone *zone)
{
    const struct policy *policy = prober->env.setup->policy;
    return !attribution_is_open(policy, zone_name(zone)) || !attribution_is_open(policy, zone_asked(zone));
}

static void recheck(struct prober *prober, struct zone *zone, msec_t now)
{
    if (is_fenced(prober, zone)) {
        learner_forget(prober->learner, zone_name(zone), MSEC_NEVER, now);
        return;
    }
    if (prober_domestic_down(prober)) {
        learner_apply_zone(prober->learner, zone, EVIDENCE_POSTPONED, REASON_NONE, now);
        return;
    }
    if (prober_study_of(prober, STUDY_RECHECK, zone_name(zone), zone_name(zone)))
        return;
    struct study *study = prober_study_new(prober, STUDY_RECHECK, now);
    if (!study)
        return;
    prober->stats.rechecks++;
    if (zone->scope == SCOPE_ZONE && !zone->set && zone->condition.reason != REASON_FORGED) {
        delegations_begin(&prober->delegations, zone_name(zone), now);
        delegations_doubt_ended(&prober->delegations, zone_name(zone),
                                zone); /* nobody doubts it: the lookup ends by itself */
    }
    name_set(&study->zone, zone_name(zone));
    study->scope  = zone->scope;
    study->forged = zone->condition.reason == REASON_FORGED;
    study->name   = study->zone;
    study->type   = zone->scope == SCOPE_TYPE ? zone->type : zone->asked_type;
    if (zone->scope == SCOPE_ZONE)
        name_set(&study->name, zone_asked(zone));
    if (zone->scope == SCOPE_ZONE && zone->condition.state == ZONE_BLOCKED)
        study->turn = zone->condition.failures % 2 ? TURN_APEX : TURN_QUESTION;
    study_start(study, now);
}

static void save_up(struct prober *prober)
{
    struct recheck_budget *budget = &prober->budget;
    if (!prober->hooks.domestic_questions)
        return;
    uint64_t asked = prober->hooks.domestic_questions(prober->hooks.context);
    if (asked <= budget->seen) /* the workers' counters are not read at one moment */
        return;
    budget->saved += (asked - budget->seen) * prober->env.setup->recheck_share;
    budget->seen = asked;
    if (budget->saved > (uint64_t) RECHECK_SAVED * RECHECK_SHARE_UNIT)
        budget->saved = (uint64_t) RECHECK_SAVED * RECHECK_SHARE_UNIT;
}

static bool may_recheck(const struct prober *prober, msec_t now)
{
    const struct recheck_budget *budget = &prober->budget;
    return prober->study_counts[STUDY_RECHECK] + prober->leases < RECHECKS_AT_ONCE &&
           (budget->saved >= RECHECK_COST || now - budget->last >= RECHECK_EVERY);
}

void rechecks_on_time(struct prober *prober, msec_t now)
{
    struct zone *zone;
    if (prober->env.setup->learning == SETUP_LEARN_NOTHING)
        return;
    save_up(prober);
    while (may_recheck(prober, now) && (zone = learner_recheck_due(prober->learner, now))) {
        prober->budget.saved -= msec_min(RECHECK_COST, (msec_t) prober->budget.saved);
        prober->budget.last = now;
        if (prober->hooks.ask_lease && prober->hooks.ask_lease(prober->hooks.context, zone))
            prober->leases++;
        else
            recheck(prober, zone, now);
    }
}

void rechecks_on_lease(struct prober *prober, const struct zone_id *id, bool granted, msec_t now)
{
    struct zone *zone = table_get(learner_table(prober->learner), id->name, id->scope, id->type);
    prober->leases--;
    if (!zone || !zone_diverts(zone))
        return;
    if (granted)
        recheck(prober, zone, now);
    else /* what the other node finds may still bring it forward */
        learner_apply_zone(prober->learner, zone, EVIDENCE_POSTPONED, REASON_NONE, now);
}

msec_t rechecks_next(const struct prober *prober)
{
    if (prober->study_counts[STUDY_RECHECK] + prober->leases >= RECHECKS_AT_ONCE ||
        prober->env.setup->learning == SETUP_LEARN_NOTHING)
        return MSEC_NEVER;
    bool may = prober->budget.saved >= RECHECK_COST;
    return msec_max(learner_next_recheck(prober->learner), may ? 0 : prober->budget.last + RECHECK_EVERY);
}
