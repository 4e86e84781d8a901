/*
 * exchange.c: see exchange.h; numbers in brackets are its points.
 */
#include "upstream/exchange.h"

#include "base/limits.h"

#include <assert.h>
#include <string.h>

static void draw(struct exchange *exchange, struct rng *rng)
{
    exchange->id      = rng_u16(rng);
    exchange->letters = rng_u64(rng);
}

void exchange_open(struct exchange *exchange, struct server *server, const struct inquiry *inquiry, struct rng *rng,
                   msec_t now)
{
    bool by_tcp = server->tcp_only || server_is_tainted(server, now);
    *exchange   = (struct exchange){.state     = EXCHANGE_OPEN,
                                    .transport = by_tcp ? TRANSPORT_TCP : TRANSPORT_UDP,
                                    .form      = forms_of(&server->forms, name_view(&inquiry->name), now),
                                    .mixed     = server_mixes_case(server, now),
                                    .listens   = !by_tcp,
                                    .server    = server,
                                    .inquiry   = inquiry,
                                    .weak      = exchange->weak,
                                    .part      = exchange->part,
                                    .owner     = exchange->owner,
                                    .started   = now,
                                    .sent      = now};
    draw(exchange, rng);
}

static void name_sent(const struct exchange *exchange, struct name *ret)
{
    *ret = exchange->inquiry->name;
    if (exchange->mixed)
        name_mix_case(ret->wire, ret->len, exchange->letters);
}

size_t exchange_write(const struct exchange *exchange, uint8_t *out)
{
    struct name name;
    name_sent(exchange, &name);
    const struct query_form form = {
        .name              = name_view(&name),
        .id                = exchange->id,
        .type              = exchange->inquiry->type,
        .class             = exchange->inquiry->class,
        .edns              = exchange->form != FORM_PLAIN,
        .size              = exchange->form == FORM_SMALL ? FORMS_SMALL : LIMIT_UDP_PAYLOAD,
        .dnssec_ok         = exchange->inquiry->dnssec_ok,
        .checking_disabled = exchange->inquiry->checking_disabled,
        .keepalive         = exchange->transport == TRANSPORT_TCP && !exchange->bare,
        .padded            = exchange->server->encrypted && !exchange->bare,
    };
    return query_write(&form, out);
}

void exchange_on_sent(struct exchange *exchange, msec_t now)
{
    exchange->sends[exchange->transport]++;
    exchange->sent = now;
    server_on_sent(exchange->server, exchange->transport);
}

uint64_t inquiry_hash(struct hash_key key, const struct inquiry *inquiry)
{
    uint64_t rest = (uint64_t) inquiry->type << 18 | (uint64_t) inquiry->class << 2 |
                    (uint64_t) inquiry->dnssec_ok << 1 | (uint64_t) inquiry->checking_disabled;
    return name_hash(key, name_view(&inquiry->name)) ^ (rest * 0x9e3779b97f4a7c15u);
}

bool exchange_listens(const struct exchange *exchange, enum transport transport)
{
    return transport == TRANSPORT_UDP && exchange->listens && exchange->transport != TRANSPORT_UDP;
}

/* ---- asking again ---- */

static void count_ignored(struct exchange *exchange)
{
    atomic_fetch_add_explicit(&exchange->server->ignored, 1, memory_order_relaxed);
}

/* As it is now, by `transport`. A socket that listens still waits for the old id. */
static enum exchange_step again(struct exchange *exchange, enum transport transport, struct rng *rng)
{
    exchange->transport        = transport;
    exchange->sends[transport] = 0;
    if (transport == TRANSPORT_UDP) { /* what was asked over TCP beside it is given up */
        exchange->sends[TRANSPORT_TCP] = 0;
        exchange->tcp_over             = false;
    }
    if (!exchange_listens(exchange, TRANSPORT_UDP))
        draw(exchange, rng);
    return EXCHANGE_AGAIN;
}

static bool asks_tcp(const struct exchange *exchange) { return exchange->sends[TRANSPORT_TCP] > 0; }

