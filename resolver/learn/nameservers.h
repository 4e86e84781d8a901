/*
 * nameservers.h: which nameservers the blocked zones are on, because zones are blocked where their servers are.
 *
 * A *nameserver set* is what external shows as the NS names of a zone, with their addresses. Zones that are listed as
 * blocked or recovering are members of theirs. An address *counts* while the last thing seen of any zone on it was a
 * failure at domestic; so a set stops counting when one of its zones recovers. A zone that is not listed is *kin* of
 * blocked zones if every address of its nameservers counts.
 *
 * Bounded: LIMIT_NAMESERVER_SETS; what does not fit is learned without.
 *
 * Thread: keeper.
 */
#ifndef LEARN_NAMESERVERS_H
#define LEARN_NAMESERVERS_H

#include "base/hash.h"
#include "base/list.h"
#include "base/types.h"
#include "dns/name.h"

enum {
    SET_NAMES        = 4,  /* of each set; a zone that is blocked at these is blocked */
    DELEGATION_NAMES = 16, /* read of a reply, which has them in any order: the first SET_NAMES when sorted are kept */
    SET_ADDRESSES    = 8,
    ADDRESS_BYTES    = 16 /* IPv6, or IPv4 mapped into it (RFC 4291, 2.5.5.2) */
};

struct delegation { /* what external showed */
    unsigned    name_count, address_count;
    struct name names[DELEGATION_NAMES]; /* lower case, sorted by delegation_sort() */
    uint8_t     addresses[SET_ADDRESSES][ADDRESS_BYTES];
};

struct nameserver { /* an address */
    struct nameserver *chain;
    uint8_t            address[ADDRESS_BYTES];
    unsigned           sets;         /* that have it */
    msec_t             failed, fine; /* when a zone on it was last seen failing, answering; 0: never */
};

struct nameserver_set {
    struct nameserver_set *chain;
    uint64_t               hash;
    struct list            members; /* struct zone.kin */
    unsigned               member_count;
    unsigned               good; /* members found open since a recheck was bad; the learner counts */
    unsigned               name_count, address_count;
    struct nameserver     *addresses[SET_ADDRESSES];
    struct view            names[SET_NAMES]; /* into bytes */
    uint8_t                bytes[];
};

struct zone;
struct nameservers;

/* NULL: no memory. */
struct nameservers *nameservers_create(struct hash_key key);
void                nameservers_destroy(struct nameservers *nameservers); /* no zone is a member */

/* Lower case, ascending, each name once. */
void delegation_sort(struct delegation *result);

/* The set with exactly these names (sorted), or NULL. */
struct nameserver_set *nameservers_find(const struct nameservers *nameservers, const struct delegation *result);
/* True if every address of the result counts, and there is one. Without addresses: those of the set of that name. */
bool nameservers_are_kin(const struct nameservers *nameservers, const struct delegation *result);

/* Makes `zone`, which failed last at condition.last_failure, a member of that set (of an existing one with these names,
 * whose addresses then stand), and leaves its old one. False: the bound is reached, no memory, or the result is empty;
 * it is in no set then. */
bool nameservers_join(struct nameservers *nameservers, struct zone *zone, const struct delegation *result);
void nameservers_leave(struct nameservers *nameservers, struct zone *zone); /* harmless without a set */

bool nameserver_counts(const struct nameserver *server);
/* A member failed, or answered, at domestic. */
void nameserver_set_failed(struct nameserver_set *set, msec_t now);
void nameserver_set_fine(struct nameserver_set *set, msec_t now);

#endif
