/*
 * test_zone_table.c: which entry speaks for a name; and readers on other threads while the writer adds, changes,
 * removes and frees.
 */
#include "learn/table.h"

#include "base/rng.h"
#include "lib/check.h"
#include "lib/names.h"

#include <pthread.h>
#include <stdio.h>

static const struct hash_key key = {3, 4};

static struct zone *put(struct table *table, const char *text, enum zone_scope scope, uint16_t type,
                        enum zone_state state, enum pin pin)
{
    struct name  name       = named(text);
    struct zone *zone       = table_add(table, name_view(&name), scope, type, name_view(&name), TYPE_A);
    zone->condition.state   = state;
    zone->condition.reason  = state == ZONE_CLEAR ? REASON_NONE : REASON_SERVFAIL;
    zone->condition.strikes = state == ZONE_SUSPECT ? 2 : 0;
    zone->pin               = pin;
    table_publish(zone);
    return zone;
}

struct entry {
    const char     *zone;
    enum zone_scope scope;
    uint16_t        type;
    enum zone_state state;
    enum pin        pin;
};

struct lookup {
    struct entry entries[5];
    const char  *name;
    uint16_t     asked;
    int          speaks; /* index of the entry, -1: none */
};

#define Z(name, state)                                                                                                 \
    {                                                                                                                  \
        name, SCOPE_ZONE, 0, state, PIN_NONE                                                                           \
    }
#define N(name, state)                                                                                                 \
    {                                                                                                                  \
        name, SCOPE_NAME, 0, state, PIN_NONE                                                                           \
    }
#define T(name, type, state)                                                                                           \
    {                                                                                                                  \
        name, SCOPE_TYPE, type, state, PIN_NONE                                                                        \
    }
#define P(name, pin)                                                                                                   \
    {                                                                                                                  \
        name, SCOPE_ZONE, 0, ZONE_CLEAR, pin                                                                           \
    }

