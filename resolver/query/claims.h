/*
 * claims.h: which questions some worker is asking, so that the same question does not go out once for each worker.
 * Shared by all threads, fixed in size, lossy: two questions may share a slot, and then the second is simply asked.
 *
 * The worker that holds the claim asks; the others look into the cache until the answer or a failure is there, or the
 * claim is gone. That somebody waits is noted in the claim, so that an answer which the cache would not keep is put
 * there for those all the same. So is that the holder's question has spent its datagrams: who asks anew then may take
 * the claim over.
 *
 * Thread: any.
 */
#ifndef QUERY_CLAIMS_H
#define QUERY_CLAIMS_H

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
    _Atomic uint64_t slots[CLAIM_SLOTS]; /* upper half of the question's hash, two flags, time of the claim in ms */
};

struct claim { /* one query's; zeroed: none */
    uint64_t hash;
    uint64_t value; /* of the slot, without flags; 0: it is not held */
    bool     over;  /* it was taken from one that is spent */
    bool     spent; /* others were told that it is */
};

struct claims *claims_create(struct hash_key key); /* NULL: no memory */
void           claims_destroy(struct claims *claims);

/* The same question in another epoch is another one: nobody waits for what was asked before the operator spoke. */
void claims_name(const struct claims *claims, const struct inquiry *inquiry, uint64_t epoch, struct claim *ret);
/* False: another worker is asking this, and is told that somebody waits. True: this one may; the claim is held unless
 * another question has its slot. `anew`: one that is spent may be taken over. */
bool claims_take(struct claims *claims, struct claim *claim, bool anew, msec_t now);
/* Of a claim that is held; without one, or when it was taken over, nothing happens. */
void claims_release(struct claims *claims, struct claim *claim);
void claims_spend(struct claims *claims, struct claim *claim);
bool claims_awaited(const struct claims *claims, const struct claim *claim);

#endif
