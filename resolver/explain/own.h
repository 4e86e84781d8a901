/*
 * own.h: what byway itself has to do with it: verdicts, pins, rules, a failure in the cache; and whether its upstreams answer
 * at all.
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_OWN_H
#define EXPLAIN_OWN_H

#include "explain/explanation.h"

/* Says what is known of each zone of the list, and whether a side is down. */
void own_look(struct explanation *explanation);
/* Domains that have nothing to do with the one asked about: their SOA, of domestic and external. */
struct pair own_unrelated(struct explanation *explanation, unsigned i);
/* Nothing at all was answered by that side. */
bool own_is_down(const struct explanation *explanation, enum party party);

#endif
