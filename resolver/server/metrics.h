/*
 * metrics.h: /metrics: what the daemon has counted, in Prometheus' format. Never a zone or a name as a label: there may be
 * any number of these, and they are mail's.
 *
 * Thread: keeper.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "observe/web.h"
#include "server/daemon.h"

void metrics_reply(const struct daemon *daemon, struct web_call *call);

#endif
