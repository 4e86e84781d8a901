/*
 * observing.h: what a query's exchanges say about a zone, told to the keeper.
 *
 * Thread: worker.
 */
#ifndef QUERY_OBSERVING_H
#define QUERY_OBSERVING_H

#include "query/query.h"

/* `judgement`: of external's answer; NULL: there is none. */
void observing_tell(const struct query *query, struct env *env, enum observed what, enum zone_reason reason,
                    const struct judgement *judgement);
/* False: whatever becomes of it says nothing about a zone. */
bool observing_wanted(const struct query *query);
/* How domestic failed. */
enum zone_reason observing_reason(const struct query *query);
/* False: the network said of every domestic upstream that it is not there. */
bool observing_domestic_reached(const struct query *query);
/* A blocklist answered with an error, `address`: counts it, and complains where a complaint is due. */
void observing_list_error(struct query *query, struct env *env, const struct exchange *exchange, struct view address,
                          msec_t now);
/* A domestic upstream answered; `late`: behind external's answer. */
void observing_domestic_fine(struct query *query, struct env *env, bool late, msec_t now);
/* An upstream of query->answered_by answered: now and then the question is told, for probes of that group. */
void observing_sample(const struct query *query, struct env *env, const struct judgement *judgement, msec_t now);
/* True if what domestic still has to say about the question is evidence. */
bool observing_awaited(const struct query *query);

/* External answered first, because a zone is blocked: a name below that one may be in another zone, which is not. */
void observing_external_first(const struct query *query, struct env *env, const struct judgement *judgement,
                              msec_t now);

#endif
