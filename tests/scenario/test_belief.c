/*
 * test_belief.c: zones that are believed sooner, because their nameservers serve blocked zones or because they were
 * blocked before; and that nothing is believed which domestic can answer.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "probe/prober_internal.h"
#include "probe/study.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOKUP   = 3 * EXTERNAL_DELAY, /* SOA, NS, addresses, asked one after the other */
    SLOWEST  = 900 + EXTERNAL_DELAY,
    TOO_LONG = 20000
};

/* One zone of a host is blocked, and its nameservers are known. */
static struct world *host(uint64_t seed)
{
    struct world *world = world_create(&(struct world_options){.seed = seed});
    world_warm_up(world);
    world_host(world, "one.example", "ns1.host.test");
    world_host(world, "two.example", "ns1.host.test");
    world_host(world, "other.example", "ns2.host.test");
    SAY(world, DOMESTIC, "one.example", SILENT);
    world_learn(world, "mail.one.example", TYPE_MX);
    world_run(world, 3000);
    assert_non_null(world_zone(world, "one.example", SCOPE_ZONE, 0)->set);
    return world;
}

/* Until it is blocked, after a first lookup now; TOO_LONG: it is not. */
static msec_t time_to_learn(struct world *world, const char *name, const char *zone)
{
    msec_t began = world_now(world);
    world_resolve(world, name, TYPE_MX);
    while (world_state(world, zone) != ZONE_BLOCKED && world_now(world) - began < TOO_LONG)
        world_run(world, 10);
    return msec_min(world_now(world) - began, TOO_LONG);
}

static enum zone_why last_why(const struct zone *zone)
{
    assert_true(zone->dossier && zone->dossier->history_count > 0);
    return zone->dossier->history[(zone->dossier->history_count - 1) % DOSSIER_HISTORY].why;
}

/* Who is asked for the nameservers of a zone that domestic fails: external, and no client waits for it. */
static void external_is_asked_for_the_nameservers(void **state)
{
    (void) state;
    struct world *world = host(16);
    unsigned      seen  = 0;
    assert_int_equal(world_count(world, DOMESTIC, "host.test", BY_ALL), 0);
    assert_int_equal(world_count(world, EXTERNAL, "host.test", BY_CLIENTS), 0);
    assert_true(world_count(world, EXTERNAL, "ns1.host.test", BY_PROBER) >= 2);
    for (size_t i = 0; i < world_sendings(world); i++) {
        const struct sending *sending = world_sending(world, i);
        if (sending->type != TYPE_NS || sending->name.len <= 1) /* the root's is a health probe */
            continue;
        assert_true(sending->probe && sending->server & EXTERNAL);
        seen++;
    }
    assert_int_equal(seen, 1);
    /* the second zone of the set costs one question: its addresses are known */
    size_t before = world_count(world, EXTERNAL, "ns1.host.test", BY_PROBER);
    SAY(world, DOMESTIC, "two.example", SERVFAILS);
    world_learn(world, "mail.two.example", TYPE_MX);
    assert_int_equal(world_count(world, EXTERNAL, "ns1.host.test", BY_PROBER), before);
    assert_ptr_equal(world_zone(world, "two.example", SCOPE_ZONE, 0)->set,
                     world_zone(world, "one.example", SCOPE_ZONE, 0)->set);
    world_end(world);
}

