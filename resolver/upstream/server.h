/*
 * server.h: one upstream and what is known of its health. Callers report facts; this decides what they mean.
 *
 * Shared by all threads: every field that changes is a relaxed atomic, and a lost update costs at most one probe. A
 * server is declared DOWN only by probes that failed one after the other, never by counting the failures of zones: a
 * blocked zone is silence too. Any valid reply heals it fully.
 */
#ifndef UPSTREAM_SERVER_H
#define UPSTREAM_SERVER_H

#include "base/address.h"
#include "dns/kind.h"
#include "upstream/rtt.h"
#include "upstream/transport.h"

enum health {
    HEALTH_UP,
    HEALTH_SUSPECT, /* silent since it was last asked: a probe decides */
    HEALTH_DOWN,
};

enum {
    SERVER_PROBE_TIMEOUT  = 500,    /* ms; a live resolver answers a cached question in far less */
    SERVER_PROBES_TO_DOWN = 3,      /* failed in a row; two lost datagrams are no outage */
    SERVER_PROBE_FIRST    = 1000,   /* ms between probes of a server that is down, doubling … */
    SERVER_PROBE_MAX      = 4000,   /* … to this: back within 5 s of its return */
    SERVER_TCP_RETRY      = 10000,  /* ms after a TCP failure during which another upstream is preferred for TCP */
    SERVER_PLAIN_RETRY    = 600000, /* ms after which EDNS is tried again with a server that refused it */
};

/* Does the upstream keep the letter case of the question? */
enum case_memory {
    CASE_UNKNOWN,
    CASE_KEPT,
    CASE_LOST
};

struct server {
    struct address address;
    bool           tcp_only;
    bool           trusted;

    struct rtt      rtt[TRANSPORT_COUNT];
    _Atomic int     health;                    /* enum health */
    _Atomic int     case_memory;               /* enum case_memory */
    _Atomic int64_t last_answer, last_failure; /* msec_t of the caller's clock; 0: never */
    _Atomic int64_t tcp_failed, plain_since;   /* msec_t; 0: never */
    _Atomic int64_t edns_seen;                 /* msec_t of the last reply with OPT; 0: never */

    _Atomic uint64_t sent, tcp_sent, ignored;
    _Atomic uint64_t outcomes[TRANSPORT_COUNT][OUTCOME_COUNT];

    /* of the thread that probes */
    bool     loops; /* it was seen to forward to this daemon, since the last reload */
    unsigned probes_failed;
    msec_t   probe_next, probe_interval, probe_failed; /* when the next may go, the last failed */
};

/* Returns a zeroed server with that identity, or NULL: no memory. */
struct server *server_create(const struct address *address, bool tcp_only, bool trusted);
void           server_destroy(struct server *server);

enum health server_health(const struct server *server);
bool        server_edns(const struct server *server, msec_t now);
bool        server_tcp_doubtful(const struct server *server, msec_t now);

/* Facts. Times in ms of one clock. */
void server_on_sent(struct server *server, enum transport transport);
/* A reply that matches its question arrived. `rtt` < 0: not measurable (sent twice). */
void server_on_reply(struct server *server, enum transport transport, enum outcome outcome, msec_t rtt, msec_t now);
/* A question sent at `sent_at` has been silent for as long as one waits. */
void server_on_silence(struct server *server, enum transport transport, msec_t sent_at, msec_t now);
/* The question is given up: counts the outcome TIMEOUT. */
void server_on_timeout(struct server *server, enum transport transport);
void server_on_unreachable(struct server *server, enum transport transport, msec_t now);
/* A reply had OPT. */
void server_on_edns(struct server *server, msec_t now);
/* It refuses EDNS, or does not answer it: two replies that matched have shown that. Asked without it from now on. */
void server_on_plain(struct server *server, msec_t now);

/* For the thread that probes. True: a probe should be sent now. */
bool server_wants_probe(const struct server *server, msec_t now);
/* The probe was answered validly (server_on_reply() was called too) or not. Returns true if the server went down or
 * came up by it. */
bool server_on_probe(struct server *server, bool answered, msec_t now);

#endif
