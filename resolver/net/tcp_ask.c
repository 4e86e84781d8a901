/*
 * tcp_ask.c: see tcp_ask.h; numbers in brackets are its points. Which question goes on which connection; what a
 * connection is, tcp_link.h says.
 *
 * Must not know: DNS beyond the id and the two length bytes.
 */
#include "net/tcp_ask.h"

#include "base/bytes.h"
#include "net/tcp_pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    IDLE_MAX_MS    = 30000,    /* however patient the server is: what stands between may forget the connection */
    IDLE_MARGIN_MS = 2000,     /* before the server's time is over: SWEEP_MS, and a question on its way */
    SWEEP_MS       = 1000,     /* at most this late */
    AGAIN_MS       = 100,      /* until a question that stalls, and found no connection, is looked at once more */
    QUEUE          = 1000,     /* questions that wait for a connection to one server */
    READ           = 64 << 10, /* bytes read in a wakeup */
    PLACES         = 2,        /* connections that one question is on at once */
};

struct tcp_ticket {
    struct list      link;         /* in its upstream's queue, or among the broken */
    struct list      replied_link; /* in its link's list of those that it has answered */
    struct upstream *upstream;     /* NULL: it is broken or answered, and only to be released */
    struct tcp_sent *places[PLACES];
    struct tcp_link *replied_on; /* NULL: there was none, or it is gone */
    void            *owner;
    bool             retried;
    unsigned         stall; /* ms */
    unsigned         again; /* how often it may still be asked elsewhere because it stalls */
    size_t           len;
    uint8_t          question[];
};
struct upstream { /* one remote */
    struct list     link;
    struct tcp_ask *ask;
    struct tcp_pool pool;  /* its links' owner */
    struct list     queue; /* tickets that wait for a connection [5] */
    unsigned        queue_count;
};

struct tcp_ask {
    uv_loop_t *loop;
    tcp_ask_fn handle;
    void (*begin)(void *context);
    void                 *context;
    struct tcp_ask_stats  stats;
    struct tcp_link_hooks hooks;
    uv_timer_t            sweep, stalls;
    uv_prepare_t          turn_end; /* runs before the loop waits, while there are links in `unsent` */
    struct list           unsent;
    uint64_t              stalls_due; /* when `stalls` fires; 0: it does not run */
    unsigned              handles;    /* not yet closed */
    unsigned              tickets;    /* not released */
    struct list           upstreams;
    struct list           broken; /* tickets whose end is told in the next turn of `stalls` */
    uint8_t               input[READ];
};

static uint16_t id_of(const struct tcp_ticket *ticket) { return get_u16(ticket->question); }

static struct upstream *upstream_of(const struct tcp_link *link)
{
    return CONTAINER_OF((struct tcp_pool *) link->owner, struct upstream, pool);
}

static struct view question_of(const struct tcp_ticket *ticket) { return (struct view){ticket->question, ticket->len}; }

/* ---- timers ---- */

static void on_sweep(uv_timer_t *timer);
static void on_stalls(uv_timer_t *timer);

/* What is asked in one turn leaves in one go on each connection. */
static void on_turn_end(uv_prepare_t *turn_end)
{
    struct tcp_ask *ask = turn_end->data;
    LIST_EACH (item, next, &ask->unsent) {
        list_remove(item);
        tcp_link_flush(CONTAINER_OF(item, struct tcp_link, unsent));
    }
    uv_prepare_stop(turn_end);
}

static void on_unsent(void *context, struct tcp_link *link)
{
    struct tcp_ask *ask = context;
    if (!list_empty(&link->unsent))
        return;
    list_append(&ask->unsent, &link->unsent);
    uv_prepare_start(&ask->turn_end, on_turn_end);
}

static void look_at_stalls(struct tcp_ask *ask, uint64_t due)
{
    if (ask->stalls_due != 0 && ask->stalls_due <= due)
        return;
    uint64_t now    = uv_now(ask->loop);
    ask->stalls_due = due;
    uv_timer_start(&ask->stalls, on_stalls, due > now ? due - now : 0, 0);
}

/* ---- upstreams ---- */

