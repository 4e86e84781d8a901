/*
 * record.h: one zone as bytes, for the journal (docs/state.md). Times become calendar seconds.
 *
 * Thread: keeper.
 */
#ifndef LEARN_RECORD_H
#define LEARN_RECORD_H

#include "base/clocks.h"
#include "learn/learner.h"

enum {
    RECORD_MAX = 1024
};

/* Writes a zone, or that it was removed. Returns the length; `out` holds RECORD_MAX. */
size_t record_write(const struct zone *zone, bool removed, const struct clocks *clocks, uint8_t *out);

/* Applies a record to the learner. False: not a record of this version, or no memory; nothing was changed. */
bool record_apply(struct view record, const struct clocks *clocks, struct learner *learner);

#endif
