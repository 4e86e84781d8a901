/*
 * test_redis.c: a connection to a Redis that is slow, cut, garbled, hostile or absent, played over plain
 * sockets; and to Debian's redis-server, where it is installed.
 */
#include "cluster/redis.h"
#include "lib/heap.h"
#include "loopback.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

enum {
    KEPT = 8, /* replies whose text is kept */
};

/* What the hooks were told. */
struct owner {
    struct redis *redis;
    unsigned      ready, replies, closed;
    uint64_t      tags[KEPT];
    char          texts[KEPT][64];
    char          problem[REDIS_PROBLEM_MAX];
    size_t        elements; /* of the last reply */
    bool          closes_at_reply, closes_when_closed, asks_when_ready;
};

static uv_loop_t loop;
static int       server; /* listening, or -1 */
static char      directory[] = "/tmp/test_redis.XXXXXX";

static bool ask(struct owner *owner, uint64_t tag, const char *word, msec_t patience)
{
    const char *words[]   = {"ECHO", word};
    size_t      lengths[] = {4, strlen(word)};
    return redis_send(owner->redis, tag, 2, words, lengths, patience);
}

static void on_ready(void *context)
{
    struct owner *owner = context;
    assert_int_equal(owner->ready++ + owner->closed, 0);
    if (owner->asks_when_ready)
        assert_true(ask(owner, 7, "first", PATIENCE_MS));
}

static void on_reply(void *context, uint64_t tag, const redisReply *reply)
{
    struct owner *owner = context;
    assert_true(owner->ready == 1 && owner->closed == 0);
    owner->elements = reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
    if (owner->replies < KEPT) {
        owner->tags[owner->replies] = tag;
        snprintf(owner->texts[owner->replies], sizeof(owner->texts[0]), "%d:%.40s", reply->type,
                 reply->type == REDIS_REPLY_INTEGER || !reply->str ? "" : reply->str);
    }
    owner->replies++;
    if (owner->closes_at_reply)
        redis_close(owner->redis);
}

static void on_end(void *context, const char *problem)
{
    struct owner *owner = context;
    assert_int_equal(owner->closed++, 0);
    assert_null(strchr(problem, '\n'));
    snprintf(owner->problem, sizeof(owner->problem), "%s", problem);
    assert_false(ask(owner, 0, "late", 1));
    if (owner->closes_when_closed)
        redis_close(owner->redis);
}

static void open_at(struct owner *owner, const struct redis_target *target)
{
    const struct redis_hooks hooks = {owner, on_ready, on_reply, on_end};
    owner->redis                   = redis_open(&loop, target, &hooks);
    assert_non_null(owner->redis);
    assert_int_equal(owner->ready + owner->closed, 0); /* from the loop alone */
    assert_false(ask(owner, 0, "early", 1));
}

