/*
 * histogram.c: see histogram.h.
 */
#include "base/histogram.h"

/* X(ms, seconds as text): close together where it matters to who waits: the patience with domestic, stale answers at
 * 1.8 s, the deadline of 4.5 s. */
#define BOUNDS(X)                                                                                                      \
    X(0, "0.00025")                                                                                                    \
    X(1, "0.001")                                                                                                      \
    X(4, "0.004")                                                                                                      \
    X(16, "0.016")                                                                                                     \
    X(50, "0.05")                                                                                                      \
    X(100, "0.1")                                                                                                      \
    X(250, "0.25")                                                                                                     \
    X(400, "0.4")                                                                                                      \
    X(600, "0.6")                                                                                                      \
    X(900, "0.9")                                                                                                      \
    X(1000, "1")                                                                                                       \
    X(1500, "1.5")                                                                                                     \
    X(2500, "2.5")                                                                                                     \
    X(4500, "4.5")                                                                                                     \
    X(10000, "10")

static const msec_t bounds_ms[HISTOGRAM_BOUNDS] = {
#define X(ms, text) (ms),
    BOUNDS(X)
#undef X
};
const char *const histogram_bounds[HISTOGRAM_BOUNDS] = {
#define X(ms, text) (text),
    BOUNDS(X)
#undef X
};

unsigned histogram_bucket(msec_t took)
{
    unsigned bucket = HISTOGRAM_AT_ONCE + 1;
    while (bucket < HISTOGRAM_BOUNDS && took > bounds_ms[bucket])
        bucket++;
    return bucket;
}

void histogram_add(struct histogram *histogram, msec_t took)
{
    atomic_fetch_add_explicit(&histogram->buckets[histogram_bucket(took)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum, took > 0 ? (uint64_t) took : 0, memory_order_relaxed);
}
