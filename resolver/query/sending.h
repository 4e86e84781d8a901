/*
 * sending.h: an exchange's way to the network through a thread's effects: what a query and an errand do alike.
 */
#ifndef QUERY_SENDING_H
#define QUERY_SENDING_H

#include "query/desk.h"

/* Writes it and sends it by exchange->transport. What the system refuses is told to the exchange, which may be DONE by
 * it: see exchange_on_unreachable(). */
void sending_send(struct desk *desk, struct exchange *exchange, msec_t now);
/* Gives up the sockets of which no reply counts any more (exchange_listens()). */
void sending_release_deaf(struct desk *desk, struct exchange *exchange);
/* Gives up all of its sockets. */
void sending_release(struct desk *desk, struct exchange *exchange);

#endif
