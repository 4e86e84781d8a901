/*
 * disk.c: see disk.h. Knows nothing of what the bytes mean.
 */
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_MODE     = 0640,
    SET_ASIDE_MAX = 9, /* older ones stay, the last gives way: the first damage tells the most */
};

/* Bytes. Ten million zones, the most that learning.max_zones allows, with the longest names, notes and histories need
 * a fifth of that, and as much for a journal: what is larger is none of ours, and not to be read into memory. */
#define FILE_MAX ((off_t) 1 << 36)

int disk_read(int directory, const char *name, struct buffer *ret)
{
    struct buffer bytes = {0};
    struct stat   status;
    int           error = 0;
    int           file  = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0)
        return -errno;
    if (fstat(file, &status) < 0)
        error = -errno;
    else if (!S_ISREG(status.st_mode))
        error = -EINVAL;
    else if (status.st_size > FILE_MAX)
        error = -EFBIG;
    if (error < 0)
        goto out;
    bytes.cap  = (size_t) status.st_size + 1; /* never malloc(0) */
    bytes.data = malloc(bytes.cap);
    if (!bytes.data) {
        error = -ENOMEM;
        goto out;
    }
    while (bytes.len < (size_t) status.st_size) {
        ssize_t got = read(file, bytes.data + bytes.len, (size_t) status.st_size - bytes.len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            error = -errno;
        if (got <= 0)
            break;
        bytes.len += (size_t) got;
    }
out:
    close(file);
    if (error < 0)
        buffer_fini(&bytes);
    *ret = bytes;
    return error;
}

int disk_write(int file, struct view bytes, uint64_t offset)
{
    while (bytes.len > 0) {
        ssize_t done = pwrite(file, bytes.data, bytes.len, (off_t) offset);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        bytes.data += done;
        bytes.len -= (size_t) done;
        offset += (uint64_t) done;
    }
    return 0;
}

int disk_create(int directory, const char *name, int *ret_file)
{
    static const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
    char             temporary[DISK_NAME_MAX];
    int              error;

    snprintf(temporary, sizeof(temporary), "%s.tmp", name);
    *ret_file = openat(directory, temporary, flags, FILE_MODE);
    error     = *ret_file < 0 ? -errno : 0;
    if (error == -EACCES && unlinkat(directory, temporary, 0) == 0) { /* another user's, from before */
        *ret_file = openat(directory, temporary, flags, FILE_MODE);
        error     = *ret_file < 0 ? -errno : 0;
    }
    return error;
}

void disk_discard(int directory, const char *name, int file)
{
    char temporary[DISK_NAME_MAX];
    snprintf(temporary, sizeof(temporary), "%s.tmp", name);
    close(file);
    unlinkat(directory, temporary, 0);
}

int disk_prepare(int directory, const char *name, struct view bytes, int *ret_file)
{
    int file;
    int error = disk_create(directory, name, &file);
    if (error < 0)
        return error;
    error = disk_write(file, bytes, 0);
    if (error == 0 && fsync(file) < 0)
        error = -errno;
    if (error < 0)
        disk_discard(directory, name, file);
    else
        *ret_file = file;
    return error;
}

int disk_commit(int directory, const char *name)
{
    char temporary[DISK_NAME_MAX];
    snprintf(temporary, sizeof(temporary), "%s.tmp", name);
    if (renameat(directory, temporary, directory, name) < 0 || fsync(directory) < 0)
        return -errno;
    return 0;
}

static bool same_file(int directory, const char *a, const char *b)
{
    struct stat one, other;
    return fstatat(directory, a, &one, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(directory, b, &other, AT_SYMLINK_NOFOLLOW) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

int disk_set_aside(int directory, const char *name, char ret_name[DISK_NAME_MAX])
{
    struct stat status;
    int         n = 0, error;
    ret_name[0]   = '\0';
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    do {
        snprintf(ret_name, DISK_NAME_MAX, "%s.bad-%d", name, ++n);
        if (same_file(directory, name, ret_name)) /* by an earlier start that did not live to replace it */
            return 0;
        if (n == SET_ASIDE_MAX)
            unlinkat(directory, ret_name, 0);
        error = linkat(directory, name, directory, ret_name, 0) < 0 ? -errno : 0;
    } while (error == -EEXIST && n < SET_ASIDE_MAX);
    /* A file system without hard links, or a directory in the file's place. */
    if (error < 0 && error != -EROFS && error != -EEXIST)
        error = renameat(directory, name, directory, ret_name) < 0 ? -errno : 0;
    if (error < 0)
        ret_name[0] = '\0';
    return error;
}
