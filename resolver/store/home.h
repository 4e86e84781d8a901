/*
 * home.h: the state directory, held by one process. It is kept open; whether its path still leads there is asked before
 * something is built on that, for a directory that was moved away takes writes as well as any. Knows one file of those
 * in it, `lock`. Used by store.c, and while the loop runs by scribe.c's thread alone.
 */
#ifndef STORE_HOME_H
#define STORE_HOME_H

#include "base/types.h"

struct home {
    int  directory;
    int  lock;   /* open file; -1: none, on a read-only file system */
    char path[]; /* ends with 0 */
};

/* Opens the directory, making it (0750) where it is missing, and locks it, and `lock` in it.
 * -EWOULDBLOCK: another process has it, *ret_pid where known; -errno. */
int home_open(const char *path, int *ret_pid, struct home **ret);
/* Opens anew what the path leads to now, if that is another directory. -errno: it cannot be; the old one is kept. */
int home_find(struct home *home, bool *ret_moved);
/* True: the path leads to that open file. */
bool home_has(const struct home *home, const char *name, int file);
/* Frees the lock too, and the memory. */
void home_close(struct home *home);

#endif
