/*
 * canary.h: an address of the operator's beyond the border where no DNS server listens. A name that is asked there and
 * answered all the same is one that the border forges, for whomever it is asked.
 *
 * AN ATTEMPT, for a name of which a worker has told (OBSERVED_UNTRIED)
 *   1. Two datagrams ask for the name's A, CANARY_AGAIN apart, each from a socket of its own; and one, beside the
 *      first, for the A of a random name below a domain that nobody censors.
 *   2. A reply to the former that comes within CANARY_LIFE shows the name, unless the latter is answered too. That one
 *      has CANARY_GRACE for it.
 *   3. It is answered: whoever answers there does so whatever is asked. The canary is *blind* (learn/forging.h): nothing
 *      is tried, held or set aside. Every CANARY_LOOK it is asked about such a random name alone, twice; once both
 *      were silent for CANARY_LIFE it sees again.
 * ICMP says that nobody is there, as it should be. What the system does not send shows nothing, and is tried again when
 * the domain is met next.
 *
 * Thread: keeper.
 */
#ifndef PROBE_CANARY_H
#define PROBE_CANARY_H

#include "base/list.h"
#include "core/env.h"

enum { /* ms */
    CANARY_AGAIN = 80,
    CANARY_GRACE = 100,
    CANARY_LIFE  = 5000,
    CANARY_LOOK  = 10000,
};

/* It has answered for `name`, of `domain`. */
typedef void (*canary_shown_fn)(void *owner, struct view name, struct view domain, msec_t now);
/* It has become blind, or sees again. */
typedef void (*canary_blind_fn)(void *owner, bool blind);

struct canary {
    struct env          *env;   /* borrowed; its setup says which address it is */
    struct prober_stats *stats; /* borrowed */
    canary_shown_fn      shown;
    canary_blind_fn      blinded;
    void                *owner;
    struct list          attempts; /* oldest first */
    unsigned             count;
    bool                 blind;
    msec_t               look_at; /* blind: when it is asked next */
};

void canary_init(struct canary *canary);
/* Gives up what is under way, and forgets what was found out: the setup is about to change, or all ends. A canary that was
 * blind sees again. */
void canary_clear(struct canary *canary);

void canary_try(struct canary *canary, struct view name, struct view domain, msec_t now);
/* The exchange is one of its own. */
bool canary_owns(const struct canary *canary, const struct exchange *exchange);
void canary_on_packet(struct canary *canary, struct exchange *exchange, struct view packet, msec_t now);

msec_t canary_next(const struct canary *canary);
void   canary_on_time(struct canary *canary, msec_t now);

#endif
