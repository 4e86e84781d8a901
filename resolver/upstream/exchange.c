/*
 * exchange.c: see exchange.h.
 */
#include "upstream/exchange.h"

#include <assert.h>
#include <string.h>

void exchange_open(struct exchange *exchange, struct server *server, const struct inquiry *inquiry,
                   enum transport transport, struct rng *rng, msec_t now)
{
    exchange->server  = server;
    exchange->inquiry = inquiry;
    exchange->started = now;
    exchange->refused = false;
    exchange->silent  = false;
    exchange->ticket  = NULL;
    exchange_reopen(exchange, server->tcp_only ? TRANSPORT_TCP : transport, server_edns(server, now), rng, now);
}

void exchange_reopen(struct exchange *exchange, enum transport transport, bool edns, struct rng *rng, msec_t now)
{
    exchange->state     = EXCHANGE_OPEN;
    exchange->transport = transport;
    exchange->edns      = edns;
    exchange->sends     = 0;
    exchange->sent      = now;
    exchange->id        = rng_u16(rng);
    exchange->letters   = rng_u64(rng);
    exchange->keepalive = (struct keepalive){0};
}

static void mixed_name(const struct exchange *exchange, struct name *ret)
{
    *ret = exchange->inquiry->name;
    if (atomic_load_explicit(&exchange->server->case_memory, memory_order_relaxed) != CASE_LOST)
        name_mix_case(ret->wire, ret->len, exchange->letters);
}

size_t exchange_write(const struct exchange *exchange, uint8_t *out)
{
    struct name name;
    mixed_name(exchange, &name);
    const struct query_form form = {
        .name              = name_view(&name),
        .id                = exchange->id,
        .type              = exchange->inquiry->type,
        .class             = exchange->inquiry->class,
        .edns              = exchange->edns,
        .dnssec_ok         = exchange->inquiry->dnssec_ok,
        .checking_disabled = exchange->inquiry->checking_disabled,
        .keepalive         = exchange->transport == TRANSPORT_TCP,
    };
    return query_write(&form, out);
}

void exchange_on_sent(struct exchange *exchange, msec_t now)
{
    exchange->sends++;
    exchange->sent = now;
    server_on_sent(exchange->server, exchange->transport);
}

uint64_t inquiry_hash(struct hash_key key, const struct inquiry *inquiry)
{
    uint64_t rest = (uint64_t) inquiry->type << 18 | (uint64_t) inquiry->class << 2 |
                    (uint64_t) inquiry->dnssec_ok << 1 | (uint64_t) inquiry->checking_disabled;
    return name_hash(key, name_view(&inquiry->name)) ^ (rest * 0x9e3779b97f4a7c15u);
}

/* Letter case must come back as sent once the server was seen to keep it; until then its first reply tells. Over TCP
 * nobody else can answer: there a server that keeps it no longer tells so. */
static bool case_acceptable(struct exchange *exchange, const struct message *message)
{
    struct name sent;
    if (!message->has_question)
        return true;
    mixed_name(exchange, &sent);
    _Atomic int *memory = &exchange->server->case_memory;
    bool         kept   = memcmp(sent.wire, message->question.name.data, sent.len) == 0;
    int          seen   = atomic_load_explicit(memory, memory_order_relaxed);
    if (seen == CASE_UNKNOWN) {
        const struct name *lower = &exchange->inquiry->name;
        if (memcmp(lower->wire, sent.wire, lower->len) != 0)
            atomic_store_explicit(memory, kept ? CASE_KEPT : CASE_LOST, memory_order_relaxed);
        return true;
    }
    if (!kept && seen == CASE_KEPT && exchange->transport == TRANSPORT_TCP)
        atomic_store_explicit(memory, CASE_LOST, memory_order_relaxed);
    return kept || seen == CASE_LOST || exchange->transport == TRANSPORT_TCP;
}

/* An id that was never sent on its socket: somebody guesses. Where TCP works nobody can. */
static bool is_guess(const struct exchange *exchange, struct view packet, msec_t now)
{
    if (exchange->transport != TRANSPORT_UDP || server_tcp_doubtful(exchange->server, now))
        return false;
    return packet.len < 2 || (packet.data[0] << 8 | packet.data[1]) != exchange->id;
}

static bool is_reply(const struct exchange *exchange, const struct message *message)
{
    const struct inquiry *inquiry = exchange->inquiry;
    if (!(message->flags & FLAG_QR) || message->id != exchange->id || (message->flags & FLAG_OPCODE))
        return false;
    if (!message->has_question) /* allowed to servers that could not or would not read the query */
        return message->rcode == RCODE_FORMERR || message->rcode == RCODE_NOTIMP;
    return message->question.type == inquiry->type && message->question.class == inquiry->class &&
           name_equal(message->question.name, name_view(&inquiry->name));
}

enum exchange_step exchange_on_packet(struct exchange *exchange, struct view packet, msec_t now,
                                      struct message *ret_message, struct kind *ret_kind)
{
    assert(exchange->state == EXCHANGE_OPEN);
    bool parsed = message_parse(packet, ret_message);
    if (packet.len < MESSAGE_HEADER || !is_reply(exchange, ret_message) ||
        !(parsed || (ret_message->flags & FLAG_TC && exchange->transport == TRANSPORT_UDP))) {
        atomic_fetch_add_explicit(&exchange->server->ignored, 1, memory_order_relaxed);
        return is_guess(exchange, packet, now) ? EXCHANGE_ASK_TCP : EXCHANGE_IGNORE;
    }
    if (!case_acceptable(exchange, ret_message)) {
        atomic_fetch_add_explicit(&exchange->server->ignored, 1, memory_order_relaxed);
        return EXCHANGE_ASK_TCP;
    }
    if (!parsed) /* cut in the middle of a record */
        return EXCHANGE_ASK_TCP;
    if (exchange->transport == TRANSPORT_TCP)
        exchange->keepalive = ret_message->edns.keepalive;
    kind_judge(ret_message, ret_kind);
    msec_t rtt = exchange->sends == 1 ? now - exchange->sent : -1;
    server_on_reply(exchange->server, exchange->transport, ret_kind->outcome, rtt, now);
    if (ret_message->edns.present)
        server_on_edns(exchange->server, now);
    if (ret_kind->truncated && exchange->transport == TRANSPORT_UDP)
        return EXCHANGE_ASK_TCP;
    if (ret_kind->edns_refused && exchange->edns) {
        exchange->refused = true;
        return EXCHANGE_ASK_PLAIN;
    }
    /* one reply may be forged; the second one shows that it was the EDNS */
    if (exchange->refused && !ret_kind->edns_refused)
        server_on_plain(exchange->server, now);
    exchange->state   = EXCHANGE_DONE;
    exchange->outcome = ret_kind->truncated ? OUTCOME_MALFORMED : ret_kind->outcome;
    return EXCHANGE_REPLY;
}

void exchange_on_timeout(struct exchange *exchange)
{
    exchange->state   = EXCHANGE_DONE;
    exchange->outcome = OUTCOME_TIMEOUT;
    server_on_timeout(exchange->server, exchange->transport);
}

void exchange_on_unreachable(struct exchange *exchange, msec_t now)
{
    exchange->state   = EXCHANGE_DONE;
    exchange->outcome = OUTCOME_UNREACHABLE;
    server_on_unreachable(exchange->server, exchange->transport, now);
}
