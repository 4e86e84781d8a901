/*
 * maillog.h: the command that reads the logs of mail servers. Of these the daemon is told the worst few domains, and who
 * sent mail of them, to have them explained; nothing else leaves this process.
 *
 * Thread: main.
 */
#ifndef CTL_MAILLOG_H
#define CTL_MAILLOG_H

#include "base/types.h"

#include <jansson.h>

/* One line to standard error. */
typedef void (*maillog_complain_fn)(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct maillog_options {
    const json_t       *files;  /* paths; NULL: standard input */
    const char         *socket; /* of the daemon; NULL: no socket is opened */
    wall_t              now;
    maillog_complain_fn complain; /* called for all that is wrong */
};

/* The result as docs/man/bywayctl.1 has it, the caller's, in *ret: also where false says that a file could not be read
 * to its end. NULL: no memory. */
bool maillog_run(const struct maillog_options *options, json_t **ret);

#endif
