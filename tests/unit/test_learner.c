/*
 * test_learner.c: what becomes of evidence: who is told, which caps hold, what is due when, what an operator's word
 * does; in virtual time.
 */
#include "learn/learner.h"
#include "learn/pick.h"

#include "base/limits.h"
#include "lib/check.h"
#include "lib/heap.h"
#include "lib/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST = 600 * 1000,
    MAX   = 86400 * 1000,
    ZONES = 8 /* max_zones */
};

static msec_t next_due(const struct learner *learner)
{
    return msec_min(learner_next_end(learner), learner_next_recheck(learner));
}

/* Whatever is due first, and what the keeper does about it. */
static struct zone *due_now(struct learner *learner, msec_t now)
{
    learner_end_due(learner, now);
    return learner_recheck_due(learner, now);
}

struct fixture {
    struct table   *table;
    struct learner *learner;
    unsigned        changes;
    /* the last change */
    enum zone_state from, to;
    bool            removed;
    struct name     name;
    char            why[80];
    struct name     released; /* whose pin has ended last */
    uint64_t        epoch;
};

/* By then no answer that comes the old way is kept. */
static void on_pin_ended(void *context, struct view zone)
{
    struct fixture *fixture = context;
    assert_int_equal(table_find(fixture->table, zone, TYPE_A).pin, PIN_NONE);
    assert_false(epoch_holds(table_epoch(fixture->table), fixture->epoch));
    name_set(&fixture->released, zone);
}

static void on_changed(void *context, struct zone *zone, enum zone_state from, enum zone_why why, bool removed)
{
    struct fixture *fixture = context;
    fixture->changes++;
    fixture->from    = from;
    fixture->to      = zone->condition.state;
    fixture->removed = removed;
    name_set(&fixture->name, zone_name(zone));
    snprintf(fixture->why, sizeof(fixture->why), "%s", zone_why_words[why]);
}

static const struct learner_limits limits = {.zone = {.recheck_first = FIRST, .recheck_max = MAX, .recover_after = 2},
                                             .max_zones = ZONES};

static int open_fixture(void **state)
{
    static const uint8_t       seed[RNG_SEED_BYTES] = {1};
    struct fixture            *fixture              = calloc(1, sizeof(*fixture));
    const struct learner_hooks hooks = {.changed = on_changed, .pin_ended = on_pin_ended, .context = fixture};
    fixture->table                   = table_create(64, (struct hash_key){1, 2});
    fixture->learner                 = learner_create(fixture->table, &limits, &hooks, seed);
    *state                           = fixture;
    return fixture->table && fixture->learner ? 0 : -1;
}

/* Whatever was done, the counts must be what the table holds, and all that was removed can be freed. */
struct tally {
    struct learner_counts counts;
};

static void tally_one(void *context, struct zone *zone)
{
    struct tally *tally = context;
    tally->counts.states[zone->condition.state]++;
    tally->counts.sources[zone->condition.state][zone->pin != PIN_NONE ? SOURCE_PINNED : zone->source]++;
    tally->counts.pins += zone->pin != PIN_NONE;
    tally->counts.proved += zone->proved;
}

static int close_fixture(void **state)
{
    struct fixture       *fixture = *state;
    struct tally          tally   = {0};
    struct learner_counts counts  = learner_count(fixture->learner);
    table_each(fixture->table, tally_one, &tally);
    int wrong = memcmp(&counts, &tally.counts, sizeof(counts));
    learner_reclaim(fixture->learner);
    learner_destroy(fixture->learner);
    table_destroy(fixture->table);
    free(fixture);
    return wrong;
}

static struct zone *apply(struct fixture *fixture, const char *text, enum evidence evidence, msec_t now)
{
    struct name          name = named(text);
    const struct zone_id id   = {.name = name_view(&name), .scope = SCOPE_ZONE};
    return learner_apply(fixture->learner, &id, evidence, REASON_TIMEOUT, name_view(&name), TYPE_SOA, now);
}

static struct zone *get(struct fixture *fixture, const char *text)
{
    struct name name = named(text);
    return table_get(fixture->table, name_view(&name), SCOPE_ZONE, 0);
}

static struct zone *pin(struct fixture *fixture, const char *text, enum pin way, msec_t until, msec_t now)
{
    struct name name = named(text);
    return learner_pin(fixture->learner, name_view(&name), way, until, "by hand", now);
}

static size_t in_state(struct fixture *fixture, enum zone_state state)
{
    return learner_count(fixture->learner).states[state];
}

static void check_told(struct fixture *fixture, enum zone_state from, enum zone_state to, bool removed)
{
    assert_int_equal(fixture->changes, 1);
    assert_int_equal(fixture->from, from);
    assert_int_equal(fixture->to, to);
    assert_int_equal(fixture->removed, removed);
    fixture->changes = 0;
}

/* ---- the life of a zone ---- */

