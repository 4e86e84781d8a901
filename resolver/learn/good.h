/*
 * good.h: which registrable domains domestic has answered lately. Fixed in size, lossy: two domains may share a slot
 * and the later one wins; what is lost is only a little patience. Shared by all threads, relaxed atomics.
 */
#ifndef LEARN_GOOD_H
#define LEARN_GOOD_H

#include "base/hash.h"
#include "base/types.h"

#include <stdatomic.h>

enum {
    GOOD_SLOTS      = 1 << 16, /* of the domains that domestic has answered: a busy cluster's day, and 512 KB */
    GOOD_LABELS_MIN = 2,       /* example.com */
    GOOD_LABELS_MAX = 14,      /* an IPv6 /48 below ip6.arpa; the longest below a suffix of the list has 6 */
};
#define GOOD_LIFE ((msec_t) 86400 * 1000) /* ms: a day; mail comes from the same domains every day */

struct good {
    struct hash_key  key;
    msec_t           life; /* how long a mark is believed, ms */
    size_t           count;
    _Atomic uint64_t slots[]; /* upper 32 bits of the hash, seconds */
};

/* NULL: no memory. `slots` > 0. */
struct good *good_create(struct hash_key key, size_t slots, msec_t life);
void         good_destroy(struct good *good);
void         good_mark(struct good *good, struct view domain, msec_t now);
void         good_unmark(struct good *good, struct view domain);
bool         good_known(const struct good *good, struct view domain, msec_t now);

/* How long ago, ms, the domain of `name` was last marked, without asking which that is: the name itself or what is
 * above it, of GOOD_LABELS_MIN to GOOD_LABELS_MAX labels, marked last. MSEC_NEVER: none of them was, within `life`. A
 * name below a public suffix that lies below a registrable domain may pass for that domain's. */
msec_t good_age(const struct good *good, struct view name, msec_t now);

#endif
