/*
 * test_cache.c: what is found, when it is fresh, stale or gone, what a failure may hide (nothing), what goes when
 * room is needed, and that the bound holds. The cache's own files are compiled into this one, so that the account of
 * bytes can be held against what is really there.
 */
#include "cache/cache.h"

#include "base/bytes.h"
#include "base/rng.h"
#include "lib/check.h"
#include "lib/heap.h"
#include "stored.h"

#include <string.h>

#include "cache/cache.c"
#include "cache/shard.c"

#define S (msec_t) 1000

enum {
    DOMESTIC = 0,
    EXTERNAL = 1,
    MEMORY   = 1 << 20,
    HOUR     = 3600,
    DAY      = 86400,
    TYPE_X   = 65280
};

static const struct hash_key     key_of_hash = {1, 2};
static const struct cache_limits usual       = {.memory = MEMORY, .stale = DAY};

static struct cache_key key_of(const struct name *name, uint16_t type)
{
    return (struct cache_key){.name = name_view(name), .type = type, .class = CLASS_IN};
}

static bool put(struct cache *cache, const struct cache_key *key, uint32_t ttl, uint8_t mark, msec_t now)
{
    struct packed packed;
    pack(&packed, key, ttl, 4, mark);
    return cache_put(cache, key, &packed.entry, now);
}

static bool put_negative(struct cache *cache, const struct cache_key *key, uint32_t ttl, msec_t now)
{
    struct packed packed;
    pack(&packed, key, ttl, 4, 9);
    packed.entry.negative = true;
    return cache_put(cache, key, &packed.entry, now);
}

static struct client_query asked_for(const struct cache_key *key)
{
    struct client_query asked = {.id        = 77,
                                 .flags     = (uint16_t) (FLAG_RD | (key->checking_disabled ? FLAG_CD : 0)),
                                 .edns      = true,
                                 .dnssec_ok = key->dnssec_ok,
                                 .limit     = 65535,
                                 .type      = key->type,
                                 .class     = key->class};
    name_set(&asked.name, key->name);
    return asked;
}

struct got {
    enum cache_answer answer;
    struct cache_hit  hit;
    uint8_t           out[65535];
    struct message    message; /* of a hit */
    struct record     record;
};

/* Asks, and reads the answer as a client would. */
static const struct got *get(struct cache *cache, const struct cache_key *key, msec_t now, bool allow_stale)
{
    static struct got       got;
    struct client_query     asked = asked_for(key);
    const struct cache_read read  = {
         .now = now, .allow_stale = allow_stale, .external_origin = EXTERNAL, .external_ede = EDE_OTHER};
    memset(&got.hit, 0xee, sizeof got.hit);
    got.record = (struct record){0};
    got.answer = cache_get(cache, &asked, &read, got.out, sizeof got.out, &got.hit);
    if (got.answer == CACHE_FRESH || got.answer == CACHE_STALE) {
        assert_true(message_parse((struct view){got.out, got.hit.len}, &got.message));
        assert_int_equal(got.message.id, 77);
        assert_true(name_equal(got.message.question.name, key->name));
        assert_true(message_next(&got.message, &got.record));
    }
    return &got;
}

static enum cache_answer state_at(struct cache *cache, const struct cache_key *key, msec_t now, bool allow_stale)
{
    return get(cache, key, now, allow_stale)->answer;
}

static struct cache *new_cache(void)
{
    struct cache *cache = cache_create(&usual, key_of_hash, 4);
    assert_non_null(cache);
    return cache;
}

static uint64_t entries_in(struct cache *cache)
{
    struct cache_stats stats;
    cache_read_stats(cache, &stats);
    return stats.entries;
}

