/*
 * flight.h: who is already asking what, so that identical questions join.
 *
 * Thread: worker.
 */
#ifndef QUERY_FLIGHT_H
#define QUERY_FLIGHT_H

#include "base/hash.h"
#include "upstream/exchange.h"

struct flight { /* embedded in a query */
    struct flight        *next;
    uint64_t              hash;
    const struct inquiry *inquiry;
    bool                  linked;
};

struct flights {
    struct flight **buckets; /* owned */
    size_t          mask;
    size_t          count;
    struct hash_key key;
};

bool           flights_init(struct flights *flights, size_t buckets,
                            struct hash_key key); /* `buckets`: a power of two. False: no memory */
void           flights_fini(struct flights *flights);
struct flight *flights_find(const struct flights *flights, const struct inquiry *inquiry);
/* `inquiry` is borrowed until flights_remove(). */
void flights_add(struct flights *flights, struct flight *flight, const struct inquiry *inquiry);
void flights_remove(struct flights *flights, struct flight *flight); /* harmless if not linked */

#endif
