/*
 * DNS over TCP from clients.
 *
 * Happy path: on_accept takes a connection into a slot; on_ready reads, take_messages hands whole messages to the
 * handler and gathers the answers, settle sends them in one system call. Late answers gather too and leave from
 * on_prepare, just before the loop waits. The handler is called only from on_ready (and so only in the loop's poll
 * phase): settle, which anything may call, never does.
 * Failure modes: too many unanswered questions, or a client that does not read (the connection is not read until that
 * is over; at LIMIT_TCP_OUTPUT it is cut off), half-close (answers still go out, then it closes), silence (on_sweep),
 * the cap or no descriptor left (the idlest gives way; if none is idle the newcomer is closed, through a descriptor
 * held back for that; if even that fails the listening socket rests until the next sweep).
 *
 * Must not know: DNS beyond the two length bytes. Called by server/.
 */
#include "net/tcp_listen.h"

#include "base/list.h"
#include "dns/frame.h"
#include "net/output.h"
#include "net/socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BACKLOG     = 1024,
    ACCEPTS     = 64,       /* connections taken in a wakeup, so that the open ones are served meanwhile */
    READ        = 16 << 10, /* bytes read from one connection in a wakeup */
    OUTPUT_HIGH = 64 << 10, /* bytes waiting for a slow reader that stop the reading of its questions */
    SLOT_BITS   = 24,       /* of a connection's number; the rest is a serial that does not wrap in practice */
    SWEEP_MS    = 1000,     /* at most this late is an idle connection closed */
};

struct tcp_socket { /* a listening one */
    struct list        link;
    struct tcp_listen *listen;
    uv_poll_t          poll;
    int                fd;
    struct address     address;
    bool               resting;
};

enum connection_state {
    READING,
    FINISHED, /* the client will send no more; answers still go out */
    CLOSED,   /* waits for libuv */
};

struct connection {
    struct list           by_use; /* the longest without a message first */
    struct list           dirty;  /* has output that on_prepare sends */
    struct tcp_listen    *listen;
    uv_poll_t             poll;
    int                   fd;
    enum connection_state state;
    uint64_t              number;
    struct address        peer;
    struct frames         in;
    bool                  held; /* `in` may hold whole messages that wait for may_take() */
    struct output         out;
    unsigned              unanswered;
    uint64_t              active; /* uv_now() of the last byte or answer */
    int                   events; /* watched */
};

struct tcp_listen {
    uv_loop_t                *loop;
    struct tcp_listen_options options;
    tcp_listen_fn             handle;
    void                     *context;
    struct tcp_listen_stats   stats;
    uv_prepare_t              prepare;
    uv_timer_t                sweep;
    unsigned                  handles; /* not yet closed */
    bool                      closing;
    struct list               sockets, by_use, dirty;
    struct connection       **slots;
    uint32_t                 *vacant; /* a stack of free slots */
    unsigned                  vacant_count;
    uint64_t                  serial;
    int                       reserve; /* a descriptor to refuse with when none is left; -1: used up */
    uint8_t                   input[READ];
    uint8_t                   answer[LIMIT_TCP_MESSAGE];
};

