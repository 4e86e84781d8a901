/*
 * maillog_find.c: see maillog_find.h. Wu and Manber's search: of the first TEXT_LEAST bytes of all texts each four
 * in a row say how far before their end they may stand; four bytes of the log that no text has skip eleven at once.
 * Nearly all of a log is passed over that way, at the speed of memory.
 */
#include "ctl/maillog_find.h"

#include <assert.h>
#include <string.h>

enum {
    TEXT_LEAST = 14, /* bytes of the shortest text */
    PIECE      = 4
};

static const char *const words[MAILLOG_KINDS] = {
    "",
#define MAILLOG_KIND(name, word) word,
#include "ctl/maillog_texts.def"
};

static const struct maillog_text texts[] = {
#define MAILLOG_TEXT(server, kind, place, mark, text)                                                                  \
    {#server, MAILLOG_##kind, MAILLOG_##place, mark, text, sizeof(mark) - 1, sizeof(text) - 1},
#include "ctl/maillog_texts.def"
};

_Static_assert(ARRAY_LEN(texts) < MAILLOG_TEXTS_MAX, "a row is a byte, and 0 is none");

static unsigned slot_of(const char *piece)
{
    uint32_t bytes;
    memcpy(&bytes, piece, PIECE);
    return bytes * 2654435761u >> 17;
}

_Static_assert(MAILLOG_SLOTS == 1 << (32 - 17), "slot_of() gives all slots and no other");

static void add_row(struct maillog_find *find, unsigned row)
{
    const char *text = maillog_find_text(row)->text;
    assert(maillog_find_text(row)->text_len >= TEXT_LEAST);
    for (unsigned at = 0; at + PIECE <= TEXT_LEAST; at++) {
        uint8_t *skip = &find->skip[slot_of(text + at)];
        uint8_t  left = (uint8_t) (TEXT_LEAST - PIECE - at);
        if (left < *skip)
            *skip = left;
    }
    uint8_t *last = &find->first[slot_of(text + TEXT_LEAST - PIECE)];
    while (*last)
        last = &find->next[*last];
    *last = (uint8_t) row;
}

void maillog_find_init(struct maillog_find *find)
{
    *find = (struct maillog_find){0};
    memset(find->skip, TEXT_LEAST - PIECE + 1, sizeof(find->skip));
    for (unsigned row = 1; row <= maillog_find_rows(); row++)
        add_row(find, row);
}

/* The first of these rows whose text stands at `at`. */
static unsigned match(const struct maillog_find *find, unsigned row, const char *at, const char *end)
{
    for (; row; row = find->next[row]) {
        const struct maillog_text *text = maillog_find_text(row);
        if ((size_t) (end - at) >= text->text_len && memcmp(at, text->text, text->text_len) == 0)
            return row;
    }
    return 0;
}

const char *maillog_find_next(const struct maillog_find *find, const char *from, const char *end, unsigned *ret_row)
{
    if (end - from < TEXT_LEAST)
        return NULL;
    const char *piece = from + TEXT_LEAST - PIECE, *last = end - PIECE;
    while (piece <= last) {
        unsigned slot = slot_of(piece);
        if (find->skip[slot] > 0) {
            piece += find->skip[slot];
            continue;
        }
        const char *at = piece - (TEXT_LEAST - PIECE);
        *ret_row       = match(find, find->first[slot], at, end);
        if (*ret_row)
            return at;
        piece++;
    }
    return NULL;
}

unsigned maillog_find_also(const struct maillog_find *find, const char *at, const char *end, unsigned row)
{
    return match(find, find->next[row], at, end);
}

unsigned maillog_find_rows(void) { return ARRAY_LEN(texts); }

const struct maillog_text *maillog_find_text(unsigned row)
{
    assert(row >= 1 && row <= ARRAY_LEN(texts));
    return &texts[row - 1];
}

const char *maillog_find_word(enum maillog_kind kind) { return words[kind]; }
