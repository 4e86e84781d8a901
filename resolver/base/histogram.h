/*
 * histogram.h: how often something took how long, in buckets that fit both a cache and a lookup that fell back.
 *
 * Times are those of the callers' clock, whole ms. The lowest bucket, up to 0.25 ms, is finer than that: it has what was
 * done at once, without waiting for anything.
 *
 * Thread: pure; histogram_add() any.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include "base/types.h"

#include <stdatomic.h>

enum {
    HISTOGRAM_BOUNDS  = 15,
    HISTOGRAM_BUCKETS = HISTOGRAM_BOUNDS + 1, /* the last: beyond all bounds */
    HISTOGRAM_AT_ONCE = 0,
};

/* Each bucket's upper bound, which is in it: seconds, as text. */
extern const char *const histogram_bounds[HISTOGRAM_BOUNDS];

struct histogram {
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS]; /* of each alone, not of it and all below */
    _Atomic uint64_t sum;                        /* ms */
};

/* The bucket of what took so many ms and was not done at once. */
unsigned histogram_bucket(msec_t took);

/* Any thread may; relaxed. What is below 0 is 0. */
void histogram_add(struct histogram *histogram, msec_t took);

#endif
