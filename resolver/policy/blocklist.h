/*
 * blocklist.h: a blocklist's answer that is none. A mail server that looks no closer takes any address for a listing
 * and rejects all mail; but a listing is in 127.0.0.0/8 (RFC 5782, 2.1), and not all of that:
 *
 *   127.255.255.0/24   the list does not serve who asks
 *   refusals           the same, as this list says it (policy.h)
 *   any other address  it is not the list that answers: it has ended, and its domain is parked, or a resolver puts an
 *                      address of its own in NXDOMAIN's place. Only of names that a list is asked for: its owner's
 *                      domain has a web and a mail server, too.
 *
 * Allowlists and lists of domains answer in the same way.
 *
 * Thread: any.
 */
#ifndef POLICY_BLOCKLIST_H
#define POLICY_BLOCKLIST_H

#include "dns/message.h"
#include "policy/policy.h"

enum {
    LIST_HASH = 26 /* bytes of a label that is a hash: 128 bits in base 32 */
};

/* True if the reply about `name`, which is at or below the list's zone, has such an address among its answers;
 * *ret_address: the first, 4 bytes or 16. Borrows from the reply. */
bool blocklist_error(const struct blocklist *list, struct view name, const struct message *reply,
                     struct view *ret_address);
/* What that address means; NULL: it is not known. */
const char *blocklist_error_words(struct view address);

#endif
