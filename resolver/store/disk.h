/*
 * disk.h: the few things done to files in the state directory. Every call may block for as long as the disk likes;
 * errors are -errno.
 *
 * Thread: keeper before the loop runs, then scribe.
 */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include "store/journal.h"

#define DISK_SNAPSHOT "snapshot"
#define DISK_JOURNAL "journal"

enum {
    DISK_NAME_MAX = 32
};

/* All of the file. *ret is the caller's to buffer_fini(). -EFBIG: larger than any state file of ours can be. */
int disk_read(int directory, const char *name, struct buffer *ret);
/* Writes all of `bytes` at `offset`. */
int disk_write(int file, struct view bytes, uint64_t offset);
/* Makes an empty NAME.tmp. */
int disk_create(int directory, const char *name, int *ret_file);
/* Closes and removes it: a full disk needs the room. */
void disk_discard(int directory, const char *name, int file);
/* Makes, writes and syncs NAME.tmp; on failure nothing is left of it. The open file is returned. */
int disk_prepare(int directory, const char *name, struct view bytes, int *ret_file);
/* Puts the prepared NAME.tmp in the place of NAME, and syncs the directory. After a failure either may be in place. */
int disk_commit(int directory, const char *name);
/* Keeps the file as NAME.bad-N, *ret_name, as well: it stays in its place until a new one is committed, so that what
 * is good in it survives a crash before that. A file that is not there is no error (*ret_name is then empty). */
int disk_set_aside(int directory, const char *name, char ret_name[DISK_NAME_MAX]);

#endif
