/*
 * test_canary.c: an address beyond the border where nobody is answers for a name: what domestic says of it is held,
 * set aside, and looked into; the zone is learned, or found to be served inside.
 */
#include "canary.h"

static void a_domain_is_held_once_an_hour(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    assert_int_equal(time_of(world, "mail.new.example", TYPE_MX), WAIT);
    assert_int_equal(tried(world, "new.example"), 2);
    assert_int_equal(time_of(world, "mail.new.example", TYPE_TXT), DOMESTIC_DELAY);
    assert_int_equal(tried(world, "new.example"), 2); /* the same name */
    assert_int_equal(time_of(world, "other.new.example", TYPE_A), DOMESTIC_DELAY);
    world_run(world, CANARY_AGAIN);
    assert_int_equal(tried(world, "new.example"), 4); /* another one, unheld */
    assert_int_equal(world_count(world, EXTERNAL, "new.example", BY_ALL), 0);
    world_run(world, HOUR + CANARY_LIFE);
    assert_int_equal(time_of(world, "third.new.example", TYPE_A), WAIT);
    world_end(world);
}

static void what_domestic_takes_anyway_costs_nothing_more(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    SAY(world, DOMESTIC, "slow.example", ANSWERS, .after = 400);
    assert_int_equal(time_of(world, "slow.example", TYPE_A), 400);
    world_end(world);
}

/* Who comes within the wait is held to its end, whatever name of the domain he asks for. */
static void all_who_meet_the_domain_are_held_to_one_end(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    struct ask   *first = world_ask(world, "new.example", TYPE_MX);
    world_run(world, 100);
    struct ask *second = world_ask(world, "www.new.example", TYPE_A);
    assert_int_equal(world_wait(world, second), WAIT - 100);
    assert_int_equal(first->answered, second->answered);
    world_end(world);
}

/* Domestic was deceived itself: NODATA for MX, a stranger's address for A. */
static void a_forged_domain_is_asked_of_external_and_learned(void **state)
{
    (void) state;
    static const uint16_t types[] = {TYPE_MX, TYPE_A, TYPE_TXT, TYPE_AAAA};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct world *world = watchful_world(&watchful);
        censor(world, "hit.example");
        const struct ask *ask = world_resolve(world, "hit.example", types[i]);
        assert_true_answer(ask, SETUP_EXTERNAL);
        assert_true(ask->answered - ask->asked <= WAIT + 2 * EXTERNAL_DELAY);
        /* not kept: nothing is known yet */
        assert_true_answer(world_resolve(world, "hit.example", types[i]), SETUP_EXTERNAL);
        assert_int_equal(world_count(world, EXTERNAL, "hit.example", BY_CLIENTS), 2);
        size_t attempts = tried(world, "hit.example");
        world_run(world, 12000);
        const struct zone *zone = world_zone(world, "hit.example", SCOPE_ZONE, 0);
        assert_non_null(zone);
        assert_int_equal(zone->condition.state, ZONE_BLOCKED);
        assert_int_equal(zone->condition.reason, REASON_FORGED);
        assert_null(zone->set); /* it was forged by its name: its nameservers say nothing of others */
        size_t domestic = world_count(world, DOMESTIC, "hit.example", BY_CLIENTS);
        assert_true_answer(world_resolve(world, "www.hit.example", types[i]), SETUP_EXTERNAL);
        assert_int_equal(world_count(world, DOMESTIC, "hit.example", BY_CLIENTS), domestic);
        assert_int_equal(tried(world, "hit.example"), attempts);
        world_end(world);
    }
}

/* Mail goes nowhere rather than to a stranger. */
static void a_forged_answer_is_not_given_out_where_external_is_silent(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    censor(world, "hit.example");
    world_learn(world, "hit.example", TYPE_A);
    SAY(world, EXTERNAL, "hit.example", SILENT);
    assert_int_equal(world_resolve(world, "a.hit.example", TYPE_A)->rcode, RCODE_SERVFAIL);
    SAY(world, EXTERNAL, "hit.example", SERVFAILS);
    assert_int_equal(world_resolve(world, "b.hit.example", TYPE_A)->rcode, RCODE_SERVFAIL);
    censor(world, "second.example");
    SAY(world, EXTERNAL, "second.example", REFUSES);
    assert_int_equal(world_resolve(world, "second.example", TYPE_A)->rcode, RCODE_SERVFAIL);
    world_end(world);
}