/* TCP, beside a socket that listens or in its place. */
static enum exchange_step on_to_tcp(struct exchange *exchange, struct rng *rng)
{
    if (asks_tcp(exchange))
        return exchange->listens ? EXCHANGE_IGNORE : EXCHANGE_LEAVE;
    return again(exchange, TRANSPORT_TCP, rng);
}

static enum exchange_step finish(struct exchange *exchange, enum outcome outcome)
{
    exchange->state   = EXCHANGE_DONE;
    exchange->outcome = outcome;
    return EXCHANGE_REPLY;
}

static enum exchange_step doubt(struct exchange *exchange, struct rng *rng, msec_t now) /* [1] */
{
    count_ignored(exchange);
    if (exchange->doubted == 0)
        exchange->doubted = now;
    return exchange->tcp_over ? EXCHANGE_IGNORE : on_to_tcp(exchange, rng);
}

/* `outcome`: MALFORMED or FORGED. What somebody else said teaches nothing of the upstream. */
static enum exchange_step on_unsound(struct exchange *exchange, enum transport transport, enum outcome outcome,
                                     struct rng *rng, msec_t now)
{
    exchange->forged |= outcome == OUTCOME_FORGED;
    if (transport == TRANSPORT_UDP)
        return doubt(exchange, rng, now);
    if (outcome == OUTCOME_FORGED)
        server_on_forged(exchange->server, transport);
    else
        server_on_reply(exchange->server, transport, outcome, -1, exchange->weak, now);
    return finish(exchange, outcome);
}

/* It has the id and is no reply to this question. Over TCP, of another question, it is not the upstream's opinion of
 * this one, for which the socket still has its time. */
static enum exchange_step on_other(struct exchange *exchange, enum transport transport, struct rng *rng, msec_t now,
                                   const struct message *message)
{
    bool late  = exchange->doubted && now >= exchange->doubted + EXCHANGE_DOUBTFUL;
    bool other = message->has_question || !(message->flags & FLAG_QR);
    if (transport == TRANSPORT_UDP || !exchange->listens || late || !other)
        return on_unsound(exchange, transport, OUTCOME_MALFORMED, rng, now);
    count_ignored(exchange);
    exchange->tcp_over = true;
    return EXCHANGE_IGNORE;
}

static enum exchange_step on_cut(struct exchange *exchange, struct rng *rng) /* [2] */
{
    exchange->listens = false;
    return exchange->tcp_over ? finish(exchange, OUTCOME_MALFORMED) : on_to_tcp(exchange, rng);
}

static bool may_ask_barer(const struct exchange *exchange) { return exchange->form != FORM_PLAIN; }

static enum exchange_step ask_barer(struct exchange *exchange, enum transport transport, struct rng *rng) /* [3] */
{
    exchange->refused = true;
    if (transport == TRANSPORT_TCP && !exchange->bare)
        exchange->bare = true;
    else
        exchange->form = FORM_PLAIN;
    return again(exchange, transport, rng);
}

static enum exchange_step on_stray(struct exchange *exchange, enum transport transport, struct rng *rng, msec_t now)
{
    if (transport == TRANSPORT_TCP || server_tcp_doubtful(exchange->server, now) || exchange->tcp_over) {
        count_ignored(exchange);
        return EXCHANGE_IGNORE;
    }
    if (++exchange->strays >= EXCHANGE_STRAYS)
        exchange->listens = false;
    return doubt(exchange, rng, now); /* [4] */
}

/* ---- is it the reply? ---- */

/* Servers that could not read the query, or will not, may leave the question out. */
static bool may_lack_question(unsigned rcode)
{
    return rcode == RCODE_FORMERR || rcode == RCODE_SERVFAIL || rcode == RCODE_NOTIMP || rcode == RCODE_REFUSED;
}

static bool is_reply(const struct exchange *exchange, const struct message *message)
{
    const struct inquiry *inquiry = exchange->inquiry;
    if (!(message->flags & FLAG_QR) || (message->flags & FLAG_OPCODE))
        return false;
    if (!message->has_question)
        return may_lack_question(message->rcode);
    return message->question.type == inquiry->type && message->question.class == inquiry->class &&
           name_equal(message->question.name, name_view(&inquiry->name));
}

