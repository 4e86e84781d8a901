/*
 * room.h: what goes on in the background for one request of an operator's: sockets and a timer of its own on the
 * keeper's loop, given up when it is over. What goes on in it, a machine without I/O, is its owner's.
 *
 * Thread: keeper.
 */
#ifndef SERVER_ROOM_H
#define SERVER_ROOM_H

#include "server/daemon.h"

struct room_work {
    void (*on_packet)(void *owner, struct exchange *exchange, enum transport transport, struct view packet);
    void (*on_unreachable)(void *owner, struct exchange *exchange, enum transport transport);
    /* When on_time() is due; in the past: at once. */
    msec_t (*next)(void *owner);
    /* Does what is due. False: it is over. Never called from within the sockets' own callbacks. */
    bool (*on_time)(void *owner);
    /* It is over, or given up: the owner tells so, and releases what has the sockets. */
    void (*leave)(void *owner, bool given_up);
    /* The last that is called. */
    void (*free)(void *owner);
};

struct room {
    struct list             link;
    struct daemon          *daemon; /* borrowed, and so is what follows */
    const struct room_work *work;
    void                   *owner;
    struct dispatch         dispatch; /* the `network` of the owner's effects */
    uv_timer_t              timer;
};

/* Opens `sockets` of UDP at once; `rng` is borrowed until leave(). False: no memory or descriptors, nothing is open. */
bool room_open(struct room *room, struct daemon *daemon, const struct room_work *work, void *owner, struct rng *rng,
               unsigned sockets);
/* Puts it into the list. What it has to do has begun. */
void room_begin(struct room *room, struct list *rooms);
/* Gives up all of them. Run the loop afterwards. */
void rooms_end(struct list *rooms);

#endif
