/*
 * tcp_link.h: one TCP connection to an upstream, whatever it carries (stream/channel), and the questions on it by id
 * (RFC 7766: pipelined, answered in any order). Knows ids, not which question goes where. Part of tcp_ask.
 *
 * Thread: owner, whose loop it is on.
 */
#ifndef NET_TCP_LINK_H
#define NET_TCP_LINK_H

#include "base/list.h"
#include "net/tcp_output.h"
#include "stream/channel.h"
#include "stream/remote.h"

#include <uv.h>

enum {
    TCP_LINK_BUCKETS = 64,    /* a power of two; questions by the low bits of their id */
    TCP_LINK_IDLE    = 10000, /* ms; RFC 7766 wants seconds; servers that are less patient close it themselves */
    TCP_LINK_OPENING = 3000,  /* ms for all that comes before the first question: TCP, the proxy, TLS */
};

struct tcp_link;

struct tcp_sent {           /* a question on a link; on the heap, owned by the link */
    struct list      link;  /* in a bucket */
    struct list      order; /* among those that somebody waits for, in the order in which they were sent */
    struct tcp_link *on;
    void            *owner; /* NULL: nobody waits, and its id stays taken until the reply comes */
    uint64_t         at;    /* uv_now() when it was sent */
    uint16_t         id;
};

/* What all links of a tcp_ask have in common. */
struct tcp_link_hooks {
    void    *context;
    uint8_t *buffer; /* for what is read; borrowed, as long as there is a link */
    size_t   buffer_len;
    void (*begin)(void *context); /* before anything else in a turn */
    wall_t (*wall)(void);         /* the calendar, for certificates */
    /* A reply to a question that somebody waits for, and that is on the link no more; `sent` is freed after the call.
     */
    void (*replied)(void *context, struct tcp_link *link, struct tcp_sent *sent, struct view message);
    /* The server will not answer this one on this connection; it is on the link no more. */
    void (*refused)(void *context, struct tcp_link *link, struct tcp_sent *sent, enum http_failure failure);
    /* It wants to be left in peace for so long, ms. */
    void (*paused)(void *context, struct tcp_link *link, msec_t pause);
    /* All that comes before the first question is done. */
    void (*ready)(void *context, struct tcp_link *link);
    /* The connection has come to its end, for whatever reason. `connected`: it was open. What somebody waits for is
     * still in link->order, and to be forgotten (tcp_link_forget()); the link is freed after the call. */
    void (*ended)(void *context, struct tcp_link *link, bool connected);
    /* Something is to be sent: tcp_link_flush() before the loop waits. It may be told more than once. */
    void (*unsent)(void *context, struct tcp_link *link);
    void (*opened)(void *context); /* there is one more, which will be freed */
    void (*freed)(void *context);
};

enum tcp_link_state {
    TCP_LINK_CONNECTING, /* TCP */
    TCP_LINK_OPENING_UP, /* the proxy, TLS */
    TCP_LINK_OPEN,
    TCP_LINK_CLOSED, /* waits for libuv */
};

struct tcp_link {
    struct list                  link; /* tcp_ask's */
    void                        *owner;
    const struct tcp_link_hooks *hooks;
    uv_loop_t                   *loop;
    uv_poll_t                    poll;
    int                          fd;
    enum tcp_link_state          state;
    struct remote               *remote; /* counted */
    struct channel              *channel;
    struct tcp_output            out;
    struct list                  unsent; /* tcp_ask's, for those that are to be flushed */
    struct list                  buckets[TCP_LINK_BUCKETS];
    struct list                  order;
    unsigned                     questions; /* in the buckets */
    unsigned                     waiting;   /* of these, awaited by somebody */
    unsigned                     used;      /* questions so far */
    uint64_t                     answers;   /* to questions of ours */
    uint64_t                     strays;    /* messages that were not */
    uint64_t asked;  /* since when it owes an answer, uv_now(): each answer puts that off; 0: it owes none */
    uint64_t proved; /* when it last answered, or was opened, uv_now() */
    uint64_t dialed; /* uv_now() */
    uint64_t idle_since;
    int      events;     /* watched */
    bool     complained; /* that the remote was told of a question that failed; the next answer takes it back */
    bool     choked;     /* there was no memory for what is to be sent */
    /* tcp_ask's own */
    unsigned    idle_ms;  /* 0: no more questions, and closed when nobody waits */
    uint64_t    silent;   /* when another link answered what this one has not; 0: it did not, or this one has since */
    bool        given_up; /* what waits on it is asked elsewhere */
    struct list replied;  /* tickets whose reply came by it */
};

/* 0 and *ret, or -errno. `hooks` and `ticket` are borrowed, of `remote` a share is taken. */
int tcp_link_open(uv_loop_t *loop, struct remote *remote, struct tls_ticket *ticket, const struct tcp_link_hooks *hooks,
                  void *owner, struct tcp_link **ret);
/* Puts the question on it; its first two bytes are the id, which must be free (tcp_link_can_carry()). What goes wrong with
 * sending is told later. NULL: no memory. */
struct tcp_sent *tcp_link_send(struct tcp_link *link, struct view question, void *owner);
/* Sends what questions have left to be sent: all those of a turn in one go. */
void tcp_link_flush(struct tcp_link *link);
/* One more question of that id finds room on it. */
bool tcp_link_can_carry(struct tcp_link *link, uint16_t id);
/* It has not come open within TCP_LINK_OPENING: ends it, as if it had broken. */
void tcp_link_expire(struct tcp_link *link);
/* Nobody waits for it any more. */
void tcp_link_forget(struct tcp_sent *sent);
/* Closes it; `ended` is not called. Nobody may wait on it. Its memory is freed when libuv is done (run the loop), and
 * `freed` is called then. */
void tcp_link_close(struct tcp_link *link);

#endif
