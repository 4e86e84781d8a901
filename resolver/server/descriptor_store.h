/*
 * descriptor_store.h: the service manager keeps our listening sockets while no process of ours is there (FDSTORE,
 * sd_notify(3)), so that a restart loses no query: what comes meanwhile waits in the sockets' queues for the next
 * process, which gets them passed. Without a service manager all of this does nothing.
 *
 * A socket is stored as that of one address, type (SOCK_DGRAM, SOCK_STREAM) and worker.
 *
 * Thread: keeper.
 */
#ifndef SERVER_DESCRIPTOR_STORE_H
#define SERVER_DESCRIPTOR_STORE_H

#include "base/address.h"

enum {
    STORED_NAME_MAX = 128
};

struct passed {
    int  fd; /* -1: taken */
    int  type;
    char name[STORED_NAME_MAX];
};

struct descriptor_store {
    struct passed *passed; /* by the service manager, usable, and not taken yet */
    size_t         count;
    bool           keeps; /* it was given sockets, so what lies in their queues may be left there */
};

/* Takes in what was passed, while this is the only thread. What is no socket of ours that others may join is closed and
 * given up, and no longer in the way of a bind afterwards. False: it cannot be done; logged. */
bool descriptor_store_open(struct descriptor_store *store);
void descriptor_store_close(struct descriptor_store *store);

/* The socket that was stored as this one, now the caller's; -1: there is none. */
int descriptor_store_take(struct descriptor_store *store, const struct address *address, int type, unsigned worker);
/* One of those that nobody has taken, now the caller's and no longer stored; -1: there is none. */
int descriptor_store_take_any(struct descriptor_store *store, int *ret_type);

void descriptor_store_put(struct descriptor_store *store, const struct address *address, int type, unsigned worker,
                          int fd);
/* To be called before the socket is left: another process would wait at it for what never comes. */
void descriptor_store_remove(const struct address *address, int type, unsigned worker);

#endif
