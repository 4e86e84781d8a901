/*
 * test_concerns.c: what is wrong is said, the grave first, and what is not wrong is not.
 */
#include "observe/concerns.h"

#include "lib/check.h"
#include "lib/specimen.h"

#include <string.h>

static struct specimen specimen;
static struct concerns concerns;

static int open_fixture(void **state)
{
    (void) state;
    specimen_init(&specimen);
    return 0;
}

static int close_fixture(void **state)
{
    (void) state;
    return 0;
}

static void find(void) { concerns_find(&specimen.standing, &specimen.history, &concerns); }

/* There is that one and no other. */
static void assert_only(unsigned grave, const char *part)
{
    find();
    assert_int_equal(concerns.count, 1);
    assert_int_equal(concerns.grave, grave);
    if (!strstr(concerns.text[0], part))
        fail_msg("no \"%s\" in \"%s\"", part, concerns.text[0]);
    specimen_init(&specimen);
}

static void all_is_well(void **state)
{
    (void) state;
    find();
    assert_int_equal(concerns.count, 0);
    specimen.upstreams[0].health = HEALTH_SUSPECT; /* for a moment, as happens */
    find();
    assert_int_equal(concerns.count, 0);
}

static void upstreams_are_down(void **state)
{
    (void) state;
    specimen.upstreams[1].health = HEALTH_DOWN;
    assert_only(0, "1 of the 2 upstreams of domestic is down; the others stand in.");
    specimen.upstreams[0].health = specimen.upstreams[1].health = HEALTH_DOWN;
    assert_only(1, "domestic is down: none of its upstreams answers, and all lookups go to external.");
    specimen.upstreams[2].health = HEALTH_DOWN;
    assert_only(1, "external is down: none of its upstreams answers, and 4 blocked zones cannot be resolved.");
    specimen.upstreams[2].health = HEALTH_DOWN;
    specimen.standing.blocked = specimen.standing.recovering = 0;
    assert_only(1, "external is down: none of its upstreams answers.");
    specimen.upstreams[2].health = HEALTH_DOWN;
    specimen.standing.blocked = 1, specimen.standing.recovering = 0;
    assert_only(1, "and 1 blocked zone cannot be resolved.");
}

static void each_fact_has_its_sentence(void **state)
{
    (void) state;
    specimen.standing.state_failing = true;
    assert_only(1, "does not reach the disk");
    specimen.standing.control_lost = true;
    assert_only(1, "control socket");
    specimen.standing.reload_failed = true;
    assert_only(0, "The configuration has an error");
    specimen.standing.canary_blind = true;
    assert_only(0, "The canary");
    specimen.upstreams[0].loops = true;
    assert_only(0, "An upstream of domestic forwards to this daemon");
    specimen.upstreams[2].tainted = true;
    assert_only(0, "Answers of an upstream of external are forged");
}

static void what_came_lately_counts(void **state)
{
    (void) state;
    struct history_totals totals = specimen.history.last;
    msec_t                now    = specimen.page.clocks.now;
    totals.of[HISTORY_OVER_QUOTA] += 7;
    history_add(&specimen.history, &totals, now);
    assert_only(0, "7 questions were lately kept from external");
    totals = specimen.history.last;
    totals.of[HISTORY_LOST] += 9;
    history_add(&specimen.history, &totals, now);
    assert_only(0, "9 queries were lately lost");
    totals = specimen.history.last;
    totals.of[HISTORY_SERVFAIL] += 1000000;
    history_add(&specimen.history, &totals, now);
    assert_only(1, "answers were SERVFAIL");
    totals = specimen.history.last;
    totals.of[HISTORY_OVER_QUOTA] += 7;
    history_add(&specimen.history, &totals, now);
    history_add(&specimen.history, &totals, now + 2 * HISTORY_EVERY);
    find();
    assert_int_equal(concerns.count, 0);
}

static void few_servfail_say_nothing(void **state)
{
    (void) state;
    static struct history history;
    struct history_totals totals = {0};
    history_init(&history, &totals, 1);
    totals.of[HISTORY_SERVFAIL] = 49;
    history_add(&history, &totals, 2);
    concerns_find(&specimen.standing, &history, &concerns);
    assert_int_equal(concerns.count, 0);
    totals.of[HISTORY_SERVFAIL] = 50;
    history_add(&history, &totals, 2);
    concerns_find(&specimen.standing, &history, &concerns);
    assert_int_equal(concerns.grave, 1);
    totals.of[HISTORY_HERE] = 450;
    history_add(&history, &totals, 2);
    concerns_find(&specimen.standing, &history, &concerns);
    assert_int_equal(concerns.count, 0);
}

/* As many groups and upstreams as there may be, and everything wrong with them. */
static void there_is_room_for_all(void **state)
{
    (void) state;
    static struct standing_upstream upstreams[LIMIT_GROUPS * LIMIT_GROUP];
    char                            name[200];
    struct history_totals           totals = specimen.history.last;
    memset(name, 'g', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (unsigned i = 0; i < LIMIT_GROUPS; i++)
        specimen.standing.groups[i] = name;
    for (unsigned i = 0; i < ARRAY_LEN(upstreams); i++)
        upstreams[i] = (struct standing_upstream){.group   = i / LIMIT_GROUP,
                                                  .health  = i % LIMIT_GROUP ? HEALTH_DOWN : HEALTH_UP,
                                                  .loops   = true,
                                                  .tainted = true};
    for (unsigned i = 0; i < HISTORY_SERIES; i++)
        totals.of[i] += 1000;
    history_add(&specimen.history, &totals, specimen.page.clocks.now);
    specimen.standing.upstreams = upstreams, specimen.standing.upstream_count = ARRAY_LEN(upstreams);
    specimen.standing.group_count   = LIMIT_GROUPS;
    specimen.standing.state_failing = specimen.standing.control_lost = specimen.standing.canary_blind =
        specimen.standing.reload_failed                              = true;
    find();
    assert_in_range(concerns.count, 3 * LIMIT_GROUPS + 6, CONCERNS_MAX);
    assert_int_equal(concerns.count - concerns.grave, 3 * LIMIT_GROUPS + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(all_is_well),
        FIXTURE_TEST(upstreams_are_down),
        FIXTURE_TEST(each_fact_has_its_sentence),
        FIXTURE_TEST(what_came_lately_counts),
        FIXTURE_TEST(few_servfail_say_nothing),
        FIXTURE_TEST(there_is_room_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
