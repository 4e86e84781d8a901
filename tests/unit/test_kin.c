/*
 * test_kin.c: zones that belong together, by their nameservers or by a mass event, are believed and recover together;
 * in virtual time.
 */
#include "base/limits.h"
#include "dns/message.h"
#include "dns/text.h"
#include "learn/batch.h"
#include "learn/learner.h"
#include "lib/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    FIRST  = 600 * 1000,
    MAX    = 86400 * 1000,
    MINUTE = 60 * 1000,
};

struct world {
    struct table   *table;
    struct learner *learner;
};

static void on_changed(void *context, struct zone *zone, enum zone_state from, const char *why, bool removed)
{
    (void) context, (void) zone, (void) from, (void) why, (void) removed;
}

static int open_world(void **state)
{
    static const uint8_t        seed[RNG_SEED_BYTES] = {3};
    const struct learner_limits limits = {.zone      = {.recheck_first = FIRST, .recheck_max = MAX, .recover_after = 2},
                                          .max_zones = 100000};
    const struct learner_hooks  hooks  = {.changed = on_changed};
    struct world               *world  = calloc(1, sizeof(*world));
    world->table                       = table_create(1024, (struct hash_key){1, 2});
    world->learner                     = learner_create(world->table, &limits, &hooks, seed);
    *state                             = world;
    return world->table && world->learner ? 0 : -1;
}

static int close_world(void **state)
{
    struct world *world = *state;
    learner_reclaim(world->learner);
    learner_destroy(world->learner);
    table_destroy(world->table);
    free(world);
    return 0;
}

static struct name named(const char *text)
{
    struct name name;
    if (!name_parse(text, &name))
        fail_msg("not a name: %s", text);
    return name;
}

static struct zone *get(struct world *world, const char *text)
{
    struct name name = named(text);
    return table_get(world->table, name_view(&name), SCOPE_ZONE, 0);
}

static struct zone *block(struct world *world, const char *text, msec_t now)
{
    struct name          name = named(text);
    const struct zone_id id   = {.name = name_view(&name), .scope = SCOPE_ZONE};
    return learner_apply(world->learner, &id, EVIDENCE_CONFIRMED, REASON_TIMEOUT, name_view(&name), TYPE_SOA, now);
}

static struct zone *block_number(struct world *world, unsigned i, msec_t now)
{
    char text[32];
    snprintf(text, sizeof(text), "zone-%u.example", i);
    return block(world, text, now);
}

static void recheck(struct world *world, struct zone *zone, bool good, msec_t now)
{
    learner_apply_zone(world->learner, zone, good ? EVIDENCE_RECHECK_GOOD : EVIDENCE_RECHECK_BAD,
                       good ? REASON_NONE : REASON_TIMEOUT, now);
}

/* Names ns<first>.<domain>, ns<first + 1>.<domain>, each with an address that ends so. */
static struct survey_result servers(const char *domain, unsigned first)
{
    struct survey_result result = {.name_count = 2, .address_count = 2};
    for (unsigned i = 0; i < 2; i++) {
        char text[64];
        snprintf(text, sizeof(text), "NS%u.%s", first + i, domain);
        result.names[i]                        = named(text);
        result.addresses[i][ADDRESS_BYTES - 1] = (uint8_t) (first + i);
    }
    survey_result_sort(&result);
    return result;
}

/* ---- nameserver sets ---- */

static void a_zone_on_the_servers_of_a_blocked_one_is_kin(void **state)
{
    struct world        *world = *state;
    struct survey_result a = servers("host.example", 1), b = servers("host.example", 3);
    struct survey_result vanity = servers("ns.customer.example", 1); /* other names, the same addresses */
    assert_false(learner_is_kin(world->learner, &a));
    struct zone *zone = block(world, "one.example", 1000);
    learner_place(world->learner, zone, &a);
    assert_true(learner_is_kin(world->learner, &a));
    assert_true(learner_is_kin(world->learner, &vanity));
    assert_false(learner_is_kin(world->learner, &b));
    struct survey_result half = servers("host.example", 2); /* one address of it is not known for blocks */
    assert_false(learner_is_kin(world->learner, &half));
    struct survey_result unasked = a; /* the names alone tell, too */
    unasked.address_count        = 0;
    assert_true(learner_is_kin(world->learner, &unasked));
    struct survey_result nothing = {0};
    assert_false(learner_is_kin(world->learner, &nothing));
}

