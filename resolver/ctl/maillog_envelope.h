/*
 * maillog_envelope.h: who sent what a line of a mail server's log is about: what an inbound refusal has beside its reply.
 *
 * Thread: pure.
 */
#ifndef CTL_MAILLOG_ENVELOPE_H
#define CTL_MAILLOG_ENVELOPE_H

#include "base/types.h"

/* Pieces of the line, raw and as they were claimed; length 0: not there. */
struct maillog_envelope {
    struct view client; /* address */
    struct view helo, sender;
};

/* Of a line of Postfix's or Exim's; others have none of it. */
struct maillog_envelope maillog_envelope_read(struct view line);

#endif
