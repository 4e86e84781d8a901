/*
 * explanations.c: see explanations.h.
 */
#include "server/explanations.h"

#include "server/clock.h"
#include "server/keeper.h"

#include <stdlib.h>
#include <sys/random.h>

enum {
    SOCKETS        = INQUEST_AT_ONCE, /* of UDP */
    PROGRESS_EVERY = 250              /* ms */
};

struct explaining { /* one under way */
    struct list               link;
    struct daemon            *daemon;
    struct dispatch           dispatch;
    uv_timer_t                timer;
    struct explanation       *explanation;
    struct explanations_hooks hooks;
    msec_t                    told;
};

/* ---- life ---- */

static void on_closed(uv_handle_t *timer) { free(timer->data); }

static void end(struct explaining *explaining, const struct explanation *concluded)
{
    list_remove(&explaining->link);
    explaining->daemon->explanation_count--;
    explaining->hooks.done(explaining->hooks.cookie, concluded);
    explanation_destroy(explaining->explanation); /* before the sockets that it has */
    dispatch_close(&explaining->dispatch);
    uv_close((uv_handle_t *) &explaining->timer, on_closed);
}

/* ---- the loop ---- */

static void on_timer(uv_timer_t *timer);

/* Never ends it from within the sockets' own callbacks. */
static void arm(struct explaining *explaining)
{
    const struct inquest *inquest = explaining->explanation->inquest;
    msec_t                now     = explaining->daemon->now;
    msec_t                due     = inquest->ended ? now : msec_min(inquest_next(inquest), now + PROGRESS_EVERY);
    if (now - explaining->told >= PROGRESS_EVERY) {
        explaining->told = now;
        explaining->hooks.progress(explaining->hooks.cookie, explaining->explanation);
    }
    uv_update_time(&explaining->daemon->loop);
    uv_timer_start(&explaining->timer, on_timer, (uint64_t) msec_max(due - now, 0), 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct explaining *explaining = timer->data;
    struct inquest    *inquest    = explaining->explanation->inquest;
    keeper_begin(explaining->daemon);
    if (!inquest->ended)
        inquest_on_time(inquest, explaining->daemon->now);
    if (!inquest->ended) {
        arm(explaining);
        return;
    }
    explanation_conclude(explaining->explanation);
    end(explaining, explaining->explanation);
}

static void begin_turn(void *context)
{
    struct explaining *explaining = ((struct dispatch *) context)->context;
    keeper_begin(explaining->daemon);
}

static void on_packet(void *context, struct exchange *exchange, enum transport transport, struct view packet)
{
    struct explaining *explaining = context;
    inquest_on_packet(explaining->explanation->inquest, exchange, transport, packet, explaining->daemon->now);
    arm(explaining);
}

static void on_unreachable(void *context, struct exchange *exchange, enum transport transport)
{
    struct explaining *explaining = context;
    inquest_on_unreachable(explaining->explanation->inquest, exchange, transport, explaining->daemon->now);
    arm(explaining);
}

/* ---- beginning ---- */

static bool open_explanation(struct explaining *explaining, const struct explain_request *request)
{
    struct daemon             *daemon  = explaining->daemon;
    struct explanation_options options = {
        .inquest = {.effects = {.network = &explaining->dispatch, .send = dispatch_send, .release = dispatch_release},
                    .shared  = daemon->shared,
                    .setup   = daemon->setup},
        .request = *request,
        .wall    = clock_wall()};
    if (getentropy(options.inquest.seed, sizeof(options.inquest.seed)) != 0)
        return false;
    explaining->dispatch = (struct dispatch){
        .now = &daemon->now, .context = explaining, .on_packet = on_packet, .on_unreachable = on_unreachable};
    explaining->explanation = explanation_create(&options);
    return explaining->explanation && dispatch_open(&explaining->dispatch, &daemon->loop,
                                                    &explaining->explanation->inquest->env->rng, SOCKETS, begin_turn);
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
    list_append(&daemon->explanations, &explaining->link);
    daemon->explanation_count++;
    uv_timer_init(&daemon->loop, &explaining->timer);
    explaining->timer.data = explaining;
    inquest_begin(explaining->explanation->inquest, daemon->now);
    arm(explaining);
    return true;
}

void explanations_end(struct daemon *daemon)
{
    LIST_EACH (item, next, &daemon->explanations)
        end(CONTAINER_OF(item, struct explaining, link), NULL);
}
