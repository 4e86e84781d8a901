/*
 * replying.h: what a reply means for the query that it was for: the answer to all who wait, a failure after which the
 * next one is asked, or, behind the answer, evidence.
 *
 * Thread: worker.
 */
#ifndef QUERY_REPLYING_H
#define QUERY_REPLYING_H

#include "query/query.h"

/* The exchange, one of the query's, is DONE by it. */
void replying_on_reply(struct query *query, struct env *env, struct exchange *exchange, const struct message *reply,
                       const struct judgement *judgement, msec_t now);

/* What was held is the answer; it is held no more. */
void replying_on_held(struct query *query, struct env *env, struct holding *held, msec_t now);

#endif
