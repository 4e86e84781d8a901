/*
 * shard.h: one part of the cache: entries by key, their order of eviction, their bytes. Knows nothing of TTLs and of
 * what an entry means. The caller holds the shard around every call but entry_new().
 *
 * Locks: readers come through gates, a lock each on cache lines of its own; whoever changes the shard takes all of
 * them. A reader that has a gate to itself writes nothing that another core reads, so hits on two cores cost each no
 * more than on one; a store pays for it with SHARD_GATES locks instead of one, which is little beside a question to an
 * upstream.
 *
 * SIEVE: entries stand in the order they came. A hit only marks its entry. When room is needed a hand walks from the
 * oldest towards the newest, takes the mark off what it passes and evicts the first entry without one. What was asked
 * once and never again therefore goes before what is in use, and a hit costs one store.
 *
 * Thread: any that holds it.
 */
#ifndef CACHE_SHARD_H
#define CACHE_SHARD_H

#include "base/list.h"
#include "dns/name.h"

#include <pthread.h>
#include <stdatomic.h>

struct entry {
    struct entry *next;   /* in the same bucket */
    struct list   queue;  /* place in the shard's order, newest first */
    msec_t        stored; /* when */
    uint32_t      hash;
    uint32_t      ttl; /* s; failure: how long it holds */
    uint32_t      message_len;
    uint32_t      ttls_len;
    uint8_t       cause; /* failure: an enum failure */
    uint8_t       name_len;
    uint8_t       origin;
    bool          dnssec_ok, checking_disabled;
    bool          failure;
    bool          negative;
    atomic_bool   marked; /* readers set it, each behind a gate of his own */
    uint8_t       data[]; /* message and TTL offsets; failure: only name, type, class as a question has them */
};

enum {
    SHARD_GATES = 8,  /* workers with one to themselves: more cores than a mail server gives to DNS */
    SHARD_LINE  = 128 /* bytes that cores pass to each other: they fetch two lines of 64 at a time */
};

struct gate {
    _Alignas(SHARD_LINE) pthread_mutex_t lock;
};

struct shard {
    struct gate    gates[SHARD_GATES];
    struct entry **buckets;
    uint32_t       mask;  /* buckets - 1 */
    struct list    queue; /* newest first */
    struct list   *hand;  /* the next to look at; the head of the queue: begin with the oldest */
    uint64_t       bound; /* bytes that all of this shard may have */
    uint64_t       bytes; /* all of this shard: itself, index, entries */
    uint64_t       entries, evictions, stores;
};

/* False: no memory, and there is nothing to be finished. */
bool shard_init(struct shard *shard, uint64_t bound);
void shard_fini(struct shard *shard);

/* To read: entries, and their marks. `reader`: a thread's number; those with the same one modulo SHARD_GATES wait for
 * each other. */
void shard_lock_read(struct shard *shard, unsigned reader);
void shard_unlock_read(struct shard *shard, unsigned reader);
/* To change: nobody else is in. */
void shard_lock(struct shard *shard);
void shard_unlock(struct shard *shard);

/* A new bound, with an index that suits it. Evicts nothing. Without memory the index stays as it is. */
void shard_resize(struct shard *shard, uint64_t bound);

/* An entry with room for `data_len` bytes of data, in no shard yet. NULL: no memory. */
struct entry *entry_new(size_t data_len);
/* Bytes it takes, the allocator's share included. */
uint64_t entry_bytes(const struct entry *entry);
/* The question it answers: name, type, class. */
const uint8_t *entry_question(const struct entry *entry);

/* First entry of the bucket that `hash` belongs to; then follow `next`. */
static inline struct entry *shard_bucket(const struct shard *shard, uint32_t hash)
{
    return shard->buckets[hash & shard->mask];
}

/* Could it ever hold so many bytes? */
bool shard_fits(const struct shard *shard, uint64_t bytes);

/* What cache.c knows of an entry: true if it is of no use to anyone. Such an entry is evicted, marked or not. */
typedef bool (*entry_useless_fn)(const void *context, const struct entry *entry);

/* Takes the entry over and evicts what has to go for it; it must fit. */
void shard_insert(struct shard *shard, struct entry *entry, entry_useless_fn useless, const void *context);
/* Somebody wanted it: it is spared by the hand once. Readers may. */
static inline void entry_mark(struct entry *entry)
{
    if (!atomic_load_explicit(&entry->marked, memory_order_relaxed)) /* the line is other cores' too */
        atomic_store_explicit(&entry->marked, true, memory_order_relaxed);
}
/* Removes and frees. */
void shard_drop(struct shard *shard, struct entry *entry);

#endif
