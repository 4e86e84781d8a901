/*
 * session.h: what this node says to Redis and hears from it: a replica kept equal to those of its peers. Without I/O:
 * it is told what came over two connections, and sends over them through its hooks.
 *
 * WHAT STANDS IN REDIS (docs/state.md), with the cluster's name for NAME
 *   NAME:zones    hash: of each statement the latest, by statement_field(). Each node writes fields of its own only, so
 *                 that nothing is lost between two writers; and those of others that are missing.
 *   NAME:changes  stream: the same statements, as they come.
 *   NAME:nodes    hash: each node's presence, see below.
 *   NAME:lease:…  string: who rechecks that zone now.
 *
 * HOW IT GOES
 *   1. On the first connection: AUTH, the presences (another process that goes by this node's name ends it here), the
 *      own presence written (so a Redis that cannot be written to ends it here, too), the stream's last id.
 *   2. The hash is read whole, in steps, and merged; beside it the second connection begins to wait for what comes
 *      behind that id.
 *   3. What the replica has and Redis had not is written; from then on each news of its own.
 *   4. Each SESSION_BEAT the presence is written, the others' are read, and it is looked at the stream's ids and at one
 *      field of the hash: where some were lost, or that, the hash is read whole again. So it is each SESSION_REREAD, for
 *      whatever else may have been missed;
 *      when the calendar was set; and when a statement that lay ahead does so no more. A Redis in which the own presence
 *      was not, or whose ids have gone back, was emptied.
 * Any error, and any silence, ends both connections: then the node is alone, and tries again after 1 s to 30 s.
 *
 * Thread: keeper.
 */
#ifndef CLUSTER_SESSION_H
#define CLUSTER_SESSION_H

#include "base/clocks.h"
#include "base/rng.h"
#include "cluster/replica.h"

#include <hiredis/hiredis.h>

enum { /* ms */
    SESSION_BEAT      = 5000,
    SESSION_PRESENT   = 3 * SESSION_BEAT, /* so long a node is taken for present after its last beat */
    SESSION_REREAD    = 3600 * 1000,
    SESSION_PATIENCE  = 3000,      /* for a reply */
    SESSION_LEASE     = 15 * 1000, /* a recheck's; it ends sooner when the recheck has */
    SESSION_AGAIN     = 1000,      /* the first wait after a failure; it doubles */
    SESSION_AGAIN_MAX = 30 * 1000,
};

enum {
    SESSION_LEASES      = 16,   /* asked for at once */
    SESSION_PEERS       = 128,  /* that are told of */
    SESSION_PEER_RATE   = 500,  /* statements of one node that are taken a second, */
    SESSION_PEER_BURST  = 5000, /* and at once; what is over is read a minute later */
    SESSION_PROBLEM_MAX = 256,  /* bytes */
};

enum session_line {
    SESSION_ASKS,  /* commands and their replies */
    SESSION_HEARS, /* waits for changes */
    SESSION_LINES
};

struct session_hooks {
    void *context;
    /* Begin to connect; session_on_ready() or session_on_closed() follows. */
    void (*open)(void *context, enum session_line line);
    /* No event of that connection comes any more. Harmless if there is none. */
    void (*close)(void *context, enum session_line line);
    /* Send a command; session_on_reply() follows, in order, or session_on_closed() if that takes longer than
     * `patience` ms. False: it was not sent. */
    bool (*send)(void *context, enum session_line line, uint64_t tag, int count, const char *const *words,
                 const size_t *lengths, msec_t patience);
    /* The replica has this news of another node's. */
    void (*heard)(void *context, const struct statement *statement);
    /* See session_ask_lease(). */
    void (*leased)(void *context, const struct zone_id *id, bool granted);
    /* It is connected now, or alone; see session_report(). */
    void (*changed)(void *context, bool connected);
    /* A node was seen for the first time since the start or since it was gone; or it is gone. */
    void (*peer_changed)(void *context, const char *node, bool present);
};

struct session_options {
    const char          *name, *user; /* of the cluster; of Redis, or NULL. Copied. */
    const char          *version;     /* a literal */
    struct replica      *replica;     /* borrowed */
    struct session_hooks hooks;
    uint8_t              seed[RNG_SEED_BYTES];
};

struct session;

/* NULL: no memory. It begins with the first session_on_time(). */
struct session *session_create(const struct session_options *options, msec_t now);
/* Closes its connections; leases that are being asked for are granted. */
void session_destroy(struct session *session);

/* `password`: NULL: none is to be given. */
void session_on_ready(struct session *session, enum session_line line, const char *password,
                      const struct clocks *clocks);
void session_on_reply(struct session *session, enum session_line line, uint64_t tag, const redisReply *reply,
                      const struct clocks *clocks);
/* `problem`: one line for people. */
void   session_on_closed(struct session *session, enum session_line line, const char *problem,
                         const struct clocks *clocks);
msec_t session_next(const struct session *session);
void   session_on_time(struct session *session, const struct clocks *clocks);

/* The replica has this news of this node's own. It is written at once, also while the hash is read again,
 * as far as replies keep up. */
void session_tell(struct session *session, const struct statement *statement);

/* May this node recheck that zone? True: hooks.leased() says later, once. False: this node is alone and may. */
bool session_ask_lease(struct session *session, const struct zone_id *id, msec_t now);
/* Its recheck has ended; harmless if it had no lease. */
void session_end_lease(struct session *session, const struct zone_id *id);

struct session_peer {
    char node[STATEMENT_NODE_MAX + 1],
        vantage[STATEMENT_NODE_MAX + 1]; /* the latter "": it has told nothing of itself */
    bool     present;
    msec_t   seen;         /* when it last gave a sign of life; 0: not since this node has looked */
    int64_t  seen_wall_ms; /* what its own clock said in its last sign of life */
    int64_t  ahead;        /* ms that its clock is ahead of this one's, if it was seen */
    uint64_t skipped;      /* statements of it that came too fast since the hash was read last */
};

struct session_report {
    bool     connected;
    msec_t   since;                        /* it is connected, or alone */
    char     problem[SESSION_PROBLEM_MAX]; /* why it is alone; empty: nothing was tried yet */
    uint64_t sent, received, garbage;      /* statements; garbage: what is none */
    unsigned peers;
};
void session_read(const struct session *session, struct session_report *ret);
/* By how many ms this node's calendar is ahead of Redis'; 0: not known. */
int64_t session_ahead(const struct session *session, const struct clocks *clocks);
/* The hash is being read: of one zone's evidence only a part may have been merged. */
bool session_is_reading(const struct session *session);
/* `index` below `peers`. Borrowed. */
const struct session_peer *session_peer(const struct session *session, unsigned index);

#endif
