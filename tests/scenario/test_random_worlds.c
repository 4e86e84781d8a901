/*
 * test_random_worlds.c: hundreds of small countries drawn by chance. What must hold in all of them is checked by the
 * world itself (lib/world.h); on failure the seed is
 * printed, and WORLD_SEED=n repeats that one alone.
 */
#include "lib/check.h"
#include "lib/heap.h"
#include "lib/world.h"
#include "policy/attribution.h"
#include "query/query.h"

#include <stdlib.h>

enum {
    WORLDS    = 300,
    QUESTIONS = 60
};

static const char *const names[] = {
    "a.example",
    "www.a.example",
    "b.example",
    "deep.er.b.example",
    "co.uk",
    "x.co.uk",
    "com",
    "c.com",
    "mail.c.com",
    "corp.c.com",
    "in.corp.c.com",
    "out.in.corp.c.com",
    "home.example",
    "x.home.example",
    "1.2.0.192.in-addr.arpa",
    "0.192.in-addr.arpa",
    "10.in-addr.arpa",
    "1.10.in-addr.arpa",
    "github.io",
    "me.github.io",
};

static const char *any_name(struct world *world) { return names[world_random(world, ARRAY_LEN(names))]; }

static void draw(struct world *world)
{
    static const uint16_t types[] = {0, 0, TYPE_A, TYPE_MX, TYPE_SOA};
    unsigned              servers = 1u << world_random(world, 4) | 1u << (8 + world_random(world, 4));
    if (world_random(world, 3) == 0)
        servers = EVERYBODY;
    if (world_random(world, 3) == 0)
        servers = DOMESTIC;
    if (world_random(world, 5) == 0)
        servers |= CANARY;
    struct manner manner = {.way  = (enum way) world_random(world, WAYS),
                            .type = types[world_random(world, ARRAY_LEN(types))],
                            .ede  = world_random(world, 8) ? 0 : (int) world_random(world, 14)};
    if (world_random(world, 6) == 0) {
        manner.only_over = true;
        manner.over      = world_random(world, 2) ? TRANSPORT_TCP : TRANSPORT_UDP;
    }
    if (world_random(world, 4) == 0)
        manner.after = 1 + world_random(world, 6000);
    world_say(world, servers, world_random(world, 12) ? any_name(world) : ".", manner);
}

static void ask(struct world *world, unsigned workers)
{
    static const uint16_t types[]  = {TYPE_A, TYPE_MX, TYPE_TXT, TYPE_SOA, TYPE_NS, TYPE_ANY, TYPE_CNAME};
    struct world_question question = {.name              = any_name(world),
                                      .type              = types[world_random(world, ARRAY_LEN(types))],
                                      .worker            = world_random(world, workers),
                                      .plain             = world_random(world, 2),
                                      .checking_disabled = world_random(world, 10) == 0,
                                      .tcp               = world_random(world, 5) == 0};
    world_ask_by(world, &question);
}

/* As methods/methods does it. */
static void say_a_word(struct world *world)
{
    struct learner   *learner = world_learner(world);
    const struct name name    = named(any_name(world));
    msec_t            until   = world_random(world, 2) ? MSEC_NEVER : world_now(world) + world_random(world, 20000);
    switch (world_random(world, 3)) {
    case 0:
        if (attribution_is_open(world_policy(world), name_view(&name)))
            learner_pin(learner, name_view(&name), world_random(world, 2) ? PIN_EXTERNAL : PIN_DOMESTIC, until, "word",
                        world_now(world));
        break;
    case 1:
        learner_unpin(learner, name_view(&name), world_now(world));
        break;
    default:
        learner_forget(learner, name_view(&name), MSEC_NEVER, world_now(world));
    }
    prober_abandon(world_prober(world), name_view(&name), world_now(world));
}

