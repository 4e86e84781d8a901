/*
 * test_query_log.c: queries on lines of the log that stay whole, how many there are at most, and what is said of the
 * rest.
 */
#include "server/query_log.h"

#include "base/log.h"
#include "lib/check.h"
#include "lib/names.h"
#include "server/daemon.h"
#include "server/traces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    START = 5000, /* ms */
    LINE  = 4096
};

struct fixture {
    struct daemon   daemon;
    struct settings settings;
    struct setup    setup;
    struct group    groups[2];
    FILE           *log; /* the file that standard error is meanwhile, read at a place of its own */
    int             saved;
    uint64_t        lost;
};

static int open_fixture(void **state)
{
    struct fixture *fixture = *state = calloc(1, sizeof(*fixture));
    fixture->groups[0].name          = "domestic";
    fixture->groups[1].name          = "external";
    fixture->setup                   = (struct setup){.groups = fixture->groups, .group_count = 2};
    fixture->settings                = (struct settings){.log_queries = LOG_QUERIES_ALL};
    fixture->daemon.settings         = &fixture->settings;
    fixture->daemon.setup            = &fixture->setup;
    fixture->daemon.now              = START;
    list_init(&fixture->daemon.tracers);
    fixture->saved = dup(STDERR_FILENO);
    FILE *written  = tmpfile();
    dup2(fileno(written), STDERR_FILENO);
    fclose(written);
    return (fixture->log = fopen("/proc/self/fd/2", "r")) ? 0 : -1;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    dup2(fixture->saved, STDERR_FILENO);
    close(fixture->saved);
    fclose(fixture->log);
    free(fixture);
    return 0;
}

/* The next line, without its end; NULL: there is none. */
static const char *next_line(struct fixture *fixture)
{
    static char line[2 * LINE];
    clearerr(fixture->log);
    if (!fgets(line, sizeof(line), fixture->log))
        return NULL;
    assert_true(strlen(line) <= LINE);
    line[strcspn(line, "\n")] = '\0';
    return line;
}

static struct traced a_fallback(void)
{
    struct traced traced = {.type = TYPE_MX, .way = TRACE_BY_GROUP, .group = 1, .why = "unknown", .took = 961};
    traced.name          = named("mail.example");
    address_parse("127.0.0.1:40001", 0, &traced.client);
    struct trace_step steps[] = {{.what = TRACE_ROUTE, .group = 0},
                                 {.at = 1, .what = TRACE_ASK, .group = 0},
                                 {.at = 961, .what = TRACE_JUDGE, .group = 1, .over = TRANSPORT_TCP, .copy = true}};
    address_parse("192.0.2.1:53", 0, &steps[1].upstream);
    address_parse("[2001:db8::1]:53", 0, &steps[2].upstream);
    memcpy(traced.trace.steps, steps, sizeof(steps));
    traced.trace.count = ARRAY_LEN(steps);
    return traced;
}

/* Nobody watches: the log is the only one who wants it. */
static void tell(struct fixture *fixture, const struct traced *traced) { traces_tell(&fixture->daemon, traced); }

static uint64_t lost(const struct fixture *fixture) { return atomic_load(&fixture->daemon.ended.traces_lost); }

static void a_line_of_text(void **state)
{
    struct fixture *fixture = *state;
    struct traced   traced  = a_fallback();
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    tell(fixture, &traced);
    assert_string_equal(next_line(fixture),
                        "info query 127.0.0.1:40001 mail.example. MX: NOERROR by external in 961 ms, unknown; "
                        "0 ms route domestic; 1 ms ask domestic 192.0.2.1:53 udp; "
                        "961 ms judge external [2001:db8::1]:53 tcp: answer (a copy)");
    assert_null(next_line(fixture));
}

static void a_line_of_json(void **state)
{
    struct fixture *fixture = *state;
    struct traced   traced  = a_fallback();
    const char     *message;
    json_t         *query, *presented = traces_present(&fixture->daemon, &traced);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON);
    query_log_tell(&fixture->daemon, presented);
    json_t *line = json_loads(next_line(fixture), JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_unpack(line, "{s:s, s:o}", "message", &message, "query", &query), 0);
    assert_string_equal(message, "query");
    assert_true(json_equal(query, presented));
    json_decref(line);
    json_decref(presented);
}

/* The longest name, each byte of which takes four or five, and all steps. */
static struct traced the_longest(void)
{
    struct traced traced              = a_fallback();
    uint8_t       wire[NAME_WIRE_MAX] = {0};
    for (size_t at = 0; at + 64 < sizeof(wire); at += 64)
        wire[at] = 63;
    wire[192] = sizeof(wire) - 194;
    name_set(&traced.name, (struct view){wire, sizeof(wire)});
    for (traced.trace.count = 0; traced.trace.count < TRACE_STEPS; traced.trace.count++)
        traced.trace.steps[traced.trace.count] = a_fallback().trace.steps[2];
    return traced;
}

static void what_is_too_long_is_cut(void **state)
{
    struct fixture *fixture = *state;
    struct traced   traced  = the_longest();
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    tell(fixture, &traced);
    json_t *line = json_loads(next_line(fixture), 0, NULL), *query = json_object_get(line, "query");
    size_t  steps = json_array_size(json_object_get(query, "steps"));
    assert_true(json_is_true(json_object_get(query, "cut")) && steps > 5 && steps < TRACE_STEPS);
    json_decref(line);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    tell(fixture, &traced);
    const char *text = next_line(fixture);
    assert_non_null(strstr(text, "\\000\\000."));
    assert_int_equal(lost(fixture), 0);
}

static void so_many_in_a_second(void **state)
{
    struct fixture *fixture = *state;
    struct traced   traced  = a_fallback();
    unsigned        lines   = 0;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (unsigned i = 0; i < LIMIT_QUERY_LINES + 7; i++) {
        fixture->daemon.now = START + i % 1000 * i / (LIMIT_QUERY_LINES + 7);
        tell(fixture, &traced);
    }
    assert_int_equal(lost(fixture), 7);
    fixture->daemon.now = START + 1000;
    tell(fixture, &traced);
    assert_int_equal(lost(fixture), 7);
    while (next_line(fixture))
        lines++;
    assert_int_equal(lines, LIMIT_QUERY_LINES + 1);
}

static const char *told_after(struct fixture *fixture, unsigned lose, msec_t now)
{
    fixture->lost += lose;
    fixture->daemon.now = now;
    query_log_on_time(&fixture->daemon, fixture->lost);
    return next_line(fixture);
}

static void what_is_lost_is_said_once_a_minute(void **state)
{
    struct fixture *fixture = *state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    assert_null(told_after(fixture, 0, START));
    assert_string_equal(told_after(fixture, 3, START),
                        "warning queries that were not logged: 3: more than can be written");
    assert_null(told_after(fixture, 2, START + 1000));
    assert_null(told_after(fixture, 2, START + 59999));
    assert_string_equal(told_after(fixture, 0, START + 60000),
                        "warning queries that were not logged: 4: more than can be written");
    assert_null(told_after(fixture, 0, START + 120000));
    fixture->settings.log_queries = LOG_QUERIES_OFF; /* then a watcher's are lost, who is told himself */
    assert_null(told_after(fixture, 9, START + 180000));
    fixture->settings.log_queries = LOG_QUERIES_FAILED;
    assert_null(told_after(fixture, 0, START + 240000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_line_of_text),
        FIXTURE_TEST(a_line_of_json),
        FIXTURE_TEST(what_is_too_long_is_cut),
        FIXTURE_TEST(so_many_in_a_second),
        FIXTURE_TEST(what_is_lost_is_said_once_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
