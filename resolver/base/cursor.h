/*
 * cursor.h: reading and writing bytes with an error that sticks.
 *
 * After the first read or write past the end `failed` is set and stays set, reads return zero and
 * writes do nothing; so a whole record is read or written first and checked once.
 *
 * Thread: pure.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/types.h"

struct cursor {
    struct view bytes; /* borrows */
    size_t      pos;   /* next byte to read; never past bytes.len */
    bool        failed;
};

struct writer {
    uint8_t *data; /* borrows */
    size_t   cap;
    size_t   pos; /* bytes written so far */
    bool     failed;
};

struct cursor cursor_over(struct view bytes);
uint8_t       cursor_u8(struct cursor *cursor);
uint16_t      cursor_u16(struct cursor *cursor);
uint32_t      cursor_u32(struct cursor *cursor);
uint64_t      cursor_u64(struct cursor *cursor);
/* The next `len` bytes, borrowed from the input; an empty view with data NULL on failure. */
struct view cursor_take(struct cursor *cursor, size_t len);
size_t      cursor_left(const struct cursor *cursor);

struct writer writer_over(uint8_t *data, size_t cap);
void          writer_u8(struct writer *writer, uint8_t value);
void          writer_u16(struct writer *writer, uint16_t value);
void          writer_u32(struct writer *writer, uint32_t value);
void          writer_u64(struct writer *writer, uint64_t value);
void          writer_bytes(struct writer *writer, const void *bytes, size_t len);

#endif
