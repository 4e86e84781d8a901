/*
 * spf_walk.h: all that the SPF record of a domain depends on, whoever sends: every record that it includes or redirects
 * to, and the names that their terms look up. As spf.h it asks for one lookup at a time, and it goes on where an
 * evaluation would end: errors are collected, limits are counted. Where a name depends on the sender (macros) the part
 * of it is listed that does not, and nothing is asked.
 *
 * The same question may come more than once, and is then answered as before. What is beyond SPF_WALK_MAX is left out,
 * and said. It allocates nothing.
 *
 * Thread: pure.
 */
#ifndef MAIL_SPF_WALK_H
#define MAIL_SPF_WALK_H

#include "mail/spf.h"

enum {
    SPF_WALK_MAX     = 96, /* names: an evaluation that keeps the limits looks at most 12 of a kind up */
    SPF_PROBLEMS_MAX = 16
};

struct spf_dependency {
    struct name   name;    /* whole, or what of it is the same for each sender */
    enum spf_kind by;      /* the term; SPF_NO_TERM: the domain itself. The hosts of an mx have its kind too */
    uint16_t      type;    /* looked up: TXT for records, MX, A, or AAAA where A had nothing */
    uint8_t       parent;  /* index of the record that has the term */
    bool          whole;   /* else it is not looked up */
    bool          is_read; /* it was looked up, and this came of it: */
    enum outcome  outcome;
    char          who[SPF_WHO_MAX]; /* who failed; "": nobody, or not known */
    /* Of records: */
    bool     passes_all; /* "+all": whoever sends passes */
    uint16_t lookups;    /* counted terms: those in it and below, and the one that leads here. An evaluation may end
                                 before it meets all of them */
};

struct spf_walk {
    struct spf_dependency dependencies[SPF_WALK_MAX]; /* the first is the domain */
    unsigned              count;
    struct spf_problem    problems[SPF_PROBLEMS_MAX]; /* never SPF_TERMS, SPF_VOIDS */
    unsigned              problem_count;
    bool                  is_cut; /* there were more of either */

    /* Its own. */
    unsigned          next; /* the dependency at work */
    struct spf_lookup lookup;
    uint8_t           record[SPF_RECORDS_SIZE];
};

/* Begins with the record of `domain`, which is copied. */
void spf_walk_begin(struct spf_walk *walk, const struct name *domain);
/* As spf_lookup(), spf_on_reply() and spf_on_failure(). */
const struct spf_lookup *spf_walk_lookup(const struct spf_walk *walk);
void                     spf_walk_on_reply(struct spf_walk *walk, const struct message *reply);
void                     spf_walk_on_failure(struct spf_walk *walk, enum outcome outcome, const char *who);

/* How many of its names have neither of what is looked up there: an evaluation that meets three of them is a
 * permerror (RFC 7208, 4.6.4). */
unsigned spf_walk_voids(const struct spf_walk *walk);

#endif
