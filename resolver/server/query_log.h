/*
 * query_log.h: what became of queries, written to the log (`log.queries`): the trace lines, in the words of `bywayctl
 * trace`. Never waits: what cannot be written at once, or is more than LIMIT_QUERY_LINES a second, is lost and counted.
 *
 * Thread: keeper.
 */
#ifndef SERVER_QUERY_LOG_H
#define SERVER_QUERY_LOG_H

#include "core/trace.h"
#include "settings/settings.h"

#include <jansson.h>

struct daemon;

struct query_log {    /* zeroed: nothing was written */
    msec_t   second;  /* that the lines are counted in began */
    unsigned lines;   /* in it */
    uint64_t lost;    /* as was told last */
    msec_t   told_at; /* 0: never */
};

enum trace_want query_log_wants(const struct settings *settings);
/* It is to be written now; else it is not wanted, or is one too many and counted as lost, before it costs more. */
bool query_log_wants_this(struct daemon *daemon, const struct traced *traced);
/* Writes `object`, as traces_present() made it; to fit on a line it may lose steps. */
void query_log_tell(struct daemon *daemon, json_t *object);
/* From time to time: says how many more were lost, of `lost` since the start, once a minute at most. */
void query_log_on_time(struct daemon *daemon, uint64_t lost);

#endif
