/*
 * responses.h: what clients were answered, by way and rcode, and how long it took them: the counts behind
 * byway_responses_total and byway_response_seconds. One of these for each worker.
 *
 * What is answered at once, out of the cache above all, costs one addition: it needs no clock, for it is in the lowest
 * bucket by its nature.
 *
 * Thread: one writes, any reads.
 */
#ifndef CORE_RESPONSES_H
#define CORE_RESPONSES_H

#include "base/histogram.h"
#include "core/counters.h"
#include "core/trace.h"

/* X(symbol, word): as in a trace, but that the groups are three, so that a reload that names others moves no count. */
#define RESPONSE_WAYS(X)                                                                                               \
    X(CACHE, "cache")                                                                                                  \
    X(STALE, "stale")                                                                                                  \
    X(LOCAL, "local")                                                                                                  \
    X(NONE, "none")                                                                                                    \
    X(DOMESTIC, "domestic")                                                                                            \
    X(EXTERNAL, "external")                                                                                            \
    X(OTHER, "other") /* any group but these */

enum response_way {
#define X(symbol, word) RESPONSE_BY_##symbol,
    RESPONSE_WAYS(X)
#undef X
    RESPONSE_WAY_COUNT
};
extern const char *const response_way_words[RESPONSE_WAY_COUNT];

enum {
    RESPONSE_RCODES = 17 /* four bits, and BADVERS */
};

struct responses {
    _Atomic uint64_t at_once[RESPONSE_WAY_COUNT][RESPONSE_RCODES];
    _Atomic uint64_t waited[RESPONSE_WAY_COUNT][RESPONSE_RCODES];
    struct histogram times[RESPONSE_WAY_COUNT]; /* of those that waited: nothing at once */
};

/* An answer at once, with a code of RESPONSE_RCODES. */
static inline void responses_on_code(struct responses *responses, enum response_way way, unsigned rcode)
{
    COUNT(responses->at_once[way][rcode]);
}

/* The same, with the code that stands in the message. Returns `len`. */
size_t responses_count(struct responses *responses, enum response_way way, const uint8_t *message, size_t len);

/* The client had waited for so many ms. `group`: of TRACE_BY_GROUP. */
void responses_on_waiter(struct responses *responses, enum trace_way way, uint8_t group, unsigned rcode, msec_t took);

/* Any thread; `sum` is its own. */
void responses_add(struct responses *sum, const struct responses *responses);

#endif
