/*
 * zones.c: see zones.h.
 */
#include "explain/zones.h"

#include "explain/forging.h"
#include "explain/known.h"
#include "explain/validation.h"

#include <stdio.h>
#include <string.h>

enum {
    WHAT_MAX   = 320, /* bytes of text */
    NAME_SHOWN = 240
};

/* ---- the list ---- */

const char *roles_format(unsigned roles, char text[ROLES_TEXT_MAX])
{
    static const char *const words[] = {"domain", "name-servers", "mx", "spf", "dkim", "client", "helo"};
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
    *reliance = (struct reliance){.roles = role, .by_role = role};
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
    if (!reliance || !failing ||
        (reliance->failing.type != 0 && (pair_is_minor(name_view(&failing->name), failing->type) ||
                                         !pair_is_minor(name_view(&reliance->failing.name), reliance->failing.type))))
        return;
    reliance->failing = *failing;
    reliance->by_role = role;
    name_set(&reliance->by, name);
}

/* Of an alias either its own zone fails, or that of what it stands for, which is asked for by itself. */
static void note_alias(struct explanation *explanation, enum role role, const struct pair *pair,
                       const struct name *alias)
{
    struct pair target   = pair_ask(explanation, name_view(alias), pair->type);
    bool        is_there = pair_divides(&target);
    note_name(explanation, role, name_view(alias), is_there ? &target : NULL);
    note_name(explanation, role, name_view(&pair->name), is_there || !pair_is_settled(&target) ? NULL : pair);
}

void zones_note(struct explanation *explanation, enum role role, const struct pair *pair)
{
    const struct fact *best = pair_best(explanation, pair);
    if (!best || !best->judgement.has_alias)
        note_name(explanation, role, name_view(&pair->name), pair_divides(pair) ? pair : NULL);
    else if (pair_divides(pair)) {
        const struct name alias = best->judgement.alias;
        note_alias(explanation, role, pair, &alias);
    } else {
        note_name(explanation, role, name_view(&pair->name), NULL);
        note_name(explanation, role, name_view(&best->judgement.alias), NULL);
    }
}

/* ---- the domain ---- */

static bool says_no_name(const struct fact *fact) { return fact_is_known(fact) && fact->outcome == OUTCOME_NXDOMAIN; }

bool zones_look(struct explanation *explanation)
{
    struct view        domain = name_view(&explanation->request.domain);
    struct pair        soa    = pair_ask(explanation, domain, TYPE_SOA);
    const struct fact *best   = pair_best(explanation, &soa);
    struct view        zone   = fact_zone(best);
    if (zone.len == 0 || !name_is_at_or_below(domain, zone))
        zone = zone_of(explanation, domain);
    rely(explanation, zone, ROLE_DOMAIN, domain);
    zones_note(explanation, ROLE_DOMAIN, &soa);
    forging_look(explanation, &soa);
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
    case OUTCOME_NXDOMAIN:
        return "domestic says that it does not exist";
    default:
        return "domestic cannot be asked";
    }
}

/* What of the domain's mail leads there. */
static const char *role_words(enum role role)
{
    switch (role) {
    case ROLE_SPF:
        return "its SPF needs";
    case ROLE_MX:
        return "its mail host is";
    case ROLE_SERVERS:
        return "its name server is";
    case ROLE_DKIM:
        return "its DKIM key is at";
    case ROLE_CLIENT:
        return "the client's name is";
    case ROLE_HELO:
        return "the HELO name is";
    default:
        return "it is an alias of";
    }
}

/* DMARC or TLSA, where all else of the zone is answered. */
static bool is_minor_alone(struct explanation *explanation, const struct reliance *reliance, const struct pair *failing)
{
    struct pair soa = pair_ask(explanation, name_view(&reliance->zone), TYPE_SOA);
    return pair_is_minor(name_view(&failing->name), failing->type) && !pair_divides(&soa);
}

