/*
 * channel.c: see channel.h. What comes goes up through the proxy's greeting, TLS, and then frames or HTTP/2; what is
 * sent goes down the same way.
 */
#include "stream/channel.h"

#include "base/bytes.h"
#include "dns/compose.h"
#include "dns/frame.h"
#include "stream/socks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLAIN_QUESTIONS = 1000 /* on one connection at once */
};

struct channel {
    const struct way    *way;
    struct channel_hooks hooks;
    struct credentials  *credentials;
    struct tls_ticket   *ticket;
    wall_t               wall;
    enum channel_state   state;
    bool                 by_proxy; /* the proxy's greeting is under way */
    struct socks         socks;
    struct tls          *tls;
    struct http         *http;
    struct frames        in;
    struct frames        waiting; /* questions for when it is open */
    char                 problem[TLS_PROBLEM_MAX];
};

struct channel *channel_create(const struct way *way, struct credentials *credentials, struct tls_ticket *ticket,
                               const struct channel_hooks *hooks, wall_t wall)
{
    struct channel *channel = calloc(1, sizeof(*channel));
    if (!channel)
        return NULL;
    channel->way         = way;
    channel->hooks       = *hooks;
    channel->credentials = credentials ? credentials_take(credentials) : NULL;
    channel->ticket      = ticket;
    channel->wall        = wall;
    frames_init(&channel->in);
    frames_init(&channel->waiting);
    return channel;
}

void channel_destroy(struct channel *channel)
{
    if (!channel)
        return;
    http_destroy(channel->http);
    tls_destroy(channel->tls);
    credentials_drop(channel->credentials);
    frames_fini(&channel->in);
    frames_fini(&channel->waiting);
    free(channel);
}

static enum channel_state fail(struct channel *channel, const char *problem)
{
    if (channel->state != CHANNEL_FAILED)
        snprintf(channel->problem, sizeof(channel->problem), "%s", problem);
    return channel->state = CHANNEL_FAILED;
}

/* ---- down ---- */

static void write_plain(void *context, struct view plain)
{
    struct channel *channel = context;
    if (!channel->tls)
        channel->hooks.send(channel->hooks.context, plain);
    else if (!tls_write(channel->tls, plain))
        fail(channel, tls_problem(channel->tls));
}

static bool write_frame(struct channel *channel, struct view question)
{
    uint8_t framed[2 + QUERY_MAX];
    if (question.len > QUERY_MAX)
        return false;
    put_u16(framed, (uint16_t) question.len);
    memcpy(framed + 2, question.data, question.len);
    write_plain(channel, (struct view){framed, 2 + question.len});
    return channel->state != CHANNEL_FAILED;
}

static bool write_question(struct channel *channel, struct view question)
{
    return channel->http ? http_send(channel->http, question) : write_frame(channel, question);
}

bool channel_send(struct channel *channel, struct view question)
{
    uint8_t len[2];
    if (channel->state == CHANNEL_OPEN)
        return write_question(channel, question);
    put_u16(len, (uint16_t) question.len);
    return channel->state == CHANNEL_OPENING && frames_feed(&channel->waiting, (struct view){len, sizeof(len)}) &&
           frames_feed(&channel->waiting, question);
}

/* ---- up ---- */

static void on_reply(void *context, uint16_t id, struct view message)
{
    struct channel *channel = context;
    (void) id;
    channel->hooks.received(channel->hooks.context, message);
}

static void on_failed(void *context, uint16_t id, enum http_failure failure)
{
    struct channel *channel = context;
    channel->hooks.failed(channel->hooks.context, id, failure);
}

static void on_paused(void *context, msec_t pause)
{
    struct channel *channel = context;
    channel->hooks.paused(channel->hooks.context, pause);
}

/* All layers stand. */
static enum channel_state open_up(struct channel *channel)
{
    if (channel->way->form == WAY_HTTPS) {
        const struct http_hooks hooks = {channel, write_plain, on_reply, on_failed, on_paused};
        if (!(channel->http = http_create(channel->way, &hooks)))
            return fail(channel, "out of memory");
    }
    if (channel->state == CHANNEL_FAILED)
        return CHANNEL_FAILED;
    channel->state     = CHANNEL_OPEN;
    size_t      offset = 0;
    struct view question;
    while (frames_next(&channel->waiting, &offset, &question))
        if (!write_question(channel, question) && channel->state != CHANNEL_FAILED)
            channel->hooks.failed(channel->hooks.context, get_u16(question.data), HTTP_REFUSED);
    frames_drop(&channel->waiting, offset);
    return channel->state;
}

