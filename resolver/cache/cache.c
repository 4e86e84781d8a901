/*
 * cache.c: what a stored answer means: which question finds it, how long it is fresh, stale, or of no use. It must not
 * know policy or verdicts. Workers read and store from all threads, the control socket shows and flushes.
 *
 * Times: an answer stored at S with a TTL of T s is fresh before S+T, stale before S+T+`stale` if it is positive, then
 * useless. A failure that holds for T s keeps new waiters away before S+T, and for another FAILURE_MEMORY s remembers
 * how long it held, so that the next one holds twice as long.
 *
 * All entries of one name stand in one shard; within it each type has a bucket of its own.
 */
#include "cache/cache.h"

#include "base/bytes.h"
#include "cache/shard.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    FAILURE_OURS    = 1,   /* s that a limit of our own holds (RFC 9520, 3.2: at least 1 s) */
    FAILURE_FIRST   = 5,   /* s that a first failure of the name's holds */
    FAILURE_LONGEST = 300, /* s it never exceeds (the same: at most 5 min) */
    FAILURE_MEMORY  = 300, /* s after its end in which a new failure follows it */
    SECOND          = 1000,
};

struct cache {
    struct hash_key key;
    size_t          count; /* of shards, a power of two */
    uint64_t        memory;
    uint32_t        stale;
    _Atomic msec_t  forgiven; /* failures of the network until then hold no longer */
    struct shard   *shards;
};

/* A key with all that is computed from it once. */
struct place {
    const struct cache_key *key;
    struct shard           *shard;
    uint32_t                hash;
};

/* For entry_useless_fn. */
struct moment {
    msec_t   now;
    uint32_t stale;
};

static msec_t entry_end(const struct entry *entry) { return entry->stored + (msec_t) entry->ttl * SECOND; }

static bool entry_useless(const void *context, const struct entry *entry)
{
    const struct moment *moment = context;
    msec_t               extra  = entry->failure ? FAILURE_MEMORY : entry->negative ? 0 : (msec_t) moment->stale;
    return moment->now >= entry_end(entry) + extra * SECOND;
}

static bool failure_holds(struct cache *cache, const struct entry *failure, msec_t now)
{
    bool forgiven = failure_traits(failure->cause).forgiven &&
                    failure->stored <= atomic_load_explicit(&cache->forgiven, memory_order_relaxed);
    return now < entry_end(failure) && !forgiven;
}

static struct moment moment_of(const struct cache *cache, msec_t now)
{
    return (struct moment){.now = now, .stale = __atomic_load_n(&cache->stale, __ATOMIC_RELAXED)};
}

struct cache *cache_create(const struct cache_limits *limits, struct hash_key key, size_t shards)
{
    assert(shards > 0 && (shards & (shards - 1)) == 0);
    struct cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    *cache        = (struct cache){.key = key, .memory = limits->memory, .stale = limits->stale, .forgiven = INT64_MIN};
    cache->shards = aligned_alloc(_Alignof(struct shard), shards * sizeof *cache->shards);
    while (cache->shards && cache->count < shards) {
        if (!shard_init(&cache->shards[cache->count], limits->memory / shards))
            break;
        cache->count++;
    }
    if (cache->count < shards) {
        cache_destroy(cache);
        return NULL;
    }
    return cache;
}

void cache_destroy(struct cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < cache->count; i++)
        shard_fini(&cache->shards[i]);
    free(cache->shards);
    free(cache);
}

void cache_set_limits(struct cache *cache, const struct cache_limits *limits)
{
    __atomic_store_n(&cache->stale, limits->stale, __ATOMIC_RELAXED);
    __atomic_store_n(&cache->memory, limits->memory, __ATOMIC_RELAXED);
    for (size_t i = 0; i < cache->count; i++) {
        struct shard *shard = &cache->shards[i];
        shard_lock(shard);
        shard_resize(shard, limits->memory / cache->count);
        shard_unlock(shard);
    }
}

/* The keyed hash of the name picks the shard. The rest of the key goes through a mixer of the splitmix64 family, whose
 * every output bit depends on every input bit, so the bucket says nothing of the shard. */