static void an_answer_is_found_under_its_own_question_only(void **state)
{
    (void) state;
    struct cache    *cache = new_cache();
    struct name      name = name_of(1), other = name_of(2);
    struct cache_key key = key_of(&name, TYPE_TXT);
    assert_true(put(cache, &key, 300, 5, 0));

    const struct got *got = get(cache, &key, 0, false);
    assert_int_equal(got->answer, CACHE_FRESH);
    assert_int_equal(got->hit.origin, DOMESTIC);
    assert_int_equal(got->hit.failure, FAILURE_NONE);
    assert_int_equal(got->record.data.data[0], 5);

    const struct cache_key others[] = {
        {.name = name_view(&other), .type = TYPE_TXT, .class = CLASS_IN},
        {.name = name_view(&name), .type = TYPE_A, .class = CLASS_IN},
        {.name = name_view(&name), .type = TYPE_TXT, .class = 3},
        {.name = name_view(&name), .type = TYPE_TXT, .class = CLASS_IN, .dnssec_ok = true},
        {.name = name_view(&name), .type = TYPE_TXT, .class = CLASS_IN, .checking_disabled = true},
        {.name = name_parent(name_view(&name)), .type = TYPE_TXT, .class = CLASS_IN},
    };
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_int_equal(state_at(cache, &others[i], 0, true), CACHE_MISS);
    cache_destroy(cache);
}

static void case_does_not_matter_and_the_client_gets_its_own(void **state)
{
    (void) state;
    struct cache        *cache   = new_cache();
    static const uint8_t upper[] = "\2N1\7EXAMPLE", mixed[] = "\2n1\7eXaMpLe";
    struct cache_key     stored = {.name = {upper, sizeof upper}, .type = TYPE_A, .class = CLASS_IN};
    struct cache_key     asked  = {.name = {mixed, sizeof mixed}, .type = TYPE_A, .class = CLASS_IN};
    assert_true(put(cache, &stored, 300, 5, 0));
    const struct got *got = get(cache, &asked, 0, false);
    assert_int_equal(got->answer, CACHE_FRESH);
    assert_memory_equal(got->message.question.name.data, mixed, sizeof mixed);
    cache_destroy(cache);
}

static void a_message_that_answers_something_else_is_not_stored(void **state)
{
    (void) state;
    struct cache    *cache = new_cache();
    struct name      name = name_of(1), other = name_of(2);
    struct cache_key key = key_of(&name, TYPE_A), foreign[] = {key_of(&other, TYPE_A), key_of(&name, TYPE_MX)};
    struct packed    packed;
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        pack(&packed, &foreign[i], 300, 4, 1);
        assert_false(cache_put(cache, &key, &packed.entry, 0));
    }
    pack(&packed, &key, 300, 4, 1);
    put_u16(packed.wire + 4, 0);
    assert_false(cache_put(cache, &key, &packed.entry, 0));
    pack(&packed, &key, 300, 4, 1);
    packed.entry.stored.message.len = MESSAGE_HEADER + 3;
    assert_false(cache_put(cache, &key, &packed.entry, 0));
    assert_int_equal(entries_in(cache), 0);
    cache_destroy(cache);
}

