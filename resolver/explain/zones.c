/*
 * zones.c: see zones.h.
 */
#include "explain/zones.h"

#include "explain/own.h"
#include "explain/validation.h"

#include <stdio.h>
#include <string.h>

/* ---- the list ---- */

const char *roles_format(unsigned roles, char text[ROLES_TEXT_MAX])
{
    static const char *const words[] = {"domain", "name-servers", "mx", "spf", "dkim", "client"};
    size_t                   len     = 0;
    text[0]                          = '\0';
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        if (roles & 1u << i)
            len += (size_t) snprintf(text + len, ROLES_TEXT_MAX - len, "%s%s", len > 0 ? " " : "", words[i]);
    return text;
}

static struct reliance *rely(struct explanation *explanation, struct view zone, enum role role, struct view by)
{
    struct reliance *reliance;
    for (unsigned i = 0; i < explanation->zone_count; i++) {
        reliance = &explanation->zones[i];
        if (name_equal(name_view(&reliance->zone), zone)) {
            reliance->roles |= role;
            return reliance;
        }
    }
    if (explanation->zone_count == EXPLANATION_ZONES) {
        explanation->inquest->is_bounded = true;
        return NULL;
    }
    reliance  = &explanation->zones[explanation->zone_count++];
    *reliance = (struct reliance){.roles = role};
    name_set(&reliance->zone, zone);
    name_set(&reliance->by, by);
    return reliance;
}

/* Where a zone of it begins is not asked for each name: its registrable domain's, but for what lies in the domain's own
 * zone, which is known. */
static struct view zone_of(const struct explanation *explanation, struct view name)
{
    const struct suffix *suffix = explanation->inquest->env->shared.suffix;
    struct view          domain = suffix_registrable(suffix, name), own = {0};
    if (explanation->zone_count > 0)
        own = name_view(&explanation->zones[0].zone);
    if (domain.len == 0)
        domain = name;
    return own.len > domain.len && name_is_at_or_below(name, own) ? own : domain;
}

/* One below the registrable domain that fails alone is found by what external shows of it. */
static struct view failing_zone(struct explanation *explanation, struct view name)
{
    const struct fact *soa  = inquest_ask(explanation->inquest, name, TYPE_SOA, PARTY_EXTERNAL);
    struct view        zone = fact_zone(soa), known = zone_of(explanation, name);
    return zone.len > known.len && name_is_at_or_below(name, zone) ? zone : known;
}

static void note_name(struct explanation *explanation, enum role role, struct view name, const struct pair *failing)
{
    struct reliance *reliance;
    struct name      zone;
    name_set(&zone, failing ? failing_zone(explanation, name) : zone_of(explanation, name));
    reliance = rely(explanation, name_view(&zone), role, name);
    if (reliance && failing && reliance->failing.type == 0)
        reliance->failing = *failing;
}

void zones_note(struct explanation *explanation, enum role role, const struct pair *pair)
{
    const struct fact *best    = pair_best(explanation, pair);
    const struct pair *failing = pair_divides(pair) ? pair : NULL;
    bool               alias   = best && best->judgement.has_alias;
    note_name(explanation, role, name_view(&pair->name), alias ? NULL : failing);
    if (alias)
        note_name(explanation, role, name_view(&best->judgement.alias), failing);
}

/* ---- the domain ---- */

static bool says_no_name(const struct fact *fact) { return fact_is_known(fact) && fact->outcome == OUTCOME_NXDOMAIN; }

static bool was_forged(const struct fact *fact) { return fact_is_known(fact) && fact->outcome == OUTCOME_FORGED; }

static bool share_a_record(const struct fact *one, const struct fact *other)
{
    struct message message, others;
    struct record  record = {0};
    while (fact_next(one, one->type, &message, &record)) {
        struct record candidate = {0};
        while (fact_next(other, one->type, &others, &candidate))
            if (candidate.data.len == record.data.len &&
                memcmp(candidate.data.data, record.data.data, record.data.len) == 0)
                return true;
    }
    return false;
}

