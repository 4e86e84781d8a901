/*
 * test_kin.c: zones that belong together, by their nameservers or by a mass event, are believed and recover together;
 * in virtual time.
 */
#include "base/limits.h"
#include "dns/message.h"
#include "learn/batch.h"
#include "learn/learner.h"
#include "lib/check.h"
#include "lib/heap.h"
#include "lib/names.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FIRST  = 600 * 1000,
    MAX    = 86400 * 1000,
    MINUTE = 60 * 1000,
};

struct fixture {
    struct table   *table;
    struct learner *learner;
};

static void on_changed(void *context, struct zone *zone, enum zone_state from, enum zone_why why, bool removed)
{
    (void) context, (void) zone, (void) from, (void) why, (void) removed;
}

static int open_fixture(void **state)
{
    static const uint8_t        seed[RNG_SEED_BYTES] = {3};
    const struct learner_limits limits  = {.zone      = {.recheck_first = FIRST, .recheck_max = MAX, .recover_after = 2},
                                           .max_zones = 100000};
    const struct learner_hooks  hooks   = {.changed = on_changed};
    struct fixture             *fixture = calloc(1, sizeof(*fixture));
    fixture->table                      = table_create(1024, (struct hash_key){1, 2});
    fixture->learner                    = learner_create(fixture->table, &limits, &hooks, seed);
    *state                              = fixture;
    return fixture->table && fixture->learner ? 0 : -1;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    learner_reclaim(fixture->learner);
    learner_destroy(fixture->learner);
    table_destroy(fixture->table);
    free(fixture);
    return 0;
}

static struct zone *get(struct fixture *fixture, const char *text)
{
    struct name name = named(text);
    return table_get(fixture->table, name_view(&name), SCOPE_ZONE, 0);
}

static struct zone *block(struct fixture *fixture, const char *text, msec_t now)
{
    struct name          name = named(text);
    const struct zone_id id   = {.name = name_view(&name), .scope = SCOPE_ZONE};
    return learner_apply(fixture->learner, &id, EVIDENCE_CONFIRMED, REASON_TIMEOUT, name_view(&name), TYPE_SOA, now);
}

static struct zone *block_number(struct fixture *fixture, unsigned i, msec_t now)
{
    char text[32];
    snprintf(text, sizeof(text), "zone-%u.example", i);
    return block(fixture, text, now);
}

static void recheck(struct fixture *fixture, struct zone *zone, bool good, msec_t now)
{
    learner_apply_zone(fixture->learner, zone, good ? EVIDENCE_RECHECK_GOOD : EVIDENCE_RECHECK_BAD,
                       good ? REASON_NONE : REASON_TIMEOUT, now);
}

/* Names ns<first>.<domain>, ns<first + 1>.<domain>, each with an address that ends so. */
static struct delegation servers(const char *domain, unsigned first)
{
    struct delegation result = {.name_count = 2, .address_count = 2};
    for (unsigned i = 0; i < 2; i++) {
        char text[64];
        snprintf(text, sizeof(text), "NS%u.%s", first + i, domain);
        result.names[i]                        = named(text);
        result.addresses[i][ADDRESS_BYTES - 1] = (uint8_t) (first + i);
    }
    delegation_sort(&result);
    return result;
}

/* ---- nameserver sets ---- */

static void a_zone_on_the_servers_of_a_blocked_one_is_kin(void **state)
{
    struct fixture   *fixture = *state;
    struct delegation a = servers("host.example", 1), b = servers("host.example", 3);
    struct delegation vanity = servers("ns.customer.example", 1); /* other names, the same addresses */
    assert_false(learner_is_kin(fixture->learner, &a));
    struct zone *zone = block(fixture, "one.example", 1000);
    learner_place(fixture->learner, zone, &a);
    assert_true(learner_is_kin(fixture->learner, &a));
    assert_true(learner_is_kin(fixture->learner, &vanity));
    assert_false(learner_is_kin(fixture->learner, &b));
    struct delegation half = servers("host.example", 2); /* one address of it is not known for blocks */
    assert_false(learner_is_kin(fixture->learner, &half));
    struct delegation unasked = a; /* the names alone tell, too */
    unasked.address_count     = 0;
    assert_true(learner_is_kin(fixture->learner, &unasked));
    struct delegation nothing = {0};
    assert_false(learner_is_kin(fixture->learner, &nothing));
}

