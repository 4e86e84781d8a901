/*
 * interviews.c: see interviews.h.
 */
#include "server/interviews.h"

#include "base/log.h"
#include "server/keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    SOCKETS = 4 /* of UDP, at once: a question keeps its own for a while */
};

struct room { /* one under way */
    struct list        link;
    struct daemon     *daemon;
    struct dispatch    dispatch;
    uv_timer_t         timer;
    struct remote     *remote;
    struct server     *server, *by_tcp;
    struct interview  *interview;
    interviews_done_fn done;
    void              *cookie;
};

/* ---- life ---- */

static void room_free(struct room *room)
{
    interview_destroy(room->interview);
    server_destroy(room->server);
    server_destroy(room->by_tcp);
    remote_drop(room->remote);
    free(room);
}

static void on_closed(uv_handle_t *timer) { room_free(timer->data); }

/* `found` NULL: it is given up. */
static void conclude(struct room *room, const struct interview *found)
{
    list_remove(&room->link);
    room->daemon->interview_count--;
    room->done(room->cookie, found, room->remote);
    interview_destroy(room->interview); /* before the sockets that it has */
    room->interview = NULL;
    dispatch_close(&room->dispatch);
    uv_close((uv_handle_t *) &room->timer, on_closed);
}

/* ---- the loop ---- */

static void on_timer(uv_timer_t *timer);

/* Never ends it from within the sockets' own callbacks. */
static void arm(struct room *room)
{
    msec_t now = room->daemon->now, due = room->interview->ended ? now : interview_next(room->interview);
    uv_update_time(&room->daemon->loop);
    uv_timer_start(&room->timer, on_timer, (uint64_t) msec_max(due - now, 0), 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct room *room = timer->data;
    keeper_begin(room->daemon);
    if (!room->interview->ended)
        interview_on_time(room->interview, room->daemon->now);
    if (room->interview->ended)
        conclude(room, room->interview);
    else
        arm(room);
}

static void begin_turn(void *context)
{
    struct room *room = ((struct dispatch *) context)->context;
    keeper_begin(room->daemon);
}

static void on_packet(void *context, struct exchange *exchange, enum transport transport, struct view packet)
{
    struct room *room = context;
    interview_on_packet(room->interview, exchange, transport, packet, room->daemon->now);
    arm(room);
}

static void on_unreachable(void *context, struct exchange *exchange, enum transport transport)
{
    struct room *room = context;
    interview_on_unreachable(room->interview, exchange, transport, room->daemon->now);
    arm(room);
}

/* ---- beginning ---- */

/* The trust store is read anew for each: it may be what the operator has just mended. */
static bool set_credentials(struct remote *remote, char why[INTERVIEWS_WHY_MAX])
{
    const struct way *way = remote_way(remote);
    if (!way_is_encrypted(way))
        return true;
    struct trust       *trust       = way->ca || way->pin_count > 0 ? NULL : trust_open();
    struct credentials *credentials = credentials_create(way, trust, why);
    if (credentials)
        remote_set_credentials(remote, credentials);
    credentials_drop(credentials);
    trust_close(trust);
    return credentials != NULL;
}

static struct server *make_server(const struct room *room, const struct upstream_setting *upstream, bool tcp_only)
{
    struct server_options options = {.address   = upstream->way.address,
                                     .tcp_only  = tcp_only,
                                     .encrypted = way_is_encrypted(&upstream->way),
                                     .trusted   = upstream->trusted,
                                     .mix_case  = upstream->mix_case,
                                     .remote    = room->remote};
    return getentropy(&options.key, sizeof(options.key)) == 0 ? server_create(&options) : NULL;
}

static bool make_servers(struct room *room, const struct upstream_setting *upstream)
{
    bool udp     = upstream->way.form == WAY_UDP;
    room->server = make_server(room, upstream, !udp);
    room->by_tcp = udp ? make_server(room, upstream, true) : NULL;
    return room->server && (!udp || room->by_tcp);
}

static bool open_interview(struct room *room, const struct name *censored)
{
    struct interview_options options = {
        .effects  = {.network = &room->dispatch, .send = dispatch_send, .release = dispatch_release},
        .setup    = room->daemon->setup,
        .server   = room->server,
        .by_tcp   = room->by_tcp,
        .censored = censored};
    if (getentropy(options.seed, sizeof(options.seed)) != 0)
        return false;
    room->dispatch = (struct dispatch){
        .now = &room->daemon->now, .context = room, .on_packet = on_packet, .on_unreachable = on_unreachable};
    room->interview = interview_create(&options);
    return room->interview &&
           dispatch_open(&room->dispatch, &room->daemon->loop, &room->interview->env->rng, SOCKETS, begin_turn);
}

/* NULL: `why` is set. */
static struct room *room_open(struct daemon *daemon, const struct upstream_setting *upstream,
                              const struct name *censored, char why[INTERVIEWS_WHY_MAX])
{
    struct room *room = calloc(1, sizeof(*room));
    snprintf(why, INTERVIEWS_WHY_MAX, "out of memory or descriptors");
    if (!room)
        return NULL;
    room->daemon = daemon;
    room->remote = remote_create(&upstream->way);
    if (room->remote && set_credentials(room->remote, why) && make_servers(room, upstream) &&
        open_interview(room, censored))
        return room;
    room_free(room);
    return NULL;
}

bool interviews_begin(struct daemon *daemon, const struct upstream_setting *upstream, const struct name *censored,
                      interviews_done_fn done, void *cookie, char why[INTERVIEWS_WHY_MAX])
{
    char text[WAY_TEXT_MAX];
    if (daemon->interview_count >= LIMIT_INTERVIEWS) {
        snprintf(why, INTERVIEWS_WHY_MAX, "%d upstreams are being tried already: try again", LIMIT_INTERVIEWS);
        return false;
    }
    struct room *room = room_open(daemon, upstream, censored, why);
    if (!room)
        return false;
    room->done   = done;
    room->cookie = cookie;
    list_append(&daemon->interviews, &room->link);
    daemon->interview_count++;
    uv_timer_init(&daemon->loop, &room->timer);
    room->timer.data = room;
    log_info("upstream %s is tried for the operator", way_format(&upstream->way, text));
    interview_begin(room->interview, daemon->now);
    arm(room);
    return true;
}

void interviews_end(struct daemon *daemon)
{
    LIST_EACH (item, next, &daemon->interviews)
        conclude(CONTAINER_OF(item, struct room, link), NULL);
}
