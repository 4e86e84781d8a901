/*
 * test_replica.c: what a replica keeps and refuses, what follows from it, what it has still to write, and what time and a
 * calendar that is set do to it. test_replica_orders.c has that the order does not matter.
 */
#include "cluster/replica.h"
#include "lib/check.h"
#include "lib/heap.h"
#include "lib/names.h"
#include "lib/statements.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW ((uint64_t) 1764470000000)
#define DAY ((uint64_t) 86400 * 1000)

enum {
    MAX   = 8, /* of which another node may have half */
    ROOMY = 3000,
};

struct fixture {
    struct replica *replica;
    struct name     zone, other;
};

static int open_fixture(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    fixture->replica        = replica_create((struct hash_key){1, 2}, text_view("cn"), text_view("me"), MAX);
    fixture->zone           = named("blocked.example");
    fixture->other          = named("other.example");
    *state                  = fixture;
    return fixture->replica ? 0 : -1;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    replica_destroy(fixture->replica);
    free(fixture);
    return 0;
}

static enum merged merge(struct fixture *fixture, struct statement statement)
{
    return replica_merge(fixture->replica, &statement, false, NOW);
}

static enum merged says(struct fixture *fixture, enum statement_kind kind, const char *node, uint64_t ms)
{
    return merge(fixture, stated(kind, node, &fixture->zone, ms));
}

static struct stamp stamp_at(const struct fixture *fixture, uint64_t ms)
{
    return replica_stamp(fixture->replica, name_view(&fixture->zone), ms);
}

static size_t held(struct fixture *fixture)
{
    struct holdings all;
    holdings_of(fixture->replica, 1, &all);
    size_t count = all.count;
    holdings_fini(&all);
    return count;
}

static size_t zones_of(struct fixture *fixture, const char *node)
{
    return replica_counts(fixture->replica, text_view(node)).zones;
}

static void the_latest_of_each_node_is_kept(void **state)
{
    struct fixture *fixture = *state;
    assert_false(replica_knows(fixture->replica, name_view(&fixture->zone)));
    assert_int_equal(says(fixture, STATEMENT_EVIDENCE, "a", NOW), MERGED_NEWS);
    assert_int_equal(says(fixture, STATEMENT_EVIDENCE, "a", NOW), MERGED_KNOWN);
    assert_int_equal(says(fixture, STATEMENT_EVIDENCE, "a", NOW - 1), MERGED_OLD);
    assert_int_equal(says(fixture, STATEMENT_EVIDENCE, "b", NOW - 1), MERGED_NEWS);
    assert_int_equal(says(fixture, STATEMENT_EVIDENCE, "a", NOW + 1), MERGED_NEWS);
    assert_true(replica_knows(fixture->replica, name_view(&fixture->zone)));
    struct statement typed = stated(STATEMENT_EVIDENCE, "a", &fixture->zone, NOW);
    typed.id.scope         = SCOPE_TYPE;
    for (typed.id.type = 1; typed.id.type <= 2; typed.id.type++)
        assert_int_equal(merge(fixture, typed), MERGED_NEWS);
    assert_int_equal(held(fixture), 4);
    assert_int_equal(zones_of(fixture, "a"), 3);
    assert_int_equal(zones_of(fixture, "b"), 1);
    assert_int_equal(zones_of(fixture, "c"), 0);
}

