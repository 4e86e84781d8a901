/*
 * query.c: see query.h; numbers in brackets are its steps.
 */
#include "query/query.h"

#include <assert.h>

/* ---- asking ---- */

static const struct group *group_of(const struct query *query, const struct side *side)
{
    return &query->setup->groups[side->group];
}

static struct side *side_of(struct query *query, const struct exchange *exchange)
{
    return &query->sides[exchange->part];
}

static bool in_side(const struct query *query, const struct exchange *exchange, const struct side *side)
{
    return exchange->state != EXCHANGE_UNUSED && side == &query->sides[exchange->part];
}

static bool is_domestic(const struct query *query, const struct exchange *exchange)
{
    return exchange->state != EXCHANGE_UNUSED && query->sides[exchange->part].group == SETUP_DOMESTIC;
}

static void release(struct desk *desk, struct exchange *exchange)
{
    if (exchange->ticket)
        desk->effects.release(desk->effects.context, exchange);
    assert(!exchange->ticket);
}

static void exchange_failed(struct query *query, struct desk *desk, struct exchange *exchange)
{
    struct side *side = side_of(query, exchange);
    release(desk, exchange);
    side->failed++;
    side->hurry       = true;
    side->last_failed = side->last == exchange;
}

static bool send_query(struct query *query, struct desk *desk, struct exchange *exchange, msec_t now)
{
    uint8_t     wire[QUERY_MAX];
    struct view view = {wire, exchange_write(exchange, wire)};
    if (exchange->transport == TRANSPORT_UDP) {
        query->sends++;
        COUNT(desk->counters.upstream_udp);
    } else {
        COUNT(desk->counters.upstream_tcp);
    }
    if (!desk->effects.send(desk->effects.context, exchange, view)) {
        exchange_on_unreachable(exchange, now);
        exchange_failed(query, desk, exchange);
        return false;
    }
    exchange_on_sent(exchange, now);
    return true;
}

static bool may_send(const struct query *query) { return query->sends < LIMIT_UDP_SENDS; }

/* The second group keeps its share of the sends: without it a silent first group could use them up. */
static bool side_may_send(const struct query *query, const struct side *side)
{
    const struct side *other = &query->sides[side == &query->sides[0]];
    bool               spare = side == &query->sides[0] && query->route.second != SETUP_NO_GROUP && !other->begun;
    unsigned           used  = 0;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        used += query->exchanges[i].state != EXCHANGE_UNUSED;
    return (query->sends > used ? query->sends : used) + (spare ? 2 : 0) < LIMIT_UDP_SENDS;
}

static msec_t clamp_wait(const struct side *side, msec_t timeout)
{
    return side->group == SETUP_DOMESTIC ? msec_clamp(timeout, HEDGE_MIN, HEDGE_MAX)
                                         : msec_clamp(timeout, RESEND_MIN, RESEND_MAX);
}

static void ask(struct query *query, struct desk *desk, struct side *side, unsigned index, msec_t now)
{
    struct server *server = group_of(query, side)->servers[index];
    side->tried |= 1u << index;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        struct exchange *exchange = &query->exchanges[i];
        if (exchange->state != EXCHANGE_UNUSED)
            continue;
        exchange_open(exchange, server, &query->inquiry, TRANSPORT_UDP, &desk->rng, now);
        exchange->owner   = query;
        exchange->part    = side == &query->sides[1];
        side->hurry       = false;
        side->last_failed = false;
        side->last        = exchange;
        side->last_asked  = now;
        side->wait        = clamp_wait(side, rtt_timeout(&server->rtt[TRANSPORT_UDP], HEDGE_MAX));
        send_query(query, desk, exchange, now);
        return;
    }
}

static struct exchange *last_open(struct query *query, const struct side *side)
{
    struct exchange *found = NULL;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        struct exchange *exchange = &query->exchanges[i];
        if (exchange->state == EXCHANGE_OPEN && in_side(query, exchange, side) &&
            (!found || exchange->sent >= found->sent))
            found = exchange;
    }
    return found;
}

