/*
 * verdicts.c: what the outcome of a study says of a zone. See prober_internal.h.
 */
#include "probe/prober_internal.h"

#include <string.h>

static void note_line(struct prober *prober, struct zone *zone, const struct server *server, struct evidence_line *line)
{
    char text[ADDRESS_TEXT_MAX];
    strncpy(line->who, address_format(&server->address, text), sizeof(line->who) - 1);
    learner_note(prober->learner, zone, line);
}

static void note_controls(struct prober *prober, struct zone *zone, const struct study *study)
{
    for (unsigned i = 0; i < study->witness_count; i++) {
        const struct witness *witness = &study->witnesses[i];
        struct control        told;
        if (!monitors_told(&prober->monitors, witness->server, study->began, &told))
            continue;
        struct evidence_line line = {
            .at = told.sent, .about = ABOUT_CONTROL, .outcome = told.outcome, .external = witness->external};
        note_line(prober, zone, witness->server, &line);
    }
}

/* The apex that was asked, as a tail of the question's name; an entry of a name shows that of its zone too. */
static void say_apex(const struct study *study, const struct errand *errand, struct evidence_line *line)
{
    struct view asked = name_view(&errand->inquiry.name);
    line->about       = ABOUT_APEX;
    line->below       = !name_is_at_or_below(name_view(&study->name), asked);
    line->labels      = (uint8_t) (name_labels(asked) - line->below);
}

static void note_evidence(struct prober *prober, struct zone *zone, const struct study *study)
{
    for (unsigned i = 0; i < study->count; i++) {
        const struct errand *errand = &study->errand[i];
        unsigned             part   = errand->exchange.part & PART_MASK;
        if (errand->exchange.state != EXCHANGE_DONE || part == PART_IDENTIFY)
            continue;
        struct evidence_line line = {
            .at       = errand->exchange.started,
            .type     = errand->inquiry.type,
            .about    = ABOUT_QUESTION,
            .outcome  = errand->exchange.outcome,
            .external = errand->exchange.part & PART_EXTERNAL,
        };
        if (part == PART_APEX || part == PART_ALIAS)
            say_apex(study, errand, &line);
        note_line(prober, zone, errand->exchange.server, &line);
    }
    note_controls(prober, zone, study);
}

/* What has failed was nobody's block. Of a query that had to wait only for a slow answer nothing has failed. */
static void note_trouble(struct prober *prober, const struct study *study, msec_t now)
{
    for (unsigned i = 0; i < study->witness_count && !study->result.late && !study->shown; i++)
        if (study->witnesses[i].any.rounds)
            monitors_note_trouble(&prober->monitors, study->witnesses[i].server,
                                  (unsigned) __builtin_popcount(study->witnesses[i].any.rounds), now);
}

/* What led to the study: the border has answered for an address where nobody is. */
static void note_canary(struct prober *prober, struct zone *zone, const struct study *study)
{
    if (!study->shown)
        return;
    struct evidence_line line = {
        .at = study->started, .type = TYPE_A, .about = ABOUT_CANARY, .outcome = OUTCOME_ANSWER, .external = true};
    note_line(prober, zone, prober->env.setup->canary, &line);
}

/* What the canary has shown of the domain is settled: domestic reaches it, whatever the border says to who asks across
 * it; or something narrower was learned, and the rest is to be tried anew; or what seems so is believed for a while. */
static void settle_domain(struct prober *prober, const struct study *study, msec_t now)
{
    const struct study_result *result = &study->result;
    struct view                domain = prober_canary_domain(prober, study);
    bool                       whole  = result->scope == SCOPE_ZONE && name_equal(name_view(&study->zone), domain);
    if (!study->shown || !result->decided)
        return;
    if (result->fine)
        forging_set(prober->env.shared.forging, domain, credence_of_external(study) ? FORGING_HONEST : FORGING_HOME,
                    now);
    else if (!whole)
        forging_set(prober->env.shared.forging, domain, FORGING_UNTRIED, now);
}

static void end_confirm(struct prober *prober, struct study *study, msec_t now)
{
    const struct study_result *result = &study->result;
    if (study->acquitted)
        prober_note_fine(prober, name_view(&study->zone), now);
    if (!result->decided || (prober_domestic_down(prober) && !result->fine)) {
        struct zone *zone = prober_entry(prober, prober_suspected(study), SCOPE_ZONE, 0);
        if (result->apex || result->trouble)
            prober_clear_suspicion(prober, study, now);
        else if (zone)
            note_evidence(prober, zone, study);
        return;
    }
    bool same = result->scope == SCOPE_ZONE && name_equal(name_view(prober_suspected(study)), name_view(&study->zone));
    if (result->fine || !same)
        prober_clear_suspicion(prober, study, now);
    if (result->fine) {
        note_trouble(prober, study, now);
        return;
    }
    const struct name   *name     = study->result.scope == SCOPE_ZONE ? &study->zone : &study->name;
    const struct zone_id id       = {.name  = name_view(name),
                                     .scope = study->result.scope,
                                     .type  = study->result.scope == SCOPE_TYPE ? study->type : 0};
    const enum evidence  evidence = study->result.believed ? EVIDENCE_BELIEVED : EVIDENCE_CONFIRMED;
    struct zone         *zone =
        learner_apply(prober->learner, &id, evidence, study->result.reason, name_view(&study->name), study->type, now);
    if (!zone)
        return;
    prober->stats.confirmed++;
    prober->stats.believed += study->result.believed;
    monitors_withdraw(&prober->monitors, id.name);
    note_canary(prober, zone, study);
    note_evidence(prober, zone, study);
    if (study->result.scope == SCOPE_ZONE) {
        struct view domain = suffix_registrable(prober->env.shared.suffix, name_view(&study->zone));
        if (domain.len > 0)
            recent_unmark(prober->env.shared.good, domain);
    }
    if (study->by_alias && study->alias.len > 0) {
        struct observation target = {.what   = OBSERVED_STRIKE,
                                     .reason = study->result.reason,
                                     .type   = study->type,
                                     .class  = CLASS_IN,
                                     .name   = study->alias};
        prober_strike(prober, &target, now);
    }
}

