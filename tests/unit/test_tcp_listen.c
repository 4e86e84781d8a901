#include "loopback.h"

#include "net/tcp_listen.h"

static uv_loop_t loop;

struct server {
    struct tcp_listen *listen;
    struct address     address;
    unsigned           handled, empty;
    bool               later;  /* answers are left to the test */
    bool               stingy; /* takes no more than `budget` messages */
    unsigned           budget;
    bool               relays;     /* a message brings the answer to the first one */
    size_t             answer_len; /* instead of an echo, if not 0 */
    struct path        paths[256]; /* of the messages, in order */
};

static size_t handle(void *context, struct view message, const struct path *path, uint8_t *out, size_t cap)
{
    struct server *server = context;
    assert_int_equal(cap, LIMIT_TCP_MESSAGE);
    assert_ptr_equal(path->endpoint, server->listen);
    server->paths[server->handled++ % ARRAY_LEN(server->paths)] = *path;
    server->empty += message.len == 0;
    if (server->relays)
        tcp_listen_send(server->listen, &server->paths[0], (struct view){(const uint8_t *) "A", 1});
    if (server->later)
        return 0;
    if (message.len == 0) {
        tcp_listen_send(server->listen, path, (struct view){0});
        return 0;
    }
    if (server->answer_len > 0) {
        memset(out, 7, server->answer_len);
        return server->answer_len;
    }
    memcpy(out, message.data, message.len);
    return message.len;
}

static bool admit(void *context, const struct address *peer)
{
    struct server *server = context;
    assert_int_equal(peer->any.sa_family, server->address.any.sa_family);
    if (!server->stingy)
        return true;
    if (server->budget == 0)
        return false;
    server->budget--;
    return true;
}

static bool is_exempt(void *context, const struct address *peer)
{
    (void) context;
    return peer->any.sa_family == AF_INET && peer->in.sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

static void start_with(struct server *server, const char *host, struct tcp_listen_options options)
{
    struct address any = loopback_at(host, 0);
    int            fd  = tcp_listen_bind(&any, SOCKET_FIRST);
    assert_true(fd >= 0);
    /* The connections inherit it: a client that does not read is felt early. */
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){65536}, sizeof(int)), 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    *server         = (struct server){0};
    server->address = bound_to(fd);
    options.admit   = admit;
    options.exempt  = is_exempt;
    if (options.memory == 0)
        options.memory = LIMIT_TCP_MEMORY;
    if (options.message_ms == 0)
        options.message_ms = 5000;
    server->listen = tcp_listen_create(&loop, &options, handle, server);
    assert_non_null(server->listen);
    assert_true(tcp_listen_add(server->listen, fd, &server->address));
}

static void start(struct server *server, const char *host, unsigned idle_ms, unsigned connections)
{
    start_with(server, host, (struct tcp_listen_options){.idle_ms = idle_ms, .connections = connections});
}

static void finish(struct server *server)
{
    tcp_listen_close(server->listen);
    finish_loop(&loop);
}

static const struct tcp_listen_stats *stats(const struct server *server)
{
    return tcp_listen_read_stats(server->listen);
}

static int client_of(struct server *server)
{
    uint64_t before = stats(server)->accepted + stats(server)->refused;
    int      fd     = connected_socket(&server->address, SOCK_STREAM);
    RUN_UNTIL(&loop, stats(server)->accepted + stats(server)->refused > before);
    return fd;
}