/* The silence of a server is a fact for its health, once for each exchange. */
static void tell_silence(struct query *query, const struct side *side, msec_t now)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        struct exchange *exchange = &query->exchanges[i];
        if (exchange->state == EXCHANGE_OPEN && in_side(query, exchange, side) && !exchange->silent &&
            now - exchange->started >= EXCHANGE_SILENT) {
            exchange->silent = true;
            server_on_silence(exchange->server, exchange->transport, exchange->started, now);
        }
    }
}

/* [2] [3] */
static void advance(struct query *query, struct desk *desk, struct side *side, msec_t now)
{
    if (!side->begun || side->exhausted)
        return;
    tell_silence(query, side, now);
    for (;;) {
        struct exchange *open = last_open(query, side);
        bool             may  = side_may_send(query, side);
        int              next = may ? group_pick(group_of(query, side), side->tried, TRANSPORT_UDP, now) : -1;
        if (open && !(side->hurry && next >= 0) && now < side->last_asked + side->wait)
            return;
        if (next >= 0) {
            ask(query, desk, side, (unsigned) next, now);
            continue;
        }
        if (!open) {
            side->exhausted = true;
            return;
        }
        side->last_asked = now;
        side->wait *= 2;
        if (may && open->transport == TRANSPORT_UDP)
            send_query(query, desk, open, now);
    }
}

static void begin_side(struct query *query, struct desk *desk, struct side *side, msec_t now)
{
    side->begun      = true;
    side->begun_at   = now;
    side->last_asked = now;
    advance(query, desk, side, now);
}

/* ---- when the other side is asked ---- */

static bool falls_on(const struct setup *setup, enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_SERVFAIL:
        return setup->fall_on_servfail;
    case OUTCOME_REFUSED:
        return setup->fall_on_refused;
    default:
        return setup->fall_on_timeout;
    }
}

/* An outcome among the first side's failures that fallback.on allows. */
static bool failure_allows(const struct query *query)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (exchange->state == EXCHANGE_DONE && in_side(query, exchange, &query->sides[0]) &&
            falls_on(query->setup, exchange->outcome))
            return true;
    }
    return false;
}

static bool external_first(const struct query *query) { return query->sides[0].group == SETUP_EXTERNAL; }

/* When patience with the first side ends, whatever fails: MSEC_NEVER if silence does not allow the other side. */
static msec_t patience_over(const struct query *query)
{
    if (query->route.second == SETUP_NO_GROUP || query->route.patience == MSEC_NEVER)
        return MSEC_NEVER;
    if (!external_first(query) && !query->setup->fall_on_timeout)
        return MSEC_NEVER;
    return query->started + query->route.patience;
}

/* When the wait for the last of several ends, of which another failed: [4]. */
static msec_t failure_over(const struct query *query)
{
    const struct side *first = &query->sides[0];
    bool               all   = group_pick(group_of(query, first), first->tried, TRANSPORT_UDP, query->started) < 0;
    if (!first->failed || !all)
        return MSEC_NEVER;
    return first->last_failed ? query->started : first->last->started + HEDGE_FAILED;
}

static bool wants_second(const struct query *query, msec_t now)
{
    const struct side *first = &query->sides[0];
    if (query->route.second == SETUP_NO_GROUP || query->sides[1].begun || query->bogus_final)
        return false;
    if (now >= patience_over(query))
        return true;
    if (!first->exhausted && now < failure_over(query))
        return false;
    return external_first(query) || failure_allows(query);
}

static void begin_second(struct query *query, struct desk *desk, msec_t now)
{
    /* a reload may have put a fence there since the query began */
    if (!route_allows(desk->setup, name_view(&query->inquiry.name), query->route.second)) {
        query->route.second = SETUP_NO_GROUP;
        return;
    }
    if (!external_first(query)) {
        if (now >= patience_over(query) && !query->sides[0].exhausted)
            COUNT(desk->counters.external_by_patience);
        else
            COUNT(desk->counters.external_by_failure);
    }
    begin_side(query, desk, &query->sides[1], now);
}

