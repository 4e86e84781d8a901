/*
 * Questions to upstreams over kept TCP connections.
 *
 * Happy path: tcp_ask_open puts the question on an open connection to that server or opens one; on_ready connects,
 * sends, reads; read_messages finds each message's ticket by id; on_sweep closes what was idle for its time.
 * Failure modes:
 *   - the server closes the connection, or only its own side of it, or resets it, or speaks nonsense: each ticket that
 *     was not answered moves at once to a fresh connection, and once more each time that one breaks after an answer
 *     (servers of old answer one question and close). They spread over several, for one of the questions may be what
 *     breaks the connection. If a fresh one breaks without any answer its tickets are told;
 *   - no connection comes about: its tickets are told;
 *   - the server falls silent (a middlebox forgot the connection), answers other ids, or never ends a message: a
 *     connection without an answer for DOUBT_MS after a question takes no more questions until one comes, and closes
 *     once nobody waits on it; and TCP itself gives up on unacknowledged bytes after UNACKED_MS;
 *   - a ticket is released before its reply: its id stays taken on the connection until the reply comes, so that a late
 *     one is never taken for the reply to another question.
 *
 * Must not know: DNS beyond the id and the two length bytes. Called by server/.
 */
#include "net/tcp_ask.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "base/list.h"
#include "dns/frame.h"
#include "net/output.h"
#include "net/socket.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    IDLE_MS        = 10000,    /* RFC 7766 wants seconds; servers that are less patient close it themselves */
    IDLE_MAX_MS    = 30000,    /* however patient the server is: what stands between may forget the connection */
    IDLE_MARGIN_MS = 2000,     /* before the server's time is over: SWEEP_MS, and a question on its way */
    SWEEP_MS       = 1000,     /* at most this late */
    QUESTIONS      = 1000,     /* on one connection, the forgotten ones included */
    BUCKETS        = 64,       /* a power of two; tickets of a connection by the low bits of their id */
    DOUBT_MS       = 1000,     /* slower than any working server's first sign of life on an open connection */
    UNACKED_MS     = 5000,     /* longer than anybody waits for the reply */
    READ           = 64 << 10, /* bytes read in a wakeup */
};

struct tcp_ticket {
    struct list        link;       /* in its connection's bucket, or among the broken */
    struct connection *connection; /* NULL: broken, only to be released */
    void              *owner;
    bool               replied, retried;
    bool               released; /* keeps the id taken until the reply comes */
    size_t             len;
    uint8_t            question[];
};

enum connection_state {
    CONNECTING,
    OPEN,
    CLOSED, /* waits for libuv */
};

struct connection {
    struct list           link;
    struct tcp_ask       *ask;
    uv_poll_t             poll;
    int                   fd;
    enum connection_state state;
    struct address        server;
    struct frames         in;
    struct output         out;
    struct list           buckets[BUCKETS];
    unsigned              questions; /* in the buckets */
    unsigned              waiting;   /* of these, not released */
    uint64_t              answers;   /* to questions of ours */
    uint64_t              asked;     /* uv_now() of the first question since the last answer; 0: none */
    uint64_t              idle_since;
    unsigned              idle_ms; /* 0: no more questions, and closed when nobody waits */
    int                   events;  /* watched */
};

struct tcp_ask {
    uv_loop_t *loop;
    tcp_ask_fn handle;
    void (*begin)(void *context);
    void                *context;
    struct tcp_ask_stats stats;
    uv_timer_t           sweep;
    unsigned             handles; /* not yet closed */
    unsigned             tickets; /* not released */
    struct list          connections;
    uint8_t              input[READ];
};

static uint16_t id_of(const struct tcp_ticket *ticket) { return get_u16(ticket->question); }

static struct list *bucket_of(struct connection *connection, uint16_t id)
{
    return &connection->buckets[id & (BUCKETS - 1)];
}

static struct tcp_ticket *find_ticket(struct connection *connection, uint16_t id)
{
    LIST_EACH (link, next, bucket_of(connection, id)) {
        struct tcp_ticket *ticket = CONTAINER_OF(link, struct tcp_ticket, link);
        if (id_of(ticket) == id)
            return ticket;
    }
    return NULL;
}

static bool is_doubtful(const struct connection *connection)
{
    return connection->asked > 0 && uv_now(connection->ask->loop) - connection->asked >= DOUBT_MS;
}

