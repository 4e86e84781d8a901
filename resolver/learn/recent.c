/*
 * recent.c: see recent.h.
 */
#include "learn/recent.h"

#include "dns/name.h"

#include <stdlib.h>

struct recent *recent_create(struct hash_key key, size_t slots, msec_t life)
{
    struct recent *recent = calloc(1, sizeof(*recent) + slots * sizeof(recent->slots[0]));
    if (!recent)
        return NULL;
    recent->key   = key;
    recent->life  = life;
    recent->count = slots;
    return recent;
}

void recent_destroy(struct recent *recent) { free(recent); }

static uint64_t tag(uint64_t hash) { return hash & 0xffffffff00000000u; }

void recent_mark(struct recent *recent, struct view domain, msec_t now)
{
    uint64_t          hash  = name_hash(recent->key, domain);
    _Atomic uint64_t *slot  = &recent->slots[hash % recent->count];
    uint64_t          value = tag(hash) | (uint32_t) (now / 1000 + 1);
    /* most marks repeat the second before: do not dirty the line then */
    if (atomic_load_explicit(slot, memory_order_relaxed) != value)
        atomic_store_explicit(slot, value, memory_order_relaxed);
}

void recent_unmark(struct recent *recent, struct view domain)
{
    uint64_t          hash = name_hash(recent->key, domain);
    _Atomic uint64_t *slot = &recent->slots[hash % recent->count];
    if (tag(atomic_load_explicit(slot, memory_order_relaxed)) == tag(hash))
        atomic_store_explicit(slot, 0, memory_order_relaxed);
}

static msec_t age_of(const struct recent *recent, struct view domain, msec_t now)
{
    uint64_t hash  = name_hash(recent->key, domain);
    uint64_t value = atomic_load_explicit(&recent->slots[hash % recent->count], memory_order_relaxed);
    if (value == 0 || tag(value) != tag(hash))
        return MSEC_NEVER;
    msec_t age = now - (msec_t) ((uint32_t) value - 1) * 1000;
    return age < recent->life ? age : MSEC_NEVER;
}

bool recent_known(const struct recent *recent, struct view domain, msec_t now)
{
    return age_of(recent, domain, now) != MSEC_NEVER;
}

msec_t recent_age(const struct recent *recent, struct view name, msec_t now)
{
    msec_t youngest = MSEC_NEVER;
    for (size_t labels = name_labels(name); labels >= RECENT_LABELS_MIN; labels--, name = name_parent(name))
        if (labels <= RECENT_LABELS_MAX)
            youngest = msec_min(youngest, age_of(recent, name, now));
    return youngest;
}
