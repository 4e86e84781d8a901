/*
 * maillog_read.h: a log as blocks of whole lines, be it plain or packed by gzip. Knows nothing of what is in them.
 *
 * Thread: main.
 */
#ifndef CTL_MAILLOG_READ_H
#define CTL_MAILLOG_READ_H

#include "base/types.h"

enum {
    MAILLOG_WHY_MAX = 128
};

typedef void (*maillog_block_fn)(void *context, struct view block);

/* Reads `path` ("-": standard input) to its end, or to where it cannot be read, and gives it to each(). A line that is
 * longer than a block is given in part. False: `why` says what is wrong with it. */
bool maillog_read(const char *path, maillog_block_fn each, void *context, char why[MAILLOG_WHY_MAX]);

#endif
