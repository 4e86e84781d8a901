/*
 * lookups.c: see lookups.h.
 */
#include "server/lookups.h"

#include "query/engine.h"
#include "server/clock.h"
#include "server/room.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    SOCKETS  = 8,  /* of UDP, at once */
    AT_ONCE  = 16, /* lookups */
    OBSERVED = 16, /* of one event */
};

struct lookup { /* one under way */
    struct room         room;
    struct daemon      *daemon;
    struct engine      *engine;
    lookups_done_fn     done;
    void               *cookie;
    struct lookup_found found;
    bool                over;
    unsigned            observed;
    struct observation  observations[OBSERVED];
    size_t              len;
    uint8_t             answer[LIMIT_TCP_MESSAGE];
};

static atomic_int always = TRACE_ALL;

/* ---- what comes of it ---- */

static void take_answer(struct lookup *lookup, struct view answer)
{
    if (answer.data != lookup->answer)
        memcpy(lookup->answer, answer.data, answer.len);
    lookup->len  = answer.len;
    lookup->over = true;
}

static void on_answer(void *context, const struct path *path, struct view answer)
{
    (void) path;
    take_answer(context, answer);
}

static void on_observed(void *context, const struct observation *observation)
{
    struct lookup *lookup = context;
    if (lookup->observed < OBSERVED)
        lookup->observations[lookup->observed++] = *observation;
}

static void on_traced(void *context, const struct traced *traced)
{
    ((struct lookup *) context)->found.traced = *traced;
}

/* ---- in its room ---- */

static void on_packet(void *owner, struct exchange *exchange, enum transport transport, struct view packet)
{
    struct lookup *lookup = owner;
    engine_on_packet(lookup->engine, exchange, transport, packet, lookup->daemon->now);
}

static void on_unreachable(void *owner, struct exchange *exchange, enum transport transport)
{
    struct lookup *lookup = owner;
    engine_on_unreachable(lookup->engine, exchange, transport, lookup->daemon->now);
}

static msec_t next(void *owner)
{
    const struct lookup *lookup = owner;
    return lookup->over || lookup->observed ? 0 : engine_next(lookup->engine);
}

static bool on_time(void *owner)
{
    struct lookup *lookup = owner;
    engine_on_time(lookup->engine, lookup->daemon->now);
    for (unsigned i = 0; i < lookup->observed; i++)
        prober_observe(lookup->daemon->prober, &lookup->observations[i], lookup->daemon->now);
    lookup->observed = 0;
    return !lookup->over;
}

static void leave(void *owner, bool given_up)
{
    struct lookup *lookup = owner;
    lookup->daemon->lookup_count--;
    lookup->found.answer = (struct view){lookup->answer, lookup->len};
    lookup->done(lookup->cookie, given_up ? NULL : &lookup->found);
    engine_cancel(lookup->engine, lookup->daemon->now);
    engine_destroy(lookup->engine);
}

static const struct room_work work = {on_packet, on_unreachable, next, on_time, leave, free};

static bool open_engine(struct lookup *lookup)
{
    struct engine_options options = {.shared  = lookup->daemon->shared,
                                     .reader  = LIMIT_WORKERS,
                                     .setup   = lookup->daemon->setup,
                                     .effects = {.network = &lookup->room.dispatch,
                                                 .send    = dispatch_send,
                                                 .release = dispatch_release,
                                                 .context = lookup,
                                                 .answer  = on_answer,
                                                 .observe = on_observed,
                                                 .traced  = on_traced}};
    options.shared.watched        = &always;
    options.shared.client_rate    = NULL;
    if (getentropy(options.seed, sizeof(options.seed)) != 0)
        return false;
    lookup->engine = engine_create(&options);
    return lookup->engine &&
           room_open(&lookup->room, lookup->daemon, &work, lookup, engine_rng(lookup->engine), SOCKETS);
}

/* ---- asking ---- */

/* Somebody who may ask: where loopback may not, the first who may. */
static void choose_client(const struct setup *setup, struct address *ret)
{
    address_parse("127.0.0.1", 0, ret);
    if (!clients_allow(&setup->clients, ret))
        cidr_first(&setup->clients.blocks[0], ret);
}

static void ask(struct lookup *lookup, const struct name *name, uint16_t type)
{
    uint8_t                 wire[QUERY_MAX];
    struct path             path = {.connection = 1};
    const struct query_form form = {
        .name = name_view(name), .id = 1, .type = type, .class = CLASS_IN, .edns = true, .size = LIMIT_UDP_PAYLOAD};
    choose_client(lookup->daemon->setup, &path.peer);
    size_t len = engine_receive(lookup->engine, (struct view){wire, query_write(&form, wire)}, &path, true,
                                lookup->daemon->now, lookup->answer, sizeof(lookup->answer));
    if (len > 0)
        take_answer(lookup, (struct view){lookup->answer, len});
}

bool lookups_begin(struct daemon *daemon, const struct name *name, uint16_t type, lookups_done_fn done, void *cookie)
{
    struct lookup *lookup = daemon->lookup_count < AT_ONCE ? calloc(1, sizeof(*lookup)) : NULL;
    if (!lookup)
        return false;
    lookup->daemon = daemon;
    lookup->done   = done;
    lookup->cookie = cookie;
    if (!open_engine(lookup)) {
        engine_destroy(lookup->engine);
        free(lookup);
        return false;
    }
    daemon->lookup_count++;
    ask(lookup, name, type);
    room_begin(&lookup->room, &daemon->lookups);
    return true;
}
