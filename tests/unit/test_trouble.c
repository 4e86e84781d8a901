/*
 * test_trouble.c: the share that an upstream fails follows what was seen in the last minute, sees trouble that has just
 * begun, supposes something where nothing was seen, and forgets.
 */
#include "upstream/trouble.h"

#include "base/rng.h"
#include "lib/check.h"

enum {
    BEGIN = 1000000, /* ms; a step begins */
    SPAN  = TROUBLE_STEP * TROUBLE_STEPS,
    BRIEF = TROUBLE_STEP * TROUBLE_BRIEF,
};

/* cmocka has no assertion for fractions that is in every version. */
#define assert_share(trouble_, now_, expected_)                                                                        \
    do {                                                                                                               \
        double is_ = trouble_share((trouble_), (now_)), wanted_ = (expected_);                                         \
        if (is_ < wanted_ - 1e-12 || is_ > wanted_ + 1e-12)                                                            \
            fail_msg("the share is %.12f and not %.12f", is_, wanted_);                                                \
    } while (0)

/* A look alone is no question. */
static void of_nothing_little_is_supposed(void **state)
{
    (void) state;
    static const msec_t times[] = {0, 1, TROUBLE_STEP, SPAN, BEGIN, 1000 * (msec_t) BEGIN};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct trouble trouble = {0};
        for (unsigned again = 0; again < 3; again++)
            assert_share(&trouble, times[i], 0.1);
        trouble_note(&trouble, 0, 0, times[i]);
        assert_share(&trouble, times[i], 0.1);
    }
}

static void the_share_of_what_was_seen(void **state)
{
    (void) state;
    static const struct {
        unsigned well, failed;
        double   share;
    } rows[] = {
        /* what is supposed gives way to what is seen … */
        {1, 0, 1.0 / 11},
        {10, 0, 1.0 / 20},
        {89, 0, 1.0 / 99},
        /* … down to one in a hundred */
        {90, 0, TROUBLE_LEAST},
        {91, 0, TROUBLE_LEAST},
        {1000000, 0, TROUBLE_LEAST},
        {1000000, 3, TROUBLE_LEAST},
        /* one or two that failed may be chance */
        {0, 1, 2.0 / 11},
        {0, 2, 3.0 / 12},
        {20, 2, 3.0 / 32},
        /* three are not */
        {0, 3, 1},
        {0, 1000000, 1},
        {1, 3, 3.0 / 4},
        {7, 3, 3.0 / 10},
        {97, 3, 4.0 / 110}, /* what is supposed is worse */
        {50, 50, 50.0 / 100},
        {300, 100, 100.0 / 400},
        {999, 1, TROUBLE_LEAST},
        {980, 20, 21.0 / 1010},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct trouble trouble = {0};
        trouble_note(&trouble, rows[i].well, rows[i].failed, BEGIN);
        assert_share(&trouble, BEGIN, rows[i].share);

        trouble = (struct trouble){0}; /* the same one by one, in another order */
        for (unsigned n = 0; n < rows[i].failed && rows[i].failed < 1000; n++)
            trouble_note(&trouble, 0, 1, BEGIN + n);
        if (rows[i].failed < 1000) {
            trouble_note(&trouble, rows[i].well, 0, BEGIN + TROUBLE_STEP - 1);
            assert_share(&trouble, BEGIN + TROUBLE_STEP - 1, rows[i].share);
        }
    }
}

/* A minute is kept in steps: what was seen at the end of one is forgotten 55 s later, at its beginning 60 s. */
static void what_was_seen_is_forgotten_after_a_minute(void **state)
{
    (void) state;
    static const msec_t times[] = {0, 1, TROUBLE_STEP - 1};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct trouble trouble = {0};
        trouble_note(&trouble, 5, 5, BEGIN + times[i]);
        for (msec_t at = BEGIN + TROUBLE_STEP; at < BEGIN + SPAN; at += TROUBLE_STEP / 2)
            assert_share(&trouble, at, 0.5);
        assert_share(&trouble, BEGIN + SPAN - 1, 0.5);
        assert_share(&trouble, BEGIN + SPAN, 0.1);
        assert_share(&trouble, BEGIN + 2 * SPAN, 0.1); /* it does not come back */
    }
}

/* Nobody looks in between, for however long. */
static void a_long_time_unseen_is_forgotten_too(void **state)
{
    (void) state;
    for (unsigned steps = TROUBLE_STEPS - 1; steps <= 3 * TROUBLE_STEPS + 1; steps++)
        for (int noted = 0; noted < 2; noted++) {
            struct trouble trouble = {0};
            msec_t         later   = BEGIN + (msec_t) steps * TROUBLE_STEP;
            bool           gone    = steps >= TROUBLE_STEPS;
            trouble_note(&trouble, 10, 10, BEGIN);
            if (noted)
                trouble_note(&trouble, 20, 0, later);
            if (noted)
                assert_share(&trouble, later, gone ? 1.0 / 30 : 10.0 / 40);
            else
                assert_share(&trouble, later, gone ? 0.1 : 0.5);
        }
}

