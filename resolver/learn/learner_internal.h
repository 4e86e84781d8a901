/*
 * learner_internal.h: the learner's parts to each other: learner.c (what evidence says), told.c (what the operator, the
 * disk and the end of an outage say).
 *
 * Thread: keeper.
 */
#ifndef LEARN_LEARNER_INTERNAL_H
#define LEARN_LEARNER_INTERNAL_H

#include "learn/batch.h"
#include "learn/learner.h"
#include "learn/recent.h"

enum {
    DOMAINS = 65536 /* numbers by hash; a million zones are 15 for each, if no domain has many */
};

struct learner {
    struct table         *table;
    struct learner_limits limits;
    struct learner_hooks  hooks;
    struct rng            rng;
    struct timers         rechecks, ends; /* apart, so that no end waits behind rechecks that are overdue */
    struct learner_counts counts;
    struct dossiers       dossiers;
    struct nameservers   *nameservers;
    struct recent        *former; /* zones that were blocked and have recovered */
    struct batches        batches;
    struct hash_key       key;
    uint32_t domains[DOMAINS]; /* blocked and recovering zones of the registrable domains with that number */
};

/* ---- learner.c ---- */

/* Into the counters, or with (size_t) -1 out of them: to be counted out before it changes. */
void learner_count_zone(struct learner *learner, const struct zone *zone, size_t one);
/* A zone whose condition or pin was changed: publishes it, or takes it out when nothing is left to say of it (false).
 * The caller has counted it out before the change. */
bool learner_publish(struct learner *learner, struct zone *zone, enum zone_state from, enum zone_why why, msec_t now);
/* True if no more zones may be blocked: max_zones, or LIMIT_DOMAIN_ZONES of its registrable domain. */
bool learner_is_full(const struct learner *learner, const struct zone_id *id);
/* For one more zone that is listed; `confirmed`: suspicions give way to it. False: there is none. */
bool learner_make_room(struct learner *learner, bool confirmed, enum evidence evidence);
/* A new zone, of which nothing is said yet; NULL: no memory. */
struct zone *learner_add(struct learner *learner, const struct zone_id *id, struct view asked, uint16_t asked_type,
                         msec_t now);
void         learner_unpin_zone(struct learner *learner, struct zone *zone, enum zone_why why, msec_t now);
void         learner_forget_zone(struct learner *learner, struct zone *zone, enum zone_why why, msec_t now);

#endif
