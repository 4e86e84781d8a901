/*
 * test_session_worlds.c: hundreds of clusters drawn by chance, whose nodes are killed, cut off and started again, and
 * whose Redis freezes, ends, and comes back empty, while they say what they say. Once all is well again they must agree
 * within seconds, the last pin of each zone stand, and nothing be there that was forgotten since. On failure the seed is
 * printed, and WORLD_SEED=n repeats that one alone.
 */
#include "lib/check.h"
#include "lib/names.h"
#include "lib/team.h"

#include <stdlib.h>

enum {
    WORLDS = 80,
    LONG   = 12, /* one in so many lives for an hour more */
    STEPS  = 80,
    SECOND = 1000,
    YEAR_S = 365 * 86400,
};

static struct name zones[5];

struct world {
    struct team     team;
    unsigned        good;  /* nodes whose clock is about right; at most one has another */
    struct holdings words; /* what operators said on these */
};

static uint32_t chance(struct world *world, uint32_t bound) { return rng_below(&world->team.rng, bound); }

static void say(struct world *world)
{
    unsigned         index = chance(world, world->team.count);
    struct statement is    = stated((enum statement_kind) chance(world, STATEMENT_KIND_COUNT), "",
                                    &zones[chance(world, ARRAY_LEN(zones))], 0);
    if (!world->team.nodes[index].session)
        return;
    if (chance(world, 2))
        is.kind = STATEMENT_EVIDENCE;
    is.good = chance(world, 3);
    is.pin  = (enum pin) chance(world, 3);
    if (chance(world, 4) == 0 && is.kind != STATEMENT_EVIDENCE)
        is.vantage = (struct view){0};
    is.node  = text_view(world->team.nodes[index].name);
    is.stamp = replica_stamp(world->team.nodes[index].replica, is.id.name,
                             (uint64_t) team_clocks(&world->team.nodes[index]).wall_ms);
    if (team_say(&world->team, index, is) == MERGED_NEWS && index < world->good && is.kind != STATEMENT_EVIDENCE)
        holdings_add(&world->words, &is);
}

static void befall_node(struct world *world)
{
    unsigned          index = chance(world, world->team.count);
    struct team_node *node  = &world->team.nodes[index];
    if (chance(world, 2))
        node->cut = !node->cut;
    else if (node->session)
        team_kill(&world->team, index);
    else
        team_start(&world->team, index);
}

static void befall_redis(struct world *world)
{
    enum team_redis is = world->team.redis;
    if (is != TEAM_UP) {
        world->team.redis = TEAM_UP;
    } else if (chance(world, 2)) {
        world->team.redis = TEAM_FROZEN;
    } else {
        world->team.redis = TEAM_DOWN;
        team_hang_up(&world->team);
    }
    if (chance(world, 3) == 0)
        redis_model_empty(world->team.model); /* restarted, or by hand */
}

static void open_world(struct world *world, uint64_t seed)
{
    memset(world, 0, sizeof(*world));
    team_open(&world->team, seed, 2 + seed % (TEAM_NODES - 1));
    world->good = world->team.count - (seed % 3 == 0 && world->team.count > 2);
    for (unsigned i = 0; i < world->team.count; i++)
        world->team.nodes[i].wall_ahead =
            i < world->good ? (int64_t) chance(world, 40 * SECOND) - 20 * SECOND : (int64_t) YEAR_S * SECOND;
}

static void live(struct world *world)
{
    static const uint32_t delays[] = {1, 3, 30, 300, 1200};
    for (unsigned i = 0; i < STEPS; i++) {
        unsigned what = chance(world, 16);
        if (what < 10)
            say(world);
        else if (what < 13)
            befall_node(world);
        else if (what < 15)
            befall_redis(world);
        else
            world->team.delay = delays[chance(world, ARRAY_LEN(delays))];
        team_run(&world->team, chance(world, chance(world, 4) ? 300 : 8 * SECOND));
    }
}

static void heal(struct world *world)
{
    world->team.redis = TEAM_UP;
    world->team.delay = 3;
    for (unsigned i = 0; i < world->team.count; i++) {
        world->team.nodes[i].cut = false;
        if (!world->team.nodes[i].session)
            team_start(&world->team, i);
    }
    team_join(&world->team, SESSION_AGAIN_MAX + 15 * SECOND);
    team_run(&world->team, SESSION_BEAT + SECOND);
}

