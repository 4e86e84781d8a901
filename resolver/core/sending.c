/*
 * sending.c: see sending.h.
 */
#include "core/sending.h"

#include <assert.h>

void sending_send(struct env *env, struct exchange *exchange, msec_t now)
{
    uint8_t     wire[QUERY_MAX];
    struct view view = {wire, exchange_write(exchange, wire)};
    if (env->effects.send(env->effects.network, exchange, view))
        exchange_on_sent(exchange, now);
    else
        exchange_on_unreachable(exchange, exchange->transport, false, now);
}

static void release(struct env *env, struct exchange *exchange, enum transport transport)
{
    if (exchange->tickets[transport])
        env->effects.release(env->effects.network, exchange, transport);
    assert(!exchange->tickets[transport]);
}

void sending_release_deaf(struct env *env, struct exchange *exchange)
{
    for (enum transport transport = 0; transport < TRANSPORT_COUNT; transport++)
        if (!exchange_listens(exchange, transport))
            release(env, exchange, transport);
}

void sending_release(struct env *env, struct exchange *exchange)
{
    for (enum transport transport = 0; transport < TRANSPORT_COUNT; transport++)
        release(env, exchange, transport);
}
