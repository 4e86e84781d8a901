/*
 * interviews.h: upstreams that the operator asks about before they are in the configuration (probe/interview), each
 * with a server, credentials and sockets of its own, dropped afterwards: what serves has nothing to do with them.
 *
 * Thread: keeper.
 */
#ifndef SERVER_INTERVIEWS_H
#define SERVER_INTERVIEWS_H

#include "probe/interview.h"
#include "server/daemon.h"
#include "stream/remote.h"

enum {
    INTERVIEWS_WHY_MAX = CREDENTIALS_WHY_MAX /* bytes */
};

/* `found` NULL: it was given up. Both are borrowed. */
typedef void (*interviews_done_fn)(void *cookie, const struct interview *found, struct remote *remote);

/* Begins one; `upstream` is copied, `censored` may be NULL. done() is called once, later. False: `why` says why not. */
bool interviews_begin(struct daemon *daemon, const struct upstream_setting *upstream, const struct name *censored,
                      interviews_done_fn done, void *cookie, char why[INTERVIEWS_WHY_MAX]);

#endif