static void a_set_stops_counting_when_a_zone_of_it_recovers(void **state)
{
    struct fixture   *fixture = *state;
    struct delegation a       = servers("host.example", 1);
    struct zone      *one = block(fixture, "one.example", 1000), *two = block(fixture, "two.example", 1000);
    learner_place(fixture->learner, one, &a);
    learner_place(fixture->learner, two, &a);
    recheck(fixture, one, true, 5000);
    assert_false(learner_is_kin(fixture->learner, &a));
    recheck(fixture, two, false, 6000); /* and counts again when one is seen failing */
    assert_true(learner_is_kin(fixture->learner, &a));
    recheck(fixture, one, true, 7000);
    recheck(fixture, two, true, 8000);
    recheck(fixture, two, true, 9000);
    assert_null(get(fixture, "one.example"));
    assert_null(get(fixture, "two.example"));
    assert_false(learner_is_kin(fixture->learner, &a));
}

static void a_set_ends_with_its_last_zone(void **state)
{
    struct fixture   *fixture = *state;
    struct delegation a       = servers("host.example", 1);
    struct name       name    = named("one.example");
    learner_place(fixture->learner, block(fixture, "one.example", 1000), &a);
    assert_int_equal(get(fixture, "one.example")->set->member_count, 1);
    assert_int_equal(learner_forget(fixture->learner, name_view(&name), MSEC_NEVER, 2000), 1);
    assert_false(learner_is_kin(fixture->learner, &a));
    struct zone *zone = block(fixture, "one.example", 3000);
    assert_null(zone->set);
    struct delegation b = servers("host.example", 5); /* it has moved */
    learner_place(fixture->learner, zone, &a);
    learner_place(fixture->learner, zone, &b);
    assert_int_equal(zone->set->member_count, 1);
    assert_false(learner_is_kin(fixture->learner, &a));
    assert_true(learner_is_kin(fixture->learner, &b));
}

static void two_open_zones_open_the_set(void **state)
{
    struct fixture   *fixture = *state;
    struct delegation a       = servers("host.example", 1);
    enum {
        ZONES = 50
    };
    struct zone *zones[ZONES];
    for (unsigned i = 0; i < ZONES; i++) {
        msec_t learned = (msec_t) i * 2 * MINUTE; /* no burst */
        zones[i]       = block_number(fixture, i, learned);
        learner_place(fixture->learner, zones[i], &a);
        for (int k = 0; k < 8; k++)
            recheck(fixture, zones[i], false, (msec_t) ZONES * 2 * MINUTE + k);
    }
    msec_t   now = (msec_t) ZONES * 2 * MINUTE + 1000;
    unsigned due = 0;
    recheck(fixture, zones[0], true, now);
    for (unsigned i = 1; i < ZONES; i++)
        due += zones[i]->condition.next <= now + KIN_SPREAD;
    assert_int_equal(due, 2);
    for (unsigned i = 1; i < ZONES; i++)
        if (zones[i]->condition.next <= now + KIN_SPREAD) {
            recheck(fixture, zones[i], true, now + KIN_SPREAD);
            break;
        }
    now += KIN_SPREAD;
    for (unsigned i = 0; i < ZONES; i++)
        assert_true(zones[i]->condition.next <= now + KIN_SPREAD + MINUTE);
}

/* Its second good recheck says nothing new of the others. */
static void one_zone_that_recovers_opens_no_set(void **state)
{
    struct fixture   *fixture = *state;
    struct delegation a       = servers("host.example", 1);
    struct zone      *zones[10];
    unsigned          due = 0;
    for (unsigned i = 0; i < 10; i++) {
        zones[i] = block_number(fixture, i, (msec_t) i * 10 * MINUTE);
        learner_place(fixture->learner, zones[i], &a);
        for (int k = 0; k < 8; k++)
            recheck(fixture, zones[i], false, 100 * MINUTE);
    }
    recheck(fixture, zones[0], true, 101 * MINUTE);
    recheck(fixture, zones[0], true, 102 * MINUTE);
    for (unsigned i = 1; i < 10; i++)
        due += zones[i]->condition.next <= 103 * MINUTE;
    assert_int_equal(due, 2);
}

