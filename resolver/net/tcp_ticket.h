/*
 * tcp_ticket.h: questions to upstreams over TCP: on which connections each is, which wait for one, and which stall. Part
 * of tcp_ask, whose numbers in brackets are meant; a ticket is tcp_ask.h's, the rest is tcp_ask.c's own.
 *
 * Thread: owner, whose loop it is on.
 */
#ifndef NET_TCP_TICKET_H
#define NET_TCP_TICKET_H

#include "net/tcp_ask.h"
#include "net/tcp_pool.h"

enum {
    TCP_ASK_READ   = 64 << 10, /* bytes read in a wakeup */
    TCP_ASK_PLACES = 2,        /* connections that one question is on at once */
};

struct tcp_ticket {
    struct list      link;         /* in its upstream's queue, or among the broken */
    struct list      replied_link; /* in its link's list of those that it has answered */
    struct upstream *upstream;     /* NULL: it is broken or answered, and only to be released */
    struct tcp_sent *places[TCP_ASK_PLACES];
    struct tcp_link *replied_on; /* NULL: there was none, or it is gone */
    void            *owner;
    bool             retried;
    unsigned         refusals;
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
    void (*on_stalls)(uv_timer_t *timer);
    uint8_t input[TCP_ASK_READ];
};

static inline struct upstream *tcp_upstream_of(const struct tcp_link *link)
{
    return CONTAINER_OF((struct tcp_pool *) link->owner, struct upstream, pool);
}

/* The timer of stalls fires at `due`, uv_now(), or before. */
void tcp_ticket_look_at(struct tcp_ask *ask, uint64_t due);

/* The other of its two places; NULL: there is none. */
struct tcp_sent *tcp_ticket_other(const struct tcp_ticket *ticket, const struct tcp_sent *sent);
void             tcp_ticket_clear(struct tcp_ticket *ticket, const struct tcp_sent *sent);
void             tcp_ticket_drop(struct tcp_ticket *ticket, struct tcp_sent *sent);
/* Puts it on a connection, or into the queue. -errno: neither. */
int  tcp_ticket_place(struct tcp_ticket *ticket, enum tcp_want want);
void tcp_ticket_leave_queue(struct tcp_ticket *ticket);
void tcp_ticket_tell_broken(struct tcp_ticket *ticket);
/* What waits is put where there is room. It may be called while the owner of another ticket releases that one, and tells
 * nobody of anything. */
void tcp_ticket_serve(struct upstream *upstream);

/* Deals with what stalls on the link; returns when to look again, UINT64_MAX: when something was asked. */
uint64_t tcp_ticket_stalls(struct tcp_link *link, uint64_t now);
/* `other`'s connection has not answered what `sent`'s has, which was asked before, nor anything else of late. */
void tcp_ticket_note_silence(struct tcp_sent *other, const struct tcp_sent *sent);

#endif
