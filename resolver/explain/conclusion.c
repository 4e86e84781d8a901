/*
 * conclusion.c: see conclusion.h.
 */
#include "explain/conclusion.h"

#include "explain/own.h"
#include "explain/replies.h"

#include <stdio.h>

/* ---- the cause ---- */

/* What stands farther up explains what stands below it: in an outage of domestic all is blocked, and a zone whose
 * servers are lame is unresolvable for everybody. */
static const enum finding_tag causes[] = {
    FINDING_DOMESTIC_DOWN,
    FINDING_FENCED,
    FINDING_NO_DOMAIN,
    FINDING_FORGED,
    FINDING_DNSSEC_BOGUS,
    FINDING_BLOCKED,
    FINDING_NOT_DELEGATED,
    FINDING_DEPENDS_ON_BLOCKED,
    FINDING_LAME,
    FINDING_SERVERS_UNREACHABLE,
    FINDING_UNRESOLVABLE,
    FINDING_SPF_UNRESOLVABLE,
    FINDING_DKIM_UNRESOLVABLE,
};

/* Without a cause in the network: what makes mail servers refuse what comes from it, or leaves no way to it. */
static const enum finding_tag mistakes[] = {
    FINDING_MX_NULL,           FINDING_MX_NONE,    FINDING_SPF_FAIL,        FINDING_HELO_MISSING,
    FINDING_HELO_NO_ADDRESS,   FINDING_PTR_NONE,   FINDING_PTR_UNCONFIRMED, FINDING_PTR_UNRESOLVABLE,
    FINDING_HELO_UNRESOLVABLE, FINDING_LISTED,     FINDING_SPF_SEVERAL,     FINDING_SPF_SYNTAX,
    FINDING_SPF_LOOKUPS,       FINDING_SPF_VOID,   FINDING_SPF_LOOP,        FINDING_MX_NO_ADDRESS,
    FINDING_MX_LITERAL,        FINDING_MX_PRIVATE, FINDING_DKIM_NONE,       FINDING_DKIM_REVOKED,
    FINDING_DKIM_SYNTAX,
};

static int first_of(const struct explanation *explanation, enum finding_tag tag, enum finding_grade grade)
{
    for (unsigned i = 0; i < explanation->finding_count; i++)
        if (explanation->findings[i].tag == tag && explanation->findings[i].grade == grade)
            return (int) i;
    return -1;
}

/* Of the domain's zone its servers answer this machine: then not they are blocked, but what leads to them. */
static int blocked_behind(const struct explanation *explanation)
{
    if (explanation->zone_count == 0 || explanation->servers[0].answered == 0)
        return -1;
    for (unsigned i = 0; i < explanation->finding_count; i++) {
        const struct finding *finding  = &explanation->findings[i];
        bool                  is_cause = finding->tag == FINDING_DEPENDS_ON_BLOCKED && finding->grade == GRADE_CAUSE;
        for (unsigned z = 1; is_cause && z < explanation->zone_count; z++)
            if (explanation->zones[z].roles & ROLE_SERVERS &&
                name_equal(name_view(&explanation->zones[z].zone), name_view(&finding->zone)))
                return (int) i;
    }
    return -1;
}

/* What is explained is a HELO name or a client's reverse name, with a fault of its own: no domain of anybody's mail. */
static int fault_of_name(const struct explanation *explanation)
{
    static const enum finding_tag tags[] = {FINDING_HELO_MISSING, FINDING_HELO_NO_ADDRESS, FINDING_PTR_NONE,
                                            FINDING_PTR_UNCONFIRMED, FINDING_PTR_UNRESOLVABLE};
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        int found = first_of(explanation, tags[i], GRADE_PROBLEM);
        if (found >= 0 &&
            name_equal(name_view(&explanation->findings[found].name), name_view(&explanation->request.domain)))
            return found;
    }
    return -1;
}

static int find_cause(const struct explanation *explanation)
{
    for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
        int found = first_of(explanation, causes[i], GRADE_CAUSE);
        if (found >= 0 && causes[i] == FINDING_BLOCKED && blocked_behind(explanation) >= 0)
            return blocked_behind(explanation);
        if (found >= 0 && causes[i] == FINDING_NO_DOMAIN && fault_of_name(explanation) >= 0)
            return fault_of_name(explanation);
        if (found >= 0)
            return found;
    }
    if (fault_of_name(explanation) >= 0)
        return fault_of_name(explanation);
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        int found = first_of(explanation, mistakes[i], GRADE_PROBLEM);
        if (found >= 0)
            return found;
    }
    return -1;
}

/* That a zone is unresolvable follows from what it is that makes it so. */
static void leave_one_cause(struct explanation *explanation)
{
    for (unsigned i = 0; i < explanation->finding_count; i++)
        if (explanation->findings[i].grade == GRADE_CAUSE && (int) i != explanation->cause)
            explanation->findings[i].grade =
                explanation->findings[i].tag == FINDING_UNRESOLVABLE ? GRADE_NOTE : GRADE_PROBLEM;
}

/* ---- the verdict ---- */

static bool has_problem(const struct explanation *explanation)
{
    for (unsigned i = 0; i < explanation->finding_count; i++)
        if (explanation->findings[i].grade >= GRADE_PROBLEM && explanation->findings[i].side == SIDE_DOMAIN)
            return true;
    return false;
}

static bool knows_anything(const struct explanation *explanation)
{
    for (unsigned i = 0; i < explanation->inquest->fact_count; i++)
        if (fact_is_known(explanation->inquest->facts[i]))
            return true;
    return false;
}

