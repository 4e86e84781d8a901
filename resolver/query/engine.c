/*
 * engine.c: see engine.h.
 */
#include "query/engine.h"

#include "base/pool.h"
#include "policy/local.h"
#include "query/declining.h"
#include "query/query.h"
#include "query/tracing.h"

#include <stdlib.h>
#include <string.h>

enum {
    FLIGHT_BUCKETS = 16384,
    DISPLACE_AFTER = 1000, /* ms: an unknown zone's silence is waited for and external has answered */
};

struct engine {
    struct env     env;
    struct flights flights;
    struct timers  timers;
    struct list    queries, background; /* struct query.link: somebody waits, longest first; nobody does */
    struct pool    query_pool, waiter_pool;
    size_t         query_count, waiter_count;
    struct address limited; /* who was over client_qps last; len 0: nobody since it was told */
};

struct engine *engine_create(const struct engine_options *options)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    if (!engine)
        return NULL;
    engine->env.shared  = options->shared;
    engine->env.reader  = options->reader;
    engine->env.effects = options->effects;
    engine->env.setup   = setup_take(options->setup);
    rng_init(&engine->env.rng, options->seed);
    list_init(&engine->queries);
    list_init(&engine->background);
    pool_init(&engine->query_pool, sizeof(struct query));
    pool_init(&engine->waiter_pool, sizeof(struct waiter));
    timers_init(&engine->timers);
    struct hash_key key = {rng_u64(&engine->env.rng), rng_u64(&engine->env.rng)};
    if (flights_init(&engine->flights, FLIGHT_BUCKETS, key) && timers_reserve(&engine->timers, LIMIT_FLIGHTS))
        return engine;
    engine_destroy(engine);
    return NULL;
}

/* ---- queries and waiters ---- */

static struct query *query_new(struct engine *engine)
{
    struct query *query = engine->query_count < LIMIT_FLIGHTS ? pool_take(&engine->query_pool) : NULL;
    if (!query)
        return NULL;
    memset(query, 0, sizeof(*query));
    list_init(&query->waiters);
    list_init(&query->answered);
    list_append(&engine->queries, &query->link);
    engine->query_count++;
    return query;
}

static struct waiter *waiter_new(struct engine *engine)
{
    struct waiter *waiter = engine->waiter_count < LIMIT_WAITERS_TOTAL ? pool_take(&engine->waiter_pool) : NULL;
    if (!waiter)
        return NULL;
    list_init(&waiter->link);
    engine->waiter_count++;
    return waiter;
}

static void waiter_drop(struct engine *engine, struct waiter *waiter)
{
    list_remove(&waiter->link);
    pool_give(&engine->waiter_pool, waiter);
    engine->waiter_count--;
}

static void query_drop(struct engine *engine, struct query *query)
{
    flights_remove(&engine->flights, &query->flight);
    timers_cancel(&engine->timers, &query->timer);
    tracing_end(query);
    setup_drop(query->setup);
    list_remove(&query->link);
    pool_give(&engine->query_pool, query);
    engine->query_count--;
}

/* After every event of a query. */
static void after_event(struct engine *engine, struct query *query, msec_t now)
{
    LIST_EACH (item, next, &query->answered)
        waiter_drop(engine, CONTAINER_OF(item, struct waiter, link));
    if (query->state == QUERY_ANSWERED || query->state == QUERY_FINISHED)
        flights_remove(&engine->flights, &query->flight);
    if (query->state == QUERY_FINISHED) {
        query_drop(engine, query);
        return;
    }
    timers_set(&engine->timers, &query->timer, query_deadline(query, &engine->env, now));
    if (list_empty(&query->waiters)) {
        list_remove(&query->link);
        list_append(&engine->background, &query->link);
    }
}

/* ---- overload ---- */

static void displace(struct engine *engine, struct query *query, msec_t now)
{
    query->displaced = true;
    query_cancel(query, &engine->env, now);
    after_event(engine, query, now);
}

/* Who has waited the longest without an answer is the least likely to get one: a flood of names that nobody answers
 * would otherwise hold every place until its deadline, and names that are answered in milliseconds found none. */
static bool displace_waiting(struct engine *engine, msec_t now)
{
    if (list_empty(&engine->queries))
        return false;
    struct query        *query  = CONTAINER_OF(engine->queries.next, struct query, link);
    const struct waiter *waiter = CONTAINER_OF(query->waiters.next, struct waiter, link);
    if (now - waiter->since < DISPLACE_AFTER)
        return false;
    displace(engine, query, now);
    return true;
}

