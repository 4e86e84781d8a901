/*
 * concerns.h: from how byway stands to what an operator should know of it: a few sentences, the worst first; none: all
 * is well. Blocked zones are none, for byway is there for them.
 *
 * Thread: pure.
 */
#ifndef OBSERVE_CONCERNS_H
#define OBSERVE_CONCERNS_H

#include "base/clocks.h"
#include "base/limits.h"
#include "observe/history.h"
#include "upstream/server.h"

struct standing_upstream {
    const char *name;
    unsigned    group; /* of standing.groups */
    enum health health;
    bool        outdone, loops, tainted;
    msec_t      round_trip;  /* ms; negative: not known */
    msec_t      last_answer; /* 0: never */
    const char *problem;     /* of its connections; empty: none */
};

enum {
    STANDING_DOMESTIC,
    STANDING_EXTERNAL,
};

struct standing {                                   /* all is borrowed */
    const char               *groups[LIMIT_GROUPS]; /* the first two are domestic and external */
    unsigned                  group_count;
    struct standing_upstream *upstreams; /* by group */
    unsigned                  upstream_count;
    size_t                    blocked, recovering, broken, suspect, pins; /* zones */
    bool                      state_failing, control_lost, canary_blind, reload_failed;
    msec_t                    read_at; /* the settings in force */
};

enum {
    CONCERN_MAX  = 256,                 /* bytes, the NUL among them */
    CONCERNS_MAX = 3 * LIMIT_GROUPS + 8 /* three of each group, and of all others one */
};

struct concerns {
    unsigned count, grave; /* the grave ones come first */
    char     text[CONCERNS_MAX][CONCERN_MAX];
};

/* `history`: of the present and the last interval.  */
void concerns_find(const struct standing *standing, const struct history *history, struct concerns *ret);

#endif
