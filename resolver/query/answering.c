/*
 * answering.c: see answering.h.
 */
#include "query/answering.h"

#include "policy/local.h"
#include "query/asking.h"
#include "query/observing.h"
#include "query/tracing.h"

void answering_give(struct query *query, struct env *env, struct waiter *waiter, struct view answer, enum trace_way way,
                    msec_t now)
{
    uint8_t group = query->answered_by ? query->answered_by->group : TRACE_NO_GROUP;
    tracing_answered(query, env, waiter, answer, way, now);
    responses_on_waiter(&env->responses, way, group, message_rcode(answer), now - waiter->since);
    env->effects.answer(env->effects.context, &waiter->path, answer);
    list_remove(&waiter->link);
    list_append(&query->answered, &waiter->link);
    query->waiter_count--;
}

/* ---- why there is no answer ---- */

static bool side_replied(const struct query *query, const struct side *side)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (asking_in_side(query, exchange, side) && exchange->state == EXCHANGE_DONE &&
            exchange->outcome != OUTCOME_TIMEOUT && exchange->outcome != OUTCOME_UNREACHABLE)
            return true;
    }
    return false;
}

static bool a_side_is_silent(const struct query *query)
{
    for (size_t i = 0; i < ARRAY_LEN(query->sides); i++)
        if (query->sides[i].begun && !side_replied(query, &query->sides[i]))
            return true;
    return false;
}

/* A network that is silent, on either side, is another trouble than a zone that fails. Our own limit is a third. */
static enum failure failure_of(const struct query *query)
{
    const bool is[FAILURE_COUNT] = {
        [FAILURE_OVERLOAD] = query->displaced,    [FAILURE_BOGUS] = query->bogus_final,
        [FAILURE_BLOCKLIST] = query->list_error,  [FAILURE_UNSURE] = query->unsure,
        [FAILURE_OVER_QUOTA] = query->over_quota, [FAILURE_NETWORK] = a_side_is_silent(query),
    };
    unsigned first = 0;
    while (first < FAILURE_ZONE && !is[first])
        first++;
    return (enum failure) first;
}

/* ---- what is given in its place ---- */

static enum cache_answer read_cache(struct query *query, struct env *env, const struct waiter *waiter, msec_t now,
                                    struct cache_hit *ret)
{
    const struct cache_read read = env_read(env, now, !query->bogus_final);
    enum cache_answer found      = cache_get(env->shared.cache, &waiter->query, &read, env->out, sizeof(env->out), ret);
    if (found != CACHE_FRESH && found != CACHE_STALE)
        return found;
    return route_allows(env->setup, name_view(&query->inquiry.name), query->inquiry.type, ret->origin) ? found
                                                                                                       : CACHE_MISS;
}

/* Fresh it may be, too: another question for the same has brought it. */
static bool give_cached(struct query *query, struct env *env, struct waiter *waiter, enum cache_answer found,
                        const struct cache_hit *hit, msec_t now)
{
    if (found == CACHE_STALE)
        COUNT(env->counters.cache_stale);
    else if (found == CACHE_FRESH)
        COUNT(env->counters.answered);
    else
        return false;
    answering_give(query, env, waiter, (struct view){env->out, hit->len},
                   found == CACHE_STALE ? TRACE_BY_STALE : TRACE_BY_CACHE, now);
    return true;
}

/* With the error that SERVFAIL would have: it tells why it is not domestic's answer. */
static bool give_empty_zone(struct query *query, struct env *env, struct waiter *waiter, msec_t now)
{
    const struct policy *policy = env->setup->policy;
    struct view          name   = name_view(&query->inquiry.name);
    const struct rule   *rule   = policy_find_for(policy, name, query->inquiry.type);
    if (query->cancelled || !rule_stands_in(rule, name, query->inquiry.type))
        return false;
    COUNT(env->counters.local);
    size_t len = local_answer(&waiter->query, rule, policy_at_or_below(policy, name),
                              failure_traits(failure_of(query)).ede, env->out);
    answering_give(query, env, waiter, (struct view){env->out, len}, TRACE_BY_LOCAL, now);
    return true;
}

bool answering_give_stale(struct query *query, struct env *env, struct waiter *waiter, msec_t now)
{
    struct cache_hit  hit;
    enum cache_answer found = read_cache(query, env, waiter, now, &hit);
    return give_cached(query, env, waiter, found, &hit, now);
}

