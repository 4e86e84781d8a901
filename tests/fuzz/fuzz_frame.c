/* A byte stream: the first byte says how large its pieces are; the pieces give what the whole gives. */
#include "dns/frame.h"
#include "fuzz.h"

/* Sums what comes out, so that two ways can be compared. */
struct sum {
    size_t   messages;
    uint64_t bytes;
};

static void take(struct frames *frames, struct sum *sum)
{
    size_t      offset = 0;
    struct view message;

    while (frames_next(frames, &offset, &message)) {
        sum->messages++;
        for (size_t i = 0; i < message.len; i++)
            sum->bytes = sum->bytes * 31 + message.data[i];
    }
    CHECK(offset <= frames->len);
    frames_drop(frames, offset);
}

static struct sum feed(const uint8_t *data, size_t size, size_t piece)
{
    struct frames frames;
    struct sum    sum = {0};

    frames_init(&frames);
    for (size_t at = 0; at < size; at += piece) {
        CHECK(frames_feed(&frames, (struct view){data + at, size - at < piece ? size - at : piece}));
        take(&frames, &sum);
        CHECK(frames.len < 2 + 65535);
    }
    frames_fini(&frames);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sum pieces, whole;

    if (size < 2)
        return 0;
    pieces = feed(data + 1, size - 1, 1u + data[0]);
    whole  = feed(data + 1, size - 1, size - 1);
    CHECK(pieces.messages == whole.messages && pieces.bytes == whole.bytes);
    return 0;
}
