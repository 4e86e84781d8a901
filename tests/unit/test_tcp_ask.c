#include "loopback.h"

#include "base/limits.h"
#include "net/tcp_ask.h"
#include "stream/remote.h"

#include <dirent.h>

static uv_loop_t       loop;
static struct tcp_ask *ask;
static int             server; /* listening */
static struct remote  *remote;

struct owner {
    struct tcp_ticket *ticket;
    unsigned           replies, broken;
    size_t             len;
    uint8_t            last[16];
    struct owner      *victim;       /* released when this one is told of anything */
    bool               release_self; /* so is this one */
    struct owner      *opens;        /* asked then, with id 7 */
};

static int ask_often(struct owner *owner, uint16_t id, unsigned again)
{
    uint8_t question[12] = {0};
    put_u16(question, id);
    return tcp_ask_open(ask, remote, (struct view){question, sizeof(question)}, owner, 0, again, &owner->ticket);
}

static int ask_now(struct owner *owner, uint16_t id) { return ask_often(owner, id, TCP_ASK_AGAIN); }

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
    owner->replies += event == TCP_REPLY || event == TCP_LATE;
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

static wall_t wall(void) { return 1800000000; }

/* Questions go to that address from now on. */
static void aim_at(struct address address)
{
    remote_drop(remote);
    remote = remote_create(&(struct way){.form = WAY_TCP, .address = address});
    assert_non_null(remote);
}

static void start(const char *host)
{
    assert_int_equal(uv_loop_init(&loop), 0);
    ask = tcp_ask_create(&loop, handle, begin, wall, &loop);
    assert_non_null(ask);
    server = plain_socket(host, SOCK_STREAM);
    assert_int_equal(listen(server, 16), 0);
    aim_at(bound_to(server));
}

static void finish(void)
{
    tcp_ask_close(ask);
    close(server);
    finish_loop(&loop);
    remote_drop(remote);
    remote = NULL;
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
        /* too short to answer anything, and then one byte after the other */
        const uint8_t pieces[] = {0, 0, 0, 1, 9, 0, 3, 0, 1, 9, 0, 12, 0, 1, 77, 0, 0, 0, 0, 0, 0, 0, 0, 0};
        for (size_t b = 0; b < sizeof(pieces); b++) {
            assert_int_equal(owners[1].replies, 0);
            assert_int_equal(send(fd, pieces + b, 1, 0), 1);
            run_for(&loop, 2);
        }
        RUN_UNTIL(&loop, owners[1].replies == 1);
        assert_int_equal(owners[1].len, 12);
        assert_int_equal(owners[1].last[2], 77);
        assert_int_equal(stats()->opened, 1);
        for (unsigned id = 0; id < 3; id++)
            release(&owners[id]);
        close(fd);
        RUN_UNTIL(&loop, stats()->connections == 0);
        assert_int_equal(stats()->broken, 0);
        assert_int_equal(stats()->stray, 4);
        finish();
    }
}

static void test_an_id_in_use_takes_another_connection(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner one = {0}, two = {0}, three = {0}, four = {0};
    assert_int_equal(ask_now(&one, 5), 0);
    int first = accepted();
    assert_int_equal(take(first), 5);
    release(&one); /* its reply may still come, and must not reach the next waiter */
    assert_int_equal(ask_now(&two, 5), 0);
    int second = accepted();
    assert_int_equal(take(second), 5);
    reply(first, 5);
    run_for(&loop, 10);
    assert_int_equal(two.replies, 0);
    reply(second, 5);
    RUN_UNTIL(&loop, two.replies == 1);
    assert_int_equal(ask_now(&three, 5), 0); /* the one that answered last comes first */
    assert_int_equal(take(second), 5);
    assert_int_equal(ask_now(&four, 5), 0); /* the first is free of it again */
    assert_int_equal(take(first), 5);
    assert_int_equal(stats()->connections, 2);
    release(&two);
    release(&three);
    release(&four);
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
    aim_at(bound_to(server));
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
    aim_at(loopback_at("255.255.255.255", 53));
    assert_true(ask_now(&one, 5) < 0);
    assert_null(one.ticket);
    finish();
}