/* Of a zone there is one pin, whoever said it, and one forget; evidence of a zone is not a pin's affair. */
static void one_pin_and_one_forget(void **state)
{
    struct fixture  *fixture = *state;
    struct statement pin, forget;
    assert_false(replica_pin(fixture->replica, name_view(&fixture->zone), &pin));
    assert_int_equal(says(fixture, STATEMENT_PIN, "a", NOW - 5), MERGED_NEWS);
    assert_int_equal(says(fixture, STATEMENT_FORGET, "a", NOW - 3), MERGED_NEWS);
    assert_int_equal(says(fixture, STATEMENT_PIN, "b", NOW - 4), MERGED_NEWS);
    assert_int_equal(says(fixture, STATEMENT_PIN, "me", NOW - 6), MERGED_OLD);
    assert_int_equal(says(fixture, STATEMENT_FORGET, "0", NOW - 3), MERGED_OLD);
    assert_true(replica_pin(fixture->replica, name_view(&fixture->zone), &pin));
    assert_true(replica_forgotten(fixture->replica, name_view(&fixture->zone), &forget));
    assert_int_equal(pin.stamp.ms, NOW - 4);
    assert_int_equal(forget.stamp.ms, NOW - 3);
    assert_false(replica_pin(fixture->replica, name_view(&fixture->other), &pin));
    assert_false(replica_knows(fixture->replica, name_view(&fixture->zone)));
    assert_int_equal(held(fixture), 2);
}

static void what_was_forgotten_does_not_come_back(void **state)
{
    struct fixture  *fixture    = *state;
    struct statement named_only = stated(STATEMENT_EVIDENCE, "b", &fixture->zone, NOW - 2);
    named_only.id.scope         = SCOPE_NAME;
    merge(fixture, named_only);
    says(fixture, STATEMENT_EVIDENCE, "a", NOW - 2);
    says(fixture, STATEMENT_EVIDENCE, "c", NOW);
    says(fixture, STATEMENT_PIN, "a", NOW - 2);
    assert_int_equal(says(fixture, STATEMENT_FORGET, "b", NOW - 1), MERGED_NEWS);
    assert_int_equal(held(fixture), 3); /* the pin, the forget, and what c found since */
    assert_int_equal(zones_of(fixture, "a") + zones_of(fixture, "b"), 0);
    assert_int_equal(says(fixture, STATEMENT_EVIDENCE, "a", NOW - 2), MERGED_OLD);
    assert_int_equal(says(fixture, STATEMENT_EVIDENCE, "a", NOW - 1), MERGED_OLD); /* a comes before b */
    assert_int_equal(says(fixture, STATEMENT_EVIDENCE, "d", NOW - 1), MERGED_NEWS);
    assert_int_equal(merge(fixture, stated(STATEMENT_EVIDENCE, "a", &fixture->other, NOW - 2)), MERGED_NEWS);
}

static void each_bound_has_its_side(void **state)
{
    static const struct {
        enum statement_kind kind;
        const char         *vantage;
        uint64_t            ms;
        enum pin            pin;
        wall_t              until;
        enum merged         is;
    } rows[] = {
        {STATEMENT_EVIDENCE, "cn", NOW + REPLICA_AHEAD, .is = MERGED_NEWS},
        {STATEMENT_EVIDENCE, "cn", NOW + REPLICA_AHEAD + 1, .is = MERGED_AHEAD},
        {STATEMENT_PIN, "cn", UINT64_MAX, PIN_EXTERNAL, WALL_NEVER, MERGED_AHEAD},
        {STATEMENT_EVIDENCE, "cn", NOW - REPLICA_LIFE, .is = MERGED_NEWS},
        {STATEMENT_EVIDENCE, "cn", NOW - REPLICA_LIFE - 1, .is = MERGED_EXPIRED},
        {STATEMENT_FORGET, "cn", NOW - REPLICA_LIFE - 1, .is = MERGED_EXPIRED},
        {STATEMENT_PIN, "", NOW - REPLICA_LIFE - 1, PIN_NONE, WALL_NEVER, MERGED_EXPIRED},
        {STATEMENT_PIN, "cn", 0, PIN_NONE, WALL_NEVER, MERGED_NEWS}, /* one of all vantages may stand behind it */
        {STATEMENT_PIN, "cn", 0, PIN_EXTERNAL, 0, MERGED_NEWS},
        {STATEMENT_PIN, "cn", 0, PIN_DOMESTIC, WALL_NEVER, MERGED_NEWS},
        {STATEMENT_PIN, "", 0, PIN_EXTERNAL, (wall_t) (NOW - REPLICA_LIFE) / 1000, MERGED_NEWS},
        {STATEMENT_PIN, "", 0, PIN_EXTERNAL, (wall_t) (NOW - REPLICA_LIFE) / 1000 - 1, MERGED_EXPIRED},
        {STATEMENT_PIN, "", 0, PIN_EXTERNAL, (wall_t) 1 << 61, MERGED_NEWS}, /* in ms it is no number */
        {STATEMENT_PIN, "", NOW, PIN_EXTERNAL, INT64_MIN, MERGED_EXPIRED},
        {STATEMENT_EVIDENCE, "ir", NOW, .is = MERGED_FOREIGN},
        {STATEMENT_EVIDENCE, "CN", NOW, .is = MERGED_FOREIGN},
        {STATEMENT_FORGET, "", NOW, .is = MERGED_NEWS},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture  *fixture   = *state;
        struct statement statement = stated(rows[i].kind, "a", &fixture->zone, rows[i].ms);
        statement.vantage          = text_view(rows[i].vantage);
        statement.pin              = rows[i].pin;
        statement.until            = rows[i].until;
        enum merged merged         = merge(fixture, statement);
        if (merged != rows[i].is || held(fixture) != (merged == MERGED_NEWS))
            fail_msg("row %zu: %d", i, (int) merged);
        close_fixture(state);
        open_fixture(state);
    }
}

