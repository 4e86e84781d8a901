/* test_log.c: what reaches standard error, byte for byte, and that it is one write for one line. */
#include "base/log.h"

#include "base/units.h"
#include "lib/check.h"
#include "lib/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static int  stderr_saved;
static int  reader; /* a packet socket: one recv() is one write() */
static char packet[8192];

static int open_fixture(void **state)
{
    int pair[2];

    (void) state;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) < 0)
        return -1;
    stderr_saved = dup(STDERR_FILENO);
    dup2(pair[1], STDERR_FILENO);
    close(pair[1]);
    reader = pair[0];
    return 0;
}

static int close_fixture(void **state)
{
    (void) state;
    dup2(stderr_saved, STDERR_FILENO);
    close(stderr_saved);
    close(reader);
    return 0;
}

/* The next line, or NULL if none was written. */
static const char *line(void)
{
    ssize_t len = recv(reader, packet, sizeof(packet) - 1, 0);

    if (len < 0)
        return NULL;
    packet[len] = '\0';
    return packet;
}

static void test_levels(void **state)
{
    static const char *const words[] = {"error", "warning", "info", "debug"};

    (void) state;
    for (int limit = LOG_LEVEL_ERROR; limit <= LOG_LEVEL_DEBUG; limit++) {
        log_configure((enum log_level) limit, LOG_FORMAT_TEXT);
        for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
            char expected[64];

            log_line((enum log_level) level, "number %d", 7);
            snprintf(expected, sizeof(expected), "%s number 7\n", words[level]);
            if (level <= limit)
                assert_string_equal(line(), expected);
            else
                assert_null(line());
        }
    }
}

static const struct {
    const char *message, *text;
} escapes[] = {
    {"plain", "plain"},
    {"", ""},
    {"two\nlines\r\t", "two\\x0alines\\x0d\\x09"},
    {"\x1b[31mred\x7f", "\\x1b[31mred\\x7f"},
    {"quote \" and back\\slash", "quote \" and back\\slash"},
    {"\\010.example.", "\\010.example."},
    {"m\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80", "m\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"cut \xe2\x82", "cut \\xe2\\x82"},
    {"long \xc0\xaf", "long \\xc0\\xaf"},
    {"\xe0\x80\x80", "\\xe0\\x80\\x80"},
    {"surrogate \xed\xa0\x80", "surrogate \\xed\\xa0\\x80"},
    {"beyond \xf4\x90\x80\x80", "beyond \\xf4\\x90\\x80\\x80"},
    {"\xf0\x80\x80\x80", "\\xf0\\x80\\x80\\x80"},
    {"\xff\xfe\x80", "\\xff\\xfe\\x80"},
    {"C1 \xc2\x9b", "C1 \\xc2\\x9b"},
    {"turned \xe2\x80\xae", "turned \\xe2\\x80\\xae"},
    {"100%", "100%"},
};

static void test_text_stays_on_its_line(void **state)
{
    (void) state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
        char expected[256];

        log_info("%s", escapes[i].message);
        snprintf(expected, sizeof(expected), "info %s\n", escapes[i].text);
        assert_string_equal(line(), expected);
    }
}

static void test_json_says_the_same_as_text(void **state)
{
    (void) state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
        const char *time, *level, *message, *bytes;
        char        seconds[TIME_TEXT_MAX];
        wall_t      when;
        json_t     *object;

        log_warning("%s", escapes[i].message);
        bytes = line();
        assert_non_null(bytes);
        assert_ptr_equal(strchr(bytes, '\n'), bytes + strlen(bytes) - 1);
        object = json_loads(bytes, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(object);
        assert_int_equal(json_unpack(object, "{s:s, s:s, s:s !}", "time", &time, "level", &level, "message", &message),
                         0);
        assert_string_equal(message, escapes[i].text);
        assert_string_equal(level, "warning");
        assert_int_equal(strlen(time), strlen("2026-01-31T12:00:00.000Z"));
        snprintf(seconds, sizeof(seconds), "%.19sZ", time);
        assert_true(time_parse(seconds, &when) && when > 1700000000);
        json_decref(object);
    }
}

