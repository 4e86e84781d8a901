/*
 * test_route.c: policy, verdict and health in; whom to ask first, whom next, and when, out.
 */
#include "query/route.h"

#include "lib/check.h"
#include "lib/names.h"

#include <stdlib.h>
#include <string.h>

enum {
    NOW    = 1000000,
    OFFICE = 2, /* a group of its own */
    NOBODY = SETUP_NO_GROUP
};

struct fixture {
    struct setup   setup;
    struct shared  shared;
    struct group   groups[3];
    struct server *servers[2]; /* of domestic */
};

static struct policy *office_policy(void)
{
    const struct rule rules[] = {
        {.zone = named("corp.example"), .via = VIA_GROUP, .group = OFFICE},
        {.zone = named("open.corp.example"), .via = VIA_AUTO},
        {.zone = named("home.example"), .via = VIA_GROUP, .group = SETUP_DOMESTIC},
    };
    return policy_create(rules, ARRAY_LEN(rules));
}

static int open_fixture(void **state)
{
    struct fixture       *fixture = calloc(1, sizeof(*fixture));
    struct server_options options = {.tcp_only = false};
    address_parse("192.0.2.1", 53, &options.address);
    for (size_t i = 0; i < 2; i++)
        fixture->groups[SETUP_DOMESTIC].servers[i] = fixture->servers[i] = server_create(&options);
    fixture->groups[SETUP_DOMESTIC].count = 2;
    fixture->setup                        = (struct setup){
                               .deadline         = 4500,
                               .policy           = office_policy(),
                               .groups           = fixture->groups,
                               .group_count      = 3,
                               .fall_on_timeout  = true,
                               .fall_on_servfail = true,
                               .fall_on_refused  = true,
    };
    fixture->shared = (struct shared){.table  = table_create(64, (struct hash_key){1, 2}),
                                      .good   = recent_create((struct hash_key){1, 2}, RECENT_SLOTS, RECENT_LIFE),
                                      .suffix = suffix_open()};
    *state          = fixture;
    return fixture->setup.policy && fixture->shared.table && fixture->shared.good && fixture->shared.suffix ? 0 : -1;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    policy_destroy(fixture->setup.policy);
    table_destroy(fixture->shared.table);
    recent_destroy(fixture->shared.good);
    suffix_close(fixture->shared.suffix);
    for (size_t i = 0; i < 2; i++)
        server_destroy(fixture->servers[i]);
    free(fixture);
    return 0;
}

static struct zone *list_zone(struct fixture *fixture, const char *text, enum zone_state is, uint8_t strikes,
                              enum pin pin)
{
    struct name  name = named(text);
    struct zone *zone = table_get(fixture->shared.table, name_view(&name), SCOPE_ZONE, 0);
    if (!zone)
        zone = table_add(fixture->shared.table, name_view(&name), SCOPE_ZONE, 0, name_view(&name), TYPE_SOA);
    zone->condition.state   = is;
    zone->condition.strikes = strikes;
    zone->pin               = pin;
    atomic_store(&zone->last_used, 0);
    atomic_store(&zone->answered, 0);
    table_publish(zone);
    return zone;
}

static void set_health(struct fixture *fixture, bool down)
{
    for (size_t i = 0; i < 2; i++)
        atomic_store(&fixture->servers[i]->health, down ? HEALTH_DOWN : HEALTH_SUSPECT);
}

static struct route choose(struct fixture *fixture, const char *text)
{
    struct name        name = named(text);
    const struct rule *rule = policy_find_for(fixture->setup.policy, name_view(&name), TYPE_MX);
    return route_choose(&fixture->setup, &fixture->shared, rule, name_view(&name), TYPE_MX, NOW);
}

/* ---- the table ---- */

#define STRIKES(n) .state = ZONE_SUSPECT, .strikes = (n)

