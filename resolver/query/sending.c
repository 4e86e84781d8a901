/*
 * sending.c: see sending.h.
 */
#include "query/sending.h"

#include <assert.h>

void sending_send(struct desk *desk, struct exchange *exchange, msec_t now)
{
    uint8_t     wire[QUERY_MAX];
    struct view view = {wire, exchange_write(exchange, wire)};
    if (desk->effects.send(desk->effects.context, exchange, view))
        exchange_on_sent(exchange, now);
    else
        exchange_on_unreachable(exchange, exchange->transport, false, now);
}

static void release(struct desk *desk, struct exchange *exchange, enum transport transport)
{
    if (exchange->tickets[transport])
        desk->effects.release(desk->effects.context, exchange, transport);
    assert(!exchange->tickets[transport]);
}

void sending_release_deaf(struct desk *desk, struct exchange *exchange)
{
    for (enum transport transport = 0; transport < TRANSPORT_COUNT; transport++)
        if (!exchange_listens(exchange, transport))
            release(desk, exchange, transport);
}

void sending_release(struct desk *desk, struct exchange *exchange)
{
    for (enum transport transport = 0; transport < TRANSPORT_COUNT; transport++)
        release(desk, exchange, transport);
}
