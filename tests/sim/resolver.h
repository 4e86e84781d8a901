/*
 * resolver.h: an upstream: a recursive resolver with a cache, recursion times, and the habits of Unbound with servers
 * that do not answer: silent for many seconds, then SERVFAIL at once for minutes, then one more try.
 */
#ifndef SIM_RESOLVER_H
#define SIM_RESOLVER_H

#include "sim/truth.h"

enum says {
    SAYS_NOTHING,
    SAYS_ANSWER, /* with data, NODATA or NXDOMAIN: subject.exists tells */
    SAYS_SERVFAIL,
    SAYS_REFUSED,
    SAYS_FORGED /* a stranger's address for A; else that there is none, without SOA */
};

struct says_at {
    enum says says;
    msec_t    after; /* ms from the question to the reply */
};

struct resolver;

/* `external`, `number`: which one it is. `salt`: what is drawn anew for each strategy's own resolvers. */
struct resolver *resolver_create(const struct truth *truth, bool external, unsigned number, uint64_t salt);
void             resolver_destroy(struct resolver *resolver);

struct says_at resolver_ask(struct resolver *resolver, const struct subject *subject, msec_t now);

/* What a client without retries of its own gets from a group of two, the second one asked after 400 ms or a failure. */
struct says_at group_ask(struct resolver *const group[2], const struct subject *subject, msec_t now);

#endif
