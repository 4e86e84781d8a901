/*
 * conclusion.h: of all that was found the one cause; what is to be done; and what mail servers that ask here reply.
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_CONCLUSION_H
#define EXPLAIN_CONCLUSION_H

#include "explain/explanation.h"

/* Leaves GRADE_CAUSE to one finding at most. */
void conclusion_draw(struct explanation *explanation);

#endif
