/*
 * sender_policy.c: see sender_policy.h.
 */
#include "explain/sender_policy.h"

#include "explain/own.h"
#include "explain/zones.h"
#include "mail/spf.h"
#include "mail/spf_walk.h"

#include <stdio.h>
#include <string.h>

enum {
    VOIDS_MAX = 320 /* bytes of text */
};

/* ---- lookups, from the facts ---- */

enum told {
    TOLD_NOTHING, /* it is not known yet, or was left out */
    TOLD_REPLY,   /* *ret_message */
    TOLD_FAILURE  /* *ret_pair */
};

static enum told look_up(struct explanation *explanation, const struct spf_lookup *lookup, struct pair *ret_pair,
                         struct message *ret_message)
{
    const struct fact *best;
    *ret_pair = pair_ask(explanation, name_view(&lookup->name), lookup->type);
    best      = pair_best(explanation, ret_pair);
    if (best && message_parse(best->wire, ret_message))
        return TOLD_REPLY;
    return pair_fails(ret_pair) ? TOLD_FAILURE : TOLD_NOTHING;
}

static enum outcome failure_of(const struct pair *pair)
{
    return fact_has_failed(pair->domestic)   ? pair->domestic->outcome
           : fact_has_failed(pair->external) ? pair->external->outcome
                                             : OUTCOME_TIMEOUT;
}

static void note(struct explanation *explanation, const struct pair *pair)
{
    bool own = name_equal(name_view(&pair->name), name_view(&explanation->request.domain));
    zones_note(explanation, own ? ROLE_DOMAIN : ROLE_SPF, pair);
}

/* While one is waited for, all else that is known to be needed is asked. */
static void ask_ahead(struct explanation *explanation, const struct spf_walk *walk)
{
    for (unsigned i = 0; i < walk->count; i++) {
        const struct spf_dependency *dependency = &walk->dependencies[i];
        if (dependency->whole && !dependency->is_read) {
            struct pair pair = pair_ask(explanation, name_view(&dependency->name), dependency->type);
            note(explanation, &pair);
        }
    }
}

/* Of a name that depends on the sender what is the same for each. */
static void note_parts(struct explanation *explanation, const struct spf_walk *walk)
{
    for (unsigned i = 0; i < walk->count; i++)
        if (!walk->dependencies[i].whole) {
            struct pair pair = pair_ask(explanation, name_view(&walk->dependencies[i].name), TYPE_SOA);
            note(explanation, &pair);
        }
}

/* False: it has to wait for more, or more was left out. */
static bool walk(struct explanation *explanation)
{
    struct spf_walk         *walk = explanation->walk;
    const struct spf_lookup *lookup;
    spf_walk_begin(walk, &explanation->request.domain);
    while ((lookup = spf_walk_lookup(walk)) != NULL) {
        struct message message;
        struct pair    pair;
        char           failure[PAIR_TEXT_MAX];
        enum told      told = look_up(explanation, lookup, &pair, &message);
        note(explanation, &pair);
        if (told == TOLD_NOTHING) {
            ask_ahead(explanation, walk);
            return false;
        }
        if (told == TOLD_REPLY)
            spf_walk_on_reply(walk, &message);
        else
            spf_walk_on_failure(walk, failure_of(&pair), pair_failure(&pair, failure));
    }
    note_parts(explanation, walk);
    explanation->inquest->is_bounded |= walk->is_cut;
    return true;
}

static bool evaluate(struct explanation *explanation)
{
    struct spf              *spf     = explanation->spf;
    const struct spf_request request = {.client = explanation->request.ip,
                                        .helo   = explanation->request.helo,
                                        .sender = explanation->request.sender,
                                        .now    = explanation->wall};
    const struct spf_lookup *lookup;
    if (!spf_begin(spf, &request))
        return false;
    while ((lookup = spf_lookup(spf)) != NULL) {
        struct message message;
        struct pair    pair;
        char           failure[PAIR_TEXT_MAX];
        enum told      told = look_up(explanation, lookup, &pair, &message);
        note(explanation, &pair);
        if (told == TOLD_NOTHING)
            return false;
        if (told == TOLD_REPLY)
            spf_on_reply(spf, &message);
        else
            spf_on_failure(spf, failure_of(&pair), pair_failure(&pair, failure));
    }
    return true;
}

/* ---- the record's text ---- */

static void quote(struct explanation *explanation, struct finding *finding, const struct name *domain)
{
    struct pair        txt  = pair_ask(explanation, name_view(domain), TYPE_TXT);
    const struct fact *best = pair_best(explanation, &txt);
    struct message     message;
    struct record      record = {0};
    for (unsigned i = 0; fact_next(best, TYPE_TXT, &message, &record); i++)
        if (record.data.len >= 7 && strncasecmp((const char *) record.data.data + 1, "v=spf1", 6) == 0) {
            finding_quote(finding, best, i);
            return;
        }
}

