/*
 * tcp_ticket.c: see tcp_ticket.h; numbers in brackets are the points of tcp_ask.h.
 */
#include "net/tcp_ticket.h"

#include "base/bytes.h"

#include <errno.h>

enum {
    AGAIN_MS = 100, /* until a question that stalls, and found no connection, is looked at once more */
    QUEUE    = 1000 /* questions that wait for a connection to one server */
};

static uint16_t id_of(const struct tcp_ticket *ticket) { return get_u16(ticket->question); }

static struct view question_of(const struct tcp_ticket *ticket) { return (struct view){ticket->question, ticket->len}; }

void tcp_ticket_look_at(struct tcp_ask *ask, uint64_t due)
{
    if (ask->stalls_due != 0 && ask->stalls_due <= due)
        return;
    uint64_t now    = uv_now(ask->loop);
    ask->stalls_due = due;
    uv_timer_start(&ask->stalls, ask->on_stalls, due > now ? due - now : 0, 0);
}

/* ---- places, and the queue ---- */

/* The other of the two; NULL: there is none. */
struct tcp_sent *tcp_ticket_other(const struct tcp_ticket *ticket, const struct tcp_sent *sent)
{
    return ticket->places[ticket->places[0] == sent];
}

void tcp_ticket_clear(struct tcp_ticket *ticket, const struct tcp_sent *sent)
{
    ticket->places[ticket->places[0] != sent] = NULL;
}

void tcp_ticket_drop(struct tcp_ticket *ticket, struct tcp_sent *sent)
{
    tcp_ticket_clear(ticket, sent);
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
    tcp_ticket_look_at(ask, uv_now(ask->loop) + ticket->stall);
    return 0;
}

static int enqueue(struct upstream *upstream, struct tcp_ticket *ticket) /* [5] [7] */
{
    if (upstream->queue_count >= QUEUE)
        return -EBUSY;
    list_append(&upstream->queue, &ticket->link);
    upstream->queue_count++;
    return 0;
}

/* It rests, or pauses, for no longer than a question may wait. */
static bool waits_briefly(const struct upstream *upstream)
{
    uint64_t until = tcp_pool_waits_until(&upstream->pool), now = uv_now(upstream->ask->loop);
    if (until <= now || until - now > TCP_ASK_WAIT)
        return false;
    tcp_ticket_look_at(upstream->ask, until);
    return true;
}

int tcp_ticket_place(struct tcp_ticket *ticket, enum tcp_want want)
{
    struct upstream *upstream = ticket->upstream;
    struct tcp_link *link;
    int              error = tcp_pool_get(&upstream->pool, id_of(ticket), want, 0, &link);
    if (error == 0)
        return put(link, ticket);
    if (error == -EBUSY && tcp_pool_is_short(&upstream->pool) && enqueue(upstream, ticket) == 0)
        return 0;
    if (error != -EHOSTDOWN && (link = tcp_pool_find_any(&upstream->pool, id_of(ticket))))
        return put(link, ticket);
    bool few   = remote_way(upstream->pool.remote)->form == WAY_HTTPS; /* its connections have room for few at once */
    bool waits = error == -EHOSTDOWN ? waits_briefly(upstream) : error == -EBUSY && few;
    return waits && enqueue(upstream, ticket) == 0 ? 0 : error;
}

void tcp_ticket_leave_queue(struct tcp_ticket *ticket)
{
    if (list_empty(&ticket->link))
        return;
    list_remove(&ticket->link);
    if (ticket->upstream)
        ticket->upstream->queue_count--;
}

void tcp_ticket_tell_broken(struct tcp_ticket *ticket)
{
    struct tcp_ask *ask = ticket->upstream->ask;
    ticket->upstream    = NULL;
    ask->handle(ask->context, ticket->owner, TCP_BROKEN, (struct view){0});
}