static void answers_age_expire_and_serve_stale(void **state)
{
    (void) state;
    struct cache    *cache         = new_cache();
    struct name      positive_name = name_of(1), negative_name = name_of(2);
    struct cache_key positive = key_of(&positive_name, TYPE_A), negative = key_of(&negative_name, TYPE_A);
    const msec_t     t0 = 5000 * S;
    assert_true(put(cache, &positive, 100, 1, t0));
    assert_true(put_negative(cache, &negative, 100, t0));

    const struct {
        msec_t            after;
        bool              allow_stale;
        enum cache_answer positive, negative;
        uint32_t          ttl; /* of the positive answer's record */
    } rows[] = {
        {-1 * S, false, CACHE_FRESH, CACHE_FRESH, 100}, /* another thread's clock may be a little behind */
        {0, false, CACHE_FRESH, CACHE_FRESH, 100},
        {999, false, CACHE_FRESH, CACHE_FRESH, 100},
        {1 * S, false, CACHE_FRESH, CACHE_FRESH, 99},
        {60 * S, true, CACHE_FRESH, CACHE_FRESH, 40},
        {100 * S - 1, false, CACHE_FRESH, CACHE_FRESH, 1},
        {100 * S, false, CACHE_MISS, CACHE_MISS, 0},
        {100 * S, true, CACHE_STALE, CACHE_MISS, STALE_TTL},
        {(100 + DAY) * S - 1, false, CACHE_MISS, CACHE_MISS, 0},
        {(100 + DAY) * S - 1, true, CACHE_STALE, CACHE_MISS, STALE_TTL},
        {(100 + DAY) * S, true, CACHE_MISS, CACHE_MISS, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct got *got = get(cache, &positive, t0 + rows[i].after, rows[i].allow_stale);
        if (got->answer != rows[i].positive)
            fail_msg("row %zu: positive is %d", i, (int) got->answer);
        if (got->answer != CACHE_MISS)
            assert_int_equal(got->record.ttl, rows[i].ttl);
        if (got->answer == CACHE_STALE) {
            assert_int_equal(got->message.edns.ede, EDE_STALE_ANSWER);
        }
        if (state_at(cache, &negative, t0 + rows[i].after, rows[i].allow_stale) != rows[i].negative)
            fail_msg("row %zu: negative", i);
    }
    const msec_t useless = t0 + (100 + DAY) * S; /* what comes takes the place of what is of no use any more */
    assert_true(put(cache, &positive, 100, 1, useless));
    assert_true(put_negative(cache, &negative, 100, useless));
    assert_int_equal(entries_in(cache), 2);
    cache_destroy(cache);
}

static void an_external_answer_says_so(void **state)
{
    (void) state;
    struct cache    *cache = new_cache();
    struct name      name  = name_of(1);
    struct cache_key key   = key_of(&name, TYPE_A);
    struct packed    packed;
    pack(&packed, &key, 100, 4, 1);
    packed.entry.origin = EXTERNAL;
    assert_true(cache_put(cache, &key, &packed.entry, 0));
    const struct got *got = get(cache, &key, 0, false);
    assert_int_equal(got->hit.origin, EXTERNAL);
    assert_int_equal(got->message.edns.ede, EDE_OTHER);
    got = get(cache, &key, 200 * S, true);
    assert_int_equal(got->message.edns.ede, EDE_STALE_ANSWER);
    cache_destroy(cache);
}

static void a_new_answer_replaces_the_old(void **state)
{
    (void) state;
    struct cache    *cache = new_cache();
    struct name      name  = name_of(1);
    struct cache_key key   = key_of(&name, TYPE_A);
    assert_true(put(cache, &key, 100, 1, 0));
    assert_true(put(cache, &key, 100, 2, 200 * S));
    assert_int_equal(entries_in(cache), 1);
    assert_int_equal(get(cache, &key, 250 * S, false)->record.data.data[0], 2);
    assert_true(put_negative(cache, &key, 50, 260 * S));
    assert_int_equal(entries_in(cache), 1);
    assert_int_equal(state_at(cache, &key, 400 * S, true), CACHE_MISS);
    cache_destroy(cache);
}

static void a_failure_hides_no_answer(void **state)
{
    (void) state;
    struct cache    *cache = new_cache();
    struct name      name  = name_of(1);
    struct cache_key key   = key_of(&name, TYPE_A);
    assert_true(put(cache, &key, 100, 1, 0));
    cache_put_failure(cache, &key, FAILURE_NETWORK, 50 * S);
    assert_int_equal(state_at(cache, &key, 51 * S, false), CACHE_FRESH);

    cache_put_failure(cache, &key, FAILURE_NETWORK, 100 * S);
    assert_int_equal(state_at(cache, &key, 101 * S, true), CACHE_STALE);
    const struct got *got = get(cache, &key, 101 * S, false);
    assert_int_equal(got->answer, CACHE_FAILURE);
    assert_int_equal(got->hit.failure, FAILURE_NETWORK);
    assert_int_equal(got->hit.len, 0);

    struct cache_key other = key_of(&name, TYPE_MX);
    assert_int_equal(state_at(cache, &other, 101 * S, false), CACHE_MISS);
    cache_destroy(cache);
}

static void failures_double_to_five_minutes(void **state)
{
    (void) state;
    struct cache    *cache   = new_cache();
    struct name      name    = name_of(1);
    struct cache_key key     = key_of(&name, TYPE_A);
    static const int holds[] = {5, 10, 20, 40, 80, 160, 300, 300};
    msec_t           now     = 0;
    for (size_t i = 0; i < ARRAY_LEN(holds); i++) {
        cache_put_failure(cache, &key, FAILURE_ZONE, now);
        cache_put_failure(cache, &key, FAILURE_NETWORK, now + 1 * S); /* the same one, seen by another thread */
        const struct got *got = get(cache, &key, now + holds[i] * S - 1, true);
        if (got->answer != CACHE_FAILURE)
            fail_msg("failure %zu is over too early", i);
        assert_int_equal(got->hit.failure, FAILURE_ZONE);
        if (state_at(cache, &key, now + holds[i] * S, true) != CACHE_MISS)
            fail_msg("failure %zu holds too long", i);
        now += holds[i] * S;
    }
    assert_int_equal(entries_in(cache), 1);

    cache_put_failure(cache, &key, FAILURE_ZONE, now + FAILURE_MEMORY * S); /* long after: a first one again */
    assert_int_equal(state_at(cache, &key, now + (FAILURE_MEMORY + 5) * S, true), CACHE_MISS);
    cache_destroy(cache);
}

/* A limit of our own holds a second, doubles nothing, and the name's own failure begins behind it as ever. */
static void what_was_over_the_quota_holds_a_second(void **state)
{
    (void) state;
    static const struct {
        enum failure cause;
        msec_t       holds; /* s */
    } rows[]               = {{FAILURE_OVER_QUOTA, 1}, {FAILURE_OVER_QUOTA, 1}, {FAILURE_ZONE, 5},
                              {FAILURE_ZONE, 10},      {FAILURE_OVER_QUOTA, 1}, {FAILURE_ZONE, 5}};
    struct cache    *cache = new_cache();
    struct name      name  = name_of(1);
    struct cache_key key   = key_of(&name, TYPE_A);
    msec_t           now   = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cache_put_failure(cache, &key, rows[i].cause, now);
        now += rows[i].holds * S;
        const struct got *got = get(cache, &key, now - 1, true);
        if (got->answer != CACHE_FAILURE || got->hit.failure != rows[i].cause)
            fail_msg("failure %zu is over too early", i);
        if (state_at(cache, &key, now, true) != CACHE_MISS)
            fail_msg("failure %zu holds too long", i);
    }
    cache_destroy(cache);
}

