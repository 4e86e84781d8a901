/*
 * study.c: see study.h; numbers in brackets are its steps.
 */
#include "query/study.h"

#include "query/attribution.h"

static void next_step(struct study *study, msec_t now);

/* ---- errands ---- */

static enum study_part part_of(const struct errand *errand)
{
    return (enum study_part)(errand->exchange.part & PART_MASK);
}

static bool at_external(const struct errand *errand) { return errand->exchange.part & PART_EXTERNAL; }

static bool usable(const struct errand *errand)
{
    return errand->exchange.state == EXCHANGE_DONE && outcome_usable(errand->exchange.outcome);
}

static void conclude(struct study *study, msec_t now)
{
    for (unsigned i = 0; i < study->count; i++)
        errand_cancel(study->errands, &study->errand[i]);
    study->step = STUDY_DONE;
    study->done(study->owner, study, now);
}

static bool question_is_apex(const struct study *study)
{
    return !study->by_alias && study->scope == SCOPE_ZONE && study->type == TYPE_SOA &&
           name_equal(name_view(&study->name), name_view(&study->zone));
}

static bool is_question(const struct study *study, const struct errand *errand)
{
    return !at_external(errand) &&
           (part_of(errand) == PART_QUESTION || (part_of(errand) == PART_APEX && question_is_apex(study)));
}

static bool is_apex(const struct errand *errand) { return part_of(errand) == PART_APEX && !at_external(errand); }

static void on_errand_done(void *owner, struct errand *errand, msec_t now)
{
    struct study *study = owner;
    study->running--;
    if (study->kind == STUDY_CONFIRM && !at_external(errand) && study->step != STUDY_DONE &&
        errand->exchange.outcome == OUTCOME_SERVFAIL && kind_bogus(&errand->kind) != BOGUS_NOT) {
        conclude(study, now); /* a validation failure says nothing of a block */
        return;
    }
    bool asking  = study->step == STUDY_ASK || study->step == STUDY_NARROW || study->step == STUDY_AGAIN;
    bool decides = asking && (part_of(errand) == PART_QUESTION || is_question(study, errand));
    if (decides && study->kind != STUDY_PROBE && !at_external(errand) && usable(errand) &&
        study->kind != STUDY_RECHECK && study->kind != STUDY_CUT) {
        study->result = (struct study_result){.decided = true, .fine = true};
        conclude(study, now);
        return;
    }
    if (study->running == 0)
        next_step(study, now);
}

/* `running` was raised for the whole step beforehand, so that an errand that ends inside errand_start() does not end
 * the step. */
static void send_one(struct study *study, enum study_part part, struct view name, uint16_t type, struct server *server,
                     bool external, bool alone, msec_t now)
{
    if (study->count >= STUDY_ERRANDS)
        return;
    struct errand *errand = &study->errand[study->count++];
    *errand               = (struct errand){
                      .life    = STUDY_LIFE,
                      .resend  = part == PART_IDENTIFY ? STUDY_HURRY
                                 : alone               ? STUDY_RESEND
                                                       : 0,
                      .done    = on_errand_done,
                      .owner   = study,
                      .inquiry = {.type = type, .class = CLASS_IN},
    };
    name_set_lower(&errand->inquiry.name, name);
    errand->exchange.part = (uint8_t) (part | (external ? PART_EXTERNAL : 0));
    study->running++;
    if (!errand_start(study->errands, errand, server, now))
        study->running--;
}

static void send_to_group(struct study *study, enum study_part part, struct view name, uint16_t type, bool external,
                          msec_t now)
{
    struct setup *setup  = study->errands->desk->setup;
    struct group *group  = &setup->groups[external ? SETUP_EXTERNAL : SETUP_DOMESTIC];
    unsigned      wanted = external || study->kind == STUDY_BROKEN ? 1 : STUDY_SERVERS, tried = 0;
    bool          alone = study->kind != STUDY_BROKEN && (wanted == 1 || group->count == 1);
    if (external && study->kind != STUDY_PROBE && !errand_within_quota(study->errands, now))
        return;
    for (unsigned i = 0; i < wanted; i++) {
        int pick = group_pick(group, tried, now);
        if (pick < 0)
            return;
        tried |= 1u << pick;
        send_one(study, part, name, type, group->servers[pick], external, alone, now);
    }
}

/* A step's questions go out between these two: the step ends with the last outcome, or at once if nothing could be
 * sent. */
static void open_step(struct study *study, enum study_step step)
{
    study->step = step;
    study->running++;
}

