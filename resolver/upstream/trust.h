/*
 * trust.h: what the marks `trusted` of the upstreams come to: whether AD can reach clients, and what keeps it from them.
 * It knows configuration and the way to an upstream, not whether that upstream validates.
 *
 * Thread: any.
 */
#ifndef UPSTREAM_TRUST_H
#define UPSTREAM_TRUST_H

#include "upstream/group.h"

enum {
    TRUST_TEXT_MAX = 512 /* bytes */
};

/* False: no answer of domestic ever has AD, which is most answers. `ret_why`: what keeps AD from clients or makes it
 * doubtful, of the one or the other group; empty: nothing does. */
bool trust_reaches(const struct group *domestic, const struct group *external, char ret_why[TRUST_TEXT_MAX]);

#endif
