/*
 * flight.c: see flight.h.
 */
#include "query/flight.h"

#include <stdlib.h>
#include <string.h>

bool flights_init(struct flights *flights, size_t buckets, struct hash_key key)
{
    *flights = (struct flights){.buckets = calloc(buckets, sizeof(struct flight *)), .mask = buckets - 1, .key = key};
    return flights->buckets != NULL;
}

void flights_fini(struct flights *flights) { free(flights->buckets); }

static bool same(const struct inquiry *a, const struct inquiry *b)
{
    return a->type == b->type && a->class == b->class && a->dnssec_ok == b->dnssec_ok &&
           a->checking_disabled == b->checking_disabled && a->name.len == b->name.len &&
           memcmp(a->name.wire, b->name.wire, a->name.len) == 0;
}

struct flight *flights_find(const struct flights *flights, const struct inquiry *inquiry)
{
    uint64_t       key    = inquiry_hash(flights->key, inquiry);
    struct flight *flight = flights->buckets[key & flights->mask];
    while (flight && !(flight->hash == key && same(flight->inquiry, inquiry)))
        flight = flight->next;
    return flight;
}

void flights_add(struct flights *flights, struct flight *flight, const struct inquiry *inquiry)
{
    flight->inquiry        = inquiry;
    flight->hash           = inquiry_hash(flights->key, inquiry);
    struct flight **bucket = &flights->buckets[flight->hash & flights->mask];
    flight->next           = *bucket;
    *bucket                = flight;
    flight->linked         = true;
    flights->count++;
}

void flights_remove(struct flights *flights, struct flight *flight)
{
    if (!flight->linked)
        return;
    struct flight **link = &flights->buckets[flight->hash & flights->mask];
    while (*link != flight)
        link = &(*link)->next;
    *link          = flight->next;
    flight->linked = false;
    flights->count--;
}