static void close_step(struct study *study, msec_t now)
{
    if (--study->running == 0 && study->step != STUDY_DONE)
        next_step(study, now);
}

/* ---- steps ---- */

static void identify(struct study *study, struct view name, msec_t now) /* [1] */
{
    open_step(study, STUDY_IDENTIFY);
    /* what stands above a name that may be asked can itself be fenced */
    if (is_open(study->errands->desk->setup->policy, name))
        send_to_group(study, PART_IDENTIFY, name, TYPE_SOA, true, now);
    close_step(study, now);
}

/* A recheck asks for a name that no cache holds: the SOA may be there since the last one. For its CNAME, so that a
 * wildcard's alias leads nowhere else. */
static void send_apex(struct study *study, bool external, msec_t now)
{
    struct rng *rng = &study->errands->desk->rng;
    struct name below;
    if (study->by_alias)
        send_to_group(study, PART_APEX, name_view(&study->name), TYPE_CNAME, external, now);
    else if ((study->kind == STUDY_RECHECK || study->kind == STUDY_CUT || study->kind == STUDY_PROBE) &&
             name_prepend_random(&below, name_view(&study->zone), rng))
        send_to_group(study, PART_APEX, name_view(&below), TYPE_CNAME, external, now);
    else if (study->zone.len > 0)
        send_to_group(study, PART_APEX, name_view(&study->zone), TYPE_SOA, external, now);
}

static void ask(struct study *study, msec_t now) /* [2] */
{
    bool both = study->kind == STUDY_BROKEN || study->kind == STUDY_PROBE;
    open_step(study, STUDY_ASK);
    study->asked_at = study->control_since = now;
    if (study->scope == SCOPE_ZONE)
        send_apex(study, false, now);
    if (study->kind != STUDY_BROKEN && !study->question_failed && !question_is_apex(study) && study->step == STUDY_ASK)
        send_to_group(study, PART_QUESTION, name_view(&study->name), study->type, false, now);
    if (both && study->scope == SCOPE_ZONE && study->step == STUDY_ASK)
        send_apex(study, true, now);
    if (study->kind == STUDY_PROBE && !question_is_apex(study) && study->step == STUDY_ASK)
        send_to_group(study, PART_QUESTION, name_view(&study->name), study->type, true, now);
    close_step(study, now);
}

static bool was_silent(const struct errand *errand)
{
    const struct exchange *exchange = &errand->exchange;
    return exchange->state == EXCHANGE_OPEN ||
           (exchange->state == EXCHANGE_DONE &&
            (exchange->outcome == OUTCOME_TIMEOUT || exchange->outcome == OUTCOME_UNREACHABLE));
}

/* Asks errand number `i` of a question once more; it may have ended. */
static void ask_once_more(struct study *study, unsigned i, msec_t now)
{
    struct errand *errand = &study->errand[i];
    bool           ended  = !errand->running;
    study->again |= 1u << i;
    study->running += ended;
    if (!errand_again(study->errands, errand, STUDY_PATIENT, now))
        study->running -= ended;
}

static bool question_at_apex(const struct study *study)
{
    return name_equal(name_view(&study->name), name_view(&study->zone));
}

static void narrow(struct study *study, msec_t now) /* [3] */
{
    open_step(study, STUDY_NARROW);
    for (unsigned i = 0; i < study->count && study->step == STUDY_NARROW; i++)
        if (is_question(study, &study->errand[i]) && was_silent(&study->errand[i])) {
            study->errand[i].resend = STUDY_RESEND;
            ask_once_more(study, i, now);
        }
    if (study->step == STUDY_NARROW && !question_at_apex(study))
        send_to_group(study, PART_OTHER_TYPE, name_view(&study->name), study->type == TYPE_A ? TYPE_MX : TYPE_A, false,
                      now);
    close_step(study, now);
}

static bool any_usable(const struct study *study, enum study_part part, bool external)
{
    for (unsigned i = 0; i < study->count; i++)
        if (part_of(&study->errand[i]) == part && at_external(&study->errand[i]) == external &&
            usable(&study->errand[i]))
            return true;
    return false;
}

static enum zone_reason reason_of(const struct study *study)
{
    enum zone_reason reason = REASON_TIMEOUT;
    for (unsigned i = 0; i < study->count; i++) {
        const struct exchange *exchange = &study->errand[i].exchange;
        if (exchange->state != EXCHANGE_DONE || at_external(&study->errand[i]))
            continue;
        if (exchange->outcome == OUTCOME_SERVFAIL)
            return REASON_SERVFAIL;
        if (exchange->outcome == OUTCOME_REFUSED)
            reason = REASON_REFUSED;
    }
    return reason;
}

