/*
 * spf_macro.h: macro strings of SPF (RFC 7208, 7): their syntax, what they expand to, and the domain names that come of
 * it.
 *
 * Thread: pure.
 */
#ifndef MAIL_SPF_MACRO_H
#define MAIL_SPF_MACRO_H

#include "base/address.h"
#include "dns/name.h"

enum {
    SPF_VALUE_MAX = 512 /* bytes of what one macro stands for: a sender is 64 + 1 + 255 by RFC 5321, 4.5.3.1 */
};

/* What the letters stand for; borrows. */
struct spf_values {
    struct view           sender, local, sender_domain; /* s, l, o: at most SPF_VALUE_MAX bytes, as is `helo` */
    struct view           helo;                         /* h */
    struct view           receiver;                     /* r */
    struct view           domain;                       /* d: a name on the wire */
    struct view           host;   /* p: the client's validated name on the wire; empty: there is none */
    const struct address *client; /* i, v, c: never an IPv6 address that maps an IPv4 one */
    wall_t                now;    /* t */
};

/* Whether `text` is a macro-string; spaces are allowed. `explaining`: the letters c, r and t too. NULL: it is; else what
 * is wrong with it, static text. */
const char *spf_macro_check(struct view text, bool explaining);
/* The same of a domain-spec, which ends in a macro or in a top-level label behind a dot. */
const char *spf_domain_spec_check(struct view text);

/* Of what spf_macro_check() has passed: does it have a macro with this letter, in either case? */
bool spf_macro_uses(struct view text, char letter);

/* Expands what spf_macro_check() has passed. Returns the length written to `out`; what does not fit is left off. */
size_t spf_macro_expand(struct view text, const struct spf_values *values, char *out, size_t cap);
/* Expands a domain-spec to a name, cut from the left to 253 characters at a whole label (RFC 7208, 7.3). False: what came
 * is no domain name, since it has an empty label or one over 63 bytes. */
bool spf_name_expand(struct view spec, const struct spf_values *values, struct name *ret);
/* The same without a client: only `domain` and `sender_domain` are set. Where the name depends on more, *ret is the part
 * of it that does not, the labels behind the last such macro, and *ret_whole false. False: there is none. */
bool spf_name_known(struct view spec, const struct spf_values *values, struct name *ret, bool *ret_whole);
/* Reads a name whose labels are bytes without escapes, parted by dots, with or without the final one. False: it is
 * none. */
bool spf_name_read(struct view text, struct name *ret);

#endif
