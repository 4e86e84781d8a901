/*
 * desk.h: what a thread's queries (or probes) have at hand: the shared parts, the way out, randomness, room to work.
 */
#ifndef QUERY_DESK_H
#define QUERY_DESK_H

#include "query/counters.h"
#include "query/effects.h"
#include "query/setup.h"
#include "query/shared.h"

struct desk {
    struct shared   shared;
    unsigned        reader; /* of the cache: number of the thread */
    struct effects  effects;
    struct setup   *setup; /* the current one; counted */
    struct rng      rng;
    struct counters counters;
    msec_t          last_sample[LIMIT_GROUPS]; /* when OBSERVED_SAMPLE was last told of it */
    msec_t          last_below;                /* when OBSERVED_CUT was last told without a zone */
    uint8_t         packed[STORED_MAX];
    uint8_t         out[LIMIT_TCP_MESSAGE];
};

/* Of what begins now. */
static inline uint64_t desk_epoch(const struct desk *desk)
{
    return epoch_of(table_epoch(desk->shared.table), desk->setup->serial);
}

/* True if what began in that epoch still counts. */
static inline bool desk_epoch_holds(const struct desk *desk, uint64_t epoch)
{
    return epoch_holds(table_epoch(desk->shared.table), epoch);
}

/* A read of the cache now, by this thread. */
static inline struct cache_read desk_read(const struct desk *desk, msec_t now, bool allow_stale)
{
    return (struct cache_read){.now             = now,
                               .reader          = desk->reader,
                               .allow_stale     = allow_stale,
                               .external_origin = SETUP_EXTERNAL,
                               .external_ede    = EDE_EXTERNAL};
}

#endif
