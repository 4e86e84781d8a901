/*
 * errand.c: see errand.h.
 */
#include "query/errand.h"

static void end(struct errands *errands, struct errand *errand, msec_t now)
{
    errand_cancel(errands, errand);
    errand->ended = now;
    errand->done(errand->owner, errand, now);
}

static void send_errand(struct errands *errands, struct errand *errand, msec_t now)
{
    uint8_t          wire[QUERY_MAX];
    struct exchange *exchange = &errand->exchange;
    struct view      view     = {wire, exchange_write(exchange, wire)};
    struct effects  *effects  = &errands->desk->effects;
    if (!effects->send(effects->context, exchange, view)) {
        exchange_on_unreachable(exchange, now);
        end(errands, errand, now);
        return;
    }
    exchange_on_sent(exchange, now);
    msec_t due = exchange->started + errand->life;
    if (errand->resend && exchange->sends == 1 && exchange->transport == TRANSPORT_UDP)
        due = msec_min(due, now + errand->resend);
    timers_set(&errands->timers, &errand->timer, due);
}

bool errand_start(struct errands *errands, struct errand *errand, struct server *server, msec_t now)
{
    if (!timers_reserve(&errands->timers, errands->timers.count + 1))
        return false;
    exchange_open(&errand->exchange, server, &errand->inquiry, TRANSPORT_UDP, &errands->desk->rng, now);
    errand->exchange.edns &= !errand->plain;
    errand->exchange.owner = errand;
    errand->running        = true;
    send_errand(errands, errand, now);
    return true;
}

bool errand_again(struct errands *errands, struct errand *errand, msec_t life, msec_t now)
{
    if (!errand->running) {
        errand->life = life;
        return errand_start(errands, errand, errand->exchange.server, now);
    }
    errand->life = msec_max(errand->life, now + life - errand->exchange.started);
    if (errand->exchange.transport == TRANSPORT_UDP)
        send_errand(errands, errand, now);
    else
        timers_set(&errands->timers, &errand->timer, errand->exchange.started + errand->life);
    return true;
}

bool errand_within_quota(struct errands *errands, msec_t now)
{
    struct quota *quota = errands->desk->shared.quota;
    return !quota || quota_take(quota, false, 0, now);
}

void errand_cancel(struct errands *errands, struct errand *errand)
{
    struct effects *effects = &errands->desk->effects;
    timers_cancel(&errands->timers, &errand->timer);
    if (errand->exchange.ticket)
        effects->release(effects->context, &errand->exchange);
    errand->running = false;
}

void errand_on_packet(struct errands *errands, struct errand *errand, struct view packet, msec_t now)
{
    struct effects  *effects  = &errands->desk->effects;
    struct exchange *exchange = &errand->exchange;
    struct message   reply;
    switch (exchange_on_packet(exchange, packet, now, &reply, &errand->kind)) {
    case EXCHANGE_IGNORE:
        return;
    case EXCHANGE_REPLY:
        if (errand->read && outcome_usable(exchange->outcome))
            errand->read(errand->owner, errand, &reply);
        end(errands, errand, now);
        return;
    case EXCHANGE_ASK_TCP:
        effects->release(effects->context, exchange);
        exchange_reopen(exchange, TRANSPORT_TCP, exchange->edns, &errands->desk->rng, now);
        break;
    case EXCHANGE_ASK_PLAIN:
        effects->release(effects->context, exchange);
        exchange_reopen(exchange, exchange->transport, false, &errands->desk->rng, now);
        break;
    }
    send_errand(errands, errand, now);
}

void errand_on_unreachable(struct errands *errands, struct errand *errand, msec_t now)
{
    exchange_on_unreachable(&errand->exchange, now);
    end(errands, errand, now);
}

void errands_on_time(struct errands *errands, msec_t now)
{
    struct timer *timer;
    while ((timer = timers_pop(&errands->timers, now))) {
        struct errand   *errand   = CONTAINER_OF(timer, struct errand, timer);
        struct exchange *exchange = &errand->exchange;
        if (now < exchange->started + errand->life) {
            send_errand(errands, errand, now);
            continue;
        }
        if (!errand->aside)
            server_on_silence(exchange->server, exchange->transport, exchange->started, now);
        exchange_on_timeout(exchange);
        end(errands, errand, now);
    }
}
