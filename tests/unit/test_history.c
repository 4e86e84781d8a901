/*
 * test_history.c: a day in virtual time: each interval has what came in it, and nothing is older than a day.
 */
#include "observe/history.h"

#include "lib/check.h"

enum {
    FROM = 1000 /* ms */
};

struct fixture {
    struct history        history;
    struct history_totals totals;
    msec_t                now;
};

static int open_fixture(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.now = FROM, .totals = {.of = {[HISTORY_HERE] = 1000}}};
    history_init(&fixture.history, &fixture.totals, FROM);
    *state = &fixture;
    return 0;
}

static int close_fixture(void **state)
{
    (void) state;
    return 0;
}

static void pass(struct fixture *fixture, msec_t how_long)
{
    fixture->now += how_long;
    history_add(&fixture->history, &fixture->totals, fixture->now);
}

static uint32_t here(const struct fixture *fixture, unsigned ago)
{
    return history_interval(&fixture->history, ago)->of[HISTORY_HERE];
}

static void what_was_before_is_nobodys(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(here(fixture, 0), 0);
    assert_true(history_interval(&fixture->history, 0)->known);
    for (unsigned ago = 1; ago < HISTORY_INTERVALS; ago++)
        assert_false(history_interval(&fixture->history, ago)->known);
}

static void the_present_interval_is_seen_before_it_ends(void **state)
{
    struct fixture *fixture = *state;
    fixture->totals.of[HISTORY_HERE] += 3;
    pass(fixture, 10);
    fixture->totals.of[HISTORY_HERE] += 4;
    fixture->totals.of[HISTORY_SERVFAIL] += 1;
    pass(fixture, 10);
    assert_int_equal(here(fixture, 0), 7);
    assert_int_equal(history_answers(history_interval(&fixture->history, 0)), 8);
}

static void an_interval_ends_to_the_millisecond(void **state)
{
    struct fixture *fixture = *state;
    fixture->totals.of[HISTORY_HERE] += 1;
    pass(fixture, HISTORY_EVERY - 1);
    assert_int_equal(here(fixture, 0), 1);
    fixture->totals.of[HISTORY_HERE] += 10;
    pass(fixture, 1);
    assert_int_equal(here(fixture, 0), 0);
    assert_int_equal(here(fixture, 1), 11);
    assert_true(history_interval(&fixture->history, 0)->known);
}

static void a_day_goes_round(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 1; i <= 2 * HISTORY_INTERVALS + 7; i++) {
        fixture->totals.of[HISTORY_HERE] += i;
        pass(fixture, HISTORY_EVERY);
    }
    for (unsigned ago = 1; ago < HISTORY_INTERVALS; ago++) {
        assert_int_equal(here(fixture, ago), 2 * HISTORY_INTERVALS + 8 - ago);
        assert_true(history_interval(&fixture->history, ago)->known);
    }
    assert_int_equal(here(fixture, 0), 0);
}

static void what_was_missed_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    fixture->totals.of[HISTORY_HERE] += 5;
    pass(fixture, 3 * HISTORY_EVERY + 1);
    assert_int_equal(here(fixture, 3), 5);
    assert_true(history_interval(&fixture->history, 3)->known);
    assert_false(history_interval(&fixture->history, 2)->known);
    assert_false(history_interval(&fixture->history, 1)->known);
    assert_true(history_interval(&fixture->history, 0)->known);
}

/* As of a machine that was stopped: it takes no longer, and the intervals end when they would have. */
static void a_year_is_missed(void **state)
{
    struct fixture *fixture = *state;
    fixture->totals.of[HISTORY_HERE] += 5;
    pass(fixture, (msec_t) 365 * 86400 * 1000 + 17);
    for (unsigned ago = 1; ago < HISTORY_INTERVALS; ago++) {
        assert_false(history_interval(&fixture->history, ago)->known);
        assert_int_equal(here(fixture, ago), 0);
    }
    assert_true(fixture->history.end > fixture->now && fixture->history.end <= fixture->now + HISTORY_EVERY);
    assert_int_equal((fixture->history.end - FROM) % HISTORY_EVERY, 0);
}

static void a_total_that_falls_adds_nothing(void **state)
{
    struct fixture *fixture = *state;
    fixture->totals.of[HISTORY_HERE] -= 900;
    pass(fixture, 1);
    assert_int_equal(here(fixture, 0), 0);
    fixture->totals.of[HISTORY_HERE] += 2;
    pass(fixture, 1);
    assert_int_equal(here(fixture, 0), 2);
    fixture->totals.of[HISTORY_HERE] += 1000000;
    history_rebase(&fixture->history, &fixture->totals);
    fixture->totals.of[HISTORY_HERE] += 1;
    pass(fixture, 1);
    assert_int_equal(here(fixture, 0), 3);
}

static void a_count_has_an_end(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 3; i++) {
        fixture->totals.of[HISTORY_HERE] += (uint64_t) UINT32_MAX - 1;
        pass(fixture, 1);
    }
    assert_int_equal(here(fixture, 0), UINT32_MAX);
}

static void the_most_that_were_blocked(void **state)
{
    struct fixture *fixture = *state;
    fixture->totals.blocked = 7;
    pass(fixture, 1);
    fixture->totals.blocked = 2;
    pass(fixture, HISTORY_EVERY);
    assert_int_equal(history_interval(&fixture->history, 1)->blocked, 7);
    assert_int_equal(history_interval(&fixture->history, 0)->blocked, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(what_was_before_is_nobodys),          FIXTURE_TEST(the_present_interval_is_seen_before_it_ends),
        FIXTURE_TEST(an_interval_ends_to_the_millisecond), FIXTURE_TEST(a_day_goes_round),
        FIXTURE_TEST(what_was_missed_is_unknown),          FIXTURE_TEST(a_year_is_missed),
        FIXTURE_TEST(a_total_that_falls_adds_nothing),     FIXTURE_TEST(a_count_has_an_end),
        FIXTURE_TEST(the_most_that_were_blocked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
