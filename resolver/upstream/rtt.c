/*
 * rtt.c: see rtt.h.
 */
#include "upstream/rtt.h"

#define RELAXED memory_order_relaxed

void rtt_update(struct rtt *rtt, msec_t measured)
{
    uint32_t sample = (uint32_t) msec_clamp(measured, 1, 60000);
    uint32_t srtt   = atomic_load_explicit(&rtt->srtt, RELAXED);
    if (srtt == 0) {
        atomic_store_explicit(&rtt->srtt, sample * 8, RELAXED);
        atomic_store_explicit(&rtt->rttvar, sample * 2, RELAXED);
        return;
    }
    uint32_t rttvar = atomic_load_explicit(&rtt->rttvar, RELAXED);
    uint32_t apart  = srtt / 8 > sample ? srtt / 8 - sample : sample - srtt / 8;
    atomic_store_explicit(&rtt->rttvar, rttvar - rttvar / 4 + apart, RELAXED);
    srtt = srtt - srtt / 8 + sample;
    atomic_store_explicit(&rtt->srtt, srtt ? srtt : 1, RELAXED);
}

bool rtt_known(const struct rtt *rtt) { return atomic_load_explicit(&rtt->srtt, RELAXED) != 0; }

msec_t rtt_smoothed(const struct rtt *rtt) { return (atomic_load_explicit(&rtt->srtt, RELAXED) + 7) / 8; }

msec_t rtt_variance(const struct rtt *rtt) { return (atomic_load_explicit(&rtt->rttvar, RELAXED) + 3) / 4; }

msec_t rtt_timeout(const struct rtt *rtt, msec_t unknown)
{
    return rtt_known(rtt) ? rtt_smoothed(rtt) + 4 * rtt_variance(rtt) : unknown;
}