static void a_zone_on_blocked_servers_is_believed(void **state)
{
    (void) state;
    struct world *world = host(1);
    SAY(world, DOMESTIC, "two.example", SILENT);
    SAY(world, DOMESTIC, "other.example", SILENT);
    assert_in_range(time_to_learn(world, "mail.two.example", "two.example"), TRIAL_SILENCE,
                    SLOWEST + LOOKUP + TRIAL_SILENCE + 200);
    assert_int_equal(prober_read_stats(world_prober(world))->believed, 1);
    /* and the operator is told why */
    const struct zone *one = world_zone(world, "one.example", SCOPE_ZONE, 0);
    const struct zone *two = world_zone(world, "two.example", SCOPE_ZONE, 0);
    assert_int_equal(last_why(one), WHY_CONFIRMED);
    assert_int_equal(last_why(two), WHY_BELIEVED);
    assert_ptr_equal(two->set, one->set);
    assert_int_equal(one->set->member_count, 2);
    assert_true(nameserver_counts(one->set->addresses[0]));
    unsigned             mapped = 0; /* an A record among them */
    static const uint8_t ipv4[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    for (unsigned i = 0; i < one->set->address_count; i++)
        mapped += memcmp(one->set->addresses[i]->address, ipv4, sizeof(ipv4)) == 0;
    assert_int_equal(mapped, 1);
    assert_in_range(time_to_learn(world, "mail.other.example", "other.example"), TRIAL_PATIENT, TOO_LONG - 1);
    assert_int_equal(prober_read_stats(world_prober(world))->believed, 1);
    world_end(world);
}

static void its_second_lookup_does_not_wait(void **state)
{
    (void) state;
    struct world *world = host(2);
    SAY(world, DOMESTIC, "two.example", SILENT);
    world_resolve(world, "a.two.example", TYPE_A);
    world_run(world, LOOKUP + 20);
    assert_int_equal(world_state(world, "two.example"), ZONE_SUSPECT);
    world_run(world, 500);
    assert_int_equal(world_verdict(world, "two.example", TYPE_A).strikes, 2); /* the belief is one, however long */
    const struct ask *ask = world_ask(world, "b.two.example", TYPE_A);
    assert_in_range(world_wait(world, ask), 0, EXTERNAL_DELAY + 20);
    world_end(world);
}

/* All servers of a zone must be known for blocks: one that is not may be where domestic gets its answers. Resolvers
 * name them in any order. */
static void one_unknown_server_makes_no_kin(void **state)
{
    (void) state;
    for (int unknown = 0; unknown < 2; unknown++) {
        struct world *world = world_create(&(struct world_options){.seed = 17});
        world_warm_up(world);
        world_host(world, "one.example", "ns1.host.test");
        world_host(world, "one.example", "ns2.host.test");
        world_host(world, "one.example", "ns3.host.test");
        world_host(world, "two.example", "ns3.host.test");
        world_host(world, "two.example", unknown ? "ns4.host.test" : "ns1.host.test");
        SAY(world, DOMESTIC, "one.example", SILENT);
        SAY(world, DOMESTIC, "two.example", SILENT);
        world_learn(world, "mail.one.example", TYPE_MX);
        const struct nameserver_set *set = world_zone(world, "one.example", SCOPE_ZONE, 0)->set;
        assert_int_equal(set->name_count, 3);
        assert_int_equal(set->address_count, 6); /* A and AAAA */
        msec_t took = time_to_learn(world, "mail.two.example", "two.example");
        assert_in_range(took, unknown ? TRIAL_PATIENT : TRIAL_SILENCE, unknown ? TOO_LONG - 1 : TRIAL_PATIENT - 1);
        assert_int_equal(prober_read_stats(world_prober(world))->believed, !unknown);
        world_end(world);
    }
}

/* Its servers are not the reason then: domestic answers, only late. */
static void a_slow_zone_on_blocked_servers_stays(void **state)
{
    (void) state;
    struct world *world = host(3);
    SAY(world, DOMESTIC, "two.example", ANSWERS, .after = 1400);
    assert_int_equal(time_to_learn(world, "mail.two.example", "two.example"), TOO_LONG);
    assert_int_equal(world_state(world, "two.example"), ZONE_CLEAR);
    world_end(world);
}

static void only_one_name_fails_and_the_apex_is_fine(void **state)
{
    (void) state;
    struct world *world = host(4);
    SAY(world, DOMESTIC, "mail.two.example", SILENT);
    assert_int_equal(time_to_learn(world, "mail.two.example", "two.example"), TOO_LONG);
    assert_int_equal(world_state(world, "two.example"), ZONE_CLEAR);
    assert_non_null(world_zone(world, "mail.two.example", SCOPE_NAME, 0));
    world_end(world);
}

/* One upstream fails everything: what it says of the zone proves nothing, however near the zone is to blocked ones. */
static void a_failing_upstream_makes_nothing_believed(void **state)
{
    (void) state;
    struct world *world = host(5);
    SAY(world, DOMESTIC_1, ".", SERVFAILS);
    SAY(world, DOMESTIC_2, "two.example", ANSWERS, .after = 1200);
    assert_int_equal(time_to_learn(world, "mail.two.example", "two.example"), TOO_LONG);
    assert_int_equal(world_state(world, "two.example"), ZONE_CLEAR);
    world_end(world);
}

/* One upstream is behind the border and the other is not, or it is lame: who answers for the zone has the word. */
static void one_upstream_that_answers_the_apex_outdoes_belief(void **state)
{
    (void) state;
    struct world *world = host(19);
    SAY(world, DOMESTIC_1, "two.example", SERVFAILS);
    SAY(world, DOMESTIC_2, "mail.two.example", SILENT);
    assert_int_equal(time_to_learn(world, "mail.two.example", "two.example"), TOO_LONG);
    assert_int_equal(world_state(world, "two.example"), ZONE_CLEAR);
    assert_int_equal(prober_read_stats(world_prober(world))->believed, 0);
    world_end(world);
}

/* The name fails at once, and the apex takes its time. */
static void a_name_that_fails_first_is_no_zone(void **state)
{
    (void) state;
    struct world *world = host(12);
    SAY(world, DOMESTIC, "two.example", ANSWERS, .after = 700);
    SAY(world, DOMESTIC, "mail.two.example", SERVFAILS);
    assert_int_equal(time_to_learn(world, "mail.two.example", "two.example"), TOO_LONG);
    assert_int_equal(world_state(world, "two.example"), ZONE_CLEAR);
    world_end(world);
}

/* Domestic refuses everything for a moment, which ends before its control question. */
static void a_refusal_of_everything_makes_nothing_believed(void **state)
{
    (void) state;
    for (msec_t until = 50; until <= 2000; until += 50) {
        struct world *world = host(13);
        SAY(world, DOMESTIC, ".", REFUSES);
        world_ask(world, "mail.two.example", TYPE_MX);
        world_run(world, until);
        SAY(world, DOMESTIC, ".", ANSWERS, .after = 100);
        SAY(world, DOMESTIC, "one.example", SILENT);
        world_run(world, 20000);
        assert_int_not_equal(world_state(world, "two.example"), ZONE_BLOCKED);
        world_run(world, ZONE_SUSPECT_LIFE);
        assert_int_equal(world_state(world, "two.example"), ZONE_CLEAR);
        world_end(world);
    }
}

/* Whether the block has ended is told by the zone, not by the one question, nor by what domestic still has of it. */
static void a_recheck_asks_for_the_zone(void **state)
{
    (void) state;
    struct world *world = host(14);
    SAY(world, DOMESTIC, "one.example", ANSWERS, .type = TYPE_SOA);
    SAY(world, DOMESTIC, "mail.one.example", ANSWERS, .type = TYPE_MX);
    for (msec_t waited = 0; world_state(world, "one.example") != ZONE_RECOVERING; waited += 1000) {
        world_run(world, 1000);
        assert_true(waited < 90 * 60000);
    }
    world_run(world, 90000); /* asked again, and answered from the cache */
    assert_int_equal(world_state(world, "one.example"), ZONE_RECOVERING);
    SAY(world, DOMESTIC, "mail.one.example", SILENT);
    world_run(world, 10 * 60000);
    assert_int_equal(world_state(world, "one.example"), ZONE_BLOCKED);
    SAY(world, DOMESTIC, "one.example", ANSWERS);
    SAY(world, DOMESTIC, "mail.one.example", SILENT);
    world_run(world, 90 * 60000);
    assert_int_equal(world_state(world, "one.example"), ZONE_CLEAR);
    world_resolve(world, "mail.one.example", TYPE_MX);
    world_run(world, 20000);
    assert_int_equal(world_state(world, "one.example"), ZONE_CLEAR);
    assert_non_null(world_zone(world, "mail.one.example", SCOPE_NAME, 0));
    world_end(world);
}

/* External shows the zone late: domestic is down by then, and there is nothing to suspect. */
static void an_outage_makes_no_late_suspicion(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 15});
    world_warm_up(world);
    SAY(world, DOMESTIC, ".", SILENT);
    SAY(world, EXTERNAL, ".", ANSWERS, .after = 4500, .type = TYPE_SOA);
    for (unsigned i = 0; i < 8; i++) {
        char name[] = "a.sub.still0.example";
        name[11]    = (char) ('0' + i);
        world_cut(world, name + 2); /* it is not the guess, where the first strike stands */
        world_ask(world, name, TYPE_MX);
        world_run(world, 500);
    }
    assert_int_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_DOWN);
    assert_int_equal(server_health(world_server(world, DOMESTIC_2)), HEALTH_DOWN);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(learner_count(world_learner(world)).states[ZONE_SUSPECT], 0);
        world_run(world, 50);
    }
    world_end(world);
}