static void a_zone_is_learned_and_recovers(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *zone    = apply(fixture, "example.com", EVIDENCE_STRIKE, 1000);
    assert_non_null(zone);
    check_told(fixture, ZONE_CLEAR, ZONE_SUSPECT, false);
    assert_int_equal(next_due(fixture->learner), 1000 + ZONE_SUSPECT_LIFE);
    assert_ptr_equal(apply(fixture, "example.com", EVIDENCE_CONFIRMED, 2000), zone);
    check_told(fixture, ZONE_SUSPECT, ZONE_BLOCKED, false);
    assert_int_equal(in_state(fixture, ZONE_BLOCKED), 1);
    assert_int_equal(in_state(fixture, ZONE_SUSPECT), 0);

    msec_t due = next_due(fixture->learner);
    assert_in_range(due, 2000 + FIRST / 10 * 9, 2000 + FIRST / 10 * 11);
    assert_null(due_now(fixture->learner, due - 1));
    assert_ptr_equal(due_now(fixture->learner, due), zone);
    learner_apply_zone(fixture->learner, zone, EVIDENCE_RECHECK_GOOD, REASON_NONE, due + 20);
    check_told(fixture, ZONE_BLOCKED, ZONE_RECOVERING, false);
    due = next_due(fixture->learner);
    assert_ptr_equal(due_now(fixture->learner, due), zone);
    assert_int_equal(zone->dossier->history_count, 3);
    learner_apply_zone(fixture->learner, zone, EVIDENCE_RECHECK_GOOD, REASON_NONE, due + 20);
    check_told(fixture, ZONE_RECOVERING, ZONE_CLEAR, true);
    assert_null(get(fixture, "example.com"));
    assert_int_equal(next_due(fixture->learner), MSEC_NEVER);
    assert_int_equal(table_count(fixture->table), 0);
}

static void only_failures_list_a_zone(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum evidence   evidence;
        enum zone_state becomes; /* CLEAR: not listed */
    } cases[] = {
        {EVIDENCE_STRIKE, ZONE_SUSPECT},  {EVIDENCE_CONFIRMED, ZONE_BLOCKED},  {EVIDENCE_FINE, ZONE_CLEAR},
        {EVIDENCE_BROKEN, ZONE_BROKEN},   {EVIDENCE_RECHECK_GOOD, ZONE_CLEAR}, {EVIDENCE_RECHECK_BAD, ZONE_CLEAR},
        {EVIDENCE_POSTPONED, ZONE_CLEAR}, {EVIDENCE_BELIEVED, ZONE_BLOCKED},
    };
    assert_int_equal(ARRAY_LEN(cases), EVIDENCE_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[32];
        snprintf(text, sizeof(text), "zone-%zu.example", i);
        struct zone *zone = apply(fixture, text, cases[i].evidence, 0);
        assert_ptr_equal(zone, get(fixture, text));
        assert_int_equal(zone ? zone->condition.state : ZONE_CLEAR, cases[i].becomes);
    }
}

static void what_changes_nothing_tells_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *zone    = apply(fixture, "example.com", EVIDENCE_CONFIRMED, 0);
    fixture->changes        = 0;
    assert_ptr_equal(apply(fixture, "example.com", EVIDENCE_STRIKE, 10), zone);
    assert_ptr_equal(apply(fixture, "example.com", EVIDENCE_CONFIRMED, 10), zone);
    assert_int_equal(fixture->changes, 0);
}

static void readers_see_each_change_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct name     below   = named("mx.example.com");
    assert_int_equal(table_find(fixture->table, name_view(&below), TYPE_A).state, ZONE_CLEAR);
    apply(fixture, "example.com", EVIDENCE_STRIKE, 0);
    apply(fixture, "example.com", EVIDENCE_STRIKE, 0);
    assert_int_equal(table_find(fixture->table, name_view(&below), TYPE_A).state, ZONE_SUSPECT);
    assert_int_equal(table_find(fixture->table, name_view(&below), TYPE_A).strikes, 2);
    apply(fixture, "example.com", EVIDENCE_CONFIRMED, 0);
    assert_int_equal(table_find(fixture->table, name_view(&below), TYPE_A).state, ZONE_BLOCKED);
    pin(fixture, "example.com", PIN_DOMESTIC, MSEC_NEVER, 0);
    assert_int_equal(table_find(fixture->table, name_view(&below), TYPE_A).pin, PIN_DOMESTIC);
}

/* ---- what is due ---- */

static void a_suspicion_ends_by_itself(void **state)
{
    struct fixture *fixture = *state;
    apply(fixture, "suspect.example", EVIDENCE_STRIKE, 0);
    apply(fixture, "suspect.example", EVIDENCE_STRIKE, 30000);
    apply(fixture, "broken.example", EVIDENCE_BROKEN, 0);
    assert_null(due_now(fixture->learner, 30000 + ZONE_SUSPECT_LIFE - 1));
    assert_non_null(get(fixture, "suspect.example"));
    fixture->changes = 0;
    assert_null(due_now(fixture->learner, 30000 + ZONE_SUSPECT_LIFE));
    check_told(fixture, ZONE_SUSPECT, ZONE_CLEAR, true);
    assert_null(get(fixture, "suspect.example"));
    assert_null(due_now(fixture->learner, ZONE_BROKEN_LIFE - 1));
    assert_non_null(get(fixture, "broken.example"));
    assert_null(due_now(fixture->learner, ZONE_BROKEN_LIFE));
    assert_null(get(fixture, "broken.example"));
}

