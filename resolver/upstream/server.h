/*
 * server.h: one upstream and what is known of its health. Callers report facts; this decides what they mean.
 *
 * Shared by all threads: every field that changes is a relaxed atomic, and a lost update costs at most one probe.
 *
 * Two things are told apart.
 *
 * Is it there? A blocked zone is silence too, so the failures of zones take nobody down: two questions in a row without
 * an answer make a server SUSPECT, and probes decide. Probes go in turn to a name that the server's group answered
 * lately, and to the root. It is DOWN when SERVER_PROBES_TO_DOWN of them failed in a row; or that many different names,
 * though the root was answered: some answer that and nothing else. Any reply to a question but the root's heals it
 * fully; the root's does where no name failed.
 *
 * Is it as good as the others of its group? A server that failed, or was silent, for its last SERVER_OUTDONE questions
 * while another of its group answered them is *outdone*: it is asked last. One answer ends that.
 *
 * A server that is down or outdone still gets a copy of a question now and then, for which nobody waits.
 *
 * Thread: any.
 */
#ifndef UPSTREAM_SERVER_H
#define UPSTREAM_SERVER_H

#include "base/address.h"
#include "base/histogram.h"
#include "dns/judge.h"
#include "upstream/forms.h"
#include "upstream/rtt.h"
#include "upstream/transport.h"

enum health {
    HEALTH_UP,
    HEALTH_SUSPECT, /* silent since it was last asked: a probe decides */
    HEALTH_DOWN,
};

enum {
    SERVER_PROBE_TIMEOUT  = 500,     /* ms; a live resolver answers a cached question in far less */
    SERVER_PROBES_TO_DOWN = 3,       /* failed in a row; two lost datagrams are no outage */
    SERVER_PROBE_FIRST    = 1000,    /* ms between probes of a server that is down, doubling … */
    SERVER_PROBE_MAX      = 4000,    /* … to this: back within 5 s of its return */
    SERVER_PROBE_REST     = 2000,    /* from a probe that was answered to the next, doubling … */
    SERVER_PROBE_REST_MAX = 8000,    /* … to this for one that drops some and is not dead */
    SERVER_PROBE_STEADY   = 30000,   /* ms without a probe, behind which the rest is the first again */
    SERVER_PROBE_COPIED   = 12000,   /* the same while copies of clients' questions find that out */
    SERVER_SILENCES       = 2,       /* questions without an answer since: one may be a zone's, or a slow recursion */
    SERVER_OUTDONE        = 3,       /* questions in a row; one or two may be odd names */
    SERVER_COPY_EVERY     = 2000,    /* ms between copies to a server that is down or outdone */
    SERVER_LADDER_EVERY   = 1000,    /* ms between silent questions that are asked in every form */
    SERVER_HINT_EVERY     = 5000,    /* ms between probes because of ICMP */
    SERVER_TCP_RETRY      = 10000,   /* ms after a TCP failure during which another upstream is asked as well */
    SERVER_CASE_LOST      = 3,       /* replies in another letter case, in a row, until case is no longer mixed … */
    SERVER_CASE_RETRY     = 600000,  /* … for so many ms */
    SERVER_OPT_ALWAYS     = 8,       /* replies with OPT and none without: it always sends one … */
    SERVER_OPT_LACKED     = 8,       /* … until so many in a row have none */
    SERVER_TAINT_LIFE     = 3600000, /* ms that a server is asked over TCP behind a forged reply */
};

enum probe { /* what was asked to see whether a server is there */
    PROBE_ROOT,
    PROBE_NAME, /* one that its group answered lately, other than those of this row before */
};

struct remote;

struct server {
    struct address address;
    bool           tcp_only;  /* or what is carried by it */
    bool           encrypted; /* nobody on the way reads or forges anything */
    bool           beyond;    /* it stands behind a border, whose forgers send no OPT */
    bool           trusted;
    bool           mix_case;
    struct remote *remote; /* for the connections, which know what it is; NULL where there are none */

    struct rtt       rtt[TRANSPORT_COUNT];
    struct forms     forms;
    _Atomic int      health;                    /* enum health */
    _Atomic unsigned silences;                  /* questions since it answered last */
    _Atomic unsigned outdone;                   /* questions in a row */
    _Atomic int64_t  last_answer, last_failure; /* msec_t of the caller's clock; 0: never */
    _Atomic int64_t  tcp_failed;                /* msec_t; 0: never */
    _Atomic int64_t  edns_seen;                 /* msec_t of the last reply with OPT; 0: never */
    _Atomic int64_t  copied, laddered, hinted;  /* msec_t of the last copy, silent one in every form, probe for ICMP */
    _Atomic unsigned opt_seen, opt_lacked;      /* replies with OPT, without one since the last of these */
    _Atomic int64_t  tainted;   /* msec_t when a reply without OPT was last shown to be forged; 0: never */
    _Atomic unsigned case_lost; /* replies in another case in a row */
    _Atomic int64_t  case_off;  /* msec_t since when case is not mixed; 0: it is */

