/*
 * tcp_ask.h: questions to upstreams over kept TCP connections, pipelined, answered in any order (RFC 7766). Knows ids
 * and the two length bytes, not DNS. One of these belongs to one thread and one uv_loop.
 *
 * A connection is opened on the first question to an address, shared by all that follow, and closed after 10 s without
 * questions, or what the server says instead (tcp_ask_keep()). When it breaks, what waits on it is sent once more at
 * once on fresh ones, of which there are at most LIMIT_TCP_UPSTREAM to an address. When none comes about, or one breaks
 * without an answer to anything, its tickets get TCP_BROKEN. How long to wait, for the connection too, is the caller's
 * business: it releases the ticket.
 */
#ifndef NET_TCP_ASK_H
#define NET_TCP_ASK_H

#include "base/address.h"

#include <uv.h>

struct tcp_ask;
struct tcp_ticket;

enum tcp_event {
    TCP_REPLY,  /* a message with this ticket's id */
    TCP_BROKEN, /* refused, or reset, closed or nonsense a second time; `message` is empty */
};
typedef void (*tcp_ask_fn)(void *context, void *owner, enum tcp_event event, struct view message);

struct tcp_ask_stats {
    uint64_t connections, opened, sent, received, stray, broken;
};

struct tcp_ask *tcp_ask_create(uv_loop_t *loop, tcp_ask_fn handle, void (*begin)(void *context), void *context);
/* Sends `question` (its first two bytes are the id; an id in use on the connection moves it to another connection).
 * Events come later, never from inside this call. Where no further connection can be opened, any that there is carries
 * it. -errno: nothing is open; -EBUSY: there are LIMIT_TCP_UPSTREAM connections to the server, and on all of them that
 * id, or 1000 others. */
int tcp_ask_open(struct tcp_ask *ask, const struct address *server, struct view question, void *owner,
                 struct tcp_ticket **ret);
/* What the reply says of how long the server keeps the connection without a question (RFC 7828), ms; 0: it wants it
 * closed, and gets no more questions. It holds until the server says otherwise. To be called before the ticket is
 * released; without a reply nothing happens. */
void tcp_ask_keep(struct tcp_ticket *ticket, int ms);
void tcp_ask_release(struct tcp_ask *ask, struct tcp_ticket *ticket);
/* Every ticket must have been released. Memory is freed when libuv is done (run the loop). */
void                        tcp_ask_close(struct tcp_ask *ask);
const struct tcp_ask_stats *tcp_ask_read_stats(const struct tcp_ask *ask);

#endif