static void a_set_stops_counting_when_a_zone_of_it_recovers(void **state)
{
    struct world        *world = *state;
    struct survey_result a     = servers("host.example", 1);
    struct zone         *one = block(world, "one.example", 1000), *two = block(world, "two.example", 1000);
    learner_place(world->learner, one, &a);
    learner_place(world->learner, two, &a);
    recheck(world, one, true, 5000);
    assert_false(learner_is_kin(world->learner, &a));
    recheck(world, two, false, 6000); /* and counts again when one is seen failing */
    assert_true(learner_is_kin(world->learner, &a));
    recheck(world, one, true, 7000);
    recheck(world, two, true, 8000);
    recheck(world, two, true, 9000);
    assert_null(get(world, "one.example"));
    assert_null(get(world, "two.example"));
    assert_false(learner_is_kin(world->learner, &a));
}

static void a_set_ends_with_its_last_zone(void **state)
{
    struct world        *world = *state;
    struct survey_result a     = servers("host.example", 1);
    struct name          name  = named("one.example");
    learner_place(world->learner, block(world, "one.example", 1000), &a);
    assert_int_equal(get(world, "one.example")->set->member_count, 1);
    assert_int_equal(learner_forget(world->learner, name_view(&name), 2000), 1);
    assert_false(learner_is_kin(world->learner, &a));
    struct zone *zone = block(world, "one.example", 3000);
    assert_null(zone->set);
    struct survey_result b = servers("host.example", 5); /* it has moved */
    learner_place(world->learner, zone, &a);
    learner_place(world->learner, zone, &b);
    assert_int_equal(zone->set->member_count, 1);
    assert_false(learner_is_kin(world->learner, &a));
    assert_true(learner_is_kin(world->learner, &b));
}

static void two_open_zones_open_the_set(void **state)
{
    struct world        *world = *state;
    struct survey_result a     = servers("host.example", 1);
    enum {
        ZONES = 50
    };
    struct zone *zones[ZONES];
    for (unsigned i = 0; i < ZONES; i++) {
        msec_t learned = (msec_t) i * 2 * MINUTE; /* no burst */
        zones[i]       = block_number(world, i, learned);
        learner_place(world->learner, zones[i], &a);
        for (int k = 0; k < 8; k++)
            recheck(world, zones[i], false, (msec_t) ZONES * 2 * MINUTE + k);
    }
    msec_t   now = (msec_t) ZONES * 2 * MINUTE + 1000;
    unsigned due = 0;
    recheck(world, zones[0], true, now);
    for (unsigned i = 1; i < ZONES; i++)
        due += zones[i]->condition.next <= now + KIN_SPREAD;
    assert_int_equal(due, 2);
    for (unsigned i = 1; i < ZONES; i++)
        if (zones[i]->condition.next <= now + KIN_SPREAD) {
            recheck(world, zones[i], true, now + KIN_SPREAD);
            break;
        }
    now += KIN_SPREAD;
    for (unsigned i = 0; i < ZONES; i++)
        assert_true(zones[i]->condition.next <= now + KIN_SPREAD + MINUTE);
}

/* Its second good recheck says nothing new of the others. */
static void one_zone_that_recovers_opens_no_set(void **state)
{
    struct world        *world = *state;
    struct survey_result a     = servers("host.example", 1);
    struct zone         *zones[10];
    unsigned             due = 0;
    for (unsigned i = 0; i < 10; i++) {
        zones[i] = block_number(world, i, (msec_t) i * 10 * MINUTE);
        learner_place(world->learner, zones[i], &a);
        for (int k = 0; k < 8; k++)
            recheck(world, zones[i], false, 100 * MINUTE);
    }
    recheck(world, zones[0], true, 101 * MINUTE);
    recheck(world, zones[0], true, 102 * MINUTE);
    for (unsigned i = 1; i < 10; i++)
        due += zones[i]->condition.next <= 103 * MINUTE;
    assert_int_equal(due, 2);
}

