/*
 * tcp_pool.c: see tcp_pool.h; numbers in brackets are the points of tcp_ask.h.
 *
 * Must not know: tickets, what is done with a question that found no connection.
 */
#include "net/tcp_pool.h"

#include "base/limits.h"
#include "net/tcp_ask.h"

#include <errno.h>

void tcp_pool_init(struct tcp_pool *pool, uv_loop_t *loop, struct remote *remote, const struct tcp_link_hooks *hooks)
{
    *pool = (struct tcp_pool){.loop = loop, .remote = remote_take(remote), .hooks = hooks};
    list_init(&pool->links);
}

void tcp_pool_fini(struct tcp_pool *pool)
{
    tls_ticket_fini(&pool->ticket);
    remote_drop(pool->remote);
}

static bool is_paused(const struct tcp_pool *pool) { return uv_now(pool->loop) < pool->pause_until; }

/* ---- ended behind few answers ---- */

static unsigned few_of(const struct tcp_pool *pool)
{
    return pool->few && uv_now(pool->loop) - pool->few_since < pool->few_life ? pool->few : 0;
}

static bool was_few(const struct tcp_pool *pool)
{
    return pool->few && uv_now(pool->loop) - pool->few_since < 2 * pool->few_life;
}

bool tcp_pool_is_remembered(const struct tcp_pool *pool)
{
    return was_few(pool) || uv_now(pool->loop) < pool->rest_until + TCP_ASK_REST_CUT || is_paused(pool) ||
           (pool->ticket.session && pool->hooks->wall() < pool->ticket.ends);
}

void tcp_pool_note_few(struct tcp_pool *pool, const struct tcp_link *link) /* [4] */
{
    uint64_t now    = uv_now(pool->loop);
    unsigned before = few_of(pool);
    if (link->answers == 0 || link->answers > TCP_ASK_FEW)
        return;
    if (!before) {
        uint64_t longer = 4 * pool->few_life < TCP_ASK_FEW_MAX ? 4 * pool->few_life : TCP_ASK_FEW_MAX;
        pool->few_life  = was_few(pool) ? longer : TCP_ASK_FEW_LIFE;
        pool->few_since = now;
    }
    pool->few = before && before < link->answers ? before : (unsigned) link->answers;
}

/* ---- what an end means ---- */

/* One that fails may be an accident; and what fails while it rests already tells nothing new. */
static void rest(struct tcp_pool *pool, bool cut) /* [7] */
{
    uint64_t now = uv_now(pool->loop), most = cut ? TCP_ASK_REST_CUT : TCP_ASK_REST_MAX;
    if (now < pool->rest_until || ++pool->failed < 2)
        return;
    uint64_t longer  = pool->rest > 0 ? 2 * pool->rest : TCP_ASK_REST;
    pool->rest       = longer < most ? longer : most;
    pool->rest_since = now;
    pool->rest_until = now + pool->rest;
}

/* What came open in another thread has ended it. */
static bool rests(const struct tcp_pool *pool)
{
    return uv_now(pool->loop) < pool->rest_until && remote_opened(pool->remote) < (msec_t) pool->rest_since;
}

uint64_t tcp_pool_waits_until(const struct tcp_pool *pool)
{
    uint64_t until = is_paused(pool) ? pool->pause_until : 0;
    return rests(pool) && pool->rest_until > until ? pool->rest_until : until;
}

static bool has_answered(struct tcp_pool *pool)
{
    LIST_EACH (item, next, &pool->links)
        if (CONTAINER_OF(item, struct tcp_link, link)->answers > 0)
            return true;
    return false;
}

void tcp_pool_note_end(struct tcp_pool *pool, const struct tcp_link *link, bool connected)
{
    bool barren = connected && link->used > 0 && link->answers == 0 && !has_answered(pool);
    if (barren)
        pool->barren++;
    if (tcp_pool_is_costly(pool) && (!connected || (barren && pool->barren >= TCP_ASK_BARREN)))
        rest(pool, !connected && channel_was_cut(link->channel));
    if (!connected || link->answers <= TCP_ASK_FEW)
        return;
    if (link->answers == pool->last_count) /* [6] */
        pool->most = link->answers;
    pool->last_count = link->answers;
}

void tcp_pool_note_answer(struct tcp_pool *pool)
{
    pool->failed = pool->barren = 0;
    pool->rest = pool->rest_until = 0;
}

void tcp_pool_pause(struct tcp_pool *pool, msec_t pause)
{
    uint64_t until    = uv_now(pool->loop) + (uint64_t) pause;
    pool->pause_until = until > pool->pause_until ? until : pool->pause_until;
}

/* ---- which connection ---- */

static bool is_quiet(const struct tcp_link *link)
{
    return link->asked > 0 && uv_now(link->loop) - link->asked >= TCP_ASK_QUIET;
}

