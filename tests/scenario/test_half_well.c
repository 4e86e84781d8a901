/*
 * test_half_well.c: an upstream that is dead, ill or odd while another one of its group is well costs the first few
 * lookups and nothing after, sends nobody abroad, and is noticed when it comes back.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

#include <stdio.h>

enum {
    FIRST_FEW = 5,
};

static const struct ask *look_up(struct world *world, unsigned number)
{
    char name[32];
    snprintf(name, sizeof(name), "mx.zone%u.example", number);
    return world_resolve(world, name, TYPE_MX);
}

/* ms from `since` to the first question about `name` to these servers; -1: there was none. */
static msec_t first_asked(const struct world *world, unsigned servers, const char *name, msec_t since)
{
    const struct name wanted = named(name);
    for (size_t i = 0; i < world_sendings(world); i++) {
        const struct sending *sending = world_sending(world, i);
        if ((sending->server & servers) && !sending->probe && sending->at >= since &&
            name_equal(name_view(&sending->name), name_view(&wanted)))
            return sending->at - since;
    }
    return -1;
}

/* It answers nothing, be it dead or deaf to all but health probes by the root. */
static void a_silent_one_of_two_costs_the_first_few(void **state)
{
    (void) state;
    for (int deaf = 0; deaf < 2; deaf++)
        for (unsigned silent = DOMESTIC_1; silent <= DOMESTIC_2; silent <<= 1)
            for (msec_t between = 50; between <= 5000; between *= 10) {
                struct world *world = world_create(&(struct world_options){.seed = (uint64_t) between});
                SAY(world, silent, ".", SILENT);
                if (deaf)
                    SAY(world, silent, ".", ANSWERS, .type = TYPE_NS);
                unsigned slow = 0;
                for (unsigned i = 0; i < 100; i++) {
                    const struct ask *ask = look_up(world, i);
                    assert_int_equal(ask->group, SETUP_DOMESTIC);
                    slow += ask->answered - ask->asked > DOMESTIC_DELAY;
                    assert_true(ask->answered - ask->asked <= HEDGE_MAX + DOMESTIC_DELAY);
                    world_run(world, between);
                }
                if (slow > FIRST_FEW)
                    fail_msg("%u of 100 lookups were slow, %d ms between them", slow, (int) between);
                assert_int_equal(world_count(world, EXTERNAL, ".", BY_CLIENTS), 0);
                world_end(world);
            }
}

/* And when it answers again it is asked again: the first one serves all, as it did before. */
static void one_that_comes_back_is_noticed(void **state)
{
    (void) state;
    static const enum way ways[] = {SILENT, REFUSES, SERVFAILS, UNREACHABLE, FORMERRS};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        SAY(world, DOMESTIC_1, ".", ways[i]);
        for (unsigned n = 0; n < 50; n++) {
            look_up(world, n);
            world_run(world, 500);
        }
        size_t copies = world_count(world, DOMESTIC_1, ".", BY_CLIENTS);
        assert_in_range(copies, 5, 50 + 3 * FIRST_FEW);
        SAY(world, DOMESTIC_1, ".", ANSWERS);
        for (unsigned n = 50; n < 62; n++) {
            look_up(world, n);
            world_run(world, 500);
        }
        size_t before = world_count(world, DOMESTIC_2, ".", BY_CLIENTS);
        for (unsigned n = 62; n < 100; n++)
            look_up(world, n);
        assert_int_equal(world_count(world, DOMESTIC_2, ".", BY_CLIENTS), before);
        world_end(world);
    }
}

