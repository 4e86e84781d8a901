/*
 * explained.h: the result of `explain`, as docs/protocol.md has it.
 *
 * Thread: keeper.
 */
#ifndef METHODS_EXPLAINED_H
#define METHODS_EXPLAINED_H

#include "explain/explanation.h"
#include "server/daemon.h"

/* A new reference; NULL: no memory. */
json_t *explained_present(const struct explanation *explanation, const struct daemon *daemon, msec_t took);

#endif
