/* test_units.c: rows of text and value, both ways. */
#include "base/units.h"

#include "lib/check.h"

static void test_durations_are_read(void **state)
{
    static const struct {
        const char *text;
        msec_t      value; /* -1: refused */
    } rows[] = {
        {"0ms", 0},
        {"0s", 0},
        {"250ms", 250},
        {"10s", 10000},
        {"5m", 300000},
        {"2h", 7200000},
        {"1d", 86400000},
        {"1w", 604800000},
        {"007s", 7000},
        {"9223372036854775806ms", MSEC_NEVER - 1},
        {"9223372036854775807ms", -1}, /* would be MSEC_NEVER */
        {"18446744073709551616ms", -1},
        {"18446744073709551617s", -1},
        {"9223372036854776s", -1},
        {"99999999999999999999999d", -1},
        {"", -1},
        {"0", -1},
        {"10", -1},
        {"s", -1},
        {"-1s", -1},
        {"+1s", -1},
        {" 1s", -1},
        {"1 s", -1},
        {"1s ", -1},
        {"1.5s", -1},
        {"1S", -1},
        {"1h30m", -1},
        {"1y", -1},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        msec_t value = -1;

        assert_int_equal(duration_parse(rows[i].text, &value), rows[i].value >= 0);
        assert_true(value == rows[i].value);
    }
}

static void test_durations_are_written(void **state)
{
    static const struct {
        msec_t      value;
        const char *text;
    } rows[] = {
        {0, "0ms"},        {1, "1ms"},        {1000, "1s"},    {1500, "1500ms"},
        {90000, "90s"},    {300000, "5m"},    {7200000, "2h"}, {86400000, "1d"},
        {604800000, "1w"}, {691200000, "8d"}, {-1000, "-1s"},  {MSEC_NEVER, "9223372036854775807ms"},
    };
    char text[DURATION_TEXT_MAX];

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(duration_format(rows[i].value, text), rows[i].text);
}

static void test_sizes_are_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t    value; /* 1: refused */
    } rows[] = {
        {"0B", 0},
        {"512B", 512},
        {"64KiB", 65536},
        {"64MiB", 67108864},
        {"2GiB", 2147483648},
        {"4611686018427387904B", UINT64_C(1) << 62},
        {"4294967296GiB", UINT64_C(1) << 62},
        {"4611686018427387905B", 1},
        {"4294967297GiB", 1},
        {"18446744073709551615GiB", 1},
        {"64", 1},
        {"64MB", 1},
        {"64M", 1},
        {"64mib", 1},
        {"-64MiB", 1},
        {"64 MiB", 1},
        {"MiB", 1},
        {"", 1},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t value = 1;

        assert_int_equal(size_parse(rows[i].text, &value), rows[i].value != 1);
        assert_true(value == rows[i].value);
    }
}

static void test_times_both_ways(void **state)
{
    static const struct {
        const char *text;
        wall_t      value;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59Z", -1},
        {"2000-02-29T12:00:00Z", 951825600},
        {"2026-01-31T12:00:00Z", 1769860800},
        {"2038-01-19T03:14:08Z", INT64_C(1) << 31},
        {"9999-12-31T23:59:59Z", 253402300799},
        {"0000-01-01T00:00:00Z", -62167219200},
    };
    char   text[TIME_TEXT_MAX];
    wall_t value;

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(time_format(rows[i].value, text), rows[i].text);
        assert_true(time_parse(rows[i].text, &value));
        assert_true(value == rows[i].value);
    }
    assert_string_equal(time_format(WALL_NEVER, text), "9999-12-31T23:59:59Z");
    assert_string_equal(time_format(INT64_MIN, text), "0000-01-01T00:00:00Z");
}

static void test_wrong_times_are_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "2026",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:00:60Z",
        "2026-1-31T12:00:00Z",
        "2026-01-31T12:00:00Zx",
        "2026-01-31T12:00:00+00:00",
        "+026-01-31T12:00:00Z",
        "2026-01--1T12:00:00Z",
        " 2026-01-31T12:00:00Z",
        "2026-01-31T12: 0:00Z",
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        wall_t value = 77;

        assert_false(time_parse(rows[i], &value));
        assert_true(value == 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations_are_read),      cmocka_unit_test(test_durations_are_written),
        cmocka_unit_test(test_sizes_are_read),          cmocka_unit_test(test_times_both_ways),
        cmocka_unit_test(test_wrong_times_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
