/*
 * asking.c: see asking.h; numbers in brackets are the steps of query.h.
 */
#include "query/asking.h"

#include <assert.h>

static const struct group *group_of(const struct query *query, const struct side *side)
{
    return &query->setup->groups[side->group];
}

struct side *asking_side(struct query *query, const struct exchange *exchange) { return &query->sides[exchange->part]; }

bool asking_in_side(const struct query *query, const struct exchange *exchange, const struct side *side)
{
    return exchange->state != EXCHANGE_UNUSED && side == &query->sides[exchange->part];
}

bool asking_is_domestic(const struct query *query, const struct exchange *exchange)
{
    return exchange->state != EXCHANGE_UNUSED && query->sides[exchange->part].group == SETUP_DOMESTIC;
}

void asking_release(struct desk *desk, struct exchange *exchange)
{
    if (exchange->ticket)
        desk->effects.release(desk->effects.context, exchange);
    assert(!exchange->ticket);
}

void asking_failed(struct query *query, struct desk *desk, struct exchange *exchange)
{
    struct side *side = asking_side(query, exchange);
    asking_release(desk, exchange);
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
        asking_side(query, exchange)->sends++;
        COUNT(desk->counters.upstream_udp);
    } else {
        COUNT(desk->counters.upstream_tcp);
    }
    if (!desk->effects.send(desk->effects.context, exchange, view)) {
        exchange_on_unreachable(exchange, now);
        asking_failed(query, desk, exchange);
        return false;
    }
    exchange_on_sent(exchange, now);
    return true;
}

static bool may_send(const struct query *query) { return query->sends < LIMIT_UDP_SENDS; }

/* The second group keeps its share of the sends, also when it has begun: a silent first one would use them up. */
static bool side_may_send(const struct query *query, const struct side *side)
{
    unsigned used = 0;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        used += query->exchanges[i].state != EXCHANGE_UNUSED;
    if (side == &query->sides[0] && query->route.second != SETUP_NO_GROUP && side->sends >= FIRST_SENDS)
        return false;
    return (query->sends > used ? query->sends : used) < LIMIT_UDP_SENDS;
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
        if (exchange->state == EXCHANGE_OPEN && asking_in_side(query, exchange, side) &&
            (!found || exchange->sent >= found->sent))
            found = exchange;
    }
    return found;
}

/* Of the open ones the one to send once more: not to an upstream that is down while another is not, and each in turn.
 */
static struct exchange *next_open(struct query *query, const struct side *side)
{
    struct exchange *found = NULL;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        struct exchange *exchange = &query->exchanges[i];
        if (exchange->state != EXCHANGE_OPEN || exchange->transport != TRANSPORT_UDP ||
            !asking_in_side(query, exchange, side))
            continue;
        bool down   = server_health(exchange->server) == HEALTH_DOWN;
        bool better = !found || (server_health(found->server) == HEALTH_DOWN && !down);
        bool worse  = found && down && server_health(found->server) != HEALTH_DOWN;
        if (better || (!worse && exchange->sent < found->sent))
            found = exchange;
    }
    return found;
}

/* The silence of a server is a fact for its health, once for each exchange. */
static void tell_silence(struct query *query, const struct side *side, msec_t now)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        struct exchange *exchange = &query->exchanges[i];
        if (exchange->state == EXCHANGE_OPEN && asking_in_side(query, exchange, side) && !exchange->silent &&
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
        struct exchange *again = may ? next_open(query, side) : NULL;
        if (again)
            send_query(query, desk, again, now);
    }
}

static void begin(struct query *query, struct desk *desk, struct side *side, msec_t now)
{
    side->begun      = true;
    side->begun_at   = now;
    side->last_asked = now;
    advance(query, desk, side, now);
}

/* A group that is about to be asked. `confirmed`: it is known that this way is needed. */
static bool within_quota(struct query *query, struct desk *desk, uint8_t group, bool confirmed, msec_t now)
{
    struct quota *quota = desk->shared.quota;
    if (group != SETUP_EXTERNAL || !quota || quota_take(quota, confirmed, query->route.zone, now))
        return true;
    query->over_quota = true;
    COUNT(desk->counters.external_over_quota);
    return false;
}

