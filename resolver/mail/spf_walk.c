/*
 * spf_walk.c: see spf_walk.h. The list of dependencies is the queue: whatever a record or an MX names is appended, and
 * looked up when its turn comes, so that nothing of a record outlives the call that reads it.
 */
#include "mail/spf_walk.h"

#include "mail/spf_reply.h"
#include "mail/spf_state.h"

#include <string.h>

/* `record`: the dependency whose record it is in. `told`: NULL if it is not about the last lookup. */
static struct spf_problem *note(struct spf_walk *walk, enum spf_trouble trouble, unsigned record,
                                const struct spf_term *term, const struct spf_told *told)
{
    if (walk->problem_count == SPF_PROBLEMS_MAX) {
        walk->is_cut = true;
        return NULL;
    }
    struct spf_problem *problem = &walk->problems[walk->problem_count++];
    *problem                    = (struct spf_problem){.trouble = trouble, .domain = walk->dependencies[record].name};
    if (told)
        spf_problem_told(problem, &walk->lookup, told);
    if (term) {
        problem->at = term->at;
        spf_term_copy(term->text, problem->term);
    }
    return problem;
}

static struct spf_dependency *add(struct spf_walk *walk, struct spf_dependency dependency)
{
    if (walk->count == SPF_WALK_MAX) {
        walk->is_cut = true;
        return NULL;
    }
    walk->dependencies[walk->count] = dependency;
    return &walk->dependencies[walk->count++];
}

/* One more counted term in this record, and so in each that leads to it. */
static void count_term(struct spf_walk *walk, unsigned record)
{
    for (; record != 0; record = walk->dependencies[record].parent)
        walk->dependencies[record].lookups++;
    walk->dependencies[0].lookups++;
}

/* Whether `name` leads to `record`, be it by way of others. */
static bool leads_to(const struct spf_walk *walk, const struct name *name, unsigned record)
{
    for (;; record = walk->dependencies[record].parent) {
        if (name_equal(name_view(&walk->dependencies[record].name), name_view(name)))
            return true;
        if (record == 0)
            return false;
    }
}

static struct view domain_text(const struct name *name, char text[NAME_WIRE_MAX])
{
    struct spf_values values = {.domain = name_view(name)};
    return (struct view){(const uint8_t *) text,
                         spf_macro_expand((struct view){(const uint8_t *) "%{d}", 4}, &values, text, NAME_WIRE_MAX)};
}

/* The name that a term looks up. False: none can be known. */
static bool name_of(const struct spf_walk *walk, unsigned record, const struct spf_term *term, struct name *ret,
                    bool *ret_whole)
{
    char              sender[NAME_WIRE_MAX];
    struct spf_values values = {.domain        = name_view(&walk->dependencies[record].name),
                                .sender_domain = domain_text(&walk->dependencies[0].name, sender)};
    *ret                     = walk->dependencies[record].name;
    *ret_whole               = true;
    return term->spec.len == 0 || spf_name_known(term->spec, &values, ret, ret_whole);
}

static void add_term(struct spf_walk *walk, unsigned record, const struct spf_term *term)
{
    bool                  follows    = term->kind == SPF_INCLUDE || term->kind == SPF_REDIRECT;
    struct spf_dependency dependency = {.by = term->kind, .parent = (uint8_t) record};
    count_term(walk, record);
    if (term->kind == SPF_PTR) /* what it asks is the client's */
        return;
    if (!name_of(walk, record, term, &dependency.name, &dependency.whole)) {
        if (dependency.whole)
            note(walk, SPF_NO_DOMAIN, record, term, NULL);
        return;
    }
    dependency.type    = follows ? TYPE_TXT : term->kind == SPF_MX ? TYPE_MX : TYPE_A;
    dependency.lookups = follows;
    if (follows && dependency.whole && leads_to(walk, &dependency.name, record)) {
        struct spf_problem *problem = note(walk, SPF_LOOP, record, term, NULL);
        if (problem)
            problem->name = dependency.name;
        return;
    }
    (void) add(walk, dependency);
}

/* ---- what came ---- */

