/*
 * batch.h: mass events. Zones that become blocked in a burst form a batch: it is the border that has changed, not the
 * zones, and what came together goes together. A few of them, the sentinels, are rechecked often; when several of
 * these are found open, the whole batch is due.
 *
 * CONSTANTS
 *   BATCH_BURST 20, BATCH_WINDOW 60 s
 *     so many zones within that time make a batch; it takes in more until one comes more than BATCH_WINDOW after the
 *     last
 *   BATCH_SENTINELS 3, BATCH_OPEN 2
 *     zones of it that are rechecked often; so many of them open, and the batch is
 *   BATCH_FIRST 30 s, BATCH_MAX 10 min
 *     between two rechecks of a sentinel: while the batch is young, for a link that broke for minutes; and at most.
 *     Between the two it is a twentieth of the batch's age: the lag is small beside the block, and an old batch costs
 *     next to nothing
 *   BATCH_SPREAD 60 s
 *     over which the rechecks of a batch that opened are spread
 *
 * Thread: keeper.
 */
#ifndef LEARN_BATCH_H
#define LEARN_BATCH_H

#include "learn/table.h"

enum {
    BATCH_BURST     = 20,
    BATCH_SENTINELS = 3,
    BATCH_OPEN      = 2,
    BATCHES         = 16, /* remembered at once; the one that was added to longest ago gives way */
};
enum { /* ms */
    BATCH_WINDOW = 60 * 1000,
    BATCH_FIRST  = 30 * 1000,
    BATCH_MAX    = 10 * 60 * 1000,
    BATCH_SPREAD = 60 * 1000,
};

struct batch {
    uint16_t     number;      /* that its zones have; 0: unused */
    msec_t       began, last; /* when the first, the last zone was added */
    unsigned     zones;       /* added so far */
    unsigned     open;        /* bit n: sentinel n was open at its last recheck; it may be clear and gone since */
    struct zone *sentinels[BATCH_SENTINELS];
};

struct batches {
    struct batch list[BATCHES];
    uint16_t     newest;              /* number given last; a forgotten one's zones are in no batch */
    struct zone *recent[BATCH_BURST]; /* ring of the zones blocked last; NULL: gone since */
    msec_t       recent_at[BATCH_BURST];
    unsigned     next; /* in the ring */
};

/* `zone` has become blocked. Returns the batch that it is in now, or NULL. */
const struct batch *batches_on_blocked(struct batches *batches, struct zone *zone, msec_t now);
/* A recheck of `zone` was good, or failed. True: the whole batch has opened, and is no more; the numbers of its zones
 * are the caller's to clear. */
bool batches_on_recheck(struct batches *batches, const struct zone *zone, bool good);
/* `zone` leaves the table, or is not blocked any more. */
void batches_on_gone(struct batches *batches, struct zone *zone);

/* The time between two rechecks, if the zone is a sentinel; else MSEC_NEVER. */
msec_t batches_interval(struct batches *batches, const struct zone *zone, msec_t now);
/* The sentinel whose recheck is due longest; NULL: none is. */
struct zone *batches_due(const struct batches *batches, msec_t now);

#endif
