/*
 * test_replies.c: a reply that matches is never silence. What is wrong with it is got round at the same upstream, and
 * nothing is sent abroad or learned for it.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

#include <stdio.h>

enum {
    OWN = 20, /* ms of byway's own */
};

static msec_t took(const struct ask *ask) { return ask->answered - ask->asked; }

static void say_over(struct world *world, unsigned servers, const char *zone, enum way way, enum transport over)
{
    SAY(world, servers, zone, way, .over = over, .only_over = true);
}

/* Wrong over UDP, right over TCP: that costs a round trip or two. */
static void what_is_odd_over_udp_is_asked_over_tcp(void **state)
{
    (void) state;
    static const enum way ways[] = {GARBLES, FORGES, MISLEADS, TRUNCATES, CUTS, TRAILS, LACKS_QUESTION, BREAKS_EXTRA};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        for (unsigned external = 0; external < 2; external++) {
            struct world *world = world_create(&(struct world_options){.seed = i, .domestic = 1, .external = 1});
            world_warm_up(world);
            unsigned side = external ? EXTERNAL : DOMESTIC;
            if (external) {
                SAY(world, DOMESTIC, "odd.example", SERVFAILS);
                world_learn(world, "odd.example", TYPE_MX);
            }
            say_over(world, side, "odd.example", ways[i], TRANSPORT_UDP);
            say_over(world, side, "odd.example", ANSWERS, TRANSPORT_TCP);
            msec_t trip = external ? EXTERNAL_DELAY : DOMESTIC_DELAY;
            for (unsigned n = 0; n < 3; n++) {
                char name[32];
                snprintf(name, sizeof(name), "mx%u.odd.example", n);
                const struct ask *ask = world_resolve(world, name, TYPE_MX);
                if (ask->rcode != RCODE_NOERROR || ask->group != (int) external || took(ask) > 3 * trip + OWN)
                    fail_msg("way %d: rcode %u by %d after %d ms", (int) ways[i], ask->rcode, ask->group,
                             (int) took(ask));
            }
            world_run(world, 20000);
            if (!external) {
                assert_int_equal(world_count(world, EXTERNAL, ".", BY_CLIENTS), 0);
                assert_int_equal(table_count(world_shared(world).table), 0);
            }
            world_end(world);
        }
}

/* A connection that has fallen silent is left for another one; domestic, which has said that it knows the answer, has
 * the time for that. */
static void what_was_cut_has_time_over_tcp(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .domestic = 1, .external = 1});
    world_warm_up(world);
    SAY(world, DOMESTIC, "long.example", TRUNCATES, .after = 250);
    SAY(world, DOMESTIC, "long.example", ANSWERS, .after = 350, .over = TRANSPORT_TCP,
        .only_over = true); /* twice, for TCP */
    const struct ask *ask = world_resolve(world, "long.example", TYPE_TXT);
    assert_int_equal(ask->group, SETUP_DOMESTIC);
    assert_true(took(ask) > PATIENCE_UNKNOWN);
    assert_int_equal(world_count(world, EXTERNAL, ".", BY_CLIENTS), 0);
    world_end(world);
}

/* Wrong over both: that is a failure at once, not silence. */
static void what_is_odd_over_both_is_a_failure(void **state)
{
    (void) state;
    static const enum way ways[] = {GARBLES, FORGES, CUTS, LACKS_QUESTION, BREAKS_EXTRA};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        for (int fenced = 0; fenced < 2; fenced++) {
            struct world_options options = {.seed = i, .domestic = 1, .external = 1};
            if (fenced)
                options.fences[0] = (struct world_fence){"odd.example", VIA_GROUP, SETUP_DOMESTIC, false};
            struct world *world = world_create(&options);
            world_warm_up(world);
            SAY(world, DOMESTIC, "odd.example", ways[i]);
            const struct ask *ask = world_resolve(world, "mx.odd.example", TYPE_MX);
            if (ask->rcode != (fenced ? RCODE_SERVFAIL : RCODE_NOERROR) ||
                took(ask) > 3 * DOMESTIC_DELAY + OWN + (fenced ? 0 : EXTERNAL_DELAY))
                fail_msg("way %d: rcode %u after %d ms", (int) ways[i], ask->rcode, (int) took(ask));
            world_end(world);
        }
}

/* A forged answer that comes first, and no TCP: the true one behind it counts. */
static void the_true_answer_behind_a_forged_one_counts(void **state)
{
    (void) state;
    for (int tcp = 0; tcp < 3; tcp++) {
        struct world *world = world_create(&(struct world_options){.seed = 1, .domestic = 1, .external = 1});
        world_warm_up(world);
        world_inject(world, DOMESTIC, "censored.example", 1);
        SAY(world, DOMESTIC, "censored.example", ANSWERS, .after = 120);
        if (tcp)
            say_over(world, DOMESTIC, "censored.example", tcp == 1 ? SILENT : UNREACHABLE, TRANSPORT_TCP);
        static const uint16_t types[] = {TYPE_MX, TYPE_TXT, TYPE_PTR};
        for (size_t i = 0; i < ARRAY_LEN(types); i++) {
            const struct ask *ask = world_resolve(world, "mx.censored.example", types[i]);
            assert_int_equal(ask->rcode, RCODE_NOERROR);
            assert_int_equal(ask->group, SETUP_DOMESTIC);
            assert_int_equal(ask->records, 1);
            assert_true(took(ask) <= 240 + OWN);
        }
        world_end(world);
    }
}

