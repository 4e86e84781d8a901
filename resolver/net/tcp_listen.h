/*
 * tcp_listen.h: DNS over TCP from clients (RFC 7766): pipelining, answers out of order, idle timeout, caps on
 * connections and memory. Knows no DNS but the two length bytes. One of these may listen on
 * several sockets.
 *
 * Thread: owner, whose loop it is on.
 */
#ifndef NET_TCP_LISTEN_H
#define NET_TCP_LISTEN_H

#include "base/limits.h"
#include "base/return_path.h"
#include "net/socket.h"

#include <uv.h>

struct tcp_listen;

/* A bound and listening, non-blocking socket that others may join (SO_REUSEPORT). -errno on failure. */
int tcp_listen_bind(const struct address *address, enum socket_place place);

/* Handles one message. Returns the length of an answer written to `out` (65535 bytes), 0 for none or later. */
typedef size_t (*tcp_listen_fn)(void *context, struct view message, const struct path *path, uint8_t *out, size_t cap);

struct tcp_listen_options {
    unsigned idle_ms;     /* closed after that long without an answer, or a question that waits for one */
    unsigned message_ms;  /* closed if a message has begun that long ago and is not whole */
    unsigned connections; /* cap; when reached, the connection that is idle the longest gives way to a new one */
    unsigned per_client;  /* the same among those of one client (address_client()); 0: no other cap */
    size_t   memory;      /* bytes that all may hold, in and out; beyond, the one that holds most is cut off */
    void (*begin)(void *context); /* before each batch; may be NULL */
    /* Asked before each message, and again some ms later if it is false; the connection is not read meanwhile, so that
     * the client feels it and nothing is lost. NULL: always. */
    bool (*admit)(void *context, const struct address *peer);
    bool (*exempt)(void *context, const struct address *peer); /* from per_client; NULL: nobody */
};

struct tcp_listen_stats {
    uint64_t accepted, received, sent, evicted;
    uint64_t idle_closed; /* for silence, or a message that did not end */
    uint64_t cut_off;     /* did not read, or held too much memory */
    uint64_t refused;     /* nobody idle to give way, or no descriptor left */
    uint64_t open;
};

struct tcp_listen *tcp_listen_create(uv_loop_t *loop, const struct tcp_listen_options *options, tcp_listen_fn handle,
                                     void *context);
/* Takes `fd` (from tcp_listen_bind()), which tcp_listen_remove() knows by `address`. False: no memory or no event loop
 * slot; `fd` is as before. */
bool tcp_listen_add(struct tcp_listen *listen, int fd, const struct address *address);
/* Accepts what is queued on the sockets added with that address, then closes them, whoever else has them too; their
 * connections live on. */
void tcp_listen_remove(struct tcp_listen *listen, const struct address *address);
/* The same with a socket that was not added; takes it. */
void tcp_listen_drain(struct tcp_listen *listen, int fd);
/* Closes the sockets and leaves what is queued on them to another process that has them too. */
void tcp_listen_hand_on(struct tcp_listen *listen);
/* Takes no more clients but those that are queued, and closes each connection once all that came on it is answered and
 * nothing has moved for `quiet_ms`; stats.open tells when the last one is gone. Who goes on asking is not waited for.
 * May be called again, for less quiet. */
void tcp_listen_stop(struct tcp_listen *listen, unsigned quiet_ms);
/* A late answer. If the connection is gone, nothing happens. `answer` empty (len 0): the question ends without an
 * answer. Every message for which the handler returned 0 is owed exactly one call. */
void tcp_listen_send(struct tcp_listen *listen, const struct path *path, struct view answer);
/* Sends what the sockets take of the answers given so far and closes all; `listen` is freed when libuv is done with the
 * handles (run the loop). No handler is called any more. */
void                           tcp_listen_close(struct tcp_listen *listen);
const struct tcp_listen_stats *tcp_listen_read_stats(const struct tcp_listen *listen);

#endif
