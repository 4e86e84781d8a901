/*
 * tracing.c: see tracing.h.
 */
#include "query/tracing.h"

#include <stdlib.h>

static const char *const route_words[] = {
#define X(symbol, word) [ROUTE_##symbol] = (word),
    ROUTES(X)
#undef X
};

void tracing_begin(struct query *query, const struct env *env, msec_t now)
{
    if (!tracing_is_on(env) || !(query->trace = calloc(1, sizeof(*query->trace))))
        return;
    query->trace->began = now;
}

void tracing_end(struct query *query)
{
    free(query->trace);
    query->trace = NULL;
}

/* NULL: there is no place for one more, or nobody watches. */
static struct trace_step *add(struct query *query, enum trace_what what, msec_t now)
{
    struct trace *trace = query->trace;
    if (!trace || trace->count == TRACE_STEPS)
        return NULL;
    struct trace_step *step = &trace->steps[trace->count++];
    *step                   = (struct trace_step){.at = now - trace->began, .what = what, .group = TRACE_NO_GROUP};
    return step;
}

void tracing_joined(struct query *query, msec_t now) { add(query, TRACE_JOIN, now); }

void tracing_routed(struct query *query, msec_t now)
{
    struct trace_step *step = add(query, TRACE_ROUTE, now);
    if (!step)
        return;
    step->group       = query->route.first;
    query->trace->why = route_words[query->route.reason];
}

static void add_exchange(struct query *query, enum trace_what what, const struct exchange *exchange, msec_t now)
{
    struct trace_step *step = add(query, what, now);
    if (!step)
        return;
    step->group    = query->sides[exchange->part].group;
    step->upstream = exchange->server->address;
    step->over     = exchange->transport;
    step->outcome  = exchange->outcome;
    step->copy     = exchange->copy;
}

void tracing_asked(struct query *query, const struct exchange *exchange, msec_t now)
{
    add_exchange(query, TRACE_ASK, exchange, now);
}

void tracing_judged(struct query *query, const struct exchange *exchange, msec_t now)
{
    add_exchange(query, TRACE_JUDGE, exchange, now);
}

/* What nobody wants is sorted out here: on its way to the keeper it would be copied. */
static void tell(struct env *env, const struct traced *traced)
{
    if (env->effects.traced && trace_is_wanted(tracing_wanted(env), traced))
        env->effects.traced(env->effects.context, traced);
}

void tracing_answered(struct query *query, struct env *env, const struct waiter *waiter, struct view answer,
                      enum trace_way way, msec_t now)
{
    if (!query->trace)
        return;
    struct traced traced = {.client = waiter->path.peer,
                            .name   = waiter->query.name,
                            .type   = waiter->query.type,
                            .rcode  = message_rcode(answer),
                            .way    = way,
                            .group  = query->answered_by ? query->answered_by->group : TRACE_NO_GROUP,
                            .why    = query->trace->why,
                            .took   = now - waiter->since,
                            .trace  = *query->trace};
    tell(env, &traced);
}

/* Which counter has moved tells what it was: so the path itself knows nothing of being watched. */
static void explain(const struct counters *before, const struct counters *now, struct traced *traced)
{
#define MOVED(counter) (atomic_load(&now->counter) != atomic_load(&before->counter))
    traced->way = TRACE_BY_LOCAL;
    traced->why = "malformed";
    if (MOVED(cache_hits)) {
        traced->way = TRACE_BY_CACHE;
        traced->why = "fresh";
    } else if (MOVED(cache_stale)) {
        traced->way = TRACE_BY_STALE;
        traced->why = "a failure is cached";
    } else if (MOVED(cache_failures)) {
        traced->way = TRACE_BY_CACHE;
        traced->why = "a failure is cached";
    } else if (MOVED(local)) {
        traced->why = "byway's own";
    } else if (MOVED(refused)) {
        traced->way = TRACE_BY_NONE;
        traced->why = "refused";
    } else if (MOVED(overload)) {
        traced->way = TRACE_BY_NONE;
        traced->why = "overload";
    } else if (MOVED(rate_limited)) {
        traced->way = TRACE_BY_NONE;
        traced->why = "rate";
    }
#undef MOVED
}

void tracing_at_once(struct env *env, struct view query, const struct path *path, struct view answer,
                     const struct counters *before)
{
    struct message message;
    struct traced  traced = {.client = path->peer, .rcode = message_rcode(answer), .group = TRACE_NO_GROUP};
    message_parse(query, &message);
    if (message.has_question) {
        name_set(&traced.name, message.question.name);
        traced.type = message.question.type;
    }
    explain(before, &env->counters, &traced);
    tell(env, &traced);
}
