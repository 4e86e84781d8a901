/*
 * neighbours.h: who else is at an address that is to be listened on. The kernel lets a process of the same user join
 * where SO_REUSEPORT is set, and then shares the questions out: half of the answers would be somebody else's. A look
 * into /proc, at the start and at a reload; where there is no /proc nobody is found.
 *
 * Thread: any.
 */
#ifndef SERVER_NEIGHBOURS_H
#define SERVER_NEIGHBOURS_H

#include "base/address.h"

enum {
    NEIGHBOUR_MAX = 80
};

enum neighbours {
    NEIGHBOURS_NONE,
    NEIGHBOURS_OURS,    /* this process alone, be it with a socket that it has left and not closed yet */
    NEIGHBOURS_ANOTHER, /* another process serves there */
};

/* Who has sockets of `type` (SOCK_DGRAM, SOCK_STREAM) there; a wildcard and what it includes are the same place here,
 * and between the families nothing is seen of each other. With NEIGHBOURS_ANOTHER `ret_who` says which ("unbound,
 * process 812"), or what is known of it. */
enum neighbours neighbours_look(const struct address *address, int type, char ret_who[NEIGHBOUR_MAX]);

#endif
