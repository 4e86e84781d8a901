/*
 * finding.h: what explain has found, one thing each: what it is (findings.def), how bad, in words, about what, and who
 * can mend it.
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_FINDING_H
#define EXPLAIN_FINDING_H

#include "explain/fact.h"

enum {
    FINDING_TEXT_MAX   = 512, /* bytes, as is the next one */
    FINDING_RECORD_MAX = 512
};

enum finding_tag {
#define FINDING(symbol, word) FINDING_##symbol,
#include "explain/findings.def"
#undef FINDING
    FINDING_COUNT
};
const char *finding_word(enum finding_tag tag);

enum finding_grade {
    GRADE_OK,
    GRADE_NOTE,
    GRADE_PROBLEM,
    GRADE_CAUSE, /* of a finding: it may be the cause; afterwards one at most has it */
};
const char *finding_grade_word(enum finding_grade grade);

enum finding_side { /* who can mend it */
    SIDE_NOBODY,
    SIDE_DOMAIN, /* the domain's own people */
    SIDE_HERE,   /* the operator, or nobody this side of the border */
};
const char *finding_side_word(enum finding_side side); /* NULL: nobody */

struct finding {
    enum finding_tag   tag;
    enum finding_grade grade;
    enum finding_side  side;
    char               text[FINDING_TEXT_MAX];
    struct name        zone, name;                 /* len 0: none */
    uint16_t           type;                       /* 0: none */
    enum outcome       outcome;                    /* domestic's, of what is blocked or forged */
    char               record[FINDING_RECORD_MAX]; /* as in a zone file; "": none */
};

struct explanation;

/* Adds one, where it is final: otherwise, and where there are too many, it returns one that nobody reads. The text is
 * made printable where it is shown. */
struct finding *finding_add(struct explanation *explanation, enum finding_tag tag, enum finding_grade grade,
                            enum finding_side side, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* What it is about; `name` may be empty, `type` 0. */
void finding_about(struct finding *finding, struct view name, uint16_t type);
/* With the fact's answer record number `i` of its own type. */
void finding_quote(struct finding *finding, const struct fact *fact, unsigned i);

#endif
