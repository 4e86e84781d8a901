/*
 * channel.h: what stands between the bytes of one connection to an upstream and DNS messages, in whatever form the way
 * has: the proxy's greeting, TLS, HTTP/2, or nothing but the two length bytes. Without I/O.
 *
 * Thread: owner.
 */
#ifndef STREAM_CHANNEL_H
#define STREAM_CHANNEL_H

#include "stream/http.h"
#include "stream/tls.h"

struct channel;

enum channel_state {
    CHANNEL_OPENING, /* what is sent waits */
    CHANNEL_OPEN,
    CHANNEL_ENDED, /* nothing more will come, and nothing is wrong */
    CHANNEL_FAILED /* channel_problem() */
};

struct channel_hooks {
    void *context;
    void (*send)(void *context, struct view bytes); /* to the network */
    void (*received)(void *context, struct view message);
    /* Of HTTPS: that question is over without an answer. */
    void (*failed)(void *context, uint16_t id, enum http_failure failure);
    void (*paused)(void *context, msec_t pause);
};

/* `way`, `ticket` and `hooks` are borrowed, the last is copied; a share of `credentials` is taken, which is NULL where
 * nothing is encrypted, and so may `ticket` be. `wall`: for certificates. NULL: no memory. Nothing is sent yet. */
struct channel *channel_create(const struct way *way, struct credentials *credentials, struct tls_ticket *ticket,
                               const struct channel_hooks *hooks, wall_t wall);
void            channel_destroy(struct channel *channel); /* NULL is allowed */

/* The network's connection is there. The same may be called from within a hook, but for channel_destroy(). */
enum channel_state channel_start(struct channel *channel);
enum channel_state channel_feed(struct channel *channel, struct view bytes);
/* The network has ended. */
enum channel_state channel_end(struct channel *channel, bool reset);
enum channel_state channel_state(const struct channel *channel);

/* Puts the question on it, now or as soon as it is open. False: no memory, or it has failed. */
bool channel_send(struct channel *channel, struct view question);
/* How many questions may be open on it at once, those that are included. */
unsigned channel_room(const struct channel *channel);
/* The server takes no more questions on it. */
bool channel_is_leaving(const struct channel *channel);
/* What is wrong, or was with the last question; empty: nothing. */
const char *channel_problem(const struct channel *channel);
/* It was cut right behind the first bytes of TLS: see tls_was_cut(). */
bool channel_was_cut(const struct channel *channel);
/* False: there is no TLS, or none yet. */
bool channel_describe(const struct channel *channel, struct tls_peer *ret);

#endif