static void write_all(int fd, const char *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

static bool is_readable(int fd) { return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1; }

/* The server has closed the connection, and all it sent before is read. */
static bool is_closed(int fd)
{
    uint8_t byte;
    ssize_t len = recv(fd, &byte, 1, 0);
    return len == 0 || (len < 0 && errno == ECONNRESET);
}

static void expect(int fd, const char *bytes, size_t len)
{
    char   read[64];
    size_t have = 0;
    assert_true(len <= sizeof(read));
    while (have < len) {
        RUN_UNTIL(&loop, is_readable(fd));
        ssize_t some = recv(fd, read + have, len - have, 0);
        assert_true(some > 0);
        have += (size_t) some;
    }
    assert_memory_equal(read, bytes, len);
}

static void answer(struct server *server, unsigned index, const char *bytes)
{
    tcp_listen_send(server->listen, &server->paths[index], (struct view){(const uint8_t *) bytes, strlen(bytes)});
}

/* Two whole messages, an empty one and half a message in one segment; then the rest, byte by byte. */
static void test_frames_in_any_pieces(void **state)
{
    (void) state;
    static const char *const hosts[] = {"127.0.0.1", "::1"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct server server;
        start(&server, hosts[i], 5000, 10);
        int client = client_of(&server);
        write_all(client, "\0\3abc\0\0\0\2de\0\4f", 14);
        RUN_UNTIL(&loop, is_readable(client));
        char    bytes[32];
        ssize_t len = recv(client, bytes, sizeof(bytes), 0);
        assert_int_equal(len, 9); /* both answers in one piece */
        assert_memory_equal(bytes, "\0\3abc\0\2de", 9);
        for (unsigned b = 0; b < 3; b++) {
            run_for(&loop, 2);
            assert_false(is_readable(client));
            write_all(client, &"ghi"[b], 1);
        }
        expect(client, "\0\4fghi", 6);
        assert_int_equal(server.handled, 4);
        assert_int_equal(server.empty, 1);
        struct address peer = bound_to(client);
        assert_true(address_equal(&server.paths[0].peer, &peer));
        assert_int_not_equal(server.paths[0].connection, 0);
        assert_int_equal(stats(&server)->sent, 3);
        close(client);
        RUN_UNTIL(&loop, stats(&server)->open == 0);
        finish(&server);
    }
}

static void test_answers_out_of_order(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 5000, 10);
    server.later = true;
    int client   = client_of(&server);
    write_all(client, "\0\1a\0\1b\0\1c", 9);
    RUN_UNTIL(&loop, server.handled == 3);
    answer(&server, 2, "C");
    answer(&server, 1, ""); /* no answer at all */
    answer(&server, 0, "A");
    expect(client, "\0\1C\0\1A", 6);
    close(client);
    finish(&server);
}

static void test_pipeline_is_bounded(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 5000, 10);
    server.later = true;
    int client   = client_of(&server);
    for (unsigned i = 0; i < LIMIT_TCP_PIPELINE + 36; i++)
        write_all(client, "\0\1q", 3);
    assert_int_equal(shutdown(client, SHUT_WR), 0); /* the held ones are answered although the end has come */
    RUN_UNTIL(&loop, server.handled == LIMIT_TCP_PIPELINE);
    run_for(&loop, 20);
    assert_int_equal(server.handled, LIMIT_TCP_PIPELINE);
    answer(&server, 0, "A");
    answer(&server, 1, "B");
    RUN_UNTIL(&loop, server.handled == LIMIT_TCP_PIPELINE + 2);
    run_for(&loop, 20);
    assert_int_equal(server.handled, LIMIT_TCP_PIPELINE + 2);
    for (unsigned i = 2; i < LIMIT_TCP_PIPELINE + 36; i++) {
        RUN_UNTIL(&loop, server.handled > i);
        answer(&server, i, "C");
    }
    for (unsigned i = 0; i < LIMIT_TCP_PIPELINE + 36; i++)
        expect(client, i == 0 ? "\0\1A" : i == 1 ? "\0\1B" : "\0\1C", 3);
    RUN_UNTIL(&loop, is_closed(client));
    close(client);
    finish(&server);
}

static void test_half_close(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 5000, 10);
    server.later = true;
    int client   = client_of(&server);
    write_all(client, "\0\1a\0\1b\0\7half", 12);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    RUN_UNTIL(&loop, server.handled == 2);
    run_for(&loop, 20);
    assert_int_equal(stats(&server)->open, 1);
    answer(&server, 1, "B");
    expect(client, "\0\1B", 3);
    assert_int_equal(stats(&server)->open, 1);
    answer(&server, 0, "A");
    expect(client, "\0\1A", 3);
    RUN_UNTIL(&loop, is_closed(client));
    assert_int_equal(stats(&server)->open, 0);
    close(client);
    finish(&server);
}

/* Its number is never another connection's, so an answer to who has left goes nowhere. */
static void test_answer_to_a_dead_connection(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 5000, 1);
    server.later = true;
    int gone     = client_of(&server);
    write_all(gone, "\0\1a", 3);
    RUN_UNTIL(&loop, server.handled == 1);
    assert_int_equal(setsockopt(gone, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger)), 0);
    close(gone);
    RUN_UNTIL(&loop, stats(&server)->open == 0);
    int client = client_of(&server); /* in the same slot */
    write_all(client, "\0\1b", 3);
    RUN_UNTIL(&loop, server.handled == 2);
    answer(&server, 0, "A");
    run_for(&loop, 10);
    assert_false(is_readable(client));
    answer(&server, 1, "B");
    expect(client, "\0\1B", 3);
    close(client);
    finish(&server);
}

