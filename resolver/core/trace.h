/*
 * trace.h: what became of one query, told while somebody watches: plain data from a worker to the keeper. Its words are
 * those of the path of a query, in their order. And which queries somebody may want to hear of.
 *
 * Thread: pure.
 */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include "base/address.h"
#include "dns/judge.h"
#include "dns/name.h"
#include "upstream/transport.h"

enum {
    TRACE_STEPS    = 32, /* of one question: six datagrams, TCP, and their outcomes; what is more is not told */
    TRACE_NO_GROUP = 255
};

/* X(symbol, word) */
#define TRACE_WHATS(X)                                                                                                 \
    X(JOIN, "join")                                                                                                    \
    X(ROUTE, "route")                                                                                                  \
    X(ASK, "ask")                                                                                                      \
    X(JUDGE, "judge")                                                                                                  \
    X(ANSWER, "answer")

#define TRACE_WAYS(X)                                                                                                  \
    X(CACHE, "cache")                                                                                                  \
    X(STALE, "stale")                                                                                                  \
    X(LOCAL, "local")                                                                                                  \
    X(NONE, "none")                                                                                                    \
    X(GROUP, "") /* the group's name */

enum trace_what {
#define X(symbol, word) TRACE_##symbol,
    TRACE_WHATS(X)
#undef X
};
enum trace_way {
#define X(symbol, word) TRACE_BY_##symbol,
    TRACE_WAYS(X)
#undef X
};

struct trace_step {
    msec_t          at; /* since the query came */
    enum trace_what what;
    uint8_t         group;    /* its number; TRACE_NO_GROUP: none */
    struct address  upstream; /* len 0: none */
    enum transport  over;     /* of ASK and JUDGE */
    enum outcome    outcome;  /* of JUDGE */
    bool            copy;     /* nobody waits for this one */
};

struct trace { /* of one question */
    msec_t            began;
    const char       *why; /* the route's word; static. NULL: there was none */
    unsigned          count;
    struct trace_step steps[TRACE_STEPS];
};

struct traced { /* of one client's query */
    struct address client;
    struct name    name; /* as it was asked */
    uint16_t       type;
    unsigned       rcode;
    enum trace_way way;
    uint8_t        group; /* of TRACE_BY_GROUP */
    const char    *why;   /* static: the route's word, or why there was none */
    msec_t         took;
    struct trace   trace;
};

enum trace_want { /* each is part of the next */
    TRACE_NOTHING,
    TRACE_FAILED,   /* trace_failed() */
    TRACE_EXTERNAL, /* and what external was asked, or answered */
    TRACE_ALL
};

/* The client got no answer, or a stale one. */
bool trace_failed(const struct traced *traced);
bool trace_is_wanted(enum trace_want want, const struct traced *traced);

#endif