static void one_failing_zone_keeps_the_set_shut(void **state)
{
    struct world        *world = *state;
    struct survey_result a     = servers("host.example", 1);
    struct zone         *zones[5];
    for (unsigned i = 0; i < 5; i++) {
        zones[i] = block_number(world, i, 0);
        learner_place(world->learner, zones[i], &a);
    }
    for (unsigned i = 0; i < 4; i++) { /* good, bad, good, bad: the zones were what differed */
        recheck(world, zones[i], i % 2 == 0, 1000 + i);
        if (i == 3)
            assert_int_equal(zones[4]->set->good, 0);
    }
}

/* A recheck surveys a zone that may be in the set already. */
static void joining_twice_changes_nothing(void **state)
{
    struct world        *world = *state;
    struct survey_result a     = servers("host.example", 1);
    struct zone         *zone  = block(world, "one.example", 1000);
    learner_place(world->learner, zone, &a);
    const struct nameserver_set *set = zone->set;
    learner_place(world->learner, zone, &a);
    assert_ptr_equal(zone->set, set);
    assert_int_equal(set->member_count, 1);
    assert_true(learner_is_kin(world->learner, &a));
}

/* What a zone that joins late has suffered long ago is no news of its servers. */
static void joining_says_whether_the_zone_is_in_a_set(void **state)
{
    struct world        *world       = *state;
    struct nameservers  *nameservers = nameservers_create((struct hash_key){1, 2});
    struct survey_result a = servers("host.example", 1), b = servers("host.example", 3), nothing = {0};
    struct zone         *zone = block(world, "one.example", 1000);
    assert_false(nameservers_join(nameservers, zone, &nothing));
    for (int again = 0; again < 2; again++) {
        assert_true(nameservers_join(nameservers, zone, &a));
        assert_ptr_equal(zone->set, nameservers_find(nameservers, &a));
        assert_int_equal(zone->set->member_count, 1);
    }
    assert_true(nameservers_join(nameservers, zone, &b));
    assert_null(nameservers_find(nameservers, &a)); /* it was the last member */
    assert_false(nameservers_join(nameservers, zone, &nothing));
    assert_null(zone->set);
    assert_int_equal(nameservers_count(nameservers), 0);
    nameservers_destroy(nameservers);
}

static void an_old_failure_does_not_hide_a_new_one(void **state)
{
    struct world        *world = *state;
    struct survey_result a     = servers("host.example", 1);
    struct zone         *one = block(world, "one.example", 1000), *two = block(world, "two.example", 2000);
    learner_place(world->learner, one, &a);
    recheck(world, one, true, 3000);
    recheck(world, one, false, 5000);
    learner_place(world->learner, two, &a);
    assert_true(learner_is_kin(world->learner, &a));
    recheck(world, one, true, 6000);
    struct zone *three = block(world, "three.example", 4000); /* and no news at all where one answered since */
    learner_place(world->learner, three, &a);
    assert_false(learner_is_kin(world->learner, &a));
}

static void names_are_compared_sorted_and_once_each(void **state)
{
    struct world        *world = *state;
    struct survey_result a     = {.name_count    = 3,
                                  .address_count = 1,
                                  .names = {named("ns2.x.example"), named("ns1.x.example"), named("NS2.X.example")}};
    struct survey_result b     = {.name_count = 2, .names = {named("ns1.x.example"), named("ns2.x.example")}};
    a.addresses[0][0]          = 1;
    survey_result_sort(&a);
    survey_result_sort(&b);
    assert_int_equal(a.name_count, 2);
    learner_place(world->learner, block(world, "one.example", 1000), &a);
    assert_true(learner_knows_set(world->learner, &b));
    b.name_count = 1;
    assert_false(learner_knows_set(world->learner, &b));
}

static void the_number_of_sets_is_bounded(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i <= LIMIT_NAMESERVER_SETS; i++) {
        char domain[32];
        snprintf(domain, sizeof(domain), "host-%u.example", i);
        struct survey_result a    = servers(domain, 1);
        struct zone         *zone = block_number(world, i, (msec_t) i * 10 * MINUTE);
        learner_place(world->learner, zone, &a);
        assert_int_equal(zone->set != NULL, i < LIMIT_NAMESERVER_SETS);
    }
}