static void who_lies_ahead_is_counted(void **state)
{
    struct fixture *fixture = *state;
    says(fixture, STATEMENT_EVIDENCE, "a", NOW + 2 * REPLICA_AHEAD);
    says(fixture, STATEMENT_EVIDENCE, "a", NOW + 365 * DAY);
    struct replica_node_counts counts = replica_counts(fixture->replica, text_view("a"));
    assert_int_equal(counts.ahead, 2);
    assert_int_equal(counts.ahead_ms, 365 * DAY);
    replica_unsee(fixture->replica);
    assert_int_equal(replica_counts(fixture->replica, text_view("a")).ahead, 0);
    assert_int_equal(stamp_at(fixture, NOW).ms, NOW); /* it did not pull our clock along */
}

static void count_by_kind(void *context, const struct statement *statement)
{
    unsigned *counts = context;
    counts[statement->kind]++;
}

static void all_of_one_name_is_visited(void **state)
{
    struct fixture  *fixture                      = *state;
    unsigned         counts[STATEMENT_KIND_COUNT] = {0};
    struct statement typed                        = stated(STATEMENT_EVIDENCE, "a", &fixture->zone, NOW);
    replica_each_of(fixture->replica, name_view(&fixture->zone), count_by_kind, counts);
    typed.id.scope = SCOPE_TYPE;
    merge(fixture, typed);
    for (enum statement_kind kind = 0; kind < STATEMENT_KIND_COUNT; kind++) {
        assert_int_equal(counts[kind], 0);
        says(fixture, kind, "b", NOW + kind);
        says(fixture, kind, "c", NOW + kind);
        merge(fixture, stated(kind, "b", &fixture->other, NOW));
    }
    says(fixture, STATEMENT_EVIDENCE, "c", NOW + STATEMENT_KIND_COUNT);
    replica_each_of(fixture->replica, name_view(&fixture->zone), count_by_kind, counts);
    assert_int_equal(counts[STATEMENT_EVIDENCE], 1); /* the rest was forgotten */
    assert_int_equal(counts[STATEMENT_PIN], 1);
    assert_int_equal(counts[STATEMENT_FORGET], 1);
}

