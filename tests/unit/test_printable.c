/*
 * test_printable.c: what reaches a terminal as it is, and what as \xHH.
 */
#include "base/printable.h"

#include "base/types.h"
#include "lib/check.h"

#include <string.h>

static const struct row {
    const char *text, *shown;
} rows[] = {
    {"", ""},
    {"plain ~ text", "plain ~ text"},
    {"b\xc3\xbc"
     "cher \xe4\xb8\xad \xf0\x9f\x93\xac \xee\x80\x80",
     "b\xc3\xbc"
     "cher \xe4\xb8\xad \xf0\x9f\x93\xac \xee\x80\x80"},
    {"a\tb\n\x1b[2J\x7f", "a\\x09b\\x0a\\x1b[2J\\x7f"},
    /* C1: U+009B begins a command as ESC [ does, alone it is a byte that is no UTF-8 */
    {"\xc2\x9b"
     "2J",
     "\\xc2\\x9b2J"},
    {"\x9b"
     "2J",
     "\\x9b2J"},
    {"\xc2\x80\xc2\x9f\xc2\xa0", "\\xc2\\x80\\xc2\\x9f\xc2\xa0"},
    /* overrides and isolates of direction, and its marks */
    {"\xe2\x80\xae"
     "gro.elpmaxe",
     "\\xe2\\x80\\xaegro.elpmaxe"},
    {"\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\x8e\xd8\x9c", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9\\xe2\\x80\\x8e\\xd8\\x9c"},
    /* invisible: zero width, byte order mark, soft hyphen, tag */
    {"\xe2\x80\x8b\xef\xbb\xbf\xc2\xad\xf3\xa0\x81\xa1",
     "\\xe2\\x80\\x8b\\xef\\xbb\\xbf\\xc2\\xad\\xf3\\xa0\\x81\\xa1"},
    {"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaf", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9\xe2\x80\xaf"},
    /* no UTF-8: cut off, overlong, a surrogate, beyond U+10FFFF, a tail alone */
    {"\xc3", "\\xc3"},
    {"\xe4\xb8", "\\xe4\\xb8"},
    {"\xc0\xaf\xe0\x80\xaf", "\\xc0\\xaf\\xe0\\x80\\xaf"},
    {"\xed\xa0\x80\xf4\x90\x80\x80\xff", "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xff"},
    {"\xbf", "\\xbf"},
};

static void test_rows(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char to[128];
        assert_ptr_equal(printable_copy(rows[i].text, to, 4 * strlen(rows[i].text) + 1), to);
        assert_string_equal(to, rows[i].shown);
        assert_string_equal(printable_copy(rows[i].shown, to, sizeof(to)), rows[i].shown);
    }
}

static size_t length_of(uint32_t point) { return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4; }

static void encode(uint32_t point, size_t len, char to[5])
{
    memset(to, 0, 5);
    for (size_t i = len - 1; i > 0; i--, point >>= 6)
        to[i] = (char) (0x80 | (point & 0x3f));
    to[0] = (char) (len == 1 ? point : (0xf00u >> len & 0xff) | point);
}

/* RFC 3629 by another road: the shortest form of a point is one character, but for those that print as nothing. */
static void test_every_point(void **state)
{
    static const uint32_t hidden[][2] = {
        {1, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x200b, 0x200f},   {0x2028, 0x202e},
        {0x2060, 0x206f}, {0xd800, 0xdfff}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };
    size_t next = 0;
    (void) state;
    for (uint32_t point = 1; point < 0x110000; point++) {
        char   to[5];
        size_t len = length_of(point);
        encode(point, len, to);
        if (next < ARRAY_LEN(hidden) && point > hidden[next][1])
            next++;
        if (next < ARRAY_LEN(hidden) && point >= hidden[next][0])
            len = 0;
        if (printable_length(to) != len)
            fail_msg("U+%04X: %zu bytes, not %zu", point, printable_length(to), len);
    }
}

/* Longer forms than need be, and what lies beyond Unicode. */
static void test_no_points(void **state)
{
    static const uint32_t room[] = {0, 0x80, 0x800, 0x10000, 0x200000}; /* by length: what fits */
    char                  to[5];
    (void) state;
    for (size_t len = 2; len <= 4; len++)
        for (uint32_t point = 0; point < room[len]; point++) {
            encode(point, len, to);
            if ((length_of(point) < len || point > 0x10ffff) && printable_length(to) != 0)
                fail_msg("0x%x in %zu bytes", point, len);
        }
}

/* Whatever the room is: nothing beyond it, and no character in pieces. */
static void test_cut(void **state)
{
    static const char        text[]  = "a\x01\xc3\xbcz";
    static const char *const whole[] = {"a", "a\\x01", "a\\x01\xc3\xbc", "a\\x01\xc3\xbcz"};
    (void) state;
    for (size_t cap = 1; cap < 12; cap++) {
        char        to[16];
        const char *expected = "";
        memset(to, '#', sizeof(to));
        for (size_t i = 0; i < ARRAY_LEN(whole); i++)
            if (strlen(whole[i]) < cap)
                expected = whole[i];
        assert_string_equal(printable_copy(text, to, cap), expected);
        for (size_t i = cap; i < sizeof(to); i++)
            assert_int_equal(to[i], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_every_point),
        cmocka_unit_test(test_no_points),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
