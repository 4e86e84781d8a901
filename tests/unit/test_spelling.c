/*
 * test_spelling.c: slips and how far they are off.
 */
#include "base/spelling.h"

#include "lib/check.h"

#include <string.h>

static void test_distance(void **state)
{
    static const struct {
        const char *a, *b;
        size_t      distance;
    } rows[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"listen", "listen", 0},
        {"lisen", "listen", 1},
        {"listenn", "listen", 1},
        {"lasten", "listen", 1},
        {"domesitc", "domestic", 1},
        {"odmestic", "domestic", 1},
        {"Min-TTL", "min_ttl", 0},
        {"kitten", "sitting", 3},
        {"ca", "abc", 3},
        {"external", "domestic", 7},
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(spelling_distance(rows[i].a, rows[i].b), rows[i].distance);
        assert_int_equal(spelling_distance(rows[i].b, rows[i].a), rows[i].distance);
    }
}

static void test_long_words(void **state)
{
    char word[66];
    (void) state;
    memset(word, 'a', sizeof(word));
    word[64] = '\0';
    assert_int_equal(spelling_distance(word, word), 0);
    assert_int_equal(spelling_distance(word, ""), 64);
    word[64] = 'a';
    word[65] = '\0';
    assert_true(spelling_distance(word, "a") == SIZE_MAX);
    assert_true(spelling_distance("a", word) == SIZE_MAX);
}

static void test_nearer(void **state)
{
    size_t best = SIZE_MAX;
    (void) state;
    assert_false(spelling_is_nearer("zone", "via", &best));
    assert_true(spelling_is_nearer("zonse", "stats", &best) == false);
    assert_true(spelling_is_nearer("zonse", "nose", &best));
    assert_int_equal(best, 2);
    assert_true(spelling_is_nearer("zonse", "zones", &best));
    assert_int_equal(best, 1);
    assert_false(spelling_is_nearer("zonse", "zone", &best)); /* as near, but later */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_nearer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
