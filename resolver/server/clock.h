/*
 * clock.h: the only place where a clock is read.
 */
#ifndef SERVER_CLOCK_H
#define SERVER_CLOCK_H

#include "learn/record.h"

msec_t        clock_now(void);  /* monotonic, ms; never 0 */
wall_t        clock_wall(void); /* calendar, s */
struct clocks clock_both(void);

#endif
