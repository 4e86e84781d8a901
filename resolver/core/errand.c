/*
 * errand.c: see errand.h.
 */
#include "core/errand.h"

#include "core/sending.h"

static void end(struct errands *errands, struct errand *errand, msec_t now)
{
    errand_cancel(errands, errand);
    errand->ended = now;
    errand->done(errand->owner, errand, now);
}

/* When it is sent once more, if its life is not over before; MSEC_NEVER: it is not. */
static msec_t next_send(const struct errand *errand)
{
    const struct exchange *exchange = &errand->exchange;
    unsigned               sends    = exchange->sends[TRANSPORT_UDP];
    if (errand->resend == 0 || !exchange->listens || exchange->doubted || sends == 0 || sends > 2)
        return MSEC_NEVER;
    return exchange->sent + (sends == 1 ? errand->resend : ERRAND_LADDER);
}

static void set_timer(struct errands *errands, struct errand *errand)
{
    msec_t due = msec_min(errand->exchange.started + errand->life, exchange_due(&errand->exchange));
    timers_set(&errands->timers, &errand->timer, msec_min(due, next_send(errand)));
}

/* False: it has ended. */
static bool send_errand(struct errands *errands, struct errand *errand, msec_t now)
{
    sending_send(errands->env, &errand->exchange, now);
    if (errand->exchange.state == EXCHANGE_DONE) {
        end(errands, errand, now);
        return false;
    }
    set_timer(errands, errand);
    return true;
}

static void resend(struct errands *errands, struct errand *errand, msec_t now)
{
    struct exchange *exchange = &errand->exchange;
    bool             tcp_too  = exchange_on_resend(exchange, now);
    if (!send_errand(errands, errand, now) || !tcp_too)
        return;
    exchange_try_tcp(exchange);
    send_errand(errands, errand, now);
}

bool errand_start(struct errands *errands, struct errand *errand, struct server *server, msec_t now)
{
    if (!timers_reserve(&errands->timers, errands->timers.count + 1))
        return false;
    errand->exchange.owner = errand;
    errand->exchange.weak  = errand->weak;
    exchange_open(&errand->exchange, server, &errand->inquiry, &errands->env->rng, now);
    if (errand->plain)
        errand->exchange.form = FORM_PLAIN;
    errand->running = true;
    send_errand(errands, errand, now);
    return true;
}

bool errand_again(struct errands *errands, struct errand *errand, msec_t life, msec_t now)
{
    struct exchange *exchange = &errand->exchange;
    if (!errand->running) {
        errand->life = life;
        return errand_start(errands, errand, exchange->server, now);
    }
    errand->life = msec_max(errand->life, now + life - exchange->started);
    if (exchange->listens && exchange->tickets[TRANSPORT_UDP])
        resend(errands, errand, now);
    else
        set_timer(errands, errand);
    return true;
}

bool errand_within_quota(struct errands *errands, msec_t now)
{
    struct external_rate *quota = errands->env->shared.quota;
    return !quota || external_rate_take(quota, false, 0, now);
}

void errand_cancel(struct errands *errands, struct errand *errand)
{
    timers_cancel(&errands->timers, &errand->timer);
    sending_release(errands->env, &errand->exchange);
    errand->running = false;
}

void errand_on_packet(struct errands *errands, struct errand *errand, enum transport transport, struct view packet,
                      msec_t now)
{
    struct env          *env      = errands->env;
    struct exchange     *exchange = &errand->exchange;
    struct message       reply;
    const struct arrival arrival = {transport, packet, &env->setup->forgery, now};
    switch (exchange_on_packet(exchange, &arrival, &env->rng, &reply, &errand->judgement)) {
    case EXCHANGE_IGNORE:
        set_timer(errands, errand);
        return;
    case EXCHANGE_AGAIN:
        sending_release_deaf(env, exchange);
        send_errand(errands, errand, now);
        return;
    case EXCHANGE_LEAVE:
        env->effects.release(env->effects.network, exchange, TRANSPORT_UDP);
        return;
    case EXCHANGE_REPLY:
        if (errand->strict && judge_is_unfounded(&errand->judgement))
            exchange->outcome = OUTCOME_FORGED;
        if (errand->read && (errand->reads_all || outcome_usable(exchange->outcome)))
            errand->read(errand->owner, errand, &reply);
        end(errands, errand, now);
        return;
    }
}

void errand_on_unreachable(struct errands *errands, struct errand *errand, enum transport transport, msec_t now)
{
    struct env *env = errands->env;
    if (exchange_on_unreachable(&errand->exchange, transport, true, now)) {
        end(errands, errand, now);
        return;
    }
    if (transport == TRANSPORT_TCP)
        env->effects.release(env->effects.network, &errand->exchange, TRANSPORT_TCP);
    set_timer(errands, errand);
}

void errands_on_time(struct errands *errands, msec_t now)
{
    struct timer *timer;
    while ((timer = timers_pop(&errands->timers, now))) {
        struct errand   *errand   = CONTAINER_OF(timer, struct errand, timer);
        struct exchange *exchange = &errand->exchange;
        if (now < exchange->started + errand->life && now < exchange_due(exchange)) {
            resend(errands, errand, now);
            continue;
        }
        if (!errand->aside && !exchange->silent)
            server_on_silence(exchange->server, exchange->listens ? TRANSPORT_UDP : TRANSPORT_TCP, exchange->started,
                              now);
        exchange_on_timeout(exchange);
        end(errands, errand, now);
    }
}
