/*
 * test_control.c: the control questions that go with the rounds of a trial: what they keep from being learned, what
 * their failures cost, and how few they are.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "probe/monitor.h"
#include "probe/monitor_internal.h"
#include "probe/prober_internal.h"
#include "query/query.h"

#include <stdio.h>

enum {
    SECOND = 1000,
    STEP   = 100, /* ms */
    RTT    = 60,  /* of domestic, more than that */
};

#define SHUT "shut.example"

static void ask_below(struct world *world, const char *zone, unsigned number)
{
    char name[64];
    snprintf(name, sizeof(name), "n%u.%s", number, zone);
    world_ask(world, name, TYPE_A);
}

/* Until it is held blocked, a lookup every other second; ms. */
static msec_t until_learned(struct world *world)
{
    msec_t began = world_now(world);
    for (unsigned i = 0; world_state(world, SHUT) != ZONE_BLOCKED; i++) {
        if (i % (2 * SECOND / STEP) == 0)
            ask_below(world, SHUT, 1000 + i);
        world_run(world, STEP);
        if (world_now(world) - began > 300 * SECOND)
            fail_msg("not learned in five minutes");
    }
    return world_now(world) - began;
}

/* Its nameservers are slow to fail here, and the upstream's own trouble begins while a round is open: nothing that is
 * decided from then on is decided against the zone. */
static void trouble_that_begins_in_a_round_is_no_verdict(void **state)
{
    (void) state;
    unsigned decided = 0;
    for (msec_t at = 0; at < 8 * SECOND; at += STEP)
        for (unsigned domestic = 1; domestic <= 2; domestic++) {
            struct world *world = world_create(&(struct world_options){.seed = 3, .domestic = domestic});
            world_warm_up(world);
            SAY(world, DOMESTIC, SHUT, SERVFAILS, .after = 700);
            ask_below(world, SHUT, 0);
            world_run(world, at);
            SAY(world, DOMESTIC, ".", SERVFAILS);
            SAY(world, DOMESTIC, SHUT, SERVFAILS, .after = 700);
            world_run(world, RTT);
            size_t before = world_blocked(world);
            world_run(world, 20 * SECOND);
            assert_int_equal(world_blocked(world), before);
            decided += before > 0;
            world_end(world);
        }
    assert_in_range(decided, 1, 2 * 8 * SECOND / STEP - 20);
}

/* Domestic answers the check of a zone that had failed on both sides. */
static void what_domestic_answers_is_not_broken(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 8});
    world_warm_up(world);
    SAY(world, EVERYBODY, "blip.test", SERVFAILS);
    world_resolve(world, "a.blip.test", TYPE_MX);
    world_run(world, SECOND);
    SAY(world, EVERYBODY, "blip.test", ANSWERS);
    world_run(world, 10 * SECOND);
    assert_int_equal(prober_read_stats(world_prober(world))->broken_checks, 1);
    assert_int_equal(world_state(world, "blip.test"), ZONE_CLEAR);
    world_end(world);
}

/* Domestic refuses some of what it is asked, so little that its failures say something: where control questions are
 * among that, strikes begin studies ever more seldom. */
static void trouble_is_looked_at_ever_more_seldom(void **state)
{
    (void) state;
    uint64_t studies = 0, strikes = 0;
    for (unsigned seed = 0; seed < 20; seed++) {
        struct world *world = world_create(&(struct world_options){.seed = seed, .domestic = 1});
        world_warm_up(world);
        world_limit(world, DOMESTIC, (struct world_rate){.per_second = 15, .way = REFUSES});
        for (unsigned i = 0; i < 60 * 20; i++) {
            char zone[32];
            snprintf(zone, sizeof(zone), "zone%u.test", i % 50);
            ask_below(world, zone, i);
            world_run(world, SECOND / 20);
        }
        studies += prober_read_stats(world_prober(world))->confirmations;
        strikes += prober_read_stats(world_prober(world))->strikes;
        assert_int_equal(world_blocked(world), 0);
        world_end(world);
    }
    assert_in_range(studies, 20, strikes / 2);
}

