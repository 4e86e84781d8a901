/*
 * test_hear.c: what another node says of a zone, and what is forgotten of it up to a time.
 */
#include "learn/learner.h"
#include "lib/check.h"
#include "lib/heap.h"
#include "lib/names.h"

#include <stdlib.h>

enum {
    MINUTE = 60 * 1000,
    FIRST  = 10 * MINUTE, /* recheck_first */
    LONG   = 80 * MINUTE, /* recheck_max */
    NOW    = 1000 * MINUTE,
    ZONES  = 3, /* max_zones */
};

struct fixture {
    struct table   *table;
    struct learner *learner;
    unsigned        told;
    enum zone_why   why;
    enum zone_state from;
};

static void note(void *context, struct zone *zone, enum zone_state from, enum zone_why why, bool removed)
{
    struct fixture *fixture = context;
    (void) zone, (void) removed;
    fixture->told++;
    fixture->why  = why;
    fixture->from = from;
}

static int open_fixture(void **state)
{
    struct fixture *fixture = *state = calloc(1, sizeof(*fixture));
    fixture->table                   = table_create(64, (struct hash_key){3, 4});
    fixture->learner                 = learner_create(fixture->table, &(struct learner_limits){{FIRST, LONG, 2}, ZONES},
                                                      &(struct learner_hooks){.changed = note, .context = fixture},
                                                      (const uint8_t[RNG_SEED_BYTES]){7});
    return fixture->learner ? 0 : -1;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    learner_destroy(fixture->learner);
    table_destroy(fixture->table);
    free(fixture);
    return 0;
}

static struct hearsay said_of(const struct name *name, msec_t failed)
{
    return (struct hearsay){
        .id         = {.name = name_view(name), .scope = SCOPE_ZONE},
        .reason     = REASON_REFUSED,
        .failed     = failed,
        .interval   = 2 * FIRST,
        .asked      = name_view(name),
        .asked_type = TYPE_TXT,
        .source     = SOURCE_CLUSTER,
    };
}

static struct zone *hear(struct fixture *fixture, const char *text, msec_t failed, msec_t now)
{
    const struct name    name  = named(text);
    const struct hearsay heard = said_of(&name, failed);
    return learner_hear(fixture->learner, &heard, now);
}

static struct zone *find(struct fixture *fixture, const char *text)
{
    const struct name name = named(text);
    return table_get(fixture->table, name_view(&name), SCOPE_ZONE, 0);
}

static struct zone *learn(struct fixture *fixture, const char *text, enum evidence evidence, msec_t now)
{
    const struct name    name = named(text);
    const struct zone_id id   = {.name = name_view(&name), .scope = SCOPE_ZONE};
    return learner_apply(fixture->learner, &id, evidence, REASON_TIMEOUT, name_view(&name), TYPE_A, now);
}

static void what_is_heard_is_believed_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *zone    = hear(fixture, "shut.example", NOW - MINUTE, NOW);
    assert_non_null(zone);
    assert_true(fixture->told == 1 && fixture->why == WHY_HEARD && fixture->from == ZONE_CLEAR);
    assert_true(zone->condition.state == ZONE_BLOCKED && zone->condition.reason == REASON_REFUSED);
    assert_true(zone->source == SOURCE_CLUSTER && zone->asked_type == TYPE_TXT && zone->condition.failures == 1);
    assert_true(zone->condition.since == NOW - MINUTE && zone->condition.last_failure == NOW - MINUTE);
    assert_in_range(zone->condition.next, NOW - MINUTE + 2 * FIRST / 10 * 9, NOW - MINUTE + 2 * FIRST / 10 * 11);
    assert_int_equal(learner_next_recheck(fixture->learner), zone->condition.next);
    assert_int_equal(learner_count(fixture->learner).sources[ZONE_BLOCKED][SOURCE_CLUSTER], 1);
}

