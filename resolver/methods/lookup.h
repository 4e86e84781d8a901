/*
 * lookup.h: the method `query`: what a client would get, and why.
 *
 * Thread: keeper.
 */
#ifndef METHODS_LOOKUP_H
#define METHODS_LOOKUP_H

#include "server/daemon.h"

/* Answers the call once there is an answer, or none in time. */
void lookup_reply(struct daemon *daemon, struct control_call *call, const struct name *name, uint16_t type);

#endif