static void test_idle_connections_close(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 400, 10);
    server.later = true;
    int silent = client_of(&server), busy = client_of(&server), slow = client_of(&server);
    write_all(busy, "\0\1a", 3);
    for (unsigned i = 0; i < 12; i++) {
        write_all(slow, i == 0 ? "\0" : i == 1 ? "\x0e" : "x", 1);
        run_for(&loop, 50);
    }
    assert_true(is_closed(silent));
    assert_int_equal(stats(&server)->idle_closed, 1);
    assert_int_equal(stats(&server)->open, 2); /* one waits for its answer, one has begun a question */
    answer(&server, 0, "A");
    expect(busy, "\0\1A", 3);
    run_for(&loop, 150);
    assert_false(is_closed(busy));
    RUN_UNTIL(&loop, is_closed(busy));
    write_all(slow, "xxxx", 4);
    RUN_UNTIL(&loop, server.handled == 2);
    answer(&server, 1, "B");
    expect(slow, "\0\1B", 3);
    RUN_UNTIL(&loop, is_closed(slow));
    assert_int_equal(stats(&server)->idle_closed, 3);
    close(silent);
    close(busy);
    close(slow);
    finish(&server);
}

/* Messages without end that get no answer by design, the next always begun: no reason to keep a place. */
static void test_what_gets_no_answer_keeps_no_place(void **state)
{
    (void) state;
    struct server server;
    start_with(&server, "127.0.0.1", (struct tcp_listen_options){.idle_ms = 500, .message_ms = 300, .connections = 10});
    int empty = client_of(&server), honest = client_of(&server);
    write_all(empty, "\0", 1);
    for (unsigned i = 0; i < 100 && stats(&server)->idle_closed == 0; i++) {
        (void) !send(empty, "\0\0", 2, MSG_NOSIGNAL);
        write_all(honest, "\0\1a", 3);
        expect(honest, "\0\1a", 3);
        run_for(&loop, 20);
    }
    assert_true(is_closed(empty));
    assert_int_equal(stats(&server)->idle_closed, 1);
    assert_int_equal(stats(&server)->open, 1);
    assert_true(server.empty > 3);
    close(empty);
    close(honest);
    finish(&server);

    start(&server, "127.0.0.1", 5000, 2); /* nor to keep it before somebody who was answered */
    empty = client_of(&server), honest = client_of(&server);
    write_all(honest, "\0\1a", 3);
    expect(honest, "\0\1a", 3);
    write_all(empty, "\0\0", 2);
    RUN_UNTIL(&loop, server.empty == 1);
    int newcomer = client_of(&server);
    RUN_UNTIL(&loop, is_closed(empty));
    assert_false(is_closed(honest));
    close(empty);
    close(honest);
    close(newcomer);
    finish(&server);
}

/* A message that has begun has its time, whatever trickles in; whole ones keep a connection open. */
static void test_a_message_must_end(void **state)
{
    (void) state;
    struct server server;
    start_with(&server, "127.0.0.1",
               (struct tcp_listen_options){.idle_ms = 2000, .message_ms = 400, .connections = 10});
    int busy = client_of(&server), dribbling = client_of(&server), silent = client_of(&server);
    for (unsigned i = 0; i < 15; i++) {
        (void) !send(dribbling, i == 0 ? "\1" : "x", 1, MSG_NOSIGNAL);
        write_all(busy, i == 0 ? "\0\1a\0" : "\1a\0", i == 0 ? 4 : 3); /* it ends one, and begins another */
        run_for(&loop, 50);
    }
    assert_true(is_closed(dribbling));
    assert_int_equal(stats(&server)->idle_closed, 1);
    assert_int_equal(server.handled, 15);
    RUN_UNTIL(&loop, stats(&server)->open == 0);
    close(busy);
    close(dribbling);
    close(silent);
    finish(&server);
}

