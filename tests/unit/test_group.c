/*
 * test_group.c: who is asked first and next, and how slow a slow answer is.
 */
#include "upstream/group.h"

#include "lib/check.h"

enum {
    NOW = 100000
};

struct member {
    msec_t      rtt; /* measured; 0: never */
    enum health health;
    bool        outdone;
    bool        tcp_only;
};

#define UP HEALTH_UP
#define SUSPECT HEALTH_SUSPECT
#define DOWN HEALTH_DOWN

static const struct {
    struct member members[4];
    unsigned      count;
    int           order[4]; /* in which they are asked */
} orders[] = {
    {{{10, UP}}, 1, {0}},
    {{{10, DOWN}}, 1, {0}},
    /* about as fast: the configured order */
    {{{10, UP}, {5, UP}}, 2, {0, 1}},
    {{{40, UP}, {10, UP}}, 2, {0, 1}},
    {{{41, UP}, {10, UP}}, 2, {1, 0}},
    {{{220, UP}, {100, UP}}, 2, {0, 1}},
    {{{300, UP}, {100, UP}, {90, UP}}, 3, {1, 2, 0}},
    /* a new one is tried, unless the others are fast */
    {{{200, UP}, {0, UP}}, 2, {1, 0}},
    {{{20, UP}, {0, UP}}, 2, {0, 1}},
    /* health before speed; down is last, but it is asked */
    {{{10, SUSPECT}, {900, UP}}, 2, {1, 0}},
    {{{10, DOWN}, {900, SUSPECT}, {2000, UP}}, 3, {2, 1, 0}},
    {{{10, DOWN}, {10, DOWN}}, 2, {0, 1}},
    {{{900, DOWN}, {10, DOWN}, {10, UP}}, 3, {2, 1, 0}},
    /* what fails where others answer is last, but before what is not there at all */
    {{{10, UP, true}, {500, UP}}, 2, {1, 0}},
    {{{10, UP, true}, {500, SUSPECT}}, 2, {1, 0}},
    {{{10, DOWN}, {10, UP, true}, {10, SUSPECT}, {10, SUSPECT, true}}, 4, {2, 1, 3, 0}},
    /* one without UDP has a speed too */
    {{{100, UP}, {300, UP, false, true}}, 2, {0, 1}},
    {{{300, UP}, {100, UP, false, true}}, 2, {1, 0}},
};

static void open_group(struct group *group, const struct member *members, unsigned count)
{
    *group = (struct group){.name = "domestic", .count = count};
    for (unsigned i = 0; i < count; i++) {
        struct server_options options = {.tcp_only = members[i].tcp_only};
        address_parse("192.0.2.1", 53, &options.address);
        struct server *server = group->servers[i] = server_create(&options);
        if (members[i].rtt)
            rtt_update(&server->rtt[members[i].tcp_only ? TRANSPORT_TCP : TRANSPORT_UDP], members[i].rtt);
        for (unsigned n = 0; members[i].outdone && n < SERVER_OUTDONE; n++)
            server_on_outdone(server);
        atomic_store(&server->health, members[i].health);
    }
}

static void close_group(struct group *group)
{
    for (unsigned i = 0; i < group->count; i++)
        server_destroy(group->servers[i]);
}

static void who_is_asked_when(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        struct group group;
        unsigned     tried = 0;
        open_group(&group, orders[i].members, orders[i].count);
        for (unsigned j = 0; j < orders[i].count; j++) {
            int picked = group_pick(&group, tried, NOW);
            if (picked != orders[i].order[j])
                fail_msg("row %zu: asked %d as number %u", i, picked, j);
            tried |= 1u << picked;
        }
        assert_int_equal(group_pick(&group, tried, NOW), -1);
        close_group(&group);
    }
}

/* Its first answer was slow, and with another one fast nobody asked it again. */
static void who_was_slow_is_tried_again(void **state)
{
    (void) state;
    const struct member members[] = {{.rtt = 900}, {.rtt = 10}};
    const msec_t        life      = 600000;
    struct group        group;
    open_group(&group, members, 2);
    atomic_store(&group.servers[0]->last_answer, NOW);
    atomic_store(&group.servers[1]->last_answer, NOW + life);
    assert_int_equal(group_pick(&group, 0, NOW + life), 1);
    assert_int_equal(group_pick(&group, 0, NOW + life + 1), 0);
    server_on_reply(group.servers[0], TRANSPORT_UDP, OUTCOME_ANSWER, 800, false, NOW + life + 900);
    assert_int_equal(group_pick(&group, 0, NOW + life + 900), 1);
    close_group(&group);
}

