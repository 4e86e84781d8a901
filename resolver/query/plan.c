/*
 * plan.c: see plan.h; numbers in brackets are the steps of query.h.
 */
#include "query/plan.h"

#include "query/asking.h"

static const struct group *group_of(const struct query *query, const struct side *side)
{
    return &query->setup->groups[side->group];
}

/* ---- what is under way on a side ---- */

struct tally {
    unsigned         open;    /* exchanges that somebody waits for */
    unsigned         hopeful; /* of these, those of which nothing doubtful is known */
    bool             well;    /* an upstream of these answers other questions */
    msec_t           newest;  /* when the last of them was first asked */
    struct exchange *again;   /* the one to send once more, or NULL */
};

static bool is_hopeful(const struct exchange *exchange) { return !exchange->hinted && !exchange->doubted; }

static bool can_resend(const struct exchange *exchange)
{
    return exchange->listens && !exchange->doubted && exchange->tickets[TRANSPORT_UDP];
}

/* Not to an upstream that is down, or of which the network says so, while another is not; and each in turn. */
static bool is_better(const struct exchange *one, const struct exchange *other)
{
    bool one_bad   = server_health(one->server) == HEALTH_DOWN || one->hinted;
    bool other_bad = server_health(other->server) == HEALTH_DOWN || other->hinted;
    return one_bad != other_bad ? other_bad : one->sent < other->sent;
}

static struct tally tally_of(struct query *query, const struct side *side)
{
    struct tally tally = {.newest = query->started};
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        struct exchange *exchange = &query->exchanges[i];
        if (exchange->state != EXCHANGE_OPEN || exchange->copy || !asking_in_side(query, exchange, side))
            continue;
        tally.open++;
        tally.hopeful += is_hopeful(exchange);
        tally.well |= server_is_well(exchange->server);
        tally.newest = msec_max(tally.newest, exchange->started);
        if (can_resend(exchange) && (!tally.again || is_better(exchange, tally.again)))
            tally.again = exchange;
    }
    return tally;
}

/* Somebody waits for something there. */
static bool is_awaited(const struct query *query, const struct side *side)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (exchange->state == EXCHANGE_OPEN && !exchange->copy && asking_in_side(query, exchange, side))
            return true;
    }
    return false;
}

/* ---- the other side ---- */

/* An outcome among the first side's failures that fallback.on allows. A blocklist that answered with an error code has
 * been reached; and whoever declines ANY may do so (RFC 8482). */
static bool failure_allows(const struct query *query)
{
    if (asking_external_first(query))
        return !query->forged || asking_external_lies(query);
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        bool                   reached  = query->list_error && outcome_usable(exchange->outcome);
        bool                   declined = query->inquiry.type == TYPE_ANY && exchange->outcome == OUTCOME_REFUSED;
        if (exchange->copy || reached || declined)
            continue;
        if (exchange->state == EXCHANGE_DONE && asking_in_side(query, exchange, &query->sides[0]) &&
            setup_falls_on(query->setup, exchange->outcome))
            return true;
    }
    return false;
}

/* ---- datagrams ---- */

/* It has begun, or may. */
static bool is_possible(const struct query *query, const struct side *side)
{
    if (side->begun || side == &query->sides[0])
        return side->begun;
    bool lied_to = asking_external_first(query) ? query->forged && !asking_external_lies(query) : query->inner;
    if (lied_to)
        return false;
    return query->route.second != SETUP_NO_GROUP && !query->bogus_final &&
           (query->setup->fall_on_timeout || failure_allows(query));
}

/* It has begun, and nothing is to be hoped for from it. */
static bool is_hopeless(struct query *query, const struct side *side, msec_t now)
{
    return side->begun && tally_of(query, side).hopeful == 0 && group_pick(group_of(query, side), side->tried, now) < 0;
}

static const struct side *other_of(const struct query *query, const struct side *side)
{
    return &query->sides[side == &query->sides[0]];
}

/* `keep`: datagrams that the other side must have had, or still have. */
static bool may_send(struct query *query, const struct side *side, unsigned keep, msec_t now)
{
    const struct side *other = other_of(query, side);
    if (!is_possible(query, other) || is_hopeless(query, other, now) || other->sends >= keep)
        return query->sends < query->most;
    return query->sends + keep - other->sends < query->most;
}