/* The last word of a kind that was said of a zone, or the last for all vantages. False: there is none. */
static bool last_of(const struct world *world, enum statement_kind kind, const struct name *zone, bool everywhere,
                    struct statement *ret)
{
    bool found = false;
    for (size_t i = 0; i < world->words.count; i++) {
        struct statement is;
        assert_true(statement_read((struct view){world->words.all[i]->bytes, world->words.all[i]->len}, &is));
        if (is.kind != kind || !name_equal(is.id.name, name_view(zone)) || (everywhere && is.vantage.len > 0))
            continue;
        if (!found || statement_compare(is.stamp, is.node, ret->stamp, ret->node) > 0)
            *ret = is;
        found = true;
    }
    return found;
}

static bool last_word(const struct world *world, enum statement_kind kind, const struct name *zone,
                      struct statement *ret)
{
    return last_of(world, kind, zone, false, ret);
}

static void check_evidence(void *context, const struct statement *is)
{
    const struct world *world = context;
    struct statement    forget;
    for (size_t i = 0; is->kind == STATEMENT_EVIDENCE && i < ARRAY_LEN(zones); i++)
        if (name_equal(is->id.name, name_view(&zones[i])) && last_word(world, STATEMENT_FORGET, &zones[i], &forget))
            assert_true(statement_compare(is->stamp, is->node, forget.stamp, forget.node) > 0);
}

static void check_words(struct world *world, unsigned index)
{
    struct replica  *replica = world->team.nodes[index].replica;
    struct statement right, is;
    size_t           at = 0;
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        bool there = last_word(world, STATEMENT_PIN, &zones[i], &right);
        assert_int_equal(replica_pin(replica, name_view(&zones[i]), &is), there);
        if (there)
            assert_int_equal(statement_compare(is.stamp, is.node, right.stamp, right.node), 0);
        assert_int_equal(replica_forgotten(replica, name_view(&zones[i]), &is),
                         last_word(world, STATEMENT_FORGET, &zones[i], &right));
    }
    while (replica_walk(replica, &at, 7, check_evidence, world))
        ;
}

/* Words for all vantages that were superseded in this one: they may still be the last for another. */
static size_t words_for_others(const struct world *world)
{
    size_t           count = 0;
    struct statement last, everywhere;
    for (size_t i = 0; i < 2 * ARRAY_LEN(zones); i++) {
        const struct name  *zone = &zones[i / 2];
        enum statement_kind kind = i % 2 ? STATEMENT_PIN : STATEMENT_FORGET;
        count += last_of(world, kind, zone, true, &everywhere) && last_word(world, kind, zone, &last) &&
                 last.vantage.len > 0;
    }
    return count;
}

/* What stands in Redis is what they hold, once each has read it. */
static void check_redis(struct world *world)
{
    struct holdings  all;
    struct statement is;
    char             field[STATEMENT_FIELD_MAX];
    holdings_of(world->team.nodes[0].replica, SIZE_MAX, &all);
    for (size_t i = 0; i < all.count; i++) {
        assert_true(statement_read((struct view){all.all[i]->bytes, all.all[i]->len}, &is));
        statement_field(&is, field);
        const char *reply = redis_model_say(world->team.model, 0, "HGET", TEAM_NAME ":zones", field, NULL);
        assert_memory_equal(strchr(reply, '\n') + 1, all.all[i]->bytes, all.all[i]->len);
    }
    size_t more = redis_model_count(world->team.model, TEAM_NAME ":zones") - all.count;
    assert_in_range(more, 0, words_for_others(world));
    holdings_fini(&all);
}

static void run_world(uint64_t seed)
{
    struct world *world = malloc(sizeof(*world));
    open_world(world, seed);
    live(world);
    heal(world);
    if (world->good < world->team.count)
        team_kill(&world->team, world->good);
    if (!team_agrees(&world->team))
        fail_msg("WORLD_SEED=%u", (unsigned) seed);
    printf("WORLD_SEED=%u\r", (unsigned) seed);
    for (unsigned i = 0; i < world->good; i++)
        check_words(world, i);
    if (seed % LONG == 0) {
        team_run(&world->team, SESSION_REREAD + 10 * SECOND);
        check_redis(world);
        assert_true(team_agrees(&world->team));
    }
    team_close(&world->team);
    holdings_fini(&world->words);
    free(world);
}

static void all_agree_once_all_is_well(void **state)
{
    (void) state;
    const char *one = getenv("WORLD_SEED");
    for (uint64_t seed = 0; seed < WORLDS; seed++)
        if (!one || seed == strtoull(one, NULL, 10))
            run_world(seed);
}

int main(void)
{
    static const char *const       texts[] = {"a.example", "b.example", "c.a.example", "d.example", "e.example"};
    static const struct CMUnitTest tests[] = {cmocka_unit_test(all_agree_once_all_is_well)};
    for (size_t i = 0; i < ARRAY_LEN(zones); i++)
        zones[i] = named(texts[i]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
