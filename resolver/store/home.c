/*
 * home.c: see home.h. Two locks, both of which the kernel frees however the process ends. The directory's (flock) works
 * on a file system that is read-only, too: two that start there would else meet when it can be written again. The
 * record lock on `lock` (fcntl) names the holder, and is the one that counts where directories cannot be locked (NFS).
 */
#include "store/home.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DIRECTORY_MODE = 0750,
    LOCK_MODE      = 0640,
};

static int take_record(int file, short type)
{
    struct flock wanted = {.l_type = type, .l_whence = SEEK_SET};

    if (fcntl(file, F_SETLK, &wanted) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? -EWOULDBLOCK : -errno;
}

static int holder(int file)
{
    struct flock wanted = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return file >= 0 && fcntl(file, F_GETLK, &wanted) == 0 && wanted.l_type != F_UNLCK ? wanted.l_pid : 0;
}

/* *ret_lock is -1 where there is none, and none can be made. */
static int take_both(int directory, int *ret_lock, int *ret_pid)
{
    short type  = F_WRLCK;
    int   error = 0, lock = openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOCK_MODE);

    if (lock < 0 && errno == EROFS) { /* what is there must still be read */
        type = F_RDLCK;
        lock = openat(directory, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (lock < 0 && (type == F_WRLCK || errno != ENOENT))
        return -errno;
    if (lock >= 0)
        error = take_record(lock, type);
    if (error == 0 && flock(directory, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        error = -EWOULDBLOCK;
    if (error == -EWOULDBLOCK)
        *ret_pid = holder(lock);
    if (error < 0 && lock >= 0)
        close(lock);
    *ret_lock = lock;
    return error;
}

static int open_both(const char *path, int *ret_directory, int *ret_lock, int *ret_pid)
{
    int directory, error;

    if (mkdir(path, DIRECTORY_MODE) < 0 && errno != EEXIST && errno != EROFS)
        return -errno;
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return -errno;
    error = take_both(directory, ret_lock, ret_pid);
    if (error < 0)
        close(directory);
    else
        *ret_directory = directory;
    return error;
}

int home_open(const char *path, int *ret_pid, struct home **ret)
{
    size_t       size = strlen(path) + 1;
    struct home *home = malloc(sizeof(*home) + size);
    int          error;

    *ret_pid = 0;
    if (home == NULL)
        return -ENOMEM;
    memcpy(home->path, path, size);
    error = open_both(path, &home->directory, &home->lock, ret_pid);
    if (error < 0)
        free(home);
    else
        *ret = home;
    return error;
}

static bool is_file(int file, const struct stat *status)
{
    struct stat ours;

    return fstat(file, &ours) == 0 && ours.st_dev == status->st_dev && ours.st_ino == status->st_ino;
}

static void close_both(const struct home *home)
{
    close(home->directory);
    if (home->lock >= 0)
        close(home->lock);
}

int home_find(struct home *home, bool *ret_moved)
{
    struct stat status;
    int         directory = -1, lock = -1, pid, error;

    *ret_moved = false;
    if (stat(home->path, &status) == 0 && is_file(home->directory, &status))
        return 0;
    error = open_both(home->path, &directory, &lock, &pid);
    if (error < 0)
        return error;
    close_both(home);
    home->directory = directory;
    home->lock      = lock;
    *ret_moved      = true;
    return 0;
}

bool home_has(const struct home *home, const char *name, int file)
{
    struct stat status;
    char        path[PATH_MAX];

    return snprintf(path, sizeof(path), "%s/%s", home->path, name) < (int) sizeof(path) && stat(path, &status) == 0 &&
           is_file(file, &status);
}

void home_close(struct home *home)
{
    close_both(home);
    free(home);
}