/* For one more exchange; the last one is the other side's, if it may still need one. Over TCP no datagram tells. */
static bool has_room(const struct query *query, const struct side *side)
{
    const struct side *other = other_of(query, side);
    unsigned           room  = 0;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++)
        room += query->exchanges[i].state == EXCHANGE_UNUSED;
    return room > 1 || (room == 1 && (other->begun || !is_possible(query, other)));
}

/* ---- one side ---- */

struct plan plan_side(struct query *query, const struct side *side, msec_t now) /* [2] [3] */
{
    if (!side->begun || side->over)
        return (struct plan){.step = PLAN_SPENT, .due = MSEC_NEVER};
    const struct tally tally = tally_of(query, side);
    if (side->stopped)
        return (struct plan){.step = tally.open > 0 ? PLAN_WAIT : PLAN_SPENT, .due = MSEC_NEVER};
    int      next  = group_pick(group_of(query, side), side->tried, now);
    unsigned share = query->most / 2;
    bool     wait  = tally.hopeful > 0 && !side->hurry;
    if (next >= 0 && has_room(query, side) && may_send(query, side, share > 1 ? share - 1 : 1, now))
        return (struct plan){
            .step = PLAN_ASK, .due = wait ? side->last_asked + side->wait : now, .server = (unsigned) next};
    /* to where the network says that nobody is only what nobody else needs */
    unsigned keep = tally.again && tally.again->hinted ? query->most : share;
    if (tally.again && may_send(query, side, keep, now))
        return (struct plan){.step = PLAN_RESEND, .due = side->last_asked + side->wait, .exchange = tally.again};
    return (struct plan){.step = tally.open > 0 ? PLAN_WAIT : PLAN_SPENT, .due = MSEC_NEVER};
}

/* ---- the second side ---- */

/* A connection that has fallen silent is left for another (net/tcp_ask): where domestic is asked over TCP alone, mostly
 * for what it has answered already, it has the time that this takes. */
static msec_t patience_over_tcp(const struct query *query)
{
    msec_t due = 0;
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (exchange->state == EXCHANGE_OPEN && exchange->transport == TRANSPORT_TCP && !exchange->listens &&
            !exchange->copy && is_hopeful(exchange) && asking_in_side(query, exchange, &query->sides[0]))
            due = msec_max(due, exchange->sent + PATIENCE_TCP);
    }
    return msec_min(due, query->started + query->setup->deadline / 2);
}

msec_t plan_patience(const struct query *query)
{
    msec_t due = query->started + query->route.patience;
    if (query->route.second == SETUP_NO_GROUP || query->route.patience == MSEC_NEVER)
        return MSEC_NEVER;
    if (!asking_external_first(query) && !query->setup->fall_on_timeout)
        return MSEC_NEVER;
    if (query->setup->patience || (query->route.reason != ROUTE_UNKNOWN && query->route.reason != ROUTE_GOOD))
        return due;
    return msec_max(due, patience_over_tcp(query));
}

/* Others have failed, and nobody is left but who is asked already. One that answers others has all the patience that
 * there is: a cold recursion takes its time. */
static msec_t wait_for_last(struct query *query)
{
    const struct tally tally = tally_of(query, &query->sides[0]);
    return tally.well ? query->started + query->route.patience : tally.newest + HEDGE_FAILED;
}

msec_t plan_second(struct query *query, const struct plan *first, msec_t now) /* [4] */
{
    const struct side *side = &query->sides[0];
    if (query->route.second == SETUP_NO_GROUP || query->sides[1].begun || query->bogus_final)
        return MSEC_NEVER;
    if (query->suspense || (query->inner && query->route.second == SETUP_EXTERNAL))
        return MSEC_NEVER;
    if (first->step == PLAN_SPENT)
        return failure_allows(query) || side->forbidden || side->group == SETUP_NO_GROUP ? now : MSEC_NEVER;
    if (query->denied || (query->forged && !asking_external_first(query)))
        return now;
    msec_t due = plan_patience(query);
    if (side->failed > 0 && first->step != PLAN_ASK && failure_allows(query))
        due = msec_min(due, wait_for_last(query));
    return due;
}

/* ---- the whole ---- */

bool plan_is_over(struct query *query, msec_t now)
{
    if (query->bogus_final || query->suspense)
        return query->bogus_final;
    for (size_t i = 0; i < ARRAY_LEN(query->sides); i++) {
        const struct side *side = &query->sides[i];
        if (side->begun && !side->over && (is_awaited(query, side) || plan_side(query, side, now).step != PLAN_SPENT))
            return false;
    }
    return true;
}

bool plan_is_spent(const struct query *query) { return query->sends >= query->most; }
