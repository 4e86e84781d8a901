/*
 * own.h: what byway itself makes of a name: its verdict, the operator's pin or rule, a failure in the cache; and whether
 * its upstreams answer at all.
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_OWN_H
#define EXPLAIN_OWN_H

#include "explain/explanation.h"

/* External is asked for it first, whatever domestic does: a block does it no harm. */
bool own_carries(const struct explanation *explanation, struct view name, uint16_t type);
/* Whether domestic's answers about it are forged, as the canary's study has found. */
enum own_forging {
    OWN_UNKNOWN,
    OWN_FORGED,
    OWN_TRUE,
};
enum own_forging own_forging(const struct explanation *explanation, struct view name);
/* Says what is known of each zone of the list, and whether a side is down. */
void own_look(struct explanation *explanation);
/* Domains that have nothing to do with the one asked about: their SOA, of domestic and external. */
struct pair own_unrelated(struct explanation *explanation, unsigned i);
/* Nothing at all was answered by that side. */
bool own_is_down(const struct explanation *explanation, enum party party);

#endif