static const struct lookup lookups[] = {
    {{{0}}, "a.example", TYPE_A, -1},
    {{Z("example", ZONE_BLOCKED)}, "example", TYPE_A, 0},
    {{Z("example", ZONE_BLOCKED)}, "a.b.c.example", TYPE_MX, 0},
    {{Z("example", ZONE_BLOCKED)}, "EXAMPLE", TYPE_A, 0},
    {{Z("a.example", ZONE_BLOCKED)}, "example", TYPE_A, -1},
    {{Z("example", ZONE_BLOCKED)}, "badexample", TYPE_A, -1},
    {{Z("example", ZONE_BLOCKED)}, "example.com", TYPE_A, -1},
    {{Z("example", ZONE_RECOVERING)}, "a.example", TYPE_A, 0},
    {{Z("example", ZONE_SUSPECT)}, "a.example", TYPE_A, 0},
    {{Z("example", ZONE_BROKEN)}, "a.example", TYPE_A, 0},
    {{Z("example", ZONE_CLEAR)}, "a.example", TYPE_A, -1},
    {{Z(".", ZONE_BLOCKED)}, "a.example", TYPE_A, 0},

    /* scopes: of the very name, or the very name and type */
    {{N("a.example", ZONE_BLOCKED)}, "a.example", TYPE_A, 0},
    {{N("a.example", ZONE_BLOCKED)}, "b.a.example", TYPE_A, -1},
    {{N("a.example", ZONE_BLOCKED)}, "example", TYPE_A, -1},
    {{T("a.example", TYPE_MX, ZONE_BLOCKED)}, "a.example", TYPE_MX, 0},
    {{T("a.example", TYPE_MX, ZONE_BLOCKED)}, "a.example", TYPE_A, -1},
    {{T("a.example", TYPE_MX, ZONE_BLOCKED)}, "b.a.example", TYPE_MX, -1},
    {{T("a.example", TYPE_MX, ZONE_BLOCKED), T("a.example", TYPE_A, ZONE_BLOCKED)}, "a.example", TYPE_A, 1},

    /* of one name the narrowest scope speaks, in whatever order they were added */
    {{Z("example", ZONE_BLOCKED), N("example", ZONE_BLOCKED), T("example", TYPE_A, ZONE_BLOCKED)},
     "example",
     TYPE_A,
     2},
    {{T("example", TYPE_A, ZONE_BLOCKED), N("example", ZONE_BLOCKED), Z("example", ZONE_BLOCKED)},
     "example",
     TYPE_A,
     0},
    {{T("example", TYPE_A, ZONE_BLOCKED), N("example", ZONE_BLOCKED), Z("example", ZONE_BLOCKED)},
     "example",
     TYPE_MX,
     1},
    {{Z("example", ZONE_SUSPECT), N("example", ZONE_BROKEN)}, "example", TYPE_A, 1},

    /* the closest that is blocked; a suspicion below it does not open it */
    {{Z("example", ZONE_BLOCKED), Z("a.example", ZONE_RECOVERING)}, "x.a.example", TYPE_A, 1},
    {{Z("example", ZONE_BLOCKED), Z("a.example", ZONE_SUSPECT)}, "x.a.example", TYPE_A, 0},
    {{Z("example", ZONE_BLOCKED), N("a.example", ZONE_BROKEN)}, "a.example", TYPE_A, 0},
    {{Z("example", ZONE_BLOCKED), N("example", ZONE_SUSPECT)}, "example", TYPE_A, 0},
    {{N("example", ZONE_SUSPECT), Z("example", ZONE_BLOCKED)}, "example", TYPE_A, 1},
    {{Z("example", ZONE_SUSPECT), Z("a.example", ZONE_BROKEN)}, "x.a.example", TYPE_A, 1},

    /* the closest pin is above all that is learned, nearer or not */
    {{P("example", PIN_DOMESTIC), Z("a.example", ZONE_BLOCKED)}, "a.example", TYPE_A, 0},
    {{Z("example", ZONE_BLOCKED), P("a.example", PIN_DOMESTIC)}, "x.a.example", TYPE_A, 1},
    {{P("example", PIN_EXTERNAL), P("a.example", PIN_DOMESTIC)}, "x.a.example", TYPE_A, 1},
    {{P("a.example", PIN_DOMESTIC), P("example", PIN_EXTERNAL)}, "b.example", TYPE_A, 1},
    {{P(".", PIN_EXTERNAL), Z("example", ZONE_SUSPECT)}, "example", TYPE_A, 0},
    {{{"example", SCOPE_ZONE, 0, ZONE_BLOCKED, PIN_DOMESTIC}}, "a.example", TYPE_A, 0},
    {{T("example", TYPE_A, ZONE_BLOCKED), P("example", PIN_DOMESTIC)}, "example", TYPE_A, 1},
};

static void check_lookup(const struct lookup *lookup, size_t row, size_t buckets)
{
    struct table *table    = table_create(buckets, key);
    struct zone  *zones[5] = {NULL};
    assert_non_null(table);
    for (size_t i = 0; i < ARRAY_LEN(zones) && lookup->entries[i].zone; i++) {
        const struct entry *entry = &lookup->entries[i];
        zones[i]                  = put(table, entry->zone, entry->scope, entry->type, entry->state, entry->pin);
    }
    struct name         name    = named(lookup->name);
    struct verdict      verdict = table_find(table, name_view(&name), lookup->asked);
    const struct entry *speaks  = lookup->speaks < 0 ? NULL : &lookup->entries[lookup->speaks];
    if (verdict.zone != (speaks ? zones[lookup->speaks] : NULL))
        fail_msg("row %zu: another entry speaks", row);
    if (verdict.pin != (speaks ? speaks->pin : PIN_NONE))
        fail_msg("row %zu: pin %d", row, (int) verdict.pin);
    if (verdict.pin == PIN_NONE) {
        assert_int_equal(verdict.state, speaks ? speaks->state : ZONE_CLEAR);
        assert_int_equal(verdict.reason, speaks ? REASON_SERVFAIL : REASON_NONE);
        assert_int_equal(verdict.strikes, speaks && speaks->state == ZONE_SUSPECT ? 2 : 0);
    }
    table_destroy(table);
}

