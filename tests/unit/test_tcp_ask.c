#include "loopback.h"

#include "net/tcp_ask.h"

static uv_loop_t       loop;
static struct tcp_ask *ask;
static int             server; /* listening */
static struct address  server_address;

struct owner {
    struct tcp_ticket *ticket;
    unsigned           replies, broken;
    size_t             len;
    uint8_t            last[16];
    struct owner      *victim;       /* released when this one is told of anything */
    bool               release_self; /* so is this one */
    struct owner      *opens;        /* asked then, with id 7 */
};

static int ask_now(struct owner *owner, uint16_t id)
{
    uint8_t question[12] = {0};
    put_u16(question, id);
    return tcp_ask_open(ask, &server_address, (struct view){question, sizeof(question)}, owner, &owner->ticket);
}

static void release(struct owner *owner)
{
    tcp_ask_release(ask, owner->ticket);
    owner->ticket = NULL;
}

static void handle(void *context, void *pointer, enum tcp_event event, struct view message)
{
    struct owner *owner = pointer;
    assert_ptr_equal(context, &loop);
    assert_non_null(owner->ticket); /* a released ticket hears nothing */
    owner->replies += event == TCP_REPLY;
    owner->broken += event == TCP_BROKEN;
    owner->len = message.len;
    if (message.len > 0)
        memcpy(owner->last, message.data, message.len < 16 ? message.len : 16);
    if (owner->victim && owner->victim->ticket)
        release(owner->victim);
    if (owner->release_self)
        release(owner);
    if (owner->opens && !owner->opens->ticket)
        assert_int_equal(ask_now(owner->opens, 7), 0);
}

static void begin(void *context) { assert_ptr_equal(context, &loop); }

static void start(const char *host)
{
    assert_int_equal(uv_loop_init(&loop), 0);
    ask = tcp_ask_create(&loop, handle, begin, &loop);
    assert_non_null(ask);
    server = plain_socket(host, SOCK_STREAM);
    assert_int_equal(listen(server, 16), 0);
    server_address = bound_to(server);
}

static void finish(void)
{
    tcp_ask_close(ask);
    close(server);
    finish_loop(&loop);
}

static int try_accept(int *ret) { return (*ret = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0; }

static int accepted(void)
{
    int fd;
    RUN_UNTIL(&loop, try_accept(&fd));
    return fd;
}

static bool is_readable(int fd) { return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1; }

/* The next question on the server's side; returns its id. */
static uint16_t take(int fd)
{
    uint8_t frame[14];
    RUN_UNTIL(&loop, is_readable(fd));
    assert_int_equal(recv(fd, frame, sizeof(frame), 0), sizeof(frame));
    assert_int_equal(get_u16(frame), 12);
    return get_u16(frame + 2);
}

static void reply(int fd, uint16_t id)
{
    uint8_t frame[14] = {0, 12};
    put_u16(frame + 2, id);
    assert_int_equal(send(fd, frame, sizeof(frame), MSG_NOSIGNAL), sizeof(frame));
}

static void reset(int fd)
{
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger)), 0);
    close(fd);
}

static const struct tcp_ask_stats *stats(void) { return tcp_ask_read_stats(ask); }

/* One connection that has carried a reply. */
static int worked(struct owner *owner)
{
    assert_int_equal(ask_now(owner, 1), 0);
    int fd = accepted();
    assert_int_equal(take(fd), 1);
    reply(fd, 1);
    RUN_UNTIL(&loop, owner->replies == 1);
    release(owner);
    return fd;
}

static void test_answers_in_any_order(void **state)
{
    (void) state;
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        start(hosts[i]);
        struct owner owners[3] = {0};
        for (uint16_t id = 0; id < 3; id++)
            assert_int_equal(ask_now(&owners[id], id), 0);
        int fd = accepted();
        for (uint16_t id = 0; id < 3; id++)
            assert_int_equal(take(fd), id);
        reply(fd, 99); /* nobody's */
        reply(fd, 2);
        RUN_UNTIL(&loop, owners[2].replies == 1);
        assert_int_equal(owners[2].len, 12);
        assert_int_equal(owners[0].replies + owners[1].replies, 0);
        reply(fd, 0);
        RUN_UNTIL(&loop, owners[0].replies == 1);
        const uint8_t pieces[] = {0, 3, 0, 1, 77};
        for (size_t b = 0; b < sizeof(pieces); b++) {
            assert_int_equal(owners[1].replies, 0);
            assert_int_equal(send(fd, pieces + b, 1, 0), 1);
            run_for(&loop, 2);
        }
        RUN_UNTIL(&loop, owners[1].replies == 1);
        assert_int_equal(owners[1].len, 3);
        assert_int_equal(owners[1].last[2], 77);
        assert_int_equal(stats()->opened, 1);
        assert_int_equal(stats()->stray, 1);
        for (unsigned id = 0; id < 3; id++)
            release(&owners[id]);
        close(fd);
        RUN_UNTIL(&loop, stats()->connections == 0);
        assert_int_equal(stats()->broken, 0);
        finish();
    }
}

