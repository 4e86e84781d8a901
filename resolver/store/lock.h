/*
 * lock.h: one process to a state directory. Used by store.c.
 */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

/* Opens the directory, making it (0750) where it is missing, and takes the record lock on `lock` in it. Both files
 * are the caller's; closing *ret_lock frees the lock. On a read-only file system without a lock file *ret_lock is -1.
 * -EWOULDBLOCK: another process has it, *ret_pid where known; -errno. */
int lock_directory(const char *path, int *ret_directory, int *ret_lock, int *ret_pid);

#endif
