/*
 * durable.h: replies that tell of zones: what was told survives kill -9, so they wait until it is on disk.
 *
 * Thread: keeper.
 */
#ifndef SERVER_DURABLE_H
#define SERVER_DURABLE_H

#include "server/daemon.h"

/* As control_reply() and control_end_series(), when what was queued for the disk by now is there. If it is not after 2 s,
 * or the disk fails, the reply says so (`stored` false); the end of a series cannot. */
void durable_reply(struct daemon *daemon, struct control_call *call, json_t *result);
void durable_end_series(struct daemon *daemon, struct control_call *call);

/* Sends those that may go now. When to be called again; MSEC_NEVER: none waits. */
msec_t durable_on_time(struct daemon *daemon);

#endif
