/*
 * route.c: see route.h.
 */
#include "query/route.h"

static msec_t patience_unknown(const struct setup *setup)
{
    if (setup->patience)
        return setup->patience;
    return msec_clamp(group_slow_p95(&setup->groups[SETUP_DOMESTIC], PATIENCE_UNKNOWN), PATIENCE_UNKNOWN_MIN,
                      PATIENCE_UNKNOWN);
}

static msec_t patience_suspect(const struct setup *setup, unsigned strikes)
{
    msec_t patience = strikes > 1 ? 0 : PATIENCE_SUSPECT;
    return setup->patience ? msec_min(patience, setup->patience) : patience;
}

static struct route external_first(enum route_reason reason)
{
    return (struct route){
        .reason = reason, .first = SETUP_EXTERNAL, .second = SETUP_DOMESTIC, .patience = PATIENCE_EXTERNAL};
}

/* What the canary tells of: the registrable domain, or the name itself where it has none. */
static struct view canary_domain(const struct setup *setup, const struct shared *shared, struct view name)
{
    if (!setup->canary || !setup->fall_on_forged || forging_is_blind(shared->forging))
        return (struct view){0};
    struct view domain = suffix_registrable(shared->suffix, name);
    return domain.len > 0 ? domain : name;
}

/* Domestic's answers may be forged: they are of no use but where external is deceived itself. */
static struct route forged_first(enum route_reason reason)
{
    struct route route = external_first(reason);
    route.patience     = MSEC_NEVER;
    route.forged       = true;
    return route;
}

/* By what the canary has shown; false: by nothing. */
static bool lead_by_canary(const struct setup *setup, const struct shared *shared, struct route *route, msec_t now)
{
    msec_t since;
    if (route->domain.len == 0 || setup->learning == SETUP_OBSERVE)
        return false;
    switch (forging_of(shared->forging, route->domain, now, &since)) {
    case FORGING_FORGED:
        *route = forged_first(ROUTE_FORGED);
        return true;
    case FORGING_INNER:
    case FORGING_HOME:
        *route = (struct route){.reason   = ROUTE_INNER,
                                .first    = SETUP_DOMESTIC,
                                .second   = SETUP_NO_GROUP,
                                .patience = MSEC_NEVER,
                                .domain   = route->domain};
        return true;
    default:
        return false;
    }
}

/* Returns how often it was used before, to go external. */
static uint64_t count_use(const struct verdict *verdict, bool external, msec_t now)
{
    atomic_store_explicit(&verdict->zone->last_used, now, memory_order_relaxed);
    return external ? atomic_fetch_add_explicit(&verdict->zone->answered, 1, memory_order_relaxed) : 0;
}

/* fallback.on may have been narrowed since the zone was learned. */
static bool falls_on(const struct setup *setup, enum zone_reason reason)
{
    switch (reason) {
    case REASON_SERVFAIL:
        return setup->fall_on_servfail;
    case REASON_REFUSED:
        return setup->fall_on_refused;
    case REASON_FORGED:
        return setup->fall_on_forged;
    case REASON_TIMEOUT:
        return setup->fall_on_timeout;
    default:
        return true;
    }
}

static bool rules(const struct setup *setup, const struct verdict *verdict)
{
    return setup->learning == SETUP_LEARN && falls_on(setup, verdict->reason);
}

