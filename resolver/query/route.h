/*
 * route.h: policy + verdict + health → whom to ask first, whom next, and when.
 *
 * Thread: any.
 */
#ifndef QUERY_ROUTE_H
#define QUERY_ROUTE_H

#include "core/setup.h"
#include "core/shared.h"

enum {                           /* patience, ms */
    PATIENCE_SUSPECT     = 250,  /* one strike: a healthy domestic cache answers well within it */
    PATIENCE_UNKNOWN     = 900,  /* with an external round trip under 1.2 s: two clients' retries are 1 s and 5 s */
    PATIENCE_UNKNOWN_MIN = 600,  /* even where cold recursions are fast */
    PATIENCE_GOOD        = 1500, /* answered lately: a slow recursion is likelier than a block */
    PATIENCE_TCP         = 900,  /* from asking over TCP alone: TCP_ASK_STALL, and a round trip on a new connection */
    PATIENCE_EXTERNAL    = 1000, /* external's patience for a blocked zone, before domestic is asked as well */
    SECOND_MIN = 300,  /* what patience leaves of the deadline to the second group: its round trip at its … */
    SECOND_MAX = 2000, /* … longest, between these two; and half of the deadline at most */
};

enum {
    USES_EACH = 32, /* a zone in use shall not be held for a day behind the end of its block */
};

/* ROUTE(symbol, word): why this way. */
#define ROUTES(X)                                                                                                      \
    X(FENCE, "fence")                                                                                                  \
    X(PIN, "pin")                                                                                                      \
    X(BLOCKED, "blocked")                                                                                              \
    X(OUTAGE, "outage")                                                                                                \
    X(FORGED, "forged")                                                                                                \
    X(INNER, "inner")                                                                                                  \
    X(SUSPECT, "suspect")                                                                                              \
    X(GOOD, "good")                                                                                                    \
    X(UNKNOWN, "unknown")

enum route_reason {
#define X(symbol, word) ROUTE_##symbol,
    ROUTES(X)
#undef X
};

struct route {
    enum route_reason reason;
    uint8_t           first;     /* group index */
    uint8_t           second;    /* SETUP_NO_GROUP: none, whatever happens */
    msec_t            patience;  /* ms from the first question to asking the second group too */
    bool              learn;     /* a domestic failure is evidence */
    bool              known;     /* something is known of the zone: a domestic success is evidence too */
    uint8_t           labels;    /* of the blocked zone, if that is the reason */
    uint8_t           zone;      /* its number, or that of the pinned one, for the quota */
    bool              or_empty;  /* where nobody answers, byway's empty zone stands in */
    bool              would;     /* learning.mode observe: it would have been external */
    bool              forged;    /* domestic is believed only where external is deceived itself */
    struct view       domain;    /* that the canary tells of, a tail of the name; len 0: it does not */
    bool              recheck;   /* one of USES_EACH questions that go external for the zone */
    struct blocklist *blocklist; /* that the name is in, or NULL; borrows from the setup */
};

/* True unless the rule is a fence that forbids to answer with what the group with index `origin` said. */
static inline bool rule_allows(const struct rule *rule, uint8_t origin)
{
    return rule->via == VIA_AUTO || (rule->via == VIA_GROUP && rule->group == origin);
}

/* The same for that question's rule. `type` 0: for the name as a whole. */
bool route_allows(const struct setup *setup, struct view name, uint16_t type, uint8_t origin);

/* For people: what is known, or a fence, sends queries for that name and type to external first. An outage, which
 * passes, is not looked at, and nothing is counted. */
bool route_leads_external(const struct setup *setup, const struct table *table, struct view name, uint16_t type);

/* The way for that name and type, whose `rule` in setup->policy is. Counts the use of a zone that something is known
 * of. Reader of the table (see learn/table.h). */
struct route route_choose(const struct setup *setup, const struct shared *shared, const struct rule *rule,
                          struct view name, uint16_t type, msec_t now);

#endif
