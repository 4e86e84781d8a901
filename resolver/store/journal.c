/*
 * journal.c: encodes and decodes state files. Knows no file, no zone and no clock.
 */
#include "store/journal.h"

#include "base/bytes.h"
#include "base/cursor.h"
#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t magic[5] = {'b', 'y', 'w', 'a', 'y'};

void buffer_fini(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

/* Room for `len` more bytes, already counted; NULL: no memory. */
static uint8_t *buffer_extend(struct buffer *buffer, size_t len)
{
    size_t   cap = buffer->cap > 0 ? buffer->cap : 512;
    uint8_t *data;
    while (cap - buffer->len < len)
        cap *= 2;
    if (cap != buffer->cap) {
        data = realloc(buffer->data, cap);
        if (!data)
            return NULL;
        buffer->data = data;
        buffer->cap  = cap;
    }
    buffer->len += len;
    return buffer->data + buffer->len - len;
}

bool buffer_take(struct buffer *buffer, struct buffer *more)
{
    uint8_t *place;
    if (buffer->len == 0) {
        buffer_fini(buffer);
        *buffer = *more;
        *more   = (struct buffer){0};
        return true;
    }
    if (more->len > 0) {
        place = buffer_extend(buffer, more->len);
        if (!place)
            return false;
        memcpy(place, more->data, more->len);
    }
    buffer_fini(more);
    return true;
}

static void header_encode(uint8_t header[JOURNAL_HEADER_BYTES], enum journal_kind kind, uint64_t generation)
{
    struct writer writer = writer_over(header, JOURNAL_HEADER_BYTES);
    writer_bytes(&writer, magic, sizeof(magic));
    writer_u8(&writer, (uint8_t) kind);
    writer_u16(&writer, JOURNAL_VERSION);
    writer_u64(&writer, generation);
    writer_u32(&writer, crc32c(0, header, writer.pos));
    assert(writer.pos == JOURNAL_HEADER_BYTES && !writer.failed);
}

/* The header's own checksum, with which those of its records begin. */
static uint32_t header_seed(const uint8_t header[JOURNAL_HEADER_BYTES])
{
    return get_u32(header + JOURNAL_HEADER_BYTES - 4);
}

bool journal_add_header(struct buffer *buffer, enum journal_kind kind, uint64_t generation)
{
    uint8_t *header = buffer_extend(buffer, JOURNAL_HEADER_BYTES);
    if (header)
        header_encode(header, kind, generation);
    return header != NULL;
}

static bool add_frame(struct buffer *buffer, struct view record)
{
    uint8_t *frame = buffer_extend(buffer, JOURNAL_FRAME_BYTES + record.len);
    if (!frame)
        return false;
    put_u32(frame, (uint32_t) record.len);
    put_u32(frame + 4, 0);
    if (record.len > 0)
        memcpy(frame + JOURNAL_FRAME_BYTES, record.data, record.len);
    return true;
}

bool journal_add_record(struct buffer *buffer, struct view record)
{
    assert(record.len > 0 && record.len <= JOURNAL_RECORD_MAX);
    return add_frame(buffer, record);
}

bool journal_add_end(struct buffer *buffer) { return add_frame(buffer, (struct view){0}); }

static uint32_t frame_checksum(uint32_t seed, const uint8_t *frame, size_t record_len)
{
    return crc32c(crc32c(seed, frame, 4), frame + JOURNAL_FRAME_BYTES, record_len);
}

void journal_seal(uint8_t *frames, size_t len, enum journal_kind kind, uint64_t generation)
{
    uint8_t  header[JOURNAL_HEADER_BYTES];
    uint32_t seed;
    header_encode(header, kind, generation);
    seed = header_seed(header);
    for (size_t pos = 0, record_len; pos < len; pos += JOURNAL_FRAME_BYTES + record_len) {
        record_len = get_u32(frames + pos);
        assert(len - pos >= JOURNAL_FRAME_BYTES + record_len);
        put_u32(frames + pos + 4, frame_checksum(seed, frames + pos, record_len));
    }
}

static enum journal_verdict header_decode(struct journal_reader *reader)
{
    struct cursor cursor  = cursor_over(reader->bytes);
    struct view   name    = cursor_take(&cursor, sizeof(magic));
    uint8_t       kind    = cursor_u8(&cursor);
    uint16_t      version = cursor_u16(&cursor);
    uint64_t      generation;
    uint32_t      sum, expected;
    if (cursor.failed)
        return JOURNAL_SHORT;
    if (memcmp(name.data, magic, sizeof(magic)) != 0 || kind != reader->kind)
        return JOURNAL_FOREIGN;
    if (version > JOURNAL_VERSION) /* before the checksum: another version may have another header */
        return JOURNAL_NEWER;
    generation = cursor_u64(&cursor);
    expected   = crc32c(0, reader->bytes.data, cursor.pos);
    sum        = cursor_u32(&cursor);
    if (cursor.failed)
        return JOURNAL_SHORT;
    if (sum != expected || version != JOURNAL_VERSION)
        return JOURNAL_DAMAGED;
    reader->generation = generation;
    reader->seed       = sum;
    reader->good       = cursor.pos;
    return JOURNAL_COMPLETE;
}

bool journal_open(struct journal_reader *reader, struct view bytes, enum journal_kind kind)
{
    *reader         = (struct journal_reader){.bytes = bytes, .kind = kind};
    reader->verdict = header_decode(reader);
    return reader->verdict == JOURNAL_COMPLETE;
}

/* The frame at `pos`, if a whole and intact one is there. */
static bool frame_read(const struct journal_reader *reader, size_t pos, struct view *ret_record)
{
    const uint8_t *frame = reader->bytes.data + pos;
    size_t         left  = reader->bytes.len - pos, len;
    if (left < JOURNAL_FRAME_BYTES)
        return false;
    len = get_u32(frame);
    if (len > JOURNAL_RECORD_MAX || len > left - JOURNAL_FRAME_BYTES ||
        get_u32(frame + 4) != frame_checksum(reader->seed, frame, len))
        return false;
    *ret_record = (struct view){frame + JOURNAL_FRAME_BYTES, len};
    return true;
}

/* What the bytes after `good` mean in a journal. A crash cuts the last records short; if an intact one follows, then
 * what lies between was whole once, and something else has damaged it. */
static enum journal_verdict rest_verdict(const struct journal_reader *reader)
{
    struct view record;
    for (size_t pos = reader->good + 1; pos < reader->bytes.len; pos++) {
        if (frame_read(reader, pos, &record))
            return JOURNAL_DAMAGED;
    }
    return JOURNAL_TORN;
}

bool journal_next(struct journal_reader *reader, struct view *ret_record)
{
    bool        snapshot = reader->kind == JOURNAL_KIND_SNAPSHOT;
    struct view record;
    if (reader->verdict != JOURNAL_COMPLETE)
        return false;
    if (reader->good == reader->bytes.len && !snapshot)
        return false;
    if (!frame_read(reader, reader->good, &record)) {
        reader->verdict = snapshot ? JOURNAL_DAMAGED : rest_verdict(reader);
        return false;
    }
    if (record.len == 0) { /* the end mark, good only as the last bytes of a snapshot */
        if (!snapshot || reader->good + JOURNAL_FRAME_BYTES != reader->bytes.len)
            reader->verdict = JOURNAL_DAMAGED;
        return false;
    }
    reader->good += JOURNAL_FRAME_BYTES + record.len;
    *ret_record = record;
    return true;
}

const char *journal_verdict_text(enum journal_verdict verdict)
{
    static const char *const texts[] = {
        [JOURNAL_COMPLETE] = "complete",        [JOURNAL_TORN] = "torn",
        [JOURNAL_SHORT] = "too short",          [JOURNAL_FOREIGN] = "not a file of this kind",
        [JOURNAL_NEWER] = "of a newer version", [JOURNAL_DAMAGED] = "damaged",
    };
    return texts[verdict];
}
