/*
 * claims.h: which questions some worker is asking, so that the same question does not go out once for each worker.
 * Shared by all threads, fixed in size, lossy: two questions may share a slot, and then the second is simply asked.
 *
 * The worker that holds the claim asks; the others look into the cache until the answer or a failure is there, or the
 * claim is gone.
 */
#ifndef QUERY_CLAIMS_H
#define QUERY_CLAIMS_H

#include "query/terms.h"
#include "upstream/exchange.h"

#include <stdatomic.h>

enum {
    CLAIM_SLOTS    = 1 << 14,
    CLAIM_LIFE     = 12000, /* ms: longer than any query, so that none is lost while it is needed */
    CLAIM_LOOK_MAX = 40,    /* the same after doubling: a silent zone is looked for less often */
    CLAIM_LOOK     = 10,    /* ms between looks into the cache while another worker asks */
};

struct claims {
    struct hash_key  key;
    _Atomic uint64_t slots[CLAIM_SLOTS]; /* upper half of the question's hash, time of the claim in ms */
};

struct claims *claims_create(struct hash_key key); /* NULL: no memory */
void           claims_destroy(struct claims *claims);

/* The same question under other terms is another one: nobody waits for what was asked before the operator spoke. */
uint64_t claims_hash(const struct claims *claims, const struct inquiry *inquiry, struct terms terms);
/* False: another worker is asking this. True: this one may; *ret_held tells whether a claim is held that must be
 * released. */
bool claims_take(struct claims *claims, uint64_t hash, msec_t now, bool *ret_held);
void claims_release(struct claims *claims, uint64_t hash);

#endif
