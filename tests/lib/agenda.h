/*
 * agenda.h: what is to happen in virtual time, the earliest first, and of one time what was put there first, so that the
 * same seed gives the same course of events. A binary heap in room that the caller has; it takes no memory.
 */
#ifndef LIB_AGENDA_H
#define LIB_AGENDA_H

#include "base/types.h"

#include <stddef.h>

struct agenda_item {
    msec_t   at;
    uint64_t order;
    void    *what;
};

struct agenda {
    struct agenda_item *items; /* room for all that are on it at once */
    size_t              count;
    uint64_t            order;
};

static inline bool agenda_before(const struct agenda_item *a, const struct agenda_item *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static inline void agenda_add(struct agenda *agenda, msec_t at, void *what)
{
    const struct agenda_item item = {at, agenda->order++, what};
    size_t                   i    = agenda->count++;
    for (; i > 0 && agenda_before(&item, &agenda->items[(i - 1) / 2]); i = (i - 1) / 2)
        agenda->items[i] = agenda->items[(i - 1) / 2];
    agenda->items[i] = item;
}

/* When the next one is due; MSEC_NEVER: there is none. */
static inline msec_t agenda_next(const struct agenda *agenda)
{
    return agenda->count > 0 ? agenda->items[0].at : MSEC_NEVER;
}

/* The next one, which there must be. */
static inline void *agenda_take(struct agenda *agenda)
{
    struct agenda_item *items = agenda->items, last = items[--agenda->count];
    void               *what = items[0].what;
    size_t              i    = 0;
    for (size_t child; (child = 2 * i + 1) < agenda->count; i = child) {
        if (child + 1 < agenda->count && agenda_before(&items[child + 1], &items[child]))
            child++;
        if (!agenda_before(&items[child], &last))
            break;
        items[i] = items[child];
    }
    items[i] = last;
    return what;
}

#endif
