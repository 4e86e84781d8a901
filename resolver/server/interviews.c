/*
 * interviews.c: see interviews.h.
 */
#include "server/interviews.h"

#include "base/log.h"
#include "server/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    SOCKETS = 4 /* of UDP, at once: a question keeps its own for a while */
};

struct interviewing { /* one under way */
    struct room        room;
    struct daemon     *daemon;
    struct remote     *remote;
    struct server     *server, *by_tcp;
    struct interview  *interview;
    interviews_done_fn done;
    void              *cookie;
};

/* ---- in its room ---- */

static void on_packet(void *owner, struct exchange *exchange, enum transport transport, struct view packet)
{
    struct interviewing *interviewing = owner;
    interview_on_packet(interviewing->interview, exchange, transport, packet, interviewing->daemon->now);
}

static void on_unreachable(void *owner, struct exchange *exchange, enum transport transport)
{
    struct interviewing *interviewing = owner;
    interview_on_unreachable(interviewing->interview, exchange, transport, interviewing->daemon->now);
}

static msec_t next(void *owner)
{
    const struct interview *interview = ((struct interviewing *) owner)->interview;
    return interview->ended ? 0 : interview_next(interview);
}

static bool on_time(void *owner)
{
    struct interviewing *interviewing = owner;
    if (!interviewing->interview->ended)
        interview_on_time(interviewing->interview, interviewing->daemon->now);
    return !interviewing->interview->ended;
}

static void leave(void *owner, bool given_up)
{
    struct interviewing *interviewing = owner;
    interviewing->daemon->interview_count--;
    interviewing->done(interviewing->cookie, given_up ? NULL : interviewing->interview, interviewing->remote);
    interview_destroy(interviewing->interview);
    interviewing->interview = NULL;
}

static void interviewing_free(void *owner)
{
    struct interviewing *interviewing = owner;
    interview_destroy(interviewing->interview);
    server_destroy(interviewing->server);
    server_destroy(interviewing->by_tcp);
    remote_drop(interviewing->remote);
    free(interviewing);
}

static const struct room_work work = {on_packet, on_unreachable, next, on_time, leave, interviewing_free};

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

static struct server *make_server(const struct interviewing *interviewing, const struct upstream_setting *upstream,
                                  bool tcp_only)
{
    struct server_options options = {.address   = upstream->way.address,
                                     .tcp_only  = tcp_only,
                                     .encrypted = way_is_encrypted(&upstream->way),
                                     .trusted   = upstream->trusted,
                                     .mix_case  = upstream->mix_case,
                                     .remote    = interviewing->remote};
    return getentropy(&options.key, sizeof(options.key)) == 0 ? server_create(&options) : NULL;
}

static bool make_servers(struct interviewing *interviewing, const struct upstream_setting *upstream)
{
    bool udp             = upstream->way.form == WAY_UDP;
    interviewing->server = make_server(interviewing, upstream, !udp);
    interviewing->by_tcp = udp ? make_server(interviewing, upstream, true) : NULL;
    return interviewing->server && (!udp || interviewing->by_tcp);
}

static bool open_interview(struct interviewing *interviewing, const struct name *censored)
{
    struct interview_options options = {
        .effects  = {.network = &interviewing->room.dispatch, .send = dispatch_send, .release = dispatch_release},
        .setup    = interviewing->daemon->setup,
        .server   = interviewing->server,
        .by_tcp   = interviewing->by_tcp,
        .censored = censored};
    if (getentropy(options.seed, sizeof(options.seed)) != 0)
        return false;
    interviewing->interview = interview_create(&options);
    return interviewing->interview && room_open(&interviewing->room, interviewing->daemon, &work, interviewing,
                                                &interviewing->interview->env->rng, SOCKETS);
}

/* NULL: `why` is set. */
static struct interviewing *interviewing_open(struct daemon *daemon, const struct upstream_setting *upstream,
                                              const struct name *censored, char why[INTERVIEWS_WHY_MAX])
{
    struct interviewing *interviewing = calloc(1, sizeof(*interviewing));
    snprintf(why, INTERVIEWS_WHY_MAX, "out of memory or descriptors");
    if (!interviewing)
        return NULL;
    interviewing->daemon = daemon;
    interviewing->remote = remote_create(&upstream->way);
    if (interviewing->remote && set_credentials(interviewing->remote, why) && make_servers(interviewing, upstream) &&
        open_interview(interviewing, censored))
        return interviewing;
    interviewing_free(interviewing);
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
    struct interviewing *interviewing = interviewing_open(daemon, upstream, censored, why);
    if (!interviewing)
        return false;
    interviewing->done   = done;
    interviewing->cookie = cookie;
    daemon->interview_count++;
    log_info("upstream %s is tried for the operator", way_format(&upstream->way, text));
    interview_begin(interviewing->interview, daemon->now);
    room_begin(&interviewing->room, &daemon->interviews);
    return true;
}
