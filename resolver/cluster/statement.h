/*
 * statement.h: what one node states of one zone, as its peers are told it.
 *
 * There are three kinds. EVIDENCE is the last that a node found out about a zone itself: that it fails at domestic while
 * external answers, or how many rechecks in a row domestic has answered since. PIN is an operator's word (PIN_NONE: the
 * pin was taken back), FORGET one too: what was stated before counts no more.
 *
 * A stamp is a hybrid clock: calendar time, and a counter for what comes within one millisecond, or while the calendar
 * is behind what was heard; of two equal ones that of the node whose name is greater is the later. So any two
 * statements have an order that all nodes agree on.
 *
 * As bytes: version, kind, scope, type, vantage, node, stamp, zone, and what the kind needs; numbers in network order.
 * docs/state.md has the table.
 *
 * Thread: pure.
 */
#ifndef CLUSTER_STATEMENT_H
#define CLUSTER_STATEMENT_H

#include "learn/learner.h"

/* Numbers are written down: append, never reorder. X(symbol, word) */
#define STATEMENT_KINDS(X)                                                                                             \
    X(EVIDENCE, "evidence")                                                                                            \
    X(PIN, "pin")                                                                                                      \
    X(FORGET, "forget")

enum statement_kind {
#define X(symbol, word) STATEMENT_##symbol,
    STATEMENT_KINDS(X)
#undef X
    STATEMENT_KIND_COUNT
};

enum {
    STATEMENT_VERSION   = 'A',  /* tells it from a zone's record in the journal, see learn/record.h */
    STATEMENT_MAX       = 1024, /* bytes */
    STATEMENT_NODE_MAX  = 63,   /* of a node's or a vantage's name */
    STATEMENT_FIELD_MAX = 1280, /* of its field, with NUL */
    STATEMENT_GOOD_MAX  = 255,
};

struct stamp {
    uint64_t ms; /* since 1970 */
    uint32_t count;
};

struct statement { /* all views are borrowed */
    enum statement_kind kind;
    struct view         vantage; /* empty: of all vantages, no evidence; else letters, digits, dot, dash, underscore */
    struct view         node;    /* whose it is; not empty, the same letters */
    struct stamp        stamp;
    struct zone_id      id; /* of PIN and FORGET: SCOPE_ZONE */

    /* EVIDENCE */
    unsigned         good; /* rechecks in a row that domestic has answered; 0: it failed */
    enum zone_reason reason;
    msec_t           interval; /* ms between rechecks */
    struct view      asked;    /* the question that failed, at or below the zone */
    uint16_t         asked_type;

    /* PIN */
    enum pin    pin;
    wall_t      until; /* WALL_NEVER: until it is taken back */
    struct view note;  /* at most LIMIT_NOTE bytes */
};

/* Less than, equal to or greater than 0: `a` is earlier, the same, or later. */
int statement_compare(struct stamp a, struct view a_node, struct stamp b, struct view b_node);

/* Returns the length; `out` holds STATEMENT_MAX. */
size_t statement_write(const struct statement *statement, uint8_t *out);
/* Borrows from `bytes`. False: not a statement of this version. */
bool statement_read(struct view bytes, struct statement *ret);
/* The name under which it is kept, of which each node has its own: of two statements with one field the later counts.
 * For people too: "evidence cn zone - blocked.example. node-1". `out` holds STATEMENT_FIELD_MAX. Returns the length. */
size_t statement_field(const struct statement *statement, char *out);

/* Whether `text` may be the name of a node or a vantage. */
bool statement_is_label(struct view text);

#endif
