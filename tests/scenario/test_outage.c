/*
 * test_outage.c: domestic goes away as a whole, and comes back: mail flows, nothing is learned, the way home is found.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

#include <stdio.h>

static void ask_for_a_while(struct world *world, msec_t ms, unsigned *number)
{
    char name[] = "q000000.z00.example";
    for (msec_t until = world_now(world) + ms; world_now(world) < until;) {
        unsigned n = (*number)++;
        snprintf(name, sizeof(name), "q%u.z%02u.example", n % 1000000, n % 40);
        world_ask(world, name, TYPE_MX);
        world_run(world, 50);
    }
}

static const struct {
    const char *name;
    enum way    way;
} outages[] = {{"silent", SILENT}, {"unreachable", UNREACHABLE}};

static void an_outage_teaches_nothing(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(outages); i++)
        for (msec_t length = 300; length < 40000; length = length * 3 / 2) {
            struct world *world  = world_create(&(struct world_options){.seed = (uint64_t) length});
            unsigned      number = 0;
            world_warm_up(world);
            ask_for_a_while(world, 1000, &number);
            SAY(world, DOMESTIC, ".", outages[i].way);
            ask_for_a_while(world, length, &number);
            SAY(world, DOMESTIC, ".", ANSWERS);
            ask_for_a_while(world, 15000, &number);
            if (world_blocked(world))
                fail_msg("%s for %d ms: %zu zones blocked", outages[i].name, (int) length, world_blocked(world));
            world_end(world);
        }
}

static void an_outage_is_seen_and_its_end_too(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(outages); i++) {
        struct world *world  = world_create(&(struct world_options){.seed = 1});
        unsigned      number = 0;
        world_warm_up(world);
        SAY(world, DOMESTIC, ".", outages[i].way);
        ask_for_a_while(world, 4000, &number);
        assert_int_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_DOWN);
        assert_int_equal(server_health(world_server(world, DOMESTIC_2)), HEALTH_DOWN);
        const struct ask *ask = world_ask(world, "now.example", TYPE_MX);
        assert_true(world_wait(world, ask) <= EXTERNAL_DELAY + 20);
        ask_for_a_while(world, 20000, &number);
        SAY(world, DOMESTIC, ".", ANSWERS);
        world_run(world, 5000);
        ask = world_ask(world, "home.example", TYPE_MX);
        assert_int_equal(world_wait(world, ask), DOMESTIC_DELAY);
        assert_int_equal(ask->group, SETUP_DOMESTIC);
        world_end(world);
    }
}

/* Somebody's answer heals it while a probe is out that was sent before, into silence: its return is noticed still. */
static void a_return_is_noticed_beside_a_probe_that_fails(void **state)
{
    (void) state;
    for (msec_t more = 0; more < 4500; more += 100) {
        struct world *world  = world_create(&(struct world_options){
             .seed = (uint64_t) more, .domestic = 1, .fences = {{"home.example", VIA_GROUP, SETUP_DOMESTIC}}});
        unsigned      number = 0;
        world_warm_up(world);
        SAY(world, DOMESTIC, ".", SILENT);
        ask_for_a_while(world, 4000, &number);
        assert_int_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_DOWN);
        world_run(world, 10000 + more);
        uint64_t epoch = epoch_of(table_epoch(world_shared(world).table), 1);
        SAY(world, DOMESTIC, ".", ANSWERS);
        assert_int_equal(world_resolve(world, "mx.home.example", TYPE_MX)->group, SETUP_DOMESTIC);
        world_run(world, 1000);
        assert_int_equal(epoch_of(table_epoch(world_shared(world).table), 1), epoch + 1);
        world_end(world);
    }
}

/* What looked like a failing zone was the outage; what was confirmed before it stays. */
static void an_outage_ends_suspicions_but_no_verdict(void **state)
{
    (void) state;
    struct world *world  = world_create(&(struct world_options){.seed = 1});
    unsigned      number = 0;
    world_warm_up(world);
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    world_learn(world, "shut.example", TYPE_MX);
    SAY(world, DOMESTIC, ".", SILENT);
    world_resolve(world, "still.example", TYPE_MX);
    world_run(world, 10);
    assert_int_equal(world_state(world, "still.example"), ZONE_SUSPECT);
    ask_for_a_while(world, 4000, &number);
    assert_int_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_DOWN);
    assert_int_equal(server_health(world_server(world, DOMESTIC_2)), HEALTH_DOWN);
    assert_int_equal(learner_count(world_learner(world)).states[ZONE_SUSPECT], 0);
    assert_int_equal(world_state(world, "shut.example"), ZONE_BLOCKED);
    world_end(world);
}

