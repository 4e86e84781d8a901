/*
 * delegation.h: finding out from external, in the background, which nameservers zones are on: their NS names and, unless
 * the learner knows these already, the addresses. One lookup at a time for a zone, LIMIT_CONFIRMATIONS in all, at most
 * 1 + 2 · DELEGATION_HOSTS questions each, asked once more when silent; nothing of it crosses a fence.
 *
 * A lookup for a zone that is listed ends in learner_place(); one of a zone in doubt is kept until its doubt ends.
 *
 * Thread: keeper.
 */
#ifndef PROBE_DELEGATION_H
#define PROBE_DELEGATION_H

#include "base/list.h"
#include "core/counters.h"
#include "core/errand.h"
#include "learn/learner.h"

enum {
    DELEGATION_LIFE   = 3000, /* ms of silence are a failure: external answers this from cache, or in one recursion */
    DELEGATION_RESEND = 1000, /* ms */
    DELEGATION_HOSTS  = 3     /* nameservers whose addresses are asked; more add little: all must count */
};

struct delegations {
    struct errands      *errands; /* borrowed, and so is what follows */
    struct learner      *learner;
    struct prober_stats *stats;
    struct list          list, finished; /* owned */
    unsigned             count;
};

void delegations_init(struct delegations *delegations); /* the borrowed fields are set */
/* Ends all of them. */
void delegations_clear(struct delegations *delegations);

/* Begins one of `zone`, unless there is one. */
void delegations_begin(struct delegations *delegations, struct view zone, msec_t now);
/* The outcome; NULL: there is none yet. Valid until the next call of this header. */
const struct delegation *delegations_result(const struct delegations *delegations, struct view zone);
/* The doubt about `zone` has ended; `entry`: what it has become, or NULL. A lookup under way goes on for an entry. */
void delegations_doubt_ended(struct delegations *delegations, struct view zone, struct zone *entry);
/* Frees what has ended; not from within done() of an errand. */
void delegations_tend(struct delegations *delegations);

#endif
