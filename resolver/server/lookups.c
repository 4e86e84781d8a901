/*
 * lookups.c: see lookups.h.
 */
#include "server/lookups.h"

#include "query/engine.h"
#include "server/clock.h"
#include "server/keeper.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    SOCKETS  = 8,  /* of UDP, at once */
    AT_ONCE  = 16, /* lookups */
    OBSERVED = 16, /* of one event */
};

struct lookup_room { /* one under way */
    struct list         link;
    struct daemon      *daemon;
    struct dispatch     dispatch;
    uv_timer_t          timer;
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

static void take_answer(struct lookup_room *room, struct view answer)
{
    if (answer.data != room->answer)
        memcpy(room->answer, answer.data, answer.len);
    room->len  = answer.len;
    room->over = true;
}

static void on_answer(void *context, const struct path *path, struct view answer)
{
    (void) path;
    take_answer(context, answer);
}

static void on_observed(void *context, const struct observation *observation)
{
    struct lookup_room *room = context;
    if (room->observed < OBSERVED)
        room->observations[room->observed++] = *observation;
}

static void on_traced(void *context, const struct traced *traced)
{
    ((struct lookup_room *) context)->found.traced = *traced;
}

/* ---- life ---- */

static void on_closed(uv_handle_t *timer) { free(timer->data); }

static void conclude(struct lookup_room *room, bool found)
{
    list_remove(&room->link);
    room->daemon->lookup_count--;
    room->found.answer = (struct view){room->answer, room->len};
    room->done(room->cookie, found ? &room->found : NULL);
    engine_cancel(room->engine, room->daemon->now);
    engine_destroy(room->engine);
    dispatch_close(&room->dispatch);
    uv_close((uv_handle_t *) &room->timer, on_closed);
}

static void on_timer(uv_timer_t *timer);

/* Never ends it from within the sockets' own callbacks. */
static void arm(struct lookup_room *room)
{
    msec_t now = room->daemon->now, due = room->over || room->observed ? now : engine_next(room->engine);
    uv_update_time(&room->daemon->loop);
    uv_timer_start(&room->timer, on_timer, (uint64_t) msec_max(due - now, 0), 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct lookup_room *room = timer->data;
    keeper_begin(room->daemon);
    engine_on_time(room->engine, room->daemon->now);
    for (unsigned i = 0; i < room->observed; i++)
        prober_observe(room->daemon->prober, &room->observations[i], room->daemon->now);
    room->observed = 0;
    if (room->over)
        conclude(room, true);
    else
        arm(room);
}

static void begin_turn(void *context)
{
    struct lookup_room *room = ((struct dispatch *) context)->context;
    keeper_begin(room->daemon);
}

static void on_packet(void *context, struct exchange *exchange, enum transport transport, struct view packet)
{
    struct lookup_room *room = context;
    engine_on_packet(room->engine, exchange, transport, packet, room->daemon->now);
    arm(room);
}

static void on_unreachable(void *context, struct exchange *exchange, enum transport transport)
{
    struct lookup_room *room = context;
    engine_on_unreachable(room->engine, exchange, transport, room->daemon->now);
    arm(room);
}

static bool open_engine(struct lookup_room *room)
{
    struct engine_options options = {.shared  = room->daemon->shared,
                                     .reader  = LIMIT_WORKERS,
                                     .setup   = room->daemon->setup,
                                     .effects = {.network = &room->dispatch,
                                                 .send    = dispatch_send,
                                                 .release = dispatch_release,
                                                 .context = room,
                                                 .answer  = on_answer,
                                                 .observe = on_observed,
                                                 .traced  = on_traced}};
    options.shared.watched        = &always;
    options.shared.client_rate    = NULL;
    if (getentropy(options.seed, sizeof(options.seed)) != 0)
        return false;
    room->dispatch = (struct dispatch){
        .now = &room->daemon->now, .context = room, .on_packet = on_packet, .on_unreachable = on_unreachable};
    room->engine = engine_create(&options);
    return room->engine &&
           dispatch_open(&room->dispatch, &room->daemon->loop, engine_rng(room->engine), SOCKETS, begin_turn);
}

/* ---- asking ---- */

/* Somebody who may ask: where loopback may not, the first who may. */
static void choose_client(const struct setup *setup, struct address *ret)
{
    address_parse("127.0.0.1", 0, ret);
    if (!clients_allow(&setup->clients, ret))
        cidr_first(&setup->clients.blocks[0], ret);
}

static void ask(struct lookup_room *room, const struct name *name, uint16_t type)
{
    uint8_t                 wire[QUERY_MAX];
    struct path             path = {.connection = 1};
    const struct query_form form = {
        .name = name_view(name), .id = 1, .type = type, .class = CLASS_IN, .edns = true, .size = LIMIT_UDP_PAYLOAD};
    choose_client(room->daemon->setup, &path.peer);
    size_t len = engine_receive(room->engine, (struct view){wire, query_write(&form, wire)}, &path, true,
                                room->daemon->now, room->answer, sizeof(room->answer));
    if (len > 0)
        take_answer(room, (struct view){room->answer, len});
}

bool lookups_begin(struct daemon *daemon, const struct name *name, uint16_t type, lookups_done_fn done, void *cookie)
{
    struct lookup_room *room = daemon->lookup_count < AT_ONCE ? calloc(1, sizeof(*room)) : NULL;
    if (!room)
        return false;
    room->daemon = daemon;
    room->done   = done;
    room->cookie = cookie;
    if (!open_engine(room)) {
        engine_destroy(room->engine);
        free(room);
        return false;
    }
    list_append(&daemon->lookups, &room->link);
    daemon->lookup_count++;
    uv_timer_init(&daemon->loop, &room->timer);
    room->timer.data = room;
    ask(room, name, type);
    arm(room);
    return true;
}

void lookups_end(struct daemon *daemon)
{
    LIST_EACH (item, next, &daemon->lookups)
        conclude(CONTAINER_OF(item, struct lookup_room, link), false);
}
