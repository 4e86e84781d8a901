/*
 * trial.c: a study that asks in rounds until what failed weighs enough. See study.h; numbers in brackets are its
 * points.
 */
#include "policy/attribution.h"
#include "probe/study_internal.h"

/* ---- identify ---- */

static void choose_witnesses(struct study *study, bool external, unsigned most, msec_t now)
{
    const struct group *group = &study->errands->env->setup->groups[external ? SETUP_EXTERNAL : SETUP_DOMESTIC];
    unsigned            tried = 0;
    for (unsigned i = 0; i < most; i++) {
        int pick = group_pick(group, tried, now);
        if (pick < 0)
            return;
        uint16_t failed = study->failed[external] >> pick & 1;
        tried |= 1u << pick;
        study->witnesses[study->witness_count++] = (struct witness){.server   = group->servers[pick],
                                                                    .external = external,
                                                                    .any      = {.rounds = failed},
                                                                    .question = {.rounds = failed}};
    }
}

/* When the client's query was sent is not known: silence has lasted for a while when it is noticed. */
static msec_t first_round(const struct study *study)
{
    if (study->kind == STUDY_BROKEN)
        return study->started + TRIAL_LATER;
    return study->started + (study->reason == REASON_TIMEOUT ? TRIAL_SPREAD / 2 : TRIAL_SPREAD);
}

static void begin_rounds(struct study *study, msec_t now)
{
    study->step  = STUDY_ASK;
    study->next  = first_round(study);
    study->began = study->next - (study->kind == STUDY_BROKEN ? TRIAL_LATER : TRIAL_SPREAD);
    choose_witnesses(study, false, study->kind == STUDY_BROKEN ? 1 : TRIAL_WITNESSES, now);
    if (study->kind == STUDY_BROKEN)
        choose_witnesses(study, true, 1, now);
}

static const struct errand *identified(const struct study *study)
{
    for (unsigned i = 0; i < study->count; i++)
        if (study_part(&study->errand[i]) == PART_IDENTIFY && study_got_answer(&study->errand[i]))
            return &study->errand[i];
    return NULL;
}

static void set_zone(struct study *study, struct view shown)
{
    const struct env *env  = study->errands->env;
    struct view       zone = attribution_zone(env->setup->policy, env->shared.suffix, name_view(&study->name), shown);
    study->zone.len        = 0;
    if (zone.len > 0)
        name_set_lower(&study->zone, zone);
}

static void on_identified(struct study *study, msec_t now)
{
    const struct errand *errand = identified(study);
    bool                 first  = study->witness_count == 0;
    struct view          shown  = {0};
    study->identified           = errand != NULL;
    if (errand && errand->judgement.has_alias && first && !study->shown) {
        study->by_alias = true;
        study->alias    = errand->judgement.alias;
    } else if (errand && errand->judgement.has_soa) {
        shown = name_view(&errand->judgement.zone);
    }
    set_zone(study, shown);
    if (first)
        begin_rounds(study, now);
    study->step = STUDY_ASK;
}

static bool is_identifying(const struct study *study)
{
    for (unsigned i = 0; i < study->count; i++)
        if (study_part(&study->errand[i]) == PART_IDENTIFY && study->errand[i].running)
            return true;
    return false;
}

static void identify(struct study *study, struct view name, msec_t now) /* [1] */
{
    const struct study_question question = {
        .part = PART_IDENTIFY, .external = true, .name = name, .type = TYPE_SOA, .resend = STUDY_HURRY};
    study->step = STUDY_IDENTIFY;
    /* what stands above a name that may be asked can itself be fenced */
    if (attribution_is_open(study->errands->env->setup->policy, name))
        study_send_to_best(study, &question, now);
    if (study->step == STUDY_IDENTIFY && !is_identifying(study))
        on_identified(study, now);
}

static void hurry(struct study *study, msec_t now)
{
    study->next  = msec_min(study->next, now);
    study->began = study->next - TRIAL_SPREAD;
}

void trial_believe(struct study *study, msec_t now) /* [6] */
{
    study->believed = true;
    if (study->rounds == 0)
        hurry(study, now);
}