static void recovered_servers_do_not_speak_any_more(void **state)
{
    (void) state;
    struct world *world = host(6);
    SAY(world, DOMESTIC, "one.example", ANSWERS);
    world_run(world, 12 * 60000);
    assert_int_not_equal(world_state(world, "one.example"), ZONE_BLOCKED);
    SAY(world, DOMESTIC, "two.example", SILENT);
    assert_in_range(time_to_learn(world, "mail.two.example", "two.example"), TRIAL_PATIENT, TOO_LONG - 1);
    world_end(world);
}

static void what_was_blocked_before_is_believed(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 7});
    world_warm_up(world);
    SAY(world, DOMESTIC, "one.example", SILENT);
    msec_t first = time_to_learn(world, "mail.one.example", "one.example");
    SAY(world, DOMESTIC, "one.example", ANSWERS);
    world_run(world, 15 * 60000);
    assert_int_equal(world_state(world, "one.example"), ZONE_CLEAR);
    SAY(world, DOMESTIC, "one.example", SILENT);
    msec_t again = time_to_learn(world, "mail.one.example", "one.example");
    assert_true(first >= TRIAL_PATIENT);
    assert_true(again < SLOWEST + EXTERNAL_DELAY + TRIAL_SILENCE + 2000);
    world_end(world);
}

