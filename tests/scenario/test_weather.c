/*
 * test_weather.c: one lookup that fails, under every weather that looks alike from the client's side. What is made of
 * it, and whether the evidence shows the operator why.
 */
#include "lib/world.h"

#include "query/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    SAYINGS = 3,
    LINES   = 4
};

struct said {
    unsigned      servers;
    const char   *zone;
    struct manner manner;
};

struct seen { /* a line that the evidence must have */
    bool                wanted, external;
    enum evidence_about about;
    enum outcome        outcome;
};

struct weather {
    const char     *name;
    struct said     said[SAYINGS];
    int             group; /* that answers the client; -1: SERVFAIL */
    enum zone_state state; /* of look.example, 20 s later */
    size_t          blocked;
    struct seen     seen[LINES];
};

static const struct weather weathers[] = {
    {"blocked, silent",
     {{DOMESTIC, "look.example", {.way = SILENT}}},
     SETUP_EXTERNAL,
     ZONE_BLOCKED,
     1,
     {{true, false, ABOUT_APEX, OUTCOME_TIMEOUT},
      {true, false, ABOUT_QUESTION, OUTCOME_TIMEOUT},
      {true, false, ABOUT_CONTROL, OUTCOME_NODATA}}},
    {"blocked, SERVFAIL",
     {{DOMESTIC, "look.example", {.way = SERVFAILS}}},
     SETUP_EXTERNAL,
     ZONE_BLOCKED,
     1,
     {{true, false, ABOUT_APEX, OUTCOME_SERVFAIL}, {true, false, ABOUT_CONTROL, OUTCOME_NODATA}}},
    {"blocked, half of the group dead",
     {{DOMESTIC_1, ".", {.way = SILENT}}, {DOMESTIC_2, "look.example", {.way = SERVFAILS}}},
     SETUP_EXTERNAL,
     ZONE_BLOCKED,
     1,
     {{true, false, ABOUT_APEX, OUTCOME_SERVFAIL}, {true, false, ABOUT_CONTROL, OUTCOME_NODATA}}},
    {"broken, silent",
     {{EVERYBODY, "look.example", {.way = SILENT}}},
     -1,
     ZONE_BROKEN,
     0,
     {{true, false, ABOUT_APEX, OUTCOME_TIMEOUT},
      {true, true, ABOUT_APEX, OUTCOME_TIMEOUT},
      {true, false, ABOUT_CONTROL, OUTCOME_NODATA},
      {true, true, ABOUT_CONTROL, OUTCOME_NODATA}}},
    {"broken, SERVFAIL",
     {{EVERYBODY, "look.example", {.way = SERVFAILS}}},
     -1,
     ZONE_BROKEN,
     0,
     {{true, false, ABOUT_CONTROL, OUTCOME_NODATA}, {true, true, ABOUT_CONTROL, OUTCOME_NODATA}}},
    {"one type only",
     {{DOMESTIC, "mx.look.example", {.way = SERVFAILS, .type = TYPE_MX}}},
     SETUP_EXTERNAL,
     ZONE_CLEAR,
     1,
     {{0}}},
    {"domestic refuses everything",
     {{DOMESTIC, ".", {.way = REFUSES}}},
     SETUP_EXTERNAL,
     ZONE_SUSPECT,
     0,
     {{true, false, ABOUT_APEX, OUTCOME_REFUSED}, {true, false, ABOUT_CONTROL, OUTCOME_REFUSED}}},
    {"domestic fails everything",
     {{DOMESTIC, ".", {.way = SERVFAILS}}},
     SETUP_EXTERNAL,
     ZONE_SUSPECT,
     0,
     {{true, false, ABOUT_APEX, OUTCOME_SERVFAIL}, {true, false, ABOUT_CONTROL, OUTCOME_SERVFAIL}}},
    {"domestic is silent", {{DOMESTIC, ".", {.way = SILENT}}}, SETUP_EXTERNAL, ZONE_CLEAR, 0, {{0}}},
    {"external is silent, the zone blocked",
     {{EXTERNAL, ".", {.way = SILENT}}, {DOMESTIC, "look.example", {.way = SERVFAILS}}},
     -1,
     ZONE_CLEAR,
     0,
     {{0}}},
    {"the link is down for everybody",
     {{EXTERNAL, ".", {.way = SILENT}},
      {DOMESTIC, "look.example", {.way = SILENT}},
      {DOMESTIC, "test", {.way = SILENT}}},
     -1,
     ZONE_CLEAR,
     0,
     {{0}}},
    {"cold", {{DOMESTIC, "look.example", {.way = ANSWERS, .after = 1300}}}, SETUP_EXTERNAL, ZONE_CLEAR, 0, {{0}}},
    {"slow", {{DOMESTIC, "look.example", {.way = ANSWERS, .after = 2500}}}, SETUP_EXTERNAL, ZONE_CLEAR, 0, {{0}}},
    {"half of the group dead", {{DOMESTIC_1, ".", {.way = SILENT}}}, SETUP_DOMESTIC, ZONE_CLEAR, 0, {{0}}},
    {"the other half dead", {{DOMESTIC_2, ".", {.way = SILENT}}}, SETUP_DOMESTIC, ZONE_CLEAR, 0, {{0}}},
    {"fails at one of two", {{DOMESTIC_1, "look.example", {.way = SERVFAILS}}}, SETUP_DOMESTIC, ZONE_CLEAR, 0, {{0}}},
    {"bogus by its own fault",
     {{EVERYBODY, "look.example", {.way = SERVFAILS, .ede = EDE_SIGNATURE_EXPIRED}}},
     -1,
     ZONE_CLEAR,
     0,
     {{0}}},
    {"bogus at domestic alone",
     {{DOMESTIC, "look.example", {.way = SERVFAILS, .ede = EDE_SIGNATURE_EXPIRED}}},
     -1,
     ZONE_CLEAR,
     0,
     {{0}}},
};

