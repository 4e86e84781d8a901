/*
 * slip.h: what people write where a domain name is wanted, and which name they mean: a wildcard, an address block, a
 * URL, a mail address, a name beyond ASCII. Most of these are names by their syntax, and match nothing: a fence round
 * "*.corp.example" would be none.
 *
 * Thread: pure.
 */
#ifndef DNS_SLIP_H
#define DNS_SLIP_H

#include "dns/name.h"

enum {
    SLIP_WHY_MAX = 512 /* bytes, the NUL among them */
};

/* As name_parse(), but false also for a name that can match nothing; `why` says what `text` is, and where that is
 * known the form that was meant. A label "*" below another one is a name, and so is a first one written "\*". */
bool name_read(const char *text, struct name *ret, char why[SLIP_WHY_MAX]);

#endif
