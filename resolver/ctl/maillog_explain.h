/*
 * maillog_explain.h: the cause and the cure of what was found in the logs, as the daemon sees it now.
 *
 * Thread: main.
 */
#ifndef CTL_MAILLOG_EXPLAIN_H
#define CTL_MAILLOG_EXPLAIN_H

#include "ctl/client.h"
#include "ctl/maillog_domains.h"

/* Sets "explain" of the worst entries of `list`, which `domains` made, that are not cured: of MAILLOG_EXPLAIN_MAX at most,
 * and within a minute. `why` says what hindered the first that was not explained; "": nothing did. */
enum {
    MAILLOG_EXPLAIN_MAX = 10
};
void maillog_explain_set(struct client *client, const struct maillog_domains *domains, json_t *list,
                         char why[CLIENT_WHY_MAX]);

/* What explain is asked of an entry; the caller's. What of `envelope` is no address, name or sender is left out. */
json_t *maillog_explain_params(const char *domain, const struct maillog_envelope *envelope);

#endif
