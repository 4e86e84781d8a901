/*
 * test_suspicion.c: where a suspicion stands while its confirmation goes on: at the zone that fails, not at its healthy
 * neighbours.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "probe/monitor.h"
#include "query/query.h"

/* Answers that show no SOA: the cut is known one question later. */
static struct world *hosting(uint64_t seed)
{
    struct world *world = world_create(&(struct world_options){.seed = seed});
    world_warm_up(world);
    world_cut(world, "shut.hosting.example");
    SAY(world, DOMESTIC, "shut.hosting.example", SILENT);
    return world;
}

static void a_suspicion_moves_to_the_zone(void **state)
{
    (void) state;
    struct world *world = hosting(1);
    world_resolve(world, "mail.shut.hosting.example", TYPE_A);
    world_run(world, 2 * EXTERNAL_DELAY + 20);
    assert_int_equal(world_state(world, "shut.hosting.example"), ZONE_SUSPECT);
    assert_int_equal(world_state(world, "hosting.example"), ZONE_CLEAR);

    size_t before = world_count(world, EXTERNAL, "fine.hosting.example", BY_ALL);
    SAY(world, DOMESTIC, "fine.hosting.example", ANSWERS, .after = 400);
    world_resolve(world, "mail.fine.hosting.example", TYPE_A);
    assert_int_equal(world_count(world, EXTERNAL, "fine.hosting.example", BY_ALL), before);
    world_end(world);
}

/* Before the zone is known the suspicion is a guess: neighbours have time to answer from a cache. */
static void a_guess_is_one_strike_however_many_fail(void **state)
{
    (void) state;
    struct world *world = hosting(2);
    SAY(world, EXTERNAL, "shut.hosting.example", ANSWERS, .type = TYPE_A);
    SAY(world, EXTERNAL, "hosting.example", SILENT, .type = TYPE_SOA);
    world_ask(world, "a.shut.hosting.example", TYPE_A);
    world_ask(world, "b.shut.hosting.example", TYPE_A);
    world_ask(world, "c.shut.hosting.example", TYPE_A);
    world_run(world, 900 + EXTERNAL_DELAY + 30);
    struct verdict verdict = world_verdict(world, "fine.hosting.example", TYPE_A);
    assert_int_equal(verdict.state, ZONE_SUSPECT);
    assert_int_equal(verdict.strikes, 1);
    size_t before = world_count(world, EXTERNAL, "fine.hosting.example", BY_ALL);
    world_resolve(world, "mail.fine.hosting.example", TYPE_A);
    assert_int_equal(world_count(world, EXTERNAL, "fine.hosting.example", BY_ALL), before);
    world_end(world);
}

/* The strikes that were held go with it: the next lookup does not wait. */
static void held_strikes_move_with_the_suspicion(void **state)
{
    (void) state;
    struct world *world = hosting(6);
    world_ask(world, "a.shut.hosting.example", TYPE_A);
    world_ask(world, "b.shut.hosting.example", TYPE_A);
    world_ask(world, "c.shut.hosting.example", TYPE_A);
    world_run(world, 900 + 2 * EXTERNAL_DELAY + 30);
    assert_int_equal(world_state(world, "shut.hosting.example"), ZONE_SUSPECT);
    assert_int_equal(world_verdict(world, "d.shut.hosting.example", TYPE_A).strikes, 3);
    assert_int_equal(world_verdict(world, "mail.fine.hosting.example", TYPE_A).state, ZONE_CLEAR);
    world_end(world);
}

/* Without a control nothing is learned of the name. But the zone was heard. */
static void a_zone_whose_apex_answers_is_not_suspected(void **state)
{
    (void) state;
    static const char *const controls[] = {"good.example", "fine.example", "well.example"};
    struct world            *world      = world_create(&(struct world_options){.seed = 7});
    world_warm_up(world);
    for (size_t i = 0; i < ARRAY_LEN(controls); i++)
        SAY(world, DOMESTIC, controls[i], SERVFAILS);
    SAY(world, DOMESTIC, "mx.look.example", SERVFAILS);
    world_resolve(world, "mx.look.example", TYPE_MX);
    world_run(world, 1);
    assert_int_equal(world_state(world, "look.example"), ZONE_SUSPECT);
    world_run(world, CONTROL_EVERY + 1000);
    assert_int_equal(world_state(world, "look.example"), ZONE_CLEAR);
    assert_int_equal(world_blocked(world), 0);
    world_end(world);
}

/* What domestic fails everywhere is its own trouble: the suspicion ends with the trial. */
static void trouble_ends_a_suspicion(void **state)
{
    (void) state;
    static const char *const controls[] = {"good.example", "fine.example", "well.example"};
    struct world            *world      = world_create(&(struct world_options){.seed = 7});
    world_warm_up(world);
    for (size_t i = 0; i < ARRAY_LEN(controls); i++)
        world_say(world, DOMESTIC, controls[i], (struct manner){.way = SERVFAILS});
    world_say(world, DOMESTIC, "look.example", (struct manner){.way = SERVFAILS});
    world_resolve(world, "mx.look.example", TYPE_MX);
    world_run(world, 1);
    assert_int_equal(world_state(world, "look.example"), ZONE_SUSPECT);
    world_run(world, 10000);
    assert_int_equal(world_state(world, "look.example"), ZONE_CLEAR);
    assert_int_equal(world_blocked(world), 0);
    world_end(world);
}