/* Those of the network alone: a name that upstreams failed, or a limit of ours, is no less failed by their return. */
static void what_the_network_failed_is_forgiven(void **state)
{
    (void) state;
    struct cache             *cache    = new_cache();
    struct name               names[]  = {name_of(1), name_of(2), name_of(3)};
    static const enum failure causes[] = {FAILURE_NETWORK, FAILURE_ZONE, FAILURE_OVER_QUOTA};
    for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
        struct cache_key key = key_of(&names[i], TYPE_A);
        cache_put_failure(cache, &key, causes[i], 10 * S);
        cache_forgive(cache, 10 * S - 1);
        assert_int_equal(state_at(cache, &key, 10 * S, true), CACHE_FAILURE);
    }
    cache_forgive(cache, 10 * S);
    for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
        struct cache_key key = key_of(&names[i], TYPE_A);
        assert_int_equal(state_at(cache, &key, 10 * S, true), i == 0 ? CACHE_MISS : CACHE_FAILURE);
    }
    struct cache_key key = key_of(&names[0], TYPE_A);
    cache_put_failure(cache, &key, FAILURE_NETWORK, 10 * S + 1);
    assert_int_equal(state_at(cache, &key, 15 * S, true), CACHE_FAILURE);
    assert_int_equal(state_at(cache, &key, 15 * S + 1, true), CACHE_MISS);
    cache_destroy(cache);
}

/* An answer that does not fit is none, whatever the cache has. */
static void no_room_is_a_miss(void **state)
{
    (void) state;
    struct cache           *cache = new_cache();
    struct name             name  = name_of(1);
    struct cache_key        key   = key_of(&name, TYPE_A);
    struct client_query     asked = asked_for(&key);
    const struct cache_read read  = {.now = 1 * S};
    struct cache_hit        hit;
    uint8_t                 out[512];
    assert_true(put(cache, &key, 60, 1, 0));
    assert_int_equal(cache_get(cache, &asked, &read, out, sizeof(out), &hit), CACHE_FRESH);
    assert_int_equal(cache_get(cache, &asked, &read, out, MESSAGE_HEADER, &hit), CACHE_MISS);
    cache_destroy(cache);
}

