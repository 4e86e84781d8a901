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

struct fixture {
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
    struct fixture *fixture;
    struct parade  *next;
    json_int_t      at, count;
    int             piece; /* elements a time; 0: every other time none */
    bool            idle;
};

static void run_echo(void *context, struct control_call *call, json_t *params)
{
    ((struct fixture *) context)->runs++;
    control_reply(call, json_incref(params));
}

static void run_later(void *context, struct control_call *call, json_t *params)
{
    struct fixture *fixture = context;

    (void) params;
    fixture->runs++;
    assert_true(fixture->waiting_count < ARRAY_LEN(fixture->waiting));
    fixture->waiting[fixture->waiting_count++] = call;
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
    struct fixture *fixture = context;
    size_t          size    = (size_t) json_integer_value(json_object_get(params, "size"));
    char           *text    = malloc(size + 1);

    fixture->runs++;
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
        parade->fixture->made++;
        parade->fixture->turn++;
    }
    return parade->at < parade->count;
}

static void last_number(void *context, struct control_call *call)
{
    struct parade  *parade  = context;
    struct fixture *fixture = parade->fixture;
    struct parade **link    = &fixture->parades;

    while (*link != parade)
        link = &(*link)->next;
    *link = parade->next;
    free(parade);
    if (fixture->hold)
        fixture->waiting[fixture->waiting_count++] = call;
    else
        control_end_series(call);
}

/* "count" numbers, "piece" at a time, in an object if "inside". */
static void run_count(void *context, struct control_call *call, json_t *params)
{
    struct fixture *fixture = context;
    struct parade  *parade  = malloc(sizeof(*parade));
    bool            inside  = json_is_true(json_object_get(params, "inside"));

    fixture->runs++;
    if (!parade) {
        control_reply(call, NULL);
        return;
    }
    *parade          = (struct parade){.fixture = fixture,
                                       .next    = fixture->parades,
                                       .count   = json_integer_value(json_object_get(params, "count")),
                                       .piece   = (int) json_integer_value(json_object_get(params, "piece"))};
    fixture->parades = parade;
    control_reply_series(call, inside ? json_pack("{s:i, s:[]}", "version", 1, "numbers") : json_array(),
                         &(struct control_series){parade, more_numbers, last_number});
}

static void run_stop(void *context, struct control_call *call, json_t *params)
{
    struct fixture *fixture = context;

    (void) params;
    control_close(fixture->control);
    fixture->control = NULL;
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
static void bench_open_stalling(struct fixture *fixture, unsigned stall_ms)
{
    *fixture = (struct fixture){.directory = "/tmp/test_control.XXXXXX"};
    signal(SIGPIPE, SIG_IGN);
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->path, sizeof(fixture->path), "%s/run/control.sock", fixture->directory);
    assert_int_equal(0, uv_loop_init(&fixture->loop));
    uv_timer_init(&fixture->loop, &fixture->tick);
    uv_timer_start(&fixture->tick, on_tick, 1, 1);
    int given;
    int fd = control_bind(fixture->path, (gid_t) -1, &given);
    assert_true(fd >= 0);
    fixture->control = control_start(
        &fixture->loop, fd,
        &(struct control_options){.methods = methods, .group = (gid_t) -1, .context = fixture, .stall_ms = stall_ms});
    assert_non_null(fixture->control);
}

static void open_fixture(struct fixture *fixture) { bench_open_stalling(fixture, 0); }

static void close_fixture(struct fixture *fixture)
{
    char parent[128];

    if (fixture->control)
        control_close(fixture->control);
    for (size_t i = 0; i < fixture->waiting_count; i++)
        control_reply(fixture->waiting[i], json_true());
    uv_close((uv_handle_t *) &fixture->tick, NULL);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(0, uv_loop_close(&fixture->loop));
    assert_null(fixture->parades);
    assert_int_equal(-1, access(fixture->path, F_OK)); /* removed */
    snprintf(parent, sizeof(parent), "%s/run", fixture->directory);
    assert_int_equal(0, rmdir(parent));
    assert_int_equal(0, rmdir(fixture->directory));
}