enum breakage {
    CLOSES,
    CLOSES_ITS_SIDE,
    RESETS,
    CUTS, /* half a message, then the end */
    BREAKAGES
};

static void break_it(int fd, enum breakage how)
{
    if (how == CUTS)
        assert_int_equal(send(fd, "\0\1", 2, 0), 2);
    if (how == CLOSES_ITS_SIDE)
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
    if (how == RESETS)
        reset(fd);
    else if (how != CLOSES_ITS_SIDE)
        close(fd);
}

static void close_quietly(int fd, enum breakage how)
{
    if (how == CLOSES_ITS_SIDE)
        close(fd);
}

/* Whether it has carried a reply before or not: what was asked through it is asked again at once, once. */
static void test_a_connection_breaks(void **state)
{
    (void) state;
    for (unsigned way = 0; way < 2 * BREAKAGES; way++) {
        enum breakage how = way / 2;
        start("127.0.0.1");
        struct owner one = {0}, two = {0}, three = {0};
        int          fd;
        if (way % 2) {
            fd = worked(&one);
            assert_int_equal(ask_now(&two, 2), 0);
        } else {
            assert_int_equal(ask_now(&two, 2), 0);
            fd = accepted();
        }
        assert_int_equal(ask_now(&three, 3), 0);
        take(fd);
        take(fd);
        break_it(fd, how);
        int      fresh[2] = {accepted(), accepted()}; /* apart: one of the two may be what breaks connections */
        uint16_t ids[2]   = {take(fresh[0]), take(fresh[1])};
        assert_int_equal(ids[0] + ids[1], 5);
        reply(fresh[0], ids[0]);
        struct owner *answered = ids[0] == 2 ? &two : &three, *other = ids[0] == 2 ? &three : &two;
        RUN_UNTIL(&loop, answered->replies == 1);
        break_it(fresh[1], how);
        RUN_UNTIL(&loop, other->broken == 1);
        assert_int_equal(answered->broken + other->replies, 0);
        assert_int_equal(stats()->opened, 3);
        assert_int_equal(stats()->broken, 2);
        release(&two);
        release(&three);
        close(fresh[0]);
        close_quietly(fd, how);
        close_quietly(fresh[1], how);
        finish();
    }
}

/* Closed while idle, which is not known yet when the next question is sent. */
static void test_it_closes_just_then(void **state)
{
    (void) state;
    for (unsigned way = 0; way < 2; way++) {
        start("127.0.0.1");
        struct owner one = {0}, two = {0};
        int          fd = worked(&one);
        break_it(fd, way ? RESETS : CLOSES);
        assert_int_equal(ask_now(&two, 2), 0);
        int other = accepted();
        assert_int_equal(take(other), 2);
        reply(other, 2);
        RUN_UNTIL(&loop, two.replies == 1);
        assert_int_equal(two.broken, 0);
        release(&two);
        close(other);
        finish();
    }
}

/* An end that is known: nothing is asked through such a connection. */
static void test_a_half_closed_connection_is_left(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner one = {0}, two = {0};
    int          fd = worked(&one);
    break_it(fd, CLOSES_ITS_SIDE);
    RUN_UNTIL(&loop, stats()->connections == 0);
    assert_int_equal(ask_now(&two, 2), 0);
    int other = accepted();
    assert_int_equal(take(other), 2);
    uint8_t byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    release(&two);
    close(fd);
    close(other);
    finish();
}

/* A server of old: it answers the first question of each connection and closes. */
static void test_one_answer_for_each_connection(void **state)
{
    (void) state;
    enum {
        QUESTIONS = 40
    };
    start("127.0.0.1");
    struct owner owners[QUESTIONS] = {0};
    for (uint16_t id = 0; id < QUESTIONS; id++) {
        owners[id].release_self = true;
        assert_int_equal(ask_now(&owners[id], id), 0);
    }
    for (unsigned answered = 0; answered < QUESTIONS; answered++) {
        int      fd = accepted();
        uint16_t id = take(fd);
        reply(fd, id);
        close(fd); /* with other questions unread: a reset */
        RUN_UNTIL(&loop, owners[id].replies == 1);
        assert_true(stats()->connections <= LIMIT_TCP_UPSTREAM_SHORT);
    }
    for (unsigned id = 0; id < QUESTIONS; id++)
        assert_int_equal(owners[id].broken, 0);
    finish();
}