static struct place cache_place(struct cache *cache, const struct cache_key *key)
{
    uint64_t name = name_hash(cache->key, key->name);
    uint64_t rest = (uint64_t) key->type << 18 | (uint64_t) key->class << 2 | (uint64_t) key->dnssec_ok << 1 |
                    (uint64_t) key->checking_disabled;
    uint64_t mix = name ^ rest * 0x9e3779b97f4a7c15u;
    mix          = (mix ^ mix >> 30) * 0xbf58476d1ce4e5b9u;
    mix          = (mix ^ mix >> 27) * 0x94d049bb133111ebu;
    return (struct place){
        .key = key, .shard = &cache->shards[name & (cache->count - 1)], .hash = (uint32_t) (mix >> 32)};
}

static struct view entry_name(const struct entry *entry)
{
    return (struct view){entry_question(entry), entry->name_len};
}

static bool entry_answers(const struct entry *entry, const struct place *place)
{
    const struct cache_key *key  = place->key;
    const uint8_t          *rest = entry_question(entry) + entry->name_len;
    return entry->hash == place->hash && entry->dnssec_ok == key->dnssec_ok &&
           entry->checking_disabled == key->checking_disabled && get_u16(rest) == key->type &&
           get_u16(rest + 2) == key->class && name_equal(entry_name(entry), key->name);
}

/* Both may be there at once. NULL where there is none. */
static void place_look(const struct place *place, struct entry **ret_answer, struct entry **ret_failure)
{
    *ret_answer = *ret_failure = NULL;
    for (struct entry *entry = shard_bucket(place->shard, place->hash); entry != NULL; entry = entry->next)
        if (entry_answers(entry, place))
            *(entry->failure ? ret_failure : ret_answer) = entry;
}

static bool was_waited_for(const struct entry *entry, const struct cache_read *read)
{
    return read->since > 0 && entry->stored >= read->since;
}

/* Serves from `entry`, which is of use, if it may be served now. CACHE_MISS: it may not. */
static enum cache_answer entry_serve(struct entry *entry, const struct client_query *query,
                                     const struct cache_read *read, uint8_t *out, size_t cap, struct cache_hit *ret)
{
    bool stale = read->now >= entry_end(entry) && !was_waited_for(entry, read);
    if (stale && !read->allow_stale)
        return CACHE_MISS;

    int ede = EDE_NONE;
    if (stale)
        ede = EDE_STALE_ANSWER;
    else if (entry->origin == read->external_origin)
        ede = read->external_ede;
    struct stored stored = {.message = {entry->data, entry->message_len},
                            .ttls    = {entry->data + entry->message_len, entry->ttls_len}};
    msec_t        age    = msec_max(read->now - entry->stored, 0) / SECOND;
    size_t        len    = answer_write(query, &stored, (uint32_t) age, stale, ede, out, cap);
    if (len == 0)
        return CACHE_MISS;
    *ret = (struct cache_hit){.len = len, .origin = entry->origin, .failure = FAILURE_NONE};
    return stale ? CACHE_STALE : CACHE_FRESH;
}

enum cache_answer cache_get(struct cache *cache, const struct client_query *query, const struct cache_read *read,
                            uint8_t *out, size_t cap, struct cache_hit *ret)
{
    struct cache_key  key    = {.name              = name_view(&query->name),
                                .type              = query->type,
                                .class             = query->class,
                                .dnssec_ok         = query->dnssec_ok,
                                .checking_disabled = (query->flags & FLAG_CD) != 0};
    struct place      place  = cache_place(cache, &key);
    struct moment     moment = moment_of(cache, read->now);
    enum cache_answer answer = CACHE_MISS;
    struct entry     *entry, *failure;
    shard_lock_read(place.shard, read->reader);
    place_look(&place, &entry, &failure);
    if (entry && (!entry_useless(&moment, entry) || was_waited_for(entry, read)) &&
        (answer = entry_serve(entry, query, read, out, cap, ret)) != CACHE_MISS) {
        entry_mark(entry);
    } else if (failure && failure_holds(cache, failure, read->now)) {
        *ret = (struct cache_hit){.failure = failure->cause};
        entry_mark(failure);
        answer = CACHE_FAILURE;
    }
    shard_unlock_read(place.shard, read->reader);
    return answer;
}

