/*
 * external_rate.h: how many questions of clients may go to group external: a token bucket that all workers share. It
 * knows neither questions nor upstreams: whoever is about to ask external takes one, and stays away if there is none.
 *
 * What a stranger can cause with random names (they fail at domestic, so external is asked) may take the upper half of
 * the bucket alone. The lower half is kept for zones that are known to need external: mail to them goes on, whatever
 * the stranger does. Of the lower half one zone has a quarter of the rate to itself, so that random names below a
 * blocked zone cannot take it from the other blocked zones either: beyond that it shares the upper half with the rest.
 *
 * A full bucket holds the questions of one second, and EXTERNAL_RATE_LEAST at least: one mail asks about as many in one
 * go (MX, addresses, SPF, DKIM, DMARC, PTR), whatever the rate over a minute is.
 *
 * A bucket is one word, the time at which it will be full again (GCRA): each question moves it by a question's
 * period. In ns, since a period at 1,000,000 a second is 1000 of them. No lock: compare and swap. Zones have theirs by
 * hash; two that share one share its quarter.
 *
 * Thread: any.
 */
#ifndef POLICY_EXTERNAL_RATE_H
#define POLICY_EXTERNAL_RATE_H

#include "base/types.h"

#include <stdatomic.h>

enum {
    EXTERNAL_RATE_LEAST = 16,
    EXTERNAL_RATE_PART  = 4,   /* a zone's part of the rate: one in so many */
    EXTERNAL_RATE_ZONES = 256, /* buckets of zones */
};

struct external_rate {
    _Atomic int64_t  full_at;                    /* ns of the clock that `now` is of */
    _Atomic int64_t  zones[EXTERNAL_RATE_ZONES]; /* the same of each zone's part of the lower half */
    _Atomic uint32_t per_second;                 /* questions */
};

/* `per_second`: 1 to 1,000,000. The bucket is full. */
void external_rate_init(struct external_rate *quota, uint32_t per_second);
/* From now on, while others take. What is missing from a bucket stays missing as time, at most all of it. */
void external_rate_set_rate(struct external_rate *quota, uint32_t per_second, msec_t now);
/* False: nothing is left for this question, and nothing was taken. `confirmed`: its way is external by a verdict, a pin
 * or a rule; others get none from the lower half. `zone`: a number of that zone, for its part of it. Threads whose
 * `now` differ may both call it. */
bool external_rate_take(struct external_rate *quota, bool confirmed, uint8_t zone, msec_t now);

#endif
