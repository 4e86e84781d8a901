/*
 * attribution.c: see attribution.h.
 */
#include "policy/attribution.h"

bool attribution_is_open(const struct policy *policy, struct view name)
{
    return policy_find(policy, name)->via == VIA_AUTO;
}

struct view attribution_zone(const struct policy *policy, const struct suffix *suffix, struct view name,
                             struct view shown)
{
    struct view zone = suffix_registrable(suffix, name);
    if (shown.len > 0 && name_is_at_or_below(name, shown) && suffix_learnable(suffix, shown))
        zone = name_tail(name, name_labels(shown));
    if (zone.len == 0 || !attribution_is_open(policy, name))
        return (struct view){0};
    /* a fence below the zone is a hole in it; one at the zone has a hole, in which the name is */
    size_t labels = name_labels(zone);
    while (!attribution_is_open(policy, name_tail(name, labels)))
        labels++;
    return name_tail(name, labels);
}
