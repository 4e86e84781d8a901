#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int socket_open(const struct address *address, int type)
{
    int fd = socket(address->any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (address->any.sa_family == AF_INET6) {
        int error = socket_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        if (error < 0) {
            close(fd);
            return error;
        }
    }
    return fd;
}

static int get(int fd, int option)
{
    int       value;
    socklen_t len = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -errno : value;
}

/* A peer is what a UDP socket has that was left. */
static bool listens(int fd, int type)
{
    struct address peer = {.len = sizeof(peer.in6)};
    return type == SOCK_STREAM ? get(fd, SO_ACCEPTCONN) == 1
                               : type == SOCK_DGRAM && getpeername(fd, &peer.any, &peer.len) < 0;
}

int socket_adopt(int fd, int *ret_type)
{
    int domain = get(fd, SO_DOMAIN), flags = fcntl(fd, F_GETFL);
    *ret_type = get(fd, SO_TYPE);
    if ((domain != AF_INET && domain != AF_INET6) || get(fd, SO_REUSEPORT) != 1 || !listens(fd, *ret_type))
        return -EINVAL;
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
        fchown(fd, geteuid(), (gid_t) -1) < 0)
        return -errno;
    return 0;
}

int socket_set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

int socket_bind_from(int fd, const struct address *from, const char *interface)
{
    if (interface[0] != '\0' &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t) strlen(interface)) < 0)
        return -errno;
    if (from->len == 0)
        return 0;
    int error = socket_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (error == 0 && bind(fd, &from->any, from->len) < 0)
        error = -errno;
    return error;
}

int socket_omit_pmtu(int fd, const struct address *address)
{
    return address->any.sa_family == AF_INET6 ? socket_set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT)
                                              : socket_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
}

bool socket_address(int fd, struct address *ret)
{
    struct address address = {.len = sizeof(address.in6)};
    if (getsockname(fd, &address.any, &address.len) < 0)
        return false;
    *ret = address;
    return true;
}

int socket_error(int fd)
{
    int       error = 0;
    socklen_t len   = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

bool socket_is_full(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS; }

unsigned socket_send_batch(int fd, struct mmsghdr *messages, unsigned count, unsigned *ret_failed)
{
    unsigned done = 0;
    *ret_failed   = 0;
    while (done < count) {
        int sent = sendmmsg(fd, messages + done, count - done, 0);
        if (sent > 0) {
            done += (unsigned) sent;
        } else if (sent < 0 && socket_is_full(errno)) {
            break;
        } else if (sent == 0 || errno != EINTR) { /* the first of the rest is at fault */
            done++;
            ++*ret_failed;
        }
    }
    return done;
}
