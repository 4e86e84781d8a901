/*
 * record.h: one zone as bytes, for the journal (docs/state.md). Times become calendar seconds.
 */
#ifndef LEARN_RECORD_H
#define LEARN_RECORD_H

#include "learn/learner.h"

enum {
    RECORD_MAX = 1024
};

struct clocks { /* the same moment on both clocks */
    msec_t  now;
    int64_t wall_ms; /* not seconds: a time would be shown now as one second and now as the next */
};

/* The second that `when` falls into, and the middle of a second; so a time that went to the disk and back is shown as
 * before, however often. MSEC_NEVER is WALL_NEVER. */
wall_t clocks_wall(const struct clocks *clocks, msec_t when);
msec_t clocks_msec(const struct clocks *clocks, wall_t when);

/* Writes a zone, or that it was removed. Returns the length; `out` holds RECORD_MAX. */
size_t record_write(const struct zone *zone, bool removed, const struct clocks *clocks, uint8_t *out);

/* Applies a record to the learner. False: not a record of this version, or no memory; nothing was changed. */
bool record_apply(struct view record, const struct clocks *clocks, struct learner *learner);

#endif
