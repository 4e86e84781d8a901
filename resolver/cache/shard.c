/*
 * shard.c: a hash index with chains, a queue for SIEVE, and the account of bytes. It must not know the time or DNS
 * beyond where a stored message has its question.
 */
#include "cache/shard.h"

#include "dns/message.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum {
    BYTES_PER_BUCKET = 256, /* of the bound; about a small answer with its entry, so chains are about one long */
    CHUNK_HEADER     = sizeof(size_t), /* glibc's own word before each allocation */
};

static uint64_t allocated(void *block) { return malloc_usable_size(block) + CHUNK_HEADER; }

uint64_t entry_bytes(const struct entry *entry) { return allocated((void *) entry); }

struct entry *entry_new(size_t data_len)
{
    struct entry *entry = malloc(offsetof(struct entry, data) + data_len);
    if (entry)
        memset(entry, 0, offsetof(struct entry, data));
    return entry;
}

const uint8_t *entry_question(const struct entry *entry)
{
    return entry->failure ? entry->data : entry->data + MESSAGE_HEADER;
}

static size_t bucket_count(uint64_t bound)
{
    size_t count = 1;
    while (count < UINT32_MAX / 2 && (uint64_t) count * 2 * BYTES_PER_BUCKET <= bound)
        count *= 2;
    return count;
}

/* The index is left to calloc() so that the pages of a large one cost nothing until they are used. */
bool shard_init(struct shard *shard, uint64_t bound)
{
    size_t count = bucket_count(bound);
    *shard       = (struct shard){.bound = bound, .mask = (uint32_t) (count - 1)};
    list_init(&shard->queue);
    shard->hand    = &shard->queue;
    shard->buckets = calloc(count, sizeof *shard->buckets);
    if (!shard->buckets)
        return false;
    for (unsigned i = 0; i < SHARD_GATES; i++)
        pthread_mutex_init(&shard->gates[i].lock, NULL);
    shard->bytes = sizeof *shard + allocated(shard->buckets);
    return true;
}

void shard_fini(struct shard *shard)
{
    LIST_EACH (link, next, &shard->queue) {
        free(CONTAINER_OF(link, struct entry, queue));
    }
    free(shard->buckets);
    for (unsigned i = 0; i < SHARD_GATES; i++)
        pthread_mutex_destroy(&shard->gates[i].lock);
}

void shard_lock_read(struct shard *shard, unsigned reader)
{
    pthread_mutex_lock(&shard->gates[reader % SHARD_GATES].lock);
}

void shard_unlock_read(struct shard *shard, unsigned reader)
{
    pthread_mutex_unlock(&shard->gates[reader % SHARD_GATES].lock);
}

void shard_lock(struct shard *shard)
{
    for (unsigned i = 0; i < SHARD_GATES; i++)
        pthread_mutex_lock(&shard->gates[i].lock);
}

void shard_unlock(struct shard *shard)
{
    for (unsigned i = 0; i < SHARD_GATES; i++)
        pthread_mutex_unlock(&shard->gates[i].lock);
}

static void index_add(struct shard *shard, struct entry *entry)
{
    struct entry **bucket = &shard->buckets[entry->hash & shard->mask];
    entry->next           = *bucket;
    *bucket               = entry;
}

static void index_remove(struct shard *shard, struct entry *entry)
{
    struct entry **at = &shard->buckets[entry->hash & shard->mask];
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
}

void shard_resize(struct shard *shard, uint64_t bound)
{
    size_t count = bucket_count(bound);
    shard->bound = bound;
    if (count - 1 == shard->mask)
        return;
    struct entry **buckets = calloc(count, sizeof *buckets);
    if (!buckets)
        return;
    shard->bytes += allocated(buckets);
    shard->bytes -= allocated(shard->buckets);
    free(shard->buckets);
    shard->buckets = buckets;
    shard->mask    = (uint32_t) (count - 1);
    LIST_EACH (link, next, &shard->queue) {
        index_add(shard, CONTAINER_OF(link, struct entry, queue));
    }
}

bool shard_fits(const struct shard *shard, uint64_t bytes)
{
    uint64_t fixed = sizeof *shard + allocated(shard->buckets);
    return fixed <= shard->bound && bytes <= shard->bound - fixed;
}

void shard_drop(struct shard *shard, struct entry *entry)
{
    if (shard->hand == &entry->queue)
        shard->hand = entry->queue.prev;
    index_remove(shard, entry);
    list_remove(&entry->queue);
    shard->bytes -= entry_bytes(entry);
    shard->entries--;
    free(entry);
}

static void shard_evict(struct shard *shard, entry_useless_fn useless, const void *context)
{
    for (;;) {
        if (shard->hand == &shard->queue)
            shard->hand = shard->queue.prev;
        struct entry *entry = CONTAINER_OF(shard->hand, struct entry, queue);
        if (!atomic_load_explicit(&entry->marked, memory_order_relaxed) || useless(context, entry)) {
            shard_drop(shard, entry);
            shard->evictions++;
            return;
        }
        atomic_store_explicit(&entry->marked, false, memory_order_relaxed);
        shard->hand = shard->hand->prev;
    }
}

void shard_insert(struct shard *shard, struct entry *entry, entry_useless_fn useless, const void *context)
{
    uint64_t bytes = entry_bytes(entry);
    assert(shard_fits(shard, bytes));
    while (shard->bytes + bytes > shard->bound)
        shard_evict(shard, useless, context);
    index_add(shard, entry);
    list_prepend(&shard->queue, &entry->queue);
    shard->bytes += bytes;
    shard->entries++;
    shard->stores++;
}