static bool is_used_up(const struct tcp_pool *pool, const struct tcp_link *link)
{
    unsigned few = few_of(pool);
    return link->idle_ms == 0 || (few && link->used >= few) || (pool->most && link->used >= pool->most) ||
           channel_is_leaving(link->channel);
}

static bool may_carry(const struct tcp_pool *pool, struct tcp_link *link, uint16_t id)
{
    return !is_used_up(pool, link) && !link->silent && !is_quiet(link) && tcp_link_can_carry(link, id);
}

static uint64_t last_answer(const struct tcp_link *link) { return link->answers > 0 ? link->proved : 0; }

static bool is_better(enum tcp_want want, const struct tcp_link *one, const struct tcp_link *other)
{
    if (want != TCP_WANT_FRESH)
        return last_answer(one) > last_answer(other);
    if ((one->answers == 0) != (other->answers == 0)) /* one that answered may be about to break as the last did */
        return one->answers == 0;
    return one->questions < other->questions;
}

/* `since`: one that has not been proved to live since then will not do. */
static struct tcp_link *find(struct tcp_pool *pool, uint16_t id, enum tcp_want want, uint64_t since)
{
    struct tcp_link *best = NULL;
    LIST_EACH (item, next, &pool->links) {
        struct tcp_link *link = CONTAINER_OF(item, struct tcp_link, link);
        if (link->proved >= since && may_carry(pool, link, id) && (!best || is_better(want, link, best)))
            best = link;
    }
    return best;
}

/* A connection that is only slow to answer. */
static bool has_slow(struct tcp_pool *pool, uint16_t id)
{
    LIST_EACH (item, next, &pool->links) {
        struct tcp_link *link = CONTAINER_OF(item, struct tcp_link, link);
        if (!is_used_up(pool, link) && !link->silent && is_quiet(link) && tcp_link_can_carry(link, id))
            return true;
    }
    return false;
}

static bool has_room(const struct tcp_pool *pool)
{
    return pool->link_count < (few_of(pool) ? LIMIT_TCP_UPSTREAM_SHORT : LIMIT_TCP_UPSTREAM);
}

static int open_link(struct tcp_pool *pool, struct tcp_link **ret)
{
    if (!has_room(pool))
        return -EBUSY;
    if (rests(pool))
        return -EHOSTDOWN;
    int error = tcp_link_open(pool->loop, pool->remote, &pool->ticket, pool->hooks, pool, ret);
    if (error < 0)
        return error;
    list_append(&pool->links, &(*ret)->link);
    pool->link_count++;
    return 0;
}

static bool may_open_extra(const struct tcp_pool *pool)
{
    return pool->extra == 0 || uv_now(pool->loop) - pool->extra >= TCP_ASK_EXTRA;
}

static int open_extra(struct tcp_pool *pool, struct tcp_link **ret)
{
    if (!may_open_extra(pool))
        return -EBUSY;
    pool->extra = uv_now(pool->loop);
    return open_link(pool, ret);
}

/* The next connection stands before this one is used up. */
static void open_ahead(struct tcp_pool *pool, const struct tcp_link *link) /* [6] */
{
    struct tcp_link *ahead;
    if (!pool->most || pool->link_count > 1 || link->used < pool->most - pool->most / 4)
        return;
    if (link->answers > pool->most)
        pool->most = 0; /* it is another server now */
    else
        open_link(pool, &ahead);
}

int tcp_pool_get(struct tcp_pool *pool, uint16_t id, enum tcp_want want, uint64_t since, struct tcp_link **ret)
{
    *ret = NULL;
    if (is_paused(pool))
        return -EHOSTDOWN;
    if (want != TCP_WANT_FRESH || !has_room(pool) || rests(pool))
        *ret = find(pool, id, want, since);
    if (*ret) {
        open_ahead(pool, *ret);
        return 0;
    }
    if (want == TCP_WANT_SECOND || (want == TCP_WANT_ANY && few_of(pool) == 0 && has_slow(pool, id)))
        return open_extra(pool, ret);
    return open_link(pool, ret);
}

struct tcp_link *tcp_pool_find_any(struct tcp_pool *pool, uint16_t id)
{
    LIST_EACH (item, next, &pool->links) {
        struct tcp_link *link = CONTAINER_OF(item, struct tcp_link, link);
        if (!is_paused(pool) && tcp_link_can_carry(link, id))
            return link;
    }
    return NULL;
}

void tcp_pool_drop(struct tcp_pool *pool) { pool->link_count--; }

bool tcp_pool_is_done(const struct tcp_pool *pool, const struct tcp_link *link)
{
    return is_used_up(pool, link) || link->silent || is_quiet(link);
}

bool tcp_pool_is_short(const struct tcp_pool *pool) { return few_of(pool) > 0; }

bool tcp_pool_is_costly(const struct tcp_pool *pool)
{
    const struct way *way = remote_way(pool->remote);
    return way_is_encrypted(way) || way->proxy.len > 0;
}
