/*
 * sending.h: an exchange's way to the network through a thread's effects: what a query and an errand do alike.
 *
 * Thread: owner: worker or keeper.
 */
#ifndef CORE_SENDING_H
#define CORE_SENDING_H

#include "core/env.h"

/* Writes it and sends it by exchange->transport. What the system refuses is told to the exchange, which may be DONE by
 * it: see exchange_on_unreachable(). */
void sending_send(struct env *env, struct exchange *exchange, msec_t now);
/* Gives up the sockets of which no reply counts any more (exchange_listens()). */
void sending_release_deaf(struct env *env, struct exchange *exchange);
/* Gives up all of its sockets. */
void sending_release(struct env *env, struct exchange *exchange);

#endif