void asking_begin(struct query *query, struct desk *desk, msec_t now)
{
    struct route *route = &query->route;
    if (!within_quota(query, desk, route->first, route->reason != ROUTE_OUTAGE, now)) {
        route->first  = route->second;
        route->second = SETUP_NO_GROUP;
    }
    query->sides[0].group = route->first;
    query->sides[1].group = route->second;
    if (asking_external_first(query) && route->reason == ROUTE_OUTAGE)
        COUNT(desk->counters.external_by_outage);
    else if (asking_external_first(query) && route->reason != ROUTE_FENCE)
        COUNT(desk->counters.external_by_verdict);
    if (route->first == SETUP_NO_GROUP)
        query->sides[0].exhausted = true;
    else
        begin(query, desk, &query->sides[0], now);
}

void asking_again(struct query *query, struct desk *desk, struct exchange *exchange, enum transport transport,
                  bool edns, msec_t now)
{
    asking_release(desk, exchange);
    if (transport == TRANSPORT_UDP && !may_send(query)) {
        exchange->state   = EXCHANGE_DONE;
        exchange->outcome = OUTCOME_REFUSED;
        asking_failed(query, desk, exchange);
        return;
    }
    exchange_reopen(exchange, transport, edns, &desk->rng, now);
    send_query(query, desk, exchange, now);
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

/* An outcome among the first side's failures that fallback.on allows. A blocklist that answered with an error code has
 * been reached. */
static bool failure_allows(const struct query *query)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (query->list_error && outcome_usable(exchange->outcome))
            continue;
        if (exchange->state == EXCHANGE_DONE && asking_in_side(query, exchange, &query->sides[0]) &&
            falls_on(query->setup, exchange->outcome))
            return true;
    }
    return false;
}

bool asking_external_first(const struct query *query) { return query->sides[0].group == SETUP_EXTERNAL; }

/* When patience with the first side ends, whatever fails: MSEC_NEVER if silence does not allow the other side. */
static msec_t patience_over(const struct query *query)
{
    if (query->route.second == SETUP_NO_GROUP || query->route.patience == MSEC_NEVER)
        return MSEC_NEVER;
    if (!asking_external_first(query) && !query->setup->fall_on_timeout)
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
    return asking_external_first(query) || failure_allows(query);
}

static void begin_second(struct query *query, struct desk *desk, msec_t now)
{
    /* a reload may have put a fence there since the query began */
    if (!route_allows(desk->setup, name_view(&query->inquiry.name), query->inquiry.type, query->route.second)) {
        query->route.second = SETUP_NO_GROUP;
        return;
    }
    if (!within_quota(query, desk, query->route.second, false, now)) {
        query->route.second = SETUP_NO_GROUP;
        return;
    }
    if (!asking_external_first(query)) {
        if (now >= patience_over(query) && !query->sides[0].exhausted)
            COUNT(desk->counters.external_by_patience);
        else
            COUNT(desk->counters.external_by_failure);
    }
    begin(query, desk, &query->sides[1], now);
}

void asking_go_on(struct query *query, struct desk *desk, msec_t now)
{
    advance(query, desk, &query->sides[0], now);
    if (wants_second(query, now))
        begin_second(query, desk, now);
    advance(query, desk, &query->sides[1], now);
}

static msec_t side_deadline(const struct query *query, const struct side *side)
{
    if (!side->begun || side->exhausted)
        return MSEC_NEVER;
    msec_t due = side->last_asked + side->wait;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (exchange->state == EXCHANGE_OPEN && asking_in_side(query, exchange, side) && !exchange->silent)
            due = msec_min(due, exchange->started + EXCHANGE_SILENT);
    }
    return due;
}

msec_t asking_deadline(const struct query *query)
{
    msec_t due = msec_min(side_deadline(query, &query->sides[0]), side_deadline(query, &query->sides[1]));
    if (query->route.second != SETUP_NO_GROUP && !query->sides[1].begun) {
        due = msec_min(due, patience_over(query));
        if (failure_allows(query) || asking_external_first(query))
            due = msec_min(due, failure_over(query));
    }
    return due;
}
