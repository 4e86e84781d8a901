/*
 * interview.c: see interview.h. After every event go_on() looks at everything afresh, as in a query.
 */
#include "probe/interview.h"

#include "core/sending.h"

#include <stdlib.h>
#include <string.h>

enum {
    PART_BAIT = 1 /* exchange.part: a bait's; else an errand's */
};

static const struct name root = {.wire = {0}, .len = 1};

/* ---- the root's SOA ---- */

static bool is_begun(const struct errand *errand) { return errand->exchange.state != EXCHANGE_UNUSED; }
static bool is_over(const struct errand *errand) { return errand->exchange.state == EXCHANGE_DONE; }

static bool got_reply(const struct errand *errand)
{
    enum outcome outcome = errand->exchange.outcome;
    return is_over(errand) && outcome != OUTCOME_TIMEOUT && outcome != OUTCOME_UNREACHABLE;
}

static void on_read(void *owner, struct errand *errand, const struct message *reply)
{
    struct interview *interview = owner;
    struct record     record    = {0};
    (void) errand;
    interview->authentic = (reply->flags & FLAG_AD) != 0;
    while (message_next(reply, &record))
        if (record.section == SECTION_ANSWER && record.type == TYPE_RRSIG)
            interview->is_signed = true;
}

/* What it means is looked at when the event is over. */
static void on_done(void *owner, struct errand *errand, msec_t now)
{
    (void) owner;
    (void) errand;
    (void) now;
}

static void ask_root(struct interview *interview, enum interview_errand which, msec_t now)
{
    struct errand *errand = &interview->errand[which];
    struct server *server = which == INTERVIEW_BY_TCP ? interview->by_tcp : interview->server;
    errand->inquiry       = (struct inquiry){.name = root, .type = TYPE_SOA, .class = CLASS_IN, .dnssec_ok = true};
    errand->life          = which == INTERVIEW_FIRST    ? INTERVIEW_COLD
                            : which == INTERVIEW_BY_TCP ? INTERVIEW_LISTEN
                                                        : INTERVIEW_WARM;
    errand->resend        = which == INTERVIEW_FIRST ? ERRAND_LADDER : 0;
    errand->read          = which == INTERVIEW_BY_TCP ? NULL : on_read;
    errand->done          = on_done;
    errand->owner         = interview;
    errand->life          = msec_min(errand->life, interview->began + INTERVIEW_LIFE - now);
    errand_start(&interview->errands, errand, server, now); /* there is room: see interview_create() */
}

/* ---- questions whose answers show a forger ---- */

static void end_bait(struct interview *interview, struct bait *bait, enum outcome outcome)
{
    bait->exchange.state   = EXCHANGE_DONE;
    bait->exchange.outcome = outcome;
    sending_release(interview->env, &bait->exchange);
}

static void lay_bait(struct interview *interview, struct bait *bait, msec_t now)
{
    struct exchange *exchange = &bait->exchange;
    exchange->owner           = bait;
    exchange->part            = PART_BAIT;
    exchange_open(exchange, interview->server, &bait->inquiry, &interview->env->rng, now);
    sending_send(interview->env, exchange, now);
    if (exchange->state == EXCHANGE_DONE)
        end_bait(interview, bait, exchange->outcome);
}

static bool is_repeated(const struct bait *bait, struct view packet)
{
    for (unsigned i = 0; i < bait->count; i++)
        if (bait->heard[i].wire.len == packet.len && memcmp(bait->heard[i].wire.data, packet.data, packet.len) == 0)
            return true;
    return false;
}

static bool keep(struct bait *bait, struct view packet, const struct hearing *heard)
{
    uint8_t *copy = malloc(packet.len);
    if (!copy)
        return false;
    memcpy(copy, packet.data, packet.len);
    bait->heard[bait->count]        = *heard;
    bait->heard[bait->count++].wire = (struct view){copy, packet.len};
    return true;
}

static bool is_for(const struct bait *bait, const struct message *reply)
{
    return reply->id == bait->exchange.id && reply->flags & FLAG_QR &&
           (!reply->has_question || (reply->question.type == bait->inquiry.type &&
                                     name_equal(reply->question.name, name_view(&bait->inquiry.name))));
}

