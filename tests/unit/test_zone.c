/*
 * test_zone.c: the state chart, every state by every evidence; then what takes more than one step.
 */
#include "learn/zone.h"

#include "lib/check.h"

enum {
    NOW   = 2000 * 1000,
    FIRST = 600 * 1000,
    MAX   = 86400 * 1000
};

static const struct zone_limits limits = {.recheck_first = FIRST, .recheck_max = MAX, .recover_after = 3};

/* one of each state, as it might be at NOW */
static const struct condition before[ZONE_STATE_COUNT] = {
    [ZONE_CLEAR]   = {.state = ZONE_CLEAR, .failures = 3, .since = 100, .last_failure = 200, .next = MSEC_NEVER},
    [ZONE_SUSPECT] = {.state        = ZONE_SUSPECT,
                      .reason       = REASON_TIMEOUT,
                      .strikes      = 1,
                      .failures     = 3,
                      .since        = 100,
                      .last_failure = 200,
                      .next         = 60200},
    [ZONE_BLOCKED] = {.state        = ZONE_BLOCKED,
                      .reason       = REASON_TIMEOUT,
                      .failures     = 3,
                      .since        = 100,
                      .last_failure = 200,
                      .next         = 5000 * 1000,
                      .interval     = 2 * FIRST},
    [ZONE_BROKEN]  = {.state        = ZONE_BROKEN,
                      .reason       = REASON_SERVFAIL,
                      .failures     = 3,
                      .since        = 100,
                      .last_failure = 200,
                      .next         = 600200},
    [ZONE_RECOVERING] =
        {
            .state        = ZONE_RECOVERING,
            .reason       = REASON_TIMEOUT,
            .good         = 1,
            .failures     = 3,
            .since        = 100,
            .last_failure = 200,
            .next         = 50000,
            .interval     = 4 * FIRST,
        },
};

struct row {
    enum zone_state  from;
    enum evidence    evidence;
    bool             nothing; /* it stays as it is, else: */
    enum zone_state  to;
    enum zone_reason reason;
    uint8_t          strikes, good;
    bool             failed; /* counted as a failure at NOW */
    bool             began;  /* the state began at NOW */
    msec_t           next, interval;
};

#define LEAST(interval) (NOW + (interval) / 10 * 9) /* with a jitter of 0 */

