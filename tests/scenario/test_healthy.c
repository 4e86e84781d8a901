/*
 * test_healthy.c: zones that are fine where a name in them, a moment, or what domestic does with names that do not
 * exist makes them look otherwise: they stay at home, or come back.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

#include <stdio.h>

enum {
    SECOND = 1000,
    MINUTE = 60 * SECOND,
    HOUR   = 60 * MINUTE,
};

/* The question number `number` of a zone. */
static const char *nth(unsigned number, const char *zone)
{
    static char name[64];
    snprintf(name, sizeof(name), "n%u.%s", number, zone);
    return name;
}

/* Of many zones. */
static const char *zone_of(unsigned number, unsigned zones)
{
    static char zone[64];
    snprintf(zone, sizeof(zone), "zone%u.test", number % zones);
    return zone;
}

static struct ask *ask_nth(struct world *world, unsigned number, const char *zone, uint16_t type)
{
    return world_ask(world, nth(number, zone), type);
}

static bool asked_abroad(const struct world *world, unsigned number, const char *zone)
{
    return world_count(world, EXTERNAL, nth(number, zone), BY_CLIENTS) > 0;
}

/* ---- one name of many ---- */

/* When the prober first asked domestic below `zone`; MSEC_NEVER: not yet. */
static msec_t first_looked_at(const struct world *world, const char *zone)
{
    const struct name name = named(zone);
    for (size_t i = 0; i < world_sendings(world); i++) {
        const struct sending *sending = world_sending(world, i);
        if (sending->probe && (sending->server & DOMESTIC) &&
            name_is_at_or_below(name_view(&sending->name), name_view(&name)))
            return sending->at;
    }
    return MSEC_NEVER;
}

/* Whatever becomes of the names below one that a border filters: as soon as the zone was seen fine, what else is in it
 * stays at home, though it takes longer than a suspected zone has. */
static void a_filtered_name_sends_no_neighbour_abroad(void **state)
{
    (void) state;
    enum {
        SLOW  = 300,
        EACH  = 4, /* so many names of which one is filtered */
        COUNT = 120
    };
    static const enum way ways[] = {SILENT, SERVFAILS, REFUSES};
    for (size_t way = 0; way < ARRAY_LEN(ways); way++)
        for (msec_t shift = 0; shift < SECOND; shift += 130) {
            struct world *world = world_create(&(struct world_options){.seed = 17, .external = 1});
            unsigned      early = 0;
            msec_t        asked[COUNT];
            world_warm_up(world);
            SAY(world, DOMESTIC, "big.example", ANSWERS, .after = SLOW);
            if (shift % 20) /* it is known to be good, or not */
                world_resolve(world, "www.big.example", TYPE_A);
            SAY(world, DOMESTIC, "filtered.big.example", ways[way]);
            for (unsigned i = 0; i < COUNT; i++) {
                if (i % EACH == 0)
                    ask_nth(world, i, "filtered.big.example", TYPE_A);
                world_run(world, shift);
                asked[i] = world_now(world);
                ask_nth(world, i, "big.example", TYPE_A);
                world_run(world, SECOND - shift);
                assert_int_not_equal(world_state(world, "big.example"), ZONE_BLOCKED);
            }
            msec_t seen = first_looked_at(world, "big.example") + SLOW;
            for (unsigned i = 0; i < COUNT; i++) {
                if (asked[i] <= seen)
                    early += asked_abroad(world, i, "big.example");
                else if (asked_abroad(world, i, "big.example"))
                    fail_msg("way %d, shift %d: %d ms behind the answer for the zone", (int) ways[way], (int) shift,
                             (int) (asked[i] - seen));
            }
            assert_in_range(early, 0, 1);
            world_run(world, 20 * SECOND);
            world_end(world);
        }
}

/* ---- a moment ---- */

/* Domestic fails everything for a while: of no zone anything is left, neither a verdict nor a suspicion; not of more
 * zones either than are studied at once. */
