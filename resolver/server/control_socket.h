/*
 * control_socket.h: where the control socket is.
 *
 * Thread: keeper.
 */
#ifndef SERVER_CONTROL_SOCKET_H
#define SERVER_CONTROL_SOCKET_H

#include "server/daemon.h"

bool control_socket_open(const struct settings *settings, int *ret_fd, char ret_error[ERROR_TEXT_MAX]);
/* Takes `fd`. False: no memory. */
bool control_socket_start(struct daemon *daemon, int fd);

/* For a reload: *ret_fd is a new socket where the path has changed, and untouched where it has not; a changed group is
 * set. */
bool control_socket_move(struct daemon *daemon, const struct settings *next, int *ret_fd,
                         char ret_error[ERROR_TEXT_MAX]);
/* Takes `fd` in the place of the one in use, whose clients are let go. */
void control_socket_replace(struct daemon *daemon, int fd);

/* From time to time: opens it anew where somebody has removed its file; says once if that cannot be. */
void control_socket_look(struct daemon *daemon);

#endif
