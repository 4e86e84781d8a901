/*
 * validation.h: what fails for those who validate (DNSSEC) by the zone's own fault: no way around it helps, and byway
 * takes none.
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_VALIDATION_H
#define EXPLAIN_VALIDATION_H

#include "explain/explanation.h"

/* Of each zone of the list. */
void validation_look(struct explanation *explanation);
/* True if that question fails because the zone's signatures are not good: domestic says so (RFC 8914, 6 to 12) or has
 * an answer where it may leave them out of account, and external has none that is validated. */
bool validation_fails(struct explanation *explanation, const struct pair *pair);

#endif
