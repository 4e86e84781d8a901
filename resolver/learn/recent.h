/*
 * recent.h: which domains something was seen of lately: that domestic answered them, that they were blocked before,
 * that a name below a blocked zone was looked at. Fixed in size, lossy: two domains may share a slot and the later one
 * wins; what is lost is only a little patience. Relaxed atomics.
 *
 * Thread: any.
 */
#ifndef LEARN_RECENT_H
#define LEARN_RECENT_H

#include "base/hash.h"
#include "base/types.h"

#include <stdatomic.h>

enum {
    RECENT_SLOTS      = 1 << 16, /* of the domains that domestic has answered: a busy cluster's day, and 512 KB */
    RECENT_LABELS_MIN = 2,       /* example.com */
    RECENT_LABELS_MAX = 14,      /* an IPv6 /48 below ip6.arpa; the longest below a suffix of the list has 6 */
};
#define RECENT_LIFE ((msec_t) 86400 * 1000) /* ms: a day; mail comes from the same domains every day */

struct recent {
    struct hash_key  key;
    msec_t           life; /* how long a mark is believed, ms */
    size_t           count;
    _Atomic uint64_t slots[]; /* upper 32 bits of the hash, seconds */
};

/* NULL: no memory. `slots` > 0. */
struct recent *recent_create(struct hash_key key, size_t slots, msec_t life);
void           recent_destroy(struct recent *recent);
void           recent_mark(struct recent *recent, struct view domain, msec_t now);
void           recent_unmark(struct recent *recent, struct view domain);
bool           recent_known(const struct recent *recent, struct view domain, msec_t now);

/* How long ago, ms, the domain of `name` was last marked, without asking which that is: the name itself or what is
 * above it, of RECENT_LABELS_MIN to RECENT_LABELS_MAX labels, marked last. MSEC_NEVER: none of them was, within `life`.
 * A name below a public suffix that lies below a registrable domain may pass for that domain's. */
msec_t recent_age(const struct recent *recent, struct view name, msec_t now);

#endif