static void which_entry_speaks(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(lookups); i++) {
        check_lookup(&lookups[i], i, 1);
        check_lookup(&lookups[i], i, 1000);
    }
}

/* A proof closes off what stands above it, not the narrower entries of its own name, in whatever order they came. */
static void a_proof_leaves_the_narrower_entry(void **state)
{
    (void) state;
    for (unsigned proof_first = 0; proof_first < 2; proof_first++) {
        struct table *table = table_create(16, key);
        struct name   name  = named("a.example");
        put(table, "example", SCOPE_ZONE, 0, ZONE_BLOCKED, PIN_NONE);
        struct zone *proved = proof_first ? put(table, "a.example", SCOPE_ZONE, 0, ZONE_CLEAR, PIN_NONE) : NULL;
        struct zone *type   = put(table, "a.example", SCOPE_TYPE, TYPE_AAAA, ZONE_BLOCKED, PIN_NONE);
        if (!proved)
            proved = put(table, "a.example", SCOPE_ZONE, 0, ZONE_CLEAR, PIN_NONE);
        proved->proved = true;
        table_publish(proved);
        struct verdict verdict = table_find(table, name_view(&name), TYPE_A);
        assert_ptr_equal(verdict.zone, proved);
        assert_int_equal(verdict.state, ZONE_CLEAR);
        assert_true(verdict.proved);
        verdict = table_find(table, name_view(&name), TYPE_AAAA);
        assert_ptr_equal(verdict.zone, type);
        assert_int_equal(verdict.state, ZONE_BLOCKED);
        table_destroy(table);
    }
}

static void an_unpublished_zone_says_nothing(void **state)
{
    (void) state;
    struct table *table   = table_create(16, key);
    struct name   name    = named("example.com");
    struct zone  *zone    = table_add(table, name_view(&name), SCOPE_ZONE, 0, name_view(&name), TYPE_SOA);
    zone->condition.state = ZONE_BLOCKED;
    assert_null(table_find(table, name_view(&name), TYPE_A).zone);
    table_publish(zone);
    assert_ptr_equal(table_find(table, name_view(&name), TYPE_A).zone, zone);
    zone->condition.state = ZONE_CLEAR;
    assert_ptr_equal(table_find(table, name_view(&name), TYPE_A).zone, zone);
    table_publish(zone);
    assert_null(table_find(table, name_view(&name), TYPE_A).zone);
    table_destroy(table);
}

static void names_are_kept_in_lower_case(void **state)
{
    (void) state;
    struct table *table = table_create(16, key);
    struct name   name = named("example.com"), asked = named("www.example.com"), upper = name;
    upper.wire[1]     = 'E';
    asked.wire[1]     = 'W';
    struct zone *zone = table_add(table, name_view(&upper), SCOPE_ZONE, 0, name_view(&asked), TYPE_A);
    asked.wire[1]     = 'w';
    assert_int_equal(zone_name(zone).len, name.len);
    assert_memory_equal(zone_name(zone).data, name.wire, name.len);
    assert_int_equal(zone_asked(zone).len, asked.len);
    assert_memory_equal(zone_asked(zone).data, asked.wire, asked.len);
    assert_ptr_equal(table_get(table, name_view(&upper), SCOPE_ZONE, 0), zone);
    table_destroy(table);
}

