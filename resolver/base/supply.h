/*
 * supply.h: memory for a library that does not bear to be refused it. jansson's parser writes past the end of a token
 * for which there was no more memory, and its printer leaves out what it had no memory for: so a refusal is counted,
 * and ends an attempt at once. Knows nothing of what is made. The allocator of a library knows no context, so there is
 * one supply.
 *
 * Thread: main; of bywayd that is the keeper.
 */
#ifndef BASE_SUPPLY_H
#define BASE_SUPPLY_H

#include "base/types.h"

/* In the place of malloc() and free(). */
void *supply_take(size_t size);
void  supply_give(void *memory);

/* Refused so far: what was made while the number rose may lack something. */
uint64_t supply_refusals(void);

/* Calls make(), which may use what takes from the supply, and nothing else that has to be given back. At the first
 * refusal it is left where it stands (longjmp), all that it has taken is given back, and false is returned. Not from
 * inside make(). */
bool supply_attempt(void (*make)(void *context), void *context);

#endif