/* ---- rounds ---- */

static void send_apex(struct study *study, struct server *server, bool external, msec_t now)
{
    struct name           below;
    struct study_question question = {.part = PART_APEX, .external = external};
    question.resend                = study->witness_count == 1 || !server ? TRIAL_RESEND : 0;
    if (study->by_alias) {
        question.part = PART_ALIAS;
        question.name = name_view(&study->name);
        question.type = TYPE_CNAME;
    } else if (!study->by_soa && study->kind != STUDY_BROKEN && study_draw_apex(study, &below)) {
        question.name = name_view(&below);
        question.type = TYPE_CNAME;
    } else {
        question.name = name_view(&study->zone);
        question.type = TYPE_SOA;
    }
    if (server)
        study_send(study, &question, server, now);
    else
        study_send_to_best(study, &question, now);
}

static void send_question(struct study *study, struct server *server, msec_t now)
{
    const struct study_question question = {.part   = PART_QUESTION,
                                            .name   = name_view(&study->name),
                                            .type   = study->type,
                                            .resend = study->witness_count == 1 ? TRIAL_RESEND : 0};
    study_send(study, &question, server, now);
}

/* By the canary's word: who is deceived shall be known soon, so external is asked beside domestic. */
static void begin_credence(struct study *study, msec_t now)
{
    const struct study_question question = {.part     = PART_IDENTIFY,
                                            .external = true,
                                            .name     = name_view(&study->name),
                                            .type     = TYPE_SOA,
                                            .resend   = STUDY_HURRY};
    study->zone                          = study->guess;
    begin_rounds(study, now);
    hurry(study, now);
    study_send_to_best(study, &question, now);
    send_apex(study, NULL, true, now);
}

static void start(struct study *study, msec_t now)
{
    if (study->shown)
        begin_credence(study, now);
    else if (study->kind == STUDY_BROKEN || study->zone.len > 0 || study->by_alias)
        begin_rounds(study, now);
    else
        identify(study, name_view(&study->name), now);
}

static void send_other_type(struct study *study, msec_t now)
{
    const struct study_question question = {.part   = PART_OTHER_TYPE,
                                            .name   = name_view(&study->name),
                                            .type   = study->type == TYPE_A ? TYPE_MX : TYPE_A,
                                            .resend = STUDY_HURRY};
    study_send_to_best(study, &question, now);
}

static void begin_round(struct study *study, const struct fare fares[], msec_t now) /* [2] */
{
    bool both     = study->witness_count == 1;
    bool apex     = !trial_is_narrowed(study) && (both || study->rounds % 2 == 0);
    bool question = study->kind == STUDY_CONFIRM && (both || !apex);
    study->rounds++;
    study->next = now + TRIAL_SPREAD;
    if (study->shown && study->rounds > 1) /* the first one is begin_credence's */
        send_apex(study, NULL, true, now);
    for (unsigned i = 0; i < study->witness_count; i++) {
        struct witness *witness = &study->witnesses[i];
        if (!fares[i].ready)
            continue;
        witness->sent[study->rounds] = now;
        witness->wants_control       = true;
        if ((apex || study->kind == STUDY_BROKEN) && study->step == STUDY_ASK)
            send_apex(study, witness->server, witness->external, now);
        if (question && study->step == STUDY_ASK)
            send_question(study, witness->server, now);
    }
}

/* ---- what it says of the zone ---- */

static void conclude_fine(struct study *study, msec_t now) /* [3] */
{
    study->result.decided = study->result.fine = true;
    study_conclude(study, now);
}

static void on_ended(struct study *study, struct errand *errand, msec_t now)
{
    enum study_part part = study_part(errand);
    if (part == PART_IDENTIFY && study->step == STUDY_IDENTIFY)
        on_identified(study, now);
    if (study->shown)
        credence_note(study, errand);
    if (study->shown || study_asks_external(errand))
        return;
    if (study->kind == STUDY_CONFIRM && errand->exchange.outcome == OUTCOME_SERVFAIL &&
        judge_bogus(&errand->judgement) != BOGUS_NOT)
        study_conclude(study, now); /* a validation failure says nothing of a block */
    else if (study_got_answer(errand) && (part == PART_QUESTION || study->kind == STUDY_BROKEN))
        conclude_fine(study, now);
}

