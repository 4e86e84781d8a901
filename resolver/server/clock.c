/*
 * clock.c: see clock.h.
 */
#include "server/clock.h"

#include <time.h>

enum {
    STALL = 100 /* ms; a loaded machine is late by less */
};

msec_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (msec_t) now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1;
}

wall_t clock_wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

struct clocks clock_both(void)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return (struct clocks){.now = clock_now(), .wall_ms = (int64_t) wall.tv_sec * 1000 + wall.tv_nsec / 1000000};
}

bool clock_stalled(msec_t due, msec_t now, bool *catching_up)
{
    *catching_up = !*catching_up && now - due > STALL;
    return *catching_up;
}
