/*
 * day.h: the daemon's last day (observe/history): which of its counters are kept there, and when.
 *
 * Thread: keeper.
 */
#ifndef SERVER_DAY_H
#define SERVER_DAY_H

#include "server/daemon.h"

void day_begin(struct daemon *daemon);
/* To be called about once a second: does something when an interval ends. */
void day_on_pulse(struct daemon *daemon);
/* What has come until now is kept. */
void day_bring_up(struct daemon *daemon);
/* Other upstreams are counted from now on; day_bring_up() was called when they were not yet. */
void day_on_setup(struct daemon *daemon);

#endif