static void without_memory_a_zone_is_in_no_set(void **state)
{
    struct world        *world = *state;
    struct survey_result a     = servers("host.example", 1);
    struct zone         *zone  = block(world, "one.example", 1000);
    for (unsigned n = 0; n < 10 && !zone->set; n++) {
        heap_fail_at(n);
        learner_place(world->learner, zone, &a);
        heap_restore();
        assert_int_equal(zone->set != NULL, learner_is_kin(world->learner, &a));
    }
    assert_non_null(zone->set);
}

/* ---- mass events ---- */

static unsigned sentinels(struct world *world, unsigned zones, msec_t now, struct zone *found[BATCH_SENTINELS])
{
    unsigned count = 0;
    for (unsigned i = 0; i < zones; i++) {
        char text[32];
        snprintf(text, sizeof(text), "zone-%u.example", i);
        struct zone *zone = get(world, text);
        if (!zone || zone->condition.state != ZONE_BLOCKED)
            continue;
        recheck(world, zone, false, now);
        if (zone->condition.next >= now + FIRST / 10 * 9)
            continue;
        assert_true(count < BATCH_SENTINELS);
        found[count++] = zone;
    }
    return count;
}

static void a_burst_makes_a_batch_with_sentinels(void **state)
{
    struct world *world = *state;
    struct zone  *found[BATCH_SENTINELS];
    for (unsigned i = 0; i < BATCH_BURST - 1; i++)
        block_number(world, i, 1000 + i * 1000);
    assert_int_equal(sentinels(world, 100, 25000, found), 0);
    for (unsigned i = BATCH_BURST - 1; i < 100; i++)
        block_number(world, i, 30000 + i * 1000);
    assert_int_equal(sentinels(world, 100, 140000, found), BATCH_SENTINELS);
    assert_ptr_equal(learner_recheck_due(world->learner, 140000 + BATCH_FIRST), found[0]);
}

static void slow_arrivals_make_no_batch(void **state)
{
    struct world *world = *state;
    struct zone  *found[BATCH_SENTINELS];
    for (unsigned i = 0; i < 200; i++)
        block_number(world, i, (msec_t) i * 4000);
    assert_int_equal(sentinels(world, 200, 900000, found), 0);
}

/* A border that filters names takes many of one zone: these are no event of the border's. */
static void names_make_no_batch(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 2 * BATCH_BURST; i++) {
        char text[32];
        snprintf(text, sizeof(text), "zone-%u.example", i);
        struct name          name = named(text);
        const struct zone_id id   = {.name = name_view(&name), .scope = SCOPE_NAME};
        struct zone         *zone =
            learner_apply(world->learner, &id, EVIDENCE_CONFIRMED, REASON_TIMEOUT, name_view(&name), TYPE_A, 1000);
        assert_int_equal(zone->batch, 0);
    }
    assert_null(learner_recheck_due(world->learner, 1000 + 2 * BATCH_FIRST));
}

/* Its second good recheck keeps its distance from the first, which a cache may have answered. */
static void a_sentinel_that_opens_is_not_rechecked_at_once(void **state)
{
    struct world *world = *state;
    struct zone  *found[BATCH_SENTINELS];
    for (unsigned i = 0; i < 30; i++)
        block_number(world, i, 1000);
    assert_int_equal(sentinels(world, 30, 2000, found), BATCH_SENTINELS);
    recheck(world, found[0], true, 3000);
    assert_int_equal(found[0]->condition.state, ZONE_RECOVERING);
    assert_true(found[0]->condition.next >= 3000 + ZONE_RETRY / 10 * 9);
}

static void two_open_sentinels_open_the_batch(void **state)
{
    struct world *world = *state;
    struct zone  *found[BATCH_SENTINELS];
    for (unsigned i = 0; i < 100; i++)
        block_number(world, i, 1000 + i * 100);
    msec_t now = 3600 * 1000;
    assert_int_equal(sentinels(world, 100, now, found), BATCH_SENTINELS);
    recheck(world, found[0], true, now + 1000);
    recheck(world, found[1], false, now + 1000);
    unsigned due = 0;
    for (unsigned i = 0; i < 100; i++) {
        char text[32];
        snprintf(text, sizeof(text), "zone-%u.example", i);
        due += get(world, text)->condition.next <= now + 2 * BATCH_SPREAD;
    }
    assert_int_equal(due, 1);
    recheck(world, found[0], true, now + 60000); /* it recovers altogether, and still counts */
    recheck(world, found[2], true, now + 120000);
    for (unsigned i = 0; i < 100; i++) {
        char text[32];
        snprintf(text, sizeof(text), "zone-%u.example", i);
        struct zone *zone = get(world, text);
        if (zone && zone->condition.state == ZONE_BLOCKED)
            assert_true(zone->condition.next <= now + 120000 + BATCH_SPREAD);
    }
}

