/*
 * relax.h: what byway.json may have beyond JSON, made JSON: comments, and a comma before a closing bracket.
 *
 * Thread: keeper.
 */
#ifndef SETTINGS_RELAX_H
#define SETTINGS_RELAX_H

#include "base/types.h"

/* Writes blanks over the comments of `text` (from // to the end of its line, from a slash and a star to the next star
 * and slash; not in strings) and over each comma that has a value before it and a closing bracket behind it. No other
 * byte changes, and no end of a line, so that a place in the result is the same place in the text. What is wrong in
 * another way stays wrong. False: the comment at *ret_at does not end; what is before it is done. */
bool relax(char *text, size_t len, size_t *ret_at);

#endif
