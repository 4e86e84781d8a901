/*
 * traces.h: what became of each query, told live to whoever watches on the control socket (`trace`), one line a query,
 * and to the log (query_log.h). Where nobody wants it no worker keeps anything.
 *
 * Thread: keeper.
 */
#ifndef SERVER_TRACES_H
#define SERVER_TRACES_H

#include "control/control.h"
#include "core/trace.h"
#include "server/daemon.h"

struct traces_filter { /* zeroed: all */
    struct cidr client;
    bool        has_client;
    struct name under;  /* len 0: all names */
    uint16_t    type;   /* 0: all */
    bool        failed; /* only what got no answer: a failing rcode, or a stale answer */
};

/* Who watches, or the settings, have changed: workers keep what is wanted from now on. */
void traces_refresh(struct daemon *daemon);
/* Tells this client of each query that passes the filter from now on, until it goes. */
void traces_watch(struct daemon *daemon, struct control_call *call, const struct traces_filter *filter);
/* As it is told. */
json_t *traces_present(const struct daemon *daemon, const struct traced *traced);
/* A worker's. */
void traces_tell(struct daemon *daemon, const struct traced *traced);

#endif
