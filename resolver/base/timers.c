/*
 * timers.c: the binary heap behind timers.h. Each timer carries its place, so that moving or cancelling one needs no
 * search. Knows no clock.
 */
#include "base/timers.h"

#include <assert.h>
#include <stdlib.h>

enum {
    TIMERS_CAP_MIN = 16
};

void timers_init(struct timers *timers) { *timers = (struct timers){0}; }

void timers_fini(struct timers *timers)
{
    free(timers->heap);
    timers_init(timers);
}

bool timers_reserve(struct timers *timers, size_t count)
{
    size_t         cap = timers->cap > 0 ? timers->cap : TIMERS_CAP_MIN;
    struct timer **heap;
    if (count <= timers->cap)
        return true;
    if (count > SIZE_MAX / 2 / sizeof(*heap))
        return false;
    while (cap < count)
        cap *= 2;
    heap = realloc(timers->heap, cap * sizeof(struct timer *));
    if (!heap)
        return false;
    timers->heap = heap;
    timers->cap  = cap;
    return true;
}

static void timers_put(struct timers *timers, size_t place, struct timer *timer)
{
    timers->heap[place] = timer;
    timer->place        = place + 1;
}

static void timers_rise(struct timers *timers, size_t place, struct timer *timer)
{
    while (place > 0) {
        size_t parent = (place - 1) / 2;

        if (timers->heap[parent]->due <= timer->due)
            break;
        timers_put(timers, place, timers->heap[parent]);
        place = parent;
    }
    timers_put(timers, place, timer);
}

static void timers_sink(struct timers *timers, size_t place, struct timer *timer)
{
    for (;;) {
        size_t child = 2 * place + 1;

        if (child + 1 < timers->count && timers->heap[child + 1]->due < timers->heap[child]->due)
            child++;
        if (child >= timers->count || timer->due <= timers->heap[child]->due)
            break;
        timers_put(timers, place, timers->heap[child]);
        place = child;
    }
    timers_put(timers, place, timer);
}

/* Puts `timer` where its due time belongs, beginning at `place`, whose old content was moved away. */
static void timers_settle(struct timers *timers, size_t place, struct timer *timer)
{
    if (place > 0 && timer->due < timers->heap[(place - 1) / 2]->due)
        timers_rise(timers, place, timer);
    else
        timers_sink(timers, place, timer);
}

void timers_set(struct timers *timers, struct timer *timer, msec_t due)
{
    timer->due = due;
    if (timer->place != 0) {
        assert(timer->place <= timers->count && timers->heap[timer->place - 1] == timer);
        timers_settle(timers, timer->place - 1, timer);
        return;
    }
    assert(timers->count < timers->cap);
    timers_rise(timers, timers->count++, timer);
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
    size_t        hole;
    struct timer *last;
    if (timer->place == 0)
        return;
    assert(timer->place <= timers->count && timers->heap[timer->place - 1] == timer);
    hole         = timer->place - 1;
    timer->place = 0;
    last         = timers->heap[--timers->count];
    if (last != timer)
        timers_settle(timers, hole, last);
}

msec_t timers_next(const struct timers *timers) { return timers->count > 0 ? timers->heap[0]->due : MSEC_NEVER; }

struct timer *timers_pop(struct timers *timers, msec_t now)
{
    struct timer *first;
    if (timers->count == 0 || timers->heap[0]->due > now)
        return NULL;
    first = timers->heap[0];
    timers_cancel(timers, first);
    return first;
}
