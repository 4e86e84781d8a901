/*
 * timers.h: deadlines in a binary heap. It knows no clock: the caller sleeps until timers_next()
 * and takes what is due. A timer is embedded in its owner and belongs to one heap at a time.
 *
 * Thread: owner.
 */
#ifndef BASE_TIMERS_H
#define BASE_TIMERS_H

#include "base/types.h"

struct timer {
    msec_t due;
    size_t place; /* position in the heap + 1; 0: not set */
};

struct timers {
    struct timer **heap; /* owned */
    size_t         count;
    size_t         cap;
};

void timers_init(struct timers *timers);
void timers_fini(struct timers *timers); /* the timers themselves are not touched */

/* Makes room for `count` timers, so that timers_set() up to that many cannot fail. False: no memory. */
bool timers_reserve(struct timers *timers, size_t count);

/* Sets or moves `timer` (zeroed before its first use). Asserts that room was reserved. */
void timers_set(struct timers *timers, struct timer *timer, msec_t due);
void timers_cancel(struct timers *timers, struct timer *timer); /* harmless if not set */

/* When the earliest is due; MSEC_NEVER when none is set. */
msec_t timers_next(const struct timers *timers);

/* Takes one timer with due <= now out of the heap; NULL when there is none. */
struct timer *timers_pop(struct timers *timers, msec_t now);

#endif
