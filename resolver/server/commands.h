/*
 * commands.h: the methods of the control socket (docs/protocol.md). Keeper thread.
 */
#ifndef SERVER_COMMANDS_H
#define SERVER_COMMANDS_H

#include "server/daemon.h"

extern const struct control_method commands[];

/* The prober's hook: answers the zones.probe call in `cookie`. */
void commands_on_probed(struct daemon *daemon, struct control_call *call, const struct study *study);

#endif
