/*
 * delegation.c: see delegation.h.
 */
#include "probe/delegation.h"

#include "policy/attribution.h"

#include <stdlib.h>
#include <string.h>

struct lookup {
    struct list         link;
    struct delegations *delegations;
    struct name         zone;
    bool                ended, alone; /* alone: nobody doubts the zone any more */
    unsigned            running;
    struct delegation   result;
    struct errand       servers;
    struct errand       hosts[2 * DELEGATION_HOSTS];
};

static struct zone *entry_of(const struct lookup *lookup)
{
    return table_get(learner_table(lookup->delegations->learner), name_view(&lookup->zone), SCOPE_ZONE, 0);
}

static void drop(struct lookup *lookup)
{
    errand_cancel(lookup->delegations->errands, &lookup->servers);
    for (unsigned i = 0; i < ARRAY_LEN(lookup->hosts); i++)
        errand_cancel(lookup->delegations->errands, &lookup->hosts[i]);
    lookup->ended = true;
    lookup->delegations->count--;
    list_remove(&lookup->link);
    list_append(&lookup->delegations->finished, &lookup->link);
}

static void end(struct lookup *lookup)
{
    lookup->ended      = true;
    struct zone *entry = entry_of(lookup);
    if (entry)
        learner_place(lookup->delegations->learner, entry, &lookup->result);
    if (lookup->alone)
        drop(lookup);
}

/* ---- asking ---- */

static void add_address(struct lookup *lookup, const struct record *record)
{
    struct delegation *result                 = &lookup->result;
    uint8_t            address[ADDRESS_BYTES] = {[10] = 0xff, [11] = 0xff};
    bool               v4                     = record->type == TYPE_A && record->data.len == 4;
    bool               v6                     = record->type == TYPE_AAAA && record->data.len == ADDRESS_BYTES;
    if ((!v4 && !v6) || result->address_count >= SET_ADDRESSES)
        return;
    memcpy(v4 ? address + 12 : address, record->data.data, record->data.len);
    for (unsigned i = 0; i < result->address_count; i++)
        if (memcmp(result->addresses[i], address, ADDRESS_BYTES) == 0)
            return;
    memcpy(result->addresses[result->address_count++], address, ADDRESS_BYTES);
}

static void add_name(struct lookup *lookup, const struct message *reply, const struct record *record)
{
    struct delegation *result = &lookup->result;
    size_t             end_of_name;
    if (record->type == TYPE_NS && result->name_count < DELEGATION_NAMES &&
        name_unpack(reply->wire, record->data_at, &result->names[result->name_count], &end_of_name))
        result->name_count++;
}

/* A nameserver below an alias has the addresses that the chain ends at (that is forbidden, and done: RFC 2181, 10.3),
 * so the owner of an address does not matter. */
static void read_reply(void *owner, struct errand *errand, const struct message *reply)
{
    struct lookup *lookup = owner;
    struct record  record = {0};
    while (message_next(reply, &record)) {
        if (record.section != SECTION_ANSWER || record.class != CLASS_IN)
            continue;
        if (errand == &lookup->servers)
            add_name(lookup, reply, &record);
        else
            add_address(lookup, &record);
    }
}

static void on_done(void *owner, struct errand *errand, msec_t now);

static void ask(struct lookup *lookup, struct errand *errand, struct view name, uint16_t type, msec_t now)
{
    struct errands *errands  = lookup->delegations->errands;
    struct setup   *setup    = errands->env->setup;
    struct group   *external = &setup->groups[SETUP_EXTERNAL];
    int             pick     = group_pick(external, 0, now);
    if (pick < 0 || !attribution_is_open(setup->policy, name) || !errand_within_quota(errands, now))
        return;
    *errand = (struct errand){
        .life    = DELEGATION_LIFE,
        .resend  = DELEGATION_RESEND,
        .read    = read_reply,
        .done    = on_done,
        .owner   = lookup,
        .inquiry = {.type = type, .class = CLASS_IN},
    };
    name_set_lower(&errand->inquiry.name, name);
    lookup->running++;
    if (!errand_start(errands, errand, external->servers[pick], now))
        lookup->running--;
}

static void ask_hosts(struct lookup *lookup, msec_t now)
{
    for (unsigned i = 0; i < lookup->result.name_count && i < DELEGATION_HOSTS; i++) {
        ask(lookup, &lookup->hosts[2 * i], name_view(&lookup->result.names[i]), TYPE_A, now);
        ask(lookup, &lookup->hosts[2 * i + 1], name_view(&lookup->result.names[i]), TYPE_AAAA, now);
    }
}

static void on_done(void *owner, struct errand *errand, msec_t now)
{
    struct lookup *lookup = owner;
    if (errand == &lookup->servers) {
        delegation_sort(&lookup->result);
        if (!learner_knows_set(lookup->delegations->learner, &lookup->result))
            ask_hosts(lookup, now);
    }
    if (--lookup->running == 0)
        end(lookup);
}

static struct lookup *find(const struct delegations *delegations, struct view zone)
{
    LIST_EACH (item, next, &delegations->list) {
        struct lookup *lookup = CONTAINER_OF(item, struct lookup, link);
        if (name_equal(name_view(&lookup->zone), zone))
            return lookup;
    }
    return NULL;
}

/* ---- public ---- */

void delegations_init(struct delegations *delegations)
{
    list_init(&delegations->list);
    list_init(&delegations->finished);
}

void delegations_begin(struct delegations *delegations, struct view zone, msec_t now)
{
    if (delegations->count >= LIMIT_CONFIRMATIONS || find(delegations, zone))
        return;
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    if (!lookup)
        return;
    lookup->delegations = delegations;
    name_set_lower(&lookup->zone, zone);
    list_append(&delegations->list, &lookup->link);
    delegations->count++;
    delegations->stats->delegations++;
    lookup->running++; /* it does not end while this goes on */
    ask(lookup, &lookup->servers, zone, TYPE_NS, now);
    if (--lookup->running == 0)
        end(lookup);
}

const struct delegation *delegations_result(const struct delegations *delegations, struct view zone)
{
    const struct lookup *lookup = find(delegations, zone);
    return lookup && lookup->ended ? &lookup->result : NULL;
}

void delegations_doubt_ended(struct delegations *delegations, struct view zone, struct zone *entry)
{
    struct lookup *lookup = find(delegations, zone);
    if (!lookup)
        return;
    if (entry && lookup->ended)
        learner_place(delegations->learner, entry, &lookup->result);
    lookup->alone = true;
    if (!entry || lookup->ended)
        drop(lookup);
}

void delegations_tend(struct delegations *delegations)
{
    LIST_EACH (item, next, &delegations->finished) {
        list_remove(item);
        free(CONTAINER_OF(item, struct lookup, link));
    }
}

void delegations_clear(struct delegations *delegations)
{
    LIST_EACH (item, next, &delegations->list)
        drop(CONTAINER_OF(item, struct lookup, link));
    delegations_tend(delegations);
}
