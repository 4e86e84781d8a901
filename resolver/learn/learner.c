/*
 * learner.c: see learner.h.
 */
#include "learn/learner_internal.h"

#include "base/limits.h"
#include "learn/pick.h"

#include "dns/name.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct learner *learner_create(struct table *table, const struct learner_limits *limits,
                               const struct learner_hooks *hooks, const uint8_t seed[RNG_SEED_BYTES])
{
    struct learner *learner = calloc(1, sizeof(*learner));
    if (!learner)
        return NULL;
    learner->table  = table;
    learner->limits = *limits;
    learner->hooks  = *hooks;
    rng_init(&learner->rng, seed);
    timers_init(&learner->rechecks);
    timers_init(&learner->ends);
    dossiers_init(&learner->dossiers);
    const struct hash_key key = {rng_u64(&learner->rng), rng_u64(&learner->rng)};
    learner->key              = key;
    learner->nameservers      = nameservers_create(key);
    learner->former =
        recent_create(key, limits->max_zones < RECENT_SLOTS ? limits->max_zones : RECENT_SLOTS, FORMER_LIFE);
    if (!learner->nameservers || !learner->former) {
        learner_destroy(learner);
        return NULL;
    }
    return learner;
}

static void leave_set(void *context, struct zone *zone)
{
    nameservers_leave(((struct learner *) context)->nameservers, zone);
}

void learner_destroy(struct learner *learner)
{
    if (!learner)
        return;
    if (learner->nameservers)
        table_each(learner->table, leave_set, learner);
    nameservers_destroy(learner->nameservers);
    recent_destroy(learner->former);
    timers_fini(&learner->rechecks);
    timers_fini(&learner->ends);
    dossiers_fini(&learner->dossiers);
    free(learner);
}

void learner_set_limits(struct learner *learner, const struct learner_limits *limits) { learner->limits = *limits; }

struct table *learner_table(struct learner *learner) { return learner->table; }

struct learner_counts learner_count(const struct learner *learner) { return learner->counts; }

void learner_count_zone(struct learner *learner, const struct zone *zone, size_t one)
{
    enum zone_source source = zone->pin != PIN_NONE ? SOURCE_PINNED : zone->source;
    learner->counts.states[zone->condition.state] += one;
    learner->counts.sources[zone->condition.state][source] += one;
    if (zone->pin != PIN_NONE)
        learner->counts.pins += one;
    if (zone->proved)
        learner->counts.proved += one;
    if (zone->domain && zone_diverts(zone))
        learner->domains[zone->domain] += (uint32_t) one;
}

static void set_timer(struct timers *timers, struct timer *timer, msec_t due)
{
    timers_cancel(timers, timer);
    if (due != MSEC_NEVER)
        timers_set(timers, timer, due);
}

static void set_timers(struct learner *learner, struct zone *zone)
{
    msec_t end = zone_diverts(zone) ? MSEC_NEVER : zone->condition.next;
    if (zone->pin != PIN_NONE)
        end = msec_min(end, zone->pin_until);
    set_timer(&learner->rechecks, &zone->recheck, zone_diverts(zone) ? zone->condition.next : MSEC_NEVER);
    set_timer(&learner->ends, &zone->end, end);
}

/* A zone that is not listed any more stands for nothing but itself. */
static void let_go(struct learner *learner, struct zone *zone)
{
    nameservers_leave(learner->nameservers, zone);
    batches_on_gone(&learner->batches, zone);
}

static void take_out(struct learner *learner, struct zone *zone, enum zone_state from, enum zone_why why)
{
    learner->hooks.changed(learner->hooks.context, zone, from, why, true);
    timers_cancel(&learner->rechecks, &zone->recheck);
    timers_cancel(&learner->ends, &zone->end);
    dossier_close(&learner->dossiers, zone);
    let_go(learner, zone);
    learner_count_zone(learner, zone, (size_t) -1);
    table_remove(learner->table, zone);
}

/* A zone whose condition or pin was changed: publish it, or take it out when nothing is left to say of it. The caller
 * has counted it out before the change. */
bool learner_publish(struct learner *learner, struct zone *zone, enum zone_state from, enum zone_why why, msec_t now)
{
    if (zone->condition.state != ZONE_CLEAR || zone->condition.next == MSEC_NEVER)
        zone->proved = false;
    learner_count_zone(learner, zone, 1);
    table_publish(zone);
    if (!zone_diverts(zone))
        let_go(learner, zone);
    if (zone->condition.state == ZONE_CLEAR && zone->pin == PIN_NONE && !zone->proved) {
        take_out(learner, zone, from, why);
        return false;
    }
    if (zone->condition.state != from) {
        const struct change_line line = {.at = now, .from = from, .to = zone->condition.state, .why = why};
        dossier_note_change(&learner->dossiers, zone, &line);
    }
    set_timers(learner, zone);
    learner->hooks.changed(learner->hooks.context, zone, from, why, false);
    return true;
}

