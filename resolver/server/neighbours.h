/*
 * neighbours.h: who else is at an address that is to be listened on. The kernel lets a process of the same user join
 * where SO_REUSEPORT is set, and then shares the questions out: half of the answers would be somebody else's. A look
 * into /proc, at the start and at a reload; where there is no /proc nobody is found. Any thread.
 */
#ifndef SERVER_NEIGHBOURS_H
#define SERVER_NEIGHBOURS_H

#include "base/address.h"

enum {
    NEIGHBOUR_MAX = 80
};

/* `type` is SOCK_DGRAM or SOCK_STREAM; a wildcard and what it includes are the same place here. */

/* This process has a socket there, be it one that it has left and not closed yet. */
bool neighbours_ours(const struct address *address, int type);
/* Another process serves there. Writes which ("unbound, process 812"), or what is known of it. Between the families
 * nothing is seen of each other. */
bool neighbours_find(const struct address *address, int type, char ret_who[NEIGHBOUR_MAX]);

#endif
