/*
 * client_rate.c: see client_rate.h. Relaxed order is enough: nothing but a word itself is told between threads.
 */
#include "policy/client_rate.h"

#include "base/limits.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    WAYS       = 4, /* places that an address may have */
    SETS       = LIMIT_CLIENT_RATES / WAYS,
    TIME_BITS  = 40,      /* of a word, the lower ones; the tag has the others */
    TELL_EVERY = 60000,   /* ms */
    MSEC       = 15625,   /* units of 64 ns, in which a message at 1,000,000 a second costs 16 */
    SECOND     = 15625000 /* units */
};

#define TIME_MASK (((uint64_t) 1 << TIME_BITS) - 1) /* 19 hours, then the time begins anew */

struct client_rate {
    struct hash_key  key;
    _Atomic int64_t  told; /* ms */
    _Atomic uint64_t words[SETS * WAYS];
};

struct client_rate *client_rate_create(struct hash_key key)
{
    struct client_rate *rate = calloc(1, sizeof(*rate));
    if (!rate)
        return NULL;
    rate->key = key;
    atomic_init(&rate->told, -TELL_EVERY);
    return rate;
}

void client_rate_destroy(struct client_rate *rate) { free(rate); }

/* Of one message, rounded up, so that the rate is never exceeded. */
static uint64_t period(uint32_t per_second) { return (SECOND + per_second - 1) / per_second; }

static uint64_t depth(uint32_t per_second)
{
    return period(per_second) * (per_second > CLIENT_RATE_LEAST ? per_second : CLIENT_RATE_LEAST);
}

/* What is missing from the bucket. A word that was written by a thread whose clock is ahead, or at a lower rate, may
 * have more than all of it missing; one whose time is further off than that is old. */
static uint64_t missing(uint64_t word, uint64_t time, uint64_t depth)
{
    uint64_t left = (word - time) & TIME_MASK;
    if (left <= depth)
        return left;
    return left <= depth + SECOND ? depth : 0;
}

/* The place of the client with this tag, or else of the one who misses least. */
static unsigned find_way(const uint64_t words[WAYS], uint64_t tag, uint64_t time, uint64_t depth)
{
    unsigned least = 0;
    for (unsigned i = 0; i < WAYS; i++) {
        if (words[i] >> TIME_BITS == tag)
            return i;
        if (missing(words[i], time, depth) < missing(words[least], time, depth))
            least = i;
    }
    return least;
}

bool client_rate_take(struct client_rate *rate, uint32_t per_second, const struct address *client, msec_t now)
{
    struct view       bytes = address_client(client);
    uint64_t          hash  = hash_bytes(rate->key, bytes.data, bytes.len);
    uint64_t          tag   = hash >> TIME_BITS;
    uint64_t          time  = (uint64_t) now * MSEC & TIME_MASK;
    uint64_t          all   = depth(per_second);
    _Atomic uint64_t *set   = &rate->words[hash % SETS * WAYS];
    for (;;) {
        uint64_t words[WAYS];
        for (unsigned i = 0; i < WAYS; i++)
            words[i] = atomic_load_explicit(&set[i], memory_order_relaxed);
        unsigned way  = find_way(words, tag, time, all);
        uint64_t owed = (words[way] >> TIME_BITS == tag ? missing(words[way], time, all) : 0) + period(per_second);
        if (owed > all)
            return false;
        if (atomic_compare_exchange_weak_explicit(&set[way], &words[way],
                                                  tag << TIME_BITS | ((time + owed) & TIME_MASK), memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    }
}

bool client_rate_tell(struct client_rate *rate, msec_t now)
{
    int64_t told = atomic_load_explicit(&rate->told, memory_order_relaxed);
    return now - told >= TELL_EVERY &&
           atomic_compare_exchange_strong_explicit(&rate->told, &told, now, memory_order_relaxed, memory_order_relaxed);
}
