/*
 * listing.h: the table of zones as a reply, a few of them in each turn of the loop.
 *
 * Thread: keeper.
 */
#ifndef METHODS_LISTING_H
#define METHODS_LISTING_H

#include "server/daemon.h"

struct listing_filter {
    struct name under; /* len 0: any */
    int         state; /* -1: any */
};

/* Replies with the zones that pass; they go into the empty array that `result` (takes the reference) ends with. In no
 * order. Zones that come or go meanwhile are listed or not, none twice. */
void listing_reply(struct daemon *daemon, struct control_call *call, json_t *result,
                   const struct listing_filter *filter);

#endif
