/*
 * query.c: see query.h; numbers in brackets are its steps.
 */
#include "query/query.h"

#include "core/sending.h"
#include "policy/blocklist.h"
#include "query/answering.h"
#include "query/asking.h"
#include "query/observing.h"
#include "query/plan.h"

static void finish(struct query *query, struct env *env)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        sending_release(env, &query->exchanges[i]);
    query->state = QUERY_FINISHED;
}

static void fail(struct query *query, struct env *env, msec_t now)
{
    LIST_EACH (item, next, &query->waiters)
        answering_give_failure(query, env, CONTAINER_OF(item, struct waiter, link), now);
    answering_tell_failure(query, env, now);
    finish(query, env);
}

/* ---- the answer ---- */

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
    return denied && most > DENIED_TTL ? DENIED_TTL : most;
}

static void note_domestic(struct query *query, struct env *env, const struct exchange *exchange, msec_t now)
{
    group_on_answer(&query->setup->groups[SETUP_DOMESTIC], now - exchange->started);
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

/* [5] False: it could not be packed, which a parsed message always can. */
static bool accept_answer(struct query *query, struct env *env, struct exchange *exchange, const struct message *reply,
                          const struct judgement *judgement, msec_t now)
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
    answering_store(query, env, judgement, &stored, side->group, ttl, now);
    answering_count(env, side->group);

    int ede = side->group == SETUP_EXTERNAL ? EDE_EXTERNAL : EDE_NONE;
    LIST_EACH (item, next, &query->waiters) {
        struct waiter *waiter = CONTAINER_OF(item, struct waiter, link);
        size_t         length = answer_write(&waiter->query, &stored, 0, false, ede, env->out, sizeof(env->out));
        COUNT(env->counters.answered);
        answering_give(query, env, waiter, (struct view){env->out, length});
    }
    note_outdone(query);
    observing_sample(query, env, judgement, now);
    if (side->group == SETUP_DOMESTIC)
        note_domestic(query, env, exchange, now);
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

/* Some borders deny what they block. What would bounce by that is believed of domestic only where external says so too:
 * the operator wants it (fallback.on). */
static bool is_to_be_checked(const struct query *query, const struct exchange *exchange,
                             const struct judgement *judgement)
{
    uint16_t type = query->inquiry.type;
    return query->setup->fall_on_nxdomain && judgement->outcome == OUTCOME_NXDOMAIN &&
           asking_is_domestic(query, exchange) && query->inquiry.class == CLASS_IN &&
           (query->route.first == SETUP_EXTERNAL || query->route.second == SETUP_EXTERNAL) &&
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
    bool late = query->answered_by->group != SETUP_DOMESTIC && asking_is_domestic(query, exchange);
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

static void on_reply(struct query *query, struct env *env, struct exchange *exchange, const struct message *reply,
                     const struct judgement *judgement, msec_t now)
{
    bool list_error = is_list_error(query, env, exchange, reply, now);
    if (query->state == QUERY_ANSWERED) {
        on_late_reply(query, env, exchange, judgement, now);
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
    if (usable && accept_answer(query, env, exchange, reply, judgement, now))
        sending_release(env, exchange);
    else
        asking_failed(query, env, exchange);
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
            answering_give(query, env, waiter, (struct view){env->out, hit.len});
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
    if (query->state == QUERY_ASKING) {
        asking_go_on(query, env, now);
        answer_dead(query, env, now);
        answer_stale(query, env, false, now);
        answer_late(query, env, now);
        if (plan_is_over(query, now) || now >= query->started + QUERY_LIFE)
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
    enter_epoch(query, env, rule);
    if (take_claim(query, env, anew, now)) {
        begin_asking(query, env, now);
    } else {
        query->state     = QUERY_WAITING;
        query->look_wait = CLAIM_LOOK;
        query->look_at   = now + CLAIM_LOOK;
        COUNT(env->counters.joined);
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
        on_reply(query, env, exchange, &reply, &judgement, now);
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
        return msec_min(due, asking_deadline(query, now));
    default:
        return asking_deadline(query, now);
    }
}