/* What nobody waits for gives way first. */
static bool displace_any(struct engine *engine, msec_t now)
{
    if (list_empty(&engine->background))
        return displace_waiting(engine, now);
    displace(engine, CONTAINER_OF(engine->background.next, struct query, link), now);
    return true;
}

static void cancel_all(struct engine *engine, struct list *queries, msec_t now)
{
    LIST_EACH (item, next, queries) {
        struct query *query = CONTAINER_OF(item, struct query, link);
        query_cancel(query, &engine->env, now);
        after_event(engine, query, now);
    }
}

void engine_cancel(struct engine *engine, msec_t now)
{
    cancel_all(engine, &engine->queries, now);
    cancel_all(engine, &engine->background, now);
}

void engine_destroy(struct engine *engine)
{
    if (!engine)
        return;
    pool_fini(&engine->query_pool);
    pool_fini(&engine->waiter_pool);
    flights_fini(&engine->flights);
    timers_fini(&engine->timers);
    setup_drop(engine->env.setup);
    free(engine);
}

void engine_set_setup(struct engine *engine, struct setup *setup)
{
    struct setup *before = engine->env.setup;
    engine->env.setup    = setup_take(setup);
    setup_drop(before);
}

/* ---- how often a client may ask ---- */

bool engine_exempt(const struct engine *engine, const struct address *peer)
{
    return clients_allow(&engine->env.setup->exempt, peer);
}

static bool within_rate(struct engine *engine, const struct address *peer, msec_t now)
{
    struct client_rate *client_rate = engine->env.shared.client_rate;
    uint32_t            rate        = engine->env.setup->client_qps;
    if (!client_rate || rate == 0 || engine_exempt(engine, peer) || client_rate_take(client_rate, rate, peer, now))
        return true;
    engine->limited = *peer;
    return false;
}

bool engine_admit(struct engine *engine, const struct address *peer, msec_t now)
{
    if (within_rate(engine, peer, now))
        return true;
    COUNT(engine->env.counters.rate_delayed);
    return false;
}

bool engine_limited(struct engine *engine, struct address *ret)
{
    *ret                = engine->limited;
    engine->limited.len = 0;
    return ret->len > 0;
}

/* ---- parse, policy, cache, join ---- */

/* A client that asks how long its TCP connection is kept is told; one that says so itself, which it must not, is
 * answered as if it had not (RFC 7828, 3.2.1 and 3.3). */
static void read_client_query(const struct message *query, const struct path *path, bool tcp, struct client_query *ret)
{
    client_query_from(query, tcp ? 0 : LIMIT_UDP_PAYLOAD, ret);
    if (tcp && query->edns.keepalive.form == KEEPALIVE_ASKED)
        ret->keepalive = (struct keepalive){KEEPALIVE_TOLD, (uint16_t) (path->idle_ms / 100)};
}

static size_t refuse(struct engine *engine, const struct message *query, int ede, const struct path *path, bool tcp,
                     uint8_t *out)
{
    struct client_query client_query;
    read_client_query(query, path, tcp, &client_query);
    return declining_refuse(&engine->env, &client_query, ede, out);
}

/* 0: not in the cache. */
static size_t from_cache(struct engine *engine, const struct client_query *client_query, const struct rule *rule,
                         msec_t now, uint8_t *out, size_t cap)
{
    struct env       *env  = &engine->env;
    struct cache_read read = env_read(env, now, false);
    struct cache_hit  hit;
    enum cache_answer found = cache_get(env->shared.cache, client_query, &read, out, cap, &hit);
    if (found == CACHE_FRESH && rule_allows(rule, hit.origin)) {
        COUNT(env->counters.cache_hits);
        responses_on_code(&env->responses, RESPONSE_BY_CACHE, out[3] & FLAG_RCODE);
        return hit.len;
    }
    if (found != CACHE_FAILURE || rule_stands_in(rule, name_view(&client_query->name), client_query->type))
        return 0; /* a failure that is kept for the latter is of an earlier rule's */
    const struct failure_traits failure = failure_traits(hit.failure);
    read.allow_stale                    = true;
    if (failure.stale && cache_get(env->shared.cache, client_query, &read, out, cap, &hit) == CACHE_STALE &&
        rule_allows(rule, hit.origin)) {
        COUNT(env->counters.cache_stale);
        return responses_count(&env->responses, RESPONSE_BY_STALE, out, hit.len);
    }
    COUNT(env->counters.cache_failures);
    return responses_count(&env->responses, RESPONSE_BY_CACHE, out,
                           failure_write(client_query, RCODE_SERVFAIL, failure.ede, out));
}