static void a_full_group_is_asked_to_its_end(void **state)
{
    (void) state;
    struct member members[LIMIT_GROUP] = {{0}};
    struct group  group;
    unsigned      tried = 0;
    open_group(&group, members, LIMIT_GROUP);
    for (int i = 0; i < LIMIT_GROUP; i++) {
        assert_int_equal(group_pick(&group, tried, NOW), i);
        tried |= 1u << i;
    }
    assert_int_equal(group_pick(&group, tried, NOW), -1);
    close_group(&group);
}

static void a_group_is_down_when_all_of_it_is(void **state)
{
    (void) state;
    static const struct {
        enum health first, second;
        bool        down;
    } cases[] = {
        {UP, UP, false}, {DOWN, UP, false}, {DOWN, SUSPECT, false}, {SUSPECT, SUSPECT, false}, {DOWN, DOWN, true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct member members[] = {{10, cases[i].first}, {10, cases[i].second}};
        struct group        group;
        open_group(&group, members, 2);
        assert_int_equal(group_down(&group), cases[i].down);
        close_group(&group);
    }
}

static void p95_is_of_slow_answers_only(void **state)
{
    (void) state;
    struct group group = {0};
    for (int i = 0; i < 1000; i++)
        group_on_answer(&group, GROUP_SLOW);
    assert_int_equal(group_slow_p95(&group, 900), 900);
    for (int i = 0; i < 19; i++)
        group_on_answer(&group, 320);
    assert_int_equal(group_slow_p95(&group, 900), 900);
    group_on_answer(&group, 320);
    assert_int_equal(group_slow_p95(&group, 900), 350);
    group_on_answer(&group, 1000);
    assert_int_equal(group_slow_p95(&group, 900), 350); /* 20 of 21 are 95 % */
    group_on_answer(&group, 1000);
    assert_int_equal(group_slow_p95(&group, 900), 1050); /* 20 of 22 are not */
}

static void very_slow_answers_share_the_last_bucket(void **state)
{
    (void) state;
    struct group group = {0};
    for (int i = 0; i < 20; i++)
        group_on_answer(&group, i % 2 ? 9000 : INT64_MAX);
    assert_int_equal(group_slow_p95(&group, 900), GROUP_SLOW + GROUP_SLOW_COUNT * GROUP_SLOW_STEP);
}

/* What is halved once in a while is still the sum. */
static void the_total_is_of_the_buckets(void **state)
{
    (void) state;
    struct group group = {0};
    for (int i = 0; i < 20000; i++) {
        uint32_t sum = 0;
        group_on_answer(&group, GROUP_SLOW + 1 + i % 700);
        for (size_t k = 0; k < GROUP_SLOW_COUNT; k++)
            sum += group.slow[k];
        assert_int_equal(group.slow_total, sum);
    }
}

/* Old answers count for less and less. */
static void p95_follows_the_times(void **state)
{
    (void) state;
    struct group group = {0};
    for (int i = 0; i < 10000; i++)
        group_on_answer(&group, 1500);
    assert_int_equal(group_slow_p95(&group, 900), 1550);
    for (int i = 0; i < 20000; i++)
        group_on_answer(&group, 300);
    assert_int_equal(group_slow_p95(&group, 900), 350);
    assert_in_range(group.slow_total, 2000, 4200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_asked_when),
        cmocka_unit_test(a_full_group_is_asked_to_its_end),
        cmocka_unit_test(a_group_is_down_when_all_of_it_is),
        cmocka_unit_test(who_was_slow_is_tried_again),
        cmocka_unit_test(p95_is_of_slow_answers_only),
        cmocka_unit_test(very_slow_answers_share_the_last_bucket),
        cmocka_unit_test(the_total_is_of_the_buckets),
        cmocka_unit_test(p95_follows_the_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
