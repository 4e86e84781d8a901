/*
 * supply.c: see supply.h. Each piece has a link before it, by which an attempt finds what it took; afterwards it is in
 * no list, so that a leak is seen to be one.
 */
#include "base/supply.h"

#include "base/list.h"

#include <assert.h>
#include <setjmp.h>
#include <stdlib.h>

struct piece {
    struct list link;
    max_align_t memory[];
};

static struct {
    uint64_t     refusals;
    jmp_buf     *refused; /* NULL: no attempt is under way */
    struct list *taken;   /* by the attempt */
} supply;

void *supply_take(size_t size)
{
    struct piece *piece = size <= SIZE_MAX - sizeof(*piece) ? malloc(sizeof(*piece) + size) : NULL;
    if (piece) {
        list_init(&piece->link);
        if (supply.refused)
            list_append(supply.taken, &piece->link);
        return piece->memory;
    }
    supply.refusals++;
    if (supply.refused)
        longjmp(*supply.refused, 1);
    return NULL;
}

void supply_give(void *memory)
{
    if (!memory)
        return;
    struct piece *piece = CONTAINER_OF(memory, struct piece, memory);
    list_remove(&piece->link);
    free(piece);
}

uint64_t supply_refusals(void) { return supply.refusals; }

bool supply_attempt(void (*make)(void *context), void *context)
{
    struct list taken;
    jmp_buf     refused;
    assert(!supply.refused);
    list_init(&taken);
    supply.taken   = &taken;
    supply.refused = &refused;
    bool made      = setjmp(refused) == 0;
    if (made)
        make(context);
    supply.refused = NULL;
    supply.taken   = NULL;
    LIST_EACH (item, next, &taken) {
        list_remove(item);
        if (!made)
            free(CONTAINER_OF(item, struct piece, link));
    }
    return made;
}
