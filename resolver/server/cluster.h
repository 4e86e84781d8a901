/*
 * cluster.h: what this node and its peers tell each other of zones (cluster/session, cluster/replica), and what follows
 * from it for the zone table and the cache.
 *
 * A replica is kept also where no Redis is configured: then it remembers what was forgotten and pinned when, so that an
 * import merges as a cluster does.
 *
 * WHAT IS HEARD
 *   1. Evidence: a zone that all evidence together finds blocked (replica_judge()) is blocked here, at once. One that
 *      others have found good since is not clear for that: their resolvers are not ours. Its own recheck is due.
 *   2. A pin is set, or taken back, as if it had been said here; where a fence forbids it, it is not in force.
 *   3. What was forgotten is forgotten here, unless it has failed since.
 * A zone that is fenced here, or a public suffix, is never believed to be blocked.
 *
 * Thread: keeper.
 */
#ifndef SERVER_CLUSTER_H
#define SERVER_CLUSTER_H

#include "cluster/session.h"
#include "server/daemon.h"

/* Before the state is read. False: no memory. */
bool cluster_open(struct daemon *daemon);
/* After it, and whenever the settings are new: the session begins, if there is to be one. `changed`: what they say of the
 * cluster, or learning.max_zones. */
void cluster_set_settings(struct daemon *daemon, bool changed);
void cluster_close(struct daemon *daemon);

msec_t cluster_next(const struct daemon *daemon);
void   cluster_on_time(struct daemon *daemon);

/* What is kept on disk: pins and forgets, whoever's they are. False: the record is no statement. */
bool cluster_replay(struct daemon *daemon, struct view record);
void cluster_collect(struct daemon *daemon);

/* This node has found something out about the zone itself, or a pin's time is over. */
void cluster_on_evidence(struct daemon *daemon, const struct zone *zone, enum zone_why why);
/* learner_hooks.pin_ended. What was being found out and what was cached of the zone came the way that has ended: it is
 * dropped, of many zones within a second. */
void cluster_on_pin_ended(void *context, struct view zone);
/* prober_hooks.ask_lease. */
bool cluster_ask_lease(void *context, const struct zone *zone);

/* The operator's word, in force here already: `pin` PIN_NONE takes it back. `until`: MSEC_NEVER for ever. `note`: may be
 * NULL. `everywhere`: in all vantages. */
void cluster_tell_pin(struct daemon *daemon, struct view zone, enum pin pin, msec_t until, const char *note,
                      bool everywhere);
void cluster_tell_forget(struct daemon *daemon, struct view zone, bool everywhere);
/* Whether some node has found out something about the zone. */
bool cluster_knows(const struct daemon *daemon, struct view zone);

/* Of an import: this node states it as it was then (`wall_ms`). False: something later is known already. */
bool cluster_tell_failure(struct daemon *daemon, const struct hearsay *heard, int64_t wall_ms);
bool cluster_tell_past_pin(struct daemon *daemon, struct view zone, enum pin pin, msec_t until, const char *note,
                           int64_t wall_ms);

/* When the pin that stands was said; 0: not known. ms since 1970. */
int64_t cluster_pinned_at(const struct daemon *daemon, struct view zone);

/* What each node, this one too, has stated of the zone: see replica_each_of(). False: no Redis is configured. */
bool cluster_each_of(const struct daemon *daemon, struct view zone, replica_visit_fn visit, void *context);

/* For people. False: no Redis is configured. */
bool cluster_read(const struct daemon *daemon, struct session_report *ret);
/* `index` below the report's `peers`. Borrowed. */
const struct session_peer *cluster_peer(const struct daemon *daemon, unsigned index, struct replica_node_counts *ret);

#endif
