/*
 * try.h: upstreams.try: what an upstream can do, before it is in the configuration (docs/protocol.md).
 *
 * Thread: keeper.
 */
#ifndef METHODS_TRY_H
#define METHODS_TRY_H

#include "server/daemon.h"

#include <jansson.h>

/* Replies now, with what is wrong with `upstream` (borrowed), or within 10 s, with what was found. `censored`: a name
 * that is forged here; NULL: none is known. */
void try_upstream(struct daemon *daemon, struct control_call *call, const json_t *upstream,
                  const struct name *censored);

#endif
