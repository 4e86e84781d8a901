/*
 * local.h: the names that no server of the world has anything to say about: RFC 6761 (localhost, invalid), RFC 7686
 * (onion), and the zones of RFC 6303 and of IANA's list that grew from it. byway answers them itself; but of private
 * addresses the operator's own resolvers may know the names, so they are asked first, and external never. Plain data
 * and one function; decision 19 says which names are not here, and why.
 *
 * Thread: pure.
 */
#ifndef POLICY_LOCAL_H
#define POLICY_LOCAL_H

#include "dns/answer.h"
#include "policy/policy.h"

enum local {         /* what there is at the zone and below; all but LOCAL_NOTHING have a SOA */
    LOCAL_EMPTY,     /* nothing but SOA and NS at the top (RFC 6303, 3) */
    LOCAL_NOTHING,   /* not even the zone: NXDOMAIN for its own name too */
    LOCAL_NODATA,    /* each name is there, and has nothing */
    LOCAL_LOOPBACK,  /* each name has the loopback addresses */
    LOCAL_LOCALHOST, /* at the top a PTR to localhost */
};

enum {
    LOCAL_RULES = 128 /* at least as many as there are */
};

/* Writes the rules of these zones into `out`, which holds LOCAL_RULES; returns how many. VIA_LOCAL, but the reverse
 * zones of private addresses are fenced to the group `domestic`, with `or_empty`. Left out are those that a rule of
 * `rules`, other than for the root and one that is shipped, stands at or above: the operator has said where they go. */
size_t local_rules(const struct rule *rules, size_t count, uint8_t domestic, struct rule *out);

/* The answer to what a rule of these covers; one with `or_empty` has TTL 0, so that nobody keeps it. `is_there`: a rule
 * stands at the name or below it, so that it exists. `ede`: EDE_NONE, or why nobody else has answered. Returns its
 * length; `out` holds at least 512. */
size_t local_answer(const struct client_query *query, const struct rule *rule, bool is_there, int ede, uint8_t *out);

/* A zone for this process alone, a random label below `example`: whoever asks below it was asked by us (decision 20).
 */
void        echo_draw(struct name *echo, struct rng *rng);
struct rule echo_rule(const struct name *echo);

#endif
