/*
 * prober.c: see prober.h.
 */
#include "probe/prober_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    TROUBLE_BEFORE = 5000 /* ms that it may have begun before it was seen */
};

/* What was asked while the upstream was down may have spent its sends before it came back: nobody who asks now shall
 * wait for that, nor be told of its failure. In this order: see decision 14. */
static void forget_outage(struct prober *prober, msec_t now)
{
    epoch_turn(table_epoch(prober->env.shared.table));
    cache_forgive(prober->env.shared.cache, now + HEALTH_LOOK); /* a worker's clock may be ahead of ours */
}

static void on_server_changed(void *owner, const struct server *server, bool up, msec_t now)
{
    struct prober *prober = owner;
    if (up)
        forget_outage(prober, now);
    else if (prober_domestic_down(prober))
        learner_drop_suspicions(prober->learner, 0, now);
    if (prober->hooks.server_changed)
        prober->hooks.server_changed(prober->hooks.context, server, up);
}

/* What was struck while domestic answers nothing at all was its own trouble. */
static void on_trouble(void *owner, msec_t since, msec_t now)
{
    struct prober *prober = owner;
    learner_drop_suspicions(prober->learner, since - TROUBLE_BEFORE, now);
}

static void on_server_loops(void *owner, const struct server *server)
{
    struct prober *prober = owner;
    if (prober->hooks.server_loops)
        prober->hooks.server_loops(prober->hooks.context, server);
}

static void on_canary_shown(void *owner, struct view name, struct view domain, msec_t now)
{
    struct prober *prober = owner;
    msec_t         since;
    if (forging_of(prober->env.shared.forging, domain, now, &since) > FORGING_SILENT)
        return; /* by another of its names */
    forging_set(prober->env.shared.forging, domain, FORGING_SHOWN, now);
    cache_flush_under(prober->env.shared.cache, domain);
    if (prober->hooks.canary_shown)
        prober->hooks.canary_shown(prober->hooks.context, name);
    prober_shown(prober, name, now);
}

static void on_canary_blind(void *owner, bool blind)
{
    struct prober *prober = owner;
    if (prober->hooks.canary_blind)
        prober->hooks.canary_blind(prober->hooks.context, blind);
}

/* After every event. */
void prober_tend(struct prober *prober, msec_t now)
{
    prober_place_suspicions(prober, now);
    monitors_tend(&prober->monitors, now);
    delegations_tend(&prober->delegations);
    prober_free_finished(prober);
}

static int probe_rank(const struct zone *zone)
{
    static const int ranks[] = {[SCOPE_NAME] = 1, [SCOPE_TYPE] = 2, [SCOPE_ZONE] = 3};
    return zone->condition.state == ZONE_CLEAR ? 0 : ranks[zone->scope];
}

/* What was learned of the zone comes before what was learned of its name alone, the narrowest of that first, and a mere
 * pin last. Of several types it is the turn of the one that failed longest ago. */
static void pick_probed(void *context, struct zone *zone)
{
    struct zone **best = context;
    int           more = *best ? probe_rank(zone) - probe_rank(*best) : 1;
    if (more > 0 || (more == 0 && zone->condition.last_failure < (*best)->condition.last_failure))
        *best = zone;
}

/* The question whose failure the entry is for, unless a fence has come over it. */
static void ask_as(struct study *study, const struct policy *policy, const struct zone *entry)
{
    bool open     = attribution_is_open(policy, zone_asked(entry));
    study->scope  = entry->scope;
    study->forged = entry->condition.reason == REASON_FORGED;
    if (entry->scope == SCOPE_TYPE)
        study->type = entry->type;
    else if (open)
        study->type = entry->asked_type;
    if (entry->scope == SCOPE_ZONE && open)
        name_set_lower(&study->name, zone_asked(entry));
}

/* What a study was about that is given up. */
static void on_given_up(struct prober *prober, struct study *study, msec_t now)
{
    const struct name *name = study->scope == SCOPE_ZONE ? &study->zone : &study->name;
    struct zone *zone = study->kind == STUDY_RECHECK ? prober_entry(prober, name, study->scope, study->type) : NULL;
    if (zone)
        learner_recheck_undone(prober->learner, zone);
    if (study->shown)
        forging_set(prober->env.shared.forging, prober_canary_domain(prober, study), FORGING_UNTRIED, now);
}

bool prober_probe(struct prober *prober, struct view zone, study_probed_fn probed, void *cookie, msec_t now)
{
    struct study *study = prober_study_new(prober, STUDY_PROBE, now);
    struct zone  *entry = NULL;
    if (!study)
        return false;
    name_set_lower(&study->zone, zone);
    study->name   = study->zone;
    study->type   = TYPE_SOA;
    study->scope  = SCOPE_ZONE;
    study->probed = probed;
    study->cookie = cookie;
    table_each_of(learner_table(prober->learner), zone, pick_probed, &entry);
    if (entry)
        ask_as(study, prober->env.setup->policy, entry);
    study_start(study, now);
    prober_tend(prober, now);
    return true;
}

void prober_on_lease(struct prober *prober, const struct zone_id *id, bool granted, msec_t now)
{
    rechecks_on_lease(prober, id, granted, now);
    prober_tend(prober, now);
}

