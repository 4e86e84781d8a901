/*
 * team.h: nodes that share a Redis, in virtual time: of each a replica and a session, and between them and a model of
 * Redis connections that are slow, cut, ended and refused. No socket, no sleep; the same seed gives the same course of
 * events.
 */
#ifndef LIB_TEAM_H
#define LIB_TEAM_H

#include "cluster/session.h"
#include "lib/redis_model.h"
#include "lib/statements.h"

enum {
    TEAM_NODES   = 6,
    TEAM_ANSWERS = 4,
};

#define TEAM_NAME "byway"
#define TEAM_WALL ((int64_t) 1764470000000) /* the calendar at the start */

enum team_redis {
    TEAM_UP,
    TEAM_DOWN,   /* refuses connections */
    TEAM_FROZEN, /* takes them, and does nothing */
};

struct team_line { /* see team.c */
    bool                open, ready, busy;
    msec_t              opened;
    struct list         up, down, pending;
    struct redisReader *reader;
};

struct team;

struct team_node {
    struct team     *team;
    unsigned         index;
    char             name[16];
    struct replica  *replica;
    struct session  *session;  /* NULL: it was killed */
    const char      *password; /* or NULL */
    struct team_line lines[SESSION_LINES];
    struct holdings  disk;          /* pins and forgets that were merged, and what a kill leaves */
    int64_t          wall_ahead;    /* ms that its clock is ahead */
    bool             cut;           /* nothing gets through, either way */
    bool             mute;          /* send() fails */
    bool             fails_at_once; /* open() does */
    unsigned         opened;        /* how often */
    unsigned         heard, connected, alone, granted, denied, came, went;
    bool             asks_again; /* a lease, when it is told of one */
};

struct team_answer { /* instead of the model's */
    const char *command;
    const char *reply; /* RESP */
    unsigned    times;
};

struct team {
    msec_t              now;
    struct rng          rng;
    struct redis_model *model;
    enum team_redis     redis;
    int64_t             redis_ahead; /* ms */
    uint32_t            delay;       /* ms at most, each way */
    unsigned            count;
    struct team_node    nodes[TEAM_NODES];
    struct team_answer  answers[TEAM_ANSWERS];
    struct list         late; /* what is still on its way from connections that have ended */
    size_t              max;  /* entries of a replica */
};

/* All of vantage "cn", and called n0, n1, … */
void team_open(struct team *team, uint64_t seed, unsigned nodes);
void team_close(struct team *team);
void team_run(struct team *team, msec_t ms);
/* Until all are connected; fails after `most` ms. */
void team_join(struct team *team, msec_t most);
/* Redis ends all connections. */
void team_hang_up(struct team *team);
/* kill -9, and a new process with what was on disk. */
void team_kill(struct team *team, unsigned node);
void team_start(struct team *team, unsigned node);
/* Redis answers the next `times` commands of that name so. */
void team_answer(struct team *team, const char *command, const char *reply, unsigned times);
/* The node states it; stamped if it has no stamp. */
enum merged   team_say(struct team *team, unsigned node, struct statement statement);
struct clocks team_clocks(const struct team_node *node);
/* Whether all that are connected hold the same; else says where they differ. */
bool team_agrees(struct team *team);

struct session_report team_report(const struct team_node *node);

#endif
