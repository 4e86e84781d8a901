/*
 * external_rate.c: see external_rate.h. Relaxed order is enough: nothing but a word itself is told between threads.
 */
#include "policy/external_rate.h"

#define SECOND ((int64_t) 1000000000) /* ns */
#define MILLISECOND ((int64_t) 1000000)

/* Of one question, ns; rounded up, so that the rate is never exceeded. */
static int64_t period(uint32_t per_second) { return (SECOND + per_second - 1) / per_second; }

/* Of the whole bucket, ns. */
static int64_t depth(uint32_t per_second)
{
    return period(per_second) * (per_second > EXTERNAL_RATE_LEAST ? per_second : EXTERNAL_RATE_LEAST);
}

/* Of a zone's part, ns; it holds half of EXTERNAL_RATE_LEAST at least, however low the rate. */
static int64_t part_period(uint32_t per_second) { return period(per_second) * EXTERNAL_RATE_PART; }

static int64_t part_depth(uint32_t per_second)
{
    uint32_t part = per_second / EXTERNAL_RATE_PART;
    return part_period(per_second) * (part > EXTERNAL_RATE_LEAST / 2 ? part : EXTERNAL_RATE_LEAST / 2);
}

void external_rate_init(struct external_rate *quota, uint32_t per_second)
{
    atomic_init(&quota->full_at, 0);
    for (unsigned i = 0; i < EXTERNAL_RATE_ZONES; i++)
        atomic_init(&quota->zones[i], 0);
    atomic_init(&quota->per_second, per_second);
}

/* A slower bucket takes longer to fill: its time is no debt of the new one. */
static void limit_debt(_Atomic int64_t *full_at, int64_t empty)
{
    int64_t is = atomic_load_explicit(full_at, memory_order_relaxed);
    while (is > empty &&
           !atomic_compare_exchange_weak_explicit(full_at, &is, empty, memory_order_relaxed, memory_order_relaxed))
        ;
}

void external_rate_set_rate(struct external_rate *quota, uint32_t per_second, msec_t now)
{
    atomic_store_explicit(&quota->per_second, per_second, memory_order_relaxed);
    limit_debt(&quota->full_at, now * MILLISECOND + depth(per_second));
    for (unsigned i = 0; i < EXTERNAL_RATE_ZONES; i++)
        limit_debt(&quota->zones[i], now * MILLISECOND + part_depth(per_second));
}

/* `cost`: ns; `missing`: ns that may be missing once it was taken. */
static bool take(_Atomic int64_t *full_at, int64_t cost, int64_t missing, int64_t time)
{
    int64_t is = atomic_load_explicit(full_at, memory_order_relaxed);
    int64_t after;
    do {
        after = (is > time ? is : time) + cost;
        if (after - time > missing)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(full_at, &is, after, memory_order_relaxed, memory_order_relaxed));
    return true;
}

bool external_rate_take(struct external_rate *quota, bool confirmed, uint8_t zone, msec_t now)
{
    uint32_t rate = atomic_load_explicit(&quota->per_second, memory_order_relaxed);
    int64_t  time = now * MILLISECOND;
    if (take(&quota->full_at, period(rate), depth(rate) / 2, time))
        return true;
    if (!confirmed || !take(&quota->full_at, period(rate), depth(rate), time))
        return false;
    if (take(&quota->zones[zone], part_period(rate), part_depth(rate), time))
        return true;
    atomic_fetch_sub_explicit(&quota->full_at, period(rate), memory_order_relaxed);
    return false;
}
