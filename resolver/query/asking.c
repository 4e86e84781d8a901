/*
 * asking.c: see asking.h; numbers in brackets are the steps of query.h.
 */
#include "query/asking.h"

#include "core/sending.h"
#include "query/plan.h"
#include "query/tracing.h"

static const struct group *group_of(const struct query *query, const struct side *side)
{
    return &query->setup->groups[side->group];
}

void asking_failed(struct query *query, struct env *env, struct exchange *exchange)
{
    struct side *side = asking_side(query, exchange);
    sending_release(env, exchange);
    if (exchange->copy)
        return;
    side->failed++;
    side->hurry = true;
}

/* ---- sending ---- */

/* A reload may have put a fence there since the query began. */
static bool is_forbidden(const struct query *query, const struct env *env, const struct side *side)
{
    return env->setup != query->setup &&
           !route_allows(env->setup, name_view(&query->inquiry.name), query->inquiry.type, side->group);
}

/* Or the operator a pin. */
static bool is_pinned_away(const struct query *query, const struct env *env, const struct side *side)
{
    return query->epoch != env_epoch(env) && side->group == SETUP_EXTERNAL &&
           table_find(env->shared.table, name_view(&query->inquiry.name), query->inquiry.type).pin == PIN_DOMESTIC;
}

static void end_side(struct query *query, struct env *env, struct side *side)
{
    side->over = side->forbidden = true;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        struct exchange *exchange = &query->exchanges[i];
        if (exchange->state != EXCHANGE_OPEN || !asking_in_side(query, exchange, side))
            continue;
        sending_release(env, exchange);
        exchange->state = EXCHANGE_UNUSED;
    }
}

/* Nothing more is sent there, but an answer that is on its way is one. */
static void stop_side(struct env *env, struct side *side, struct exchange *exchange)
{
    side->stopped = true;
    if (exchange->listens && exchange->sends[TRANSPORT_UDP] > 0)
        return;
    sending_release(env, exchange);
    exchange->state = EXCHANGE_UNUSED;
}

static void send_exchange(struct query *query, struct env *env, struct exchange *exchange, msec_t now)
{
    struct side *side = asking_side(query, exchange);
    if (is_forbidden(query, env, side)) {
        end_side(query, env, side);
        return;
    }
    if (is_pinned_away(query, env, side)) {
        stop_side(env, side, exchange);
        return;
    }
    if (exchange->transport == TRANSPORT_UDP) {
        query->sends++;
        side->sends++;
        COUNT(env->counters.upstream_udp);
    } else {
        COUNT(env->counters.upstream_tcp);
    }
    tracing_asked(query, exchange, now);
    sending_send(env, exchange, now);
    if (exchange->state == EXCHANGE_DONE)
        asking_failed(query, env, exchange);
}

static void resend(struct query *query, struct env *env, struct exchange *exchange, msec_t now)
{
    bool tcp_too = exchange_on_resend(exchange, now);
    send_exchange(query, env, exchange, now);
    if (!tcp_too || exchange->state != EXCHANGE_OPEN)
        return;
    exchange_try_tcp(exchange);
    send_exchange(query, env, exchange, now);
}

void asking_again(struct query *query, struct env *env, struct exchange *exchange, msec_t now)
{
    sending_release_deaf(env, exchange);
    if (exchange->transport == TRANSPORT_UDP && query->sends >= query->most) {
        exchange->state   = EXCHANGE_DONE;
        exchange->outcome = OUTCOME_REFUSED;
        asking_failed(query, env, exchange);
        return;
    }
    /* TCP has failed there lately, or nobody can say what came: another one is asked beside it */
    if (exchange->doubted || (exchange->transport == TRANSPORT_TCP && server_tcp_doubtful(exchange->server, now)))
        asking_side(query, exchange)->hurry = true;
    send_exchange(query, env, exchange, now);
}

void asking_unreachable(struct query *query, struct env *env, struct exchange *exchange, enum transport transport,
                        msec_t now)
{
    if (exchange_on_unreachable(exchange, transport, true, now)) {
        tracing_judged(query, exchange, now);
        asking_failed(query, env, exchange);
        return;
    }
    asking_side(query, exchange)->hurry |= !exchange->copy;
    if (transport == TRANSPORT_TCP)
        env->effects.release(env->effects.network, exchange, TRANSPORT_TCP);
}

void asking_expire(struct query *query, struct env *env, msec_t now)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        struct exchange *exchange = &query->exchanges[i];
        if (exchange->state != EXCHANGE_OPEN || now < exchange_due(exchange))
            continue;
        exchange_on_timeout(exchange);
        tracing_judged(query, exchange, now);
        asking_failed(query, env, exchange);
    }
}

