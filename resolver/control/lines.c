/*
 * lines.c: see lines.h.
 */
#include "control/lines.h"

#include <stdlib.h>
#include <string.h>

uint8_t *lines_room(struct lines *lines, size_t want)
{
    if (lines->cap - lines->len < want) {
        size_t   cap  = lines->cap < want ? 2 * want : 2 * lines->cap;
        uint8_t *data = realloc(lines->data, cap);
        if (!data)
            return NULL;
        lines->data = data;
        lines->cap  = cap;
    }
    return lines->data + lines->len;
}

void lines_add(struct lines *lines, size_t filled) { lines->len += filled; }

bool lines_next(struct lines *lines, bool ended, struct view *ret)
{
    if (lines->used == lines->len)
        return false;
    const uint8_t *start = lines->data + lines->used;
    const uint8_t *end   = memchr(lines->data + lines->scanned, '\n', lines->len - lines->scanned);

    lines->scanned = end ? (size_t) (end - lines->data) + 1 : lines->len;
    if (!end && !ended)
        return false;
    *ret        = (struct view){start, end ? (size_t) (end - start) : lines->len - lines->used};
    lines->used = lines->scanned;
    return true;
}

void lines_trim(struct lines *lines)
{
    if (lines->used == lines->len) {
        lines_clear(lines);
        return;
    }
    lines->len -= lines->used;
    lines->scanned -= lines->used;
    memmove(lines->data, lines->data + lines->used, lines->len);
    lines->used = 0;
}

size_t lines_unfinished(const struct lines *lines)
{
    return lines->scanned == lines->len ? lines->len - lines->used : 0;
}

void lines_clear(struct lines *lines)
{
    free(lines->data);
    *lines = (struct lines){0};
}
