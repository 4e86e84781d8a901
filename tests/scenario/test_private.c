/*
 * test_private.c: the reverse zones of private addresses. Domestic alone is asked, since only the operator's resolvers
 * know these names; where it fails, or is silent for a second, byway's empty zone stands in, and nobody keeps that.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

#include <stdio.h>

#define ZONE "10.in-addr.arpa"
#define NAME "1.2.3.10.in-addr.arpa"

static const struct world_options home = {
    .seed = 1, .fences = {{.zone = ZONE, .via = VIA_GROUP, .group = SETUP_DOMESTIC, .or_empty = true}}};

static void say(struct world *world, unsigned servers, enum way way) { SAY(world, servers, ZONE, way); }

static uint64_t stood_in(const struct world *world)
{
    return atomic_load(&engine_counters(world_engine(world, 0))->local);
}

/* Byway's word, not domestic's: it says why. */
static void assert_empty(const struct ask *ask, int ede)
{
    assert_int_equal(ask->rcode, RCODE_NXDOMAIN);
    assert_int_equal(ask->ede, ede);
    assert_int_equal(ask->records, 0);
}

/* Whatever happened: external was not asked, not even by the prober, and nothing was learned. */
static void end(struct world *world)
{
    world_run(world, 100000);
    assert_int_equal(world_count(world, EXTERNAL, "arpa", BY_ALL), 0);
    assert_int_equal(table_count(world_shared(world).table), 0);
    world_end(world);
}

static void what_domestic_says_is_passed_on(void **state)
{
    (void) state;
    static const struct {
        enum way way;
        unsigned rcode, records;
    } rows[] = {{ANSWERS, RCODE_NOERROR, 1}, {NXDOMAINS, RCODE_NXDOMAIN, 0}, {HAS_NO_DATA, RCODE_NOERROR, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *world = world_create(&home);
        say(world, DOMESTIC, rows[i].way);
        for (unsigned again = 0; again < 2; again++) { /* the second from the cache */
            const struct ask *ask = world_ask(world, NAME, TYPE_PTR);
            assert_int_equal(world_wait(world, ask), again ? 0 : DOMESTIC_DELAY);
            assert_int_equal(ask->rcode, rows[i].rcode);
            assert_int_equal(ask->records, rows[i].records);
            assert_int_equal(ask->ede, EDE_NONE);
        }
        assert_int_equal(world_count(world, DOMESTIC, ZONE, BY_ALL), 1);
        assert_int_equal(stood_in(world), 0);
        end(world);
    }
}

static void silence_costs_a_second(void **state)
{
    (void) state;
    static const uint16_t types[] = {TYPE_PTR, TYPE_A, TYPE_TXT, TYPE_SOA, TYPE_ANY};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct world *world = world_create(&home);
        say(world, DOMESTIC, SILENT);
        const struct ask *ask = world_ask(world, NAME, types[i]);
        assert_int_equal(world_wait(world, ask), EMPTY_AFTER);
        assert_empty(ask, EDE_NETWORK_ERROR);
        assert_int_equal(stood_in(world), 1);
        end(world);
    }
}

static void failures_cost_nothing(void **state)
{
    (void) state;
    static const enum way ways[] = {SERVFAILS, REFUSES, FORMERRS, REFUSES_SHORTLY, SERVFAILS_SHORTLY};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&home);
        say(world, DOMESTIC, ways[i]);
        for (unsigned again = 0; again < 2; again++) { /* the second asks domestic as well */
            size_t            before = world_count(world, DOMESTIC, ZONE, BY_ALL);
            const struct ask *ask    = world_ask(world, NAME, TYPE_PTR);
            assert_in_range(world_wait(world, ask), 2 * DOMESTIC_DELAY, 10 * DOMESTIC_DELAY);
            assert_empty(ask, EDE_NO_REACHABLE_AUTHORITY);
            assert_true(world_count(world, DOMESTIC, ZONE, BY_ALL) >= before + 2);
        }
        say(world, DOMESTIC, ANSWERS);
        assert_int_equal(world_resolve(world, NAME, TYPE_PTR)->group, SETUP_DOMESTIC);
        end(world);
    }
}

