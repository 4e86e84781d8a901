/*
 * lookups.h: questions of the operator's, answered as a client's would be (`query`): each by an engine of its own, on what
 * all workers share, with every step traced. What it shows of zones and upstreams counts as a client's question does.
 *
 * Thread: keeper.
 */
#ifndef SERVER_LOOKUPS_H
#define SERVER_LOOKUPS_H

#include "core/trace.h"
#include "server/daemon.h"

struct lookup_found {
    struct traced traced;
    struct view   answer; /* borrowed: the message that a client gets, over TCP */
};

/* `found` NULL: it is given up, for the daemon stops. */
typedef void (*lookups_done_fn)(void *cookie, const struct lookup_found *found);

/* done() is called once, later. False: too many at once, or no memory or descriptors; it is not called. */
bool lookups_begin(struct daemon *daemon, const struct name *name, uint16_t type, lookups_done_fn done, void *cookie);

#endif
