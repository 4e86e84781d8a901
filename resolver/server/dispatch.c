/*
 * dispatch.c: see dispatch.h.
 */
#include "server/dispatch.h"

#include "server/clock.h"
#include "stream/remote.h"

#include <assert.h>

static void on_udp(void *context, void *owner, enum udp_event event, struct view datagram)
{
    struct dispatch *dispatch = context;
    if (event == UDP_UNREACHABLE)
        dispatch->on_unreachable(dispatch->context, owner, TRANSPORT_UDP);
    else
        dispatch->on_packet(dispatch->context, owner, TRANSPORT_UDP, datagram);
}

static void on_tcp(void *context, void *owner, enum tcp_event event, struct view message)
{
    struct dispatch *dispatch = context;
    struct exchange *exchange = owner;
    exchange->waited |= event == TCP_LATE;
    if (event == TCP_BROKEN)
        dispatch->on_unreachable(dispatch->context, owner, TRANSPORT_TCP);
    else
        dispatch->on_packet(dispatch->context, owner, TRANSPORT_TCP, message);
}

bool dispatch_open(struct dispatch *dispatch, uv_loop_t *loop, struct rng *rng, unsigned sockets,
                   void (*begin)(void *context))
{
    dispatch->udp = udp_ask_create(loop, rng, sockets, on_udp, begin, dispatch);
    dispatch->tcp = tcp_ask_create(loop, on_tcp, begin, clock_wall, dispatch);
    if (dispatch->udp && dispatch->tcp)
        return true;
    dispatch_close(dispatch);
    return false;
}

void dispatch_close(struct dispatch *dispatch)
{
    if (dispatch->udp)
        udp_ask_close(dispatch->udp);
    if (dispatch->tcp)
        tcp_ask_close(dispatch->tcp);
    dispatch->udp = NULL;
    dispatch->tcp = NULL;
}

static bool send_udp(struct dispatch *dispatch, struct exchange *exchange, struct view query)
{
    struct udp_ticket *ticket = exchange->tickets[TRANSPORT_UDP];
    if (ticket)
        return udp_ask_resend(dispatch->udp, ticket, query) == 0;
    if (udp_ask_open(dispatch->udp, remote_way(exchange->server->remote), query, exchange, *dispatch->now, &ticket) !=
        0)
        return false;
    exchange->tickets[TRANSPORT_UDP] = ticket;
    return true;
}

static bool send_tcp(struct dispatch *dispatch, struct exchange *exchange, struct view query)
{
    struct server     *server = exchange->server;
    unsigned           rtt    = (unsigned) rtt_smoothed(&server->rtt[TRANSPORT_TCP]);
    bool               beside = exchange->listens && !exchange->doubted;
    struct tcp_ticket *ticket;
    assert(!exchange->tickets[TRANSPORT_TCP]);
    if (tcp_ask_open(dispatch->tcp, server->remote, query, exchange, rtt, beside ? 0 : TCP_ASK_AGAIN, &ticket) != 0)
        return false;
    exchange->tickets[TRANSPORT_TCP] = ticket;
    return true;
}

bool dispatch_send(void *network, struct exchange *exchange, struct view query)
{
    return exchange->transport == TRANSPORT_UDP ? send_udp(network, exchange, query)
                                                : send_tcp(network, exchange, query);
}

void dispatch_release(void *network, struct exchange *exchange, enum transport transport)
{
    struct dispatch *dispatch    = network;
    void            *ticket      = exchange->tickets[transport];
    exchange->tickets[transport] = NULL;
    if (transport == TRANSPORT_UDP) {
        udp_ask_release(dispatch->udp, ticket);
        return;
    }
    if (exchange->keepalive.form == KEEPALIVE_TOLD)
        tcp_ask_keep(ticket, exchange->keepalive.idle * 100);
    tcp_ask_release(dispatch->tcp, ticket);
}