static void detach(struct tcp_ticket *ticket)
{
    struct connection *connection = ticket->connection;
    list_remove(&ticket->link);
    ticket->connection = NULL;
    connection->questions--;
    if (ticket->released)
        return;
    if (--connection->waiting == 0)
        connection->idle_since = uv_now(connection->ask->loop);
}

/* ---- opening and closing ---- */

static void drop_handle(struct tcp_ask *ask)
{
    if (--ask->handles == 0)
        free(ask);
}

static void on_connection_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    drop_handle(connection->ask);
    frames_fini(&connection->in);
    output_fini(&connection->out);
    free(connection);
}

/* Closes; the tickets that somebody holds are moved to `ret_lost`, the others freed. */
static void shut(struct connection *connection, struct list *ret_lost)
{
    list_init(ret_lost);
    if (connection->state == CLOSED)
        return;
    for (unsigned i = 0; i < BUCKETS; i++) {
        LIST_EACH (link, next, &connection->buckets[i]) {
            struct tcp_ticket *ticket = CONTAINER_OF(link, struct tcp_ticket, link);
            detach(ticket);
            if (ticket->released)
                free(ticket);
            else
                list_append(ret_lost, &ticket->link);
        }
    }
    connection->state = CLOSED;
    list_remove(&connection->link);
    connection->ask->stats.connections--;
    uv_close((uv_handle_t *) &connection->poll, on_connection_closed);
    close(connection->fd);
}

static void shut_idle(struct connection *connection)
{
    struct list lost;
    assert(connection->waiting == 0);
    shut(connection, &lost);
}

static void on_ready(uv_poll_t *poll, int status, int events);
static void on_sweep(uv_timer_t *timer);

static void watch(struct connection *connection)
{
    int events = UV_READABLE | (output_waiting(&connection->out) > 0 ? UV_WRITABLE : 0);
    if (connection->state == CONNECTING)
        events = UV_WRITABLE;
    if (events == connection->events)
        return;
    int error = uv_poll_start(&connection->poll, events, on_ready);
    assert(error == 0);
    (void) error;
    connection->events = events;
}

