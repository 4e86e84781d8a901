/*
 * printable.c: see printable.h. Asks no locale: what a log holds must not depend on who reads it.
 */
#include "base/printable.h"

#include <stdio.h>
#include <string.h>

/* Those that print as nothing, or change how others print: the C1 controls, which terminals obey; soft hyphen; Arabic
 * letter mark; zero width and marks of direction; separators of lines, embeddings and overrides; isolates and
 * invisible operators; byte order mark; interlinear annotation; tags. */
static const struct range {
    uint32_t first, last;
} hidden[] = {
    {0x80, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
};

/* The length of the sequence at `p` by RFC 3629's table, and its code point; 0: none. */
static size_t decode(const unsigned char *p, uint32_t *ret)
{
    unsigned low = 0x80, high = 0xbf;
    size_t   len;
    if (p[0] < 0x80) {
        *ret = p[0];
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        len = 2;
    else if ((p[0] & 0xf0) == 0xe0)
        len = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    *ret = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *ret = *ret << 6 | (p[i] & 0x3f);
    }
    return len;
}

bool printable_is_utf8(struct view bytes)
{
    for (size_t i = 0, len; i < bytes.len; i += len) {
        unsigned char next[5] = ""; /* behind the end stands what continues nothing */
        uint32_t      point;
        memcpy(next, bytes.data + i, bytes.len - i < 4 ? bytes.len - i : 4);
        len = decode(next, &point);
        if (len == 0 || point == 0)
            return false;
    }
    return true;
}

size_t printable_length(const char *text)
{
    uint32_t point;
    size_t   len = decode((const unsigned char *) text, &point);
    if (len == 0 || point < ' ' || point == 0x7f)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
        if (point >= hidden[i].first && point <= hidden[i].last)
            return 0;
    return len;
}

const char *printable_copy(const char *text, char *to, size_t cap)
{
    size_t used = 0;
    while (*text != '\0') {
        char        escaped[8];
        size_t      len  = printable_length(text);
        const char *from = text;
        text += len > 0 ? len : 1;
        if (len == 0) {
            len  = (size_t) snprintf(escaped, sizeof(escaped), "\\x%02x", (unsigned char) *from);
            from = escaped;
        }
        if (len >= cap - used)
            break;
        memcpy(to + used, from, len);
        used += len;
    }
    to[used] = '\0';
    return to;
}
