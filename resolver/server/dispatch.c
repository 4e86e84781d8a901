/*
 * dispatch.c: see dispatch.h.
 */
#include "server/dispatch.h"

#include <assert.h>

static void on_udp(void *context, void *owner, enum udp_event event, struct view datagram)
{
    struct dispatch *outlet = context;
    if (event == UDP_UNREACHABLE)
        outlet->on_unreachable(outlet->context, owner, TRANSPORT_UDP);
    else
        outlet->on_packet(outlet->context, owner, TRANSPORT_UDP, datagram);
}

static void on_tcp(void *context, void *owner, enum tcp_event event, struct view message)
{
    struct dispatch *outlet = context;
    if (event == TCP_BROKEN)
        outlet->on_unreachable(outlet->context, owner, TRANSPORT_TCP);
    else
        outlet->on_packet(outlet->context, owner, TRANSPORT_TCP, message);
}

bool dispatch_open(struct dispatch *outlet, uv_loop_t *loop, struct rng *rng, unsigned sockets,
                   void (*begin)(void *context))
{
    outlet->udp = udp_ask_create(loop, rng, sockets, on_udp, begin, outlet);
    outlet->tcp = tcp_ask_create(loop, on_tcp, begin, outlet);
    if (outlet->udp && outlet->tcp)
        return true;
    dispatch_close(outlet);
    return false;
}

void dispatch_close(struct dispatch *outlet)
{
    if (outlet->udp)
        udp_ask_close(outlet->udp);
    if (outlet->tcp)
        tcp_ask_close(outlet->tcp);
    outlet->udp = NULL;
    outlet->tcp = NULL;
}

static bool send_udp(struct dispatch *outlet, struct exchange *exchange, struct view query)
{
    struct udp_ticket *ticket = exchange->tickets[TRANSPORT_UDP];
    if (ticket)
        return udp_ask_resend(outlet->udp, ticket, query) == 0;
    if (udp_ask_open(outlet->udp, &exchange->server->address, query, exchange, *outlet->now, &ticket) != 0)
        return false;
    exchange->tickets[TRANSPORT_UDP] = ticket;
    return true;
}

static bool send_tcp(struct dispatch *outlet, struct exchange *exchange, struct view query)
{
    struct server     *server = exchange->server;
    unsigned           rtt    = (unsigned) rtt_smoothed(&server->rtt[TRANSPORT_TCP]);
    bool               beside = exchange->listens && !exchange->doubted;
    struct tcp_ticket *ticket;
    assert(!exchange->tickets[TRANSPORT_TCP]);
    if (tcp_ask_open(outlet->tcp, &server->address, query, exchange, rtt, beside ? 0 : TCP_ASK_AGAIN, &ticket) != 0)
        return false;
    exchange->tickets[TRANSPORT_TCP] = ticket;
    return true;
}

bool dispatch_send(struct dispatch *outlet, struct exchange *exchange, struct view query)
{
    return exchange->transport == TRANSPORT_UDP ? send_udp(outlet, exchange, query) : send_tcp(outlet, exchange, query);
}

void dispatch_release(struct dispatch *outlet, struct exchange *exchange, enum transport transport)
{
    void *ticket                 = exchange->tickets[transport];
    exchange->tickets[transport] = NULL;
    if (transport == TRANSPORT_UDP) {
        udp_ask_release(outlet->udp, ticket);
        return;
    }
    if (exchange->keepalive.form == KEEPALIVE_TOLD)
        tcp_ask_keep(ticket, exchange->keepalive.idle * 100);
    tcp_ask_release(outlet->tcp, ticket);
}
