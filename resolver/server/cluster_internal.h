/*
 * cluster_internal.h: the cluster's parts to each other: cluster_heard.c (what follows from what is stated),
 * cluster_said.c (what this node states), cluster.c (the session, the disk, life), each of which calls only those before
 * it.
 *
 * Thread: keeper.
 */
#ifndef SERVER_CLUSTER_INTERNAL_H
#define SERVER_CLUSTER_INTERNAL_H

#include "server/cluster.h"

struct cluster_line {
    struct cluster   *cluster;
    enum session_line line;
    struct redis     *redis; /* NULL: none */
};

struct cluster {
    struct daemon      *daemon;
    struct replica     *replica;
    struct session     *session; /* NULL: none is configured */
    struct cluster_line lines[SESSION_LINES];
    msec_t              sweep; /* when the next step of it is due */
    size_t              swept;
    int64_t             apart;   /* the calendar and `now`, ms, when that was looked at last */
    msec_t              flushed; /* the second in which `flushes` were done */
    unsigned            flushes;
    bool                flush_all;  /* a second after that */
    bool                settle;     /* what is stated is to be looked at anew, once nothing is being read */
    size_t              settled;    /* how far that has come */
    struct list         left;       /* until the start is over: struct leaving */
    msec_t              told;       /* its problem, last; 0: it had none since */
    bool                told_alone; /* that problem was why it is alone */
};

/* ---- cluster_heard.c ---- */

/* session_hooks.heard. */
void cluster_on_heard(void *context, const struct statement *statement);
/* What follows of a statement that stands in the replica; nothing, where it has followed already. `news`: it was heard just
 * now. */
void cluster_take(struct cluster *cluster, const struct statement *statement, bool news);
/* The vantage, whose the pin is, has been left; here it is in force no longer. */
void cluster_leave_pin(struct cluster *cluster, const struct statement *statement);
/* To the journal, or the snapshot, if it is of a kind that is kept. */
void cluster_keep(struct cluster *cluster, const struct statement *statement,
                  void (*put)(struct store *store, struct view record));

/* ---- cluster_said.c ---- */

/* An operator's word that was said at the node `by` is this node's own in the replica, of when it was said. */
void cluster_take_along(struct statement *statement, struct view by, const struct replica *replica);
/* What the table has and nobody has stated: what this node learned while it was alone, and pins of a time when there was
 * no cluster. */
void cluster_seed(struct cluster *cluster);

#endif
