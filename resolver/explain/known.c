/*
 * known.c: see known.h.
 */
#include "explain/known.h"

const struct rule *known_rule(const struct explanation *explanation, struct view name, uint16_t type)
{
    return policy_find_for(explanation->inquest->env->setup->policy, name, type);
}

struct verdict known_verdict(const struct explanation *explanation, struct view name, uint16_t type)
{
    return table_find(explanation->inquest->env->shared.table, name, type);
}

bool known_carries(const struct explanation *explanation, struct view name, uint16_t type)
{
    const struct rule *rule    = known_rule(explanation, name, type);
    struct verdict     verdict = known_verdict(explanation, name, type);
    if (rule->via != VIA_AUTO)
        return rule->via == VIA_GROUP && rule->group != SETUP_DOMESTIC;
    if (verdict.pin != PIN_NONE)
        return verdict.pin == PIN_EXTERNAL;
    return verdict.zone && zone_state_diverts(verdict.state) &&
           explanation->inquest->env->setup->learning == SETUP_LEARN;
}

enum known_forging known_forging(const struct explanation *explanation, struct view name)
{
    const struct env *env    = explanation->inquest->env;
    struct view       domain = suffix_registrable(env->shared.suffix, name);
    struct verdict    known  = known_verdict(explanation, name, TYPE_A);
    msec_t            since;
    if (known.zone && zone_state_diverts(known.state) && known.reason == REASON_FORGED)
        return KNOWN_FORGED;
    switch (forging_of(env->shared.forging, domain.len > 0 ? domain : name, explanation->inquest->now, &since)) {
    case FORGING_FORGED:
        return KNOWN_FORGED;
    case FORGING_INNER:
    case FORGING_HOME:
    case FORGING_HONEST:
        return KNOWN_TRUE;
    default:
        return KNOWN_UNKNOWN;
    }
}
