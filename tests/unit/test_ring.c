/* test_ring.c: order, fullness, and two threads; build with -Db_sanitize=thread to check the memory order. */
#include "base/ring.h"

#include "lib/check.h"
#include "lib/heap.h"

#include <pthread.h>
#include <sched.h>

static void test_first_in_first_out(void **state)
{
    struct ring *ring = ring_create(3, 4); /* an odd size: slots are not aligned */
    uint8_t      out[3];

    (void) state;
    assert_non_null(ring);
    assert_false(ring_pop(ring, out));
    for (uint8_t round = 0; round < 10; round++) {
        for (uint8_t i = 0; i < 4; i++)
            assert_true(ring_push(ring, (uint8_t[]){round, i, (uint8_t) (round ^ i)}));
        assert_false(ring_push(ring, (uint8_t[]){9, 9, 9}));
        for (uint8_t i = 0; i < 4; i++) {
            assert_true(ring_pop(ring, out));
            assert_int_equal(out[0], round);
            assert_int_equal(out[1], i);
            assert_int_equal(out[2], round ^ i);
        }
        assert_false(ring_pop(ring, out));
    }
    ring_destroy(ring);
    ring_destroy(NULL);
}

static void test_one_slot(void **state)
{
    struct ring *ring = ring_create(sizeof(int), 1);
    int          out;

    (void) state;
    for (int i = 0; i < 3; i++) {
        assert_true(ring_push(ring, &i));
        assert_false(ring_push(ring, &i));
        assert_true(ring_pop(ring, &out));
        assert_int_equal(out, i);
        assert_false(ring_pop(ring, &out));
    }
    ring_destroy(ring);
}

static void test_no_memory(void **state)
{
    (void) state;
    heap_fail_at(0);
    assert_null(ring_create(8, 8));
    assert_true(heap_restore());
    assert_null(ring_create(SIZE_MAX / 2, 8));
}

struct record {
    uint64_t number;
    uint64_t check[4]; /* a torn record shows */
};

enum {
    RECORDS = 200000
};

static void *produce(void *context)
{
    struct ring *ring = context;

    for (uint64_t i = 0; i < RECORDS; i++) {
        struct record record = {i, {~i, i * 3, i * 5, i * 7}};

        while (!ring_push(ring, &record))
            sched_yield();
    }
    return NULL;
}

static void test_two_threads(void **state)
{
    struct ring *ring = ring_create(sizeof(struct record), 64);
    pthread_t    producer;

    (void) state;
    assert_int_equal(pthread_create(&producer, NULL, produce, ring), 0);
    for (uint64_t i = 0; i < RECORDS; i++) {
        struct record record;

        while (!ring_pop(ring, &record))
            sched_yield();
        assert_true(record.number == i && record.check[0] == ~i && record.check[1] == i * 3 &&
                    record.check[2] == i * 5 && record.check[3] == i * 7);
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_in_first_out),
        cmocka_unit_test(test_one_slot),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_two_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
