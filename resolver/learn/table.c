/*
 * table.c: see table.h. A fixed array of chains; the writer links at the head and unlinks anywhere, with release stores
 * that readers meet with acquire loads.
 *
 * This is the one file that sees liburcu.
 */
#include "learn/table.h"

#include "dns/message.h"
#include "dns/name.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <urcu-qsbr.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TABLE_TSAN
#endif
#elif defined(__SANITIZE_THREAD__)
#define TABLE_TSAN
#endif
#ifdef TABLE_TSAN
/* TSan cannot see liburcu's barriers: this tells it that a pause comes before the grace period it allows. */
void        __tsan_acquire(void *address);
void        __tsan_release(void *address);
static char grace;
#define GRACE_RELEASE() __tsan_release(&grace)
#define GRACE_ACQUIRE() __tsan_acquire(&grace)
#else
#define GRACE_RELEASE() ((void) 0)
#define GRACE_ACQUIRE() ((void) 0)
#endif

struct table {
    size_t                 mask;
    struct hash_key        key;
    size_t                 count;
    struct zone           *retired;
    struct epoch           epoch;
    _Atomic uint32_t       depths[4]; /* bit n: some entry has or had n labels, so that a lookup skips the rest */
    _Atomic(struct zone *) buckets[];
};

enum {
    STEP_CHAINS = 64, /* empty chains that a walk passes in the time of one zone */
};

enum {                    /* the verdict word */
    VERDICT_STATE   = 0,  /* 4 bits */
    VERDICT_REASON  = 4,  /* 4 bits */
    VERDICT_PIN     = 8,  /* 4 bits */
    VERDICT_PROVED  = 12, /* 1 bit */
    VERDICT_STRIKES = 16, /* 8 bits */
};

struct table *table_create(size_t buckets, struct hash_key key)
{
    size_t size = 1;
    while (size < buckets)
        size *= 2;
    struct table *table = calloc(1, sizeof(*table) + size * sizeof(table->buckets[0]));
    if (!table)
        return NULL;
    table->mask = size - 1;
    table->key  = key;
    return table;
}

static void zone_free(struct zone *zone)
{
    free(zone->note);
    free(zone);
}

static void free_retired(struct table *table)
{
    while (table->retired) {
        struct zone *zone = table->retired;
        table->retired    = zone->retired;
        zone_free(zone);
    }
}

void table_destroy(struct table *table)
{
    if (!table)
        return;
    free_retired(table);
    for (size_t i = 0; i <= table->mask; i++)
        for (struct zone *zone = atomic_load(&table->buckets[i]), *next; zone; zone = next) {
            next = atomic_load(&zone->chain);
            zone_free(zone);
        }
    free(table);
}

void table_reader_register(void) { urcu_qsbr_register_thread(); }

void table_reader_unregister(void)
{
    GRACE_RELEASE();
    urcu_qsbr_unregister_thread();
}

void table_reader_pause(void)
{
    GRACE_RELEASE();
    urcu_qsbr_thread_offline();
}

void table_reader_resume(void) { urcu_qsbr_thread_online(); }

static bool matches(const struct zone *zone, struct view name, uint16_t type, bool whole)
{
    if (zone->scope != SCOPE_ZONE && (!whole || (zone->scope == SCOPE_TYPE && zone->type != type)))
        return false;
    return name_equal(zone_name(zone), name);
}

/* An entry, and its verdict as it was when it was found. */
struct slot {
    struct zone *zone;
    uint32_t     word;
};

struct found {
    struct slot  pin, block, doubt;
    struct zone *proved;
};

static enum zone_state state_of(uint32_t word) { return (enum zone_state)(word >> VERDICT_STATE & 0xf); }

static enum pin pin_of(uint32_t word) { return (enum pin)(word >> VERDICT_PIN & 0xf); }

/* The closest of its kind; of several entries of one name that with the narrowest scope. */
static void fill(struct slot *slot, struct zone *zone, uint32_t word)
{
    if (!slot->zone || (slot->zone->name_len == zone->name_len && zone->scope > slot->zone->scope))
        *slot = (struct slot){zone, word};
}

/* Narrower entries of a name that was proved fine stand, farther ones do not. */
static void find_at(const struct table *table, struct view name, uint16_t type, bool whole, struct found *found)
{
    uint64_t     hash   = name_hash(table->key, name);
    struct zone *proved = NULL;
    for (struct zone *zone = atomic_load_explicit(&table->buckets[hash & table->mask], memory_order_acquire); zone;
         zone              = atomic_load_explicit(&zone->chain, memory_order_acquire)) {
        if (zone->hash != hash || !matches(zone, name, type, whole))
            continue;
        uint32_t        word  = atomic_load_explicit(&zone->verdict, memory_order_acquire);
        enum zone_state state = state_of(word);
        if (pin_of(word) != PIN_NONE)
            fill(&found->pin, zone, word);
        else if (word >> VERDICT_PROVED & 1)
            proved = zone;
        else if (state != ZONE_CLEAR && !found->proved)
            fill(zone_state_diverts(state) ? &found->block : &found->doubt, zone, word);
    }
    if (!found->proved)
        found->proved = proved;
}

/* The closest pin speaks first; then the closest zone that is blocked, unless a closer one was proved fine; then the
 * closest suspicion. */
static struct verdict choose(const struct found *found)
{
    const struct slot *slot    = found->block.zone ? &found->block : &found->doubt;
    struct verdict     verdict = {.zone = found->proved, .state = ZONE_CLEAR, .reason = REASON_NONE, .pin = PIN_NONE};
    verdict.proved             = found->proved != NULL;
    if (slot->zone) {
        verdict.zone    = slot->zone;
        verdict.state   = state_of(slot->word);
        verdict.reason  = (enum zone_reason)(slot->word >> VERDICT_REASON & 0xf);
        verdict.strikes = slot->word >> VERDICT_STRIKES & 0xff;
    }
    if (found->pin.zone) {
        verdict.zone = found->pin.zone;
        verdict.pin  = pin_of(found->pin.word);
    }
    return verdict;
}