/* A node that says much has no more than its half, and what it said of others' zones takes no place of theirs. */
static void one_node_does_not_fill_all(void **state)
{
    struct fixture *fixture = *state;
    char            text[32];
    for (unsigned i = 0; i < 2 * MAX; i++) {
        snprintf(text, sizeof(text), "n%u.example", i);
        const struct name zone = named(text);
        assert_int_equal(merge(fixture, stated(STATEMENT_EVIDENCE, "a", &zone, NOW)),
                         i < MAX / 2 ? MERGED_NEWS : MERGED_FULL);
        assert_int_equal(merge(fixture, stated(i % 2 ? STATEMENT_PIN : STATEMENT_FORGET, "a", &zone, NOW - 1)),
                         i < MAX ? MERGED_NEWS : MERGED_FULL);
        assert_int_equal(merge(fixture, stated(STATEMENT_EVIDENCE, "me", &zone, NOW)), MERGED_NEWS);
    }
    const struct name first = named("n0.example"), late = named("late.example");
    assert_int_equal(merge(fixture, stated(STATEMENT_EVIDENCE, "a", &first, NOW + 1)), MERGED_NEWS);
    assert_int_equal(merge(fixture, stated(STATEMENT_EVIDENCE, "b", &first, NOW + 1)), MERGED_NEWS);
    assert_int_equal(zones_of(fixture, "a"), MAX / 2);
    assert_int_equal(zones_of(fixture, "me"), 2 * MAX);
    assert_int_equal(replica_counts(fixture->replica, text_view("a")).full, 2 * MAX - MAX / 2 + MAX);
    assert_int_equal(merge(fixture, stated(STATEMENT_EVIDENCE, "a", &late, NOW)), MERGED_FULL);
    assert_false(replica_knows(fixture->replica, name_view(&late)));
    merge(fixture, stated(STATEMENT_FORGET, "b", &first, NOW + 2)); /* makes room */
    assert_int_equal(merge(fixture, stated(STATEMENT_EVIDENCE, "a", &late, NOW)), MERGED_NEWS);
    replica_unsee(fixture->replica); /* what is refused from here on counts */
    assert_int_equal(replica_counts(fixture->replica, text_view("a")).full, 0);
}

static void what_this_node_says_is_bounded_too(void **state)
{
    struct fixture *fixture = *state;
    char            text[32];
    for (unsigned i = 0; i < (REPLICA_OWN + 1) * MAX; i++) {
        snprintf(text, sizeof(text), "n%u.example", i);
        const struct name zone = named(text);
        assert_int_equal(merge(fixture, stated(STATEMENT_EVIDENCE, "me", &zone, NOW)),
                         i < REPLICA_OWN * MAX ? MERGED_NEWS : MERGED_FULL);
        assert_int_equal(merge(fixture, stated(STATEMENT_PIN, "me", &zone, NOW)), MERGED_NEWS);
    }
    assert_int_equal(replica_counts(fixture->replica, text_view("me")).full, MAX);
}

static enum merged pin_of(struct fixture *fixture, unsigned node, const struct name *zone, uint64_t ms)
{
    char text[16];
    snprintf(text, sizeof(text), "n%u", node);
    return merge(fixture, stated(STATEMENT_PIN, text, zone, ms));
}

/* A container that has a new name at each start is not to silence the others after the 256th. */
static void a_node_of_which_nothing_is_left_makes_room(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < 3 * REPLICA_NODES; i++)
        assert_int_equal(pin_of(fixture, i, &fixture->zone, NOW - 1000 + i), MERGED_NEWS);
    assert_int_equal(held(fixture), 1);
    char text[32];
    for (unsigned i = 0; i < REPLICA_NODES + 10; i++) { /* one is this node, and one has pinned the zone above */
        snprintf(text, sizeof(text), "z%u.example", i);
        const struct name zone = named(text);
        assert_int_equal(pin_of(fixture, 1000 + i, &zone, NOW), i < REPLICA_NODES - 2 ? MERGED_NEWS : MERGED_FULL);
    }
    assert_int_equal(pin_of(fixture, 1000, &fixture->other, NOW), MERGED_NEWS);
    assert_int_equal(says(fixture, STATEMENT_EVIDENCE, "me", NOW), MERGED_NEWS);
    assert_int_equal(merge(fixture, stated(STATEMENT_PIN, "me", &fixture->zone, NOW)),
                     MERGED_NEWS); /* over the first */
    assert_int_equal(pin_of(fixture, 5000, &fixture->zone, NOW + 1), MERGED_NEWS);
}

/* ---- what follows ---- */

