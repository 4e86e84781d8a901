/*
 * known.h: what byway knows of a name before anybody is asked: a rule, its verdict or a pin, what the canary has shown.
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_KNOWN_H
#define EXPLAIN_KNOWN_H

#include "explain/explanation.h"

/* Never NULL; borrowed from the setup. */
const struct rule *known_rule(const struct explanation *explanation, struct view name, uint16_t type);
struct verdict     known_verdict(const struct explanation *explanation, struct view name, uint16_t type);
/* External is asked for it first, whatever domestic does: a block does it no harm. */
bool known_carries(const struct explanation *explanation, struct view name, uint16_t type);
/* Whether domestic's answers about it are forged, as the canary's study has found. */
enum known_forging {
    KNOWN_UNKNOWN,
    KNOWN_FORGED,
    KNOWN_TRUE,
};
enum known_forging known_forging(const struct explanation *explanation, struct view name);
#endif
