/*
 * clocks.c: see clocks.h.
 */
#include "base/clocks.h"

enum {
    MIDDLE = 500 /* ms into the second: the two clocks are never read in the same ms, and at the second's edge a time
                    would be shown now as this second, now as the one before */
};

wall_t clocks_wall(const struct clocks *clocks, msec_t when)
{
    if (when == MSEC_NEVER)
        return WALL_NEVER;
    int64_t ms = clocks->wall_ms + (when - clocks->now);
    return ms / 1000 - (ms % 1000 < 0);
}

msec_t clocks_msec(const struct clocks *clocks, wall_t when)
{
    if (when == WALL_NEVER)
        return MSEC_NEVER;
    const wall_t century = (wall_t) 100 * 365 * 86400; /* what lies further off is nonsense; no overflow then */
    wall_t       wall    = clocks->wall_ms / 1000;
    wall_t       near    = when > wall + century ? wall + century : when < wall - century ? wall - century : when;
    return clocks->now + near * 1000 + MIDDLE - clocks->wall_ms;
}