/* ---- answering ---- */

static void give(struct query *query, struct desk *desk, struct asker *asker, struct view answer)
{
    desk->effects.answer(desk->effects.context, &asker->path, answer);
    list_remove(&asker->link);
    list_append(&query->answered, &asker->link);
    query->asker_count--;
}

static bool side_replied(const struct query *query, const struct side *side)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (in_side(query, exchange, side) && exchange->state == EXCHANGE_DONE &&
            exchange->outcome != OUTCOME_TIMEOUT && exchange->outcome != OUTCOME_UNREACHABLE)
            return true;
    }
    return false;
}

/* A network that is silent, on either side, is another trouble than a zone that fails. */
static int failure_ede(const struct query *query)
{
    if (query->bogus_final)
        return EDE_BOGUS;
    for (size_t i = 0; i < 2; i++)
        if (query->sides[i].begun && !side_replied(query, &query->sides[i]))
            return EDE_NETWORK_ERROR;
    return EDE_NO_REACHABLE_AUTHORITY;
}

static void give_failure(struct query *query, struct desk *desk, struct asker *asker, msec_t now)
{
    const struct cache_read read = {
        .now = now, .allow_stale = true, .external_origin = SETUP_EXTERNAL, .external_ede = EDE_EXTERNAL};
    struct cache_hit  hit;
    enum cache_answer found =
        query->bogus_final ? CACHE_MISS
                           : cache_get(desk->shared.cache, &asker->asked, &read, desk->out, sizeof(desk->out), &hit);
    if ((found == CACHE_STALE || found == CACHE_FRESH) &&
        route_allows(desk->setup, name_view(&query->inquiry.name), hit.origin)) {
        if (found == CACHE_STALE)
            COUNT(desk->counters.cache_stale);
        give(query, desk, asker, (struct view){desk->out, hit.len});
        return;
    }
    size_t len = failure_write(&asker->asked, RCODE_SERVFAIL, failure_ede(query), desk->out);
    give(query, desk, asker, (struct view){desk->out, len});
}

static struct cache_key key_of(const struct inquiry *inquiry)
{
    return (struct cache_key){.name              = name_view(&inquiry->name),
                              .type              = inquiry->type,
                              .class             = inquiry->class,
                              .dnssec_ok         = inquiry->dnssec_ok,
                              .checking_disabled = inquiry->checking_disabled};
}

static void observe(const struct query *query, struct desk *desk, enum observed what, enum zone_reason reason,
                    const struct kind *kind)
{
    struct observation observation = {
        .what   = what,
        .reason = reason,
        .type   = query->inquiry.type,
        .class  = query->inquiry.class,
        .terms  = query->terms,
        .name   = query->inquiry.name,
    };
    if (kind && kind->has_soa)
        observation.zone = kind->zone;
    if (kind && kind->has_alias)
        observation.alias = kind->alias;
    desk->effects.observe(desk->effects.context, &observation);
}

/* A failure of CD=1 or ANY says nothing about a zone: servers treat both apart. */
static bool is_evidence(const struct query *query)
{
    return query->route.learn && !query->inquiry.checking_disabled && query->inquiry.type != TYPE_ANY &&
           query->inquiry.class == CLASS_IN;
}

static enum zone_reason domestic_reason(const struct query *query)
{
    enum zone_reason reason = REASON_TIMEOUT;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (exchange->state != EXCHANGE_DONE || !is_domestic(query, exchange))
            continue;
        if (exchange->outcome == OUTCOME_SERVFAIL)
            return REASON_SERVFAIL;
        if (exchange->outcome == OUTCOME_REFUSED)
            reason = REASON_REFUSED;
    }
    return reason;
}

/* Where the network says that no domestic upstream is there, their silence tells nothing of the zone. */
static bool domestic_was_reached(const struct query *query)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (is_domestic(query, exchange) &&
            (exchange->state == EXCHANGE_OPEN || exchange->outcome != OUTCOME_UNREACHABLE))
            return true;
    }
    return false;
}

