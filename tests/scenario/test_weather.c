/*
 * test_weather.c: one lookup that fails, under every weather that looks alike from the client's side. What is made of
 * it, and whether the evidence shows the operator why.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

#include <string.h>

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
    {"broken in one type, blocked else",
     {{EVERYBODY, "look.example", {.way = SERVFAILS}}, {EXTERNAL, "look.example", {.way = ANSWERS, .type = TYPE_SOA}}},
     -1,
     ZONE_CLEAR,
     0,
     {{0}}},
    {"one type only",
     {{DOMESTIC, "mx.look.example", {.way = SERVFAILS, .type = TYPE_MX}}},
     SETUP_EXTERNAL,
     ZONE_CLEAR,
     1,
     {{0}}},
    {"domestic refuses everything", {{DOMESTIC, ".", {.way = REFUSES}}}, SETUP_EXTERNAL, ZONE_CLEAR, 0, {{0}}},
    {"domestic fails everything", {{DOMESTIC, ".", {.way = SERVFAILS}}}, SETUP_EXTERNAL, ZONE_CLEAR, 0, {{0}}},
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

/* The entry stands at the name; what was asked beside it says that the zone is fine. */
static void a_narrow_entry_shows_that_the_rest_is_fine(void **state)
{
    (void) state;
    static const struct seen seen[] = {
        {true, false, ABOUT_APEX, OUTCOME_NODATA},
        {true, false, ABOUT_QUESTION, OUTCOME_SERVFAIL},
        {true, false, ABOUT_CONTROL, OUTCOME_NODATA},
    };
    static const uint16_t types[] = {TYPE_AAAA, TYPE_A, TYPE_MX, 0};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        uint16_t      asked = types[i] ? types[i] : TYPE_A;
        world_warm_up(world);
        SAY(world, DOMESTIC, "www.look.example", SERVFAILS, .type = types[i]);
        assert_int_equal(world_resolve(world, "www.look.example", asked)->group, SETUP_EXTERNAL);
        world_run(world, 20000);
        assert_int_equal(world_state(world, "look.example"), ZONE_CLEAR);
        assert_int_equal(world_blocked(world), 1);
        const struct zone *zone = world_zone(world, "www.look.example", types[i] ? SCOPE_TYPE : SCOPE_NAME, types[i]);
        assert_non_null(zone);
        assert_int_equal(zone->condition.state, ZONE_BLOCKED);
        for (size_t k = 0; k < ARRAY_LEN(seen); k++)
            if (!shows(zone, &seen[k]))
                fail_msg("type %u: evidence %zu is missing", types[i], k);
        for (unsigned k = 0; k < zone->dossier->evidence_count; k++) /* of its zone, not of the name */
            if (zone->dossier->evidence[k].about == ABOUT_APEX)
                assert_true(zone->dossier->evidence[k].labels == 2 && zone->dossier->evidence[k].below);
        uint16_t other = asked == TYPE_A ? TYPE_AAAA : TYPE_A;
        cache_flush_all(world_shared(world).cache);
        assert_int_equal(world_resolve(world, "www.look.example", asked)->group, SETUP_EXTERNAL);
        assert_int_equal(world_resolve(world, "www.look.example", other)->group,
                         types[i] ? SETUP_DOMESTIC : SETUP_EXTERNAL);
        assert_int_equal(world_resolve(world, "ftp.look.example", asked)->group, SETUP_DOMESTIC);
        world_end(world);
    }
}