enum {
    ENDS_BEHIND = 200, /* answers */
    ENDING      = 8
};

struct serving { /* a server that ends each connection behind so many answers */
    int      fds[ENDING];
    unsigned answers[ENDING];
    unsigned opened[ENDING]; /* by which question it was found there */
    unsigned cold;           /* questions that came as soon as their connection */
};

static void serve(struct serving *serving, unsigned question)
{
    int fd;
    while (try_accept(&fd)) {
        unsigned i = 0;
        while (serving->fds[i] >= 0)
            i++;
        assert_true(i < ENDING);
        serving->fds[i]     = fd;
        serving->answers[i] = 0;
        serving->opened[i]  = question;
    }
    for (unsigned i = 0; i < ENDING; i++) {
        uint8_t frame[14];
        if (serving->fds[i] < 0 || !is_readable(serving->fds[i]))
            continue;
        ssize_t got = recv(serving->fds[i], frame, sizeof(frame), 0);
        if (got == sizeof(frame))
            serving->cold += serving->opened[i] == question;
        if (got == sizeof(frame))
            reply(serving->fds[i], get_u16(frame + 2));
        if (got <= 0 || ++serving->answers[i] == ENDS_BEHIND) {
            close(serving->fds[i]);
            serving->fds[i] = -1;
        }
    }
}

/* The bound of one in a thousand is for a day at 20 a second, in which nothing is ever idle for long. */
static void test_hardly_a_question_meets_a_cold_connection(void **state)
{
    (void) state;
    enum {
        QUESTIONS = 50000
    };
    start("127.0.0.1");
    assert_int_equal(fcntl(server, F_SETFL, O_NONBLOCK), 0);
    struct owner   owner   = {.release_self = true};
    struct serving serving = {.fds = {-1, -1, -1, -1, -1, -1, -1, -1}};
    for (unsigned i = 0; i < QUESTIONS; i++) {
        assert_int_equal(ask_now(&owner, (uint16_t) i), 0);
        for (unsigned turns = 0; owner.replies == i; turns++) {
            assert_true(turns < 100000);
            uv_run(&loop, UV_RUN_NOWAIT);
            serve(&serving, i);
        }
    }
    assert_int_equal(owner.broken, 0);
    assert_in_range(serving.cold, 1, QUESTIONS / 1000);
    assert_in_range(stats()->opened, QUESTIONS / ENDS_BEHIND, QUESTIONS / ENDS_BEHIND + 10);
    for (unsigned i = 0; i < ENDING; i++)
        if (serving.fds[i] >= 0)
            close(serving.fds[i]);
    finish();
}

static unsigned count_descriptors(void)
{
    DIR     *directory = opendir("/proc/self/fd");
    unsigned count     = 0;
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* The server closes what is idle, each time; what is left behind in memory the leak checker tells. */
static void test_ten_thousand_times_idle_and_busy_leave_nothing(void **state)
{
    (void) state;
    enum {
        TIMES = 10000
    };
    start("127.0.0.1");
    struct owner owner  = {.release_self = true};
    unsigned     before = count_descriptors();
    for (unsigned i = 0; i < TIMES; i++) {
        assert_int_equal(ask_now(&owner, (uint16_t) i), 0);
        int fd = accepted();
        reply(fd, take(fd));
        RUN_UNTIL(&loop, owner.replies == i + 1);
        close(fd);
        RUN_UNTIL(&loop, stats()->connections == 0);
    }
    assert_int_equal(owner.broken, 0);
    assert_int_equal(stats()->opened, TIMES);
    assert_int_equal(count_descriptors(), before);
    finish();
}

/* A border resets the connection whenever it sees question 3; the others must not go down with it. */
static void test_one_question_that_breaks_connections(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner owners[6] = {0};
    for (uint16_t id = 0; id < 6; id++)
        assert_int_equal(ask_now(&owners[id], id), 0);
    int fd = accepted();
    for (unsigned id = 0; id < 6; id++)
        take(fd);
    reset(fd);
    for (unsigned i = 0; i < 6; i++) {
        int      fresh = accepted();
        uint16_t id    = take(fresh);
        if (id == 3) {
            reset(fresh);
            RUN_UNTIL(&loop, owners[3].broken == 1);
        } else {
            reply(fresh, id);
            RUN_UNTIL(&loop, owners[id].replies == 1);
            close(fresh);
        }
        release(&owners[id]);
    }
    assert_int_equal(stats()->opened, 7);
    finish();
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
    RUN_UNTIL(&loop, one.replies == 1 && stats()->connections == 0);
    assert_int_equal(one.broken, 0);
    assert_int_equal(stats()->opened, 1);
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
        } else { /* none comes about the second time */
            close(server);
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
        else
            server = plain_socket("127.0.0.1", SOCK_STREAM);
        finish();
    }
}

