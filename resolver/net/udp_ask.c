/*
 * Questions to upstreams, each from a port that nobody can guess.
 *
 * Happy path: udp_ask_open takes a fresh port (or a kept socket), sends, hands out a ticket; on_ready reads replies and
 * finds each one's ticket by id; udp_ask_release gives the ticket back and closes a socket that nobody uses any more.
 * Failure modes: no descriptor left (a kept socket carries more than its share, then a spare one is spent), ICMP
 * errors (the socket's error queue is emptied, its tickets are told), ids nobody sent (told too: it may be forgery),
 * late replies to released tickets (dropped), tickets and sockets that go away while events are handed out.
 *
 * Must not know: DNS beyond the id.
 */
#include "net/udp_ask.h"

#include "base/bytes.h"
#include "base/list.h"
#include "net/socket.h"
#include "net/udp_socket.h"

#include <assert.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum {
    UDP_ASK_FRESH_RATE = 2000,           /* questions a second that get a port of their own */
    UDP_ASK_KEPT       = 256,            /* shared sockets for each upstream: 8 bits that a forger must still guess */
    UDP_ASK_USES       = UDP_SOCKET_IDS, /* questions through one: by 8 the cost of opening it is spread thin */
    UDP_ASK_AGE_MS     = 2000,           /* and how long its port may serve */
    EVENTS             = 64,             /* sockets served in a wakeup */
    PICKS              = 4,              /* random tries for a kept socket without the same id */
    SEND_TRIES         = 16, /* each takes an ICMP error away, of which a flood may bring another meanwhile */
    ERRORS_AT_ONCE     = 64, /* read from a socket's queue */
};

struct udp_ticket {
    struct list        link; /* among the socket's */
    struct udp_socket *socket;
    void              *owner;
    uint64_t           told; /* number of the last event it was told of */
    uint16_t           id;
};

struct upstream {
    struct list        link;
    struct way         way; /* its address, bind and interface alone */
    unsigned           count;
    struct udp_socket *kept[UDP_ASK_KEPT];
};

struct udp_ask {
    uv_poll_t   poll;
    uv_timer_t  sweep;   /* runs while there are upstreams or unused sockets */
    unsigned    handles; /* not yet closed */
    struct rng *rng;
    udp_ask_fn  handle;
    void (*begin)(void *context);
    void                *context;
    struct udp_ask_stats stats;
    struct udp_sockets   sockets;
    struct list          upstreams;
    uint64_t             event;
    unsigned             tickets;
    int64_t              credit; /* thousandths of a fresh port */
    msec_t               credited;
    uint8_t              buffer[65536];
};

static void on_sweep(uv_timer_t *timer);

static void want_sweep(struct udp_ask *ask)
{
    if (!uv_is_active((const uv_handle_t *) &ask->sweep))
        uv_timer_start(&ask->sweep, on_sweep, UDP_ASK_AGE_MS, UDP_ASK_AGE_MS);
}

static void close_socket(struct udp_ask *ask, struct udp_socket *socket)
{
    udp_sockets_close(&ask->sockets, socket);
    want_sweep(ask);
}

static void retire(struct udp_ask *ask, struct udp_socket *socket)
{
    socket->kept->kept[socket->place] = NULL;
    socket->kept->count--;
    socket->kept = NULL;
    if (list_empty(&socket->tickets))
        close_socket(ask, socket);
}

static struct udp_ticket *find_ticket(struct udp_socket *socket, uint16_t id)
{
    LIST_EACH (link, next, &socket->tickets) {
        struct udp_ticket *ticket = CONTAINER_OF(link, struct udp_ticket, link);
        if (ticket->id == id)
            return ticket;
    }
    return NULL;
}

static bool is_same(const struct way *a, const struct way *b)
{
    return address_equal(&a->address, &b->address) && address_equal(&a->bind, &b->bind) &&
           strcmp(a->interface, b->interface) == 0;
}

static struct upstream *get_upstream(struct udp_ask *ask, const struct way *way)
{
    LIST_EACH (link, next, &ask->upstreams) {
        struct upstream *upstream = CONTAINER_OF(link, struct upstream, link);
        if (is_same(&upstream->way, way))
            return upstream;
    }
    struct upstream *upstream = calloc(1, sizeof(*upstream));
    if (!upstream)
        return NULL;
    upstream->way = (struct way){.address = way->address, .bind = way->bind};
    memcpy(upstream->way.interface, way->interface, sizeof(way->interface));
    want_sweep(ask);
    list_append(&ask->upstreams, &upstream->link);
    return upstream;
}

