/*
 * bind.c: brings the control socket into the file system. Called once at the start, and by a reload that moves it.
 *
 * The socket comes into being with its mode and its group, and only then listens: nobody can connect in between.
 * Nothing is given away by its path, for root may have been told a directory in which somebody else can put a link
 * there.
 */
#include "control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 64,
    MODE    = 0660
};

/* 0: the path is free now. */
static int make_way(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode))
        return -ENOTSOCK;

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    /* Anything but a refusal (EAGAIN: its queue is full) means that somebody may be alive there. */
    int error = connect(fd, (const struct sockaddr *) address, sizeof(*address)) == 0 ? 0 : errno;
    close(fd);
    if (error != ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(address->sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

static int make_parent(const char *path)
{
    char        parent[sizeof(((struct sockaddr_un *) 0)->sun_path)];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return 0;
    snprintf(parent, sizeof(parent), "%.*s", (int) (slash - path), path);
    return mkdir(parent, 0755) == 0 || errno == EEXIST ? 0 : -errno;
}

int control_give(const char *path, gid_t gid)
{
    struct stat status;
    int         file   = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int         result = 0;
    if (file < 0 || fstat(file, &status) != 0)
        result = -errno;
    else if (!S_ISSOCK(status.st_mode) || status.st_nlink != 1)
        result = -EPERM;
    else if (status.st_gid != gid && fchownat(file, "", (uid_t) -1, gid, AT_EMPTY_PATH) != 0)
        result = -errno;
    if (file >= 0)
        close(file);
    return result;
}

/* What bind() makes has the mode of the socket, less the umask, and the group by which this thread makes files. The
 * umask is the whole process's; whatever else makes a file meanwhile says who may read it. */
static int bind_as(int fd, const struct sockaddr_un *address, gid_t gid)
{
    int    result = fchmod(fd, MODE) == 0 ? 0 : -errno;
    mode_t mask   = umask(0);
    gid_t  before = (gid_t) setfsgid(gid); /* (gid_t) -1 changes nothing, nor does one that we may not have */

    if (result == 0 && bind(fd, (const struct sockaddr *) address, sizeof(*address)) != 0)
        result = -errno;
    setfsgid(before);
    umask(mask);
    return result;
}

int control_bind(const char *path, gid_t gid, int *ret_given)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);

    int result = make_parent(path);
    if (result == 0)
        result = make_way(&address);
    if (result != 0)
        return result;

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    result = bind_as(fd, &address, gid);
    if (result == 0 && listen(fd, BACKLOG) != 0) {
        result = -errno;
        unlink(path);
    }
    if (result != 0) {
        close(fd);
        return result;
    }
    *ret_given = gid != (gid_t) -1 ? control_give(path, gid) : 0;
    return fd;
}
