/*
 * spf_match.h: the mechanisms that look something up, and the client's validated names. Only for this folder.
 *
 * Thread: pure.
 */
#ifndef MAIL_SPF_MATCH_H
#define MAIL_SPF_MATCH_H

#include "mail/spf_state.h"

enum spf_verdict {
    SPF_ASKING, /* a lookup is needed */
    SPF_MATCHES,
    SPF_MATCHES_NOT,
    SPF_FAILS_NOW,     /* temperror; it is noted */
    SPF_FAILS_FOR_GOOD /* permerror; it is noted */
};

/* Begins `term`, one of SPF_A, SPF_MX, SPF_EXISTS and SPF_PTR, this one with the client's names known; never
 * SPF_FAILS_NOW. */
enum spf_verdict spf_match_begin(struct spf *spf, const struct spf_term *term);
/* What came of a lookup in one of the stages ADDRESS, EXISTS, MX and MX_HOST. */
enum spf_verdict spf_match_told(struct spf *spf, const struct spf_told *told);

/* Looks up which of the client's names lead back to it (RFC 7208, 5.5): asks. Failures leave names out. */
void spf_validate_begin(struct spf *spf);
/* In the stages PTR and PTR_HOST. SPF_ASKING, or SPF_MATCHES_NOT: spf->validated is complete. SPF_FAILS_FOR_GOOD: that
 * lookup was one void too many. */
enum spf_verdict spf_validate_told(struct spf *spf, const struct spf_told *told);

#endif