static const struct row rows[] = {
    {ZONE_CLEAR, EVIDENCE_STRIKE, false, ZONE_SUSPECT, REASON_REFUSED, 1, 0, true, true, NOW + 60000, 0},
    {ZONE_CLEAR, EVIDENCE_CONFIRMED, false, ZONE_BLOCKED, REASON_REFUSED, 0, 0, true, true, LEAST(FIRST), FIRST},
    {ZONE_CLEAR, EVIDENCE_BELIEVED, false, ZONE_BLOCKED, REASON_REFUSED, 0, 0, true, true, LEAST(FIRST), FIRST},
    {ZONE_CLEAR, EVIDENCE_FINE, .nothing = true},
    {ZONE_CLEAR, EVIDENCE_BROKEN, false, ZONE_BROKEN, REASON_REFUSED, 0, 0, true, true, NOW + 3600000, 0},
    {ZONE_CLEAR, EVIDENCE_RECHECK_GOOD, .nothing = true},
    {ZONE_CLEAR, EVIDENCE_RECHECK_BAD, .nothing = true},
    {ZONE_CLEAR, EVIDENCE_POSTPONED, .nothing = true},

    {ZONE_SUSPECT, EVIDENCE_STRIKE, false, ZONE_SUSPECT, REASON_REFUSED, 2, 0, true, false, NOW + 60000, 0},
    {ZONE_SUSPECT, EVIDENCE_CONFIRMED, false, ZONE_BLOCKED, REASON_REFUSED, 0, 0, true, true, LEAST(FIRST), FIRST},
    {ZONE_SUSPECT, EVIDENCE_BELIEVED, false, ZONE_BLOCKED, REASON_REFUSED, 0, 0, true, true, LEAST(FIRST), FIRST},
    {ZONE_SUSPECT, EVIDENCE_FINE, false, ZONE_CLEAR, REASON_NONE, 0, 0, false, true, MSEC_NEVER, 0},
    {ZONE_SUSPECT, EVIDENCE_BROKEN, false, ZONE_BROKEN, REASON_REFUSED, 0, 0, true, true, NOW + 3600000, 0},
    {ZONE_SUSPECT, EVIDENCE_RECHECK_GOOD, .nothing = true},
    {ZONE_SUSPECT, EVIDENCE_RECHECK_BAD, .nothing = true},
    {ZONE_SUSPECT, EVIDENCE_POSTPONED, .nothing = true},

    {ZONE_BLOCKED, EVIDENCE_STRIKE, .nothing = true},
    {ZONE_BLOCKED, EVIDENCE_CONFIRMED, .nothing = true},
    {ZONE_BLOCKED, EVIDENCE_BELIEVED, .nothing = true},
    {ZONE_BLOCKED, EVIDENCE_FINE, false, ZONE_BLOCKED, REASON_TIMEOUT, 0, 0, false, false, NOW, 2 * FIRST},
    {ZONE_BLOCKED, EVIDENCE_BROKEN, .nothing = true},
    {ZONE_BLOCKED, EVIDENCE_RECHECK_GOOD, false, ZONE_RECOVERING, REASON_TIMEOUT, 0, 1, false, true, LEAST(60000),
     2 * FIRST},
    {ZONE_BLOCKED, EVIDENCE_RECHECK_BAD, false, ZONE_BLOCKED, REASON_REFUSED, 0, 0, true, false, LEAST(4 * FIRST),
     4 * FIRST},
    {ZONE_BLOCKED, EVIDENCE_POSTPONED, false, ZONE_BLOCKED, REASON_TIMEOUT, 0, 0, false, false, LEAST(60000),
     2 * FIRST},

    {ZONE_BROKEN, EVIDENCE_STRIKE, false, ZONE_SUSPECT, REASON_REFUSED, 1, 0, true, true, NOW + 60000, 0},
    {ZONE_BROKEN, EVIDENCE_CONFIRMED, false, ZONE_BLOCKED, REASON_REFUSED, 0, 0, true, true, LEAST(FIRST), FIRST},
    {ZONE_BROKEN, EVIDENCE_BELIEVED, false, ZONE_BLOCKED, REASON_REFUSED, 0, 0, true, true, LEAST(FIRST), FIRST},
    {ZONE_BROKEN, EVIDENCE_FINE, false, ZONE_CLEAR, REASON_NONE, 0, 0, false, true, MSEC_NEVER, 0},
    {ZONE_BROKEN, EVIDENCE_BROKEN, false, ZONE_BROKEN, REASON_REFUSED, 0, 0, true, false, NOW + 3600000, 0},
    {ZONE_BROKEN, EVIDENCE_RECHECK_GOOD, .nothing = true},
    {ZONE_BROKEN, EVIDENCE_RECHECK_BAD, .nothing = true},
    {ZONE_BROKEN, EVIDENCE_POSTPONED, .nothing = true},

    {ZONE_RECOVERING, EVIDENCE_STRIKE, .nothing = true},
    {ZONE_RECOVERING, EVIDENCE_CONFIRMED, .nothing = true},
    {ZONE_RECOVERING, EVIDENCE_BELIEVED, .nothing = true},
    {ZONE_RECOVERING, EVIDENCE_FINE, .nothing = true},
    {ZONE_RECOVERING, EVIDENCE_BROKEN, .nothing = true},
    {ZONE_RECOVERING, EVIDENCE_RECHECK_GOOD, false, ZONE_RECOVERING, REASON_TIMEOUT, 0, 2, false, false, LEAST(60000),
     4 * FIRST},
    {ZONE_RECOVERING, EVIDENCE_RECHECK_BAD, false, ZONE_BLOCKED, REASON_REFUSED, 0, 0, true, true, LEAST(4 * FIRST),
     4 * FIRST},
    {ZONE_RECOVERING, EVIDENCE_POSTPONED, false, ZONE_RECOVERING, REASON_TIMEOUT, 0, 1, false, false, LEAST(60000),
     4 * FIRST},
};

static struct condition expected_of(const struct row *row)
{
    struct condition is = before[row->from];
    if (row->nothing)
        return is;
    is.state    = row->to;
    is.reason   = row->reason;
    is.strikes  = row->strikes;
    is.good     = row->good;
    is.next     = row->next;
    is.interval = row->interval;
    if (row->failed) {
        is.failures++;
        is.last_failure = NOW;
    }
    if (row->began)
        is.since = NOW;
    return is;
}

