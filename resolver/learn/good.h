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
    GOOD_SLOTS = 1 << 16 /* of the domains that domestic has answered: a busy cluster's day, and 512 KB */
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

#endif