/* `one_in`: of so many allocations one fails; 0: none. Whether some did. */
static bool one_world(uint64_t seed, uint32_t one_in)
{
    struct world_options options = {
        .seed           = seed,
        .workers        = 1 + (unsigned) (seed % 3),
        .domestic       = 1 + (unsigned) (seed / 3 % 5),
        .external       = 1 + (unsigned) (seed / 15 % 4),
        .office         = 1,
        .loss           = seed % 4 == 0 ? 100 : 0,
        .trusted        = seed % 5 == 0 ? EXTERNAL : 0,
        .fences         = {{"corp.c.com", VIA_GROUP, GROUP_OFFICE},
                           {"in.corp.c.com", VIA_AUTO, 0},
                           {"home.example", seed % 2 ? VIA_GROUP : VIA_REFUSE, SETUP_DOMESTIC},
                           {.zone = "10.in-addr.arpa", .via = VIA_GROUP, .group = SETUP_DOMESTIC, .or_empty = true}},
        .learning       = (enum setup_learning)(seed % 7 == 0   ? SETUP_OBSERVE
                                                : seed % 7 == 1 ? SETUP_LEARN_NOTHING
                                                                : SETUP_LEARN),
        .not_on_timeout = seed % 11 == 0,
        .patience       = seed % 13 == 0 ? 100 : 0,
        .recheck_first  = 5000,
        .recheck_max    = 20000,
        .max_zones      = seed % 6 == 0 ? 3 : 0,
        .canary         = seed % 2,
    };
    struct world *world = world_create(&options);
    for (unsigned i = seed % 2; i < 4; i++) { /* hosts of several zones */
        static const char *const zones[] = {"a.example", "b.example", "c.com", "er.b.example"};
        world_host(world, zones[i], seed % 3 ? "ns1.host.test" : "ns.home.example");
    }
    world_alias(world, "www.a.example", "mail.c.com");
    world_alias(world, "x.co.uk", "x.home.example");
    world_alias(world, "in.corp.c.com", "b.example");
    world_cut(world, "er.b.example");
    if (one_in)
        heap_fail_some(seed, one_in);
    for (unsigned i = 0; i < QUESTIONS; i++) {
        if (world_random(world, 4) == 0)
            draw(world);
        ask(world, options.workers);
        if (world_random(world, 3) == 0)
            world_run(world, world_random(world, world_random(world, 8) ? 300 : 8000));
        if (world_random(world, 15) == 0)
            say_a_word(world);
        if (!one_in && world_random(world, 200) == 0) /* test_memory.c's */
            world_reload(world, &options);
    }
    world_run(world, world_random(world, 2) ? 30000 : 100);
    bool was_poor = heap_restore();
    if (one_in)
        world_run(world, 30000);
    world_end(world);
    return was_poor;
}

static uint64_t drawn; /* for the report of a failure */

static void what_holds_in_all_worlds(void **state)
{
    (void) state;
    const char *only = getenv("WORLD_SEED");
    if (only) {
        one_world(strtoull(only, NULL, 10), 0);
        return;
    }
    for (uint64_t seed = 0; seed < WORLDS; seed++) {
        drawn = seed;
        one_world(seed, 0);
    }
}

/* The same, where memory is short now and then: nothing that must hold falls with it. */
static void what_holds_in_poor_worlds(void **state)
{
    (void) state;
    static const uint32_t odds[] = {2, 5, 20, 100};
    const char           *only   = getenv("WORLD_SEED");
    unsigned              poor   = 0;
    for (uint64_t seed = only ? strtoull(only, NULL, 10) : 0; seed < WORLDS; seed++) {
        drawn = seed;
        poor += one_world(seed, odds[seed / 7 % ARRAY_LEN(odds)]);
        if (only)
            return;
    }
    assert_true(poor > WORLDS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_holds_in_all_worlds),
                                       cmocka_unit_test(what_holds_in_poor_worlds)};
    int                     failed  = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed)
        print_error("seed %u\n", (unsigned) drawn);
    return failed;
}
