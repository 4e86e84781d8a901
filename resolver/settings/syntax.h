/*
 * syntax.h: the text of the configuration as JSON, and what is wrong where it is none, in words for who wrote it.
 *
 * Thread: keeper.
 */
#ifndef SETTINGS_SYNTAX_H
#define SETTINGS_SYNTAX_H

#include "settings/reader.h"

/* The one object that the `len` bytes of `text`, which a NUL ends, must hold; the caller's. NULL: told why, as
 * "PATH:LINE:COLUMN: …", both from 1, columns in characters. What JSON does not have is blanked out in `text`
 * (relax.h). */
json_t *syntax_read(struct reader *reader, const char *path, char *text, size_t len);

#endif
