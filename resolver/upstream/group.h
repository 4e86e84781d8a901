/*
 * group.h: a list of upstreams that are as good as each other in principle, and which of them to ask next.
 *
 * Thread: any.
 */
#ifndef UPSTREAM_GROUP_H
#define UPSTREAM_GROUP_H

#include "base/limits.h"
#include "upstream/server.h"

enum {
    GROUP_SLOW       = 200, /* ms: a slower answer was a cold recursion, not a cache hit */
    GROUP_SLOW_STEP  = 50,  /* ms a bucket of the distribution of slow answers */
    GROUP_SLOW_COUNT = 32,  /* buckets: 200..1800 ms, the last one open */
};

struct group {
    const char    *name;
    struct server *servers[LIMIT_GROUP]; /* borrowed, in the order of the configuration */
    unsigned       count;
    /* distribution of answers slower than GROUP_SLOW, halved now and then; relaxed, racy updates are lost harmlessly */
    _Atomic uint32_t slow[GROUP_SLOW_COUNT];
    _Atomic uint32_t slow_total;
};

/* True if every upstream has been declared down. */
bool group_down(const struct group *group);

/* The next upstream to ask, by health, then speed of the last ten minutes, then order; `tried`: bit mask of those
 * already asked. -1: all were asked. An upstream that is outdone or down is picked last, but it is picked: the caller
 * has nobody better. */
int group_pick(const struct group *group, unsigned tried, msec_t now);

/* Fact: a usable answer took that long. */
void group_on_answer(struct group *group, msec_t took);
/* p95 of the answers slower than GROUP_SLOW, ms; `unknown` until 20 of them were seen. */
msec_t group_slow_p95(const struct group *group, msec_t unknown);

#endif
