/*
 * claims.c: see claims.h.
 */
#include "query/claims.h"

#include <stdlib.h>

struct claims *claims_create(struct hash_key key)
{
    struct claims *claims = calloc(1, sizeof(*claims));
    if (claims)
        claims->key = key;
    return claims;
}

void claims_destroy(struct claims *claims) { free(claims); }

uint64_t claims_hash(const struct claims *claims, const struct inquiry *inquiry, struct terms terms)
{
    uint64_t hash = inquiry_hash(claims->key, inquiry);
    return hash ^ (terms.setup << 32 ^ terms.turn) * 0xff51afd7ed558ccdu;
}

static bool same_question(uint64_t slot, uint64_t hash) { return slot >> 32 == hash >> 32; }

bool claims_take(struct claims *claims, uint64_t hash, msec_t now, bool *ret_held)
{
    _Atomic uint64_t *slot  = &claims->slots[hash % CLAIM_SLOTS];
    uint64_t          there = atomic_load_explicit(slot, memory_order_acquire);
    bool              alive = there != 0 && (uint32_t) ((uint32_t) now - (uint32_t) there) < CLAIM_LIFE;
    *ret_held               = false;
    if (alive)
        return !same_question(there, hash);
    uint64_t ours = (hash & 0xffffffff00000000u) | (uint32_t) now;
    *ret_held = atomic_compare_exchange_strong_explicit(slot, &there, ours, memory_order_acq_rel, memory_order_acquire);
    return *ret_held || !same_question(there, hash);
}

void claims_release(struct claims *claims, uint64_t hash)
{
    _Atomic uint64_t *slot  = &claims->slots[hash % CLAIM_SLOTS];
    uint64_t          there = atomic_load_explicit(slot, memory_order_relaxed);
    if (same_question(there, hash))
        atomic_compare_exchange_strong_explicit(slot, &there, 0, memory_order_release, memory_order_relaxed);
}