enum silence {
    SAYS_NOTHING,
    SAYS_OTHER_IDS,
    NEVER_ENDS, /* its message */
    SILENCES
};

static void be_silent(int fd, enum silence how)
{
    if (how == SAYS_OTHER_IDS)
        reply(fd, 99);
    if (how == NEVER_ENDS)
        (void) !send(fd, "\xff\xff\0\2", 4, MSG_NOSIGNAL);
}

/* A connection through which no answer comes any more: what waits on it is asked through another one, too, which all
 * new questions take. */
static void test_silence(void **state)
{
    (void) state;
    for (enum silence how = 0; how < SILENCES; how++) {
        start("127.0.0.1");
        struct owner one = {0}, two = {0}, three = {0};
        int          fd = worked(&one);
        assert_int_equal(ask_now(&two, 2), 0);
        release(&two); /* at once: somebody else was quicker, which says nothing */
        assert_int_equal(ask_now(&two, 3), 0);
        for (unsigned i = 0; i < 2; i++) {
            be_silent(fd, how);
            run_for(&loop, 280);
        }
        assert_int_equal(stats()->connections, 1);
        int other = accepted();
        assert_int_equal(take(other), 3);
        reply(other, 3);
        RUN_UNTIL(&loop, two.replies == 1);
        assert_int_equal(stats()->stalled, 1);
        assert_int_equal(ask_now(&three, 4), 0);
        int fresh = accepted(); /* it has answered one question, and so may have its limit there */
        assert_int_equal(take(fresh), 4);
        release(&two);
        release(&three);
        close(fd);
        close(other);
        close(fresh);
        finish();
    }
}

/* Slow, but alive: the first answer counts, whichever connection it comes by, and the first connection is not left. */
static void test_a_slow_answer_burns_no_connection(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner owners[4] = {0};
    for (uint16_t id = 0; id < 4; id++)
        assert_int_equal(ask_now(&owners[id], id), 0);
    int fd = accepted();
    for (unsigned id = 0; id < 4; id++)
        take(fd);
    int other = accepted(); /* one for all of them */
    for (unsigned id = 0; id < 4; id++)
        assert_int_equal(take(other), id);
    run_for(&loop, 300);
    assert_int_equal(stats()->opened, 2);
    for (uint16_t id = 0; id < 4; id++) {
        reply(id % 2 ? other : fd, id);
        RUN_UNTIL(&loop, owners[id].replies == 1);
        reply(id % 2 ? fd : other, id); /* and what comes by the other one is nobody's any more */
    }
    run_for(&loop, 100);
    for (unsigned id = 0; id < 4; id++) {
        assert_int_equal(owners[id].replies, 1);
        release(&owners[id]);
    }
    assert_int_equal(ask_now(&owners[0], 9), 0);
    assert_int_equal(take(fd), 9);
    assert_int_equal(stats()->opened, 2);
    release(&owners[0]);
    close(fd);
    close(other);
    finish();
}

/* Dead without a word, or a server that answers so many questions of a connection and no more: with a hundred a second
 * each has its answer within a second, and when it is known, at once. */