/* Retires what a sweep has seen before, so that no port stays open for long once the questions cease. */
static void on_sweep(uv_timer_t *timer)
{
    struct udp_ask *ask = timer->data;
    LIST_EACH (link, next, &ask->upstreams) {
        struct upstream *upstream = CONTAINER_OF(link, struct upstream, link);
        for (unsigned i = 0; i < UDP_ASK_KEPT; i++) {
            struct udp_socket *socket = upstream->kept[i];
            if (socket && socket->aged)
                retire(ask, socket);
            else if (socket)
                socket->aged = true;
        }
        if (upstream->count == 0) {
            list_remove(&upstream->link);
            free(upstream);
        }
    }
    udp_sockets_sweep(&ask->sockets);
    if (list_empty(&ask->upstreams) && ask->sockets.unused_count == 0)
        uv_timer_stop(&ask->sweep);
}

static void keep(struct upstream *upstream, unsigned place, struct udp_socket *socket)
{
    socket->kept          = upstream;
    socket->place         = place;
    upstream->kept[place] = socket;
    upstream->count++;
}

static int create_kept(struct udp_ask *ask, struct upstream *upstream, unsigned place, msec_t now)
{
    struct udp_socket *socket;
    int                error = udp_sockets_open(&ask->sockets, &upstream->way, &socket);
    if (error < 0)
        return error;
    socket->born = now;
    if (upstream->kept[place])
        retire(ask, upstream->kept[place]);
    keep(upstream, place, socket);
    return 0;
}

static bool is_worn(const struct udp_socket *socket, msec_t now)
{
    return socket->uses >= UDP_ASK_USES || now - socket->born >= UDP_ASK_AGE_MS;
}

/* No descriptor for a new socket: any kept one serves, worn or not, else one of the spares is spent. */
static int pick_anyhow(struct udp_ask *ask, struct upstream *upstream, uint16_t id, msec_t now, struct udp_socket **ret)
{
    unsigned start = rng_below(ask->rng, UDP_ASK_KEPT);
    for (unsigned i = 0; i < UDP_ASK_KEPT; i++) {
        struct udp_socket *socket = upstream->kept[(start + i) % UDP_ASK_KEPT];
        if (socket && !find_ticket(socket, id)) {
            *ret = socket;
            return 0;
        }
    }
    int error = -EMFILE;
    while (error == -EMFILE && udp_sockets_spend_spare(&ask->sockets))
        error = create_kept(ask, upstream, start, now);
    if (error == 0)
        *ret = upstream->kept[start];
    return error;
}

static bool is_out_of_descriptors(int error) { return error == -EMFILE || error == -ENFILE; }

static int pick_kept(struct udp_ask *ask, const struct way *way, uint16_t id, msec_t now, struct udp_socket **ret)
{
    struct upstream *upstream = get_upstream(ask, way);
    if (!upstream)
        return -ENOMEM;
    for (unsigned i = 0; i < PICKS; i++) {
        unsigned           place  = rng_below(ask->rng, UDP_ASK_KEPT);
        struct udp_socket *socket = upstream->kept[place];
        if (!socket || is_worn(socket, now)) {
            int error = ask->sockets.open < ask->sockets.limit ? create_kept(ask, upstream, place, now) : -EMFILE;
            if (is_out_of_descriptors(error))
                break;
            if (error < 0)
                return error;
            socket = upstream->kept[place];
        }
        if (!udp_socket_sent_id(socket, id) && !find_ticket(socket, id)) {
            *ret = socket;
            return 0;
        }
    }
    return pick_anyhow(ask, upstream, id, now, ret);
}

/* Is this question one of the first UDP_ASK_FRESH_RATE of a second? */
static bool take_credit(struct udp_ask *ask, msec_t now)
{
    const int64_t full = (int64_t) UDP_ASK_FRESH_RATE * 1000;
    msec_t        gone = msec_clamp(now - ask->credited, 0, 1000);
    ask->credited      = now;
    ask->credit        = ask->credit + gone * UDP_ASK_FRESH_RATE;
    if (ask->credit > full)
        ask->credit = full;
    if (ask->credit < 1000)
        return false;
    ask->credit -= 1000;
    return true;
}

