/*
 * outlet.c: see outlet.h.
 */
#include "server/outlet.h"

#include <assert.h>

static void on_udp(void *context, void *owner, enum udp_event event, struct view datagram)
{
    struct outlet *outlet = context;
    if (event == UDP_UNREACHABLE)
        outlet->on_unreachable(outlet->context, owner);
    else
        outlet->on_packet(outlet->context, owner, datagram);
}

static void on_tcp(void *context, void *owner, enum tcp_event event, struct view message)
{
    struct outlet *outlet = context;
    if (event == TCP_BROKEN)
        outlet->on_unreachable(outlet->context, owner);
    else
        outlet->on_packet(outlet->context, owner, message);
}

bool outlet_open(struct outlet *outlet, uv_loop_t *loop, struct rng *rng, unsigned sockets,
                 void (*begin)(void *context))
{
    outlet->udp = udp_ask_create(loop, rng, sockets, on_udp, begin, outlet);
    outlet->tcp = tcp_ask_create(loop, on_tcp, begin, outlet);
    if (outlet->udp && outlet->tcp)
        return true;
    outlet_close(outlet);
    return false;
}

void outlet_close(struct outlet *outlet)
{
    if (outlet->udp)
        udp_ask_close(outlet->udp);
    if (outlet->tcp)
        tcp_ask_close(outlet->tcp);
    outlet->udp = NULL;
    outlet->tcp = NULL;
}

bool outlet_send(struct outlet *outlet, struct exchange *exchange, struct view query)
{
    if (exchange->transport == TRANSPORT_UDP && exchange->ticket)
        return udp_ask_resend(outlet->udp, exchange->ticket, query) == 0;
    if (exchange->transport == TRANSPORT_UDP) {
        struct udp_ticket *ticket;
        if (udp_ask_open(outlet->udp, &exchange->server->address, query, exchange, *outlet->now, &ticket) != 0)
            return false;
        exchange->ticket = ticket;
        return true;
    }
    assert(!exchange->ticket);
    struct tcp_ticket *ticket;
    if (tcp_ask_open(outlet->tcp, &exchange->server->address, query, exchange, &ticket) != 0)
        return false;
    exchange->ticket = ticket;
    return true;
}

void outlet_release(struct outlet *outlet, struct exchange *exchange)
{
    if (exchange->transport == TRANSPORT_UDP) {
        udp_ask_release(outlet->udp, exchange->ticket);
    } else {
        if (exchange->keepalive.form == KEEPALIVE_TOLD)
            tcp_ask_keep(exchange->ticket, exchange->keepalive.idle * 100);
        tcp_ask_release(outlet->tcp, exchange->ticket);
    }
    exchange->ticket = NULL;
}
