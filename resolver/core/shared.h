/*
 * shared.h: what all threads share on the path of a query. Each part says itself how.
 *
 * Thread: any.
 */
#ifndef CORE_SHARED_H
#define CORE_SHARED_H

#include "cache/cache.h"
#include "learn/forging.h"
#include "learn/recent.h"
#include "learn/table.h"
#include "policy/client_rate.h"
#include "policy/external_rate.h"
#include "policy/suffix.h"

struct claims; /* query/claims.h */

struct shared {
    struct cache         *cache;
    struct table         *table;
    struct recent        *good;
    struct suffix        *suffix;
    struct forging       *forging;
    struct claims        *claims;      /* NULL: there is only one engine */
    struct external_rate *quota;       /* NULL: external may be asked without limit */
    const atomic_int     *watched;     /* enum trace_want: which queries somebody wants to hear of; NULL: none ever */
    struct client_rate   *client_rate; /* NULL: clients may ask without limit */
};

#endif
