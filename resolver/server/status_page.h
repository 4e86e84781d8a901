/*
 * status_page.h: gathers what the status page shows (observe/page). There may be a million zones, and the keeper has
 * other things to do: the table is gone through in many turns of the loop, one short step in each, for whoever waits.
 *
 * Thread: keeper.
 */
#ifndef SERVER_STATUS_PAGE_H
#define SERVER_STATUS_PAGE_H

#include "observe/web.h"
#include "server/daemon.h"

void status_page_open(struct daemon *daemon);
/* `under`: what is searched for, as it came; data NULL: nothing. */
void status_page_reply(struct daemon *daemon, struct web_call *call, struct view under);

#endif
