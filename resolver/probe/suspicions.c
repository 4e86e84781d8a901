/*
 * suspicions.c: from a strike to a confirmation that is under way: where the suspicion stands meanwhile, and who is
 * believed. See prober_internal.h.
 */
#include "probe/prober_internal.h"

#include <string.h>

static bool learns(const struct prober *prober) { return prober->env.setup->learning != SETUP_LEARN_NOTHING; }

struct zone *prober_entry(struct prober *prober, const struct name *name, enum zone_scope scope, uint16_t type)
{
    return name->len ? table_get(learner_table(prober->learner), name_view(name), scope, type) : NULL;
}

/* Where the suspicion that led to this study stands. */
const struct name *prober_suspected(const struct study *study) { return study->placed ? &study->zone : &study->guess; }

void prober_clear_suspicion(struct prober *prober, const struct study *study, msec_t now)
{
    struct zone *zones[] = {prober_entry(prober, prober_suspected(study), SCOPE_ZONE, 0),
                            prober_entry(prober, &study->name, SCOPE_NAME, 0)};
    for (size_t i = 0; i < ARRAY_LEN(zones); i++)
        if (zones[i] && zones[i]->condition.state == ZONE_SUSPECT)
            learner_apply_zone(prober->learner, zones[i], EVIDENCE_FINE, REASON_NONE, now);
}

static void add_strike(struct prober *prober, struct view name, enum zone_scope scope, const struct study *study,
                       msec_t now)
{
    const struct zone_id id = {.name = name, .scope = scope};
    learner_apply(prober->learner, &id, EVIDENCE_STRIKE, study->reason, name_view(&study->name), study->type, now);
}

/* The zone has become known: the suspicion leaves the guess, so that its healthy neighbours are not asked on both
 * sides, and takes the strikes along that waited. */
static void place_suspicion(struct prober *prober, struct study *study, msec_t now)
{
    bool same = name_equal(name_view(&study->guess), name_view(&study->zone));
    if (!same)
        prober_clear_suspicion(prober, study, now);
    study->placed = true;
    for (unsigned i = same; i < 1 + study->strikes; i++)
        add_strike(prober, name_view(&study->zone), SCOPE_ZONE, study, now);
}

/* A border forges by name: who else is on the same nameservers says nothing of it. */
static bool is_kin(struct prober *prober, const struct study *study, msec_t now)
{
    struct view              zone    = name_view(&study->zone);
    const struct delegation *servers = study->forged ? NULL : delegations_result(&prober->delegations, zone);
    if (!servers && !study->forged)
        delegations_begin(&prober->delegations, zone, now);
    return servers && learner_is_kin(prober->learner, servers);
}

/* Who is believed is asked on both sides at once from now on, and one failed query confirms. */
static void believe_if_known(struct prober *prober, struct study *study, msec_t now)
{
    struct view zone = name_view(&study->zone);
    bool        kin  = is_kin(prober, study, now);
    if (!learner_was_blocked(prober->learner, zone, now) && !kin)
        return;
    trial_believe(study, now);
    add_strike(prober, zone, study->narrow ? SCOPE_NAME : SCOPE_ZONE, study, now);
}

/* Domestic answers for the alias itself: the zone it stands in is fine, whatever becomes of the name. */
static void acquit_guess(struct prober *prober, struct study *study, msec_t now)
{
    struct zone *guess = prober_entry(prober, &study->guess, SCOPE_ZONE, 0);
    if (guess && guess->condition.state == ZONE_SUSPECT)
        learner_apply_zone(prober->learner, guess, EVIDENCE_FINE, REASON_NONE, now);
    study->guess.len = 0;
}

/* The zone as a whole is fine, whatever becomes of the name: for a while no neighbour of a name that fails is suspected
 * with it. */
void prober_note_fine(struct prober *prober, struct view zone, msec_t now)
{
    if (zone.len > 0)
        recent_mark(prober->fine, zone, now);
}

/* The zone was seen fine, though a name in it fails: its neighbours are asked at home from now on. */
static void narrow_suspicion(struct prober *prober, struct study *study, msec_t now)
{
    prober_clear_suspicion(prober, study, now);
    prober_note_fine(prober, name_view(&study->zone), now);
    study->narrow = true;
    add_strike(prober, name_view(&study->name), SCOPE_NAME, study, now);
}

