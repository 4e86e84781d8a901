/*
 * test_deceived.c: a border forges both ways: who is deceived, domestic or external, is found out before either is
 * believed, and what was found out ends when it should.
 */
#include "canary.h"

static enum forging_state state_of(const struct world *world, const char *domain)
{
    const struct name name  = named(domain);
    msec_t            since = 0;
    return forging_of(world_shared(world).forging, name_view(&name), world_now(world), &since);
}

/* The same, and external believes what it hears: a stranger's address, and no mail exchanger. Its servers stand inside. */
static void domestic_stands_where_external_was_deceived(void **state)
{
    (void) state;
    static const uint16_t types[] = {TYPE_MX, TYPE_A, TYPE_TXT, TYPE_AAAA};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct world *world = watchful_world(&watchful);
        deceive_external(world, "inner.example");
        const struct ask *ask = world_resolve(world, "inner.example", types[i]);
        assert_true_answer(ask, SETUP_DOMESTIC);
        assert_true(ask->answered - ask->asked <= 2 * WAIT);
        for (unsigned j = 0; j < 10; j++) {
            char name[32];
            snprintf(name, sizeof(name), "n%u.inner.example", j);
            assert_true_answer(world_resolve(world, name, types[i]), SETUP_DOMESTIC);
            world_run(world, 1000);
        }
        world_run(world, HOUR);
        assert_int_equal(world_state(world, "inner.example"), ZONE_CLEAR);
        assert_true(time_of(world, "inner.example", TYPE_PTR) < WAIT);
        world_end(world);
    }
}

/* Mail asks several names of a domain at once, and each is answered for by the canary. */
static void a_second_name_undoes_nothing(void **state)
{
    (void) state;
    for (msec_t apart = 0; apart < 400; apart += 19) {
        struct world *world = watchful_world(&watchful);
        deceive_external(world, "inner.example");
        struct ask *first = world_ask(world, "inner.example", TYPE_MX);
        world_run(world, apart);
        struct ask *second = world_ask(world, "mail.inner.example", TYPE_A);
        world_wait(world, first);
        world_wait(world, second);
        assert_true_answer(first, SETUP_DOMESTIC);
        assert_true_answer(second, SETUP_DOMESTIC);
        assert_true(second->answered - second->asked <= 2 * WAIT);
        for (unsigned i = 0; i < 8; i++) {
            char name[32];
            snprintf(name, sizeof(name), "n%u.inner.example", i);
            assert_true_answer(world_resolve(world, name, TYPE_A), SETUP_DOMESTIC);
            world_run(world, 300);
        }
        world_run(world, 20000);
        assert_int_equal(state_of(world, "inner.example"), FORGING_HOME);
        world_end(world);
    }
}

static void a_second_name_of_a_forged_domain_waits_no_longer(void **state)
{
    (void) state;
    for (msec_t apart = 0; apart < 400; apart += 19) {
        struct world *world = watchful_world(&watchful);
        censor(world, "hit.example");
        struct ask *first = world_ask(world, "hit.example", TYPE_MX);
        world_run(world, apart);
        struct ask *second = world_ask(world, "mail.hit.example", TYPE_A);
        world_wait(world, first);
        world_wait(world, second);
        assert_true_answer(first, SETUP_EXTERNAL);
        assert_true_answer(second, SETUP_EXTERNAL);
        assert_true(second->answered - second->asked <= 2 * WAIT);
        world_end(world);
    }
}

/* Nobody was asked to the end: the domain is tried once more. */
static void a_reload_in_the_midst_forgets_that_it_was_asked(void **state)
{
    (void) state;
    for (msec_t at = 0; at < 600; at += 37) {
        struct world *world = watchful_world(&watchful);
        censor(world, "hit.example");
        struct ask *ask = world_ask(world, "hit.example", TYPE_A);
        world_run(world, at);
        world_reload(world, &watchful);
        world_wait(world, ask);
        world_run(world, 10000);
        world_reload(world, &watchful);
        const struct ask *again = world_resolve(world, "new.hit.example", TYPE_A);
        assert_true_answer(again, SETUP_EXTERNAL);
        world_end(world);
    }
}

