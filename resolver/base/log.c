/*
 * log.c: formats a line in a buffer on the stack and writes it with one write(2), so that lines of several threads
 * never mix. Allocates nothing: it must work when memory is gone. Reads the calendar clock for the JSON form, because a
 * log's consumer needs the time of the line and no caller should have to carry it.
 */
#include "base/log.h"

#include "base/printable.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 4096, /* PIPE_BUF: a write up to this size is not split on a pipe */
    MESSAGE_MAX    = 3072,
    TAIL_BYTES     = 8, /* kept free for what closes a line */
};

static const char *const level_words[]      = {"error", "warning", "info", "debug"};
static const int         level_priorities[] = {3, 4, 6, 7}; /* syslog's numbers, for sd-daemon's prefix */

static atomic_int  log_level_now  = LOG_LEVEL_INFO;
static atomic_int  log_format_now = LOG_FORMAT_TEXT;
static atomic_bool log_to_journal;

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows, and of the look before a write */
static int             log_file = STDERR_FILENO;
static unsigned        log_lost; /* lines */

/* systemd names the device and inode of the journal's stream, for a child may have been redirected since. */
static bool stderr_is_journal(void)
{
    const char        *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat        status;
    return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &status) == 0 &&
           status.st_dev == device && status.st_ino == inode;
}

void log_configure(enum log_level level, enum log_format format)
{
    atomic_store_explicit(&log_level_now, level, memory_order_relaxed);
    atomic_store_explicit(&log_format_now, format, memory_order_relaxed);
    atomic_store_explicit(&log_to_journal, stderr_is_journal(), memory_order_relaxed);
}

bool log_is_json(void) { return atomic_load_explicit(&log_format_now, memory_order_relaxed) == LOG_FORMAT_JSON; }

struct line {
    char   bytes[LINE_MAX_BYTES];
    size_t len;
};

static bool line_add(struct line *line, const char *bytes, size_t len)
{
    if (len > sizeof(line->bytes) - TAIL_BYTES - line->len)
        return false;
    memcpy(line->bytes + line->len, bytes, len);
    line->len += len;
    return true;
}

/* Into TAIL_BYTES, which line_add() leaves free. */
static void line_close(struct line *line, const char *closing)
{
    size_t len = strlen(closing);
    memcpy(line->bytes + line->len, closing, len);
    line->len += len;
}

/* Adds `message` so that whatever a peer put into it stays on one line and inside the JSON string.
 * False: it was cut. */
static bool line_add_message(struct line *line, const char *message, bool json)
{
    const char *p = message;
    while (*p != '\0') {
        size_t len = printable_length(p);
        char   escaped[8];
        bool   fits;

        if (len == 0)
            fits = line_add(
                line, escaped,
                (size_t) snprintf(escaped, sizeof(escaped), "%s\\x%02x", json ? "\\" : "", (unsigned char) *p));
        else if (json && (*p == '"' || *p == '\\'))
            fits = line_add(line, (char[]){'\\', *p}, 2);
        else
            fits = line_add(line, p, len);
        if (!fits)
            return false;
        p += len > 0 ? len : 1;
    }
    return true;
}

static void line_open(struct line *line, enum log_level level, bool json)
{
    char            opening[96], seconds[TIME_TEXT_MAX];
    struct timespec now;
    int             len;
    if (json) {
        clock_gettime(CLOCK_REALTIME, &now);
        time_format(now.tv_sec, seconds);
        len = snprintf(opening, sizeof(opening), "{\"time\":\"%.19s.%03uZ\",\"level\":\"%s\",\"message\":\"", seconds,
                       (unsigned) (now.tv_nsec / 1000000), level_words[level]);
    } else if (atomic_load_explicit(&log_to_journal, memory_order_relaxed)) {
        len = snprintf(opening, sizeof(opening), "<%d>%s ", level_priorities[level], level_words[level]);
    } else {
        len = snprintf(opening, sizeof(opening), "%s ", level_words[level]);
    }
    line->len = 0;
    line_add(line, opening, (size_t) len);
}

void log_open(void)
{
    struct stat status;
    int         own = -1;
    if (fstat(STDERR_FILENO, &status) == 0 && (S_ISFIFO(status.st_mode) || isatty(STDERR_FILENO)))
        own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own >= 0)
        log_file = own;
}

/* False: it would have to wait. The lock is held. A pipe that takes anything takes a whole line. */
static bool line_write(const struct line *line)
{
    struct pollfd waiting = {.fd = log_file, .events = POLLOUT};
    struct stat   status;
    ssize_t       written;
    if (poll(&waiting, 1, 0) != 1 || (waiting.revents & POLLOUT) == 0)
        return false;
    do {
        if (fstat(log_file, &status) == 0 && S_ISSOCK(status.st_mode))
            written = send(log_file, line->bytes, line->len, MSG_DONTWAIT | MSG_NOSIGNAL);
        else
            written = write(log_file, line->bytes, line->len);
    } while (written < 0 && errno == EINTR);
    return written >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

/* False: that too has to wait. */
static bool tell_lost(void)
{
    bool        json = log_is_json();
    char        message[64];
    struct line line;
    snprintf(message, sizeof(message), "%u lines lost: nobody read the log", log_lost);
    line_open(&line, LOG_LEVEL_WARNING, json);
    line_add_message(&line, message, json);
    line_close(&line, json ? "\"}\n" : "\n");
    if (!line_write(&line))
        return false;
    log_lost = 0;
    return true;
}

bool log_catch_up(void)
{
    struct pollfd waiting = {.fd = log_file, .events = POLLOUT};
    pthread_mutex_lock(&log_lock);
    bool flows = log_lost > 0 ? tell_lost() : poll(&waiting, 1, 0) == 1 && (waiting.revents & POLLOUT);
    pthread_mutex_unlock(&log_lock);
    return flows;
}

/* False: it is lost. `matters`: that is said later. */
static bool line_hand_over(const struct line *line, bool matters)
{
    pthread_mutex_lock(&log_lock);
    bool written = (log_lost == 0 || tell_lost()) && line_write(line);
    if (!written && matters)
        log_lost++;
    pthread_mutex_unlock(&log_lock);
    return written;
}

bool log_data(const char *word, const char *data)
{
    bool        json    = log_is_json();
    const char *between = json ? "\",\"" : " ";
    int         saved   = errno;
    bool        whole;
    struct line line;
    line_open(&line, LOG_LEVEL_INFO, json);
    line_add_message(&line, word, json);
    line_add(&line, between, strlen(between));
    if (json) {
        line_add_message(&line, word, true);
        whole = line_add(&line, "\":", 2) && line_add(&line, data, strlen(data));
    } else if (!(whole = line_add_message(&line, data, false))) {
        line_close(&line, "...");
        whole = true;
    }
    line_close(&line, json ? "}\n" : "\n");
    whole = whole && line_hand_over(&line, false);
    errno = saved;
    return whole;
}

void log_line(enum log_level level, const char *format, ...)
{
    bool        json    = log_is_json();
    const char *closing = json ? "\"}\n" : "\n";
    int         saved   = errno;
    int         wanted;
    char        message[MESSAGE_MAX];
    struct line line;
    va_list     arguments;

    if ((int) level > atomic_load_explicit(&log_level_now, memory_order_relaxed))
        return;
    va_start(arguments, format);
    wanted = vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    if (wanted < 0)
        message[0] = '\0';
    line_open(&line, level, json);
    if (!line_add_message(&line, message, json) || wanted >= (int) sizeof(message))
        line_close(&line, "...");
    line_close(&line, closing);
    line_hand_over(&line, true);
    errno = saved;
}
