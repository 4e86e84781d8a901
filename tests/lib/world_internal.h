/*
 * world_internal.h: what world.c (time, network, clients) and world_life.c (making, looking, ending) share.
 */
#ifndef LIB_WORLD_INTERNAL_H
#define LIB_WORLD_INTERNAL_H

#include "lib/agenda.h"
#include "lib/world.h"
#include "lib/world_reply.h"

enum {
    WORLD_WORKERS = 8,
    WORLD_SERVERS = 24,
    WORLD_CANARY  = WORLD_SERVERS, /* its place, behind those of the groups */
    WORLD_PLACES,
    WORLD_SAYINGS   = 1024,
    WORLD_CUTS      = 4096,
    WORLD_INJECTORS = 16,
    WORLD_EVENTS    = 8192,
    WORLD_TICKETS   = 8192,
    WORLD_SENDINGS  = 60000,
    WORLD_ASKS      = 6000,
    WORLD_BEGIN     = 1000000, /* ms: times of the logic are never near 0 */
    OBSERVE_DELAY   = 1,
    SEARCH_BACK     = 11000, /* ms: a query lives 10 s */
    TIMES_IN_SECOND = 2000,  /* wake-ups of one engine or prober; more is a busy loop */
};

enum event_kind {
    EVENT_PACKET,
    EVENT_UNREACHABLE,
    EVENT_OBSERVATION
};

struct ticket {
    bool             open;
    uint32_t         number; /* of its use: an event of an earlier one is void */
    struct exchange *exchange;
    enum transport   transport;
    int              by; /* worker; -1: the prober */
};

struct event {
    enum event_kind kind;
    struct ticket  *ticket;
    uint32_t        number;
    size_t          len;
    union {
        uint8_t            bytes[WORLD_REPLY_MAX];
        struct observation observation;
    };
};

struct saying {
    unsigned      servers;
    struct name   zone;
    struct manner manner;
};

struct alias {
    struct name name, target;
};

struct limiter {
    struct world_rate rate;
    msec_t            left; /* thousandths of a question */
    msec_t            at;   /* as of then */
};

struct injector {
    unsigned    servers;
    struct name zone;
    msec_t      after;
};

struct driver { /* context of one engine's or the prober's effects */
    struct world *world;
    int           by;
    msec_t        second; /* wake-ups are counted in it */
    unsigned      wakes;
};

enum {
    WORLD_JOURNAL = 4 << 20, /* bytes */
};

struct journal { /* records, each behind its length */
    size_t  len;
    uint8_t bytes[WORLD_JOURNAL];
};

struct world {
    msec_t               now;
    struct rng           rng;
    struct world_options options;
    struct shared        shared;
    struct external_rate quota;
    struct name          echo;
    struct setup        *setup;
    struct server       *servers[WORLD_PLACES];
    struct learner      *learner;
    struct prober       *prober;
    struct driver        drivers[WORLD_WORKERS + 1];
    struct engine       *engines[WORLD_WORKERS];
    unsigned             complaints;
    struct observation   complaint;
    size_t               say_count, cut_count, alias_count, host_count, ask_count, sending_count, open;
    struct agenda        agenda;
    struct agenda_item   items[WORLD_EVENTS];
    struct event        *spare[WORLD_EVENTS];
    struct event         events[WORLD_EVENTS];
    struct ticket        tickets[WORLD_TICKETS];
    struct saying        sayings[WORLD_SAYINGS];
    struct name          cuts[WORLD_CUTS];
    struct alias         aliases[WORLD_CUTS];
    struct alias         hosts[WORLD_CUTS]; /* of a zone */
    struct injector      injectors[WORLD_INJECTORS];
    size_t               injector_count;
    struct limiter       limiters[WORLD_PLACES];
    struct limiter      *limits[WORLD_PLACES]; /* one of these each; NULL: none */
    struct ask           asks[WORLD_ASKS];
    struct sending       sendings[WORLD_SENDINGS];
    uint8_t              out[LIMIT_TCP_MESSAGE];
    struct journal       journal;
};

struct learner_limits world_learner_limits(const struct world *world);

/* How a server treats that question now. */
struct manner world_manner_for(struct world *world, unsigned place, const struct message *question,
                               enum transport transport);
/* What is true of the name, whoever is asked. */
struct world_facts world_facts_for(const struct world *world, unsigned place, struct view name);

/* As the keeper does after a zone has changed. */
void world_journal_note(struct world *world, struct zone *zone, bool removed);
/* Reading it all again gives the same kept zones. */
void world_journal_check(struct world *world);

/* The effects of engines and prober; `context` is a struct driver. */
bool world_effect_send(void *context, struct exchange *exchange, struct view query);
void world_effect_release(void *context, struct exchange *exchange, enum transport transport);
void world_effect_answer(void *context, const struct path *path, struct view answer);
void world_effect_observe(void *context, const struct observation *observation);

static inline unsigned world_group(unsigned place) { return place / WORLD_GROUP_BITS; }

#endif