static void who_was_asked_beside_a_blind_canary_is_asked_again(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    censor(world, "hit.example");
    SAY(world, CANARY, "hit.example", SILENT);
    world_resolve(world, "hit.example", TYPE_MX);
    SAY(world, CANARY, "example.com", NXDOMAINS);
    world_resolve(world, "other.example", TYPE_MX);
    assert_true(forging_is_blind(world_shared(world).forging));
    assert_int_equal(state_of(world, "hit.example"), FORGING_UNTRIED);
    censor(world, "hit.example");
    SAY(world, CANARY, "example.com", SILENT);
    world_run(world, CANARY_LOOK + CANARY_LIFE + 1000);
    assert_true_answer(world_resolve(world, "www.hit.example", TYPE_A), SETUP_EXTERNAL);
    world_end(world);
}

/* That a zone below is served inside says nothing of the domain. */
static void a_zone_below_speaks_for_itself_alone(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    world_cut(world, "hit.example");
    world_cut(world, "cn.hit.example");
    censor(world, "hit.example");
    SAY(world, DOMESTIC, "cn.hit.example", ANSWERS);
    world_resolve(world, "www.cn.hit.example", TYPE_A);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_not_equal(world_resolve(world, "mail.hit.example", TYPE_A)->address, STRANGER);
        const struct ask *mx = world_resolve(world, "hit.example", TYPE_MX);
        assert_true(mx->rcode != RCODE_NOERROR || mx->records == 1);
        world_run(world, 1500);
    }
    world_end(world);
}

/* Domestic is slow, fails, or is gone: external's word for a zone that is served inside is no better for it. */
static void external_is_no_second_choice_for_what_is_served_inside(void **state)
{
    (void) state;
    static const struct manner manners[] = {
        {.way = SERVFAILS}, {.way = ANSWERS, .after = 2000}, {.way = SILENT}, {.way = REFUSES}};
    for (size_t i = 0; i < ARRAY_LEN(manners); i++) {
        struct world *world = watchful_world(&watchful);
        deceive_external(world, "inner.example");
        world_resolve(world, "inner.example", TYPE_MX);
        world_run(world, 20000);
        world_say(world, DOMESTIC, "inner.example", manners[i]);
        for (unsigned j = 0; j < 6; j++) {
            char name[32];
            snprintf(name, sizeof(name), "n%u.inner.example", j);
            const struct ask *ask = world_resolve(world, name, j % 2 ? TYPE_A : TYPE_MX);
            assert_true(ask->rcode == RCODE_SERVFAIL || (ask->group == SETUP_DOMESTIC && ask->address != STRANGER));
        }
        assert_int_not_equal(world_state(world, "inner.example"), ZONE_BLOCKED);
        world_end(world);
    }
}

/* All of domestic is down when the domain is first met. */
static void an_outage_makes_no_liar_honest(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    SAY(world, DOMESTIC, ".", SILENT);
    for (unsigned i = 0; i < 8; i++)
        world_resolve(world, "elsewhere.example", TYPE_A);
    world_run(world, 20000);
    assert_true(group_down(world_domestic(world)));
    deceive_external(world, "inner.example");
    assert_int_equal(world_resolve(world, "inner.example", TYPE_A)->rcode, RCODE_SERVFAIL);
    assert_int_equal(world_resolve(world, "inner.example", TYPE_MX)->rcode, RCODE_SERVFAIL);
    SAY(world, CANARY, "hit.example", FORGES);
    assert_true_answer(world_resolve(world, "hit.example", TYPE_A), SETUP_EXTERNAL);
    world_end(world);
}