/* ---- asking ---- */

static struct exchange *unused(struct query *query)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        if (query->exchanges[i].state == EXCHANGE_UNUSED)
            return &query->exchanges[i];
    return NULL;
}

static struct exchange *open_exchange(struct query *query, struct env *env, const struct side *side,
                                      struct server *server, msec_t now)
{
    struct exchange *exchange = unused(query);
    if (!exchange)
        return NULL;
    exchange->owner = query;
    exchange->part  = side == &query->sides[1];
    exchange_open(exchange, server, &query->inquiry, &env->rng, now);
    exchange->silent = query->most < LIMIT_UDP_SENDS; /* of the same question, it was told once */
    return exchange;
}

static struct exchange *copy_at(struct query *query, const struct side *side, const struct server *server)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        struct exchange *exchange = &query->exchanges[i];
        if (exchange->state == EXCHANGE_OPEN && exchange->copy && exchange->server == server &&
            asking_in_side(query, exchange, side))
            return exchange;
    }
    return NULL;
}

static msec_t clamp_wait(const struct side *side, msec_t timeout)
{
    return side->group == SETUP_DOMESTIC ? msec_clamp(timeout, HEDGE_MIN, HEDGE_MAX)
                                         : msec_clamp(timeout, RESEND_MIN, RESEND_MAX);
}

/* A copy that is on its way already becomes the question. */
static void ask(struct query *query, struct env *env, struct side *side, unsigned index, msec_t now)
{
    struct server   *server = group_of(query, side)->servers[index];
    struct exchange *copy   = copy_at(query, side, server);
    side->tried |= 1u << index;
    side->hurry      = false;
    side->last_asked = now;
    side->wait       = clamp_wait(side, rtt_timeout(&server->rtt[TRANSPORT_UDP], HEDGE_MAX));
    if (copy) {
        copy->copy = false;
        return;
    }
    struct exchange *exchange = open_exchange(query, env, side, server, now);
    if (exchange)
        send_exchange(query, env, exchange, now);
}

static void tell_silence(struct query *query, msec_t now)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        exchange_tell_silence(&query->exchanges[i], now);
}

/* Does what is due. What is next then, it returns. */
static struct plan advance(struct query *query, struct env *env, struct side *side, msec_t now)
{
    for (;;) {
        const struct plan plan = plan_side(query, side, now);
        if (plan.due > now)
            return plan;
        if (plan.step == PLAN_ASK) {
            ask(query, env, side, plan.server, now);
        } else {
            side->last_asked = now;
            side->wait *= 2;
            resend(query, env, plan.exchange, now);
        }
    }
}

static void begin(struct query *query, struct env *env, struct side *side, msec_t now)
{
    side->begun      = true;
    side->last_asked = now;
    advance(query, env, side, now);
}

/* To one that is down or outdone, for which nobody waits: so it is seen to come back. */
static void send_copy(struct query *query, struct env *env, struct side *side, msec_t now)
{
    const struct group *group = group_of(query, side);
    for (unsigned i = 0; i < group->count; i++) {
        if (side->tried & 1u << i || !server_take_copy(group->servers[i], now))
            continue;
        struct exchange *exchange = open_exchange(query, env, side, group->servers[i], now);
        if (!exchange)
            return;
        exchange->copy = true;
        send_exchange(query, env, exchange, now);
        return;
    }
}

/* A group that is about to be asked. `confirmed`: it is known that this way is needed. */
static bool within_quota(struct query *query, struct env *env, uint8_t group, bool confirmed, msec_t now)
{
    struct external_rate *quota = env->shared.quota;
    if (group != SETUP_EXTERNAL || !quota || external_rate_take(quota, confirmed, query->route.zone, now))
        return true;
    query->over_quota = true;
    COUNT(env->counters.external_over_quota);
    return false;
}

static void count_first(const struct query *query, struct env *env)
{
    if (asking_external_first(query) && query->route.reason == ROUTE_OUTAGE)
        COUNT(env->counters.external_by_outage);
    else if (asking_external_first(query) && query->route.reason != ROUTE_FENCE)
        COUNT(env->counters.external_by_verdict);
}

void asking_begin(struct query *query, struct env *env, msec_t now)
{
    struct route *route = &query->route;
    if (!within_quota(query, env, route->first, route->reason != ROUTE_OUTAGE, now)) {
        route->first  = route->second;
        route->second = SETUP_NO_GROUP;
    }
    query->sides[0].group = route->first;
    query->sides[1].group = route->second;
    count_first(query, env);
    if (route->first == SETUP_NO_GROUP)
        return;
    begin(query, env, &query->sides[0], now);
    send_copy(query, env, &query->sides[0], now);
    if (route->reason == ROUTE_OUTAGE && route->second != SETUP_NO_GROUP)
        send_copy(query, env, &query->sides[1], now);
}

