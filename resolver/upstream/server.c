/*
 * server.c: see server.h.
 */
#include "upstream/server.h"

#include <stdlib.h>

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define SET(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define INCREMENT(field) atomic_fetch_add_explicit(&(field), 1, memory_order_relaxed)

struct server *server_create(const struct server_options *options)
{
    struct server *server = calloc(1, sizeof(*server));
    if (!server)
        return NULL;
    server->address   = options->address;
    server->tcp_only  = options->tcp_only;
    server->encrypted = options->encrypted;
    server->beyond    = options->beyond;
    server->trusted   = options->trusted;
    server->mix_case  = options->mix_case;
    server->remote    = options->remote;
    forms_init(&server->forms, options->key);
    return server;
}

void server_destroy(struct server *server) { free(server); }

enum health server_health(const struct server *server) { return (enum health) GET(server->health); }

bool server_is_outdone(const struct server *server) { return GET(server->outdone) >= SERVER_OUTDONE; }

bool server_is_well(const struct server *server)
{
    return server_health(server) == HEALTH_UP && !server_is_outdone(server);
}

bool server_tcp_doubtful(const struct server *server, msec_t now)
{
    msec_t failed = GET(server->tcp_failed);
    return failed != 0 && now - failed < SERVER_TCP_RETRY;
}

/* ---- facts ---- */

void server_on_sent(struct server *server, enum transport transport)
{
    if (transport == TRANSPORT_TCP)
        INCREMENT(server->tcp_sent);
    else
        INCREMENT(server->sent);
}

/* The root's answer proves little while names fail. */
static bool heals(const struct server *server, bool weak) { return !weak || GET(server->names_failed) == 0; }

void server_on_reply(struct server *server, enum transport transport, enum outcome outcome, msec_t rtt, bool weak,
                     msec_t now)
{
    INCREMENT(server->outcomes[transport][outcome]);
    if (outcome == OUTCOME_MALFORMED)
        SET(server->last_failure, now);
    if (transport == TRANSPORT_TCP)
        SET(server->tcp_failed, 0);
    if (rtt >= 0) {
        rtt_update(&server->rtt[transport], rtt);
        histogram_add(&server->times, rtt);
    }
    if (outcome_usable(outcome) && !weak && GET(server->outdone) != 0)
        SET(server->outdone, 0);
    if (!heals(server, weak))
        return;
    SET(server->last_answer, now);
    if (GET(server->silences) != 0)
        SET(server->silences, 0);
    if (GET(server->health) != HEALTH_UP)
        SET(server->health, HEALTH_UP);
}

void server_on_forged(struct server *server, enum transport transport)
{
    INCREMENT(server->outcomes[transport][OUTCOME_FORGED]);
}

void server_suspect(struct server *server)
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
    if (GET(server->last_answer) < sent_at && INCREMENT(server->silences) + 1 >= SERVER_SILENCES)
        server_suspect(server);
}

void server_on_lost(struct server *server, msec_t sent_at)
{
    if (GET(server->last_answer) < sent_at)
        server_suspect(server);
}

void server_on_timeout(struct server *server, enum transport transport, enum outcome outcome)
{
    INCREMENT(server->outcomes[transport][outcome]);
}

void server_on_unreachable(struct server *server, enum transport transport, msec_t now)
{
    INCREMENT(server->outcomes[transport][OUTCOME_UNREACHABLE]);
    SET(server->last_failure, now);
    if (transport == TRANSPORT_TCP && !server->tcp_only)
        SET(server->tcp_failed, now);
    else
        server_suspect(server);
}

void server_on_outdone(struct server *server)
{
    INCREMENT(server->beaten);
    if (GET(server->outdone) < SERVER_OUTDONE)
        INCREMENT(server->outdone);
}

void server_on_edns(struct server *server, msec_t now)
{
    SET(server->edns_seen, now);
    forms_on_whole(&server->forms, FORM_PLAIN);
    if (!server->beyond)
        return;
    if (GET(server->opt_seen) < SERVER_OPT_ALWAYS)
        INCREMENT(server->opt_seen);
    if (GET(server->opt_lacked) != 0)
        SET(server->opt_lacked, 0);
}

bool server_on_lacking_opt(struct server *server)
{
    if (!server->beyond || server->encrypted || GET(server->opt_seen) < SERVER_OPT_ALWAYS)
        return false;
    if (INCREMENT(server->opt_lacked) + 1 < SERVER_OPT_LACKED)
        return true;
    SET(server->opt_seen, 0); /* it is its way now */
    SET(server->opt_lacked, 0);
    return false;
}

void server_on_taint(struct server *server, msec_t now) { SET(server->tainted, now); }

bool server_is_tainted(const struct server *server, msec_t now)
{
    msec_t at = GET(server->tainted);
    return at != 0 && now - at < SERVER_TAINT_LIFE && !server_tcp_doubtful(server, now);
}