/* The stored question is what the entry is found by, so it must be the key's. */
static bool question_is(struct view message, const struct cache_key *key)
{
    if (message.len < MESSAGE_HEADER + key->name.len + 4 || get_u16(message.data + 4) != 1)
        return false;
    struct view name = {message.data + MESSAGE_HEADER, key->name.len};
    return name_check(name) == name.len && name_equal(name, key->name) && get_u16(name.data + name.len) == key->type &&
           get_u16(name.data + name.len + 2) == key->class;
}

static struct entry *entry_from_answer(const struct place *place, const struct cache_entry *from, msec_t now)
{
    struct view   message = from->stored.message, ttls = from->stored.ttls;
    struct entry *entry = entry_new(message.len + ttls.len);
    if (!entry)
        return NULL;
    memcpy(entry->data, message.data, message.len);
    name_lower(entry->data + MESSAGE_HEADER, place->key->name.len);
    if (ttls.len > 0)
        memcpy(entry->data + message.len, ttls.data, ttls.len);
    entry->stored            = now;
    entry->hash              = place->hash;
    entry->ttl               = from->ttl;
    entry->message_len       = (uint32_t) message.len;
    entry->ttls_len          = (uint32_t) ttls.len;
    entry->cause             = FAILURE_NONE;
    entry->name_len          = (uint8_t) place->key->name.len;
    entry->origin            = from->origin;
    entry->dnssec_ok         = place->key->dnssec_ok;
    entry->checking_disabled = place->key->checking_disabled;
    entry->negative          = from->negative;
    return entry;
}

bool cache_put(struct cache *cache, const struct cache_key *key, const struct cache_entry *entry, msec_t now)
{
    if (!question_is(entry->stored.message, key))
        return false;
    struct place  place = cache_place(cache, key);
    struct entry *fresh = entry_from_answer(&place, entry, now);
    if (!fresh)
        return false;

    struct moment moment = moment_of(cache, now);
    struct entry *old, *failure;
    shard_lock(place.shard);
    bool fits = shard_fits(place.shard, entry_bytes(fresh));
    if (fits) {
        place_look(&place, &old, &failure);
        if (old) {
            if (atomic_load_explicit(&old->marked, memory_order_relaxed))
                entry_mark(fresh);
            shard_drop(place.shard, old);
        }
        if (failure)
            shard_drop(place.shard, failure);
        shard_insert(place.shard, fresh, entry_useless, &moment);
    }
    shard_unlock(place.shard);
    if (!fits)
        free(fresh);
    return fits;
}

static struct entry *entry_from_failure(const struct place *place)
{
    struct view   name  = place->key->name;
    struct entry *entry = entry_new(name.len + 4);
    if (!entry)
        return NULL;
    memcpy(entry->data, name.data, name.len);
    name_lower(entry->data, name.len);
    put_u16(entry->data + name.len, place->key->type);
    put_u16(entry->data + name.len + 2, place->key->class);
    entry->hash              = place->hash;
    entry->name_len          = (uint8_t) name.len;
    entry->dnssec_ok         = place->key->dnssec_ok;
    entry->checking_disabled = place->key->checking_disabled;
    entry->failure           = true;
    return entry;
}

/* s that it holds; `before`: of the one that it follows, 0: of none. */
static uint32_t failure_ttl(enum failure_hold hold, uint32_t before)
{
    if (hold == HOLD_OURS)
        return FAILURE_OURS;
    if (hold == HOLD_SILENCE || before < FAILURE_FIRST)
        return FAILURE_FIRST;
    return before * 2 < FAILURE_LONGEST ? before * 2 : FAILURE_LONGEST;
}

