/*
 * test_terms.c: what the operator says binds the queries that are under way: a pin, a forget and a reload leave nothing
 * of what began before them.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

/* The answer came the way that the pin forbids: who waits gets it, nobody else does. */
static void an_answer_from_before_a_pin_is_not_kept(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    SAY(world, DOMESTIC, "pinned.example", SERVFAILS);
    SAY(world, EXTERNAL, "pinned.example", ANSWERS, .after = 500);
    const struct ask *ask = world_ask(world, "a.pinned.example", TYPE_A);
    world_run(world, 100);
    world_pin(world, "pinned.example", PIN_DOMESTIC, MSEC_NEVER);
    world_wait(world, ask);
    assert_int_equal(ask->group, SETUP_EXTERNAL);

    SAY(world, DOMESTIC, "pinned.example", ANSWERS);
    ask = world_resolve(world, "a.pinned.example", TYPE_A);
    assert_int_equal(ask->group, SETUP_DOMESTIC);
    world_end(world);
}

/* What is on its way is not sent once more, and external is not asked any more. */
static void a_pin_stops_what_is_under_way(void **state)
{
    (void) state;
    for (unsigned asked = 0; asked < 2; asked++) {
        struct world *world = world_create(&(struct world_options){.seed = 1});
        SAY(world, DOMESTIC, "pinned.example", asked ? SERVFAILS : SILENT);
        SAY(world, EXTERNAL, "pinned.example", SILENT);
        const struct ask *ask = world_ask(world, "a.pinned.example", TYPE_A);
        world_run(world, 100);
        assert_int_equal(world_count(world, EXTERNAL, "pinned.example", BY_ALL), asked);
        world_pin(world, "pinned.example", PIN_DOMESTIC, MSEC_NEVER);
        world_wait(world, ask);
        assert_int_equal(ask->rcode, RCODE_SERVFAIL);
        assert_int_equal(world_count(world, EXTERNAL, "pinned.example", BY_ALL), asked);
        world_end(world);
    }
}

/* Nor is external's health probed with what was pinned to domestic since external answered it. */
static void no_probe_asks_for_what_was_pinned_away(void **state)
{
    (void) state;
    for (unsigned pinned = 0; pinned < 2; pinned++) {
        struct world     *world = world_create(&(struct world_options){.seed = 1, .learning = SETUP_LEARN_NOTHING});
        const struct name zone  = named("pinned.example");
        SAY(world, DOMESTIC, "example", SERVFAILS);
        assert_int_equal(world_resolve(world, "a.pinned.example", TYPE_A)->group, SETUP_EXTERNAL);
        world_run(world, 2000);
        if (pinned) {
            world_pin(world, "pinned.example", PIN_DOMESTIC, MSEC_NEVER);
            prober_abandon(world_prober(world), name_view(&zone), world_now(world));
        }
        SAY(world, EXTERNAL, ".", SILENT);
        world_resolve(world, "a.other.example", TYPE_A);
        world_run(world, 20000);
        assert_int_equal(world_count(world, EXTERNAL, "pinned.example", BY_PROBER) > 0, !pinned);
        world_end(world);
    }
}

/* A failure from before the pin does not stand in the way of the way that works. */
static void a_failure_from_before_a_pin_is_not_kept(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 2});
    SAY(world, DOMESTIC | EXTERNAL, "pinned.example", SERVFAILS, .after = 300);
    const struct ask *ask = world_ask(world, "a.pinned.example", TYPE_A);
    world_run(world, 100);
    world_pin(world, "pinned.example", PIN_EXTERNAL, MSEC_NEVER);
    world_wait(world, ask);
    assert_int_equal(ask->rcode, RCODE_SERVFAIL);

    SAY(world, EXTERNAL, "pinned.example", ANSWERS);
    ask = world_resolve(world, "a.pinned.example", TYPE_A);
    assert_int_equal(ask->rcode, 0);
    world_end(world);
}

/* On the same worker it would join the flight, on another one wait for its claim. */
static void who_asks_after_a_pin_waits_for_nothing_older(void **state)
{
    (void) state;
    for (unsigned worker = 0; worker < 2; worker++) {
        struct world *world = world_create(&(struct world_options){.seed = 3, .workers = 2});
        SAY(world, DOMESTIC, "pinned.example", SILENT);
        const struct ask *first = world_ask(world, "a.pinned.example", TYPE_A);
        world_run(world, 100);
        world_pin(world, "pinned.example", PIN_EXTERNAL, MSEC_NEVER);
        const struct world_question question = {.name = "a.pinned.example", .type = TYPE_A, .worker = worker};
        const struct ask           *second   = world_ask_by(world, &question);
        assert_in_range(world_wait(world, second), 0, EXTERNAL_DELAY + 20);
        assert_int_equal(second->group, SETUP_EXTERNAL);
        world_wait(world, first);
        world_end(world);
    }
}

/* It waits for another worker's answer when the pin comes. */
static void who_waits_for_a_claim_starts_anew(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 4, .workers = 2});
    SAY(world, DOMESTIC, "pinned.example", SILENT);
    const struct ask           *first    = world_ask(world, "a.pinned.example", TYPE_A);
    const struct world_question question = {.name = "a.pinned.example", .type = TYPE_A, .worker = 1};
    const struct ask           *second   = world_ask_by(world, &question);
    world_run(world, 100);
    world_pin(world, "pinned.example", PIN_EXTERNAL, MSEC_NEVER);
    assert_in_range(world_wait(world, second), 100, 100 + CLAIM_LOOK_MAX + EXTERNAL_DELAY + 20);
    world_wait(world, first);
    world_end(world);
}

