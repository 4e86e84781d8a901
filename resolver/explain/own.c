/*
 * own.c: see own.h.
 */
#include "explain/own.h"

#include "base/units.h"
#include "explain/known.h"

#include <stdio.h>

/* ---- are the sides there? ---- */

struct pair own_unrelated(struct explanation *explanation, unsigned i)
{
    /* Served from abroad, for documents and for the Internet's own business. */
    static const struct {
        size_t      len;
        const char *wire;
    } domains[EXPLANATION_UNRELATED] = {{13, "\7example\3com"}, {10, "\4iana\3org"}};
    return pair_ask(explanation, (struct view){(const uint8_t *) domains[i].wire, domains[i].len}, TYPE_SOA);
}

bool own_is_down(const struct explanation *explanation, enum party party)
{
    unsigned failed = 0;
    for (unsigned i = 0; i < explanation->inquest->fact_count; i++) {
        const struct fact *fact = explanation->inquest->facts[i];
        if (fact->party != party)
            continue;
        if (fact_is_usable(fact))
            return false;
        failed += fact_has_failed(fact);
    }
    return failed > EXPLANATION_UNRELATED;
}

/* ---- for people ---- */

static void tell_zone(struct explanation *explanation, const struct reliance *reliance)
{
    char            zone[NAME_TEXT_MAX], since[TIME_TEXT_MAX];
    struct view     name    = name_view(&reliance->zone);
    struct verdict  verdict = known_verdict(explanation, name, TYPE_SOA);
    struct finding *finding = NULL;
    name_format(name, zone);
    if (verdict.pin != PIN_NONE) {
        finding = finding_add(explanation, FINDING_PINNED, GRADE_NOTE, SIDE_HERE, "%s is pinned to %s", zone,
                              verdict.pin == PIN_EXTERNAL ? "external" : "domestic");
    } else if (verdict.zone && zone_state_diverts(verdict.state)) {
        const struct condition *condition = &verdict.zone->condition;
        wall_t from = explanation->wall - (wall_t) ((explanation->inquest->now - condition->since) / 1000);
        finding     = finding_add(explanation, FINDING_CARRIED, GRADE_NOTE, SIDE_NOBODY,
                                  "%s goes through external since %s%s", zone, time_format(from, since),
                              known_carries(explanation, name, TYPE_SOA) ? ": nothing to do" : ", if learning were on");
    }
    if (finding)
        finding->zone = reliance->zone;
}

/* A fence matters where it keeps a failing zone at home. */
static void tell_fence(struct explanation *explanation, const struct reliance *reliance)
{
    const struct rule *rule = known_rule(explanation, name_view(&reliance->zone), TYPE_SOA);
    char               zone[NAME_TEXT_MAX], fence[NAME_TEXT_MAX];
    bool               is_shut = reliance == &explanation->zones[0] && rule->via != VIA_GROUP;
    if (rule->via == VIA_AUTO)
        return;
    struct finding *finding =
        finding_add(explanation, FINDING_FENCED, is_shut ? GRADE_CAUSE : GRADE_NOTE, SIDE_HERE,
                    "%s: a rule for %s (%s) decides where it goes: %s", name_format(name_view(&reliance->zone), zone),
                    name_format(name_view(&rule->zone), fence),
                    rule->shipped ? "a preset, or shipped" : "\"zones\" of the configuration",
                    rule->via == VIA_GROUP    ? explanation->inquest->env->setup->groups[rule->group].name
                    : rule->via == VIA_REFUSE ? "it is refused"
                                              : "byway answers it itself");
    finding->zone = reliance->zone;
}

struct cached {
    struct explanation *explanation;
    struct name         name;
    uint16_t            type;
    int64_t             left;
};

static void on_line(void *context, const struct cache_line *line)
{
    struct cached *cached = context;
    if (line->failure && line->ttl_left > 0) {
        cached->type = line->key.type;
        cached->left = line->ttl_left;
    }
}

static void tell_cached(struct explanation *explanation)
{
    struct cached cached = {.name = explanation->request.domain};
    char          name[NAME_TEXT_MAX], type[TYPE_TEXT_MAX];
    cache_each(explanation->inquest->env->shared.cache, name_view(&cached.name), explanation->inquest->now, on_line,
               &cached);
    if (cached.left > 0)
        finding_about(finding_add(explanation, FINDING_FAILURE_CACHED, GRADE_NOTE, SIDE_HERE,
                                  "a failure of %s %s is in the cache for another %lld s",
                                  name_format(name_view(&cached.name), name), type_format(cached.type, type),
                                  (long long) cached.left),
                      name_view(&cached.name), cached.type);
}

void own_look(struct explanation *explanation)
{
    for (unsigned i = 0; i < EXPLANATION_UNRELATED; i++)
        own_unrelated(explanation, i);
    if (own_is_down(explanation, PARTY_DOMESTIC))
        finding_add(explanation, FINDING_DOMESTIC_DOWN, GRADE_CAUSE, SIDE_HERE,
                    "no domestic upstream answers anything");
    if (own_is_down(explanation, PARTY_EXTERNAL))
        finding_add(explanation, FINDING_EXTERNAL_DOWN, GRADE_PROBLEM, SIDE_HERE,
                    "no external upstream answers anything: what is blocked cannot be told from what is broken");
    for (unsigned i = 0; i < explanation->zone_count; i++) {
        tell_zone(explanation, &explanation->zones[i]);
        tell_fence(explanation, &explanation->zones[i]);
    }
    if (explanation->final)
        tell_cached(explanation);
    if (explanation->inquest->is_bounded)
        finding_add(explanation, FINDING_EXPLAIN_BOUNDED, GRADE_NOTE, SIDE_NOBODY,
                    "not all could be asked: at most %d questions and %d s, and within the quota of external",
                    INQUEST_FACTS, INQUEST_LIFE / 1000);
}
