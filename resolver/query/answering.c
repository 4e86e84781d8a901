/*
 * answering.c: see answering.h.
 */
#include "query/answering.h"

#include "query/asking.h"
#include "query/evidence.h"

void answering_give(struct query *query, struct desk *desk, struct asker *asker, struct view answer)
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
        if (asking_in_side(query, exchange, side) && exchange->state == EXCHANGE_DONE &&
            exchange->outcome != OUTCOME_TIMEOUT && exchange->outcome != OUTCOME_UNREACHABLE)
            return true;
    }
    return false;
}

/* A network that is silent, on either side, is another trouble than a zone that fails. Our own limit is a third: 22 and
 * 23 would blame others for it, and 14 (not ready) is for a server that cannot answer anything yet. */
static int failure_ede(const struct query *query)
{
    if (query->displaced)
        return EDE_OTHER;
    if (query->bogus_final)
        return EDE_BOGUS;
    if (query->list_error)
        return EDE_BLOCKLIST;
    if (query->over_quota)
        return EDE_OVER_QUOTA;
    for (size_t i = 0; i < 2; i++)
        if (query->sides[i].begun && !side_replied(query, &query->sides[i]))
            return EDE_NETWORK_ERROR;
    return EDE_NO_REACHABLE_AUTHORITY;
}

void answering_give_failure(struct query *query, struct desk *desk, struct asker *asker, msec_t now)
{
    const struct cache_read read = desk_read(desk, now, true);
    struct cache_hit        hit;
    enum cache_answer       found = CACHE_MISS;
    if (!query->bogus_final)
        found = cache_get(desk->shared.cache, &asker->asked, &read, desk->out, sizeof(desk->out), &hit);
    if ((found == CACHE_STALE || found == CACHE_FRESH) &&
        route_allows(desk->setup, name_view(&query->inquiry.name), query->inquiry.type, hit.origin)) {
        if (found == CACHE_STALE)
            COUNT(desk->counters.cache_stale);
        else
            COUNT(desk->counters.answered);
        answering_give(query, desk, asker, (struct view){desk->out, hit.len});
        return;
    }
    if (query->displaced)
        COUNT(desk->counters.overload);
    else
        COUNT(desk->counters.servfail);
    bool   told = query->state == QUERY_WAITING && found == CACHE_FAILURE; /* by the worker that asked */
    size_t len  = failure_write(&asker->asked, RCODE_SERVFAIL, told ? hit.ede : failure_ede(query), desk->out);
    answering_give(query, desk, asker, (struct view){desk->out, len});
}

static struct cache_key key_of(const struct inquiry *inquiry)
{
    return (struct cache_key){.name              = name_view(&inquiry->name),
                              .type              = inquiry->type,
                              .class             = inquiry->class,
                              .dnssec_ok         = inquiry->dnssec_ok,
                              .checking_disabled = inquiry->checking_disabled};
}

/* To be called after something was put into the cache: whoever changes the terms flushes the cache afterwards, so that
 * one of the two finds it. */
static void keep_terms(const struct query *query, struct desk *desk)
{
    if (!terms_equal(query->terms, desk_terms(desk)))
        cache_flush_name(desk->shared.cache, name_view(&query->inquiry.name));
}

/* Nobody had an answer in time. Once for each query: a later good answer replaces the cached failure. */
void answering_tell_failure(struct query *query, struct desk *desk, msec_t now)
{
    if (query->failure_told)
        return;
    query->failure_told = true;
    if (terms_equal(query->terms, desk_terms(desk))) { /* else a stale answer would be dropped with the failure */
        const struct cache_key key = key_of(&query->inquiry);
        cache_put_failure(desk->shared.cache, &key, failure_ede(query), now);
        keep_terms(query, desk);
    }
    COUNT(desk->counters.failed);
    if (evidence_wanted(query) && !query->bogus_final && query->sides[1].begun)
        evidence_tell(query, desk, OBSERVED_BOTH_FAILED, evidence_reason(query), NULL);
}

void answering_store(struct query *query, struct desk *desk, const struct kind *kind, uint8_t origin,
                     size_t message_len, size_t len, uint32_t ttl, msec_t now)
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

void answering_count(struct desk *desk, uint8_t group)
{
    if (group == SETUP_DOMESTIC)
        COUNT(desk->counters.domestic);
    else if (group == SETUP_EXTERNAL)
        COUNT(desk->counters.external);
    else
        COUNT(desk->counters.other_groups);
}