/* What is not admitted waits, is not lost, and is looked at again; who waits is the first in turn. */
static void test_pauses(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 600, 10);
    server.stingy = true;
    server.budget = 2;
    int greedy = client_of(&server), modest = client_of(&server);
    write_all(greedy, "\0\1a\0\1b\0\1c\0\1d", 12);
    expect(greedy, "\0\1a\0\1b", 6);
    write_all(modest, "\0\1m", 3);
    run_for(&loop, 100);
    assert_int_equal(server.handled, 2);
    write_all(greedy, "\0\1e\0\1f\0\1g", 9); /* and it is not read meanwhile */
    shutdown(greedy, SHUT_WR);
    bool served = false;
    for (unsigned i = 0; i < 3; i++) {
        server.budget = 1;
        RUN_UNTIL(&loop, server.handled == 3 + i);
        run_for(&loop, 30);
        served = served || is_readable(modest);
    }
    assert_true(served); /* although the other asked before, and had more to ask */
    server.budget = 100;
    expect(greedy, "\0\1c\0\1d\0\1e\0\1f\0\1g", 15);
    RUN_UNTIL(&loop, is_closed(greedy));
    expect(modest, "\0\1m", 3);
    server.budget = 0;
    write_all(modest, "\0\1n", 3);
    run_for(&loop, 900); /* longer than a connection may be idle: it is ours to go on */
    assert_int_equal(stats(&server)->open, 1);
    close(greedy);
    close(modest);
    finish(&server); /* while one waits */
}

/* What a client is told of its time is true, and nothing where it may soon have to give way. */
static void test_how_long_a_connection_is_kept(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 1500, 8);
    int clients[8];
    for (unsigned i = 0; i < 8; i++) {
        clients[i] = client_of(&server);
        write_all(clients[i], "\0\1a", 3);
        expect(clients[i], "\0\1a", 3);
        assert_int_equal(server.paths[i].idle_ms, i < 6 ? 1500 : 0);
    }
    close(clients[7]);
    close(clients[6]);
    RUN_UNTIL(&loop, stats(&server)->open == 6);
    uint64_t asked = now_ms();
    write_all(clients[0], "\0\1b", 3);
    expect(clients[0], "\0\1b", 3);
    assert_int_equal(server.paths[8].idle_ms, 1500);
    RUN_UNTIL(&loop, is_closed(clients[0]));
    assert_true(now_ms() - asked >= 1490);
    for (unsigned i = 0; i < 6; i++)
        close(clients[i]);
    finish(&server);
}

/* One client has its share: its own idlest gives way, then it is refused. */
static void test_share_of_a_client(void **state)
{
    (void) state;
    struct server server;
    start_with(&server, "::1", (struct tcp_listen_options){.idle_ms = 5000, .connections = 10, .per_client = 2});
    server.later = true;
    int first = client_of(&server), second = client_of(&server);
    int third = client_of(&server);
    RUN_UNTIL(&loop, is_closed(first));
    write_all(second, "\0\1a", 3);
    write_all(third, "\0\1b", 3);
    RUN_UNTIL(&loop, server.handled == 2);
    int fourth = client_of(&server);
    RUN_UNTIL(&loop, is_closed(fourth));
    assert_int_equal(stats(&server)->evicted, 1);
    assert_int_equal(stats(&server)->refused, 1);
    assert_int_equal(stats(&server)->open, 2);
    const int all[] = {first, second, third, fourth};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        close(all[i]);
    finish(&server);
}

static void test_the_exempt_share_all_places(void **state)
{
    (void) state;
    struct server server;
    start_with(&server, "127.0.0.1", (struct tcp_listen_options){.idle_ms = 5000, .connections = 4, .per_client = 2});
    int clients[4];
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        clients[i] = client_of(&server);
    assert_int_equal(stats(&server)->open, 4);
    assert_int_equal(stats(&server)->evicted + stats(&server)->refused, 0);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++)
        close(clients[i]);
    finish(&server);
}

/* Many long messages that do not end: whoever holds most goes, the others stay. */
static void test_memory(void **state)
{
    (void) state;
    enum {
        CLIENTS = 8,
        MEMORY  = 200 << 10
    };
    struct server server;
    start_with(&server, "127.0.0.1",
               (struct tcp_listen_options){.idle_ms = 5000, .connections = CLIENTS + 1, .memory = MEMORY});
    int modest = client_of(&server), clients[CLIENTS];
    write_all(modest, "\0\2a", 3);
    static char bytes[60000] = "\xff\xff";
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = client_of(&server);
        write_all(clients[i], bytes, sizeof(bytes));
        run_for(&loop, 20);
    }
    assert_true(stats(&server)->cut_off >= CLIENTS - 3);
    assert_true(stats(&server)->open >= 2);
    write_all(modest, "b", 1);
    expect(modest, "\0\2ab", 4);
    for (unsigned i = 0; i < CLIENTS; i++)
        close(clients[i]);
    close(modest);
    RUN_UNTIL(&loop, stats(&server)->open == 0);
    finish(&server);
}