/* Several threads may report one failure: while it still holds, it neither grows nor begins anew. */
void cache_put_failure(struct cache *cache, const struct cache_key *key, enum failure cause, msec_t now)
{
    enum failure_hold hold = failure_traits(cause).hold;
    if (hold == HOLD_NOT)
        return;
    struct place  place  = cache_place(cache, key);
    struct moment moment = moment_of(cache, now);
    struct entry *answer, *failure, *fresh = NULL;
    shard_lock(place.shard);
    place_look(&place, &answer, &failure);
    if (!failure) {
        failure = fresh = entry_from_failure(&place);
        if (!fresh || !shard_fits(place.shard, entry_bytes(fresh)))
            goto out;
        failure->ttl = 0;
    } else if (failure_holds(cache, failure, now)) {
        goto out;
    } else if (entry_useless(&moment, failure)) {
        failure->ttl = 0;
    }
    failure->ttl    = failure_ttl(hold, failure->ttl);
    failure->stored = now;
    failure->cause  = (uint8_t) cause;
    if (fresh)
        shard_insert(place.shard, fresh, entry_useless, &moment);
    fresh = NULL;
out:
    shard_unlock(place.shard);
    free(fresh);
}

void cache_forgive(struct cache *cache, msec_t now)
{
    atomic_store_explicit(&cache->forgiven, now, memory_order_relaxed);
}

typedef bool (*flush_match_fn)(struct view name, struct view wanted);

static size_t shard_flush(struct shard *shard, flush_match_fn match, struct view wanted)
{
    size_t dropped = 0;
    shard_lock(shard);
    LIST_EACH (link, next, &shard->queue) {
        struct entry *entry = CONTAINER_OF(link, struct entry, queue);
        if (match(entry_name(entry), wanted)) {
            shard_drop(shard, entry);
            dropped++;
        }
    }
    shard_unlock(shard);
    return dropped;
}

size_t cache_flush_name(struct cache *cache, struct view name)
{
    struct cache_key key = {.name = name};
    return shard_flush(cache_place(cache, &key).shard, name_equal, name);
}

size_t cache_flush_under(struct cache *cache, struct view zone)
{
    size_t dropped = 0;
    for (size_t i = 0; i < cache->count; i++)
        dropped += shard_flush(&cache->shards[i], name_is_at_or_below, zone);
    return dropped;
}

size_t cache_flush_all(struct cache *cache)
{
    static const uint8_t root[] = {0};
    return cache_flush_under(cache, (struct view){root, sizeof root});
}

static struct cache_line line_of(const struct entry *entry, msec_t now)
{
    const uint8_t *rest = entry_question(entry) + entry->name_len;
    return (struct cache_line){
        .key      = {.name              = entry_name(entry),
                     .type              = get_u16(rest),
                     .class             = get_u16(rest + 2),
                     .dnssec_ok         = entry->dnssec_ok,
                     .checking_disabled = entry->checking_disabled},
        .message  = {entry->failure ? NULL : entry->data, entry->message_len},
        .failure  = entry->failure,
        .origin   = entry->origin,
        .ttl_left = (int64_t) entry->ttl - msec_max(now - entry->stored, 0) / SECOND,
    };
}

void cache_each(struct cache *cache, struct view name, msec_t now, cache_each_fn each, void *context)
{
    struct cache_key key    = {.name = name};
    struct shard    *shard  = cache_place(cache, &key).shard;
    struct moment    moment = moment_of(cache, now);
    shard_lock(shard);
    LIST_EACH (link, next, &shard->queue) {
        const struct entry *entry = CONTAINER_OF(link, struct entry, queue);
        bool                over  = entry->failure ? !failure_holds(cache, entry, now) : entry_useless(&moment, entry);
        if (over || !name_equal(entry_name(entry), name))
            continue;
        struct cache_line line = line_of(entry, now);
        each(context, &line);
    }
    shard_unlock(shard);
}

void cache_read_stats(struct cache *cache, struct cache_stats *ret)
{
    *ret = (struct cache_stats){.memory = __atomic_load_n(&cache->memory, __ATOMIC_RELAXED)};
    for (size_t i = 0; i < cache->count; i++) {
        struct shard *shard = &cache->shards[i];
        shard_lock(shard);
        ret->entries += shard->entries;
        ret->bytes += shard->bytes;
        ret->evictions += shard->evictions;
        ret->stores += shard->stores;
        shard_unlock(shard);
    }
}
