/*
 * One TCP connection of a client.
 *
 * Happy path: on_ready reads, take_messages hands whole messages to the handler and gathers the answers, flush_or_close sends
 * them in one system call. Late answers gather too and leave from connection_send_all, just before the loop waits.
 * The handler is called only from on_ready and on_resume, directly from the loop: flush_or_close, which anything may
 * call, never does.
 * Failure modes: too many unanswered questions, or a client that does not read (the connection is not read until that
 * is over; at LIMIT_TCP_OUTPUT it is cut off), more messages than it may send (paused: not read until there is room
 * again, each paused one first in turn), half-close (answers still go out, then it closes), too many bytes of all
 * (relieve).
 *
 * Must not know: DNS beyond the two length bytes, who else is connected.
 */
#include "net/tcp_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    OUTPUT_HIGH = 64 << 10, /* bytes waiting for a slow reader that stop the reading of its questions */
    PAUSE_MS    = 20,       /* until one that asks too often is looked at again */
};

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    connection->listen->drop_handle(connection->listen);
    frames_fini(&connection->in);
    free(connection);
}

static unsigned slot_of(uint64_t number) { return (unsigned) (number & ((1U << SLOT_BITS) - 1)); }

void connection_close(struct connection *connection)
{
    struct tcp_listen *listen = connection->listen;
    if (connection->state == CLOSED)
        return;
    connection->state                          = CLOSED;
    listen->slots[slot_of(connection->number)] = NULL;
    listen->vacant[listen->vacant_count++]     = slot_of(connection->number);
    list_remove(&connection->by_use);
    list_remove(&connection->dirty);
    list_remove(&connection->paused);
    listen->stats.open--;
    listen->bytes -= connection->bytes;
    connection->bytes = 0;
    tcp_output_fini(&connection->out); /* `in` may hold the message that is being handled */
    uv_close((uv_handle_t *) &connection->poll, on_closed);
    close(connection->fd);
}

/* ---- memory ---- */

/* The one that holds most is cut off: who sends long messages in pieces, or does not read what it asked for. */
static void relieve(struct tcp_listen *listen)
{
    struct connection *heaviest = NULL;
    LIST_EACH (link, next, &listen->by_use) {
        struct connection *connection = CONTAINER_OF(link, struct connection, by_use);
        if (!heaviest || connection->bytes > heaviest->bytes)
            heaviest = connection;
    }
    assert(heaviest); /* whose bytes are counted is in the list */
    listen->stats.cut_off++;
    connection_close(heaviest);
}

/* To be called after its buffers have changed; it may close this one or another. */
static void weigh(struct connection *connection)
{
    struct tcp_listen *listen = connection->listen;
    if (connection->state == CLOSED)
        return;
    size_t bytes = connection->in.cap + connection->out.cap;
    listen->bytes += bytes - connection->bytes;
    connection->bytes = bytes;
    if (listen->bytes > listen->options.memory)
        relieve(listen);
}

/* ---- reading and sending ---- */

/* May another of its messages be handled? If not, it is not read either. */
static bool may_take(const struct connection *connection)
{
    return connection->unanswered < LIMIT_TCP_PIPELINE && tcp_output_waiting(&connection->out) < OUTPUT_HIGH &&
           list_empty(&connection->paused);
}

