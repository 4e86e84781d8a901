/*
 * forms.h: in which form an upstream has to be asked: with EDNS and 1232 bytes, as long as nothing speaks against it;
 * with less where that was seen to be needed. Knows neither questions under way nor health.
 *
 * Something less is needed for a name (one zone's servers, or what stands before them, cannot bear EDNS, and the
 * upstream passes that on) or for the whole upstream (a middlebox drops or refuses what has EDNS, or replies that are
 * long). The first is remembered for the name. The second is believed when FORMS_NAMES names in a row needed it and
 * none did without in between.
 *
 * Shared by all threads, relaxed atomics, lossy: names share slots, and updates that race are lost. What is lost is a
 * round trip.
 *
 * Thread: any.
 */
#ifndef UPSTREAM_FORMS_H
#define UPSTREAM_FORMS_H

#include "base/hash.h"
#include "base/types.h"

#include <stdatomic.h>

enum {
    FORMS_NAMES = 3,      /* two may be of one odd zone */
    FORMS_SLOTS = 64,     /* names remembered; a zone that needs it is rare */
    FORMS_LIFE  = 600000, /* ms, of names and of the upstream: then the whole form is tried again */
    FORMS_SMALL = 512,    /* bytes that pass any firewall (RFC 1035, 4.2.1) */
};

/* Ordered: whoever needs a later one is served by it where an earlier one would do, too. */
enum form {
    FORM_WHOLE, /* EDNS, LIMIT_UDP_PAYLOAD bytes */
    FORM_SMALL, /* EDNS, FORMS_SMALL bytes: more comes over TCP */
    FORM_PLAIN, /* no EDNS (RFC 6891, 6.2.2) */
    FORM_COUNT
};

struct form_doubt {         /* about the upstream as a whole */
    _Atomic uint64_t last;  /* hash of the name that needed the form last */
    _Atomic unsigned names; /* in a row */
    _Atomic int64_t  since; /* msec_t when it was believed; 0: it is not */
};

struct forms {
    struct hash_key   key;
    struct form_doubt doubts[FORM_COUNT];
    _Atomic uint64_t  names[FORMS_SLOTS]; /* upper 32 bits of the hash, form, seconds */
    _Atomic int64_t   any;                /* msec_t of the last need of a name; 0: never, and no slot need be read */
};

/* `forms` is zeroed. `key`: secret, so that nobody chooses names that share a slot with another's. */
void forms_init(struct forms *forms, struct hash_key key);

/* The form in which `name` (lower case) is asked first. */
enum form forms_of(const struct forms *forms, struct view name, msec_t now);

/* Fact: `name` was answered in `form`, and not in the whole one before. */
void forms_on_need(struct forms *forms, enum form form, struct view name, msec_t now);
/* Fact: a reply came that says that the upstream as a whole does not need `form`. */
void forms_on_whole(struct forms *forms, enum form form);
/* Fact, found out in another way: the whole upstream needs `form`. */
void forms_set(struct forms *forms, enum form form, msec_t now);

#endif