static void domestic_was_fine(struct query *query, struct desk *desk, msec_t now)
{
    struct view domain = suffix_registrable(desk->shared.suffix, name_view(&query->inquiry.name));
    if (domain.len > 0)
        good_mark(desk->shared.good, domain, now);
    if (query->route.listed || query->state == QUERY_ANSWERED)
        observe(query, desk, OBSERVED_FINE, REASON_NONE, NULL);
    else if (domain.len > 0 && query->route.learn && now - desk->last_sample >= SAMPLE_EVERY) {
        desk->last_sample = now;
        observe(query, desk, OBSERVED_SAMPLE, REASON_NONE, NULL);
    }
}

/* To be called after something was put into the cache: whoever changes the terms flushes the cache afterwards, so that
 * one of the two finds it. */
static void keep_terms(const struct query *query, struct desk *desk)
{
    if (!terms_equal(query->terms, desk_terms(desk)))
        cache_flush_name(desk->shared.cache, name_view(&query->inquiry.name));
}

/* Nobody had an answer in time. Once for each query: a later good answer replaces the cached failure. */
static void tell_failure(struct query *query, struct desk *desk, msec_t now)
{
    if (query->failure_told)
        return;
    query->failure_told        = true;
    const struct cache_key key = key_of(&query->inquiry);
    cache_put_failure(desk->shared.cache, &key, failure_ede(query), now);
    keep_terms(query, desk);
    COUNT(desk->counters.failed);
    if (is_evidence(query) && !query->bogus_final && query->sides[1].begun)
        observe(query, desk, OBSERVED_BOTH_FAILED, domestic_reason(query), NULL);
}

static void finish(struct query *query, struct desk *desk)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        release(desk, &query->exchanges[i]);
    query->state = QUERY_FINISHED;
}

static void fail(struct query *query, struct desk *desk, msec_t now)
{
    LIST_EACH (item, next, &query->askers)
        give_failure(query, desk, CONTAINER_OF(item, struct asker, link), now);
    tell_failure(query, desk, now);
    finish(query, desk);
}

static void store(struct query *query, struct desk *desk, const struct kind *kind, uint8_t origin, size_t message_len,
                  size_t len, uint32_t ttl, msec_t now)
{
    bool negative = kind->outcome != OUTCOME_ANSWER;
    if (negative && !kind->has_soa)
        return;
    if (negative && kind->negative_ttl < ttl)
        ttl = kind->negative_ttl;
    const struct cache_entry entry = {
        .stored   = {.message = {desk->packed, message_len}, .ttls = {desk->packed + message_len, len - message_len}},
        .ttl      = ttl,
        .origin   = origin,
        .negative = negative,
    };
    const struct cache_key key = key_of(&query->inquiry);
    cache_put(desk->shared.cache, &key, &entry, now);
    keep_terms(query, desk);
}

static void count_winner(struct desk *desk, uint8_t group)
{
    if (group == SETUP_DOMESTIC)
        COUNT(desk->counters.domestic);
    else if (group == SETUP_EXTERNAL)
        COUNT(desk->counters.external);
    else
        COUNT(desk->counters.other_groups);
}