static void evidence_from_before_a_forget_is_dropped(void **state)
{
    (void) state;
    for (int forgets = 0; forgets < 2; forgets++) {
        struct world *world = world_create(&(struct world_options){.seed = 5});
        world_warm_up(world);
        SAY(world, DOMESTIC, "gone.example", SERVFAILS);
        SAY(world, EXTERNAL, "gone.example", ANSWERS, .after = 500);
        const struct ask *ask = world_ask(world, "gone.example", TYPE_MX);
        world_run(world, 100);
        const struct name name = named("gone.example");
        if (forgets)
            learner_forget(world_learner(world), name_view(&name), MSEC_NEVER, world_now(world));
        world_wait(world, ask);
        world_run(world, 10000);
        assert_int_equal(world_state(world, "gone.example"), forgets ? ZONE_CLEAR : ZONE_BLOCKED);
        world_end(world);
    }
}

/* The query began when external was allowed; its patience ends behind the reload. */
static void a_new_fence_binds_a_query_under_way(void **state)
{
    (void) state;
    const struct world_options open   = {.seed = 6};
    const struct world_options fenced = {.seed = 6, .fences = {{"inner.example", VIA_GROUP, SETUP_DOMESTIC}}};
    struct world              *world  = world_create(&open);
    SAY(world, DOMESTIC, "inner.example", SILENT);
    const struct ask *ask = world_ask(world, "a.inner.example", TYPE_A);
    world_run(world, 300);
    world_reload(world, &fenced);
    world_wait(world, ask);
    assert_int_equal(ask->rcode, RCODE_SERVFAIL);
    assert_int_equal(world_count(world, EXTERNAL, "inner.example", BY_ALL), 0);
    world_end(world);
}

/* It is in the midst of asking those whom the reload forbids: they are asked no more. */
static void a_new_fence_ends_what_it_forbids(void **state)
{
    (void) state;
    const struct world_options open   = {.seed = 6};
    const struct world_options fenced = {.seed = 6, .fences = {{"inner.example", VIA_GROUP, SETUP_EXTERNAL}}};
    for (unsigned failing = 0; failing < 2; failing++) {
        struct world *world = world_create(&open);
        world_say(world, DOMESTIC_1, "inner.example", (struct manner){.way = SILENT});
        world_say(world, DOMESTIC_2, "inner.example",
                  (struct manner){.way = failing ? SERVFAILS : SILENT, .after = 200});
        world_say(world, EXTERNAL, "inner.example", (struct manner){.way = ANSWERS, .after = 900});
        const struct ask *ask = world_ask(world, "a.inner.example", TYPE_A);
        world_run(world, 100);
        world_reload(world, &fenced);
        size_t before = world_count(world, DOMESTIC, "inner.example", BY_ALL);
        world_wait(world, ask);
        assert_int_equal(ask->rcode, RCODE_NOERROR); /* by the group that it is fenced to now */
        assert_int_equal(ask->group, SETUP_EXTERNAL);
        world_run(world, 10000);
        assert_int_equal(world_count(world, DOMESTIC, "inner.example", BY_CLIENTS), before);
        assert_int_equal(world_resolve(world, "b.inner.example", TYPE_A)->group, SETUP_EXTERNAL);
        world_end(world);
    }
}

/* More rechecks are due than may run at once, and each waits for a silent upstream. */
static void a_pin_ends_in_time_whatever_else_is_due(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 7});
    SAY(world, DOMESTIC, "example", SILENT);
    msec_t now = world_now(world);
    for (unsigned i = 0; i < 3 * RECHECKS_AT_ONCE; i++) {
        char text[]                  = "zone00.example";
        text[4]                      = (char) ('0' + i / 10);
        text[5]                      = (char) ('0' + i % 10);
        const struct name    name    = named(text);
        const struct learned learned = {
            .id         = {.name = name_view(&name), .scope = SCOPE_ZONE},
            .condition  = {.state = ZONE_BLOCKED, .reason = REASON_TIMEOUT, .interval = 600000, .next = now},
            .asked      = name_view(&name),
            .asked_type = TYPE_SOA,
            .last_used  = now};
        assert_non_null(learner_restore(world_learner(world), &learned, now));
    }
    world_pin(world, "pinned.test", PIN_EXTERNAL, now + 2000);
    world_run(world, 1900);
    assert_in_range(prober_read_stats(world_prober(world))->rechecks, 1, 3);
    assert_int_equal(world_verdict(world, "pinned.test", TYPE_A).pin, PIN_EXTERNAL);
    world_run(world, 200);
    assert_in_range(prober_read_stats(world_prober(world))->rechecks, 1, 3);
    assert_int_equal(world_verdict(world, "pinned.test", TYPE_A).pin, PIN_NONE);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_from_before_a_pin_is_not_kept),
        cmocka_unit_test(a_pin_stops_what_is_under_way),
        cmocka_unit_test(no_probe_asks_for_what_was_pinned_away),
        cmocka_unit_test(a_failure_from_before_a_pin_is_not_kept),
        cmocka_unit_test(who_asks_after_a_pin_waits_for_nothing_older),
        cmocka_unit_test(who_waits_for_a_claim_starts_anew),
        cmocka_unit_test(evidence_from_before_a_forget_is_dropped),
        cmocka_unit_test(a_pin_ends_in_time_whatever_else_is_due),
        cmocka_unit_test(a_new_fence_binds_a_query_under_way),
        cmocka_unit_test(a_new_fence_ends_what_it_forbids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
