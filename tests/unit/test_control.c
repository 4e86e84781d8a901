/*
 * test_control.c: the control socket with a real Unix socket, a loop and made-up methods. Client and server share one
 * thread: the client's end is not blocking and the loop is turned while it waits.
 */
#include "control/control.h"

#include "base/supply.h"
#include "control/peer.h"
#include "lib/check.h"
#include "lib/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STALL_MS = 200,
    TURNS    = 3000 /* of 1 ms each, before a test gives up */
};

struct bench {
    uv_loop_t            loop;
    uv_timer_t           tick; /* so that a turn of the loop never blocks for long */
    struct control      *control;
    char                 directory[64];
    char                 path[100];
    struct control_call *waiting[128];
    size_t               waiting_count;
    int                  runs;
    struct parade       *parades; /* series under way */
    unsigned             made;    /* elements, of all series */
    unsigned             most;    /* of them in one turn of the loop */
    unsigned             turn;    /* of them in this one */
    bool                 hold;    /* series that are over wait in `waiting` */
};

/* A series of the numbers from 0 on. */
struct parade {
    struct bench  *bench;
    struct parade *next;
    json_int_t     at, count;
    int            piece; /* elements a time; 0: every other time none */
    bool           idle;
};

static void run_echo(void *context, struct control_call *call, json_t *params)
{
    ((struct bench *) context)->runs++;
    control_reply(call, json_incref(params));
}

static void run_later(void *context, struct control_call *call, json_t *params)
{
    struct bench *bench = context;

    (void) params;
    bench->runs++;
    assert_true(bench->waiting_count < ARRAY_LEN(bench->waiting));
    bench->waiting[bench->waiting_count++] = call;
}

static void run_missing(void *context, struct control_call *call, json_t *params)
{
    (void) context;
    control_fail(call, CONTROL_NOT_FOUND, "nothing is known of %s", json_string_value(json_object_get(params, "zone")));
}

static void run_garbled(void *context, struct control_call *call, json_t *params)
{
    (void) context, (void) params;
    control_fail(call, CONTROL_FAILED, "\xff\xfe");
}

static void run_nothing(void *context, struct control_call *call, json_t *params)
{
    (void) context, (void) params;
    control_reply(call, NULL);
}

/* A string of "size" letters. */
static void run_big(void *context, struct control_call *call, json_t *params)
{
    struct bench *bench = context;
    size_t        size  = (size_t) json_integer_value(json_object_get(params, "size"));
    char         *text  = malloc(size + 1);

    bench->runs++;
    memset(text, 'x', size);
    control_reply(call, json_stringn(text, size));
    free(text);
}

static bool more_numbers(void *context, json_t *elements)
{
    struct parade *parade = context;
    int            piece  = parade->piece ? parade->piece : (parade->idle = !parade->idle) ? 0 : 1;

    assert_int_equal(0, json_array_size(elements));
    for (; piece > 0 && parade->at < parade->count; piece--) {
        json_array_append_new(elements, json_integer(parade->at++));
        parade->bench->made++;
        parade->bench->turn++;
    }
    return parade->at < parade->count;
}

static void last_number(void *context, struct control_call *call)
{
    struct parade  *parade = context;
    struct bench   *bench  = parade->bench;
    struct parade **link   = &bench->parades;

    while (*link != parade)
        link = &(*link)->next;
    *link = parade->next;
    free(parade);
    if (bench->hold)
        bench->waiting[bench->waiting_count++] = call;
    else
        control_end_series(call);
}

/* "count" numbers, "piece" at a time, in an object if "inside". */
static void run_count(void *context, struct control_call *call, json_t *params)
{
    struct bench  *bench  = context;
    struct parade *parade = malloc(sizeof(*parade));
    bool           inside = json_is_true(json_object_get(params, "inside"));

    bench->runs++;
    if (!parade) {
        control_reply(call, NULL);
        return;
    }
    *parade        = (struct parade){.bench = bench,
                                     .next  = bench->parades,
                                     .count = json_integer_value(json_object_get(params, "count")),
                                     .piece = (int) json_integer_value(json_object_get(params, "piece"))};
    bench->parades = parade;
    control_reply_series(call, inside ? json_pack("{s:i, s:[]}", "version", 1, "numbers") : json_array(),
                         &(struct control_series){parade, more_numbers, last_number});
}

static void run_stop(void *context, struct control_call *call, json_t *params)
{
    struct bench *bench = context;

    (void) params;
    control_close(bench->control);
    bench->control = NULL;
    control_reply(call, json_true());
}

static const struct control_method methods[] = {
    {"echo", false, run_echo},       {"later", false, run_later},
    {"missing", false, run_missing}, {"garbled", false, run_garbled},
    {"nothing", false, run_nothing}, {"big", false, run_big},
    {"change", true, run_echo},      {"stop", true, run_stop},
    {"count", false, run_count},     {NULL, false, NULL},
};

static void on_tick(uv_timer_t *timer) { (void) timer; }

/* Calls that change a file by its path, which somebody may have exchanged. */
static unsigned path_calls;

int chmod(const char *path, mode_t mode)
{
    path_calls++;
    return fchmodat(AT_FDCWD, path, mode, 0);
}

int chown(const char *path, uid_t user, gid_t group)
{
    path_calls++;
    return fchownat(AT_FDCWD, path, user, group, 0);
}

