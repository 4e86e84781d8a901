/*
 * study.c: see study.h.
 */
#include "probe/study_internal.h"

/* ---- errands ---- */

static void on_errand_done(void *owner, struct errand *errand, msec_t now)
{
    struct study *study = owner;
    study->running--;
    if (study->step == STUDY_DONE)
        return;
    study->script->on_ended(study, errand, now);
}

/* What is answered for the question was asked for by somebody, and may be kept; a name that was made up is not asked
 * twice. */
static void on_errand_read(void *owner, struct errand *errand, const struct message *reply)
{
    struct study *study                   = owner;
    study->proofs[errand - study->errand] = judge_has_proof(reply);
    if (study_part(errand) == PART_QUESTION && !study_asks_external(errand))
        study->result.cached = (msec_t) judge_lifetime(&errand->judgement, reply) * 1000;
}

static struct errand *find(struct study *study, uint8_t part, const struct server *server)
{
    for (unsigned i = 0; i < study->count; i++)
        if (study->errand[i].exchange.part == part && study->errand[i].exchange.server == server)
            return &study->errand[i];
    return NULL;
}

void study_send(struct study *study, const struct study_question *question, struct server *server, msec_t now)
{
    uint8_t        part   = (uint8_t) (question->part | (question->external ? PART_EXTERNAL : 0));
    struct errand *errand = find(study, part, server);
    bool           sent;
    if (!errand && study->count >= STUDY_ERRANDS)
        return;
    if (errand && errand->running && errand->inquiry.type != question->type) {
        errand_cancel(study->errands, errand);
        study->running--;
    }
    if (errand && errand->running) {
        study->asked[errand - study->errand] = now;
        errand_again(study->errands, errand, STUDY_LIFE, now);
        return;
    }
    if (!errand)
        errand = &study->errand[study->count++];
    *errand = (struct errand){
        .life    = STUDY_LIFE,
        .resend  = question->resend,
        .aside   = true,
        .strict  = study->forged && (study->shown || !question->external),
        .read    = on_errand_read,
        .done    = on_errand_done,
        .owner   = study,
        .inquiry = {.type = question->type, .class = CLASS_IN, .dnssec_ok = question->part == PART_APEX},
    };
    name_set_lower(&errand->inquiry.name, question->name);
    errand->exchange.part                = part;
    study->asked[errand - study->errand] = now;
    study->running++;
    sent = errand_start(study->errands, errand, server, now);
    if (!sent)
        study->running--;
}

/* The upstreams of a group whose answers somebody on the way may forge, where there are others; bits. */
static unsigned forgeable(const struct group *group)
{
    unsigned plain = 0;
    for (unsigned i = 0; i < group->count; i++)
        if (!group->servers[i]->encrypted)
            plain |= 1u << i;
    return plain == (1u << group->count) - 1 ? 0 : plain;
}

void study_send_to_best(struct study *study, const struct study_question *question, msec_t now)
{
    const struct setup *setup = study->errands->env->setup;
    const struct group *group = &setup->groups[question->external ? SETUP_EXTERNAL : SETUP_DOMESTIC];
    int                 pick  = group_pick(group, study->forged && question->external ? forgeable(group) : 0, now);
    if (pick < 0 || (question->external && study->kind != STUDY_PROBE && !errand_within_quota(study->errands, now)))
        return;
    study_send(study, question, group->servers[pick], now);
}

bool study_draw_apex(struct study *study, struct name *ret)
{
    return name_prepend_random(ret, name_view(&study->zone), &study->errands->env->rng);
}

bool study_any_usable(const struct study *study, enum study_part part, bool external)
{
    for (unsigned i = 0; i < study->count; i++)
        if (study_part(&study->errand[i]) == part && study_asks_external(&study->errand[i]) == external &&
            study_got_answer(&study->errand[i]))
            return true;
    return false;
}

bool study_any_asked(const struct study *study, enum study_part part, bool external)
{
    for (unsigned i = 0; i < study->count; i++)
        if (study_part(&study->errand[i]) == part && study_asks_external(&study->errand[i]) == external)
            return true;
    return false;
}

enum zone_reason study_reason(const struct study *study)
{
    enum zone_reason reason = REASON_TIMEOUT;
    for (unsigned i = 0; i < study->count; i++) {
        const struct exchange *exchange = &study->errand[i].exchange;
        if (exchange->state != EXCHANGE_DONE || study_asks_external(&study->errand[i]))
            continue;
        if (exchange->outcome == OUTCOME_FORGED)
            return REASON_FORGED;
        if (exchange->outcome == OUTCOME_SERVFAIL)
            reason = REASON_SERVFAIL;
        if (exchange->outcome == OUTCOME_REFUSED && reason == REASON_TIMEOUT)
            reason = REASON_REFUSED;
    }
    return reason;
}

/* ---- life ---- */

void study_conclude(struct study *study, msec_t now)
{
    for (unsigned i = 0; i < study->count; i++)
        errand_cancel(study->errands, &study->errand[i]);
    study->step = STUDY_DONE;
    study->done(study->owner, study, now);
}

void study_start(struct study *study, msec_t now) { study->script->start(study, now); }

void study_cancel(struct study *study)
{
    for (unsigned i = 0; i < study->count; i++)
        errand_cancel(study->errands, &study->errand[i]);
    study->step = STUDY_DONE;
}
