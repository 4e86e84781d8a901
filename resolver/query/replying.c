/*
 * replying.c: see replying.h; numbers in brackets are the steps of query.h.
 */
#include "query/replying.h"

#include "core/sending.h"
#include "policy/blocklist.h"
#include "query/answering.h"
#include "query/asking.h"
#include "query/holding.h"
#include "query/observing.h"
#include "query/tracing.h"

/* ---- the answer ---- */

/* False: nothing is known of the zone yet, or what is known speaks against who has answered. */
static bool is_kept(const struct query *query, const struct env *env, const struct side *side, msec_t now)
{
    return holding_believes(query, env, now) || (query->route.reason == ROUTE_BLOCKED && side->group == SETUP_EXTERNAL);
}

static bool after_domestic_failed(const struct query *query)
{
    switch (query->route.reason) {
    case ROUTE_FENCE:
    case ROUTE_PIN:
    case ROUTE_BLOCKED:
        return false;
    default:
        return true;
    }
}

static uint32_t max_ttl(const struct query *query, const struct side *side, const struct judgement *judgement)
{
    bool found  = judgement->outcome == OUTCOME_ANSWER;
    bool denied = side->group == SETUP_EXTERNAL && judgement->outcome == OUTCOME_NXDOMAIN && !query->denied &&
                  after_domestic_failed(query);
    uint32_t most = found ? query->setup->max_ttl : query->setup->negative_max_ttl;
    if (denied && most > DENIED_TTL)
        most = DENIED_TTL;
    return query->untried && most > UNTRIED_TTL ? UNTRIED_TTL : most;
}

/* `took`: ms from asking until it came. */
static void note_domestic(struct query *query, struct env *env, msec_t took, msec_t now)
{
    group_on_answer(&query->setup->groups[SETUP_DOMESTIC], took);
    if (query->route.reason != ROUTE_FENCE)
        observing_domestic_fine(query, env, false, now);
}

static void note_external(struct query *query, struct env *env, const struct judgement *judgement, msec_t now)
{
    bool second = query->answered_by == &query->sides[1];
    if (second && observing_wanted(query) && observing_domestic_reached(query) &&
        judgement->outcome != OUTCOME_NXDOMAIN)
        observing_tell(query, env, OBSERVED_STRIKE, observing_reason(query), judgement);
    else if (!second)
        observing_external_first(query, env, judgement, now);
    if (!second && query->route.recheck)
        observing_tell(query, env, OBSERVED_USED, REASON_NONE, NULL);
}

/* Those of its group that have let it answer first. */
static void note_outdone(struct query *query)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        struct exchange *exchange = &query->exchanges[i];
        bool             failed   = exchange->state == EXCHANGE_DONE && !outcome_usable(exchange->outcome);
        bool             silent   = exchange->state == EXCHANGE_OPEN && exchange->silent;
        if (failed || silent)
            asking_outdone(query, exchange);
    }
}