bool server_mixes_case(const struct server *server, msec_t now)
{
    msec_t off = GET(server->case_off);
    return server->mix_case && (off == 0 || now - off >= SERVER_CASE_RETRY);
}

void server_on_case(struct server *server, bool kept, msec_t now)
{
    if (kept) {
        SET(server->case_lost, 0);
        SET(server->case_off, 0);
    } else if (INCREMENT(server->case_lost) + 1 >= SERVER_CASE_LOST) {
        SET(server->case_off, now);
    }
}

/* One thread of several gets it. */
static bool take_turn(_Atomic int64_t *last, msec_t every, msec_t now)
{
    int64_t before = atomic_load_explicit(last, memory_order_relaxed);
    return (before == 0 || now - before >= every) &&
           atomic_compare_exchange_strong_explicit(last, &before, now, memory_order_relaxed, memory_order_relaxed);
}

void server_on_hint(struct server *server, msec_t now)
{
    INCREMENT(server->hints);
    if (take_turn(&server->hinted, SERVER_HINT_EVERY, now))
        server_suspect(server);
}

bool server_take_copy(struct server *server, msec_t now)
{
    return (server_health(server) == HEALTH_DOWN || server_is_outdone(server)) &&
           take_turn(&server->copied, SERVER_COPY_EVERY, now);
}

bool server_take_ladder(struct server *server, msec_t now)
{
    return take_turn(&server->laddered, SERVER_LADDER_EVERY, now);
}

/* ---- probes ---- */

bool server_wants_probe(const struct server *server, msec_t now)
{
    msec_t copied = atomic_load_explicit(&server->copied, memory_order_relaxed);
    bool   copies = server->declared && copied != 0 && now - copied < 2 * SERVER_COPY_EVERY;
    if (server_health(server) == HEALTH_UP || now < server->probe_next)
        return false;
    return !copies || now - server->probe_failed >= SERVER_PROBE_COPIED;
}

static bool is_unanswered(const struct server *server)
{
    return server->probes_failed >= SERVER_PROBES_TO_DOWN || GET(server->names_failed) >= SERVER_PROBES_TO_DOWN;
}

static void begin_row(struct server *server)
{
    server->probes_failed  = 0;
    server->probe_interval = 0;
    server->probe_next     = 0;
    SET(server->names_failed, 0);
}

/* True: it had been declared down. */
static bool come_up(struct server *server)
{
    bool was_down    = server->declared;
    server->declared = false;
    begin_row(server);
    return was_down;
}

bool server_note_life(struct server *server)
{
    bool asked = server->probes_failed > 0 || GET(server->names_failed) > 0 || server->declared;
    return asked && server_health(server) == HEALTH_UP && come_up(server);
}

/* The root was answered where names had failed. */
static bool on_weak_life(struct server *server, bool last, msec_t now)
{
    server->probes_failed = 0;
    if (GET(server->names_failed) >= SERVER_PROBES_TO_DOWN)
        return false;
    if (!last) {
        server->probe_next = now;
        return false;
    }
    SET(server->last_answer, now);
    SET(server->health, HEALTH_UP);
    return come_up(server);
}

static bool on_failed_probe(struct server *server, enum probe probe, msec_t now)
{
    bool was_down = server->declared;
    if (GET(server->last_answer) >= server->probe_failed) /* it lived since: this failure is the first of a row */
        come_up(server);
    server->probe_failed = now;
    server->probes_failed++;
    if (probe == PROBE_NAME)
        INCREMENT(server->names_failed);
    if (!server->declared && !is_unanswered(server)) {
        /* what fails at once, for want of a route, fails three times in the same millisecond: that is one fact */
        server->probe_next = now + SERVER_PROBE_TIMEOUT / 5;
        return false;
    }
    server->probe_interval =
        server->probe_interval ? msec_min(2 * server->probe_interval, SERVER_PROBE_MAX) : SERVER_PROBE_FIRST;
    server->probe_next = now + server->probe_interval;
    server->declared   = true;
    SET(server->health, HEALTH_DOWN);
    return !was_down;
}

bool server_on_probe(struct server *server, enum probe probe, bool last, bool answered, msec_t now)
{
    if (!answered)
        return on_failed_probe(server, probe, now);
    if (probe == PROBE_ROOT && GET(server->names_failed) > 0)
        return on_weak_life(server, last, now);
    bool was_down      = come_up(server);
    bool steady        = server->probe_rest == 0 || now - server->probe_good >= SERVER_PROBE_STEADY;
    server->probe_rest = steady ? SERVER_PROBE_REST : msec_min(2 * server->probe_rest, SERVER_PROBE_REST_MAX);
    server->probe_good = now;
    server->probe_next = now + server->probe_rest;
    return was_down;
}
