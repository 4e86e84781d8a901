/*
 * query.c: see query.h; numbers in brackets are its steps.
 */
#include "query/query.h"

#include "core/sending.h"
#include "query/answering.h"
#include "query/asking.h"
#include "query/holding.h"
#include "query/observing.h"
#include "query/plan.h"
#include "query/replying.h"
#include "query/tracing.h"

static void finish(struct query *query, struct env *env)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        sending_release(env, &query->exchanges[i]);
    holding_drop(query);
    query->state = QUERY_FINISHED;
}

static void fail(struct query *query, struct env *env, msec_t now)
{
    LIST_EACH (item, next, &query->waiters)
        answering_give_failure(query, env, CONTAINER_OF(item, struct waiter, link), now);
    answering_tell_failure(query, env, now);
    finish(query, env);
}

/* ---- what is due ---- */

/* When whoever asked first has waited long enough, be he answered or not: from then on it is a failure. */
static msec_t fails_at(const struct query *query)
{
    return query->failure_told ? MSEC_NEVER : query->started + query->setup->deadline;
}

static void answer_late(struct query *query, struct env *env, msec_t now) /* [7] */
{
    LIST_EACH (item, next, &query->waiters) {
        struct waiter *waiter = CONTAINER_OF(item, struct waiter, link);
        if (waiter->deadline > now)
            break;
        COUNT(env->counters.deadlines);
        answering_give_failure(query, env, waiter, now);
    }
    if (now < fails_at(query))
        return;
    asking_lost(query);
    answering_tell_failure(query, env, now);
}

/* The first who finds none has looked for all. */
static void answer_stale(struct query *query, struct env *env, bool at_once, msec_t now) /* [6] */
{
    LIST_EACH (item, next, &query->waiters) {
        struct waiter *waiter = CONTAINER_OF(item, struct waiter, link);
        if (query->no_stale || (!at_once && waiter->stale_at > now))
            break;
        query->no_stale = !answering_give_stale(query, env, waiter, now);
    }
}

/* Nobody whom the question may go to is up: what is stale need not wait for them. */
static bool is_dead(const struct query *query)
{
    const struct group *groups = query->setup->groups;
    const struct route *route  = &query->route;
    return query->state == QUERY_ASKING && (route->first == SETUP_NO_GROUP || group_down(&groups[route->first])) &&
           (route->second == SETUP_NO_GROUP || group_down(&groups[route->second]));
}

/* Where byway stands in for those who are down, nobody need wait for them either. */
static void answer_dead(struct query *query, struct env *env, msec_t now) /* [6] [7] */
{
    if (!is_dead(query))
        return;
    answer_stale(query, env, true, now);
    LIST_EACH (item, next, &query->waiters)
        if (query->route.or_empty)
            answering_give_failure(query, env, CONTAINER_OF(item, struct waiter, link), now);
}

/* What another question for the same has brought. */
static void take_from_cache(struct query *query, struct env *env, msec_t now)
{
    struct cache_read read = env_read(env, now, false);
    read.since             = query->started - CLAIM_LOOK; /* clocks of two workers are not read at one moment */
    LIST_EACH (item, next, &query->waiters) {
        struct waiter    *waiter = CONTAINER_OF(item, struct waiter, link);
        struct cache_hit  hit;
        enum cache_answer found = cache_get(env->shared.cache, &waiter->query, &read, env->out, sizeof(env->out), &hit);
        if (found == CACHE_FRESH &&
            route_allows(env->setup, name_view(&query->inquiry.name), query->inquiry.type, hit.origin)) {
            COUNT(env->counters.answered);
            answering_give(query, env, waiter, (struct view){env->out, hit.len}, TRACE_BY_CACHE, now);
        } else if (query->state == QUERY_WAITING && (found == CACHE_FAILURE || waiter->deadline <= now)) {
            answering_give_failure(query, env, waiter, now);
        } else {
            return;
        }
    }
}

