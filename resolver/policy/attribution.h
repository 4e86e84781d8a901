/*
 * attribution.h: which zone a failure belongs to. Pure.
 *
 * Thread: pure.
 */
#ifndef POLICY_ATTRIBUTION_H
#define POLICY_ATTRIBUTION_H

#include "policy/policy.h"
#include "policy/suffix.h"

/* True if no fence forbids one of the two sides to `name`: a question of byway's own may go to both. */
bool attribution_is_open(const struct policy *policy, struct view name);

/* The zone that may carry what is learned from a failure of `name`: `shown` (owner of the SOA that external showed;
 * empty: unknown), unless that is a public suffix or above one, or not at or above the name: then the registrable
 * domain. Never one that is fenced itself: then the next longer tail of the name that is not. (A fence below it is a
 * hole: policy comes before what was learned.) A tail of `name`; empty: nothing may be learned but of the very name. */
struct view attribution_zone(const struct policy *policy, const struct suffix *suffix, struct view name,
                             struct view shown);

#endif