/* Whichever of the two is the good one, and however the other fails. */
static void one_good_upstream_is_enough(void **state)
{
    (void) state;
    static const enum way ways[] = {SILENT, SERVFAILS, REFUSES, UNREACHABLE};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        for (unsigned bad = DOMESTIC_1; bad <= DOMESTIC_2; bad <<= 1) {
            struct world *world = world_create(&home);
            say(world, bad, ways[i]);
            for (unsigned n = 0; n < 8; n++) {
                char name[40];
                snprintf(name, sizeof(name), "%u." ZONE, n);
                const struct ask *ask = world_ask(world, name, TYPE_PTR);
                assert_true(world_wait(world, ask) <= HEDGE_MAX + DOMESTIC_DELAY);
                assert_int_equal(ask->group, SETUP_DOMESTIC);
            }
            assert_int_equal(stood_in(world), 0);
            end(world);
        }
}

/* A recursion that takes longer than a second is waited for behind the client's back: the next one has its answer. */
static void a_late_answer_is_for_the_next(void **state)
{
    (void) state;
    struct world *world = world_create(&home);
    SAY(world, DOMESTIC, ZONE, ANSWERS, .after = 1400);
    const struct ask *ask = world_ask(world, NAME, TYPE_PTR);
    assert_int_equal(world_wait(world, ask), EMPTY_AFTER);
    assert_empty(ask, EDE_NETWORK_ERROR);
    world_run(world, 1000);
    ask = world_ask(world, NAME, TYPE_PTR);
    assert_int_equal(world_wait(world, ask), 0);
    assert_int_equal(ask->group, SETUP_DOMESTIC);
    end(world);
}

/* Of one connection a mail server and its filters ask the same, one after the other. Who joins does not wait for all of
 * the second again, but as long as a datagram of his own may take: domestic may be back. */
static void who_joins_waits_less(void **state)
{
    (void) state;
    for (msec_t at = 100; at < QUERY_LIFE; at += 300)
        for (int back = 0; back < 2; back++) {
            struct world *world = world_create(&home);
            say(world, DOMESTIC, SILENT);
            world_ask(world, NAME, TYPE_PTR);
            world_run(world, at);
            say(world, DOMESTIC, back ? ANSWERS : SILENT);
            size_t            before = world_count(world, DOMESTIC, ZONE, BY_ALL);
            const struct ask *ask    = world_ask(world, NAME, TYPE_PTR);
            msec_t            took   = world_wait(world, ask);
            if (!back && took > (at < EMPTY_AFTER - EMPTY_AGAIN ? EMPTY_AFTER - at : EMPTY_AGAIN))
                fail_msg("joined at %d: %d ms", (int) at, (int) took);
            /* for a moment behind the last datagram of a question nobody may ask anew */
            bool asked = world_count(world, DOMESTIC, ZONE, BY_ALL) > before;
            if (back && asked && ask->group != SETUP_DOMESTIC)
                fail_msg("joined at %d: domestic's answer is missed", (int) at);
            end(world);
        }
}

/* Once domestic is known to be down nobody waits for it: not the first, nor who joins, in whichever worker. Its return
 * is seen. */
static void a_dead_resolver_costs_nothing(void **state)
{
    (void) state;
    struct world_options options = home;
    options.workers              = 2;
    struct world *world          = world_create(&options);
    SAY(world, DOMESTIC, ".", SILENT);
    for (unsigned n = 0; n < 100; n++) {
        char name[40];
        snprintf(name, sizeof(name), "%u." ZONE, n);
        world_ask(world, name, TYPE_PTR);
        world_run(world, 50);
    }
    assert_true(group_down(world_domestic(world)));
    for (unsigned n = 0; n < 4; n++) {
        const struct world_question question = {.name = NAME, .type = TYPE_PTR, .worker = n % 2};
        const struct ask           *ask      = world_ask_by(world, &question);
        assert_int_equal(world_wait(world, ask), 0);
        assert_empty(ask, EDE_NETWORK_ERROR);
        world_run(world, 100);
    }
    SAY(world, DOMESTIC, ".", ANSWERS);
    world_run(world, 5000);
    assert_int_equal(world_resolve(world, NAME, TYPE_PTR)->group, SETUP_DOMESTIC);
    end(world);
}