static const struct {
    /* given */
    enum setup_learning learning;
    enum zone_state     state; /* of example.com */
    uint8_t             strikes;
    enum pin            pin;
    bool                good, down, no_fall;
    msec_t              fixed; /* fallback.patience; 0: auto */
    /* expected */
    enum route_reason reason;
    uint8_t           first, second;
    msec_t            patience;
    bool              learn, listed, would;
    unsigned          answered;
} rows[] = {
#define D SETUP_DOMESTIC
#define E SETUP_EXTERNAL
    /* nothing is known, or only that it was good */
    {.reason = ROUTE_UNKNOWN, D, E, PATIENCE_UNKNOWN, .learn = true},
    {.fixed = 300, .reason = ROUTE_UNKNOWN, D, E, 300, .learn = true},
    {.learning = SETUP_LEARN_NOTHING, .reason = ROUTE_UNKNOWN, D, E, PATIENCE_UNKNOWN},
    {.learning = SETUP_OBSERVE, .reason = ROUTE_UNKNOWN, D, E, PATIENCE_UNKNOWN, .learn = true},
    {.good = true, .reason = ROUTE_GOOD, D, E, PATIENCE_GOOD, .learn = true},
    {.good = true, .fixed = 300, .reason = ROUTE_GOOD, D, E, 300, .learn = true},

    /* a suspicion shortens patience, whatever was good before */
    {STRIKES(1), .reason = ROUTE_SUSPECT, D, E, PATIENCE_SUSPECT, .learn = true, .listed = true},
    {STRIKES(2), .reason = ROUTE_SUSPECT, D, E, 0, .learn = true, .listed = true},
    {STRIKES(200), .reason = ROUTE_SUSPECT, D, E, 0, .learn = true, .listed = true},
    {STRIKES(1), .good = true, .reason = ROUTE_SUSPECT, D, E, PATIENCE_SUSPECT, .learn = true, .listed = true},
    {STRIKES(1), .fixed = 100, .reason = ROUTE_SUSPECT, D, E, 100, .learn = true, .listed = true},
    {STRIKES(1), .fixed = 2000, .reason = ROUTE_SUSPECT, D, E, PATIENCE_SUSPECT, .learn = true, .listed = true},
    {STRIKES(2), .fixed = 2000, .reason = ROUTE_SUSPECT, D, E, 0, .learn = true, .listed = true},
    {.learning = SETUP_OBSERVE,
     STRIKES(2),
     .reason = ROUTE_UNKNOWN,
     D,
     E,
     PATIENCE_UNKNOWN,
     .learn  = true,
     .listed = true},
    {.learning = SETUP_LEARN_NOTHING, STRIKES(2), .reason = ROUTE_UNKNOWN, D, E, PATIENCE_UNKNOWN, .listed = true},

    /* broken is nobody's reason to go elsewhere sooner */
    {.state = ZONE_BROKEN, .reason = ROUTE_UNKNOWN, D, E, PATIENCE_UNKNOWN, .learn = true, .listed = true},
    {.state  = ZONE_BROKEN,
     .good   = true,
     .reason = ROUTE_UNKNOWN,
     D,
     E,
     PATIENCE_UNKNOWN,
     .learn  = true,
     .listed = true},

    /* blocked, and on its way back */
    {.state = ZONE_BLOCKED, .reason = ROUTE_BLOCKED, E, D, PATIENCE_EXTERNAL, .listed = true, .answered = 1},
    {.state = ZONE_RECOVERING, .reason = ROUTE_BLOCKED, E, D, PATIENCE_EXTERNAL, .listed = true, .answered = 1},
    {.state  = ZONE_BLOCKED,
     .good   = true,
     .fixed  = 300,
     .reason = ROUTE_BLOCKED,
     E,
     D,
     PATIENCE_EXTERNAL,
     .listed   = true,
     .answered = 1},
    {.state  = ZONE_BLOCKED,
     .down   = true,
     .reason = ROUTE_BLOCKED,
     E,
     D,
     PATIENCE_EXTERNAL,
     .listed   = true,
     .answered = 1},
    {.learning = SETUP_OBSERVE,
     .state    = ZONE_BLOCKED,
     .reason   = ROUTE_UNKNOWN,
     D,
     E,
     PATIENCE_UNKNOWN,
     .learn  = true,
     .listed = true,
     .would  = true},
    {.learning = SETUP_OBSERVE,
     .state    = ZONE_RECOVERING,
     .good     = true,
     .reason   = ROUTE_UNKNOWN,
     D,
     E,
     PATIENCE_UNKNOWN,
     .learn  = true,
     .listed = true,
     .would  = true},

    /* domestic is down: nothing is learned of anybody */
    {.down = true, .reason = ROUTE_OUTAGE, E, D, PATIENCE_EXTERNAL},
    {.down = true, .good = true, .reason = ROUTE_OUTAGE, E, D, PATIENCE_EXTERNAL},
    {STRIKES(2), .down = true, .reason = ROUTE_OUTAGE, E, D, PATIENCE_EXTERNAL},
    {.learning = SETUP_LEARN_NOTHING, .down = true, .reason = ROUTE_OUTAGE, E, D, PATIENCE_EXTERNAL},
    {.learning = SETUP_OBSERVE, .down = true, .reason = ROUTE_OUTAGE, E, D, PATIENCE_EXTERNAL},
    {.down = true, .no_fall = true, .reason = ROUTE_UNKNOWN, D, E, PATIENCE_UNKNOWN, .learn = true},

    /* the operator's word is above all that is learned, and above the mode */
    {.pin = PIN_DOMESTIC, .reason = ROUTE_PIN, D, NOBODY, MSEC_NEVER},
    {.pin = PIN_DOMESTIC, .state = ZONE_BLOCKED, .down = true, .reason = ROUTE_PIN, D, NOBODY, MSEC_NEVER},
    {.pin = PIN_EXTERNAL, .reason = ROUTE_PIN, E, D, PATIENCE_EXTERNAL, .answered = 1},
    {.pin      = PIN_EXTERNAL,
     .good     = true,
     .learning = SETUP_LEARN_NOTHING,
     .reason   = ROUTE_PIN,
     E,
     D,
     PATIENCE_EXTERNAL,
     .answered = 1},
    {.pin = PIN_EXTERNAL, .learning = SETUP_OBSERVE, .reason = ROUTE_PIN, E, D, PATIENCE_EXTERNAL, .answered = 1},
#undef D
#undef E
};