static void hear(struct interview *interview, struct bait *bait, enum transport transport, struct view packet,
                 msec_t now)
{
    struct message   reply;
    struct judgement judgement = {.outcome = OUTCOME_MALFORMED};
    bool             parsed    = message_parse(packet, &reply);
    if (packet.len < MESSAGE_HEADER || !is_for(bait, &reply))
        return;
    if (parsed)
        judge_reply(&reply, &judgement);
    bool                 known = parsed && forgery_shown(&interview->env->setup->forgery, &reply);
    const struct hearing heard = {.ms      = now - bait->exchange.started,
                                  .outcome = known ? OUTCOME_FORGED : judgement.outcome,
                                  .known   = known,
                                  .edns    = parsed && reply.edns.present};
    if (bait->count < INTERVIEW_HEARD && !is_repeated(bait, packet))
        keep(bait, packet, &heard);
    if (transport == TRANSPORT_TCP)
        end_bait(interview, bait, heard.outcome);
}

static msec_t bait_due(const struct interview *interview, const struct bait *bait)
{
    bool one = interview->server->tcp_only;
    return msec_min(bait->exchange.started + (one ? EXCHANGE_LIFE : INTERVIEW_LISTEN),
                    interview->began + INTERVIEW_LIFE);
}

static void lay_baits(struct interview *interview, msec_t now)
{
    interview->baited = true;
    if (interview->by_tcp)
        ask_root(interview, INTERVIEW_BY_TCP, now);
    for (unsigned i = 0; i < interview->baits; i++)
        lay_bait(interview, &interview->bait[i], now);
}

/* ---- what comes next ---- */

static bool all_over(const struct interview *interview)
{
    for (unsigned i = 0; i < interview->baits; i++)
        if (interview->bait[i].exchange.state != EXCHANGE_DONE)
            return false;
    return !interview->by_tcp || is_over(&interview->errand[INTERVIEW_BY_TCP]);
}

/* True: there may be more to do at once. */
static bool step(struct interview *interview, msec_t now)
{
    for (unsigned i = INTERVIEW_FIRST; i <= INTERVIEW_THIRD; i++) {
        struct errand *errand = &interview->errand[i];
        if (!is_begun(errand)) {
            ask_root(interview, i, now);
            return true;
        }
        if (!is_over(errand))
            return false;
        if (i == INTERVIEW_FIRST && !got_reply(errand)) {
            interview->ended = true;
            return false;
        }
    }
    if (!interview->baited) {
        lay_baits(interview, now);
        return true;
    }
    interview->ended = all_over(interview);
    return false;
}

static void go_on(struct interview *interview, msec_t now)
{
    while (!interview->ended && step(interview, now))
        ;
}

/* ---- events ---- */

void interview_begin(struct interview *interview, msec_t now)
{
    interview->began = now;
    go_on(interview, now);
}

void interview_on_packet(struct interview *interview, struct exchange *exchange, enum transport transport,
                         struct view packet, msec_t now)
{
    if (exchange->part == PART_BAIT)
        hear(interview, exchange->owner, transport, packet, now);
    else
        errand_on_packet(&interview->errands, exchange->owner, transport, packet, now);
    go_on(interview, now);
}

void interview_on_unreachable(struct interview *interview, struct exchange *exchange, enum transport transport,
                              msec_t now)
{
    if (exchange->part != PART_BAIT)
        errand_on_unreachable(&interview->errands, exchange->owner, transport, now);
    else if (transport == TRANSPORT_TCP) /* over UDP it is ICMP, which anybody can forge */
        end_bait(interview, exchange->owner, OUTCOME_UNREACHABLE);
    go_on(interview, now);
}

msec_t interview_next(const struct interview *interview)
{
    msec_t due = timers_next(&interview->errands.timers);
    if (interview->ended)
        return MSEC_NEVER;
    for (unsigned i = 0; i < interview->baits; i++)
        if (interview->bait[i].exchange.state == EXCHANGE_OPEN)
            due = msec_min(due, bait_due(interview, &interview->bait[i]));
    return due;
}

void interview_on_time(struct interview *interview, msec_t now)
{
    errands_on_time(&interview->errands, now);
    for (unsigned i = 0; i < interview->baits; i++) {
        struct bait *bait = &interview->bait[i];
        if (bait->exchange.state == EXCHANGE_OPEN && now >= bait_due(interview, bait))
            end_bait(interview, bait, bait->count > 0 ? bait->heard[0].outcome : OUTCOME_TIMEOUT);
    }
    go_on(interview, now);
}

