/*
 * bind.c: brings the control socket into the file system. Called once at the start, and by a reload that moves it.
 *
 * The socket is bound, gets its owner and mode, and only then listens: nobody can connect in between.
 */
#include "control/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 64
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

int control_bind(const char *path, gid_t gid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int                fd      = -1;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);

    int result = make_parent(path);
    if (result == 0)
        result = make_way(&address);
    if (result != 0)
        return result;

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *) &address, sizeof(address)) != 0)
        goto fail;
    if ((gid != (gid_t) -1 && chown(path, (uid_t) -1, gid) != 0) || chmod(path, 0660) != 0 ||
        listen(fd, BACKLOG) != 0) {
        int error = errno;
        unlink(path);
        errno = error;
        goto fail;
    }
    return fd;

fail:
    result = -errno;
    if (fd >= 0)
        close(fd);
    return result;
}
