/*
 * spf_record.h: the text of an SPF record, and its terms (RFC 7208, 4.6.1 and 12).
 *
 * Thread: pure.
 */
#ifndef MAIL_SPF_RECORD_H
#define MAIL_SPF_RECORD_H

#include "base/address.h"

enum spf_kind {
    SPF_NO_TERM, /* the first record, which no term has led to */
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
    SPF_REDIRECT, /* from here on modifiers */
    SPF_EXP,
    SPF_UNKNOWN, /* a modifier that says nothing to us */
};

struct spf_term {
    enum spf_kind kind;
    char          qualifier;    /* of a mechanism: '+', '-', '~' or '?' */
    size_t        at;           /* where it stands in the record, in bytes from the record's begin */
    struct view   text;         /* all of it; borrows the record, and so does: */
    struct view   spec;         /* its domain-spec, or an unknown modifier's value; empty: there is none */
    struct cidr   network;      /* of SPF_IP4 and SPF_IP6 */
    uint8_t       bits4, bits6; /* of SPF_A and SPF_MX: prefix lengths, 0..32 and 0..128 */
};

/* Terms of a record that are looked at apart from their place. */
struct spf_outline {
    struct spf_term redirect, exp; /* SPF_NO_TERM: there is none */
    bool            has_all;       /* so that a redirect says nothing (RFC 7208, 6.1) */
};

/* "v=spf1" in any case, and then a space or nothing (RFC 7208, 4.5). */
bool spf_record_is(struct view text);

enum spf_reading {
    SPF_READ,
    SPF_READ_END,
    SPF_READ_WRONG
};

/* The term at *at of a record that spf_record_is(), *at being 0 at first. SPF_READ_WRONG: text and at of *ret are those
 * of the term with the error, *ret_why says what is wrong with it, static text. */
enum spf_reading spf_term_next(struct view record, size_t *at, struct spf_term *ret, const char **ret_why);

/* Whether the whole record is without error, as RFC 7208, 4.6 wants it seen to before anything is evaluated. False:
 * *ret_wrong and *ret_why as above. */
bool spf_record_check(struct view record, struct spf_outline *ret, struct spf_term *ret_wrong, const char **ret_why);

/* Whether it is one of those terms that RFC 7208, 4.6.4 allows ten of. */
bool spf_term_is_counted(enum spf_kind kind);

#endif