static void a_bad_moment_leaves_nothing_behind(void **state)
{
    (void) state;
    static const enum way    ways[] = {SERVFAILS, REFUSES, SILENT};
    static const char *const warm[] = {"good.example", "fine.example", "well.example"}; /* world_warm_up() */
    static const struct {
        msec_t   lasts;
        unsigned zones, each_second;
        bool     known; /* were all answered before */
        bool     alive; /* what domestic has in its cache it answers, so that it is not held to be down */
    } rows[] = {{2 * SECOND, 20, 10, false},   {2 * SECOND, 20, 10, true},        {5 * SECOND, 20, 10, false},
                {5 * SECOND, 20, 10, true},    {20 * SECOND, 20, 10, false},      {20 * SECOND, 20, 10, true},
                {5 * SECOND, 400, 100, false}, {5 * SECOND, 20, 10, false, true}, {9 * SECOND, 400, 100, false, true}};
    for (size_t way = 0; way < ARRAY_LEN(ways); way++)
        for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
            struct world *world  = world_create(&(struct world_options){.seed = 3 + row});
            unsigned      number = 0;
            world_warm_up(world);
            for (unsigned i = 0; i < rows[row].zones && rows[row].known; i++) {
                world_ask(world, zone_of(i, rows[row].zones), TYPE_A);
                world_run(world, 100);
            }
            SAY(world, DOMESTIC, ".", ways[way]);
            for (size_t i = 0; i < ARRAY_LEN(warm) && rows[row].alive; i++)
                SAY(world, DOMESTIC, warm[i], ANSWERS, .type = TYPE_MX);
            for (msec_t at = 0; at < rows[row].lasts; at += SECOND / rows[row].each_second, number++) {
                ask_nth(world, number, zone_of(number, rows[row].zones), TYPE_MX);
                world_run(world, SECOND / rows[row].each_second);
                assert_int_equal(world_blocked(world), 0);
            }
            SAY(world, DOMESTIC, ".", ANSWERS, .after = 300);
            world_run(world, SERVER_PROBE_MAX + SECOND); /* found out */
            unsigned first = number;
            for (msec_t at = 0; at < MINUTE; at += 200, number++) {
                ask_nth(world, number, zone_of(number, rows[row].zones), TYPE_MX);
                world_run(world, 200);
                assert_int_equal(world_blocked(world), 0);
            }
            world_run(world, 2 * SECOND);
            for (; first < number; first++)
                if (asked_abroad(world, first, zone_of(first, rows[row].zones)))
                    fail_msg("way %d, row %zu: behind it a lookup was asked abroad", (int) ways[way], row);
            assert_int_equal(learner_count(world_learner(world)).states[ZONE_BROKEN], 0);
            world_end(world);
        }
}

/* ---- names that do not exist ---- */

/* Some zones' servers fail what is not there. When the block has ended the zone comes back all the same. */
static void a_zone_that_cannot_deny_comes_back(void **state)
{
    (void) state;
    static const enum way ways[] = {SERVFAILS, SILENT, REFUSES};
    for (size_t way = 0; way < ARRAY_LEN(ways); way++)
        for (int both = 0; both < 2; both++) {
            struct world *world = world_create(&(struct world_options){.seed = 7 + way});
            world_warm_up(world);
            SAY(world, DOMESTIC, "zone.example", SILENT);
            world_learn(world, "mx.zone.example", TYPE_MX);
            SAY(world, DOMESTIC, "zone.example", ANSWERS);
            SAY(world, DOMESTIC | (both ? EXTERNAL : 0), "zone.example", ways[way], .type = TYPE_CNAME);
            world_run(world, HOUR);
            if (world_state(world, "zone.example") != ZONE_CLEAR)
                fail_msg("way %d, both %d: still %s after an hour", (int) ways[way], both,
                         zone_state_words[world_state(world, "zone.example")]);
            for (unsigned i = 0; i < 4; i++) {
                ask_nth(world, i, "zone.example", TYPE_MX);
                world_run(world, MINUTE);
                assert_false(asked_abroad(world, i, "zone.example"));
            }
            world_end(world);
        }
}

/* And is learned: what external cannot deny either says nothing against the block. */
static void a_zone_that_cannot_deny_is_learned(void **state)
{
    (void) state;
    static const enum way ways[] = {SERVFAILS, SILENT, REFUSES};
    for (size_t way = 0; way < ARRAY_LEN(ways); way++) {
        struct world *world = world_create(&(struct world_options){.seed = 8 + way});
        world_warm_up(world);
        SAY(world, DOMESTIC, "zone.example", SILENT);
        SAY(world, EXTERNAL, "zone.example", ways[way], .type = TYPE_CNAME);
        world_resolve(world, "mx.zone.example", TYPE_MX);
        world_run(world, 30 * SECOND);
        if (world_state(world, "zone.example") != ZONE_BLOCKED)
            fail_msg("way %d: %s", (int) ways[way], zone_state_words[world_state(world, "zone.example")]);
        world_end(world);
    }
}