static void sentinels_of_an_old_batch_are_asked_less_often(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 30; i++)
        block_number(world, i, 1000);
    struct zone *zone = get(world, "zone-0.example");
    recheck(world, zone, false, 3600 * 1000);
    assert_in_range(zone->condition.next - 3600 * 1000, 170 * 1000, 180 * 1000);
    recheck(world, zone, false, 86400 * 1000);
    assert_int_equal(zone->condition.next - 86400 * 1000, BATCH_MAX);
}

static void a_sentinel_that_shut_again_does_not_count(void **state)
{
    struct world *world = *state;
    struct zone  *found[BATCH_SENTINELS];
    for (unsigned i = 0; i < 30; i++)
        block_number(world, i, 1000);
    msec_t now = 3600 * 1000;
    assert_int_equal(sentinels(world, 30, now, found), BATCH_SENTINELS);
    recheck(world, found[0], true, now + 1000);
    recheck(world, found[0], false, now + 2000);
    recheck(world, found[1], true, now + 3000);
    for (unsigned i = 3; i < 30; i++) {
        char text[32];
        snprintf(text, sizeof(text), "zone-%u.example", i);
        assert_true(get(world, text)->condition.next > now + 3000 + BATCH_SPREAD);
    }
    recheck(world, found[2], true, now + 4000);
    assert_true(get(world, "zone-9.example")->condition.next <= now + 4000 + BATCH_SPREAD);
}

/* Its place stays with what it told: a zone that comes later must not take that back. */
static void a_sentinel_that_recovered_altogether_still_counts(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < BATCH_BURST; i++)
        block_number(world, i, 1000);
    struct zone *found[BATCH_SENTINELS];
    assert_int_equal(sentinels(world, BATCH_BURST, 2000, found), BATCH_SENTINELS);
    recheck(world, found[0], true, 3000);
    recheck(world, found[0], true, 4000);
    struct zone *late = block_number(world, BATCH_BURST, 30000);
    recheck(world, late, false, 31000);
    recheck(world, found[1], true, 32000);
    assert_true(get(world, "zone-9.example")->condition.next <= 32000 + BATCH_SPREAD);
    assert_true(late->condition.next <= 32000 + BATCH_SPREAD);
}

static void the_sentinel_that_waits_longest_comes_first(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 30; i++)
        block_number(world, i, 1000);
    msec_t last = 0;
    for (unsigned i = 0; i < BATCH_SENTINELS; i++) {
        const struct zone *zone = learner_recheck_due(world->learner, 1000 + BATCH_FIRST);
        assert_non_null(zone);
        assert_in_range(zone->condition.next, last, 1000 + BATCH_FIRST);
        last = zone->condition.next;
    }
    assert_null(learner_recheck_due(world->learner, 1000 + BATCH_FIRST));
}

static bool is_watched(struct world *world, unsigned number, msec_t now)
{
    char text[32];
    snprintf(text, sizeof(text), "zone-%u.example", number);
    struct zone *zone = get(world, text);
    for (int k = 0; k < 3; k++)
        recheck(world, zone, false, now);
    return zone->condition.next <= now + BATCH_MAX;
}

/* Their numbers go round; 0 is none's, and no two that follow each other have the same. */
static void batches_are_told_apart_by_number(void **state)
{
    static const uint16_t given[] = {0, 1, UINT16_MAX - 1, UINT16_MAX};
    struct world         *world   = *state;
    struct zone          *zone    = block(world, "one.example", 1000);
    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        struct batches batches    = {.newest = given[i]};
        uint16_t       numbers[2] = {0};
        for (unsigned k = 0; k < 2; k++)
            for (unsigned n = 0; n < BATCH_BURST; n++) {
                const struct batch *batch = batches_on_blocked(&batches, zone, (k + 1) * 10 * BATCH_WINDOW);
                numbers[k]                = batch ? batch->number : 0;
            }
        assert_int_equal(batches_interval(&batches, zone, 20 * BATCH_WINDOW + 4000 * 1000), 200 * 1000);
        assert_int_not_equal(numbers[0], 0);
        assert_int_not_equal(numbers[1], 0);
        assert_int_not_equal(numbers[0], numbers[1]);
    }
    zone->batch = 0;
}