static void test_an_id_in_use_takes_another_connection(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner one = {0}, two = {0}, three = {0};
    assert_int_equal(ask_now(&one, 5), 0);
    int first = accepted();
    assert_int_equal(take(first), 5);
    release(&one); /* its reply may still come, and must not reach the next asker */
    assert_int_equal(ask_now(&two, 5), 0);
    int second = accepted();
    assert_int_equal(take(second), 5);
    reply(first, 5);
    run_for(&loop, 10);
    assert_int_equal(two.replies, 0);
    reply(second, 5);
    RUN_UNTIL(&loop, two.replies == 1);
    assert_int_equal(ask_now(&three, 5), 0); /* the first is free of it again */
    assert_int_equal(take(first), 5);
    assert_int_equal(stats()->connections, 2);
    release(&two);
    release(&three);
    close(first);
    close(second);
    finish();
}

static void test_refused(void **state)
{
    (void) state;
    start("127.0.0.1");
    int closed = server;
    server     = plain_socket("127.0.0.1", SOCK_STREAM); /* does not listen */
    close(closed);
    server_address   = bound_to(server);
    struct owner one = {.release_self = true}, two = {.release_self = true};
    assert_int_equal(ask_now(&one, 1), 0);
    assert_int_equal(ask_now(&two, 2), 0);
    assert_int_equal(one.broken, 0); /* never from inside the call */
    RUN_UNTIL(&loop, one.broken == 1 && two.broken == 1);
    assert_int_equal(stats()->opened, 1);
    assert_int_equal(stats()->connections, 0);
    finish();
}

static void test_no_way_there(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner one = {0};
    server_address   = loopback_at("255.255.255.255", 53);
    assert_true(ask_now(&one, 5) < 0);
    assert_null(one.ticket);
    finish();
}

/* A connection that never carried a reply, in each way it may break: told once, not asked again. */
static void test_a_fresh_connection_breaks(void **state)
{
    (void) state;
    for (unsigned way = 0; way < 4; way++) {
        start("127.0.0.1");
        struct owner one = {0}, two = {0};
        assert_int_equal(ask_now(&one, 1), 0);
        int fd = accepted();
        assert_int_equal(ask_now(&two, 2), 0);
        take(fd);
        take(fd);
        if (way == 0)
            close(fd);
        else if (way == 1)
            reset(fd);
        else
            assert_int_equal(send(fd, "\0\1x", way == 2 ? 3 : 2, 0), way == 2 ? 3 : 2); /* too short for an id */
        if (way == 3) { /* half a message, then the end */
            run_for(&loop, 5);
            close(fd);
        }
        RUN_UNTIL(&loop, one.broken == 1 && two.broken == 1);
        run_for(&loop, 10);
        assert_int_equal(stats()->opened, 1);
        assert_int_equal(stats()->broken, 1);
        assert_int_equal(one.broken + two.broken, 2);
        release(&one);
        release(&two);
        if (way == 2)
            close(fd);
        finish();
    }
}

/* A server that has closed a connection it kept: what was just asked through it is asked once more. */
static void test_a_kept_connection_breaks(void **state)
{
    (void) state;
    for (unsigned way = 0; way < 3; way++) {
        start("127.0.0.1");
        struct owner one = {0}, two = {0}, three = {0};
        int          fd = worked(&one);
        if (way == 0) { /* before it knows of the question */
            close(fd);
            assert_int_equal(ask_now(&two, 2), 0);
            assert_int_equal(ask_now(&three, 3), 0);
        } else {
            assert_int_equal(ask_now(&two, 2), 0);
            assert_int_equal(ask_now(&three, 3), 0);
            take(fd);
            take(fd);
            (way == 1 ? (void) close(fd) : reset(fd));
        }
        fd             = accepted();
        uint16_t first = take(fd), second = take(fd);
        assert_int_equal(first + second, 5);
        reply(fd, 3);
        RUN_UNTIL(&loop, three.replies == 1);
        assert_int_equal(two.broken + three.broken, 0);
        assert_int_equal(stats()->opened, 2);

        close(fd); /* again: once is all */
        RUN_UNTIL(&loop, two.broken == 1 && three.broken == 1);
        assert_int_equal(stats()->opened, 2);
        release(&two);
        release(&three);
        finish();
    }
}