/* Domestic denies what is below the zone from NSEC records that it has seen (RFC 8198), and is silent to the rest. */
static void denials_from_a_cache_clear_no_zone(void **state)
{
    (void) state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct world *world = world_create(&(struct world_options){.seed = 23 + seed});
        unsigned      slow  = 0;
        world_warm_up(world);
        SAY(world, DOMESTIC, "signed.example", SILENT);
        world_learn(world, "signed.example", TYPE_MX);
        SAY(world, DOMESTIC, "signed.example", NXDOMAINS, .type = TYPE_CNAME, .proves = true);
        for (unsigned i = 0; i < HOUR / (10 * SECOND); i++) {
            const struct ask *ask = ask_nth(world, i, "signed.example", TYPE_MX);
            world_run(world, 10 * SECOND);
            slow += ask->answered - ask->asked > 200;
            assert_int_equal(world_state(world, "signed.example"), ZONE_BLOCKED);
        }
        assert_int_equal(slow, 0);
        assert_true(prober_read_stats(world_prober(world))->rechecks >= 2);
        world_end(world);
    }
}

/* The same while it is not known yet: such a denial acquits nobody. */
static void denials_from_a_cache_acquit_no_zone(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 24});
    world_warm_up(world);
    SAY(world, DOMESTIC, "signed.example", SILENT);
    SAY(world, DOMESTIC, "signed.example", NXDOMAINS, .type = TYPE_CNAME, .proves = true);
    world_resolve(world, "mx.signed.example", TYPE_MX);
    world_run(world, 30 * SECOND);
    assert_int_equal(world_state(world, "signed.example"), ZONE_BLOCKED);
    world_end(world);
}

/* When it has ended, what is asked about tells it, for the denials do not. */
static void a_signed_zone_comes_back(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 25});
    world_warm_up(world);
    SAY(world, DOMESTIC, "signed.example", SILENT);
    world_learn(world, "mx.signed.example", TYPE_MX);
    SAY(world, DOMESTIC, "signed.example", ANSWERS);
    SAY(world, DOMESTIC, "signed.example", NXDOMAINS, .type = TYPE_CNAME, .proves = true);
    world_run(world, HOUR);
    assert_int_equal(world_state(world, "signed.example"), ZONE_CLEAR);
    world_end(world);
}

/* ---- below a blocked one ---- */

/* On other servers than its parent; asked are names that exist, whose answers show no zone. */
static void a_child_is_found_by_names_that_exist(void **state)
{
    (void) state;
    for (int often = 0; often < 2; often++) {
        struct world *world = world_create(&(struct world_options){.seed = 6});
        unsigned      count = 0;
        world_warm_up(world);
        world_cut(world, "sub.shut.example");
        SAY(world, DOMESTIC, "shut.example", SILENT);
        world_learn(world, "mail.shut.example", TYPE_MX);
        SAY(world, DOMESTIC, "sub.shut.example", ANSWERS);
        msec_t began = world_now(world);
        do {
            ask_nth(world, count++, "sub.shut.example", TYPE_A);
            world_run(world, often ? 200 : 7 * SECOND);
        } while (asked_abroad(world, count - 1, "sub.shut.example") && count < 1000);
        if (count > 11 && world_now(world) - began > MINUTE)
            fail_msg("after %u lookups, %d ms", count, (int) (world_now(world) - began));
        assert_true(world_verdict(world, "more.sub.shut.example", TYPE_A).proved);
        assert_int_equal(world_state(world, "shut.example"), ZONE_BLOCKED);
        assert_int_equal(world_resolve(world, "other.shut.example", TYPE_A)->group, SETUP_EXTERNAL);
        world_end(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filtered_name_sends_no_neighbour_abroad),
        cmocka_unit_test(a_bad_moment_leaves_nothing_behind),
        cmocka_unit_test(a_zone_that_cannot_deny_comes_back),
        cmocka_unit_test(a_zone_that_cannot_deny_is_learned),
        cmocka_unit_test(denials_from_a_cache_clear_no_zone),
        cmocka_unit_test(denials_from_a_cache_acquit_no_zone),
        cmocka_unit_test(a_signed_zone_comes_back),
        cmocka_unit_test(a_child_is_found_by_names_that_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
