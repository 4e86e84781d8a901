/*
 * spelling.h: which of the words that there are somebody meant who wrote another one.
 *
 * Thread: pure.
 */
#ifndef BASE_SPELLING_H
#define BASE_SPELLING_H

#include "base/types.h"

/* Changes of one byte, and exchanges of two neighbours, that make `b` of `a`, upper and lower case and '-' and '_'
 * being the same; SIZE_MAX when either is too long to be a slip. */
size_t spelling_distance(const char *a, const char *b);

/* True if `candidate` is near enough to `given` to be what was meant, and nearer than *best, which becomes its
 * distance. *best starts as SIZE_MAX. */
bool spelling_is_nearer(const char *given, const char *candidate, size_t *best);

#endif