static void a_due_zone_is_not_returned_again_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *zone    = apply(fixture, "example.com", EVIDENCE_CONFIRMED, 0);
    msec_t          due     = next_due(fixture->learner);
    assert_ptr_equal(due_now(fixture->learner, due), zone);
    assert_null(due_now(fixture->learner, due));
    assert_null(due_now(fixture->learner, due + ZONE_POSTPONE - 1));
    assert_ptr_equal(due_now(fixture->learner, due + ZONE_POSTPONE), zone); /* the recheck was lost */
    learner_apply_zone(fixture->learner, zone, EVIDENCE_POSTPONED, REASON_NONE, due + ZONE_POSTPONE);
    assert_int_equal(zone->condition.state, ZONE_BLOCKED);
    assert_int_equal(zone->condition.interval, FIRST);
    assert_int_equal(zone->condition.failures, 1);
    assert_in_range(next_due(fixture->learner), due + ZONE_POSTPONE + 54000, due + ZONE_POSTPONE + 66000);
}

/* But not sooner than recheck_first behind its last failure, however many come. */
static void a_fine_answer_brings_the_recheck_forward(void **state)
{
    for (int used = 0; used < 2; used++) {
        struct fixture *fixture = *state;
        struct zone    *zone    = apply(fixture, used ? "example.org" : "example.com", EVIDENCE_CONFIRMED, 0);
        learner_apply_zone(fixture->learner, zone, EVIDENCE_RECHECK_BAD, REASON_TIMEOUT, FIRST);
        learner_apply_zone(fixture->learner, zone, EVIDENCE_RECHECK_BAD, REASON_TIMEOUT, 3 * FIRST);
        assert_true(zone->condition.next > 3 * FIRST + FIRST + FIRST / 2);
        for (msec_t after = 1000; after < 5000; after += 1000) {
            if (used)
                learner_hurry(fixture->learner, zone, 3 * FIRST + after);
            else
                apply(fixture, "example.com", EVIDENCE_FINE, 3 * FIRST + after);
            assert_int_equal(zone->condition.state, ZONE_BLOCKED);
            assert_int_equal(zone->condition.next, 4 * FIRST);
        }
        assert_null(due_now(fixture->learner, 4 * FIRST - 1));
        assert_ptr_equal(due_now(fixture->learner, 4 * FIRST), zone);
        learner_forget(fixture->learner, zone_name(zone), MSEC_NEVER, 4 * FIRST);
    }
}

static bool is_proved(struct fixture *fixture, const char *text)
{
    struct name name = named(text);
    return table_find(fixture->table, name_view(&name), TYPE_A).proved;
}

static void what_was_proved_fine_outdoes_a_block_above_it(void **state)
{
    struct fixture *fixture = *state;
    struct name     child = named("child.shut.example"), pinned = named("example");
    apply(fixture, "shut.example", EVIDENCE_CONFIRMED, 1000);
    learner_prove(fixture->learner, name_view(&child), 2000);
    assert_true(is_proved(fixture, "mail.child.shut.example"));
    assert_false(is_proved(fixture, "mail.shut.example"));
    struct verdict verdict = table_find(fixture->table, name_view(&child), TYPE_A);
    assert_int_equal(verdict.state, ZONE_CLEAR);
    assert_ptr_equal(verdict.zone, get(fixture, "child.shut.example"));
    apply(fixture, "own.child.shut.example", EVIDENCE_CONFIRMED, 3000); /* but not one below it */
    struct name below = named("a.own.child.shut.example");
    assert_int_equal(table_find(fixture->table, name_view(&below), TYPE_A).state, ZONE_BLOCKED);
    learner_pin(fixture->learner, name_view(&pinned), PIN_EXTERNAL, MSEC_NEVER, NULL, 3000); /* nor a pin */
    assert_int_equal(table_find(fixture->table, name_view(&child), TYPE_A).pin, PIN_EXTERNAL);
    assert_true(learner_unpin(fixture->learner, name_view(&pinned), 3000));

    learner_end_due(fixture->learner, 2000 + PROVED_LIFE - 1);
    assert_true(is_proved(fixture, "mail.child.shut.example"));
    learner_end_due(fixture->learner, 2000 + PROVED_LIFE);
    assert_false(is_proved(fixture, "mail.child.shut.example"));
    assert_null(get(fixture, "child.shut.example"));
    assert_int_equal(learner_count(fixture->learner).proved, 0);
}

static void what_was_proved_fine_may_fail(void **state)
{
    struct fixture *fixture = *state;
    struct name     child   = named("child.shut.example");
    apply(fixture, "shut.example", EVIDENCE_CONFIRMED, 1000);
    learner_prove(fixture->learner, name_view(&child), 2000);
    apply(fixture, "child.shut.example", EVIDENCE_STRIKE, 3000);
    assert_false(is_proved(fixture, "child.shut.example"));
    assert_int_equal(table_find(fixture->table, name_view(&child), TYPE_A).state, ZONE_BLOCKED); /* the parent's */
    learner_prove(fixture->learner, name_view(&child), 4000); /* a suspect is not fine */
    assert_false(is_proved(fixture, "child.shut.example"));
    learner_end_due(fixture->learner, 3000 + ZONE_SUSPECT_LIFE);
    learner_prove(fixture->learner, name_view(&child), 90000);
    assert_true(is_proved(fixture, "child.shut.example"));
    assert_int_equal(learner_forget(fixture->learner, name_view(&child), MSEC_NEVER, 90001), 1);
    assert_false(is_proved(fixture, "child.shut.example"));
    learner_prove(fixture->learner, name_view(&child), 90002);
    learner_pin(fixture->learner, name_view(&child), PIN_EXTERNAL, 91000, NULL, 90003);
    learner_end_due(fixture->learner, 91000);
    assert_true(is_proved(fixture, "child.shut.example"));
}

