/*
 * tcp_link.c: see tcp_link.h.
 *
 * Happy path: tcp_link_open dials, on_ready connects, sends and reads; the channel makes messages of what was read, and
 * on_message finds each one's question by its id.
 * Failure modes:
 *   - no connection comes about, what it carries does not (a proxy that refuses, a certificate that is not the
 *     upstream's), the server closes it, or its own side of it, or resets it, or TCP itself gives up on unacknowledged
 *     bytes after UNACKED_MS: `ended`, once, behind the replies that came before. The remote is told why;
 *   - messages of other ids, or too short for a header: dropped, and counted;
 *   - nobody waits for a question any more: its id stays taken until the reply comes, so that a late one is never taken
 *     for the reply to another question.
 *
 * Must not know: DNS beyond the id.
 */
#include "net/tcp_link.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "net/socket.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    UNACKED_MS = 5000, /* longer than anybody waits for the reply */
    HEADER     = 12,   /* of a DNS message: what is shorter answers nothing */
};

static struct list *bucket_of(struct tcp_link *link, uint16_t id)
{
    return &link->buckets[id & (TCP_LINK_BUCKETS - 1)];
}

static struct tcp_sent *find(struct tcp_link *link, uint16_t id)
{
    LIST_EACH (item, next, bucket_of(link, id)) {
        struct tcp_sent *sent = CONTAINER_OF(item, struct tcp_sent, link);
        if (sent->id == id)
            return sent;
    }
    return NULL;
}

static void count_out(struct tcp_link *link)
{
    if (--link->waiting == 0)
        link->idle_since = uv_now(link->loop);
}

static void take_off(struct tcp_sent *sent)
{
    list_remove(&sent->link);
    sent->on->questions--;
    if (!sent->owner)
        return;
    list_remove(&sent->order);
    count_out(sent->on);
}

static void drop(struct tcp_sent *sent)
{
    take_off(sent);
    free(sent);
}

void tcp_link_forget(struct tcp_sent *sent)
{
    assert(sent->owner);
    sent->owner = NULL;
    list_remove(&sent->order);
    count_out(sent->on);
}

/* ---- opening and closing ---- */

static void on_closed(uv_handle_t *handle)
{
    struct tcp_link             *link  = handle->data;
    const struct tcp_link_hooks *hooks = link->hooks;
    channel_destroy(link->channel);
    remote_drop(link->remote);
    tcp_output_fini(&link->out);
    free(link);
    hooks->freed(hooks->context);
}

static void shut(struct tcp_link *link)
{
    link->state = TCP_LINK_CLOSED;
    list_remove(&link->link);
    list_remove(&link->unsent);
    uv_close((uv_handle_t *) &link->poll, on_closed);
    close(link->fd);
}

static void drop_all(struct tcp_link *link)
{
    for (unsigned i = 0; i < TCP_LINK_BUCKETS; i++)
        LIST_EACH (item, next, &link->buckets[i])
            drop(CONTAINER_OF(item, struct tcp_sent, link));
}

void tcp_link_close(struct tcp_link *link)
{
    assert(link->waiting == 0);
    if (link->state == TCP_LINK_CLOSED)
        return;
    shut(link);
    drop_all(link);
}

static void tell(struct tcp_link *link, const char *problem)
{
    struct tls_peer peer;
    bool            seen = channel_describe(link->channel, &peer);
    remote_note(link->remote, problem, seen ? &peer : NULL, (msec_t) uv_now(link->loop));
}

static void end(struct tcp_link *link, bool connected, const char *problem)
{
    if (problem[0] != '\0')
        tell(link, problem);
    shut(link);
    link->hooks->ended(link->hooks->context, link, connected);
    drop_all(link);
}

