/*
 * lock.c: see lock.h. A record lock, because the kernel frees it however the process ends, and names the holder.
 */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DIRECTORY_MODE = 0750,
    LOCK_MODE      = 0640,
};

static int take(int file, short type, int *ret_pid)
{
    struct flock wanted = {.l_type = type, .l_whence = SEEK_SET};

    if (fcntl(file, F_SETLK, &wanted) == 0)
        return 0;
    if (errno != EAGAIN && errno != EACCES)
        return -errno;
    if (fcntl(file, F_GETLK, &wanted) == 0 && wanted.l_type != F_UNLCK)
        *ret_pid = wanted.l_pid;
    return -EWOULDBLOCK;
}

int lock_directory(const char *path, int *ret_directory, int *ret_lock, int *ret_pid)
{
    short type = F_WRLCK;
    int   directory, lock, error = 0;

    *ret_pid = 0;
    if (mkdir(path, DIRECTORY_MODE) < 0 && errno != EEXIST && errno != EROFS)
        return -errno;
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return -errno;
    lock = openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOCK_MODE);
    if (lock < 0 && errno == EROFS) { /* what is there must still be read, and nobody can write */
        type = F_RDLCK;
        lock = openat(directory, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (lock < 0 && errno == ENOENT)
            goto out;
    }
    error = lock < 0 ? -errno : take(lock, type, ret_pid);
    if (error < 0) {
        if (lock >= 0)
            close(lock);
        close(directory);
        return error;
    }
out:
    *ret_directory = directory;
    *ret_lock      = lock;
    return 0;
}
