/*
 * query.c: see query.h; numbers in brackets are its steps.
 */
#include "query/query.h"

#include "query/answering.h"
#include "query/asking.h"
#include "query/blocklist.h"
#include "query/evidence.h"

static void finish(struct query *query, struct desk *desk)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        asking_release(desk, &query->exchanges[i]);
    query->state = QUERY_FINISHED;
}

static void fail(struct query *query, struct desk *desk, msec_t now)
{
    LIST_EACH (item, next, &query->askers)
        answering_give_failure(query, desk, CONTAINER_OF(item, struct asker, link), now);
    answering_tell_failure(query, desk, now);
    finish(query, desk);
}

/* An exchange that is not waited for any more: it has no timeout. If its upstream let another one answer first, it may
 * be gone: a health probe finds out, else each query would wait for it anew. */
static void leave(struct desk *desk, struct exchange *exchange, msec_t now)
{
    if (exchange->state == EXCHANGE_OPEN && now - exchange->started >= RESEND_MIN)
        server_on_silence(exchange->server, exchange->transport, exchange->started, now);
    asking_release(desk, exchange);
    exchange->state = EXCHANGE_UNUSED;
}

/* [5] False: it could not be packed, which a parsed message always can. */
static bool win(struct query *query, struct desk *desk, struct exchange *exchange, const struct message *reply,
                const struct kind *kind, msec_t now)
{
    const struct side       *side  = asking_side(query, exchange);
    bool                     found = kind->outcome == OUTCOME_ANSWER;
    const struct store_rules rules = {.min_ttl   = query->setup->min_ttl,
                                      .max_ttl   = found ? query->setup->max_ttl : query->setup->negative_max_ttl,
                                      .authentic = exchange->server->trusted};
    size_t                   message_len;
    uint32_t                 ttl;
    size_t                   len = answer_pack(reply, &rules, desk->packed, sizeof(desk->packed), &message_len, &ttl);
    if (len == 0)
        return false;
    answering_store(query, desk, kind, side->group, message_len, len, ttl, now);
    answering_count(desk, side->group);

    const struct stored stored = {.message = {desk->packed, message_len},
                                  .ttls    = {desk->packed + message_len, len - message_len}};
    int                 ede    = side->group == SETUP_EXTERNAL ? EDE_EXTERNAL : EDE_NONE;
    LIST_EACH (item, next, &query->askers) {
        struct asker *asker  = CONTAINER_OF(item, struct asker, link);
        size_t        length = answer_write(&asker->asked, &stored, 0, false, ede, desk->out, sizeof(desk->out));
        COUNT(desk->counters.answered);
        answering_give(query, desk, asker, (struct view){desk->out, length});
    }
    if (side->group == SETUP_DOMESTIC) {
        group_on_answer(&query->setup->groups[SETUP_DOMESTIC], now - exchange->started);
        if (query->route.reason != ROUTE_FENCE)
            evidence_domestic_fine(query, desk, kind, now);
        finish(query, desk);
        return true;
    }
    if (side == &query->sides[1] && evidence_wanted(query) && evidence_domestic_reached(query))
        evidence_tell(query, desk, OBSERVED_STRIKE, evidence_reason(query), kind);
    else if (side == &query->sides[0])
        evidence_external_first(query, desk, kind);
    query->state = QUERY_ANSWERED;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        if (!asking_is_domestic(query, &query->exchanges[i]))
            leave(desk, &query->exchanges[i], now);
    return true;
}

/* An answer beyond the last good one is only awaited from domestic, as evidence. */
static bool awaits_evidence(const struct query *query)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        if (query->exchanges[i].state == EXCHANGE_OPEN && asking_is_domestic(query, &query->exchanges[i]))
            return evidence_wanted(query);
    return false;
}

static void expire_exchanges(struct query *query, struct desk *desk, msec_t now)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        struct exchange *exchange = &query->exchanges[i];
        if (exchange->state != EXCHANGE_OPEN || now < exchange->sent + EXCHANGE_LIFE)
            continue;
        exchange_on_timeout(exchange);
        asking_failed(query, desk, exchange);
    }
}

