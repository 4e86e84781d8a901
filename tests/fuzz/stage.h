/*
 * stage.h: an engine, its prober and its learner between two domestic and two external upstreams that a fuzz target
 * plays, in virtual time. It checks by itself what byway sends, that no fence is crossed, and what is learned.
 */
#ifndef TESTS_FUZZ_STAGE_H
#define TESTS_FUZZ_STAGE_H

#include "probe/prober.h"
#include "query/engine.h"

enum {
    STAGE_UPSTREAMS = 2, /* in each group */
    STAGE_TICKETS   = 256,
};

struct ticket {                /* a socket of byway's, with the query that was last sent on it */
    struct exchange *exchange; /* NULL: given up */
    enum transport   transport;
    bool             by_prober;
    bool             fresh; /* nothing was sent to it yet */
    uint8_t          wire[QUERY_MAX];
    size_t           len;
};

struct heard { /* by one client */
    unsigned answers;
    size_t   len;
    uint8_t  wire[LIMIT_TCP_MESSAGE];
};

struct stage {
    msec_t             now;
    struct shared      shared;
    struct setup       setup;
    struct group       groups[2];
    struct cidr        everybody;
    struct server     *servers[2 * STAGE_UPSTREAMS];
    struct server     *canary;
    struct learner    *learner;
    struct prober     *prober;
    struct engine     *engine;
    struct ticket      tickets[STAGE_TICKETS];
    size_t             ticket_count;
    struct observation observations[64];
    size_t             observation_count;
    uint8_t            out[LIMIT_TCP_MESSAGE];
};

/* corp.example goes to domestic only, never.example to nobody. `hooks`: the prober's. */
struct stage *stage_begin(const struct prober_hooks *hooks);
/* Cancels what is under way; every ticket must have come back. */
void stage_end(struct stage *stage);

/* A client's message. The answer, now or later, goes to `heard`, which is borrowed to the end. */
void stage_receive(struct stage *stage, struct view message, bool tcp, struct heard *heard);
/* A packet on that socket; nothing if it was given up. */
void stage_reply(struct stage *stage, struct ticket *ticket, struct view packet);
/* The same with a reply to its question: these flags, and an A record or nothing. */
void stage_reply_plainly(struct stage *stage, struct ticket *ticket, unsigned flags, bool record);
void stage_run(struct stage *stage, msec_t ms);
/* The oldest ticket that is open and was not given anything yet; NULL: none. */
struct ticket *stage_fresh(struct stage *stage);
bool           stage_is_domestic(const struct stage *stage, const struct ticket *ticket);

/* Of an answer to `query`, which was received as a question: it belongs to it and fits. */
void stage_check_answer(const struct message *query, bool tcp, struct view wire);

#endif