/* External may not be asked about fenced names, be they nameservers. */
static void a_delegation_lookup_crosses_no_fence(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){
        .seed = 8, .fences = {{.zone = "host.test", .via = VIA_GROUP, .group = SETUP_DOMESTIC}}});
    world_warm_up(world);
    world_host(world, "one.example", "ns1.host.test");
    SAY(world, DOMESTIC, "one.example", SILENT);
    world_learn(world, "one.example", TYPE_MX);
    world_run(world, 5000);
    assert_int_equal(prober_read_stats(world_prober(world))->delegations, 1);
    assert_int_equal(world_count(world, EXTERNAL, "host.test", BY_ALL), 0);
    assert_null(world_zone(world, "one.example", SCOPE_ZONE, 0)->set);
    world_end(world);
}

/* A zone below it is on other servers: external shows the cut when it has nothing to say. */
static void a_child_that_is_fine_is_asked_at_home(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 10});
    world_warm_up(world);
    world_cut(world, "sub.shut.example");
    SAY(world, DOMESTIC, "shut.example", SILENT);
    SAY(world, DOMESTIC, "sub.shut.example", ANSWERS);
    SAY(world, EXTERNAL, "sub.shut.example", HAS_NO_DATA, .type = TYPE_AAAA);
    world_learn(world, "mail.shut.example", TYPE_MX);
    assert_int_equal(world_state(world, "shut.example"), ZONE_BLOCKED);
    assert_int_equal(world_resolve(world, "a.sub.shut.example", TYPE_A)->group, SETUP_EXTERNAL);
    world_resolve(world, "b.sub.shut.example", TYPE_AAAA);
    world_run(world, 1000);
    assert_true(world_verdict(world, "c.sub.shut.example", TYPE_A).proved);
    for (unsigned i = 0; i < 3; i++) {
        char name[] = "d0.sub.shut.example";
        name[1]     = (char) ('0' + i);
        assert_int_equal(world_resolve(world, name, TYPE_A)->group, SETUP_DOMESTIC);
    }
    assert_int_equal(world_resolve(world, "e.shut.example", TYPE_A)->group, SETUP_EXTERNAL);
    assert_int_equal(world_state(world, "shut.example"), ZONE_BLOCKED);

    SAY(world, DOMESTIC, "sub.shut.example", SILENT);
    assert_int_equal(world_resolve(world, "f.sub.shut.example", TYPE_A)->group, SETUP_EXTERNAL);
    world_run(world, LOOKUP);
    const struct ask *ask = world_ask(world, "g.sub.shut.example", TYPE_A);
    assert_in_range(world_wait(world, ask), 0, EXTERNAL_DELAY + 20);
    world_end(world);
}