/* The same, and what is older; what is later counts as one failure more. */
static void only_a_later_failure_is_news(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *zone    = hear(fixture, "shut.example", NOW - MINUTE, NOW);
    msec_t          next    = zone->condition.next;
    assert_ptr_equal(hear(fixture, "shut.example", NOW - MINUTE, NOW + 5), zone);
    assert_ptr_equal(hear(fixture, "shut.example", NOW - 9 * MINUTE, NOW + 5), zone);
    assert_true(fixture->told == 1 && zone->condition.next == next && zone->condition.failures == 1);
    assert_ptr_equal(hear(fixture, "shut.example", NOW + 4, NOW + 5), zone);
    assert_true(zone->condition.failures == 2 && zone->condition.last_failure == NOW + 4);
    assert_in_range(zone->condition.next, NOW + 2 * FIRST / 10 * 9, NOW + 5 + 2 * FIRST / 10 * 11);
    assert_int_equal(zone->condition.since, NOW - MINUTE); /* it was blocked all the time */
}

/* Another node's clock and settings are not this one's. */
static void times_are_kept_in_bounds(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *future  = hear(fixture, "a.example", NOW + 50 * MINUTE, NOW),
                *old        = hear(fixture, "b.example", MINUTE, NOW);
    assert_true(future->condition.last_failure == NOW && future->condition.since == NOW);
    assert_in_range(future->condition.next, NOW, NOW + 2 * FIRST / 10 * 11);
    assert_true(old->condition.next == NOW && old->condition.last_failure == MINUTE); /* overdue */
    const struct name   name      = named("c.example");
    struct hearsay      heard     = said_of(&name, NOW);
    static const msec_t rows[][2] = {{0, FIRST}, {FIRST - 1, FIRST}, {LONG + 1, LONG}, {INT64_MAX, LONG}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        heard.interval = rows[i][0];
        heard.failed++;
        assert_int_equal(learner_hear(fixture->learner, &heard, NOW + MINUTE)->condition.interval, rows[i][1]);
    }
}

/* Whatever this node thought of it. */
static void every_state_becomes_blocked(void **state)
{
    struct fixture *fixture = *state;
    learn(fixture, "suspect.example", EVIDENCE_STRIKE, NOW - 5);
    learn(fixture, "broken.example", EVIDENCE_BROKEN, NOW - 5);
    struct zone *mending = learn(fixture, "mending.example", EVIDENCE_CONFIRMED, NOW - 5);
    learner_apply_zone(fixture->learner, mending, EVIDENCE_RECHECK_GOOD, REASON_NONE, NOW - 4);
    assert_int_equal(mending->condition.state, ZONE_RECOVERING);
    static const char *const names[] = {"suspect.example", "broken.example", "mending.example"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct zone *zone = hear(fixture, names[i], NOW - 3, NOW);
        assert_true(zone == find(fixture, names[i]) && zone->condition.state == ZONE_BLOCKED);
        assert_true(zone->condition.good == 0 && zone->condition.strikes == 0);
    }
    assert_int_equal(mending->condition.since, NOW);   /* until now it was getting well */
    assert_int_equal(mending->source, SOURCE_LEARNED); /* this node found it itself */
    assert_int_equal(find(fixture, "broken.example")->source, SOURCE_CLUSTER);
    assert_int_equal(learner_count(fixture->learner).states[ZONE_BLOCKED], 3);
}

static void nobody_gives_way_to_hearsay(void **state)
{
    struct fixture *fixture = *state;
    hear(fixture, "a.example", NOW - 9, NOW);
    hear(fixture, "b.example", NOW - 8, NOW);
    struct zone *third = hear(fixture, "c.example", NOW - 7, NOW);
    assert_null(hear(fixture, "d.example", NOW - 1, NOW));
    learn(fixture, "e.example", EVIDENCE_STRIKE, NOW);
    assert_null(hear(fixture, "e.example", NOW, NOW));
    assert_int_equal(find(fixture, "e.example")->condition.state, ZONE_SUSPECT);
    assert_ptr_equal(hear(fixture, "c.example", NOW - 1, NOW), third); /* what is there is told of */
    assert_int_equal(third->condition.failures, 2);
}