/* Its servers stand inside: no border is between them and domestic. */
static void a_censored_name_that_is_served_inside_stays_at_home(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    SAY(world, CANARY, "inner.example", FORGES);
    assert_true_answer(world_resolve(world, "inner.example", TYPE_MX), SETUP_EXTERNAL);
    world_run(world, 20000);
    assert_int_equal(world_state(world, "inner.example"), ZONE_CLEAR);
    size_t attempts = tried(world, "inner.example"), abroad = world_count(world, EXTERNAL, "inner.example", BY_CLIENTS);
    for (unsigned i = 0; i < 20; i++) {
        world_run(world, HOUR);
        assert_int_equal(time_of(world, "inner.example", TYPE_MX), DOMESTIC_DELAY);
        assert_int_equal(time_of(world, "www.inner.example", TYPE_A), DOMESTIC_DELAY);
    }
    assert_int_equal(tried(world, "inner.example"), attempts);
    assert_int_equal(world_count(world, EXTERNAL, "inner.example", BY_CLIENTS), abroad);
    world_end(world);
}

static void a_late_reply_counts_and_empties_the_cache(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    censor(world, "hit.example");
    SAY(world, CANARY, "hit.example", FORGES, .after = 3000);
    assert_int_equal(world_resolve(world, "hit.example", TYPE_A)->address, STRANGER);
    world_run(world, 3000);
    assert_true_answer(world_resolve(world, "hit.example", TYPE_A), SETUP_EXTERNAL);
    world_run(world, 12000);
    assert_int_equal(world_state(world, "hit.example"), ZONE_BLOCKED);
    world_end(world);
}

/* Port 53 is redirected, or a server listens there after all. */
static void a_canary_that_answers_everything_is_not_listened_to(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    SAY(world, CANARY, ".", NXDOMAINS);
    assert_int_equal(time_of(world, "new.example", TYPE_MX), WAIT);
    assert_int_equal(world_count(world, EXTERNAL, "new.example", BY_ALL), 0);
    assert_true(forging_is_blind(world_shared(world).forging));
    size_t attempts = tried(world, ".");
    assert_int_equal(time_of(world, "other.example", TYPE_MX), DOMESTIC_DELAY);
    world_run(world, 60000);
    assert_in_range(tried(world, ".") - attempts, 5, 12);
    assert_int_equal(tried(world, "other.example"), 0);
    SAY(world, CANARY, ".", SILENT);
    world_run(world, CANARY_LOOK + CANARY_LIFE + 1000);
    assert_false(forging_is_blind(world_shared(world).forging));
    assert_int_equal(time_of(world, "third.example", TYPE_MX), WAIT);
    world_end(world);
}

/* The reply to the control name comes behind the other one. */
static void a_redirected_border_shows_nothing(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    SAY(world, CANARY, ".", NXDOMAINS, .after = CANARY_GRACE - 10);
    SAY(world, CANARY, "new.example", ANSWERS, .after = 5);
    assert_int_equal(time_of(world, "new.example", TYPE_MX), WAIT);
    assert_int_equal(prober_read_stats(world_prober(world))->canary_answered, 0);
    world_end(world);
}

static void what_is_fenced_or_pinned_is_not_tried(void **state)
{
    (void) state;
    struct world_options options = watchful;
    options.fences[0]            = (struct world_fence){"inner.example", VIA_GROUP, SETUP_DOMESTIC};
    options.fences[1]            = (struct world_fence){"list.example", VIA_GROUP, SETUP_DOMESTIC, .list = true};
    struct world *world          = watchful_world(&options);
    world_pin(world, "home.example", PIN_DOMESTIC, MSEC_NEVER);
    world_pin(world, "away.example", PIN_EXTERNAL, MSEC_NEVER);
    static const char *const names[] = {"inner.example", "2.0.0.127.list.example", "home.example", "away.example"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_true(time_of(world, names[i], TYPE_A) < WAIT);
        assert_int_equal(tried(world, names[i]), 0);
    }
    world_end(world);
}

static void fifty_a_second_are_tried(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    world_run(world, 1000 - world_now(world) % 1000);
    unsigned held = 0;
    for (unsigned i = 0; i < FORGING_RATE + 10; i++) {
        char name[32];
        snprintf(name, sizeof(name), "x.d%u.example", i);
        struct ask *ask = world_ask(world, name, TYPE_A);
        world_run(world, DOMESTIC_DELAY);
        held += ask->answers == 0;
    }
    world_run(world, 1000);
    assert_int_equal(held, FORGING_RATE);
    assert_int_equal(atomic_load(&engine_counters(world_engine(world, 0))->canary_untried), 10);
    world_end(world);
}

