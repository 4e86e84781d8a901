/*
 * test_rtt.c: the estimate follows what is measured (RFC 6298), and stays sane at the edges.
 */
#include "upstream/rtt.h"

#include "lib/check.h"

static void nothing_is_known_at_first(void **state)
{
    (void) state;
    struct rtt rtt = {0};
    assert_false(rtt_known(&rtt));
    assert_int_equal(rtt_timeout(&rtt, 376), 376);
    assert_int_equal(rtt_smoothed(&rtt), 0);
}

/* srtt = R, rttvar = R / 2 (2.2) */
static void the_first_measurement_sets_it(void **state)
{
    (void) state;
    static const struct {
        msec_t measured, smoothed, variance;
    } cases[] = {{100, 100, 50},           {1, 1, 1}, {0, 1, 1}, {-5, 1, 1}, {7, 7, 4}, {60000, 60000, 30000},
                 {INT64_MAX, 60000, 30000}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rtt rtt = {0};
        rtt_update(&rtt, cases[i].measured);
        assert_true(rtt_known(&rtt));
        assert_int_equal(rtt_smoothed(&rtt), cases[i].smoothed);
        assert_int_equal(rtt_variance(&rtt), cases[i].variance);
        assert_int_equal(rtt_timeout(&rtt, 376), cases[i].smoothed + 4 * cases[i].variance);
    }
}

/* rttvar = 3/4 rttvar + 1/4 |srtt - R|, srtt = 7/8 srtt + 1/8 R (2.3) */
static void later_ones_move_it(void **state)
{
    (void) state;
    struct rtt rtt = {0};
    rtt_update(&rtt, 800);
    rtt_update(&rtt, 1600);
    assert_int_equal(rtt_smoothed(&rtt), 900);
    assert_int_equal(rtt_variance(&rtt), 500);
    rtt_update(&rtt, 100);
    assert_int_equal(rtt_smoothed(&rtt), 800);
    assert_int_equal(rtt_variance(&rtt), 575);
}

static void it_settles_on_what_is_steady(void **state)
{
    (void) state;
    static const msec_t steady[] = {1, 3, 20, 250, 5000, 60000};
    for (size_t i = 0; i < ARRAY_LEN(steady); i++)
        for (size_t j = 0; j < ARRAY_LEN(steady); j++) {
            struct rtt rtt = {0};
            rtt_update(&rtt, steady[j]);
            for (int n = 0; n < 200; n++)
                rtt_update(&rtt, steady[i]);
            assert_in_range(rtt_smoothed(&rtt), steady[i], steady[i] + 1);
            assert_in_range(rtt_variance(&rtt), 0, 1);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(the_first_measurement_sets_it),
        cmocka_unit_test(later_ones_move_it),
        cmocka_unit_test(it_settles_on_what_is_steady),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
