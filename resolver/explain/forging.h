/*
 * forging.h: whether what domestic says of the domain was forged on the way: by domestic's own words, by what byway has
 * found out before, or by the canary, if the sides contradict each other.
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_FORGING_H
#define EXPLAIN_FORGING_H

#include "explain/explanation.h"

/* Sets explanation->is_forged. `soa`: of the domain. */
void forging_look(struct explanation *explanation, const struct pair *soa);

#endif
