/*
 * writing.h: a reply as world_reply.c and tests/sim write it, record by record, of names that are in wire form already.
 * It shares no code with what it tests. For messages that a test spells out by itself there is lib/packet.h.
 */
#ifndef LIB_WRITING_H
#define LIB_WRITING_H

#include "base/bytes.h"
#include "dns/message.h"

#include <string.h>

struct writing {
    uint8_t *out; /* has room for all of it */
    size_t   len;
    uint32_t ttl; /* of the records from here on */
    unsigned counts[3];
};

static inline void write_bytes(struct writing *w, const void *data, size_t len)
{
    memcpy(w->out + w->len, data, len);
    w->len += len;
}

static inline void write_u16(struct writing *w, unsigned value)
{
    put_u16(w->out + w->len, (uint16_t) value);
    w->len += 2;
}

static inline void write_u32(struct writing *w, uint32_t value)
{
    put_u32(w->out + w->len, value);
    w->len += 4;
}

/* The records are counted in the end, by write_counts(). */
static inline void write_header(struct writing *w, unsigned id, unsigned flags, bool question)
{
    write_u16(w, id);
    write_u16(w, flags);
    write_u16(w, question);
    write_bytes(w, "\0\0\0\0\0", 6);
}

static inline void write_question(struct writing *w, const struct question *question)
{
    write_bytes(w, question->name.data, question->name.len);
    write_u16(w, question->type);
    write_u16(w, question->class);
}

/* The record of `owner`, NULL: of the question's name, until end_record() is given what this returns. */
static inline size_t begin_record(struct writing *w, unsigned section, const struct view *owner, unsigned type)
{
    if (owner)
        write_bytes(w, owner->data, owner->len);
    else
        write_u16(w, 0xc000 | MESSAGE_HEADER); /* a pointer to it */
    write_u16(w, type);
    write_u16(w, CLASS_IN);
    write_u32(w, w->ttl);
    write_u16(w, 0);
    w->counts[section]++;
    return w->len;
}

static inline void end_record(struct writing *w, size_t at) { put_u16(w->out + at - 2, (uint16_t) (w->len - at)); }

static inline void write_counts(struct writing *w)
{
    for (unsigned i = 0; i < 3; i++)
        put_u16(w->out + 6 + 2 * i, (uint16_t) w->counts[i]);
}

#endif