static void turn(struct fixture *fixture)
{
    fixture->turn = 0;
    uv_run(&fixture->loop, UV_RUN_ONCE);
    if (fixture->turn > fixture->most)
        fixture->most = fixture->turn;
}

static void turns(struct fixture *fixture, int count)
{
    while (count-- > 0)
        turn(fixture);
}

static int dial(struct fixture *fixture)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int                fd      = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", fixture->path);
    assert_true(fd >= 0);
    assert_int_equal(0, connect(fd, (struct sockaddr *) &address, sizeof(address)));
    return fd;
}

/* False: the other side has closed. */
static bool send_all(struct fixture *fixture, int fd, const void *data, size_t len)
{
    for (int left = TURNS; len > 0; turn(fixture)) {
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

static void say(struct fixture *fixture, int fd, const char *text)
{
    assert_true(send_all(fixture, fd, text, strlen(text)));
}

/* The next line, without its end; NULL: closed. The caller frees. */
static char *hear(struct fixture *fixture, int fd)
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
        turn(fixture);
    }
    free(line);
    fail_msg("no reply");
    return NULL;
}

static void hear_this(struct fixture *fixture, int fd, const char *expected)
{
    char *line = hear(fixture, fd);

    assert_non_null(line);
    assert_string_equal(expected, line);
    free(line);
}

static void hear_error(struct fixture *fixture, int fd, int code, const char *id)
{
    char   *line  = hear(fixture, fd);
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
    struct fixture fixture;

    (void) state;
    open_fixture(&fixture);
    int fd = dial(&fixture);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        say(&fixture, fd, rows[i].line);
        say(&fixture, fd, "\n" MARK);
        if (rows[i].code != 0)
            hear_error(&fixture, fd, rows[i].code, rows[i].reply);
        else if (*rows[i].reply)
            hear_this(&fixture, fd, rows[i].reply);
        hear_this(&fixture, fd, MARKED);
    }
    close(fd);
    close_fixture(&fixture);
}

static void test_deep_nesting(void **state)
{
    static char    line[200002];
    struct fixture fixture;

    (void) state;
    open_fixture(&fixture);
    int fd = dial(&fixture);
    memset(line, '[', 200000);
    line[200000] = '\n';
    say(&fixture, fd, line);
    hear_error(&fixture, fd, CONTROL_PARSE, "null");
    say(&fixture, fd, MARK);
    hear_this(&fixture, fd, MARKED);
    close(fd);
    close_fixture(&fixture);
}

/* Lines arrive in any pieces, many in one. */
static void test_pieces(void **state)
{
    struct fixture fixture;

    (void) state;
    open_fixture(&fixture);
    int fd = dial(&fixture);
    for (const char *letter = MARK MARK; *letter; letter++) {
        assert_true(send_all(&fixture, fd, letter, 1));
        turn(&fixture);
    }
    hear_this(&fixture, fd, MARKED);
    hear_this(&fixture, fd, MARKED);
    close(fd);
    close_fixture(&fixture);
}

/* Replies come when they are ready, with their ids; past the bound the client is not read. */
static void test_pipelining(void **state)
{
    struct fixture fixture;
    char           text[256];
    bool           heard[100] = {false};

    (void) state;
    open_fixture(&fixture);
    int fd = dial(&fixture);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"later\"}\n", i);
        say(&fixture, fd, text);
    }
    turns(&fixture, 20);
    assert_int_equal(64, fixture.runs);
    for (int i = 0; i < 100; i++) {
        for (int left = TURNS; fixture.waiting_count == 0 && left > 0; left--)
            turn(&fixture);
        assert_true(fixture.waiting_count > 0);
        control_reply(fixture.waiting[--fixture.waiting_count], json_true()); /* the last asked first */
        char *line = hear(&fixture, fd);
        int   id   = -1;
        assert_non_null(line);
        assert_int_equal(1, sscanf(line, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":true}", &id));
        assert_true(id >= 0 && id < 100 && !heard[id]);
        heard[id] = true;
        assert_true(i > 0 || id == 63);
        free(line);
    }
    assert_int_equal(100, fixture.runs);
    say(&fixture, fd, MARK);
    hear_this(&fixture, fd, MARKED);
    close(fd);
    close_fixture(&fixture);
}