/* Somebody in another worker may wait to be told. */
static bool must_tell_spent(const struct query *query, const struct env *env)
{
    return env->shared.claims && !query->claim.spent;
}

/* It has no datagram left: when it has been silent for a while, somebody may ask the same anew. */
static void run_spent(struct query *query, struct env *env, msec_t now)
{
    if (now < query->look_at)
        return;
    if (must_tell_spent(query, env) && asking_is_still(query, now))
        claims_spend(env->shared.claims, &query->claim);
    take_from_cache(query, env, now);
    query->look_at = now + CLAIM_LOOK_MAX;
}

static void run_asking(struct query *query, struct env *env, msec_t now)
{
    asking_expire(query, env, now);
    struct holding *held = query->state == QUERY_ASKING ? holding_look(query, env, now) : NULL;
    if (held)
        replying_on_held(query, env, held, now);
    if (query->state == QUERY_ASKING) {
        asking_go_on(query, env, now);
        answer_dead(query, env, now);
        answer_stale(query, env, false, now);
        answer_late(query, env, now);
        bool over = plan_is_over(query, now);
        held      = over && asking_external_lies(query) ? holding_stands(query) : NULL;
        if (held)
            replying_on_held(query, env, held, now);
        else if (over || now >= query->started + QUERY_LIFE)
            fail(query, env, now);
        else if (plan_is_spent(query))
            run_spent(query, env, now);
    }
    if (query->state == QUERY_ANSWERED && !asking_linger(query, env, observing_awaited(query), now)) /* [8] */
        finish(query, env);
}

/* ---- beginning ---- */

static void begin_asking(struct query *query, struct env *env, msec_t now)
{
    query->state   = QUERY_ASKING;
    query->started = now;
    query->most    = query->anew || query->claim.over ? QUERY_ANEW : LIMIT_UDP_SENDS;
    query->route   = route_choose(query->setup, &env->shared, query->rule, name_view(&query->inquiry.name),
                                  query->inquiry.type, now);
    if (query->route.would)
        COUNT(env->counters.would_reroute);
    tracing_routed(query, now);
    holding_begin(query, env, now);
    asking_begin(query, env, now);
}

/* `rule`: the question's, of the setup in force. */
static void enter_epoch(struct query *query, struct env *env, const struct rule *rule)
{
    setup_drop(query->setup);
    query->setup = setup_take(env->setup);
    query->rule  = rule;
    query->epoch = env_epoch(env);
    if (env->shared.claims)
        claims_name(env->shared.claims, &query->inquiry, query->epoch, &query->claim);
}

/* Where byway stands in, no failure is kept that who waits could look for. */
static bool take_claim(struct query *query, struct env *env, bool anew, msec_t now)
{
    return !env->shared.claims || rule_stands_in(query->rule, name_view(&query->inquiry.name), query->inquiry.type) ||
           claims_take(env->shared.claims, &query->claim, anew, now);
}

/* Nothing in the cache and nobody asks any more: the answer could not be stored. */
static void look_into_cache(struct query *query, struct env *env, bool anew, msec_t now) /* [0] */
{
    take_from_cache(query, env, now);
    answer_stale(query, env, false, now);
    if (list_empty(&query->waiters)) {
        query->state = QUERY_FINISHED;
        return;
    }
    if (query->epoch != env_epoch(env))
        enter_epoch(query, env,
                    policy_find_for(env->setup->policy, name_view(&query->inquiry.name), query->inquiry.type));
    if (take_claim(query, env, anew, now))
        begin_asking(query, env, now);
    else
        query->look_at = now + (query->look_wait = msec_min(2 * query->look_wait, CLAIM_LOOK_MAX));
}

static void release_claim(struct query *query, struct env *env)
{
    if (env->shared.claims)
        claims_release(env->shared.claims, &query->claim);
}