struct view prober_canary_domain(const struct prober *prober, const struct study *study)
{
    struct view domain = suffix_registrable(prober->env.shared.suffix, name_view(&study->name));
    return domain.len > 0 ? domain : name_view(&study->name);
}

/* Clients wait for it; and what they were told may turn out wrong: what was believed meanwhile is kept no longer. */
static void tell_credence(struct prober *prober, struct study *study, msec_t now)
{
    static const enum forging_state states[] = {
        [CREDENCE_DOMESTIC] = FORGING_INNER, [CREDENCE_EXTERNAL] = FORGING_FORGED, [CREDENCE_NOBODY] = FORGING_NOBODY};
    enum credence credence = study->shown ? credence_of(study, now) : CREDENCE_OPEN;
    if (credence == study->told)
        return;
    struct view domain = prober_canary_domain(prober, study);
    if (study->told == CREDENCE_DOMESTIC)
        cache_flush_under(prober->env.shared.cache, domain);
    study->told = credence;
    forging_set(prober->env.shared.forging, domain, states[credence], now);
}

void prober_place_suspicions(struct prober *prober, msec_t now)
{
    LIST_EACH (item, next, &prober->studies)
        tell_credence(prober, CONTAINER_OF(item, struct study, link), now);
    if (prober_domestic_down(prober) || !learns(prober))
        return;
    LIST_EACH (item, next, &prober->studies) {
        struct study *study = CONTAINER_OF(item, struct study, link);
        if (study->by_alias && study->result.apex && study->guess.len > 0)
            acquit_guess(prober, study, now);
        if (study->acquitted && !study->narrow)
            narrow_suspicion(prober, study, now);
        if (study->kind != STUDY_CONFIRM || study->by_alias || study->zone.len == 0 || study->guess.len == 0)
            continue;
        if (!study->placed && !study->narrow)
            place_suspicion(prober, study, now);
        if (!study->believed && study->step == STUDY_ASK)
            believe_if_known(prober, study, now);
    }
}

/* The confirmation that a strike of `name` belongs to. While its zone is not known that is all below the guess; then
 * all below the zone, unless external showed (`known`) that `name` is in another one, `zone`. */
static struct study *confirmation_of(const struct prober *prober, struct view zone, bool known, struct view name)
{
    LIST_EACH (item, next, &prober->studies) {
        struct study *study = CONTAINER_OF(item, struct study, link);
        if (study->kind != STUDY_CONFIRM)
            continue;
        if (name_equal(name_view(&study->name), name))
            return study;
        if (study->narrow)
            continue;
        struct view theirs = name_view(&study->zone);
        if (theirs.len > 0 ? (known ? name_equal(zone, theirs) : name_is_at_or_below(name, theirs))
                           : zone.len > 0 && study->guess.len > 0 && name_equal(zone, name_view(&study->guess)))
            return study;
    }
    return NULL;
}

/* What looks already at another name of the zone by the canary's word. */
static struct study *shown_below(const struct prober *prober, struct view zone)
{
    LIST_EACH (item, next, &prober->studies) {
        struct study *study = CONTAINER_OF(item, struct study, link);
        if (study->shown && name_is_at_or_below(name_view(&study->name), zone))
            return study;
    }
    return NULL;
}

static struct view attributed(const struct prober *prober, const struct observation *observation)
{
    bool        own   = observation->zone.len > 0 && observation->alias.len == 0;
    struct view shown = own ? name_view(&observation->zone) : (struct view){0};
    return attribution_zone(prober->env.setup->policy, prober->env.shared.suffix, name_view(&observation->name), shown);
}