/* Upstreams may decline ANY, and do (RFC 8482): so may we, and mail software that asks it goes on. */
static bool is_declined_any(const struct query *query)
{
    bool declined = false;
    for (size_t i = 0; i < QUERY_EXCHANGES && query->inquiry.type == TYPE_ANY; i++)
        declined |= query->exchanges[i].state == EXCHANGE_DONE && query->exchanges[i].outcome == OUTCOME_REFUSED;
    return declined;
}

static void give_servfail(struct query *query, struct env *env, struct waiter *waiter, enum failure failure, msec_t now)
{
    if (failure == FAILURE_OVERLOAD)
        COUNT(env->counters.overload);
    else
        COUNT(env->counters.servfail);
    size_t len = failure_write(&waiter->query, RCODE_SERVFAIL, failure_traits(failure).ede, env->out);
    answering_give(query, env, waiter, (struct view){env->out, len}, TRACE_BY_NONE, now);
}

void answering_give_failure(struct query *query, struct env *env, struct waiter *waiter, msec_t now)
{
    struct cache_hit  hit   = {.failure = FAILURE_NONE};
    enum cache_answer found = read_cache(query, env, waiter, now, &hit);
    if (give_cached(query, env, waiter, found, &hit, now) || give_empty_zone(query, env, waiter, now))
        return;
    if (is_declined_any(query) && !query->displaced) {
        COUNT(env->counters.answered);
        size_t len = any_declined_write(&waiter->query, env->out);
        answering_give(query, env, waiter, (struct view){env->out, len}, TRACE_BY_NONE, now);
        return;
    }
    bool told = query->state == QUERY_WAITING && found == CACHE_FAILURE; /* by the worker that asked */
    give_servfail(query, env, waiter, told ? hit.failure : failure_of(query), now);
}

/* ---- what is kept ---- */

static struct cache_key key_of(const struct inquiry *inquiry)
{
    return (struct cache_key){.name              = name_view(&inquiry->name),
                              .type              = inquiry->type,
                              .class             = inquiry->class,
                              .dnssec_ok         = inquiry->dnssec_ok,
                              .checking_disabled = inquiry->checking_disabled};
}

/* To be called after something was put into the cache: see base/epoch.h. */
static void drop_if_outdated(const struct query *query, struct env *env)
{
    if (!env_epoch_holds(env, query->epoch))
        cache_flush_name(env->shared.cache, name_view(&query->inquiry.name));
}

/* For an empty zone of byway's own nothing is kept: domestic may know better the next moment. */
static bool is_remembered(const struct query *query) { return !query->route.or_empty && !is_declined_any(query); }

void answering_tell_failure(struct query *query, struct env *env, msec_t now)
{
    if (query->failure_told)
        return;
    query->failure_told = true;
    /* in a later epoch a stale answer would be dropped with the failure */
    if (env_epoch_holds(env, query->epoch) && is_remembered(query)) {
        const struct cache_key key = key_of(&query->inquiry);
        cache_put_failure(env->shared.cache, &key, failure_of(query), now);
        drop_if_outdated(query, env);
    }
    COUNT(env->counters.failed);
    if (query->route.reason == ROUTE_INNER) /* external may not be deceived any more */
        forging_set(env->shared.forging, query->route.domain, FORGING_UNTRIED, now);
    if (observing_wanted(query) && !query->bogus_final && !query->unsure && query->sides[1].begun)
        observing_tell(query, env, OBSERVED_BOTH_FAILED, observing_reason(query), NULL);
}

void answering_store(struct query *query, struct env *env, const struct judgement *judgement,
                     const struct stored *stored, uint8_t origin, uint32_t ttl, msec_t now)
{
    bool negative = judgement->outcome != OUTCOME_ANSWER;
    if (negative && judgement->has_soa && judgement->negative_ttl < ttl)
        ttl = judgement->negative_ttl;
    if (negative && !judgement->has_soa)
        ttl = 0;
    if (ttl == 0 && !(env->shared.claims && claims_awaited(env->shared.claims, &query->claim)))
        return;
    const struct cache_entry entry = {
        .stored   = *stored,
        .ttl      = ttl,
        .origin   = origin,
        .negative = negative,
    };
    const struct cache_key key = key_of(&query->inquiry);
    cache_put(env->shared.cache, &key, &entry, now);
    drop_if_outdated(query, env);
}

void answering_count(struct env *env, uint8_t group)
{
    if (group == SETUP_DOMESTIC)
        COUNT(env->counters.domestic);
    else if (group == SETUP_EXTERNAL)
        COUNT(env->counters.external);
    else
        COUNT(env->counters.other_groups);
}