static void the_way_of_each(void **state)
{
    struct fixture *fixture = *state;
    struct name     example = named("example.com");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct zone *zone              = list_zone(fixture, "example.com", rows[i].state, rows[i].strikes, rows[i].pin);
        fixture->setup.learning        = rows[i].learning;
        fixture->setup.patience        = rows[i].fixed;
        fixture->setup.fall_on_timeout = !rows[i].no_fall;
        set_health(fixture, rows[i].down);
        if (rows[i].good)
            recent_mark(fixture->shared.good, name_view(&example), NOW - 1000);
        else
            recent_unmark(fixture->shared.good, name_view(&example));

        struct route route = choose(fixture, "mail.example.com");
        if (route.reason != rows[i].reason || route.first != rows[i].first || route.second != rows[i].second ||
            route.patience != rows[i].patience)
            fail_msg("row %zu: reason %d, %u then %u after %lld ms", i, (int) route.reason, route.first, route.second,
                     (long long) route.patience);
        if (route.learn != rows[i].learn || route.known != rows[i].listed || route.would != rows[i].would)
            fail_msg("row %zu: learn %d, listed %d, would %d", i, route.learn, route.known, route.would);
        struct name name  = named("mail.example.com");
        bool        leads = route_leads_external(&fixture->setup, fixture->shared.table, name_view(&name), TYPE_MX);
        if (leads != (route.first == SETUP_EXTERNAL && route.reason != ROUTE_OUTAGE))
            fail_msg("row %zu: leads external: %d", i, leads);
        if (zone->answered != rows[i].answered)
            fail_msg("row %zu: answered %llu", i, (unsigned long long) zone->answered);
        bool met = rows[i].state != ZONE_CLEAR || rows[i].pin != PIN_NONE;
        assert_int_equal(zone->last_used, met ? NOW : 0);
    }
}

