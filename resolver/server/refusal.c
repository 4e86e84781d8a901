/*
 * refusal.c: see refusal.h.
 */
#include "server/refusal.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    LOW_PORTS = 1024
};

const char *refusal_of_address(const struct address *address, int error, char text[REFUSAL_MAX])
{
    if (error == EACCES && address_port(address) < LOW_PORTS)
        snprintf(text, REFUSAL_MAX, "a port below %d needs root or CAP_NET_BIND_SERVICE", LOW_PORTS);
    else if (error == EADDRNOTAVAIL)
        snprintf(text, REFUSAL_MAX, "no interface of this machine has this address");
    else if (error == EAFNOSUPPORT)
        snprintf(text, REFUSAL_MAX, "this machine has no %s", address->any.sa_family == AF_INET6 ? "IPv6" : "IPv4");
    else
        snprintf(text, REFUSAL_MAX, "%s", strerror(error));
    return text;
}

static const char *our_name(void)
{
    const struct passwd *user = getpwuid(geteuid());
    return user ? user->pw_name : "that bywayd runs as";
}

const char *refusal_of_control(const char *path, int error, char text[REFUSAL_MAX])
{
    if (error == ENOTSOCK)
        snprintf(text, REFUSAL_MAX, "control.socket: %s exists and is no socket", path);
    else if (error == EADDRINUSE)
        snprintf(text, REFUSAL_MAX, "control.socket: another bywayd listens on %s", path);
    else if (error == EACCES || error == EPERM)
        snprintf(text, REFUSAL_MAX, "control.socket: the user %s may not make %s", our_name(), path);
    else if (error == ENOENT || error == ENOTDIR)
        snprintf(text, REFUSAL_MAX, "control.socket: cannot make %s: the directory above it is missing", path);
    else
        snprintf(text, REFUSAL_MAX, "control.socket: cannot listen on %s: %s", path, strerror(error));
    return text;
}
