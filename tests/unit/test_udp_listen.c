#include "loopback.h"

#include "net/socket.h"
#include "net/udp_listen.h"

#include <sys/syscall.h>

static uv_loop_t loop;

/* Sends of this process fail with this errno while it is set: a full buffer cannot be had on the loopback interface. */
static int send_error;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (send_error) {
        errno = send_error;
        return -1;
    }
    return syscall(SYS_sendmsg, fd, message, flags);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    if (send_error) {
        errno = send_error;
        return -1;
    }
    return (int) syscall(SYS_sendmmsg, fd, messages, count, flags);
}

struct server {
    struct udp_listen *listen;
    struct address     address;
    unsigned           handled, begun, empty;
    bool               later; /* answers are left to the test */
    struct path        path;  /* of the last datagram */
    size_t             longest;
};

static void begin(void *context)
{
    struct server *server = context;
    server->begun++;
}

/* An echo; nothing for what is empty. */
static size_t handle(void *context, struct view datagram, const struct path *path, uint8_t *out, size_t cap)
{
    struct server *server = context;
    assert_true(server->begun > 0);
    assert_true(cap >= LIMIT_UDP_PAYLOAD);
    assert_ptr_equal(path->endpoint, server->listen);
    server->handled++;
    server->path = *path;
    if (datagram.len > server->longest)
        server->longest = datagram.len;
    server->empty += datagram.len == 0;
    if (server->later || datagram.len > cap)
        return 0;
    memcpy(out, datagram.data, datagram.len);
    return datagram.len;
}

