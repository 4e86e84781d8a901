/*
 * test_replica_orders.c: whatever the order in which statements are merged, however often, and on what ways, all replicas
 * are the same, and what the plainest reading of replica.h says. On failure the seed is printed.
 */
#include "base/rng.h"
#include "cluster/replica.h"
#include "lib/check.h"
#include "lib/heap.h"
#include "lib/names.h"
#include "lib/statements.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW ((uint64_t) 1764470000000)
#define DAY ((int64_t) 86400 * 1000)

enum {
    SEEDS    = 600,
    SAID     = 60,
    REPLICAS = 4,
    ROUNDS   = 3,
};

static struct name names[4];

struct said { /* what is said in one world */
    struct rng       rng;
    struct statement all[SAID];
    struct replica  *replicas[REPLICAS];
};

static struct statement draw(struct rng *rng)
{
    static const char *const nodes[] = {"a", "b", "c", "d", "e"}, *const vantages[] = {"cn", "cn", "cn", "ir", ""};
    static const int64_t offsets[] = {0,         0,         1,         1000,      -1,        -5000, -DAY,
                                      -29 * DAY, -31 * DAY, 59 * 1000, 61 * 1000, 365 * DAY, -7000, 2000,
                                      -DAY + 1,  -30 * DAY, 3,         4,         5,         6};
    static const wall_t  untils[]  = {WALL_NEVER, NOW / 1000, NOW / 1000 - 29 * 86400, NOW / 1000 - 31 * 86400, 0};
    const struct name   *zone      = &names[rng_below(rng, ARRAY_LEN(names))];
    struct statement     is =
        stated((enum statement_kind) rng_below(rng, STATEMENT_KIND_COUNT), nodes[rng_below(rng, ARRAY_LEN(nodes))],
               zone, NOW + (uint64_t) offsets[rng_below(rng, ARRAY_LEN(offsets))]);
    is.stamp.count = rng_below(rng, 2);
    is.vantage     = text_view(vantages[rng_below(rng, ARRAY_LEN(vantages) - (is.kind == STATEMENT_EVIDENCE))]);
    is.good        = rng_below(rng, 3);
    is.reason      = (enum zone_reason) rng_below(rng, REASON_COUNT);
    is.pin         = (enum pin) rng_below(rng, 3);
    is.until       = untils[rng_below(rng, ARRAY_LEN(untils))];
    if (is.kind == STATEMENT_EVIDENCE && rng_below(rng, 4) == 0)
        is.id.scope = SCOPE_NAME;
    return is;
}

/* ---- the plain reading ---- */

static bool counts(const struct statement *is)
{
    bool pin = is->kind == STATEMENT_PIN, stands = pin && is->pin != PIN_NONE;
    bool old  = stands ? is->until < (wall_t) ((NOW - REPLICA_LIFE) / 1000) : is->stamp.ms < NOW - REPLICA_LIFE;
    old       = old && !(pin && is->vantage.len > 0);
    bool ours = is->vantage.len == 0 || memcmp(is->vantage.data, "cn", 2) == 0;
    return ours && !old && (is->stamp.ms <= NOW || is->stamp.ms - NOW <= REPLICA_AHEAD);
}

/* Of two things that one node says in one moment the one with the greater bytes. */
static bool is_later(const struct statement *a, const struct statement *b)
{
    uint8_t one[STATEMENT_MAX] = {0}, other[STATEMENT_MAX] = {0};
    int     order = statement_compare(a->stamp, a->node, b->stamp, b->node);
    statement_write(a, one);
    statement_write(b, other);
    return order ? order > 0 : memcmp(one, other, STATEMENT_MAX) > 0;
}

static bool takes_the_place_of(const struct statement *a, const struct statement *b)
{
    bool zone = name_equal(a->id.name, b->id.name),
         node = statement_compare((struct stamp){0}, a->node, (struct stamp){0}, b->node) == 0;
    if (!counts(a) || !zone || !is_later(a, b))
        return false;
    if (a->kind == STATEMENT_FORGET && b->kind == STATEMENT_EVIDENCE)
        return true;
    return a->kind == b->kind && a->id.scope == b->id.scope && (node || a->kind != STATEMENT_EVIDENCE);
}

static void right_holdings(const struct said *said, struct holdings *ret)
{
    *ret = (struct holdings){0};
    for (size_t i = 0; i < SAID; i++) {
        bool stands = counts(&said->all[i]), twice = false;
        for (size_t k = 0; k < SAID; k++) {
            stands = stands && !takes_the_place_of(&said->all[k], &said->all[i]);
            twice  = twice || (k < i && said->all[k].kind == said->all[i].kind && counts(&said->all[k]) &&
                              !is_later(&said->all[k], &said->all[i]) && !is_later(&said->all[i], &said->all[k]));
        }
        if (stands && !twice)
            holdings_add(ret, &said->all[i]);
    }
    holdings_sort(ret);
}

/* ---- worlds ---- */

