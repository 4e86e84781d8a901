/*
 * evidence.h: what a query's exchanges say about a zone, told to the keeper. Only query.c and answering.c call it.
 */
#ifndef QUERY_EVIDENCE_H
#define QUERY_EVIDENCE_H

#include "query/query.h"

/* `kind`: of external's answer; NULL: there is none. */
void evidence_tell(const struct query *query, struct desk *desk, enum observed what, enum zone_reason reason,
                   const struct kind *kind);
/* False: whatever becomes of it says nothing about a zone. */
bool evidence_wanted(const struct query *query);
/* How domestic failed. */
enum zone_reason evidence_reason(const struct query *query);
/* False: the network said of every domestic upstream that it is not there. */
bool evidence_domestic_reached(const struct query *query);
/* A blocklist answered with an error code: counts it, and complains where a complaint is due. */
void evidence_list_error(struct query *query, struct desk *desk, const struct exchange *exchange, uint8_t code,
                         msec_t now);
/* A domestic upstream answered. */
void evidence_domestic_fine(struct query *query, struct desk *desk, const struct kind *kind, msec_t now);

/* External answered first, because a zone is blocked: what it showed of a zone below that one. */
void evidence_external_first(const struct query *query, struct desk *desk, const struct kind *kind);

#endif
