/*
 * explanations.c: see explanations.h.
 */
#include "server/explanations.h"

#include "server/clock.h"
#include "server/room.h"

#include <stdlib.h>
#include <sys/random.h>

enum {
    SOCKETS        = INQUEST_AT_ONCE, /* of UDP */
    PROGRESS_EVERY = 250              /* ms */
};

struct explaining { /* one under way */
    struct room               room;
    struct daemon            *daemon;
    struct explanation       *explanation;
    struct explanations_hooks hooks;
    msec_t                    told;
    bool                      abandoned;
};

/* ---- in its room ---- */

static void on_packet(void *owner, struct exchange *exchange, enum transport transport, struct view packet)
{
    struct explaining *explaining = owner;
    inquest_on_packet(explaining->explanation->inquest, exchange, transport, packet, explaining->daemon->now);
}

static void on_unreachable(void *owner, struct exchange *exchange, enum transport transport)
{
    struct explaining *explaining = owner;
    inquest_on_unreachable(explaining->explanation->inquest, exchange, transport, explaining->daemon->now);
}

static msec_t next(void *owner)
{
    const struct explaining *explaining = owner;
    const struct inquest    *inquest    = explaining->explanation->inquest;
    return inquest->ended ? 0 : msec_min(inquest_next(inquest), explaining->told + PROGRESS_EVERY);
}

static bool on_time(void *owner)
{
    struct explaining  *explaining  = owner;
    struct explanation *explanation = explaining->explanation;
    if (!explanation->inquest->ended)
        inquest_on_time(explanation->inquest, explaining->daemon->now);
    if (explanation->inquest->ended) {
        explanation_conclude(explanation);
        return false;
    }
    if (explaining->daemon->now - explaining->told < PROGRESS_EVERY)
        return true;
    explaining->told      = explaining->daemon->now;
    explaining->abandoned = !explaining->hooks.progress(explaining->hooks.cookie, explanation);
    return !explaining->abandoned;
}

static void leave(void *owner, bool given_up)
{
    struct explaining *explaining = owner;
    explaining->daemon->explanation_count--;
    explaining->hooks.done(explaining->hooks.cookie,
                           given_up || explaining->abandoned ? NULL : explaining->explanation);
    explanation_destroy(explaining->explanation);
}

static const struct room_work work = {on_packet, on_unreachable, next, on_time, leave, free};

/* ---- beginning ---- */

static bool open_explanation(struct explaining *explaining, const struct explain_request *request)
{
    struct daemon             *daemon  = explaining->daemon;
    struct explanation_options options = {.inquest = {.effects = {.network = &explaining->room.dispatch,
                                                                  .send    = dispatch_send,
                                                                  .release = dispatch_release},
                                                      .shared  = daemon->shared,
                                                      .setup   = daemon->setup},
                                          .request = *request,
                                          .wall    = clock_wall()};
    if (getentropy(options.inquest.seed, sizeof(options.inquest.seed)) != 0)
        return false;
    explaining->explanation = explanation_create(&options);
    return explaining->explanation && room_open(&explaining->room, daemon, &work, explaining,
                                                &explaining->explanation->inquest->env->rng, SOCKETS);
}

bool explanations_begin(struct daemon *daemon, const struct explain_request *request,
                        const struct explanations_hooks *hooks)
{
    struct explaining *explaining =
        daemon->explanation_count < LIMIT_EXPLANATIONS ? calloc(1, sizeof(*explaining)) : NULL;
    if (!explaining)
        return false;
    explaining->daemon = daemon;
    explaining->hooks  = *hooks;
    explaining->told   = daemon->now;
    if (!open_explanation(explaining, request)) {
        explanation_destroy(explaining->explanation);
        free(explaining);
        return false;
    }
    daemon->explanation_count++;
    inquest_begin(explaining->explanation->inquest, daemon->now);
    room_begin(&explaining->room, &daemon->explanations);
    return true;
}