/* A peer must not be able to make a line that a pipe would split, nor broken JSON. */
static void test_long_messages_are_cut(void **state)
{
    char *message = malloc(20001);

    (void) state;
    for (int fill = 0; fill < 3; fill++) {
        for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
            const char *bytes;

            log_configure(LOG_LEVEL_INFO, (enum log_format) format);
            memset(message, "a\"\x01"[fill], 20000);
            message[20000] = '\0';
            log_info("%s", message);
            bytes = line();
            assert_non_null(bytes);
            assert_true(strlen(bytes) <= 4096 && strlen(bytes) > 2000);
            assert_string_equal(bytes + strlen(bytes) - (format == LOG_FORMAT_JSON ? 6 : 4),
                                format == LOG_FORMAT_JSON ? "...\"}\n" : "...\n");
            if (format == LOG_FORMAT_JSON) {
                json_t *object = json_loads(bytes, 0, NULL);

                assert_non_null(object);
                json_decref(object);
            }
        }
    }
    free(message);
}

static void test_no_allocation_and_errno_is_kept(void **state)
{
    (void) state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    heap_fail_all();
    errno = EDOM;
    log_info("%s %d %m", "text", 1);
    assert_int_equal(errno, EDOM);
    assert_false(heap_restore());
    assert_non_null(strstr(line(), "Numerical argument out of domain"));
    errno = EDOM;
    for (int i = 0; i < 1000; i++) /* fills the socket: the writes fail */
        log_info("more");
    assert_int_equal(errno, EDOM);
    while (line() != NULL)
        ;
    log_catch_up();
    assert_non_null(strstr(line(), " lines lost: nobody read the log"));
}

static void test_the_journal_gets_priorities(void **state)
{
    struct stat status;
    char        stream[64];

    (void) state;
    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long) status.st_dev,
             (unsigned long long) status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    log_error("a");
    assert_string_equal(line(), "<3>error a\n");
    log_warning("b");
    assert_string_equal(line(), "<4>warning b\n");
    log_info("c");
    assert_string_equal(line(), "<6>info c\n");
    log_debug("d");
    assert_string_equal(line(), "<7>debug d\n");
    setenv("JOURNAL_STREAM", "1:1", 1); /* inherited, but standard error went elsewhere */
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    log_error("a");
    assert_string_equal(line(), "error a\n");
    unsetenv("JOURNAL_STREAM");
}

/* Whoever reads has stopped: no line waits, and the number of those that were dropped is said when he goes on. */
static void flood_until_lost(unsigned *ret_sent)
{
    uint64_t begun = now_ms();

    for (*ret_sent = 0; *ret_sent < 5000; ++*ret_sent)
        log_line(LOG_LEVEL_INFO, "line %u %0400u", *ret_sent, 0);
    assert_true(now_ms() - begun < 4000);
}