static void success_makes_the_next_failure_a_first_one(void **state)
{
    (void) state;
    struct cache    *cache = new_cache();
    struct name      name  = name_of(1);
    struct cache_key key   = key_of(&name, TYPE_A);
    cache_put_failure(cache, &key, FAILURE_ZONE, 0);
    cache_put_failure(cache, &key, FAILURE_ZONE, 5 * S);
    assert_int_equal(state_at(cache, &key, 12 * S, false), CACHE_FAILURE);
    assert_true(put(cache, &key, 1, 1, 12 * S));
    assert_int_equal(entries_in(cache), 1);
    assert_int_equal(state_at(cache, &key, 14 * S, false), CACHE_MISS);
    cache_put_failure(cache, &key, FAILURE_ZONE, 14 * S);
    assert_int_equal(state_at(cache, &key, 19 * S - 1, false), CACHE_FAILURE);
    assert_int_equal(state_at(cache, &key, 19 * S, false), CACHE_MISS);
    cache_destroy(cache);
}

static void what_is_in_use_outlives_a_scan(void **state)
{
    (void) state;
    struct cache *cache = cache_create(&usual, key_of_hash, 1);
    enum {
        USED = 200
    };
    for (uint32_t i = 0; i < USED; i++) {
        struct name      name = name_of(i);
        struct cache_key key  = key_of(&name, TYPE_A);
        assert_true(put(cache, &key, HOUR, 1, 0));
        assert_int_equal(state_at(cache, &key, 0, false), CACHE_FRESH);
    }
    for (uint32_t i = 0; i < 200000; i++) {
        struct name      name = name_of(1000 + i);
        struct cache_key key  = key_of(&name, TYPE_A);
        if (i % 10 == 0) {
            struct name      used_name = name_of(i / 10 % USED);
            struct cache_key used      = key_of(&used_name, TYPE_A);
            if (state_at(cache, &used, 0, false) != CACHE_FRESH)
                fail_msg("evicted by the %u. name of the scan", i);
        }
        if (i % 2 == 0)
            assert_true(put(cache, &key, HOUR, 1, 0));
        else
            cache_put_failure(cache, &key, FAILURE_ZONE, 0);
    }
    struct cache_stats stats;
    cache_read_stats(cache, &stats);
    assert_true(stats.evictions > 100000);
    assert_int_equal(stats.stores, 200000 + USED);
    assert_int_equal(stats.memory, MEMORY);
    cache_destroy(cache);
}

static void an_answer_in_use_stays_so_when_it_is_renewed(void **state)
{
    (void) state;
    struct cache    *cache = cache_create(&usual, key_of_hash, 1);
    struct name      name  = name_of(0);
    struct cache_key key   = key_of(&name, TYPE_A);
    assert_true(put(cache, &key, HOUR, 1, 0));
    assert_int_equal(state_at(cache, &key, 0, false), CACHE_FRESH);
    assert_true(put(cache, &key, HOUR, 2, 0));

    struct cache_stats stats = {0};
    for (uint32_t i = 1; stats.evictions < 2; i++) { /* the hand has passed it, and taken the one behind */
        struct name      other_name = name_of(i);
        struct cache_key other      = key_of(&other_name, TYPE_A);
        assert_true(put(cache, &other, HOUR, 1, 0));
        cache_read_stats(cache, &stats);
    }
    assert_int_equal(get(cache, &key, 0, false)->record.data.data[0], 2);
    cache_destroy(cache);
}

static void what_is_useless_goes_first_however_much_it_was_used(void **state)
{
    (void) state;
    struct cache    *cache = cache_create(&usual, key_of_hash, 1);
    struct name      name  = name_of(0);
    struct cache_key key   = key_of(&name, TYPE_A);
    assert_true(put_negative(cache, &key, 10, 0));
    for (uint32_t i = 1; entries_in(cache) == i; i++) {
        struct name      other_name = name_of(i);
        struct cache_key other      = key_of(&other_name, TYPE_A);
        assert_int_equal(state_at(cache, &key, 0, false), CACHE_FRESH);
        assert_true(put(cache, &other, HOUR, 1, 20 * S));
    }
    struct cache_stats stats;
    cache_read_stats(cache, &stats);
    struct name      next_name = name_of((uint32_t) stats.evictions); /* those before it had to go as well, if any */
    struct cache_key next      = key_of(&next_name, TYPE_A);
    assert_in_range(stats.evictions, 1, 2);
    assert_int_equal(state_at(cache, &next, 20 * S, false), CACHE_FRESH);
    assert_int_equal(state_at(cache, &key, 0, false), CACHE_MISS);
    cache_destroy(cache);
}