static void what_is_proved_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i <= LIMIT_SUSPECTS; i++) {
        char text[40];
        snprintf(text, sizeof(text), "child-%u.shut.example", i);
        struct name name = named(text);
        learner_prove(fixture->learner, name_view(&name), 1000);
        assert_int_equal(is_proved(fixture, text), i < LIMIT_SUSPECTS);
    }
    assert_int_equal(learner_count(fixture->learner).proved, LIMIT_SUSPECTS);
}

/* Exactly, while no more are due than are looked at; with more, a zone in use is found among idle ones soon. */
static void zones_in_use_are_rechecked_first(void **state)
{
    struct fixture *fixture = *state;
    enum {
        MANY = 3000
    };
    const struct learner_limits roomy = {.zone = limits.zone, .max_zones = MANY};
    learner_set_limits(fixture->learner, &roomy);
    for (unsigned i = 0; i < MANY; i++) {
        char text[32];
        snprintf(text, sizeof(text), "zone-%u.example", i);
        struct zone *zone = apply(fixture, text, EVIDENCE_CONFIRMED, (msec_t) i * 4000); /* no burst */
        atomic_store(&zone->last_used, 1000 + (i * 7919) % MANY + (i == 17 ? MANY : 0));
        if (i != 255)
            continue;
        for (msec_t last = INT64_MAX, k = 0; k <= i; k++) {
            zone = learner_recheck_due(fixture->learner, (msec_t) i * 4000 + 2 * FIRST);
            assert_non_null(zone);
            assert_true(atomic_load(&zone->last_used) <= last);
            last = atomic_load(&zone->last_used);
        }
        assert_null(learner_recheck_due(fixture->learner, (msec_t) i * 4000 + 2 * FIRST));
    }
    unsigned took = 0;
    while (took++ < MANY) {
        struct zone *zone = learner_recheck_due(fixture->learner, (msec_t) MANY * 4000 + 2 * FIRST);
        if (atomic_load(&zone->last_used) == 1000 + (17 * 7919) % MANY + MANY)
            break;
    }
    assert_true(took < 200);
}

static void a_blocked_zone_that_nobody_uses_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *used    = apply(fixture, "used.example", EVIDENCE_CONFIRMED, 0);
    apply(fixture, "idle.example", EVIDENCE_CONFIRMED, 0);
    pin(fixture, "pinned.example", PIN_EXTERNAL, MSEC_NEVER, 0);
    apply(fixture, "pinned.example", EVIDENCE_CONFIRMED, 0);
    atomic_store(&used->last_used, 1000);
    assert_ptr_equal(due_now(fixture->learner, ZONE_IDLE + 1), used);
    assert_null(due_now(fixture->learner, ZONE_IDLE + 1));
    assert_null(get(fixture, "idle.example"));
    assert_non_null(get(fixture, "pinned.example"));
    assert_int_equal(get(fixture, "pinned.example")->condition.state, ZONE_CLEAR);
    assert_int_equal(get(fixture, "pinned.example")->pin, PIN_EXTERNAL);
}

static int compare_times(const void *a, const void *b)
{
    msec_t left = *(const msec_t *) a, right = *(const msec_t *) b;
    return left < right ? -1 : left > right;
}

/* Learned in one moment, which need not be a mass event: upstreams are not asked about all of them in another one. */
static void zones_learned_together_are_not_rechecked_together(void **state)
{
    struct fixture *fixture = *state;
    msec_t          due[ZONES];
    for (unsigned round = 0; round < 2; round++) {
        msec_t interval = round ? 2 * FIRST : FIRST, now = round ? 2 * FIRST : 0;
        for (unsigned i = 0; i < ZONES; i++) {
            char text[32];
            snprintf(text, sizeof(text), "zone-%u.example", i);
            if (round)
                learner_apply_zone(fixture->learner, get(fixture, text), EVIDENCE_RECHECK_BAD, REASON_TIMEOUT, now);
            else
                apply(fixture, text, EVIDENCE_CONFIRMED, now);
            due[i] = get(fixture, text)->condition.next - now;
            assert_in_range(due[i], interval / 10 * 9, interval / 10 * 11);
        }
        qsort(due, ZONES, sizeof(due[0]), compare_times);
        for (unsigned i = 1; i < ZONES; i++)
            assert_true(due[i] > due[i - 1]);
        assert_true(due[ZONES - 1] - due[0] > interval / 20);
    }
}

/* ---- caps ---- */

static void of_no_zones_none_is_picked(void **state)
{
    struct rng           rng;
    struct timers        none;
    static const uint8_t seed[RNG_SEED_BYTES] = {1};
    (void) state;
    rng_init(&rng, seed);
    timers_init(&none);
    assert_null(pick_victim(&none, &rng));
    assert_null(pick_due(&none, &rng, 1000));
    timers_fini(&none);
}

