/*
 * refusal.h: why the system did not let us have a socket, for who has to mend it.
 *
 * Thread: any.
 */
#ifndef SERVER_REFUSAL_H
#define SERVER_REFUSAL_H

#include "base/address.h"

enum {
    REFUSAL_MAX = 256 /* bytes, the NUL among them */
};

/* `error` is what bind() to `address` set. Returns `text`. */
const char *refusal_of_address(const struct address *address, int error, char text[REFUSAL_MAX]);

/* `error`, as control_bind() gives it but not negative, about the control socket at `path`. Returns `text`. */
const char *refusal_of_control(const char *path, int error, char text[REFUSAL_MAX]);

#endif
