/*
 * ring.h: a queue of fixed-size records from exactly one producer thread to exactly one consumer
 * thread, without locks. A full ring refuses; the caller counts what it dropped.
 *
 * Thread: one writes, one reads.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include "base/types.h"

struct ring;

/* `slots` is a power of two. NULL: no memory. */
struct ring *ring_create(size_t record_size, size_t slots);
void         ring_destroy(struct ring *ring); /* both threads are done with it; NULL is allowed */

/* Producer: copies the record in. False: full. */
bool ring_push(struct ring *ring, const void *record);
/* Consumer: copies the oldest record out. False: empty. */
bool ring_pop(struct ring *ring, void *ret_record);

#endif