/* A victim is the worst of sixteen, wherever one begins to look: of one more the worst is sometimes overlooked. */
static void a_victim_is_one_of_sixteen(void **state)
{
    static struct zone   zones[17];
    static const uint8_t seed[RNG_SEED_BYTES] = {1};
    struct timers        rechecks;
    struct rng           rng;
    unsigned             worst = 0;
    (void) state;
    rng_init(&rng, seed);
    timers_init(&rechecks);
    assert_true(timers_reserve(&rechecks, ARRAY_LEN(zones)));
    for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
        zones[i].last_used = 1000 + (msec_t) i;
        timers_set(&rechecks, &zones[i].recheck, 5000);
    }
    for (unsigned i = 0; i < 1700; i++) {
        const struct zone *victim = pick_victim(&rechecks, &rng);
        assert_true(victim == &zones[0] || victim == &zones[1]);
        worst += victim == &zones[0];
    }
    assert_in_range(worst, 1500, 1699);
    timers_fini(&rechecks);
}

static void strike_all(struct fixture *fixture, unsigned count, msec_t now)
{
    for (unsigned i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof(text), "random-%u.example", i);
        assert_non_null(apply(fixture, text, EVIDENCE_STRIKE, now));
    }
}

static void random_names_fill_only_their_share(void **state)
{
    struct fixture *fixture = *state;
    strike_all(fixture, LIMIT_SUSPECTS, 0);
    assert_null(apply(fixture, "one-more.example", EVIDENCE_STRIKE, 0));
    assert_null(apply(fixture, "one-more.example", EVIDENCE_BROKEN, 0));
    assert_null(get(fixture, "one-more.example"));
    assert_int_equal(table_count(fixture->table), LIMIT_SUSPECTS);
    assert_non_null(apply(fixture, "random-7.example", EVIDENCE_STRIKE, 0));
    /* what is confirmed has a share of its own */
    assert_non_null(apply(fixture, "one-more.example", EVIDENCE_CONFIRMED, 0));
    assert_int_equal(in_state(fixture, ZONE_BLOCKED), 1);
    assert_null(due_now(fixture->learner, ZONE_SUSPECT_LIFE));
    assert_int_equal(table_count(fixture->table), 1);
}

static void block_all(struct fixture *fixture, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof(text), "blocked-%u.example", i);
        struct zone *zone = apply(fixture, text, EVIDENCE_CONFIRMED, 0);
        assert_non_null(zone);
        atomic_store(&zone->last_used, 1000 + i);
    }
}

static void the_least_recently_used_gives_way(void **state)
{
    struct fixture *fixture = *state;
    block_all(fixture, ZONES);
    atomic_store(&get(fixture, "blocked-0.example")->last_used, 2000);
    fixture->changes = 0;
    assert_non_null(apply(fixture, "new.example", EVIDENCE_CONFIRMED, 3000));
    assert_int_equal(fixture->changes, 2);
    assert_null(get(fixture, "blocked-1.example"));
    assert_non_null(get(fixture, "blocked-0.example"));
    assert_non_null(get(fixture, "new.example"));
    assert_int_equal(in_state(fixture, ZONE_BLOCKED), ZONES);
}

/* The one that is being confirmed is in the table itself, and so may be thousands of suspects. */
static void confirming_suspects_at_the_cap_evicts_blocked_zones(void **state)
{
    struct fixture *fixture = *state;
    block_all(fixture, ZONES);
    strike_all(fixture, 200, 5000);
    for (unsigned i = 0; i < 200; i++) {
        char text[32];
        snprintf(text, sizeof(text), "random-%u.example", i);
        struct zone *zone = apply(fixture, text, EVIDENCE_CONFIRMED, 6000);
        assert_non_null(zone);
        assert_ptr_equal(get(fixture, text), zone);
        assert_int_equal(zone->condition.state, ZONE_BLOCKED);
        assert_int_equal(in_state(fixture, ZONE_BLOCKED), ZONES);
        assert_int_equal(in_state(fixture, ZONE_SUSPECT), 199 - i);
        learner_reclaim(fixture->learner);
    }
}

static void pins_are_never_evicted(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < ZONES; i++) {
        char text[32];
        snprintf(text, sizeof(text), "blocked-%u.example", i);
        pin(fixture, text, i % 3 ? PIN_EXTERNAL : PIN_DOMESTIC, i % 2 ? MSEC_NEVER : 1000000, 0);
        assert_non_null(apply(fixture, text, EVIDENCE_CONFIRMED, 0));
    }
    struct zone *suspect = apply(fixture, "new.example", EVIDENCE_STRIKE, 0);
    assert_ptr_equal(apply(fixture, "new.example", EVIDENCE_CONFIRMED, 0), suspect);
    assert_int_equal(suspect->condition.state, ZONE_SUSPECT);
    assert_null(apply(fixture, "newer.example", EVIDENCE_CONFIRMED, 0));
    assert_int_equal(in_state(fixture, ZONE_BLOCKED), ZONES);
    assert_int_equal(learner_count(fixture->learner).pins, ZONES);
}

