/*
 * replica.h: what all nodes of a vantage state of zones, merged. Every node has the same, whatever order it heard it in:
 * merging is commutative, associative and idempotent. What follows from it for this node is server/cluster's.
 *
 * CONSTANTS
 *   REPLICA_AHEAD 60 s
 *     a stamp that lies further ahead of this node's clock is not merged: its node's clock is wrong, and its word
 *     would stand above everybody's until that time has come
 *   REPLICA_LIFE 30 days
 *     evidence and what was forgotten are dropped then; so is a pin of all vantages that was taken back or has ended. A
 *     pin that stands is kept, and so is all that is said of pins in one vantage: a pin of all may stand behind it.
 *
 * WHAT IS KEPT
 *   1. Of a zone, the latest PIN and the latest FORGET, whoever's they are.
 *   2. Of a zone, scope and type the latest EVIDENCE of each node, unless the zone was forgotten since.
 *   3. Another node has evidence on at most half of `max` entries, and `max` pins and forgets, so that none fills all; this
 *      node has evidence on REPLICA_OWN times `max`, since what its table has dropped as idle stays stated until it is
 *      REPLICA_LIFE old, and as many pins as its operator sets.
 *   4. The latest failure of any node and what was found good since decide, see replica_judge().
 *
 * Thread: keeper.
 */
#ifndef CLUSTER_REPLICA_H
#define CLUSTER_REPLICA_H

#include "base/list.h"
#include "cluster/statement.h"

#define REPLICA_AHEAD 60000
#define REPLICA_LIFE ((uint64_t) 30 * 86400 * 1000) /* ms */

enum {
    REPLICA_OWN   = 4,
    REPLICA_NODES = 256, /* whose statements are kept; one of which nothing is left makes room */
};

struct replica;

/* `vantage`, `node`: labels (statement_is_label()), copied. NULL: no memory. */
struct replica *replica_create(struct hash_key key, struct view vantage, struct view node, size_t max);
void            replica_destroy(struct replica *replica);
/* This node's, for a statement of its own. Borrowed. */
struct view replica_vantage(const struct replica *replica);
struct view replica_node(const struct replica *replica);

/* A stamp for what this node says of the zone: later than all that was said of it. Of that zone alone: else one node whose
 * clock is ahead would draw the others' words along, out of the reach of those whose clock is behind. `wall_ms`: the
 * calendar, ms since 1970; what lies over REPLICA_AHEAD ahead of it does not count. */
struct stamp replica_stamp(const struct replica *replica, struct view zone, uint64_t wall_ms);

enum merged {
    MERGED_NEWS,    /* it is the latest of its kind */
    MERGED_KNOWN,   /* this very statement is there */
    MERGED_OLD,     /* a later one is there, or it was forgotten since */
    MERGED_EXPIRED, /* older than REPLICA_LIFE */
    MERGED_AHEAD,   /* of the future */
    MERGED_FOREIGN, /* of another vantage */
    MERGED_FULL,    /* no memory, or its node has too many */
};
/* Takes a copy. `seen`: it stands in the shared place too, and need not be written there (replica_unseen()). */
enum merged replica_merge(struct replica *replica, const struct statement *statement, bool seen, uint64_t wall_ms);

struct replica_judgement {
    bool             blocked; /* the latest failure is later than `recover_after` good rechecks of all nodes */
    bool             good;    /* a good recheck of some node is later than the latest failure */
    uint64_t         failed;  /* ms since 1970: the latest failure; 0: none */
    struct view      node;    /* whose it is */
    struct statement failure; /* if `failed` */
};
/* What follows from all evidence on one zone, scope and type. Borrows until the next merge. */
struct replica_judgement replica_judge(const struct replica *replica, const struct zone_id *id, unsigned recover_after);

/* The latest pin of the zone, and when the zone was forgotten last. False: there is none. */
bool replica_pin(const struct replica *replica, struct view zone, struct statement *ret);
bool replica_forgotten(const struct replica *replica, struct view zone, struct statement *ret);

/* Whether some node has found out something about the zone, of whatever scope. */
bool replica_knows(const struct replica *replica, struct view zone);

/* All that is stated of the zone, of whatever scope, in no order; borrowed until the next merge. */
typedef void (*replica_visit_fn)(void *context, const struct statement *statement);
void replica_each_of(const struct replica *replica, struct view zone, replica_visit_fn visit, void *context);

/* A walk over all statements in short steps, as table_walk(); nothing is merged in between or, if it is, it may be
 * visited or not. */
bool replica_walk(struct replica *replica, size_t *at, size_t most, replica_visit_fn visit, void *context);

/* The shared place is read from its beginning: nothing has been seen of it, and of what was not taken is counted anew. */
void replica_unsee(struct replica *replica);
/* A statement that stands here and not there, the longest waiting first. False: there is none. */
bool replica_unseen(const struct replica *replica, struct statement *ret);
/* It has been written there. Harmless if another statement stands here in its place. */
void replica_saw(struct replica *replica, const struct statement *statement);
/* `stale` stands there (MERGED_OLD): if a later one of its field is here, that has not been seen there. */
void replica_miss(struct replica *replica, const struct statement *stale);

/* Drops what is older than REPLICA_LIFE, and what lies ahead since the calendar was set back (until then it gives way to
 * whatever does not); statements of this node that do get a new stamp. In steps as replica_walk(). */
bool replica_sweep(struct replica *replica, size_t *at, size_t most, uint64_t wall_ms);

/* Of one node: on how many entries its evidence is kept, and how many statements were not taken, by cause. */
struct replica_node_counts {
    size_t   zones;
    uint64_t ahead, full;
    uint64_t ahead_ms; /* how far the last of them lay ahead */
};
struct replica_node_counts replica_counts(const struct replica *replica, struct view node);

#endif
