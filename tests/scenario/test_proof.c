/*
 * test_proof.c: what a study may take for proof, and what it may not.
 */
#include "lib/world.h"

#include "lib/check.h"

#include <stdio.h>

/* an outage begins behind a good control question. */
static void an_outage_that_begins_in_a_study_teaches_nothing(void **state)
{
    (void) state;
    unsigned blocked = 0;
    for (unsigned link = 0; link < 2; link++) {
        struct world *world = world_create(&(struct world_options){.seed = 1});
        world_warm_up(world);
        /* a cold recursion of 2 s: the outage begins before it ends, so that no reply ever comes */
        SAY(world, DOMESTIC, "slow.example", SILENT);
        const struct ask *ask = world_ask(world, "mx.slow.example", TYPE_MX);
        world_wait(world, ask);
        world_run(world, 200);
        SAY(world, DOMESTIC, ".", SILENT);
        if (link) /* the resolver lives, and its link is cut */
            SAY(world, DOMESTIC, ".", ANSWERS, .type = TYPE_NS);
        for (unsigned i = 0; i < 40; i++) { /* mail goes on */
            char name[64];
            snprintf(name, sizeof(name), "m%u.other.example", i);
            world_ask(world, name, TYPE_MX);
            world_run(world, 500);
        }
        blocked += world_state(world, "slow.example") == ZONE_BLOCKED;
        world_end(world);
    }
    assert_int_equal(blocked, 0);
}

/* a domain that does not exist is denied from cache. */
static void a_domain_that_is_not_there_is_no_control(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_cut(world, "org");
    SAY(world, DOMESTIC, "nosuch.org", NXDOMAINS);
    world_resolve(world, "nosuch.org", TYPE_MX);
    world_run(world, 2000);
    /* the link of the domestic resolver is cut; what it knows is answered from its cache */
    SAY(world, DOMESTIC, ".", SERVFAILS);
    SAY(world, DOMESTIC, ".", ANSWERS, .type = TYPE_NS);
    SAY(world, DOMESTIC, "nosuch.org", NXDOMAINS);
    world_resolve(world, "mx.healthy.example", TYPE_MX);
    world_run(world, 12000);
    assert_int_not_equal(world_state(world, "healthy.example"), ZONE_BLOCKED);
    world_end(world);
}

/* A validating resolver denies names of a signed zone from its cache (RFC 8198), while its own link is cut. */
static void a_signed_denial_is_no_control(void **state)
{
    (void) state;
    const struct manner denies = {.way = NXDOMAINS, .proves = true};
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct world *world = world_create(&(struct world_options){.seed = seed});
        world_say(world, DOMESTIC, "signed.example", denies);
        world_resolve(world, "a.signed.example", TYPE_MX);
        world_run(world, 2000);
        world_resolve(world, "a.plain.example", TYPE_MX);
        world_run(world, 2000);
        SAY(world, DOMESTIC, ".", SERVFAILS);
        SAY(world, DOMESTIC, ".", ANSWERS, .type = TYPE_NS);
        world_say(world, DOMESTIC, "signed.example", denies);
        for (unsigned i = 0; i < 20; i++) {
            char name[64];
            snprintf(name, sizeof(name), "mx.healthy%u.test", i);
            world_ask(world, name, TYPE_MX);
            world_run(world, 3000);
        }
        assert_int_equal(world_blocked(world), 0);
        world_end(world);
    }
}

/* Where there is no other, it is better than none. */
static void a_signed_denial_serves_where_all_are_signed(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    SAY(world, DOMESTIC, "signed.example", NXDOMAINS, .proves = true);
    world_resolve(world, "a.signed.example", TYPE_MX);
    world_run(world, 2000);
    SAY(world, DOMESTIC, "test", SERVFAILS);
    world_resolve(world, "mx.shut.test", TYPE_MX);
    world_run(world, 12000);
    assert_int_equal(world_state(world, "shut.test"), ZONE_BLOCKED);
    world_end(world);
}

/* ANY may be answered without asking anybody (RFC 8482). */
static void an_answer_to_any_is_no_evidence(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    SAY(world, DOMESTIC, "shut.example", SILENT);
    SAY(world, DOMESTIC, "shut.example", HAS_NO_DATA, .type = TYPE_ANY);
    world_resolve(world, "mx.shut.example", TYPE_MX);
    world_run(world, 200);
    assert_int_equal(world_state(world, "shut.example"), ZONE_SUSPECT);
    world_resolve(world, "any.shut.example", TYPE_ANY);
    world_run(world, 200);
    assert_int_equal(world_state(world, "shut.example"), ZONE_SUSPECT);
    world_run(world, 20000);
    world_end(world);
}