/* A newcomer takes the place of who has asked nothing the longest, even if that one dribbles; never of who waits. */
static void test_cap(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 5000, 3);
    server.later  = true;
    int dribbling = client_of(&server), waiting = client_of(&server), idle = client_of(&server);
    write_all(waiting, "\0\1a", 3);
    RUN_UNTIL(&loop, server.handled == 1);
    write_all(dribbling, "\0", 1);
    run_for(&loop, 10);
    int first = client_of(&server);
    RUN_UNTIL(&loop, is_closed(dribbling));
    int second = client_of(&server);
    RUN_UNTIL(&loop, is_closed(idle));
    assert_int_equal(stats(&server)->evicted, 2);
    write_all(first, "\0\1b", 3);
    write_all(second, "\0\1c", 3);
    RUN_UNTIL(&loop, server.handled == 3);
    int third = client_of(&server);
    RUN_UNTIL(&loop, is_closed(third));
    assert_int_equal(stats(&server)->refused, 1);
    for (unsigned i = 0; i < 3; i++)
        answer(&server, i, "A");
    expect(waiting, "\0\1A", 3);
    expect(first, "\0\1A", 3);
    expect(second, "\0\1A", 3);
    const int all[] = {dribbling, waiting, idle, first, second, third};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        close(all[i]);
    finish(&server);
}

/* The answer to the first, the question that brings it and the newcomer come in one turn of the loop: whoever gives way
 * has been sent its answer. */
static void test_an_answer_leaves_before_its_connection_gives_way(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 5000, 2);
    server.later = true;
    int first = client_of(&server), second = client_of(&server);
    write_all(first, "\0\1a", 3);
    RUN_UNTIL(&loop, server.handled == 1);
    server.relays = true;
    write_all(second, "\0\1b", 3);
    int newcomer = client_of(&server);
    RUN_UNTIL(&loop, server.handled == 2);
    assert_int_equal(stats(&server)->evicted, 1);
    expect(first, "\0\1A", 3);
    assert_true(is_closed(first));
    close(first);
    close(second);
    close(newcomer);
    finish(&server);
}

/* Who does not read what it asked for is not read either, and goes when nothing moves any more. */
static void test_slow_reader(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 300, 10);
    server.answer_len = 60000;
    int      client   = client_of(&server);
    unsigned asked    = 0;
    for (uint64_t end = now_ms() + 150; now_ms() < end; uv_run(&loop, UV_RUN_NOWAIT))
        for (; asked < 2000 && send(client, "\0\1q", 3, MSG_NOSIGNAL) == 3; asked++)
            ;
    assert_int_equal(asked, 2000);
    assert_true(server.handled < 500); /* the rest waits in the kernel */
    assert_int_equal(stats(&server)->open, 1);
    RUN_UNTIL(&loop, stats(&server)->open == 0);
    close(client);

    /* A slow one that does read gets all of it. */
    server.handled = 0;
    client         = client_of(&server);
    for (unsigned i = 0; i < 100; i++)
        write_all(client, "\0\1q", 3);
    static uint8_t bytes[60002];
    for (size_t have = 0; have < 100 * sizeof(bytes);) {
        RUN_UNTIL(&loop, is_readable(client));
        ssize_t len = recv(client, bytes, sizeof(bytes), 0);
        assert_true(len > 0);
        have += (size_t) len;
    }
    assert_int_equal(server.handled, 100);
    close(client);
    finish(&server);
}

/* Late answers have no such brake: beyond the limit the connection is cut off. */
static void test_output_limit(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 60000, 10);
    server.later = true;
    int client   = client_of(&server);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int)), 0);
    static uint8_t large[LIMIT_TCP_MESSAGE];
    for (unsigned i = 0; i < LIMIT_TCP_PIPELINE; i++)
        write_all(client, "\0\1q", 3);
    RUN_UNTIL(&loop, server.handled == LIMIT_TCP_PIPELINE);
    for (unsigned i = 0; i < LIMIT_TCP_PIPELINE; i++)
        tcp_listen_send(server.listen, &server.paths[i], (struct view){large, sizeof(large)});
    RUN_UNTIL(&loop, stats(&server)->open == 0);
    assert_int_equal(stats(&server)->idle_closed, 0);
    close(client);
    finish(&server);
}