/* A client that takes nothing for stall_ms is closed; 0: after the usual time, which no test reaches. */
static void bench_open_stalling(struct bench *bench, unsigned stall_ms)
{
    *bench = (struct bench){.directory = "/tmp/test_control.XXXXXX"};
    signal(SIGPIPE, SIG_IGN);
    assert_non_null(mkdtemp(bench->directory));
    snprintf(bench->path, sizeof(bench->path), "%s/run/control.sock", bench->directory);
    assert_int_equal(0, uv_loop_init(&bench->loop));
    uv_timer_init(&bench->loop, &bench->tick);
    uv_timer_start(&bench->tick, on_tick, 1, 1);
    int given;
    int fd = control_bind(bench->path, (gid_t) -1, &given);
    assert_true(fd >= 0);
    bench->control = control_start(
        &bench->loop, fd,
        &(struct control_options){.methods = methods, .group = (gid_t) -1, .context = bench, .stall_ms = stall_ms});
    assert_non_null(bench->control);
}

static void bench_open(struct bench *bench) { bench_open_stalling(bench, 0); }

static void bench_close(struct bench *bench)
{
    char parent[128];

    if (bench->control)
        control_close(bench->control);
    for (size_t i = 0; i < bench->waiting_count; i++)
        control_reply(bench->waiting[i], json_true());
    uv_close((uv_handle_t *) &bench->tick, NULL);
    uv_run(&bench->loop, UV_RUN_DEFAULT);
    assert_int_equal(0, uv_loop_close(&bench->loop));
    assert_null(bench->parades);
    assert_int_equal(-1, access(bench->path, F_OK)); /* removed */
    snprintf(parent, sizeof(parent), "%s/run", bench->directory);
    assert_int_equal(0, rmdir(parent));
    assert_int_equal(0, rmdir(bench->directory));
}

static void turn(struct bench *bench)
{
    bench->turn = 0;
    uv_run(&bench->loop, UV_RUN_ONCE);
    if (bench->turn > bench->most)
        bench->most = bench->turn;
}

static void turns(struct bench *bench, int count)
{
    while (count-- > 0)
        turn(bench);
}

static int dial(struct bench *bench)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int                fd      = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", bench->path);
    assert_true(fd >= 0);
    assert_int_equal(0, connect(fd, (struct sockaddr *) &address, sizeof(address)));
    return fd;
}

/* False: the other side has closed. */
static bool send_all(struct bench *bench, int fd, const void *data, size_t len)
{
    for (int left = TURNS; len > 0; turn(bench)) {
        ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return false;
        if (sent > 0) {
            data = (const char *) data + sent;
            len -= (size_t) sent;
        }
        assert_true(left-- > 0);
    }
    return true;
}

static void say(struct bench *bench, int fd, const char *text) { assert_true(send_all(bench, fd, text, strlen(text))); }

/* The next line, without its end; NULL: closed. The caller frees. */
static char *hear(struct bench *bench, int fd)
{
    char  *line = NULL;
    size_t len = 0, cap = 0;

    for (int left = TURNS; left > 0; left--) {
        if (cap - len < 2)
            line = realloc(line, cap = cap ? 2 * cap : 256);
        /* byte by byte would be slow for a big line, but must not read over its end: look first */
        ssize_t count = recv(fd, line + len, cap - len - 1, MSG_PEEK);
        if (count == 0 || (count < 0 && errno != EAGAIN)) {
            free(line);
            return NULL;
        }
        if (count > 0) {
            char *end = memchr(line + len, '\n', (size_t) count);
            count     = recv(fd, line + len, end ? (size_t) (end - line) - len + 1 : (size_t) count, 0);
            len += (size_t) count;
            left = TURNS;
            if (end) {
                line[len - 1] = 0;
                return line;
            }
            continue;
        }
        turn(bench);
    }
    free(line);
    fail_msg("no reply");
    return NULL;
}

static void hear_this(struct bench *bench, int fd, const char *expected)
{
    char *line = hear(bench, fd);

    assert_non_null(line);
    assert_string_equal(expected, line);
    free(line);
}

static void hear_error(struct bench *bench, int fd, int code, const char *id)
{
    char   *line  = hear(bench, fd);
    json_t *reply = line ? json_loads(line, 0, NULL) : NULL;
    json_t *error = json_object_get(reply, "error");
    char   *got   = json_dumps(json_object_get(reply, "id"), JSON_ENCODE_ANY);

    assert_non_null(reply);
    assert_int_equal(code, json_integer_value(json_object_get(error, "code")));
    assert_true(json_string_length(json_object_get(error, "message")) > 0);
    assert_null(json_object_get(reply, "result"));
    assert_string_equal("2.0", json_string_value(json_object_get(reply, "jsonrpc")));
    assert_non_null(got);
    assert_string_equal(id, got);
    free(got);
    free(line);
    json_decref(reply);
}

#define MARK "{\"jsonrpc\":\"2.0\",\"id\":\"mark\",\"method\":\"echo\"}\n"
#define MARKED "{\"jsonrpc\":\"2.0\",\"id\":\"mark\",\"result\":{}}"

/* Each row on one connection, followed by a good request: nothing but the row's own reply may come before its answer.
 */
