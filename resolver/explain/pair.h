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
    const struct fact *other; /* of the group that a rule sends it to, which is neither; then its word is the one */
    bool is_trusted;          /* domestic's word is true, as the canary's study has found: external's may be forged */
};

/* Of the side that answers, where domestic is known to fail in that zone. */
struct pair pair_ask_external(struct explanation *explanation, struct view name, uint16_t type);
struct pair pair_ask(struct explanation *explanation, struct view name, uint16_t type);
/* Nothing more is to come of it. */
static inline bool pair_is_settled(const struct pair *pair)
{
    return !fact_is_waited_for(pair->domestic) && !fact_is_waited_for(pair->external) &&
           !fact_is_waited_for(pair->other);
}
/* The word to go by: domestic's where it is usable, denies nothing that external has, and is not forged, as far as is
 * known of the name; else external's, which is gone by
 * while domestic's is waited for, too: a silent side must not hold up what depends on it. NULL: neither is usable, or
 * it is not known yet. */
const struct fact *pair_best(const struct explanation *explanation, const struct pair *pair);
/* A question whose failure no mail server that is sent mail minds: DMARC, TLSA. */
bool pair_is_minor(struct view name, uint16_t type);
/* Domestic denies the name, external does not, and nothing says that domestic's word is the true one. */
bool pair_is_denied(const struct pair *pair);
/* Domestic fails, or denies the name, and external answers. */
bool pair_divides(const struct pair *pair);
/* All who may be asked were, and failed. What was left out, for a bound, is no failure. */
bool pair_fails(const struct pair *pair);
/* It fails, and only a fence has kept external from being asked. */
bool pair_is_fenced_in(const struct pair *pair);
/* "domestic: timeout; external: servfail (no reachable authority)" */
#define PAIR_TEXT_MAX 160
const char *pair_failure(const struct pair *pair, char text[PAIR_TEXT_MAX]);

#endif