/* External's recursion crosses the border inwards. */
static void domestic_stands_where_external_is_deceived_itself(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    SAY(world, CANARY, "inner.example", FORGES);
    SAY(world, EXTERNAL, "inner.example", FORGES);
    assert_true_answer(world_resolve(world, "inner.example", TYPE_MX), SETUP_DOMESTIC);
    assert_true_answer(world_resolve(world, "inner.example", TYPE_TXT), SETUP_DOMESTIC); /* external is first by now */
    world_run(world, 20000);
    assert_int_not_equal(world_state(world, "inner.example"), ZONE_BLOCKED);
    assert_true_answer(world_resolve(world, "www.inner.example", TYPE_MX), SETUP_DOMESTIC);
    world_end(world);
}

/* Whom to believe is not known as long as nobody has said anything honest. */
static void what_is_open_is_held(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    censor(world, "hit.example");
    SAY(world, EXTERNAL, "hit.example", ANSWERS, .after = 700);
    const struct ask *ask = world_resolve(world, "hit.example", TYPE_A);
    assert_true_answer(ask, SETUP_EXTERNAL);
    assert_in_range(ask->answered - ask->asked, 1400, 2500);
    world_end(world);
}

/* The border forges one name, and what is below it. */
static void a_name_that_alone_is_forged_is_learned_alone(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    censor(world, "www.hit.example");
    assert_true_answer(world_resolve(world, "www.hit.example", TYPE_A), SETUP_EXTERNAL);
    world_run(world, 15000);
    assert_int_equal(world_state(world, "hit.example"), ZONE_CLEAR);
    const struct zone *zone = world_zone(world, "www.hit.example", SCOPE_NAME, 0);
    assert_non_null(zone);
    assert_int_equal(zone->condition.state, ZONE_BLOCKED);
    assert_int_equal(zone->condition.reason, REASON_FORGED);
    world_run(world, 1000);
    assert_true_answer(world_resolve(world, "hit.example", TYPE_MX), SETUP_DOMESTIC);
    assert_true_answer(world_resolve(world, "www.hit.example", TYPE_A), SETUP_EXTERNAL);
    world_end(world);
}

static void to_observe_neither_holds_nor_reroutes(void **state)
{
    (void) state;
    struct world_options options = watchful;
    options.learning             = SETUP_OBSERVE;
    struct world *world          = watchful_world(&options);
    censor(world, "hit.example");
    const struct ask *ask = world_resolve(world, "hit.example", TYPE_A);
    assert_int_equal(ask->address, STRANGER);
    assert_int_equal(ask->answered - ask->asked, DOMESTIC_DELAY);
    world_run(world, 12000);
    assert_int_equal(world_state(world, "hit.example"), ZONE_BLOCKED);
    world_end(world);
}

static void without_learning_it_still_protects(void **state)
{
    (void) state;
    struct world_options options = watchful;
    options.learning             = SETUP_LEARN_NOTHING;
    struct world *world          = watchful_world(&options);
    censor(world, "hit.example");
    for (unsigned i = 0; i < 5; i++) {
        assert_true_answer(world_resolve(world, "hit.example", TYPE_A), SETUP_EXTERNAL);
        world_run(world, 40000);
    }
    assert_null(world_zone(world, "hit.example", SCOPE_ZONE, 0));
    world_end(world);
}

/* The true answer overtakes the forged one now and then: that acquits nothing, and a zone that was learned stays so. */
static void answers_that_slip_through_do_not_acquit(void **state)
{
    (void) state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world_options options = watchful;
        options.seed                 = seed;
        struct world *world          = watchful_world(&options);
        censor(world, "hit.example");
        for (unsigned i = 0; i < 10; i++) {
            char name[32];
            snprintf(name, sizeof(name), "a%u.hit.example", i);
            if (world_random(world, 20) == 0)
                SAY(world, DOMESTIC, "hit.example", ANSWERS);
            else
                censor(world, "hit.example");
            assert_int_not_equal(world_resolve(world, name, TYPE_A)->address, STRANGER);
            world_run(world, 900);
        }
        censor(world, "hit.example");
        world_run(world, 12000);
        assert_int_not_equal(world_resolve(world, "z.hit.example", TYPE_A)->address, STRANGER);
        world_end(world);
    }
}

