/*
 * asking.h: a query's part towards the upstreams: which one is asked next, when the other group is asked too. It knows
 * nothing of clients, cache and evidence. Only query.c, answering.c and evidence.c call it.
 */
#ifndef QUERY_ASKING_H
#define QUERY_ASKING_H

#include "query/query.h"

struct side *asking_side(struct query *query, const struct exchange *exchange);
bool         asking_in_side(const struct query *query, const struct exchange *exchange, const struct side *side);
bool         asking_is_domestic(const struct query *query, const struct exchange *exchange); /* false: unused, too */
bool         asking_external_first(const struct query *query);

/* Step 1, by the query's route, from which a group that must not be asked is taken. */
void asking_begin(struct query *query, struct desk *desk, msec_t now);
/* Steps 2 to 4: whatever is due now, on both sides. */
void asking_go_on(struct query *query, struct desk *desk, msec_t now);
/* The same upstream once more, by that transport, with or without EDNS; without sends left it has failed. */
void asking_again(struct query *query, struct desk *desk, struct exchange *exchange, enum transport transport,
                  bool edns, msec_t now);
/* The exchange is DONE and of no use: the next upstream need not wait. */
void asking_failed(struct query *query, struct desk *desk, struct exchange *exchange);
/* Gives up the exchange's socket, if there is one. */
void asking_release(struct desk *desk, struct exchange *exchange);

/* When asking_go_on() is wanted. */
msec_t asking_deadline(const struct query *query);

#endif