static void inquiry_from(const struct client_query *client_query, struct inquiry *ret)
{
    name_set_lower(&ret->name, name_view(&client_query->name));
    ret->type              = client_query->type;
    ret->class             = client_query->class;
    ret->dnssec_ok         = client_query->dnssec_ok;
    ret->checking_disabled = client_query->flags & FLAG_CD;
}

/* NULL: no room, or no memory. */
static struct waiter *room_for_waiter(struct engine *engine, msec_t now)
{
    struct waiter *waiter = waiter_new(engine);
    return waiter || !displace_waiting(engine, now) ? waiter : waiter_new(engine);
}

static struct query *room_for_query(struct engine *engine, msec_t now)
{
    struct query *query = query_new(engine);
    return query || !displace_any(engine, now) ? query : query_new(engine);
}

static struct query *find_query(struct engine *engine, const struct inquiry *inquiry)
{
    struct flight *flight = flights_find(&engine->flights, inquiry);
    struct query  *query  = flight ? CONTAINER_OF(flight, struct query, flight) : NULL;
    return query && query->epoch == env_epoch(&engine->env) ? query : NULL;
}

/* False: the limit of one flight was reached. */
static bool join(struct engine *engine, struct query *query, struct waiter *waiter, msec_t now)
{
    if (query->waiter_count >= LIMIT_WAITERS)
        return false;
    if (list_empty(&query->waiters)) { /* nobody was waiting */
        list_remove(&query->link);
        list_append(&engine->queries, &query->link);
    }
    COUNT(engine->env.counters.joined);
    query_join(query, &engine->env, waiter, now);
    after_event(engine, query, now);
    return true;
}

static bool begin(struct engine *engine, const struct inquiry *inquiry, const struct rule *rule, struct waiter *waiter,
                  bool anew, msec_t now)
{
    struct query *query = room_for_query(engine, now);
    if (!query)
        return false;
    COUNT(engine->env.counters.flights);
    query->inquiry = *inquiry;
    list_append(&query->waiters, &waiter->link);
    query->waiter_count++;
    flights_add(&engine->flights, &query->flight, &query->inquiry);
    query_start(query, &engine->env, rule, anew, now);
    after_event(engine, query, now);
    return true;
}

/* When the waiter has waited long enough. What has been silent for so long need not prove it to each waiter anew. */
static void set_times(struct waiter *waiter, const struct engine *engine, const struct rule *rule,
                      const struct query *joined, msec_t now)
{
    msec_t started   = joined ? joined->started : now;
    bool   empty     = rule_stands_in(rule, name_view(&waiter->query.name), waiter->query.type);
    waiter->since    = now;
    waiter->stale_at = msec_max(now, started + STALE_AFTER);
    waiter->deadline = empty ? msec_max(started + EMPTY_AFTER, now + EMPTY_AGAIN) : now + engine->env.setup->deadline;
}

/* False: a limit was reached. */
static bool wait_for(struct engine *engine, const struct client_query *client_query, const struct rule *rule,
                     const struct path *path, msec_t now)
{
    struct waiter *waiter = room_for_waiter(engine, now); /* first, for the query to join may give way to it */
    if (!waiter)
        return false;
    waiter->query = *client_query;
    waiter->path  = *path;
    struct inquiry inquiry;
    inquiry_from(client_query, &inquiry);
    struct query *query = find_query(engine, &inquiry);
    bool          anew  = query && !query_can_be_joined(query, now);
    set_times(waiter, engine, rule, query, now);
    if (query && !anew ? join(engine, query, waiter, now) : begin(engine, &inquiry, rule, waiter, anew, now))
        return true;
    waiter_drop(engine, waiter);
    return false;
}

static void tell_echo(struct env *env, const struct name *name)
{
    const struct name *echo = &env->setup->echo;
    if (echo->len == 0 || !name_is_at_or_below(name_view(name), name_view(echo)))
        return;
    struct observation observation = {.what = OBSERVED_ECHO, .epoch = env_epoch(env)};
    name_set_lower(&observation.name, name_view(name));
    env->effects.observe(env->effects.context, &observation);
}

