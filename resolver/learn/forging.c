/*
 * forging.c: see forging.h.
 */
#include "learn/forging.h"

#include "dns/name.h"

#include <stdlib.h>

enum {
    SLOTS      = 1 << 16,
    TIME_BITS  = 38, /* ms: eight years of uptime */
    STATE_BITS = 4,
    TAG_SHIFT  = TIME_BITS + STATE_BITS,
    RATE_BITS  = 16
};
#define TIME_MASK (((uint64_t) 1 << TIME_BITS) - 1)

struct forging {
    struct hash_key  key;
    atomic_bool      blind;
    _Atomic uint64_t rate;                         /* second, and how many of it are taken */
    _Atomic uint64_t domains[SLOTS], names[SLOTS]; /* tag of the hash, state, ms */
};

struct forging *forging_create(struct hash_key key)
{
    struct forging *forging = calloc(1, sizeof(*forging));
    if (!forging)
        return NULL;
    forging->key = key;
    return forging;
}

void forging_destroy(struct forging *forging) { free(forging); }

/* ---- domains and names ---- */

static msec_t life_of(enum forging_state state)
{
    switch (state) {
    case FORGING_ASKED:
        return FORGING_ASKED_LIFE;
    case FORGING_SILENT:
        return FORGING_SILENT_LIFE;
    case FORGING_SHOWN:
    case FORGING_FORGED:
    case FORGING_INNER:
    case FORGING_NOBODY:
        return FORGING_SEEMS_LIFE;
    case FORGING_HOME:
    case FORGING_HONEST:
        return FORGING_HONEST_LIFE;
    default:
        return 0;
    }
}

static enum forging_state state_in(uint64_t value, msec_t now)
{
    enum forging_state state = (enum forging_state)(value >> TIME_BITS & ((1u << STATE_BITS) - 1));
    return now - (msec_t) (value & TIME_MASK) < life_of(state) ? state : FORGING_UNTRIED;
}

static enum forging_state find(const _Atomic uint64_t *slots, uint64_t hash, msec_t now, msec_t *ret_since)
{
    uint64_t           value = atomic_load_explicit(&slots[hash % SLOTS], memory_order_relaxed);
    enum forging_state state = value >> TAG_SHIFT == hash >> TAG_SHIFT ? state_in(value, now) : FORGING_UNTRIED;
    if (state != FORGING_UNTRIED)
        *ret_since = (msec_t) (value & TIME_MASK);
    return state;
}

static bool is_found_out(enum forging_state state) { return state > FORGING_SILENT; }

static void put(_Atomic uint64_t *slots, uint64_t hash, enum forging_state state, msec_t now)
{
    uint64_t value  = hash >> TAG_SHIFT << TAG_SHIFT | (uint64_t) state << TIME_BITS | ((uint64_t) now & TIME_MASK);
    uint64_t before = atomic_load_explicit(&slots[hash % SLOTS], memory_order_relaxed);
    bool     other  = before >> TAG_SHIFT != hash >> TAG_SHIFT;
    if (!other || is_found_out(state) || !is_found_out(state_in(before, now)))
        atomic_store_explicit(&slots[hash % SLOTS], value, memory_order_relaxed);
}

void forging_clear(struct forging *forging)
{
    for (size_t i = 0; i < SLOTS; i++) {
        atomic_store_explicit(&forging->domains[i], 0, memory_order_relaxed);
        atomic_store_explicit(&forging->names[i], 0, memory_order_relaxed);
    }
}

enum forging_state forging_of(const struct forging *forging, struct view domain, msec_t now, msec_t *ret_since)
{
    enum forging_state state = find(forging->domains, name_hash(forging->key, domain), now, ret_since);
    return state == FORGING_SHOWN && now - *ret_since >= FORGING_OPEN ? FORGING_FORGED : state;
}

void forging_set(struct forging *forging, struct view domain, enum forging_state state, msec_t now)
{
    put(forging->domains, name_hash(forging->key, domain), state, now);
}

bool forging_knows(const struct forging *forging, struct view name, msec_t now)
{
    msec_t since;
    return find(forging->names, name_hash(forging->key, name), now, &since) != FORGING_UNTRIED;
}

static void mark(struct forging *forging, struct view domain, struct view name, enum forging_state state, msec_t now)
{
    msec_t since;
    put(forging->names, name_hash(forging->key, name), state, now);
    if (!is_found_out(forging_of(forging, domain, now, &since)))
        forging_set(forging, domain, state, now);
}

void forging_ask(struct forging *forging, struct view domain, struct view name, msec_t now)
{
    msec_t since;
    if (forging_of(forging, domain, now, &since) == FORGING_UNTRIED)
        mark(forging, domain, name, FORGING_ASKED, now);
    else
        put(forging->names, name_hash(forging->key, name), FORGING_ASKED, now);
}

void forging_end(struct forging *forging, struct view domain, struct view name, bool silent, msec_t now)
{
    mark(forging, domain, name, silent ? FORGING_SILENT : FORGING_UNTRIED, now);
}

/* ---- how often ---- */

/* Two workers may read the same word, and one more is taken than there are. */
bool forging_take(struct forging *forging, bool further, msec_t now)
{
    uint64_t second = (uint64_t) now / 1000;
    uint64_t word   = atomic_load_explicit(&forging->rate, memory_order_relaxed);
    uint64_t taken  = word >> RATE_BITS == second ? word & ((1u << RATE_BITS) - 1) : 0;
    if (taken >= (further ? FORGING_FURTHER : FORGING_RATE))
        return false;
    atomic_store_explicit(&forging->rate, second << RATE_BITS | (taken + 1), memory_order_relaxed);
    return true;
}

void forging_set_blind(struct forging *forging, bool blind)
{
    atomic_store_explicit(&forging->blind, blind, memory_order_relaxed);
}

bool forging_is_blind(const struct forging *forging)
{
    return atomic_load_explicit(&forging->blind, memory_order_relaxed);
}