/* One of several that are open is lost, and comes to its end behind those that were answered since. */
static void a_lost_one_stops_nothing(void **state)
{
    (void) state;
    unsigned tried = 0;
    for (unsigned seed = 0; seed < 60; seed++) {
        struct world              *world = world_create(&(struct world_options){.seed = seed, .domestic = 1});
        const struct prober_stats *stats = prober_read_stats(world_prober(world));
        for (unsigned i = 0; i < 6; i++) {
            char zone[32];
            snprintf(zone, sizeof(zone), "zone%u.test", i);
            ask_below(world, zone, 0);
            world_run(world, 1100);
        }
        SAY(world, DOMESTIC, "zone0.test", SILENT);
        SAY(world, DOMESTIC, "example", SERVFAILS);
        ask_below(world, SHUT, 0);
        for (unsigned i = 0; i < 9 * SECOND / STEP && stats->control_failures == 0; i++)
            world_run(world, STEP);
        if (stats->control_failures == 1 && world_state(world, SHUT) == ZONE_BLOCKED) {
            uint64_t before = stats->confirmations;
            ask_below(world, "other.example", 0);
            world_run(world, SECOND);
            assert_int_equal(stats->confirmations, before + 1);
            tried++;
        }
        world_end(world);
    }
    assert_true(tried > 5);
}

/* Silence in which several were open is one failure: behind it a block is learned soon. */
static void silence_is_one_failure(void **state)
{
    (void) state;
    for (unsigned domestic = 1; domestic <= 2; domestic++)
        for (unsigned seed = 0; seed < 20; seed++) {
            struct world *world = world_create(&(struct world_options){.seed = seed, .domestic = domestic});
            world_warm_up(world);
            world_run(world, 20 * SECOND + world_random(world, 5000));
            SAY(world, DOMESTIC, ".", SILENT);
            for (unsigned i = 0; i < 24; i++) {
                ask_below(world, i % 2 ? "good.example" : "fine.example", i);
                world_run(world, SECOND / 2);
            }
            SAY(world, DOMESTIC, ".", ANSWERS);
            SAY(world, DOMESTIC, SHUT, SERVFAILS);
            assert_true(until_learned(world) < 20 * SECOND);
            world_end(world);
        }
}

/* Zones that serve for control questions may break: those that do not are asked again. */
static void a_dead_candidate_gives_way(void **state)
{
    (void) state;
    enum {
        CANDIDATES = 16
    };
    unsigned soon = 0;
    for (unsigned domestic = 1; domestic <= 2; domestic++)
        for (unsigned seed = 0; seed < 20; seed++) {
            struct world *world = world_create(&(struct world_options){.seed = seed, .domestic = domestic});
            char          zone[32];
            for (unsigned i = 0; i < CANDIDATES; i++) {
                snprintf(zone, sizeof(zone), "zone%u.test", i);
                ask_below(world, zone, 0);
                world_run(world, 1100);
            }
            for (unsigned i = 0; i < CANDIDATES / 2; i++) {
                snprintf(zone, sizeof(zone), "zone%u.test", i);
                SAY(world, DOMESTIC, zone, SERVFAILS);
            }
            SAY(world, DOMESTIC, SHUT, SERVFAILS);
            soon += until_learned(world) < 30 * SECOND;
            world_end(world);
        }
    assert_true(soon >= 34);
}

/* One name in the only zone that serves is blocked by itself: the zone goes on serving. */
static void a_blocked_name_ends_no_service(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 5});
    world_resolve(world, "mail.fine.test", TYPE_A);
    world_run(world, 2 * SECOND);
    SAY(world, DOMESTIC, "shop.fine.test", SERVFAILS);
    world_resolve(world, "shop.fine.test", TYPE_A);
    world_run(world, 10 * SECOND);
    assert_int_equal(world_blocked(world), 1);
    SAY(world, DOMESTIC, SHUT, SERVFAILS);
    assert_true(until_learned(world) < 10 * SECOND);
    world_end(world);
}

/* However long they take: one with each round, and one behind the last. */
static void a_verdict_costs_few(void **state)
{
    (void) state;
    for (unsigned domestic = 1; domestic <= 3; domestic++)
        for (msec_t after = 5; after <= 1200; after += 239) {
            struct world *world = world_create(&(struct world_options){.seed = 7, .domestic = domestic});
            world_warm_up(world);
            world_run(world, 5 * SECOND);
            uint64_t before = prober_read_stats(world_prober(world))->controls;
            SAY(world, DOMESTIC, ".", ANSWERS, .after = after);
            SAY(world, DOMESTIC, SHUT, SERVFAILS);
            ask_below(world, SHUT, 0);
            world_run(world, 20 * SECOND);
            assert_int_equal(world_state(world, SHUT), ZONE_BLOCKED);
            assert_in_range(prober_read_stats(world_prober(world))->controls - before, 2, 6 * domestic);
            world_end(world);
        }
}

/* Two lookups of a zone that is silent, in a time in which others are answered: nobody asks whether domestic is there.
 */
