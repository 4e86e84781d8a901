/*
 * pair.h: one question, asked of both sides.
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_PAIR_H
#define EXPLAIN_PAIR_H

#include "explain/fact.h"

struct explanation;

/* NULL: it was left out. */
struct pair {
    struct name        name;
    uint16_t           type;
    const struct fact *domestic, *external;
};

/* Of the side that answers, where domestic is known to fail in that zone. */
struct pair pair_ask_external(struct explanation *explanation, struct view name, uint16_t type);
struct pair pair_ask(struct explanation *explanation, struct view name, uint16_t type);
/* Nothing more is to come of it. */
static inline bool pair_is_settled(const struct pair *pair)
{
    return !fact_is_waited_for(pair->domestic) && !fact_is_waited_for(pair->external);
}
/* The word to go by: domestic's where it is usable and nothing speaks against it, else external's, which is gone by
 * while domestic's is waited for, too: a silent side must not hold up what depends on it. NULL: neither is usable, or
 * it is not known yet. */
const struct fact *pair_best(const struct explanation *explanation, const struct pair *pair);
/* Domestic fails, external answers. */
bool pair_divides(const struct pair *pair);
/* Whoever was asked has failed, and somebody was. */
bool pair_fails(const struct pair *pair);
/* "domestic: timeout; external: servfail (no reachable authority)" */
#define PAIR_TEXT_MAX 160
const char *pair_failure(const struct pair *pair, char text[PAIR_TEXT_MAX]);

#endif
