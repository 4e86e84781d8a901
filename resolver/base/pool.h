/*
 * pool.h: pieces of one size that come and go by the thousand, in blocks that are the kernel's again once nothing in
 * them is taken: what a burst took does not stay.
 *
 * Thread: owner.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/list.h"

struct pool {
    size_t      size;  /* of a piece */
    struct list roomy; /* blocks with pieces taken and pieces free; the one to fill first */
    void       *spare; /* a block with none taken; NULL: none */
};

/* `size`: at most 2 KiB, a 64th of a block. */
void pool_init(struct pool *pool, size_t size);
/* Nothing is taken. */
void pool_fini(struct pool *pool);

/* A piece, aligned as by malloc(), with whatever it holds. NULL: no memory. */
void *pool_take(struct pool *pool);
/* One of this pool's. */
void pool_give(struct pool *pool, void *piece);

#endif
