/*
 * DNS over TCP from clients: the listening sockets and the places for connections. One connection is
 * tcp_connection.c's.
 *
 * Happy path: on_accept takes a connection into a place.
 * Failure modes: silence, or a message that does not end (on_sweep), the cap or no descriptor left (the idlest gives
 * way; if none is idle the newcomer is closed, through a descriptor held back for that; if even that fails the
 * listening socket rests until the next sweep), a client with more connections than its share (its own idlest gives
 * way).
 *
 * Must not know: DNS.
 */
#include "net/tcp_internal.h"

#include "net/socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BACKLOG       = 1024,
    ACCEPTS       = 64,        /* connections taken in a wakeup, so that the open ones are served meanwhile */
    SOCKET_BUFFER = 128 << 10, /* bytes, each way: the kernel would let a thousand slow readers have megabytes each */
    SWEEP_MS      = 1000,      /* at most this late is an idle connection closed */
};

struct tcp_socket { /* a listening one */
    struct list        link;
    struct tcp_listen *listen;
    uv_poll_t          poll;
    int                fd;
    struct address     address;
    bool               resting;
};

/* What is left of the connections of a process that has ended does not keep the address (SO_REUSEADDR), a socket that
 * listens does; so who comes first is settled by listen(). */
int tcp_listen_bind(const struct address *address, enum socket_place place)
{
    int fd = socket_open(address, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int error = socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (error == 0 && place == SOCKET_JOINS)
        error = socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (error == 0)
        error = socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted sockets inherit it */
    if (error == 0)
        error = socket_set(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
    if (error == 0)
        error = socket_set(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
    if (error == 0 && bind(fd, &address->any, address->len) < 0)
        error = -errno;
    if (error == 0 && listen(fd, BACKLOG) < 0)
        error = -errno;
    if (error == 0 && place == SOCKET_FIRST)
        error = socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

static void drop_handle(struct tcp_listen *listen)
{
    if (--listen->handles > 0 || !listen->closing)
        return;
    free(listen->slots);
    free(listen->vacant);
    free(listen);
}

/* ---- accepting ---- */

/* To refuse with when there is no other left. */
static int hold_descriptor(void) { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

static void on_sweep(uv_timer_t *timer);
static void on_accept(uv_poll_t *poll, int status, int events);

static void start_sweep(struct tcp_listen *listen)
{
    unsigned period = listen->options.idle_ms / 8 + 1;
    if (period > SWEEP_MS)
        period = SWEEP_MS;
    if (!uv_is_active((uv_handle_t *) &listen->sweep))
        uv_timer_start(&listen->sweep, on_sweep, period, period);
}

static void watch_socket(struct tcp_socket *socket)
{
    socket->resting = false;
    int error       = uv_poll_start(&socket->poll, UV_READABLE, on_accept);
    assert(error == 0);
    (void) error;
}

/* No answer for too long, or a message has begun and does not end. One that began in time may end, once: the next does
 * not have that time again. Who is paused waits for us. */
static bool is_over(const struct connection *connection, uint64_t now)
{
    const struct tcp_listen_options *options = &connection->listen->options;
    if (connection->unanswered > 0 || !list_empty(&connection->paused))
        return false;
    if (connection->listen->stopping)
        return now - connection->active >= connection->listen->quiet_ms && !connection->held &&
               tcp_output_waiting(&connection->out) == 0;
    if (connection->begun == 0)
        return now - connection->active >= options->idle_ms;
    return now - connection->begun >= options->message_ms ||
           now - connection->active >= options->idle_ms + options->message_ms;
}

static void on_sweep(uv_timer_t *timer)
{
    struct tcp_listen *listen = timer->data;
    uint64_t           now    = uv_now(listen->loop);
    LIST_EACH (link, next, &listen->by_use) {
        struct connection *connection = CONTAINER_OF(link, struct connection, by_use);
        if (is_over(connection, now)) {
            listen->stats.idle_closed += !listen->stopping;
            connection_close(connection);
        }
    }
    if (listen->reserve < 0)
        listen->reserve = hold_descriptor();
    LIST_EACH (link, next, &listen->sockets) {
        struct tcp_socket *socket = CONTAINER_OF(link, struct tcp_socket, link);
        if (socket->resting)
            watch_socket(socket);
    }
    if (listen->stats.open == 0)
        uv_timer_stop(&listen->sweep);
}

static bool is_same_client(const struct address *a, const struct address *b)
{
    struct view one = address_client(a), other = address_client(b);
    return one.len == other.len && memcmp(one.data, other.data, one.len) == 0;
}

/* The connection of `peer` (NULL: of anybody) that has been without an answer the longest, rather one that has read all
 * of them. Bytes that make no question do not count here: who dribbles is the first to go. NULL: all wait. */
static struct connection *find_idlest(struct tcp_listen *listen, const struct address *peer)
{
    struct connection *reading = NULL;
    LIST_EACH (link, next, &listen->by_use) {
        struct connection *connection = CONTAINER_OF(link, struct connection, by_use);
        if (connection->unanswered > 0 || (peer && !is_same_client(&connection->peer, peer)))
            continue;
        if (tcp_output_waiting(&connection->out) == 0)
            return connection;
        if (!reading)
            reading = connection;
    }
    return reading;
}

/* False: all wait for answers. */
static bool evict(struct tcp_listen *listen, const struct address *peer)
{
    connection_send_all(listen); /* what came in this turn of the loop goes out first */
    struct connection *connection = find_idlest(listen, peer);
    if (!connection)
        return false;
    listen->stats.evicted++;
    connection_close(connection);
    return true;
}

static void refuse(struct tcp_listen *listen, int fd)
{
    listen->stats.refused++;
    close(fd);
}

static unsigned connections_of(const struct tcp_listen *listen, const struct address *peer)
{
    unsigned count = 0;
    LIST_EACH (link, next, &listen->by_use)
        count += is_same_client(&CONTAINER_OF(link, struct connection, by_use)->peer, peer);
    return count;
}

/* One client has its share of the places. Where fewer are taken than that nothing is counted. */
static bool has_its_share(const struct tcp_listen *listen, const struct address *peer)
{
    const struct tcp_listen_options *options = &listen->options;
    return options->per_client > 0 && listen->stats.open >= options->per_client &&
           !(options->exempt && options->exempt(listen->context, peer)) &&
           connections_of(listen, peer) >= options->per_client;
}

static bool make_place(struct tcp_listen *listen, const struct address *peer)
{
    if (has_its_share(listen, peer))
        return evict(listen, peer);
    return listen->vacant_count > 0 || evict(listen, NULL);
}

static void admit_connection(struct tcp_listen *listen, int fd, const struct address *peer)
{
    if (make_place(listen, peer) && connection_open(listen, fd, peer))
        start_sweep(listen);
    else
        refuse(listen, fd);
}

static int accept_one(struct tcp_socket *socket, struct address *ret_peer)
{
    ret_peer->len = sizeof(ret_peer->in6);
    int fd        = accept4(socket->fd, &ret_peer->any, &ret_peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static bool is_out_of_descriptors(int error) { return error == -EMFILE || error == -ENFILE; }

/* Without a descriptor accept() fails before it looks whether anybody is there. */
static bool has_waiting(const struct tcp_socket *socket)
{
    return poll(&(struct pollfd){.fd = socket->fd, .events = POLLIN}, 1, 0) != 0;
}

/* No descriptor for the next client, although the cap allows it. -errno: it could not even be refused. */
static int accept_without_descriptor(struct tcp_socket *socket)
{
    struct tcp_listen *listen = socket->listen;
    struct address     peer;
    int                fd = evict(listen, NULL) ? accept_one(socket, &peer) : -EMFILE;
    if (fd >= 0) {
        admit_connection(listen, fd, &peer);
        return 0;
    }
    if (!is_out_of_descriptors(fd) || listen->reserve < 0)
        return fd;
    close(listen->reserve);
    fd = accept_one(socket, &peer);
    if (fd >= 0)
        refuse(listen, fd);
    listen->reserve = hold_descriptor();
    return fd < 0 ? fd : 0;
}

/* False: nothing more to accept for now. */
static bool accept_next(struct tcp_socket *socket)
{
    struct tcp_listen *listen = socket->listen;
    struct address     peer;
    int                fd = accept_one(socket, &peer);
    if (fd >= 0) {
        admit_connection(listen, fd, &peer);
        return true;
    }
    if (fd == -EAGAIN || fd == -EWOULDBLOCK)
        return false;
    if (!is_out_of_descriptors(fd) && fd != -ENOBUFS && fd != -ENOMEM)
        return true; /* that client is gone, or its network */
    if (!has_waiting(socket))
        return false;
    if (is_out_of_descriptors(fd) && accept_without_descriptor(socket) == 0)
        return true;
    socket->resting = true;
    return false;
}

static void on_accept(uv_poll_t *poll, int status, int events)
{
    (void) events;
    struct tcp_socket *socket = poll->data;
    if (status < 0) { /* libuv has stopped watching: an error waits on the socket */
        (void) socket_error(socket->fd);
        watch_socket(socket);
    }
    for (unsigned i = 0; i < ACCEPTS && accept_next(socket);)
        i++;
    if (!socket->resting)
        return;
    uv_poll_stop(&socket->poll);
    start_sweep(socket->listen);
}

/* ---- the whole ---- */

static void on_prepare(uv_prepare_t *prepare) { connection_send_all(prepare->data); }

struct tcp_listen *tcp_listen_create(uv_loop_t *loop, const struct tcp_listen_options *options, tcp_listen_fn handle,
                                     void *context)
{
    assert(options->connections > 0 && options->connections < 1U << SLOT_BITS);
    assert(options->idle_ms > 0 && options->message_ms > 0);
    struct tcp_listen *listen = calloc(1, sizeof(*listen));
    if (!listen)
        return NULL;
    listen->slots  = calloc(options->connections, sizeof(struct connection *));
    listen->vacant = calloc(options->connections, sizeof(uint32_t));
    if (!listen->slots || !listen->vacant) {
        free(listen->slots);
        free(listen->vacant);
        free(listen);
        return NULL;
    }
    while (listen->vacant_count < options->connections) {
        listen->vacant[listen->vacant_count] = listen->vacant_count;
        listen->vacant_count++;
    }
    listen->loop    = loop;
    listen->options = *options;
    listen->handle  = handle;
    listen->context = context;
    list_init(&listen->sockets);
    list_init(&listen->by_use);
    list_init(&listen->dirty);
    list_init(&listen->paused);
    uv_prepare_init(loop, &listen->prepare);
    uv_timer_init(loop, &listen->sweep);
    uv_timer_init(loop, &listen->resume);
    listen->prepare.data = listen->sweep.data = listen->resume.data = listen;
    listen->handles                                                 = 3;
    listen->drop_handle                                             = drop_handle;
    listen->reserve                                                 = hold_descriptor();
    uv_prepare_start(&listen->prepare, on_prepare);
    return listen;
}

bool tcp_listen_add(struct tcp_listen *listen, int fd, const struct address *address)
{
    struct tcp_socket *socket = calloc(1, sizeof(*socket));
    if (!socket || uv_poll_init(listen->loop, &socket->poll, fd) < 0) {
        free(socket);
        return false;
    }
    socket->poll.data = socket;
    socket->listen    = listen;
    socket->fd        = fd;
    socket->address   = *address;
    list_append(&listen->sockets, &socket->link);
    listen->handles++;
    watch_socket(socket);
    return true;
}

static void on_socket_closed(uv_handle_t *handle)
{
    struct tcp_socket *socket = handle->data;
    drop_handle(socket->listen);
    free(socket);
}

static void close_socket(struct tcp_socket *socket)
{
    list_remove(&socket->link);
    uv_close((uv_handle_t *) &socket->poll, on_socket_closed);
    close(socket->fd);
}

static void drain(struct tcp_socket *socket)
{
    for (unsigned i = 0; i < 2 * BACKLOG && accept_next(socket);)
        i++;
    (void) shutdown(socket->fd, SHUT_RDWR); /* who keeps it for us must not keep it listening */
}

static void leave_socket(struct tcp_socket *socket)
{
    drain(socket);
    close_socket(socket);
}

void tcp_listen_drain(struct tcp_listen *listen, int fd)
{
    drain(&(struct tcp_socket){.listen = listen, .fd = fd});
    close(fd);
}

void tcp_listen_hand_on(struct tcp_listen *listen)
{
    LIST_EACH (link, next, &listen->sockets)
        close_socket(CONTAINER_OF(link, struct tcp_socket, link));
}

void tcp_listen_remove(struct tcp_listen *listen, const struct address *address)
{
    LIST_EACH (link, next, &listen->sockets) {
        struct tcp_socket *socket = CONTAINER_OF(link, struct tcp_socket, link);
        if (address_equal(&socket->address, address))
            leave_socket(socket);
    }
}

void tcp_listen_stop(struct tcp_listen *listen, unsigned quiet_ms)
{
    listen->stopping = true;
    listen->quiet_ms = quiet_ms;
    uv_update_time(listen->loop); /* what was done in this turn must not count against who is accepted now */
    LIST_EACH (link, next, &listen->sockets)
        leave_socket(CONTAINER_OF(link, struct tcp_socket, link));
    if (listen->stats.open > 0)
        uv_timer_start(&listen->sweep, on_sweep, quiet_ms / 4, quiet_ms / 4);
}

static void on_own_closed(uv_handle_t *handle) { drop_handle(handle->data); }

void tcp_listen_close(struct tcp_listen *listen)
{
    listen->closing = true;
    connection_send_all(listen);
    LIST_EACH (link, next, &listen->by_use)
        connection_close(CONTAINER_OF(link, struct connection, by_use));
    LIST_EACH (link, next, &listen->sockets)
        close_socket(CONTAINER_OF(link, struct tcp_socket, link));
    if (listen->reserve >= 0)
        close(listen->reserve);
    uv_close((uv_handle_t *) &listen->prepare, on_own_closed);
    uv_close((uv_handle_t *) &listen->sweep, on_own_closed);
    uv_close((uv_handle_t *) &listen->resume, on_own_closed);
}

const struct tcp_listen_stats *tcp_listen_read_stats(const struct tcp_listen *listen) { return &listen->stats; }