static void answer_late(struct query *query, struct desk *desk, msec_t now)
{
    LIST_EACH (item, next, &query->askers) {
        struct asker *asker = CONTAINER_OF(item, struct asker, link);
        if (asker->deadline > now)
            break;
        COUNT(desk->counters.deadlines);
        answering_give_failure(query, desk, asker, now);
        answering_tell_failure(query, desk, now);
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
        asking_go_on(query, desk, now);
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
    if (query->route.would)
        COUNT(desk->counters.would_reroute);
    asking_begin(query, desk, now);
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
    const struct cache_read read = desk_read(desk, now, false);
    LIST_EACH (item, next, &query->askers) {
        struct asker     *asker = CONTAINER_OF(item, struct asker, link);
        struct cache_hit  hit;
        enum cache_answer found =
            cache_get(desk->shared.cache, &asker->asked, &read, desk->out, sizeof(desk->out), &hit);
        if (found == CACHE_FRESH &&
            route_allows(desk->setup, name_view(&query->inquiry.name), query->inquiry.type, hit.origin)) {
            COUNT(desk->counters.answered);
            answering_give(query, desk, asker, (struct view){desk->out, hit.len});
        } else if (found == CACHE_FAILURE || asker->deadline <= now) {
            answering_give_failure(query, desk, asker, now);
        } else {
            break;
        }
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
    if (!asking_is_domestic(query, exchange) || query->inquiry.checking_disabled)
        return;
    query->bogus_final |= kind_bogus(kind) == BOGUS_OWN_FAULT;
    query->needs_authentic |= kind_bogus(kind) == BOGUS_DOUBTFUL;
}

/* True if the list that the name is in gave an error code for an answer. */
static bool is_list_error(struct query *query, struct desk *desk, const struct exchange *exchange,
                          const struct message *reply, msec_t now)
{
    uint8_t code;
    if (!query->route.blocklist || !outcome_usable(exchange->outcome) || !blocklist_error(reply, &code))
        return false;
    evidence_list_error(query, desk, exchange, code, now);
    return true;
}

static bool acceptable(const struct query *query, const struct exchange *exchange, const struct message *reply)
{
    if (!query->needs_authentic || asking_is_domestic(query, exchange))
        return true;
    return exchange->server->trusted && (reply->flags & FLAG_AD);
}

static void on_reply(struct query *query, struct desk *desk, struct exchange *exchange, const struct message *reply,
                     const struct kind *kind, msec_t now)
{
    bool list_error = is_list_error(query, desk, exchange, reply, now);
    if (query->state == QUERY_ANSWERED) {
        asking_release(desk, exchange);
        if (asking_is_domestic(query, exchange) && outcome_usable(exchange->outcome)) {
            COUNT(desk->counters.late);
            evidence_domestic_fine(query, desk, kind, now);
        } else if (asking_is_domestic(query, exchange) && kind_bogus(kind) != BOGUS_NOT) {
            evidence_tell(query, desk, OBSERVED_FINE, REASON_NONE, NULL); /* no block: the suspicion was wrong */
        }
        return;
    }
    judge_bogus(query, exchange, kind);
    bool usable = outcome_usable(exchange->outcome) && acceptable(query, exchange, reply) &&
                  (!list_error || query->setup->pass_list_errors);
    if (usable && win(query, desk, exchange, reply, kind, now))
        asking_release(desk, exchange);
    else
        asking_failed(query, desk, exchange);
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
        asking_again(query, desk, exchange, TRANSPORT_TCP, exchange->edns, now);
        break;
    case EXCHANGE_ASK_PLAIN:
        asking_again(query, desk, exchange, exchange->transport, false, now);
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
    asking_failed(query, desk, exchange);
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
    due = msec_min(due, asking_deadline(query));
    if (!list_empty(&query->askers))
        due = msec_min(due, CONTAINER_OF(query->askers.next, struct asker, link)->deadline);
    return due;
}