/* A good minute does not hide what has begun ten seconds ago; but two failures are no beginning. */
static void trouble_that_has_just_begun_shows(void **state)
{
    (void) state;
    for (unsigned failed = 1; failed <= 5; failed++) {
        struct trouble trouble = {0};
        msec_t         later   = BEGIN + 10 * TROUBLE_STEP;
        for (msec_t at = BEGIN; at < later; at += 1000)
            trouble_note(&trouble, 20, 0, at);
        assert_share(&trouble, later - 1, TROUBLE_LEAST);
        later += TROUBLE_STEP; /* the good ones are two steps back now */
        trouble_note(&trouble, 1, failed, later);
        double all = (failed + 1.0) / (20 * 50 + 1 + failed + TROUBLE_PRIOR);
        double few = all > TROUBLE_LEAST ? all : TROUBLE_LEAST;
        assert_share(&trouble, later, failed < TROUBLE_SOME ? few : failed / (failed + 1.0));
        assert_share(&trouble, later + BRIEF - 1, failed < TROUBLE_SOME ? few : failed / (failed + 1.0));
    }
}

/* And it is over as soon as what comes now is good. */
static void a_burst_of_trouble_is_brief(void **state)
{
    (void) state;
    struct trouble trouble = {0};
    trouble_note(&trouble, 0, 5, BEGIN);
    assert_share(&trouble, BEGIN, 1);
    trouble_note(&trouble, 95, 0, BEGIN);
    assert_share(&trouble, BEGIN, 6.0 / 110);
    trouble_note(&trouble, 400, 0, BEGIN + BRIEF);
    assert_share(&trouble, BEGIN + BRIEF, 6.0 / 510);
    trouble_note(&trouble, 0, 5, BEGIN + BRIEF + TROUBLE_STEP);
    assert_share(&trouble, BEGIN + BRIEF + TROUBLE_STEP, 11.0 / 515);
    assert_share(&trouble, BEGIN + 2 * BRIEF, 1);
    assert_share(&trouble, BEGIN + 2 * BRIEF + TROUBLE_STEP, 11.0 / 515);
}

/* Clocks are read once a turn: a note may come with an earlier time than the last look. */
static void an_earlier_time_loses_nothing(void **state)
{
    (void) state;
    struct trouble trouble = {0};
    trouble_note(&trouble, 3, 0, BEGIN + 4 * TROUBLE_STEP);
    trouble_note(&trouble, 4, 3, BEGIN);
    assert_share(&trouble, BEGIN + TROUBLE_STEP, 3.0 / 10);
    assert_share(&trouble, BEGIN + 4 * TROUBLE_STEP + SPAN - 1, 3.0 / 10);
    assert_share(&trouble, BEGIN + 4 * TROUBLE_STEP + SPAN, 0.1);
}

/* ---- against a record of all that was noted ---- */

enum {
    NOTES = 400
};

struct note {
    unsigned well, failed;
    msec_t   at;
};

static void sum_up(const struct note notes[], unsigned count, msec_t now, unsigned steps, double ret[2])
{
    ret[0] = ret[1] = 0;
    for (unsigned i = 0; i < count; i++)
        if (notes[i].at / TROUBLE_STEP > now / TROUBLE_STEP - (msec_t) steps) {
            ret[0] += notes[i].well;
            ret[1] += notes[i].failed;
        }
}

static double expected(const struct note notes[], unsigned count, msec_t now)
{
    double all[2], brief[2];
    sum_up(notes, count, now, TROUBLE_STEPS, all);
    sum_up(notes, count, now, TROUBLE_BRIEF, brief);
    double share = (all[1] + 1) / (all[0] + all[1] + TROUBLE_PRIOR);
    if (all[1] >= TROUBLE_SOME && all[1] / (all[0] + all[1]) > share)
        share = all[1] / (all[0] + all[1]);
    if (brief[1] >= TROUBLE_SOME && brief[1] / (brief[0] + brief[1]) > share)
        share = brief[1] / (brief[0] + brief[1]);
    return share > TROUBLE_LEAST ? share : TROUBLE_LEAST;
}

static void it_is_as_one_would_count_it(void **state)
{
    (void) state;
    static const uint32_t gaps[] = {1, 300, 4000, 5001, 30000, 200000};
    for (uint8_t n = 0; n < 48; n++) {
        static struct note notes[NOTES];
        struct trouble     trouble              = {0};
        uint8_t            seed[RNG_SEED_BYTES] = {n};
        msec_t             now                  = n % 2 ? BEGIN : 0;
        struct rng         rng;
        rng_init(&rng, seed);
        for (unsigned count = 0; count < NOTES;) {
            now += rng_below(&rng, gaps[rng_below(&rng, n % ARRAY_LEN(gaps) + 1)] + 1);
            struct note note = {rng_below(&rng, 4) ? rng_below(&rng, 30) : 0,
                                rng_below(&rng, 3) ? 0 : rng_below(&rng, 5), now};
            notes[count++] = note;
            trouble_note(&trouble, note.well, note.failed, now);
            if (rng_below(&rng, 2))
                now += rng_below(&rng, 7000);
            double sums[2], share = expected(notes, count, now);
            assert_share(&trouble, now, share);
            sum_up(notes, count, now, TROUBLE_STEPS, sums);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_nothing_little_is_supposed),
        cmocka_unit_test(the_share_of_what_was_seen),
        cmocka_unit_test(what_was_seen_is_forgotten_after_a_minute),
        cmocka_unit_test(a_long_time_unseen_is_forgotten_too),
        cmocka_unit_test(trouble_that_has_just_begun_shows),
        cmocka_unit_test(a_burst_of_trouble_is_brief),
        cmocka_unit_test(an_earlier_time_loses_nothing),
        cmocka_unit_test(it_is_as_one_would_count_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
