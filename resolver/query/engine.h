/*
 * engine.h: one worker's share of the path of a query, without I/O: parse, policy, cache, join, and the queries that
 * are under way.
 *
 * Thread: worker.
 */
#ifndef QUERY_ENGINE_H
#define QUERY_ENGINE_H

#include "core/env.h"

struct engine;

struct engine_options {
    struct shared  shared; /* borrowed parts */
    unsigned       reader; /* number of the thread, from 0 */
    struct setup  *setup;  /* takes a reference of its own */
    struct effects effects;
    uint8_t        seed[RNG_SEED_BYTES];
};

/* NULL: no memory. */
struct engine *engine_create(const struct engine_options *options);
/* Ends what is under way: everyone is answered, every exchange released. */
void engine_cancel(struct engine *engine, msec_t now);
/* Nothing is under way. */
void engine_destroy(struct engine *engine);

/* From now on. Queries under way end with the setup they began with. */
void engine_set_setup(struct engine *engine, struct setup *setup);

/* One message from a client. Returns the length of an answer written to `out`, or 0: effects.answer() will be called
 * once for `path`, now or later. Over UDP (tcp false) a message that is dropped is not answered at all. `cap`: at least
 * LIMIT_UDP_PAYLOAD, over TCP LIMIT_TCP_MESSAGE. */
size_t engine_receive(struct engine *engine, struct view message, const struct path *path, bool tcp, msec_t now,
                      uint8_t *out, size_t cap);

/* May a message from `peer` over TCP be taken now (limits.client_qps)? False: later. engine_receive() asks this itself
 * over UDP, where what comes too often is dropped or cut. */
bool engine_admit(struct engine *engine, const struct address *peer, msec_t now);
/* Is `peer` exempt from limits on a client? */
bool engine_exempt(const struct engine *engine, const struct address *peer);
/* Whether a client was over the limit since this was last asked, and one who was. */
bool engine_limited(struct engine *engine, struct address *ret);

/* Events of an exchange that effects.send() was given. */
void engine_on_packet(struct engine *engine, struct exchange *exchange, enum transport transport, struct view packet,
                      msec_t now);
/* UDP: ICMP says so, and may lie. TCP: no connection came about, or it broke. */
void engine_on_unreachable(struct engine *engine, struct exchange *exchange, enum transport transport, msec_t now);

/* When engine_on_time() has something to do; MSEC_NEVER: not before another event. */
msec_t engine_next(const struct engine *engine);
void   engine_on_time(struct engine *engine, msec_t now);

struct counters        *engine_counters(struct engine *engine);        /* any thread may read */
const struct responses *engine_responses(const struct engine *engine); /* the same */
struct rng             *engine_rng(struct engine *engine);
size_t                  engine_flights(const struct engine *engine);
size_t                  engine_waiting(const struct engine *engine); /* clients that are owed an answer */

#endif
