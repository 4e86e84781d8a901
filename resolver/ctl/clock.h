/*
 * clock.h: how time passes.
 *
 * Thread: any.
 */
#ifndef CTL_CLOCK_H
#define CTL_CLOCK_H

#include "base/types.h"

/* Monotonic, and never 0. */
msec_t clock_now(void);

#endif