static void one_failing_zone_keeps_the_set_shut(void **state)
{
    struct fixture   *fixture = *state;
    struct delegation a       = servers("host.example", 1);
    struct zone      *zones[5];
    for (unsigned i = 0; i < 5; i++) {
        zones[i] = block_number(fixture, i, 0);
        learner_place(fixture->learner, zones[i], &a);
    }
    for (unsigned i = 0; i < 4; i++) { /* good, bad, good, bad: the zones were what differed */
        recheck(fixture, zones[i], i % 2 == 0, 1000 + i);
        if (i == 3)
            assert_int_equal(zones[4]->set->good, 0);
    }
}

/* A recheck looks up the delegation of a zone that may be in the set already. */
static void joining_twice_changes_nothing(void **state)
{
    struct fixture   *fixture = *state;
    struct delegation a       = servers("host.example", 1);
    struct zone      *zone    = block(fixture, "one.example", 1000);
    learner_place(fixture->learner, zone, &a);
    const struct nameserver_set *set = zone->set;
    learner_place(fixture->learner, zone, &a);
    assert_ptr_equal(zone->set, set);
    assert_int_equal(set->member_count, 1);
    assert_true(learner_is_kin(fixture->learner, &a));
}

/* What a zone that joins late has suffered long ago is no news of its servers. */
static void joining_says_whether_the_zone_is_in_a_set(void **state)
{
    struct fixture     *fixture     = *state;
    struct nameservers *nameservers = nameservers_create((struct hash_key){1, 2});
    struct delegation   a = servers("host.example", 1), b = servers("host.example", 3), nothing = {0};
    struct zone        *zone = block(fixture, "one.example", 1000);
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
    nameservers_destroy(nameservers);
}

static void an_old_failure_does_not_hide_a_new_one(void **state)
{
    struct fixture   *fixture = *state;
    struct delegation a       = servers("host.example", 1);
    struct zone      *one = block(fixture, "one.example", 1000), *two = block(fixture, "two.example", 2000);
    learner_place(fixture->learner, one, &a);
    recheck(fixture, one, true, 3000);
    recheck(fixture, one, false, 5000);
    learner_place(fixture->learner, two, &a);
    assert_true(learner_is_kin(fixture->learner, &a));
    recheck(fixture, one, true, 6000);
    struct zone *three = block(fixture, "three.example", 4000); /* and no news at all where one answered since */
    learner_place(fixture->learner, three, &a);
    assert_false(learner_is_kin(fixture->learner, &a));
}

static void names_are_compared_sorted_and_once_each(void **state)
{
    struct fixture   *fixture = *state;
    struct delegation a       = {.name_count    = 3,
                                 .address_count = 1,
                                 .names         = {named("ns2.x.example"), named("ns1.x.example"), named("NS2.X.example")}};
    struct delegation b       = {.name_count = 2, .names = {named("ns1.x.example"), named("ns2.x.example")}};
    a.addresses[0][0]         = 1;
    delegation_sort(&a);
    delegation_sort(&b);
    assert_int_equal(a.name_count, 2);
    learner_place(fixture->learner, block(fixture, "one.example", 1000), &a);
    assert_true(learner_knows_set(fixture->learner, &b));
    b.name_count = 1;
    assert_false(learner_knows_set(fixture->learner, &b));
}

static void the_number_of_sets_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i <= LIMIT_NAMESERVER_SETS; i++) {
        char domain[32];
        snprintf(domain, sizeof(domain), "host-%u.example", i);
        struct delegation a    = servers(domain, 1);
        struct zone      *zone = block_number(fixture, i, (msec_t) i * 10 * MINUTE);
        learner_place(fixture->learner, zone, &a);
        assert_int_equal(zone->set != NULL, i < LIMIT_NAMESERVER_SETS);
    }
}