static void a_lowered_cap_holds_with_the_next_zone(void **state)
{
    struct fixture       *fixture = *state;
    struct learner_limits lower   = limits;
    lower.max_zones               = 3;
    block_all(fixture, ZONES);
    learner_set_limits(fixture->learner, &lower);
    assert_non_null(apply(fixture, "new.example", EVIDENCE_CONFIRMED, 3000));
    assert_int_equal(in_state(fixture, ZONE_BLOCKED), 3);
    assert_non_null(get(fixture, "new.example"));
    assert_non_null(get(fixture, "blocked-7.example"));
    assert_non_null(get(fixture, "blocked-6.example"));
}

/* ---- the operator ---- */

static void a_pin_ends_when_its_time_is_over(void **state)
{
    struct fixture *fixture = *state;
    struct name     name    = named("example.com");
    struct zone    *zone    = pin(fixture, "example.com", PIN_EXTERNAL, 5000, 0);
    check_told(fixture, ZONE_CLEAR, ZONE_CLEAR, false);
    assert_string_equal(zone->note, "by hand");
    assert_int_equal(next_due(fixture->learner), 5000);
    assert_null(due_now(fixture->learner, 4999));
    assert_int_equal(learner_count(fixture->learner).pins, 1);
    assert_int_equal(fixture->released.len, 0);
    fixture->epoch = epoch_of(table_epoch(fixture->table), 0);
    assert_null(due_now(fixture->learner, 5000));
    assert_true(name_equal(name_view(&fixture->released), name_view(&name)));
    check_told(fixture, ZONE_CLEAR, ZONE_CLEAR, true);
    assert_null(get(fixture, "example.com"));
    assert_int_equal(learner_count(fixture->learner).pins, 0);
}

static void a_pin_that_ends_leaves_what_was_learned(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *zone    = apply(fixture, "example.com", EVIDENCE_CONFIRMED, 0);
    pin(fixture, "example.com", PIN_DOMESTIC, 5000, 0);
    assert_null(due_now(fixture->learner, 5000));
    assert_ptr_equal(get(fixture, "example.com"), zone);
    assert_int_equal(zone->pin, PIN_NONE);
    assert_null(zone->note);
    assert_int_equal(zone->condition.state, ZONE_BLOCKED);
    assert_int_equal(next_due(fixture->learner), zone->condition.next);
}

/* Both at the same moment: the pin ends, and the recheck is not lost. */
static void a_pin_and_a_recheck_may_fall_due_together(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *zone    = apply(fixture, "example.com", EVIDENCE_CONFIRMED, 0);
    pin(fixture, "example.com", PIN_DOMESTIC, zone->condition.next, 0);
    assert_ptr_equal(due_now(fixture->learner, zone->condition.next), zone);
    assert_int_equal(zone->pin, PIN_NONE);
}

static void a_pinned_zone_is_rechecked_too(void **state)
{
    struct fixture *fixture = *state;
    struct zone    *zone    = apply(fixture, "example.com", EVIDENCE_CONFIRMED, 0);
    pin(fixture, "example.com", PIN_EXTERNAL, MSEC_NEVER, 0);
    msec_t due = next_due(fixture->learner);
    assert_ptr_equal(due_now(fixture->learner, due), zone);
    learner_apply_zone(fixture->learner, zone, EVIDENCE_RECHECK_GOOD, REASON_NONE, due);
    learner_apply_zone(fixture->learner, zone, EVIDENCE_RECHECK_GOOD, REASON_NONE, due);
    assert_ptr_equal(get(fixture, "example.com"), zone);
    assert_int_equal(zone->condition.state, ZONE_CLEAR);
    assert_int_equal(zone->pin, PIN_EXTERNAL);
}

static void a_new_pin_replaces_the_old_one(void **state)
{
    struct fixture *fixture = *state;
    struct name     name    = named("example.com");
    struct zone    *zone    = pin(fixture, "example.com", PIN_EXTERNAL, 5000, 0);
    assert_ptr_equal(learner_pin(fixture->learner, name_view(&name), PIN_DOMESTIC, MSEC_NEVER, NULL, 1), zone);
    assert_int_equal(zone->pin, PIN_DOMESTIC);
    assert_null(zone->note);
    assert_int_equal(next_due(fixture->learner), MSEC_NEVER);
    assert_int_equal(learner_count(fixture->learner).pins, 1);
    assert_true(learner_unpin(fixture->learner, name_view(&name), 2));
    assert_false(learner_unpin(fixture->learner, name_view(&name), 3));
    assert_null(get(fixture, "example.com"));
}

static void a_note_is_copied_up_to_its_limit(void **state)
{
    struct fixture *fixture = *state;
    struct name     name    = named("example.com");
    char            note[LIMIT_NOTE + 50];
    memset(note, 'n', sizeof(note) - 1);
    note[sizeof(note) - 1] = '\0';
    struct zone *zone      = learner_pin(fixture->learner, name_view(&name), PIN_EXTERNAL, MSEC_NEVER, note, 0);
    memset(note, 'x', sizeof(note) - 1);
    assert_int_equal(strlen(zone->note), LIMIT_NOTE);
    assert_int_equal(zone->note[0], 'n');
}

static void a_pinned_name_may_be_suspected(void **state)
{
    struct fixture *fixture = *state;
    pin(fixture, "example.com", PIN_EXTERNAL, MSEC_NEVER, 0);
    struct zone *zone = apply(fixture, "example.com", EVIDENCE_STRIKE, 0);
    assert_int_equal(zone->condition.state, ZONE_SUSPECT);
    assert_int_equal(zone->source, SOURCE_LEARNED);
    assert_null(due_now(fixture->learner, ZONE_SUSPECT_LIFE));
    assert_ptr_equal(get(fixture, "example.com"), zone);
    assert_int_equal(zone->condition.state, ZONE_CLEAR);
}