/* A client may half-close and still gets what it waits for; its last line needs no end. Then it is closed. */
static void test_half_close(void **state)
{
    struct fixture fixture;

    (void) state;
    open_fixture(&fixture);
    int fd = dial(&fixture);
    say(&fixture, fd,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"echo\"}");
    shutdown(fd, SHUT_WR);
    hear_this(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
    turns(&fixture, 5);
    control_reply(fixture.waiting[--fixture.waiting_count], json_integer(5));
    hear_this(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":5}");
    assert_null(hear(&fixture, fd));
    close(fd);
    close_fixture(&fixture);
}

/* A notification's call ends without a write; what waited behind it must go on all the same. */
static void test_notifications_release_the_client(void **state)
{
    struct fixture fixture;

    (void) state;
    open_fixture(&fixture);
    int fd = dial(&fixture);
    for (int i = 0; i < 64; i++)
        say(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"method\":\"later\"}\n");
    say(&fixture, fd, MARK);
    turns(&fixture, 20);
    assert_int_equal(64, fixture.runs);
    while (fixture.waiting_count > 0)
        control_reply(fixture.waiting[--fixture.waiting_count], json_true());
    hear_this(&fixture, fd, MARKED);
    close(fd);
    close_fixture(&fixture);
}

static void test_client_gone_before_the_reply(void **state)
{
    struct fixture fixture;

    (void) state;
    open_fixture(&fixture);
    for (int how = 0; how < 3; how++) {
        int fd = dial(&fixture);
        say(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n");
        turns(&fixture, 5);
        assert_int_equal(1, fixture.waiting_count);
        close(fd);
        if (how > 0)
            turns(&fixture, 5);
        struct control_call *call = fixture.waiting[--fixture.waiting_count];
        if (how == 2)
            control_fail(call, CONTROL_FAILED, "too late");
        else
            control_reply(call, json_true());
        turns(&fixture, 5);
    }
    int fd = dial(&fixture);
    say(&fixture, fd, MARK);
    hear_this(&fixture, fd, MARKED);
    close(fd);
    close_fixture(&fixture);
}

/* A line over the bound: an error, then the end. The neighbour does not notice. */
static void test_line_too_long(void **state)
{
    struct fixture fixture;
    size_t         len  = (size_t) LIMIT_CONTROL_LINE + (1 << 20);
    char          *line = malloc(len);

    (void) state;
    open_fixture(&fixture);
    int fd = dial(&fixture), neighbour = dial(&fixture);
    memset(line, ' ', len);
    send_all(&fixture, fd, line, len);
    hear_error(&fixture, fd, CONTROL_INVALID_REQUEST, "null");
    assert_null(hear(&fixture, fd));
    say(&fixture, neighbour, MARK);
    hear_this(&fixture, neighbour, MARKED);
    close(fd);

    /* just below the bound is a request */
    fd            = dial(&fixture);
    len           = LIMIT_CONTROL_LINE - (1 << 16);
    line[len - 1] = '\n';
    memcpy(line, MARK, strlen(MARK) - 1);
    assert_true(send_all(&fixture, fd, line, len));
    hear_this(&fixture, fd, MARKED);
    close(fd);
    close(neighbour);
    free(line);
    close_fixture(&fixture);
}

#define BIG "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{\"size\":600000}}\n"

/* Who does not read is not read: the answers it has asked for are not even made. Once it reads, all come. */
static void test_slow_reader(void **state)
{
    struct fixture fixture;

    (void) state;
    open_fixture(&fixture);
    int fd = dial(&fixture);
    for (int i = 0; i < 20; i++)
        say(&fixture, fd, BIG);
    turns(&fixture, 20);
    assert_true(fixture.runs >= 2 && fixture.runs <= 4);
    for (int i = 0; i < 20; i++) {
        char *line = hear(&fixture, fd);
        assert_non_null(line);
        assert_true(strlen(line) > 600000);
        free(line);
    }
    assert_int_equal(20, fixture.runs);
    close(fd);
    close_fixture(&fixture);
}

static void test_stuck_reader_is_closed(void **state)
{
    struct fixture fixture;
    char           buffer[65536];
    size_t         total = 0;
    ssize_t        count;

    (void) state;
    bench_open_stalling(&fixture, STALL_MS);
    int fd = dial(&fixture), neighbour = dial(&fixture);
    say(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{\"size\":9000000}}\n");
    turns(&fixture, 3 * STALL_MS);
    while ((count = recv(fd, buffer, sizeof(buffer), 0)) > 0)
        total += (size_t) count;
    assert_int_equal(0, count); /* closed, and what had not fitted in the socket is gone */
    assert_true(total < 9000000);
    say(&fixture, neighbour, MARK);
    hear_this(&fixture, neighbour, MARKED);
    close(fd);
    close(neighbour);
    close_fixture(&fixture);
}

static void test_big_reply(void **state)
{
    struct fixture fixture;

    (void) state;
    open_fixture(&fixture);
    int fd = dial(&fixture);
    say(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{\"size\":30000000}}\n");
    char *line = hear(&fixture, fd);
    assert_non_null(line);
    assert_int_equal(30000000 + strlen("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\"}"), strlen(line));
    free(line);
    close(fd);
    close_fixture(&fixture);
}

/* Together the answers that wait are bounded too: the one too many is an error. */
static void test_output_of_all(void **state)
{
    struct fixture fixture;
    int            fds[5];

    (void) state;
    open_fixture(&fixture);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = dial(&fixture);
        say(&fixture, fds[i], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{\"size\":30000000}}\n");
        for (int left = TURNS; fixture.runs <= (int) i && left > 0; left--)
            turn(&fixture);
    }
    hear_error(&fixture, fds[4], CONTROL_FAILED, "1");
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    close_fixture(&fixture);
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
    struct fixture      fixture;

    (void) state;
    open_fixture(&fixture);
    int fd = dial(&fixture);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        say(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n");
    for (int left = TURNS; fixture.waiting_count < ARRAY_LEN(sizes) && left > 0; left--)
        turn(&fixture);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char *text = malloc(sizes[i]);
        memset(text, 'x', sizes[i]);
        control_reply(fixture.waiting[i], json_stringn(text, sizes[i]));
        free(text);
    }
    fixture.waiting_count = 0;
    for (size_t i = 0; i < 3; i++) {
        char *line = hear(&fixture, fd);
        assert_non_null(line);
        assert_int_equal(sizes[i] + ENVELOPE - 1, strlen(line));
        free(line);
    }
    hear_error(&fixture, fd, CONTROL_FAILED, "1");
    hear_error(&fixture, fd, CONTROL_FAILED, "1");
    close(fd);
    close_fixture(&fixture);
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
    struct fixture fixture;

    (void) state;
    open_fixture(&fixture);
    int fd = dial(&fixture);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        say(&fixture, fd, rows[i].request);
        hear_this(&fixture, fd, rows[i].reply);
    }
    say(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"method\":\"count\",\"params\":{\"count\":9,\"piece\":1}}\n" MARK);
    hear_this(&fixture, fd, MARKED); /* a notification's elements are not even made */
    assert_int_equal(0 + 1 + 7 + 3 + 2, fixture.made);
    close(fd);
    close_fixture(&fixture);
}

/* What is answered meanwhile waits, so that the line is not cut into; a half-closed client gets all of it. */
static void test_series_is_not_cut_into(void **state)
{
    struct fixture fixture;

    (void) state;
    open_fixture(&fixture);
    int fd = dial(&fixture), neighbour = dial(&fixture);
    say(&fixture, fd,
        COUNT("1", "\"count\":4,\"piece\":1") COUNT("2", "\"count\":2,\"piece\":1") MARK
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"later\"}\n");
    shutdown(fd, SHUT_WR);
    fixture.hold = true;
    for (int left = TURNS; fixture.waiting_count < 2 && left > 0; left--)
        turn(&fixture);
    assert_int_equal(2, fixture.waiting_count); /* the late one and the first series, which may not end yet */
    turns(&fixture, 20);
    assert_int_equal(4, fixture.made);
    say(&fixture, neighbour, MARK);
    hear_this(&fixture, neighbour, MARKED);
    control_reply(fixture.waiting[0], json_true());
    control_end_series(fixture.waiting[1]);
    fixture.waiting_count = 0;
    fixture.hold          = false;
    hear_this(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[0,1,2,3]}");
    hear_this(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":[0,1]}");
    hear_this(&fixture, fd, MARKED);
    hear_this(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":true}");
    assert_null(hear(&fixture, fd));
    close(fd);
    close(neighbour);
    close_fixture(&fixture);
}

/* Nothing is made for who does not read; what is made in one turn does not grow with the number of readers. */
static void test_series_follows_its_reader(void **state)
{
    enum {
        READERS = 8,
        PIECE   = 1000,
        ALL     = 400000
    };
    struct fixture fixture;
    int            fds[READERS];

    (void) state;
    open_fixture(&fixture);
    for (int i = 0; i < READERS; i++) {
        fds[i] = dial(&fixture);
        say(&fixture, fds[i], COUNT("1", "\"count\":400000,\"piece\":1000"));
    }
    turns(&fixture, 2000);
    unsigned made = fixture.made;
    assert_true(made >= READERS * PIECE && made < READERS * (ALL / 2));
    turns(&fixture, 20);
    assert_int_equal(made, fixture.made);
    assert_int_equal(PIECE, fixture.most);
    char   *line  = hear(&fixture, fds[0]);
    json_t *reply = line ? json_loads(line, 0, NULL) : NULL;
    assert_int_equal(ALL, json_array_size(json_object_get(reply, "result")));
    assert_int_equal(ALL - 1, json_integer_value(json_array_get(json_object_get(reply, "result"), ALL - 1)));
    json_decref(reply);
    free(line);
    for (int i = 0; i < READERS; i++)
        close(fds[i]); /* the others have gone */
    turns(&fixture, 20);
    assert_null(fixture.parades);
    close_fixture(&fixture);
}

/* A series ends with its client: one that is stuck, one that is closed with the whole socket. */
static void test_series_ends_with_its_client(void **state)
{
    struct fixture fixture;

    (void) state;
    for (int hold = 0; hold < 2; hold++) {
        bench_open_stalling(&fixture, STALL_MS);
        fixture.hold = hold;
        int fd       = dial(&fixture);
        say(&fixture, fd, COUNT("1", "\"count\":400000,\"piece\":1000") COUNT("1", "\"count\":1,\"piece\":1"));
        turns(&fixture, 50);
        assert_non_null(fixture.parades);
        for (int left = TURNS; fixture.parades && left > 0; left--)
            turn(&fixture);
        assert_null(fixture.parades);
        assert_int_equal(hold ? 2 : 0, fixture.waiting_count);
        while (fixture.waiting_count > 0)
            control_end_series(fixture.waiting[--fixture.waiting_count]);
        close(fd);

        fd = dial(&fixture);
        say(&fixture, fd, COUNT("1", "\"count\":400000,\"piece\":1000") COUNT("1", "\"count\":1,\"piece\":1"));
        turns(&fixture, 10);
        assert_non_null(fixture.parades);
        control_close(fixture.control);
        fixture.control = NULL;
        assert_null(fixture.parades);
        assert_int_equal(hold ? 2 : 0, fixture.waiting_count);
        while (fixture.waiting_count > 0)
            control_end_series(fixture.waiting[--fixture.waiting_count]);
        close(fd);
        close_fixture(&fixture);
    }
}

/* A full house: the idlest gives way, one that waits for its answer stays. */
static void test_connections(void **state)
{
    struct fixture fixture;
    int            fds[LIMIT_CONTROL_CLIENTS + 1];

    (void) state;
    open_fixture(&fixture);
    for (size_t i = 0; i < LIMIT_CONTROL_CLIENTS; i++) {
        fds[i] = dial(&fixture);
        turns(&fixture, 2);
    }
    say(&fixture, fds[0], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n");
    turns(&fixture, 5);
    fds[LIMIT_CONTROL_CLIENTS] = dial(&fixture);
    say(&fixture, fds[LIMIT_CONTROL_CLIENTS], MARK);
    hear_this(&fixture, fds[LIMIT_CONTROL_CLIENTS], MARKED);
    assert_null(hear(&fixture, fds[1]));
    control_reply(fixture.waiting[--fixture.waiting_count], json_true());
    hear_this(&fixture, fds[0], "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":true}");
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);

    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        turns(&fixture, 2);
        fds[i] = dial(&fixture);
        if (i < LIMIT_CONTROL_CLIENTS)
            say(&fixture, fds[i], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n");
        turns(&fixture, 2);
    }
    assert_int_equal(LIMIT_CONTROL_CLIENTS, fixture.waiting_count);
    hear_error(&fixture, fds[LIMIT_CONTROL_CLIENTS], CONTROL_FAILED, "null");
    assert_null(hear(&fixture, fds[LIMIT_CONTROL_CLIENTS]));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    close_fixture(&fixture);
}

/* A connection for which there is no memory waits, and so do all after it; they are served when there is some. */
static void test_no_memory_for_a_connection(void **state)
{
    struct fixture fixture;
    int            fds[3];

    (void) state;
    open_fixture(&fixture);
    heap_fail_all();
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = dial(&fixture);
        turns(&fixture, 5);
    }
    assert_true(heap_restore());
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        say(&fixture, fds[i], MARK);
        hear_this(&fixture, fds[i], MARKED);
        close(fds[i]);
    }
    close_fixture(&fixture);
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
    struct fixture fixture;

    (void) state;
    open_fixture(&fixture);
    json_set_alloc_funcs(supply_take, supply_give);
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        bool refused = true;
        for (size_t nth = 0; refused; nth++) {
            int fd = dial(&fixture);
            heap_fail_at(nth);
            send_all(&fixture, fd, rows[row].request, strlen(rows[row].request));
            send_all(&fixture, fd, "\n", 1);
            turns(&fixture, 8);
            refused    = heap_restore();
            char *line = hear(&fixture, fd);
            if (line ? strcmp(line, rows[row].reply) != 0 && !(refused && strstr(line, "{\"code\":-32603,")) : !refused)
                fail_msg("row %zu, allocation %zu: %s", row, nth, line ? line : "closed");
            free(line);
            close(fd);
        }
    }
    close_fixture(&fixture);
    json_set_alloc_funcs(malloc, free);
}