/* Over TCP nobody else can answer: there another case only tells of the server. */
static bool is_in_case(const struct exchange *exchange, enum transport transport, const struct message *message,
                       msec_t now)
{
    struct name sent;
    if (!exchange->mixed || !message->has_question)
        return true;
    name_sent(exchange, &sent);
    bool kept = memcmp(sent.wire, message->question.name.data, sent.len) == 0;
    server_on_case(exchange->server, kept, now);
    return kept || transport == TRANSPORT_TCP || !server_mixes_case(exchange->server, now);
}

/* What the reply shows of the forms that the upstream needs. */
static void note_forms(struct exchange *exchange, enum transport transport, const struct message *reply,
                       const struct judgement *judgement, msec_t now)
{
    struct server *server = exchange->server;
    struct view    name   = name_view(&exchange->inquiry->name);
    bool           big    = reply->wire.len > FORMS_SMALL;
    if (reply->edns.present && exchange->suspicious)
        server_on_taint(server, now);
    if (reply->edns.present)
        server_on_edns(server, now);
    if (transport == TRANSPORT_UDP && big)
        forms_on_whole(&server->forms, FORM_SMALL);
    /* one reply may be forged; this one shows that it was the EDNS */
    if (exchange->refused && !judgement->edns_refused && exchange->form == FORM_PLAIN)
        forms_on_need(&server->forms, FORM_PLAIN, name, now);
    if (exchange->form == FORM_SMALL && transport == TRANSPORT_TCP && big)
        forms_on_need(&server->forms, FORM_SMALL, name, now);
}

static enum exchange_step on_reply(struct exchange *exchange, enum transport transport, struct rng *rng, msec_t now,
                                   const struct message *reply, struct judgement *judgement)
{
    bool once = exchange->sends[transport] == 1 && exchange->transport == transport && !exchange->waited;
    if (transport == TRANSPORT_TCP)
        exchange->keepalive = reply->edns.keepalive;
    if (judgement->truncated && transport == TRANSPORT_TCP)
        judgement->outcome = OUTCOME_MALFORMED;
    server_on_reply(exchange->server, transport, judgement->outcome, once ? now - exchange->sent : -1, exchange->weak,
                    now);
    note_forms(exchange, transport, reply, judgement, now);
    if (judgement->truncated && transport == TRANSPORT_UDP)
        return on_cut(exchange, rng);
    if (judgement->edns_refused && may_ask_barer(exchange))
        return ask_barer(exchange, transport, rng);
    return finish(exchange, judgement->outcome);
}

/* Its answer, or what is wrong with it. */
static enum outcome judge(const struct message *message, const struct arrival *arrival, struct judgement *judgement)
{
    judge_reply(message, judgement);
    if (outcome_usable(judgement->outcome) && forgery_shown(arrival->known, message))
        judgement->outcome = OUTCOME_FORGED;
    return judgement->outcome;
}

/* [5] Where TCP was seen to fail, or asks already, there is nothing better to wait for. */
static bool is_suspicious(const struct exchange *exchange, enum transport transport, const struct message *reply)
{
    return transport == TRANSPORT_UDP && exchange->form != FORM_PLAIN && !reply->edns.present && !exchange->tcp_over &&
           server_on_lacking_opt(exchange->server);
}

