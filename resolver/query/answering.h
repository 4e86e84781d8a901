/*
 * answering.h: a query's part towards the clients and the cache: who gets what, and what is kept. Only query.c calls
 * it.
 */
#ifndef QUERY_ANSWERING_H
#define QUERY_ANSWERING_H

#include "query/query.h"

/* The asker has waited long enough. */
void answering_give(struct query *query, struct desk *desk, struct asker *asker, struct view answer);
/* The same with a stale answer (RFC 8767), or SERVFAIL with an EDE. */
void answering_give_failure(struct query *query, struct desk *desk, struct asker *asker, msec_t now);
/* Nobody had an answer in time: caches the failure (RFC 9520) and tells the keeper, once for each query. A later good
 * answer replaces it. */
void answering_tell_failure(struct query *query, struct desk *desk, msec_t now);
/* Keeps what desk->packed holds, `len` bytes with a message of `message_len`, from the group with index `origin`; no
 * negative answer without SOA (RFC 2308). */
void answering_store(struct query *query, struct desk *desk, const struct kind *kind, uint8_t origin,
                     size_t message_len, size_t len, uint32_t ttl, msec_t now);
void answering_count(struct desk *desk, uint8_t group);

#endif