static int pick_socket(struct udp_ask *ask, const struct way *way, uint16_t id, msec_t now, struct udp_socket **ret)
{
    /* Half of the share is left to kept sockets, which carry far more questions each. */
    if (take_credit(ask, now) && ask->sockets.open < ask->sockets.limit / 2) {
        int error = udp_sockets_open(&ask->sockets, way, ret);
        if (!is_out_of_descriptors(error))
            return error;
    }
    return pick_kept(ask, way, id, now, ret);
}

static int send_question(struct udp_ask *ask, struct udp_socket *socket, struct view question)
{
    /* A try may be told of an ICMP error instead of being sent: an earlier question's, or one of a forged flood. */
    for (unsigned tries = 0; tries < SEND_TRIES; tries++) {
        if (send(socket->fd, question.data, question.len, 0) >= 0) {
            ask->stats.sent++;
            socket->awaited++;
            return 0;
        }
        socket->unclean = true;
        if (socket_is_full(errno))
            break;
    }
    int error = -errno;
    ask->stats.send_failed++;
    return error;
}

int udp_ask_open(struct udp_ask *ask, const struct way *way, struct view question, void *owner, msec_t now,
                 struct udp_ticket **ret)
{
    assert(question.len >= 2);
    uint16_t           id     = get_u16(question.data);
    struct udp_ticket *ticket = malloc(sizeof(*ticket));
    if (!ticket)
        return -ENOMEM;
    struct udp_socket *socket;
    int                error = pick_socket(ask, way, id, now, &socket);
    if (error < 0) {
        free(ticket);
        return error;
    }
    *ticket = (struct udp_ticket){.socket = socket, .owner = owner, .told = ask->event, .id = id};
    list_append(&socket->tickets, &ticket->link);
    udp_socket_note_id(socket, id);
    ask->tickets++;
    error = send_question(ask, socket, question);
    if (error < 0) {
        udp_ask_release(ask, ticket);
        return error;
    }
    *ret = ticket;
    return 0;
}

int udp_ask_resend(struct udp_ask *ask, struct udp_ticket *ticket, struct view question)
{
    return send_question(ask, ticket->socket, question);
}

void udp_ask_release(struct udp_ask *ask, struct udp_ticket *ticket)
{
    struct udp_socket *socket = ticket->socket;
    list_remove(&ticket->link);
    free(ticket);
    ask->tickets--;
    if (!socket->kept && list_empty(&socket->tickets))
        close_socket(ask, socket);
}

/* Tells every ticket of the socket. The handler may release any of them and open new ones (which are marked as told):
 * whoever was told stands at the end of the list, so the rest is at its head however the list changes. */
static void tell_all(struct udp_ask *ask, struct udp_socket *socket, enum udp_event event, struct view datagram)
{
    ask->event++;
    while (!list_empty(&socket->tickets)) {
        struct udp_ticket *ticket = CONTAINER_OF(socket->tickets.next, struct udp_ticket, link);
        if (ticket->told == ask->event)
            return;
        ticket->told = ask->event;
        list_remove(&ticket->link);
        list_append(&socket->tickets, &ticket->link);
        ask->handle(ask->context, ticket->owner, event, datagram);
    }
}

/* Empties the error queue, unless it fills meanwhile; that also clears the pending error. True: one of them means that
 * nobody is there. */
