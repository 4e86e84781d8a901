/* test_rng.c: the published keystream, however it is drawn, and evenness. */
#include "base/rng.h"

#include "lib/check.h"

/* RFC 8439, A.1, vectors 1 and 2: key and nonce zero, blocks 0 and 1. */
static const uint8_t zero_key_stream[128] = {
    0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28, 0xbd, 0xd2, 0x19,
    0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36, 0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7, 0xda, 0x41, 0x59, 0x7c, 0x51, 0x57,
    0x48, 0x8d, 0x77, 0x24, 0xe0, 0x3f, 0xb8, 0xd8, 0x4a, 0x37, 0x6a, 0x43, 0xb8, 0xf4, 0x15, 0x18, 0xa1, 0x1c, 0xc3,
    0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86, 0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a, 0x98, 0xba, 0x97, 0x7c,
    0x73, 0x2d, 0x08, 0x0d, 0xcb, 0x0f, 0x29, 0xa0, 0x48, 0xe3, 0x65, 0x69, 0x12, 0xc6, 0x53, 0x3e, 0x32, 0xee, 0x7a,
    0xed, 0x29, 0xb7, 0x21, 0x76, 0x9c, 0xe6, 0x4e, 0x43, 0xd5, 0x71, 0x33, 0xb0, 0x74, 0xd8, 0x39, 0xd5, 0x31, 0xed,
    0x1f, 0x28, 0x51, 0x0a, 0xfb, 0x45, 0xac, 0xe1, 0x0a, 0x1f, 0x4b, 0x79, 0x4d, 0x6f,
};

static const uint8_t zero[RNG_SEED_BYTES];

static void test_published_keystream_in_any_portions(void **state)
{
    (void) state;
    for (size_t portion = 1; portion <= sizeof(zero_key_stream); portion++) {
        struct rng rng;
        uint8_t    out[sizeof(zero_key_stream)];

        rng_init(&rng, zero);
        for (size_t done = 0; done < sizeof(out); done += portion)
            rng_fill(&rng, out + done, portion < sizeof(out) - done ? portion : sizeof(out) - done);
        assert_memory_equal(out, zero_key_stream, sizeof(out));
    }
}

/* RFC 8439, A.1, vector 3: the last key byte 1, block 1. */
static void test_the_seed_is_the_key(void **state)
{
    static const uint8_t expected[8]          = {0x3a, 0xeb, 0x52, 0x24, 0xec, 0xf8, 0x49, 0x92};
    uint8_t              seed[RNG_SEED_BYTES] = {[31] = 1}, out[64 + sizeof(expected)];
    struct rng           rng;

    (void) state;
    rng_init(&rng, seed);
    rng_fill(&rng, out, sizeof(out));
    assert_memory_equal(out + 64, expected, sizeof(expected));
}

static void test_every_byte_of_the_seed_counts(void **state)
{
    (void) state;
    for (size_t i = 0; i < RNG_SEED_BYTES; i++) {
        uint8_t    seed[RNG_SEED_BYTES] = {0}, out[16];
        struct rng rng;

        seed[i] = 1;
        rng_init(&rng, seed);
        rng_fill(&rng, out, sizeof(out));
        assert_memory_not_equal(out, zero_key_stream, sizeof(out));
    }
}

static void test_the_counter_carries(void **state)
{
    struct rng rng;
    uint8_t    first[64], next[64];

    (void) state;
    rng_init(&rng, zero);
    rng_fill(&rng, first, sizeof(first));
    rng.state[12] = UINT32_MAX;
    rng_fill(&rng, next, sizeof(next));
    assert_int_equal(rng.state[12], 0);
    assert_int_equal(rng.state[13], 1);
    rng_fill(&rng, next, sizeof(next));
    assert_memory_not_equal(first, next, sizeof(next));
}

/* A number is what rng_fill() would have given, byte for byte. */
static void test_numbers_are_of_the_keystream(void **state)
{
    struct rng rng;
    uint64_t   eight;
    uint32_t   four;
    uint16_t   two;

    (void) state;
    rng_init(&rng, zero);
    eight = rng_u64(&rng);
    four  = rng_u32(&rng);
    two   = rng_u16(&rng);
    assert_memory_equal(&eight, zero_key_stream, sizeof(eight));
    assert_memory_equal(&four, zero_key_stream + 8, sizeof(four));
    assert_memory_equal(&two, zero_key_stream + 12, sizeof(two));
}

static void test_below_is_even_and_below(void **state)
{
    static const uint32_t bounds[] = {1, 2, 3, 10, 1000};
    struct rng            rng;

    (void) state;
    rng_init(&rng, zero);
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        unsigned seen[1000] = {0};
        unsigned draws      = bounds[i] * 1000;

        for (unsigned n = 0; n < draws; n++) {
            uint32_t value = rng_below(&rng, bounds[i]);

            assert_true(value < bounds[i]);
            seen[value]++;
        }
        for (uint32_t value = 0; value < bounds[i]; value++) /* six standard deviations of about 32 */
            assert_in_range(seen[value], 800, 1200);
    }
    for (int n = 0; n < 1000; n++)
        assert_true(rng_below(&rng, UINT32_MAX) < UINT32_MAX);
}

static void test_same_seed_same_values(void **state)
{
    struct rng a, b;

    (void) state;
    rng_init(&a, zero);
    rng_init(&b, zero);
    for (int n = 0; n < 100; n++) {
        assert_int_equal(rng_u16(&a), rng_u16(&b));
        assert_int_equal(rng_u32(&a), rng_u32(&b));
        assert_true(rng_u64(&a) == rng_u64(&b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_keystream_in_any_portions),
        cmocka_unit_test(test_the_seed_is_the_key),
        cmocka_unit_test(test_every_byte_of_the_seed_counts),
        cmocka_unit_test(test_the_counter_carries),
        cmocka_unit_test(test_numbers_are_of_the_keystream),
        cmocka_unit_test(test_below_is_even_and_below),
        cmocka_unit_test(test_same_seed_same_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