static void forgetting_drops_all_scopes_but_no_pin(void **state)
{
    struct fixture      *fixture = *state;
    struct name          name    = named("example.com");
    const struct zone_id whole   = {.name = name_view(&name), .scope = SCOPE_NAME};
    const struct zone_id mx      = {.name = name_view(&name), .scope = SCOPE_TYPE, .type = TYPE_MX};
    learner_apply(fixture->learner, &whole, EVIDENCE_CONFIRMED, REASON_TIMEOUT, name_view(&name), TYPE_A, 0);
    learner_apply(fixture->learner, &mx, EVIDENCE_CONFIRMED, REASON_TIMEOUT, name_view(&name), TYPE_MX, 0);
    apply(fixture, "example.com", EVIDENCE_CONFIRMED, 0);
    pin(fixture, "example.com", PIN_EXTERNAL, MSEC_NEVER, 0);
    apply(fixture, "www.example.com", EVIDENCE_CONFIRMED, 0);
    assert_int_equal(learner_forget(fixture->learner, name_view(&name), MSEC_NEVER, 0), 3);
    assert_int_equal(table_count(fixture->table), 2);
    assert_int_equal(get(fixture, "example.com")->condition.state, ZONE_CLEAR);
    assert_int_equal(get(fixture, "example.com")->pin, PIN_EXTERNAL);
    assert_non_null(get(fixture, "www.example.com"));
    assert_int_equal(learner_forget(fixture->learner, name_view(&name), MSEC_NEVER, 0), 0);
}

/* ---- as it was ---- */

static struct zone *restore(struct fixture *fixture, const char *text, const struct condition *condition, enum pin way,
                            msec_t last_used, msec_t now)
{
    struct name          name    = named(text);
    const struct learned learned = {.id         = {.name = name_view(&name), .scope = SCOPE_ZONE},
                                    .condition  = *condition,
                                    .source     = SOURCE_IMPORTED,
                                    .pin        = way,
                                    .pin_until  = MSEC_NEVER,
                                    .note       = "note",
                                    .asked      = name_view(&name),
                                    .asked_type = TYPE_SOA,
                                    .last_used  = last_used};
    return learner_restore(fixture->learner, &learned, now);
}

