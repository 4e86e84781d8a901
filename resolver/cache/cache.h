/*
 * cache.h: answers, shared by all threads, bounded in bytes.
 *
 * An entry is found only under the very question it answered: nothing from authority or additional
 * ever answers another one. A failure (RFC 9520) is an entry of its own beside the answer, so it never hides a good
 * or a stale one. Split into shards, each with its locks; eviction is SIEVE (scan-resistant, O(1)).
 * Time: seconds of the caller's monotonic clock are derived from `now` (ms).
 *
 * Thread: any.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "cache/failure.h"
#include "dns/answer.h"

struct cache;

struct cache_limits {
    uint64_t memory; /* bytes, all of it: entries, allocator overhead, index */
    uint32_t stale;  /* s after expiry that an answer is kept */
};

struct cache_key {
    struct view name; /* any case */
    uint16_t    type, class;
    bool        dnssec_ok, checking_disabled;
};

/* NULL: no memory. `shards` is a power of two; a flush holds one shard's lock for about 1.5 ms for each MiB in it. */
struct cache *cache_create(const struct cache_limits *limits, struct hash_key key, size_t shards);
void          cache_destroy(struct cache *cache);
/* Takes effect at once; entries over the new bound go with the next stores. */
void cache_set_limits(struct cache *cache, const struct cache_limits *limits);

enum cache_answer {
    CACHE_MISS,
    CACHE_FRESH,   /* `out` has the client's answer */
    CACHE_STALE,   /* the same from an expired entry: only if `allow_stale`; positive answers only (ANSWER) */
    CACHE_FAILURE, /* a failure is cached and nothing fresh: nothing was written */
};

struct cache_hit {
    size_t       len;     /* bytes written to `out` */
    uint8_t      origin;  /* as stored */
    enum failure failure; /* CACHE_FAILURE: why */
};

/* Answers `query` (its CD flag and dnssec_ok are part of the key) straight into `out`. An answer whose origin is
 * `external_origin` gets EDE `external_ede` (EDE_NONE: nothing); a stale one EDE_STALE_ANSWER. Allocates nothing; holds
 * one lock for the copy, which no other thread takes to read unless it has the same `reader` (shard.h). */
struct cache_read {
    msec_t   now;
    msec_t   since;  /* what was stored then or later is fresh, whatever its TTL: the reader has waited for it; 0: no */
    unsigned reader; /* number of the thread, from 0 */
    bool     allow_stale;
    uint8_t  external_origin;
    int      external_ede;
};
enum cache_answer cache_get(struct cache *cache, const struct client_query *query, const struct cache_read *read,
                            uint8_t *out, size_t cap, struct cache_hit *ret);

struct cache_entry {
    struct stored stored;   /* borrowed; copied */
    uint32_t      ttl;      /* s, as clamped */
    uint8_t       origin;   /* group index it came from */
    bool          negative; /* NXDOMAIN or NODATA: never served stale */
};
/* Replaces what was there, and drops a failure for the same key. Too large for a shard, no memory, or a message whose
 * question is not the key's: nothing is stored and nothing dropped, false. */
bool cache_put(struct cache *cache, const struct cache_key *key, const struct cache_entry *entry, msec_t now);

/* Notes a failure for as long as its kind holds (failure.h); HOLD_NOT: not at all. While one still holds, another is
 * ignored: threads may report the same. */
void cache_put_failure(struct cache *cache, const struct cache_key *key, enum failure failure, msec_t now);
/* An upstream that was silent answers again: failures that are forgiven then, and were noted until now, hold no longer.
 * Any thread; costs no walk. */
void cache_forgive(struct cache *cache, msec_t now);

/* Drops everything of that name / at or below that name / all. Returns entries dropped. */
size_t cache_flush_name(struct cache *cache, struct view name);
size_t cache_flush_under(struct cache *cache, struct view zone);
size_t cache_flush_all(struct cache *cache);

/* One entry, for people. */
struct cache_line {
    struct cache_key key;     /* its name in lower case */
    struct view      message; /* stored message; empty for a failure */
    bool             failure;
    uint8_t          origin;
    int64_t          ttl_left; /* s; negative: stale since */
};
/* Calls `each` for every entry of `name`, under the shard's lock: it must copy what it keeps and must not call the
 * cache. */
typedef void (*cache_each_fn)(void *context, const struct cache_line *line);
void cache_each(struct cache *cache, struct view name, msec_t now, cache_each_fn each, void *context);

struct cache_stats {
    uint64_t entries, bytes, evictions, stores, memory;
};
void cache_read_stats(struct cache *cache, struct cache_stats *ret);

#endif