static void each_scope_and_type_is_an_entry_of_its_own(void **state)
{
    (void) state;
    struct table *table = table_create(1, key);
    struct name   name  = named("example.com");
    struct zone  *zone  = put(table, "example.com", SCOPE_ZONE, 0, ZONE_BLOCKED, PIN_NONE);
    struct zone  *whole = put(table, "example.com", SCOPE_NAME, 0, ZONE_BLOCKED, PIN_NONE);
    struct zone  *mx    = put(table, "example.com", SCOPE_TYPE, TYPE_MX, ZONE_BLOCKED, PIN_NONE);
    assert_ptr_equal(table_get(table, name_view(&name), SCOPE_ZONE, TYPE_MX), zone);
    assert_ptr_equal(table_get(table, name_view(&name), SCOPE_NAME, TYPE_MX), whole);
    assert_ptr_equal(table_get(table, name_view(&name), SCOPE_TYPE, TYPE_MX), mx);
    assert_null(table_get(table, name_view(&name), SCOPE_TYPE, TYPE_A));
    assert_int_equal(table_count(table), 3);
    table_remove(table, whole);
    assert_null(table_get(table, name_view(&name), SCOPE_NAME, 0));
    assert_ptr_equal(table_get(table, name_view(&name), SCOPE_TYPE, TYPE_MX), mx);
    assert_int_equal(table_count(table), 2);
    table_reclaim(table);
    table_destroy(table);
}

static void the_longest_names_are_found(void **state)
{
    (void) state;
    struct table *table = table_create(16, key);
    struct name   name  = {.len = 1};
    while (name.len + 2 <= NAME_WIRE_MAX)
        assert_true(name_prepend(&name, "a", 1, name_view(&name)));
    assert_int_equal(name_labels(name_view(&name)), 127);
    struct zone *zone = table_add(table, name_view(&name), SCOPE_NAME, 0, name_view(&name), TYPE_A);
    assert_non_null(zone);
    zone->condition.state = ZONE_BLOCKED;
    table_publish(zone);
    assert_ptr_equal(table_find(table, name_view(&name), TYPE_A).zone, zone);
    assert_null(table_find(table, name_parent(name_view(&name)), TYPE_A).zone);
    table_destroy(table);
}

struct visits {
    struct table *table;
    unsigned      seen;
};

static void remove_every_other(void *context, struct zone *zone)
{
    struct visits *visits = context;
    if (visits->seen++ % 2 == 0)
        table_remove(visits->table, zone);
}

static void a_visitor_may_remove_what_it_is_given(void **state)
{
    (void) state;
    for (size_t buckets = 1; buckets <= 64; buckets *= 64) {
        struct visits visits = {.table = table_create(buckets, key)};
        for (int i = 0; i < 10; i++) {
            char text[32];
            snprintf(text, sizeof(text), "zone-%d.example", i);
            put(visits.table, text, SCOPE_ZONE, 0, ZONE_BLOCKED, PIN_NONE);
        }
        table_each(visits.table, remove_every_other, &visits);
        assert_int_equal(visits.seen, 10);
        assert_int_equal(table_count(visits.table), 5);
        table_reclaim(visits.table);
        table_destroy(visits.table);
    }
}

static void the_entries_of_a_name_are_visited_without_the_others(void **state)
{
    (void) state;
    for (size_t buckets = 1; buckets <= 64; buckets *= 64) {
        struct visits visits = {.table = table_create(buckets, key)};
        struct name   name = named("Example.COM"), other = named("example.org");
        put(visits.table, "example.com", SCOPE_ZONE, 0, ZONE_BLOCKED, PIN_NONE);
        put(visits.table, "example.com", SCOPE_NAME, 0, ZONE_BLOCKED, PIN_NONE);
        put(visits.table, "example.com", SCOPE_TYPE, TYPE_MX, ZONE_BLOCKED, PIN_NONE);
        put(visits.table, "example.com", SCOPE_TYPE, TYPE_A, ZONE_BLOCKED, PIN_NONE);
        put(visits.table, "below.example.com", SCOPE_ZONE, 0, ZONE_BLOCKED, PIN_NONE);
        put(visits.table, "com", SCOPE_ZONE, 0, ZONE_BLOCKED, PIN_NONE);
        table_each_of(visits.table, name_view(&other), remove_every_other, &visits);
        assert_int_equal(visits.seen, 0);
        table_each_of(visits.table, name_view(&name), remove_every_other, &visits);
        assert_int_equal(visits.seen, 4);
        assert_int_equal(table_count(visits.table), 4);
        table_reclaim(visits.table);
        table_destroy(visits.table);
    }
}

