/* test_pool.c: pieces are whole and apart, and blocks go back. */
#include "base/pool.h"

#include "base/types.h"
#include "lib/check.h"
#include "lib/heap.h"

#include <stdalign.h>
#include <string.h>

enum {
    SIZE  = 1000,
    BLOCK = 128 << 10,
    EACH  = BLOCK / 1008, /* pieces of a block: a little less than this would be with no header */
    MANY  = 4 * EACH,
};

static uint8_t *pieces[MANY];

static void take(struct pool *pool, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        assert_non_null(pieces[i] = pool_take(pool));
}

static void give(struct pool *pool, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        pool_give(pool, pieces[i]);
}

static uintptr_t block_of(unsigned i) { return (uintptr_t) pieces[i] / BLOCK; }

/* Allocations that taking and giving so many costs. */
static size_t cost(struct pool *pool, unsigned count)
{
    size_t before = heap_count();
    take(pool, 0, count);
    give(pool, 0, count);
    return heap_count() - before;
}

static void test_pieces_are_apart(void **state)
{
    struct pool pool;

    (void) state;
    pool_init(&pool, SIZE - 1); /* an odd size */
    for (unsigned round = 0; round < 3; round++) {
        take(&pool, 0, MANY);
        for (unsigned i = 0; i < MANY; i++) {
            assert_int_equal((uintptr_t) pieces[i] % alignof(max_align_t), 0);
            memset(pieces[i], (int) (i % 251), SIZE - 1);
        }
        for (unsigned i = 0; i < MANY; i++)
            for (unsigned at = 0; at < SIZE - 1; at++)
                assert_int_equal(pieces[i][at], i % 251);
        for (unsigned i = round; i < MANY; i += 2) /* in another order each time */
            pool_give(&pool, pieces[i]);
        for (unsigned i = 0; i < MANY; i++)
            if (i < round || (i - round) % 2 == 1)
                pool_give(&pool, pieces[i]);
    }
    pool_fini(&pool);
}

static void test_a_burst_leaves_one_block(void **state)
{
    struct pool pool;

    (void) state;
    pool_init(&pool, SIZE);
    size_t first = cost(&pool, MANY);
    assert_in_range(first, MANY / EACH, MANY / EACH + 1);
    assert_int_equal(cost(&pool, MANY), first - 1);
    assert_int_equal(cost(&pool, EACH / 2), 0);
    pool_fini(&pool);
}

/* Nobody else's byte is in it, and it begins where anything may. */
static void test_every_size(void **state)
{
    (void) state;
    for (size_t size = sizeof(void *); size < 80; size++) {
        struct pool pool;
        uint8_t    *some[3];
        pool_init(&pool, size);
        for (unsigned i = 0; i < 3; i++) {
            some[i] = pool_take(&pool);
            assert_non_null(some[i]);
            assert_int_equal((uintptr_t) some[i] % alignof(max_align_t), 0);
            memset(some[i], (int) i, size);
        }
        for (unsigned i = 0; i < 3; i++)
            for (size_t at = 0; at < size; at++)
                assert_int_equal(some[i][at], i);
        for (unsigned i = 0; i < 3; i++)
            pool_give(&pool, some[i]);
        pool_fini(&pool);
    }
}

static void test_up_and_down_by_a_piece_costs_nothing(void **state)
{
    struct pool pool;

    (void) state;
    pool_init(&pool, SIZE);
    take(&pool, 0, 1);
    unsigned full = 1;
    do
        take(&pool, full, full + 1);
    while (block_of(full++) == block_of(0));
    size_t before = heap_count();
    for (unsigned i = 0; i < 10; i++) {
        give(&pool, full - 1, full);
        take(&pool, full - 1, full);
    }
    assert_int_equal(heap_count(), before);
    give(&pool, 0, full);
    pool_fini(&pool);
}

/* Else a block with a piece that lives long would be joined by ever more like it. */
static void test_the_oldest_block_is_filled_first(void **state)
{
    struct pool pool;

    (void) state;
    pool_init(&pool, SIZE);
    take(&pool, 0, MANY);
    give(&pool, 1, EACH / 2); /* of the first block */
    give(&pool, MANY / 2, MANY / 2 + EACH / 2);
    take(&pool, 1, EACH / 2);
    for (unsigned i = 1; i < EACH / 2; i++)
        assert_int_equal(block_of(i), block_of(0));
    give(&pool, 0, MANY / 2);
    give(&pool, MANY / 2 + EACH / 2, MANY);
    pool_fini(&pool);
}

static void test_no_memory(void **state)
{
    struct pool pool;

    (void) state;
    pool_init(&pool, SIZE);
    heap_fail_at(0);
    assert_null(pool_take(&pool));
    assert_true(heap_restore());
    take(&pool, 0, 1);
    heap_fail_all();
    take(&pool, 1, EACH / 2); /* there is room */
    heap_restore();
    give(&pool, 0, EACH / 2);
    pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_apart),
        cmocka_unit_test(test_a_burst_leaves_one_block),
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_up_and_down_by_a_piece_costs_nothing),
        cmocka_unit_test(test_the_oldest_block_is_filled_first),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