/* [5] False: it could not be packed, which a parsed message always can. */
static bool win(struct query *query, struct desk *desk, struct exchange *exchange, const struct message *reply,
                const struct kind *kind, msec_t now)
{
    const struct side       *side  = side_of(query, exchange);
    const struct store_rules rules = {
        .min_ttl = query->setup->min_ttl, .max_ttl = query->setup->max_ttl, .authentic = exchange->server->trusted};
    size_t   message_len;
    uint32_t ttl;
    size_t   len = answer_pack(reply, &rules, desk->packed, sizeof(desk->packed), &message_len, &ttl);
    if (len == 0)
        return false;
    store(query, desk, kind, side->group, message_len, len, ttl, now);
    count_winner(desk, side->group);

    const struct stored stored = {.message = {desk->packed, message_len},
                                  .ttls    = {desk->packed + message_len, len - message_len}};
    int                 ede    = side->group == SETUP_EXTERNAL ? EDE_EXTERNAL : EDE_NONE;
    LIST_EACH (item, next, &query->askers) {
        struct asker *asker  = CONTAINER_OF(item, struct asker, link);
        size_t        length = answer_write(&asker->asked, &stored, 0, false, ede, desk->out, sizeof(desk->out));
        give(query, desk, asker, (struct view){desk->out, length});
    }
    if (side->group == SETUP_DOMESTIC) {
        group_on_answer(&query->setup->groups[SETUP_DOMESTIC], now - exchange->started);
        if (query->route.reason != ROUTE_FENCE)
            domestic_was_fine(query, desk, now);
        finish(query, desk);
        return true;
    }
    if (side == &query->sides[1] && is_evidence(query) && domestic_was_reached(query))
        observe(query, desk, OBSERVED_STRIKE, domestic_reason(query), kind);
    query->state = QUERY_ANSWERED;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        if (!is_domestic(query, &query->exchanges[i])) {
            release(desk, &query->exchanges[i]);
            query->exchanges[i].state = EXCHANGE_UNUSED; /* not waited for: no timeout */
        }
    return true;
}

/* ---- the machine ---- */

/* An answer beyond the last good one is only awaited from domestic, as evidence. */
static bool awaits_evidence(const struct query *query)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        if (query->exchanges[i].state == EXCHANGE_OPEN && is_domestic(query, &query->exchanges[i]))
            return is_evidence(query);
    return false;
}

static void expire_exchanges(struct query *query, struct desk *desk, msec_t now)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        struct exchange *exchange = &query->exchanges[i];
        if (exchange->state != EXCHANGE_OPEN || now < exchange->sent + EXCHANGE_LIFE)
            continue;
        exchange_on_timeout(exchange);
        exchange_failed(query, desk, exchange);
    }
}

static void answer_late(struct query *query, struct desk *desk, msec_t now)
{
    LIST_EACH (item, next, &query->askers) {
        struct asker *asker = CONTAINER_OF(item, struct asker, link);
        if (asker->deadline > now)
            break;
        COUNT(desk->counters.deadlines);
        give_failure(query, desk, asker, now);
        tell_failure(query, desk, now);
    }
}

static bool nobody_left(const struct query *query)
{
    if (query->bogus_final)
        return true;
    if (!query->sides[0].exhausted)
        return false;
    return !query->sides[1].begun || query->sides[1].exhausted;
}

static void run_asking(struct query *query, struct desk *desk, msec_t now)
{
    expire_exchanges(query, desk, now);
    if (query->state == QUERY_ASKING) {
        advance(query, desk, &query->sides[0], now);
        if (wants_second(query, now))
            begin_second(query, desk, now);
        advance(query, desk, &query->sides[1], now);
        answer_late(query, desk, now);
        if (nobody_left(query) || now >= query->started + QUERY_LIFE)
            fail(query, desk, now);
    }
    if (query->state == QUERY_ANSWERED && !awaits_evidence(query))
        finish(query, desk);
}

static void begin_asking(struct query *query, struct desk *desk, msec_t now)
{
    query->state   = QUERY_ASKING;
    query->started = now;
    query->route = route_choose(query->setup, &desk->shared, name_view(&query->inquiry.name), query->inquiry.type, now);
    query->sides[0].group = query->route.first;
    query->sides[1].group = query->route.second;
    if (query->route.would)
        COUNT(desk->counters.would_reroute);
    if (query->route.reason == ROUTE_OUTAGE)
        COUNT(desk->counters.external_by_outage);
    else if (external_first(query) && query->route.reason != ROUTE_FENCE)
        COUNT(desk->counters.external_by_verdict);
    begin_side(query, desk, &query->sides[0], now);
}