static void test_requests(void **state)
{
    static const struct {
        const char *line;
        int         code; /* 0: `reply` is the whole line; "" is none */
        const char *reply;
    } rows[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}", 0, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"echo\",\"params\":{\"k\":[1,\"\\u00e9\"]}}\r", 0,
         "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{\"k\":[1,\"\xc3\xa9\"]}}"},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"echo\"}", 0, "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"echo\"}", 0, "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"result\":{}}"},
        {"{\"id\":-9007199254740993,\"method\":\"echo\",\"jsonrpc\":\"2.0\",\"more\":1}", 0,
         "{\"jsonrpc\":\"2.0\",\"id\":-9007199254740993,\"result\":{}}"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"change\",\"params\":{}}", 0,
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"},
        /* notifications: never a reply */
        {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}", 0, ""},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"nosuch\"}", 0, ""},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"echo\",\"params\":[1]}", 0, ""},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"missing\",\"params\":{\"zone\":\"z.\"}}", 0, ""},
        /* blank lines */
        {"", 0, ""},
        {" \t\r", 0, ""},
        /* no JSON */
        {"hello", CONTROL_PARSE, "null"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"", CONTROL_PARSE, "null"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"} {}", CONTROL_PARSE, "null"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"echo\"}", CONTROL_PARSE, "null"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ec\xff\"}", CONTROL_PARSE, "null"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ec\xc3\"}", CONTROL_PARSE, "null"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ec\\u0000\"}", CONTROL_PARSE, "null"},
        {"{\"jsonrpc\":\"2.0\",\"id\":99999999999999999999,\"method\":\"echo\"}", CONTROL_PARSE, "null"},
        {"\x01\x02\x80", CONTROL_PARSE, "null"},
        /* no request */
        {"7", CONTROL_INVALID_REQUEST, "null"},
        {"\"echo\"", CONTROL_INVALID_REQUEST, "null"},
        {"{}", CONTROL_INVALID_REQUEST, "null"},
        {"[]", CONTROL_INVALID_REQUEST, "null"},
        {"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}]", CONTROL_INVALID_REQUEST, "null"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1}", CONTROL_INVALID_REQUEST, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}", CONTROL_INVALID_REQUEST, "1"},
        {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"echo\"}", CONTROL_INVALID_REQUEST, "1"},
        {"{\"id\":1,\"method\":\"echo\"}", CONTROL_INVALID_REQUEST, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"echo\"}", CONTROL_INVALID_REQUEST, "null"},
        {"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"echo\"}", CONTROL_INVALID_REQUEST, "null"},
        /* requests that fail */
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nosuch\"}", CONTROL_UNKNOWN_METHOD, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}", CONTROL_UNKNOWN_METHOD, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[1]}", CONTROL_BAD_PARAMS, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":null}", CONTROL_BAD_PARAMS, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"missing\",\"params\":{\"zone\":\"z.\"}}", CONTROL_NOT_FOUND, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"garbled\"}", CONTROL_FAILED, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\"}", CONTROL_INTERNAL, "1"},
    };
    struct bench bench;

    (void) state;
    bench_open(&bench);
    int fd = dial(&bench);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        say(&bench, fd, rows[i].line);
        say(&bench, fd, "\n" MARK);
        if (rows[i].code != 0)
            hear_error(&bench, fd, rows[i].code, rows[i].reply);
        else if (*rows[i].reply)
            hear_this(&bench, fd, rows[i].reply);
        hear_this(&bench, fd, MARKED);
    }
    close(fd);
    bench_close(&bench);
}

static void test_deep_nesting(void **state)
{
    static char  line[200002];
    struct bench bench;

    (void) state;
    bench_open(&bench);
    int fd = dial(&bench);
    memset(line, '[', 200000);
    line[200000] = '\n';
    say(&bench, fd, line);
    hear_error(&bench, fd, CONTROL_PARSE, "null");
    say(&bench, fd, MARK);
    hear_this(&bench, fd, MARKED);
    close(fd);
    bench_close(&bench);
}

/* Lines arrive in any pieces, many in one. */
static void test_pieces(void **state)
{
    struct bench bench;

    (void) state;
    bench_open(&bench);
    int fd = dial(&bench);
    for (const char *letter = MARK MARK; *letter; letter++) {
        assert_true(send_all(&bench, fd, letter, 1));
        turn(&bench);
    }
    hear_this(&bench, fd, MARKED);
    hear_this(&bench, fd, MARKED);
    close(fd);
    bench_close(&bench);
}

/* Replies come when they are ready, with their ids; past the bound the client is not read. */
static void test_pipelining(void **state)
{
    struct bench bench;
    char         text[256];
    bool         heard[100] = {false};

    (void) state;
    bench_open(&bench);
    int fd = dial(&bench);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"later\"}\n", i);
        say(&bench, fd, text);
    }
    turns(&bench, 20);
    assert_int_equal(64, bench.runs);
    for (int i = 0; i < 100; i++) {
        for (int left = TURNS; bench.waiting_count == 0 && left > 0; left--)
            turn(&bench);
        assert_true(bench.waiting_count > 0);
        control_reply(bench.waiting[--bench.waiting_count], json_true()); /* the last asked first */
        char *line = hear(&bench, fd);
        int   id   = -1;
        assert_non_null(line);
        assert_int_equal(1, sscanf(line, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":true}", &id));
        assert_true(id >= 0 && id < 100 && !heard[id]);
        heard[id] = true;
        assert_true(i > 0 || id == 63);
        free(line);
    }
    assert_int_equal(100, bench.runs);
    say(&bench, fd, MARK);
    hear_this(&bench, fd, MARKED);
    close(fd);
    bench_close(&bench);
}

