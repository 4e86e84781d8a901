/*
 * socks.h: the client's half of SOCKS5 up to the open connection (RFC 1928, CONNECT to an address; RFC 1929, user and
 * password). Bytes go in, bytes come out; behind SOCKS_OPEN all that comes is the upstream's.
 *
 * Thread: owner.
 */
#ifndef STREAM_SOCKS_H
#define STREAM_SOCKS_H

#include "stream/way.h"

enum {
    SOCKS_WORD_MAX = 255, /* bytes of a user's name, or a password: RFC 1929 has one byte for the length */
    SOCKS_OUT_MAX  = 3 + 2 * SOCKS_WORD_MAX,
    SOCKS_IN_MAX   = 4 + 1 + 255 + 2
};

enum socks_state {
    SOCKS_GREETING, /* which method? */
    SOCKS_USER,     /* user and password were sent */
    SOCKS_CONNECT,
    SOCKS_OPEN,
    SOCKS_FAILED
};

struct socks {
    const struct way *way; /* borrowed */
    enum socks_state  state;
    uint8_t           in[SOCKS_IN_MAX]; /* of an answer that is not whole yet */
    size_t            in_len;
    const char       *problem; /* SOCKS_FAILED: why, in words for the operator */
};

/* Writes the greeting to `out`; returns its length. */
size_t socks_start(struct socks *socks, const struct way *way, uint8_t out[SOCKS_OUT_MAX]);
/* Takes what it needs off the front of *bytes; writes what is to be sent, and returns its length (0: nothing). What is
 * left in *bytes behind SOCKS_OPEN is the upstream's. Call it until nothing is left or it is open or has failed. */
size_t socks_feed(struct socks *socks, struct view *bytes, uint8_t out[SOCKS_OUT_MAX]);

#endif