/* What no verdict, pin or outage may open. */
static void a_fence_is_above_everything(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *name;
        uint8_t     group; /* NOBODY: no fence */
    } cases[] = {
        {"corp.example", OFFICE},         {"mail.corp.example", OFFICE},        {"MAIL.CORP.example", OFFICE},
        {"home.example", SETUP_DOMESTIC}, {"a.b.home.example", SETUP_DOMESTIC}, {"open.corp.example", NOBODY},
        {"a.open.corp.example", NOBODY},  {"corp.example.com", NOBODY},         {"acorp.example", NOBODY},
    };
    set_health(fixture, true);
    for (enum pin pin = PIN_NONE; pin <= PIN_EXTERNAL; pin++) {
        list_zone(fixture, ".", ZONE_BLOCKED, 0, pin);
        list_zone(fixture, "example", ZONE_BLOCKED, 0, pin);
        list_zone(fixture, "mail.corp.example", ZONE_BLOCKED, 0, pin);
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            struct route route = choose(fixture, cases[i].name);
            if (cases[i].group == NOBODY) {
                assert_int_not_equal(route.reason, ROUTE_FENCE);
                continue;
            }
            assert_int_equal(route.reason, ROUTE_FENCE);
            assert_int_equal(route.first, cases[i].group);
            assert_int_equal(route.second, NOBODY);
            assert_int_equal(route.patience, MSEC_NEVER);
            assert_false(route.learn || route.known || route.would);
            struct name name = named(cases[i].name);
            assert_false(route_leads_external(&fixture->setup, fixture->shared.table, name_view(&name), TYPE_MX));
        }
        assert_int_equal(list_zone(fixture, "mail.corp.example", ZONE_BLOCKED, 0, pin)->answered, 0);
    }
}

static void the_closest_pin_decides(void **state)
{
    struct fixture *fixture = *state;
    list_zone(fixture, "example.com", ZONE_BLOCKED, 0, PIN_EXTERNAL);
    list_zone(fixture, "in.example.com", ZONE_CLEAR, 0, PIN_DOMESTIC);
    list_zone(fixture, "out.in.example.com", ZONE_CLEAR, 0, PIN_EXTERNAL);
    assert_int_equal(choose(fixture, "example.com").first, SETUP_EXTERNAL);
    assert_int_equal(choose(fixture, "a.in.example.com").first, SETUP_DOMESTIC);
    assert_int_equal(choose(fixture, "a.out.in.example.com").first, SETUP_EXTERNAL);
    assert_int_equal(choose(fixture, "a.example.com").first, SETUP_EXTERNAL);
}

static void patience_follows_the_slow_answers(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        msec_t took, patience;
    } cases[] = {{220, PATIENCE_UNKNOWN_MIN}, {720, 750}, {1700, PATIENCE_UNKNOWN}};
    assert_int_equal(choose(fixture, "example.com").patience, PATIENCE_UNKNOWN);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct group *domestic = &fixture->groups[SETUP_DOMESTIC];
        memset(domestic->slow, 0, sizeof(domestic->slow));
        for (int n = 0; n < 40; n++)
            group_on_answer(domestic, cases[i].took);
        assert_int_equal(choose(fixture, "example.com").patience, cases[i].patience);
    }
}

