/*
 * present_cluster.h: what `status` tells of the cluster, and `zones.show` of what its nodes said (docs/protocol.md).
 *
 * Thread: keeper.
 */
#ifndef METHODS_PRESENT_CLUSTER_H
#define METHODS_PRESENT_CLUSTER_H

#include "server/daemon.h"

#include <jansson.h>

/* A new object or array; null where no Redis is configured; NULL: no memory. */
json_t *present_cluster(const struct daemon *daemon);
json_t *present_said(const struct daemon *daemon, struct view zone);

#endif