static void a_pin_stays(void **state)
{
    struct fixture   *fixture = *state;
    const struct name name    = named("kept.example");
    struct zone      *pinned  = learner_pin(fixture->learner, name_view(&name), PIN_DOMESTIC, MSEC_NEVER, "hm", NOW);
    assert_ptr_equal(hear(fixture, "kept.example", NOW - 1, NOW), pinned);
    assert_true(pinned->pin == PIN_DOMESTIC && pinned->condition.state == ZONE_BLOCKED);
    assert_string_equal(pinned->note, "hm");
    assert_int_equal(learner_forget(fixture->learner, name_view(&name), MSEC_NEVER, NOW), 1);
    assert_true(find(fixture, "kept.example")->pin == PIN_DOMESTIC && pinned->condition.state == ZONE_CLEAR);
}

static void without_memory_nothing_is_heard(void **state)
{
    struct fixture *fixture = *state;
    size_t          before  = heap_count();
    hear(fixture, "first.example", NOW - 1, NOW);
    size_t count = heap_count() - before;
    assert_true(count > 0);
    for (size_t n = 0; n < count; n++) {
        heap_fail_at(n);
        struct zone *zone = hear(fixture, "then.example", NOW - 1, NOW);
        if (heap_restore() && !zone)
            assert_null(find(fixture, "then.example"));
        const struct name name = named("then.example");
        learner_forget(fixture->learner, name_view(&name), MSEC_NEVER, NOW);
        assert_int_equal(learner_count(fixture->learner).states[ZONE_BLOCKED], 1);
    }
}

/* ---- forgetting up to a time ---- */

/* What has failed since was not meant, of whatever scope. */
static void what_failed_since_is_not_forgotten(void **state)
{
    struct fixture   *fixture = *state;
    const struct name name    = named("shut.example");
    struct hearsay    heard   = said_of(&name, NOW - 2 * MINUTE);
    for (int scope = SCOPE_ZONE; scope <= SCOPE_TYPE; scope++) {
        heard.id.scope = (enum zone_scope) scope;
        heard.id.type  = scope == SCOPE_TYPE ? TYPE_MX : 0;
        assert_non_null(learner_hear(fixture->learner, &heard, NOW));
        heard.failed += MINUTE;
    }
    assert_int_equal(learner_forget(fixture->learner, name_view(&name), NOW - 2 * MINUTE - 1, NOW), 0);
    assert_int_equal(learner_forget(fixture->learner, name_view(&name), NOW - MINUTE, NOW), 2);
    assert_null(find(fixture, "shut.example"));
    assert_non_null(table_get(fixture->table, name_view(&name), SCOPE_TYPE, TYPE_MX));
    assert_int_equal(learner_forget(fixture->learner, name_view(&name), MSEC_NEVER, NOW), 1);
    assert_int_equal(learner_count(fixture->learner).states[ZONE_BLOCKED], 0);
}

/* So that it is not believed to be blocked by one failure. */
static void that_it_was_blocked_is_forgotten_too(void **state)
{
    struct fixture   *fixture = *state;
    const struct name name    = named("well.example");
    struct zone      *zone    = hear(fixture, "well.example", NOW - MINUTE, NOW);
    for (unsigned i = 0; i < 2; i++)
        learner_apply_zone(fixture->learner, zone, EVIDENCE_RECHECK_GOOD, REASON_NONE, NOW + i);
    assert_null(find(fixture, "well.example"));
    assert_true(learner_was_blocked(fixture->learner, name_view(&name), NOW + MINUTE));
    assert_int_equal(learner_forget(fixture->learner, name_view(&name), NOW, NOW + MINUTE), 0);
    assert_false(learner_was_blocked(fixture->learner, name_view(&name), NOW + MINUTE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(what_is_heard_is_believed_at_once),
        FIXTURE_TEST(only_a_later_failure_is_news),
        FIXTURE_TEST(times_are_kept_in_bounds),
        FIXTURE_TEST(every_state_becomes_blocked),
        FIXTURE_TEST(nobody_gives_way_to_hearsay),
        FIXTURE_TEST(a_pin_stays),
        FIXTURE_TEST(without_memory_nothing_is_heard),
        FIXTURE_TEST(what_failed_since_is_not_forgotten),
        FIXTURE_TEST(that_it_was_blocked_is_forgotten_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
