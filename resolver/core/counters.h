/*
 * counters.h: see counters.def.
 *
 * Thread: one writes, any reads.
 */
#ifndef CORE_COUNTERS_H
#define CORE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

struct counters {
#define COUNTER(symbol, help) _Atomic uint64_t symbol;
#include "core/counters.def"
#undef COUNTER
};

/* One writer: no locked instruction is needed. */
#define COUNT(counter)                                                                                                 \
    atomic_store_explicit(&(counter), atomic_load_explicit(&(counter), memory_order_relaxed) + 1, memory_order_relaxed)

/* The keeper's. */
struct prober_stats {
    uint64_t strikes, confirmations, confirmed, believed, delegations, cuts, rechecks, broken_checks, controls,
        control_failures, health_probes, skipped, canary_tried, canary_answered;
};

#endif
