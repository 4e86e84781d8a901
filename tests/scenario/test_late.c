/*
 * test_late.c: the answer is at hand, and nobody waits for it longer than he must.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

#include <stdio.h>

static msec_t took(const struct ask *ask) { return ask->answered - ask->asked; }

/* ---- stale answers ---- */

enum {
    FIRM = 30, /* names whose answers are in the cache, and expired */
};

static void fill_with_stale(struct world *world)
{
    world_warm_up(world);
    for (unsigned i = 0; i < FIRM; i++) {
        char name[32];
        snprintf(name, sizeof(name), "mx%u.firm.example", i);
        world_resolve(world, name, TYPE_MX);
    }
    world_run(world, 400000);
}

static const struct ask *ask_firm(struct world *world, unsigned number)
{
    char name[32];
    snprintf(name, sizeof(name), "mx%u.firm.example", number);
    return world_resolve(world, name, TYPE_MX);
}

/* Nobody answers: at first that must be found out, and RFC 8767 says how long one may take for it. When it is known,
 * nobody waits; and the upstreams are asked all the same. */
static void a_stale_answer_does_not_wait_for_the_deadline(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 24});
    fill_with_stale(world);
    SAY(world, EVERYBODY, ".", SILENT);
    for (unsigned i = 0; i < FIRM; i++) {
        const struct ask *ask = ask_firm(world, i);
        assert_int_equal(ask->ede, EDE_STALE_ANSWER);
        assert_true(took(ask) <= STALE_AFTER);
        if (i >= 5)
            assert_int_equal(took(ask), 0);
        assert_true(world_count(world, EVERYBODY, "firm.example", BY_CLIENTS) >= FIRM + i);
        world_run(world, 1000);
    }
    SAY(world, EVERYBODY, ".", ANSWERS);
    world_run(world, 6000);
    assert_int_equal(ask_firm(world, 0)->ede, EDE_NONE);
    world_end(world);
}

/* A zone that may go to one group alone. */
static void a_fenced_one_does_not_either(void **state)
{
    (void) state;
    struct world *world =
        world_create(&(struct world_options){.seed = 3, .fences = {{"firm.example", VIA_GROUP, SETUP_DOMESTIC}}});
    fill_with_stale(world);
    SAY(world, DOMESTIC, ".", SILENT);
    for (unsigned i = 0; i < FIRM; i++) {
        const struct ask *ask = ask_firm(world, i);
        assert_int_equal(ask->ede, EDE_STALE_ANSWER);
        assert_int_equal(took(ask), i < 5 ? took(ask) : 0);
        world_run(world, 1000);
    }
    world_end(world);
}

/* One is silent to the zone alone, while it is well: 1.8 s, and for who joins later no more than that is left. */
static void who_joins_waits_no_longer_than_the_first(void **state)
{
    (void) state;
    struct world *world =
        world_create(&(struct world_options){.seed = 3, .fences = {{"firm.example", VIA_GROUP, SETUP_DOMESTIC}}});
    fill_with_stale(world);
    SAY(world, DOMESTIC, "firm.example", SILENT);
    const struct ask *first = world_ask(world, "mx1.firm.example", TYPE_MX);
    world_run(world, 1000);
    const struct ask *second = world_ask(world, "mx1.firm.example", TYPE_MX);
    world_run(world, 1000);
    const struct ask *third = world_ask(world, "mx1.firm.example", TYPE_MX);
    assert_int_equal(took(first), STALE_AFTER);
    assert_int_equal(took(second), STALE_AFTER - 1000);
    assert_int_equal(third->answers, 1);
    assert_int_equal(third->ede, EDE_STALE_ANSWER);
    world_run(world, 3000); /* the failure is noted, though nobody waited for it */
    assert_int_equal(world_ask(world, "mx1.firm.example", TYPE_MX)->answers, 1);
    world_end(world);
}

/* Signatures that have expired are nothing to get round: everybody is told, each time. */
static void bogus_is_never_covered_by_a_stale_answer(void **state)
{
    (void) state;
    static const int edes[] = {EDE_SIGNATURE_EXPIRED, EDE_SIGNATURE_NOT_YET_VALID, EDE_NO_ZONE_KEY};
    for (size_t i = 0; i < ARRAY_LEN(edes); i++) {
        struct world *world = world_create(&(struct world_options){.seed = 9});
        world_resolve(world, "mx.signed.example", TYPE_MX);
        world_run(world, 400000);
        SAY(world, DOMESTIC, "signed.example", SERVFAILS, .ede = edes[i]);
        for (unsigned n = 0; n < 10; n++) {
            const struct ask *ask = world_resolve(world, "mx.signed.example", TYPE_MX);
            assert_int_equal(ask->rcode, RCODE_SERVFAIL);
            assert_int_equal(ask->ede, EDE_BOGUS);
            world_run(world, 1500);
        }
        world_end(world);
    }
}

/* ---- several workers ---- */

