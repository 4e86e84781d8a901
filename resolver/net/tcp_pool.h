/*
 * tcp_pool.h: the connections to one upstream, and which of them carries the next question. Part of tcp_ask, which is
 * it; what its constants mean, and the rules that it serves, tcp_ask.h says.
 *
 * Thread: owner, whose loop it is on.
 */
#ifndef NET_TCP_POOL_H
#define NET_TCP_POOL_H

#include "net/tcp_link.h"

struct tcp_pool {
    uv_loop_t                   *loop;
    const struct tcp_link_hooks *hooks;
    struct remote               *remote; /* counted */
    struct tls_ticket            ticket; /* of its last connection, for the next */
    struct list                  links;  /* each taken out when it ends or is closed */
    unsigned                     link_count;
    uint64_t                     extra; /* uv_now() when one was last opened for a question that stalled; 0: never */
    unsigned                     few;   /* questions that a connection may carry; 0: it is not known to be few [4] */
    uint64_t                     few_since, few_life;
    uint64_t                     most; /* answers behind which the server ends each connection; 0: not known [6] */
    uint64_t                     last_count; /* answers on the one that it ended last */
    unsigned                     barren;     /* connections in a row that came open, and ended without an answer */
    unsigned                     failed;     /* connections in a row that did not come open */
    uint64_t                     rest_since, rest_until; /* uv_now(); 0: it needs none [7] */
    uint64_t                     rest;                   /* ms; the last one */
    uint64_t                     pause_until;            /* uv_now(): the server wants to be left in peace [8] */
};

enum tcp_want {
    TCP_WANT_ANY,    /* the one that answered last, any other, or a new one */
    TCP_WANT_FRESH,  /* rather a new one, or one that has answered nothing yet */
    TCP_WANT_LIVE,   /* as ANY, but not one of which nothing proves that it is no more dead than the last */
    TCP_WANT_SECOND, /* as LIVE, but a new one only if TCP_ASK_EXTRA allows */
};

/* `hooks` is borrowed, of `remote` a share is taken; the owner of each link is the pool. */
void tcp_pool_init(struct tcp_pool *pool, uv_loop_t *loop, struct remote *remote, const struct tcp_link_hooks *hooks);
/* It has no links any more. */
void tcp_pool_fini(struct tcp_pool *pool);
/* A connection that may carry a question of that id, opened if need be. `since`, uv_now(): it must have answered, or
 * been opened, since then; 0: whatever it has done. -errno: *ret is NULL; -EBUSY: none may be opened now; -EHOSTDOWN:
 * it rests [7]. */
int tcp_pool_get(struct tcp_pool *pool, uint16_t id, enum tcp_want want, uint64_t since, struct tcp_link **ret);
/* Any that can, however silent, and whatever its server has said [5]; NULL: there is none. */
struct tcp_link *tcp_pool_find_any(struct tcp_pool *pool, uint16_t id);
/* It is to carry no more questions. */
bool tcp_pool_is_done(const struct tcp_pool *pool, const struct tcp_link *link);
/* One of its links has ended, or is about to be closed. */
void tcp_pool_drop(struct tcp_pool *pool);
/* The server has ended it. `connected`: it had come open. */
void tcp_pool_note_end(struct tcp_pool *pool, const struct tcp_link *link, bool connected);
/* One of its connections has answered its first question. */
void tcp_pool_note_answer(struct tcp_pool *pool);
/* The server wants no questions for so long, on whatever connection. */
void tcp_pool_pause(struct tcp_pool *pool, msec_t pause);
/* Until when it rests, or pauses; 0: it does not. */
uint64_t tcp_pool_waits_until(const struct tcp_pool *pool);
/* It has ended, or fallen silent, with questions open, as any may once; remembered if it answered few [4]. */
void tcp_pool_note_few(struct tcp_pool *pool, const struct tcp_link *link);
bool tcp_pool_is_short(const struct tcp_pool *pool); /* its connections carry few questions, for the time being */
/* What comes before the first question costs the server something, and a border may have a reason of its own. */
bool tcp_pool_is_costly(const struct tcp_pool *pool);
bool tcp_pool_is_remembered(const struct tcp_pool *pool); /* there is something in it that would be missed */

#endif