/* [5] `came`: when the reply did. False: it could not be packed, which a parsed message always can. */
static bool accept_answer(struct query *query, struct env *env, struct exchange *exchange, const struct message *reply,
                          const struct judgement *judgement, msec_t came, msec_t now)
{
    struct side             *side  = asking_side(query, exchange);
    const struct store_rules rules = {.min_ttl   = query->setup->min_ttl,
                                      .max_ttl   = max_ttl(query, side, judgement),
                                      .authentic = exchange->server->trusted};
    size_t                   message_len;
    uint32_t                 ttl;
    size_t                   len = answer_pack(reply, &rules, env->packed, sizeof(env->packed), &message_len, &ttl);
    if (len == 0)
        return false;
    query->state               = QUERY_ANSWERED;
    query->answered_by         = side;
    const struct stored stored = {.message = {env->packed, message_len},
                                  .ttls    = {env->packed + message_len, len - message_len}};
    answering_store(query, env, judgement, &stored, side->group, is_kept(query, env, side, now) ? ttl : 0, now);
    if (side->group == SETUP_DOMESTIC && !query->forged && !holding_believes(query, env, now))
        cache_flush_name(env->shared.cache, name_view(&query->inquiry.name)); /* the keeper emptied it a moment ago */
    answering_count(env, side->group);

    int ede = side->group == SETUP_EXTERNAL ? EDE_EXTERNAL : EDE_NONE;
    LIST_EACH (item, next, &query->waiters) {
        struct waiter *waiter = CONTAINER_OF(item, struct waiter, link);
        size_t         length = answer_write(&waiter->query, &stored, 0, false, ede, env->out, sizeof(env->out));
        COUNT(env->counters.answered);
        answering_give(query, env, waiter, (struct view){env->out, length}, TRACE_BY_GROUP, now);
    }
    note_outdone(query);
    observing_sample(query, env, judgement, now);
    if (side->group == SETUP_DOMESTIC)
        note_domestic(query, env, came - exchange->started, now);
    else if (side->group == SETUP_EXTERNAL)
        note_external(query, env, judgement, now);
    return true;
}

/* ---- replies ---- */

/* Bogus by whose fault? RFC 8914 codes; asked with CD=1 nothing is validated. Where a verdict or a pin has sent the
 * question to external first, domestic's opinion ends its own side alone. */
static void note_bogus(struct query *query, const struct exchange *exchange, const struct judgement *judgement)
{
    enum bogus bogus = judge_bogus(judgement);
    if (bogus == BOGUS_NOT || !asking_is_domestic(query, exchange) || query->inquiry.checking_disabled)
        return;
    if (asking_external_first(query)) {
        asking_side(query, exchange)->over = true;
        return;
    }
    query->bogus_final |= bogus == BOGUS_OWN_FAULT;
    query->needs_authentic |= bogus == BOGUS_DOUBTFUL;
}

/* True if the list that the name is in gave an error for an answer. */
static bool is_list_error(struct query *query, struct env *env, const struct exchange *exchange,
                          const struct message *reply, msec_t now)
{
    const struct blocklist *list = query->route.blocklist;
    struct view             address;
    if (!list || !outcome_usable(exchange->outcome) ||
        !blocklist_error(list, name_view(&query->inquiry.name), reply, &address))
        return false;
    observing_list_error(query, env, exchange, address, now);
    return true;
}

/* What hangs on a label with an underscore (RFC 8552), or on an address, does not bounce because it is not there; and
 * mail in an outage hangs on many denials of that kind: no DMARC record, no PTR. */
static bool is_borne(struct view name)
{
    static const uint8_t arpa4[] = "\7in-addr\4arpa", arpa6[] = "\3ip6\4arpa";
    for (size_t at = 0; name.data[at] != 0; at += 1u + name.data[at])
        if (name.data[at + 1] == '_')
            return true;
    return name_is_at_or_below(name, (struct view){arpa4, sizeof(arpa4)}) ||
           name_is_at_or_below(name, (struct view){arpa6, sizeof(arpa6)});
}

/* A name that only domestic knows is denied by everybody else. */
static bool may_be_internal(struct query *query, struct env *env, const struct exchange *exchange,
                            const struct judgement *judgement, msec_t now)
{
    if (asking_side(query, exchange)->group != SETUP_EXTERNAL || judgement->outcome != OUTCOME_NXDOMAIN ||
        query->denied || !after_domestic_failed(query) || is_borne(name_view(&query->inquiry.name)))
        return false;
    query->unsure |= recent_age(env->shared.good, name_view(&query->inquiry.name), now) != MSEC_NEVER;
    return query->unsure;
}

static bool external_denies(const struct query *query)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (exchange->state == EXCHANGE_DONE && exchange->outcome == OUTCOME_NXDOMAIN &&
            !asking_is_domestic(query, exchange))
            return true;
    }
    return false;
}

/* Some borders deny what they block. What would bounce by that is believed of domestic only where external says so too:
 * the operator wants it (fallback.on). */