static int dial(const struct way *way)
{
    const struct address *server = way_dials(way);
    int                   fd     = socket_open(server, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int error = socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (error == 0)
        error = socket_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKED_MS);
    if (error == 0)
        error = socket_bind_from(fd, &way->bind, way->interface);
    if (error == 0 && connect(fd, &server->any, server->len) < 0 && errno != EINPROGRESS)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void watch(struct tcp_link *link)
{
    int events = UV_READABLE | (tcp_output_waiting(&link->out) > 0 ? UV_WRITABLE : 0);
    if (link->state == TCP_LINK_CONNECTING)
        events = UV_WRITABLE;
    if (events == link->events)
        return;
    int error = uv_poll_start(&link->poll, events, on_ready);
    assert(error == 0);
    (void) error;
    link->events = events;
}

static void on_bytes(void *context, struct view bytes);
static void on_message(void *context, struct view message);
static void on_failed(void *context, uint16_t id, enum http_failure failure);
static void on_paused(void *context, msec_t pause);

static struct channel *make_channel(struct tcp_link *link, struct remote *remote, struct tls_ticket *ticket,
                                    wall_t wall)
{
    const struct channel_hooks hooks       = {link, on_bytes, on_message, on_failed, on_paused};
    struct credentials        *credentials = remote_credentials(remote);
    struct channel            *channel     = channel_create(remote_way(remote), credentials, ticket, &hooks, wall);
    credentials_drop(credentials);
    return channel;
}

int tcp_link_open(uv_loop_t *loop, struct remote *remote, struct tls_ticket *ticket, const struct tcp_link_hooks *hooks,
                  void *owner, struct tcp_link **ret)
{
    int fd = dial(remote_way(remote));
    if (fd < 0) {
        remote_note(remote, uv_strerror(fd), NULL, (msec_t) uv_now(loop));
        return fd;
    }
    struct tcp_link *link  = calloc(1, sizeof(*link));
    int              error = -ENOMEM;
    if (link && (link->channel = make_channel(link, remote, ticket, hooks->wall())))
        error = uv_poll_init(loop, &link->poll, fd);
    if (error < 0) {
        if (link)
            channel_destroy(link->channel);
        free(link);
        close(fd);
        return error;
    }
    link->remote     = remote_take(remote);
    link->dialed     = uv_now(loop);
    link->poll.data  = link;
    link->loop       = loop;
    link->hooks      = hooks;
    link->owner      = owner;
    link->fd         = fd;
    link->idle_ms    = TCP_LINK_IDLE;
    link->proved     = uv_now(loop);
    link->idle_since = uv_now(loop);
    list_init(&link->link);
    list_init(&link->unsent);
    list_init(&link->order);
    list_init(&link->replied);
    for (unsigned i = 0; i < TCP_LINK_BUCKETS; i++)
        list_init(&link->buckets[i]);
    watch(link);
    hooks->opened(hooks->context);
    *ret = link;
    return 0;
}

/* ---- asking ---- */

struct tcp_sent *tcp_link_send(struct tcp_link *link, struct view question, void *owner)
{
    struct tcp_sent *sent = malloc(sizeof(*sent));
    if (!sent)
        return NULL;
    *sent = (struct tcp_sent){.on = link, .owner = owner, .at = uv_now(link->loop), .id = get_u16(question.data)};
    list_append(bucket_of(link, sent->id), &sent->link);
    list_append(&link->order, &sent->order);
    link->questions++;
    link->waiting++;
    link->used++;
    if (link->asked == 0)
        link->asked = sent->at;
    if (!channel_send(link->channel, question)) {
        drop(sent);
        return NULL;
    }
    if (link->state == TCP_LINK_OPEN)
        link->hooks->unsent(link->hooks->context, link);
    return sent;
}

void tcp_link_flush(struct tcp_link *link)
{
    (void) tcp_output_flush(&link->out, link->fd);
    watch(link);
}

bool tcp_link_can_carry(struct tcp_link *link, uint16_t id)
{
    return link->questions < channel_room(link->channel) && !find(link, id);
}

/* ---- what comes back ---- */

static void on_bytes(void *context, struct view bytes)
{
    struct tcp_link *link = context;
    if (tcp_output_waiting(&link->out) + bytes.len > LIMIT_TCP_OUTPUT || !tcp_output_bytes(&link->out, bytes))
        link->choked = true;
}

static void on_message(void *context, struct view message)
{
    struct tcp_link *link = context;
    if (link->state == TCP_LINK_CLOSED)
        return;
    struct tcp_sent *sent = message.len >= HEADER ? find(link, get_u16(message.data)) : NULL;
    if (!sent) {
        link->strays++;
        return;
    }
    take_off(sent);
    link->answers++;
    link->silent = 0;
    link->proved = uv_now(link->loop);
    link->asked  = link->questions > 0 ? uv_now(link->loop) : 0;
    if (link->complained)
        tell(link, "");
    link->complained = false;
    if (sent->owner)
        link->hooks->replied(link->hooks->context, link, sent, message);
    free(sent);
}

static void on_failed(void *context, uint16_t id, enum http_failure failure)
{
    struct tcp_link *link = context;
    struct tcp_sent *sent = link->state == TCP_LINK_CLOSED ? NULL : find(link, id);
    if (!sent)
        return;
    take_off(sent);
    link->asked = link->questions > 0 ? uv_now(link->loop) : 0;
    if (failure == HTTP_FAILED) {
        tell(link, channel_problem(link->channel));
        link->complained = true;
    }
    if (sent->owner)
        link->hooks->refused(link->hooks->context, link, sent, failure);
    free(sent);
}

static void on_paused(void *context, msec_t pause)
{
    struct tcp_link *link = context;
    link->hooks->paused(link->hooks->context, link, pause);
}

/* Behind each step of the channel. False: there is nothing more to be had from it. */
static bool go_on(struct tcp_link *link, enum channel_state state)
{
    if (link->state == TCP_LINK_CLOSED)
        return true;
    if (state == CHANNEL_OPEN && link->state == TCP_LINK_OPENING_UP) {
        link->state = TCP_LINK_OPEN;
        tell(link, "");
        link->hooks->ready(link->hooks->context, link);
    }
    return (state == CHANNEL_OPENING || state == CHANNEL_OPEN) && !link->choked;
}

/* What came was no answer, as tickets behind a handshake are none. The server may not send more until it hears that they
 * arrived (Nagle's algorithm), and the kernel would say so with our next question, or after 40 ms. */
static void acknowledge(struct tcp_link *link) { (void) socket_set(link->fd, IPPROTO_TCP, TCP_QUICKACK, 1); }

/* False: the connection is broken, or over. True: it is fine, or closed already. */
static bool read_some(struct tcp_link *link)
{
    const struct tcp_link_hooks *hooks = link->hooks;
    ssize_t                      len   = recv(link->fd, hooks->buffer, hooks->buffer_len, 0);
    if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return true;
    if (len <= 0) {
        channel_end(link->channel, len < 0);
        return false;
    }
    uint64_t answers = link->answers;
    bool     fine    = go_on(link, channel_feed(link->channel, (struct view){hooks->buffer, (size_t) len}));
    if (fine && link->state != TCP_LINK_CLOSED && link->waiting > 0 && link->answers == answers)
        acknowledge(link);
    return fine;
}

static const char *problem_of(const struct tcp_link *link, int error)
{
    if (link->state == TCP_LINK_CONNECTING)
        return error ? uv_strerror(-error) : "it was not reached";
    return channel_problem(link->channel);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct tcp_link *link = poll->data;
    link->hooks->begin(link->hooks->context);
    bool fine  = status == 0;
    int  error = link->state == TCP_LINK_CONNECTING ? socket_error(link->fd) : 0;
    if (link->state == TCP_LINK_CONNECTING && fine && error == 0) {
        link->state = TCP_LINK_OPENING_UP;
        fine        = go_on(link, channel_start(link->channel));
    }
    fine           = fine && error == 0;
    bool connected = link->state != TCP_LINK_CONNECTING;
    if (fine && (events & UV_WRITABLE))
        fine = tcp_output_flush(&link->out, link->fd) >= 0;
    /* replies that came before a reset still count */
    if (connected && (!fine || (events & UV_READABLE)))
        fine = read_some(link) && fine;
    if (fine && link->state != TCP_LINK_CLOSED && tcp_output_waiting(&link->out) > 0)
        fine = tcp_output_flush(&link->out, link->fd) >= 0;
    if (link->state == TCP_LINK_CLOSED)
        return;
    if (!fine)
        end(link, link->state == TCP_LINK_OPEN, problem_of(link, error));
    else
        watch(link);
}

void tcp_link_expire(struct tcp_link *link)
{
    end(link, false,
        link->state == TCP_LINK_CONNECTING ? "no answer to the connection's first packet (SYN)"
                                           : "connected, but then silent: no answer to the handshake");
}
