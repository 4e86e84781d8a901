/*
 * authentication.h: DMARC (RFC 7489) and, where the selector is known, the DKIM key (RFC 6376).
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_AUTHENTICATION_H
#define EXPLAIN_AUTHENTICATION_H

#include "explain/explanation.h"

void authentication_look(struct explanation *explanation);

#endif