static void without_memory_a_zone_is_in_no_set(void **state)
{
    struct fixture   *fixture = *state;
    struct delegation a       = servers("host.example", 1);
    struct zone      *zone    = block(fixture, "one.example", 1000);
    for (unsigned n = 0; n < 10 && !zone->set; n++) {
        heap_fail_at(n);
        learner_place(fixture->learner, zone, &a);
        heap_restore();
        assert_int_equal(zone->set != NULL, learner_is_kin(fixture->learner, &a));
    }
    assert_non_null(zone->set);
}

/* ---- mass events ---- */

static unsigned sentinels(struct fixture *fixture, unsigned zones, msec_t now, struct zone *found[BATCH_SENTINELS])
{
    unsigned count = 0;
    for (unsigned i = 0; i < zones; i++) {
        char text[32];
        snprintf(text, sizeof(text), "zone-%u.example", i);
        struct zone *zone = get(fixture, text);
        if (!zone || zone->condition.state != ZONE_BLOCKED)
            continue;
        recheck(fixture, zone, false, now);
        if (zone->condition.next >= now + FIRST / 10 * 9)
            continue;
        assert_true(count < BATCH_SENTINELS);
        found[count++] = zone;
    }
    return count;
}

static void a_burst_makes_a_batch_with_sentinels(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *found[BATCH_SENTINELS];
    for (unsigned i = 0; i < BATCH_BURST - 1; i++)
        block_number(fixture, i, 1000 + i * 1000);
    assert_int_equal(sentinels(fixture, 100, 25000, found), 0);
    for (unsigned i = BATCH_BURST - 1; i < 100; i++)
        block_number(fixture, i, 30000 + i * 1000);
    assert_int_equal(sentinels(fixture, 100, 140000, found), BATCH_SENTINELS);
    assert_ptr_equal(learner_recheck_due(fixture->learner, 140000 + BATCH_FIRST), found[0]);
}

static void slow_arrivals_make_no_batch(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *found[BATCH_SENTINELS];
    for (unsigned i = 0; i < 200; i++)
        block_number(fixture, i, (msec_t) i * 4000);
    assert_int_equal(sentinels(fixture, 200, 900000, found), 0);
}

/* A border that filters names takes many of one zone: these are no event of the border's. */
static void names_make_no_batch(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 2 * BATCH_BURST; i++) {
        char text[32];
        snprintf(text, sizeof(text), "zone-%u.example", i);
        struct name          name = named(text);
        const struct zone_id id   = {.name = name_view(&name), .scope = SCOPE_NAME};
        struct zone         *zone =
            learner_apply(fixture->learner, &id, EVIDENCE_CONFIRMED, REASON_TIMEOUT, name_view(&name), TYPE_A, 1000);
        assert_int_equal(zone->batch, 0);
    }
    assert_null(learner_recheck_due(fixture->learner, 1000 + 2 * BATCH_FIRST));
}

/* Its second good recheck keeps its distance from the first, which a cache may have answered. */
static void a_sentinel_that_opens_is_not_rechecked_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *found[BATCH_SENTINELS];
    for (unsigned i = 0; i < 30; i++)
        block_number(fixture, i, 1000);
    assert_int_equal(sentinels(fixture, 30, 2000, found), BATCH_SENTINELS);
    recheck(fixture, found[0], true, 3000);
    assert_int_equal(found[0]->condition.state, ZONE_RECOVERING);
    assert_true(found[0]->condition.next >= 3000 + ZONE_RETRY / 10 * 9);
}

static void two_open_sentinels_open_the_batch(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *found[BATCH_SENTINELS];
    for (unsigned i = 0; i < 100; i++)
        block_number(fixture, i, 1000 + i * 100);
    msec_t now = 3600 * 1000;
    assert_int_equal(sentinels(fixture, 100, now, found), BATCH_SENTINELS);
    recheck(fixture, found[0], true, now + 1000);
    recheck(fixture, found[1], false, now + 1000);
    unsigned due = 0;
    for (unsigned i = 0; i < 100; i++) {
        char text[32];
        snprintf(text, sizeof(text), "zone-%u.example", i);
        due += get(fixture, text)->condition.next <= now + 2 * BATCH_SPREAD;
    }
    assert_int_equal(due, 1);
    recheck(fixture, found[0], true, now + 60000); /* it recovers altogether, and still counts */
    recheck(fixture, found[2], true, now + 120000);
    for (unsigned i = 0; i < 100; i++) {
        char text[32];
        snprintf(text, sizeof(text), "zone-%u.example", i);
        struct zone *zone = get(fixture, text);
        if (zone && zone->condition.state == ZONE_BLOCKED)
            assert_true(zone->condition.next <= now + 120000 + BATCH_SPREAD);
    }
}

