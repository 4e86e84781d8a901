/*
 * peer.h: who is at the other end of the control socket, and whether they may change things.
 *
 * Thread: keeper.
 */
#ifndef CONTROL_PEER_H
#define CONTROL_PEER_H

#include "base/types.h"

#include <sys/types.h>

enum {
    PEER_GROUPS_MAX = 256
}; /* supplementary groups looked at; a user with more is judged by the first ones */

struct peer {
    bool   known; /* false: the kernel did not say; such a peer may only read */
    uid_t  uid;
    gid_t  gid;
    size_t group_count;
    gid_t  groups[PEER_GROUPS_MAX]; /* supplementary ones */
};

/* As of connect(2). Never fails: what cannot be learned is left unknown. */
void peer_read(int fd, struct peer *ret);

/* Pure. `daemon`: the user the daemon runs as; `group`: the control group, (gid_t)-1 for none. */
bool peer_may_change(const struct peer *peer, uid_t daemon, gid_t group);

#endif
