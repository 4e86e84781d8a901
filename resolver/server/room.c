/*
 * room.c: see room.h.
 */
#include "server/room.h"

#include "server/keeper.h"

static void on_closed(uv_handle_t *timer)
{
    struct room *room = timer->data;
    room->work->free(room->owner);
}

static void end(struct room *room, bool given_up)
{
    list_remove(&room->link);
    room->work->leave(room->owner, given_up);
    dispatch_close(&room->dispatch);
    uv_close((uv_handle_t *) &room->timer, on_closed);
}

static void on_timer(uv_timer_t *timer);

static void arm(struct room *room)
{
    msec_t due = room->work->next(room->owner);
    uv_update_time(&room->daemon->loop);
    uv_timer_start(&room->timer, on_timer, (uint64_t) msec_max(due - room->daemon->now, 0), 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct room *room = timer->data;
    keeper_begin(room->daemon);
    if (room->work->on_time(room->owner))
        arm(room);
    else
        end(room, false);
}

static void begin_turn(void *context)
{
    struct room *room = ((struct dispatch *) context)->context;
    keeper_begin(room->daemon);
}

static void on_packet(void *context, struct exchange *exchange, enum transport transport, struct view packet)
{
    struct room *room = context;
    room->work->on_packet(room->owner, exchange, transport, packet);
    arm(room);
}

static void on_unreachable(void *context, struct exchange *exchange, enum transport transport)
{
    struct room *room = context;
    room->work->on_unreachable(room->owner, exchange, transport);
    arm(room);
}

bool room_open(struct room *room, struct daemon *daemon, const struct room_work *work, void *owner, struct rng *rng,
               unsigned sockets)
{
    room->daemon   = daemon;
    room->work     = work;
    room->owner    = owner;
    room->dispatch = (struct dispatch){
        .now = &daemon->now, .context = room, .on_packet = on_packet, .on_unreachable = on_unreachable};
    return dispatch_open(&room->dispatch, &daemon->loop, rng, sockets, begin_turn);
}

void room_begin(struct room *room, struct list *rooms)
{
    list_append(rooms, &room->link);
    uv_timer_init(&room->daemon->loop, &room->timer);
    room->timer.data = room;
    arm(room);
}

void rooms_end(struct list *rooms)
{
    LIST_EACH (item, next, rooms)
        end(CONTAINER_OF(item, struct room, link), true);
}
