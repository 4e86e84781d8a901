/*
 * relax.c: see relax.h. Knows of JSON's syntax only where a string ends, and which byte came last that is neither blank
 * nor comment.
 */
#include "settings/relax.h"

#include <string.h>

#define NOWHERE SIZE_MAX

static bool is_line_end(char byte) { return byte == '\n' || byte == '\r'; }

/* Where the string that opens at `at` has ended, or `len`. */
static size_t behind_string(const char *text, size_t len, size_t at)
{
    for (at++; at < len && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    return at < len ? at + 1 : len;
}

static bool opens_comment(const char *text, size_t len, size_t at)
{
    return text[at] == '/' && at + 1 < len && (text[at + 1] == '/' || text[at + 1] == '*');
}

/* Where the comment that opens at `at` has ended; NOWHERE: it does not. */
static size_t behind_comment(const char *text, size_t len, size_t at)
{
    if (text[at + 1] == '/') {
        while (at < len && !is_line_end(text[at]))
            at++;
        return at;
    }
    for (at += 2; at + 1 < len; at++)
        if (text[at] == '*' && text[at + 1] == '/')
            return at + 2;
    return NOWHERE;
}

static void blank(char *text, size_t from, size_t to)
{
    for (; from < to; from++)
        if (!is_line_end(text[from]))
            text[from] = ' ';
}

bool relax(char *text, size_t len, size_t *ret_at)
{
    size_t at = 0, comma = NOWHERE; /* a comma behind a value, and nothing since */
    char   last = '\0';             /* neither blank nor comment */
    while (at < len) {
        char byte = text[at];
        if (opens_comment(text, len, at)) {
            size_t end = behind_comment(text, len, at);
            if (end == NOWHERE) {
                *ret_at = at;
                return false;
            }
            blank(text, at, end);
            at = end;
            continue;
        }
        if (memchr(" \t\r\n", byte, 4)) {
            at++;
            continue;
        }
        if ((byte == ']' || byte == '}') && comma != NOWHERE)
            text[comma] = ' ';
        comma = byte == ',' && !memchr("[{:,", last, 5) ? at : NOWHERE;
        last  = byte;
        at    = byte == '"' ? behind_string(text, len, at) : at + 1;
    }
    return true;
}
