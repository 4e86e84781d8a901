/*
 * list.h: an intrusive doubly linked list. A `struct list` is both the head and the link; a link
 * that is in no list points at itself once it was initialised, so removing it twice is harmless.
 *
 * Thread: pure.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/types.h"

struct list {
    struct list *prev;
    struct list *next;
};

static inline void list_init(struct list *list) { list->prev = list->next = list; }
static inline bool list_empty(const struct list *list) { return list->next == list; }

static inline void list_insert_before(struct list *place, struct list *link)
{
    link->prev        = place->prev;
    link->next        = place;
    place->prev->next = link;
    place->prev       = link;
}
static inline void list_append(struct list *head, struct list *link) { list_insert_before(head, link); }
static inline void list_prepend(struct list *head, struct list *link) { list_insert_before(head->next, link); }

static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* `next_` is read before the body runs, so the body may remove and free `item_`. */
#define LIST_EACH(item_, next_, head_)                                                                                 \
    for (struct list *item_ = (head_)->next, *next_ = item_->next; item_ != (head_); item_ = next_, next_ = item_->next)

#endif
