/*
 * sender_policy.h: the domain's SPF record and all that it depends on (mail/spf_walk); where the client is known, what
 * comes of it for him (mail/spf).
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_SENDER_POLICY_H
#define EXPLAIN_SENDER_POLICY_H

#include "explain/explanation.h"

void sender_policy_look(struct explanation *explanation);

#endif