void study_on_late_answer(struct study *study, msec_t now)
{
    study->result.late = true;
    conclude_fine(study, now);
}

/* A denial with proof decides nothing, but that the zone must be asked otherwise. */
static void judge_apex(struct study *study) /* [3] */
{
    if (study->shown) {
        study->acquitted = study->result.apex = credence_acquits(study);
        return;
    }
    for (unsigned i = 0; i < study->count && study->kind == STUDY_CONFIRM; i++) {
        const struct errand *errand = &study->errand[i];
        bool                 alias  = study->by_alias && study_part(errand) == PART_ALIAS;
        if ((study_part(errand) != PART_APEX && !alias) || study_asks_external(errand) || !study_got_answer(errand))
            continue;
        bool drawn = errand->inquiry.type == TYPE_CNAME && !alias;
        if (drawn && study->proofs[i]) {
            study->by_soa = true;
            continue;
        }
        study->result.apex = true;
        study->acquitted |= drawn;
    }
}

/* Domestic fails the alias itself: it is the alias's own zone, which is above it, and not the target. */
static bool leave_alias(struct study *study, msec_t now)
{
    if (!study->by_alias || study->result.apex || rounds_is_open(study, now) ||
        !rounds_apex_failed(study, PART_ALIAS, false, now))
        return false;
    study->by_alias  = false;
    study->alias.len = 0;
    identify(study, name_parent(name_view(&study->name)), now);
    return true;
}

/* Some zones' servers deny nothing, here or abroad. */
static void ask_external_apex(struct study *study, msec_t now) /* [5] */
{
    if (study->kind != STUDY_CONFIRM || study->by_soa || trial_is_narrowed(study) || study->by_alias ||
        !rounds_apex_failed(study, PART_APEX, false, now))
        return;
    if (!study_any_asked(study, PART_APEX, true))
        send_apex(study, NULL, true, now);
    study->by_soa = !study_any_asked(study, PART_APEX, true) || rounds_apex_failed(study, PART_APEX, true, now);
}

/* ---- verdicts ---- */

/* What has been silent so far is, for the evidence. */
static void end_silence(struct study *study, msec_t now)
{
    for (unsigned i = 0; i < study->count; i++) {
        struct errand *errand = &study->errand[i];
        if (!rounds_is_silent(study, i, now))
            continue;
        errand_cancel(study->errands, errand);
        exchange_on_timeout(&errand->exchange);
    }
}

static void convict(struct study *study, enum zone_scope scope, msec_t now)
{
    end_silence(study, now);
    study->result.decided  = true;
    study->result.believed = study->believed && scope == SCOPE_ZONE;
    study->result.scope    = scope;
    study->result.reason   = study->forged ? REASON_FORGED : study_reason(study);
    study_conclude(study, now);
}

static bool question_at_apex(const struct study *study)
{
    return study->zone.len > 0 && name_equal(name_view(&study->name), name_view(&study->zone));
}

/* By the canary's word nobody's query was answered by external, which must know the zone, and not be deceived itself. */
static bool is_confirmed(const struct study *study)
{
    return !study->shown || (study->identified && study->external_said.forged == 0);
}

/* True: the study has ended. */
static bool judge_narrow(struct study *study, const struct fare fares[], msec_t now)
{
    bool at_apex = question_at_apex(study);
    if (!at_apex && !study->shown && trial_has_apex(study) && !study_any_asked(study, PART_OTHER_TYPE, false)) {
        send_other_type(study, now);
        return study->step == STUDY_DONE;
    }
    study->heavy = is_confirmed(study) && trial_weighs_enough(study, fares, true);
    if (!study->heavy || rounds_is_open(study, now) || !trial_all_closed(study, fares) ||
        !trial_all_patient(study, now))
        return false;
    bool one_type = !study->shown && (at_apex || study_any_usable(study, PART_OTHER_TYPE, false));
    convict(study, one_type ? SCOPE_TYPE : SCOPE_NAME, now);
    return true;
}