static void judged(struct fixture *fixture, unsigned recover_after, bool blocked, bool good, const char *node)
{
    const struct zone_id     id = {.name = name_view(&fixture->zone), .scope = SCOPE_ZONE};
    struct replica_judgement is = replica_judge(fixture->replica, &id, recover_after);
    assert_int_equal(is.blocked, blocked);
    assert_int_equal(is.good, good);
    assert_int_equal(is.failed != 0, node != NULL);
    if (node)
        assert_true(is.node.len == strlen(node) && memcmp(is.node.data, node, is.node.len) == 0);
}

static void good(struct fixture *fixture, const char *node, uint64_t ms, unsigned times)
{
    struct statement statement = stated(STATEMENT_EVIDENCE, node, &fixture->zone, ms);
    statement.good             = times;
    assert_int_equal(merge(fixture, statement), MERGED_NEWS);
}

static void the_latest_failure_stands_against_what_was_good_since(void **state)
{
    struct fixture *fixture = *state;
    judged(fixture, 2, false, false, NULL);
    good(fixture, "d", NOW - 100, 1);
    judged(fixture, 2, false, true, NULL); /* nobody says that it fails */
    says(fixture, STATEMENT_EVIDENCE, "a", NOW - 50);
    judged(fixture, 2, true, false, "a");
    says(fixture, STATEMENT_EVIDENCE, "b", NOW - 40);
    judged(fixture, 2, true, false, "b");
    good(fixture, "a", NOW - 45, 1); /* before the latest failure */
    judged(fixture, 2, true, false, "b");
    good(fixture, "a", NOW - 30, 1);
    judged(fixture, 1, false, true, "b");
    judged(fixture, 2, true, true, "b");
    good(fixture, "c", NOW - 20, 1);
    judged(fixture, 2, false, true, "b");
    judged(fixture, 3, true, true, "b");
    says(fixture, STATEMENT_EVIDENCE, "c", NOW - 10);
    judged(fixture, 1, true, false, "c");
    const struct zone_id name = {.name = name_view(&fixture->zone), .scope = SCOPE_NAME};
    assert_false(replica_judge(fixture->replica, &name, 2).blocked);
    says(fixture, STATEMENT_FORGET, "a", NOW - 5);
    judged(fixture, 1, false, false, NULL);
}

/* ---- what is still to be written ---- */

static void expect_unseen(struct fixture *fixture, const char *node)
{
    struct statement next;
    bool             is = replica_unseen(fixture->replica, &next);
    assert_int_equal(is, node != NULL);
    if (is)
        assert_true(next.node.len == strlen(node) && memcmp(next.node.data, node, next.node.len) == 0);
}

static void saw_next(struct fixture *fixture)
{
    struct statement next;
    assert_true(replica_unseen(fixture->replica, &next));
    replica_saw(fixture->replica, &next);
}

static void what_was_not_seen_waits_in_its_order(void **state)
{
    struct fixture  *fixture = *state;
    struct statement b       = stated(STATEMENT_EVIDENCE, "b", &fixture->zone, NOW);
    expect_unseen(fixture, NULL);
    says(fixture, STATEMENT_EVIDENCE, "a", NOW);
    merge(fixture, b);
    says(fixture, STATEMENT_EVIDENCE, "c", NOW);
    expect_unseen(fixture, "a");
    says(fixture, STATEMENT_EVIDENCE, "a", NOW); /* known, and unseen as before: to the end */
    replica_merge(fixture->replica, &b, true, NOW);
    expect_unseen(fixture, "c");
    saw_next(fixture);
    expect_unseen(fixture, "a");
    saw_next(fixture);
    expect_unseen(fixture, NULL);
    merge(fixture, b); /* seen it stays */
    expect_unseen(fixture, NULL);
    b.stamp.ms++;
    merge(fixture, b);
    expect_unseen(fixture, "b");
    says(fixture, STATEMENT_FORGET, "d", NOW + 2); /* what is gone need not be written */
    expect_unseen(fixture, "d");
    replica_saw(fixture->replica, &b); /* of what stands here no more that says nothing */
    expect_unseen(fixture, "d");
    saw_next(fixture);
    expect_unseen(fixture, NULL);
    replica_unsee(fixture->replica);
    expect_unseen(fixture, "d");
}