/* A client may half-close and still gets what it waits for; its last line needs no end. Then it is closed. */
static void test_half_close(void **state)
{
    struct bench bench;

    (void) state;
    bench_open(&bench);
    int fd = dial(&bench);
    say(&bench, fd,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"echo\"}");
    shutdown(fd, SHUT_WR);
    hear_this(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
    turns(&bench, 5);
    control_reply(bench.waiting[--bench.waiting_count], json_integer(5));
    hear_this(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":5}");
    assert_null(hear(&bench, fd));
    close(fd);
    bench_close(&bench);
}

/* A notification's call ends without a write; what waited behind it must go on all the same. */
static void test_notifications_release_the_client(void **state)
{
    struct bench bench;

    (void) state;
    bench_open(&bench);
    int fd = dial(&bench);
    for (int i = 0; i < 64; i++)
        say(&bench, fd, "{\"jsonrpc\":\"2.0\",\"method\":\"later\"}\n");
    say(&bench, fd, MARK);
    turns(&bench, 20);
    assert_int_equal(64, bench.runs);
    while (bench.waiting_count > 0)
        control_reply(bench.waiting[--bench.waiting_count], json_true());
    hear_this(&bench, fd, MARKED);
    close(fd);
    bench_close(&bench);
}

static void test_client_gone_before_the_reply(void **state)
{
    struct bench bench;

    (void) state;
    bench_open(&bench);
    for (int how = 0; how < 3; how++) {
        int fd = dial(&bench);
        say(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n");
        turns(&bench, 5);
        assert_int_equal(1, bench.waiting_count);
        close(fd);
        if (how > 0)
            turns(&bench, 5);
        struct control_call *call = bench.waiting[--bench.waiting_count];
        if (how == 2)
            control_fail(call, CONTROL_FAILED, "too late");
        else
            control_reply(call, json_true());
        turns(&bench, 5);
    }
    int fd = dial(&bench);
    say(&bench, fd, MARK);
    hear_this(&bench, fd, MARKED);
    close(fd);
    bench_close(&bench);
}

/* A line over the bound: an error, then the end. The neighbour does not notice. */
static void test_line_too_long(void **state)
{
    struct bench bench;
    size_t       len  = (size_t) LIMIT_CONTROL_LINE + (1 << 20);
    char        *line = malloc(len);

    (void) state;
    bench_open(&bench);
    int fd = dial(&bench), neighbour = dial(&bench);
    memset(line, ' ', len);
    send_all(&bench, fd, line, len);
    hear_error(&bench, fd, CONTROL_INVALID_REQUEST, "null");
    assert_null(hear(&bench, fd));
    say(&bench, neighbour, MARK);
    hear_this(&bench, neighbour, MARKED);
    close(fd);

    /* just below the bound is a request */
    fd            = dial(&bench);
    len           = LIMIT_CONTROL_LINE - (1 << 16);
    line[len - 1] = '\n';
    memcpy(line, MARK, strlen(MARK) - 1);
    assert_true(send_all(&bench, fd, line, len));
    hear_this(&bench, fd, MARKED);
    close(fd);
    close(neighbour);
    free(line);
    bench_close(&bench);
}

#define BIG "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{\"size\":600000}}\n"

/* Who does not read is not read: the answers it has asked for are not even made. Once it reads, all come. */
static void test_slow_reader(void **state)
{
    struct bench bench;

    (void) state;
    bench_open(&bench);
    int fd = dial(&bench);
    for (int i = 0; i < 20; i++)
        say(&bench, fd, BIG);
    turns(&bench, 20);
    assert_true(bench.runs >= 2 && bench.runs <= 4);
    for (int i = 0; i < 20; i++) {
        char *line = hear(&bench, fd);
        assert_non_null(line);
        assert_true(strlen(line) > 600000);
        free(line);
    }
    assert_int_equal(20, bench.runs);
    close(fd);
    bench_close(&bench);
}

static void test_stuck_reader_is_closed(void **state)
{
    struct bench bench;
    char         buffer[65536];
    size_t       total = 0;
    ssize_t      count;

    (void) state;
    bench_open_stalling(&bench, STALL_MS);
    int fd = dial(&bench), neighbour = dial(&bench);
    say(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{\"size\":9000000}}\n");
    turns(&bench, 3 * STALL_MS);
    while ((count = recv(fd, buffer, sizeof(buffer), 0)) > 0)
        total += (size_t) count;
    assert_int_equal(0, count); /* closed, and what had not fitted in the socket is gone */
    assert_true(total < 9000000);
    say(&bench, neighbour, MARK);
    hear_this(&bench, neighbour, MARKED);
    close(fd);
    close(neighbour);
    bench_close(&bench);
}

static void test_big_reply(void **state)
{
    struct bench bench;

    (void) state;
    bench_open(&bench);
    int fd = dial(&bench);
    say(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{\"size\":30000000}}\n");
    char *line = hear(&bench, fd);
    assert_non_null(line);
    assert_int_equal(30000000 + strlen("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\"}"), strlen(line));
    free(line);
    close(fd);
    bench_close(&bench);
}

/* Together the answers that wait are bounded too: the one too many is an error. */
static void test_output_of_all(void **state)
{
    struct bench bench;
    int          fds[5];

    (void) state;
    bench_open(&bench);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = dial(&bench);
        say(&bench, fds[i], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{\"size\":30000000}}\n");
        for (int left = TURNS; bench.runs <= (int) i && left > 0; left--)
            turn(&bench);
    }
    hear_error(&bench, fds[4], CONTROL_FAILED, "1");
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    bench_close(&bench);
}

/* Errors still go out when the bound is reached, and so exceed it: what comes after them is refused all the same. */
static void test_output_beyond_the_bound(void **state)
{
    enum {
        BOUND    = 128 << 20,
        MANY     = 60000000,
        ENVELOPE = sizeof("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\"}\n") - 1,
        JUST     = BOUND - 2 * (MANY + ENVELOPE) - ENVELOPE - 10, /* an error does not fit behind it */
    };
    static const size_t sizes[] = {MANY, MANY, JUST, 30000000, 30000000};
    struct bench        bench;

    (void) state;
    bench_open(&bench);
    int fd = dial(&bench);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        say(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n");
    for (int left = TURNS; bench.waiting_count < ARRAY_LEN(sizes) && left > 0; left--)
        turn(&bench);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char *text = malloc(sizes[i]);
        memset(text, 'x', sizes[i]);
        control_reply(bench.waiting[i], json_stringn(text, sizes[i]));
        free(text);
    }
    bench.waiting_count = 0;
    for (size_t i = 0; i < 3; i++) {
        char *line = hear(&bench, fd);
        assert_non_null(line);
        assert_int_equal(sizes[i] + ENVELOPE - 1, strlen(line));
        free(line);
    }
    hear_error(&bench, fd, CONTROL_FAILED, "1");
    hear_error(&bench, fd, CONTROL_FAILED, "1");
    close(fd);
    bench_close(&bench);
}

#define COUNT(id, rest) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"count\",\"params\":{" rest "}}\n"

static void test_series(void **state)
{
    static const struct {
        const char *request, *reply;
    } rows[] = {
        {COUNT("1", "\"count\":0,\"piece\":3"), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}"},
        {COUNT("1", "\"count\":1,\"piece\":3"), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[0]}"},
        {COUNT("1", "\"count\":7,\"piece\":3"), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[0,1,2,3,4,5,6]}"},
        {COUNT("1", "\"count\":3"), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[0,1,2]}"},
        {COUNT("\"a[]\"", "\"count\":2,\"piece\":1,\"inside\":true"),
         "{\"jsonrpc\":\"2.0\",\"id\":\"a[]\",\"result\":{\"version\":1,\"numbers\":[0,1]}}"},
    };
    struct bench bench;

    (void) state;
    bench_open(&bench);
    int fd = dial(&bench);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        say(&bench, fd, rows[i].request);
        hear_this(&bench, fd, rows[i].reply);
    }
    say(&bench, fd, "{\"jsonrpc\":\"2.0\",\"method\":\"count\",\"params\":{\"count\":9,\"piece\":1}}\n" MARK);
    hear_this(&bench, fd, MARKED); /* a notification's elements are not even made */
    assert_int_equal(0 + 1 + 7 + 3 + 2, bench.made);
    close(fd);
    bench_close(&bench);
}

/* What is answered meanwhile waits, so that the line is not cut into; a half-closed client gets all of it. */
static void test_series_is_not_cut_into(void **state)
{
    struct bench bench;

    (void) state;
    bench_open(&bench);
    int fd = dial(&bench), neighbour = dial(&bench);
    say(&bench, fd,
        COUNT("1", "\"count\":4,\"piece\":1") COUNT("2", "\"count\":2,\"piece\":1") MARK
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"later\"}\n");
    shutdown(fd, SHUT_WR);
    bench.hold = true;
    for (int left = TURNS; bench.waiting_count < 2 && left > 0; left--)
        turn(&bench);
    assert_int_equal(2, bench.waiting_count); /* the late one and the first series, which may not end yet */
    turns(&bench, 20);
    assert_int_equal(4, bench.made);
    say(&bench, neighbour, MARK);
    hear_this(&bench, neighbour, MARKED);
    control_reply(bench.waiting[0], json_true());
    control_end_series(bench.waiting[1]);
    bench.waiting_count = 0;
    bench.hold          = false;
    hear_this(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[0,1,2,3]}");
    hear_this(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":[0,1]}");
    hear_this(&bench, fd, MARKED);
    hear_this(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":true}");
    assert_null(hear(&bench, fd));
    close(fd);
    close(neighbour);
    bench_close(&bench);
}

/* Nothing is made for who does not read; what is made in one turn does not grow with the number of readers. */
static void test_series_follows_its_reader(void **state)
{
    enum {
        READERS = 8,
        PIECE   = 1000,
        ALL     = 400000
    };
    struct bench bench;
    int          fds[READERS];

    (void) state;
    bench_open(&bench);
    for (int i = 0; i < READERS; i++) {
        fds[i] = dial(&bench);
        say(&bench, fds[i], COUNT("1", "\"count\":400000,\"piece\":1000"));
    }
    turns(&bench, 2000);
    unsigned made = bench.made;
    assert_true(made >= READERS * PIECE && made < READERS * (ALL / 2));
    turns(&bench, 20);
    assert_int_equal(made, bench.made);
    assert_int_equal(PIECE, bench.most);
    char   *line  = hear(&bench, fds[0]);
    json_t *reply = line ? json_loads(line, 0, NULL) : NULL;
    assert_int_equal(ALL, json_array_size(json_object_get(reply, "result")));
    assert_int_equal(ALL - 1, json_integer_value(json_array_get(json_object_get(reply, "result"), ALL - 1)));
    json_decref(reply);
    free(line);
    for (int i = 0; i < READERS; i++)
        close(fds[i]); /* the others have gone */
    turns(&bench, 20);
    assert_null(bench.parades);
    bench_close(&bench);
}

/* A series ends with its client: one that is stuck, one that is closed with the whole socket. */
static void test_series_ends_with_its_client(void **state)
{
    struct bench bench;

    (void) state;
    for (int hold = 0; hold < 2; hold++) {
        bench_open_stalling(&bench, STALL_MS);
        bench.hold = hold;
        int fd     = dial(&bench);
        say(&bench, fd, COUNT("1", "\"count\":400000,\"piece\":1000") COUNT("1", "\"count\":1,\"piece\":1"));
        turns(&bench, 50);
        assert_non_null(bench.parades);
        for (int left = TURNS; bench.parades && left > 0; left--)
            turn(&bench);
        assert_null(bench.parades);
        assert_int_equal(hold ? 2 : 0, bench.waiting_count);
        while (bench.waiting_count > 0)
            control_end_series(bench.waiting[--bench.waiting_count]);
        close(fd);

        fd = dial(&bench);
        say(&bench, fd, COUNT("1", "\"count\":400000,\"piece\":1000") COUNT("1", "\"count\":1,\"piece\":1"));
        turns(&bench, 10);
        assert_non_null(bench.parades);
        control_close(bench.control);
        bench.control = NULL;
        assert_null(bench.parades);
        assert_int_equal(hold ? 2 : 0, bench.waiting_count);
        while (bench.waiting_count > 0)
            control_end_series(bench.waiting[--bench.waiting_count]);
        close(fd);
        bench_close(&bench);
    }
}

/* A full house: the idlest gives way, one that waits for its answer stays. */
static void test_connections(void **state)
{
    struct bench bench;
    int          fds[LIMIT_CONTROL_CLIENTS + 1];

    (void) state;
    bench_open(&bench);
    for (size_t i = 0; i < LIMIT_CONTROL_CLIENTS; i++) {
        fds[i] = dial(&bench);
        turns(&bench, 2);
    }
    say(&bench, fds[0], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n");
    turns(&bench, 5);
    fds[LIMIT_CONTROL_CLIENTS] = dial(&bench);
    say(&bench, fds[LIMIT_CONTROL_CLIENTS], MARK);
    hear_this(&bench, fds[LIMIT_CONTROL_CLIENTS], MARKED);
    assert_null(hear(&bench, fds[1]));
    control_reply(bench.waiting[--bench.waiting_count], json_true());
    hear_this(&bench, fds[0], "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":true}");
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);

    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        turns(&bench, 2);
        fds[i] = dial(&bench);
        if (i < LIMIT_CONTROL_CLIENTS)
            say(&bench, fds[i], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n");
        turns(&bench, 2);
    }
    assert_int_equal(LIMIT_CONTROL_CLIENTS, bench.waiting_count);
    hear_error(&bench, fds[LIMIT_CONTROL_CLIENTS], CONTROL_FAILED, "null");
    assert_null(hear(&bench, fds[LIMIT_CONTROL_CLIENTS]));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    bench_close(&bench);
}

/* A connection for which there is no memory waits, and so do all after it; they are served when there is some. */
static void test_no_memory_for_a_connection(void **state)
{
    struct bench bench;
    int          fds[3];

    (void) state;
    bench_open(&bench);
    heap_fail_all();
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = dial(&bench);
        turns(&bench, 5);
    }
    assert_true(heap_restore());
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        say(&bench, fds[i], MARK);
        hear_this(&bench, fds[i], MARKED);
        close(fds[i]);
    }
    bench_close(&bench);
}

/* Every allocation of a request and its reply fails once, jansson's too: the reply is whole, or says that there was no
 * memory, or the connection closes. */
static void test_no_memory_for_a_request(void **state)
{
    static const struct {
        const char *request, *reply;
    } rows[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":{\"a key of more than sixteen "
         "letters\":[1.5,{}]}}",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a key of more than sixteen letters\":[1.5,{}]}}"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"count\",\"params\":{\"count\":9,\"piece\":4,\"inside\":true}}",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"version\":1,\"numbers\":[0,1,2,3,4,5,6,7,8]}}"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"missing\",\"params\":{\"zone\":\"example\"}}",
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32002,\"message\":\"nothing is known of example\"}}"},
    };
    struct bench bench;

    (void) state;
    bench_open(&bench);
    json_set_alloc_funcs(supply_take, supply_give);
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        bool refused = true;
        for (size_t nth = 0; refused; nth++) {
            int fd = dial(&bench);
            heap_fail_at(nth);
            send_all(&bench, fd, rows[row].request, strlen(rows[row].request));
            send_all(&bench, fd, "\n", 1);
            turns(&bench, 8);
            refused    = heap_restore();
            char *line = hear(&bench, fd);
            if (line ? strcmp(line, rows[row].reply) != 0 && !(refused && strstr(line, "{\"code\":-32603,")) : !refused)
                fail_msg("row %zu, allocation %zu: %s", row, nth, line ? line : "closed");
            free(line);
            close(fd);
        }
    }
    bench_close(&bench);
    json_set_alloc_funcs(malloc, free);
}