/* The other one's cold recursions take their time: it has the route's patience, and nothing healthy goes abroad. */
static void a_failing_one_of_two_sends_nobody_abroad(void **state)
{
    (void) state;
    static const enum way ways[] = {REFUSES, SERVFAILS, FORMERRS, GARBLES, FORGES, NO_EDNS, UNREACHABLE};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        for (unsigned failing = DOMESTIC_1; failing <= DOMESTIC_2; failing <<= 1) {
            struct world *world = world_create(&(struct world_options){.seed = i});
            SAY(world, failing, ".", ways[i]);
            SAY(world, DOMESTIC_1 + DOMESTIC_2 - failing, ".", ANSWERS, .after = 400);
            for (unsigned n = 0; n < 100; n++) {
                assert_int_equal(look_up(world, n)->group, SETUP_DOMESTIC);
                world_run(world, 1000);
            }
            if (world_count(world, EXTERNAL, ".", BY_CLIENTS) > 0)
                fail_msg("way %d: external was asked", (int) ways[i]);
            assert_int_equal(world_blocked(world), 0);
            for (unsigned n = 0; n < 3; n++) { /* known to be good by now, with more patience */
                char name[40];
                snprintf(name, sizeof(name), "again%u.zone1.example", n);
                const struct ask *ask = world_resolve(world, name, TYPE_MX);
                assert_int_equal(ask->group, SETUP_DOMESTIC);
            }
            world_end(world);
        }
}

/* All that was ever asked is one zone, and that is blocked: the root is answered, so nobody is down. */
static void the_only_zone_asked_is_blocked(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .domestic = 1});
    world_resolve(world, "mx.only.example", TYPE_MX);
    world_run(world, SAMPLE_EVERY);
    world_say(world, DOMESTIC, "only.example", (struct manner){.way = SILENT});
    for (unsigned n = 0; n < 300; n++) {
        char name[40];
        snprintf(name, sizeof(name), "n%u.only.example", n);
        if (n % 20 == 0)
            world_ask(world, name, TYPE_MX);
        world_run(world, 100);
        assert_int_not_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_DOWN);
    }
    assert_true(world_count(world, DOMESTIC, "only.example", BY_PROBER) > 0);
    world_end(world);
}

/* A firewall drops the root's NS, and at a quiet time the only name asked is one that is blocked. */
static void the_root_may_be_dropped(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 2});
    world_warm_up(world);
    SAY(world, DOMESTIC, ".", SILENT, .type = TYPE_NS);
    SAY(world, DOMESTIC, "blocked.example", SILENT);
    world_resolve(world, "blocked.example", TYPE_MX);
    world_run(world, 20000);
    for (unsigned i = 0; i < 600; i++) {
        assert_int_equal(look_up(world, i)->group, SETUP_DOMESTIC);
        world_run(world, 60000);
    }
    assert_int_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_UP);
    assert_int_equal(server_health(world_server(world, DOMESTIC_2)), HEALTH_UP);
    world_end(world);
}

/* The only question that there ever was is blocked; nothing but the root is left to ask about, and that is dropped:
 * domestic is held to be down, wrongly. The next healthy lookup shows it. */
static void nothing_is_down_for_good(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 2});
    SAY(world, DOMESTIC, ".", SILENT, .type = TYPE_NS);
    SAY(world, DOMESTIC, "blocked.example", SILENT);
    world_resolve(world, "blocked.example", TYPE_MX);
    world_resolve(world, "mail.blocked.example", TYPE_A);
    world_run(world, 20000);
    assert_int_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_DOWN);
    unsigned abroad = 0;
    for (unsigned i = 0; i < 100; i++) {
        abroad += look_up(world, i)->group == SETUP_EXTERNAL;
        world_run(world, 3000);
    }
    assert_in_range(abroad, 0, 1);
    world_end(world);
}

/* It answers for the root and for nothing else. */
static void the_roots_answer_alone_is_no_life(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 5});
    world_warm_up(world);
    look_up(world, 0);
    world_run(world, 1000);
    SAY(world, DOMESTIC, ".", SILENT);
    SAY(world, DOMESTIC, ".", ANSWERS, .type = TYPE_NS);
    msec_t began = world_now(world);
    for (unsigned i = 1; i < 12; i++) {
        look_up(world, i);
        world_run(world, 500);
    }
    assert_int_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_DOWN);
    assert_int_equal(server_health(world_server(world, DOMESTIC_2)), HEALTH_DOWN);
    const struct ask *ask = look_up(world, 12);
    assert_int_equal(ask->answered - ask->asked, EXTERNAL_DELAY);
    assert_true(world_now(world) - began < 15000);
    world_end(world);
}