static enum verdict_word judge(const struct explanation *explanation)
{
    if (explanation->cause < 0)
        return !knows_anything(explanation) ? EXPLAINED_UNKNOWN
               : has_problem(explanation)   ? EXPLAINED_MISCONFIGURED
                                            : EXPLAINED_FINE;
    switch (explanation->findings[explanation->cause].tag) {
    case FINDING_DOMESTIC_DOWN:
    case FINDING_FENCED:
        return EXPLAINED_UNKNOWN;
    case FINDING_FORGED:
        return EXPLAINED_FORGED;
    case FINDING_BLOCKED:
    case FINDING_DEPENDS_ON_BLOCKED:
        return EXPLAINED_BLOCKED;
    case FINDING_UNRESOLVABLE:
    case FINDING_SPF_UNRESOLVABLE:
    case FINDING_DKIM_UNRESOLVABLE:
        return own_is_down(explanation, PARTY_EXTERNAL) || explanation->findings[explanation->cause].side == SIDE_HERE
                   ? EXPLAINED_UNKNOWN
                   : EXPLAINED_BROKEN;
    case FINDING_NO_DOMAIN:
    case FINDING_DNSSEC_BOGUS:
    case FINDING_NOT_DELEGATED:
    case FINDING_LAME:
    case FINDING_SERVERS_UNREACHABLE:
        return EXPLAINED_BROKEN;
    default:
        return EXPLAINED_MISCONFIGURED;
    }
}

/* ---- the cure ---- */

/* As byway.json(5) has it: what is neither silence nor a failing code counts as one of these. */
static const char *fallback_word(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_SERVFAIL:
    case OUTCOME_REFUSED:
    case OUTCOME_FORGED:
    case OUTCOME_NXDOMAIN:
        return outcome_word(outcome);
    default:
        return outcome_word(OUTCOME_TIMEOUT);
    }
}

/* Why external is not asked, or that it is. */
static void cure_block(const struct explanation *explanation, const struct finding *cause, char *text, size_t size)
{
    const struct setup *setup = explanation->inquest->env->setup;
    struct view         zone  = name_view(cause->zone.len > 0 ? &cause->zone : &explanation->request.domain);
    const struct rule  *rule  = policy_find(setup->policy, zone);
    struct verdict      known = table_find(explanation->inquest->env->shared.table, zone, TYPE_SOA);
    char                name[NAME_TEXT_MAX], fence[NAME_TEXT_MAX];
    name_format(zone, name);
    if (rule->via != VIA_AUTO)
        snprintf(text, size, "the rule for %s keeps %s from external: give it \"via\": \"auto\" in \"zones\"",
                 name_format(name_view(&rule->zone), fence), name);
    else if (known.pin == PIN_DOMESTIC)
        snprintf(text, size, "it is pinned to domestic: bywayctl zones unpin %s", name);
    else if (!setup_falls_on(setup, cause->outcome))
        snprintf(text, size, "put \"%s\" into \"fallback.on\", or bywayctl zones pin %s external",
                 fallback_word(cause->outcome), name);
    else if (cause->tag == FINDING_FORGED)
        snprintf(text, size, "to send it the external way at once: bywayctl zones pin %s external", name);
    else
        snprintf(text, size,
                 "have the mail server ask byway, which turns to external for %s whenever domestic fails%s; to send it "
                 "there at once: bywayctl zones pin %s external",
                 name,
                 setup->learning == SETUP_LEARN ? "" : ", and would remember it with \"learning.mode\" set to \"on\"",
                 name);
}

static void prescribe(struct explanation *explanation)
{
    const struct finding *cause = explanation->cause >= 0 ? &explanation->findings[explanation->cause] : NULL;
    char                 *text  = explanation->cure;
    size_t                size  = sizeof(explanation->cure);
    if (!cause && explanation->verdict == EXPLAINED_MISCONFIGURED)
        snprintf(text, size, "nothing here keeps its mail; what is noted is for the people of the domain to mend");
    else if (!cause && explanation->verdict == EXPLAINED_UNKNOWN)
        snprintf(text, size, "nothing could be asked: see bywayctl upstreams");
    else if (!cause)
        snprintf(text, size, "nothing to do%s",
                 first_of(explanation, FINDING_CARRIED, GRADE_NOTE) >= 0
                     ? ": what is blocked goes through external already"
                     : "");
    else if (explanation->verdict == EXPLAINED_BLOCKED || explanation->verdict == EXPLAINED_FORGED ||
             cause->tag == FINDING_FENCED || (cause->tag == FINDING_UNRESOLVABLE && cause->side == SIDE_HERE))
        cure_block(explanation, cause, text, size);
    else if (cause->tag == FINDING_DOMESTIC_DOWN)
        snprintf(text, size, "see bywayctl upstreams: no domestic resolver answers");
    else if (cause->tag == FINDING_LISTED)
        snprintf(text, size, "ask the list to take the address off, once what it sent is mended");
    else if (cause->tag == FINDING_HELO_MISSING)
        snprintf(text, size, "the administrator of that server has to give it a name that exists");
    else if (cause->tag == FINDING_PTR_NONE)
        snprintf(text, size, "its owner has to have one set by the provider of that network");
    else if (cause->tag == FINDING_PORT25_UNREACHABLE || cause->side == SIDE_HERE)
        snprintf(text, size, "it is to be mended here");
    else if (explanation->verdict == EXPLAINED_UNKNOWN)
        snprintf(text, size, "see bywayctl upstreams, and ask again when external answers");
    else
        snprintf(text, size, "only the people of the domain can mend it: send them what --report writes");
}

void conclusion_draw(struct explanation *explanation)
{
    explanation->cause = find_cause(explanation);
    leave_one_cause(explanation);
    explanation->verdict = judge(explanation);
    prescribe(explanation);
    replies_write(explanation);
}
