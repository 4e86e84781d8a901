/*
 * pool.c: see pool.h. A block stands at a multiple of its size, so that a piece's address tells its block. Pieces are
 * taken from the block that has had room for longest, while those behind it empty. One empty block is kept: a load that
 * goes up and down by a piece costs no system calls. A sanitizer is told what is free, which it could not see.
 */
#include "base/pool.h"

#include <assert.h>
#include <sanitizer/asan_interface.h>
#include <stdalign.h>
#include <stdlib.h>

enum {
    BLOCK = 128 << 10, /* bytes: so many are the kernel's own, and go back to it */
};

struct free_piece {
    struct free_piece *next;
};

struct block {
    struct list        link; /* in `roomy`; alone if it is full or the spare */
    unsigned           taken;
    unsigned           fresh; /* pieces from the end that were never taken: their memory was not touched */
    struct free_piece *free;  /* those that were */
    alignas(max_align_t) uint8_t pieces[];
};

void pool_init(struct pool *pool, size_t size)
{
    size_t align = alignof(max_align_t);
    *pool        = (struct pool){.size = (size + align - 1) / align * align};
    assert(size >= sizeof(struct free_piece) && size <= BLOCK / 64);
    list_init(&pool->roomy);
}

static void free_block(struct block *block)
{
    ASAN_UNPOISON_MEMORY_REGION(block, BLOCK);
    free(block);
}

void pool_fini(struct pool *pool)
{
    assert(list_empty(&pool->roomy));
    if (pool->spare)
        free_block(pool->spare);
    pool->spare = NULL;
}

static unsigned pieces_in_block(const struct pool *pool)
{
    return (unsigned) ((BLOCK - sizeof(struct block)) / pool->size);
}

/* NULL: no memory. */
static struct block *block_with_room(struct pool *pool)
{
    if (!list_empty(&pool->roomy))
        return CONTAINER_OF(pool->roomy.next, struct block, link);
    struct block *block = pool->spare ? pool->spare : aligned_alloc(BLOCK, BLOCK);
    if (!block)
        return NULL;
    if (block != pool->spare) {
        *block = (struct block){.fresh = pieces_in_block(pool)};
        ASAN_POISON_MEMORY_REGION(block->pieces, BLOCK - sizeof(*block));
    }
    pool->spare = NULL;
    list_init(&block->link);
    list_append(&pool->roomy, &block->link);
    return block;
}

void *pool_take(struct pool *pool)
{
    struct block *block = block_with_room(pool);
    if (!block)
        return NULL;
    struct free_piece *piece = block->free;
    if (piece)
        block->free = piece->next;
    else
        piece = (void *) (block->pieces + (pieces_in_block(pool) - block->fresh--) * pool->size);
    if (++block->taken == pieces_in_block(pool))
        list_remove(&block->link);
    ASAN_UNPOISON_MEMORY_REGION(piece, pool->size);
    return piece;
}

void pool_give(struct pool *pool, void *memory)
{
    struct block      *block = (void *) ((uintptr_t) memory / BLOCK * BLOCK);
    struct free_piece *piece = memory;
    piece->next              = block->free;
    block->free              = piece;
    ASAN_POISON_MEMORY_REGION(piece + 1, pool->size - sizeof(*piece));
    if (list_empty(&block->link)) /* it was full */
        list_append(&pool->roomy, &block->link);
    if (--block->taken > 0)
        return;
    list_remove(&block->link);
    if (pool->spare)
        free_block(block);
    else
        pool->spare = block;
}