void prober_abandon(struct prober *prober, struct view zone, msec_t now)
{
    struct view domain = suffix_registrable(prober->env.shared.suffix, zone);
    forging_set(prober->env.shared.forging, domain.len > 0 ? domain : zone, FORGING_UNTRIED, now);
    monitors_abandon(&prober->monitors, zone);
    LIST_EACH (item, next, &prober->studies) {
        struct study *study = CONTAINER_OF(item, struct study, link);
        if (study->kind == STUDY_PROBE || !name_is_at_or_below(name_view(&study->name), zone))
            continue;
        study_cancel(study);
        on_given_up(prober, study, now);
        if (study->kind == STUDY_CONFIRM)
            delegations_doubt_ended(&prober->delegations, name_view(&study->zone), NULL);
        prober_study_ended(prober, study);
    }
    prober_free_finished(prober);
}

/* ---- events ---- */

void prober_on_packet(struct prober *prober, struct exchange *exchange, enum transport transport, struct view packet,
                      msec_t now)
{
    if (canary_owns(&prober->canary, exchange))
        canary_on_packet(&prober->canary, exchange, packet, now);
    else
        errand_on_packet(&prober->errands, exchange->owner, transport, packet, now);
    prober_tend(prober, now);
}

void prober_on_unreachable(struct prober *prober, struct exchange *exchange, enum transport transport, msec_t now)
{
    if (!canary_owns(&prober->canary, exchange))
        errand_on_unreachable(&prober->errands, exchange->owner, transport, now);
    prober_tend(prober, now);
}

msec_t prober_next(const struct prober *prober)
{
    msec_t due = msec_min(timers_next(&prober->errands.timers), prober->monitors.looked + HEALTH_LOOK);
    due        = msec_min(due, learner_next_end(prober->learner));
    due        = msec_min(due, canary_next(&prober->canary));
    return msec_min(due, rechecks_next(prober));
}

void prober_on_time(struct prober *prober, msec_t now)
{
    errands_on_time(&prober->errands, now);
    canary_on_time(&prober->canary, now);
    if (now - prober->monitors.looked >= HEALTH_LOOK)
        monitors_look(&prober->monitors, now);
    learner_end_due(prober->learner, now);
    rechecks_on_time(prober, now);
    prober_tend(prober, now);
}

/* ---- life ---- */

static void drop_studies(struct prober *prober, msec_t now)
{
    LIST_EACH (item, next, &prober->studies) {
        struct study *study = CONTAINER_OF(item, struct study, link);
        study_cancel(study);
        on_given_up(prober, study, now);
        if (study->kind == STUDY_PROBE)
            study->probed(prober->hooks.context, study->cookie, study);
        list_remove(item);
        free(study);
    }
    prober_free_finished(prober);
    memset(prober->study_counts, 0, sizeof(prober->study_counts));
}

struct prober *prober_create(const struct prober_options *options)
{
    struct prober *prober = calloc(1, sizeof(*prober));
    if (!prober)
        return NULL;
    prober->env.shared  = options->shared;
    prober->env.effects = options->effects;
    prober->env.setup   = setup_take(options->setup);
    prober->learner     = options->learner;
    prober->study_done  = prober_on_study_done;
    prober->hooks       = options->hooks;
    prober->errands.env = &prober->env;
    list_init(&prober->studies);
    list_init(&prober->finished);
    timers_init(&prober->errands.timers);
    prober->delegations =
        (struct delegations){.errands = &prober->errands, .learner = options->learner, .stats = &prober->stats};
    delegations_init(&prober->delegations);
    rng_init(&prober->env.rng, options->seed);
    const struct hash_key key = {rng_u64(&prober->env.rng), rng_u64(&prober->env.rng)};
    prober->cuts              = recent_create(key, CUTS_KEPT, CUT_AGAIN);
    prober->monitors          = (struct monitors){.errands  = &prober->errands,
                                                  .studies  = &prober->studies,
                                                  .stats    = &prober->stats,
                                                  .changed  = on_server_changed,
                                                  .troubled = on_trouble,
                                                  .looped   = on_server_loops,
                                                  .owner    = prober};
    prober->canary            = (struct canary){.env     = &prober->env,
                                                .stats   = &prober->stats,
                                                .shown   = on_canary_shown,
                                                .blinded = on_canary_blind,
                                                .owner   = prober};
    canary_init(&prober->canary);
    prober->fine = recent_create(key, FINE_KEPT, FINE_LIFE);
    if (prober->cuts && prober->fine && monitors_open(&prober->monitors))
        return prober;
    prober_destroy(prober);
    return NULL;
}

void prober_destroy(struct prober *prober)
{
    if (!prober)
        return;
    drop_studies(prober, 0);
    delegations_clear(&prober->delegations);
    monitors_close(&prober->monitors);
    canary_clear(&prober->canary);
    timers_fini(&prober->errands.timers);
    recent_destroy(prober->cuts);
    recent_destroy(prober->fine);
    setup_drop(prober->env.setup);
    free(prober);
}

void prober_set_setup(struct prober *prober, struct setup *setup, msec_t now)
{
    struct setup *before = prober->env.setup;
    drop_studies(prober, now);
    delegations_clear(&prober->delegations);
    monitors_close(&prober->monitors);
    canary_clear(&prober->canary);
    prober->env.setup = setup_take(setup);
    setup_drop(before);
    /* without memory for them health and control stand still until the next reload */
    monitors_open(&prober->monitors);
    monitors_look(&prober->monitors, now);
}

const struct prober_stats *prober_read_stats(const struct prober *prober) { return &prober->stats; }

struct rng *prober_rng(struct prober *prober) { return &prober->env.rng; }
