/*
 * effects.h: everything that the logic asks of the outside world. The worker and the keeper give libuv's, the tests a
 * recorder.
 *
 * None of these may call back into the logic before it returns.
 *
 * Thread: owner: worker or keeper.
 */
#ifndef CORE_EFFECTS_H
#define CORE_EFFECTS_H

#include "base/return_path.h"
#include "core/observation.h"
#include "core/trace.h"
#include "upstream/exchange.h"

struct effects {
    void *network; /* context of the first two */
    /* Sends `query` to exchange->server by exchange->transport, on that one's socket in exchange->tickets, or on a new
     * one that it puts there. False: the system refused. */
    bool (*send)(void *network, struct exchange *exchange, struct view query);
    /* Gives up the socket in exchange->tickets[transport], which is not NULL, and clears it. */
    void (*release)(void *network, struct exchange *exchange, enum transport transport);
    void *context; /* of the others */
    /* Answers a client, once for each query that was not answered at once. Empty: the client gets nothing. */
    void (*answer)(void *context, const struct path *path, struct view answer);
    /* Tells the keeper. */
    void (*observe)(void *context, const struct observation *observation);
    /* The same, of a query, while somebody watches; NULL: nobody can. */
    void (*traced)(void *context, const struct traced *traced);
};

#endif
