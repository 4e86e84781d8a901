/*
 * test_lease.c: of the nodes of a vantage one rechecks a zone: what the prober does while it is being found out which,
 * and when it is told.
 */
#include "lib/world.h"

#include "lib/check.h"

#include <stdio.h>

enum {
    SECOND   = 1000,
    INTERVAL = 600 * SECOND,
    WHOLE    = 10000, /* recheck_share */
    ASKED    = 256,
};

struct lessor { /* whoever knows which node it is */
    bool        alone;
    unsigned    count;
    struct name asked[ASKED];
};

static bool ask_lease(void *context, const struct zone *zone)
{
    struct lessor *lessor = context;
    if (lessor->alone)
        return false;
    assert_in_range(lessor->count, 0, ASKED - 1);
    name_set(&lessor->asked[lessor->count++], zone_name(zone));
    return true;
}

static struct world *open_world(struct lessor *lessor)
{
    struct world *world = world_create(
        &(struct world_options){.seed = 1, .recheck_share = WHOLE, .ask_lease = ask_lease, .lessor = lessor});
    SAY(world, DOMESTIC, "test", SERVFAILS);
    world_warm_up(world);
    return world;
}

static struct name zone_of(unsigned number)
{
    char text[24];
    snprintf(text, sizeof(text), "z%u.test", number);
    return named(text);
}

/* Due now. */
static void block(struct world *world, unsigned number)
{
    const struct name    name  = zone_of(number);
    const struct hearsay heard = {.id         = {.name = name_view(&name), .scope = SCOPE_ZONE},
                                  .reason     = REASON_SERVFAIL,
                                  .failed     = world_now(world) - 2 * INTERVAL,
                                  .interval   = INTERVAL,
                                  .asked      = name_view(&name),
                                  .asked_type = TYPE_MX,
                                  .source     = SOURCE_CLUSTER};
    assert_non_null(learner_hear(world_learner(world), &heard, world_now(world)));
}

static void tell(struct world *world, const struct name *zone, bool granted)
{
    const struct zone_id id = {.name = name_view(zone), .scope = SCOPE_ZONE};
    prober_on_lease(world_prober(world), &id, granted, world_now(world));
}

static uint64_t rechecks(const struct world *world) { return prober_read_stats(world_prober(world))->rechecks; }

static void a_lease_is_waited_for_and_used_once(void **state)
{
    (void) state;
    struct lessor lessor = {0};
    struct world *world  = open_world(&lessor);
    block(world, 0);
    world_run(world, 5 * SECOND);
    assert_int_equal(lessor.count, 1);
    assert_int_equal(rechecks(world), 0);
    assert_int_equal(world_count(world, DOMESTIC, "z0.test", BY_PROBER), 0);
    tell(world, &lessor.asked[0], true);
    world_run(world, 30 * SECOND);
    assert_int_equal(rechecks(world), 1);
    assert_true(world_count(world, DOMESTIC, "z0.test", BY_PROBER) > 0);
    assert_int_equal(world_state(world, "z0.test"), ZONE_BLOCKED);
    world_run(world, INTERVAL / 2); /* it is not due again */
    assert_int_equal(lessor.count, 1);
    world_end(world);
}

/* The other node's recheck is heard of; if it is not, this one's turn comes again, a tenth of a minute sooner or later. */
static void who_does_not_get_it_asks_a_minute_later(void **state)
{
    (void) state;
    struct lessor lessor = {0};
    struct world *world  = open_world(&lessor);
    block(world, 0);
    world_run(world, SECOND);
    for (unsigned i = 1; i < 5; i++) {
        assert_int_equal(lessor.count, i);
        tell(world, &lessor.asked[i - 1], false);
        world_run(world, ZONE_POSTPONE - ZONE_POSTPONE / 10 - 2 * SECOND);
        assert_int_equal(lessor.count, i);
        world_run(world, ZONE_POSTPONE / 5 + 4 * SECOND);
    }
    assert_int_equal(rechecks(world), 0);
    assert_int_equal(world_state(world, "z0.test"), ZONE_BLOCKED);
    tell(world, &lessor.asked[4], true);
    world_run(world, SECOND);
    assert_int_equal(rechecks(world), 1);
    world_end(world);
}

