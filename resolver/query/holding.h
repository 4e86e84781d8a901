/*
 * holding.h: domestic's answer, held back until the canary (learn/forging.h) has had its time, and set aside where the
 * border forges the domain.
 *
 *   1. A question of a domain that was not tried lately has the canary asked about its name, and domestic's answer to it
 *      is held until setup->wait after that. What domestic takes anyway costs nothing more. Questions that meet the
 *      domain within that time are held to the same end; further names of the domain are tried, unheld.
 *   2. The canary has answered: the keeper looks into it whether domestic is deceived, or external, whose recursion may
 *      cross the border inwards; so long domestic's answer is held, for FORGING_OPEN at most. Then it is given out, or
 *      set aside, and external asked as if domestic had failed. What external says is given out, unless it is a denial
 *      without SOA, as injectors make them; it is not kept, for nothing is known of the zone yet.
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
/* A usable reply: true if it is domestic's and must not be given out, or not yet. What is worth keeping was kept. */
bool holding_takes(struct query *query, struct env *env, struct exchange *exchange, struct view packet, msec_t now);
/* False: what domestic says of it may be forged, as far as is known by now. */
bool holding_believes(const struct query *query, const struct env *env, msec_t now);

/* What is held has its time, or the canary has answered meanwhile. True: it is domestic's answer, to be given. */
bool holding_ends(struct query *query, struct env *env, msec_t now);
/* When holding_ends() is wanted; MSEC_NEVER: nothing is held that time may free. */
msec_t holding_due(const struct query *query, msec_t now);
/* Something is held and may be given out yet: nobody else need be asked. */
static inline bool holding_waits(const struct query *query) { return query->held.bytes && !query->forged; }
void               holding_drop(struct query *query);

#endif