static void test_a_server_that_falls_silent(void **state)
{
    (void) state;
    enum {
        QUESTIONS = 120,
        LINKS     = 128
    };
    static const unsigned answers[] = {1, 2, 10, 0}; /* of each connection; 0: of the first none, of the others all */
    for (size_t row = 0; row < ARRAY_LEN(answers); row++)
        for (int closes = 0; closes < 2; closes++) {
            static struct owner owners[QUESTIONS];
            int                 fds[LINKS];
            unsigned            used[LINKS] = {0}, count = 0, done = 0, late = 0;
            uint64_t            asked[QUESTIONS];
            memset(owners, 0, sizeof(owners));
            start("127.0.0.1");
            assert_int_equal(listen(server, 128), 0);
            for (unsigned i = 0; done < QUESTIONS; i++) {
                if (i < QUESTIONS) {
                    owners[i].release_self = true;
                    asked[i]               = uv_now(&loop);
                    assert_int_equal(ask_now(&owners[i], (uint16_t) i), 0);
                }
                run_for(&loop, 10);
                while (count < LINKS && try_accept(&fds[count]))
                    count++;
                for (unsigned k = 0; k < count; k++)
                    while (fds[k] >= 0 && is_readable(fds[k])) {
                        uint8_t frame[14];
                        if (recv(fds[k], frame, sizeof(frame), 0) != sizeof(frame)) {
                            close(fds[k]);
                            fds[k] = -1;
                            break;
                        }
                        unsigned most = answers[row] ? answers[row] : k == 0 ? 0 : QUESTIONS;
                        if (used[k] < most) {
                            used[k]++;
                            reply(fds[k], get_u16(frame + 2));
                        } else if (closes && most > 0) {
                            close(fds[k]);
                            fds[k] = -1;
                        }
                    }
                for (unsigned k = 0; k < QUESTIONS && k <= i; k++)
                    if (!owners[k].ticket && owners[k].len != 1) {
                        if (owners[k].broken || uv_now(&loop) - asked[k] > 1000)
                            fail_msg("row %zu: question %u after %d ms", row, k, (int) (uv_now(&loop) - asked[k]));
                        late += uv_now(&loop) - asked[k] > 200;
                        owners[k].len = 1; /* seen */
                        done++;
                    }
                assert_true(i < QUESTIONS + 200);
            }
            /* found out once: behind the first second none is late */
            assert_true(late <= 90);
            for (unsigned k = 0; k < count; k++)
                if (fds[k] >= 0)
                    close(fds[k]);
            finish();
        }
}

/* Nobody waits on it any more, and it owes answers: it closes long before it is idle. */
static void test_a_silent_connection_closes(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner one = {0};
    int          fd  = worked(&one);
    assert_int_equal(ask_now(&one, 2), 0);
    release(&one);
    run_for(&loop, 500);
    assert_int_equal(stats()->connections, 1);
    RUN_UNTIL(&loop, stats()->connections == 0);
    close(fd);
    finish();
}

