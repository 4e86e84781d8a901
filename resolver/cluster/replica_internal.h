/*
 * replica_internal.h: how a replica is kept: replica.c (merging), judging.c (what follows), which calls only the former.
 *
 * Thread: keeper.
 */
#ifndef CLUSTER_REPLICA_INTERNAL_H
#define CLUSTER_REPLICA_INTERNAL_H

#include "cluster/replica.h"

struct subject { /* a zone's name, and what is stated of it */
    struct subject *chain;
    uint64_t        hash;
    struct list     entries;
    bool            restamped; /* its forget, in this sweep */
    uint8_t         name_len;
    uint8_t         name[];
};

struct entry {
    struct list      link;   /* in its subject's */
    struct list      unseen; /* in the replica's, or in itself */
    struct subject  *subject;
    struct statement is; /* its views point here below, its id's name at the subject's, its node at the replica's */
    unsigned         node;
    uint8_t          bytes[];
};

struct node {
    struct replica_node_counts counts;
    size_t                     entries; /* of all kinds that are its */
    uint8_t                    len;
    char                       name[STATEMENT_NODE_MAX];
};

struct replica {
    struct hash_key  key;
    struct subject **buckets;
    size_t           mask, subjects, max;
    struct list      unseen;
    unsigned         node_count;
    struct node      nodes[REPLICA_NODES]; /* the first is this one */
    uint8_t          vantage_len;
    char             vantage[STATEMENT_NODE_MAX];
};

static inline bool replica_is_about(const struct statement *is, enum statement_kind kind, const struct zone_id *id)
{
    return is->kind == kind && is->id.scope == id->scope && is->id.type == id->type;
}

/* Of two statements in one place the later counts. Never 0 of two that differ: nodes must agree also on what one of them
 * has said twice in one moment. */
int replica_order(const struct statement *a, const struct statement *b);
/* NULL: nothing is stated of the zone. */
const struct subject *replica_find(const struct replica *replica, struct view zone);

#endif