static void good_is_known_of_the_registrable_domain(void **state)
{
    struct fixture *fixture = *state;
    struct name     example = named("example.co.uk");
    recent_mark(fixture->shared.good, name_view(&example), NOW);
    assert_int_equal(choose(fixture, "a.b.example.co.uk").reason, ROUTE_GOOD);
    assert_int_equal(choose(fixture, "other.co.uk").reason, ROUTE_UNKNOWN);
    assert_int_equal(choose(fixture, "co.uk").reason, ROUTE_UNKNOWN);
    assert_int_equal(choose(fixture, ".").reason, ROUTE_UNKNOWN);
}

/* What was learned from silence is no reason to go where silence must not lead. */
static void a_narrower_fallback_binds_what_was_learned(void **state)
{
    struct fixture               *fixture   = *state;
    static const enum zone_reason reasons[] = {REASON_TIMEOUT, REASON_SERVFAIL, REASON_REFUSED};
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        for (size_t j = 0; j < ARRAY_LEN(reasons); j++) {
            struct zone *zone      = list_zone(fixture, "example.com", ZONE_BLOCKED, 0, PIN_NONE);
            zone->condition.reason = reasons[i];
            table_publish(zone);
            fixture->setup.fall_on_timeout  = reasons[j] != REASON_TIMEOUT;
            fixture->setup.fall_on_servfail = reasons[j] != REASON_SERVFAIL;
            fixture->setup.fall_on_refused  = reasons[j] != REASON_REFUSED;
            assert_int_equal(choose(fixture, "a.example.com").first, i == j ? SETUP_DOMESTIC : SETUP_EXTERNAL);
        }
}

static void one_living_upstream_is_no_outage(void **state)
{
    struct fixture *fixture = *state;
    set_health(fixture, true);
    atomic_store(&fixture->servers[1]->health, HEALTH_SUSPECT);
    assert_int_equal(choose(fixture, "example.com").reason, ROUTE_UNKNOWN);
    atomic_store(&fixture->servers[1]->health, HEALTH_DOWN);
    assert_int_equal(choose(fixture, "example.com").reason, ROUTE_OUTAGE);
}

/* A short deadline: the second group has its round trip at its longest, or half of the time. */
static void patience_leaves_the_second_group_its_time(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        msec_t deadline, rtt, patience;
    } deadlines[] = {{4500, 0, PATIENCE_UNKNOWN},
                     {1000, 0, 1000 - SECOND_MIN},
                     {1000, 10, 1000 - SECOND_MIN},
                     {1000, 150, 1000 - 450},
                     {1000, 400, 500},
                     {400, 10, 200}};
    for (size_t i = 0; i < ARRAY_LEN(deadlines); i++) {
        struct rtt *rtt = &fixture->servers[1]->rtt[TRANSPORT_UDP]; /* of external, if it were one's alone */
        *rtt            = (struct rtt){.srtt = 0};
        if (deadlines[i].rtt)
            rtt_update(rtt, deadlines[i].rtt);
        fixture->groups[SETUP_EXTERNAL] =
            (struct group){.name = "external", .servers = {fixture->servers[1]}, .count = 1};
        fixture->setup.deadline        = deadlines[i].deadline;
        fixture->setup.fall_on_timeout = true;
        const struct route route       = choose(fixture, "www.example.com");
        if (route.patience != deadlines[i].patience)
            fail_msg("row %zu: %d ms", i, (int) route.patience);
    }
    fixture->groups[SETUP_EXTERNAL] = (struct group){.count = 0};
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(the_way_of_each),
        FIXTURE_TEST(a_fence_is_above_everything),
        FIXTURE_TEST(the_closest_pin_decides),
        FIXTURE_TEST(patience_follows_the_slow_answers),
        FIXTURE_TEST(patience_leaves_the_second_group_its_time),
        FIXTURE_TEST(a_narrower_fallback_binds_what_was_learned),
        FIXTURE_TEST(good_is_known_of_the_registrable_domain),
        FIXTURE_TEST(one_living_upstream_is_no_outage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