static void where_both_are_deceived_nobody_is_believed(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    censor(world, "hit.example");
    deceive_external(world, "hit.example");
    SAY(world, DOMESTIC, "hit.example", ANSWERS, .type = TYPE_A, .address = STRANGER, .after = 100);
    for (unsigned i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%u.hit.example", i);
        assert_int_equal(world_resolve(world, name, TYPE_A)->rcode, RCODE_SERVFAIL);
        world_run(world, 3000);
    }
    SAY(world, EXTERNAL, "hit.example", ANSWERS);
    world_run(world, 2 * FORGING_SEEMS_LIFE);
    assert_true_answer(world_resolve(world, "again.hit.example", TYPE_A), SETUP_EXTERNAL);
    world_end(world);
}

/* What was held took domestic a moment all the same. */
static void a_held_answer_makes_domestic_no_slower(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    for (unsigned i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof(name), "d%u.example", i);
        SAY(world, DOMESTIC, name, ANSWERS, .after = i % 2 ? 5 : 800);
        world_resolve(world, name, TYPE_A);
    }
    assert_in_range(group_slow_p95(world_domestic(world), 900), 700, 1000);
    world_end(world);
}

/* Further names of one domain, as many as a stranger likes, leave half of what may be tried to others. */
static void one_domain_takes_not_all_tries(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    world_resolve(world, "busy.example", TYPE_A);
    censor(world, "hit.example");
    world_run(world, 7000 - world_now(world) % 1000);
    for (unsigned i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%u.busy.example", i);
        world_ask(world, name, TYPE_A);
    }
    assert_true_answer(world_resolve(world, "hit.example", TYPE_A), SETUP_EXTERNAL);
    world_end(world);
}

/* What could not be tried is soon asked again. */
static void what_was_not_tried_is_kept_for_seconds(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    censor(world, "hit.example");
    world_run(world, 1000 - world_now(world) % 1000);
    for (unsigned i = 0; i < FORGING_RATE; i++) {
        char name[32];
        snprintf(name, sizeof(name), "x.d%u.example", i);
        world_ask(world, name, TYPE_A);
    }
    assert_int_equal(world_resolve(world, "hit.example", TYPE_A)->address, STRANGER);
    world_run(world, (UNTRIED_TTL + 1) * 1000);
    assert_true_answer(world_resolve(world, "hit.example", TYPE_A), SETUP_EXTERNAL);
    world_end(world);
}

/* The operator's word ends what was found out. */
static void what_is_forgotten_is_tried_anew(void **state)
{
    (void) state;
    struct world *world = watchful_world(&watchful);
    deceive_external(world, "inner.example");
    world_resolve(world, "inner.example", TYPE_MX);
    world_run(world, 20000);
    assert_int_equal(state_of(world, "inner.example"), FORGING_HOME);
    const struct name zone = named("inner.example");
    prober_abandon(world_prober(world), name_view(&zone), world_now(world));
    assert_int_equal(state_of(world, "inner.example"), FORGING_UNTRIED);
    assert_true(time_of(world, "new.inner.example", TYPE_A) >= WAIT);
    world_reload(world, &watchful);
    assert_int_equal(state_of(world, "inner.example"), FORGING_UNTRIED);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domestic_stands_where_external_was_deceived),
        cmocka_unit_test(a_second_name_undoes_nothing),
        cmocka_unit_test(a_second_name_of_a_forged_domain_waits_no_longer),
        cmocka_unit_test(a_reload_in_the_midst_forgets_that_it_was_asked),
        cmocka_unit_test(who_was_asked_beside_a_blind_canary_is_asked_again),
        cmocka_unit_test(a_zone_below_speaks_for_itself_alone),
        cmocka_unit_test(external_is_no_second_choice_for_what_is_served_inside),
        cmocka_unit_test(an_outage_makes_no_liar_honest),
        cmocka_unit_test(where_both_are_deceived_nobody_is_believed),
        cmocka_unit_test(a_held_answer_makes_domestic_no_slower),
        cmocka_unit_test(one_domain_takes_not_all_tries),
        cmocka_unit_test(what_was_not_tried_is_kept_for_seconds),
        cmocka_unit_test(what_is_forgotten_is_tried_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