static bool is_to_be_checked(const struct query *query, const struct exchange *exchange,
                             const struct judgement *judgement)
{
    uint16_t type = query->inquiry.type;
    return query->setup->fall_on_nxdomain && judgement->outcome == OUTCOME_NXDOMAIN &&
           asking_is_domestic(query, exchange) && query->inquiry.class == CLASS_IN &&
           (query->route.first == SETUP_EXTERNAL || query->route.second == SETUP_EXTERNAL) && !external_denies(query) &&
           (type == TYPE_A || type == TYPE_AAAA || type == TYPE_MX || type == TYPE_TXT) &&
           !is_borne(name_view(&query->inquiry.name));
}

static bool acceptable(const struct query *query, const struct exchange *exchange, const struct message *reply)
{
    if (!query->needs_authentic || asking_is_domestic(query, exchange))
        return true;
    return exchange->server->trusted && (reply->flags & FLAG_AD);
}

static void on_late_reply(struct query *query, struct env *env, struct exchange *exchange,
                          const struct judgement *judgement, msec_t now)
{
    bool late = query->answered_by->group != SETUP_DOMESTIC && asking_is_domestic(query, exchange) &&
                holding_believes(query, env, now);
    sending_release(env, exchange);
    if (!outcome_usable(exchange->outcome))
        asking_outdone(query, exchange);
    if (late && outcome_usable(exchange->outcome)) {
        COUNT(env->counters.late);
        observing_domestic_fine(query, env, true, now);
    } else if (late && judge_bogus(judgement) != BOGUS_NOT) {
        observing_tell(query, env, OBSERVED_FINE, REASON_NONE, NULL); /* no block: the suspicion was wrong */
    }
}

/* Somebody is deceived, and perhaps it is external: an injector sends no SOA, and a resolver that believed it has none
 * for its denial. */
static bool is_unfounded(const struct query *query, const struct env *env, const struct exchange *exchange,
                         const struct judgement *judgement, msec_t now)
{
    return !asking_is_domestic(query, exchange) && query->route.reason != ROUTE_BLOCKED &&
           judge_is_unfounded(judgement) && !holding_believes(query, env, now);
}

void replying_on_reply(struct query *query, struct env *env, struct exchange *exchange, const struct message *reply,
                       const struct judgement *judgement, msec_t now)
{
    bool list_error = is_list_error(query, env, exchange, reply, now);
    tracing_judged(query, exchange, now);
    if (query->state == QUERY_ANSWERED) {
        on_late_reply(query, env, exchange, judgement, now);
        return;
    }
    if (is_unfounded(query, env, exchange, judgement, now)) {
        exchange->outcome = OUTCOME_FORGED;
        asking_failed(query, env, exchange);
        return;
    }
    note_bogus(query, exchange, judgement);
    if (is_to_be_checked(query, exchange, judgement)) {
        query->denied                         = true;
        asking_side(query, exchange)->stopped = true;
        asking_failed(query, env, exchange);
        return;
    }
    bool usable = outcome_usable(exchange->outcome) && acceptable(query, exchange, reply) &&
                  !may_be_internal(query, env, exchange, judgement, now) &&
                  (!list_error || query->setup->pass_list_errors);
    if (usable && holding_takes(query, env, exchange, reply->wire, now))
        return;
    if (usable && accept_answer(query, env, exchange, reply, judgement, now, now))
        sending_release(env, exchange);
    else
        asking_failed(query, env, exchange);
}

void replying_on_held(struct query *query, struct env *env, struct holding *held, msec_t now)
{
    struct exchange *exchange = held->exchange;
    struct message   reply;
    struct judgement judgement;
    message_parse((struct view){held->bytes, held->len}, &reply);
    judge_reply(&reply, &judgement);
    exchange->outcome = judgement.outcome;
    if (!accept_answer(query, env, exchange, &reply, &judgement, held->came, now))
        asking_failed(query, env, exchange);
    holding_drop(query);
}