/* Sums up what is really there, and compares it with the account. */
static void check_account(struct cache *cache)
{
    uint64_t bytes = 0, entries = 0;
    for (size_t i = 0; i < cache->count; i++) {
        struct shard *shard   = &cache->shards[i];
        uint64_t      chained = 0;
        bytes += sizeof *shard + malloc_usable_size(shard->buckets) + sizeof(size_t);
        for (size_t bucket = 0; bucket <= shard->mask; bucket++)
            for (struct entry *entry = shard->buckets[bucket]; entry != NULL; entry = entry->next)
                chained++;
        assert_int_equal(chained, shard->entries);
        entries += chained;
        LIST_EACH (link, next, &shard->queue) {
            bytes += malloc_usable_size(CONTAINER_OF(link, struct entry, queue)) + sizeof(size_t);
            chained--;
        }
        assert_int_equal(chained, 0);
    }
    struct cache_stats stats;
    cache_read_stats(cache, &stats);
    assert_int_equal(stats.bytes, bytes);
    assert_int_equal(stats.entries, entries);
}

static void check_bound(struct cache *cache)
{
    struct cache_stats stats;
    cache_read_stats(cache, &stats);
    if (stats.bytes > stats.memory)
        fail_msg("%llu bytes, %llu allowed", (unsigned long long) stats.bytes, (unsigned long long) stats.memory);
}

static void random_worlds_stay_within_their_bound(void **state)
{
    (void) state;
    static struct packed packed;
    for (uint8_t seed = 0; seed < 12; seed++) {
        struct rng rng;
        rng_init(&rng, (const uint8_t[RNG_SEED_BYTES]){seed});
        size_t              shards = (size_t) 1 << rng_below(&rng, 4);
        struct cache_limits limits = {.memory = (uint64_t) shards * (20000 + rng_below(&rng, 100000)), .stale = HOUR};
        struct cache       *cache  = cache_create(&limits, key_of_hash, shards);
        msec_t              now    = 0;
        assert_non_null(cache);
        for (size_t step = 0; step < 20000; step++) {
            struct name      name = name_of(rng_below(&rng, 3000));
            struct cache_key key  = key_of(&name, (uint16_t) (TYPE_X + rng_below(&rng, 4)));
            key.dnssec_ok         = rng_below(&rng, 4) == 0;
            now += rng_below(&rng, 2000);
            switch (rng_below(&rng, 8)) {
            case 0:
            case 1:
            case 2:
                pack(&packed, &key, rng_below(&rng, 600), rng_below(&rng, 8) == 0 ? rng_below(&rng, 3900) : 16, 1);
                packed.entry.negative = rng_below(&rng, 4) == 0;
                cache_put(cache, &key, &packed.entry, now);
                break;
            case 3:
                cache_put_failure(cache, &key, FAILURE_ZONE, now);
                break;
            case 4:
                if (step % 97 == 0)
                    cache_flush_name(cache, key.name);
                break;
            default:
                state_at(cache, &key, now, rng_below(&rng, 2) == 0);
            }
            check_bound(cache);
        }
        check_account(cache);
        cache_flush_all(cache);
        assert_int_equal(entries_in(cache), 0);
        check_account(cache);
        cache_destroy(cache);
    }
}

static void what_can_never_fit_is_refused_and_costs_nothing(void **state)
{
    (void) state;
    struct cache_limits limits = {.memory = 4096, .stale = HOUR};
    struct cache       *cache  = cache_create(&limits, key_of_hash, 1);
    struct name         name = name_of(1), other_name = name_of(2);
    struct cache_key    key = key_of(&name, TYPE_TXT), other = key_of(&other_name, TYPE_TXT);
    struct packed       packed;
    assert_true(put(cache, &key, 300, 1, 0));
    assert_true(put(cache, &other, 300, 1, 0));
    pack(&packed, &key, 300, 4000, 2);
    assert_false(cache_put(cache, &key, &packed.entry, 0));
    assert_int_equal(get(cache, &key, 0, false)->record.data.data[0], 1);
    assert_int_equal(state_at(cache, &other, 0, false), CACHE_FRESH);
    cache_destroy(cache);

    limits.memory = 0; /* a cache without room works: it never has anything */
    cache         = cache_create(&limits, key_of_hash, 2);
    assert_false(put(cache, &key, 300, 1, 0));
    cache_put_failure(cache, &key, FAILURE_ZONE, 0);
    assert_int_equal(state_at(cache, &key, 0, true), CACHE_MISS);
    cache_destroy(cache);
}