/* 12 bytes, as a resolver sends to whom it does not serve: a failure at once, and the upstream is alive. */
static void a_failure_may_lack_its_question(void **state)
{
    (void) state;
    static const enum way ways[] = {REFUSES_SHORTLY, SERVFAILS_SHORTLY};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world =
            world_create(&(struct world_options){.seed = i, .fences = {{"own.example", VIA_GROUP, SETUP_DOMESTIC}}});
        world_warm_up(world);
        SAY(world, DOMESTIC, "deny.example", ways[i]);
        SAY(world, DOMESTIC, "own.example", ways[i]);
        const struct ask *ask = world_resolve(world, "a.deny.example", TYPE_MX);
        assert_int_equal(ask->group, SETUP_EXTERNAL);
        assert_true(took(ask) <= 2 * DOMESTIC_DELAY + EXTERNAL_DELAY);
        ask = world_resolve(world, "a.own.example", TYPE_MX);
        assert_int_equal(ask->rcode, RCODE_SERVFAIL);
        assert_true(took(ask) <= 2 * DOMESTIC_DELAY);
        assert_int_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_UP);
        world_end(world);
    }
}

/* Both sides, or domestic alone: with the OPT copied or not, answered without EDNS. */
static void refused_edns_costs_a_round_trip(void **state)
{
    (void) state;
    static const enum way ways[] = {NO_EDNS, NO_EDNS_COPIED, NO_OPTIONS};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        for (int tcp = 0; tcp < 2; tcp++)
            for (int both = 0; both < 2; both++) {
                struct world *world = world_create(
                    &(struct world_options){.seed = i, .domestic = 1, .external = 1, .tcp_only = tcp ? EVERYBODY : 0});
                SAY(world, both ? EVERYBODY : DOMESTIC, "old.example", ways[i]);
                for (unsigned n = 0; n < 3; n++) {
                    char name[32];
                    snprintf(name, sizeof(name), "mx%u.old.example", n);
                    const struct ask *ask = world_resolve(world, name, TYPE_MX);
                    assert_int_equal(ask->group, SETUP_DOMESTIC);
                    assert_true(took(ask) <= 6 * DOMESTIC_DELAY);
                }
                world_run(world, 20000);
                assert_int_equal(world_count(world, EXTERNAL, ".", BY_CLIENTS), 0);
                assert_int_equal(table_count(world_shared(world).table), 0);
                world_end(world);
            }
}

/* A firewall drops what is longer than 512 bytes, or all of UDP: a small datagram, or TCP, brings it; by whatever way
 * it was to come, and nothing is learned of it. */
static void silence_is_got_round(void **state)
{
    (void) state;
    static const enum way ways[] = {DROPS_LONG, SILENT};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        for (int fenced = 0; fenced < 2; fenced++) {
            struct world_options options = {.seed = i, .domestic = 1, .external = 1};
            if (fenced)
                options.fences[0] = (struct world_fence){"size.example", VIA_GROUP, SETUP_DOMESTIC, false};
            struct world *world = world_create(&options);
            world_warm_up(world);
            say_over(world, EVERYBODY, "size.example", ways[i], TRANSPORT_UDP);
            const struct ask *ask = world_resolve(world, "a.size.example", TYPE_TXT);
            assert_int_equal(ask->rcode, RCODE_NOERROR);
            assert_true(took(ask) <= 2000);
            world_run(world, 20000);
            assert_int_equal(world_blocked(world), 0);
            world_end(world);
        }
}

/* Once several names have shown it, it is no news any more. */
static void a_firewall_is_remembered(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .domestic = 1, .external = 1});
    world_warm_up(world);
    SAY(world, DOMESTIC, "example", DROPS_LONG);
    for (unsigned n = 0; n < 8; n++) {
        char name[32];
        snprintf(name, sizeof(name), "a.big%u.example", n);
        const struct ask *ask = world_resolve(world, name, TYPE_TXT);
        assert_int_equal(ask->group, SETUP_DOMESTIC);
        if (n >= FORMS_NAMES)
            assert_true(took(ask) <= 4 * DOMESTIC_DELAY);
        world_run(world, 2000);
    }
    world_end(world);
}

/* Upstreams decline ANY. Nobody abroad is asked for it, and who asks it goes on. */
static void any_may_be_declined(void **state)
{
    (void) state;
    static const enum way ways[] = {REFUSES, REFUSES_SHORTLY};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        SAY(world, EVERYBODY, "any.example", ways[i], .type = TYPE_ANY);
        for (unsigned n = 0; n < 3; n++) {
            const struct ask *ask = world_resolve(world, "rcpt.any.example", TYPE_ANY);
            assert_int_equal(ask->rcode, RCODE_NOERROR);
            assert_int_equal(ask->records, 1);
            assert_true(took(ask) <= 2 * DOMESTIC_DELAY);
        }
        assert_int_equal(world_count(world, EXTERNAL, ".", BY_CLIENTS), 0);
        assert_int_equal(world_resolve(world, "rcpt.any.example", TYPE_MX)->group, SETUP_DOMESTIC);
        SAY(world, EVERYBODY, "any.example", SERVFAILS, .type = TYPE_ANY);
        assert_int_equal(world_resolve(world, "rcpt.any.example", TYPE_ANY)->rcode, RCODE_SERVFAIL);
        world_end(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_odd_over_udp_is_asked_over_tcp),
        cmocka_unit_test(what_was_cut_has_time_over_tcp),
        cmocka_unit_test(what_is_odd_over_both_is_a_failure),
        cmocka_unit_test(the_true_answer_behind_a_forged_one_counts),
        cmocka_unit_test(a_failure_may_lack_its_question),
        cmocka_unit_test(refused_edns_costs_a_round_trip),
        cmocka_unit_test(silence_is_got_round),
        cmocka_unit_test(a_firewall_is_remembered),
        cmocka_unit_test(any_may_be_declined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
