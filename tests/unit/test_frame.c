/* Frames: whatever the pieces a stream comes in, the same messages come out. */
#include "dns/frame.h"

#include "base/bytes.h"
#include "lib/check.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t stream[] = "\0\3abc\0\0\0\1d\0\5efghi";

enum {
    STREAM_LEN = sizeof stream - 1
};

static void pieces_of_any_size_give_the_messages(void **state)
{
    static const char *const messages[] = {"abc", "", "d", "efghi"};

    (void) state;
    for (size_t piece = 1; piece <= STREAM_LEN; piece++) {
        struct frames frames;
        size_t        seen = 0;

        frames_init(&frames);
        for (size_t at = 0; at < STREAM_LEN; at += piece) {
            size_t      offset = 0;
            struct view message;

            assert_true(
                frames_feed(&frames, (struct view){stream + at, at + piece < STREAM_LEN ? piece : STREAM_LEN - at}));
            while (frames_next(&frames, &offset, &message)) {
                assert_true(seen < ARRAY_LEN(messages));
                assert_int_equal(message.len, strlen(messages[seen]));
                assert_memory_equal(message.data, messages[seen], message.len);
                seen++;
            }
            frames_drop(&frames, offset);
        }
        assert_int_equal(seen, ARRAY_LEN(messages));
        assert_null(frames.data); /* given back */
        frames_fini(&frames);
    }
}

static void the_largest_frame_passes(void **state)
{
    uint8_t      *bytes = calloc(1, 2 + 65535);
    struct frames frames;
    size_t        offset = 0;
    struct view   message;

    (void) state;
    frames_init(&frames);
    put_u16(bytes, 65535);
    assert_true(frames_feed(&frames, (struct view){NULL, 0}));
    assert_true(frames_feed(&frames, (struct view){bytes, 65536}));
    assert_false(frames_next(&frames, &offset, &message));
    assert_int_equal(offset, 0);
    frames_drop(&frames, offset);
    assert_true(frames_feed(&frames, (struct view){bytes + 65536, 1}));
    assert_true(frames_next(&frames, &offset, &message));
    assert_int_equal(message.len, 65535);
    assert_int_equal(offset, 65537);
    frames_fini(&frames);
    frames_fini(&frames);
    free(bytes);
}

/* A length alone buys a peer no memory. */
static void memory_follows_what_was_sent(void **state)
{
    struct frames frames;

    (void) state;
    frames_init(&frames);
    assert_true(frames_feed(&frames, (struct view){(const uint8_t *) "\xff\xff", 2}));
    assert_true(frames.cap <= 1024);
    frames_fini(&frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_any_size_give_the_messages),
        cmocka_unit_test(the_largest_frame_passes),
        cmocka_unit_test(memory_follows_what_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