static void run(struct query *query, struct env *env, msec_t now)
{
    if (query->state == QUERY_WAITING && now >= query_deadline(query, env, now))
        look_into_cache(query, env, false, now);
    run_asking(query, env, now);
    if (query->state == QUERY_ANSWERED || query->state == QUERY_FINISHED)
        release_claim(query, env);
}

void query_start(struct query *query, struct env *env, const struct rule *rule, bool anew, msec_t now)
{
    query->started = now;
    query->anew    = anew;
    tracing_begin(query, env, now);
    enter_epoch(query, env, rule);
    if (take_claim(query, env, anew, now)) {
        begin_asking(query, env, now);
    } else {
        query->state     = QUERY_WAITING;
        query->look_wait = CLAIM_LOOK;
        query->look_at   = now + CLAIM_LOOK;
        COUNT(env->counters.joined);
        tracing_joined(query, now);
    }
    run(query, env, now);
}

bool query_can_be_joined(const struct query *query, msec_t now)
{
    return query->state != QUERY_ASKING || !plan_is_spent(query) || !asking_is_still(query, now);
}

void query_join(struct query *query, struct env *env, struct waiter *waiter, msec_t now)
{
    list_append(&query->waiters, &waiter->link);
    query->waiter_count++;
    tracing_joined(query, now);
    if (query->state == QUERY_WAITING)
        look_into_cache(query, env, true, now);
    else if (query->state == QUERY_ASKING)
        asking_hurry(query, env, now);
    run(query, env, now);
}

/* ---- events ---- */

void query_on_packet(struct query *query, struct env *env, struct exchange *exchange, enum transport transport,
                     struct view packet, msec_t now)
{
    struct message       reply;
    struct judgement     judgement;
    const struct arrival arrival = {transport, packet, query->route.blocklist ? NULL : &query->setup->forgery, now};
    switch (exchange_on_packet(exchange, &arrival, &env->rng, &reply, &judgement)) {
    case EXCHANGE_IGNORE:
        COUNT(env->counters.upstream_ignored);
        break;
    case EXCHANGE_AGAIN:
        asking_again(query, env, exchange, now);
        break;
    case EXCHANGE_LEAVE:
        env->effects.release(env->effects.network, exchange, TRANSPORT_UDP);
        break;
    case EXCHANGE_REPLY:
        replying_on_reply(query, env, exchange, &reply, &judgement, now);
        break;
    }
    run(query, env, now);
}

void query_on_unreachable(struct query *query, struct env *env, struct exchange *exchange, enum transport transport,
                          msec_t now)
{
    asking_unreachable(query, env, exchange, transport, now);
    run(query, env, now);
}

void query_on_time(struct query *query, struct env *env, msec_t now) { run(query, env, now); }

void query_cancel(struct query *query, struct env *env, msec_t now)
{
    if (query->state == QUERY_ASKING || query->state == QUERY_WAITING) {
        query->cancelled    = true;
        query->failure_told = true; /* we give up, not the zone */
        fail(query, env, now);
    }
    finish(query, env);
    release_claim(query, env);
}

/* Who came first has waited longest. */
static msec_t next_waiter(const struct query *query)
{
    if (list_empty(&query->waiters))
        return MSEC_NEVER;
    const struct waiter *waiter = CONTAINER_OF(query->waiters.next, struct waiter, link);
    return query->no_stale ? waiter->deadline : msec_min(waiter->stale_at, waiter->deadline);
}

msec_t query_deadline(struct query *query, const struct env *env, msec_t now)
{
    msec_t due = next_waiter(query);
    switch (query->state) {
    case QUERY_WAITING:
        return msec_min(due, query->look_at);
    case QUERY_ASKING:
        if (plan_is_spent(query) && (!list_empty(&query->waiters) || must_tell_spent(query, env)))
            due = msec_min(due, query->look_at);
        due = msec_min(due, msec_min(fails_at(query), query->started + QUERY_LIFE));
        due = msec_min(due, holding_due(query, now));
        return msec_min(due, asking_deadline(query, now));
    default:
        return asking_deadline(query, now);
    }
}
