/*
 * source.h: a whole text file in memory: the configuration, a preset, resolv.conf.
 *
 * Thread: keeper.
 */
#ifndef SETTINGS_SOURCE_H
#define SETTINGS_SOURCE_H

#include "base/types.h"

enum {
    SOURCE_PROBLEM_MAX = 160 /* bytes, the NUL among them */
};

/* The file's text, ended by a NUL that *ret_len does not count; the caller frees it. NULL: ret_problem says why, and
 * errno is ENOENT if there is no such file. What is not a regular file or has over 16 MiB is refused; a FIFO does not
 * make it wait. */
char *source_read(const char *path, size_t *ret_len, char ret_problem[SOURCE_PROBLEM_MAX]);

/* The next line of *text with blanks at both ends cut off, *text moved behind it; NULL at the end. Changes the text. */
char *source_line(char **text);

#endif