/* What the cache does not keep reaches those who wait in other workers all the same, and nobody later. */
static void workers_share_what_is_not_kept(void **state)
{
    (void) state;
    static const struct manner manners[] = {
        {.way = ANSWERS, .after = 700, .ttl = NO_TTL},
        {.way = HAS_NO_DATA, .after = 700, .no_soa = true},
        {.way = NXDOMAINS, .after = 700, .no_soa = true},
        {.way = HAS_NO_DATA, .after = 700, .ttl = NO_TTL},
    };
    for (size_t i = 0; i < ARRAY_LEN(manners); i++) {
        struct world     *world = world_create(&(struct world_options){.seed = 5, .workers = 8});
        const struct ask *asks[8];
        world_say(world, DOMESTIC, "gslb.example", manners[i]);
        for (unsigned worker = 0; worker < 8; worker++) {
            asks[worker] = world_ask_by(
                world, &(struct world_question){.name = "a.gslb.example", .type = TYPE_A, .worker = worker});
            world_run(world, worker);
        }
        world_run(world, 2000);
        for (unsigned worker = 0; worker < 8; worker++) {
            assert_int_equal(asks[worker]->rcode, manners[i].way == NXDOMAINS ? RCODE_NXDOMAIN : RCODE_NOERROR);
            assert_true(took(asks[worker]) <= 700 + CLAIM_LOOK_MAX);
        }
        assert_true(world_count(world, DOMESTIC, "gslb.example", BY_CLIENTS) <= 4);
        const struct ask *later = world_ask(world, "a.gslb.example", TYPE_A);
        assert_int_equal(later->answers, 0);
        world_wait(world, later);
        world_end(world);
    }
}

/* ---- who asks again when the network is back ---- */

static void whoever_asks_behind_a_blip_is_answered(void **state)
{
    (void) state;
    static const struct {
        unsigned workers;
        bool     fenced;
        msec_t   blip;
    } rows[] = {{1, false, 2400}, {1, true, 2400}, {1, true, 900}, {1, false, 1500}, {3, false, 2400}, {3, true, 2400}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world_options options = {.seed = 22, .domestic = 1, .external = 1, .workers = rows[i].workers};
        if (rows[i].fenced)
            options.fences[0] = (struct world_fence){"some.example", VIA_GROUP, SETUP_DOMESTIC, false};
        struct world *world = world_create(&options);
        world_warm_up(world);
        SAY(world, EVERYBODY, "some.example", SILENT);
        const struct ask *first = world_ask(world, "mx.some.example", TYPE_MX), *asks[8];
        world_run(world, rows[i].blip);
        SAY(world, EVERYBODY, "some.example", ANSWERS);
        world_run(world, 450);
        for (unsigned n = 0; n < 8; n++) {
            asks[n] = world_ask_by(
                world,
                &(struct world_question){.name = "mx.some.example", .type = TYPE_MX, .worker = n % rows[i].workers});
            world_run(world, 500);
        }
        world_run(world, 6000);
        for (unsigned n = 0; n < 8; n++)
            if (asks[n]->rcode != RCODE_NOERROR || took(asks[n]) > EXTERNAL_DELAY + CLAIM_LOOK_MAX)
                fail_msg("row %zu, number %u: rcode %u after %d ms", i, n, asks[n]->rcode, (int) took(asks[n]));
        /* and whoever had asked before has it too */
        assert_int_equal(first->rcode, RCODE_NOERROR);
        assert_true(took(first) <= rows[i].blip + 450 + EXTERNAL_DELAY + 2 * CLAIM_LOOK_MAX);
        world_end(world);
    }
}

/* A short deadline leaves external its time. */
/* Every now and then somebody asks anew; what that costs does not grow with who waits. */
static void a_dead_name_that_many_ask_for_costs_little(void **state)
{
    (void) state;
    for (unsigned workers = 1; workers <= 3; workers += 2) {
        struct world_options options = {.seed = 3, .domestic = 1, .external = 1, .workers = workers};
        struct world        *world   = world_create(&options);
        world_warm_up(world);
        SAY(world, EVERYBODY, "dead.example", SILENT);
        for (unsigned n = 0; n < 45; n++) {
            world_ask_by(world,
                         &(struct world_question){.name = "mx.dead.example", .type = TYPE_MX, .worker = n % workers});
            world_run(world, 100);
        }
        assert_in_range(world_count(world, EVERYBODY, "dead.example", BY_CLIENTS), 6, 12);
        world_end(world);
    }
}

static void patience_leaves_the_other_side_its_time(void **state)
{
    (void) state;
    static const msec_t deadlines[] = {500, 800, 1000, 1500, 2000, 4500};
    for (size_t i = 0; i < ARRAY_LEN(deadlines); i++)
        for (int pinned = 0; pinned < 2; pinned++) {
            struct world *world = world_create(&(struct world_options){.seed = 13, .deadline = deadlines[i]});
            world_warm_up(world);
            world_resolve(world, "a.known.example", TYPE_A);
            SAY(world, DOMESTIC, "known.example", SILENT);
            world_run(world, 50);
            const struct ask *ask = world_resolve(world, "b.known.example", TYPE_MX);
            assert_int_equal(ask->rcode, RCODE_NOERROR);
            assert_int_equal(ask->group, SETUP_EXTERNAL);
            world_end(world);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stale_answer_does_not_wait_for_the_deadline),
        cmocka_unit_test(a_fenced_one_does_not_either),
        cmocka_unit_test(who_joins_waits_no_longer_than_the_first),
        cmocka_unit_test(bogus_is_never_covered_by_a_stale_answer),
        cmocka_unit_test(workers_share_what_is_not_kept),
        cmocka_unit_test(whoever_asks_behind_a_blip_is_answered),
        cmocka_unit_test(a_dead_name_that_many_ask_for_costs_little),
        cmocka_unit_test(patience_leaves_the_other_side_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
