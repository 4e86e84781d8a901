/*
 * observed.c: see prober.h: what becomes of what workers have observed.
 */
#include "probe/prober_internal.h"

#include <string.h>

static bool is_broken(const struct prober *prober, struct view zone)
{
    const struct zone *entry = table_get(learner_table(prober->learner), zone, SCOPE_ZONE, 0);
    return entry && entry->condition.state == ZONE_BROKEN;
}

static void both_failed(struct prober *prober, const struct observation *observation, msec_t now)
{
    struct view zone = attribution_zone(prober->env.setup->policy, prober->env.shared.suffix,
                                        name_view(&observation->name), (struct view){0});
    if (zone.len == 0 || prober_domestic_down(prober) || is_broken(prober, zone) ||
        prober_study_of(prober, STUDY_BROKEN, zone, name_view(&observation->name)))
        return;
    struct study *study = prober_study_new(prober, STUDY_BROKEN, now);
    if (!study)
        return;
    prober->stats.broken_checks++;
    study->name   = observation->name;
    study->type   = observation->type;
    study->reason = observation->reason;
    memcpy(study->failed, observation->failed, sizeof(study->failed));
    name_set(&study->zone, zone);
    study_start(study, now);
}

/* The trial of that very question. */
static struct study *trial_of(const struct prober *prober, struct view name, uint16_t type)
{
    LIST_EACH (item, next, &prober->studies) {
        struct study *study = CONTAINER_OF(item, struct study, link);
        if (study->kind == STUDY_CONFIRM && study->type == type && name_equal(name_view(&study->name), name))
            return study;
    }
    return NULL;
}

static void fine(struct prober *prober, const struct observation *observation, msec_t now)
{
    struct study *trial = trial_of(prober, name_view(&observation->name), observation->type);
    if (trial && !trial->shown)
        study_on_late_answer(trial, now);
    struct verdict verdict = table_find(prober->env.shared.table, name_view(&observation->name), observation->type);
    if (!verdict.zone || verdict.proved)
        return;
    if (verdict.state == ZONE_SUSPECT && verdict.zone->scope == SCOPE_ZONE)
        recent_mark(prober->fine, zone_name(verdict.zone), now);
    learner_apply_zone(prober->learner, verdict.zone, EVIDENCE_FINE, REASON_NONE, now);
}

static void used(struct prober *prober, const struct observation *observation, msec_t now)
{
    struct verdict verdict = table_find(prober->env.shared.table, name_view(&observation->name), observation->type);
    if (verdict.zone && verdict.state == ZONE_BLOCKED)
        learner_hurry(prober->learner, verdict.zone, now);
}

static bool was_looked_at(struct prober *prober, struct view name, msec_t now)
{
    if (recent_known(prober->cuts, name, now))
        return true;
    recent_mark(prober->cuts, name, now);
    return false;
}

/* A delegated zone below a blocked one need not be blocked. Which zone it is an answer that has what was asked for does
 * not show: then external is asked. */
static void cut(struct prober *prober, const struct observation *observation, msec_t now)
{
    struct view    name = name_view(&observation->name), shown = name_view(&observation->zone);
    struct view    zone    = attribution_zone(prober->env.setup->policy, prober->env.shared.suffix, name, shown);
    struct verdict verdict = table_find(prober->env.shared.table, name, observation->type);
    bool           blocked = zone_state_diverts(verdict.state);
    if (!blocked || verdict.pin != PIN_NONE || verdict.zone->scope != SCOPE_ZONE || prober_domestic_down(prober))
        return;
    if (shown.len > 0 && (!name_equal(zone, shown) || name_labels(zone_name(verdict.zone)) >= name_labels(zone)))
        return;
    if (was_looked_at(prober, shown.len > 0 ? zone : name, now) || prober_study_of(prober, STUDY_CUT, zone, name))
        return;
    struct study *study = prober_study_new(prober, STUDY_CUT, now);
    if (!study)
        return;
    prober->stats.cuts++;
    if (shown.len > 0)
        name_set(&study->zone, zone);
    name_set(&study->guess, zone_name(verdict.zone));
    study->name = observation->name;
    study->type = observation->type;
    study_start(study, now);
}

static void sample(struct prober *prober, const struct observation *observation)
{
    struct view domain = name_view(&observation->zone);
    monitors_note(&prober->monitors, observation->group, name_view(&observation->name), observation->type);
    if (domain.len > 0 && attribution_is_open(prober->env.setup->policy, domain))
        monitors_offer(&prober->monitors, domain);
}

/* It is worth something though nothing is learned. */
static bool is_for_all_modes(enum observed what)
{
    return what == OBSERVED_ECHO || what == OBSERVED_SAMPLE || what == OBSERVED_UNTRIED;
}

void prober_observe(struct prober *prober, const struct observation *observation, msec_t now)
{
    bool learns = prober->env.setup->learning != SETUP_LEARN_NOTHING;
    /* an echo's name was never used before: it is told apart by that */
    bool counts = env_epoch_holds(&prober->env, observation->epoch) || observation->what == OBSERVED_ECHO;
    if (!counts || (!learns && !is_for_all_modes(observation->what)))
        return;
    switch (observation->what) {
    case OBSERVED_STRIKE:
        prober_strike(prober, observation, now);
        break;
    case OBSERVED_BOTH_FAILED:
        both_failed(prober, observation, now);
        break;
    case OBSERVED_FINE:
        fine(prober, observation, now);
        break;
    case OBSERVED_USED:
        used(prober, observation, now);
        break;
    case OBSERVED_CUT:
        cut(prober, observation, now);
        break;
    case OBSERVED_SAMPLE:
        sample(prober, observation);
        break;
    case OBSERVED_ECHO:
        monitors_heard(&prober->monitors, name_view(&observation->name));
        break;
    case OBSERVED_UNTRIED:
        canary_try(&prober->canary, name_view(&observation->name), name_view(&observation->zone), now);
        break;
    case OBSERVED_COMPLAINT:
        break;
    }
    prober_tend(prober, now);
}