/* A lookup that ends on both sides in vain when domestic has gone down meanwhile: half of the answer is known. */
static void an_outage_breaks_no_zone(void **state)
{
    (void) state;
    struct world *world  = world_create(&(struct world_options){.seed = 1});
    unsigned      number = 0;
    world_warm_up(world);
    SAY(world, DOMESTIC, ".", SILENT);
    SAY(world, EXTERNAL, "dead.example", SILENT);
    const struct ask *ask = world_ask(world, "mx.dead.example", TYPE_MX);
    ask_for_a_while(world, 4000, &number);
    assert_int_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_DOWN);
    assert_int_equal(server_health(world_server(world, DOMESTIC_2)), HEALTH_DOWN);
    world_wait(world, ask);
    assert_int_equal(ask->rcode, RCODE_SERVFAIL);
    world_run(world, 20000);
    assert_int_equal(prober_read_stats(world_prober(world))->broken_checks, 0);
    assert_int_equal(world_state(world, "dead.example"), ZONE_CLEAR);
    world_end(world);
}

/* Many silent zones are no outage: domestic answers for others. */
static void silent_zones_are_no_outage(void **state)
{
    (void) state;
    struct world *world  = world_create(&(struct world_options){.seed = 1});
    char          name[] = "q00.shut00.test";
    world_warm_up(world);
    SAY(world, DOMESTIC, "test", SILENT);
    for (unsigned i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "q%02u.shut%02u.test", i, i % 20);
        world_ask(world, name, TYPE_MX);
        world_run(world, 500);
        assert_int_not_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_DOWN);
    }
    assert_int_equal(world_resolve(world, "mail.example", TYPE_MX)->group, SETUP_DOMESTIC);
    assert_int_equal(world_blocked(world), 20);
    world_end(world);
}

/* A fast way out is no reason to forget what is known. */
static void external_down_changes_no_verdict(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .recheck_first = 600000});
    world_warm_up(world);
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    world_learn(world, "shut.example", TYPE_MX);
    SAY(world, EXTERNAL, ".", SILENT);
    for (unsigned i = 0; i < 5; i++) {
        const struct ask *ask = world_resolve(world, i % 2 ? "a.shut.example" : "b.shut.example", TYPE_MX);
        assert_int_equal(ask->rcode, RCODE_SERVFAIL);
        world_run(world, 10000);
    }
    assert_int_equal(world_state(world, "shut.example"), ZONE_BLOCKED);
    assert_int_equal(world_resolve(world, "open.example", TYPE_MX)->group, SETUP_DOMESTIC);
    SAY(world, EXTERNAL, ".", ANSWERS);
    world_run(world, 5000);
    const struct ask *ask = world_ask(world, "c.shut.example", TYPE_MX);
    assert_int_equal(world_wait(world, ask), EXTERNAL_DELAY);
    world_end(world);
}

static bool is_asked_with_edns(struct world *world, unsigned server)
{
    const struct name name = named("any.example");
    return forms_of(&world_server(world, server)->forms, name_view(&name), world_now(world)) != FORM_PLAIN;
}

/* A middlebox on the way to domestic drops what has an OPT: that is found out, and until then mail goes the other way.
 */
static void an_upstream_that_drops_edns_is_asked_without(void **state)
{
    (void) state;
    struct world *world  = world_create(&(struct world_options){.seed = 1});
    unsigned      number = 0;
    SAY(world, DOMESTIC, ".", DROPS_EDNS);
    ask_for_a_while(world, 10000, &number);
    assert_false(is_asked_with_edns(world, DOMESTIC_1));
    assert_false(is_asked_with_edns(world, DOMESTIC_2));
    size_t abroad = world_count(world, EXTERNAL, ".", BY_CLIENTS);
    ask_for_a_while(world, 10000, &number);
    assert_int_equal(world_count(world, EXTERNAL, ".", BY_CLIENTS), abroad);
    assert_int_equal(world_blocked(world), 0);

    SAY(world, DOMESTIC, ".", ANSWERS);
    world_run(world, FORMS_LIFE);
    ask_for_a_while(world, 1000, &number);
    assert_true(is_asked_with_edns(world, DOMESTIC_1));
    world_end(world);
}

/* Lost datagrams, and upstreams that come and go, look like it now and then. */
static void bad_weather_takes_no_edns_away(void **state)
{
    (void) state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct world *world  = world_create(&(struct world_options){.seed = seed, .loss = 400});
        unsigned      number = 0;
        for (unsigned round = 0; round < 5; round++) {
            SAY(world, DOMESTIC_1, ".", round % 2 ? SILENT : ANSWERS);
            SAY(world, DOMESTIC_2, ".", round % 2 ? ANSWERS : SILENT);
            ask_for_a_while(world, 5000, &number);
        }
        assert_true(is_asked_with_edns(world, DOMESTIC_1));
        assert_true(is_asked_with_edns(world, DOMESTIC_2));
        world_end(world);
    }
}

