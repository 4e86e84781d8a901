/*
 * failure.h: why a question has no answer, and what follows from that: one list, from which the client is told, the
 * failure is remembered (RFC 9520), and a stale answer is given or not. Pure.
 *
 * Thread: pure.
 */
#ifndef CACHE_FAILURE_H
#define CACHE_FAILURE_H

#include "base/types.h"
#include "dns/message.h"

enum failure {
#define FAILURE(symbol, word, ede, hold, stale, forgiven) FAILURE_##symbol,
#include "cache/failure.def"
#undef FAILURE
    FAILURE_COUNT,
    FAILURE_NONE = FAILURE_COUNT
};

enum failure_hold {
    HOLD_NOT,
    HOLD_OURS,     /* 1 s: a limit of our own (RFC 9520, 3.2: at least 1 s) */
    HOLD_SILENCE,  /* 5 s, each time: the network's fault, no name may be held back longer than the outage lasts */
    HOLD_DOUBLING, /* 5 s, doubling up to 5 min while failures follow each other (the same) */
};

struct failure_traits {
    int               ede;
    enum failure_hold hold;
    bool              stale, forgiven;
};

static inline struct failure_traits failure_traits(enum failure failure)
{
    static const struct failure_traits traits[] = {
#define FAILURE(symbol, word, ede, hold, stale, forgiven) {ede, hold, stale, forgiven},
#include "cache/failure.def"
#undef FAILURE
    };
    return traits[failure];
}

#endif
