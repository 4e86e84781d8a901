/*
 * observing.c: see observing.h.
 */
#include "query/observing.h"

#include "query/asking.h"

#include <string.h>

enum {
    MARK_AGAIN  = 60000, /* ms; RECENT_LIFE is a day */
    BELOW_EVERY = 100,   /* ms; the keeper knows which names it has looked at, and has a second for each */
};

/* Places in its group of those that failed, or were silent so far: a bit mask. */
static uint8_t failed_of(const struct query *query, uint8_t group)
{
    unsigned failed = 0;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (exchange->state == EXCHANGE_UNUSED || exchange->copy || query->sides[exchange->part].group != group ||
            (exchange->state == EXCHANGE_DONE && outcome_usable(exchange->outcome)))
            continue;
        for (unsigned place = 0; place < query->setup->groups[group].count; place++)
            if (query->setup->groups[group].servers[place] == exchange->server)
                failed |= 1u << place;
    }
    return (uint8_t) failed;
}

void observing_tell(const struct query *query, struct env *env, enum observed what, enum zone_reason reason,
                    const struct judgement *judgement)
{
    struct observation observation = {
        .what   = what,
        .reason = reason,
        .type   = query->inquiry.type,
        .class  = query->inquiry.class,
        .epoch  = query->epoch,
        .failed = {failed_of(query, SETUP_DOMESTIC), failed_of(query, SETUP_EXTERNAL)},
        .name   = query->inquiry.name,
    };
    if (judgement && judgement->has_soa)
        observation.zone = judgement->zone;
    if (judgement && judgement->has_alias)
        observation.alias = judgement->alias;
    env->effects.observe(env->effects.context, &observation);
}

void observing_list_error(struct query *query, struct env *env, const struct exchange *exchange, struct view address,
                          msec_t now)
{
    COUNT(env->counters.blocklist_errors);
    query->list_error = true;
    if (!blocklist_complain(query->route.blocklist, now))
        return;
    struct observation observation = {
        .what     = OBSERVED_COMPLAINT,
        .type     = query->inquiry.type,
        .class    = query->inquiry.class,
        .epoch    = query->epoch,
        .name     = query->inquiry.name,
        .zone     = query->route.blocklist->zone,
        .upstream = exchange->server->address,
    };
    observation.answer_len = (uint8_t) address.len;
    memcpy(observation.answer, address.data, address.len);
    env->effects.observe(env->effects.context, &observation);
}

/* Of the zone that the name is in. Servers treat ANY apart, DS is the zone's above, and a blocklist that will not serve us
 * is no evidence, whoever else fails beside it. */
static bool says_nothing(const struct query *query)
{
    return query->inquiry.type == TYPE_ANY || query->inquiry.type == TYPE_DS || query->inquiry.class != CLASS_IN ||
           query->list_error;
}

/* Servers treat CD=1 apart as well, where they answer it. */
bool observing_wanted(const struct query *query)
{
    return query->route.learn && !query->denied && !query->suspense && !says_nothing(query) &&
           (!query->inquiry.checking_disabled || observing_reason(query) == REASON_TIMEOUT);
}

enum zone_reason observing_reason(const struct query *query)
{
    enum zone_reason reason = REASON_TIMEOUT;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (exchange->state != EXCHANGE_DONE || !asking_is_domestic(query, exchange))
            continue;
        if (exchange->outcome == OUTCOME_FORGED)
            return REASON_FORGED;
        if (exchange->outcome == OUTCOME_SERVFAIL)
            reason = REASON_SERVFAIL;
        if (exchange->outcome == OUTCOME_REFUSED && reason == REASON_TIMEOUT)
            reason = REASON_REFUSED;
    }
    return reason;
}

/* Where the network says that no domestic upstream is there, their silence tells nothing of the zone. */
bool observing_domestic_reached(const struct query *query)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (asking_is_domestic(query, exchange) &&
            (exchange->state == EXCHANGE_OPEN || exchange->outcome != OUTCOME_UNREACHABLE))
            return true;
    }
    return false;
}

/* An answer that domestic may have made up by itself, from its cache of what is above the domain, proves nothing of it:
 * below a domain that is not there every name is denied so (RFC 8020). */
static bool shows_domain(const struct judgement *judgement, struct view domain)
{
    return judgement->outcome == OUTCOME_ANSWER ||
           (judgement->has_soa && name_is_at_or_below(name_view(&judgement->zone), domain));
}

/* Which domain it is costs more than all the rest of a query that is answered. So it is found out for a mark that was
 * not made lately, and for one of the samples. */
static struct view domain_of(const struct query *query, const struct env *env)
{
    return suffix_registrable(env->shared.suffix, name_view(&query->inquiry.name));
}

static void mark_good(const struct query *query, const struct env *env, msec_t now)
{
    msec_t age = recent_age(env->shared.good, name_view(&query->inquiry.name), now);
    if (age < MARK_AGAIN)
        return;
    struct view domain = domain_of(query, env);
    if (domain.len > 0)
        recent_mark(env->shared.good, domain, now);
}

/* One for each group and second: the keeper draws probes from them, and from those of domestic control questions. */
void observing_sample(const struct query *query, struct env *env, const struct judgement *judgement, msec_t now)
{
    uint8_t group = query->answered_by->group;
    if (now - env->last_sample[group] < SAMPLE_EVERY || query->inquiry.checking_disabled || says_nothing(query))
        return;
    struct view domain = domain_of(query, env);
    if (domain.len == 0)
        return;
    env->last_sample[group]        = now;
    struct observation observation = {.what  = OBSERVED_SAMPLE,
                                      .type  = query->inquiry.type,
                                      .class = query->inquiry.class,
                                      .epoch = query->epoch,
                                      .name  = query->inquiry.name,
                                      .group = group};
    if (group == SETUP_DOMESTIC && query->route.learn && !query->route.known && shows_domain(judgement, domain))
        name_set_lower(&observation.zone, domain);
    env->effects.observe(env->effects.context, &observation);
}

void observing_domestic_fine(struct query *query, struct env *env, bool late, msec_t now)
{
    if (says_nothing(query))
        return;
    mark_good(query, env, now);
    if (late || (query->route.known && !query->inquiry.checking_disabled)) /* silence is disproved by any answer */
        observing_tell(query, env, OBSERVED_FINE, REASON_NONE, NULL);
}

bool observing_awaited(const struct query *query)
{
    return query->answered_by && query->answered_by->group != SETUP_DOMESTIC && observing_wanted(query);
}

void observing_external_first(const struct query *query, struct env *env, const struct judgement *judgement, msec_t now)
{
    bool shown = judgement->has_soa && name_labels(name_view(&judgement->zone)) > query->route.labels;
    if (query->route.reason != ROUTE_BLOCKED || query->list_error || judgement->has_alias ||
        name_labels(name_view(&query->inquiry.name)) <= query->route.labels ||
        (!shown && (judgement->has_soa || now - env->last_below < BELOW_EVERY)))
        return;
    if (!shown)
        env->last_below = now;
    observing_tell(query, env, OBSERVED_CUT, REASON_NONE, judgement);
}
