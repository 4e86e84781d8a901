/*
 * inspection.c: a study that asks once: a recheck, a zone below a blocked one, the operator's probe. See study.h.
 */
#include "policy/attribution.h"
#include "probe/study_internal.h"

/* Two upstreams share a recheck's two questions, if both are well: the zone is open if either can be asked. */
static struct server *server_for(const struct study *study, enum study_part part, msec_t now)
{
    const struct group *group  = &study->errands->env->setup->groups[SETUP_DOMESTIC];
    int                 first  = group_pick(group, 0, now);
    bool                shares = first >= 0 && study->kind == STUDY_RECHECK && part == PART_QUESTION;
    int                 second = shares ? group_pick(group, 1u << first, now) : -1;
    if (first < 0)
        return NULL;
    return group->servers[second >= 0 && server_is_well(group->servers[second]) ? second : first];
}

static void send_part(struct study *study, enum study_part part, const struct name *name, uint16_t type, msec_t now)
{
    struct study_question question = {
        .part = part, .name = name_view(name), .type = type, .resend = study->kind == STUDY_RECHECK ? 0 : STUDY_RESEND};
    struct server *server = server_for(study, part, now);
    if (server)
        study_send(study, &question, server, now);
    question.external = true;
    if (study->kind == STUDY_PROBE)
        study_send_to_best(study, &question, now);
}

static void judge(struct study *study, msec_t now);

/* A name below a blocked zone: which zone it is in is not known. */
static void identify(struct study *study, msec_t now)
{
    const struct study_question question = {.part     = PART_IDENTIFY,
                                            .external = true,
                                            .name     = name_view(&study->name),
                                            .type     = TYPE_SOA,
                                            .resend   = STUDY_HURRY};
    study->step                          = STUDY_IDENTIFY;
    study->running++;
    study_send_to_best(study, &question, now);
    if (--study->running == 0)
        judge(study, now);
}

static void ask(struct study *study, msec_t now);

/* One below the blocked zone (`guess`), or there is nothing to ask. */
static void on_identified(struct study *study, msec_t now)
{
    const struct env    *env    = study->errands->env;
    const struct errand *errand = study->count > 0 && study_got_answer(&study->errand[0]) ? &study->errand[0] : NULL;
    struct view shown = errand && errand->judgement.has_soa ? name_view(&errand->judgement.zone) : (struct view){0};
    struct view zone  = attribution_zone(env->setup->policy, env->shared.suffix, name_view(&study->name), shown);
    if (shown.len == 0 || !name_equal(zone, shown) || name_labels(zone) <= name_labels(name_view(&study->guess))) {
        study_conclude(study, now);
        return;
    }
    name_set_lower(&study->zone, zone);
    ask(study, now);
}

static void ask(struct study *study, msec_t now)
{
    struct name below;
    study->step = STUDY_ASK;
    study->running++; /* so that none of these ends the study before all are on their way */
    if (study->scope == SCOPE_ZONE && study->turn != TURN_QUESTION && study_draw_apex(study, &below))
        send_part(study, PART_APEX, &below, TYPE_CNAME, now);
    else if (study->turn == TURN_APEX)
        study->turn = TURN_QUESTION;
    if (study->turn != TURN_APEX)
        send_part(study, PART_QUESTION, &study->name, study->type, now);
    if (--study->running == 0)
        judge(study, now);
}

static void start(struct study *study, msec_t now)
{
    if (study->kind == STUDY_CUT && study->zone.len == 0)
        identify(study, now);
    else
        ask(study, now);
}

/* Answered for the apex, by what no cache can have made up. */
static bool is_open_zone(const struct study *study)
{
    for (unsigned i = 0; i < study->count; i++)
        if (study_part(&study->errand[i]) == PART_APEX && !study_asks_external(&study->errand[i]) &&
            study_got_answer(&study->errand[i]) && !study->proofs[i])
            return true;
    return false;
}

/* The apex was denied with proof, which says nothing: it is the question's turn. */
static bool wants_question(const struct study *study)
{
    return study->turn == TURN_APEX && study_any_usable(study, PART_APEX, false) && !is_open_zone(study);
}

static void judge(struct study *study, msec_t now)
{
    if (study->step == STUDY_IDENTIFY) {
        on_identified(study, now);
        return;
    }
    if (wants_question(study)) {
        study->turn = TURN_QUESTION;
        ask(study, now);
        return;
    }
    struct study_result *result   = &study->result;
    bool                 zone     = study->scope == SCOPE_ZONE;
    bool                 apex     = is_open_zone(study);
    bool                 question = study_any_usable(study, PART_QUESTION, false);
    result->decided               = true;
    result->reason                = study_reason(study);
    result->apex                  = apex;
    switch (study->kind) {
    case STUDY_CUT:
        result->fine = apex && question;
        break;
    case STUDY_PROBE:
        result->fine     = question && (!zone || apex || study_any_usable(study, PART_APEX, false));
        result->external = study_any_usable(study, zone ? PART_APEX : PART_QUESTION, true);
        break;
    default:
        result->fine = apex || question;
    }
    study_conclude(study, now);
}

static void on_ended(struct study *study, struct errand *errand, msec_t now)
{
    (void) errand;
    if (study->running == 0)
        judge(study, now);
}

const struct study_script inspection_script = {.start = start, .on_ended = on_ended};