static void take_plain(void *context, struct view plain)
{
    struct channel *channel = context;
    size_t          offset  = 0;
    struct view     message;
    if (channel->state == CHANNEL_FAILED)
        return;
    if (channel->http) {
        if (http_feed(channel->http, plain))
            return;
        if (http_is_broken(channel->http))
            fail(channel, http_problem(channel->http));
        else
            channel->state = CHANNEL_ENDED;
        return;
    }
    if (!frames_feed(&channel->in, plain)) {
        fail(channel, "out of memory");
        return;
    }
    while (frames_next(&channel->in, &offset, &message))
        channel->hooks.received(channel->hooks.context, message);
    frames_drop(&channel->in, offset);
}

static void send_secured(void *context, struct view bytes)
{
    const struct channel *channel = context;
    channel->hooks.send(channel->hooks.context, bytes);
}

static enum channel_state begin_above(struct channel *channel)
{
    if (!way_is_encrypted(channel->way))
        return open_up(channel);
    if (!channel->credentials)
        return fail(channel, "there is nothing to hold its certificate against");
    const struct tls_hooks hooks = {channel, send_secured, take_plain};
    channel->tls                 = tls_create(channel->credentials, channel->ticket, &hooks, channel->wall);
    return channel->tls ? channel->state : fail(channel, "out of memory");
}

static enum channel_state feed_tls(struct channel *channel, struct view bytes)
{
    enum tls_state before = tls_state(channel->tls), state = tls_feed(channel->tls, bytes);
    if (before == TLS_HANDSHAKE && state == TLS_OPEN && open_up(channel) == CHANNEL_FAILED)
        return CHANNEL_FAILED;
    if (state == TLS_OPEN)
        state = tls_read(channel->tls);
    if (state == TLS_FAILED)
        return fail(channel, tls_problem(channel->tls));
    if (state == TLS_CLOSED && channel->state == CHANNEL_OPEN)
        channel->state = CHANNEL_ENDED;
    return channel->state;
}

static enum channel_state feed_above(struct channel *channel, struct view bytes)
{
    if (channel->tls)
        return feed_tls(channel, bytes);
    take_plain(channel, bytes);
    return channel->state;
}

/* ---- the network ---- */

enum channel_state channel_start(struct channel *channel)
{
    uint8_t out[SOCKS_OUT_MAX];
    if (channel->way->proxy.len == 0)
        return begin_above(channel);
    channel->by_proxy = true;
    size_t len        = socks_start(&channel->socks, channel->way, out);
    channel->hooks.send(channel->hooks.context, (struct view){out, len});
    return channel->state;
}

static enum channel_state feed_proxy(struct channel *channel, struct view *bytes)
{
    uint8_t out[SOCKS_OUT_MAX];
    while (bytes->len > 0 && channel->socks.state < SOCKS_OPEN) {
        size_t len = socks_feed(&channel->socks, bytes, out);
        if (len > 0)
            channel->hooks.send(channel->hooks.context, (struct view){out, len});
    }
    if (channel->socks.state == SOCKS_FAILED)
        return fail(channel, channel->socks.problem);
    if (channel->socks.state != SOCKS_OPEN)
        return channel->state;
    channel->by_proxy = false;
    return begin_above(channel);
}

enum channel_state channel_feed(struct channel *channel, struct view bytes)
{
    if (channel->by_proxy && feed_proxy(channel, &bytes) == CHANNEL_FAILED)
        return CHANNEL_FAILED;
    if (bytes.len > 0 && (channel->state == CHANNEL_OPENING || channel->state == CHANNEL_OPEN))
        return feed_above(channel, bytes);
    return channel->state;
}

enum channel_state channel_end(struct channel *channel, bool reset)
{
    if (channel->state == CHANNEL_FAILED || channel->state == CHANNEL_ENDED)
        return channel->state;
    if (channel->by_proxy)
        return fail(channel, reset ? "the proxy reset the connection" : "the proxy closed the connection");
    if (channel->tls && tls_end(channel->tls, reset) == TLS_FAILED)
        return fail(channel, tls_problem(channel->tls));
    return channel->state = CHANNEL_ENDED;
}

enum channel_state channel_state(const struct channel *channel) { return channel->state; }

unsigned channel_room(const struct channel *channel)
{
    if (channel->way->form != WAY_HTTPS)
        return PLAIN_QUESTIONS;
    return channel->http ? http_room(channel->http) : HTTP_STREAMS;
}

bool channel_is_leaving(const struct channel *channel) { return channel->http && http_is_leaving(channel->http); }

const char *channel_problem(const struct channel *channel)
{
    return channel->problem[0] == '\0' && channel->http ? http_problem(channel->http) : channel->problem;
}

bool channel_was_cut(const struct channel *channel) { return channel->tls && tls_was_cut(channel->tls); }

bool channel_describe(const struct channel *channel, struct tls_peer *ret)
{
    if (channel->tls)
        tls_describe(channel->tls, ret);
    return channel->tls != NULL;
}
