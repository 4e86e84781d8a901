/*
 * worker.h: a thread that serves queries: one event loop, its own listening sockets, its own engine. Started and
 * ordered about by the keeper.
 *
 * Thread: keeper, but for what the worker runs.
 */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "base/ring.h"
#include "query/engine.h"
#include "server/descriptors.h"
#include "server/orders.h"

#include <uv.h>

enum {
    WORKER_TRACES = 1024 /* queries that wait for the keeper while somebody watches */
};

struct worker;

struct worker_options {
    struct shared      shared;
    unsigned           number; /* from 0; one that is leaving may have it too: they wait for each other */
    struct setup      *setup;
    uv_async_t        *keeper; /* woken when there are observations */
    uint8_t            seed[RNG_SEED_BYTES];
    struct descriptors share;
};

/* Starts the thread, without listeners. NULL: no memory, descriptors or threads. */
struct worker *worker_start(const struct worker_options *options);

/* Orders, carried out soon and in this sequence. None is lost for want of memory: giving one waits for it, and what the
 * worker cannot listen on for now waits with it, its queries in the sockets' queues. */
/* Takes both, from net's bind functions; -1: none. */
void worker_listen(struct worker *worker, const struct address *address, int udp, int tcp);
/* Serves what lies in the queues of the two (-1: none), of which it takes one or both, and leaves them. */
void worker_drain(struct worker *worker, int udp, int tcp);
void worker_leave(struct worker *worker, const struct address *address);
void worker_set_setup(struct worker *worker, struct setup *setup); /* takes a reference of its own */

/* Two steps, so that many stop at once: worker_stop() lets it answer what it has and end, of which the keeper is woken
 * (who is still waiting then gets a stale answer or SERVFAIL); it may be told again that it has less time.
 * worker_join() waits for it and frees; what it counted is added to `sum` and `responses`, and its kernel drops are
 * returned. */
void     worker_stop(struct worker *worker, enum worker_end end);
bool     worker_has_ended(struct worker *worker); /* worker_join() will not wait; there are no further observations */
uint64_t worker_join(struct worker *worker, struct counters *sum, struct responses *responses);

/* Keeper: the next observation; false: none. */
bool worker_observation(struct worker *worker, struct observation *ret);
/* The same of queries that were traced: the caller's, on the heap; NULL: none. */
struct traced          *worker_traced(struct worker *worker);
const struct counters  *worker_counters(struct worker *worker);
const struct responses *worker_responses(struct worker *worker);

/* Datagrams that the kernel dropped because the receive buffers were full. */
uint64_t worker_kernel_drops(struct worker *worker);
/* When its loop last turned, ms: for the watchdog. */
msec_t worker_pulse(struct worker *worker);

#endif
