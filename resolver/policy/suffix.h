/*
 * suffix.h: the public-suffix guard (libpsl's builtin or Debian's publicsuffix data, private section included). No zone
 * at or above a public suffix is ever learned.
 *
 * Thread: any, once it is open.
 */
#ifndef POLICY_SUFFIX_H
#define POLICY_SUFFIX_H

#include "dns/name.h"

struct suffix;

/* The distribution's current list where it is installed, else the one built into libpsl. NULL: neither. */
struct suffix *suffix_open(void);
void           suffix_close(struct suffix *suffix);

/* The registrable domain of `name` (public suffix plus one label), as a tail of `name`. For names below in-addr.arpa
 * the /24 network, but never shorter than /16 (for a shorter name: empty); below ip6.arpa the /48, never shorter than
 * /32. An empty view (len 0): `name` is itself a public suffix, above one, or too short. */
struct view suffix_registrable(const struct suffix *suffix, struct view name);

/* True if `zone` may carry a verdict: it is at or below a registrable domain, reverse zones not above /16 (IPv4) or /32
 * (IPv6). */
bool suffix_learnable(const struct suffix *suffix, struct view zone);

#endif
