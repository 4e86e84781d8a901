/*
 * env.h: what a thread's queries (or probes) have at hand: the shared parts, the way out, randomness, room to work.
 *
 * Thread: owner: worker or keeper.
 */
#ifndef CORE_ENV_H
#define CORE_ENV_H

#include "core/counters.h"
#include "core/effects.h"
#include "core/responses.h"
#include "core/setup.h"
#include "core/shared.h"

struct env {
    struct shared    shared;
    unsigned         reader; /* of the cache: number of the thread */
    struct effects   effects;
    struct setup    *setup; /* the current one; counted */
    struct rng       rng;
    struct counters  counters;
    struct responses responses;
    msec_t           last_sample[LIMIT_GROUPS]; /* when OBSERVED_SAMPLE was last told of it */
    msec_t           last_below;                /* when OBSERVED_CUT was last told without a zone */
    uint8_t          packed[STORED_MAX];
    uint8_t          out[LIMIT_TCP_MESSAGE];
};

/* Of what begins now. */
static inline uint64_t env_epoch(const struct env *env)
{
    return epoch_of(table_epoch(env->shared.table), env->setup->serial);
}

/* True if what began in that epoch still counts. */
static inline bool env_epoch_holds(const struct env *env, uint64_t epoch)
{
    return epoch_holds(table_epoch(env->shared.table), epoch);
}

/* A read of the cache now, by this thread. */
static inline struct cache_read env_read(const struct env *env, msec_t now, bool allow_stale)
{
    return (struct cache_read){.now             = now,
                               .reader          = env->reader,
                               .allow_stale     = allow_stale,
                               .external_origin = SETUP_EXTERNAL,
                               .external_ede    = EDE_EXTERNAL};
}

#endif
