/*
 * plan.h: who is left to be asked, and when. The one place that says so: asking.c carries it out, and the query's timer
 * reads it. It changes nothing.
 *
 * Datagrams are shared out: LIMIT_UDP_SENDS for one question, QUERY_ANEW for one that begins beside another. Where
 * there is a second group, each of the two has half of them for itself; one less, but at least one, where the other has
 * an upstream that was not asked yet; all against resends to where the network says that nobody is. What a side cannot
 * use, the other may.
 *
 * Thread: worker.
 */
#ifndef QUERY_PLAN_H
#define QUERY_PLAN_H

#include "query/query.h"

enum plan_step {
    PLAN_ASK,    /* the upstream number `server` of the side's group */
    PLAN_RESEND, /* `exchange`, once more */
    PLAN_WAIT,   /* for what is open: nobody is left to be asked, or no datagram is */
    PLAN_SPENT,  /* nothing is open either */
};

struct plan {
    enum plan_step   step;
    msec_t           due; /* of ASK and RESEND; else MSEC_NEVER */
    unsigned         server;
    struct exchange *exchange;
};

/* What is next on a side that has begun; one that has not is SPENT. */
struct plan plan_side(struct query *query, const struct side *side, msec_t now);

/* When the second group is to be asked, as far as is known now; MSEC_NEVER: not at all. `first`: the first side's plan.
 */
msec_t plan_second(struct query *query, const struct plan *first, msec_t now);
/* When patience with the first group ends, whatever fails; MSEC_NEVER: silence does not open the other side. */
msec_t plan_patience(const struct query *query);
/* True if nothing more can come of it. */
bool plan_is_over(struct query *query, msec_t now);
/* True if no datagram is left for who would join it: he is better served by a question of his own. */
bool plan_is_spent(const struct query *query);

#endif
