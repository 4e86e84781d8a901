/*
 * log.h: one line for one event, to standard error. Ranks 0 to 4 never log.
 *
 * Text format:  "<level> message" with the sd-daemon "<N>" prefix when standard error is the journal.
 * JSON format:  {"time":"…Z","level":"warning","message":"…"}
 * Bytes that are not printable (printable.h) are written as \xHH.
 *
 * A line never waits for its reader: where a pipe, a socket or a terminal takes no more it is dropped and counted, and
 * "N lines lost" follows when it takes some again.
 *
 * Thread: any.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/types.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};
enum log_format {
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON
};

/* Applies to all threads from the next line on. */
void log_configure(enum log_level level, enum log_format format);
/* Opens what standard error is once more for itself, so that others who write there cannot make it wait. Once, before
 * threads and while rights are there; without it all else holds while nobody else writes there. */
void log_open(void);
/* Says what was lost, if that can be written now. From time to time: no line may come for hours. False: the next line
 * would be lost. */
bool log_catch_up(void);

enum {
    LOG_DATA_MAX = 3900 /* bytes: what a line of 4096 leaves */
};

/* Only who calls log_configure() can rely on it for his next line. */
bool log_is_json(void);
/* A line of its kind, `word` (a short one), whatever the level: "info word data", or in the JSON form `data`, which is
 * JSON of at most LOG_DATA_MAX printable bytes, stands under the key `word`, which is the message too. Text that is too
 * long is cut. False: it is lost, since the reader takes no more, and that is not said: the caller counts. */
bool log_data(const char *word, const char *data);

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
