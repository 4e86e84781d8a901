/*
 * reload.h: the configuration, read at the start and again while everything runs.
 *
 * Thread: keeper.
 */
#ifndef SERVER_RELOAD_H
#define SERVER_RELOAD_H

#include "server/daemon.h"

/* Reads the file, and at the start how the log is to be; errors and warnings go to it, warnings to the JSON array too (may be NULL), the first error to
 * ret_error. NULL: it is not usable. */
struct settings *reload_read(const struct daemon *daemon, json_t *warnings, char ret_error[ERROR_TEXT_MAX]);

/* The same again, while everything runs, and all of it is applied. False: the old one stays. */
bool reload_configuration(struct daemon *daemon, json_t *warnings, char ret_error[ERROR_TEXT_MAX]);

#endif
