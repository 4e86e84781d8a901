/*
 * pick.h: choosing a zone by when it was last used. Use is told by a word that workers write and nobody is told of, so
 * zones are kept in no such order: some are looked at, and one of these is taken. The writer's of the table.
 *
 * Thread: keeper.
 */
#ifndef LEARN_PICK_H
#define LEARN_PICK_H

#include "base/rng.h"
#include "learn/table.h"

enum {
    PICK_DUE    = 256, /* zones looked at for a recheck: an exact choice unless more are due */
    PICK_VICTIM = 16   /* and for one that gives way */
};

/* Of the zones whose `recheck` is due, the one that was used last; NULL: none is due. */
struct zone *pick_due(const struct timers *rechecks, struct rng *rng, msec_t now);
/* Of some zones with a recheck, beginning anywhere, the one that was not used for the longest time; pinned ones never.
 * NULL: there is none. */
struct zone *pick_victim(const struct timers *rechecks, struct rng *rng);

#endif
