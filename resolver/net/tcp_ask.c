/*
 * tcp_ask.c: see tcp_ask.h; numbers in brackets are its points. What comes of
 * questions and connections, and their life; where each question is, tcp_ticket.h says.
 *
 * Must not know: DNS beyond the id and the two length bytes.
 */
#include "net/tcp_ask.h"

#include "net/tcp_ticket.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    IDLE_MAX_MS    = 30000, /* however patient the server is: what stands between may forget the connection */
    IDLE_MARGIN_MS = 2000,  /* before the server's time is over: SWEEP_MS, and a question on its way */
    SWEEP_MS       = 1000,  /* at most this late */
};

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
    struct upstream *upstream = tcp_upstream_of(link);
    forget_link(upstream, link);
    tcp_link_close(link);
    tcp_ticket_serve(upstream);
}

/* Nobody waits on it, or is about to say how long it is kept, and nothing more is to be asked through it. */
static void close_if_done(struct tcp_link *link)
{
    struct upstream *upstream = tcp_upstream_of(link);
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
        tcp_ticket_serve(upstream);
        if (upstream->pool.link_count == 0 && upstream->queue_count == 0 && !tcp_pool_is_remembered(&upstream->pool)) {
            drop_upstream(upstream);
        }
    }
    if (list_empty(&ask->upstreams))
        uv_timer_stop(&ask->sweep);
}

/* ---- questions that stall, connections that are silent ---- */

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
            uint64_t next_look = tcp_ticket_stalls(CONTAINER_OF(item2, struct tcp_link, link), uv_now(ask->loop));
            due                = next_look < due ? next_look : due;
        }
    }
    LIST_EACH (item, next, &ask->upstreams)
        tcp_ticket_serve(CONTAINER_OF(item, struct upstream, link));
    if (due != UINT64_MAX)
        tcp_ticket_look_at(ask, due);
}

/* ---- what comes back ---- */

static void on_replied(void *context, struct tcp_link *link, struct tcp_sent *sent, struct view message)
{
    struct tcp_ask    *ask    = context;
    struct tcp_ticket *ticket = sent->owner;
    struct tcp_sent   *other  = tcp_ticket_other(ticket, sent);
    link->given_up            = false;
    if (link->answers == 1)
        tcp_pool_note_answer(link->owner);
    if (other) {
        tcp_ticket_note_silence(other, sent);
        tcp_link_forget(other);
    }
    struct upstream *upstream = tcp_upstream_of(link);
    memset(ticket->places, 0, sizeof(ticket->places));
    ticket->upstream   = NULL;
    ticket->replied_on = link;
    list_append(&link->replied, &ticket->replied_link);
    ask->stats.received++;
    ask->handle(ask->context, ticket->owner, TCP_REPLY, message);
    close_if_done(link);
    tcp_ticket_serve(upstream);
}

/* The server did not process it, or could not: once more elsewhere in the first case. What the end of a connection has
 * refused is not counted: on the next one others may come first again, and those that answer nothing end by [7]. */
static void on_refused(void *context, struct tcp_link *link, struct tcp_sent *sent, enum http_failure failure)
{
    struct tcp_ticket *ticket   = sent->owner;
    struct upstream   *upstream = tcp_upstream_of(link);
    (void) context;
    tcp_ticket_clear(ticket, sent);
    bool elsewhere = ticket->places[0] || ticket->places[1];
    bool leaving   = channel_is_leaving(link->channel);
    bool again     = failure == HTTP_REFUSED && (leaving || ticket->refusals++ < TCP_ASK_REFUSALS); /* [9] */
    if (!elsewhere && (!again || tcp_ticket_place(ticket, leaving ? TCP_WANT_ANY : TCP_WANT_FRESH) < 0))
        tcp_ticket_tell_broken(ticket);
    close_if_done(link);
    tcp_ticket_serve(upstream);
}

static void on_paused(void *context, struct tcp_link *link, msec_t pause)
{
    (void) context;
    tcp_pool_pause(link->owner, pause);
}

static void on_link_ready(void *context, struct tcp_link *link)
{
    (void) context;
    tcp_ticket_serve(tcp_upstream_of(link));
}

/* `connected`: it was open, so that its server is there and only this connection has come to its end. */
static void on_ended(void *context, struct tcp_link *link, bool connected) /* [1] */
{
    struct tcp_ask  *ask      = context;
    struct upstream *upstream = tcp_upstream_of(link);
    bool             answered = link->answers > 0, costly = tcp_pool_is_costly(&upstream->pool);
    tcp_pool_note_end(&upstream->pool, link, connected);
    forget_link(upstream, link);
    if (link->waiting > 0) {
        ask->stats.broken++;
        tcp_pool_note_few(&upstream->pool, link);
    }
    while (!list_empty(&link->order)) {
        struct tcp_sent   *sent   = CONTAINER_OF(link->order.next, struct tcp_sent, order);
        struct tcp_ticket *ticket = sent->owner;
        tcp_ticket_drop(ticket, sent);
        if (ticket->places[0] || ticket->places[1])
            continue;
        bool again      = connected ? !ticket->retried || answered : costly && !ticket->retried;
        ticket->retried = true;
        if (!again || tcp_ticket_place(ticket, TCP_WANT_FRESH) < 0)
            tcp_ticket_tell_broken(ticket);
    }
    tcp_ticket_serve(upstream);
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
    int error = tcp_ticket_place(ticket, TCP_WANT_ANY);
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
    struct tcp_link *links[TCP_ASK_PLACES + 1] = {ticket->replied_on};
    ask->tickets--;
    tcp_ticket_leave_queue(ticket);
    for (unsigned i = 0; i < TCP_ASK_PLACES; i++) {
        if (!ticket->places[i])
            continue;
        links[i + 1] = ticket->places[i]->on;
        tcp_link_forget(ticket->places[i]);
    }
    list_remove(&ticket->replied_link);
    free(ticket);
    for (unsigned i = 0; i < TCP_ASK_PLACES + 1; i++)
        if (links[i])
            close_if_done(links[i]);
}

struct tcp_ask *tcp_ask_create(uv_loop_t *loop, tcp_ask_fn handle, void (*begin)(void *context), wall_t (*wall)(void),
                               void *context)
{
    struct tcp_ask *ask = calloc(1, sizeof(*ask));
    if (!ask)
        return NULL;
    ask->loop      = loop;
    ask->handle    = handle;
    ask->begin     = begin;
    ask->context   = context;
    ask->hooks     = (struct tcp_link_hooks){.context    = ask,
                                             .buffer     = ask->input,
                                             .buffer_len = TCP_ASK_READ,
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
    ask->on_stalls = on_stalls;
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