/* The connection, and the server's end of it. */
static int open_here(struct owner *owner)
{
    struct redis_target target = {.address = bound_to(server)};
    int                 fd     = -1;
    open_at(owner, &target);
    RUN_UNTIL(&loop, (fd = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
    RUN_UNTIL(&loop, owner->ready == 1);
    return fd;
}

static void say(int fd, const char *text)
{
    for (size_t len = strlen(text), sent = 0; sent < len;) {
        ssize_t put = send(fd, text + sent, len - sent, MSG_NOSIGNAL);
        assert_true(put > 0 || errno == EAGAIN);
        sent += put > 0 ? (size_t) put : 0;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

/* What came: all of `expected`, and nothing else. */
static void hears(int fd, const char *expected, size_t len)
{
    char   got[256];
    size_t have = 0;
    RUN_UNTIL(&loop, (have += (size_t) msec_max(recv(fd, got + have, sizeof(got) - have, 0), 0)) >= len);
    assert_int_equal(have, len);
    assert_memory_equal(got, expected, len);
}

static void expect_end(struct owner *owner, const char *problem)
{
    RUN_UNTIL(&loop, owner->closed == 1);
    assert_string_equal(owner->problem, problem);
}

static int start(void **state)
{
    (void) state;
    server = plain_socket("127.0.0.1", SOCK_STREAM);
    return uv_loop_init(&loop) | listen(server, 16);
}

static int finish(void **state)
{
    (void) state;
    close(server);
    finish_loop(&loop);
    return 0;
}

/* One question without an answer, and what the server says then. */
static void check_end(const char *said, const char *problem)
{
    struct owner owner = {.asks_when_ready = true};
    int          fd    = open_here(&owner);
    say(fd, said);
    expect_end(&owner, problem);
    close(fd);
}

static void test_commands_and_replies(void **state)
{
    (void) state;
    static const char        said[]    = "+OK\r\n-ERR no\r\n:12\r\n$-1\r\n$3\r\na\0b\r\n*-1\r\n*2\r\n:1\r\n*0\r\n";
    static const char        sent[]    = "*2\r\n$4\r\nEC\0O\r\n$0\r\n\r\n";
    static const char *const texts[]   = {"5:OK", "6:ERR no", "3:", "4:", "1:a", "4:", "2:"};
    const char              *words[]   = {"EC\0O", ""};
    const size_t             lengths[] = {4, 0};
    struct owner             owner     = {.ready = 0};
    int                      fd        = open_here(&owner);
    for (uint64_t tag = 1; tag <= ARRAY_LEN(texts); tag++) {
        assert_true(redis_send(owner.redis, tag << 40, 2, words, lengths, PATIENCE_MS));
        hears(fd, sent, sizeof(sent) - 1);
    }
    assert_int_equal(redis_pending(owner.redis), ARRAY_LEN(texts));
    for (size_t i = 0; i < sizeof(said) - 1; i++) { /* cut at every byte */
        assert_int_equal(send(fd, said + i, 1, MSG_NOSIGNAL), 1);
        run_for(&loop, 1);
    }
    RUN_UNTIL(&loop, owner.replies == ARRAY_LEN(texts));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_int_equal(owner.tags[i], (i + 1) << 40);
        assert_string_equal(owner.texts[i], texts[i]);
    }
    assert_int_equal(owner.elements, 2);
    assert_int_equal(redis_pending(owner.redis), 0);
    redis_close(owner.redis);
    RUN_UNTIL(&loop, recv(fd, &(char){0}, 1, 0) == 0);
    assert_int_equal(owner.closed, 0);
    close(fd);
}

static void test_socket(void **state)
{
    (void) state;
    struct owner        owner  = {.asks_when_ready = true, .closes_at_reply = true};
    struct sockaddr_un  name   = {.sun_family = AF_UNIX};
    struct redis_target target = {.local = true, .path = name.sun_path};
    int                 fd     = -1;
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/socket", directory);
    close(server);
    server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server, (struct sockaddr *) &name, sizeof(name)) | listen(server, 1), 0);
    open_at(&owner, &target);
    RUN_UNTIL(&loop, (fd = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
    say(fd, "+OK\r\n+OK\r\n");
    RUN_UNTIL(&loop, owner.replies == 1);
    run_for(&loop, 5); /* it was closed in the first one: of the second nothing is heard, nor of the end */
    assert_int_equal(owner.replies + owner.closed, 1);
    close(fd);
    assert_int_equal(unlink(name.sun_path), 0);
    struct owner absent = {.closes_when_closed = true};
    open_at(&absent, &target);
    expect_end(&absent, "no such file or directory");
}

static void test_nobody_there(void **state)
{
    (void) state;
    struct owner        refused = {.ready = 0}, nowhere = {.ready = 0}, dropped = {.ready = 0};
    int                 silent  = plain_socket("127.0.0.1", SOCK_STREAM); /* bound, and does not listen */
    struct redis_target target  = {.address = bound_to(silent)};
    uint64_t            started = now_ms();
    open_at(&refused, &target);
    expect_end(&refused, "connection refused");
    target.address = loopback_at("255.255.255.255", 6379);
    open_at(&nowhere, &target);
    expect_end(&nowhere, "network is unreachable");
    assert_in_range(now_ms() - started, 0, REDIS_CONNECT_WAIT / 2); /* at once */
    open_at(&dropped, &target);
    redis_close(dropped.redis);
    run_for(&loop, 5);
    assert_int_equal(dropped.closed, 0);
    close(silent);
}

/* Its backlog is full, so that the kernel drops what comes. */
static void test_never_connected(void **state)
{
    (void) state;
    struct owner        owner   = {.ready = 0};
    int                 full    = plain_socket("127.0.0.1", SOCK_STREAM), others[4];
    struct redis_target target  = {.address = bound_to(full)};
    uint64_t            started = now_ms();
    assert_int_equal(listen(full, 0), 0);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        others[i] = plain_socket("127.0.0.1", SOCK_STREAM);
        connect(others[i], &target.address.any, target.address.len);
    }
    open_at(&owner, &target);
    expect_end(&owner, "no connection within 3s");
    assert_in_range(now_ms() - started, REDIS_CONNECT_WAIT - 10, REDIS_CONNECT_WAIT + 1000);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        close(others[i]);
    close(full);
}

static void test_closed_by_redis(void **state)
{
    (void) state;
    static const char *const said[] = {"", "$5\r\nhel", "*2\r\n:1\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        struct owner owner = {.ready = 0};
        int          fd    = open_here(&owner);
        assert_true(ask(&owner, 1, "x", PATIENCE_MS));
        hears(fd, "*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n", 21);
        say(fd, said[i]);
        close(fd);
        expect_end(&owner, "closed by Redis");
        assert_int_equal(owner.replies, 0);
    }
}

/* Told also where nothing was asked yet, and where what is asked then cannot be written any more. */
static void test_last_words(void **state)
{
    (void) state;
    struct owner owner = {.ready = 0};
    int          fd    = open_here(&owner);
    say(fd, "-ERR max number of \x1b[1mclients\r\n");
    close(fd);
    expect_end(&owner, "Redis says: ERR max number of \\x1b[1mclients");

    struct owner late = {.ready = 0};
    const char   no[] = "-ERR no\r\n";
    fd                = open_here(&late);
    assert_int_equal(send(fd, no, sizeof(no) - 1, MSG_NOSIGNAL), sizeof(no) - 1);
    close(fd);
    assert_true(ask(&late, 1, "a", PATIENCE_MS));
    (void) poll(NULL, 0, 20); /* for that one the kernel answers with a reset */
    assert_true(ask(&late, 2, "b", PATIENCE_MS));
    RUN_UNTIL(&loop, late.closed == 1);
    assert_int_equal(late.replies, 1);
    assert_string_equal(late.texts[0], "6:ERR no");
}

static void test_garbage(void **state)
{
    (void) state;
    check_end("HTTP/1.1 400 Bad Request\r\n", "not what Redis speaks: Protocol error, got \"H\" as reply type byte");
    check_end("\x01\x02", "not what Redis speaks: Protocol error, got \"\\x01\" as reply type byte");
    check_end("+OK\r\n+OK\r\n", "a reply that nobody asked for");
}

static void test_too_large(void **state)
{
    (void) state;
    check_end("*1048577\r\n", "a reply with too many elements");
    check_end("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "a reply with too many arrays in each other");
    size_t len  = REDIS_REPLY_MAX + (1 << 20);
    char  *text = malloc(len + 1);
    assert_non_null(text);
    memset(text, 'x', len);
    text[len] = '\0';
    memcpy(text, "$99999999\r\n", 11);
    struct owner owner = {.asks_when_ready = true};
    int          fd    = open_here(&owner);
    for (size_t sent = 0; sent < len && owner.closed == 0;) {
        ssize_t put = send(fd, text + sent, len - sent, MSG_NOSIGNAL);
        sent += put > 0 ? (size_t) put : 0;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    expect_end(&owner, "a reply of more than 16 MiB");
    close(fd);
    free(text);
}

/* As deep as XREAD's, and as large as may be, with a small one behind it, and again. */
static void test_large_enough(void **state)
{
    (void) state;
    struct owner owner = {.ready = 0};
    int          fd    = open_here(&owner);
    char        *text  = malloc(REDIS_REPLY_MAX);
    assert_non_null(text);
    memset(text, 'x', REDIS_REPLY_MAX);
    text[REDIS_REPLY_MAX - 64] = '\0';
    for (unsigned i = 0; i < 2; i++) {
        char head[32];
        owner.replies = 0;
        assert_true(ask(&owner, 1, "a", PATIENCE_MS) && ask(&owner, 2, "b", PATIENCE_MS));
        assert_true(ask(&owner, 3, "c", PATIENCE_MS));
        snprintf(head, sizeof(head), "$%d\r\n", REDIS_REPLY_MAX - 64);
        say(fd, head);
        say(fd, text);
        say(fd, "\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n+OK\r\n");
        RUN_UNTIL(&loop, owner.replies == 3);
        assert_string_equal(owner.texts[2], "5:OK");
    }
    redis_close(owner.redis);
    close(fd);
    free(text);
}

/* Over IPv6, for once. */
static void test_patience(void **state)
{
    (void) state;
    struct owner owner = {.ready = 0};
    close(server);
    server = plain_socket("::1", SOCK_STREAM);
    assert_int_equal(listen(server, 1), 0);
    int      fd      = open_here(&owner);
    uint64_t started = now_ms();
    assert_true(ask(&owner, 1, "a", 100) && ask(&owner, 2, "b", 60000));
    say(fd, "+OK\r\n");
    run_for(&loop, 250); /* the second one has patience */
    assert_int_equal(owner.replies, 1);
    assert_true(ask(&owner, 3, "c", 60000) && ask(&owner, 4, "d", 120));
    say(fd, "+O"); /* a beginning does not count */
    expect_end(&owner, "no reply for 120ms");
    assert_in_range(now_ms() - started, 360, 2000);
    close(fd);
}

/* Redis takes nothing: what waits is bounded, and is given up at the end. */
static void test_unsent(void **state)
{
    (void) state;
    static char  word[1 << 20];
    struct owner owner = {.ready = 0};
    int          fd    = open_here(&owner);
    unsigned     sent  = 0;
    memset(word, 'x', sizeof(word) - 1);
    const char  *five[]    = {word, word, word, word, word};
    const size_t lengths[] = {sizeof(word), sizeof(word), sizeof(word), sizeof(word), sizeof(word)};
    assert_false(redis_send(owner.redis, 0, 5, five, lengths, PATIENCE_MS));
    while (sent < 100 && ask(&owner, sent, word, PATIENCE_MS))
        sent++;
    assert_in_range(sent, 4, 30); /* the kernel's buffers take some */
    assert_int_equal(redis_pending(owner.redis), sent);
    assert_true(ask(&owner, 100, "small", PATIENCE_MS));
    close(fd);
    RUN_UNTIL(&loop, owner.closed == 1);
}

static void test_no_memory(void **state)
{
    (void) state;
    struct owner             owner  = {.ready = 0};
    const struct redis_hooks hooks  = {&owner, on_ready, on_reply, on_end};
    struct redis_target      target = {.address = bound_to(server)};
    heap_fail_all();
    assert_null(redis_open(&loop, &target, &hooks));
    assert_true(heap_restore());
    int fd = open_here(&owner);
    heap_fail_all();
    assert_false(ask(&owner, 1, "a", PATIENCE_MS));
    assert_true(heap_restore());
    assert_int_equal(redis_pending(owner.redis), 0);
    redis_close(owner.redis);
    close(fd);
}

static void test_no_descriptor(void **state)
{
    (void) state;
    struct owner        owner  = {.ready = 0};
    struct redis_target target = {.address = bound_to(server)};
    struct rlimit       limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_max = limit.rlim_max}), 0);
    open_at(&owner, &target);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect_end(&owner, "too many open files");
}

/* ---- Debian's ---- */

static pid_t start_redis(const char *path)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", path, "--dir", directory, "--save", "",
               "--appendonly", "no", "--logfile", "redis.log", (char *) NULL);
        _exit(127);
    }
    return pid;
}