static bool judge_zone(struct study *study, const struct fare fares[], msec_t now)
{
    bool external = study->by_soa || study_any_usable(study, PART_APEX, true);
    study->heavy  = !study->by_alias && rounds_apex_failed(study, PART_APEX, false, now) &&
                   (study->kind == STUDY_BROKEN || external) && is_confirmed(study) &&
                   trial_weighs_enough(study, fares, false);
    if (!study->heavy || rounds_is_open(study, now) || !trial_all_closed(study, fares) ||
        !trial_all_patient(study, now))
        return false;
    convict(study, SCOPE_ZONE, now);
    return true;
}

/* ---- controls ---- */

/* The last control question since the rounds began was not answered. */
static bool is_bad(const struct study *study, const struct fare *fare)
{
    const struct control *last = control_last(fare->told);
    return last->sent >= study->began && !outcome_usable(last->outcome);
}

static bool has_trouble(const struct study *study, const struct fare fares[]) /* [7] */
{
    bool all = true;
    for (unsigned i = 0; i < study->witness_count; i++) {
        bool bad = is_bad(study, &fares[i]) || trial_in_trouble(&fares[i]);
        if (study->kind == STUDY_BROKEN && bad)
            return true;
        all &= bad;
    }
    return all && study->rounds > 0;
}

/* Behind the last failure one is enough, unless nothing is heard of it. */
static void want_last_controls(struct study *study, const struct fare fares[], msec_t now)
{
    for (unsigned i = 0; i < study->witness_count && study->heavy; i++) {
        struct witness *witness = &study->witnesses[i];
        bool            asked = fares[i].asked >= trial_noticed(study, witness) && now - fares[i].asked < TRIAL_SILENCE;
        witness->wants_control |= !asked && !trial_is_closed(study, witness, &fares[i]);
    }
}

static bool any_ready(const struct study *study, const struct fare fares[])
{
    for (unsigned i = 0; i < study->witness_count; i++)
        if (fares[i].ready)
            return true;
    return false;
}

/* ---- looking ---- */

static void end_in_doubt(struct study *study, bool trouble, msec_t now)
{
    study->result.trouble = trouble;
    study_conclude(study, now);
}

/* Clients wait to be told whom to believe, which domestic's own trouble does not tell. */
static bool is_awaited(const struct study *study, msec_t now)
{
    return study->shown && credence_of(study, now) == CREDENCE_OPEN;
}

void trial_look(struct study *study, fare_fn fare, void *context, msec_t now)
{
    struct fare fares[TRIAL_WITNESSES] = {0};
    if (study->step != STUDY_ASK)
        return;
    for (unsigned i = 0; i < study->witness_count; i++) {
        fare(context, study->witnesses[i].server, &fares[i]);
        study->witnesses[i].wants_control = false;
        rounds_note_vouched(&study->witnesses[i], &fares[i]);
    }
    if (has_trouble(study, fares) && !is_awaited(study, now)) {
        end_in_doubt(study, true, now);
        return;
    }
    rounds_note_failures(study, now);
    judge_apex(study);
    if (study->shown && credence_is_over(study)) {
        conclude_fine(study, now);
        return;
    }
    if (leave_alias(study, now))
        return;
    ask_external_apex(study, now);
    if (trial_is_narrowed(study) ? judge_narrow(study, fares, now) : judge_zone(study, fares, now))
        return;
    bool may_go_on = now >= study->next && !study->heavy && !rounds_is_open(study, now);
    if (now - study->began >= TRIAL_LIFE || (may_go_on && study->rounds == TRIAL_ROUNDS)) {
        end_in_doubt(study, false, now);
        return;
    }
    if (may_go_on && any_ready(study, fares))
        begin_round(study, fares, now);
    want_last_controls(study, fares, now);
}

const struct study_script trial_script = {.start = start, .on_ended = on_ended};