static void found(struct study *study, enum zone_scope scope)
{
    study->result.scope  = scope;
    study->result.reason = reason_of(study);
    study->step          = STUDY_CONTROL;
}

static void after_identify(struct study *study, msec_t now)
{
    const struct desk   *desk              = study->errands->desk;
    const struct errand *errand            = study->count ? &study->errand[study->count - 1] : NULL;
    struct view          shown             = {0};
    bool                 again             = study->question_failed;
    bool                 shown_by_external = errand && part_of(errand) == PART_IDENTIFY && usable(errand);
    if (shown_by_external && errand->kind.has_alias && !again) {
        study->by_alias = true;
        study->alias    = errand->kind.alias;
    } else if (shown_by_external && errand->kind.has_soa) {
        shown = name_view(&errand->kind.zone);
    }
    struct view zone = attribute(desk->setup->policy, desk->shared.suffix, name_view(&study->name), shown);
    study->zone.len  = 0;
    if (zone.len > 0)
        name_set_lower(&study->zone, zone);
    ask(study, now);
}

/* Every domestic upstream has failed the question. */
static void after_ask_confirm(struct study *study, msec_t now)
{
    bool apex              = any_usable(study, PART_APEX, false);
    study->question_failed = true;
    study->result.apex     = apex;
    if (study->by_alias && !apex) { /* not the target: the alias's own zone; it is above the alias */
        study->by_alias  = false;
        study->alias.len = 0;
        identify(study, name_parent(name_view(&study->name)), now);
    } else if (study->by_alias) {
        narrow(study, now);
    } else if (study->zone.len == 0) {
        found(study, SCOPE_NAME);
    } else if (!apex) {
        found(study, SCOPE_ZONE);
    } else if (question_is_apex(study)) {
        study->result = (struct study_result){.decided = true, .fine = true};
        conclude(study, now);
    } else {
        narrow(study, now);
    }
}

static void after_ask(struct study *study, msec_t now)
{
    bool apex = any_usable(study, PART_APEX, false), question = any_usable(study, PART_QUESTION, false);
    switch (study->kind) {
    case STUDY_CONFIRM:
        after_ask_confirm(study, now);
        return;
    case STUDY_BROKEN:
        study->result.external = any_usable(study, PART_APEX, true);
        if (!apex && !study->result.external) {
            found(study, SCOPE_ZONE);
            return;
        }
        study->result.fine = apex;
        break;
    case STUDY_RECHECK:
        study->result.decided = true;
        study->result.fine    = study->scope == SCOPE_ZONE ? apex : question;
        study->result.reason  = reason_of(study);
        break;
    case STUDY_CUT:
        study->result.fine = apex && question;
        break;
    case STUDY_PROBE:
        study->result.decided  = true;
        study->result.fine     = study->scope != SCOPE_ZONE ? question : apex && (question_is_apex(study) || question);
        study->result.external = any_usable(study, study->scope == SCOPE_ZONE ? PART_APEX : PART_QUESTION, true);
        study->result.reason   = reason_of(study);
        break;
    }
    conclude(study, now);
}

/* The apex answers now: what failed before were datagrams, or an outage, and nothing is known of the question. */
static void after_again(struct study *study, msec_t now)
{
    study->step = STUDY_CONTROL;
    if (study->result.scope == SCOPE_ZONE && any_usable(study, PART_APEX, false)) {
        study->result = (struct study_result){.apex = true};
        conclude(study, now);
    }
}

static void next_step(struct study *study, msec_t now)
{
    switch (study->step) {
    case STUDY_IDENTIFY:
        after_identify(study, now);
        break;
    case STUDY_ASK:
        after_ask(study, now);
        break;
    case STUDY_NARROW:
        found(study, question_at_apex(study) || any_usable(study, PART_OTHER_TYPE, false) ? SCOPE_TYPE : SCOPE_NAME);
        break;
    case STUDY_AGAIN:
        after_again(study, now);
        break;
    case STUDY_CONTROL:
    case STUDY_DONE:
        break;
    }
}

void study_start(struct study *study, msec_t now)
{
    if (study->kind != STUDY_CONFIRM || study->zone.len > 0)
        ask(study, now);
    else if (study->by_alias)
        ask(study, now);
    else
        identify(study, name_view(&study->name), now);
}

