/*
 * query_log.c: see query_log.h.
 */
#include "server/query_log.h"

#include "base/limits.h"
#include "base/log.h"
#include "server/daemon.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    TELL_AGAIN = 60000 /* ms: a flood loses lines in every second of it */
};

enum trace_want query_log_wants(const struct settings *settings)
{
    static const enum trace_want wants[] = {
        [LOG_QUERIES_OFF]      = TRACE_NOTHING,
        [LOG_QUERIES_FAILED]   = TRACE_FAILED,
        [LOG_QUERIES_EXTERNAL] = TRACE_EXTERNAL,
        [LOG_QUERIES_ALL]      = TRACE_ALL,
    };
    return wants[settings->log_queries];
}

/* ---- one line ---- */

struct line {
    char   text[LOG_DATA_MAX + 1];
    size_t len;
};

/* Ends in "..." where there is no room. */
static void add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
    size_t  room = sizeof(line->text) - line->len;
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line->text + line->len, room, format, arguments);
    va_end(arguments);
    if (len < 0)
        return;
    if ((size_t) len < room) {
        line->len += (size_t) len;
    } else {
        line->len = sizeof(line->text) - 1;
        memcpy(line->text + line->len - 3, "...", 3);
    }
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "-";
}

static long long number_of(const json_t *object, const char *key)
{
    return (long long) json_integer_value(json_object_get(object, key));
}

static void add_optional(struct line *line, const char *joint, const json_t *value)
{
    if (json_is_string(value))
        add(line, "%s%s", joint, json_string_value(value));
}

static void add_step(struct line *line, const json_t *step)
{
    add(line, "; %lld ms %s", number_of(step, "at"), text_of(step, "step"));
    add_optional(line, " ", json_object_get(step, "group"));
    add_optional(line, " ", json_object_get(step, "upstream"));
    add_optional(line, " ", json_object_get(step, "over"));
    add_optional(line, ": ", json_object_get(step, "outcome"));
    if (json_is_true(json_object_get(step, "copy")))
        add(line, " (a copy)");
}

static void write_text(struct line *line, json_t *object)
{
    const json_t *step;
    size_t        i;
    add(line, "%s %s %s: %s by %s in %lld ms, %s", text_of(object, "client"), text_of(object, "name"),
        text_of(object, "type"), text_of(object, "rcode"), text_of(object, "way"), number_of(object, "ms"),
        text_of(object, "why"));
    json_array_foreach(json_object_get(object, "steps"), i, step) add_step(line, step);
}

/* JSON cannot be cut like text: the last steps go, and that is said. Empty: no memory. */
static void write_json(struct line *line, json_t *object)
{
    json_t *steps = json_object_get(object, "steps");
    while ((line->len = json_dumpb(object, line->text, LOG_DATA_MAX, JSON_COMPACT | JSON_ENSURE_ASCII)) >
               LOG_DATA_MAX &&
           json_array_size(steps) > 0) {
        json_array_remove(steps, json_array_size(steps) - 1);
        json_object_set_new(object, "cut", json_true());
    }
    if (line->len > LOG_DATA_MAX)
        line->len = 0;
    line->text[line->len] = '\0';
}

/* ---- what is too much ---- */

/* The counter is the keeper's own: it is summed with the workers'. */
static void lose(struct daemon *daemon) { COUNT(daemon->ended.traces_lost); }

bool query_log_wants_this(struct daemon *daemon, const struct traced *traced)
{
    struct query_log *log = &daemon->query_log;
    if (!trace_is_wanted(query_log_wants(daemon->settings), traced))
        return false;
    if (daemon->now - log->second >= 1000) {
        log->second = daemon->now;
        log->lines  = 0;
    }
    if (log->lines < LIMIT_QUERY_LINES)
        return true;
    lose(daemon);
    return false;
}

void query_log_tell(struct daemon *daemon, json_t *object)
{
    struct line line = {.len = 0};
    daemon->query_log.lines++;
    if (object)
        (log_is_json() ? write_json : write_text)(&line, object);
    if (line.len == 0 || !log_data("query", line.text))
        lose(daemon);
}

void query_log_on_time(struct daemon *daemon, uint64_t lost)
{
    struct query_log *log = &daemon->query_log;
    if (lost == log->lost || (log->told_at && daemon->now - log->told_at < TELL_AGAIN))
        return;
    if (daemon->settings->log_queries != LOG_QUERIES_OFF)
        log_warning("queries that were not logged: %llu: more than can be written",
                    (unsigned long long) (lost - log->lost));
    log->lost    = lost;
    log->told_at = daemon->now;
}
