/*
 * forging.h: what the canary has shown of domains: asked of an address beyond the border where no server listens, their
 * names were answered or not. Who answers there is the border, which forges the name for everybody.
 *
 * A *domain* is the registrable one of a name, or the name itself where it has none: borders forge whole domains more
 * often than names. Workers look it up, and mark which they have met; the keeper asks the canary and writes what came of
 * it (probe/canary.h). What it has found out ends with the setup that it was found with: forging_clear().
 *
 * Fixed in size, lossy: two domains may share a slot. A mark never takes the place of what was found out of another
 * domain; that one is tried again each time that it is met. Relaxed atomics.
 *
 * Thread: any.
 */
#ifndef LEARN_FORGING_H
#define LEARN_FORGING_H

#include "base/hash.h"
#include "base/types.h"

#include <stdatomic.h>

enum forging_state {
    FORGING_UNTRIED,
    FORGING_ASKED,  /* somebody has met it: the canary is being asked */
    FORGING_SILENT, /* it has not answered */
    FORGING_SHOWN,  /* it has answered: whose answers are forged is being looked into */
    FORGING_FORGED, /* domestic's seem to be */
    FORGING_INNER,  /* external's seem to be: the zone is served inside, and its recursion crosses the border */
    FORGING_NOBODY, /* both seem to be */
    FORGING_HOME,   /* external's are */
    FORGING_HONEST, /* neither is */
};

enum {
    FORGING_OPEN    = 1500, /* ms that SHOWN lasts at most; then it is FORGED */
    FORGING_RATE    = 50,   /* names a second that the canary is asked about */
    FORGING_FURTHER = 25,   /* of these for further names of domains that it was asked about */
};
#define FORGING_ASKED_LIFE ((msec_t) 6 * 1000) /* longer than the canary has for its answer */
#define FORGING_SILENT_LIFE ((msec_t) 3600 * 1000)
#define FORGING_SEEMS_LIFE ((msec_t) 60 * 1000)     /* a study takes up to 20 s; where it decides nothing: anew */
#define FORGING_HONEST_LIFE ((msec_t) 86400 * 1000) /* of HOME, too */

struct forging;

/* NULL: no memory. `key`: secret. */
struct forging *forging_create(struct hash_key key);
void            forging_destroy(struct forging *forging);

/* Nothing is known any more. */
void forging_clear(struct forging *forging);

/* What is known of the domain. *ret_since: when it became known, ms; not set for UNTRIED. */
enum forging_state forging_of(const struct forging *forging, struct view domain, msec_t now, msec_t *ret_since);
void               forging_set(struct forging *forging, struct view domain, enum forging_state state, msec_t now);

/* True if one more name may be tried in this second, and counts it. `further`: of a domain that was tried. */
bool forging_take(struct forging *forging, bool further, msec_t now);
/* That very name was tried lately, or is being tried. */
bool forging_knows(const struct forging *forging, struct view name, msec_t now);
/* The canary is to be asked about the name; the domain becomes ASKED if it is UNTRIED. */
void forging_ask(struct forging *forging, struct view domain, struct view name, msec_t now);
/* It was, and has not answered; or, `silent` false, it was not, and must be asked once more. What more is known of the
 * domain stays. */
void forging_end(struct forging *forging, struct view domain, struct view name, bool silent, msec_t now);

/* The canary cannot be relied on, or can again: somebody answers there whatever is asked. */
void forging_set_blind(struct forging *forging, bool blind);
bool forging_is_blind(const struct forging *forging);

#endif