void study_cancel(struct study *study)
{
    for (unsigned i = 0; i < study->count; i++)
        errand_cancel(study->errands, &study->errand[i]);
    study->step = STUDY_DONE;
}

/* An errand that failed, or is silent, proves something only if it went out behind a good control question of the same
 * upstream; and two lost datagrams are more likely than a block, unless the zone is believed. True if it is to go out
 * once more. */
static bool wants_again(const struct study *study, unsigned i, control_fn control, void *context)
{
    const struct errand *errand = &study->errand[i];
    msec_t               good;
    return !(study->again & 1u << i) && !usable(errand) &&
           control(context, errand->exchange.server, study->asked_at, &good) == CONTROL_GOOD &&
           (errand->exchange.sent < good || (was_silent(errand) && !study->believed));
}

static void ask_again(struct study *study, control_fn control, void *context, msec_t now) /* [5] */
{
    for (unsigned i = 0; i < study->count && study->step != STUDY_NARROW && study->step != STUDY_DONE; i++) {
        const struct errand *errand = &study->errand[i];
        if ((!is_question(study, errand) && !is_apex(errand)) || !wants_again(study, i, control, context))
            continue;
        if (study->step == STUDY_CONTROL)
            study->step = STUDY_AGAIN;
        ask_once_more(study, i, now);
    }
    if (study->step == STUDY_AGAIN && study->running == 0)
        study->step = STUDY_CONTROL;
}

/* An upstream that answers others fails the apex, or is silent to it for too long. */
static bool failed_once(const struct study *study, control_fn control, void *context, msec_t now)
{
    for (unsigned i = 0; i < study->count; i++) {
        const struct errand *errand = &study->errand[i];
        bool                 open   = errand->exchange.state == EXCHANGE_OPEN;
        msec_t               good;
        if (is_apex(errand) && !usable(errand) && (!open || now - errand->exchange.sent >= STUDY_BRIEF) &&
            control(context, errand->exchange.server, study->asked_at, &good) == CONTROL_GOOD &&
            errand->exchange.sent >= good)
            return true;
    }
    return false;
}

static void believe(struct study *study, control_fn control, void *context, msec_t now) /* [6] */
{
    if (!study->believed || study->by_alias || study->zone.len == 0)
        return;
    for (unsigned i = 0; i < study->count && study->step == STUDY_ASK; i++)
        if (is_apex(&study->errand[i]) && wants_again(study, i, control, context))
            ask_once_more(study, i, now);
    if (study->step != STUDY_ASK || any_usable(study, PART_APEX, false) || !failed_once(study, control, context, now))
        return;
    for (unsigned i = 0; i < study->count; i++) {
        struct errand *errand = &study->errand[i];
        if (errand->exchange.state != EXCHANGE_OPEN)
            continue;
        errand_cancel(study->errands, errand);
        if (now - errand->exchange.sent >= STUDY_BRIEF)
            exchange_on_timeout(&errand->exchange);
    }
    study->result =
        (struct study_result){.decided = true, .believed = true, .scope = SCOPE_ZONE, .reason = reason_of(study)};
    conclude(study, now);
}

void study_on_control(struct study *study, control_fn control, void *context, msec_t now) /* [4] */
{
    believe(study, control, context, now);
    if (study->kind == STUDY_CONFIRM && (study->step != STUDY_ASK || now - study->asked_at >= STUDY_RESEND))
        ask_again(study, control, context, now);
    if (study->step != STUDY_CONTROL)
        return;
    for (unsigned i = 0; i < study->count && study->kind == STUDY_CONFIRM; i++)
        if (part_of(&study->errand[i]) != PART_IDENTIFY && was_silent(&study->errand[i]))
            study->control_since = msec_max(study->control_since, study->errand[i].exchange.sent);
    bool domestic = false, external = false;
    for (unsigned i = 0; i < study->count; i++) {
        const struct errand *errand = &study->errand[i];
        if (part_of(errand) == PART_IDENTIFY)
            continue;
        msec_t             good;
        enum control_state state = control(context, errand->exchange.server, study->control_since, &good);
        if (state == CONTROL_PENDING)
            return;
        if (state == CONTROL_GOOD && at_external(errand))
            external = true;
        else if (state == CONTROL_GOOD)
            domestic = true;
    }
    study->result.decided = domestic && (external || study->kind != STUDY_BROKEN);
    conclude(study, now);
}