static void new_limits_take_effect(void **state)
{
    (void) state;
    struct cache *cache = new_cache();
    for (uint32_t i = 0; i < 10000; i++) {
        struct name      name = name_of(i);
        struct cache_key key  = key_of(&name, TYPE_A);
        assert_true(put(cache, &key, 100, 1, 0));
    }
    uint64_t before = entries_in(cache);

    struct cache_limits limits = {.memory = 4 * MEMORY, .stale = DAY};
    cache_set_limits(cache, &limits);
    check_account(cache);
    for (uint32_t i = 10000; i < 30000; i++) {
        struct name      name = name_of(i);
        struct cache_key key  = key_of(&name, TYPE_A);
        assert_true(put(cache, &key, 100, 1, 0));
    }
    check_bound(cache);
    assert_true(entries_in(cache) > 2 * before);

    limits = (struct cache_limits){.memory = MEMORY / 4, .stale = 10};
    cache_set_limits(cache, &limits);
    for (uint32_t i = 0; i < 100; i++) {
        struct name      name = name_of(i);
        struct cache_key key  = key_of(&name, TYPE_A);
        assert_true(put(cache, &key, 100, 1, 0));
    }
    check_bound(cache);
    check_account(cache);
    struct name      name = name_of(99);
    struct cache_key key  = key_of(&name, TYPE_A);
    assert_int_equal(state_at(cache, &key, 110 * S - 1, true), CACHE_STALE);
    assert_int_equal(state_at(cache, &key, 110 * S, true), CACHE_MISS);
    cache_destroy(cache);
}

static void flushing(void **state)
{
    (void) state;
    struct cache        *cache     = new_cache();
    static const uint8_t example[] = "\7example", other[] = "\5other";
    struct cache_key     far = {.name = {other, sizeof other}, .type = TYPE_A, .class = CLASS_IN};
    for (uint32_t i = 0; i < 50; i++) {
        struct name name = name_of(i);
        for (uint16_t type = 1; type <= 4; type++) {
            struct cache_key key = key_of(&name, type);
            if (type == 4)
                cache_put_failure(cache, &key, FAILURE_ZONE, 0);
            else
                assert_true(put(cache, &key, 300, 1, 0));
        }
    }
    assert_true(put(cache, &far, 300, 1, 0));

    static const uint8_t one[] = "\2N7\7Example";
    assert_int_equal(cache_flush_name(cache, (struct view){one, sizeof one}), 4);
    assert_int_equal(cache_flush_name(cache, (struct view){one, sizeof one}), 0);
    assert_int_equal(cache_flush_name(cache, (struct view){example, sizeof example}), 0);
    assert_int_equal(entries_in(cache), 49 * 4 + 1);
    assert_int_equal(cache_flush_under(cache, (struct view){example, sizeof example}), 49 * 4);
    assert_int_equal(state_at(cache, &far, 0, false), CACHE_FRESH);
    assert_int_equal(cache_flush_all(cache), 1);
    assert_int_equal(cache_flush_all(cache), 0);
    check_account(cache);
    cache_destroy(cache);
}

struct seen {
    size_t  lines, failures;
    int64_t ttl_left[TYPE_TXT + 1]; /* by type */
};

static void see(void *context, const struct cache_line *line)
{
    struct seen *seen = context;
    seen->lines++;
    seen->failures += line->failure;
    seen->ttl_left[line->key.type] = line->ttl_left;
    assert_int_equal(line->message.len > 0, !line->failure);
    assert_int_equal(line->key.class, CLASS_IN);
    for (size_t i = 0; i < line->key.name.len; i++)
        assert_false(line->key.name.data[i] >= 'A' && line->key.name.data[i] <= 'Z');
}

