/*
 * claims.c: see claims.h.
 */
#include "query/claims.h"

#include <stdlib.h>

#define QUESTION UINT64_C(0xffffffff00000000)
#define AWAITED UINT64_C(0x80000000)
#define SPENT UINT64_C(0x40000000)
#define TIME UINT64_C(0x3fffffff) /* ms: twelve days until it begins anew */

struct claims *claims_create(struct hash_key key)
{
    struct claims *claims = calloc(1, sizeof(*claims));
    if (claims)
        claims->key = key;
    return claims;
}

void claims_destroy(struct claims *claims) { free(claims); }

void claims_name(const struct claims *claims, const struct inquiry *inquiry, uint64_t epoch, struct claim *ret)
{
    uint64_t hash = inquiry_hash(claims->key, inquiry);
    *ret          = (struct claim){.hash = hash ^ epoch * 0xff51afd7ed558ccdu};
}

static _Atomic uint64_t *slot_of(struct claims *claims, const struct claim *claim)
{
    return &claims->slots[claim->hash % CLAIM_SLOTS];
}

static bool same_question(uint64_t slot, uint64_t hash) { return ((slot ^ hash) & QUESTION) == 0; }

/* The clocks of two workers are not read at one moment: a claim may be from a little later than now. */
static bool is_alive(uint64_t slot, msec_t now)
{
    uint64_t age = ((uint64_t) now - slot) & TIME;
    return slot != 0 && (age < CLAIM_LIFE || TIME - age < CLAIM_LIFE);
}

static uint64_t without_flags(uint64_t slot) { return slot & ~(AWAITED | SPENT); }

bool claims_take(struct claims *claims, struct claim *claim, bool anew, msec_t now)
{
    _Atomic uint64_t *slot  = slot_of(claims, claim);
    uint64_t          ours  = (claim->hash & QUESTION) | ((uint64_t) now & TIME);
    uint64_t          there = atomic_load_explicit(slot, memory_order_acquire);
    for (;;) {
        bool alive = is_alive(there, now), same = same_question(there, claim->hash);
        if (alive && !same)
            return true;
        bool     over  = alive && anew && there & SPENT;
        bool     taken = !alive || over;
        uint64_t after = taken ? ours | (alive ? there & AWAITED : 0) : there | AWAITED;
        if (!atomic_compare_exchange_weak_explicit(slot, &there, after, memory_order_acq_rel, memory_order_acquire))
            continue;
        claim->value = taken ? ours : 0;
        claim->over  = over;
        return taken;
    }
}

/* True: the slot is still ours; *there is its value. */
static bool holds(struct claims *claims, const struct claim *claim, uint64_t *there)
{
    *there = atomic_load_explicit(slot_of(claims, claim), memory_order_relaxed);
    return claim->value != 0 && without_flags(*there) == claim->value;
}

void claims_release(struct claims *claims, struct claim *claim)
{
    uint64_t there;
    while (holds(claims, claim, &there) &&
           !atomic_compare_exchange_weak_explicit(slot_of(claims, claim), &there, 0, memory_order_release,
                                                  memory_order_relaxed))
        ;
    claim->value = 0;
}

void claims_spend(struct claims *claims, struct claim *claim)
{
    uint64_t there;
    claim->spent = true;
    while (holds(claims, claim, &there) &&
           !atomic_compare_exchange_weak_explicit(slot_of(claims, claim), &there, there | SPENT, memory_order_release,
                                                  memory_order_relaxed))
        ;
}

bool claims_awaited(const struct claims *claims, const struct claim *claim)
{
    uint64_t there;
    return holds((struct claims *) claims, claim, &there) && there & AWAITED;
}
