/*
 * sums.h: what all workers have counted, those that are leaving and those that have ended among them.
 *
 * Thread: keeper.
 */
#ifndef SERVER_SUMS_H
#define SERVER_SUMS_H

#include "server/daemon.h"

/* *ret_drops: datagrams that the kernel dropped. */
void sums_counters(const struct daemon *daemon, struct counters *ret, uint64_t *ret_drops);
void sums_responses(const struct daemon *daemon, struct responses *ret);

#endif