/* Another node has put back what is older than what is here. */
static void what_stands_in_an_older_form_is_missed(void **state)
{
    struct fixture  *fixture = *state;
    struct statement a = stated(STATEMENT_EVIDENCE, "a", &fixture->zone, NOW), pin = a, everywhere;
    replica_merge(fixture->replica, &a, true, NOW);
    replica_miss(fixture->replica, &a);
    expect_unseen(fixture, "a");
    saw_next(fixture);
    a.node = text_view("b"); /* that has no field here */
    replica_miss(fixture->replica, &a);
    a.id.name = name_view(&fixture->other);
    replica_miss(fixture->replica, &a);
    pin                = stated(STATEMENT_PIN, "a", &fixture->zone, NOW);
    everywhere         = pin;
    everywhere.vantage = (struct view){0};
    replica_merge(fixture->replica, &pin, true, NOW);
    replica_miss(fixture->replica, &everywhere); /* another field */
    expect_unseen(fixture, NULL);
    replica_miss(fixture->replica, &pin);
    expect_unseen(fixture, "a");
}

/* ---- all of it ---- */

static int open_roomy_fixture(void **state)
{
    open_fixture(state);
    struct fixture *fixture = *state;
    replica_destroy(fixture->replica);
    fixture->replica = replica_create((struct hash_key){1, 2}, text_view("cn"), text_view("me"), ROOMY);
    return fixture->replica ? 0 : -1;
}

static void fill(struct fixture *fixture, unsigned count, uint64_t ms)
{
    char text[32];
    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "z%u.example", i);
        const struct name zone = named(text);
        merge(fixture, stated(STATEMENT_EVIDENCE, "me", &zone, ms + i));
    }
}

static void small_steps_visit_everything_once(void **state)
{
    struct fixture *fixture = *state;
    struct holdings once, small;
    fill(fixture, 3000, NOW - 3000); /* more than there are chains at first */
    holdings_of(fixture->replica, SIZE_MAX, &once);
    holdings_of(fixture->replica, 1, &small);
    assert_int_equal(once.count, 3000);
    assert_true(holdings_equal(&once, "at once", &small, "in steps"));
    holdings_fini(&once);
    holdings_fini(&small);
}

static unsigned sweep(struct fixture *fixture, size_t most, uint64_t wall_ms)
{
    size_t   at    = 0;
    unsigned steps = 1;
    while (replica_sweep(fixture->replica, &at, most, wall_ms))
        steps++;
    return steps;
}

static void what_is_old_is_swept(void **state)
{
    struct fixture  *fixture = *state;
    struct statement ended   = stated(STATEMENT_PIN, "a", &fixture->other, NOW), back;
    fill(fixture, 100, NOW);
    ended.until   = (wall_t) (NOW / 1000) + 60;
    ended.vantage = (struct view){0};
    merge(fixture, ended);
    says(fixture, STATEMENT_PIN, "a", NOW);
    says(fixture, STATEMENT_FORGET, "a", NOW + 50);
    assert_int_equal(sweep(fixture, SIZE_MAX, NOW + REPLICA_LIFE), 1);
    assert_int_equal(held(fixture), 103);
    assert_in_range(sweep(fixture, 4, NOW + REPLICA_LIFE + 50), 8, 60);
    assert_int_equal(held(fixture), 53);
    assert_int_equal(zones_of(fixture, "me"), 50);
    sweep(fixture, 1, NOW + REPLICA_LIFE + 59000);
    assert_int_equal(held(fixture), 2);
    sweep(fixture, 1, NOW + REPLICA_LIFE + 62000);
    assert_false(replica_pin(fixture->replica, name_view(&fixture->other), &back));
    sweep(fixture, 1, NOW + 100 * REPLICA_LIFE);
    assert_true(replica_pin(fixture->replica, name_view(&fixture->zone), &back)); /* it stands */
    expect_unseen(fixture, "a");
}

/* ---- clocks ---- */

