/*
 * policy.h: which way a name may go, and whether it is in a blocklist. An immutable suffix tree of the operator's
 * `zones` and of what ships with byway: preset zones, and those of policy/local.h. The longest match wins, and for the
 * same zone `zones` is above what is shipped.
 *
 * Thread: pure, once read.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/types.h"
#include "dns/name.h"

#include <stdatomic.h>

enum via {
    VIA_AUTO,   /* domestic, then external */
    VIA_GROUP,  /* only that group: a fence */
    VIA_REFUSE, /* answered REFUSED */
    VIA_LOCAL,  /* answered by byway itself (policy/local.h): no group is asked */
};

enum {
    LIST_REFUSALS  = 4, /* the most that is known of a list is one */
    LIST_LABEL_MAX = 22 /* bytes */
};

/* Addresses in 127.0.0.0/8 that are no listings of a list, beside those of every list (policy/blocklist.h). */
struct refusals {
    uint8_t count;
    uint8_t addresses[LIST_REFUSALS][4];
};

/* Where a list is asked about a client's address: "zen" of spamhaus.org, or, with no label, the list's own zone. */
struct list_entry {
    bool    is_asked; /* by explain: those that mail servers ask most are marked in the preset */
    uint8_t len;
    char    label[LIST_LABEL_MAX];
};

/* What is one is the preset's word alone; which way it goes, and what lies below it, `zones` may say otherwise. */
struct blocklist {
    struct name       zone; /* lower case */
    struct refusals   refusals;
    struct list_entry entry;
    _Atomic msec_t quiet_until; /* before that, no complaint about it is due; 0 at first. The one thing that changes */
};

struct rule {
    struct name       zone; /* lower case */
    enum via          via;
    uint8_t           group;     /* VIA_GROUP: index into the settings' groups; VIA_LOCAL: an enum local */
    bool              or_empty;  /* VIA_GROUP: where that group has no answer, byway's own empty zone is (local.h) */
    bool              shipped;   /* not the operator's own word: `zones` is above it */
    bool              is_list;   /* its zone is a blocklist */
    struct refusals   refusals;  /* is_list: of that list, */
    struct list_entry entry;     /* and this, too */
    struct blocklist *blocklist; /* in a policy: the closest list at or above this zone; NULL: there is none. Borrowed
                                    from the policy */
};

struct policy;

/* Copies the rules. A zone given twice with the same `shipped`: the first counts (settings has refused that
 * for `zones` already). NULL: no memory. */
struct policy *policy_create(const struct rule *rules, size_t count);
void           policy_destroy(struct policy *policy);

/* The rule for `name`, whose `blocklist` is that of the name too; never NULL: without a match it is a built-in VIA_AUTO
 * rule for the root. Borrowed from the policy. */
const struct rule *policy_find(const struct policy *policy, struct view name);

/* The same for a question. It differs for DS at the top of an empty zone that is answered here: that record is the
 * parent's, and only the parent can prove to a validator that the zone below is unsigned (RFC 4035, 5.2; RFC 8375, 4).
 */
const struct rule *policy_find_for(const struct policy *policy, struct view name, uint16_t type);

/* True if byway's own empty zone stands in for the rule's group in that question. Not for DS at its top, for the reason
 * above: a validator takes a denial that is not the parent's for a forgery. */
bool rule_stands_in(const struct rule *rule, struct view name, uint16_t type);

/* True if a rule stands at `name` or anywhere below it. */
bool policy_at_or_below(const struct policy *policy, struct view name);

/* A zone that group `group` may be asked about: the root, unless it is fenced; else the first that a rule opens to it.
 * `automatic`: VIA_AUTO leads there too. NULL: there is none, and so nobody asks that group. Borrowed from the policy.
 */
const struct name *policy_zone_of(const struct policy *policy, uint8_t group, bool automatic);

/* The lists that are asked about addresses, one by one from 0; NULL: there are no more. Borrowed from the policy. */
const struct blocklist *policy_asked_list(const struct policy *policy, size_t i);

/* True once in an hour, whichever thread asks: a complaint about this list is due. */
bool blocklist_complain(struct blocklist *list, msec_t now);

#endif
