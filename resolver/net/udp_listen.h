/*
 * udp_listen.h: datagrams from clients in batches (recvmmsg), answers in batches (sendmmsg). Knows no DNS.
 *
 * Thread: owner, whose loop it is on.
 */
#ifndef NET_UDP_LISTEN_H
#define NET_UDP_LISTEN_H

#include "base/limits.h"
#include "base/return_path.h"
#include "net/socket.h"

#include <uv.h>

struct udp_listen;

/* A bound, non-blocking UDP socket that others may join (SO_REUSEPORT), with a large receive buffer, SO_RXQ_OVFL and,
 * on a wildcard address, packet info set. -errno on failure. */
int udp_listen_bind(const struct address *address, enum socket_place place);
/* Sets on a socket at that address, which an earlier process may have bound, all that udp_listen_bind() sets. 0 or
 * -errno. */
int udp_listen_prepare(int fd, const struct address *address);

/* Handles one datagram; an empty one is normal, one of more than 2048 bytes arrives cut. Returns the length of an
 * answer written to `out` (LIMIT_UDP_PAYLOAD bytes at least), 0 for none or later. `path` may be copied and kept. */
typedef size_t (*udp_listen_fn)(void *context, struct view datagram, const struct path *path, uint8_t *out, size_t cap);

struct udp_listen_stats {
    uint64_t received, sent, send_failed, kernel_dropped;
};

/* Takes `fd`. `begin` (may be NULL) runs before each batch, to refresh the clock. NULL: no memory or no event loop
 * slot; `fd` is as before. */
struct udp_listen *udp_listen_start(uv_loop_t *loop, int fd, udp_listen_fn handle, void (*begin)(void *context),
                                    void *context);
/* Sends an answer later than from the handler (nothing if it is empty), with the others of this turn of the loop,
 * before the loop waits. Best effort: a full socket buffer queues up to 64 answers, then drops and counts. */
void udp_listen_send(struct udp_listen *listen, const struct path *path, struct view answer);
/* Reads and handles what is queued, then receives no more, so that other sockets on that address get what comes; not
 * from inside the handler. Late answers through paths of it still go out until udp_listen_free(). */
void udp_listen_stop(struct udp_listen *listen);
/* As udp_listen_stop(), but what comes afterwards stays in the socket's queue, for another process that has it too. */
void udp_listen_hand_on(struct udp_listen *listen);
/* Closes the socket, after stop and after the last path that names it is gone. Freed when libuv is done. */
void                           udp_listen_free(struct udp_listen *listen);
const struct udp_listen_stats *udp_listen_read_stats(const struct udp_listen *listen);
struct address                 udp_listen_address(const struct udp_listen *listen);

#endif
