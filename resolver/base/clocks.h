/*
 * clocks.h: from the clock of a process to the calendar and back. Pure.
 *
 * Thread: pure.
 */
#ifndef BASE_CLOCKS_H
#define BASE_CLOCKS_H

#include "base/types.h"

struct clocks { /* the same moment on both clocks */
    msec_t  now;
    int64_t wall_ms; /* not seconds: a time would be shown now as one second and now as the next */
};

/* The second that `when` falls into, and the middle of a second; so a time that went to the disk and back is shown as
 * before, however often. MSEC_NEVER is WALL_NEVER. */
wall_t clocks_wall(const struct clocks *clocks, msec_t when);
msec_t clocks_msec(const struct clocks *clocks, wall_t when);

#endif
