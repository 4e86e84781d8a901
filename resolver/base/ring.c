/*
 * ring.c: the single-producer, single-consumer queue behind ring.h.
 *
 * `head` and `tail` count records for ever and wrap with size_t. The producer alone stores `tail`, with release order
 * after the record's bytes; the consumer alone stores `head`, with release order after it has copied the record out.
 * Each side keeps the last value it saw of the other's count and looks again only when that says full or empty, so
 * that in the common case no cache line travels between the two threads.
 */
#include "base/ring.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    CACHE_LINE = 64
};

struct ring {
    size_t record_size;
    size_t slots;

    alignas(CACHE_LINE) atomic_size_t tail; /* records pushed */
    size_t head_seen;                       /* producer's own */

    alignas(CACHE_LINE) atomic_size_t head; /* records popped */
    size_t tail_seen;                       /* consumer's own */

    alignas(CACHE_LINE) uint8_t records[];
};

struct ring *ring_create(size_t record_size, size_t slots)
{
    struct ring *ring;
    size_t       bytes;
    assert(slots > 0 && (slots & (slots - 1)) == 0);
    if (__builtin_mul_overflow(record_size, slots, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    bytes += sizeof(*ring) + CACHE_LINE - 1;
    ring = aligned_alloc(CACHE_LINE, bytes - bytes % CACHE_LINE);
    if (!ring)
        return NULL;
    memset(ring, 0, sizeof(*ring));
    ring->record_size = record_size;
    ring->slots       = slots;
    atomic_init(&ring->tail, 0);
    atomic_init(&ring->head, 0);
    return ring;
}

void ring_destroy(struct ring *ring) { free(ring); }

static uint8_t *ring_slot(struct ring *ring, size_t count)
{
    return ring->records + (count & (ring->slots - 1)) * ring->record_size;
}

bool ring_push(struct ring *ring, const void *record)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - ring->head_seen == ring->slots) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail - ring->head_seen == ring->slots)
            return false;
    }
    memcpy(ring_slot(ring, tail), record, ring->record_size);
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

bool ring_pop(struct ring *ring, void *ret_record)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == ring->tail_seen) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head == ring->tail_seen)
            return false;
    }
    memcpy(ret_record, ring_slot(ring, head), ring->record_size);
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}
