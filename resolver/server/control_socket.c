/*
 * control_socket.c: see control_socket.h.
 */
#include "server/control_socket.h"

#include "base/log.h"
#include "server/commands.h"
#include "server/privileges.h"

#include <stdio.h>
#include <string.h>

bool control_socket_open(const struct settings *settings, int *ret_fd, char ret_error[ERROR_TEXT_MAX])
{
    *ret_fd = control_bind(settings->control_socket, privileges_control_group(settings));
    if (*ret_fd >= 0)
        return true;
    snprintf(ret_error, ERROR_TEXT_MAX, "control.socket: cannot listen on %s: %s", settings->control_socket,
             strerror(-*ret_fd));
    return false;
}

bool control_socket_start(struct daemon *daemon, int fd)
{
    const struct control_options options = {
        .methods = commands, .group = privileges_control_group(daemon->settings), .context = daemon};
    daemon->control = control_start(&daemon->loop, fd, &options);
    return daemon->control != NULL;
}

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

bool control_socket_move(struct daemon *daemon, const struct settings *next, int *ret_fd,
                         char ret_error[ERROR_TEXT_MAX])
{
    if (!same_text(daemon->settings->control_socket, next->control_socket) || !daemon->control)
        return control_socket_open(next, ret_fd, ret_error);
    if (same_text(daemon->settings->control_group, next->control_group))
        return true;
    int error = control_set_group(daemon->control, privileges_control_group(next));
    if (error != 0)
        snprintf(ret_error, ERROR_TEXT_MAX, "control.group: cannot give %s to it: %s", next->control_socket,
                 strerror(-error));
    return error == 0;
}

void control_socket_replace(struct daemon *daemon, int fd)
{
    struct control *before = daemon->control;
    if (!control_socket_start(daemon, fd))
        log_error("control.socket: out of memory; there is no control socket until the next reload");
    if (before)
        control_close(before);
}