/* Of one that is no better, or only in part, nothing is proved: the question that showed it, and a name that no cache
 * has, must both be answered at home. */
static void a_child_that_fails_in_part_is_not_proved(void **state)
{
    (void) state;
    for (int which = 0; which < 2; which++) {
        struct world *world = world_create(&(struct world_options){.seed = 18});
        world_warm_up(world);
        world_cut(world, "sub.shut.example");
        SAY(world, DOMESTIC, "shut.example", SERVFAILS);
        SAY(world, DOMESTIC, "sub.shut.example", which ? ANSWERS : SERVFAILS);
        SAY(world, DOMESTIC, "b.sub.shut.example", which ? SERVFAILS : ANSWERS);
        SAY(world, EXTERNAL, "sub.shut.example", HAS_NO_DATA, .type = TYPE_AAAA);
        world_learn(world, "mail.shut.example", TYPE_MX);
        world_resolve(world, "b.sub.shut.example", TYPE_AAAA);
        world_run(world, 10000);
        assert_int_equal(prober_read_stats(world_prober(world))->cuts, 1);
        assert_false(world_verdict(world, "b.sub.shut.example", TYPE_A).proved);
        world_end(world);
    }
}

static void a_child_that_fails_too_is_asked_about_once(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 11});
    world_warm_up(world);
    world_cut(world, "sub.shut.example");
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    SAY(world, EXTERNAL, "sub.shut.example", NXDOMAINS, .type = TYPE_AAAA);
    world_learn(world, "mail.shut.example", TYPE_MX);
    for (unsigned i = 0; i < 9; i++) {
        char name[] = "b0.sub.shut.example";
        name[1]     = (char) ('0' + i);
        assert_int_equal(world_resolve(world, name, TYPE_AAAA)->group, -1); /* NXDOMAIN says nothing of who */
        world_run(world, 2000);
    }
    assert_int_equal(prober_read_stats(world_prober(world))->cuts, 1);
    assert_false(world_verdict(world, "c.sub.shut.example", TYPE_A).proved);
    assert_int_equal(world_resolve(world, "c.sub.shut.example", TYPE_A)->group, SETUP_EXTERNAL);
    world_end(world);
}

/* Twenty zones come at once, and go at once: nobody waits ten minutes for each. */
static void a_mass_event_ends_soon(void **state)
{
    (void) state;
    enum {
        ZONES = 30
    };
    struct world *world = world_create(&(struct world_options){.seed = 9});
    world_warm_up(world);
    SAY(world, DOMESTIC, "test", SERVFAILS);
    for (unsigned i = 0; i < ZONES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "mail.zone%02u.test", i);
        world_ask(world, name, TYPE_MX);
        world_run(world, 1000);
    }
    world_run(world, 10000);
    assert_int_equal(world_blocked(world), ZONES);
    SAY(world, DOMESTIC, "test", ANSWERS);
    world_run(world, 240000);
    assert_int_equal(world_blocked(world), 0);
    world_end(world);
}