/* Behind `all` nothing is evaluated, and beside it no redirect (RFC 7208, 5.1). */
static void read_terms(struct spf_walk *walk, unsigned record, struct view text)
{
    struct spf_outline outline;
    struct spf_term    term;
    const char        *why;
    if (!spf_record_check(text, &outline, &term, &why)) {
        struct spf_problem *problem = note(walk, SPF_SYNTAX, record, &term, NULL);
        if (problem)
            problem->why = why;
    }
    for (size_t at = 0;;) {
        enum spf_reading reading = spf_term_next(text, &at, &term, &why);
        if (reading == SPF_READ_END || (reading == SPF_READ && term.kind == SPF_ALL))
            break;
        if (reading == SPF_READ && spf_term_is_counted(term.kind) && term.kind != SPF_REDIRECT)
            add_term(walk, record, &term);
    }
    walk->dependencies[record].passes_all = term.kind == SPF_ALL && term.qualifier == '+';
    if (!outline.has_all && outline.redirect.kind == SPF_REDIRECT)
        add_term(walk, record, &outline.redirect);
}

static void read_record(struct spf_walk *walk, unsigned record, const struct spf_told *told)
{
    size_t len;
    size_t count = spf_reply_text(told->reply, false, walk->record, SPF_RECORDS_SIZE, &len);
    if (count == 1 && len <= SPF_RECORDS_SIZE)
        read_terms(walk, record, (struct view){walk->record, len});
    else
        note(walk,
             count == 0  ? SPF_NO_RECORD
             : count > 1 ? SPF_SEVERAL
                         : SPF_LONG,
             walk->dependencies[record].parent, NULL, told);
}

static void read_exchangers(struct spf_walk *walk, unsigned at, const struct spf_told *told)
{
    struct name hosts[SPF_HOSTS_MAX];
    size_t      count = spf_reply_names(told->reply, TYPE_MX, hosts, SPF_HOSTS_MAX);
    if (count > SPF_HOSTS_MAX)
        note(walk, SPF_HOSTS, walk->dependencies[at].parent, NULL, told);
    for (size_t i = 0; i < count && i < SPF_HOSTS_MAX; i++)
        if (!name_is_root(name_view(&hosts[i])))
            (void) add(walk, (struct spf_dependency){.name   = hosts[i],
                                                     .by     = SPF_MX,
                                                     .type   = TYPE_A,
                                                     .parent = walk->dependencies[at].parent,
                                                     .whole  = true});
}

/* Passes over what has been read, and what cannot be. */
static void turn(struct spf_walk *walk)
{
    while (walk->next < walk->count &&
           (walk->dependencies[walk->next].is_read || !walk->dependencies[walk->next].whole))
        walk->next++;
    if (walk->next < walk->count)
        walk->lookup = (struct spf_lookup){walk->dependencies[walk->next].name, walk->dependencies[walk->next].type};
}

static void on_told(struct spf_walk *walk, const struct spf_told *told)
{
    unsigned at = walk->next;
    if (at == walk->count)
        return;
    struct spf_dependency *dependency = &walk->dependencies[at];
    /* For exists only A counts (RFC 7208, 5.7). */
    if (told->reply && told->outcome == OUTCOME_NODATA && dependency->type == TYPE_A && dependency->by != SPF_EXISTS) {
        dependency->type = TYPE_AAAA;
        turn(walk);
        return;
    }
    dependency->is_read = true;
    dependency->outcome = told->outcome;
    if (told->who)
        strncat(dependency->who, told->who, SPF_WHO_MAX - 1);
    if (!told->reply)
        note(walk, SPF_UNRESOLVED, dependency->parent, NULL, told);
    else if (dependency->type == TYPE_TXT)
        read_record(walk, at, told);
    else if (dependency->type == TYPE_MX)
        read_exchangers(walk, at, told);
    turn(walk);
}

/* ---- public ---- */

void spf_walk_begin(struct spf_walk *walk, const struct name *domain)
{
    memset(walk, 0, sizeof(*walk));
    (void) add(walk, (struct spf_dependency){.name = *domain, .type = TYPE_TXT, .whole = true});
    turn(walk);
}

const struct spf_lookup *spf_walk_lookup(const struct spf_walk *walk)
{
    return walk->next < walk->count ? &walk->lookup : NULL;
}

void spf_walk_on_reply(struct spf_walk *walk, const struct message *reply)
{
    struct spf_told told = spf_told_of(reply, walk->lookup.type);
    on_told(walk, &told);
}

void spf_walk_on_failure(struct spf_walk *walk, enum outcome outcome, const char *who)
{
    on_told(walk, &(struct spf_told){.outcome = outcome, .who = who});
}

unsigned spf_walk_voids(const struct spf_walk *walk)
{
    unsigned count = 0;
    for (unsigned i = 0; i < walk->count; i++) {
        const struct spf_dependency *dependency = &walk->dependencies[i];
        count += dependency->is_read && dependency->type != TYPE_TXT &&
                 (dependency->outcome == OUTCOME_NODATA || dependency->outcome == OUTCOME_NXDOMAIN);
    }
    return count;
}