static void accept_terms(struct query *query, struct desk *desk)
{
    setup_drop(query->setup);
    query->setup = setup_take(desk->setup);
    query->terms = desk_terms(desk);
    if (desk->shared.claims)
        query->claim = claims_hash(desk->shared.claims, &query->inquiry, query->terms);
}

static bool take_claim(struct query *query, struct desk *desk, msec_t now)
{
    return !desk->shared.claims || claims_take(desk->shared.claims, query->claim, now, &query->claimed);
}

/* Nothing in the cache and nobody asks any more: the answer could not be stored. */
static void look(struct query *query, struct desk *desk, msec_t now) /* [0] */
{
    const struct cache_read read = {.now = now, .external_origin = SETUP_EXTERNAL, .external_ede = EDE_EXTERNAL};
    LIST_EACH (item, next, &query->askers) {
        struct asker     *asker = CONTAINER_OF(item, struct asker, link);
        struct cache_hit  hit;
        enum cache_answer found =
            cache_get(desk->shared.cache, &asker->asked, &read, desk->out, sizeof(desk->out), &hit);
        if (found == CACHE_FRESH && route_allows(desk->setup, name_view(&query->inquiry.name), hit.origin))
            give(query, desk, asker, (struct view){desk->out, hit.len});
        else if (found == CACHE_FAILURE || asker->deadline <= now)
            give_failure(query, desk, asker, now);
        else
            break;
    }
    if (list_empty(&query->askers)) {
        query->state = QUERY_FINISHED;
        return;
    }
    if (!terms_equal(query->terms, desk_terms(desk)))
        accept_terms(query, desk);
    if (take_claim(query, desk, now))
        begin_asking(query, desk, now);
    else
        query->look_at = now + (query->look_wait = msec_min(2 * query->look_wait, CLAIM_LOOK_MAX));
}

static void release_claim(struct query *query, struct desk *desk)
{
    if (query->claimed)
        claims_release(desk->shared.claims, query->claim);
    query->claimed = false;
}

static void run(struct query *query, struct desk *desk, msec_t now)
{
    if (query->state == QUERY_WAITING && now >= query_deadline(query))
        look(query, desk, now);
    run_asking(query, desk, now);
    if (query->state == QUERY_ANSWERED || query->state == QUERY_FINISHED)
        release_claim(query, desk);
}

void query_start(struct query *query, struct desk *desk, msec_t now)
{
    accept_terms(query, desk);
    if (take_claim(query, desk, now)) {
        begin_asking(query, desk, now);
    } else {
        query->state     = QUERY_WAITING;
        query->look_wait = CLAIM_LOOK;
        query->look_at   = now + CLAIM_LOOK;
        COUNT(desk->counters.joined);
    }
    run(query, desk, now);
}

void query_join(struct query *query, struct asker *asker)
{
    list_append(&query->askers, &asker->link);
    query->asker_count++;
}

/* Bogus by whose fault? RFC 8914 codes; asked with CD=1 nothing is validated. */
static void judge_bogus(struct query *query, const struct exchange *exchange, const struct kind *kind)
{
    if (!is_domestic(query, exchange) || query->inquiry.checking_disabled)
        return;
    query->bogus_final |= kind_bogus(kind) == BOGUS_OWN_FAULT;
    query->needs_authentic |= kind_bogus(kind) == BOGUS_DOUBTFUL;
}

static bool acceptable(const struct query *query, const struct exchange *exchange, const struct message *reply)
{
    if (!query->needs_authentic || is_domestic(query, exchange))
        return true;
    return exchange->server->trusted && (reply->flags & FLAG_AD);
}

static void ask_again(struct query *query, struct desk *desk, struct exchange *exchange, enum transport transport,
                      bool edns, msec_t now)
{
    release(desk, exchange);
    if (transport == TRANSPORT_UDP && !may_send(query)) {
        exchange->state   = EXCHANGE_DONE;
        exchange->outcome = OUTCOME_REFUSED;
        exchange_failed(query, desk, exchange);
        return;
    }
    exchange_reopen(exchange, transport, edns, &desk->rng, now);
    send_query(query, desk, exchange, now);
}

