/* test_cursor.c: the error sticks, and nothing past the end is read or written. */
#include "base/cursor.h"

#include "base/bytes.h"
#include "lib/check.h"

#include <stdlib.h>
#include <string.h>

static void test_integers_are_big_endian(void **state)
{
    uint8_t       bytes[15];
    struct writer writer = writer_over(bytes, sizeof(bytes));
    struct cursor cursor;

    (void) state;
    writer_u8(&writer, 0x01);
    writer_u16(&writer, 0x0203);
    writer_u32(&writer, 0x04050607);
    writer_u64(&writer, 0x08090a0b0c0d0e0f);
    assert_false(writer.failed);
    assert_int_equal(writer.pos, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        assert_int_equal(bytes[i], i + 1);

    cursor = cursor_over((struct view){bytes, sizeof(bytes)});
    assert_int_equal(cursor_u8(&cursor), 0x01);
    assert_int_equal(cursor_u16(&cursor), 0x0203);
    assert_int_equal(cursor_u32(&cursor), 0x04050607);
    assert_int_equal(cursor_u64(&cursor), 0x08090a0b0c0d0e0f);
    assert_int_equal(cursor_left(&cursor), 0);
    assert_false(cursor.failed);
}

/* The input lies at the very end of its allocation, so that the sanitizer sees a byte too many. */
static void test_reads_stop_at_every_length(void **state)
{
    (void) state;
    for (size_t len = 0; len < 15; len++) {
        uint8_t      *bytes  = malloc(len + 1);
        struct cursor cursor = cursor_over((struct view){bytes + 1, len});

        memset(bytes, 0xff, len + 1);
        cursor_u8(&cursor);
        cursor_u16(&cursor);
        cursor_u32(&cursor);
        cursor_u64(&cursor);
        assert_true(cursor.failed);
        assert_true(cursor.pos <= len);
        assert_int_equal(cursor_u8(&cursor), 0);
        assert_int_equal(cursor_u16(&cursor), 0);
        assert_int_equal(cursor_u32(&cursor), 0);
        assert_int_equal(cursor_u64(&cursor), 0);
        assert_null(cursor_take(&cursor, 0).data);
        free(bytes);
    }
}

static void test_take_borrows(void **state)
{
    const uint8_t bytes[4] = {1, 2, 3, 4};
    struct cursor cursor   = cursor_over((struct view){bytes, sizeof(bytes)});
    struct view   taken;

    (void) state;
    taken = cursor_take(&cursor, 3);
    assert_ptr_equal(taken.data, bytes);
    assert_int_equal(taken.len, 3);
    taken = cursor_take(&cursor, SIZE_MAX);
    assert_null(taken.data);
    assert_int_equal(taken.len, 0);
    assert_true(cursor.failed);
    assert_int_equal(cursor_u8(&cursor), 0);
}

static void test_an_empty_input_reads_nothing(void **state)
{
    struct cursor cursor = cursor_over((struct view){NULL, 0});

    (void) state;
    assert_int_equal(cursor_take(&cursor, 0).len, 0);
    assert_false(cursor.failed);
    assert_int_equal(cursor_u8(&cursor), 0);
    assert_true(cursor.failed);
}

static void test_writes_stop_at_every_length(void **state)
{
    (void) state;
    for (size_t cap = 0; cap < 18; cap++) {
        uint8_t      *bytes  = malloc(cap + 1);
        struct writer writer = writer_over(bytes + 1, cap);
        size_t        pos;

        writer_u8(&writer, 1);
        writer_u16(&writer, 2);
        writer_u32(&writer, 3);
        writer_u64(&writer, 4);
        writer_bytes(&writer, "abc", 3);
        assert_true(writer.failed);
        assert_true(writer.pos <= cap);
        pos = writer.pos;
        writer_bytes(&writer, NULL, 0);
        writer_u8(&writer, 1);
        assert_int_equal(writer.pos, pos);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_are_big_endian),
        cmocka_unit_test(test_reads_stop_at_every_length),
        cmocka_unit_test(test_take_borrows),
        cmocka_unit_test(test_an_empty_input_reads_nothing),
        cmocka_unit_test(test_writes_stop_at_every_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