static void one_silent_zone_draws_no_probe(void **state)
{
    (void) state;
    for (msec_t next = 600; next <= 1000; next += 100) {
        struct world *world = world_create(&(struct world_options){.seed = 4, .domestic = 1});
        world_warm_up(world);
        world_run(world, 5 * SECOND);
        uint64_t before = prober_read_stats(world_prober(world))->health_probes;
        SAY(world, DOMESTIC, SHUT, SILENT);
        ask_below(world, SHUT, 0);
        ask_below(world, SHUT, 1);
        world_run(world, next);
        for (unsigned i = 0; i < 30; i++) {
            ask_below(world, "good.example", i);
            world_run(world, 300);
        }
        assert_int_equal(prober_read_stats(world_prober(world))->health_probes, before);
        world_end(world);
    }
}

/* 5, 10 and then 20 s, as long as they fail; one that is answered ends it. */
static void pauses_become_longer(void **state)
{
    (void) state;
    static const char *const controls[] = {"good.example", "fine.example", "well.example"};
    static const msec_t      expected[] = {5000, 10000, 20000};
    struct world            *world      = world_create(&(struct world_options){.seed = 5, .domestic = 1});
    unsigned                 next       = 0;
    world_warm_up(world);
    for (size_t i = 0; i < ARRAY_LEN(controls); i++)
        world_say(world, DOMESTIC, controls[i], (struct manner){.way = SERVFAILS});
    world_say(world, DOMESTIC, SHUT, (struct manner){.way = SERVFAILS});
    const struct monitor *monitor = monitor_of(&world_prober(world)->monitors, world_server(world, DOMESTIC_1));
    msec_t                pause   = 0;
    for (unsigned i = 0; i < 240 * SECOND / STEP; i++) {
        if (i % (2 * SECOND / STEP) == 0)
            ask_below(world, SHUT, i);
        world_run(world, STEP);
        if (monitor->pause == pause)
            continue;
        pause = monitor->pause;
        assert_true(next < ARRAY_LEN(expected));
        assert_int_equal(pause, expected[next++]);
    }
    assert_int_equal(next, ARRAY_LEN(expected));
    world_end(world);
}

/* What fails in a pause was answered a minute ago, or three: only the former says that the trouble goes on. */
static void what_was_well_lately_says_that_trouble_goes_on(void **state)
{
    (void) state;
    static const char *const controls[] = {"good.example", "fine.example", "well.example"};
    for (unsigned late = 0; late < 2; late++) {
        struct world *world = world_create(&(struct world_options){.seed = 5, .domestic = 1});
        world_warm_up(world);
        world_resolve(world, "mx.known.example", TYPE_MX);
        world_run(world, (late ? 180 : 60) * SECOND);
        for (size_t i = 0; i < ARRAY_LEN(controls); i++)
            world_say(world, DOMESTIC, controls[i], (struct manner){.way = SERVFAILS});
        world_say(world, DOMESTIC, SHUT, (struct manner){.way = SERVFAILS});
        world_say(world, DOMESTIC, "known.example", (struct manner){.way = SERVFAILS});
        struct monitor *monitor = monitor_of(&world_prober(world)->monitors, world_server(world, DOMESTIC_1));
        ask_below(world, SHUT, 0);
        for (unsigned i = 0; !monitors_in_trouble(&world_prober(world)->monitors, world_now(world)); i++) {
            world_run(world, STEP);
            assert_true(i < 10 * SECOND / STEP);
        }
        unsigned failed[2] = {0};
        for (unsigned after = 0; after < 2; after++) {
            for (unsigned i = 0; i < TROUBLE_STEPS; i++)
                failed[after] += monitor->trouble.steps[i].failed;
            if (!after)
                world_resolve(world, "other.known.example", TYPE_MX);
            world_run(world, 5);
        }
        assert_int_equal(failed[1] - failed[0], !late);
        world_end(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trouble_that_begins_in_a_round_is_no_verdict),
        cmocka_unit_test(what_domestic_answers_is_not_broken),
        cmocka_unit_test(trouble_is_looked_at_ever_more_seldom),
        cmocka_unit_test(a_lost_one_stops_nothing),
        cmocka_unit_test(silence_is_one_failure),
        cmocka_unit_test(a_dead_candidate_gives_way),
        cmocka_unit_test(a_blocked_name_ends_no_service),
        cmocka_unit_test(a_verdict_costs_few),
        cmocka_unit_test(one_silent_zone_draws_no_probe),
        cmocka_unit_test(pauses_become_longer),
        cmocka_unit_test(what_was_well_lately_says_that_trouble_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
