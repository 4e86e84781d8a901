/*
 * tracing.h: keeps the steps of a question while somebody watches (core/trace.h), and tells them with each answer. Where
 * nobody does nothing is kept.
 *
 * Thread: worker.
 */
#ifndef QUERY_TRACING_H
#define QUERY_TRACING_H

#include "query/query.h"

static inline enum trace_want tracing_wanted(const struct env *env)
{
    return env->shared.watched ? (enum trace_want) atomic_load_explicit(env->shared.watched, memory_order_relaxed)
                               : TRACE_NOTHING;
}

/* True while somebody watches. */
static inline bool tracing_is_on(const struct env *env) { return tracing_wanted(env) != TRACE_NOTHING; }

/* The query begins; without memory it is not traced. */
void tracing_begin(struct query *query, const struct env *env, msec_t now);
void tracing_end(struct query *query);

void tracing_joined(struct query *query, msec_t now);
void tracing_routed(struct query *query, msec_t now);
void tracing_asked(struct query *query, const struct exchange *exchange, msec_t now);
/* The exchange has its outcome. */
void tracing_judged(struct query *query, const struct exchange *exchange, msec_t now);
/* The waiter is given `answer`. */
void tracing_answered(struct query *query, struct env *env, const struct waiter *waiter, struct view answer,
                      enum trace_way way, msec_t now);

/* A query that was answered at once, in the engine's own buffer: `before` are its counters before that. */
void tracing_at_once(struct env *env, struct view query, const struct path *path, struct view answer,
                     const struct counters *before);

#endif