static bool is_later(struct stamp a, struct stamp b) { return a.ms > b.ms || (a.ms == b.ms && a.count > b.count); }

static void stamps_rise(void **state)
{
    static const int steps[] = {0, 0, 1, 0, -1, -1000, 5, 2000, -59000, 0};
    struct fixture  *fixture = *state;
    struct stamp     last    = {0};
    struct statement near    = stated(STATEMENT_PIN, "me", &fixture->zone, NOW);
    struct statement far     = stated(STATEMENT_EVIDENCE, "a", &fixture->zone, NOW + REPLICA_AHEAD);
    uint64_t         wall    = NOW;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        wall += (uint64_t) (int64_t) steps[i];
        struct stamp next = stamp_at(fixture, wall);
        assert_true(is_later(next, last));
        last = near.stamp = next;
        assert_int_equal(merge(fixture, near), MERGED_NEWS);
    }
    far.stamp.count = UINT32_MAX;
    assert_int_equal(merge(fixture, far), MERGED_NEWS);
    last = stamp_at(fixture, NOW);
    assert_true(last.ms == NOW + REPLICA_AHEAD + 1 && last.count == 0);
    last =
        replica_stamp(fixture->replica, name_view(&fixture->other), NOW); /* of another zone nobody has said anything */
    assert_true(last.ms == NOW && last.count == 0);
}

/* The calendar was an hour fast until now: what was said in that time is not above what is said from now on. */
static void a_calendar_that_was_set_back_is_believed(void **state)
{
    struct fixture    *fixture = *state;
    const uint64_t     back    = NOW - 3600 * 1000;
    struct statement   said, failed = stated(STATEMENT_EVIDENCE, "a", &fixture->other, back);
    const struct stamp ahead = stamp_at(fixture, NOW);
    assert_int_equal(ahead.ms, NOW);
    says(fixture, STATEMENT_PIN, "me", NOW);
    says(fixture, STATEMENT_EVIDENCE, "me", NOW - 1);
    says(fixture, STATEMENT_EVIDENCE, "a", NOW);
    merge(fixture, stated(STATEMENT_FORGET, "a", &fixture->other, NOW));
    assert_int_equal(stamp_at(fixture, back).ms, back);

    struct statement unpin = stated(STATEMENT_PIN, "me", &fixture->zone, back);
    unpin.pin              = PIN_NONE;
    assert_int_equal(replica_merge(fixture->replica, &unpin, false, back), MERGED_NEWS);
    assert_true(replica_pin(fixture->replica, name_view(&fixture->zone), &said));
    assert_int_equal(said.pin, PIN_NONE);
    assert_int_equal(replica_merge(fixture->replica, &failed, false, back), MERGED_NEWS);

    sweep(fixture, 1, back);
    assert_false(replica_forgotten(fixture->replica, name_view(&fixture->other), &said));
    assert_int_equal(zones_of(fixture, "a"), 1); /* the one that is not ahead */
    const struct zone_id     id = {.name = name_view(&fixture->zone), .scope = SCOPE_ZONE};
    struct replica_judgement is = replica_judge(fixture->replica, &id, 2);
    assert_true(is.blocked && is.failed == back); /* this node's own, stated anew */
    assert_int_equal(held(fixture), 3);
}

/* What it has discarded elsewhere it discards here. */
static void a_forget_that_is_stamped_anew_discards_what_came_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    const uint64_t  back    = NOW - 3600 * 1000;
    says(fixture, STATEMENT_FORGET, "me", NOW);
    for (unsigned i = 0; i < 3; i++) {
        char             node[2] = {(char) ('a' + i)};
        struct statement failed  = stated(STATEMENT_EVIDENCE, node, &fixture->zone, back + i);
        assert_int_equal(replica_merge(fixture->replica, &failed, false, back + i), MERGED_NEWS);
    }
    assert_int_equal(held(fixture), 4);
    sweep(fixture, 1, back + 1000);
    assert_int_equal(held(fixture), 1);
    expect_unseen(fixture, "me");
    struct statement after = stated(STATEMENT_EVIDENCE, "a", &fixture->zone, back + 2000);
    assert_int_equal(replica_merge(fixture->replica, &after, false, back + 2000), MERGED_NEWS);
    sweep(fixture, 1, back + 3000);
    assert_int_equal(held(fixture), 2);
}