/* So many connections to one server and no more, all of them silent: the next question fails at once. */
static void test_so_many_connections(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner owners[LIMIT_TCP_UPSTREAM + 1] = {0};
    int          fds[LIMIT_TCP_UPSTREAM];
    for (unsigned i = 0; i < LIMIT_TCP_UPSTREAM; i++) { /* one id: each on a connection of its own */
        assert_int_equal(ask_now(&owners[i], 9), 0);
        fds[i] = accepted();
        assert_int_equal(take(fds[i]), 9);
    }
    struct owner *late = &owners[LIMIT_TCP_UPSTREAM];
    assert_int_equal(ask_now(late, 9), -EBUSY);
    assert_null(late->ticket);
    assert_int_equal(ask_now(late, 10), 0);
    assert_int_equal(stats()->opened, LIMIT_TCP_UPSTREAM);
    for (unsigned i = 0; i <= LIMIT_TCP_UPSTREAM; i++)
        release(&owners[i]);
    RUN_UNTIL(&loop, stats()->connections == 0); /* silent ones keep nobody out for long */
    for (unsigned i = 0; i < LIMIT_TCP_UPSTREAM; i++)
        close(fds[i]);
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

/* What the server says of its patience, at the last reply: connections that it wants closed get no more questions, and
 * close when nobody waits on them. Real time, together: kept for 2 s less than said, for 10 s if nothing is said. */
static void test_the_server_says_how_long(void **state)
{
    (void) state;
    static const struct {
        int      told[2]; /* by two replies */
        unsigned kept_ms; /* at least */
    } rows[] = {
        {{60000, 0}, 0},       {{60000, 2000}, 0}, /* too short to be of use */
        {{60000, 3500}, 1500}, {{0, 4000}, 2000},  {{60000, 4000}, 2000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        start("127.0.0.1");
        struct owner one = {0}, two = {0}, three = {0};
        assert_int_equal(ask_now(&one, 1), 0);
        assert_int_equal(ask_now(&two, 2), 0);
        int fd = accepted();
        take(fd);
        take(fd);
        tcp_ask_keep(one.ticket, 0); /* no reply yet: it says nothing */
        reply(fd, 1);
        RUN_UNTIL(&loop, one.replies == 1);
        tcp_ask_keep(one.ticket, rows[i].told[0]);
        release(&one);
        assert_int_equal(stats()->connections, 1);
        assert_int_equal(ask_now(&three, 3), 0);
        int other = rows[i].told[0] == 0 ? accepted() : -1;
        assert_int_equal(take(other < 0 ? fd : other), 3);
        release(&three);
        reply(other < 0 ? fd : other, 3);
        reply(fd, 2);
        RUN_UNTIL(&loop, two.replies == 1);
        tcp_ask_keep(two.ticket, rows[i].told[1]);
        release(&two);
        if (rows[i].kept_ms == 0) {
            assert_int_equal(stats()->connections, 0);
        } else {
            run_for(&loop, rows[i].kept_ms - 100);
            uint8_t byte;
            assert_int_equal(recv(fd, &byte, 1, 0), -1);
            run_for(&loop, 1600); /* and gone before the server's time is over */
            assert_int_equal(recv(fd, &byte, 1, 0), 0);
        }
        close(fd);
        if (other >= 0)
            close(other);
        finish();
    }
}

/* A server under pressure wants each connection closed, and each has a question that it is slow to answer: no further
 * one may be opened, and what is asked now is better late than failed. */
static void test_connections_that_are_to_close_carry_what_none_else_can(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner slow[LIMIT_TCP_UPSTREAM] = {0}, quick = {0}, late = {0};
    int          fds[LIMIT_TCP_UPSTREAM];
    for (unsigned i = 0; i < LIMIT_TCP_UPSTREAM; i++) {
        assert_int_equal(ask_now(&slow[i], 1), 0); /* one id: a connection of its own */
        fds[i] = accepted();
        assert_int_equal(take(fds[i]), 1);
    }
    for (unsigned i = 0; i < LIMIT_TCP_UPSTREAM; i++) {
        quick = (struct owner){0};
        assert_int_equal(ask_now(&quick, 2), 0);
        assert_int_equal(take(fds[i]), 2);
        reply(fds[i], 2);
        RUN_UNTIL(&loop, quick.replies == 1);
        tcp_ask_keep(quick.ticket, 0);
        release(&quick);
    }
    assert_int_equal(ask_now(&late, 3), 0);
    assert_int_equal(take(fds[0]), 3);
    reply(fds[0], 3);
    RUN_UNTIL(&loop, late.replies == 1);
    release(&late);
    for (unsigned i = 0; i < LIMIT_TCP_UPSTREAM; i++) {
        release(&slow[i]);
        close(fds[i]);
    }
    finish();
}

/* Real time: the 10 s without a question that a connection is kept, and longer if the server says so. */
static void test_idle_connections_close(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner owners[3] = {0};
    int          fds[3];
    for (unsigned i = 0; i < 3; i++) { /* one id: each on a connection of its own */
        assert_int_equal(ask_now(&owners[i], 1), 0);
        fds[i] = accepted();
        take(fds[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        reply(fds[i], 1);
        RUN_UNTIL(&loop, owners[i].replies == 1);
        if (i == 2)
            tcp_ask_keep(owners[i].ticket, 600000);
        release(&owners[i]);
    }
    run_for(&loop, 9000);
    assert_int_equal(stats()->connections, 3);
    run_for(&loop, 2500);
    assert_int_equal(stats()->connections, 1);
    char byte;
    assert_int_equal(recv(fds[0], &byte, 1, 0), 0);
    assert_int_equal(recv(fds[1], &byte, 1, 0), 0);
    for (unsigned i = 0; i < 3; i++)
        close(fds[i]);
    finish();
}

/* Connections carry few questions here, and one question is not answered at all: the others have places enough. */
static void test_silence_holds_up_nothing_where_connections_are_short(void **state)
{
    (void) state;
    start("127.0.0.1");
    struct owner first[4] = {0}, dead = {0}, burst[8] = {0};
    int          fd = -1;
    for (uint16_t id = 0; id < 4; id++) { /* two answers, and it closes */
        assert_int_equal(ask_now(&first[id], id), 0);
        fd = fd < 0 ? accepted() : fd;
        take(fd);
        if (id == 2) {
            close(fd);
            fd = accepted();
            take(fd);
        }
        reply(fd, id);
        RUN_UNTIL(&loop, first[id].replies == 1);
        release(&first[id]);
    }
    assert_int_equal(ask_now(&dead, 20), 0);
    run_for(&loop, TCP_ASK_QUIET + 100);
    for (uint16_t i = 0; i < 8; i++)
        assert_int_equal(ask_now(&burst[i], 30 + i), 0);
    run_for(&loop, 50);
    assert_in_range(stats()->sent, 4 + 1 + 8, 4 + 3 + 8); /* none waits */
    for (uint16_t i = 0; i < 8; i++)
        release(&burst[i]);
    release(&dead);
    finish();
}

/* Who does not know, or is gone, is not asked for as long as somebody waits. */
static void test_silence_is_asked_so_often(void **state)
{
    (void) state;
    for (unsigned again = 0; again <= TCP_ASK_AGAIN; again += TCP_ASK_AGAIN) {
        start("127.0.0.1");
        struct owner one = {0};
        assert_int_equal(ask_often(&one, 1, again), 0);
        run_for(&loop, 3 * TCP_ASK_EXTRA);
        assert_int_equal(stats()->opened, 1 + again);
        assert_int_equal(stats()->stalled, again);
        release(&one);
        finish();
    }
}

static void test_closes_all(void **state)
{
    (void) state;
    unsigned before = count_descriptors();
    start("127.0.0.1");
    struct owner one = {0};
    int          fd  = worked(&one);
    assert_int_equal(ask_now(&one, 2), 0);
    release(&one); /* still owed a reply */
    finish();
    close(fd);
    assert_int_equal(count_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_in_any_order),
        cmocka_unit_test(test_an_id_in_use_takes_another_connection),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_way_there),
        cmocka_unit_test(test_a_connection_breaks),
        cmocka_unit_test(test_it_closes_just_then),
        cmocka_unit_test(test_a_half_closed_connection_is_left),
        cmocka_unit_test(test_one_answer_for_each_connection),
        cmocka_unit_test(test_hardly_a_question_meets_a_cold_connection),
        cmocka_unit_test(test_ten_thousand_times_idle_and_busy_leave_nothing),
        cmocka_unit_test(test_one_question_that_breaks_connections),
        cmocka_unit_test(test_the_reply_before_a_reset_counts),
        cmocka_unit_test(test_release_in_the_handler),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_a_slow_answer_burns_no_connection),
        cmocka_unit_test(test_silence_is_asked_so_often),
        cmocka_unit_test(test_silence_holds_up_nothing_where_connections_are_short),
        cmocka_unit_test(test_a_server_that_falls_silent),
        cmocka_unit_test(test_a_silent_connection_closes),
        cmocka_unit_test(test_so_many_connections),
        cmocka_unit_test(test_a_connection_carries_so_many),
        cmocka_unit_test(test_the_server_says_how_long),
        cmocka_unit_test(test_connections_that_are_to_close_carry_what_none_else_can),
        cmocka_unit_test(test_idle_connections_close),
        cmocka_unit_test(test_closes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