static struct upstream *get_upstream(struct tcp_ask *ask, struct remote *remote)
{
    LIST_EACH (item, next, &ask->upstreams) {
        struct upstream *upstream = CONTAINER_OF(item, struct upstream, link);
        if (upstream->pool.remote == remote)
            return upstream;
    }
    struct upstream *upstream = calloc(1, sizeof(*upstream));
    if (!upstream)
        return NULL;
    upstream->ask = ask;
    tcp_pool_init(&upstream->pool, ask->loop, remote, &ask->hooks);
    list_init(&upstream->queue);
    list_append(&ask->upstreams, &upstream->link);
    if (!uv_is_active((uv_handle_t *) &ask->sweep))
        uv_timer_start(&ask->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    return upstream;
}

static void drop_upstream(struct upstream *upstream)
{
    list_remove(&upstream->link);
    tcp_pool_fini(&upstream->pool);
    free(upstream);
}

/* The other of the two; NULL: there is none. */
static struct tcp_sent *other_place(const struct tcp_ticket *ticket, const struct tcp_sent *sent)
{
    return ticket->places[ticket->places[0] == sent];
}

static void clear_place(struct tcp_ticket *ticket, const struct tcp_sent *sent)
{
    ticket->places[ticket->places[0] != sent] = NULL;
}

static void drop_place(struct tcp_ticket *ticket, struct tcp_sent *sent)
{
    clear_place(ticket, sent);
    tcp_link_forget(sent);
}

static int put(struct tcp_link *link, struct tcp_ticket *ticket)
{
    struct tcp_ask  *ask  = ticket->upstream->ask;
    struct tcp_sent *sent = tcp_link_send(link, question_of(ticket), ticket);
    if (!sent)
        return -ENOMEM;
    ticket->places[ticket->places[0] != NULL] = sent;
    ask->stats.sent++;
    look_at_stalls(ask, uv_now(ask->loop) + ticket->stall);
    return 0;
}

static int enqueue(struct upstream *upstream, struct tcp_ticket *ticket) /* [5] */
{
    if (!tcp_pool_is_short(&upstream->pool) || upstream->queue_count >= QUEUE)
        return -EBUSY;
    list_append(&upstream->queue, &ticket->link);
    upstream->queue_count++;
    return 0;
}

static int place(struct tcp_ticket *ticket, enum tcp_want want)
{
    struct upstream *upstream = ticket->upstream;
    struct tcp_link *link;
    int              error = tcp_pool_get(&upstream->pool, id_of(ticket), want, 0, &link);
    if (error == -EBUSY && enqueue(upstream, ticket) == 0)
        return 0;
    if (error < 0 && !(link = tcp_pool_find_any(&upstream->pool, id_of(ticket))))
        return error;
    return put(link, ticket);
}

static void leave_queue(struct tcp_ticket *ticket)
{
    if (list_empty(&ticket->link))
        return;
    list_remove(&ticket->link);
    if (ticket->upstream)
        ticket->upstream->queue_count--;
}

static void tell_broken(struct tcp_ticket *ticket)
{
    struct tcp_ask *ask = ticket->upstream->ask;
    ticket->upstream    = NULL;
    ask->handle(ask->context, ticket->owner, TCP_BROKEN, (struct view){0});
}

/* It may be called while the owner of another ticket releases that one, and tells nobody of anything. */
static void serve_queue(struct upstream *upstream)
{
    while (!list_empty(&upstream->queue)) {
        struct tcp_ticket *ticket = CONTAINER_OF(upstream->queue.next, struct tcp_ticket, link);
        struct tcp_link   *link;
        int                error = tcp_pool_get(&upstream->pool, id_of(ticket), TCP_WANT_ANY, 0, &link);
        if (error == -EBUSY && upstream->pool.link_count > 0)
            return;
        leave_queue(ticket);
        if (error < 0 || put(link, ticket) < 0) {
            ticket->upstream = NULL;
            list_append(&upstream->ask->broken, &ticket->link);
            look_at_stalls(upstream->ask, uv_now(upstream->ask->loop));
        }
    }
}

/* ---- closing ---- */

static void forget_link(struct upstream *upstream, struct tcp_link *link)
{
    LIST_EACH (item, next, &link->replied) {
        CONTAINER_OF(item, struct tcp_ticket, replied_link)->replied_on = NULL;
        list_remove(item);
    }
    upstream->ask->stats.stray += link->strays;
    upstream->ask->stats.connections--;
    tcp_pool_drop(&upstream->pool);
}

static void close_link(struct tcp_link *link)
{
    struct upstream *upstream = upstream_of(link);
    forget_link(upstream, link);
    tcp_link_close(link);
    serve_queue(upstream);
}

/* Nobody waits on it, or is about to say how long it is kept, and nothing more is to be asked through it. */
static void close_if_done(struct tcp_link *link)
{
    struct upstream *upstream = upstream_of(link);
    if (link->waiting == 0 && list_empty(&link->replied) && link->state != TCP_LINK_CLOSED &&
        tcp_pool_is_done(&upstream->pool, link))
        close_link(link);
}

static struct tcp_link *overdue(struct upstream *upstream, uint64_t now)
{
    LIST_EACH (item, next, &upstream->pool.links) {
        struct tcp_link *link = CONTAINER_OF(item, struct tcp_link, link);
        if (link->state < TCP_LINK_OPEN && now - link->dialed >= TCP_LINK_OPENING)
            return link;
    }
    return NULL;
}

static void on_sweep(uv_timer_t *timer)
{
    struct tcp_ask *ask = timer->data;
    uint64_t        now = uv_now(ask->loop);
    if (ask->begin)
        ask->begin(ask->context);
    LIST_EACH (item, next, &ask->upstreams) {
        struct upstream *upstream = CONTAINER_OF(item, struct upstream, link);
        struct tcp_link *late;
        while ((late = overdue(upstream, now)))
            tcp_link_expire(late);
        LIST_EACH (item2, next2, &upstream->pool.links) {
            struct tcp_link *link = CONTAINER_OF(item2, struct tcp_link, link);
            if (link->waiting == 0 && now - link->idle_since >= link->idle_ms)
                close_link(link);
            else
                close_if_done(link);
        }
        serve_queue(upstream);
        if (upstream->pool.link_count == 0 && upstream->queue_count == 0 && !tcp_pool_is_remembered(&upstream->pool)) {
            drop_upstream(upstream);
        }
    }
    if (list_empty(&ask->upstreams))
        uv_timer_stop(&ask->sweep);
}

/* ---- questions that stall, connections that are silent ---- */

/* Asks it through another connection, too, that lives (`since`: see tcp_pool_get()); `worst`: the place that is given
 * up for it, if there are two. False: there is no such connection now. */
static bool ask_elsewhere(struct tcp_ticket *ticket, struct tcp_sent *worst, enum tcp_want want,
                          uint64_t since) /* [2] */
{
    struct tcp_link *link;
    if (tcp_pool_get(&ticket->upstream->pool, id_of(ticket), want, since, &link) < 0)
        return false;
    if (ticket->places[0] && ticket->places[1])
        drop_place(ticket, worst);
    ticket->upstream->ask->stats.stalled++;
    return put(link, ticket) == 0;
}

static void give_up(struct tcp_link *link) /* [3] */
{
    link->given_up = true;
    LIST_EACH (item, next, &link->order) {
        struct tcp_sent   *sent   = CONTAINER_OF(item, struct tcp_sent, order);
        struct tcp_ticket *ticket = sent->owner;
        if (!ask_elsewhere(ticket, sent, TCP_WANT_LIVE, link->silent) && !other_place(ticket, sent) &&
            enqueue(upstream_of(link), ticket) == 0)
            drop_place(ticket, sent);
    }
}

/* A handshake takes several round trips, and what it costs is not to be spent twice. */
static uint64_t stalls_at(const struct tcp_link *link, const struct tcp_sent *sent, const struct tcp_ticket *ticket)
{
    return link->state < TCP_LINK_OPEN ? link->dialed + 2 * ticket->stall : sent->at + ticket->stall;
}

/* Deals with what stalls on the link; returns when to look again, UINT64_MAX: when something was asked. */
static uint64_t look_at(struct tcp_link *link, uint64_t now)
{
    if (link->silent && !link->given_up) {
        if (now - link->silent < TCP_ASK_GRACE)
            return link->silent + TCP_ASK_GRACE;
        give_up(link);
    }
    LIST_EACH (item, next, &link->order) {
        struct tcp_sent   *sent   = CONTAINER_OF(item, struct tcp_sent, order);
        struct tcp_ticket *ticket = sent->owner;
        struct tcp_sent   *other  = other_place(ticket, sent);
        if ((other && other->at >= sent->at) || ticket->again == 0) /* that one's turn, or nobody's */
            continue;
        uint64_t due = stalls_at(link, sent, ticket);
        if (now < due)
            return due;
        if (!ask_elsewhere(ticket, other, link->silent ? TCP_WANT_LIVE : TCP_WANT_SECOND, sent->at))
            return now + AGAIN_MS;
        ticket->again--;
    }
    return UINT64_MAX;
}

static void on_stalls(uv_timer_t *timer)
{
    struct tcp_ask *ask = timer->data;
    uint64_t        due = UINT64_MAX;
    if (ask->begin)
        ask->begin(ask->context);
    ask->stalls_due = 0;
    while (!list_empty(&ask->broken)) {
        struct tcp_ticket *ticket = CONTAINER_OF(ask->broken.next, struct tcp_ticket, link);
        list_remove(&ticket->link);
        ask->handle(ask->context, ticket->owner, TCP_BROKEN, (struct view){0});
    }
    LIST_EACH (item, next, &ask->upstreams) {
        struct upstream *upstream = CONTAINER_OF(item, struct upstream, link);
        LIST_EACH (item2, next2, &upstream->pool.links) {
            uint64_t next_look = look_at(CONTAINER_OF(item2, struct tcp_link, link), uv_now(ask->loop));
            due                = next_look < due ? next_look : due;
        }
    }
    if (due != UINT64_MAX)
        look_at_stalls(ask, due);
}

/* ---- what comes back ---- */

/* Another connection has answered what this one has not, which was asked before, nor anything else of late. */
static void note_silence(struct tcp_sent *other, const struct tcp_sent *sent)
{
    struct tcp_link *link  = other->on;
    uint64_t         now   = uv_now(link->loop);
    uint64_t         since = link->asked > other->at ? link->asked : other->at;
    if (other->at > sent->at || link->silent || link->asked == 0 || now - since < TCP_ASK_STALL / 2)
        return;
    link->silent = now;
    tcp_pool_note_few(link->owner, link);
    look_at_stalls(upstream_of(link)->ask, now + TCP_ASK_GRACE);
}

static void on_replied(void *context, struct tcp_link *link, struct tcp_sent *sent, struct view message)
{
    struct tcp_ask    *ask    = context;
    struct tcp_ticket *ticket = sent->owner;
    struct tcp_sent   *other  = other_place(ticket, sent);
    link->given_up            = false;
    if (other) {
        note_silence(other, sent);
        tcp_link_forget(other);
    }
    struct upstream *upstream = upstream_of(link);
    memset(ticket->places, 0, sizeof(ticket->places));
    ticket->upstream   = NULL;
    ticket->replied_on = link;
    list_append(&link->replied, &ticket->replied_link);
    ask->stats.received++;
    ask->handle(ask->context, ticket->owner, TCP_REPLY, message);
    close_if_done(link);
    serve_queue(upstream);
}

/* The server did not process it, or could not: once more elsewhere in the first case. */
static void on_refused(void *context, struct tcp_link *link, struct tcp_sent *sent, enum http_failure failure)
{
    struct tcp_ticket *ticket = sent->owner;
    (void) context;
    clear_place(ticket, sent);
    if (ticket->places[0] || ticket->places[1])
        return;
    bool again      = failure == HTTP_REFUSED && (!ticket->retried || link->answers > 0);
    ticket->retried = true;
    if (!again || place(ticket, TCP_WANT_FRESH) < 0)
        tell_broken(ticket);
}

static void on_paused(void *context, struct tcp_link *link, msec_t pause)
{
    (void) context;
    tcp_pool_pause(link->owner, pause);
}

static void on_link_ready(void *context, struct tcp_link *link)
{
    (void) context;
    tcp_pool_note_ready(link->owner);
    serve_queue(upstream_of(link));
}

/* `connected`: it was open, so that its server is there and only this connection has come to its end. */
static void on_ended(void *context, struct tcp_link *link, bool connected) /* [1] */
{
    struct tcp_ask  *ask      = context;
    struct upstream *upstream = upstream_of(link);
    bool             answered = link->answers > 0;
    tcp_pool_note_end(&upstream->pool, link, connected);
    forget_link(upstream, link);
    if (link->waiting > 0) {
        ask->stats.broken++;
        tcp_pool_note_few(&upstream->pool, link);
    }
    while (!list_empty(&link->order)) {
        struct tcp_sent   *sent   = CONTAINER_OF(link->order.next, struct tcp_sent, order);
        struct tcp_ticket *ticket = sent->owner;
        drop_place(ticket, sent);
        if (ticket->places[0] || ticket->places[1])
            continue;
        bool again      = connected && (!ticket->retried || answered);
        ticket->retried = true;
        if (!again || place(ticket, TCP_WANT_FRESH) < 0)
            tell_broken(ticket);
    }
    serve_queue(upstream);
}

static void begin_turn(void *context)
{
    struct tcp_ask *ask = context;
    if (ask->begin)
        ask->begin(ask->context);
}

static void on_opened(void *context)
{
    struct tcp_ask *ask = context;
    ask->handles++;
    ask->stats.opened++;
    ask->stats.connections++;
}

static void drop_handle(void *context)
{
    struct tcp_ask *ask = context;
    if (--ask->handles > 0)
        return;
    LIST_EACH (item, next, &ask->upstreams)
        drop_upstream(CONTAINER_OF(item, struct upstream, link));
    free(ask);
}

/* ---- public ---- */

int tcp_ask_open(struct tcp_ask *ask, struct remote *server, struct view question, void *owner, unsigned rtt,
                 unsigned again, struct tcp_ticket **ret)
{
    assert(question.len >= 2);
    struct upstream   *upstream = get_upstream(ask, server);
    struct tcp_ticket *ticket   = upstream ? calloc(1, sizeof(*ticket) + question.len) : NULL;
    if (!ticket)
        return -ENOMEM;
    ticket->upstream = upstream;
    ticket->owner    = owner;
    ticket->stall    = 2 * rtt > TCP_ASK_STALL ? 2 * rtt : TCP_ASK_STALL;
    ticket->again    = again;
    ticket->len      = question.len;
    list_init(&ticket->link);
    list_init(&ticket->replied_link);
    memcpy(ticket->question, question.data, question.len);
    int error = place(ticket, TCP_WANT_ANY);
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
    struct tcp_link *link = ticket->replied_on;
    if (!link)
        return;
    if (ms <= IDLE_MARGIN_MS)
        link->idle_ms = 0;
    else
        link->idle_ms = ms < IDLE_MAX_MS + IDLE_MARGIN_MS ? (unsigned) ms - IDLE_MARGIN_MS : IDLE_MAX_MS;
}

void tcp_ask_release(struct tcp_ask *ask, struct tcp_ticket *ticket)
{
    struct tcp_link *links[PLACES + 1] = {ticket->replied_on};
    ask->tickets--;
    leave_queue(ticket);
    for (unsigned i = 0; i < PLACES; i++) {
        if (!ticket->places[i])
            continue;
        links[i + 1] = ticket->places[i]->on;
        tcp_link_forget(ticket->places[i]);
    }
    list_remove(&ticket->replied_link);
    free(ticket);
    for (unsigned i = 0; i < PLACES + 1; i++)
        if (links[i])
            close_if_done(links[i]);
}

struct tcp_ask *tcp_ask_create(uv_loop_t *loop, tcp_ask_fn handle, void (*begin)(void *context), wall_t (*wall)(void),
                               void *context)
{
    struct tcp_ask *ask = calloc(1, sizeof(*ask));
    if (!ask)
        return NULL;
    ask->loop    = loop;
    ask->handle  = handle;
    ask->begin   = begin;
    ask->context = context;
    ask->hooks   = (struct tcp_link_hooks){.context    = ask,
                                           .buffer     = ask->input,
                                           .buffer_len = READ,
                                           .begin      = begin_turn,
                                           .wall       = wall,
                                           .replied    = on_replied,
                                           .refused    = on_refused,
                                           .paused     = on_paused,
                                           .ready      = on_link_ready,
                                           .ended      = on_ended,
                                           .unsent     = on_unsent,
                                           .opened     = on_opened,
                                           .freed      = drop_handle};
    list_init(&ask->upstreams);
    list_init(&ask->broken);
    list_init(&ask->unsent);
    uv_timer_init(loop, &ask->sweep);
    uv_timer_init(loop, &ask->stalls);
    uv_prepare_init(loop, &ask->turn_end);
    ask->sweep.data = ask->stalls.data = ask->turn_end.data = ask;
    ask->handles                                            = 3;
    return ask;
}

static void on_own_closed(uv_handle_t *handle) { drop_handle(handle->data); }

void tcp_ask_close(struct tcp_ask *ask)
{
    assert(ask->tickets == 0);
    LIST_EACH (item, next, &ask->upstreams) {
        struct upstream *upstream = CONTAINER_OF(item, struct upstream, link);
        LIST_EACH (item2, next2, &upstream->pool.links)
            close_link(CONTAINER_OF(item2, struct tcp_link, link));
    }
    uv_close((uv_handle_t *) &ask->sweep, on_own_closed);
    uv_close((uv_handle_t *) &ask->stalls, on_own_closed);
    uv_close((uv_handle_t *) &ask->turn_end, on_own_closed);
}

const struct tcp_ask_stats *tcp_ask_read_stats(const struct tcp_ask *ask) { return &ask->stats; }
