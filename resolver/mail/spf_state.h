/*
 * spf_state.h: what the parts of an SPF evaluation share: asking, writing problems down, what macros stand for. Only for
 * this folder.
 *
 * Thread: pure.
 */
#ifndef MAIL_SPF_STATE_H
#define MAIL_SPF_STATE_H

#include "mail/spf.h"

/* What was told of a lookup. */
struct spf_told {
    const struct message *reply; /* NULL: there is none */
    enum outcome          outcome;
    const char           *who; /* may be NULL */
};

/* What a reply says of a question for `type`. */
struct spf_told spf_told_of(const struct message *reply, uint16_t type);
/* Copies a term of a record, cut. */
void spf_term_copy(struct view text, char out[SPF_TERM_TEXT_MAX]);
/* Sets a problem's lookup. */
void spf_problem_told(struct spf_problem *problem, const struct spf_lookup *lookup, const struct spf_told *told);

static inline struct spf_frame *spf_top(struct spf *spf) { return &spf->frames[spf->depth - 1]; }

/* The next lookup. */
void spf_ask(struct spf *spf, enum spf_stage stage, const struct name *name, uint16_t type);
/* The type of an address such as the client's. */
uint16_t spf_address_type(const struct spf *spf);
/* Writes down why there will be no better result: in the term at work of the record at work, if there is one. `told`:
 * what came of the last lookup; NULL: it is not about one. */
void spf_note(struct spf *spf, enum spf_trouble trouble, const struct spf_told *told);
/* What macros stand for in the record at work. */
struct spf_values spf_values_of(const struct spf *spf);

#endif