static bool read_errors(int fd)
{
    bool unreachable = false;
    for (unsigned i = 0; i < ERRORS_AT_ONCE; i++) {
        union {
            struct cmsghdr align;
            uint8_t        bytes[512];
        } control;
        struct msghdr header = {.msg_control = &control, .msg_controllen = sizeof(control)};
        if (recvmsg(fd, &header, MSG_ERRQUEUE) < 0)
            return unreachable;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
            bool is_error = (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
                            (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
            if (!is_error)
                continue;
            const struct sock_extended_err *error = (const void *) CMSG_DATA(c);
            /* "Fragmentation needed" cannot be true of datagrams that may be fragmented. */
            if (error->ee_errno != EMSGSIZE)
                unreachable = true;
        }
    }
    return unreachable;
}

static void on_error(struct udp_ask *ask, struct udp_socket *socket, int error)
{
    socket->unclean  = true;
    bool unreachable = read_errors(socket->fd) || (error != 0 && error != EMSGSIZE);
    if (!unreachable)
        return;
    ask->stats.unreachable++;
    tell_all(ask, socket, UDP_UNREACHABLE, (struct view){0});
}

static void on_datagram(struct udp_ask *ask, struct udp_socket *socket, struct view datagram)
{
    ask->stats.received++;
    bool               has_id = datagram.len >= 2;
    uint16_t           id     = has_id ? get_u16(datagram.data) : 0;
    struct udp_ticket *ticket = has_id ? find_ticket(socket, id) : NULL;
    if (ticket) {
        socket->awaited -= socket->awaited > 0;
        ask->handle(ask->context, ticket->owner, UDP_REPLY, datagram);
    } else if (!has_id || !udp_socket_sent_id(socket, id)) {
        ask->stats.stray++;
        tell_all(ask, socket, UDP_STRAY, datagram);
    }
}

/* One datagram: whether there is another one epoll says for less than a call that finds nothing. */
static void serve_socket(struct udp_ask *ask, struct udp_socket *socket, uint32_t events)
{
    if (socket->fd >= 0 && (events & EPOLLERR))
        on_error(ask, socket, 0);
    if (socket->fd < 0)
        return;
    ssize_t len = recv(socket->fd, ask->buffer, sizeof(ask->buffer), 0);
    if (len >= 0)
        on_datagram(ask, socket, (struct view){ask->buffer, (size_t) len});
    else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        on_error(ask, socket, errno);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void) status;
    (void) events;
    struct udp_ask    *ask = poll->data;
    struct epoll_event ready[EVENTS];
    int                count = epoll_wait(ask->sockets.epoll, ready, EVENTS, 0);
    if (count <= 0)
        return;
    if (ask->begin)
        ask->begin(ask->context);
    ask->sockets.dispatching = true;
    for (int i = 0; i < count; i++)
        serve_socket(ask, ready[i].data.ptr, ready[i].events);
    udp_sockets_free_dead(&ask->sockets);
}

struct udp_ask *udp_ask_create(uv_loop_t *loop, struct rng *rng, unsigned sockets, udp_ask_fn handle,
                               void (*begin)(void *context), void *context)
{
    struct udp_ask *ask = calloc(1, sizeof(*ask));
    if (!ask)
        return NULL;
    if (!udp_sockets_init(&ask->sockets, sockets)) {
        free(ask);
        return NULL;
    }
    if (uv_poll_init(loop, &ask->poll, ask->sockets.epoll) < 0) {
        udp_sockets_fini(&ask->sockets);
        free(ask);
        return NULL;
    }
    uv_timer_init(loop, &ask->sweep);
    ask->handles   = 2;
    ask->poll.data = ask->sweep.data = ask;
    ask->rng                         = rng;
    ask->handle                      = handle;
    ask->begin                       = begin;
    ask->context                     = context;
    ask->credit                      = (int64_t) UDP_ASK_FRESH_RATE * 1000;
    list_init(&ask->upstreams);
    int error = uv_poll_start(&ask->poll, UV_READABLE, on_ready);
    assert(error == 0);
    (void) error;
    return ask;
}

static void on_closed(uv_handle_t *handle)
{
    struct udp_ask *ask = handle->data;
    if (--ask->handles > 0)
        return;
    free(ask);
}

void udp_ask_close(struct udp_ask *ask)
{
    assert(ask->tickets == 0 && !ask->sockets.dispatching);
    uv_close((uv_handle_t *) &ask->poll, on_closed);
    uv_close((uv_handle_t *) &ask->sweep, on_closed);
    LIST_EACH (link, next, &ask->upstreams) {
        struct upstream *upstream = CONTAINER_OF(link, struct upstream, link);
        for (unsigned i = 0; i < UDP_ASK_KEPT; i++)
            if (upstream->kept[i])
                retire(ask, upstream->kept[i]);
        list_remove(&upstream->link);
        free(upstream);
    }
    udp_sockets_fini(&ask->sockets);
}

const struct udp_ask_stats *udp_ask_read_stats(struct udp_ask *ask)
{
    ask->stats.sockets = ask->sockets.open;
    ask->stats.opened  = ask->sockets.opened;
    return &ask->stats;
}
