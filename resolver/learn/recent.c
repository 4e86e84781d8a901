/*
 * recent.c: see recent.h.
 */
#include "learn/recent.h"

#include "dns/name.h"

#include <stdlib.h>

struct recent *recent_create(struct hash_key key, size_t slots, msec_t life)
{
    struct recent *good = calloc(1, sizeof(*good) + slots * sizeof(good->slots[0]));
    if (!good)
        return NULL;
    good->key   = key;
    good->life  = life;
    good->count = slots;
    return good;
}

void recent_destroy(struct recent *good) { free(good); }

static uint64_t tag(uint64_t hash) { return hash & 0xffffffff00000000u; }

void recent_mark(struct recent *good, struct view domain, msec_t now)
{
    uint64_t          hash  = name_hash(good->key, domain);
    _Atomic uint64_t *slot  = &good->slots[hash % good->count];
    uint64_t          value = tag(hash) | (uint32_t) (now / 1000 + 1);
    /* most marks repeat the second before: do not dirty the line then */
    if (atomic_load_explicit(slot, memory_order_relaxed) != value)
        atomic_store_explicit(slot, value, memory_order_relaxed);
}

void recent_unmark(struct recent *good, struct view domain)
{
    uint64_t          hash = name_hash(good->key, domain);
    _Atomic uint64_t *slot = &good->slots[hash % good->count];
    if (tag(atomic_load_explicit(slot, memory_order_relaxed)) == tag(hash))
        atomic_store_explicit(slot, 0, memory_order_relaxed);
}

static msec_t age_of(const struct recent *good, struct view domain, msec_t now)
{
    uint64_t hash  = name_hash(good->key, domain);
    uint64_t value = atomic_load_explicit(&good->slots[hash % good->count], memory_order_relaxed);
    if (value == 0 || tag(value) != tag(hash))
        return MSEC_NEVER;
    msec_t age = now - (msec_t) ((uint32_t) value - 1) * 1000;
    return age < good->life ? age : MSEC_NEVER;
}

bool recent_known(const struct recent *good, struct view domain, msec_t now)
{
    return age_of(good, domain, now) != MSEC_NEVER;
}

msec_t recent_age(const struct recent *good, struct view name, msec_t now)
{
    msec_t youngest = MSEC_NEVER;
    for (size_t labels = name_labels(name); labels >= RECENT_LABELS_MIN; labels--, name = name_parent(name))
        if (labels <= RECENT_LABELS_MAX)
            youngest = msec_min(youngest, age_of(good, name, now));
    return youngest;
}
