/*
 * keeper.h: the keeper thread's part of learning: table, learner, prober and store joined to the loop, and what it
 * tells the log.
 *
 * Thread: keeper.
 */
#ifndef SERVER_KEEPER_H
#define SERVER_KEEPER_H

#include "server/daemon.h"

/* Creates table, cache, learner, prober; replays the store; starts its own sockets. The loop is not running yet. False:
 * logged. */
bool keeper_open(struct daemon *daemon);
/* After the workers ended: writes what is to be kept. */
void keeper_close(struct daemon *daemon);
void keeper_set_setup(struct daemon *daemon, bool cluster_changed);
/* Takes what the leaving workers have seen so far, and frees those that have ended; `wait`: until all have, and what
 * they see meanwhile is lost. */
void keeper_reap_workers(struct daemon *daemon, bool wait);

/* Queries that were wanted and not told, since the start. */
uint64_t keeper_traces_lost(const struct daemon *daemon);

/* Every callback on the loop begins with it: takes the time. */
void keeper_begin(struct daemon *daemon);

#endif