/* It got an answer. Nothing else counts, so that nobody keeps a place with what has no answer. */
static void touch(struct connection *connection)
{
    struct tcp_listen *listen = connection->listen;
    connection->active        = uv_now(listen->loop);
    list_remove(&connection->by_use);
    list_append(&listen->by_use, &connection->by_use);
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void watch(struct connection *connection)
{
    int events = 0;
    if (connection->state == READING && may_take(connection))
        events |= UV_READABLE;
    /* A writable socket is reported at once: that is how held messages reach on_ready again. */
    if (tcp_output_waiting(&connection->out) > 0 || (connection->held && may_take(connection)))
        events |= UV_WRITABLE;
    if (events == connection->events)
        return;
    int error = events ? uv_poll_start(&connection->poll, events, on_ready) : uv_poll_stop(&connection->poll);
    assert(error == 0);
    (void) error;
    connection->events = events;
}

/* Sends what the socket takes, closes what is over, and watches for what comes next. */
static void flush_or_close(struct connection *connection)
{
    ptrdiff_t sent = tcp_output_flush(&connection->out, connection->fd);
    if (sent > 0)
        touch(connection);
    bool over = connection->state == FINISHED && connection->unanswered == 0 && !connection->held &&
                tcp_output_waiting(&connection->out) == 0;
    bool cut_off = tcp_output_waiting(&connection->out) > LIMIT_TCP_OUTPUT;
    connection->listen->stats.cut_off += cut_off;
    if (sent < 0 || over || cut_off) {
        connection_close(connection);
        return;
    }
    watch(connection);
    weigh(connection);
}

static void append_answer(struct connection *connection, struct view answer)
{
    if (tcp_output_frame(&connection->out, answer)) {
        connection->listen->stats.sent++;
        touch(connection);
        weigh(connection);
    } else {
        connection_close(connection); /* no memory: the client will ask again */
    }
}

static void on_resume(uv_timer_t *timer);

/* Its place in the queue of paused ones is the last: on_resume() lets each be the first in turn. */
static bool is_admitted(struct connection *connection)
{
    struct tcp_listen *listen = connection->listen;
    if (!listen->options.admit || listen->options.admit(listen->context, &connection->peer))
        return true;
    list_append(&listen->paused, &connection->paused);
    if (!uv_is_active((uv_handle_t *) &listen->resume))
        uv_timer_start(&listen->resume, on_resume, PAUSE_MS, 0);
    return false;
}

/* Soon somebody may have to give way: better a client that was told so. */
static bool is_short_of_places(const struct tcp_listen *listen)
{
    return listen->vacant_count < listen->options.connections / 4;
}

static void take_message(struct connection *connection, struct view message)
{
    struct tcp_listen *listen = connection->listen;
    struct path        path   = {.endpoint   = listen,
                                 .connection = connection->number,
                                 .idle_ms    = is_short_of_places(listen) ? 0 : listen->options.idle_ms,
                                 .peer       = connection->peer};
    listen->stats.received++;
    connection->unanswered++; /* before the call, for the answer may come through tcp_listen_send() from inside it */
    size_t len = listen->handle(listen->context, message, &path, listen->answer, sizeof(listen->answer));
    if (len == 0 || connection->state == CLOSED)
        return;
    connection->unanswered--;
    append_answer(connection, (struct view){listen->answer, len});
}

/* A message that is not whole has its time from the moment at which nothing else keeps it from being read. */
static void note_begun(struct connection *connection, bool taken)
{
    if (connection->held || connection->in.len == 0)
        connection->begun = 0;
    else if (taken || connection->begun == 0)
        connection->begun = uv_now(connection->listen->loop);
}

static void take_messages(struct connection *connection)
{
    size_t      offset = 0, next = 0;
    struct view message;
    while (connection->state != CLOSED && may_take(connection) && frames_next(&connection->in, &next, &message) &&
           is_admitted(connection)) {
        offset = next;
        take_message(connection, message);
    }
    if (connection->state == CLOSED)
        return;
    connection->held = !may_take(connection);
    frames_drop(&connection->in, offset);
    note_begun(connection, offset > 0);
}

static void read_some(struct connection *connection)
{
    uint8_t *input = connection->listen->input;
    ssize_t  len   = recv(connection->fd, input, TCP_READ, 0);
    if (len == 0)
        connection->state = FINISHED;
    else if (len < 0 ? errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR
                     : !frames_feed(&connection->in, (struct view){input, (size_t) len}))
        connection_close(connection);
}

static void begin(const struct tcp_listen *listen)
{
    if (listen->options.begin)
        listen->options.begin(listen->context);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    if (status < 0) { /* reset by the client */
        connection_close(connection);
        return;
    }
    begin(connection->listen);
    if (events & UV_WRITABLE)
        flush_or_close(connection);
    if (connection->state == READING && (events & UV_READABLE) && may_take(connection))
        read_some(connection);
    if (connection->state != CLOSED)
        take_messages(connection);
    if (connection->state != CLOSED)
        flush_or_close(connection);
}

/* Whoever is first may take all that there is room for; so it is another one each time. */
static void on_resume(uv_timer_t *timer)
{
    struct tcp_listen *listen = timer->data;
    struct list        turn;
    begin(listen);
    list_insert_before(listen->paused.next, &turn); /* in the place of the head, which becomes empty */
    list_remove(&listen->paused);
    if (!list_empty(&turn)) {
        struct list *first = turn.next;
        list_remove(first);
        list_append(&turn, first);
    }
    while (!list_empty(&turn)) {
        struct connection *connection = CONTAINER_OF(turn.next, struct connection, paused);
        list_remove(&connection->paused);
        take_messages(connection);
        if (connection->state != CLOSED)
            flush_or_close(connection);
    }
}

void connection_send_all(struct tcp_listen *listen)
{
    while (!list_empty(&listen->dirty)) {
        struct connection *connection = CONTAINER_OF(listen->dirty.next, struct connection, dirty);
        list_remove(&connection->dirty);
        flush_or_close(connection);
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
    list_remove(&connection->dirty);
    list_append(&listen->dirty, &connection->dirty);
    if (answer.len > 0)
        append_answer(connection, answer);
}

bool connection_open(struct tcp_listen *listen, int fd, const struct address *peer)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection || uv_poll_init(listen->loop, &connection->poll, fd) < 0) {
        free(connection);
        return false;
    }
    uint32_t slot         = listen->vacant[--listen->vacant_count];
    connection->number    = ++listen->serial << SLOT_BITS | slot;
    connection->poll.data = connection;
    connection->listen    = listen;
    connection->fd        = fd;
    connection->peer      = *peer;
    frames_init(&connection->in);
    list_init(&connection->dirty);
    list_init(&connection->paused);
    list_init(&connection->by_use);
    listen->slots[slot] = connection;
    listen->handles++;
    listen->stats.accepted++;
    listen->stats.open++;
    touch(connection);
    watch(connection);
    return true;
}
