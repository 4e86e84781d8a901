/* test_supply.c: what an attempt leaves behind when it is refused memory: nothing, and what was there before. */
#include "base/supply.h"

#include "lib/check.h"
#include "lib/heap.h"

#include <jansson.h>
#include <string.h>

static void test_refusals_are_counted(void **state)
{
    (void) state;
    uint64_t before = supply_refusals();
    void    *memory = supply_take(100);
    assert_non_null(memory);
    assert_int_equal((uintptr_t) memory % _Alignof(max_align_t), 0);
    memset(memory, 1, 100);
    assert_int_equal(supply_refusals(), before);
    heap_fail_at(0);
    assert_null(supply_take(100));
    heap_restore();
    assert_null(supply_take(SIZE_MAX));
    assert_int_equal(supply_refusals(), before + 2);
    supply_give(memory);
    supply_give(NULL);
}

struct work {
    void *old, *new[3];
    int   steps;
};

/* Gives back one that was there before and one of its own. */
static void work(void *context)
{
    struct work *work = context;
    for (work->steps = 0; work->steps < 3; work->steps++) {
        work->new[work->steps] = supply_take(10);
        if (work->steps == 1) {
            supply_give(work->old);
            supply_give(work->new[0]);
            work->old = work->new[0] = NULL;
        }
    }
}

static void test_an_attempt_is_whole_or_nothing(void **state)
{
    (void) state;
    for (size_t nth = 0; nth <= 3; nth++) {
        struct work attempt = {.old = supply_take(10)};
        void       *other   = supply_take(10);
        heap_fail_at(nth);
        bool done = supply_attempt(work, &attempt);
        assert_int_equal(done, !heap_restore());
        assert_int_equal(attempt.steps, nth);
        if (nth < 2)
            supply_give(attempt.old);
        for (size_t i = 0; done && i < 3; i++)
            supply_give(attempt.new[i]);
        supply_give(other);
        heap_fail_at(0);
        assert_null(supply_take(1)); /* outside of one nobody jumps */
        heap_restore();
    }
}

struct parsing {
    const char *text;
    json_t     *made;
};

static void parse(void *context)
{
    struct parsing *parsing = context;
    parsing->made           = json_loads(parsing->text, 0, NULL);
}

/* What it is for: tokens that outgrow their buffer, of each kind. */
static void test_jansson_is_refused_anywhere(void **state)
{
    (void) state;
    struct parsing parsing = {"{\"a key of more than sixteen letters\": [\"a string of more than thirty-two letters\","
                              " 12345678901234567, 1234567890.1234567890, true, {}, []]}"};
    size_t         nth     = 0;
    json_set_alloc_funcs(supply_take, supply_give);
    for (bool refused = true; refused; nth++) {
        heap_fail_at(nth);
        bool made = supply_attempt(parse, &parsing);
        refused   = heap_restore();
        assert_int_equal(made, !refused);
    }
    assert_in_range(nth, 10, 1000);
    assert_int_equal(json_array_size(json_object_get(parsing.made, "a key of more than sixteen letters")), 6);
    json_decref(parsing.made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_are_counted),
        cmocka_unit_test(test_an_attempt_is_whole_or_nothing),
        cmocka_unit_test(test_jansson_is_refused_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
