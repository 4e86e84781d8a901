/*
 * test_terms.c: what the operator says binds the queries that are under way: a pin, a forget and a reload leave nothing
 * of what began before them.
 */
#include "lib/world.h"

#include "dns/text.h"
#include "query/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void name_of(const char *text, struct name *ret)
{
    ret->len = 0;
    assert_true(name_parse(text, ret));
}

static void pin(struct world *world, const char *zone, enum pin pin)
{
    struct name name;
    name_of(zone, &name);
    assert_non_null(learner_pin(world_learner(world), name_view(&name), pin, MSEC_NEVER, NULL, world_now(world)));
}

/* The answer came the way that the pin forbids: who waits gets it, nobody else does. */
static void an_answer_from_before_a_pin_is_not_kept(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_say(world, DOMESTIC, "pinned.example", (struct manner){.way = SERVFAILS});
    world_say(world, EXTERNAL, "pinned.example", (struct manner){.way = ANSWERS, .after = 500});
    const struct ask *ask = world_ask(world, "a.pinned.example", TYPE_A);
    world_run(world, 100);
    pin(world, "pinned.example", PIN_DOMESTIC);
    world_wait(world, ask);
    assert_int_equal(ask->group, SETUP_EXTERNAL);

    world_say(world, DOMESTIC, "pinned.example", (struct manner){.way = ANSWERS});
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
        world_say(world, DOMESTIC, "pinned.example", (struct manner){.way = asked ? SERVFAILS : SILENT});
        world_say(world, EXTERNAL, "pinned.example", (struct manner){.way = SILENT});
        const struct ask *ask = world_ask(world, "a.pinned.example", TYPE_A);
        world_run(world, 100);
        assert_int_equal(world_count(world, EXTERNAL, "pinned.example", BY_ALL), asked);
        pin(world, "pinned.example", PIN_DOMESTIC);
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
        struct world *world = world_create(&(struct world_options){.seed = 1, .learning = SETUP_LEARN_NOTHING});
        struct name   zone;
        name_of("pinned.example", &zone);
        world_say(world, DOMESTIC, "example", (struct manner){.way = SERVFAILS});
        assert_int_equal(world_resolve(world, "a.pinned.example", TYPE_A)->group, SETUP_EXTERNAL);
        world_run(world, 2000);
        if (pinned) {
            pin(world, "pinned.example", PIN_DOMESTIC);
            prober_disregard(world_prober(world), name_view(&zone));
        }
        world_say(world, EXTERNAL, ".", (struct manner){.way = SILENT});
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
    world_say(world, DOMESTIC | EXTERNAL, "pinned.example", (struct manner){.way = SERVFAILS, .after = 300});
    const struct ask *ask = world_ask(world, "a.pinned.example", TYPE_A);
    world_run(world, 100);
    pin(world, "pinned.example", PIN_EXTERNAL);
    world_wait(world, ask);
    assert_int_equal(ask->rcode, RCODE_SERVFAIL);

    world_say(world, EXTERNAL, "pinned.example", (struct manner){.way = ANSWERS});
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
        world_say(world, DOMESTIC, "pinned.example", (struct manner){.way = SILENT});
        const struct ask *first = world_ask(world, "a.pinned.example", TYPE_A);
        world_run(world, 100);
        pin(world, "pinned.example", PIN_EXTERNAL);
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
    world_say(world, DOMESTIC, "pinned.example", (struct manner){.way = SILENT});
    const struct ask           *first    = world_ask(world, "a.pinned.example", TYPE_A);
    const struct world_question question = {.name = "a.pinned.example", .type = TYPE_A, .worker = 1};
    const struct ask           *second   = world_ask_by(world, &question);
    world_run(world, 100);
    pin(world, "pinned.example", PIN_EXTERNAL);
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
        world_say(world, DOMESTIC, "gone.example", (struct manner){.way = SERVFAILS});
        world_say(world, EXTERNAL, "gone.example", (struct manner){.way = ANSWERS, .after = 500});
        const struct ask *ask = world_ask(world, "gone.example", TYPE_MX);
        world_run(world, 100);
        struct name name;
        name_of("gone.example", &name);
        if (forgets)
            learner_forget(world_learner(world), name_view(&name), world_now(world));
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
    world_say(world, DOMESTIC, "inner.example", (struct manner){.way = SILENT});
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
    world_say(world, DOMESTIC, "example", (struct manner){.way = SILENT});
    msec_t      now = world_now(world);
    struct name name;
    for (unsigned i = 0; i < 3 * RECHECKS_AT_ONCE; i++) {
        char text[] = "zone00.example";
        text[4]     = (char) ('0' + i / 10);
        text[5]     = (char) ('0' + i % 10);
        name_of(text, &name);
        const struct zone_id   id = {.name = name_view(&name), .scope = SCOPE_ZONE};
        const struct condition is = {.state = ZONE_BLOCKED, .reason = REASON_TIMEOUT, .interval = 600000, .next = now};
        assert_non_null(learner_restore(world_learner(world), &id, &is, SOURCE_LEARNED, PIN_NONE, MSEC_NEVER, NULL,
                                        name_view(&name), TYPE_SOA, now, now));
    }
    name_of("pinned.test", &name);
    learner_pin(world_learner(world), name_view(&name), PIN_EXTERNAL, now + 2000, NULL, now);
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
