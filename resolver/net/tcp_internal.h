/*
 * tcp_internal.h: what tcp_listen.c (sockets, places, the sweep) and tcp_connection.c (one connection) share. For these
 * two only.
 *
 * Thread: owner, whose loop it is on.
 */
#ifndef NET_TCP_INTERNAL_H
#define NET_TCP_INTERNAL_H

#include "base/list.h"
#include "dns/frame.h"
#include "net/tcp_listen.h"
#include "net/tcp_output.h"

enum {
    TCP_READ  = 16 << 10, /* bytes read from one connection in a wakeup */
    SLOT_BITS = 24,       /* of a connection's number; the rest is a serial that does not wrap in practice */
};

enum connection_state {
    READING,
    FINISHED, /* the client will send no more; answers still go out */
    CLOSED,   /* waits for libuv */
};

struct connection {
    struct list           by_use; /* the longest without an answer first */
    struct list           dirty;  /* has output that connection_send_all() sends */
    struct list           paused; /* its messages come too often; in no list: they do not */
    struct tcp_listen    *listen;
    uv_poll_t             poll;
    int                   fd;
    enum connection_state state;
    uint64_t              number;
    struct address        peer;
    struct frames         in;
    bool                  held; /* `in` may hold whole messages that wait for may_take() */
    struct tcp_output     out;
    size_t                bytes; /* of both, as counted in listen->bytes */
    unsigned              unanswered;
    uint64_t              active; /* uv_now() of the last answer, or of bytes of one that left */
    uint64_t              begun;  /* uv_now() at which a message began that is not whole yet; 0: none */
    int                   events; /* watched */
};

struct tcp_listen {
    uv_loop_t                *loop;
    struct tcp_listen_options options;
    tcp_listen_fn             handle;
    void                     *context;
    struct tcp_listen_stats   stats;
    uv_prepare_t              prepare;
    uv_timer_t                sweep, resume;
    unsigned                  handles;              /* not yet closed */
    void (*drop_handle)(struct tcp_listen *listen); /* a handle is closed: the last one frees all */
    bool                stopping, closing;
    unsigned            quiet_ms; /* while stopping */
    struct list         sockets, by_use, dirty, paused;
    struct connection **slots;
    uint32_t           *vacant; /* a stack of free slots */
    unsigned            vacant_count;
    uint64_t            serial;
    size_t              bytes;   /* that connections hold */
    int                 reserve; /* a descriptor to refuse with when none is left; -1: used up */
    uint8_t             input[TCP_READ];
    uint8_t             answer[LIMIT_TCP_MESSAGE];
};

/* tcp_connection.c. Takes `fd` and a vacant slot. False: no memory; `fd` is still the caller's. */
bool connection_open(struct tcp_listen *listen, int fd, const struct address *peer);
void connection_close(struct connection *connection);
/* Sends the late answers that have gathered; it may close connections. */
void connection_send_all(struct tcp_listen *listen);

#endif
