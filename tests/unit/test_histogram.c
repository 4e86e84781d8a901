/*
 * test_histogram.c: what lies on a bound is in its bucket, as Prometheus has it, and the words are the bounds.
 */
#include "base/histogram.h"

#include "lib/check.h"

#include <stdlib.h>

static void each_bound_is_in_its_bucket(void **state)
{
    (void) state;
    for (unsigned i = HISTOGRAM_AT_ONCE + 1; i < HISTOGRAM_BOUNDS; i++) {
        msec_t bound = (msec_t) (strtod(histogram_bounds[i], NULL) * 1000 + 0.5);
        assert_int_equal(histogram_bucket(bound), i);
        assert_int_equal(histogram_bucket(bound + 1), i + 1);
    }
    assert_string_equal(histogram_bounds[HISTOGRAM_AT_ONCE], "0.00025");
    assert_string_equal(histogram_bounds[HISTOGRAM_BOUNDS - 1], "10");
}

static void what_waited_was_not_at_once(void **state)
{
    (void) state;
    assert_int_equal(histogram_bucket(-1), HISTOGRAM_AT_ONCE + 1);
    assert_int_equal(histogram_bucket(0), HISTOGRAM_AT_ONCE + 1);
    assert_int_equal(histogram_bucket(MSEC_NEVER), HISTOGRAM_BUCKETS - 1);
}

static void it_adds_up(void **state)
{
    (void) state;
    struct histogram histogram = {0};
    histogram_add(&histogram, 3);
    histogram_add(&histogram, 4);
    histogram_add(&histogram, -5);
    histogram_add(&histogram, 20000);
    assert_int_equal(histogram.buckets[1], 1);
    assert_int_equal(histogram.buckets[2], 2);
    assert_int_equal(histogram.buckets[HISTOGRAM_BUCKETS - 1], 1);
    assert_int_equal(histogram.sum, 20007);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_bound_is_in_its_bucket),
        cmocka_unit_test(what_waited_was_not_at_once),
        cmocka_unit_test(it_adds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
