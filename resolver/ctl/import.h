/*
 * import.h: a file of zones, sent to the daemon in pieces that fit in a request line.
 *
 * Thread: main.
 */
#ifndef CTL_IMPORT_H
#define CTL_IMPORT_H

#include "ctl/client.h"

/* Reads `path` ("-": standard input): an export, or the array of `--json zones`. *ret_result is that of zones.import,
 * summed up; the caller's. */
enum client_result import_run(struct client *client, const char *path, json_t **ret_result);

#endif
