/*
 * test_validator.c: a resolver in front of byway validates, and asks with CD=1: BIND each question, Unbound those that it
 * repeats.
 */
#include "lib/world.h"

#include "lib/check.h"

static const struct ask *ask_unchecked(struct world *world, const char *name)
{
    const struct ask *ask = world_ask_by(
        world, &(struct world_question){.name = name, .type = TYPE_MX, .checking_disabled = true, .dnssec_ok = true});
    world_wait(world, ask);
    return ask;
}

/* Nobody answers a question less for that bit: the second does not wait. */
static void silence_is_learned(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    SAY(world, DOMESTIC, "shut.example", SILENT);
    assert_int_equal(ask_unchecked(world, "one.shut.example")->group, SETUP_EXTERNAL);
    world_run(world, 12000);
    const struct verdict verdict = world_verdict(world, "two.shut.example", TYPE_MX);
    assert_int_equal(verdict.state, ZONE_BLOCKED);
    assert_int_equal(verdict.reason, REASON_TIMEOUT);
    const struct ask *ask = world_ask_by(
        world, &(struct world_question){.name = "two.shut.example", .type = TYPE_MX, .checking_disabled = true});
    assert_true(world_wait(world, ask) <= EXTERNAL_DELAY);
    world_end(world);
}

/* Nor is a zone taken for blocked that everybody is silent to. */
static void silence_of_both_is_told(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 2});
    world_warm_up(world);
    SAY(world, EVERYBODY, "dead.example", SILENT);
    assert_int_equal(ask_unchecked(world, "mx.dead.example")->rcode, RCODE_SERVFAIL);
    world_run(world, 20000);
    assert_int_equal(world_state(world, "dead.example"), ZONE_BROKEN);
    world_end(world);
}

static void a_late_answer_clears_the_suspicion(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 3});
    world_warm_up(world);
    SAY(world, DOMESTIC, "slow.example", ANSWERS, .after = 1500);
    assert_int_equal(ask_unchecked(world, "slow.example")->group, SETUP_EXTERNAL);
    world_run(world, 100);
    assert_int_equal(world_state(world, "slow.example"), ZONE_SUSPECT);
    world_run(world, 600);
    assert_int_equal(world_state(world, "slow.example"), ZONE_CLEAR);
    world_run(world, 20000);
    assert_int_equal(world_state(world, "slow.example"), ZONE_CLEAR);
    world_end(world);
}

/* Of a zone that fails when it is validated it says nothing that it answers when it is not. */
static void an_unvalidated_answer_clears_nothing(void **state)
{
    (void) state;
    for (unsigned validated = 0; validated < 2; validated++) {
        struct world *world = world_create(&(struct world_options){.seed = 4});
        world_warm_up(world);
        SAY(world, DOMESTIC, "shut.example", SERVFAILS);
        world_resolve(world, "shut.example", TYPE_MX);
        world_run(world, 100);
        assert_int_equal(world_state(world, "shut.example"), ZONE_SUSPECT);
        SAY(world, DOMESTIC, "shut.example", ANSWERS);
        if (validated)
            world_resolve(world, "mx.shut.example", TYPE_MX);
        else
            ask_unchecked(world, "mx.shut.example");
        world_run(world, 1);
        assert_int_equal(world_state(world, "shut.example"), validated ? ZONE_CLEAR : ZONE_SUSPECT);
        world_end(world);
    }
}

/* A name of a domain that domestic knows is not denied because domestic fails and external has never heard of it. */
static void an_internal_name_does_not_bounce(void **state)
{
    (void) state;
    for (unsigned known = 0; known < 2; known++) {
        struct world *world = world_create(&(struct world_options){.seed = 5});
        world_warm_up(world);
        if (known)
            ask_unchecked(world, "mx.corp.example");
        SAY(world, DOMESTIC, "corp.example", SILENT);
        SAY(world, EXTERNAL, "corp.example", NXDOMAINS);
        assert_int_equal(ask_unchecked(world, "mx2.corp.example")->rcode, known ? RCODE_SERVFAIL : RCODE_NXDOMAIN);
        world_end(world);
    }
}

/* Whether a zone is signed its parent says, which is not blocked: that is no answer of the zone. */
static void a_ds_is_of_the_zone_above(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 6});
    world_warm_up(world);
    SAY(world, DOMESTIC, "shut.example", SILENT);
    SAY(world, DOMESTIC, "shut.example", ANSWERS, .type = TYPE_DS);
    SAY(world, EXTERNAL, "gone.shut.example", NXDOMAINS);
    assert_int_equal(world_resolve(world, "shut.example", TYPE_DS)->rcode, RCODE_NOERROR);
    assert_int_equal(world_count(world, EXTERNAL, ".", BY_ALL), 0);
    assert_int_equal(world_resolve(world, "gone.shut.example", TYPE_MX)->rcode, RCODE_NXDOMAIN);
    world_resolve(world, "mx.shut.example", TYPE_MX);
    world_run(world, 10);
    assert_int_equal(world_state(world, "shut.example"), ZONE_SUSPECT);
    world_resolve(world, "shut.example", TYPE_DS);
    world_run(world, 10);
    assert_int_equal(world_state(world, "shut.example"), ZONE_SUSPECT);
    world_run(world, 12000);
    assert_int_equal(world_state(world, "shut.example"), ZONE_BLOCKED);
    world_end(world);
}

static void a_ds_that_fails_says_nothing(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 7});
    world_warm_up(world);
    SAY(world, DOMESTIC, "shut.example", SILENT, .type = TYPE_DS);
    assert_int_equal(world_resolve(world, "shut.example", TYPE_DS)->rcode, RCODE_NOERROR);
    assert_true(world_count(world, EXTERNAL, "shut.example", BY_CLIENTS) > 0);
    world_run(world, 12000);
    assert_int_equal(prober_read_stats(world_prober(world))->strikes, 0);
    assert_int_equal(world_state(world, "shut.example"), ZONE_CLEAR);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_is_learned),
        cmocka_unit_test(silence_of_both_is_told),
        cmocka_unit_test(a_late_answer_clears_the_suspicion),
        cmocka_unit_test(an_unvalidated_answer_clears_nothing),
        cmocka_unit_test(an_internal_name_does_not_bounce),
        cmocka_unit_test(a_ds_is_of_the_zone_above),
        cmocka_unit_test(a_ds_that_fails_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
