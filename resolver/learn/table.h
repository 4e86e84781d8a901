/*
 * table.h: the zones that something is known of.
 *
 * What a reader needs of a zone is its name, which never changes, and its verdict, which is one atomic word; so nothing
 * is republished when a zone's state changes. A zone that is taken out is freed after a grace period (liburcu's QSBR):
 * a reading thread registers, holds no zone across table_reader_pause(), and pauses whenever it may sleep.
 *
 * Thread: the keeper writes, all read without locks.
 */
#ifndef LEARN_TABLE_H
#define LEARN_TABLE_H

#include "base/epoch.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/timers.h"
#include "learn/zone.h"

#include <stdatomic.h>

enum pin {
    PIN_NONE,
    PIN_DOMESTIC,
    PIN_EXTERNAL
};

struct dossier;
struct nameserver_set;

struct zone { /* a million of them must fit: mind the padding */
    _Atomic(struct zone *) chain;
    uint64_t               hash;
    _Atomic uint32_t       verdict; /* see struct verdict */
    uint16_t               type;    /* SCOPE_TYPE */
    uint16_t               asked_type;
    _Atomic uint64_t       answered;  /* questions sent the external way because of it */
    _Atomic int64_t        last_used; /* msec_t: when a query last met it */

    /* the writer's alone */
    struct timer     recheck; /* of a blocked or recovering zone */
    struct timer     end;     /* of the pin, or of the life of a suspicion */
    struct condition condition;
    msec_t           pin_until; /* MSEC_NEVER: until unpinned */
    char            *note;      /* of the pin, or NULL */
    union {
        struct dossier *dossier; /* or NULL; the learner's (dossier.h) */
        struct zone    *retired; /* next in the list of those to free */
    };
    struct nameserver_set *set; /* or NULL; the learner's (nameservers.h) */
    struct list            kin; /* if `set`: in its members */
    enum zone_source       source : 8;
    enum pin               pin : 8;
    bool                   proved;     /* clear, and answered by domestic though a zone above it is blocked */
    bool                   stored;     /* the journal has it */
    bool                   waited_out; /* recovering: what a cache had of its question is gone */
    uint16_t               batch;      /* number; 0: none (batch.h) */
    uint16_t               domain;     /* the learner's number of its registrable domain; 0: none */

    /* never changed; apart from the bit fields above, which the writer writes: neighbours among these are one memory
     * location */
    uint8_t         name_len, asked_len; /* bytes */
    enum zone_scope scope : 8;
    uint8_t         asked[]; /* name of the question that failed; its tail is the zone's name */
};

static inline bool        zone_diverts(const struct zone *zone) { return zone_state_diverts(zone->condition.state); }
static inline struct view zone_asked(const struct zone *zone) { return (struct view){zone->asked, zone->asked_len}; }
static inline struct view zone_name(const struct zone *zone)
{
    return (struct view){zone->asked + zone->asked_len - zone->name_len, zone->name_len};
}

struct table;

struct table *table_create(size_t buckets, struct hash_key key);
void          table_destroy(struct table *table); /* no reader is left */

/* Readers. Each thread registers itself before its first table_find() and unregisters before it ends; between pause and
 * resume it may sleep. */
void table_reader_register(void);
void table_reader_unregister(void);
void table_reader_pause(void);
void table_reader_resume(void);

struct verdict {
    enum zone_state  state; /* of what speaks but for the pin, which is closer or not */
    enum zone_reason reason;
    unsigned         strikes;
    enum pin         pin;    /* the closest pin at or above the name, or PIN_NONE */
    bool             proved; /* state is CLEAR because of an entry that says so; nothing farther off counts */
    struct zone     *zone;   /* NULL: nothing is known; valid until the reader pauses */
};
/* What is known of that name and type: the closest pin; else the closest zone that is blocked, unless a closer one was
 * proved fine; else the closest suspicion. */
struct verdict table_find(const struct table *table, struct view name, uint16_t type);

/* The writer. */
struct zone *table_get(const struct table *table, struct view name, enum zone_scope scope, uint16_t type);
/* `asked`, `asked_type`: the question that failed; one that is not at or below `name` becomes the SOA of `name`. NULL:
 * no memory. */
struct zone *table_add(struct table *table, struct view name, enum zone_scope scope, uint16_t type, struct view asked,
                       uint16_t asked_type);
/* Of all that is looked up in this table, and of the setup in force. */
struct epoch *table_epoch(struct table *table);
/* Publishes condition and pin. */
void table_publish(struct zone *zone);
/* Readers no longer find it; the writer may use it until table_reclaim(). */
void table_remove(struct table *table, struct zone *zone);
/* Waits for all readers and frees what was removed. Microseconds to a few ms; call it now and then. */
void   table_reclaim(struct table *table);
size_t table_count(const struct table *table);
/* Visits every zone; the visitor may remove the one it is given. */
void table_each(struct table *table, void (*visit)(void *context, struct zone *zone), void *context);
/* The same for those of this very name, of all scopes: they share a chain. */
void table_each_of(struct table *table, struct view name, void (*visit)(void *context, struct zone *zone),
                   void *context);

/* A walk over the whole table in short steps, between which zones may come and go: those may be visited or not, each
 * once at most. *at is 0 at first. A step visits `most` zones and what shares a chain with the last of them, or less
 * where the table is nearly empty. False: that was the last step. */
bool table_walk(struct table *table, size_t *at, size_t most, void (*visit)(void *context, struct zone *zone),
                void *context);

#endif