static bool shows(const struct zone *zone, const struct seen *seen)
{
    unsigned count = zone && zone->dossier ? zone->dossier->evidence_count : 0;
    for (unsigned i = 0; i < count && i < DOSSIER_EVIDENCE; i++) {
        const struct evidence_line *line = &zone->dossier->evidence[i];
        if (line->about == seen->about && line->outcome == seen->outcome && line->external == seen->external)
            return true;
    }
    return false;
}

static void check(struct world *world, const struct weather *weather, const struct ask *ask)
{
    const struct zone *zone = world_zone(world, "look.example", SCOPE_ZONE, 0);
    if (weather->group < 0 ? ask->rcode != RCODE_SERVFAIL : ask->group != weather->group)
        fail_msg("%s: rcode %u from group %d", weather->name, ask->rcode, ask->group);
    if (world_state(world, "look.example") != weather->state)
        fail_msg("%s: the zone is %s", weather->name, zone_state_words[world_state(world, "look.example")]);
    if (world_blocked(world) != weather->blocked)
        fail_msg("%s: %zu entries are blocked", weather->name, world_blocked(world));
    for (unsigned i = 0; i < LINES; i++)
        if (weather->seen[i].wanted && !shows(zone, &weather->seen[i]))
            fail_msg("%s: evidence %u is missing", weather->name, i);
}

static void each_weather_is_told_apart(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(weathers); i++)
        for (uint64_t seed = 0; seed < 5; seed++) {
            struct world *world = world_create(&(struct world_options){.seed = seed});
            world_warm_up(world);
            for (unsigned j = 0; j < SAYINGS && weathers[i].said[j].servers; j++)
                world_say(world, weathers[i].said[j].servers, weathers[i].said[j].zone, weathers[i].said[j].manner);
            const struct ask *ask = world_resolve(world, "mx.look.example", TYPE_MX);
            world_run(world, 20000);
            check(world, &weathers[i], ask);
            world_end(world);
        }
}

/* Domestic fails everything for a while that begins and ends anywhere around a lookup and its control questions. */
static void bad_weather_blocks_no_zone_whenever_it_begins(void **state)
{
    (void) state;
    static const enum way ways[] = {REFUSES, SERVFAILS, SILENT};
    for (size_t way = 0; way < ARRAY_LEN(ways); way++)
        for (msec_t before = 0; before <= 3000; before += 600)
            for (msec_t after = 0; after <= 9000; after += 150) {
                struct world *world = world_create(&(struct world_options){.seed = (uint64_t) (before + after)});
                world_warm_up(world);
                world_say(world, DOMESTIC, ".", (struct manner){.way = ways[way]});
                world_resolve(world, "mx.other.example", TYPE_MX);
                world_run(world, before);
                world_ask(world, "mx.look.example", TYPE_MX);
                world_run(world, after);
                world_say(world, DOMESTIC, ".", (struct manner){.way = ANSWERS});
                world_run(world, 15000);
                if (world_blocked(world))
                    fail_msg("way %d, %d ms before and %d ms after the lookup", (int) ways[way], (int) before,
                             (int) after);
                world_end(world);
            }
}

/* RFC 2317: an address's name is an alias into a zone that belongs to somebody else. */
static void a_delegated_part_of_a_reverse_zone(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    world_cut(world, "2.0.192.in-addr.arpa");
    world_cut(world, "0-127.2.0.192.in-addr.arpa");
    world_alias(world, "1.2.0.192.in-addr.arpa", "1.0-127.2.0.192.in-addr.arpa");
    world_say(world, DOMESTIC, "0-127.2.0.192.in-addr.arpa", (struct manner){.way = SILENT});
    world_say(world, DOMESTIC, "1.2.0.192.in-addr.arpa", (struct manner){.way = SERVFAILS});
    world_say(world, DOMESTIC, "1.2.0.192.in-addr.arpa", (struct manner){.way = ANSWERS, .type = TYPE_CNAME});
    world_resolve(world, "1.2.0.192.in-addr.arpa", TYPE_PTR);
    world_run(world, 25000);
    assert_non_null(world_zone(world, "1.2.0.192.in-addr.arpa", SCOPE_NAME, 0));
    assert_int_equal(world_state(world, "2.0.192.in-addr.arpa"), ZONE_CLEAR);
    assert_int_equal(world_state(world, "0-127.2.0.192.in-addr.arpa"), ZONE_BLOCKED);
    assert_int_equal(world_resolve(world, "200.2.0.192.in-addr.arpa", TYPE_PTR)->group, SETUP_DOMESTIC);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_weather_is_told_apart),
        cmocka_unit_test(bad_weather_blocks_no_zone_whenever_it_begins),
        cmocka_unit_test(a_delegated_part_of_a_reverse_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