static void showing(void **state)
{
    (void) state;
    struct cache *cache = new_cache();
    struct name   name = name_of(1), other_name = name_of(2);
    name.wire[1]       = 'N'; /* people are shown lower case, whatever was asked */
    struct cache_key a = key_of(&name, TYPE_A), mx = key_of(&name, TYPE_MX), txt = key_of(&name, TYPE_TXT);
    struct cache_key other = key_of(&other_name, TYPE_A);
    assert_true(put(cache, &a, 100, 1, 0));
    assert_true(put_negative(cache, &mx, 100, 0));
    assert_true(put(cache, &other, 100, 1, 0));
    cache_put_failure(cache, &txt, FAILURE_ZONE, 28 * S);

    struct seen seen = {0};
    cache_each(cache, name_view(&name), 30 * S, see, &seen);
    assert_int_equal(seen.lines, 3);
    assert_int_equal(seen.failures, 1);
    assert_int_equal(seen.ttl_left[TYPE_A], 70);
    assert_int_equal(seen.ttl_left[TYPE_MX], 70);
    assert_int_equal(seen.ttl_left[TYPE_TXT], 3);

    seen = (struct seen){0};
    cache_each(cache, name_view(&name), 130 * S, see, &seen);
    assert_int_equal(seen.lines, 1);
    assert_int_equal(seen.ttl_left[TYPE_A], -30);
    cache_destroy(cache);
}

static void without_memory_nothing_is_lost(void **state)
{
    (void) state;
    for (size_t nth = 0; nth < 6; nth++) { /* the cache, its shards, four indices */
        heap_fail_at(nth);
        assert_null(cache_create(&usual, key_of_hash, 4));
        assert_true(heap_restore());
    }
    struct cache    *cache = new_cache();
    struct name      name  = name_of(1);
    struct cache_key key = key_of(&name, TYPE_A), other = key_of(&name, TYPE_MX);
    assert_true(put(cache, &key, 100, 1, 0));

    heap_fail_all();
    assert_false(put(cache, &key, 100, 2, 50 * S));
    assert_false(put(cache, &other, 100, 2, 50 * S));
    cache_put_failure(cache, &other, FAILURE_ZONE, 50 * S);
    cache_set_limits(cache, &(struct cache_limits){.memory = 4 * MEMORY, .stale = DAY});
    assert_int_equal(get(cache, &key, 99 * S, false)->record.data.data[0], 1);
    assert_int_equal(state_at(cache, &other, 50 * S, true), CACHE_MISS);
    assert_int_equal(entries_in(cache), 1);
    assert_true(heap_restore());
    check_account(cache);
    assert_true(put(cache, &other, 100, 2, 50 * S));
    cache_destroy(cache);
    cache_destroy(NULL);
}

static void a_hit_allocates_nothing(void **state)
{
    (void) state;
    struct cache    *cache = new_cache();
    struct name      name  = name_of(1);
    struct cache_key key   = key_of(&name, TYPE_X);
    assert_true(put(cache, &key, 100, 1, 0));
    size_t before = heap_count();
    assert_int_equal(state_at(cache, &key, 0, false), CACHE_FRESH);
    assert_int_equal(state_at(cache, &key, 200 * S, true), CACHE_STALE);
    assert_int_equal(heap_count(), before);
    cache_destroy(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_found_under_its_own_question_only),
        cmocka_unit_test(case_does_not_matter_and_the_client_gets_its_own),
        cmocka_unit_test(a_message_that_answers_something_else_is_not_stored),
        cmocka_unit_test(answers_age_expire_and_serve_stale),
        cmocka_unit_test(an_external_answer_says_so),
        cmocka_unit_test(a_new_answer_replaces_the_old),
        cmocka_unit_test(a_failure_hides_no_answer),
        cmocka_unit_test(failures_double_to_five_minutes),
        cmocka_unit_test(what_was_over_the_quota_holds_a_second),
        cmocka_unit_test(what_the_network_failed_is_forgiven),
        cmocka_unit_test(no_room_is_a_miss),
        cmocka_unit_test(success_makes_the_next_failure_a_first_one),
        cmocka_unit_test(what_is_in_use_outlives_a_scan),
        cmocka_unit_test(an_answer_in_use_stays_so_when_it_is_renewed),
        cmocka_unit_test(what_is_useless_goes_first_however_much_it_was_used),
        cmocka_unit_test(random_worlds_stay_within_their_bound),
        cmocka_unit_test(what_can_never_fit_is_refused_and_costs_nothing),
        cmocka_unit_test(new_limits_take_effect),
        cmocka_unit_test(flushing),
        cmocka_unit_test(showing),
        cmocka_unit_test(without_memory_nothing_is_lost),
        cmocka_unit_test(a_hit_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