static void sentinels_of_an_old_batch_are_asked_less_often(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 30; i++)
        block_number(fixture, i, 1000);
    struct zone *zone = get(fixture, "zone-0.example");
    recheck(fixture, zone, false, 3600 * 1000);
    assert_in_range(zone->condition.next - 3600 * 1000, 170 * 1000, 180 * 1000);
    recheck(fixture, zone, false, 86400 * 1000);
    assert_int_equal(zone->condition.next - 86400 * 1000, BATCH_MAX);
}

static void a_sentinel_that_shut_again_does_not_count(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *found[BATCH_SENTINELS];
    for (unsigned i = 0; i < 30; i++)
        block_number(fixture, i, 1000);
    msec_t now = 3600 * 1000;
    assert_int_equal(sentinels(fixture, 30, now, found), BATCH_SENTINELS);
    recheck(fixture, found[0], true, now + 1000);
    recheck(fixture, found[0], false, now + 2000);
    recheck(fixture, found[1], true, now + 3000);
    for (unsigned i = 3; i < 30; i++) {
        char text[32];
        snprintf(text, sizeof(text), "zone-%u.example", i);
        assert_true(get(fixture, text)->condition.next > now + 3000 + BATCH_SPREAD);
    }
    recheck(fixture, found[2], true, now + 4000);
    assert_true(get(fixture, "zone-9.example")->condition.next <= now + 4000 + BATCH_SPREAD);
}

/* Its place stays with what it told: a zone that comes later must not take that back. */
static void a_sentinel_that_recovered_altogether_still_counts(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < BATCH_BURST; i++)
        block_number(fixture, i, 1000);
    struct zone *found[BATCH_SENTINELS];
    assert_int_equal(sentinels(fixture, BATCH_BURST, 2000, found), BATCH_SENTINELS);
    recheck(fixture, found[0], true, 3000);
    recheck(fixture, found[0], true, 4000);
    struct zone *late = block_number(fixture, BATCH_BURST, 30000);
    recheck(fixture, late, false, 31000);
    recheck(fixture, found[1], true, 32000);
    assert_true(get(fixture, "zone-9.example")->condition.next <= 32000 + BATCH_SPREAD);
    assert_true(late->condition.next <= 32000 + BATCH_SPREAD);
}

static void the_sentinel_that_waits_longest_comes_first(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 30; i++)
        block_number(fixture, i, 1000);
    msec_t last = 0;
    for (unsigned i = 0; i < BATCH_SENTINELS; i++) {
        const struct zone *zone = learner_recheck_due(fixture->learner, 1000 + BATCH_FIRST);
        assert_non_null(zone);
        assert_in_range(zone->condition.next, last, 1000 + BATCH_FIRST);
        last = zone->condition.next;
    }
    assert_null(learner_recheck_due(fixture->learner, 1000 + BATCH_FIRST));
}

static bool is_watched(struct fixture *fixture, unsigned number, msec_t now)
{
    char text[32];
    snprintf(text, sizeof(text), "zone-%u.example", number);
    struct zone *zone = get(fixture, text);
    for (int k = 0; k < 3; k++)
        recheck(fixture, zone, false, now);
    return zone->condition.next <= now + BATCH_MAX;
}

/* Their numbers go round; 0 is none's, and no two that follow each other have the same. */
static void batches_are_told_apart_by_number(void **state)
{
    static const uint16_t given[] = {0, 1, UINT16_MAX - 1, UINT16_MAX};
    struct fixture       *fixture = *state;
    struct zone          *zone    = block(fixture, "one.example", 1000);
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
    struct fixture *fixture = *state;
    for (unsigned batch = 0; batch <= BATCHES; batch++)
        for (unsigned i = 0; i < BATCH_BURST; i++)
            block_number(fixture, batch * 100 + i, 1000 + (msec_t) batch * 2 * BATCH_WINDOW);
    for (unsigned batch = 0; batch <= BATCHES; batch++)
        assert_int_equal(is_watched(fixture, batch * 100, 3600 * 1000), batch > 0);
}

