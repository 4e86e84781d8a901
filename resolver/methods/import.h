/*
 * import.h: zones.import: pins and blocked zones of another node, each checked like the operator's own word
 * (docs/protocol.md).
 *
 * Thread: keeper.
 */
#ifndef METHODS_IMPORT_H
#define METHODS_IMPORT_H

#include "server/daemon.h"

#include <jansson.h>

/* Takes in what may be taken in of the array `zones` (borrowed), and tells in a new object how many were imported,
 * skipped and refused, and why. Cached answers and studies below what was imported are dropped. */
json_t *import_zones(struct daemon *daemon, json_t *zones);

#endif