/* VIA_AUTO without a pin */
static struct route learned(const struct setup *setup, const struct shared *shared, struct view name,
                            const struct verdict *verdict, msec_t now)
{
    struct route route = {.reason   = ROUTE_UNKNOWN,
                          .first    = SETUP_DOMESTIC,
                          .second   = SETUP_EXTERNAL,
                          .learn    = setup->learning != SETUP_LEARN_NOTHING,
                          .known    = verdict->zone && !verdict->proved,
                          .patience = patience_unknown(setup)};
    if (verdict->zone && zone_state_diverts(verdict->state)) {
        if (rules(setup, verdict)) {
            struct route external =
                verdict->reason == REASON_FORGED ? forged_first(ROUTE_BLOCKED) : external_first(ROUTE_BLOCKED);
            external.known   = true;
            external.zone    = (uint8_t) verdict->zone->hash;
            external.labels  = (uint8_t) name_labels(zone_name(verdict->zone));
            external.recheck = count_use(verdict, true, now) % USES_EACH == USES_EACH - 1;
            return external;
        }
        route.would = setup->learning == SETUP_OBSERVE;
    }
    if (verdict->zone)
        count_use(verdict, false, now);
    route.domain = canary_domain(setup, shared, name);
    if (lead_by_canary(setup, shared, &route, now))
        return route;
    if (group_down(&setup->groups[SETUP_DOMESTIC]) && setup->fall_on_timeout) {
        struct route outage = external_first(ROUTE_OUTAGE);
        outage.domain       = route.domain;
        return outage;
    }
    if (verdict->state == ZONE_SUSPECT && rules(setup, verdict)) {
        route.reason   = ROUTE_SUSPECT;
        route.patience = patience_suspect(setup, verdict->strikes);
    } else if (verdict->state == ZONE_CLEAR && recent_age(shared->good, name, now) != MSEC_NEVER) {
        route.reason = ROUTE_GOOD;
        if (!setup->patience)
            route.patience = PATIENCE_GOOD;
    }
    return route;
}

bool route_allows(const struct setup *setup, struct view name, uint16_t type, uint8_t origin)
{
    return rule_allows(policy_find_for(setup->policy, name, type), origin);
}

bool route_leads_external(const struct setup *setup, const struct table *table, struct view name, uint16_t type)
{
    const struct rule *rule    = policy_find_for(setup->policy, name, type);
    struct verdict     verdict = table_find(table, name, type);
    if (rule->via != VIA_AUTO)
        return rule_allows(rule, SETUP_EXTERNAL);
    if (verdict.pin != PIN_NONE)
        return verdict.pin == PIN_EXTERNAL;
    return verdict.zone && zone_state_diverts(verdict.state) && rules(setup, &verdict);
}

static struct route choose(const struct setup *setup, const struct shared *shared, const struct rule *rule,
                           struct view name, uint16_t type, msec_t now)
{
    if (rule->via == VIA_GROUP)
        return (struct route){
            .reason = ROUTE_FENCE, .first = rule->group, .second = SETUP_NO_GROUP, .patience = MSEC_NEVER};

    struct verdict verdict = table_find(shared->table, name, type);
    if (verdict.pin == PIN_NONE)
        return learned(setup, shared, name, &verdict, now);
    count_use(&verdict, verdict.pin == PIN_EXTERNAL, now);
    if (verdict.pin == PIN_EXTERNAL) {
        struct route external = external_first(ROUTE_PIN);
        external.zone         = (uint8_t) verdict.zone->hash;
        return external;
    }
    return (struct route){
        .reason = ROUTE_PIN, .first = SETUP_DOMESTIC, .second = SETUP_NO_GROUP, .patience = MSEC_NEVER};
}

/* What is left of the deadline behind patience is all the time that the second group has. */
static msec_t bounded_patience(const struct setup *setup, const struct route *route, msec_t now)
{
    if (route->second == SETUP_NO_GROUP || route->patience == MSEC_NEVER)
        return route->patience;
    const struct group *second = &setup->groups[route->second];
    int                 pick   = group_pick(second, 0, now);
    if (pick < 0)
        return route->patience;
    const struct server *server  = second->servers[pick];
    const struct rtt    *rtt     = &server->rtt[server->tcp_only ? TRANSPORT_TCP : TRANSPORT_UDP];
    msec_t               needs   = msec_clamp(rtt_timeout(rtt, SECOND_MIN), SECOND_MIN, SECOND_MAX);
    msec_t               longest = msec_max(setup->deadline - needs, setup->deadline / 2);
    return msec_min(route->patience, longest);
}

struct route route_choose(const struct setup *setup, const struct shared *shared, const struct rule *rule,
                          struct view name, uint16_t type, msec_t now)
{
    struct route route = choose(setup, shared, rule, name, type, now);
    route.blocklist    = rule->blocklist;
    route.or_empty     = rule_stands_in(rule, name, type);
    if (route.patience > setup->deadline / 2)
        route.patience = bounded_patience(setup, &route, now);
    return route;
}