static void mark_one(void *context, struct zone *zone)
{
    ((struct visits *) context)->seen++;
    zone->condition.failures++;
}

/* Between two steps of a walk some zones go and others come: who stays is seen once, and nobody twice. */
static void a_walk_sees_each_once_while_zones_come_and_go(void **state)
{
    enum {
        ZONES = 200,
        STEP  = 4
    };
    (void) state;
    for (size_t buckets = 1; buckets <= 4096; buckets *= 16) {
        struct visits visits = {.table = table_create(buckets, key)};
        struct zone  *zones[ZONES], *added[ZONES];
        size_t        at = 0, steps = 0;
        char          text[32];
        for (int i = 0; i < ZONES; i++) {
            snprintf(text, sizeof(text), "zone-%d.example", i);
            zones[i] = put(visits.table, text, SCOPE_ZONE, 0, ZONE_BLOCKED, PIN_NONE);
        }
        for (bool more = true; more; steps++) {
            unsigned before = visits.seen;
            more            = table_walk(visits.table, &at, STEP, mark_one, &visits);
            assert_true(buckets == 1 || visits.seen - before < 20 * STEP);
            if (steps >= ZONES / 4)
                continue;
            table_remove(visits.table, zones[steps]);
            snprintf(text, sizeof(text), "added-%zu.example", steps);
            added[steps] = put(visits.table, text, SCOPE_ZONE, 0, ZONE_BLOCKED, PIN_NONE);
        }
        for (size_t i = 0; i < ZONES; i++)
            assert_true(i < steps && i < ZONES / 4 ? zones[i]->condition.failures <= 1
                                                   : zones[i]->condition.failures == 1);
        for (size_t i = 0; i < steps && i < ZONES / 4; i++)
            assert_true(added[i]->condition.failures <= 1);
        assert_true(steps <= ZONES / STEP + buckets / (STEP * 64) + 2);
        assert_false(table_walk(visits.table, &at, STEP, mark_one, &visits));
        table_reclaim(visits.table);
        table_destroy(visits.table);
    }
}

static void a_question_from_elsewhere_becomes_the_zones_own(void **state)
{
    (void) state;
    struct table *table = table_create(16, key);
    struct name   name = named("example.com"), other = named("example.net"), above = named("com");
    struct view   strange[] = {name_view(&other), name_view(&above), {0}};
    for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
        struct zone *zone = table_add(table, name_view(&name), SCOPE_ZONE, 0, strange[i], TYPE_MX);
        assert_true(name_equal(zone_name(zone), name_view(&name)));
        assert_true(name_equal(zone_asked(zone), name_view(&name)));
        assert_int_equal(zone->asked_type, TYPE_SOA);
        table_remove(table, zone);
    }
    table_reclaim(table);
    table_destroy(table);
}

/* ---- threads ---- */

enum {
    READERS = 3,
    NAMES   = 64,
    ROUNDS  = 1000
};

struct shop {
    struct table *table;
    struct name   names[NAMES];
    atomic_bool   closed;
    _Atomic int   reading; /* readers that have begun */
};

struct reader {
    struct shop *shop;
    size_t       found;
    const char  *wrong;
};