/* Both answer, and nothing of it is the same. */
static bool contradict(const struct pair *pair)
{
    if (!fact_is_usable(pair->domestic) || !fact_is_usable(pair->external))
        return false;
    if (!fact_is_present(pair->domestic) || !fact_is_present(pair->external))
        return pair->domestic->outcome != pair->external->outcome;
    return !share_a_record(pair->domestic, pair->external);
}

/* Somebody on the way answers in the place of an address where nobody listens. */
static bool canary_is_answered(struct explanation *explanation)
{
    const struct server *canary = explanation->inquest->env->setup->canary;
    unsigned             party;
    return canary && inquest_party(explanation->inquest, &canary->address, false, &party) &&
           fact_is_usable(inquest_ask(explanation->inquest, name_view(&explanation->request.domain), TYPE_A, party));
}

static void judge_forgery(struct explanation *explanation, const struct pair *soa)
{
    struct view domain = name_view(&explanation->request.domain);
    struct pair a = pair_ask(explanation, domain, TYPE_A), mx = pair_ask(explanation, domain, TYPE_MX);
    bool        answered    = canary_is_answered(explanation);
    bool        own_words   = was_forged(soa->domestic) || was_forged(a.domestic) || was_forged(mx.domestic);
    bool        contradicts = contradict(&a) || contradict(&mx);
    bool        denied = says_no_name(soa->domestic) && fact_is_usable(soa->external) && !says_no_name(soa->external);
    enum own_forging known = own_forging(explanation, domain);
    explanation->is_forged =
        own_words || known == OWN_FORGED || (known == OWN_UNKNOWN && (denied || (contradicts && answered)));
    if (explanation->is_forged)
        finding_about(finding_add(explanation, FINDING_FORGED,
                                  own_carries(explanation, domain, TYPE_MX) ? GRADE_NOTE : GRADE_CAUSE, SIDE_HERE,
                                  "answers about it are forged on the way to domestic: %s",
                                  own_words  ? "addresses come where something else was asked for, or known false ones"
                                  : denied   ? "domestic says that it does not exist, external has it"
                                  : answered ? "an address where nobody listens is answered for it"
                                             : "as byway has found by comparing with external"),
                      domain, 0);
    else if (contradict(&a) && fact_is_present(a.domestic) && fact_is_present(a.external))
        finding_about(finding_add(explanation, FINDING_ADDRESSES_DIFFER, GRADE_NOTE, SIDE_NOBODY,
                                  "domestic and external give different addresses, as they do for who is served "
                                  "by where he asks from"),
                      domain, TYPE_A);
}

bool zones_look(struct explanation *explanation)
{
    struct view        domain = name_view(&explanation->request.domain);
    struct pair        soa    = pair_ask(explanation, domain, TYPE_SOA);
    const struct fact *best   = pair_best(explanation, &soa);
    struct view        zone   = fact_zone(best);
    struct reliance   *own;
    if (zone.len == 0 || !name_is_at_or_below(domain, zone))
        zone = zone_of(explanation, domain);
    own = rely(explanation, zone, ROLE_DOMAIN, domain);
    if (own && pair_divides(&soa))
        own->failing = soa;
    judge_forgery(explanation, &soa);
    best = pair_best(explanation, &soa);
    if (!says_no_name(best))
        return true;
    finding_about(finding_add(explanation, FINDING_NO_DOMAIN, GRADE_CAUSE, SIDE_DOMAIN, "it does not exist, %s",
                              says_no_name(soa.domestic) && says_no_name(soa.external) ? "say domestic and external"
                              : best == soa.domestic                                   ? "says domestic"
                                                                                       : "says external"),
                  domain, 0);
    return false;
}

/* ---- all of them ---- */

bool zones_own_fails(struct explanation *explanation)
{
    struct pair soa = pair_ask(explanation, name_view(&explanation->zones[0].zone), TYPE_SOA);
    return pair_fails(&soa);
}

bool zones_divide(struct explanation *explanation, const struct reliance *reliance)
{
    struct pair soa = pair_ask(explanation, name_view(&reliance->zone), TYPE_SOA);
    return reliance->failing.type != 0 || pair_divides(&soa);
}

static struct pair failing_pair(struct explanation *explanation, const struct reliance *reliance)
{
    return reliance->failing.type != 0 ? reliance->failing
                                       : pair_ask(explanation, name_view(&reliance->zone), TYPE_SOA);
}

