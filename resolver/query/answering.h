/*
 * answering.h: a query's part towards the clients and the cache: who gets what, and what is kept.
 *
 * Thread: worker.
 */
#ifndef QUERY_ANSWERING_H
#define QUERY_ANSWERING_H

#include "query/query.h"

/* Gives `answer` to the waiter, who waits no more. */
void answering_give(struct query *query, struct env *env, struct waiter *waiter, struct view answer, enum trace_way way,
                    msec_t now);
/* The same with a stale answer (RFC 8767). False: there is none that may be given, and the waiter still waits. */
bool answering_give_stale(struct query *query, struct env *env, struct waiter *waiter, msec_t now);
/* The same with what there is at the end: a fresh answer that has come by another question, a stale one, one of byway's
 * own, or SERVFAIL with an EDE. */
void answering_give_failure(struct query *query, struct env *env, struct waiter *waiter, msec_t now);
/* Nobody had an answer in time: caches the failure (RFC 9520) and tells the keeper, once for each query. A later good
 * answer replaces it. */
void answering_tell_failure(struct query *query, struct env *env, msec_t now);
/* Keeps `stored`, which came from the group with index `origin`, for `ttl` seconds. What must not be kept, for its TTL of 0 or as a negative answer without SOA (RFC 2308), is put there for those alone who
 * wait for it in another worker. */
void answering_store(struct query *query, struct env *env, const struct judgement *judgement,
                     const struct stored *stored, uint8_t origin, uint32_t ttl, msec_t now);
void answering_count(struct env *env, uint8_t group);

#endif
