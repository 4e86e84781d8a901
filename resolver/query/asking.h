/*
 * asking.h: a query's part towards the upstreams: carries out what plan.h says, and keeps the books of its sides. It
 * knows nothing of clients, cache and evidence.
 *
 * Thread: worker.
 */
#ifndef QUERY_ASKING_H
#define QUERY_ASKING_H

#include "query/query.h"

static inline struct side *asking_side(struct query *query, const struct exchange *exchange)
{
    return &query->sides[exchange->part];
}

static inline bool asking_in_side(const struct query *query, const struct exchange *exchange, const struct side *side)
{
    return exchange->state != EXCHANGE_UNUSED && side == &query->sides[exchange->part];
}

/* False: it is unused, too. */
static inline bool asking_is_domestic(const struct query *query, const struct exchange *exchange)
{
    return exchange->state != EXCHANGE_UNUSED && query->sides[exchange->part].group == SETUP_DOMESTIC;
}

static inline bool asking_external_first(const struct query *query) { return query->sides[0].group == SETUP_EXTERNAL; }

/* External's own answer is forged. */
static inline bool asking_external_lies(const struct query *query)
{
    for (size_t i = 0; i < QUERY_EXCHANGES; i++) {
        const struct exchange *exchange = &query->exchanges[i];
        if (exchange->state == EXCHANGE_DONE && exchange->outcome == OUTCOME_FORGED &&
            !asking_is_domestic(query, exchange))
            return true;
    }
    return false;
}

/* Step 1, by the query's route, from which a group that must not be asked is taken. */
void asking_begin(struct query *query, struct env *env, msec_t now);
/* Steps 2 to 4: whatever is due now, on both sides. */
void asking_go_on(struct query *query, struct env *env, msec_t now);
/* When asking_expire(), and asking_go_on() or asking_linger(), are wanted. */
msec_t asking_deadline(struct query *query, msec_t now);

/* True if nothing was sent lately. */
bool asking_is_still(const struct query *query, msec_t now);
/* Somebody asks the same who may be asking again: what has been silent for as long as one waits is sent once more. */
void asking_hurry(struct query *query, struct env *env, msec_t now);

/* The exchange is to be sent again, as it now stands; without datagrams left it has failed. */
void asking_again(struct query *query, struct env *env, struct exchange *exchange, msec_t now);
/* ICMP, or a TCP connection that came to nothing. */
void asking_unreachable(struct query *query, struct env *env, struct exchange *exchange, enum transport transport,
                        msec_t now);
/* The exchange is DONE and of no use: the next upstream need not wait. */
void asking_failed(struct query *query, struct env *env, struct exchange *exchange);
/* Those that came to their end without a reply have failed. */
void asking_expire(struct query *query, struct env *env, msec_t now);

/* The question was answered; what is still open is awaited no more, but for what it says of the upstreams, and,
 * `evidence`, of the zone. True: something is. */
bool asking_linger(struct query *query, struct env *env, bool evidence, msec_t now);
/* Nobody has answered in time. Who was silent while the other side spoke, or was not asked, may be gone; where both
 * were silent it is the name. */
void asking_lost(struct query *query);
/* An upstream of the side that has answered has failed, or was silent, by this exchange. */
void asking_outdone(struct query *query, struct exchange *exchange);

#endif