/* ---- life ---- */

static void add_bait(struct interview *interview, const struct name *name, uint16_t type)
{
    interview->bait[interview->baits++].inquiry =
        (struct inquiry){.name = *name, .type = type, .class = CLASS_IN, .dnssec_ok = false};
}

struct interview *interview_create(const struct interview_options *options)
{
    struct interview *interview = calloc(1, sizeof(*interview));
    if (!interview)
        return NULL;
    interview->env         = calloc(1, sizeof(*interview->env));
    interview->errands.env = interview->env;
    timers_init(&interview->errands.timers);
    if (!interview->env || !timers_reserve(&interview->errands.timers, INTERVIEW_ERRANDS)) {
        interview_destroy(interview);
        return NULL;
    }
    interview->env->effects = options->effects;
    interview->env->setup   = setup_take(options->setup);
    rng_init(&interview->env->rng, options->seed);
    interview->server = options->server;
    interview->by_tcp = options->by_tcp;
    add_bait(interview, &root, TYPE_MX);
    if (options->censored) {
        interview->knows_censored = true;
        add_bait(interview, options->censored, TYPE_MX);
        add_bait(interview, options->censored, TYPE_A);
    }
    return interview;
}

void interview_destroy(struct interview *interview)
{
    if (!interview)
        return;
    for (unsigned i = 0; i < INTERVIEW_ERRANDS; i++)
        if (interview->errand[i].running)
            errand_cancel(&interview->errands, &interview->errand[i]);
    for (unsigned i = 0; i < interview->baits; i++) {
        struct bait *bait = &interview->bait[i];
        sending_release(interview->env, &bait->exchange);
        for (unsigned j = 0; j < bait->count; j++)
            free((void *) bait->heard[j].wire.data);
    }
    timers_fini(&interview->errands.timers);
    if (interview->env)
        setup_drop(interview->env->setup);
    free(interview->env);
    free(interview);
}

/* ---- what was found ---- */

bool interview_reached(const struct interview *interview) { return got_reply(&interview->errand[INTERVIEW_FIRST]); }

static msec_t took(const struct errand *errand)
{
    return got_reply(errand) ? errand->ended - errand->exchange.started : -1;
}

msec_t interview_cold(const struct interview *interview) { return took(&interview->errand[INTERVIEW_FIRST]); }

msec_t interview_warm(const struct interview *interview)
{
    msec_t second = took(&interview->errand[INTERVIEW_SECOND]), third = took(&interview->errand[INTERVIEW_THIRD]);
    return second < 0 ? third : third < 0 ? second : msec_min(second, third);
}

bool interview_has_edns(const struct interview *interview) { return atomic_load(&interview->server->edns_seen) != 0; }

/* An answer whose records have nothing to do with the question. */
static bool is_of_wrong_type(const struct hearing *heard)
{
    struct message reply;
    bool           unsound = heard->outcome == OUTCOME_MALFORMED || heard->outcome == OUTCOME_FORGED;
    return unsound && !heard->known && message_parse(heard->wire, &reply) && reply.rcode == RCODE_NOERROR &&
           reply.count[SECTION_ANSWER] > 0;
}

enum interview_doubt interview_doubt(const struct interview *interview, const struct bait *bait, unsigned answer)
{
    const struct hearing *heard = &bait->heard[answer];
    if (is_of_wrong_type(heard))
        return DOUBT_TYPE;
    if (heard->known)
        return DOUBT_KNOWN;
    if (bait->count > 1)
        return DOUBT_SEVERAL;
    bool plain = bait->exchange.form == FORM_PLAIN || heard->outcome == OUTCOME_REFUSED;
    return interview_has_edns(interview) && !heard->edns && !plain ? DOUBT_NO_OPT : DOUBT_NONE;
}

enum interview_doubt interview_worst(const struct interview *interview)
{
    enum interview_doubt worst = DOUBT_NONE;
    for (unsigned i = 0; i < interview->baits; i++)
        for (unsigned j = 0; j < interview->bait[i].count; j++) {
            enum interview_doubt doubt = interview_doubt(interview, &interview->bait[i], j);
            if (doubt != DOUBT_NONE && (worst == DOUBT_NONE || doubt < worst))
                worst = doubt;
        }
    return worst;
}