static void a_batch_outlives_its_zones(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 40; i++)
        block_number(fixture, i, 1000);
    for (unsigned i = 0; i < 40; i++) {
        char text[32];
        snprintf(text, sizeof(text), "zone-%u.example", i);
        struct name name = named(text);
        assert_int_equal(learner_forget(fixture->learner, name_view(&name), MSEC_NEVER, 2000), 1);
        learner_reclaim(fixture->learner);
    }
    assert_null(learner_recheck_due(fixture->learner, (msec_t) 86400 * 1000));
    for (unsigned i = 100; i < 140; i++)
        block_number(fixture, i, 90000 * 1000);
    assert_non_null(learner_recheck_due(fixture->learner, (msec_t) 90000 * 1000 + 2 * FIRST));
}

/* Its number goes to no other: when a new batch opens, the zones of a forgotten one are not swept along. */
static void a_forgotten_batchs_zones_are_on_their_own(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *old[BATCH_BURST], *new[BATCH_BURST];
    for (unsigned b = 0; b <= BATCHES; b++)
        for (unsigned i = 0; i < BATCH_BURST; i++) {
            struct zone *zone = block_number(fixture, b * BATCH_BURST + i, 1000 + (msec_t) b * 2 * BATCH_WINDOW);
            if (b == 0)
                old[i] = zone;
            new[i] = zone;
        }
    const msec_t now = (msec_t) 3 * 3600 * 1000;
    for (unsigned i = 0; i < BATCH_BURST; i++)
        recheck(fixture, old[i], false, now);
    for (unsigned i = 0; i < BATCH_SENTINELS; i++)
        recheck(fixture, new[i], true, now);
    for (unsigned i = BATCH_SENTINELS; i < BATCH_BURST; i++) {
        assert_true(old[i]->condition.next > now + BATCH_SPREAD);
        assert_true(new[i]->condition.next <= now + BATCH_SPREAD);
    }
}

static void an_idle_sentinel_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < BATCH_BURST; i++)
        block_number(fixture, i, 1000);
    assert_null(learner_recheck_due(fixture->learner, ZONE_IDLE + 2000));
    assert_int_equal(table_count(fixture->table), 0);
}

/* ---- the past ---- */

static void a_type_that_recovered_makes_no_zone_a_former_one(void **state)
{
    struct fixture      *fixture = *state;
    struct name          name    = named("part.example");
    const struct zone_id id      = {.name = name_view(&name), .scope = SCOPE_TYPE, .type = TYPE_AAAA};
    struct zone         *zone =
        learner_apply(fixture->learner, &id, EVIDENCE_CONFIRMED, REASON_TIMEOUT, name_view(&name), TYPE_AAAA, 1000);
    recheck(fixture, zone, true, 2000);
    recheck(fixture, zone, true, 3000);
    assert_int_equal(table_count(fixture->table), 0);
    assert_false(learner_was_blocked(fixture->learner, name_view(&name), 4000));
}

static void a_zone_that_recovered_is_remembered(void **state)
{
    struct fixture *fixture = *state;
    struct name     name = named("one.example"), other = named("two.example");
    struct zone    *zone = block(fixture, "one.example", 1000);
    assert_false(learner_was_blocked(fixture->learner, name_view(&name), 1000));
    recheck(fixture, zone, true, 2000);
    recheck(fixture, zone, true, 3000);
    assert_null(get(fixture, "one.example"));
    assert_true(learner_was_blocked(fixture->learner, name_view(&name), 4000));
    assert_false(learner_was_blocked(fixture->learner, name_view(&other), 4000));
    assert_false(learner_was_blocked(fixture->learner, name_view(&name), 4000 + FORMER_LIFE));
    zone = block(fixture, "two.example", 1000);
    learner_forget(fixture->learner, name_view(&other), MSEC_NEVER, 2000); /* the operator knows better */
    assert_false(learner_was_blocked(fixture->learner, name_view(&other), 3000));
}