/* There is nothing to ask a control question about, so nothing is learned; the suspicion does not outlive its trial. */
static void a_suspicion_ends_with_its_trial(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 7});
    world_say(world, DOMESTIC, "mx.look.example", (struct manner){.way = SERVFAILS});
    world_resolve(world, "mx.look.example", TYPE_MX);
    world_run(world, 3000);
    assert_int_equal(world_state(world, "look.example"), ZONE_CLEAR);
    assert_int_equal(world_verdict(world, "mx.look.example", TYPE_MX).state, ZONE_SUSPECT);
    world_run(world, 12000);
    assert_int_equal(world_verdict(world, "mx.look.example", TYPE_MX).state, ZONE_CLEAR);
    world_end(world);
}

/* For ten minutes it is fine, whatever else fails in it. */
static void a_zone_that_was_heard_is_spared_for_a_while(void **state)
{
    (void) state;
    for (unsigned later = 0; later < 2; later++) {
        struct world *world = world_create(&(struct world_options){.seed = 8});
        world_warm_up(world);
        world_say(world, DOMESTIC, "mx.look.example", (struct manner){.way = SERVFAILS});
        world_say(world, DOMESTIC, "ns.look.example", (struct manner){.way = SERVFAILS});
        world_resolve(world, "mx.look.example", TYPE_MX);
        msec_t began = world_now(world);
        while (!world_zone(world, "mx.look.example", SCOPE_NAME, 0) ||
               world_zone(world, "mx.look.example", SCOPE_NAME, 0)->condition.state != ZONE_BLOCKED) {
            world_run(world, 10);
            assert_true(world_now(world) - began < 30000);
        }
        msec_t second = world_now(world) / 1000 * 1000; /* that is as exact as it is remembered */
        world_run(world, second + 600 * 1000 + (later ? 100 : -300) - world_now(world));
        world_resolve(world, "ns.look.example", TYPE_MX);
        world_run(world, 20);
        assert_int_equal(world_state(world, "look.example"), later ? ZONE_SUSPECT : ZONE_CLEAR);
        world_end(world);
    }
}

/* The third lookup goes straight to the way that works, though each name is another one. */
static void strikes_of_other_names_count_for_the_zone(void **state)
{
    (void) state;
    struct world *world = hosting(3);
    world_resolve(world, "a.shut.hosting.example", TYPE_A);
    world_run(world, 2 * EXTERNAL_DELAY + 20);
    const struct ask *ask = world_ask(world, "b.shut.hosting.example", TYPE_A);
    assert_in_range(world_wait(world, ask), PATIENCE_SUSPECT, PATIENCE_SUSPECT + EXTERNAL_DELAY + 20);
    world_run(world, 20);
    ask = world_ask(world, "c.shut.hosting.example", TYPE_A);
    assert_in_range(world_wait(world, ask), 0, EXTERNAL_DELAY + 20);
    world_end(world);
}

/* The zone of an alias is known late, whether it or its target fails: its own strikes count all the same, and no
 * neighbour pays for them. */
static void an_alias_counts_its_own_strikes(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 4});
    world_warm_up(world);
    world_alias(world, "shop.fine.example", "www.shut.test");
    SAY(world, DOMESTIC, "shop.fine.example", SILENT, .type = TYPE_A);
    world_resolve(world, "shop.fine.example", TYPE_A);
    world_run(world, 20);
    cache_flush_all(world_shared(world).cache);
    const struct ask *ask = world_ask(world, "shop.fine.example", TYPE_A);
    assert_in_range(world_wait(world, ask), 0, PATIENCE_SUSPECT + EXTERNAL_DELAY + 20);
    world_run(world, 20);
    cache_flush_all(world_shared(world).cache);
    ask = world_ask(world, "shop.fine.example", TYPE_A);
    assert_in_range(world_wait(world, ask), 0, EXTERNAL_DELAY + 20);
    assert_true(world_verdict(world, "www.fine.example", TYPE_A).strikes <= 1);
    world_run(world, 20000);
    assert_int_equal(world_state(world, "fine.example"), ZONE_CLEAR);
    world_end(world);
}

/* The only zone that domestic is known to answer has a name that fails: it serves as a control all the same. */
static void a_doubted_zone_is_better_than_no_control(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 5});
    world_resolve(world, "mail.fine.example", TYPE_A);
    world_run(world, 2000);
    SAY(world, DOMESTIC, "shop.fine.example", SILENT);
    SAY(world, DOMESTIC, "shut.test", SERVFAILS);
    world_resolve(world, "shop.fine.example", TYPE_A);
    world_resolve(world, "shut.test", TYPE_MX);
    world_run(world, 3000);
    assert_int_equal(world_state(world, "shut.test"), ZONE_BLOCKED);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_suspicion_moves_to_the_zone),
        cmocka_unit_test(held_strikes_move_with_the_suspicion),
        cmocka_unit_test(a_zone_whose_apex_answers_is_not_suspected),
        cmocka_unit_test(trouble_ends_a_suspicion),
        cmocka_unit_test(a_suspicion_ends_with_its_trial),
        cmocka_unit_test(a_zone_that_was_heard_is_spared_for_a_while),
        cmocka_unit_test(a_guess_is_one_strike_however_many_fail),
        cmocka_unit_test(a_doubted_zone_is_better_than_no_control),
        cmocka_unit_test(an_alias_counts_its_own_strikes),
        cmocka_unit_test(strikes_of_other_names_count_for_the_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
