/*
 * epoch.h: one number that changes whenever what was begun before must leave nothing behind: a reload, a word of the
 * operator's about a zone, the return of an upstream that was down. What began in an earlier epoch may still answer who
 * waits for it, but neither its answer nor its failure is kept, it is no evidence, and nobody new waits for it.
 *
 * The upper half is the serial of the setup in force, the lower half counts the rest. A thread that has not got a new
 * setup yet goes on with the old one, whose serial never comes back: so nothing that it begins is of the present epoch.
 *
 * Any thread reads. One thread, the keeper, writes, and changes the epoch before it flushes caches: whoever stores
 * something looks afterwards whether the epoch has changed, so that one of the two finds it.
 *
 * Thread: any; the keeper alone changes it.
 */
#ifndef BASE_EPOCH_H
#define BASE_EPOCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct epoch {
    _Atomic uint64_t now;
};

#define EPOCH_COUNT UINT64_C(0xffffffff)

/* The epoch of what begins now under the setup with that serial. */
static inline uint64_t epoch_of(const struct epoch *epoch, uint32_t serial)
{
    return (uint64_t) serial << 32 | (atomic_load(&epoch->now) & EPOCH_COUNT);
}

/* True if what began in `epoch_then` still counts. */
static inline bool epoch_holds(const struct epoch *epoch, uint64_t epoch_then)
{
    return atomic_load(&epoch->now) == epoch_then;
}

static inline void epoch_turn(struct epoch *epoch)
{
    uint64_t now = atomic_load(&epoch->now);
    atomic_store(&epoch->now, (now & ~EPOCH_COUNT) | ((now + 1) & EPOCH_COUNT));
}

/* The setup with that serial is in force. */
static inline void epoch_set_setup(struct epoch *epoch, uint32_t serial)
{
    atomic_store(&epoch->now, epoch_of(epoch, serial));
}

#endif