/* It may be called while the owner of another ticket releases that one, and tells nobody of anything. */
void tcp_ticket_serve(struct upstream *upstream)
{
    while (!list_empty(&upstream->queue)) {
        struct tcp_ticket *ticket = CONTAINER_OF(upstream->queue.next, struct tcp_ticket, link);
        struct tcp_link   *link;
        int                error = tcp_pool_get(&upstream->pool, id_of(ticket), TCP_WANT_ANY, 0, &link);
        if (error == 0)
            error = put(link, ticket) < 0 ? -EBUSY : 0;
        bool waits = error == -EHOSTDOWN ? waits_briefly(upstream) : error == -EBUSY && upstream->pool.link_count > 0;
        if (waits)
            return;
        tcp_ticket_leave_queue(ticket);
        if (error < 0) {
            ticket->upstream = NULL;
            list_append(&upstream->ask->broken, &ticket->link);
            tcp_ticket_look_at(upstream->ask, uv_now(upstream->ask->loop));
        }
    }
}

/* ---- what stalls ---- */

/* Asks it through another connection, too, that lives (`since`: see tcp_pool_get()); `worst`: the place that is given
 * up for it, if there are two. False: there is no such connection now. */
static bool ask_elsewhere(struct tcp_ticket *ticket, struct tcp_sent *worst, enum tcp_want want,
                          uint64_t since) /* [2] */
{
    struct tcp_link *link;
    if (tcp_pool_get(&ticket->upstream->pool, id_of(ticket), want, since, &link) < 0)
        return false;
    if (ticket->places[0] && ticket->places[1])
        tcp_ticket_drop(ticket, worst);
    ticket->upstream->ask->stats.stalled++;
    return put(link, ticket) == 0;
}

static void give_up(struct tcp_link *link) /* [3] */
{
    link->given_up = true;
    LIST_EACH (item, next, &link->order) {
        struct tcp_sent   *sent   = CONTAINER_OF(item, struct tcp_sent, order);
        struct tcp_ticket *ticket = sent->owner;
        if (!ask_elsewhere(ticket, sent, TCP_WANT_LIVE, link->silent) && !tcp_ticket_other(ticket, sent) &&
            tcp_pool_is_short(link->owner) && enqueue(tcp_upstream_of(link), ticket) == 0)
            tcp_ticket_drop(ticket, sent);
    }
}

/* A handshake takes several round trips, and what it costs is not to be spent twice. */
static uint64_t stalls_at(const struct tcp_link *link, const struct tcp_sent *sent, const struct tcp_ticket *ticket)
{
    return link->state < TCP_LINK_OPEN ? link->dialed + 2 * ticket->stall : sent->at + ticket->stall;
}

/* Deals with what stalls on the link; returns when to look again, UINT64_MAX: when something was asked. */
uint64_t tcp_ticket_stalls(struct tcp_link *link, uint64_t now)
{
    if (link->silent && !link->given_up) {
        if (now - link->silent < TCP_ASK_GRACE)
            return link->silent + TCP_ASK_GRACE;
        give_up(link);
    }
    LIST_EACH (item, next, &link->order) {
        struct tcp_sent   *sent   = CONTAINER_OF(item, struct tcp_sent, order);
        struct tcp_ticket *ticket = sent->owner;
        struct tcp_sent   *other  = tcp_ticket_other(ticket, sent);
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

/* Another connection has answered what this one has not, which was asked before, nor anything else of late. */
void tcp_ticket_note_silence(struct tcp_sent *other, const struct tcp_sent *sent)
{
    struct tcp_link *link  = other->on;
    uint64_t         now   = uv_now(link->loop);
    uint64_t         since = link->asked > other->at ? link->asked : other->at;
    if (other->at > sent->at || link->silent || link->asked == 0 || now - since < TCP_ASK_STALL / 2)
        return;
    link->silent = now;
    tcp_pool_note_few(link->owner, link);
    tcp_ticket_look_at(tcp_upstream_of(link)->ask, now + TCP_ASK_GRACE);
}