    _Atomic uint64_t sent, tcp_sent, ignored, hints; /* hints: of ICMP */
    _Atomic uint64_t beaten; /* questions that it failed, or was silent to, and another of its group answered */
    _Atomic uint64_t outcomes[TRANSPORT_COUNT][OUTCOME_COUNT];
    struct histogram times; /* of replies whose time is known */

    _Atomic unsigned names_failed; /* PROBE_NAME, in a row; written by the thread that probes */
    /* of that thread alone */
    bool     loops; /* it was seen to forward to this daemon, since the last reload */
    bool     taint_told;
    bool     declared; /* down, and not yet up again */
    unsigned probes_failed;
    msec_t   probe_rest, probe_good;                   /* after the last one that was answered, and when that was */
    msec_t   probe_next, probe_interval, probe_failed; /* when the next may go, the last failed */
};

struct server_options {
    struct address  address;
    bool            tcp_only, encrypted, beyond, trusted;
    bool            mix_case; /* draft-vixie-dnsext-dns0x20: the letter case of questions is random, and checked */
    struct hash_key key;      /* secret */
    struct remote  *remote;   /* borrowed */
};

/* NULL: no memory. */
struct server *server_create(const struct server_options *options);
void           server_destroy(struct server *server);

enum health server_health(const struct server *server);
bool        server_is_outdone(const struct server *server);
/* Nothing speaks against it: an answer may be waited for. */
bool server_is_well(const struct server *server);
bool server_tcp_doubtful(const struct server *server, msec_t now);
bool server_mixes_case(const struct server *server, msec_t now);

/* Facts. Times in ms of one clock. */
void server_on_sent(struct server *server, enum transport transport);
/* A reply that matches its question arrived. `rtt` < 0: not measurable (sent twice). `weak`: to a probe by the root. */
void server_on_reply(struct server *server, enum transport transport, enum outcome outcome, msec_t rtt, bool weak,
                     msec_t now);
/* The reply that counted was forged: it is counted, and says nothing of the server's health or speed. */
void server_on_forged(struct server *server, enum transport transport);
/* A question sent at `sent_at` has been silent for as long as one waits. */
void server_on_silence(struct server *server, enum transport transport, msec_t sent_at, msec_t now);
/* A lookup was lost by its silence alone: one question, sent then, and it has answered none since. */
void server_on_lost(struct server *server, msec_t sent_at);
/* The question is given up: counts the outcome, TIMEOUT, UNREACHABLE or MALFORMED. */
void server_on_timeout(struct server *server, enum transport transport, enum outcome outcome);
/* The system would not send it, or a TCP connection was refused or broke twice. */
void server_on_unreachable(struct server *server, enum transport transport, msec_t now);
/* ICMP says that nobody is there, which anybody can forge: now and then a probe looks. */
void server_on_hint(struct server *server, msec_t now);
/* It failed, or was silent, where another server of its group has answered the same question. */
void server_on_outdone(struct server *server);
/* A reply had OPT. */
void server_on_edns(struct server *server, msec_t now);
/* A reply over UDP to a question with EDNS has none. True: it is suspicious, for this server always sends one, and who
 * forges at a border does not. */
bool server_on_lacking_opt(struct server *server);
/* Such a reply was forged: another one has come, which has OPT. */
void server_on_taint(struct server *server, msec_t now);
/* What it says over UDP is forged on the way: it is asked over TCP, where that works. */
bool server_is_tainted(const struct server *server, msec_t now);
/* A reply to a question of mixed case has its letters, or not. */
void server_on_case(struct server *server, bool kept, msec_t now);

/* True, at most once in SERVER_COPY_EVERY: it is down or outdone, and is to get a copy of a question. */
bool server_take_copy(struct server *server, msec_t now);
/* True, at most once in SERVER_LADDER_EVERY: a question that was silent twice may be asked in every other form. */
bool server_take_ladder(struct server *server, msec_t now);

/* For the thread that probes. True: a probe should be sent now. */
bool server_wants_probe(const struct server *server, msec_t now);
/* The probe was answered validly (server_on_reply() was called too) or not. `last`: there is no other name to ask about
 * in this row, so that the root's answer must do. Returns true if the server went down or came up by it. */
bool server_on_probe(struct server *server, enum probe probe, bool last, bool answered, msec_t now);
/* It may not be there: a probe decides. */
void server_suspect(struct server *server);
/* A reply to somebody else has healed it since it was last asked here. True: it had been down. */
bool server_note_life(struct server *server);

#endif
