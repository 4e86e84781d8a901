/*
 * present_cluster.h: what `status` tells of the cluster (docs/protocol.md).
 *
 * Thread: keeper.
 */
#ifndef METHODS_PRESENT_CLUSTER_H
#define METHODS_PRESENT_CLUSTER_H

#include "server/daemon.h"

#include <jansson.h>

/* A new object; null where no Redis is configured; NULL: no memory. */
json_t *present_cluster(const struct daemon *daemon);

#endif
