/*
 * session_internal.h: the session's parts to each other, each of which calls only those before it: changes.c (what is
 * told of the stream), saying.c (commands), peers.c (who else is there), session.c (replies, life).
 *
 * Thread: keeper.
 */
#ifndef CLUSTER_SESSION_INTERNAL_H
#define CLUSTER_SESSION_INTERNAL_H

#include "cluster/session.h"

#include "dns/name.h"

enum tag { /* what a reply is to; SESSION_TAG_LEASE: with the lease's place in the upper bits */
    TAG_AUTH,
    TAG_NODES,
    TAG_BEAT,
    TAG_TIME,
    TAG_STREAM,
    TAG_SCAN,
    TAG_SAMPLE,
    TAG_PUT,
    TAG_PRUNE, /* nothing follows */
    TAG_LEASE,
    TAG_CHANGES,
    TAG_BITS = 8
};

enum stage {
    STAGE_WAITING,  /* alone */
    STAGE_OPENING,  /* the first connection */
    STAGE_JOINING,  /* presence, position */
    STAGE_READING,  /* the hash, for the first time */
    STAGE_TOGETHER, /* connected */
};

struct position { /* an id in the stream */
    uint64_t ms, number;
};

struct lease {
    enum {
        LEASE_NONE,
        LEASE_ASKED,
        LEASE_HELD
    } state;
    struct name     name;
    enum zone_scope scope;
    uint16_t        type;
    msec_t          until; /* held: it ends by itself */
};

struct peer { /* of one node, as this session knows it */
    struct session_peer is;
    uint64_t            instance; /* of its process */
    double              credit;   /* statements that may still come at once */
    msec_t              credited;
};

struct rival { /* another process that goes by this node's name, as it was last seen */
    uint64_t instance;
    int64_t  wall_ms;
};

struct session {
    char                  name[STATEMENT_NODE_MAX + 1];
    char                 *user; /* owned, or NULL */
    const char           *version;
    struct replica       *replica;
    struct session_hooks  hooks;
    struct rng            rng;
    uint64_t              instance;
    enum stage            stage;
    msec_t                again, beat, reread;
    msec_t                wait;          /* the next one after a failure */
    msec_t                refused_wait;  /* the same, after Redis has refused a command */
    bool                  hearing;       /* the second connection is ready */
    bool                  reading;       /* the hash is being read */
    bool                  reread_soon;   /* once that has ended */
    size_t                sampled;       /* how far session_say_sample() has come */
    struct position       looked;        /* `position` when the stream was looked at last */
    struct position       position;      /* of the last change that was taken */
    int64_t               redis_wall_ms; /* Redis' clock at the last beat, and */
    msec_t                redis_at;      /* when that was; 0: not known */
    int64_t               calendar;      /* wall_ms less now, when the hash was read last */
    struct rival          rival;
    unsigned              putting; /* TAG_PUT without a reply */
    struct session_report report;
    struct lease          leases[SESSION_LEASES * 2]; /* asked for and held */
    struct peer           peers[SESSION_PEERS];
};

/* ---- changes.c ---- */

/* "1764470000000-0". False: it is no id. */
bool position_read(const redisReply *reply, struct position *ret);
bool position_before(struct position a, struct position b);

struct changes {
    struct position first, last; /* that are in the stream; first: all zero in an empty one */
    bool            trimmed;     /* some are no more in it */
};
/* Of XINFO's reply; all zero where there is no stream yet. False: it is none of Redis 7's. */
bool changes_read(const redisReply *reply, struct changes *ret);

/* ---- saying.c ---- */

/* That is this node's own name. */
bool session_is_self(const struct session *session, struct view node);
/* Sends words up to a NULL. False: it could not be sent. */
bool session_say(struct session *session, enum session_line line, uint64_t tag, msec_t patience, ...)
    __attribute__((sentinel));
/* What Redis' clock says, and NAME:nodes. */
bool session_say_nodes(struct session *session);
bool session_say_stream(struct session *session);
bool session_say_scan(struct session *session, const char *cursor);
/* Asks for the field of a statement that has been seen there, each time of other zones; nothing, if there is none or some
 * wait to be written. */
bool session_say_sample(struct session *session);
bool session_say_presence(struct session *session, const struct clocks *clocks);
bool session_say_hear(struct session *session);
/* Removes a field of NAME:hash if it still holds that value. */
void session_prune(struct session *session, const char *hash, struct view field, struct view value);
/* Writes what Redis has not, as far as replies keep up. */
void session_publish(struct session *session);
void session_on_lease(struct session *session, unsigned place, const redisReply *reply, msec_t now);
/* Nobody else can be asked: whoever asked may. */
void session_grant_all(struct session *session);

/* ---- peers.c ---- */

/* It has spoken. NULL: it is this node itself, or there are too many: who is not present makes room. */
struct peer *peers_get(struct session *session, struct view node);
/* Redis' clock bears this node's out, so what lies outside all bounds does so for everybody: a node whose clock is wrong
 * would remove what is good, and by its own word, which nobody believes, all others'. */
bool peers_clock_is_right(const struct session *session, const struct clocks *clocks);
/* Whether one more statement of it is taken now; and that it was one that was not known. */
bool peers_admit(struct session *session, struct view node, msec_t now);
void peers_charge(struct session *session, struct view node);

/* What NAME:nodes has; an array. False: another process goes by this node's name. */
bool peers_read(struct session *session, const redisReply *reply, const struct clocks *clocks);

#endif
