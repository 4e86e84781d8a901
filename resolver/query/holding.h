/*
 * holding.h: answers held back until the canary (learn/forging.h) has had its time, and set aside where the border forges
 * the domain.
 *
 *   1. A question of a domain that was not tried lately has the canary asked about its name, and answers to it are held
 *      until setup->wait after that. What domestic takes anyway costs nothing more. Questions that meet the domain
 *      within that time are held to the same end; further names of the domain are tried, unheld.
 *   2. The canary has answered: the keeper looks into it who is deceived, domestic, or external, whose recursion may
 *      cross the border inwards. So long answers are held, for FORGING_OPEN at most, and the other side is not asked.
 *      Then what is held of a side that is believed is given out; what one says that is not is set aside, as if it had
 *      failed, and the other one asked. It is not kept: nothing is known of the zone yet. A denial of external's without
 *      SOA, as injectors make them, is no answer then.
 *   3. External's own answer is forged, and nobody is left who may have another: what domestic has said stands.
 *   4. Of a zone that is known to be forged the same holds.
 *
 * Thread: worker.
 */
#ifndef QUERY_HOLDING_H
#define QUERY_HOLDING_H

#include "query/query.h"

enum {
    HOLDING_LOOK = 20 /* ms between two looks whether the keeper knows more */
};

/* Once its route is known. */
void holding_begin(struct query *query, struct env *env, msec_t now);
/* A usable reply: true if it must not be given out, or not yet. What is worth keeping was kept. */
bool holding_takes(struct query *query, struct env *env, struct exchange *exchange, struct view packet, msec_t now);
/* False: what domestic says of it may be forged, as far as is known by now. */
bool holding_believes(const struct query *query, const struct env *env, msec_t now);

/* Looks at what the keeper knows by now. Once the suspense is over: what was held and may be given out; else NULL. */
struct holding *holding_look(struct query *query, struct env *env, msec_t now);
/* Of point 3; NULL: domestic has said nothing. */
struct holding *holding_stands(struct query *query);
/* When holding_look() is wanted. */
msec_t holding_due(const struct query *query, msec_t now);
void   holding_drop(struct query *query);

#endif