/* However little patience there is, and whether or not anything is learned. */
static void a_dead_group_is_noticed(void **state)
{
    (void) state;
    static const msec_t patiences[] = {50, 300, 800, 0};
    for (size_t i = 0; i < ARRAY_LEN(patiences); i++)
        for (int off = 0; off < 2; off++)
            for (msec_t between = 100; between <= 1000; between += 300) {
                struct world *world =
                    world_create(&(struct world_options){.seed          = i,
                                                         .patience      = patiences[i],
                                                         .learning      = off ? SETUP_LEARN_NOTHING : SETUP_LEARN,
                                                         .recheck_first = 600000});
                world_warm_up(world);
                SAY(world, DOMESTIC, ".", SILENT);
                msec_t began = world_now(world);
                for (unsigned n = 0; !group_down(world_domestic(world)); n++) {
                    char name[32];
                    snprintf(name, sizeof(name), "mx.z%u.example", n);
                    world_ask(world, name, TYPE_MX);
                    world_run(world, between);
                    if (world_now(world) - began > 5000)
                        fail_msg("patience %d, learning %s, a lookup each %d ms", (int) patiences[i],
                                 off ? "off" : "on", (int) between);
                }
                world_end(world);
            }
}

/* Two fail, one is silent, the fourth would answer: all are asked, as far as the datagrams go of which external keeps
 * two. */
static void each_of_a_group_is_asked_before_it_has_failed(void **state)
{
    (void) state;
    for (unsigned external = 0; external < 3; external++)
        for (unsigned no_timeout = 0; no_timeout < 2; no_timeout++)
            for (unsigned last = 2; last < 6; last++) {
                struct world *world = world_create(
                    &(struct world_options){.seed = 3, .domestic = last + 1, .not_on_timeout = no_timeout});
                unsigned group = (1u << (last + 1)) - 1;
                SAY(world, group, "odd.example", SERVFAILS);
                if (last <= 3)
                    SAY(world, 1u << (last - 1), "odd.example", SILENT);
                SAY(world, 1u << last, "odd.example", ANSWERS);
                if (external) /* it cannot use its datagrams */
                    SAY(world, EXTERNAL, ".", external == 1 ? REFUSES : UNREACHABLE);
                const struct ask *ask    = world_resolve(world, "odd.example", TYPE_MX);
                bool              within = last <= 3; /* of the datagrams that the group may use */
                if (within && ask->group != SETUP_DOMESTIC)
                    fail_msg("%u domestic, external %u: answered by %d", last + 1, external, ask->group);
                assert_true(ask->rcode == RCODE_NOERROR || (external && !within));
                world_end(world);
            }
}

/* External is not to be had, and domestic's first three datagrams are lost. */
static void datagrams_that_one_side_cannot_use_are_the_others(void **state)
{
    (void) state;
    static const enum way ways[] = {UNREACHABLE, REFUSES};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&(struct world_options){.seed = 27, .domestic = 1, .external = 1});
        world_warm_up(world);
        SAY(world, EXTERNAL, ".", ways[i], .after = 1);
        SAY(world, DOMESTIC, "some.example", SILENT);
        const struct ask *ask = world_ask(world, "mx.some.example", TYPE_MX);
        world_run(world, 2000);
        SAY(world, DOMESTIC, "some.example", ANSWERS);
        world_wait(world, ask);
        assert_int_equal(ask->rcode, RCODE_NOERROR);
        assert_int_equal(ask->group, SETUP_DOMESTIC);
        world_end(world);
    }
}

