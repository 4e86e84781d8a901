/*
 * quota.c: see quota.h. Relaxed order is enough: nothing but the word itself is told between threads.
 */
#include "query/quota.h"

#define SECOND ((int64_t) 1000000000) /* ns */
#define MILLISECOND ((int64_t) 1000000)

/* Of one question, ns; rounded up, so that the rate is never exceeded. */
static int64_t period(uint32_t per_second) { return (SECOND + per_second - 1) / per_second; }

/* Of the whole bucket, ns. */
static int64_t depth(uint32_t per_second)
{
    return period(per_second) * (per_second > QUOTA_LEAST ? per_second : QUOTA_LEAST);
}

static int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }

void quota_init(struct quota *quota, uint32_t per_second)
{
    atomic_init(&quota->full_at, 0);
    atomic_init(&quota->per_second, per_second);
}

void quota_set_rate(struct quota *quota, uint32_t per_second, msec_t now)
{
    int64_t empty   = now * MILLISECOND + depth(per_second);
    int64_t full_at = atomic_load_explicit(&quota->full_at, memory_order_relaxed);
    atomic_store_explicit(&quota->per_second, per_second, memory_order_relaxed);
    /* A slower bucket takes longer to fill: its time is no debt of the new one. */
    while (full_at > empty && !atomic_compare_exchange_weak_explicit(&quota->full_at, &full_at, empty,
                                                                     memory_order_relaxed, memory_order_relaxed))
        ;
}

bool quota_take(struct quota *quota, bool confirmed, msec_t now)
{
    uint32_t rate    = atomic_load_explicit(&quota->per_second, memory_order_relaxed);
    int64_t  time    = now * MILLISECOND;
    int64_t  missing = confirmed ? depth(rate) : depth(rate) / 2; /* ns that may be missing once it was taken */
    int64_t  full_at = atomic_load_explicit(&quota->full_at, memory_order_relaxed);
    int64_t  after;
    do {
        after = max(full_at, time) + period(rate);
        if (after - time > missing)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&quota->full_at, &full_at, after, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}