/* Rechecks ask what no injector answers well, and never the canary; and home it goes when the forging ends. */
static void a_forged_zone_recovers(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    censor(world, "hit.example");
    world_learn(world, "hit.example", TYPE_A);
    size_t attempts = tried(world, "hit.example");
    for (unsigned i = 0; i < 24; i++) {
        world_run(world, HOUR);
        assert_int_not_equal(world_resolve(world, "hit.example", TYPE_A)->address, STRANGER);
    }
    assert_int_equal(world_state(world, "hit.example"), ZONE_BLOCKED);
    assert_int_equal(tried(world, "hit.example"), attempts);
    SAY(world, CANARY, "hit.example", SILENT);
    SAY(world, DOMESTIC, "hit.example", ANSWERS);
    world_run(world, 2 * 24 * HOUR);
    assert_int_equal(world_state(world, "hit.example"), ZONE_CLEAR);
    assert_true_answer(world_resolve(world, "hit.example", TYPE_A), SETUP_DOMESTIC);
    world_end(world);
}

/* Domestic fails for another reason while the canary answers: nothing is known, and nothing is learned of an outage. */
static void an_outage_convicts_nobody(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    SAY(world, CANARY, "inner.example", FORGES);
    SAY(world, DOMESTIC, ".", SILENT);
    world_resolve(world, "inner.example", TYPE_MX);
    world_run(world, 15000);
    assert_int_not_equal(world_state(world, "inner.example"), ZONE_BLOCKED);
    SAY(world, DOMESTIC, ".", ANSWERS);
    world_run(world, 120000);
    world_warm_up(world);
    world_resolve(world, "inner.example", TYPE_MX);
    world_run(world, 15000);
    assert_int_equal(world_state(world, "inner.example"), ZONE_CLEAR);
    assert_true_answer(world_resolve(world, "www.inner.example", TYPE_A), SETUP_DOMESTIC);
    world_end(world);
}

/* What is held belongs to the query, however it ends. */
static void what_is_held_is_given_up_with_its_query(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    struct ask   *ask   = world_ask(world, "new.example", TYPE_A);
    world_run(world, DOMESTIC_DELAY + 1);
    assert_int_equal(ask->answers, 0);
    world_end(world);
}

static void several_workers_are_held_alike(void **state)
{
    (void) state;
    struct world_options options = watchful;
    options.workers              = 2;
    struct world *world          = watchful_world(&options);
    censor(world, "hit.example");
    const struct world_question first = {.name = "hit.example", .type = TYPE_A},
                                other = {.name = "www.hit.example", .type = TYPE_A, .worker = 1},
                                same  = {.name = "hit.example", .type = TYPE_A, .worker = 1};
    struct ask *asks[] = {world_ask_by(world, &first), world_ask_by(world, &other), world_ask_by(world, &same)};
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        world_wait(world, asks[i]);
        assert_true_answer(asks[i], SETUP_EXTERNAL);
    }
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_domain_is_held_once_an_hour),
        cmocka_unit_test(what_domestic_takes_anyway_costs_nothing_more),
        cmocka_unit_test(all_who_meet_the_domain_are_held_to_one_end),
        cmocka_unit_test(a_forged_domain_is_asked_of_external_and_learned),
        cmocka_unit_test(a_forged_answer_is_not_given_out_where_external_is_silent),
        cmocka_unit_test(a_censored_name_that_is_served_inside_stays_at_home),
        cmocka_unit_test(a_late_reply_counts_and_empties_the_cache),
        cmocka_unit_test(a_canary_that_answers_everything_is_not_listened_to),
        cmocka_unit_test(a_redirected_border_shows_nothing),
        cmocka_unit_test(what_is_fenced_or_pinned_is_not_tried),
        cmocka_unit_test(fifty_a_second_are_tried),
        cmocka_unit_test(domestic_stands_where_external_is_deceived_itself),
        cmocka_unit_test(what_is_open_is_held),
        cmocka_unit_test(a_name_that_alone_is_forged_is_learned_alone),
        cmocka_unit_test(to_observe_neither_holds_nor_reroutes),
        cmocka_unit_test(without_learning_it_still_protects),
        cmocka_unit_test(answers_that_slip_through_do_not_acquit),
        cmocka_unit_test(a_forged_zone_recovers),
        cmocka_unit_test(an_outage_convicts_nobody),
        cmocka_unit_test(what_is_held_is_given_up_with_its_query),
        cmocka_unit_test(several_workers_are_held_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
