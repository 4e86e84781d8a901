/*
 * rtt.h: smoothed round-trip time of one upstream (RFC 6298), readable and writable by all threads.
 *
 * An update that races with another may be lost; the estimate is none the worse for it.
 *
 * Thread: any.
 */
#ifndef UPSTREAM_RTT_H
#define UPSTREAM_RTT_H

#include "base/types.h"

#include <stdatomic.h>

struct rtt {
    _Atomic uint32_t srtt;   /* ms * 8; 0: never measured */
    _Atomic uint32_t rttvar; /* ms * 4 */
};

/* One measurement, ms; of an exchange that was sent once only (Karn). */
void rtt_update(struct rtt *rtt, msec_t measured);
bool rtt_known(const struct rtt *rtt);
/* ms, rounded up. */
msec_t rtt_smoothed(const struct rtt *rtt);
msec_t rtt_variance(const struct rtt *rtt);
/* srtt + 4 rttvar, ms; `unknown` before the first measurement. */
msec_t rtt_timeout(const struct rtt *rtt, msec_t unknown);

#endif
