/*
 * terms.h: under which configuration and which words of the operator something began, and since which upstream came
 * back. What began under other terms may still answer who waits for it, but leaves nothing behind: no cached answer or
 * failure, no evidence; and nobody new waits for it.
 */
#ifndef QUERY_TERMS_H
#define QUERY_TERMS_H

#include <stdbool.h>
#include <stdint.h>

struct terms {
    uint64_t setup; /* setup.serial */
    uint64_t turn;  /* table_turn() */
};

static inline bool terms_equal(struct terms a, struct terms b) { return a.setup == b.setup && a.turn == b.turn; }

#endif