static size_t on_query(struct engine *engine, const struct message *message, const struct path *path, bool tcp,
                       msec_t now, uint8_t *out, size_t cap)
{
    struct env *env = &engine->env;
    /* Only Internet names are routed and learned. Another class is asked for what a server says of itself
     * (version.bind), and an upstream's answer would be about the upstream. */
    if (message->question.class != CLASS_IN)
        return refuse(engine, message, EDE_NOT_SUPPORTED, path, tcp, out);
    const struct rule *rule = policy_find_for(env->setup->policy, message->question.name, message->question.type);
    if (rule->via == VIA_REFUSE)
        return refuse(engine, message, EDE_PROHIBITED, path, tcp, out);
    struct client_query client_query;
    read_client_query(message, path, tcp, &client_query);
    if (rule->via == VIA_LOCAL) {
        COUNT(env->counters.local);
        tell_echo(env, &client_query.name);
        bool below = policy_at_or_below(env->setup->policy, message->question.name);
        return responses_count(&env->responses, RESPONSE_BY_LOCAL, out,
                               local_answer(&client_query, rule, below, EDE_NONE, out));
    }
    size_t len = from_cache(engine, &client_query, rule, now, out, cap);
    if (len > 0)
        return len;
    COUNT(env->counters.cache_misses);
    if (wait_for(engine, &client_query, rule, path, now))
        return 0;
    COUNT(env->counters.overload);
    return responses_count(&env->responses, RESPONSE_BY_NONE, out,
                           failure_write(&client_query, RCODE_SERVFAIL, EDE_OTHER, out));
}

static size_t receive(struct engine *engine, struct view message, const struct path *path, bool tcp, msec_t now,
                      uint8_t *out, size_t cap)
{
    struct env    *env = &engine->env;
    struct message query;
    COUNT(env->counters.queries);
    if (tcp)
        COUNT(env->counters.queries_tcp);
    else if (!within_rate(engine, &path->peer, now))
        return declining_cut(env, message, out);
    enum reception reception = message_receive(message, &query);
    if (reception == RECEPTION_DROP) {
        COUNT(env->counters.dropped);
        if (tcp)
            env->effects.answer(env->effects.context, path, (struct view){0});
        return 0;
    }
    if (!clients_allow(&env->setup->clients, &path->peer))
        return reception == RECEPTION_QUERY ? refuse(engine, &query, EDE_PROHIBITED, path, tcp, out)
                                            : declining_refuse_rejected(env, &query, out);
    return reception == RECEPTION_QUERY ? on_query(engine, &query, path, tcp, now, out, cap)
                                        : declining_reject(env, &query, reception, out);
}

/* Apart, so that its copy of the counters costs those nothing that nobody watches. */
__attribute__((noinline)) static size_t receive_watched(struct engine *engine, struct view message,
                                                        const struct path *path, bool tcp, msec_t now, uint8_t *out,
                                                        size_t cap)
{
    struct env           *env    = &engine->env;
    const struct counters before = env->counters;
    size_t                len    = receive(engine, message, path, tcp, now, out, cap);
    if (len > 0)
        tracing_at_once(env, message, path, (struct view){out, len}, &before);
    return len;
}

size_t engine_receive(struct engine *engine, struct view message, const struct path *path, bool tcp, msec_t now,
                      uint8_t *out, size_t cap)
{
    return tracing_is_on(&engine->env) ? receive_watched(engine, message, path, tcp, now, out, cap)
                                       : receive(engine, message, path, tcp, now, out, cap);
}

/* ---- events ---- */

void engine_on_packet(struct engine *engine, struct exchange *exchange, enum transport transport, struct view packet,
                      msec_t now)
{
    struct query *query = exchange->owner;
    query_on_packet(query, &engine->env, exchange, transport, packet, now);
    after_event(engine, query, now);
}

void engine_on_unreachable(struct engine *engine, struct exchange *exchange, enum transport transport, msec_t now)
{
    struct query *query = exchange->owner;
    query_on_unreachable(query, &engine->env, exchange, transport, now);
    after_event(engine, query, now);
}

msec_t engine_next(const struct engine *engine) { return timers_next(&engine->timers); }

void engine_on_time(struct engine *engine, msec_t now)
{
    struct timer *timer;
    while ((timer = timers_pop(&engine->timers, now))) {
        struct query *query = CONTAINER_OF(timer, struct query, timer);
        query_on_time(query, &engine->env, now);
        after_event(engine, query, now);
    }
}

struct counters *engine_counters(struct engine *engine) { return &engine->env.counters; }

const struct responses *engine_responses(const struct engine *engine) { return &engine->env.responses; }

struct rng *engine_rng(struct engine *engine) { return &engine->env.rng; }

size_t engine_flights(const struct engine *engine) { return engine->flights.count; }

size_t engine_waiting(const struct engine *engine) { return engine->waiter_count; }
