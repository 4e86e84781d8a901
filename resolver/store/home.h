/*
 * home.h: the state directory, held by one process and by that process alone. It is kept open; whether its path still
 * leads there is asked before something is built on that, for a directory that was moved away takes writes as well as
 * any. Knows the names of the files in it, not what they hold.
 *
 * Thread: keeper before the loop runs, then scribe.
 */
#ifndef STORE_HOME_H
#define STORE_HOME_H

#include "base/types.h"
#include "store/store.h"

struct home {
    int  directory;
    int  lock;   /* open file; -1: none, on a read-only file system */
    char path[]; /* ends with 0 */
};

/* Opens the directory, making it (0750) where it is missing, and locks it, and `lock` in it. Nothing is touched before
 * it is locked, and nothing at all in one that has files of others. Then what root has made there is given to `owner`,
 * where that is not NULL: the process will become that user. `ret_why` as in store_lock(), or NULL. */
int home_open(const char *path, const struct store_owner *owner, char *ret_why, struct home **ret);
/* Whether the process as it is now may do its work there. -errno, with `ret_why` as above. */
int home_check(const struct home *home, char *ret_why);
/* Says of a file in it, or of the directory (`name` NULL), why it cannot be used: whose it is, what it is, or just the
 * error. Returns -error. */
int home_explain(int directory, const char *path, const char *name, int error, char *ret_why);

/* Opens anew what the path leads to now, if that is another directory. -errno: it cannot be; the old one is kept. */
int home_find(struct home *home, bool *ret_moved);
/* True: the path leads to that open file. */
bool home_has(const struct home *home, const char *name, int file);
/* Frees the lock too, and the memory. */
void home_close(struct home *home);

#endif