static void open_world(struct said *said, uint64_t number)
{
    uint8_t seed[RNG_SEED_BYTES] = {0};
    memcpy(seed, &number, sizeof(number));
    rng_init(&said->rng, seed);
    for (size_t i = 0; i < SAID; i++)
        said->all[i] = draw(&said->rng);
    for (unsigned i = 0; i < REPLICAS; i++) {
        const char name[] = {(char) ('a' + i), '\0'};
        said->replicas[i] = replica_create((struct hash_key){number, i}, text_view("cn"), text_view(name), 1000);
        assert_non_null(said->replicas[i]);
    }
}

static void close_world(struct said *said)
{
    for (unsigned i = 0; i < REPLICAS; i++)
        replica_destroy(said->replicas[i]);
}

static void say(struct said *said, unsigned replica, size_t what)
{
    replica_merge(said->replicas[replica], &said->all[what], rng_below(&said->rng, 2), NOW);
}

static void pass_on(void *context, const struct statement *statement) { replica_merge(context, statement, true, NOW); }

/* All that one knows reaches the other, as after a partition. */
static void tell_all(struct said *said, unsigned from, unsigned to)
{
    size_t at = 0;
    if (from == to)
        return;
    while (replica_walk(said->replicas[from], &at, 1 + rng_below(&said->rng, 9), pass_on, said->replicas[to]))
        ;
}

/* Each hears some, more than once; two groups tell each other, and in the end one hears what nobody heard. */
static void live(struct said *said)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < 2 * SAID; i++)
            say(said, rng_below(&said->rng, REPLICAS), rng_below(&said->rng, SAID));
        for (unsigned i = 0; i < REPLICAS; i++)
            tell_all(said, rng_below(&said->rng, REPLICAS), rng_below(&said->rng, REPLICAS));
    }
    for (size_t i = 0; i < SAID; i++)
        say(said, rng_below(&said->rng, REPLICAS), i);
    for (unsigned i = 0; i < REPLICAS; i++)
        for (unsigned k = 0; k < REPLICAS; k++)
            tell_all(said, i, k);
    for (unsigned i = 0; i < REPLICAS; i++)
        tell_all(said, REPLICAS - 1, i);
}

static void check_counts(struct replica *replica, const struct holdings *all)
{
    for (char node[] = "a"; node[0] <= 'e'; node[0]++) {
        size_t           zones = 0;
        struct statement is;
        for (size_t i = 0; i < all->count; i++) {
            assert_true(statement_read((struct view){all->all[i]->bytes, all->all[i]->len}, &is));
            zones += is.kind == STATEMENT_EVIDENCE && is.node.data[0] == (uint8_t) node[0];
        }
        assert_int_equal(replica_counts(replica, text_view(node)).zones, zones);
    }
}

static void check_judgements(struct said *said)
{
    for (size_t i = 0; i < 2 * ARRAY_LEN(names); i++) {
        const struct zone_id     id    = {.name = name_view(&names[i / 2]), .scope = i % 2 ? SCOPE_NAME : SCOPE_ZONE};
        struct replica_judgement first = replica_judge(said->replicas[0], &id, 2);
        for (unsigned k = 1; k < REPLICAS; k++) {
            struct replica_judgement is = replica_judge(said->replicas[k], &id, 2);
            assert_true(is.blocked == first.blocked && is.good == first.good && is.failed == first.failed);
        }
    }
}

/* On failure it says so, and returns false. */
static bool check_world(struct said *said)
{
    struct holdings right, all;
    bool            equal = true;
    right_holdings(said, &right);
    for (unsigned i = 0; i < REPLICAS && equal; i++) {
        holdings_of(said->replicas[i], 1 + i, &all);
        equal = holdings_equal(&right, "right", &all, "merged");
        if (equal)
            check_counts(said->replicas[i], &all);
        holdings_fini(&all);
    }
    holdings_fini(&right);
    check_judgements(said);
    return equal;
}

static void the_order_does_not_matter(void **state)
{
    (void) state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct said said;
        open_world(&said, seed);
        live(&said);
        bool equal = check_world(&said);
        for (unsigned i = 0; i < REPLICAS; i++) { /* nothing of it was too old, nor ahead */
            size_t at = 0;
            while (replica_sweep(said.replicas[i], &at, 3, NOW))
                ;
        }
        if (!equal || !check_world(&said))
            fail_msg("seed %u", (unsigned) seed);
        close_world(&said);
    }
}

/* What was not taken for want of memory is taken when it comes again. */
static void want_of_memory_is_made_up_for(void **state)
{
    (void) state;
    for (uint64_t seed = 0; seed < SEEDS / 5; seed++) {
        struct said said;
        open_world(&said, seed);
        heap_fail_some(seed, 5);
        for (size_t i = 0; i < 3 * SAID; i++)
            say(&said, rng_below(&said.rng, REPLICAS), rng_below(&said.rng, SAID));
        assert_true(heap_restore());
        live(&said);
        if (!check_world(&said))
            fail_msg("seed %u", (unsigned) seed);
        close_world(&said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_does_not_matter),
        cmocka_unit_test(want_of_memory_is_made_up_for),
    };
    names[0] = named("a.example");
    names[1] = named("b.example");
    names[2] = named("c.a.example");
    names[3] = named(".");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