/* A resolver shows them in another order each time. */
static void six_nameservers_in_any_order(void **state)
{
    (void) state;
    static const char *const hosts[] = {"ns1.host.test", "ns2.host.test", "ns3.host.test",
                                        "ns4.host.test", "ns5.host.test", "ns6.host.test"};
    for (unsigned seed = 0; seed < 6; seed++) {
        struct world *world = world_create(&(struct world_options){.seed = seed});
        world_warm_up(world);
        for (unsigned i = 0; i < ARRAY_LEN(hosts); i++) {
            world_host(world, "one.example", hosts[i]);
            world_host(world, "two.example", hosts[i]);
        }
        SAY(world, DOMESTIC, "one.example", SILENT);
        SAY(world, DOMESTIC, "two.example", SILENT);
        world_learn(world, "mail.one.example", TYPE_MX);
        world_learn(world, "mail.two.example", TYPE_MX);
        assert_ptr_equal(world_zone(world, "one.example", SCOPE_ZONE, 0)->set,
                         world_zone(world, "two.example", SCOPE_ZONE, 0)->set);
        assert_int_equal(prober_read_stats(world_prober(world))->believed, 1);
        world_end(world);
    }
}

/* Blocked zones as they come from disk. */
static void restore(struct world *world, unsigned count, msec_t next)
{
    for (unsigned i = 0; i < count; i++) {
        char text[64];
        snprintf(text, sizeof(text), "old%u.test", i);
        struct name          name    = named(text);
        const struct learned learned = {.id         = {.name = name_view(&name), .scope = SCOPE_ZONE},
                                        .condition  = {.state        = ZONE_BLOCKED,
                                                       .reason       = REASON_SERVFAIL,
                                                       .since        = world_now(world),
                                                       .last_failure = world_now(world),
                                                       .next         = world_now(world) + next,
                                                       .interval     = 600000},
                                        .asked      = name_view(&name),
                                        .asked_type = TYPE_MX,
                                        .last_used  = world_now(world)};
        assert_non_null(learner_restore(world_learner(world), &learned, world_now(world)));
    }
}

/* lookups that a recheck began are never let go of. */
static void delegation_lookups_of_rechecks_end(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .max_zones = 2000});
    world_warm_up(world);
    SAY(world, DOMESTIC, "test", SERVFAILS);
    restore(world, 300, 1000);
    world_run(world, 320 * 1000);
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    size_t before = world_count(world, EXTERNAL, "shut.example", BY_PROBER);
    world_learn(world, "mx.shut.example", TYPE_MX);
    assert_true(world_count(world, EXTERNAL, "shut.example", BY_PROBER) > before + 1);
    assert_non_null(world_zone(world, "shut.example", SCOPE_ZONE, 0)->set);
    assert_true(list_empty(&world_prober(world)->delegations.finished)); /* and their memory is given back */
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(external_is_asked_for_the_nameservers),
        cmocka_unit_test(a_zone_on_blocked_servers_is_believed),
        cmocka_unit_test(its_second_lookup_does_not_wait),
        cmocka_unit_test(one_unknown_server_makes_no_kin),
        cmocka_unit_test(a_slow_zone_on_blocked_servers_stays),
        cmocka_unit_test(only_one_name_fails_and_the_apex_is_fine),
        cmocka_unit_test(a_failing_upstream_makes_nothing_believed),
        cmocka_unit_test(one_upstream_that_answers_the_apex_outdoes_belief),
        cmocka_unit_test(a_name_that_fails_first_is_no_zone),
        cmocka_unit_test(a_refusal_of_everything_makes_nothing_believed),
        cmocka_unit_test(a_recheck_asks_for_the_zone),
        cmocka_unit_test(an_outage_makes_no_late_suspicion),
        cmocka_unit_test(recovered_servers_do_not_speak_any_more),
        cmocka_unit_test(what_was_blocked_before_is_believed),
        cmocka_unit_test(a_delegation_lookup_crosses_no_fence),
        cmocka_unit_test(delegation_lookups_of_rechecks_end),
        cmocka_unit_test(six_nameservers_in_any_order),
        cmocka_unit_test(a_child_that_is_fine_is_asked_at_home),
        cmocka_unit_test(a_child_that_fails_in_part_is_not_proved),
        cmocka_unit_test(a_child_that_fails_too_is_asked_about_once),
        cmocka_unit_test(a_mass_event_ends_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
