/*
 * explain.h: the method `explain`: why mail from or to a domain does or does not work from here.
 *
 * Thread: keeper.
 */
#ifndef METHODS_EXPLAIN_H
#define METHODS_EXPLAIN_H

#include "server/daemon.h"

/* Answers the call once all is known, with progress until then. `params` are read here. */
void explain_reply(struct daemon *daemon, struct control_call *call, json_t *params);

#endif