/* A method may close the whole socket, with calls and lines still waiting, and its caller hears how it went: so does a
 * reload that moves the socket. */
static void test_closed_by_a_method(void **state)
{
    struct bench bench;

    (void) state;
    bench_open(&bench);
    int fd = dial(&bench), neighbour = dial(&bench);
    say(&bench, neighbour, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n");
    turns(&bench, 5);
    say(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stop\"}\n" MARK);
    hear_this(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":true}");
    assert_null(hear(&bench, fd));
    assert_null(hear(&bench, neighbour));
    close(fd);
    close(neighbour);
    bench_close(&bench);
}

static void test_peer_may_change(void **state)
{
    enum {
        DAEMON = 100,
        GROUP  = 200,
        NONE   = -1
    };
    static const struct {
        struct peer peer;
        gid_t       group;
        bool        may;
    } rows[] = {
        {{.known = true, .uid = 0, .gid = 5}, (gid_t) NONE, true},
        {{.known = true, .uid = DAEMON, .gid = 5}, (gid_t) NONE, true},
        {{.known = true, .uid = 7, .gid = 5}, (gid_t) NONE, false},
        {{.known = true, .uid = 7, .gid = 0}, (gid_t) NONE, false},
        {{.known = true, .uid = 7, .gid = 5}, GROUP, false},
        {{.known = true, .uid = 7, .gid = GROUP}, GROUP, true},
        {{.known = true, .uid = 7, .gid = 5, .group_count = 2, .groups = {9, GROUP}}, GROUP, true},
        {{.known = true, .uid = 7, .gid = 5, .group_count = 1, .groups = {9, GROUP}}, GROUP, false},
        {{.known = true, .uid = 7, .gid = (gid_t) NONE}, (gid_t) NONE, false},
        {{.known = false, .uid = 0}, GROUP, false},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(rows[i].may, peer_may_change(&rows[i].peer, DAEMON, rows[i].group));
}

static void test_peer_read(void **state)
{
    struct peer peer;
    gid_t       groups[PEER_GROUPS_MAX];
    int         pair[2], count = getgroups(PEER_GROUPS_MAX, groups);

    (void) state;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    peer_read(pair[0], &peer);
    assert_true(peer.known);
    assert_int_equal(getuid(), peer.uid);
    assert_int_equal(getgid(), peer.gid);
    assert_int_equal(count, peer.group_count);
    for (int i = 0; i < count; i++) {
        bool found = false;
        for (size_t j = 0; j < peer.group_count; j++)
            found |= peer.groups[j] == groups[i];
        assert_true(found);
    }
    close(pair[0]);
    close(pair[1]);
    peer_read(-1, &peer);
    assert_false(peer.known);
}

/* A stranger may read and not change. Needs root, to become one. */
static void test_denied(void **state)
{
    struct bench bench;

    (void) state;
    if (getuid() != 0)
        skip();
    bench_open(&bench);
    assert_int_equal(0, chmod(bench.directory, 0711));
    assert_int_equal(0, chmod(bench.path, 0666));
    assert_int_equal(0, seteuid(65534)); /* what the kernel notes at connect() */
    int fd = dial(&bench);
    assert_int_equal(0, seteuid(0));
    say(&bench, fd,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"change\"}\n{\"jsonrpc\":\"2.0\",\"method\":\"change\"}\n" MARK);
    hear_error(&bench, fd, CONTROL_DENIED, "1");
    hear_this(&bench, fd, MARKED);
    assert_int_equal(1, bench.runs);
    close(fd);
    bench_close(&bench);
}

static void test_set_group(void **state)
{
    struct bench bench;
    struct stat  status;

    (void) state;
    if (getuid() != 0)
        skip();
    bench_open(&bench);
    assert_int_equal(0, chmod(bench.directory, 0711));
    for (int member = 0; member < 2; member++) {
        assert_int_equal(0, control_set_group(bench.control, member ? 4321 : 1234));
        assert_int_equal(0, stat(bench.path, &status));
        assert_int_equal(member ? 4321 : 1234, status.st_gid);
        assert_int_equal(0, chmod(bench.path, member ? 0660 : 0666)); /* a stranger needs it open to be judged at all */
        assert_int_equal(0, setegid(4321));
        assert_int_equal(0, seteuid(65534));
        int fd = dial(&bench);
        assert_int_equal(0, seteuid(0));
        assert_int_equal(0, setegid(0));
        say(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"change\"}\n");
        if (member)
            hear_this(&bench, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
        else
            hear_error(&bench, fd, CONTROL_DENIED, "1");
        close(fd);
    }
    bench_close(&bench);
}

static void test_bind(void **state)
{
    struct bench bench;
    struct stat  status;
    char         other[160], longer[256];
    int          given;

    (void) state;
    bench_open(&bench);
    assert_int_equal(0, stat(bench.path, &status));
    assert_int_equal(0660, status.st_mode & 07777);
    assert_int_equal(-EADDRINUSE, control_bind(bench.path, (gid_t) -1, &given)); /* alive */
    assert_int_equal(0, access(bench.path, F_OK));

    snprintf(other, sizeof(other), "%s/other", bench.directory);
    int fd = control_bind(other, getgid(), &given);
    assert_true(fd >= 0);
    close(fd);
    fd = control_bind(other, (gid_t) -1, &given); /* left by the dead */
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(0, unlink(other));

    close(open(other, O_CREAT | O_WRONLY, 0600)); /* somebody's file is not ours to remove */
    assert_int_equal(-ENOTSOCK, control_bind(other, (gid_t) -1, &given));
    assert_int_equal(0, unlink(other));

    snprintf(longer, sizeof(longer), "%s/%0150d", bench.directory, 0);
    assert_int_equal(-ENAMETOOLONG, control_bind(longer, (gid_t) -1, &given));
    snprintf(longer, sizeof(longer), "%s/none/none/sock", bench.directory);
    assert_int_equal(-ENOENT, control_bind(longer, (gid_t) -1, &given));
    bench_close(&bench);
}

/* Whatever the umask is, and for a group that root alone may choose: without a call that names the path. */
static void test_bind_makes_it_right(void **state)
{
    struct bench bench;
    struct stat  status;
    char         other[160];
    int          given = 1, fd;

    (void) state;
    bench_open(&bench);
    snprintf(other, sizeof(other), "%s/other", bench.directory);
    for (mode_t mask = 0; mask <= 0777; mask += 077) {
        umask(mask);
        path_calls = 0;
        fd         = control_bind(other, getuid() == 0 ? 4321 : getgid(), &given);
        assert_true(fd >= 0);
        assert_int_equal(given, 0);
        assert_int_equal(path_calls, 0);
        assert_int_equal(umask(022), mask);
        assert_int_equal(0, stat(other, &status));
        assert_int_equal(0660, status.st_mode & 07777);
        assert_int_equal(getuid() == 0 ? 4321 : getgid(), status.st_gid);
        assert_int_equal(getegid(), setfsgid((gid_t) -1));
        close(fd);
        assert_int_equal(0, unlink(other));
    }
    bench_close(&bench);
}

/* Who is neither root nor in the group has a socket all the same; who is in it can give it. */
static void test_bind_for_a_group(void **state)
{
    struct bench bench;
    struct stat  status;
    char         other[160];
    int          given, result;

    (void) state;
    if (getuid() != 0)
        skip();
    bench_open(&bench);
    assert_int_equal(0, chmod(bench.directory, 0777));
    snprintf(other, sizeof(other), "%s/other", bench.directory);
    for (int member = 0; member < 2; member++) {
        pid_t child = fork();
        if (child == 0) {
            gid_t groups[] = {4321};
            if (setgroups((size_t) member, groups) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
                _exit(9);
            given = 1;
            _exit(control_bind(other, 4321, &given) >= 0 && given == (member ? 0 : -EPERM) ? 0 : 1);
        }
        assert_int_equal(child, waitpid(child, &result, 0));
        assert_int_equal(0, result);
        assert_int_equal(0, stat(other, &status));
        assert_int_equal(member ? 4321 : 65534, status.st_gid);
        assert_int_equal(0660, status.st_mode & 07777);
        assert_int_equal(0, unlink(other));
    }
    bench_close(&bench);
}

/* A link in its place is not followed, nor is a file given that has another name. */
static void test_give(void **state)
{
    struct bench bench;
    struct stat  status;
    char         link_to[160], file[160];

    (void) state;
    if (getuid() != 0)
        skip();
    bench_open(&bench);
    snprintf(file, sizeof(file), "%s/file", bench.directory);
    snprintf(link_to, sizeof(link_to), "%s/link", bench.directory);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(0, symlink(file, link_to));
    assert_int_equal(-EPERM, control_give(link_to, 4321));
    assert_int_equal(-EPERM, control_give(file, 4321));
    assert_true(stat(file, &status) == 0 && status.st_gid == getgid());
    assert_int_equal(0, unlink(link_to));
    assert_int_equal(0, link(bench.path, link_to));
    assert_int_equal(-EPERM, control_give(link_to, 4321));
    assert_int_equal(0, unlink(link_to));
    assert_int_equal(0, control_give(bench.path, 4321));
    assert_true(stat(bench.path, &status) == 0 && status.st_gid == 4321);
    assert_int_equal(0, unlink(file));
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_notifications_release_the_client),
        cmocka_unit_test(test_client_gone_before_the_reply),
        cmocka_unit_test(test_line_too_long),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_stuck_reader_is_closed),
        cmocka_unit_test(test_big_reply),
        cmocka_unit_test(test_output_of_all),
        cmocka_unit_test(test_output_beyond_the_bound),
        cmocka_unit_test(test_series),
        cmocka_unit_test(test_series_is_not_cut_into),
        cmocka_unit_test(test_series_follows_its_reader),
        cmocka_unit_test(test_series_ends_with_its_client),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_no_memory_for_a_connection),
        cmocka_unit_test(test_no_memory_for_a_request),
        cmocka_unit_test(test_closed_by_a_method),
        cmocka_unit_test(test_peer_may_change),
        cmocka_unit_test(test_peer_read),
        cmocka_unit_test(test_denied),
        cmocka_unit_test(test_set_group),
        cmocka_unit_test(test_bind),
        cmocka_unit_test(test_bind_makes_it_right),
        cmocka_unit_test(test_bind_for_a_group),
        cmocka_unit_test(test_give),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
