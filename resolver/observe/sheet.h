/*
 * sheet.h: text that is written from its beginning to its end: one buffer that grows to a bound. Once something did not
 * find its place nothing is added any more, and that is said at the end, not at each step.
 *
 * Thread: pure.
 */
#ifndef OBSERVE_SHEET_H
#define OBSERVE_SHEET_H

#include <stdbool.h>
#include <stddef.h>

struct sheet {
    char  *text; /* on the heap; NULL: nothing was written */
    size_t len, cap;
    size_t most;   /* bytes; the caller sets it */
    bool   failed; /* no memory, or more than `most`: the text is not whole */
};

void sheet_put_bytes(struct sheet *sheet, const char *bytes, size_t len);
void sheet_put(struct sheet *sheet, const char *text);
/* As printf(), SHEET_FORMAT_MAX - 1 bytes at most. */
void sheet_format(struct sheet *sheet, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum {
    SHEET_FORMAT_MAX = 512
};

#endif