int tcp_listen_bind(const struct address *address)
{
    int fd = socket_open(address, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int error = socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (error == 0)
        error = socket_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (error == 0)
        error = socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* accepted sockets inherit it */
    if (error == 0 && bind(fd, &address->any, address->len) < 0)
        error = -errno;
    if (error == 0 && listen(fd, BACKLOG) < 0)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

/* ---- a connection ---- */

static void drop_handle(struct tcp_listen *listen)
{
    if (--listen->handles > 0 || !listen->closing)
        return;
    free(listen->slots);
    free(listen->vacant);
    free(listen);
}

static void on_connection_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    drop_handle(connection->listen);
    frames_fini(&connection->in);
    output_fini(&connection->out);
    free(connection);
}

static unsigned slot_of(uint64_t number) { return (unsigned) (number & ((1U << SLOT_BITS) - 1)); }

static void close_connection(struct connection *connection)
{
    struct tcp_listen *listen = connection->listen;
    if (connection->state == CLOSED)
        return;
    connection->state                          = CLOSED;
    listen->slots[slot_of(connection->number)] = NULL;
    listen->vacant[listen->vacant_count++]     = slot_of(connection->number);
    list_remove(&connection->by_use);
    list_remove(&connection->dirty);
    listen->stats.open--;
    uv_close((uv_handle_t *) &connection->poll, on_connection_closed);
    close(connection->fd);
}

/* May another of its messages be handled? If not, it is not read either. */
static bool may_take(const struct connection *connection)
{
    return connection->unanswered < LIMIT_TCP_PIPELINE && output_waiting(&connection->out) < OUTPUT_HIGH;
}

static void touch(struct connection *connection) { connection->active = uv_now(connection->listen->loop); }

static void on_ready(uv_poll_t *poll, int status, int events);

static void watch(struct connection *connection)
{
    int events = 0;
    if (connection->state == READING && may_take(connection))
        events |= UV_READABLE;
    /* A writable socket is reported at once: that is how held messages reach on_ready again. */
    if (output_waiting(&connection->out) > 0 || (connection->held && may_take(connection)))
        events |= UV_WRITABLE;
    if (events == connection->events)
        return;
    int error = events ? uv_poll_start(&connection->poll, events, on_ready) : uv_poll_stop(&connection->poll);
    assert(error == 0);
    (void) error;
    connection->events = events;
}

/* Sends what the socket takes, closes what is over, and watches for what comes next. */
static void settle(struct connection *connection)
{
    ptrdiff_t sent = output_flush(&connection->out, connection->fd);
    if (sent > 0)
        touch(connection);
    bool over = connection->state == FINISHED && connection->unanswered == 0 && !connection->held &&
                output_waiting(&connection->out) == 0;
    if (sent < 0 || over || output_waiting(&connection->out) > LIMIT_TCP_OUTPUT)
        close_connection(connection);
    else
        watch(connection);
}

static void append_answer(struct connection *connection, struct view answer)
{
    if (output_frame(&connection->out, answer))
        connection->listen->stats.sent++;
    else
        close_connection(connection); /* no memory: the client will ask again */
}

static void take_message(struct connection *connection, struct view message)
{
    struct tcp_listen *listen = connection->listen;
    struct path        path   = {.endpoint = listen, .connection = connection->number, .peer = connection->peer};
    listen->stats.received++;
    list_remove(&connection->by_use);
    list_append(&listen->by_use, &connection->by_use);
    connection->unanswered++; /* before the call, for the answer may come through tcp_listen_send() from inside it */
    size_t len = listen->handle(listen->context, message, &path, listen->answer, sizeof(listen->answer));
    if (len == 0 || connection->state == CLOSED)
        return;
    connection->unanswered--;
    append_answer(connection, (struct view){listen->answer, len});
}

static void take_messages(struct connection *connection)
{
    size_t      offset = 0;
    struct view message;
    while (connection->state != CLOSED && may_take(connection) && frames_next(&connection->in, &offset, &message))
        take_message(connection, message);
    if (connection->state == CLOSED)
        return;
    connection->held = !may_take(connection);
    frames_drop(&connection->in, offset);
}

static void read_some(struct connection *connection)
{
    uint8_t *input = connection->listen->input;
    ssize_t  len   = recv(connection->fd, input, READ, 0);
    if (len > 0 && frames_feed(&connection->in, (struct view){input, (size_t) len}))
        touch(connection);
    else if (len == 0)
        connection->state = FINISHED;
    else if (len > 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        close_connection(connection);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    struct tcp_listen *listen     = connection->listen;
    if (status < 0) { /* reset by the client */
        close_connection(connection);
        return;
    }
    if (listen->options.begin)
        listen->options.begin(listen->context);
    if (events & UV_WRITABLE)
        settle(connection);
    if (connection->state == READING && (events & UV_READABLE) && may_take(connection))
        read_some(connection);
    if (connection->state != CLOSED)
        take_messages(connection);
    if (connection->state != CLOSED)
        settle(connection);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct tcp_listen *listen = prepare->data;
    while (!list_empty(&listen->dirty)) {
        struct connection *connection = CONTAINER_OF(listen->dirty.next, struct connection, dirty);
        list_remove(&connection->dirty);
        settle(connection);
    }
}

void tcp_listen_send(struct tcp_listen *listen, const struct path *path, struct view answer)
{
    unsigned           slot       = slot_of(path->connection);
    struct connection *connection = slot < listen->options.connections ? listen->slots[slot] : NULL;
    if (!connection || connection->number != path->connection)
        return;
    assert(connection->unanswered > 0);
    connection->unanswered--;
    touch(connection);
    list_remove(&connection->dirty);
    list_append(&listen->dirty, &connection->dirty);
    if (answer.len > 0)
        append_answer(connection, answer);
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

static void on_sweep(uv_timer_t *timer)
{
    struct tcp_listen *listen = timer->data;
    uint64_t           now    = uv_now(listen->loop);
    LIST_EACH (link, next, &listen->by_use) {
        struct connection *connection = CONTAINER_OF(link, struct connection, by_use);
        if (connection->unanswered == 0 && now - connection->active >= listen->options.idle_ms) {
            listen->stats.idle_closed++;
            close_connection(connection);
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

/* Closes the connection that has been without a question the longest. Bytes that make no message do not count here:
 * who dribbles is the first to go. False: all wait for answers. */
static bool evict(struct tcp_listen *listen)
{
    LIST_EACH (link, next, &listen->by_use) {
        struct connection *connection = CONTAINER_OF(link, struct connection, by_use);
        if (connection->unanswered > 0)
            continue;
        listen->stats.evicted++;
        close_connection(connection);
        return true;
    }
    return false;
}

static void refuse(struct tcp_listen *listen, int fd)
{
    listen->stats.refused++;
    close(fd);
}

static void open_connection(struct tcp_listen *listen, int fd, const struct address *peer)
{
    struct connection *connection = NULL;
    if (listen->vacant_count > 0 || evict(listen))
        connection = calloc(1, sizeof(*connection));
    if (!connection || uv_poll_init(listen->loop, &connection->poll, fd) < 0) {
        free(connection);
        refuse(listen, fd);
        return;
    }
    uint32_t slot         = listen->vacant[--listen->vacant_count];
    connection->number    = ++listen->serial << SLOT_BITS | slot;
    connection->poll.data = connection;
    connection->listen    = listen;
    connection->fd        = fd;
    connection->peer      = *peer;
    frames_init(&connection->in);
    list_init(&connection->dirty);
    list_append(&listen->by_use, &connection->by_use);
    listen->slots[slot] = connection;
    listen->handles++;
    listen->stats.accepted++;
    listen->stats.open++;
    touch(connection);
    watch(connection);
    start_sweep(listen);
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
    int                fd = evict(listen) ? accept_one(socket, &peer) : -EMFILE;
    if (fd >= 0) {
        open_connection(listen, fd, &peer);
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
        open_connection(listen, fd, &peer);
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

struct tcp_listen *tcp_listen_create(uv_loop_t *loop, const struct tcp_listen_options *options, tcp_listen_fn handle,
                                     void *context)
{
    assert(options->connections > 0 && options->connections < 1U << SLOT_BITS);
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
    uv_prepare_init(loop, &listen->prepare);
    uv_timer_init(loop, &listen->sweep);
    listen->prepare.data = listen->sweep.data = listen;
    listen->handles                           = 2;
    listen->reserve                           = hold_descriptor();
    uv_prepare_start(&listen->prepare, on_prepare);
    return listen;
}

bool tcp_listen_add(struct tcp_listen *listen, int fd)
{
    struct tcp_socket *socket = calloc(1, sizeof(*socket));
    if (!socket || !socket_address(fd, &socket->address) || uv_poll_init(listen->loop, &socket->poll, fd) < 0) {
        free(socket);
        close(fd);
        return false;
    }
    socket->poll.data = socket;
    socket->listen    = listen;
    socket->fd        = fd;
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

void tcp_listen_remove(struct tcp_listen *listen, const struct address *address)
{
    LIST_EACH (link, next, &listen->sockets) {
        struct tcp_socket *socket = CONTAINER_OF(link, struct tcp_socket, link);
        if (!address_equal(&socket->address, address))
            continue;
        for (unsigned i = 0; i < 2 * BACKLOG && accept_next(socket);)
            i++;
        close_socket(socket);
    }
}

static void on_own_closed(uv_handle_t *handle) { drop_handle(handle->data); }

void tcp_listen_close(struct tcp_listen *listen)
{
    listen->closing = true;
    LIST_EACH (link, next, &listen->by_use)
        close_connection(CONTAINER_OF(link, struct connection, by_use));
    LIST_EACH (link, next, &listen->sockets)
        close_socket(CONTAINER_OF(link, struct tcp_socket, link));
    if (listen->reserve >= 0)
        close(listen->reserve);
    uv_close((uv_handle_t *) &listen->prepare, on_own_closed);
    uv_close((uv_handle_t *) &listen->sweep, on_own_closed);
}

const struct tcp_listen_stats *tcp_listen_read_stats(const struct tcp_listen *listen) { return &listen->stats; }