static void of_many_batches_the_oldest_is_forgotten(void **state)
{
    struct world *world = *state;
    for (unsigned batch = 0; batch <= BATCHES; batch++)
        for (unsigned i = 0; i < BATCH_BURST; i++)
            block_number(world, batch * 100 + i, 1000 + (msec_t) batch * 2 * BATCH_WINDOW);
    for (unsigned batch = 0; batch <= BATCHES; batch++)
        assert_int_equal(is_watched(world, batch * 100, 3600 * 1000), batch > 0);
}

static void a_batch_outlives_its_zones(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 40; i++)
        block_number(world, i, 1000);
    for (unsigned i = 0; i < 40; i++) {
        char text[32];
        snprintf(text, sizeof(text), "zone-%u.example", i);
        struct name name = named(text);
        assert_int_equal(learner_forget(world->learner, name_view(&name), 2000), 1);
        learner_reclaim(world->learner);
    }
    assert_null(learner_recheck_due(world->learner, (msec_t) 86400 * 1000));
    for (unsigned i = 100; i < 140; i++)
        block_number(world, i, 90000 * 1000);
    assert_non_null(learner_recheck_due(world->learner, (msec_t) 90000 * 1000 + 2 * FIRST));
}

/* Its number goes to no other: when a new batch opens, the zones of a forgotten one are not swept along. */
static void a_forgotten_batchs_zones_are_on_their_own(void **state)
{
    struct world *world = *state;
    struct zone  *old[BATCH_BURST], *new[BATCH_BURST];
    for (unsigned b = 0; b <= BATCHES; b++)
        for (unsigned i = 0; i < BATCH_BURST; i++) {
            struct zone *zone = block_number(world, b * BATCH_BURST + i, 1000 + (msec_t) b * 2 * BATCH_WINDOW);
            if (b == 0)
                old[i] = zone;
            new[i] = zone;
        }
    const msec_t now = (msec_t) 3 * 3600 * 1000;
    for (unsigned i = 0; i < BATCH_BURST; i++)
        recheck(world, old[i], false, now);
    for (unsigned i = 0; i < BATCH_SENTINELS; i++)
        recheck(world, new[i], true, now);
    for (unsigned i = BATCH_SENTINELS; i < BATCH_BURST; i++) {
        assert_true(old[i]->condition.next > now + BATCH_SPREAD);
        assert_true(new[i]->condition.next <= now + BATCH_SPREAD);
    }
}

static void an_idle_sentinel_is_forgotten(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < BATCH_BURST; i++)
        block_number(world, i, 1000);
    assert_null(learner_recheck_due(world->learner, ZONE_IDLE + 2000));
    assert_int_equal(table_count(world->table), 0);
}

/* ---- the past ---- */

static void a_type_that_recovered_makes_no_zone_a_former_one(void **state)
{
    struct world        *world = *state;
    struct name          name  = named("part.example");
    const struct zone_id id    = {.name = name_view(&name), .scope = SCOPE_TYPE, .type = TYPE_AAAA};
    struct zone         *zone =
        learner_apply(world->learner, &id, EVIDENCE_CONFIRMED, REASON_TIMEOUT, name_view(&name), TYPE_AAAA, 1000);
    recheck(world, zone, true, 2000);
    recheck(world, zone, true, 3000);
    assert_int_equal(table_count(world->table), 0);
    assert_false(learner_was_blocked(world->learner, name_view(&name), 4000));
}

static void a_zone_that_recovered_is_remembered(void **state)
{
    struct world *world = *state;
    struct name   name = named("one.example"), other = named("two.example");
    struct zone  *zone = block(world, "one.example", 1000);
    assert_false(learner_was_blocked(world->learner, name_view(&name), 1000));
    recheck(world, zone, true, 2000);
    recheck(world, zone, true, 3000);
    assert_null(get(world, "one.example"));
    assert_true(learner_was_blocked(world->learner, name_view(&name), 4000));
    assert_false(learner_was_blocked(world->learner, name_view(&other), 4000));
    assert_false(learner_was_blocked(world->learner, name_view(&name), 4000 + FORMER_LIFE));
    zone = block(world, "two.example", 1000);
    learner_forget(world->learner, name_view(&other), 2000); /* the operator knows better */
    assert_false(learner_was_blocked(world->learner, name_view(&other), 3000));
}