static void test_the_reply_before_a_reset_counts(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner one = {0};
    assert_int_equal(ask_now(&one, 1), 0);
    int fd = accepted(); /* the question is sent but not read: the close below is a reset */
    RUN_UNTIL(&loop, is_readable(fd));
    reply(fd, 1);
    close(fd);
    RUN_UNTIL(&loop, one.broken == 1);
    assert_int_equal(one.replies, 1);
    release(&one);
    finish();
}

static void test_release_in_the_handler(void **state)
{
    (void) state;
    for (unsigned mode = 0; mode < 16; mode++) {
        start("127.0.0.1");
        struct owner one = {0}, two = {0}, fresh = {0};
        assert_int_equal(ask_now(&one, 1), 0);
        int fd = accepted();
        assert_int_equal(ask_now(&two, 2), 0);
        take(fd);
        take(fd);
        one.victim       = mode & 1 ? &two : NULL;
        two.victim       = mode & 1 ? &one : NULL;
        one.release_self = two.release_self = mode & 2;
        one.opens = two.opens = mode & 4 ? &fresh : NULL;
        if (mode & 8) {
            reply(fd, 1);
            reply(fd, 2);
        } else {
            close(fd);
        }
        unsigned expected = mode & 1 ? 1 : 2;
        RUN_UNTIL(&loop, one.replies + one.broken + two.replies + two.broken == expected);
        run_for(&loop, 5);
        assert_int_equal(one.replies + one.broken + two.replies + two.broken, expected);
        struct owner *all[] = {&one, &two, &fresh};
        for (size_t i = 0; i < ARRAY_LEN(all); i++)
            if (all[i]->ticket)
                release(all[i]);
        if (mode & 8)
            close(fd);
        finish();
    }
}

/* A connection through which nothing comes any more gets no new question, and closes once nobody waits on it. */
static void test_silence(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner one = {0}, two = {0}, three = {0}, four = {0};
    int          fd = worked(&one);
    assert_int_equal(ask_now(&two, 2), 0);
    release(&two); /* at once: somebody else was quicker, which says nothing */
    assert_int_equal(ask_now(&two, 3), 0);
    assert_int_equal(ask_now(&three, 4), 0);
    assert_int_equal(stats()->connections, 1);
    run_for(&loop, 1100);
    release(&two);
    assert_int_equal(ask_now(&four, 5), 0);
    int other = accepted();
    assert_int_equal(take(other), 5);
    assert_int_equal(stats()->connections, 2);
    for (uint16_t id = 2; id < 5; id++)
        assert_int_equal(take(fd), id);
    reply(fd, 4);
    RUN_UNTIL(&loop, three.replies == 1);
    release(&three);
    assert_int_equal(stats()->connections, 1);
    release(&four);
    close(fd);
    close(other);
    finish();
}

static void test_a_connection_carries_so_many(void **state)
{
    (void) state;
    start("127.0.0.1");
    static struct owner owners[1001];
    memset(owners, 0, sizeof(owners));
    for (uint16_t i = 0; i < 1000; i++)
        assert_int_equal(ask_now(&owners[i], i), 0);
    assert_int_equal(stats()->opened, 1);
    assert_int_equal(ask_now(&owners[1000], 1000), 0);
    assert_int_equal(stats()->opened, 2);
    int fds[2] = {accepted(), accepted()};
    for (unsigned i = 0; i < ARRAY_LEN(owners); i++) {
        uint16_t id = take(fds[i / 1000]);
        assert_int_equal(id, i);
        reply(fds[i / 1000], id);
    }
    for (unsigned i = 0; i < ARRAY_LEN(owners); i++) {
        RUN_UNTIL(&loop, owners[i].replies == 1);
        release(&owners[i]);
    }
    close(fds[0]);
    close(fds[1]);
    finish();
}

/* Real time: the 10 s without a question that a connection is kept. */
static void test_idle_connections_close(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner one = {0};
    int          fd  = worked(&one);
    run_for(&loop, 9000);
    assert_int_equal(stats()->connections, 1);
    run_for(&loop, 2500);
    assert_int_equal(stats()->connections, 0);
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
    finish();
}

static void test_closes_all(void **state)
{
    (void) state;
    unsigned before = open_descriptors();
    start("127.0.0.1");
    struct owner one = {0};
    int          fd  = worked(&one);
    assert_int_equal(ask_now(&one, 2), 0);
    release(&one); /* still owed a reply */
    finish();
    close(fd);
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_in_any_order),
        cmocka_unit_test(test_an_id_in_use_takes_another_connection),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_way_there),
        cmocka_unit_test(test_a_fresh_connection_breaks),
        cmocka_unit_test(test_a_kept_connection_breaks),
        cmocka_unit_test(test_the_reply_before_a_reset_counts),
        cmocka_unit_test(test_release_in_the_handler),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_a_connection_carries_so_many),
        cmocka_unit_test(test_idle_connections_close),
        cmocka_unit_test(test_closes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