static void about(struct explanation *explanation, struct finding *finding, const struct name *domain)
{
    finding_about(finding, name_view(domain), TYPE_TXT);
    quote(explanation, finding, domain);
}

/* ---- what is wrong with it ---- */

/* A name that fails on both sides: SPF is a temperror for whoever asks. */
static void tell_unresolved(struct explanation *explanation, const struct spf_problem *problem)
{
    char name[NAME_TEXT_MAX], type[TYPE_TEXT_MAX];
    bool own = name_equal(name_view(&problem->name), name_view(&explanation->request.domain));
    if (own && zones_own_fails(explanation))
        return;
    struct finding *finding =
        finding_add(explanation, FINDING_SPF_UNRESOLVABLE, GRADE_CAUSE, SIDE_DOMAIN,
                    "%s %s %s, which cannot be had: %s", own ? "its SPF is in" : "its SPF needs",
                    name_format(name_view(&problem->name), name), type_format(problem->type, type), problem->who);
    finding_about(finding, name_view(&problem->name), problem->type);
    if (!own)
        quote(explanation, finding, &problem->domain);
}

static void tell_problem(struct explanation *explanation, const struct spf_problem *problem)
{
    char domain[NAME_TEXT_MAX], name[NAME_TEXT_MAX] = "";
    name_format(name_view(&problem->domain), domain);
    if (problem->name.len > 0)
        name_format(name_view(&problem->name), name);
    switch (problem->trouble) {
    case SPF_SEVERAL:
        about(explanation,
              finding_add(explanation, FINDING_SPF_SEVERAL, GRADE_PROBLEM, SIDE_DOMAIN,
                          "%s has more than one SPF record, so none counts", name),
              &problem->name);
        return;
    case SPF_NO_RECORD:
        if (name_equal(name_view(&problem->name), name_view(&explanation->request.domain)))
            about(explanation,
                  finding_add(explanation, FINDING_SPF_NONE, GRADE_PROBLEM, SIDE_DOMAIN, "it has no SPF record"),
                  &explanation->request.domain);
        else
            about(explanation,
                  finding_add(explanation, FINDING_SPF_SYNTAX, GRADE_PROBLEM, SIDE_DOMAIN,
                              "the SPF record of %s includes that of %s, which has none", domain, name),
                  &problem->domain);
        return;
    case SPF_SYNTAX:
        about(explanation,
              finding_add(explanation, FINDING_SPF_SYNTAX, GRADE_PROBLEM, SIDE_DOMAIN,
                          "the SPF record of %s, at byte %zu, \"%s\": %s", domain, problem->at, problem->term,
                          problem->why ? problem->why : "cannot be read"),
              &problem->domain);
        return;
    case SPF_LONG:
        about(explanation,
              finding_add(explanation, FINDING_SPF_SYNTAX, GRADE_PROBLEM, SIDE_DOMAIN,
                          "the SPF record of %s is too long", name),
              &problem->name);
        return;
    case SPF_HOSTS:
        about(explanation,
              finding_add(explanation, FINDING_SPF_LOOKUPS, GRADE_PROBLEM, SIDE_DOMAIN,
                          "\"%s\" of the SPF record of %s: %s has more than %d mail hosts", problem->term, domain, name,
                          SPF_HOSTS_MAX),
              &problem->domain);
        return;
    case SPF_LOOP:
        about(explanation,
              finding_add(explanation, FINDING_SPF_LOOP, GRADE_PROBLEM, SIDE_DOMAIN,
                          "\"%s\" of the SPF record of %s leads back to %s", problem->term, domain, name),
              &problem->domain);
        return;
    case SPF_UNRESOLVED:
        tell_unresolved(explanation, problem);
        return;
    default:
        return;
    }
}

/* The record that brings the most lookups, beside the domain's own. */
static const struct spf_dependency *heaviest(const struct spf_walk *walk)
{
    const struct spf_dependency *most = NULL;
    for (unsigned i = 1; i < walk->count; i++)
        if (walk->dependencies[i].type == TYPE_TXT && walk->dependencies[i].parent == 0 &&
            (!most || walk->dependencies[i].lookups > most->lookups))
            most = &walk->dependencies[i];
    return most;
}