/* The operator reads which name stood for the zone: a random label below it, its SOA, or an alias's own name. */
static void the_evidence_shows_the_apex_that_was_asked(void **state)
{
    (void) state;
    static const struct {
        const char     *asked, *fails, *entry;
        enum zone_scope scope;
        enum zone_state state;
        unsigned        abroad; /* of these types external fails, too */
        uint16_t        type;   /* of the apex */
        unsigned        labels;
        bool            below;
    } rows[] = {
        {"mx.look.example", "look.example", "look.example", SCOPE_ZONE, ZONE_BLOCKED, 0, TYPE_CNAME, 2, true},
        {"look.example", "look.example", "look.example", SCOPE_ZONE, ZONE_BLOCKED, 0, TYPE_CNAME, 2, true},
        {"a.b.look.example", "look.example", "look.example", SCOPE_ZONE, ZONE_BLOCKED, TYPE_CNAME, TYPE_SOA, 2, false},
        {"a.b.deep.example", "sub.deep.example", "deep.example", SCOPE_ZONE, ZONE_CLEAR, 0, 0, 0, false},
        {"a.b.sub.deep.example", "sub.deep.example", "sub.deep.example", SCOPE_ZONE, ZONE_BLOCKED, 0, TYPE_CNAME, 3,
         true},
        {"mx.look.example", "look.example", "look.example", SCOPE_ZONE, ZONE_BROKEN, TYPE_ANY, TYPE_SOA, 2, false},
        {"look.example", "look.example", "look.example", SCOPE_ZONE, ZONE_BROKEN, TYPE_ANY, TYPE_SOA, 2, false},
        {"www.shop.example", "lb.cdn.test", "www.shop.example", SCOPE_NAME, ZONE_BLOCKED, 0, TYPE_CNAME, 3, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        unsigned      lines = 0;
        world_warm_up(world);
        world_cut(world, "sub.deep.example");
        world_alias(world, "www.shop.example", "lb.cdn.test");
        SAY(world, DOMESTIC, rows[i].fails, SERVFAILS);
        if (rows[i].scope == SCOPE_NAME) { /* domestic has the CNAME, and follows it to where it fails */
            SAY(world, DOMESTIC, rows[i].asked, SERVFAILS);
            SAY(world, DOMESTIC, rows[i].asked, ANSWERS, .type = TYPE_CNAME);
        }
        if (rows[i].abroad)
            SAY(world, EXTERNAL, rows[i].fails, SERVFAILS,
                .type = rows[i].abroad == TYPE_ANY ? 0 : (uint16_t) rows[i].abroad);
        world_ask(world, rows[i].asked, rows[i].scope == SCOPE_NAME ? TYPE_A : TYPE_MX);
        world_run(world, 25000);
        const struct zone *zone = world_zone(world, rows[i].entry, rows[i].scope, 0);
        assert_int_equal(zone ? zone->condition.state : ZONE_CLEAR, rows[i].state);
        for (unsigned k = 0; zone && k < zone->dossier->evidence_count && k < DOSSIER_EVIDENCE; k++) {
            const struct evidence_line *line = &zone->dossier->evidence[k];
            if (line->about != ABOUT_APEX || line->external)
                continue;
            if (line->type != rows[i].type || line->labels != rows[i].labels || line->below != rows[i].below)
                fail_msg("row %zu: type %u, %u labels, below %d", i, line->type, line->labels, line->below);
            lines++;
        }
        assert_true(lines > 0 || rows[i].state == ZONE_CLEAR);
        world_end(world);
    }
}

/* Below most zones a random name does not exist. The denial of a control question proves as much as an answer. */
static void a_denied_control_question_is_a_good_one(void **state)
{
    (void) state;
    static const struct seen seen[] = {
        {true, false, ABOUT_CONTROL, OUTCOME_NXDOMAIN},
        {true, true, ABOUT_CONTROL, OUTCOME_NXDOMAIN},
    };
    for (int broken = 0; broken < 2; broken++) {
        struct world *world = world_create(&(struct world_options){.seed = (uint64_t) broken});
        world_warm_up(world);
        SAY(world, EVERYBODY, ".", NXDOMAINS, .type = TYPE_CNAME);
        SAY(world, broken ? EVERYBODY : DOMESTIC, "look.example", SILENT);
        world_ask(world, "mx.look.example", TYPE_MX);
        world_run(world, 20000);
        assert_int_equal(world_state(world, "look.example"), broken ? ZONE_BROKEN : ZONE_BLOCKED);
        const struct zone *zone = world_zone(world, "look.example", SCOPE_ZONE, 0);
        assert_true(shows(zone, &seen[0]));
        assert_true(!broken || shows(zone, &seen[1]));
        world_end(world);
    }
}

/* One side answers nobody else either: who is at fault cannot be told. */
static void without_a_control_on_both_sides_nothing_is_broken(void **state)
{
    (void) state;
    static const unsigned sides[] = {DOMESTIC, EXTERNAL};
    static const enum way ways[]  = {SERVFAILS, REFUSES};
    for (size_t i = 0; i < ARRAY_LEN(sides); i++)
        for (size_t k = 0; k < ARRAY_LEN(ways); k++) {
            struct world *world = world_create(&(struct world_options){.seed = k});
            world_warm_up(world);
            SAY(world, sides[i], ".", ways[k]);
            SAY(world, EVERYBODY, "look.example", ways[k]);
            world_ask(world, "mx.look.example", TYPE_MX);
            world_run(world, 20000);
            assert_int_equal(prober_read_stats(world_prober(world))->broken_checks, 1);
            assert_int_equal(world_state(world, "look.example"), ZONE_CLEAR);
            assert_int_equal(world_blocked(world), 0);
            world_end(world);
        }
}

/* Domestic fails everything from `before` ms before mx.look.example is looked up until `after` ms behind it, and no more. */
static struct world *weather_around_a_lookup(enum way way, msec_t before, msec_t after)
{
    struct world *world = world_create(&(struct world_options){.seed = (uint64_t) (before + after)});
    world_warm_up(world);
    SAY(world, DOMESTIC, ".", way);
    world_resolve(world, "mx.other.example", TYPE_MX);
    world_run(world, before);
    world_ask(world, "mx.look.example", TYPE_MX);
    world_run(world, after);
    SAY(world, DOMESTIC, ".", ANSWERS);
    return world;
}

/* Domestic fails everything for a while that begins and ends anywhere around a lookup and its control questions. */
static void bad_weather_blocks_no_zone_whenever_it_begins(void **state)
{
    (void) state;
    static const enum way ways[] = {REFUSES, SERVFAILS, SILENT};
    for (size_t way = 0; way < ARRAY_LEN(ways); way++)
        for (msec_t before = 0; before <= 3000; before += 600)
            for (msec_t after = 0; after <= 9000; after += 150) {
                struct world *world = weather_around_a_lookup(ways[way], before, after);
                world_run(world, 15000);
                if (world_blocked(world))
                    fail_msg("way %d, %d ms before and %d ms after the lookup", (int) ways[way], (int) before,
                             (int) after);
                world_end(world);
            }
}

/* Behind the bad weather one name goes on failing: that is no word about its zone, which failed in the weather only. */
static void bad_weather_makes_no_zone_of_a_name(void **state)
{
    (void) state;
    static const enum way ways[] = {REFUSES, SILENT};
    for (size_t way = 0; way < ARRAY_LEN(ways); way++)
        for (msec_t before = 0; before <= 1800; before += 1800)
            for (msec_t after = 0; after <= 1500; after += 150) {
                struct world *world = weather_around_a_lookup(ways[way], before, after);
                SAY(world, DOMESTIC, "mx.look.example", SERVFAILS);
                world_run(world, 15000);
                if (world_state(world, "look.example") == ZONE_BLOCKED)
                    fail_msg("way %d, %d ms before and %d ms after the lookup", (int) ways[way], (int) before,
                             (int) after);
                world_end(world);
            }
}

#define UP6 "8.b.d.0.1.0.0.2.ip6.arpa"
#define ADDRESS6 "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.0.0.0." UP6

/* The cut that external shows, but not what belongs to a registry. */
static void reverse_zones(void **state)
{
    (void) state;
    static const struct {
        const char *cut, *zone, *inside, *outside;
    } rows[] = {
        {"2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa", "9.2.0.192.in-addr.arpa", "1.3.0.192.in-addr.arpa"},
        {"0.192.in-addr.arpa", "0.192.in-addr.arpa", "1.3.0.192.in-addr.arpa", "1.2.1.192.in-addr.arpa"},
        {"192.in-addr.arpa", "2.0.192.in-addr.arpa", "9.2.0.192.in-addr.arpa", "1.3.0.192.in-addr.arpa"},
        {"3.0.0.0." UP6, "3.0.0.0." UP6, "1.3.0.0.0." UP6, "1.4.0.0.0." UP6},
        {UP6, UP6, "1.4.0.0.0." UP6, "1.9.b.d.0.1.0.0.2.ip6.arpa"},
        {"1.0.0.2.ip6.arpa", "3.0.0.0." UP6, "1.3.0.0.0." UP6, "1.4.0.0.0." UP6},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        world_warm_up(world);
        world_cut(world, rows[i].cut);
        SAY(world, DOMESTIC, rows[i].zone, SILENT);
        world_resolve(world, strstr(rows[i].zone, "ip6") ? ADDRESS6 : "1.2.0.192.in-addr.arpa", TYPE_PTR);
        world_run(world, 20000);
        if (world_state(world, rows[i].zone) != ZONE_BLOCKED || world_blocked(world) != 1)
            fail_msg("%s: %zu entries are blocked", rows[i].cut, world_blocked(world));
        assert_int_equal(world_resolve(world, rows[i].inside, TYPE_PTR)->group, SETUP_EXTERNAL);
        assert_int_equal(world_count(world, DOMESTIC, rows[i].inside, BY_ALL), 0);
        assert_int_equal(world_resolve(world, rows[i].outside, TYPE_PTR)->group, SETUP_DOMESTIC);
        world_end(world);
    }
}

/* A border that filters names below a wildcard, of which the zone has no end: each name it meets stands for itself. */
static void filtered_names_of_a_wildcard_stand_for_themselves(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    SAY(world, DOMESTIC, "a.wild.example", SERVFAILS);
    SAY(world, DOMESTIC, "b.wild.example", SILENT);
    for (unsigned i = 0; i < 2; i++) {
        world_resolve(world, "a.wild.example", TYPE_A);
        world_resolve(world, "b.wild.example", TYPE_A);
        world_run(world, 15000);
        cache_flush_all(world_shared(world).cache);
    }
    assert_int_equal(world_state(world, "wild.example"), ZONE_CLEAR);
    assert_int_equal(world_blocked(world), 2);
    assert_non_null(world_zone(world, "a.wild.example", SCOPE_NAME, 0));
    assert_non_null(world_zone(world, "b.wild.example", SCOPE_NAME, 0));
    assert_int_equal(world_resolve(world, "c.wild.example", TYPE_A)->group, SETUP_DOMESTIC);
    world_end(world);
}

/* The recheck's random name exists in one of them and does not in the other. */
static void a_zone_recovers_with_a_wildcard_or_without(void **state)
{
    (void) state;
    static const enum way ways[] = {ANSWERS, NXDOMAINS, HAS_NO_DATA};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        world_warm_up(world);
        SAY(world, DOMESTIC, "look.example", SERVFAILS);
        world_learn(world, "mx.look.example", TYPE_MX);
        SAY(world, DOMESTIC, "look.example", ways[i]);
        world_run(world, 15 * 60000);
        assert_int_equal(world_state(world, "look.example"), ZONE_CLEAR);
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
    SAY(world, DOMESTIC, "0-127.2.0.192.in-addr.arpa", SILENT);
    SAY(world, DOMESTIC, "1.2.0.192.in-addr.arpa", SERVFAILS);
    SAY(world, DOMESTIC, "1.2.0.192.in-addr.arpa", ANSWERS, .type = TYPE_CNAME);
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
        cmocka_unit_test(a_narrow_entry_shows_that_the_rest_is_fine),
        cmocka_unit_test(the_evidence_shows_the_apex_that_was_asked),
        cmocka_unit_test(a_denied_control_question_is_a_good_one),
        cmocka_unit_test(without_a_control_on_both_sides_nothing_is_broken),
        cmocka_unit_test(bad_weather_blocks_no_zone_whenever_it_begins),
        cmocka_unit_test(bad_weather_makes_no_zone_of_a_name),
        cmocka_unit_test(reverse_zones),
        cmocka_unit_test(filtered_names_of_a_wildcard_stand_for_themselves),
        cmocka_unit_test(a_zone_recovers_with_a_wildcard_or_without),
        cmocka_unit_test(a_delegated_part_of_a_reverse_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
