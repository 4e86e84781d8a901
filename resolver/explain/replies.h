/*
 * replies.h: what a mail server that asks here says to a sender of the domain: the lines that the operator finds in his
 * log. The wording is the servers' own (ctl/maillog_texts.def).
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_REPLIES_H
#define EXPLAIN_REPLIES_H

#include "explain/explanation.h"

/* By the findings that are problems or the cause. */
void replies_write(struct explanation *explanation);

#endif