static bool is_full(const struct learner *learner)
{
    const size_t *states = learner->counts.states;
    return states[ZONE_BLOCKED] + states[ZONE_RECOVERING] >= learner->limits.max_zones;
}

/* For one more blocked zone, or else one more that is not confirmed. The cap may have been lowered: evicts as many as
 * are too many. */
bool learner_make_room(struct learner *learner, bool confirmed, enum evidence evidence)
{
    const size_t *states = learner->counts.states;
    if (!confirmed) /* what is broken leaves room for suspicions: its verdict changes no query's way */
        return states[ZONE_SUSPECT] + states[ZONE_BROKEN] < LIMIT_SUSPECTS &&
               (evidence != EVIDENCE_BROKEN || states[ZONE_BROKEN] < LIMIT_SUSPECTS / 2);
    while (is_full(learner)) {
        struct zone *zone = pick_victim(&learner->rechecks, &learner->rng);
        if (!zone)
            return false;
        take_out(learner, zone, zone->condition.state, WHY_EVICTED);
    }
    return true;
}

/* 0: it has none, or is that domain itself: the one entry that stands for all below it. */
static uint16_t domain_number(const struct learner *learner, const struct zone_id *id)
{
    struct view domain =
        learner->hooks.domain ? learner->hooks.domain(learner->hooks.context, id->name) : (struct view){0};
    if (domain.len == 0 || (id->scope == SCOPE_ZONE && name_equal(domain, id->name)))
        return 0;
    return (uint16_t) (1 + name_hash(learner->key, domain) % (DOMAINS - 1));
}

/* Who owns a domain decides how many zones and names below it are blocked: a stranger's must not push out others'. */
static bool domain_is_full(const struct learner *learner, uint16_t domain)
{
    return domain && learner->domains[domain] >= LIMIT_DOMAIN_ZONES;
}

bool learner_is_full(const struct learner *learner, const struct zone_id *id)
{
    return is_full(learner) || domain_is_full(learner, domain_number(learner, id));
}

static enum zone_why why_of(enum evidence evidence)
{
    static const enum zone_why whys[EVIDENCE_COUNT] = {
        [EVIDENCE_STRIKE] = WHY_STRIKE,           [EVIDENCE_CONFIRMED] = WHY_CONFIRMED,
        [EVIDENCE_BELIEVED] = WHY_BELIEVED,       [EVIDENCE_FINE] = WHY_FINE,
        [EVIDENCE_BROKEN] = WHY_BROKEN,           [EVIDENCE_RECHECK_GOOD] = WHY_RECHECK_GOOD,
        [EVIDENCE_RECHECK_BAD] = WHY_RECHECK_BAD, [EVIDENCE_POSTPONED] = WHY_POSTPONED,
    };
    return whys[evidence];
}

static bool same(const struct condition *a, const struct condition *b)
{
    return a->state == b->state && a->reason == b->reason && a->strikes == b->strikes && a->good == b->good &&
           a->failures == b->failures && a->since == b->since && a->last_failure == b->last_failure &&
           a->next == b->next && a->interval == b->interval;
}

/* ---- zones that belong together ---- */

/* The zone is due within `spread`, if it is not sooner. */
static void hurry(struct learner *learner, struct zone *zone, msec_t spread, msec_t now)
{
    if (zone->condition.state != ZONE_BLOCKED)
        return;
    zone->condition.next = msec_min(zone->condition.next, now + rng_below(&learner->rng, (uint32_t) spread));
    set_timers(learner, zone);
}

static void hurry_set(struct learner *learner, const struct zone *found, unsigned most, msec_t now)
{
    LIST_EACH (item, next, &found->set->members) {
        struct zone *zone = CONTAINER_OF(item, struct zone, kin);
        if (zone == found || zone->condition.state != ZONE_BLOCKED)
            continue;
        if (most-- == 0)
            return;
        hurry(learner, zone, KIN_SPREAD, now);
    }
}

static void hurry_sentinels(struct learner *learner, const struct batch *batch, msec_t now)
{
    for (unsigned i = 0; batch && i < BATCH_SENTINELS; i++)
        if (batch->sentinels[i])
            hurry(learner, batch->sentinels[i], BATCH_FIRST, now);
}

struct opening {
    struct learner *learner;
    unsigned        batch;
    msec_t          now;
};

static void open_one(void *context, struct zone *zone)
{
    const struct opening *opening = context;
    if (zone->batch != opening->batch)
        return;
    zone->batch = 0;
    hurry(opening->learner, zone, BATCH_SPREAD, opening->now);
}