/* a probe that is answered from cache is no recovery. */
static void a_probe_asks_what_no_cache_holds(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    world_learn(world, "mx.shut.example", TYPE_MX);
    /* the cache holds these two, from the hour before */
    SAY(world, DOMESTIC, "mx.shut.example", ANSWERS, .type = TYPE_MX);
    SAY(world, DOMESTIC, "shut.example", ANSWERS, .type = TYPE_SOA);
    struct name name = named("shut.example");
    for (unsigned i = 0; i < 2; i++) {
        struct study_result result;
        world_probe(world, name_view(&name), &result);
        world_run(world, 1000);
    }
    assert_int_equal(world_state(world, "shut.example"), ZONE_BLOCKED);
    world_end(world);
}

/* an alias of which one type fails. */
static void an_alias_that_fails_for_one_type_has_scope_type(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    world_alias(world, "www.shop.example", "lb.cdn.test");
    SAY(world, DOMESTIC, "lb.cdn.test", SERVFAILS, .type = TYPE_AAAA);
    SAY(world, DOMESTIC, "www.shop.example", SERVFAILS, .type = TYPE_AAAA);
    world_resolve(world, "www.shop.example", TYPE_AAAA);
    world_run(world, 25000);
    assert_int_equal(world_verdict(world, "www.shop.example", TYPE_AAAA).state, ZONE_BLOCKED);
    assert_int_equal(world_verdict(world, "www.shop.example", TYPE_A).state, ZONE_CLEAR);
    world_end(world);
}

/* rechecks out of turn say nothing of the interval. */
static void rechecks_out_of_turn_leave_the_interval(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    world_learn(world, "mx.shut.example", TYPE_MX);
    struct name name = named("shut.example");
    for (unsigned i = 0; i < 8; i++) {
        struct study_result result;
        world_probe(world, name_view(&name), &result);
        world_run(world, 1000);
    }
    struct zone *zone = world_zone(world, "shut.example", SCOPE_ZONE, 0);
    assert_true(zone->condition.next - world_now(world) <= 20 * 60 * 1000);
    world_end(world);
}

/* *.wild.example is an alias into something that is dead: of the zone itself that says nothing. */
static void a_wildcards_alias_keeps_no_zone_blocked(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    SAY(world, DOMESTIC, "wild.example", SILENT);
    world_learn(world, "mail.wild.example", TYPE_MX);
    SAY(world, DOMESTIC, "wild.example", ANSWERS);
    SAY(world, DOMESTIC, "wild.example", SERVFAILS, .type = TYPE_A);
    for (int i = 0; i < 4; i++) {
        world_resolve(world, "mail.wild.example", TYPE_MX);
        world_run(world, 600 * 1000);
    }
    assert_int_equal(world_state(world, "wild.example"), ZONE_CLEAR);
    world_end(world);
}

/* Two zones are silent at once: the control question of the second makes the first's be asked again. That lasts longer
 * over TCP, but is no second question (the world has an eye on it). */
static void a_question_over_tcp_is_sent_once(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .tcp_only = DOMESTIC});
    world_warm_up(world);
    SAY(world, DOMESTIC, "test", SILENT);
    world_resolve(world, "a.one.test", TYPE_MX);
    world_run(world, 1500);
    world_resolve(world, "a.two.test", TYPE_MX);
    world_run(world, 30000);
    assert_int_equal(world_state(world, "one.test"), ZONE_BLOCKED);
    assert_int_equal(world_state(world, "two.test"), ZONE_BLOCKED);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outage_that_begins_in_a_study_teaches_nothing),
        cmocka_unit_test(a_domain_that_is_not_there_is_no_control),
        cmocka_unit_test(a_signed_denial_is_no_control),
        cmocka_unit_test(a_signed_denial_serves_where_all_are_signed),
        cmocka_unit_test(an_answer_to_any_is_no_evidence),
        cmocka_unit_test(a_probe_asks_what_no_cache_holds),
        cmocka_unit_test(an_alias_that_fails_for_one_type_has_scope_type),
        cmocka_unit_test(rechecks_out_of_turn_leave_the_interval),
        cmocka_unit_test(a_wildcards_alias_keeps_no_zone_blocked),
        cmocka_unit_test(a_question_over_tcp_is_sent_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
