/* test_timers.c: the heap against a plain search over the same timers, under random use. */
#include "base/timers.h"

#include "base/rng.h"
#include "lib/check.h"
#include "lib/heap.h"

enum {
    COUNT = 100
};

static void test_empty(void **state)
{
    struct timers timers;
    struct timer  timer = {0};

    (void) state;
    timers_init(&timers);
    assert_true(timers_next(&timers) == MSEC_NEVER);
    assert_null(timers_pop(&timers, MSEC_NEVER));
    timers_cancel(&timers, &timer);
    timers_fini(&timers);
}

static void test_a_timer_is_due_at_its_time_not_before(void **state)
{
    struct timers timers;
    struct timer  timer = {0};

    (void) state;
    timers_init(&timers);
    assert_true(timers_reserve(&timers, 1));
    timers_set(&timers, &timer, 100);
    assert_int_equal(timers_next(&timers), 100);
    assert_null(timers_pop(&timers, 99));
    timers_set(&timers, &timer, 50);
    assert_int_equal(timers_next(&timers), 50);
    assert_ptr_equal(timers_pop(&timers, 50), &timer);
    assert_null(timers_pop(&timers, MSEC_NEVER));
    timers_set(&timers, &timer, -5);
    assert_ptr_equal(timers_pop(&timers, 0), &timer);
    timers_fini(&timers);
}

static msec_t earliest(const struct timer *timers, size_t count)
{
    msec_t due = MSEC_NEVER;

    for (size_t i = 0; i < count; i++) {
        if (timers[i].place != 0)
            due = msec_min(due, timers[i].due);
    }
    return due;
}

static void test_random_use_agrees_with_a_search(void **state)
{
    const uint8_t seed[RNG_SEED_BYTES] = {1};
    struct rng    rng;
    struct timers timers;
    struct timer  timer[COUNT] = {0};
    msec_t        now          = 0;

    (void) state;
    rng_init(&rng, seed);
    timers_init(&timers);
    assert_true(timers_reserve(&timers, COUNT));
    for (int i = 0; i < 50000; i++) {
        struct timer *one = &timer[rng_below(&rng, COUNT)];

        switch (rng_below(&rng, 4)) {
        case 0:
        case 1:
            timers_set(&timers, one, now + rng_below(&rng, 200));
            break;
        case 2:
            timers_cancel(&timers, one);
            assert_int_equal(one->place, 0);
            break;
        default:
            now += rng_below(&rng, 4);
            while ((one = timers_pop(&timers, now)) != NULL) {
                assert_true(one->due <= now);
                assert_int_equal(one->place, 0);
            }
            assert_true(earliest(timer, COUNT) > now);
        }
        assert_true(timers_next(&timers) == earliest(timer, COUNT));
    }
    timers_fini(&timers);
}

static void test_all_come_in_order(void **state)
{
    struct timers timers;
    struct timer  timer[COUNT] = {0};
    msec_t        last         = -1;

    (void) state;
    timers_init(&timers);
    assert_true(timers_reserve(&timers, COUNT));
    for (int i = 0; i < COUNT; i++)
        timers_set(&timers, &timer[i], i * 37 % 50);
    for (int i = 0; i < COUNT; i++) {
        struct timer *one = timers_pop(&timers, 1000);

        assert_non_null(one);
        assert_true(one->due >= last);
        last = one->due;
    }
    assert_null(timers_pop(&timers, 1000));
    timers_fini(&timers);
}

static void test_no_memory_leaves_what_was_there(void **state)
{
    struct timers timers;
    struct timer  timer = {0};

    (void) state;
    timers_init(&timers);
    heap_fail_at(0);
    assert_false(timers_reserve(&timers, 1));
    assert_true(heap_restore());
    assert_true(timers_reserve(&timers, 1));
    timers_set(&timers, &timer, 7);
    heap_fail_at(0);
    assert_false(timers_reserve(&timers, 1000));
    heap_restore();
    assert_false(timers_reserve(&timers, SIZE_MAX));
    assert_int_equal(timers_next(&timers), 7);
    timers_fini(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_a_timer_is_due_at_its_time_not_before),
        cmocka_unit_test(test_random_use_agrees_with_a_search),
        cmocka_unit_test(test_all_come_in_order),
        cmocka_unit_test(test_no_memory_leaves_what_was_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
