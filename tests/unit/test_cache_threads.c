/*
 * test_cache_threads.c: four threads read, store, fail and flush at once. Whatever comes back must be whole and belong
 * to the question; the thread sanitizer sees the rest.
 */
#include "cache/cache.h"

#include "base/bytes.h"
#include "base/rng.h"
#include "lib/check.h"
#include "stored.h"

#include <pthread.h>

enum {
    THREADS = 4,
    STEPS   = 40000,
    NAMES   = 600,
    RDATA   = 64
};

struct hammer {
    struct cache *cache;
    uint8_t       seed;
    size_t        hits;
    const char   *wrong; /* what was wrong, or NULL */
};

/* Every byte of the record tells the name's number. */
static void store(struct cache *cache, const struct cache_key *key, uint32_t number, msec_t now)
{
    struct packed packed;
    pack(&packed, key, 60, RDATA, (uint8_t) number);
    cache_put(cache, key, &packed.entry, now);
}

static const char *ask(struct hammer *hammer, const struct cache_key *key, uint32_t number, msec_t now)
{
    struct client_query     asked = {.id = 1, .edns = true, .limit = 1232, .type = key->type, .class = key->class};
    const struct cache_read read  = {
         .now = now, .reader = number, .allow_stale = true, .external_origin = 1, .external_ede = EDE_OTHER};
    struct cache_hit hit;
    uint8_t          out[1232];
    name_set(&asked.name, key->name);
    enum cache_answer answer = cache_get(hammer->cache, &asked, &read, out, sizeof out, &hit);
    if (answer != CACHE_FRESH && answer != CACHE_STALE)
        return NULL;

    hammer->hits++;
    struct message message;
    struct record  record = {0};
    if (!message_parse((struct view){out, hit.len}, &message) || !message_next(&message, &record))
        return "not a message";
    if (!name_equal(message.question.name, key->name) || message.question.type != key->type)
        return "another question";
    for (size_t i = 0; i < record.data.len; i++)
        if (record.data.data[i] != (number & 0xff))
            return "another's bytes";
    return NULL;
}

static void count_line(void *context, const struct cache_line *line)
{
    size_t *lines = context;
    *lines += line->key.name.len > 0;
}

static void *hammer_on(void *context)
{
    struct hammer *hammer = context;
    struct rng     rng;
    msec_t         now   = 0;
    size_t         lines = 0;
    rng_init(&rng, (const uint8_t[RNG_SEED_BYTES]){hammer->seed});
    for (size_t step = 0; step < STEPS && hammer->wrong == NULL; step++) {
        uint32_t          number = rng_below(&rng, NAMES);
        const struct name name   = name_of(number);
        struct cache_key  key    = {
                .name = name_view(&name), .type = rng_below(&rng, 2) ? TYPE_A : TYPE_TXT, .class = CLASS_IN};
        struct cache_stats stats;
        now += rng_below(&rng, 20);
        uint32_t dice = rng_below(&rng, 1000);
        if (dice < 400)
            store(hammer->cache, &key, number, now);
        else if (dice < 450)
            cache_put_failure(hammer->cache, &key, FAILURE_ZONE, now);
        else if (dice < 452)
            cache_flush_name(hammer->cache, key.name);
        else if (dice == 452)
            cache_flush_under(hammer->cache, name_parent(key.name));
        else if (dice == 453)
            cache_set_limits(hammer->cache,
                             &(struct cache_limits){.memory = 50000u << rng_below(&rng, 3), .stale = 60});
        else if (dice < 456)
            cache_each(hammer->cache, key.name, now, count_line, &lines);
        else if (dice < 460)
            cache_read_stats(hammer->cache, &stats);
        else
            hammer->wrong = ask(hammer, &key, number, now);
    }
    return NULL;
}

static void four_threads_disturb_nobody(void **state)
{
    (void) state;
    struct cache *cache =
        cache_create(&(struct cache_limits){.memory = 100000, .stale = 60}, (struct hash_key){3, 4}, 2);
    assert_non_null(cache);
    pthread_t     threads[THREADS];
    struct hammer hammers[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        hammers[i] = (struct hammer){.cache = cache, .seed = (uint8_t) i};
        assert_int_equal(pthread_create(&threads[i], NULL, hammer_on, &hammers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < THREADS; i++) {
        if (hammers[i].wrong != NULL)
            fail_msg("%s", hammers[i].wrong);
        assert_true(hammers[i].hits > STEPS / 50);
    }
    cache_flush_all(cache);
    struct cache_stats stats;
    cache_read_stats(cache, &stats);
    assert_int_equal(stats.entries, 0);
    cache_destroy(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(four_threads_disturb_nobody)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
