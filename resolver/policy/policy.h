/*
 * policy.h: which way a name may go by the operator's word. An immutable suffix tree of `zones`
 * entries and preset zones; the longest match wins, and for the same zone `zones` is above a preset.
 * Read by all threads without locks.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "dns/name.h"

enum via {
    VIA_AUTO,   /* domestic, then external */
    VIA_GROUP,  /* only that group: a fence */
    VIA_REFUSE, /* answered REFUSED */
};

struct rule {
    struct name zone; /* lower case */
    enum via    via;
    uint8_t     group;  /* VIA_GROUP: index into the settings' groups */
    bool        preset; /* it comes from a preset */
};

struct policy;

/* Copies the rules. A zone given twice with the same `preset`: the first counts (settings has refused that
 * for `zones` already). NULL: no memory. */
struct policy *policy_create(const struct rule *rules, size_t count);
void           policy_destroy(struct policy *policy);

/* The rule for `name`; never NULL: without a match it is a built-in VIA_AUTO rule for the root. Borrowed from the
 * policy. */
const struct rule *policy_find(const struct policy *policy, struct view name);

/* A zone that group `group` may be asked about: the root, unless it is fenced; else the first that a rule opens to it.
 * `automatic`: VIA_AUTO leads there too. NULL: there is none, and so nobody asks that group. Borrowed from the policy.
 */
const struct name *policy_zone_of(const struct policy *policy, uint8_t group, bool automatic);

/* True if a rule other than VIA_AUTO stands at `zone` or anywhere below it: what is learned of `zone` must not reach
 * there. */
bool policy_fence_below(const struct policy *policy, struct view zone);

#endif