/* Out of descriptors: who is idle gives way, then newcomers are refused at once; the loop does not spin. */
static void test_no_descriptor_left(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 5000, 10);
    server.later  = true;
    int idle      = client_of(&server);
    int clients[] = {connected_socket(&server.address, SOCK_STREAM), connected_socket(&server.address, SOCK_STREAM)};
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = 64, .rlim_max = old.rlim_max}), 0);
    int hogs[64], count = 0;
    while ((hogs[count] = dup(idle)) >= 0)
        count++;
    RUN_UNTIL(&loop, stats(&server)->accepted == 3);
    assert_true(is_closed(idle));
    assert_int_equal(stats(&server)->evicted, 2); /* the second of the newcomers took the place of the first */
    write_all(clients[1], "\0\1a", 3);
    RUN_UNTIL(&loop, server.handled == 1);
    close(hogs[--count]);
    int late = connected_socket(&server.address, SOCK_STREAM);
    RUN_UNTIL(&loop, stats(&server)->refused == 1);
    assert_true(is_closed(late));

    /* Not even the one held back: the client waits in the queue, the loop sleeps, and the client is served later. */
    close(late);
    late       = connected_socket(&server.address, SOCK_STREAM);
    int others = count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = 0, .rlim_max = old.rlim_max}), 0);
    run_for(&loop, 20);
    unsigned turns = 0;
    for (uint64_t end = now_ms() + 300; now_ms() < end; turns++)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(turns < 10);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    RUN_UNTIL(&loop, stats(&server)->accepted == 4);
    while (others > 0)
        close(hogs[--others]);
    answer(&server, 0, "A");
    expect(clients[1], "\0\1A", 3);
    close(idle);
    close(late);
    close(clients[0]);
    close(clients[1]);
    finish(&server);
}

/* Connections that wait to be accepted are not lost, and the accepted ones live on. */
static void test_remove(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 5000, 10);
    struct address other = loopback_at("127.0.0.2", address_port(&server.address));
    int            fd    = tcp_listen_bind(&other, SOCKET_FIRST);
    assert_true(fd >= 0 && tcp_listen_add(server.listen, fd, &other));
    int accepted = client_of(&server);
    int queued   = connected_socket(&server.address, SOCK_STREAM);
    tcp_listen_remove(server.listen, &server.address);
    write_all(accepted, "\0\1a", 3);
    write_all(queued, "\0\1b", 3);
    expect(accepted, "\0\1a", 3);
    expect(queued, "\0\1b", 3);
    int refused = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(refused, &server.address.any, server.address.len), -1);
    server.address = other;
    int elsewhere  = client_of(&server);
    write_all(elsewhere, "\0\1c", 3);
    expect(elsewhere, "\0\1c", 3);
    close(accepted);
    close(queued);
    close(refused);
    close(elsewhere);
    finish(&server);
}

static bool listens(int fd)
{
    int value = 0;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &(socklen_t){sizeof(value)}), 0);
    return value;
}

/* Somebody else keeps the socket a moment longer: nobody must be let in there any more. */
static void test_what_was_left_does_not_listen(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 5000, 10);
    struct address other = loopback_at("127.0.0.2", address_port(&server.address));
    int            fd = tcp_listen_bind(&other, SOCKET_FIRST), theirs = dup(fd);
    assert_true(tcp_listen_add(server.listen, fd, &other));
    tcp_listen_remove(server.listen, &other);
    assert_false(listens(theirs));
    close(theirs);

    fd         = tcp_listen_bind(&other, SOCKET_FIRST);
    theirs     = dup(fd);
    int queued = connected_socket(&other, SOCK_STREAM);
    tcp_listen_drain(server.listen, fd);
    assert_false(listens(theirs));
    write_all(queued, "\0\1a", 3);
    expect(queued, "\0\1a", 3);
    close(theirs);
    close(queued);
    finish(&server);
}