static void check_same(const struct condition *is, const struct condition *expected, size_t row)
{
#define SAME(field)                                                                                                    \
    if (is->field != expected->field)                                                                                  \
    fail_msg("row %zu: " #field " is %lld, not %lld", row, (long long) is->field, (long long) expected->field)
    SAME(state);
    SAME(reason);
    SAME(strikes);
    SAME(good);
    SAME(failures);
    SAME(since);
    SAME(last_failure);
    SAME(next);
    SAME(interval);
#undef SAME
}

static bool is_failure(enum evidence evidence)
{
    return evidence == EVIDENCE_STRIKE || evidence == EVIDENCE_CONFIRMED || evidence == EVIDENCE_BELIEVED ||
           evidence == EVIDENCE_BROKEN || evidence == EVIDENCE_RECHECK_BAD;
}

static void every_state_by_every_evidence(void **state)
{
    (void) state;
    bool seen[ZONE_STATE_COUNT][EVIDENCE_COUNT] = {{false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        enum zone_reason reason   = is_failure(rows[i].evidence) ? REASON_REFUSED : REASON_NONE;
        struct condition is       = zone_next(&before[rows[i].from], rows[i].evidence, reason, &limits, NOW, 0);
        struct condition expected = expected_of(&rows[i]);
        check_same(&is, &expected, i);
        assert_false(seen[rows[i].from][rows[i].evidence]);
        seen[rows[i].from][rows[i].evidence] = true;
    }
    assert_int_equal(ARRAY_LEN(rows), ZONE_STATE_COUNT * EVIDENCE_COUNT);
}

static struct condition step(struct condition is, enum evidence evidence, msec_t now)
{
    return zone_next(&is, evidence, is_failure(evidence) ? REASON_TIMEOUT : REASON_NONE, &limits, now, 0);
}

static void good_rechecks_count_only_in_a_row(void **state)
{
    (void) state;
    struct condition is = before[ZONE_BLOCKED];
    is                  = step(is, EVIDENCE_RECHECK_GOOD, NOW);
    is                  = step(is, EVIDENCE_RECHECK_GOOD, NOW + 1);
    is                  = step(is, EVIDENCE_RECHECK_BAD, NOW + 2);
    assert_int_equal(is.state, ZONE_BLOCKED);
    assert_int_equal(is.interval, 2 * FIRST);
    is = step(is, EVIDENCE_RECHECK_GOOD, NOW + 3);
    is = step(is, EVIDENCE_RECHECK_GOOD, NOW + 4);
    is = step(is, EVIDENCE_POSTPONED, NOW + 5);
    assert_int_equal(is.state, ZONE_RECOVERING);
    is = step(is, EVIDENCE_RECHECK_GOOD, NOW + 6);
    assert_int_equal(is.state, ZONE_CLEAR);
    assert_int_equal(is.next, MSEC_NEVER);
    assert_int_equal(is.reason, REASON_NONE);
}

static void one_good_recheck_clears_where_one_is_enough(void **state)
{
    (void) state;
    const struct zone_limits one = {.recheck_first = FIRST, .recheck_max = MAX, .recover_after = 1};
    struct condition         is  = zone_next(&before[ZONE_BLOCKED], EVIDENCE_RECHECK_GOOD, REASON_NONE, &one, NOW, 0);
    assert_int_equal(is.state, ZONE_CLEAR);
    assert_int_equal(is.good, 0);
}

static void the_second_recheck_is_no_later_than_the_first(void **state)
{
    (void) state;
    const struct zone_limits quick = {.recheck_first = 1000, .recheck_max = MAX, .recover_after = 2};
    struct condition         is = zone_next(&before[ZONE_BLOCKED], EVIDENCE_RECHECK_GOOD, REASON_NONE, &quick, NOW, 0);
    assert_int_equal(is.next, NOW + 900);
}

static void the_interval_doubles_to_its_maximum(void **state)
{
    (void) state;
    struct condition is = step(before[ZONE_SUSPECT], EVIDENCE_CONFIRMED, 0);
    for (msec_t interval = FIRST; interval < MAX; interval *= 2) {
        assert_int_equal(is.interval, interval);
        is = step(is, EVIDENCE_RECHECK_BAD, is.next);
    }
    for (int i = 0; i < 100; i++)
        is = step(is, EVIDENCE_RECHECK_BAD, 0);
    assert_int_equal(is.interval, MAX);
    assert_int_equal(is.next, MAX / 10 * 9);
}

/* Kin, a batch, an answer or the operator may have hurried it. */
static void a_recheck_out_of_turn_leaves_the_interval(void **state)
{
    (void) state;
    struct condition is  = step(before[ZONE_SUSPECT], EVIDENCE_CONFIRMED, NOW);
    msec_t           now = NOW;
    for (int i = 0; i < 100; i++)
        is = step(is, EVIDENCE_RECHECK_BAD, now += FIRST / 10 * 9 - 1);
    assert_int_equal(is.interval, FIRST);
    assert_int_equal(is.next, now + FIRST / 10 * 9);
    is = step(is, EVIDENCE_RECHECK_BAD, now + FIRST / 10 * 9);
    assert_int_equal(is.interval, 2 * FIRST);
}

/* It was set by other settings, or comes from elsewhere. */
static void an_interval_out_of_bounds_is_brought_in(void **state)
{
    (void) state;
    static const struct {
        msec_t interval, expected;
    } cases[] = {{0, FIRST}, {1, FIRST}, {FIRST, 2 * FIRST}, {(msec_t) 10 * MAX, MAX}, {MAX - 1, MAX}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct condition is = before[ZONE_BLOCKED];
        is.interval         = cases[i].interval;
        is                  = step(is, EVIDENCE_RECHECK_BAD, (msec_t) 10 * MAX);
        assert_int_equal(is.interval, cases[i].expected);
    }
}

static void jitter_stays_within_a_tenth(void **state)
{
    (void) state;
    static const struct {
        uint32_t jitter;
        msec_t   wait;
    } cases[] = {{0, FIRST / 10 * 9}, {UINT32_MAX, FIRST / 10 * 11}, {UINT32_MAX / 2 + 1, FIRST}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct condition is =
            zone_next(&before[ZONE_CLEAR], EVIDENCE_CONFIRMED, REASON_TIMEOUT, &limits, NOW, cases[i].jitter);
        assert_int_equal(is.next, NOW + cases[i].wait);
    }
}

static void strikes_stop_at_255(void **state)
{
    (void) state;
    struct condition is = before[ZONE_CLEAR];
    for (int i = 0; i < 300; i++)
        is = step(is, EVIDENCE_STRIKE, NOW);
    assert_int_equal(is.strikes, 255);
    assert_int_equal(is.failures, 303);
}

static void a_failure_without_reason_keeps_the_old_one(void **state)
{
    (void) state;
    struct condition is = zone_next(&before[ZONE_BLOCKED], EVIDENCE_RECHECK_BAD, REASON_NONE, &limits, NOW, 0);
    assert_int_equal(is.reason, REASON_TIMEOUT);
}

static void a_fine_answer_never_delays_a_recheck(void **state)
{
    (void) state;
    struct condition is = before[ZONE_BLOCKED];
    is.next             = NOW - 500;
    is                  = step(is, EVIDENCE_FINE, NOW);
    assert_int_equal(is.next, NOW - 500);
}

static void words_are_found_by_their_text(void **state)
{
    (void) state;
    for (int i = 0; i < ZONE_STATE_COUNT; i++)
        assert_int_equal(word_find(zone_state_words, ZONE_STATE_COUNT, zone_state_words[i]), i);
    for (int i = 0; i < SCOPE_COUNT; i++)
        assert_int_equal(word_find(zone_scope_words, SCOPE_COUNT, zone_scope_words[i]), i);
    for (int i = 0; i < REASON_COUNT; i++)
        assert_int_equal(word_find(zone_reason_words, REASON_COUNT, zone_reason_words[i]), i);
    for (int i = 0; i < SOURCE_COUNT; i++)
        assert_int_equal(word_find(zone_source_words, SOURCE_COUNT, zone_source_words[i]), i);
    assert_int_equal(word_find(zone_state_words, ZONE_STATE_COUNT, "Blocked"), -1);
    assert_int_equal(word_find(zone_state_words, ZONE_STATE_COUNT, ""), -1);
}

/* The numbers lie in the state directories of nodes in service. */
static void words_keep_their_numbers(void **state)
{
    (void) state;
    static const char *const states[]  = {"clear", "suspect", "blocked", "broken", "recovering"};
    static const char *const scopes[]  = {"zone", "name", "type"};
    static const char *const reasons[] = {"", "timeout", "servfail", "refused", "forged"};
    static const char *const sources[] = {"learned", "pinned", "imported", "cluster"};
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        assert_string_equal(zone_state_words[i], states[i]);
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
        assert_string_equal(zone_scope_words[i], scopes[i]);
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        assert_string_equal(zone_reason_words[i], reasons[i]);
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        assert_string_equal(zone_source_words[i], sources[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_by_every_evidence),
        cmocka_unit_test(good_rechecks_count_only_in_a_row),
        cmocka_unit_test(one_good_recheck_clears_where_one_is_enough),
        cmocka_unit_test(the_second_recheck_is_no_later_than_the_first),
        cmocka_unit_test(the_interval_doubles_to_its_maximum),
        cmocka_unit_test(a_recheck_out_of_turn_leaves_the_interval),
        cmocka_unit_test(an_interval_out_of_bounds_is_brought_in),
        cmocka_unit_test(jitter_stays_within_a_tenth),
        cmocka_unit_test(strikes_stop_at_255),
        cmocka_unit_test(a_failure_without_reason_keeps_the_old_one),
        cmocka_unit_test(a_fine_answer_never_delays_a_recheck),
        cmocka_unit_test(words_are_found_by_their_text),
        cmocka_unit_test(words_keep_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