/* Letter case is not mixed; where it is, an upstream that loses it is found out, with TCP or without. */
static void an_upstream_may_lose_letter_case(void **state)
{
    (void) state;
    for (int mix = 0; mix < 2; mix++)
        for (int tcp = 0; tcp < 2; tcp++) {
            struct world *world = world_create(
                &(struct world_options){.seed = 8, .domestic = 1, .external = 1, .mix_case = mix ? EVERYBODY : 0});
            world_warm_up(world);
            SAY(world, EVERYBODY, ".", ANSWERS, .lower = true);
            if (!tcp)
                SAY(world, DOMESTIC, ".", SILENT, .over = TRANSPORT_TCP, .only_over = true);
            unsigned abroad = 0;
            for (unsigned i = 0; i < 60; i++) {
                abroad += look_up(world, i)->group == SETUP_EXTERNAL;
                world_run(world, 60000);
            }
            assert_in_range(abroad, 0, mix && !tcp ? SERVER_CASE_LOST - 1 : 0);
            assert_int_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_UP);
            world_end(world);
        }
}

/* One odd name's FORMERR takes EDNS from nobody else: what it carries is still heard. */
static void one_name_that_refuses_edns_stands_for_itself(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 26, .domestic = 1});
    world_warm_up(world);
    SAY(world, DOMESTIC, "odd.example", NO_EDNS);
    assert_int_equal(world_resolve(world, "odd.example", TYPE_MX)->group, SETUP_DOMESTIC);
    size_t asked = world_count(world, DOMESTIC, "odd.example", BY_CLIENTS);
    assert_int_equal(world_resolve(world, "odd.example", TYPE_A)->group, SETUP_DOMESTIC);
    assert_int_equal(world_count(world, DOMESTIC, "odd.example", BY_CLIENTS), asked + 1);
    SAY(world, DOMESTIC, "signed.example", SERVFAILS, .ede = EDE_SIGNATURE_EXPIRED);
    assert_int_equal(world_resolve(world, "signed.example", TYPE_MX)->rcode, RCODE_SERVFAIL);
    assert_int_equal(world_count(world, EXTERNAL, ".", BY_CLIENTS), 0);
    world_end(world);
}

/* A question about a zone that is not known to be blocked goes to domestic first, and to one of the two alone. */
static void while_both_are_well_one_is_asked(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    for (unsigned i = 0; i < 50; i++) {
        look_up(world, i);
        world_run(world, 300);
    }
    assert_int_equal(world_count(world, DOMESTIC_2, ".", BY_CLIENTS), 0);
    assert_int_equal(world_count(world, DOMESTIC_1, ".", BY_CLIENTS), 50);
    assert_int_equal(first_asked(world, DOMESTIC_1, "mx.zone7.example", 0) >= 0, true);
    world_end(world);
}

/* Over TCP no datagram tells how much was asked: the other side has its place all the same. */
static void many_that_fail_over_tcp_leave_external_its_place(void **state)
{
    (void) state;
    struct world *world =
        world_create(&(struct world_options){.seed = 1, .domestic = 7, .external = 1, .tcp_only = DOMESTIC});
    SAY(world, DOMESTIC, ".", SERVFAILS);
    const struct ask *ask = world_resolve(world, "mx.some.example", TYPE_MX);
    assert_int_equal(ask->rcode, RCODE_NOERROR);
    assert_int_equal(ask->group, SETUP_EXTERNAL);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_one_of_two_costs_the_first_few),
        cmocka_unit_test(one_that_comes_back_is_noticed),
        cmocka_unit_test(a_failing_one_of_two_sends_nobody_abroad),
        cmocka_unit_test(the_only_zone_asked_is_blocked),
        cmocka_unit_test(the_root_may_be_dropped),
        cmocka_unit_test(nothing_is_down_for_good),
        cmocka_unit_test(the_roots_answer_alone_is_no_life),
        cmocka_unit_test(a_dead_group_is_noticed),
        cmocka_unit_test(each_of_a_group_is_asked_before_it_has_failed),
        cmocka_unit_test(datagrams_that_one_side_cannot_use_are_the_others),
        cmocka_unit_test(an_upstream_may_lose_letter_case),
        cmocka_unit_test(one_name_that_refuses_edns_stands_for_itself),
        cmocka_unit_test(while_both_are_well_one_is_asked),
        cmocka_unit_test(many_that_fail_over_tcp_leave_external_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
