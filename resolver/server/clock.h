/*
 * clock.h: the only place where a clock is read.
 *
 * Thread: any.
 */
#ifndef SERVER_CLOCK_H
#define SERVER_CLOCK_H

#include "base/clocks.h"

msec_t        clock_now(void);  /* monotonic, ms; never 0 */
wall_t        clock_wall(void); /* calendar, s */
struct clocks clock_both(void);

/* True, once, if a timer that was due at `due` comes so late at `now` that the thread must have stood still: then the
 * timer is to be set again, because libuv runs timers before it reads sockets, and what lies there is not silence.
 * *catching_up is the caller's memory, false at first. */
bool clock_stalled(msec_t due, msec_t now, bool *catching_up);

#endif