/* What happened to `zone`, whose condition is new already, says something about others. */
static void tell_kin(struct learner *learner, struct zone *zone, enum zone_state from, enum evidence evidence,
                     msec_t now)
{
    bool good = evidence == EVIDENCE_RECHECK_GOOD;
    if (zone->condition.state == ZONE_BLOCKED && !zone_state_diverts(from) && zone->scope == SCOPE_ZONE)
        hurry_sentinels(learner, batches_on_blocked(&learner->batches, zone, now), now);
    if (zone->condition.state == ZONE_CLEAR && good && zone->scope == SCOPE_ZONE)
        recent_mark(learner->former, zone_name(zone), now);
    if (!good && evidence != EVIDENCE_RECHECK_BAD)
        return;
    if (zone->set && good) {
        nameserver_set_fine(zone->set, now);
        if (from == ZONE_BLOCKED && ++zone->set->good <= 2)
            hurry_set(learner, zone, zone->set->good == 1 ? 2 : UINT_MAX, now);
    } else if (zone->set) {
        nameserver_set_failed(zone->set, now);
    }
    const struct opening opening = {.learner = learner, .batch = zone->batch, .now = now};
    if (batches_on_recheck(&learner->batches, zone, good))
        table_each(learner->table, open_one, (void *) &opening);
    msec_t interval = batches_interval(&learner->batches, zone, now);
    if (zone->condition.state == ZONE_BLOCKED && interval != MSEC_NEVER)
        zone->condition.next = msec_min(zone->condition.next, now + interval);
}

/* True while the zone stays in the table. */
static bool apply(struct learner *learner, struct zone *zone, enum evidence evidence, enum zone_reason reason,
                  msec_t now)
{
    struct condition next =
        zone_next(&zone->condition, evidence, reason, &learner->limits.zone, now, rng_u32(&learner->rng));
    if (same(&next, &zone->condition))
        return true;
    if (next.state == ZONE_BLOCKED && !zone_diverts(zone) &&
        (domain_is_full(learner, zone->domain) || !learner_make_room(learner, true, EVIDENCE_CONFIRMED)))
        return true;
    /* an entry that says something else, a pin or a proof, is not counted yet */
    bool unconfirmed = next.state == ZONE_SUSPECT || next.state == ZONE_BROKEN;
    if (unconfirmed && zone->condition.state == ZONE_CLEAR && !learner_make_room(learner, false, evidence))
        return true;
    enum zone_state from = zone->condition.state;
    learner_count_zone(learner, zone, (size_t) -1);
    zone->condition = next;
    if (evidence != EVIDENCE_POSTPONED)
        zone->waited_out = false;
    if (from == ZONE_CLEAR || from == ZONE_SUSPECT || from == ZONE_BROKEN)
        zone->source = SOURCE_LEARNED;
    tell_kin(learner, zone, from, evidence, now);
    return learner_publish(learner, zone, from, why_of(evidence), now);
}

struct zone *learner_add(struct learner *learner, const struct zone_id *id, struct view asked, uint16_t asked_type,
                         msec_t now)
{
    size_t needed = table_count(learner->table) + 1;
    if (!timers_reserve(&learner->rechecks, needed) || !timers_reserve(&learner->ends, needed))
        return NULL;
    struct zone *zone = table_add(learner->table, id->name, id->scope, id->type, asked, asked_type);
    if (!zone)
        return NULL;
    zone->condition.since = now;
    zone->domain          = domain_number(learner, id);
    atomic_store(&zone->last_used, now);
    learner_count_zone(learner, zone, 1);
    return zone;
}

struct zone *learner_apply(struct learner *learner, const struct zone_id *id, enum evidence evidence,
                           enum zone_reason reason, struct view asked, uint16_t asked_type, msec_t now)
{
    struct zone *zone = table_get(learner->table, id->name, id->scope, id->type);
    if (!zone) {
        bool confirmed = evidence == EVIDENCE_CONFIRMED || evidence == EVIDENCE_BELIEVED;
        if (evidence != EVIDENCE_STRIKE && evidence != EVIDENCE_BROKEN && !confirmed)
            return NULL;
        if (confirmed && domain_is_full(learner, domain_number(learner, id)))
            return NULL;
        if (!learner_make_room(learner, confirmed, evidence))
            return NULL;
        zone = learner_add(learner, id, asked, asked_type, now);
        if (!zone)
            return NULL;
    }
    return apply(learner, zone, evidence, reason, now) ? zone : NULL;
}

bool learner_apply_zone(struct learner *learner, struct zone *zone, enum evidence evidence, enum zone_reason reason,
                        msec_t now)
{
    return apply(learner, zone, evidence, reason, now);
}

void learner_hurry(struct learner *learner, struct zone *zone, msec_t now)
{
    msec_t soonest = msec_max(now, zone->condition.last_failure + learner->limits.zone.recheck_first);
    if (zone->condition.state != ZONE_BLOCKED || zone->condition.next <= soonest)
        return;
    zone->condition.next = soonest;
    set_timers(learner, zone);
}

