/*
 * socket.h: the few system calls that all of net/ repeats. Knows neither libuv nor DNS.
 *
 * Thread: pure.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "base/address.h"

/* With SO_REUSEPORT the kernel lets every process of the same user have a socket on an address, and spreads what comes
 * over all of them. */
enum socket_place {
    SOCKET_FIRST, /* the address must be nobody's; from then on it may be joined */
    SOCKET_JOINS, /* others may be there already */
};

/* A non-blocking, close-on-exec socket of the address's family (an IPv6 one is IPV6_V6ONLY). -errno on failure. */
int socket_open(const struct address *address, int type);
/* Takes over a listening socket that a process of ours had: makes it non-blocking, close-on-exec and this user's, which
 * others of his may join. -errno: it is none, it has been left (udp_listen_stop()), or is another user's, whose sockets
 * ours cannot join. */
int socket_adopt(int fd, int *ret_type);
/* setsockopt() with an int. 0 or -errno. */
int socket_set(int fd, int level, int option, int value);
/* What is sent comes from that address (len 0: any), on that interface (empty: any), and from a port that the kernel
 * chooses when the socket is connected. 0 or -errno. */
int socket_bind_from(int fd, const struct address *from, const char *interface);
/* UDP: no path MTU discovery, so that a forged "fragmentation needed" shrinks nothing. 0 or -errno. */
int socket_omit_pmtu(int fd, const struct address *address);
/* Where the socket is bound. False: not at all. */
bool socket_address(int fd, struct address *ret);
/* The error that waits on the socket, as a positive errno, cleared; 0: none. */
int socket_error(int fd);

struct mmsghdr;
/* Sends all of `messages`. One that fails for a reason of its own is skipped and counted in *ret_failed. Returns how
 * many are done with (sent or failed): fewer than `count` only if the socket's buffer is full. */
unsigned socket_send_batch(int fd, struct mmsghdr *messages, unsigned count, unsigned *ret_failed);
/* The socket's buffer is full, or the host's: the same call may succeed later. */
bool socket_is_full(int error);

#endif
