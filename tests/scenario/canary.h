/*
 * canary.h: a world with a canary, and a border that forges: what the tests of both sides' deception share.
 */
#ifndef SCENARIO_CANARY_H
#define SCENARIO_CANARY_H

#include "lib/world.h"

#include "lib/check.h"
#include "probe/canary.h"
#include "query/query.h"

#include <stdio.h>

enum {
    WAIT     = 250,
    STRANGER = 0x1f0d5801, /* 31.13.88.1 */
    HOUR     = 3600 * 1000
};

static const struct world_options watchful = {.seed = 1, .domestic = 1, .external = 1, .canary = true};

static inline struct world *watchful_world(const struct world_options *options)
{
    struct world *world = world_create(options);
    world_warm_up(world);
    world_run(world, CANARY_LIFE);
    return world;
}

/* The border forges the zone for all who ask across it, and domestic believes it. */
static inline void censor(struct world *world, const char *zone)
{
    SAY(world, CANARY, zone, FORGES);
    SAY(world, DOMESTIC, zone, HAS_NO_DATA, .no_soa = true);
    SAY(world, DOMESTIC, zone, ANSWERS, .type = TYPE_A, .address = STRANGER);
}

static inline void assert_true_answer(const struct ask *ask, int group)
{
    assert_int_equal(ask->rcode, RCODE_NOERROR);
    assert_int_equal(ask->records, 1);
    assert_int_equal(ask->group, group);
    assert_int_not_equal(ask->address, STRANGER);
}

static inline msec_t time_of(struct world *world, const char *name, uint16_t type)
{
    return world_wait(world, world_ask(world, name, type));
}

static inline size_t tried(const struct world *world, const char *zone)
{
    return world_count(world, CANARY, zone, BY_ALL);
}

/* The zone is served inside; external's recursion crosses the border inwards and is believed. */
static inline void deceive_external(struct world *world, const char *zone)
{
    SAY(world, CANARY, zone, FORGES);
    SAY(world, EXTERNAL, zone, HAS_NO_DATA, .no_soa = true);
    SAY(world, EXTERNAL, zone, ANSWERS, .type = TYPE_A, .address = STRANGER);
}

#endif