static void a_restored_zone_keeps_to_the_bounds(void **state)
{
    struct fixture *fixture = *state;
    enum {
        NOW = 1000000
    };
    static const struct {
        enum zone_state state;
        msec_t          next, interval;
        msec_t          expected_next, expected_interval;
    } cases[] = {
        {ZONE_BLOCKED, NOW + 500, FIRST, NOW + 500, FIRST},
        {ZONE_BLOCKED, NOW - 500, 4 * FIRST, NOW - 500, 4 * FIRST},
        {ZONE_BLOCKED, MSEC_NEVER, FIRST, NOW + FIRST / 10 * 11, FIRST},
        {ZONE_BLOCKED, NOW + (msec_t) 5 * MAX, FIRST, NOW + FIRST / 10 * 11, FIRST},
        {ZONE_BLOCKED, NOW, 0, NOW, FIRST},
        {ZONE_BLOCKED, NOW, INT64_MAX, NOW, MAX},
        {ZONE_RECOVERING, MSEC_NEVER, INT64_MAX, NOW + (msec_t) MAX / 10 * 11, MAX},
        {ZONE_BROKEN, MSEC_NEVER, 0, NOW + ZONE_BROKEN_LIFE, 0},
        {ZONE_SUSPECT, MSEC_NEVER, 0, NOW + ZONE_SUSPECT_LIFE, 0},
        {ZONE_CLEAR, NOW + 1, 0, MSEC_NEVER, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct condition is   = {.state = cases[i].state, .next = cases[i].next, .interval = cases[i].interval};
        struct zone           *zone = restore(fixture, "example.com", &is, PIN_EXTERNAL, NOW + MAX, NOW);
        assert_non_null(zone);
        assert_int_equal(zone->condition.state, cases[i].state);
        assert_int_equal(zone->condition.next, cases[i].expected_next);
        assert_int_equal(zone->condition.interval, cases[i].expected_interval);
        assert_int_equal(atomic_load(&zone->last_used), NOW);
        assert_int_equal(next_due(fixture->learner), cases[i].expected_next);
    }
}

static void a_restored_zone_leaves_a_pin_alone(void **state)
{
    struct fixture        *fixture = *state;
    const struct condition blocked = {.state = ZONE_BLOCKED, .next = 1000, .interval = FIRST};
    const struct condition clear   = {.state = ZONE_CLEAR, .next = MSEC_NEVER};
    pin(fixture, "example.com", PIN_DOMESTIC, MSEC_NEVER, 0);
    struct zone *zone = restore(fixture, "example.com", &blocked, PIN_NONE, 0, 0);
    assert_int_equal(zone->pin, PIN_DOMESTIC);
    assert_string_equal(zone->note, "by hand");
    assert_int_equal(zone->source, SOURCE_IMPORTED);
    zone = restore(fixture, "example.com", &blocked, PIN_EXTERNAL, 0, 0);
    assert_int_equal(zone->pin, PIN_EXTERNAL);
    assert_string_equal(zone->note, "note");
    assert_non_null(restore(fixture, "example.com", &clear, PIN_NONE, 0, 0));
    assert_null(restore(fixture, "other.example", &clear, PIN_NONE, 0, 0));
    assert_int_equal(table_count(fixture->table), 1);
}

static void restoring_keeps_to_the_cap_but_loses_no_pin(void **state)
{
    struct fixture        *fixture = *state;
    const struct condition blocked = {.state = ZONE_BLOCKED, .next = 1000, .interval = FIRST};
    for (int i = 0; i < 2 * ZONES; i++) {
        char text[32];
        snprintf(text, sizeof(text), "blocked-%d.example", i);
        assert_non_null(restore(fixture, text, &blocked, PIN_NONE, 100 + i, 1000));
    }
    assert_int_equal(in_state(fixture, ZONE_BLOCKED), ZONES);
    assert_null(get(fixture, "blocked-0.example"));
    for (int i = 0; i < 2 * ZONES; i++) {
        char text[32];
        snprintf(text, sizeof(text), "pinned-%d.example", i);
        assert_non_null(restore(fixture, text, &blocked, PIN_EXTERNAL, 100, 1000));
    }
    assert_int_equal(learner_count(fixture->learner).pins, 2 * ZONES);
    assert_int_equal(in_state(fixture, ZONE_BLOCKED), 2 * ZONES);
}

/* ---- no memory ---- */

static void without_memory_nothing_is_left_half_done(void **state)
{
    struct fixture        *fixture = *state;
    const struct condition blocked = {.state = ZONE_BLOCKED, .next = 1000, .interval = FIRST};
    bool                   pinned  = false;
    for (size_t n = 0; !pinned; n++) {
        heap_fail_at(n);
        pinned = pin(fixture, "pinned.example", PIN_EXTERNAL, MSEC_NEVER, 0);
        heap_restore();
        assert_int_equal(pinned, get(fixture, "pinned.example") != NULL);
        assert_int_equal(learner_count(fixture->learner).pins, pinned);
        assert_int_equal(in_state(fixture, ZONE_CLEAR), pinned);
    }
    heap_fail_at(0);
    assert_null(apply(fixture, "new.example", EVIDENCE_STRIKE, 0));
    heap_fail_at(0);
    assert_null(restore(fixture, "new.example", &blocked, PIN_NONE, 0, 0));
    heap_fail_at(1); /* the dossier */
    struct zone *zone = apply(fixture, "new.example", EVIDENCE_STRIKE, 0);
    assert_true(heap_restore());
    assert_ptr_equal(get(fixture, "new.example"), zone);
    assert_null(zone->dossier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_zone_is_learned_and_recovers),
        FIXTURE_TEST(of_no_zones_none_is_picked),
        FIXTURE_TEST(a_victim_is_one_of_sixteen),
        FIXTURE_TEST(only_failures_list_a_zone),
        FIXTURE_TEST(what_changes_nothing_tells_nobody),
        FIXTURE_TEST(readers_see_each_change_at_once),
        FIXTURE_TEST(a_suspicion_ends_by_itself),
        FIXTURE_TEST(a_due_zone_is_not_returned_again_at_once),
        FIXTURE_TEST(a_fine_answer_brings_the_recheck_forward),
        FIXTURE_TEST(what_was_proved_fine_outdoes_a_block_above_it),
        FIXTURE_TEST(what_was_proved_fine_may_fail),
        FIXTURE_TEST(what_is_proved_is_bounded),
        FIXTURE_TEST(zones_in_use_are_rechecked_first),
        FIXTURE_TEST(a_blocked_zone_that_nobody_uses_is_forgotten),
        FIXTURE_TEST(zones_learned_together_are_not_rechecked_together),
        FIXTURE_TEST(random_names_fill_only_their_share),
        FIXTURE_TEST(the_least_recently_used_gives_way),
        FIXTURE_TEST(confirming_suspects_at_the_cap_evicts_blocked_zones),
        FIXTURE_TEST(pins_are_never_evicted),
        FIXTURE_TEST(a_lowered_cap_holds_with_the_next_zone),
        FIXTURE_TEST(a_pin_ends_when_its_time_is_over),
        FIXTURE_TEST(a_pin_that_ends_leaves_what_was_learned),
        FIXTURE_TEST(a_pin_and_a_recheck_may_fall_due_together),
        FIXTURE_TEST(a_pinned_zone_is_rechecked_too),
        FIXTURE_TEST(a_new_pin_replaces_the_old_one),
        FIXTURE_TEST(a_note_is_copied_up_to_its_limit),
        FIXTURE_TEST(a_pinned_name_may_be_suspected),
        FIXTURE_TEST(forgetting_drops_all_scopes_but_no_pin),
        FIXTURE_TEST(a_restored_zone_keeps_to_the_bounds),
        FIXTURE_TEST(a_restored_zone_leaves_a_pin_alone),
        FIXTURE_TEST(restoring_keeps_to_the_cap_but_loses_no_pin),
        FIXTURE_TEST(without_memory_nothing_is_left_half_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