/* The clock was set back between two starts: what the files call a failure lies in the future. */
static void a_failure_of_the_future_counts_no_longer_than_till_a_good_recheck(void **state)
{
    enum {
        NOW = 1000000
    };
    struct fixture      *fixture = *state;
    struct delegation    a       = servers("host.example", 1);
    struct name          name    = named("one.example");
    const struct learned learned = {.id         = {.name = name_view(&name), .scope = SCOPE_ZONE},
                                    .condition  = {.state        = ZONE_BLOCKED,
                                                   .reason       = REASON_TIMEOUT,
                                                   .failures     = 1,
                                                   .since        = NOW + 86400 * 1000,
                                                   .last_failure = NOW + 86400 * 1000,
                                                   .next         = NOW,
                                                   .interval     = FIRST},
                                    .asked      = name_view(&name),
                                    .asked_type = TYPE_SOA,
                                    .last_used  = NOW};
    struct zone         *zone    = learner_restore(fixture->learner, &learned, NOW);
    assert_non_null(zone);
    learner_place(fixture->learner, zone, &a);
    recheck(fixture, zone, true, NOW + 1000);
    assert_false(learner_is_kin(fixture->learner, &a));
}

/* The operator says that nothing is known: it is not believed sooner than any other then. */
static void a_forgotten_zone_has_no_past(void **state)
{
    struct fixture *fixture = *state;
    struct name     name    = named("one.example");
    struct zone    *zone    = block(fixture, "one.example", 1000);
    recheck(fixture, zone, true, 2000);
    recheck(fixture, zone, true, 3000);
    block(fixture, "one.example", 4000);
    assert_int_equal(learner_forget(fixture->learner, name_view(&name), MSEC_NEVER, 5000), 1);
    assert_false(learner_was_blocked(fixture->learner, name_view(&name), 6000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_zone_on_the_servers_of_a_blocked_one_is_kin),
        FIXTURE_TEST(a_set_stops_counting_when_a_zone_of_it_recovers),
        FIXTURE_TEST(a_set_ends_with_its_last_zone),
        FIXTURE_TEST(two_open_zones_open_the_set),
        FIXTURE_TEST(one_zone_that_recovers_opens_no_set),
        FIXTURE_TEST(one_failing_zone_keeps_the_set_shut),
        FIXTURE_TEST(joining_twice_changes_nothing),
        FIXTURE_TEST(joining_says_whether_the_zone_is_in_a_set),
        FIXTURE_TEST(an_old_failure_does_not_hide_a_new_one),
        FIXTURE_TEST(names_are_compared_sorted_and_once_each),
        FIXTURE_TEST(the_number_of_sets_is_bounded),
        FIXTURE_TEST(without_memory_a_zone_is_in_no_set),
        FIXTURE_TEST(a_burst_makes_a_batch_with_sentinels),
        FIXTURE_TEST(slow_arrivals_make_no_batch),
        FIXTURE_TEST(names_make_no_batch),
        FIXTURE_TEST(a_sentinel_that_opens_is_not_rechecked_at_once),
        FIXTURE_TEST(two_open_sentinels_open_the_batch),
        FIXTURE_TEST(sentinels_of_an_old_batch_are_asked_less_often),
        FIXTURE_TEST(a_sentinel_that_shut_again_does_not_count),
        FIXTURE_TEST(a_sentinel_that_recovered_altogether_still_counts),
        FIXTURE_TEST(the_sentinel_that_waits_longest_comes_first),
        FIXTURE_TEST(batches_are_told_apart_by_number),
        FIXTURE_TEST(of_many_batches_the_oldest_is_forgotten),
        FIXTURE_TEST(a_batch_outlives_its_zones),
        FIXTURE_TEST(a_forgotten_batchs_zones_are_on_their_own),
        FIXTURE_TEST(an_idle_sentinel_is_forgotten),
        FIXTURE_TEST(a_type_that_recovered_makes_no_zone_a_former_one),
        FIXTURE_TEST(a_zone_that_recovered_is_remembered),
        FIXTURE_TEST(a_failure_of_the_future_counts_no_longer_than_till_a_good_recheck),
        FIXTURE_TEST(a_forgotten_zone_has_no_past),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
