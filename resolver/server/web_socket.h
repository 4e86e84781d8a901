/*
 * web_socket.h: where the status page and /metrics are served, and which of them is at which path.
 *
 * Thread: keeper.
 */
#ifndef SERVER_WEB_SOCKET_H
#define SERVER_WEB_SOCKET_H

#include "observe/web.h"
#include "server/daemon.h"

/* Binds what metrics.listen says; *ret_fd -1: it says nothing. False: ret_error says why that cannot be. */
bool web_socket_open(const struct settings *settings, int *ret_fd, char ret_error[ERROR_TEXT_MAX]);
/* Serves on `fd`, which it takes; -1: *ret is NULL. False: no memory or descriptors. */
bool web_socket_start(struct daemon *daemon, int fd, struct web **ret);

/* For a reload: *ret serves where `next` says, and is the daemon's own where that is the same address. What is to serve
 * no more is the caller's to close. */
bool web_socket_move(struct daemon *daemon, const struct settings *next, struct web **ret,
                     char ret_error[ERROR_TEXT_MAX]);

#endif