/* A name server's zone that fails does no harm where the domain's does not. */
static enum finding_grade grade_of(struct explanation *explanation, const struct reliance *reliance,
                                   const struct pair *failing)
{
    if (known_carries(explanation, name_view(&failing->name), failing->type))
        return GRADE_NOTE;
    if (is_minor_alone(explanation, reliance, failing))
        return GRADE_PROBLEM;
    return reliance->roles == ROLE_SERVERS && !zones_divide(explanation, &explanation->zones[0]) ? GRADE_NOTE
                                                                                                 : GRADE_CAUSE;
}

/* "silent.example. is blocked here", or, where the zone answers but for one question, "_dmarc.x.example. TXT fails here" */
static const char *what_fails(struct explanation *explanation, const struct reliance *reliance,
                              const struct pair *failing, char text[WHAT_MAX])
{
    char        name[NAME_TEXT_MAX], type[TYPE_TEXT_MAX];
    struct pair soa   = pair_ask(explanation, name_view(&reliance->zone), TYPE_SOA);
    bool        whole = failing->type == TYPE_SOA || !fact_is_usable(soa.domestic) || pair_is_denied(&soa);
    name_format(name_view(whole ? &reliance->zone : &failing->name), name);
    if (whole)
        snprintf(text, WHAT_MAX, "%.*s is blocked here", NAME_SHOWN, name);
    else
        snprintf(text, WHAT_MAX, "%.*s %s fails here", NAME_SHOWN, name, type_format(failing->type, type));
    return text;
}

static void tell_divided(struct explanation *explanation, const struct reliance *reliance)
{
    char               what[WHAT_MAX], by[NAME_TEXT_MAX];
    struct pair        failing = failing_pair(explanation, reliance);
    bool               own     = reliance == &explanation->zones[0];
    enum finding_grade grade   = grade_of(explanation, reliance, &failing);
    struct finding    *finding;
    if ((own && explanation->is_forged) || validation_fails(explanation, &failing))
        return; /* said already, and why */
    what_fails(explanation, reliance, &failing, what);
    if (is_minor_alone(explanation, reliance, &failing))
        finding =
            finding_add(explanation, failing.type == TYPE_TLSA ? FINDING_TLSA_UNRESOLVABLE : FINDING_DMARC_UNRESOLVABLE,
                        grade, SIDE_HERE, "%s: %s, external answers", what, domestic_words(&failing));
    else if (own)
        finding = finding_add(explanation, FINDING_BLOCKED, grade, SIDE_HERE, "%s: %s, external answers", what,
                              domestic_words(&failing));
    else
        finding = finding_add(explanation, FINDING_DEPENDS_ON_BLOCKED, grade, SIDE_HERE,
                              "%s %s, and %s: %s, external answers", role_words(reliance->by_role),
                              name_format(name_view(&reliance->by), by), what, domestic_words(&failing));
    finding->zone    = reliance->zone;
    finding->outcome = failing.domestic->outcome;
    finding_about(finding, name_view(&failing.name), failing.type);
}

static void tell_failed(struct explanation *explanation, const struct reliance *reliance, const struct pair *soa)
{
    char              zone[NAME_TEXT_MAX], by[NAME_TEXT_MAX], failure[PAIR_TEXT_MAX];
    bool              own  = reliance == &explanation->zones[0];
    enum finding_side side = pair_is_fenced_in(soa) || soa->other ? SIDE_HERE : SIDE_DOMAIN;
    struct finding   *finding;
    name_format(name_view(&reliance->zone), zone);
    pair_failure(soa, failure);
    if (own)
        finding = finding_add(explanation, FINDING_UNRESOLVABLE, GRADE_CAUSE, side, "%s fails wherever it is asked: %s",
                              zone, failure);
    else
        finding = finding_add(explanation, FINDING_UNRESOLVABLE, GRADE_PROBLEM, side,
                              "%s %s, whose zone %s fails wherever it is asked: %s", role_words(reliance->by_role),
                              name_format(name_view(&reliance->by), by), zone, failure);
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
