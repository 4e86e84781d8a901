/*
 * attribution.c: see attribution.h.
 */
#include "query/attribution.h"

bool is_open(const struct policy *policy, struct view name) { return policy_find(policy, name)->via == VIA_AUTO; }

struct view attribute(const struct policy *policy, const struct suffix *suffix, struct view name, struct view shown)
{
    struct view zone = suffix_registrable(suffix, name);
    if (shown.len > 0 && name_is_at_or_below(name, shown) && suffix_learnable(suffix, shown))
        zone = name_tail(name, name_labels(shown));
    if (zone.len == 0 || !is_open(policy, name))
        return (struct view){0};
    /* the rule that lets the name through may itself stand in the middle of a fence */
    const struct rule *rule = policy_find(policy, name);
    size_t             from = name_labels(zone), highest = name_labels(name_view(&rule->zone));
    for (size_t labels = from > highest ? from : highest; labels <= name_labels(name); labels++) {
        zone = name_tail(name, labels);
        if (!policy_fence_below(policy, zone))
            return zone;
    }
    return (struct view){0};
}