/* A method may close the whole socket, with calls and lines still waiting, and its caller hears how it went: so does a
 * reload that moves the socket. */
static void test_closed_by_a_method(void **state)
{
    struct fixture fixture;

    (void) state;
    open_fixture(&fixture);
    int fd = dial(&fixture), neighbour = dial(&fixture);
    say(&fixture, neighbour, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n");
    turns(&fixture, 5);
    say(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stop\"}\n" MARK);
    hear_this(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":true}");
    assert_null(hear(&fixture, fd));
    assert_null(hear(&fixture, neighbour));
    close(fd);
    close(neighbour);
    close_fixture(&fixture);
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
    struct fixture fixture;

    (void) state;
    if (getuid() != 0)
        skip();
    open_fixture(&fixture);
    assert_int_equal(0, chmod(fixture.directory, 0711));
    assert_int_equal(0, chmod(fixture.path, 0666));
    assert_int_equal(0, seteuid(65534)); /* what the kernel notes at connect() */
    int fd = dial(&fixture);
    assert_int_equal(0, seteuid(0));
    say(&fixture, fd,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"change\"}\n{\"jsonrpc\":\"2.0\",\"method\":\"change\"}\n" MARK);
    hear_error(&fixture, fd, CONTROL_DENIED, "1");
    hear_this(&fixture, fd, MARKED);
    assert_int_equal(1, fixture.runs);
    close(fd);
    close_fixture(&fixture);
}

static void test_set_group(void **state)
{
    struct fixture fixture;
    struct stat    status;

    (void) state;
    if (getuid() != 0)
        skip();
    open_fixture(&fixture);
    assert_int_equal(0, chmod(fixture.directory, 0711));
    for (int member = 0; member < 2; member++) {
        assert_int_equal(0, control_set_group(fixture.control, member ? 4321 : 1234));
        assert_int_equal(0, stat(fixture.path, &status));
        assert_int_equal(member ? 4321 : 1234, status.st_gid);
        assert_int_equal(0,
                         chmod(fixture.path, member ? 0660 : 0666)); /* a stranger needs it open to be judged at all */
        assert_int_equal(0, setegid(4321));
        assert_int_equal(0, seteuid(65534));
        int fd = dial(&fixture);
        assert_int_equal(0, seteuid(0));
        assert_int_equal(0, setegid(0));
        say(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"change\"}\n");
        if (member)
            hear_this(&fixture, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
        else
            hear_error(&fixture, fd, CONTROL_DENIED, "1");
        close(fd);
    }
    close_fixture(&fixture);
}

static void test_bind(void **state)
{
    struct fixture fixture;
    struct stat    status;
    char           other[160], longer[256];
    int            given;

    (void) state;
    open_fixture(&fixture);
    assert_int_equal(0, stat(fixture.path, &status));
    assert_int_equal(0660, status.st_mode & 07777);
    assert_int_equal(-EADDRINUSE, control_bind(fixture.path, (gid_t) -1, &given)); /* alive */
    assert_int_equal(0, access(fixture.path, F_OK));

    snprintf(other, sizeof(other), "%s/other", fixture.directory);
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

    snprintf(longer, sizeof(longer), "%s/%0150d", fixture.directory, 0);
    assert_int_equal(-ENAMETOOLONG, control_bind(longer, (gid_t) -1, &given));
    snprintf(longer, sizeof(longer), "%s/none/none/sock", fixture.directory);
    assert_int_equal(-ENOENT, control_bind(longer, (gid_t) -1, &given));
    close_fixture(&fixture);
}

/* Whatever the umask is, and for a group that root alone may choose: without a call that names the path. */
static void test_bind_makes_it_right(void **state)
{
    struct fixture fixture;
    struct stat    status;
    char           other[160];
    int            given = 1, fd;

    (void) state;
    open_fixture(&fixture);
    snprintf(other, sizeof(other), "%s/other", fixture.directory);
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
    close_fixture(&fixture);
}

/* Who is neither root nor in the group has a socket all the same; who is in it can give it. */
static void test_bind_for_a_group(void **state)
{
    struct fixture fixture;
    struct stat    status;
    char           other[160];
    int            given, result;

    (void) state;
    if (getuid() != 0)
        skip();
    open_fixture(&fixture);
    assert_int_equal(0, chmod(fixture.directory, 0777));
    snprintf(other, sizeof(other), "%s/other", fixture.directory);
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
    close_fixture(&fixture);
}

/* A link in its place is not followed, nor is a file given that has another name. */
static void test_give(void **state)
{
    struct fixture fixture;
    struct stat    status;
    char           link_to[160], file[160];

    (void) state;
    if (getuid() != 0)
        skip();
    open_fixture(&fixture);
    snprintf(file, sizeof(file), "%s/file", fixture.directory);
    snprintf(link_to, sizeof(link_to), "%s/link", fixture.directory);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(0, symlink(file, link_to));
    assert_int_equal(-EPERM, control_give(link_to, 4321));
    assert_int_equal(-EPERM, control_give(file, 4321));
    assert_true(stat(file, &status) == 0 && status.st_gid == getgid());
    assert_int_equal(0, unlink(link_to));
    assert_int_equal(0, link(fixture.path, link_to));
    assert_int_equal(-EPERM, control_give(link_to, 4321));
    assert_int_equal(0, unlink(link_to));
    assert_int_equal(0, control_give(fixture.path, 4321));
    assert_true(stat(fixture.path, &status) == 0 && status.st_gid == 4321);
    assert_int_equal(0, unlink(file));
    close_fixture(&fixture);
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