static void begin_second(struct query *query, struct env *env, msec_t now)
{
    struct side *second = &query->sides[1];
    if (is_forbidden(query, env, second) || !within_quota(query, env, second->group, false, now)) {
        query->route.second = SETUP_NO_GROUP;
        return;
    }
    if (!asking_external_first(query)) {
        if (now >= plan_patience(query) && plan_side(query, &query->sides[0], now).step != PLAN_SPENT)
            COUNT(env->counters.external_by_patience);
        else
            COUNT(env->counters.external_by_failure);
    }
    begin(query, env, second, now);
}

void asking_go_on(struct query *query, struct env *env, msec_t now)
{
    tell_silence(query, now);
    const struct plan first = advance(query, env, &query->sides[0], now);
    if (now >= plan_second(query, &first, now))
        begin_second(query, env, now);
    if (!query->sides[1].begun)
        return;
    advance(query, env, &query->sides[1], now);
    advance(query, env, &query->sides[0], now); /* what the second side cannot use is the first one's */
}

/* One that was begun beside another is left to itself for longer, so that a dead name costs less than it is asked. */
bool asking_is_still(const struct query *query, msec_t now)
{
    msec_t wait = query->most < LIMIT_UDP_SENDS ? 4 * HEDGE_MAX : HEDGE_MAX;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        if (query->exchanges[i].state != EXCHANGE_UNUSED && now - query->exchanges[i].sent < wait)
            return false;
    return true;
}

void asking_hurry(struct query *query, struct env *env, msec_t now)
{
    for (size_t i = 0; i < ARRAY_LEN(query->sides); i++) {
        struct side      *side = &query->sides[i];
        const struct plan plan = plan_side(query, side, now);
        if (plan.step != PLAN_RESEND || now - plan.exchange->sent < HEDGE_MAX)
            continue;
        side->last_asked = now;
        resend(query, env, plan.exchange, now);
    }
}

/* Of an exchange that is open. */
static msec_t next_event(const struct query *query)
{
    msec_t due = MSEC_NEVER;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (exchange->state != EXCHANGE_OPEN)
            continue;
        due = msec_min(due, exchange_due(exchange));
        if (!exchange->silent)
            due = msec_min(due, exchange->started + EXCHANGE_SILENT);
    }
    return due;
}

msec_t asking_deadline(struct query *query, msec_t now)
{
    msec_t due = next_event(query);
    if (query->state != QUERY_ASKING)
        return due;
    const struct plan first = plan_side(query, &query->sides[0], now);
    due                     = msec_min(due, msec_min(first.due, plan_side(query, &query->sides[1], now).due));
    return msec_min(due, plan_second(query, &first, now));
}

/* ---- after the answer ---- */

static bool is_silent(const struct exchange *exchange)
{
    return exchange->state == EXCHANGE_OPEN && exchange->silent && !exchange->copy;
}

void asking_lost(struct query *query)
{
    bool silent[ARRAY_LEN(query->sides)] = {false};
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        if (is_silent(&query->exchanges[i]))
            silent[query->exchanges[i].part] = true;
    if (silent[0] && silent[1])
        return;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        if (is_silent(&query->exchanges[i]))
            server_on_lost(query->exchanges[i].server, query->exchanges[i].started);
}

void asking_outdone(struct query *query, struct exchange *exchange)
{
    if (exchange->state != EXCHANGE_UNUSED && query->answered_by == asking_side(query, exchange))
        server_on_outdone(exchange->server);
}

/* Whether one is there that let another answer first is soon known, or else each question would wait for it anew. */
static bool is_awaited(const struct query *query, const struct exchange *exchange, bool evidence)
{
    return !exchange->silent || (evidence && asking_is_domestic(query, exchange));
}

bool asking_linger(struct query *query, struct env *env, bool evidence, msec_t now)
{
    bool any = false;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        struct exchange *exchange = &query->exchanges[i];
        if (exchange->state != EXCHANGE_OPEN)
            continue;
        bool was_silent = exchange->silent;
        exchange_tell_silence(exchange, now);
        if (exchange->silent && !was_silent)
            asking_outdone(query, exchange);
        if (is_awaited(query, exchange, evidence)) {
            any = true;
            continue;
        }
        sending_release(env, exchange);
        exchange->state = EXCHANGE_UNUSED;
    }
    return any;
}