/* What domestic said a while ago is better than that there is nothing. */
static void a_stale_answer_goes_before(void **state)
{
    (void) state;
    static const enum way ways[] = {SILENT, SERVFAILS};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&home);
        world_resolve(world, NAME, TYPE_PTR);
        world_run(world, 400000);
        say(world, DOMESTIC, ways[i]);
        const struct ask *ask = world_ask(world, NAME, TYPE_PTR);
        assert_true(world_wait(world, ask) <= EMPTY_AFTER);
        assert_int_equal(ask->rcode, RCODE_NOERROR);
        assert_int_equal(ask->ede, EDE_STALE_ANSWER);
        assert_int_equal(stood_in(world), 0);
        end(world);
    }
}

/* It is the parent's record: whether the zone is signed is not byway's to say, and no reason to go abroad either. */
static void ds_at_the_top_is_not_made_up(void **state)
{
    (void) state;
    static const enum way ways[] = {SILENT, SERVFAILS};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&home);
        say(world, DOMESTIC, ways[i]);
        assert_int_equal(world_resolve(world, ZONE, TYPE_DS)->rcode, RCODE_SERVFAIL);
        assert_int_equal(stood_in(world), 0);
        assert_int_equal(world_resolve(world, ZONE, TYPE_NS)->rcode, RCODE_NOERROR);
        assert_int_equal(stood_in(world), 1);
        end(world);
    }
}

/* Neither a pin above the fence nor one that was set before it opens external. */
static void a_pin_does_not_cross(void **state)
{
    (void) state;
    static const char *const pinned[] = {"arpa", "in-addr.arpa", ZONE, NAME};
    for (size_t i = 0; i < ARRAY_LEN(pinned); i++) {
        struct world *world = world_create(&home);
        world_pin(world, pinned[i], PIN_EXTERNAL, MSEC_NEVER);
        say(world, DOMESTIC, SERVFAILS);
        assert_empty(world_resolve(world, NAME, TYPE_PTR), EDE_NO_REACHABLE_AUTHORITY);
        world_run(world, 100000);
        assert_int_equal(world_count(world, EXTERNAL, "arpa", BY_ALL), 0);
        world_end(world);
    }
}

/* Given up by byway itself: nobody has failed, so nothing is known. */
static void who_is_given_up_hears_no_denial(void **state)
{
    (void) state;
    struct world *world = world_create(&home);
    say(world, DOMESTIC, SILENT);
    const struct ask *ask = world_ask(world, NAME, TYPE_PTR);
    world_run(world, 500);
    engine_cancel(world_engine(world, 0), world_now(world));
    assert_int_equal(world_wait(world, ask), 500);
    assert_int_equal(ask->rcode, RCODE_SERVFAIL);
    end(world);
}

/* The operator's own fence, without byway's answer behind it, is taken out by a reload: its failure is not kept on. */
static void a_claim_that_ends(void **state)
{
    (void) state;
    struct world_options options = home;
    options.fences[0].or_empty   = false;
    struct world *world          = world_create(&options);
    say(world, DOMESTIC, SERVFAILS);
    assert_int_equal(world_resolve(world, NAME, TYPE_PTR)->rcode, RCODE_SERVFAIL);
    world_reload(world, &home);
    assert_empty(world_resolve(world, NAME, TYPE_PTR), EDE_NO_REACHABLE_AUTHORITY);
    say(world, DOMESTIC, ANSWERS);
    assert_int_equal(world_resolve(world, NAME, TYPE_PTR)->group, SETUP_DOMESTIC);
    end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_domestic_says_is_passed_on), cmocka_unit_test(silence_costs_a_second),
        cmocka_unit_test(failures_cost_nothing),           cmocka_unit_test(one_good_upstream_is_enough),
        cmocka_unit_test(a_late_answer_is_for_the_next),   cmocka_unit_test(who_joins_waits_less),
        cmocka_unit_test(a_dead_resolver_costs_nothing),   cmocka_unit_test(a_stale_answer_goes_before),
        cmocka_unit_test(ds_at_the_top_is_not_made_up),    cmocka_unit_test(a_pin_does_not_cross),
        cmocka_unit_test(who_is_given_up_hears_no_denial), cmocka_unit_test(a_claim_that_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
