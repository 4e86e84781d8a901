/*
 * maillog_cured.h: what the daemon says to what was found in the logs.
 *
 * Thread: main.
 */
#ifndef CTL_MAILLOG_CURED_H
#define CTL_MAILLOG_CURED_H

#include "ctl/client.h"

/* Sets "cured" of each entry of `list` by the daemon's table: true where the name, or what is above it, goes to
 * external now. Where the daemon does not say it `client->why` says why, and all stay null. */
enum client_result maillog_cured_set(struct client *client, json_t *list);

/* Once "explain" is set: true also where mail fails for a zone behind the domain, and that goes to external now. */
void maillog_cured_add_explained(json_t *list);

#endif