/* Another process has the socket too: who has not been accepted yet waits for it. */
static void test_handing_on(void **state)
{
    (void) state;
    struct server server;
    int           type;
    start(&server, "127.0.0.1", 5000, 10);
    struct address other = loopback_at("127.0.0.2", address_port(&server.address));
    int            fd = tcp_listen_bind(&other, SOCKET_FIRST), theirs = dup(fd);
    assert_true(tcp_listen_add(server.listen, fd, &other));
    int accepted = client_of(&server), queued = connected_socket(&other, SOCK_STREAM);
    tcp_listen_hand_on(server.listen);
    assert_int_equal(socket_adopt(theirs, &type), 0);
    assert_int_equal(type, SOCK_STREAM);
    int taken = accept(theirs, NULL, NULL);
    assert_true(taken >= 0);
    write_all(accepted, "\0\1a", 3);
    expect(accepted, "\0\1a", 3);
    close(accepted);
    close(queued);
    close(taken);
    close(theirs);
    finish(&server);
}

/* At a stop those that wait to be accepted are heard, questions are answered, and who is owed nothing is let go. */
static void test_stop(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1", 5000, 10);
    server.later = true;
    int asking = client_of(&server), idle = client_of(&server), half = client_of(&server);
    write_all(asking, "\0\1a", 3);
    write_all(half, "\0\7b", 3);
    RUN_UNTIL(&loop, server.handled == 1);
    int queued = connected_socket(&server.address, SOCK_STREAM);
    tcp_listen_stop(server.listen, 200);
    write_all(asking, "\0\1c", 3);
    write_all(queued, "\0\1d", 3);
    int refused = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(refused, &server.address.any, server.address.len), -1);
    RUN_UNTIL(&loop, server.handled == 3 && stats(&server)->open == 2);
    assert_true(is_closed(idle) && is_closed(half));
    for (unsigned i = 0; i < 3; i++)
        answer(&server, i, "A");
    expect(asking, "\0\1A\0\1A", 6);
    expect(queued, "\0\1A", 3);
    RUN_UNTIL(&loop, stats(&server)->open == 0);
    assert_true(is_closed(asking) && is_closed(queued));
    assert_int_equal(stats(&server)->idle_closed, 0);
    close(asking);
    close(idle);
    close(half);
    close(queued);
    close(refused);
    finish(&server);
}

/* A client that was closed by its server lingers in the kernel, which keeps no address. */
static void test_who_is_first(void **state)
{
    (void) state;
    struct address any = loopback_at("127.0.0.1", 0);
    int            one = tcp_listen_bind(&any, SOCKET_FIRST);
    struct address at  = bound_to(one);
    int            two = tcp_listen_bind(&at, SOCKET_JOINS); /* another worker's */
    assert_true(one >= 0 && two >= 0);
    assert_int_equal(tcp_listen_bind(&at, SOCKET_FIRST), -EADDRINUSE);
    close(two);
    assert_int_equal(tcp_listen_bind(&at, SOCKET_FIRST), -EADDRINUSE);
    int client = connected_socket(&at, SOCK_STREAM);
    close(accept(one, NULL, NULL));
    close(one);
    two = tcp_listen_bind(&at, SOCKET_FIRST);
    assert_true(two >= 0);
    close(two);
    close(client);
}

static void test_closes_all(void **state)
{
    (void) state;
    unsigned      before = open_descriptors();
    struct server server;
    start(&server, "127.0.0.1", 5000, 10);
    server.later = true;
    int client = client_of(&server), half = client_of(&server);
    write_all(client, "\0\1a\0\1b", 6);
    write_all(half, "\0\7a", 3);
    RUN_UNTIL(&loop, server.handled == 2);
    answer(&server, 0, "A");
    finish(&server);
    char sent[8];
    assert_int_equal(recv(client, sent, sizeof(sent), 0), 3); /* what was given is not lost */
    close(client);
    close(half);
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_in_any_pieces),
        cmocka_unit_test(test_answers_out_of_order),
        cmocka_unit_test(test_pipeline_is_bounded),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_answer_to_a_dead_connection),
        cmocka_unit_test(test_idle_connections_close),
        cmocka_unit_test(test_what_gets_no_answer_keeps_no_place),
        cmocka_unit_test(test_a_message_must_end),
        cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_how_long_a_connection_is_kept),
        cmocka_unit_test(test_share_of_a_client),
        cmocka_unit_test(test_the_exempt_share_all_places),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_an_answer_leaves_before_its_connection_gives_way),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_output_limit),
        cmocka_unit_test(test_no_descriptor_left),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_what_was_left_does_not_listen),
        cmocka_unit_test(test_handing_on),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_who_is_first),
        cmocka_unit_test(test_closes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
