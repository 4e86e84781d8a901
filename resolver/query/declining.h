/*
 * declining.h: answers of our own with nothing but a code, to queries that go nowhere. Each is counted.
 *
 * Thread: worker.
 */
#ifndef QUERY_DECLINING_H
#define QUERY_DECLINING_H

#include "core/env.h"

/* REFUSED, with that error. Returns the answer's length in `out`, as do the others. */
size_t declining_refuse(struct env *env, const struct client_query *query, int ede, uint8_t *out);
/* To what is no query: what message_receive() has found wrong with `query`. */
size_t declining_reject(struct env *env, const struct message *query, enum reception reception, uint8_t *out);
/* REFUSED to what is no query, from one who may not ask. */
size_t declining_refuse_rejected(struct env *env, const struct message *query, uint8_t *out);
/* To a datagram beyond its client's rate. Half of them, drawn, get TC=1 and nothing else, the others nothing, 0. A real
 * client then comes over TCP, where it cannot lie about its address and is served at its rate; a forged one is sent less
 * than was sent in its name. */
size_t declining_cut(struct env *env, struct view datagram, uint8_t *out);

#endif
