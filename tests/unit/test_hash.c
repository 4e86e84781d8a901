/* test_hash.c: published values where there are any, and that every byte and the key count. */
#include "base/hash.h"

#include "lib/check.h"

#include <stdlib.h>
#include <string.h>

static const struct hash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

/* SipHash-1-3 of the bytes 0, 1, 2, … with the key 00 01 … 0f. */
static void test_siphash_values(void **state)
{
    static const uint64_t expected[] = {
        0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d, 0x8bf80ab8e7ddf7fb, 0xcf75576088d38328,
        0xdef9d52f49533b67, 0xc50d2b50c59f22a7, 0xd3927d989bb11140, 0x369095118d299a8e, 0x25a48eb36c063de4,
        0x79de85ee92ff097f, 0x70c118c1f94dc352, 0x78a384b157b4d9a2, 0x306f760c1229ffa7, 0x605aa111c0f95d34,
        0xd320d86d2a519956, 0xcc4fdd1a7d908b66, 0x9cf2689063dbd80c, 0x8ffc389cb473e63e, 0xf21f9de58d297d1c,
    };
    uint8_t bytes[sizeof(expected) / sizeof(expected[0])];

    (void) state;
    for (size_t len = 0; len < sizeof(bytes); len++) {
        bytes[len] = (uint8_t) len;
        assert_true(hash_bytes(key, bytes, len) == expected[len]);
    }
}

/* At every alignment, with nothing readable after the end. */
static void test_siphash_at_any_alignment(void **state)
{
    static const uint8_t bytes[] = "a.reasonably.long.domain.name.example";

    (void) state;
    for (size_t shift = 0; shift < 8; shift++) {
        uint8_t *copy = malloc(shift + sizeof(bytes));

        memcpy(copy + shift, bytes, sizeof(bytes));
        assert_true(hash_bytes(key, copy + shift, sizeof(bytes)) == hash_bytes(key, bytes, sizeof(bytes)));
        free(copy);
    }
    assert_true(hash_bytes(key, NULL, 0) == hash_bytes(key, bytes, 0));
    assert_true(hash_bytes((struct hash_key){1, 2}, bytes, 8) != hash_bytes((struct hash_key){2, 1}, bytes, 8));
}

/* RFC 3720, B.4, and the usual check value. */
static void test_crc32c_values(void **state)
{
    uint8_t bytes[32];

    (void) state;
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
    for (uint8_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = i;
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
    assert_int_equal(crc32c(0, NULL, 0), 0);
}

/* Every byte value, bit by bit with the polynomial. */
static void test_crc32c_of_each_byte(void **state)
{
    (void) state;
    for (unsigned value = 0; value < 256; value++) {
        uint8_t  byte = (uint8_t) value;
        uint32_t rest = 0xffffffff ^ value;
        for (int bit = 0; bit < 8; bit++)
            rest = rest & 1 ? rest >> 1 ^ 0x82f63b78 : rest >> 1;
        assert_int_equal(crc32c(0, &byte, 1), ~rest);
    }
}

static void test_crc32c_continues(void **state)
{
    static const char digits[] = "123456789";

    (void) state;
    for (size_t split = 0; split <= 9; split++)
        assert_int_equal(crc32c(crc32c(0, digits, split), digits + split, 9 - split), 0xe3069283);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_values),   cmocka_unit_test(test_siphash_at_any_alignment),
        cmocka_unit_test(test_crc32c_values),    cmocka_unit_test(test_crc32c_of_each_byte),
        cmocka_unit_test(test_crc32c_continues),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
