/*
 * nameservers.c: see nameservers.h.
 */
#include "learn/nameservers.h"

#include "base/limits.h"
#include "learn/table.h"

#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = LIMIT_NAMESERVER_SETS /* a power of two */
};

struct nameservers {
    struct hash_key        key;
    size_t                 count;
    struct nameserver_set *sets[SLOTS];
    struct nameserver     *addresses[SLOTS];
};

struct nameservers *nameservers_create(struct hash_key key)
{
    struct nameservers *nameservers = calloc(1, sizeof(*nameservers));
    if (nameservers)
        nameservers->key = key;
    return nameservers;
}

void nameservers_destroy(struct nameservers *nameservers) { free(nameservers); }

static int compare_names(const void *a, const void *b) { return name_compare(name_view(a), name_view(b)); }

void delegation_sort(struct delegation *result)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < result->name_count; i++)
        name_lower(result->names[i].wire, result->names[i].len);
    qsort(result->names, result->name_count, sizeof(result->names[0]), compare_names);
    for (unsigned i = 0; i < result->name_count; i++)
        if (kept == 0 || compare_names(&result->names[kept - 1], &result->names[i]) != 0)
            result->names[kept++] = result->names[i];
    result->name_count = kept < SET_NAMES ? kept : SET_NAMES;
}

/* ---- addresses ---- */

static struct nameserver **place_of(const struct nameservers *nameservers, const uint8_t *address)
{
    uint64_t hash = hash_bytes(nameservers->key, address, ADDRESS_BYTES);
    return (struct nameserver **) &nameservers->addresses[hash % SLOTS];
}

static struct nameserver *find_address(const struct nameservers *nameservers, const uint8_t *address)
{
    struct nameserver *server = *place_of(nameservers, address);
    while (server && memcmp(server->address, address, ADDRESS_BYTES) != 0)
        server = server->chain;
    return server;
}

static struct nameserver *take_address(struct nameservers *nameservers, const uint8_t *address)
{
    struct nameserver *server = find_address(nameservers, address);
    if (!server) {
        struct nameserver **place = place_of(nameservers, address);
        if (!(server = calloc(1, sizeof(*server))))
            return NULL;
        memcpy(server->address, address, ADDRESS_BYTES);
        server->chain = *place;
        *place        = server;
    }
    server->sets++;
    return server;
}

static void drop_address(struct nameservers *nameservers, struct nameserver *server)
{
    if (--server->sets > 0)
        return;
    struct nameserver **link = place_of(nameservers, server->address);
    while (*link != server)
        link = &(*link)->chain;
    *link = server->chain;
    free(server);
}

bool nameserver_counts(const struct nameserver *server) { return server->failed > server->fine; }

/* ---- sets ---- */

static uint64_t hash_names(const struct nameservers *nameservers, const struct delegation *result)
{
    uint64_t hash = 0;
    for (unsigned i = 0; i < result->name_count; i++)
        hash = hash * 31 + name_hash(nameservers->key, name_view(&result->names[i]));
    return hash;
}

static bool has_names(const struct nameserver_set *set, const struct delegation *result)
{
    bool same = set->name_count == result->name_count;
    for (unsigned i = 0; same && i < set->name_count; i++)
        same = name_equal(set->names[i], name_view(&result->names[i]));
    return same;
}

struct nameserver_set *nameservers_find(const struct nameservers *nameservers, const struct delegation *result)
{
    uint64_t               hash = hash_names(nameservers, result);
    struct nameserver_set *set  = nameservers->sets[hash % SLOTS];
    while (set && (set->hash != hash || !has_names(set, result)))
        set = set->chain;
    return set;
}

bool nameservers_are_kin(const struct nameservers *nameservers, const struct delegation *result)
{
    const struct nameserver_set *set = result->address_count ? NULL : nameservers_find(nameservers, result);
    unsigned                     all = set ? set->address_count : result->address_count;
    bool                         kin = all > 0;
    for (unsigned i = 0; kin && i < all; i++) {
        const struct nameserver *server = set ? set->addresses[i] : find_address(nameservers, result->addresses[i]);
        kin                             = server && nameserver_counts(server);
    }
    return kin;
}

static void free_set(struct nameservers *nameservers, struct nameserver_set *set)
{
    for (unsigned i = 0; i < set->address_count; i++)
        drop_address(nameservers, set->addresses[i]);
    free(set);
}

static struct nameserver_set *make_set(struct nameservers *nameservers, const struct delegation *result)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < result->name_count; i++)
        bytes += result->names[i].len;
    struct nameserver_set *set = nameservers->count < LIMIT_NAMESERVER_SETS ? calloc(1, sizeof(*set) + bytes) : NULL;
    if (!set)
        return NULL;
    list_init(&set->members);
    uint8_t *at = set->bytes;
    for (unsigned i = 0; i < result->name_count; i++) {
        const struct name *name       = &result->names[i];
        set->names[set->name_count++] = (struct view){memcpy(at, name->wire, name->len), name->len};
        at += name->len;
    }
    for (unsigned i = 0; i < result->address_count; i++) {
        if (!(set->addresses[i] = take_address(nameservers, result->addresses[i]))) {
            free_set(nameservers, set);
            return NULL;
        }
        set->address_count++;
    }
    set->hash                            = hash_names(nameservers, result);
    set->chain                           = nameservers->sets[set->hash % SLOTS];
    nameservers->sets[set->hash % SLOTS] = set;
    nameservers->count++;
    return set;
}

void nameservers_leave(struct nameservers *nameservers, struct zone *zone)
{
    struct nameserver_set *set = zone->set;
    if (!set)
        return;
    list_remove(&zone->kin);
    zone->set = NULL;
    if (--set->member_count > 0)
        return;
    struct nameserver_set **link = &nameservers->sets[set->hash % SLOTS];
    while (*link != set)
        link = &(*link)->chain;
    *link = set->chain;
    nameservers->count--;
    free_set(nameservers, set);
}

bool nameservers_join(struct nameservers *nameservers, struct zone *zone, const struct delegation *result)
{
    struct nameserver_set *set = result->name_count ? nameservers_find(nameservers, result) : NULL;
    if (set && set == zone->set)
        return true;
    if (!set && result->name_count && result->address_count)
        set = make_set(nameservers, result);
    nameservers_leave(nameservers, zone);
    if (!set)
        return false;
    list_init(&zone->kin);
    list_append(&set->members, &zone->kin);
    zone->set = set;
    set->member_count++;
    for (unsigned i = 0; i < set->address_count; i++)
        set->addresses[i]->failed = msec_max(set->addresses[i]->failed, zone->condition.last_failure);
    return true;
}

void nameserver_set_failed(struct nameserver_set *set, msec_t now)
{
    set->good = 0;
    for (unsigned i = 0; i < set->address_count; i++)
        set->addresses[i]->failed = now;
}

void nameserver_set_fine(struct nameserver_set *set, msec_t now)
{
    for (unsigned i = 0; i < set->address_count; i++)
        set->addresses[i]->fine = now;
}