/* ---- nobody answers for ten minutes ---- */

enum {
    LONG_OUTAGE = 600000, /* ms */
    RETRIED     = 20,     /* names that clients ask for again and again */
    RETRY       = 5000,   /* ms, as the C library does */
};

static struct ask *retry(struct world *world, unsigned n)
{
    char name[] = "mail.z00.example";
    snprintf(name, sizeof(name), "mail.z%02u.example", n % RETRIED);
    return world_ask_by(world, &(struct world_question){.name = name, .type = TYPE_MX, .worker = n / RETRIED % 2});
}

/* Mail to what was known flows on, and five seconds after the end it is as if nothing had been: what failed last, or
 * still waits, fails nobody any more, in whatever moment it was asked. */
static void a_long_outage_of_everything_leaves_nothing_behind(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(outages); i++)
        for (msec_t more = 0; more < 5000; more += 700) {
            struct world     *world = world_create(&(struct world_options){.seed = (uint64_t) more, .workers = 2});
            const struct ask *ask   = NULL;
            world_warm_up(world);
            SAY(world, DOMESTIC, "shut.example", SERVFAILS);
            world_learn(world, "shut.example", TYPE_MX);
            world_resolve(world, "known.example", TYPE_MX);
            size_t before = world_blocked(world);

            SAY(world, EVERYBODY, ".", outages[i].way);
            for (unsigned n = 0; n * (RETRY / RETRIED) < LONG_OUTAGE + more; n++) {
                retry(world, n);
                if (n % 240 == 120)
                    ask = world_ask(world, "known.example", TYPE_MX);
                world_run(world, RETRY / RETRIED);
                assert_true(!ask || ask->answers == 0 || ask->records == 1);
            }
            assert_int_equal(ask->ede, EDE_STALE_ANSWER);
            assert_int_equal(world_blocked(world), before);

            SAY(world, EVERYBODY, ".", ANSWERS);
            SAY(world, DOMESTIC, "shut.example", SERVFAILS);
            for (unsigned n = 0; n < RETRIED; n++) {
                retry(world, n);
                world_run(world, RETRY / RETRIED);
            }
            for (unsigned n = 0; n < 2 * RETRIED; n++) {
                ask = retry(world, n);
                if (world_wait(world, ask) > DOMESTIC_DELAY || ask->rcode != RCODE_NOERROR)
                    fail_msg("%s, %d ms: rcode %u of name %u", outages[i].name, (int) more, ask->rcode, n % RETRIED);
            }
            assert_int_equal(world_resolve(world, "new.example", TYPE_MX)->group, SETUP_DOMESTIC);
            world_run(world, 20000);
            assert_int_equal(world_blocked(world), before);
            assert_int_equal(learner_count(world_learner(world)).states[ZONE_BROKEN], 0);
            world_end(world);
        }
}

/* One lookup is enough where the other side has spoken; where both are silent it may be the name. */
static void a_lost_lookup_draws_a_probe(void **state)
{
    (void) state;
    for (int both = 0; both < 2; both++) {
        struct world *world = world_create(&(struct world_options){.seed = 5, .domestic = 1, .external = 1});
        world_warm_up(world);
        SAY(world, DOMESTIC, "shut.example", both ? SILENT : SERVFAILS);
        SAY(world, EXTERNAL, ".", SILENT);
        size_t            before = world_sendings(world), probes = 0;
        const struct ask *ask = world_resolve(world, "mx.shut.example", TYPE_MX);
        assert_int_equal(ask->rcode, RCODE_SERVFAIL);
        world_run(world, 3000);
        for (size_t i = before; i < world_sendings(world); i++)
            probes += world_sending(world, i)->probe && world_sending(world, i)->server & EXTERNAL;
        assert_true(both ? probes == 0 : probes >= SERVER_PROBES_TO_DOWN);
        assert_int_equal(server_health(world_server(world, 1u << 8)), both ? HEALTH_UP : HEALTH_DOWN);
        world_end(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outage_teaches_nothing),
        cmocka_unit_test(an_upstream_that_drops_edns_is_asked_without),
        cmocka_unit_test(bad_weather_takes_no_edns_away),
        cmocka_unit_test(an_outage_is_seen_and_its_end_too),
        cmocka_unit_test(a_return_is_noticed_beside_a_probe_that_fails),
        cmocka_unit_test(an_outage_ends_suspicions_but_no_verdict),
        cmocka_unit_test(an_outage_breaks_no_zone),
        cmocka_unit_test(silent_zones_are_no_outage),
        cmocka_unit_test(external_down_changes_no_verdict),
        cmocka_unit_test(a_long_outage_of_everything_leaves_nothing_behind),
        cmocka_unit_test(a_lost_lookup_draws_a_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