enum exchange_step exchange_on_packet(struct exchange *exchange, const struct arrival *arrival, struct rng *rng,
                                      struct message *ret_message, struct judgement *ret_judgement)
{
    enum transport transport = arrival->transport;
    msec_t         now       = arrival->now;
    assert(exchange->state == EXCHANGE_OPEN);
    bool parsed    = message_parse(arrival->packet, ret_message);
    *ret_judgement = (struct judgement){.outcome = OUTCOME_MALFORMED, .ede = EDE_NONE};
    if (arrival->packet.len < MESSAGE_HEADER) {
        count_ignored(exchange);
        return EXCHANGE_IGNORE;
    }
    if (ret_message->id != exchange->id)
        return on_stray(exchange, transport, rng, now);
    if (!is_reply(exchange, ret_message))
        return on_other(exchange, transport, rng, now, ret_message);
    if (!parsed && ret_message->flags & FLAG_TC && transport == TRANSPORT_UDP) /* in the middle of a record */
        return on_cut(exchange, rng);
    if (!parsed || !is_in_case(exchange, transport, ret_message, now))
        return on_unsound(exchange, transport, OUTCOME_MALFORMED, rng, now);
    enum outcome outcome = judge(ret_message, arrival, ret_judgement);
    if (is_suspicious(exchange, transport, ret_message)) {
        exchange->suspicious = true;
        return doubt(exchange, rng, now);
    }
    bool waits = transport == TRANSPORT_UDP && exchange->doubted && !exchange->tcp_over;
    if (waits && !outcome_usable(outcome)) { /* failures too may be forged: TCP tells */
        exchange->forged |= outcome == OUTCOME_FORGED;
        count_ignored(exchange);
        return EXCHANGE_IGNORE;
    }
    if (outcome == OUTCOME_MALFORMED || outcome == OUTCOME_FORGED)
        return on_unsound(exchange, transport, outcome, rng, now);
    return on_reply(exchange, transport, rng, now, ret_message, ret_judgement);
}

/* ---- silence, and what the network says ---- */

bool exchange_on_resend(struct exchange *exchange, msec_t now)
{
    exchange->transport = TRANSPORT_UDP;
    if (exchange->sends[TRANSPORT_UDP] < 2 || asks_tcp(exchange) || exchange->tcp_over ||
        !server_take_ladder(exchange->server, now))
        return false;
    if (exchange->form == FORM_WHOLE)
        exchange->form = FORM_SMALL;
    return true;
}

void exchange_try_tcp(struct exchange *exchange) { exchange->transport = TRANSPORT_TCP; }

bool exchange_on_unreachable(struct exchange *exchange, enum transport transport, bool sent, msec_t now)
{
    bool resend = !sent && exchange->listens && exchange->sends[TRANSPORT_UDP] > 0;
    if (transport == TRANSPORT_UDP && resend) { /* the answer to the datagram before may be on its way */
        exchange->hinted = true;
        exchange_on_sent(exchange, now);
        server_on_hint(exchange->server, now);
        return false;
    }
    if (transport == TRANSPORT_UDP && sent) {
        exchange->hinted = true;
        server_on_hint(exchange->server, now);
        if (server_health(exchange->server) != HEALTH_DOWN)
            return false;
    } else {
        server_on_unreachable(exchange->server, transport, now);
    }
    if (transport == TRANSPORT_TCP && exchange->listens) {
        exchange->tcp_over  = true;
        exchange->transport = TRANSPORT_UDP;
        return false;
    }
    exchange->state   = EXCHANGE_DONE;
    exchange->outcome = OUTCOME_UNREACHABLE;
    return true;
}

msec_t exchange_due(const struct exchange *exchange)
{
    msec_t end = exchange->sent + EXCHANGE_LIFE;
    return exchange->doubted && exchange->tcp_over ? msec_min(end, exchange->doubted + EXCHANGE_DOUBTFUL) : end;
}

void exchange_on_timeout(struct exchange *exchange)
{
    exchange->state   = EXCHANGE_DONE;
    exchange->outcome = exchange->forged    ? OUTCOME_FORGED
                        : exchange->doubted ? OUTCOME_MALFORMED
                        : exchange->hinted  ? OUTCOME_UNREACHABLE
                                            : OUTCOME_TIMEOUT;
    server_on_timeout(exchange->server, exchange->listens ? TRANSPORT_UDP : TRANSPORT_TCP, exchange->outcome);
}

void exchange_tell_silence(struct exchange *exchange, msec_t now)
{
    if (exchange->state != EXCHANGE_OPEN || exchange->silent || now - exchange->started < EXCHANGE_SILENT)
        return;
    exchange->silent = true;
    server_on_silence(exchange->server, exchange->listens ? TRANSPORT_UDP : TRANSPORT_TCP, exchange->started, now);
}