/* The clock was set back between two starts: what the files call a failure lies in the future. */
static void a_failure_of_the_future_counts_no_longer_than_till_a_good_recheck(void **state)
{
    enum {
        NOW = 1000000
    };
    struct world          *world = *state;
    struct survey_result   a     = servers("host.example", 1);
    struct name            name  = named("one.example");
    const struct zone_id   id    = {.name = name_view(&name), .scope = SCOPE_ZONE};
    const struct condition is    = {.state        = ZONE_BLOCKED,
                                    .reason       = REASON_TIMEOUT,
                                    .failures     = 1,
                                    .since        = NOW + 86400 * 1000,
                                    .last_failure = NOW + 86400 * 1000,
                                    .next         = NOW,
                                    .interval     = FIRST};
    struct zone           *zone  = learner_restore(world->learner, &id, &is, SOURCE_LEARNED, PIN_NONE, MSEC_NEVER, NULL,
                                                   name_view(&name), TYPE_SOA, NOW, NOW);
    assert_non_null(zone);
    learner_place(world->learner, zone, &a);
    recheck(world, zone, true, NOW + 1000);
    assert_false(learner_is_kin(world->learner, &a));
}

/* The operator says that nothing is known: it is not believed sooner than any other then. */
static void a_forgotten_zone_has_no_past(void **state)
{
    struct world *world = *state;
    struct name   name  = named("one.example");
    struct zone  *zone  = block(world, "one.example", 1000);
    recheck(world, zone, true, 2000);
    recheck(world, zone, true, 3000);
    block(world, "one.example", 4000);
    assert_int_equal(learner_forget(world->learner, name_view(&name), 5000), 1);
    assert_false(learner_was_blocked(world->learner, name_view(&name), 6000));
}

#define KIN_TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIN_TEST(a_zone_on_the_servers_of_a_blocked_one_is_kin),
        KIN_TEST(a_set_stops_counting_when_a_zone_of_it_recovers),
        KIN_TEST(a_set_ends_with_its_last_zone),
        KIN_TEST(two_open_zones_open_the_set),
        KIN_TEST(one_zone_that_recovers_opens_no_set),
        KIN_TEST(one_failing_zone_keeps_the_set_shut),
        KIN_TEST(joining_twice_changes_nothing),
        KIN_TEST(joining_says_whether_the_zone_is_in_a_set),
        KIN_TEST(an_old_failure_does_not_hide_a_new_one),
        KIN_TEST(names_are_compared_sorted_and_once_each),
        KIN_TEST(the_number_of_sets_is_bounded),
        KIN_TEST(without_memory_a_zone_is_in_no_set),
        KIN_TEST(a_burst_makes_a_batch_with_sentinels),
        KIN_TEST(slow_arrivals_make_no_batch),
        KIN_TEST(names_make_no_batch),
        KIN_TEST(a_sentinel_that_opens_is_not_rechecked_at_once),
        KIN_TEST(two_open_sentinels_open_the_batch),
        KIN_TEST(sentinels_of_an_old_batch_are_asked_less_often),
        KIN_TEST(a_sentinel_that_shut_again_does_not_count),
        KIN_TEST(a_sentinel_that_recovered_altogether_still_counts),
        KIN_TEST(the_sentinel_that_waits_longest_comes_first),
        KIN_TEST(batches_are_told_apart_by_number),
        KIN_TEST(of_many_batches_the_oldest_is_forgotten),
        KIN_TEST(a_batch_outlives_its_zones),
        KIN_TEST(a_forgotten_batchs_zones_are_on_their_own),
        KIN_TEST(an_idle_sentinel_is_forgotten),
        KIN_TEST(a_type_that_recovered_makes_no_zone_a_former_one),
        KIN_TEST(a_zone_that_recovered_is_remembered),
        KIN_TEST(a_failure_of_the_future_counts_no_longer_than_till_a_good_recheck),
        KIN_TEST(a_forgotten_zone_has_no_past),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