struct verdict table_find(const struct table *table, struct view name, uint16_t type)
{
    struct found found;
    size_t       labels = name_labels(name);
    bool         whole  = true;
    found.pin.zone = found.block.zone = found.doubt.zone = found.proved = NULL; /* a word counts with its zone */
    for (size_t left = labels;; left--) {
        uint32_t depths = atomic_load_explicit(&table->depths[left / 32], memory_order_relaxed);
        uint32_t here   = 1u << left % 32;
        if (depths & here)
            find_at(table, name, type, whole, &found);
        bool is_last = left < 32 && (depths & (here - 1)) == 0; /* nothing is known nearer to the root */
        if (is_last || found.pin.zone)
            return choose(&found);
        name  = name_parent(name);
        whole = false;
    }
}

struct zone *table_get(const struct table *table, struct view name, enum zone_scope scope, uint16_t type)
{
    uint64_t hash = name_hash(table->key, name);
    for (struct zone *zone = atomic_load(&table->buckets[hash & table->mask]); zone; zone = atomic_load(&zone->chain))
        if (zone->hash == hash && zone->scope == scope && (scope != SCOPE_TYPE || zone->type == type) &&
            name_equal(zone_name(zone), name))
            return zone;
    return NULL;
}

struct zone *table_add(struct table *table, struct view name, enum zone_scope scope, uint16_t type, struct view asked,
                       uint16_t asked_type)
{
    bool         below = asked.len > 0 && name_is_at_or_below(asked, name);
    struct view  whole = below ? asked : name;
    struct zone *zone  = calloc(1, sizeof(*zone) + whole.len);
    if (!zone)
        return NULL;
    zone->hash           = name_hash(table->key, name);
    zone->scope          = scope;
    zone->type           = type;
    zone->asked_type     = below ? asked_type : TYPE_SOA;
    zone->name_len       = (uint8_t) name.len;
    zone->asked_len      = (uint8_t) whole.len;
    zone->condition.next = MSEC_NEVER;
    zone->pin_until      = MSEC_NEVER;
    memcpy(zone->asked, whole.data, whole.len);
    name_lower(zone->asked, whole.len);

    size_t                  labels = name_labels(name);
    _Atomic(struct zone *) *bucket = &table->buckets[zone->hash & table->mask];
    atomic_store_explicit(&zone->chain, atomic_load_explicit(bucket, memory_order_relaxed), memory_order_relaxed);
    atomic_store_explicit(bucket, zone, memory_order_release);
    atomic_fetch_or_explicit(&table->depths[labels / 32], 1u << labels % 32, memory_order_relaxed);
    table->count++;
    return zone;
}

struct epoch *table_epoch(struct table *table) { return &table->epoch; }

void table_publish(struct zone *zone)
{
    uint32_t word = (uint32_t) zone->condition.state << VERDICT_STATE |
                    (uint32_t) zone->condition.reason << VERDICT_REASON | (uint32_t) zone->pin << VERDICT_PIN |
                    (uint32_t) zone->proved << VERDICT_PROVED | (uint32_t) zone->condition.strikes << VERDICT_STRIKES;
    atomic_store_explicit(&zone->verdict, word, memory_order_release);
}

void table_remove(struct table *table, struct zone *zone)
{
    _Atomic(struct zone *) *link = &table->buckets[zone->hash & table->mask];
    while (atomic_load_explicit(link, memory_order_relaxed) != zone) {
        assert(atomic_load_explicit(link, memory_order_relaxed));
        link = &atomic_load_explicit(link, memory_order_relaxed)->chain;
    }
    /* the removed zone keeps its own chain pointer: a reader that stands on it walks on */
    atomic_store_explicit(link, atomic_load_explicit(&zone->chain, memory_order_relaxed), memory_order_release);
    zone->retired  = table->retired;
    table->retired = zone;
    table->count--;
}

void table_reclaim(struct table *table)
{
    if (!table->retired)
        return;
    urcu_qsbr_synchronize_rcu();
    GRACE_ACQUIRE();
    free_retired(table);
}

size_t table_count(const struct table *table) { return table->count; }

static size_t each_in(struct table *table, size_t bucket, void (*visit)(void *context, struct zone *zone),
                      void *context)
{
    size_t seen = 0;
    for (struct zone *zone = atomic_load(&table->buckets[bucket]), *next; zone; zone = next, seen++) {
        next = atomic_load(&zone->chain);
        visit(context, zone);
    }
    return seen;
}

void table_each(struct table *table, void (*visit)(void *context, struct zone *zone), void *context)
{
    for (size_t i = 0; i <= table->mask; i++)
        each_in(table, i, visit, context);
}

void table_each_of(struct table *table, struct view name, void (*visit)(void *context, struct zone *zone),
                   void *context)
{
    uint64_t hash = name_hash(table->key, name);
    for (struct zone *zone = atomic_load(&table->buckets[hash & table->mask]), *next; zone; zone = next) {
        next = atomic_load(&zone->chain);
        if (zone->hash == hash && name_equal(zone_name(zone), name))
            visit(context, zone);
    }
}

bool table_walk(struct table *table, size_t *at, size_t most, void (*visit)(void *context, struct zone *zone),
                void *context)
{
    size_t seen = 0;
    for (size_t chains = most * STEP_CHAINS; *at <= table->mask && seen < most && chains > 0; chains--)
        seen += each_in(table, (*at)++, visit, context);
    return *at <= table->mask;
}