static void end_broken(struct prober *prober, struct study *study, msec_t now)
{
    struct zone *zone = prober_entry(prober, &study->zone, SCOPE_ZONE, 0);
    if (zone && study->result.fine && zone->condition.state == ZONE_BROKEN)
        learner_apply_zone(prober->learner, zone, EVIDENCE_FINE, REASON_NONE, now);
    if (!study->result.decided || study->result.fine)
        return;
    const struct zone_id id = {.name = name_view(&study->zone), .scope = SCOPE_ZONE};
    zone = learner_apply(prober->learner, &id, EVIDENCE_BROKEN, study->result.reason, name_view(&study->name),
                         study->type, now);
    if (zone)
        note_evidence(prober, zone, study);
}

/* What a recheck failed must not be an upstream's own trouble; and that the block goes on is likelier than that it has
 * ended just now. */
static bool weighs_something(struct prober *prober, const struct study *study, msec_t now)
{
    double weight = 1;
    for (unsigned i = 0; i < study->count; i++)
        if (!(study->errand[i].exchange.part & PART_EXTERNAL))
            weight *= monitors_share(&prober->monitors, study->errand[i].exchange.server, now);
    return weight <= RECHECK_WEIGHT;
}

/* The answer to the question alone may come from a cache, if it was answered before. */
static void apply_good(struct prober *prober, struct zone *zone, const struct study_result *result, msec_t now)
{
    bool news = result->apex || result->cached == 0 || zone->condition.state == ZONE_BLOCKED || zone->waited_out;
    if (news)
        learner_apply_zone(prober->learner, zone, EVIDENCE_RECHECK_GOOD, REASON_NONE, now);
    else
        learner_wait_out(prober->learner, zone, now + result->cached + 1000);
}

static void end_recheck(struct prober *prober, struct study *study, msec_t now)
{
    const struct name *name = study->scope == SCOPE_ZONE ? &study->zone : &study->name;
    struct zone       *zone = prober_entry(prober, name, study->scope, study->type);
    if (!zone)
        return;
    note_evidence(prober, zone, study);
    if (study->result.fine)
        apply_good(prober, zone, &study->result, now);
    else if (prober_domestic_down(prober) || !weighs_something(prober, study, now))
        learner_apply_zone(prober->learner, zone, EVIDENCE_POSTPONED, REASON_NONE, now);
    else
        learner_apply_zone(prober->learner, zone, EVIDENCE_RECHECK_BAD, study->result.reason, now);
}

/* The operator's probe is a recheck too where the zone is blocked. */
static void end_probe(struct prober *prober, struct study *study, msec_t now)
{
    struct zone *zone = prober_entry(prober, &study->zone, study->scope, study->type);
    if (zone) {
        note_evidence(prober, zone, study);
        bool blocked = zone_diverts(zone);
        if (blocked && !prober_domestic_down(prober))
            learner_apply_zone(prober->learner, zone, study->result.fine ? EVIDENCE_RECHECK_GOOD : EVIDENCE_RECHECK_BAD,
                               study->result.fine ? REASON_NONE : study->result.reason, now);
        else if (!blocked && study->result.fine)
            learner_apply_zone(prober->learner, zone, EVIDENCE_FINE, REASON_NONE, now);
    }
    study->probed(prober->hooks.context, study->cookie, study);
}

void prober_on_study_done(void *owner, struct study *study, msec_t now)
{
    struct prober *prober = owner;
    prober_study_ended(prober, study);
    switch (study->kind) {
    case STUDY_CONFIRM:
        settle_domain(prober, study, now);
        if (prober->env.setup->learning != SETUP_LEARN_NOTHING)
            end_confirm(prober, study, now);
        delegations_doubt_ended(&prober->delegations, name_view(&study->zone),
                                prober_entry(prober, &study->zone, SCOPE_ZONE, 0));
        break;
    case STUDY_BROKEN:
        end_broken(prober, study, now);
        break;
    case STUDY_RECHECK:
        end_recheck(prober, study, now);
        break;
    case STUDY_CUT:
        if (study->result.fine)
            learner_prove(prober->learner, name_view(&study->zone), now);
        break;
    case STUDY_PROBE:
        end_probe(prober, study, now);
        break;
    }
}
