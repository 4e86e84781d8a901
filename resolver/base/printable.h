/*
 * printable.h: text from elsewhere on its way to a log or a terminal, which obeys some characters, shows others in an
 * order of their own, and some not at all.
 *
 * Thread: pure.
 */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include "base/types.h"

/* Bytes of the character at `text`, which is a string, if it is valid UTF-8 (RFC 3629) and shows as itself; else 0:
 * control characters, DEL, what turns the direction of writing, what is invisible, and bytes that are no UTF-8. */
size_t printable_length(const char *text);

/* Whether the bytes are UTF-8 and have no NUL. */
bool printable_is_utf8(struct view bytes);

/* Copies `text` with every byte of what is not printable as \xHH, cut at a whole character where `cap` bytes, the NUL
 * among them, do not hold it: 4 * strlen + 1 always do. Returns `to`. */
const char *printable_copy(const char *text, char *to, size_t cap);

#endif