/* Another node has found it open: what that hurries is hurried here too. */
static void who_did_not_get_it_is_hurried(void **state)
{
    (void) state;
    struct lessor lessor = {0};
    struct world *world  = open_world(&lessor);
    block(world, 0);
    world_run(world, SECOND);
    tell(world, &lessor.asked[0], false);
    learner_apply_zone(world_learner(world), world_zone(world, "z0.test", SCOPE_ZONE, 0), EVIDENCE_FINE, REASON_NONE,
                       world_now(world));
    world_run(world, 2 * SECOND);
    assert_int_equal(lessor.count, 2);
    world_end(world);
}

static void who_is_alone_rechecks_at_once(void **state)
{
    (void) state;
    struct lessor lessor = {.alone = true};
    struct world *world  = open_world(&lessor);
    block(world, 0);
    world_run(world, 2 * SECOND);
    assert_int_equal(rechecks(world), 1);
    world_end(world);
}

/* Those that are asked for are among them, so that all may be granted at one moment. */
static void so_many_at_once_and_no_more(void **state)
{
    (void) state;
    struct lessor lessor = {0};
    struct world *world  = open_world(&lessor);
    for (unsigned i = 0; i < 3 * RECHECKS_AT_ONCE; i++)
        block(world, i);
    world_run(world, 40 * SECOND);
    assert_int_equal(lessor.count, RECHECKS_AT_ONCE);
    tell(world, &lessor.asked[0], false);
    tell(world, &lessor.asked[1], true);
    world_run(world, 10); /* that recheck is not over */
    assert_int_equal(rechecks(world), 1);
    world_run(world, SECOND);
    assert_in_range(lessor.count, RECHECKS_AT_ONCE + 1, RECHECKS_AT_ONCE + 2);
    for (unsigned told = 2; told < lessor.count && told < 2 * RECHECKS_AT_ONCE; told++) {
        tell(world, &lessor.asked[told], true);
        world_run(world, 3 * SECOND);
        assert_in_range(lessor.count - told - 1, 0, RECHECKS_AT_ONCE);
    }
    assert_int_equal(rechecks(world), 2 * RECHECKS_AT_ONCE - 1);
    world_end(world);
}

/* Forgotten by the operator, or well, or fenced, when the lease comes. */
static void a_zone_that_is_gone_is_not_rechecked(void **state)
{
    (void) state;
    struct lessor     lessor = {0};
    struct world     *world  = open_world(&lessor);
    const struct name gone = zone_of(0), pinned = zone_of(1), fenced = zone_of(2);
    for (unsigned i = 0; i < 3; i++) {
        block(world, i);
        world_run(world, 2 * SECOND);
    }
    assert_int_equal(lessor.count, 3);
    learner_forget(world_learner(world), name_view(&gone), MSEC_NEVER, world_now(world));
    learner_forget(world_learner(world), name_view(&pinned), MSEC_NEVER, world_now(world));
    world_pin(world, "z1.test", PIN_EXTERNAL, MSEC_NEVER);
    world_reload(world,
                 &(struct world_options){.fences = {{.zone = "z2.test", .via = VIA_GROUP, .group = SETUP_DOMESTIC}},
                                         .recheck_share = WHOLE});
    tell(world, &gone, true);
    tell(world, &pinned, true);
    tell(world, &fenced, true);
    world_run(world, 5 * SECOND);
    assert_int_equal(rechecks(world), 0);
    assert_int_equal(world_state(world, "z2.test"), ZONE_CLEAR);
    block(world, 3); /* and their places are free */
    world_run(world, 2 * SECOND);
    assert_int_equal(lessor.count, 4);
    tell(world, &lessor.asked[3], true);
    world_run(world, SECOND);
    assert_int_equal(rechecks(world), 1);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_is_waited_for_and_used_once),
        cmocka_unit_test(who_does_not_get_it_asks_a_minute_later),
        cmocka_unit_test(who_did_not_get_it_is_hurried),
        cmocka_unit_test(who_is_alone_rechecks_at_once),
        cmocka_unit_test(so_many_at_once_and_no_more),
        cmocka_unit_test(a_zone_that_is_gone_is_not_rechecked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
