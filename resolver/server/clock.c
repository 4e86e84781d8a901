/*
 * clock.c: see clock.h.
 */
#include "server/clock.h"

#include <time.h>

enum {
    STALL = 100 /* ms; a loaded machine is late by less */
};

static msec_t in_ms(const struct timespec *time) { return (msec_t) time->tv_sec * 1000 + time->tv_nsec / 1000000 + 1; }

msec_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return in_ms(&now);
}

wall_t clock_wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

/* The distance of the two is taken in ns: in ms it would be one more or less by turns, and a time shown at a second's
 * edge with it. */
struct clocks clock_both(void)
{
    struct timespec wall, now;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t apart = (int64_t) (wall.tv_sec - now.tv_sec) * 1000000000 + wall.tv_nsec - now.tv_nsec;
    msec_t  ms    = in_ms(&now);
    return (struct clocks){.now = ms, .wall_ms = ms + apart / 1000000};
}

bool clock_stalled(msec_t due, msec_t now, bool *catching_up)
{
    *catching_up = !*catching_up && now - due > STALL;
    return *catching_up;
}