static const char *domestic_words(const struct pair *pair)
{
    switch (pair->domestic->outcome) {
    case OUTCOME_TIMEOUT:
        return "domestic is silent";
    case OUTCOME_SERVFAIL:
        return "domestic cannot resolve it (SERVFAIL)";
    case OUTCOME_REFUSED:
        return "domestic refuses it";
    case OUTCOME_FORGED:
        return "domestic has a forged answer";
    default:
        return "domestic cannot be asked";
    }
}

/* What of the domain's mail leads there. */
static const char *role_words(unsigned roles)
{
    return roles & ROLE_SPF       ? "its SPF needs"
           : roles & ROLE_MX      ? "its mail host is"
           : roles & ROLE_SERVERS ? "its name server is"
           : roles & ROLE_DKIM    ? "its DKIM key is at"
                                  : "the client's name is";
}

/* A name server's zone that fails does no harm where the domain's does not. */
static enum finding_grade grade_of(struct explanation *explanation, const struct reliance *reliance)
{
    struct pair failing = failing_pair(explanation, reliance);
    if (own_carries(explanation, name_view(&failing.name), failing.type))
        return GRADE_NOTE;
    if (reliance->roles == ROLE_SERVERS && !zones_divide(explanation, &explanation->zones[0]))
        return GRADE_NOTE;
    return GRADE_CAUSE;
}

static void tell_divided(struct explanation *explanation, const struct reliance *reliance)
{
    char               zone[NAME_TEXT_MAX], by[NAME_TEXT_MAX], type[TYPE_TEXT_MAX];
    struct pair        failing = failing_pair(explanation, reliance);
    enum finding_grade grade   = grade_of(explanation, reliance);
    struct finding    *finding;
    name_format(name_view(&reliance->zone), zone);
    name_format(name_view(&reliance->by), by);
    if ((reliance->roles & ROLE_DOMAIN && explanation->is_forged) || validation_fails(explanation, &failing))
        return; /* said already, and why */
    if (reliance->roles & ROLE_DOMAIN)
        finding = finding_add(explanation, FINDING_BLOCKED, grade, SIDE_HERE,
                              "%s is blocked here: %s, external answers", zone, domestic_words(&failing));
    else
        finding = finding_add(explanation, FINDING_DEPENDS_ON_BLOCKED, grade, SIDE_HERE,
                              "%s %s, and %s is blocked here: %s (%s), external answers", role_words(reliance->roles),
                              by, zone, domestic_words(&failing), type_format(failing.type, type));
    finding->zone = reliance->zone;
    finding_about(finding, name_view(&failing.name), failing.type);
}

static void tell_failed(struct explanation *explanation, const struct reliance *reliance, const struct pair *soa)
{
    char            zone[NAME_TEXT_MAX], by[NAME_TEXT_MAX], failure[PAIR_TEXT_MAX];
    bool            own = reliance->roles & ROLE_DOMAIN;
    struct finding *finding =
        finding_add(explanation, FINDING_UNRESOLVABLE, own ? GRADE_CAUSE : GRADE_PROBLEM, SIDE_DOMAIN,
                    own ? "%s%s%s fails wherever it is asked: %s" : "%s %s, whose zone %s fails wherever it is asked",
                    own ? "" : role_words(reliance->roles), own ? "" : name_format(name_view(&reliance->by), by),
                    name_format(name_view(&reliance->zone), zone), pair_failure(soa, failure));
    finding->zone = reliance->zone;
    finding_about(finding, name_view(&soa->name), soa->type);
}

void zones_look_behind(struct explanation *explanation)
{
    for (unsigned i = 0; i < explanation->zone_count; i++) {
        const struct reliance *reliance = &explanation->zones[i];
        struct pair            soa      = pair_ask(explanation, name_view(&reliance->zone), TYPE_SOA);
        if (zones_divide(explanation, reliance))
            tell_divided(explanation, reliance);
        else if (pair_fails(&soa) && !validation_fails(explanation, &soa))
            tell_failed(explanation, reliance, &soa);
    }
}