/* A zone that was found stays whole until the reader pauses, even if it is removed meanwhile. */
static const char *look_at(struct shop *shop, size_t i, size_t *found)
{
    struct verdict verdict = table_find(shop->table, name_view(&shop->names[i]), TYPE_A);
    if (!verdict.zone)
        return NULL;
    ++*found;
    atomic_store_explicit(&verdict.zone->last_used, (int64_t) i, memory_order_relaxed);
    atomic_fetch_add_explicit(&verdict.zone->answered, 1, memory_order_relaxed);
    if (!name_equal(zone_name(verdict.zone), name_view(&shop->names[i])))
        return "another name's zone";
    if (verdict.pin == PIN_NONE && verdict.state != ZONE_BLOCKED && verdict.state != ZONE_SUSPECT)
        return "a state that was never published";
    if (verdict.pin == PIN_NONE && (verdict.state == ZONE_SUSPECT) != (verdict.strikes == 7))
        return "half of a verdict";
    return NULL;
}

static void *read_all(void *argument)
{
    struct reader *reader = argument;
    table_reader_register();
    atomic_fetch_add(&reader->shop->reading, 1);
    while (!atomic_load(&reader->shop->closed) && !reader->wrong) {
        for (size_t i = 0; i < NAMES && !reader->wrong; i++)
            reader->wrong = look_at(reader->shop, i, &reader->found);
        table_reader_pause();
        table_reader_resume();
    }
    table_reader_unregister();
    return NULL;
}

static void change_one(struct shop *shop, struct zone **there, uint32_t chance)
{
    struct zone *zone = *there;
    if (!zone) {
        struct view name = name_view(&shop->names[chance % NAMES]);
        zone = *there = table_add(shop->table, name, SCOPE_ZONE, 0, name, TYPE_A);
        assert_non_null(zone);
    } else if (chance & 1u << 16) {
        table_remove(shop->table, zone);
        *there = NULL;
        return;
    }
    zone->condition.state   = chance & 1u << 17 ? ZONE_SUSPECT : ZONE_BLOCKED;
    zone->condition.strikes = chance & 1u << 17 ? 7 : 0;
    zone->pin               = chance & 1u << 18 ? PIN_EXTERNAL : PIN_NONE;
    table_publish(zone);
}

static void readers_never_see_freed_memory(void **state)
{
    (void) state;
    static const uint8_t seed[RNG_SEED_BYTES] = {5};
    struct shop          shop                 = {.table = table_create(8, key)}; /* few buckets: long chains */
    struct reader        readers[READERS]     = {{0}};
    struct zone         *zones[NAMES]         = {NULL};
    pthread_t            threads[READERS];
    struct rng           rng;
    rng_init(&rng, seed);
    for (size_t i = 0; i < NAMES; i++) {
        char text[32];
        snprintf(text, sizeof(text), "%s%zu.example", i % 2 ? "a.b." : "n", i);
        shop.names[i] = named(text);
    }
    for (size_t i = 0; i < READERS; i++) {
        readers[i].shop = &shop;
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
    }
    while (atomic_load(&shop.reading) < READERS)
        ;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 20; i++) {
            uint32_t chance = rng_u32(&rng);
            change_one(&shop, &zones[chance % NAMES], chance);
        }
        table_reclaim(shop.table);
    }
    atomic_store(&shop.closed, true);
    size_t found = 0;
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        if (readers[i].wrong)
            fail_msg("%s", readers[i].wrong);
        found += readers[i].found;
    }
    assert_true(found > 0);
    table_destroy(shop.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_entry_speaks),
        cmocka_unit_test(a_proof_leaves_the_narrower_entry),
        cmocka_unit_test(an_unpublished_zone_says_nothing),
        cmocka_unit_test(names_are_kept_in_lower_case),
        cmocka_unit_test(each_scope_and_type_is_an_entry_of_its_own),
        cmocka_unit_test(the_longest_names_are_found),
        cmocka_unit_test(a_visitor_may_remove_what_it_is_given),
        cmocka_unit_test(a_walk_sees_each_once_while_zones_come_and_go),
        cmocka_unit_test(the_entries_of_a_name_are_visited_without_the_others),
        cmocka_unit_test(a_question_from_elsewhere_becomes_the_zones_own),
        cmocka_unit_test(readers_never_see_freed_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