/* It listens a moment after its socket is there. */
static bool is_served(const char *path, pid_t pid)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int                fd   = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
    bool served = connect(fd, (struct sockaddr *) &name, sizeof(name)) == 0;
    close(fd);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    return served;
}

static void test_redis_server(void **state)
{
    (void) state;
    if (access("/usr/bin/redis-server", X_OK) != 0) {
        print_message("skipped: no redis-server\n");
        skip();
    }
    struct owner        owner = {.ready = 0};
    char                path[64];
    const char         *blocked[] = {"XREAD", "BLOCK", "50", "STREAMS", "s", "0"};
    const size_t        lengths[] = {5, 5, 2, 7, 1, 1};
    const char         *add[]     = {"XADD", "s", "*", "field", "va\0ue"};
    const size_t        of_add[]  = {4, 1, 1, 5, 5};
    struct redis_target target    = {.local = true, .path = path};
    snprintf(path, sizeof(path), "%s/redis", directory);
    pid_t pid = start_redis(path);
    RUN_UNTIL(&loop, is_served(path, pid));
    open_at(&owner, &target);
    RUN_UNTIL(&loop, owner.ready == 1);
    assert_true(redis_send(owner.redis, 1, 6, blocked, lengths, PATIENCE_MS));
    assert_true(redis_send(owner.redis, 2, 5, add, of_add, PATIENCE_MS));
    assert_true(redis_send(owner.redis, 3, 6, blocked, lengths, PATIENCE_MS));
    assert_true(redis_send(owner.redis, 4, 1, &(const char *){"NONSENSE"}, &(size_t){8}, PATIENCE_MS));
    RUN_UNTIL(&loop, owner.replies == 4);
    assert_string_equal(owner.texts[0], "4:");
    assert_memory_equal(owner.texts[1], "1:1", 3);
    assert_string_equal(owner.texts[2], "2:");
    assert_memory_equal(owner.texts[3], "6:ERR unknown command", 21);
    assert_int_equal(kill(pid, SIGKILL), 0);
    expect_end(&owner, "closed by Redis");
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int open_directory(void **state)
{
    (void) state;
    signal(SIGPIPE, SIG_IGN);
    return mkdtemp(directory) ? 0 : -1;
}

static int close_directory(void **state)
{
    (void) state;
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_commands_and_replies), TEST(test_socket),       TEST(test_nobody_there), TEST(test_never_connected),
        TEST(test_closed_by_redis),      TEST(test_last_words),   TEST(test_garbage),      TEST(test_too_large),
        TEST(test_large_enough),         TEST(test_patience),     TEST(test_unsent),       TEST(test_no_memory),
        TEST(test_no_descriptor),        TEST(test_redis_server),
    };
    return cmocka_run_group_tests(tests, open_directory, close_directory);
}