/* ---- out of memory ---- */

static unsigned say_all(struct fixture *fixture)
{
    unsigned full = 0;
    for (unsigned i = 0; i < 4; i++) {
        char             node[2] = {(char) ('a' + i)};
        struct statement last    = stated(STATEMENT_EVIDENCE, node, &fixture->other, NOW + i);
        full += says(fixture, STATEMENT_EVIDENCE, node, NOW + i) == MERGED_FULL;
        full += says(fixture, STATEMENT_PIN, node, NOW + i) == MERGED_FULL;
        full += merge(fixture, last) == MERGED_FULL;
        full += says(fixture, STATEMENT_FORGET, node, NOW - 10 + i) == MERGED_FULL;
    }
    return full;
}

static void each_allocation_may_fail(void **state)
{
    struct fixture *fixture = *state;
    struct holdings right, all;
    size_t          before = heap_count();
    say_all(fixture);
    size_t count = heap_count() - before;
    holdings_of(fixture->replica, 1, &right);
    for (size_t n = 0; n < count; n++) {
        close_fixture(state);
        open_fixture(state);
        fixture = *state;
        heap_fail_at(n);
        unsigned full = say_all(fixture);
        assert_true(heap_restore());
        assert_int_equal(full, 1);
        assert_int_equal(say_all(fixture), 0); /* said once more, it is as if nothing had been */
        holdings_of(fixture->replica, 1, &all);
        assert_true(holdings_equal(&right, "right", &all, "after a failure"));
        holdings_fini(&all);
    }
    holdings_fini(&right);
    for (size_t n = 0; n < 2; n++) {
        heap_fail_at(n);
        assert_null(replica_create((struct hash_key){1, 2}, text_view("cn"), text_view("me"), MAX));
        assert_true(heap_restore());
    }
}

/* Chains get longer, nothing else. */
static void it_need_not_grow(void **state)
{
    struct fixture *fixture = *state;
    fill(fixture, 1024, NOW - 3000);
    const struct name zone = named("z1024.example");
    fill(fixture, 1024, NOW - 3000);
    heap_fail_at(0);
    assert_int_equal(merge(fixture, stated(STATEMENT_EVIDENCE, "me", &zone, NOW)), MERGED_NEWS);
    assert_true(heap_restore());
    assert_int_equal(held(fixture), 1025);
    fill(fixture, 3000, NOW - 3000);
    assert_int_equal(held(fixture), 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(the_latest_of_each_node_is_kept),
        FIXTURE_TEST(one_pin_and_one_forget),
        FIXTURE_TEST(what_was_forgotten_does_not_come_back),
        FIXTURE_TEST(each_bound_has_its_side),
        FIXTURE_TEST(who_lies_ahead_is_counted),
        FIXTURE_TEST(all_of_one_name_is_visited),
        FIXTURE_TEST(one_node_does_not_fill_all),
        FIXTURE_TEST(what_this_node_says_is_bounded_too),
        FIXTURE_TEST(a_node_of_which_nothing_is_left_makes_room),
        FIXTURE_TEST(the_latest_failure_stands_against_what_was_good_since),
        FIXTURE_TEST(what_was_not_seen_waits_in_its_order),
        FIXTURE_TEST(what_stands_in_an_older_form_is_missed),
        cmocka_unit_test_setup_teardown(small_steps_visit_everything_once, open_roomy_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(what_is_old_is_swept, open_roomy_fixture, close_fixture),
        FIXTURE_TEST(stamps_rise),
        FIXTURE_TEST(a_calendar_that_was_set_back_is_believed),
        FIXTURE_TEST(a_forget_that_is_stamped_anew_discards_what_came_meanwhile),
        FIXTURE_TEST(each_allocation_may_fail),
        cmocka_unit_test_setup_teardown(it_need_not_grow, open_roomy_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
