/*
 * tcp_ask.h: questions to upstreams over kept TCP connections, pipelined, answered in any order (RFC 7766). Knows ids
 * alone, not DNS.
 *
 * A connection is opened on the first question to an address, shared by all that follow, and closed after 10 s without
 * questions, or what the server says instead (tcp_ask_keep()). How long to wait for a reply is the caller's business:
 * it releases the ticket.
 *
 * CONSTANTS
 *   TCP_ASK_STALL     600 ms  longer than a recursion mostly takes; twice the round trip where that is longer
 *   TCP_ASK_EXTRA     1 s     connections for questions that stall come one in that time: external's cold recursions,
 *                             which take that long, must not burn connections
 *   TCP_ASK_QUIET     1 s     a connection without an answer for so long takes no new question, if it may be helped
 *   TCP_ASK_GRACE     50 ms   from another one's answer to what a connection has not answered, until it is given up
 *   TCP_ASK_REFUSALS  8       times that a question is asked again which a server has not processed
 *   TCP_ASK_BARREN    3       connections; one question alone, which is asked twice, may be what breaks two
 *   TCP_ASK_FEW       32      answers; a server that ends its connections sooner ends them by count, not for idleness
 *   TCP_ASK_FEW_LIFE  10 s    how long that count is believed at first, four times as long each time it proves true
 *                             again, at most …
 *   TCP_ASK_FEW_MAX   10 min  … so long
 *   TCP_ASK_REST      500 ms  without a new connection behind two that failed in their handshakes, twice as long each
 *                             time …
 *   TCP_ASK_REST_MAX  5 s     … but so long at most …
 *   TCP_ASK_REST_CUT  30 s    … or so, where it is cut behind the ClientHello: that may be a border, whose blocks last
 *                             for minutes and are renewed by each try
 *   TCP_ASK_WAIT      2 s     that a question waits for the end of a rest: longer than that somebody else is asked
 *
 * WHAT BREAKS, AND WHAT IS DONE
 *   1. A connection ends (closed, reset) with questions open: they move at once to fresh ones, spread over several, for
 *      one of them may be what breaks it. A question is given up when a connection that answered nothing breaks under
 *      it for the second time.
 *   2. A question stalls: it is asked on a second connection, too, and once more when that one stalls. The first answer
 *      wins. More would only ask a server that does not know, or is gone, without end.
 *   3. The second connection answers what the first has not: the first is silent and takes no more questions. If it has
 *      still not answered anything when the grace is over, all that waits on it is asked elsewhere at once. Any answer
 *      restores it.
 *   4. A connection that was ended, or fell silent, behind few answers: that many questions each from then on, so that
 *      no question need find it out anew; and more connections at once, since each is soon used up.
 *   5. There is no connection that may carry the question, and no further one may be opened: any that there is does,
 *      or, where connections are used up by few questions, or have room for few, it waits for one.
 *   6. The server has ended two in a row behind the same number of answers: no connection carries more, and the next
 *      one is opened before this one is used up.
 *   7. A connection through TLS or a proxy did not come open: its questions are asked once more on another. The second
 *      that does not in a row, or TCP_ASK_BARREN that came open and ended without an answer: for a while no new one is tried, unless one came open in another thread. What finds none
 *      waits for TCP_ASK_WAIT at most, and fails at once where the rest is longer.
 *   8. HTTP says that there were too many questions: none is sent for a while, as in 7.
 *   9. The server has not processed a question (HTTP/2: GOAWAY, REFUSED_STREAM): it is asked on another connection,
 *      behind REFUSED_STREAM but TCP_ASK_REFUSALS times.
 *
 * Thread: owner, whose loop it is on.
 */
#ifndef NET_TCP_ASK_H
#define NET_TCP_ASK_H

#include "base/address.h"

#include <uv.h>

struct remote;
struct tcp_ask;
struct tcp_ticket;

enum { /* see above; ms */
    TCP_ASK_STALL    = 600,
    TCP_ASK_AGAIN    = 2, /* times */
    TCP_ASK_EXTRA    = 1000,
    TCP_ASK_QUIET    = 1000,
    TCP_ASK_GRACE    = 50,
    TCP_ASK_REFUSALS = 8, /* times */
    TCP_ASK_BARREN   = 3,
    TCP_ASK_FEW      = 32,
    TCP_ASK_FEW_LIFE = 10000,
    TCP_ASK_FEW_MAX  = 600000,
    TCP_ASK_REST     = 500,
    TCP_ASK_REST_MAX = 5000,
    TCP_ASK_REST_CUT = 30000,
    TCP_ASK_WAIT     = 2000,
};

enum tcp_event {
    TCP_REPLY,  /* a message with this ticket's id: the last event of the ticket */
    TCP_BROKEN, /* refused, or reset or closed a second time; `message` is empty */
};
typedef void (*tcp_ask_fn)(void *context, void *owner, enum tcp_event event, struct view message);

struct tcp_ask_stats {
    uint64_t connections, opened, sent, received, stray, broken, stalled;
};

/* `wall`: the calendar, which certificates are held against. */
struct tcp_ask *tcp_ask_create(uv_loop_t *loop, tcp_ask_fn handle, void (*begin)(void *context), wall_t (*wall)(void),
                               void *context);
/* Sends `question` (its first two bytes are the id; an id in use on the connection moves it to another connection).
 * `rtt`: ms that the server takes to answer over TCP, 0 if that is not known. `again`: how often it may be asked on
 * another connection because it stalls, e.g. TCP_ASK_AGAIN; 0 where it is asked otherwise as well. Events come later,
 * never from inside this call. -errno: nothing is open; -EBUSY: there are LIMIT_TCP_UPSTREAM connections to the server,
 * and on all of them that id, or 1000 others; -EHOSTDOWN: it rests [7]. */
int tcp_ask_open(struct tcp_ask *ask, struct remote *server, struct view question, void *owner, unsigned rtt,
                 unsigned again, struct tcp_ticket **ret);
/* What the reply says of how long the server keeps the connection without a question (RFC 7828), ms; 0: it wants it
 * closed, and gets no more questions. It holds until the server says otherwise. To be called before the ticket is
 * released; without a reply nothing happens. */
void tcp_ask_keep(struct tcp_ticket *ticket, int ms);
void tcp_ask_release(struct tcp_ask *ask, struct tcp_ticket *ticket);
/* Every ticket must have been released. Memory is freed when libuv is done (run the loop). */
void                        tcp_ask_close(struct tcp_ask *ask);
const struct tcp_ask_stats *tcp_ask_read_stats(const struct tcp_ask *ask);

#endif