static void on_reply(struct query *query, struct desk *desk, struct exchange *exchange, const struct message *reply,
                     const struct kind *kind, msec_t now)
{
    if (query->state == QUERY_ANSWERED) {
        release(desk, exchange);
        if (is_domestic(query, exchange) && outcome_usable(exchange->outcome)) {
            COUNT(desk->counters.late);
            domestic_was_fine(query, desk, now);
        } else if (is_domestic(query, exchange) && kind_bogus(kind) != BOGUS_NOT) {
            observe(query, desk, OBSERVED_FINE, REASON_NONE, NULL); /* no block: the suspicion was wrong */
        }
        return;
    }
    judge_bogus(query, exchange, kind);
    bool usable = outcome_usable(exchange->outcome) && acceptable(query, exchange, reply);
    if (usable && win(query, desk, exchange, reply, kind, now))
        release(desk, exchange);
    else
        exchange_failed(query, desk, exchange);
}

void query_on_packet(struct query *query, struct desk *desk, struct exchange *exchange, struct view packet, msec_t now)
{
    struct message reply;
    struct kind    kind;
    switch (exchange_on_packet(exchange, packet, now, &reply, &kind)) {
    case EXCHANGE_IGNORE:
        COUNT(desk->counters.upstream_ignored);
        return;
    case EXCHANGE_ASK_TCP:
        ask_again(query, desk, exchange, TRANSPORT_TCP, exchange->edns, now);
        break;
    case EXCHANGE_ASK_PLAIN:
        ask_again(query, desk, exchange, exchange->transport, false, now);
        break;
    case EXCHANGE_REPLY:
        on_reply(query, desk, exchange, &reply, &kind, now);
        break;
    }
    run(query, desk, now);
}

void query_on_unreachable(struct query *query, struct desk *desk, struct exchange *exchange, msec_t now)
{
    exchange_on_unreachable(exchange, now);
    exchange_failed(query, desk, exchange);
    run(query, desk, now);
}

void query_on_time(struct query *query, struct desk *desk, msec_t now) { run(query, desk, now); }

void query_cancel(struct query *query, struct desk *desk, msec_t now)
{
    if (query->state == QUERY_ASKING || query->state == QUERY_WAITING) {
        query->failure_told = true; /* we give up, not the zone */
        fail(query, desk, now);
    }
    finish(query, desk);
    release_claim(query, desk);
}

static msec_t side_deadline(const struct query *query, const struct side *side)
{
    if (!side->begun || side->exhausted)
        return MSEC_NEVER;
    msec_t due = side->last_asked + side->wait;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (exchange->state == EXCHANGE_OPEN && in_side(query, exchange, side) && !exchange->silent)
            due = msec_min(due, exchange->started + EXCHANGE_SILENT);
    }
    return due;
}

msec_t query_deadline(const struct query *query)
{
    msec_t due = MSEC_NEVER;
    if (query->state == QUERY_WAITING)
        return msec_min(query->look_at, CONTAINER_OF(query->askers.next, struct asker, link)->deadline);
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        if (query->exchanges[i].state == EXCHANGE_OPEN)
            due = msec_min(due, query->exchanges[i].sent + EXCHANGE_LIFE);
    if (query->state != QUERY_ASKING)
        return due;
    due = msec_min(due, query->started + QUERY_LIFE);
    due = msec_min(due, side_deadline(query, &query->sides[0]));
    due = msec_min(due, side_deadline(query, &query->sides[1]));
    if (query->route.second != SETUP_NO_GROUP && !query->sides[1].begun) {
        due = msec_min(due, patience_over(query));
        if (failure_allows(query) || external_first(query))
            due = msec_min(due, failure_over(query));
    }
    if (!list_empty(&query->askers))
        due = msec_min(due, CONTAINER_OF(query->askers.next, struct asker, link)->deadline);
    return due;
}