/* What came, until nothing more does: how many whole lines, in sequence, and how many are said to be lost. */
static void read_all(int file, unsigned *ret_lines, unsigned *ret_lost)
{
    static char text[1 << 22];
    size_t      len = 0;
    ssize_t     got;

    while ((got = read(file, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t) got;
    text[len]  = '\0';
    *ret_lines = *ret_lost = 0;
    for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n")) {
        unsigned number;

        if (sscanf(at, "warning %u lines lost", ret_lost) == 1)
            continue;
        assert_int_equal(sscanf(at, "info line %u", &number), 1);
        assert_int_equal(strlen(at), strlen("info line  ") + 400 + (size_t) snprintf(NULL, 0, "%u", number));
        assert_int_equal(number, *ret_lines);
        ++*ret_lines;
    }
}

static void test_nobody_reads(void **state)
{
    (void) state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (int kind = 0; kind < 3; kind++) {
        unsigned sent, lines, more, lost;
        int      ends[2];

        if (kind == 0)
            assert_int_equal(pipe(ends), 0);
        else
            assert_int_equal(socketpair(AF_UNIX, kind == 1 ? SOCK_STREAM : SOCK_SEQPACKET, 0, ends), 0);
        assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
        dup2(ends[1], STDERR_FILENO);
        flood_until_lost(&sent);
        log_catch_up(); /* still nobody */
        read_all(ends[0], &lines, &lost);
        assert_true(lines > 0 && lines < sent);
        assert_int_equal(lost, 0);
        log_catch_up();
        log_catch_up(); /* once */
        read_all(ends[0], &more, &lost);
        assert_int_equal(more, 0);
        assert_int_equal(lines + lost, sent);
        log_line(LOG_LEVEL_INFO, "line 0 %0400u", 0);
        read_all(ends[0], &more, &lost);
        assert_true(more == 1 && lost == 0);
        close(ends[0]);
        close(ends[1]);
    }
}

/* A line that finds room again is preceded by what was lost; as JSON it is an object like any other. */
static void test_lost_lines_come_first(void **state)
{
    char text[1024] = "";
    int  ends[2];

    (void) state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 8192), 8192);
    dup2(ends[1], STDERR_FILENO);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    while (log_line(LOG_LEVEL_INFO, "%0400u", 0), poll(&(struct pollfd){.fd = ends[1], .events = POLLOUT}, 1, 0) == 1)
        ;
    log_line(LOG_LEVEL_INFO, "lost");
    log_line(LOG_LEVEL_INFO, "lost");
    assert_true(read(ends[0], packet, sizeof(packet)) > 0);
    log_line(LOG_LEVEL_INFO, "found");
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    assert_non_null(strstr(text, "\"level\":\"warning\",\"message\":\"2 lines lost: nobody read the log\"}\n"));
    assert_true(strstr(text, "found") > strstr(text, "lines lost"));
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    close(ends[0]);
    close(ends[1]);
}

/* The reader goes away while the pipe is full, and another comes: what it missed is said. */
static void test_another_reads(void **state)
{
    static char text[1 << 16];
    char        path[64];
    int         ends[2], again;
    ssize_t     got;
    size_t      len  = 0;
    unsigned    lost = 0;

    (void) state;
    signal(SIGPIPE, SIG_IGN); /* as bywayd does */
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 8192), 8192);
    dup2(ends[1], STDERR_FILENO);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    while (log_line(LOG_LEVEL_INFO, "%0400u", 0), poll(&(struct pollfd){.fd = ends[1], .events = POLLOUT}, 1, 0) == 1)
        ;
    close(ends[0]);
    log_line(LOG_LEVEL_INFO, "lost");
    log_line(LOG_LEVEL_INFO, "lost");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[1]);
    again = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(again >= 0);
    while ((got = read(again, text, sizeof(text))) > 0)
        ;
    log_line(LOG_LEVEL_INFO, "found");
    while ((got = read(again, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t) got;
    text[len] = '\0';
    assert_int_equal(sscanf(text, "warning %u lines lost", &lost), 1);
    assert_int_equal(lost, 2);
    assert_non_null(strstr(text, "\ninfo found\n"));
    close(again);
    close(ends[1]);
    signal(SIGPIPE, SIG_DFL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_levels),
        FIXTURE_TEST(test_text_stays_on_its_line),
        FIXTURE_TEST(test_json_says_the_same_as_text),
        FIXTURE_TEST(test_long_messages_are_cut),
        FIXTURE_TEST(test_no_allocation_and_errno_is_kept),
        FIXTURE_TEST(test_the_journal_gets_priorities),
        FIXTURE_TEST(test_nobody_reads),
        FIXTURE_TEST(test_lost_lines_come_first),
        FIXTURE_TEST(test_another_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