static int dial(const struct address *server)
{
    int fd = socket_open(server, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int error = socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (error == 0)
        error = socket_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKED_MS);
    if (error == 0 && connect(fd, &server->any, server->len) < 0 && errno != EINPROGRESS)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

static unsigned connections_to(const struct tcp_ask *ask, const struct address *server)
{
    unsigned count = 0;
    LIST_EACH (link, next, &ask->connections)
        count += address_equal(&CONTAINER_OF(link, struct connection, link)->server, server);
    return count;
}

static int open_connection(struct tcp_ask *ask, const struct address *server, struct connection **ret)
{
    if (connections_to(ask, server) >= LIMIT_TCP_UPSTREAM)
        return -EBUSY;
    int fd = dial(server);
    if (fd < 0)
        return fd;
    struct connection *connection = calloc(1, sizeof(*connection));
    int                error      = connection ? uv_poll_init(ask->loop, &connection->poll, fd) : -ENOMEM;
    if (error < 0) {
        free(connection);
        close(fd);
        return error;
    }
    connection->poll.data = connection;
    connection->ask       = ask;
    connection->fd        = fd;
    connection->server    = *server;
    frames_init(&connection->in);
    for (unsigned i = 0; i < BUCKETS; i++)
        list_init(&connection->buckets[i]);
    list_append(&ask->connections, &connection->link);
    connection->idle_since = uv_now(ask->loop);
    connection->idle_ms    = IDLE_MS;
    ask->handles++;
    ask->stats.opened++;
    ask->stats.connections++;
    watch(connection);
    if (!uv_is_active((uv_handle_t *) &ask->sweep))
        uv_timer_start(&ask->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    *ret = connection;
    return 0;
}

static void on_sweep(uv_timer_t *timer)
{
    struct tcp_ask *ask = timer->data;
    uint64_t        now = uv_now(ask->loop);
    LIST_EACH (link, next, &ask->connections) {
        struct connection *connection = CONTAINER_OF(link, struct connection, link);
        if (connection->waiting == 0 &&
            (is_doubtful(connection) || now - connection->idle_since >= connection->idle_ms))
            shut_idle(connection);
    }
    if (list_empty(&ask->connections))
        uv_timer_stop(&ask->sweep);
}

/* ---- asking ---- */

static bool may_carry(struct connection *connection, const struct address *server, uint16_t id)
{
    return connection->idle_ms > 0 && connection->questions < QUESTIONS && address_equal(&connection->server, server) &&
           !is_doubtful(connection) && !find_ticket(connection, id);
}

static struct connection *find_connection(struct tcp_ask *ask, const struct address *server, uint16_t id)
{
    LIST_EACH (link, next, &ask->connections) {
        struct connection *connection = CONTAINER_OF(link, struct connection, link);
        if (may_carry(connection, server, id))
            return connection;
    }
    return NULL;
}

/* Who answered before may be about to break as the last one did. */
static bool is_fresher(const struct connection *one, const struct connection *other)
{
    if ((one->answers == 0) != (other->answers == 0))
        return one->answers == 0;
    return one->questions < other->questions;
}

/* For a question that was lost with its connection; NULL: a new one. */
static struct connection *find_fresh(struct tcp_ask *ask, const struct address *server, uint16_t id)
{
    struct connection *best = NULL;
    if (connections_to(ask, server) < LIMIT_TCP_UPSTREAM)
        return NULL;
    LIST_EACH (link, next, &ask->connections) {
        struct connection *connection = CONTAINER_OF(link, struct connection, link);
        if (may_carry(connection, server, id) && (!best || is_fresher(connection, best)))
            best = connection;
    }
    return best;
}

/* Better than none, whatever its server has said and however long it has been silent. */
static struct connection *find_any(struct tcp_ask *ask, const struct address *server, uint16_t id)
{
    LIST_EACH (link, next, &ask->connections) {
        struct connection *connection = CONTAINER_OF(link, struct connection, link);
        if (connection->questions < QUESTIONS && address_equal(&connection->server, server) &&
            !find_ticket(connection, id))
            return connection;
    }
    return NULL;
}

/* What goes wrong with sending shows in on_ready. */
static int place(struct tcp_ask *ask, const struct address *server, struct tcp_ticket *ticket)
{
    uint16_t           id         = id_of(ticket);
    struct connection *connection = ticket->retried ? find_fresh(ask, server, id) : find_connection(ask, server, id);
    if (!connection) {
        int error = open_connection(ask, server, &connection);
        if (error < 0 && !(connection = find_any(ask, server, id)))
            return error;
    }
    if (!output_frame(&connection->out, (struct view){ticket->question, ticket->len}))
        return -ENOMEM;
    ticket->connection = connection;
    list_append(bucket_of(connection, id), &ticket->link);
    connection->questions++;
    connection->waiting++;
    if (connection->asked == 0)
        connection->asked = uv_now(ask->loop);
    ask->stats.sent++;
    if (connection->state == OPEN)
        (void) output_flush(&connection->out, connection->fd);
    watch(connection);
    return 0;
}

int tcp_ask_open(struct tcp_ask *ask, const struct address *server, struct view question, void *owner,
                 struct tcp_ticket **ret)
{
    assert(question.len >= 2);
    struct tcp_ticket *ticket = calloc(1, sizeof(*ticket) + question.len);
    if (!ticket)
        return -ENOMEM;
    ticket->owner = owner;
    ticket->len   = question.len;
    memcpy(ticket->question, question.data, question.len);
    int error = place(ask, server, ticket);
    if (error < 0) {
        free(ticket);
        return error;
    }
    ask->tickets++;
    *ret = ticket;
    return 0;
}

void tcp_ask_keep(struct tcp_ticket *ticket, int ms)
{
    struct connection *connection = ticket->connection;
    if (!connection || !ticket->replied)
        return;
    if (ms <= IDLE_MARGIN_MS)
        connection->idle_ms = 0;
    else
        connection->idle_ms = ms < IDLE_MAX_MS + IDLE_MARGIN_MS ? (unsigned) ms - IDLE_MARGIN_MS : IDLE_MAX_MS;
}

void tcp_ask_release(struct tcp_ask *ask, struct tcp_ticket *ticket)
{
    struct connection *connection = ticket->connection;
    ask->tickets--;
    if (!connection) {
        list_remove(&ticket->link);
        free(ticket);
        return;
    }
    if (ticket->replied) {
        detach(ticket);
        free(ticket);
    } else {
        ticket->released = true;
        if (--connection->waiting == 0)
            connection->idle_since = uv_now(ask->loop);
    }
    if (connection->waiting == 0 && (connection->idle_ms == 0 || is_doubtful(connection)))
        shut_idle(connection);
}

/* ---- what comes back ---- */

/* `connected`: it was open, so that its server is there and only this connection has come to its end. */
static void break_connection(struct connection *connection, bool connected)
{
    struct tcp_ask *ask      = connection->ask;
    bool            answered = connection->answers > 0;
    struct address  server   = connection->server;
    struct list     lost;
    if (connection->waiting > 0)
        ask->stats.broken++;
    shut(connection, &lost);
    while (!list_empty(&lost)) {
        struct tcp_ticket *ticket = CONTAINER_OF(lost.next, struct tcp_ticket, link);
        list_remove(&ticket->link);
        bool again      = connected && !ticket->replied && (!ticket->retried || answered);
        ticket->retried = true;
        if (!again || place(ask, &server, ticket) < 0)
            ask->handle(ask->context, ticket->owner, TCP_BROKEN, (struct view){0});
    }
}

static void on_message(struct connection *connection, struct view message)
{
    struct tcp_ask    *ask    = connection->ask;
    struct tcp_ticket *ticket = find_ticket(connection, get_u16(message.data));
    if (!ticket) {
        ask->stats.stray++;
        return;
    }
    connection->answers++;
    connection->asked = 0;
    if (ticket->released) {
        detach(ticket);
        free(ticket);
    } else {
        ask->stats.received++;
        ticket->replied = true;
        ask->handle(ask->context, ticket->owner, TCP_REPLY, message);
    }
}

/* False: nonsense on the stream. */
static bool read_messages(struct connection *connection)
{
    size_t      offset = 0;
    struct view message;
    while (connection->state == OPEN && frames_next(&connection->in, &offset, &message)) {
        if (message.len < 2)
            return false;
        on_message(connection, message);
    }
    frames_drop(&connection->in, offset);
    return true;
}

/* False: the connection is broken. True: it is fine, or closed already. */
static bool read_some(struct connection *connection)
{
    uint8_t *input = connection->ask->input;
    ssize_t  len   = recv(connection->fd, input, READ, 0);
    if (len < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    return len > 0 && frames_feed(&connection->in, (struct view){input, (size_t) len}) && read_messages(connection);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    struct tcp_ask    *ask        = connection->ask;
    if (ask->begin)
        ask->begin(ask->context);
    bool fine = status == 0;
    if (connection->state == CONNECTING)
        fine = fine && socket_error(connection->fd) == 0;
    bool connected    = fine || connection->state == OPEN;
    connection->state = OPEN;
    if (fine && (events & UV_WRITABLE))
        fine = output_flush(&connection->out, connection->fd) >= 0;
    /* Replies that came before a reset still count. */
    if (connected && (!fine || (events & UV_READABLE)))
        fine = read_some(connection) && fine;
    if (connection->state == CLOSED)
        return;
    if (!fine)
        break_connection(connection, connected);
    else
        watch(connection);
}

/* ---- the whole ---- */

struct tcp_ask *tcp_ask_create(uv_loop_t *loop, tcp_ask_fn handle, void (*begin)(void *context), void *context)
{
    struct tcp_ask *ask = calloc(1, sizeof(*ask));
    if (!ask)
        return NULL;
    ask->loop    = loop;
    ask->handle  = handle;
    ask->begin   = begin;
    ask->context = context;
    list_init(&ask->connections);
    uv_timer_init(loop, &ask->sweep);
    ask->sweep.data = ask;
    ask->handles    = 1;
    return ask;
}

static void on_own_closed(uv_handle_t *handle) { drop_handle(handle->data); }

void tcp_ask_close(struct tcp_ask *ask)
{
    assert(ask->tickets == 0);
    LIST_EACH (link, next, &ask->connections)
        shut_idle(CONTAINER_OF(link, struct connection, link));
    uv_close((uv_handle_t *) &ask->sweep, on_own_closed);
}

const struct tcp_ask_stats *tcp_ask_read_stats(const struct tcp_ask *ask) { return &ask->stats; }
