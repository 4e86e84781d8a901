/*
 * heap.h: makes a chosen allocation fail, so that a test can walk every out-of-memory path. The test links dep_heap,
 * whose linker flags lead malloc, calloc, realloc, aligned_alloc, strdup and strndup of our own code here; what
 * libraries allocate inside themselves is not seen. Counts and failures belong to the calling thread.
 *
 * Usual form: run once with heap_count(), then once for each n below that count with heap_fail_at(n).
 */
#ifndef LIB_HEAP_H
#define LIB_HEAP_H

#include <stddef.h>
#include <stdint.h>

/* The `nth` allocation from now (0: the next one) returns NULL with ENOMEM, once; later ones succeed. */
void heap_fail_at(size_t nth);
/* Of `one_in` allocations one fails, drawn by chance, until heap_restore(); the same seed draws the same ones. */
void heap_fail_some(uint64_t seed, uint32_t one_in);
/* All allocations fail from now on, until heap_restore(). */
void heap_fail_all(void);
/* Nothing fails any more. Returns whether something did since the last heap_fail_…(). */
int heap_restore(void);
/* Allocations tried by this thread so far. */
size_t heap_count(void);

#endif
