/*
 * test_own_trouble.c: countries drawn by chance in which every zone is healthy and only the upstreams have trouble of
 * their own, now this one, now all. No zone may be called blocked or broken, not for a moment. On failure the seed is
 * printed, and WORLD_SEED=n repeats that one alone.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    WORLDS = 60,
    STEPS  = 250,
    ZONES  = 40,
};

static void change_weather(struct world *world, unsigned domestic)
{
    static const enum way ways[] = {SERVFAILS, REFUSES,     SILENT,  SERVFAILS_SHORTLY, REFUSES_SHORTLY,
                                    GARBLES,   UNREACHABLE, ANSWERS, ANSWERS,           ANSWERS};
    struct manner manner = {.way = ways[world_random(world, ARRAY_LEN(ways))], .proves = world_random(world, 2)};
    if (world_random(world, 5) == 0) {
        manner.only_over = true;
        manner.over      = world_random(world, 2) ? TRANSPORT_TCP : TRANSPORT_UDP;
    }
    if (world_random(world, 8) == 0)
        manner.after = 1 + world_random(world, 2000);
    world_say(world, world_random(world, 2) ? DOMESTIC : 1u << world_random(world, domestic), ".", manner);
}

static void ask(struct world *world)
{
    static const char *const hosts[] = {"", "mail.", "www.", "_dmarc."};
    static const uint16_t    types[] = {TYPE_A, TYPE_MX, TYPE_TXT};
    char                     name[40];
    snprintf(name, sizeof(name), "%sz%u.example", hosts[world_random(world, ARRAY_LEN(hosts))],
             (unsigned) world_random(world, ZONES));
    world_ask(world, name, types[world_random(world, ARRAY_LEN(types))]);
}

static void nothing_is_held(struct world *world)
{
    struct learner_counts counts = learner_count(world_learner(world));
    assert_int_equal(world_blocked(world), 0);
    assert_int_equal(counts.states[ZONE_BROKEN], 0);
}

/* How often something was suspected. */
static uint64_t one_world(uint64_t seed)
{
    struct world_options options = {
        .seed     = seed,
        .domestic = 1 + (unsigned) (seed % 3),
        .external = 1 + (unsigned) (seed / 3 % 2),
        .loss     = seed % 5 == 0 ? 10 : 0,
    };
    struct world *world = world_create(&options);
    world_warm_up(world);
    for (unsigned i = 0; i < STEPS; i++) {
        if (world_random(world, 12) == 0)
            change_weather(world, options.domestic);
        for (unsigned n = 0; n < 1 + world_random(world, 4); n++)
            ask(world);
        world_run(world, world_random(world, 1200));
        nothing_is_held(world);
    }
    SAY(world, DOMESTIC, ".", ANSWERS);
    world_run(world, 60000);
    nothing_is_held(world);
    const struct prober_stats *stats     = prober_read_stats(world_prober(world));
    uint64_t                   suspected = stats->confirmations + stats->broken_checks;
    world_end(world);
    return suspected;
}

static uint64_t drawn; /* for the report of a failure */

static void an_upstreams_own_trouble_is_no_block(void **state)
{
    (void) state;
    const char *only      = getenv("WORLD_SEED");
    uint64_t    suspected = 0;
    for (uint64_t seed = only ? strtoull(only, NULL, 10) : 0; seed < WORLDS; seed++) {
        drawn = seed;
        suspected += one_world(seed);
        if (only)
            return;
    }
    assert_true(suspected > 5 * WORLDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upstreams_own_trouble_is_no_block),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed)
        printf("seed %llu\n", (unsigned long long) drawn);
    return failed;
}