static void start(struct server *server, const char *host)
{
    struct address any = loopback_at(host, 0);
    int            fd  = udp_listen_bind(&any, SOCKET_FIRST);
    assert_true(fd >= 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    *server        = (struct server){0};
    server->listen = udp_listen_start(&loop, fd, handle, begin, server);
    assert_non_null(server->listen);
    server->address = udp_listen_address(server->listen);
    assert_int_not_equal(address_port(&server->address), 0);
}

static void finish(struct server *server)
{
    udp_listen_stop(server->listen);
    udp_listen_free(server->listen);
    finish_loop(&loop);
}

static bool can_read(int fd) { return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1; }

/* More than one batch, in one go; each comes back to the client that sent it. */
static void test_batches(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1");
    int clients[2] = {connected_socket(&server.address, SOCK_DGRAM), connected_socket(&server.address, SOCK_DGRAM)};
    for (uint8_t i = 0; i < 100; i++)
        assert_int_equal(send(clients[i % 2], (uint8_t[]){i, 1, 2}, 3, 0), 3);
    for (uint8_t i = 0; i < 100; i++) {
        uint8_t bytes[16];
        RUN_UNTIL(&loop, can_read(clients[i % 2]));
        assert_int_equal(recv(clients[i % 2], bytes, sizeof(bytes), 0), 3);
        assert_int_equal(bytes[0], i);
    }
    assert_int_equal(server.handled, 100);
    assert_true(server.begun >= 4 && server.begun < 100);
    assert_int_equal(udp_listen_read_stats(server.listen)->received, 100);
    assert_int_equal(udp_listen_read_stats(server.listen)->sent, 100);
    close(clients[0]);
    close(clients[1]);
    finish(&server);
}

static void test_odd_datagrams(void **state)
{
    (void) state;
    struct server server;
    start(&server, "::1");
    int     client = connected_socket(&server.address, SOCK_DGRAM);
    uint8_t large[9000], bytes[16];
    memset(large, 7, sizeof(large));
    assert_int_equal(send(client, NULL, 0, 0), 0);
    assert_int_equal(send(client, large, sizeof(large), 0), sizeof(large));
    assert_int_equal(send(client, "after", 5, 0), 5);
    RUN_UNTIL(&loop, can_read(client));
    assert_int_equal(recv(client, bytes, sizeof(bytes), 0), 5);
    assert_int_equal(server.handled, 3);
    assert_int_equal(server.empty, 1);
    assert_true(server.longest >= LIMIT_UDP_PAYLOAD && server.longest < sizeof(large));
    close(client);
    finish(&server);
}

/* A connected client takes a reply only from the address it asked. */
static void test_wildcard_answers_from_the_address_asked(void **state)
{
    (void) state;
    static const struct {
        const char *bind, *asked;
    } rows[] = {{"0.0.0.0", "127.0.0.1"}, {"0.0.0.0", "127.0.0.77"}, {"::", "::1"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct server server;
        start(&server, rows[i].bind);
        struct address asked  = loopback_at(rows[i].asked, address_port(&server.address));
        int            client = connected_socket(&asked, SOCK_DGRAM);
        assert_int_equal(send(client, "now", 3, 0), 3);
        RUN_UNTIL(&loop, can_read(client));
        assert_true(address_equal(&server.path.local, &asked));
        struct address from = bound_to(client);
        assert_true(address_equal(&server.path.peer, &from));
        server.later = true;
        char bytes[16];
        assert_int_equal(recv(client, bytes, sizeof(bytes), 0), 3);
        assert_int_equal(send(client, "later", 5, 0), 5);
        RUN_UNTIL(&loop, server.handled == 2);
        udp_listen_send(server.listen, &server.path, (struct view){(const uint8_t *) "LATER", 5});
        RUN_UNTIL(&loop, can_read(client));
        assert_int_equal(recv(client, bytes, sizeof(bytes), 0), 5);
        assert_memory_equal(bytes, "LATER", 5);
        close(client);
        finish(&server);
    }
}

static void test_stop_serves_the_queue_and_lets_late_answers_out(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1");
    int client = connected_socket(&server.address, SOCK_DGRAM);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(send(client, "x", 1, 0), 1);
    udp_listen_stop(server.listen);
    assert_int_equal(server.handled, 200);
    char bytes[16];
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(recv(client, bytes, sizeof(bytes), 0), 1);
    udp_listen_send(server.listen, &server.path, (struct view){(const uint8_t *) "late", 4});
    RUN_UNTIL(&loop, can_read(client));
    assert_int_equal(recv(client, bytes, sizeof(bytes), 0), 4);
    assert_memory_equal(bytes, "late", 4);
    udp_listen_send(server.listen, &server.path, (struct view){(const uint8_t *) "last", 4});
    udp_listen_free(server.listen); /* in the same turn of the loop */
    assert_int_equal(recv(client, bytes, sizeof(bytes), 0), 4);
    assert_memory_equal(bytes, "last", 4);
    close(client);
    finish_loop(&loop);
}

/* Of two sockets on one address, the one that was stopped gets none of what comes, whoever sends it. */
static void test_stop_leaves_the_others_all_that_comes(void **state)
{
    (void) state;
    for (unsigned i = 0; i < 2; i++) {
        struct server server;
        start(&server, i == 0 ? "127.0.0.1" : "0.0.0.0");
        int other = udp_listen_bind(&server.address, SOCKET_JOINS);
        assert_true(other >= 0);
        udp_listen_stop(server.listen);
        struct address to = loopback_at("127.0.0.1", address_port(&server.address));
        for (unsigned j = 0; j < 64; j++) {
            int client = connected_socket(&to, SOCK_DGRAM);
            assert_int_equal(send(client, "x", 1, 0), 1);
            close(client);
        }
        char bytes[16];
        for (unsigned j = 0; j < 64; j++)
            assert_int_equal(recv(other, bytes, sizeof(bytes), MSG_DONTWAIT), 1);
        assert_int_equal(server.handled, 0);
        close(other);
        udp_listen_free(server.listen);
        finish_loop(&loop);
    }
}

/* Another process has the socket too: what came before is served, what comes afterwards waits for it. */
static void test_handing_on(void **state)
{
    (void) state;
    struct server  server;
    struct address any = loopback_at("127.0.0.1", 0);
    int            fd = udp_listen_bind(&any, SOCKET_FIRST), theirs = dup(fd), type;
    any = bound_to(fd);
    assert_int_equal(uv_loop_init(&loop), 0);
    server         = (struct server){.address = any};
    server.listen  = udp_listen_start(&loop, fd, handle, begin, &server);
    int  client    = connected_socket(&any, SOCK_DGRAM);
    char bytes[16] = "";
    assert_int_equal(send(client, "early", 5, 0), 5);
    udp_listen_hand_on(server.listen);
    assert_int_equal(server.handled, 1);
    assert_int_equal(recv(client, bytes, sizeof(bytes), 0), 5);
    assert_int_equal(send(client, "later", 5, 0), 5);
    run_for(&loop, 20);
    assert_int_equal(server.handled, 1);
    udp_listen_send(server.listen, &server.path, (struct view){(const uint8_t *) "last", 4});
    RUN_UNTIL(&loop, can_read(client));
    assert_int_equal(recv(client, bytes, sizeof(bytes), 0), 4);
    udp_listen_free(server.listen);
    finish_loop(&loop);

    assert_int_equal(socket_adopt(theirs, &type), 0);
    assert_int_equal(type, SOCK_DGRAM);
    assert_int_equal(udp_listen_prepare(theirs, &any), 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    server.handled = 0;
    server.listen  = udp_listen_start(&loop, theirs, handle, begin, &server);
    RUN_UNTIL(&loop, server.handled == 1);
    assert_int_equal(recv(client, bytes, sizeof(bytes), 0), 5);
    assert_memory_equal(bytes, "later", 5);
    close(client);
    finish(&server);
}

static void test_what_cannot_be_adopted(void **state)
{
    (void) state;
    struct server  server;
    int            type, pair[2], alone = plain_socket("127.0.0.1", SOCK_DGRAM);
    struct address any = loopback_at("127.0.0.1", 0);
    assert_int_equal(pipe(pair), 0);
    assert_int_equal(socket_adopt(alone, &type), -EINVAL); /* nobody may join it */
    assert_int_equal(socket_adopt(pair[0], &type), -EINVAL);
    assert_int_equal(socket_adopt(-1, &type), -EINVAL);
    int fd = udp_listen_bind(&any, SOCKET_FIRST), theirs = dup(fd);
    assert_int_equal(uv_loop_init(&loop), 0);
    server.listen = udp_listen_start(&loop, fd, handle, begin, &server);
    udp_listen_stop(server.listen); /* it hears nobody any more */
    assert_int_equal(socket_adopt(theirs, &type), -EINVAL);
    udp_listen_free(server.listen);
    finish_loop(&loop);
    if (geteuid() == 0) {
        fd = udp_listen_bind(&any, SOCKET_FIRST);
        assert_int_equal(seteuid(65534), 0);
        int result = socket_adopt(fd, &type);
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(result, -EPERM); /* root's, which nobody's cannot join */
        close(fd);
    }
    close(pair[0]);
    close(pair[1]);
    close(alone);
    close(theirs);
}

/* Answers that find the socket's buffer full wait, up to a bound, and leave when there is room. */
static void test_full_buffer(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1");
    int client = connected_socket(&server.address, SOCK_DGRAM);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(send(client, "x", 1, 0), 1);
    send_error = EAGAIN;
    RUN_UNTIL(&loop, server.handled == 20);
    for (unsigned i = 0; i < 100; i++)
        udp_listen_send(server.listen, &server.path, (struct view){(const uint8_t *) "late", 4});
    RUN_UNTIL(&loop, udp_listen_read_stats(server.listen)->send_failed == 56);
    send_error = 0;
    RUN_UNTIL(&loop, udp_listen_read_stats(server.listen)->sent == 64);
    assert_int_equal(udp_listen_read_stats(server.listen)->send_failed, 56);
    run_for(&loop, 10);
    char bytes[16];
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(recv(client, bytes, sizeof(bytes), 0), i < 20 ? 1 : 4);
    assert_int_equal(recv(client, bytes, sizeof(bytes), 0), -1);

    send_error = EAGAIN;
    udp_listen_send(server.listen, &server.path, (struct view){(const uint8_t *) "lost", 4});
    close(client);
    finish(&server); /* with an answer still waiting */
    send_error = 0;
}

/* More of them than one call takes, each to its own client, in one turn of the loop. */
static void test_later_answers_leave_together(void **state)
{
    (void) state;
    struct server server;
    start(&server, "0.0.0.0");
    struct address to = loopback_at("127.0.0.1", address_port(&server.address));
    int            clients[70];
    struct path    paths[70];
    server.later = true;
    for (unsigned i = 0; i < 70; i++) {
        clients[i] = connected_socket(&to, SOCK_DGRAM);
        assert_int_equal(send(clients[i], "x", 1, 0), 1);
        RUN_UNTIL(&loop, server.handled == i + 1);
        paths[i] = server.path;
    }
    for (unsigned i = 0; i < 70; i++) {
        uint8_t answer[2] = {(uint8_t) i, 'a'};
        udp_listen_send(server.listen, &paths[i], (struct view){answer, 2});
    }
    RUN_UNTIL(&loop, udp_listen_read_stats(server.listen)->sent == 70);
    for (unsigned i = 0; i < 70; i++) {
        uint8_t bytes[16];
        assert_int_equal(recv(clients[i], bytes, sizeof(bytes), MSG_DONTWAIT), 2);
        assert_int_equal(bytes[0], i);
        close(clients[i]);
    }
    finish(&server);
}

static void test_send_error_costs_one_answer(void **state)
{
    (void) state;
    struct server server;
    start(&server, "127.0.0.1");
    int client = connected_socket(&server.address, SOCK_DGRAM);
    assert_int_equal(send(client, "x", 1, 0), 1);
    send_error = EPERM;
    RUN_UNTIL(&loop, server.handled == 1);
    udp_listen_send(server.listen, &server.path, (struct view){(const uint8_t *) "late", 4});
    RUN_UNTIL(&loop, udp_listen_read_stats(server.listen)->send_failed == 2);
    send_error = 0;
    assert_int_equal(send(client, "x", 1, 0), 1);
    RUN_UNTIL(&loop, can_read(client));
    close(client);
    finish(&server);
}

/* Broadcast is forbidden without SO_BROADCAST: such a message fails alone. */
static void test_bad_destination_in_a_batch(void **state)
{
    (void) state;
    int            from = plain_socket("0.0.0.0", SOCK_DGRAM), to = plain_socket("127.0.0.1", SOCK_DGRAM);
    struct address good = bound_to(to), bad = loopback_at("255.255.255.255", 9);
    char           payload     = 'x';
    struct iovec   bytes       = {.iov_base = &payload, .iov_len = 1};
    struct mmsghdr messages[7] = {0};
    for (unsigned i = 0; i < 7; i++) {
        struct address *address = i % 3 == 0 ? &bad : &good; /* the first and the last among them */
        messages[i].msg_hdr =
            (struct msghdr){.msg_name = &address->any, .msg_namelen = address->len, .msg_iov = &bytes, .msg_iovlen = 1};
    }
    unsigned failed;
    assert_int_equal(socket_send_batch(from, messages, 7, &failed), 7);
    assert_int_equal(failed, 3);
    char byte;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(recv(to, &byte, 1, 0), 1);
    assert_int_equal(recv(to, &byte, 1, 0), -1);
    close(from);
    close(to);
}

static void test_counts_what_the_kernel_dropped(void **state)
{
    (void) state;
    struct address any = loopback_at("127.0.0.1", 0);
    int            fd  = udp_listen_bind(&any, SOCKET_FIRST);
    assert_int_equal(socket_set(fd, SOL_SOCKET, SO_RCVBUF, 1), 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    struct server server = {0};
    server.listen        = udp_listen_start(&loop, fd, handle, begin, &server);
    server.address       = udp_listen_address(server.listen);
    int client           = connected_socket(&server.address, SOCK_DGRAM);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(send(client, "0123456789", 10, 0), 10);
    run_for(&loop, 10);
    assert_int_equal(send(client, "0123456789", 10, 0), 10);
    const struct udp_listen_stats *stats = udp_listen_read_stats(server.listen);
    RUN_UNTIL(&loop, stats->received + stats->kernel_dropped == 51);
    assert_true(stats->kernel_dropped > 0);
    close(client);
    finish(&server);
}

static void test_bind_reports_why_not(void **state)
{
    (void) state;
    struct address nobody = loopback_at("192.0.2.1", 0);
    assert_int_equal(udp_listen_bind(&nobody, SOCKET_FIRST), -EADDRNOTAVAIL);
    struct address any = loopback_at("127.0.0.1", 0);
    int            one = udp_listen_bind(&any, SOCKET_FIRST);
    struct address at  = bound_to(one);
    int            two = udp_listen_bind(&at, SOCKET_JOINS); /* another worker's */
    assert_true(one >= 0 && two >= 0);
    assert_int_equal(udp_listen_bind(&at, SOCKET_FIRST), -EADDRINUSE);
    close(one);
    assert_int_equal(udp_listen_bind(&at, SOCKET_FIRST), -EADDRINUSE);
    close(two);
    one = udp_listen_bind(&at, SOCKET_FIRST);
    assert_true(one >= 0);
    close(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_odd_datagrams),
        cmocka_unit_test(test_wildcard_answers_from_the_address_asked),
        cmocka_unit_test(test_stop_serves_the_queue_and_lets_late_answers_out),
        cmocka_unit_test(test_stop_leaves_the_others_all_that_comes),
        cmocka_unit_test(test_handing_on),
        cmocka_unit_test(test_what_cannot_be_adopted),
        cmocka_unit_test(test_full_buffer),
        cmocka_unit_test(test_later_answers_leave_together),
        cmocka_unit_test(test_send_error_costs_one_answer),
        cmocka_unit_test(test_bad_destination_in_a_batch),
        cmocka_unit_test(test_counts_what_the_kernel_dropped),
        cmocka_unit_test(test_bind_reports_why_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
