/*
 * peer.c: see peer.h.
 */
#include "control/peer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void peer_read(int fd, struct peer *ret)
{
    struct ucred credentials;
    socklen_t    len = sizeof(credentials);
    *ret             = (struct peer){0};
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) != 0 || len != sizeof(credentials))
        return;
    ret->known = true;
    ret->uid   = credentials.uid;
    ret->gid   = credentials.gid;

    /* A list that does not fit fails with ERANGE and says its size. */
    len = 0;
    getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ret->groups, &len);
    if (len == 0)
        return;
    gid_t *all = malloc(len);
    if (all && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, all, &len) == 0) {
        size_t count     = len / sizeof(gid_t);
        ret->group_count = count < PEER_GROUPS_MAX ? count : PEER_GROUPS_MAX;
        memcpy(ret->groups, all, ret->group_count * sizeof(gid_t));
    }
    free(all);
}

bool peer_may_change(const struct peer *peer, uid_t daemon, gid_t group)
{
    if (!peer->known)
        return false;
    if (peer->uid == 0 || peer->uid == daemon)
        return true;
    if (group == (gid_t) -1)
        return false;
    if (peer->gid == group)
        return true;
    for (size_t i = 0; i < peer->group_count; i++)
        if (peer->groups[i] == group)
            return true;
    return false;
}
