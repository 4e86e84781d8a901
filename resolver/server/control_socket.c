/*
 * control_socket.c: see control_socket.h.
 */
#include "server/control_socket.h"

#include "base/log.h"
#include "server/privileges.h"
#include "server/refusal.h"

#include <stdio.h>
#include <string.h>

/* Names are resolved without it, so it is no reason not to start. */
static void warn_of_group(const struct settings *settings, int error)
{
    log_warning("control.group: cannot give %s to %s: %s; the user of bywayd has to be in that group "
                "(SupplementaryGroups=%s in its unit)",
                settings->control_socket, settings->control_group, strerror(error), settings->control_group);
}

bool control_socket_open(const struct settings *settings, int *ret_fd, char ret_error[ERROR_TEXT_MAX])
{
    int given;
    *ret_fd = control_bind(settings->control_socket, privileges_control_group(settings), &given);
    if (*ret_fd >= 0 && given < 0)
        warn_of_group(settings, -given);
    if (*ret_fd >= 0)
        return true;
    char text[REFUSAL_MAX];
    snprintf(ret_error, ERROR_TEXT_MAX, "%s", refusal_of_control(settings->control_socket, -*ret_fd, text));
    return false;
}

bool control_socket_start(struct daemon *daemon, int fd)
{
    const struct control_options options = {
        .methods = daemon->methods, .group = privileges_control_group(daemon->settings), .context = daemon};
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
        warn_of_group(next, -error);
    return true;
}

void control_socket_replace(struct daemon *daemon, int fd)
{
    struct control *before = daemon->control;
    if (!control_socket_start(daemon, fd))
        log_error("control.socket: out of memory; there is no control socket until the next reload");
    if (before)
        control_close(before);
}

static void say_lost(struct daemon *daemon, const char *why)
{
    if (!daemon->control_lost)
        log_warning("control.socket: nobody reaches this bywayd any more: %s", why);
    daemon->control_lost = true;
}

void control_socket_look(struct daemon *daemon)
{
    char               why[ERROR_TEXT_MAX];
    int                fd;
    enum control_place place = daemon->control ? control_look(daemon->control) : CONTROL_GONE;
    if (place == CONTROL_IN_PLACE) {
        daemon->control_lost = false;
    } else if (place == CONTROL_REPLACED) {
        snprintf(why, sizeof(why), "something else is at %s", daemon->settings->control_socket);
        say_lost(daemon, why);
    } else if (!control_socket_open(daemon->settings, &fd, why)) {
        say_lost(daemon, why);
    } else {
        log_warning("control.socket: %s had been removed, and is there again", daemon->settings->control_socket);
        control_socket_replace(daemon, fd);
    }
}