void learner_wait_out(struct learner *learner, struct zone *zone, msec_t until)
{
    if (zone->condition.state != ZONE_RECOVERING)
        return;
    zone->waited_out     = true;
    zone->condition.next = msec_min(until, zone->condition.next + learner->limits.zone.recheck_max);
    set_timers(learner, zone);
}

bool learner_was_blocked(const struct learner *learner, struct view zone, msec_t now)
{
    return recent_known(learner->former, zone, now);
}

bool learner_is_kin(const struct learner *learner, const struct delegation *servers)
{
    return nameservers_are_kin(learner->nameservers, servers);
}

bool learner_knows_set(const struct learner *learner, const struct delegation *servers)
{
    return nameservers_find(learner->nameservers, servers) != NULL;
}

void learner_place(struct learner *learner, struct zone *zone, const struct delegation *servers)
{
    if (zone_diverts(zone))
        nameservers_join(learner->nameservers, zone, servers);
}

void learner_recall(struct learner *learner, struct zone *zone, const struct change_line *lines, unsigned count)
{
    if (zone->dossier)
        zone->dossier->history_count = 0;
    for (unsigned i = 0; i < count; i++)
        dossier_note_change(&learner->dossiers, zone, &lines[i]);
}

void learner_note(struct learner *learner, struct zone *zone, const struct evidence_line *line)
{
    dossier_note_evidence(&learner->dossiers, zone, line);
}

void learner_prove(struct learner *learner, struct view name, msec_t now)
{
    const struct zone_id id   = {.name = name, .scope = SCOPE_ZONE};
    struct zone         *zone = table_get(learner->table, name, SCOPE_ZONE, 0);
    if (zone ? zone->condition.state != ZONE_CLEAR : learner->counts.proved >= LIMIT_SUSPECTS)
        return;
    if (!zone && !(zone = learner_add(learner, &id, name, TYPE_SOA, now)))
        return;
    learner_count_zone(learner, zone, (size_t) -1);
    zone->proved         = true;
    zone->condition.next = now + PROVED_LIFE;
    learner_publish(learner, zone, ZONE_CLEAR, WHY_PROVED, now);
}

msec_t learner_next_end(const struct learner *learner) { return timers_next(&learner->ends); }

void learner_forget_zone(struct learner *learner, struct zone *zone, enum zone_why why, msec_t now)
{
    enum zone_state from = zone->condition.state;
    learner_count_zone(learner, zone, (size_t) -1);
    zone->condition = (struct condition){.state = ZONE_CLEAR, .since = now, .next = MSEC_NEVER};
    learner_publish(learner, zone, from, why, now);
}

void learner_unpin_zone(struct learner *learner, struct zone *zone, enum zone_why why, msec_t now)
{
    learner_count_zone(learner, zone, (size_t) -1);
    zone->pin       = PIN_NONE;
    zone->pin_until = MSEC_NEVER;
    free(zone->note);
    zone->note = NULL;
    learner_publish(learner, zone, zone->condition.state, why, now);
    epoch_turn(table_epoch(learner->table));
}

/* The zone may be gone with it. */
static void end_pin(struct learner *learner, struct zone *zone, msec_t now)
{
    struct name name;
    name_set(&name, zone_name(zone));
    learner_unpin_zone(learner, zone, WHY_PIN_ENDED, now);
    if (learner->hooks.pin_ended)
        learner->hooks.pin_ended(learner->hooks.context, name_view(&name));
}

void learner_end_due(struct learner *learner, msec_t now)
{
    struct timer *timer;
    while ((timer = timers_pop(&learner->ends, now))) {
        struct zone *zone = CONTAINER_OF(timer, struct zone, end);
        if (zone->pin != PIN_NONE && zone->pin_until <= now)
            end_pin(learner, zone, now);
        else
            learner_forget_zone(learner, zone, WHY_LAPSED, now);
    }
}

msec_t learner_next_recheck(const struct learner *learner) { return timers_next(&learner->rechecks); }

struct zone *learner_recheck_due(struct learner *learner, msec_t now)
{
    struct zone *zone;
    while (
        ((zone = batches_due(&learner->batches, now)) || (zone = pick_due(&learner->rechecks, &learner->rng, now))) &&
        now - atomic_load(&zone->last_used) > ZONE_IDLE) {
        timers_cancel(&learner->rechecks, &zone->recheck);
        learner_forget_zone(learner, zone, WHY_IDLE, now);
    }
    if (zone)
        timers_set(&learner->rechecks, &zone->recheck, now + ZONE_POSTPONE);
    return zone;
}

void learner_recheck_undone(struct learner *learner, struct zone *zone) { set_timers(learner, zone); }

void learner_reclaim(struct learner *learner) { table_reclaim(learner->table); }
