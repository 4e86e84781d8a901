/*
 * cursor.c: bounds are checked here once, so that no parser compares lengths by hand. Knows no format.
 */
#include "base/cursor.h"

#include "base/bytes.h"

#include <string.h>

struct cursor cursor_over(struct view bytes) { return (struct cursor){.bytes = bytes}; }

size_t cursor_left(const struct cursor *cursor) { return cursor->bytes.len - cursor->pos; }

struct view cursor_take(struct cursor *cursor, size_t len)
{
    struct view taken = {0};
    if (cursor->failed || len > cursor_left(cursor)) {
        cursor->failed = true;
        return taken;
    }
    if (cursor->bytes.data)
        taken = (struct view){cursor->bytes.data + cursor->pos, len};
    cursor->pos += len;
    return taken;
}

uint8_t cursor_u8(struct cursor *cursor)
{
    struct view taken = cursor_take(cursor, 1);
    return taken.len == 1 ? taken.data[0] : 0;
}

uint16_t cursor_u16(struct cursor *cursor)
{
    struct view taken = cursor_take(cursor, 2);
    return taken.len == 2 ? get_u16(taken.data) : 0;
}

uint32_t cursor_u32(struct cursor *cursor)
{
    struct view taken = cursor_take(cursor, 4);
    return taken.len == 4 ? get_u32(taken.data) : 0;
}

uint64_t cursor_u64(struct cursor *cursor)
{
    struct view taken = cursor_take(cursor, 8);
    return taken.len == 8 ? get_u64(taken.data) : 0;
}

struct writer writer_over(uint8_t *data, size_t cap) { return (struct writer){.data = data, .cap = cap}; }

/* Room for `len` bytes, or NULL and the error sticks. */
static uint8_t *writer_claim(struct writer *writer, size_t len)
{
    if (writer->failed || len > writer->cap - writer->pos) {
        writer->failed = true;
        return NULL;
    }
    writer->pos += len;
    return writer->data + (writer->pos - len);
}

void writer_u8(struct writer *writer, uint8_t value)
{
    uint8_t *place = writer_claim(writer, 1);
    if (place)
        *place = value;
}

void writer_u16(struct writer *writer, uint16_t value)
{
    uint8_t *place = writer_claim(writer, 2);
    if (place)
        put_u16(place, value);
}

void writer_u32(struct writer *writer, uint32_t value)
{
    uint8_t *place = writer_claim(writer, 4);
    if (place)
        put_u32(place, value);
}

void writer_u64(struct writer *writer, uint64_t value)
{
    uint8_t *place = writer_claim(writer, 8);
    if (place)
        put_u64(place, value);
}

void writer_bytes(struct writer *writer, const void *bytes, size_t len)
{
    uint8_t *place = len > 0 ? writer_claim(writer, len) : NULL;
    if (place)
        memcpy(place, bytes, len);
}