static void judge_lookups(struct explanation *explanation, const struct spf_walk *walk)
{
    const struct spf_dependency *own = &walk->dependencies[0], *most = heaviest(walk);
    char                         name[NAME_TEXT_MAX] = "";
    if (own->lookups <= SPF_TERMS_MAX)
        return;
    about(explanation,
          finding_add(explanation, FINDING_SPF_LOOKUPS, GRADE_PROBLEM, SIDE_DOMAIN,
                      most ? "its SPF needs %u lookups, where %d are allowed: %u of them by %s %s"
                           : "its SPF needs %u lookups, where %d are allowed",
                      own->lookups, SPF_TERMS_MAX, most ? most->lookups : 0,
                      most && most->by == SPF_REDIRECT ? "the redirect to" : "include of",
                      most ? name_format(name_view(&most->name), name) : name),
          &own->name);
}

/* Names without an answer, as many as fit. */
static void list_voids(const struct spf_walk *walk, char text[VOIDS_MAX])
{
    size_t len = 0;
    text[0]    = '\0';
    for (unsigned i = 1; i < walk->count && len < VOIDS_MAX - 1; i++) {
        const struct spf_dependency *one = &walk->dependencies[i];
        char                         name[NAME_TEXT_MAX];
        if (one->is_read && one->type != TYPE_TXT &&
            (one->outcome == OUTCOME_NXDOMAIN || one->outcome == OUTCOME_NODATA))
            len += (size_t) snprintf(text + len, VOIDS_MAX - len, "%s%s", len > 0 ? ", " : "",
                                     name_format(name_view(&one->name), name));
    }
}

static void judge_voids(struct explanation *explanation, const struct spf_walk *walk)
{
    char     text[VOIDS_MAX];
    unsigned voids = spf_walk_voids(walk);
    if (voids <= SPF_VOIDS_MAX)
        return;
    list_voids(walk, text);
    about(explanation,
          finding_add(explanation, FINDING_SPF_VOID, GRADE_PROBLEM, SIDE_DOMAIN,
                      "its SPF looks %u names up that are not there, where %d are allowed: %s", voids, SPF_VOIDS_MAX,
                      text),
          &walk->dependencies[0].name);
}

static void judge_walk(struct explanation *explanation, const struct spf_walk *walk)
{
    const struct spf_dependency *own    = &walk->dependencies[0];
    unsigned                     before = explanation->finding_count;
    for (unsigned i = 0; i < walk->problem_count; i++)
        tell_problem(explanation, &walk->problems[i]);
    judge_lookups(explanation, walk);
    judge_voids(explanation, walk);
    for (unsigned i = 0; i < walk->count; i++)
        if (walk->dependencies[i].passes_all) {
            char name[NAME_TEXT_MAX];
            about(explanation,
                  finding_add(explanation, FINDING_SPF_PASS_ALL, GRADE_PROBLEM, SIDE_DOMAIN,
                              "the SPF record of %s lets everybody send (+all)",
                              name_format(name_view(&walk->dependencies[i].name), name)),
                  &walk->dependencies[i].name);
        }
    if (explanation->final && explanation->finding_count == before && own->outcome == OUTCOME_ANSWER) {
        about(explanation,
              finding_add(explanation, FINDING_SPF, GRADE_OK, SIDE_DOMAIN,
                          "its SPF record can be read, with %u lookups of %d", own->lookups, SPF_TERMS_MAX),
              &own->name);
    }
}

/* ---- what comes of it for that client ---- */

static void judge_result(struct explanation *explanation, const struct spf *spf)
{
    char                    domain[NAME_TEXT_MAX] = "", address[ADDRESS_TEXT_MAX];
    const struct spf_match *match                 = &spf->match;
    bool                    fails                 = spf->result == SPF_FAIL;
    enum finding_grade      grade                 = fails || spf->result == SPF_PERMERROR ? GRADE_PROBLEM
                                                    : spf->result == SPF_PASS             ? GRADE_OK
                                                                                          : GRADE_NOTE;
    if (match->domain.len > 0)
        name_format(name_view(&match->domain), domain);
    struct finding *finding =
        finding_add(explanation, fails ? FINDING_SPF_FAIL : FINDING_SPF_RESULT, grade, SIDE_DOMAIN,
                    *match->term ? "SPF for %s, %s: %s, by \"%s\" of %s" : "SPF for %s, %s: %s",
                    address_format_host(&explanation->request.ip, address), explanation->request.sender,
                    spf_result_word(spf->result), match->term, domain);
    if (match->domain.len > 0)
        about(explanation, finding, &match->domain);
}

void sender_policy_look(struct explanation *explanation)
{
    if (walk(explanation))
        judge_walk(explanation, explanation->walk);
    else
        judge_lookups(explanation, explanation->walk);
    if (explanation->request.ip.len > 0 && evaluate(explanation))
        judge_result(explanation, explanation->spf);
}
