/*
 * server.c: see server.h.
 */
#include "upstream/server.h"

#include <stdlib.h>

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define SET(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define COUNT(field) atomic_fetch_add_explicit(&(field), 1, memory_order_relaxed)

struct server *server_create(const struct address *address, bool tcp_only, bool trusted)
{
    struct server *server = calloc(1, sizeof(*server));
    if (!server)
        return NULL;
    server->address  = *address;
    server->tcp_only = tcp_only;
    server->trusted  = trusted;
    return server;
}

void server_destroy(struct server *server) { free(server); }

enum health server_health(const struct server *server) { return (enum health) GET(server->health); }

bool server_edns(const struct server *server, msec_t now)
{
    msec_t since = GET(server->plain_since);
    return since == 0 || now - since >= SERVER_PLAIN_RETRY;
}

bool server_tcp_doubtful(const struct server *server, msec_t now)
{
    msec_t failed = GET(server->tcp_failed);
    return failed != 0 && now - failed < SERVER_TCP_RETRY;
}

void server_on_sent(struct server *server, enum transport transport)
{
    if (transport == TRANSPORT_TCP)
        COUNT(server->tcp_sent);
    else
        COUNT(server->sent);
}

void server_on_reply(struct server *server, enum transport transport, enum outcome outcome, msec_t rtt, msec_t now)
{
    COUNT(server->outcomes[transport][outcome]);
    SET(server->last_answer, now);
    if (outcome == OUTCOME_MALFORMED)
        SET(server->last_failure, now);
    if (transport == TRANSPORT_TCP)
        SET(server->tcp_failed, 0);
    if (rtt >= 0)
        rtt_update(&server->rtt[transport], rtt);
    if (GET(server->health) != HEALTH_UP)
        SET(server->health, HEALTH_UP);
}

static void suspect(struct server *server)
{
    int up = HEALTH_UP;
    atomic_compare_exchange_strong_explicit(&server->health, &up, HEALTH_SUSPECT, memory_order_relaxed,
                                            memory_order_relaxed);
}

void server_on_silence(struct server *server, enum transport transport, msec_t sent_at, msec_t now)
{
    SET(server->last_failure, now);
    if (transport == TRANSPORT_TCP && !server->tcp_only) {
        SET(server->tcp_failed, now);
        return;
    }
    if (GET(server->last_answer) < sent_at)
        suspect(server);
}

void server_on_timeout(struct server *server, enum transport transport)
{
    COUNT(server->outcomes[transport][OUTCOME_TIMEOUT]);
}

void server_on_unreachable(struct server *server, enum transport transport, msec_t now)
{
    COUNT(server->outcomes[transport][OUTCOME_UNREACHABLE]);
    SET(server->last_failure, now);
    if (transport == TRANSPORT_TCP && !server->tcp_only)
        SET(server->tcp_failed, now);
    else
        suspect(server);
}

void server_on_edns(struct server *server, msec_t now) { SET(server->edns_seen, now); }

void server_on_plain(struct server *server, msec_t now) { SET(server->plain_since, now); }

bool server_wants_probe(const struct server *server, msec_t now)
{
    return server_health(server) != HEALTH_UP && now >= server->probe_next;
}

bool server_on_probe(struct server *server, bool answered, msec_t now)
{
    bool was_down = server->probes_failed >= SERVER_PROBES_TO_DOWN;
    if (answered) {
        server->probes_failed  = 0;
        server->probe_interval = 0;
        server->probe_next     = 0;
        return was_down;
    }
    if (GET(server->last_answer) >= server->probe_failed) { /* it lived since: this failure is the first of a row */
        server->probes_failed  = 0;
        server->probe_interval = 0;
    }
    server->probe_failed = now;
    server->probes_failed++;
    if (server->probes_failed < SERVER_PROBES_TO_DOWN) {
        /* an ICMP error fails a probe at once; three in the same millisecond would be one fact */
        server->probe_next = now + SERVER_PROBE_TIMEOUT / 5;
        return false;
    }
    server->probe_interval =
        server->probe_interval ? msec_min(2 * server->probe_interval, SERVER_PROBE_MAX) : SERVER_PROBE_FIRST;
    server->probe_next = now + server->probe_interval;
    SET(server->health, HEALTH_DOWN);
    return server->probes_failed == SERVER_PROBES_TO_DOWN;
}