/* `zone`: what the failure is attributed to; `known`: external showed it. NULL: it was not begun. */
static struct study *begin_confirmation(struct prober *prober, const struct observation *observation, struct view zone,
                                        bool known, msec_t now)
{
    struct view name   = name_view(&observation->name);
    bool        narrow = zone.len > 0 && observation->reason != REASON_FORGED && recent_known(prober->fine, zone, now);
    if (zone.len > 0 && learns(prober)) {
        const struct zone_id id = {.name = narrow ? name : zone, .scope = narrow ? SCOPE_NAME : SCOPE_ZONE};
        learner_apply(prober->learner, &id, EVIDENCE_STRIKE, observation->reason, name, observation->type, now);
    }
    struct study *study = prober_study_new(prober, STUDY_CONFIRM, now);
    if (!study)
        return NULL;
    prober->stats.confirmations++;
    study->name     = observation->name;
    study->type     = observation->type;
    study->reason   = observation->reason;
    study->alias    = observation->alias;
    study->by_alias = observation->alias.len > 0;
    study->narrow   = narrow;
    study->forged   = observation->reason == REASON_FORGED;
    memcpy(study->failed, observation->failed, sizeof(study->failed));
    if (zone.len > 0)
        name_set(&study->guess, zone);
    if (zone.len > 0 && known) {
        study->zone   = study->guess;
        study->placed = true;
    }
    return study;
}

/* Of the very name no neighbour is harmed: its strikes count at once. */
static void add_to_study(struct prober *prober, struct study *study, struct view name, msec_t now)
{
    if (study->narrow) {
        add_strike(prober, name, SCOPE_NAME, study, now);
        return;
    }
    if (study->placed) {
        add_strike(prober, name_view(&study->zone), SCOPE_ZONE, study, now);
        return;
    }
    study->strikes++;
    if (!name_equal(name, name_view(&study->name)))
        return;
    if (!prober_entry(prober, &study->name, SCOPE_NAME, 0))
        add_strike(prober, name, SCOPE_NAME, study, now);
    add_strike(prober, name, SCOPE_NAME, study, now);
}

/* Nothing that fails now is evidence; of a domain that was answered a moment ago it shows that the trouble goes on. */
static void note_trouble(struct prober *prober, const struct observation *observation, msec_t now)
{
    const struct group *group = &prober->env.setup->groups[SETUP_DOMESTIC];
    if (recent_age(prober->env.shared.good, name_view(&observation->name), now) > GOOD_LATELY)
        return;
    for (unsigned place = 0; place < group->count; place++)
        if (observation->failed[SETUP_DOMESTIC] & 1u << place)
            monitors_note_trouble(&prober->monitors, group->servers[place], 1, now);
}

void prober_strike(struct prober *prober, const struct observation *observation, msec_t now)
{
    struct view    name    = name_view(&observation->name);
    struct view    zone    = attributed(prober, observation);
    struct verdict verdict = table_find(prober->env.shared.table, name, observation->type);
    if (verdict.pin != PIN_NONE || zone_state_diverts(verdict.state) || prober_domestic_down(prober) ||
        !attribution_is_open(prober->env.setup->policy, name))
        return;
    prober->stats.strikes++;
    if (monitors_in_trouble(&prober->monitors, now)) {
        note_trouble(prober, observation, now);
        return;
    }
    bool          known = observation->zone.len > 0 && observation->alias.len == 0;
    struct study *study = confirmation_of(prober, zone, known, name);
    if (study) {
        add_to_study(prober, study, name, now);
        return;
    }
    study = begin_confirmation(prober, observation, zone, known, now);
    if (study)
        study_start(study, now);
}

/* A suspicion, and no more: it is asked whether domestic reaches the zone all the same. */
void prober_shown(struct prober *prober, struct view name, msec_t now)
{
    struct observation shown = {.reason = REASON_FORGED, .type = TYPE_CNAME, .class = CLASS_IN};
    name_set_lower(&shown.name, name);
    struct view    zone    = attributed(prober, &shown);
    struct verdict verdict = table_find(prober->env.shared.table, name, TYPE_CNAME);
    struct study  *study   = zone.len > 0 ? shown_below(prober, zone) : NULL;
    if (study)
        study->told = CREDENCE_OPEN; /* what it was told is forgotten: once more */
    if (study || verdict.pin != PIN_NONE || zone_state_diverts(verdict.state) || zone.len == 0)
        return;
    study = begin_confirmation(prober, &shown, zone, false, now);
    if (!study)
        return;
    study->shown = true;
    study_start(study, now);
}
