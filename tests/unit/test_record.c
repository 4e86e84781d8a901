/*
 * test_record.c: what is written comes back, on a clock that began elsewhere; what is cut, corrupt or of another
 * version is refused and changes nothing.
 */
#include "learn/record.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "lib/check.h"
#include "lib/names.h"

#include <string.h>

enum {
    FIRST   = 600 * 1000,
    DAY     = 86400,
    WRITTEN = 8, /* bytes at the end, since version 3: when it was written */
};

/* Whatever is due first, and what the keeper does about it. */
static struct zone *due_now(struct learner *learner, msec_t now)
{
    learner_end_due(learner, now);
    return learner_recheck_due(learner, now);
}

struct node {
    struct table   *table;
    struct learner *learner;
    unsigned        changes;
};

static void on_changed(void *context, struct zone *zone, enum zone_state from, enum zone_why why, bool removed)
{
    (void) zone, (void) from, (void) why, (void) removed;
    ((struct node *) context)->changes++;
}

static void open_node(struct node *node)
{
    static const uint8_t        seed[RNG_SEED_BYTES] = {1};
    const struct learner_hooks  hooks                = {.changed = on_changed, .context = node};
    const struct learner_limits limits               = {
                      .zone      = {.recheck_first = FIRST, .recheck_max = (msec_t) DAY * 1000, .recover_after = 2},
                      .max_zones = 100,
    };
    *node         = (struct node){.table = table_create(64, (struct hash_key){1, 2})};
    node->learner = learner_create(node->table, &limits, &hooks, seed);
    assert_true(node->table && node->learner);
}

static void close_node(struct node *node)
{
    learner_reclaim(node->learner);
    learner_destroy(node->learner);
    table_destroy(node->table);
}

/* The writer's clock has run for an hour, the reader's for a second; it is the middle of a second, so that of times
 * that are whole seconds away nothing is lost. */
static const struct clocks written = {.now = 3600 * 1000, .wall_ms = 1700000000500};
static const struct clocks same    = {.now = 1000, .wall_ms = 1700000000500};

#define SHIFT (same.now - written.now)

struct saved {
    const char      *name, *asked, *note;
    enum zone_scope  scope;
    uint16_t         type, asked_type;
    struct condition is;
    enum zone_source source;
    enum pin         pin;
    msec_t           pin_until, last_used;
    uint64_t         answered;
};

static const struct saved saves[] = {
    {
        .name       = "example.com",
        .asked      = "mx1.example.com",
        .asked_type = TYPE_MX,
        .is         = {.state        = ZONE_BLOCKED,
                       .reason       = REASON_SERVFAIL,
                       .failures     = 70000,
                       .since        = 1000000,
                       .last_failure = 2000000,
                       .next         = 3700000,
                       .interval     = 4 * FIRST},
        .source     = SOURCE_IMPORTED,
        .pin_until  = MSEC_NEVER,
        .last_used  = 3599000,
        .answered   = (uint64_t) 1 << 40,
    },
    {
        .name       = "a.example.com",
        .asked      = "a.example.com",
        .scope      = SCOPE_NAME,
        .asked_type = TYPE_A,
        .is         = {.state        = ZONE_RECOVERING,
                       .reason       = REASON_FORGED,
                       .good         = 1,
                       .failures     = 1,
                       .since        = -5000,
                       .last_failure = -90000,
                       .next         = 3500000,
                       .interval     = FIRST},
        .source     = SOURCE_CLUSTER,
        .pin_until  = MSEC_NEVER,
    },
    {
        .name       = "a.example.com",
        .asked      = "a.example.com",
        .scope      = SCOPE_TYPE,
        .type       = 65280,
        .asked_type = 65280,
        .is = {.state = ZONE_SUSPECT, .reason = REASON_TIMEOUT, .strikes = 255, .failures = 255, .next = 3610000},
        .pin_until = MSEC_NEVER,
    },
    {
        .name       = ".",
        .asked      = ".",
        .note       = "all of it, by order of \xc3\xa9",
        .asked_type = TYPE_SOA,
        .is         = {.state = ZONE_CLEAR, .next = MSEC_NEVER},
        .source     = SOURCE_LEARNED,
        .pin        = PIN_DOMESTIC,
        .pin_until  = 7200000,
    },
    {
        .name       = "pinned.example",
        .asked      = "pinned.example",
        .asked_type = TYPE_SOA,
        .is         = {.state = ZONE_BROKEN, .reason = REASON_REFUSED, .failures = 2, .next = 3700000},
        .pin        = PIN_EXTERNAL,
        .pin_until  = MSEC_NEVER,
    },
};

static size_t write_saved(const struct saved *saved, bool removed, uint8_t out[RECORD_MAX])
{
    struct table *table = table_create(1, (struct hash_key){0});
    struct name   name = named(saved->name), asked = named(saved->asked);
    struct zone  *zone =
        table_add(table, name_view(&name), saved->scope, saved->type, name_view(&asked), saved->asked_type);
    zone->condition = saved->is;
    zone->source    = saved->source;
    zone->pin       = saved->pin;
    zone->pin_until = saved->pin_until;
    zone->note      = saved->note ? strdup(saved->note) : NULL;
    atomic_store(&zone->last_used, saved->last_used);
    atomic_store(&zone->answered, saved->answered);
    size_t len = record_write(zone, removed, &written, out);
    table_destroy(table);
    return len;
}

static msec_t shifted(msec_t when) { return when == MSEC_NEVER ? MSEC_NEVER : when + SHIFT; }

static void check_zone(const struct zone *zone, const struct saved *saved)
{
    struct name asked = named(saved->asked);
    assert_non_null(zone);
    assert_int_equal(zone->type, saved->type);
    assert_true(name_equal(zone_asked(zone), name_view(&asked)));
    assert_int_equal(zone->asked_type, saved->asked_type);
    assert_int_equal(zone->condition.state, saved->is.state);
    assert_int_equal(zone->condition.reason, saved->is.reason);
    assert_int_equal(zone->condition.strikes, saved->is.strikes);
    assert_int_equal(zone->condition.good, saved->is.good);
    assert_int_equal(zone->condition.failures, saved->is.failures);
    assert_int_equal(zone->condition.since, shifted(saved->is.since));
    assert_int_equal(zone->condition.last_failure, shifted(saved->is.last_failure));
    assert_int_equal(zone->condition.next, shifted(saved->is.next));
    assert_int_equal(zone->condition.interval, saved->is.interval);
    assert_int_equal(zone->source, saved->source);
    assert_int_equal(zone->pin, saved->pin);
    assert_int_equal(zone->pin_until, shifted(saved->pin_until));
    assert_int_equal(atomic_load(&zone->last_used), shifted(saved->last_used));
    assert_int_equal(atomic_load(&zone->answered), saved->answered);
    assert_string_equal(zone->note ? zone->note : "", saved->note ? saved->note : "");
}

static struct zone *get(struct node *node, const struct saved *saved)
{
    struct name name = named(saved->name);
    return table_get(node->table, name_view(&name), saved->scope, saved->type);
}

static void every_field_comes_back(void **state)
{
    (void) state;
    struct node node;
    open_node(&node);
    for (size_t i = 0; i < ARRAY_LEN(saves); i++) {
        uint8_t bytes[RECORD_MAX];
        size_t  len = write_saved(&saves[i], false, bytes);
        assert_true(record_apply((struct view){bytes, len}, &same, node.learner));
        check_zone(get(&node, &saves[i]), &saves[i]);
        /* once more over itself */
        assert_true(record_apply((struct view){bytes, len}, &same, node.learner));
        check_zone(get(&node, &saves[i]), &saves[i]);
    }
    assert_int_equal(table_count(node.table), ARRAY_LEN(saves));
    close_node(&node);
}

static void the_longest_record_fits(void **state)
{
    (void) state;
    struct table *table = table_create(1, (struct hash_key){0});
    struct name   name  = {.len = 1};
    uint8_t       bytes[RECORD_MAX];
    while (name.len + 2 <= NAME_WIRE_MAX)
        name_prepend(&name, "a", 1, name_view(&name));
    struct zone *zone = table_add(table, name_view(&name), SCOPE_ZONE, 0, name_view(&name), TYPE_A);
    char         note[LIMIT_NOTE + 1];
    memset(note, 'n', LIMIT_NOTE);
    note[LIMIT_NOTE] = '\0';
    zone->note       = strdup(note);
    zone->pin        = PIN_EXTERNAL;
    size_t      len  = record_write(zone, false, &written, bytes);
    struct node node;
    open_node(&node);
    assert_true(record_apply((struct view){bytes, len}, &same, node.learner));
    assert_string_equal(table_get(node.table, name_view(&name), SCOPE_ZONE, 0)->note, note);
    close_node(&node);
    table_destroy(table);
}

static void a_removed_zone_goes_with_its_pin(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(saves); i++) {
        struct node node;
        uint8_t     bytes[RECORD_MAX];
        open_node(&node);
        for (size_t j = 0; j < ARRAY_LEN(saves); j++)
            assert_true(record_apply((struct view){bytes, write_saved(&saves[j], false, bytes)}, &same, node.learner));
        size_t len = write_saved(&saves[i], true, bytes);
        assert_true(record_apply((struct view){bytes, len}, &same, node.learner));
        assert_null(get(&node, &saves[i]));
        assert_int_equal(table_count(node.table), ARRAY_LEN(saves) - 1);
        assert_true(record_apply((struct view){bytes, len}, &same, node.learner)); /* it is not there: nothing */
        close_node(&node);
    }
}

static void a_record_without_pin_ends_the_pin(void **state)
{
    (void) state;
    struct node  node;
    struct saved pinned = saves[0];
    uint8_t      bytes[RECORD_MAX];
    open_node(&node);
    pinned.pin  = PIN_DOMESTIC;
    pinned.note = "note";
    assert_true(record_apply((struct view){bytes, write_saved(&pinned, false, bytes)}, &same, node.learner));
    assert_int_equal(get(&node, &pinned)->pin, PIN_DOMESTIC);
    assert_true(record_apply((struct view){bytes, write_saved(&saves[0], false, bytes)}, &same, node.learner));
    check_zone(get(&node, &saves[0]), &saves[0]);
    close_node(&node);
}

static void check_refused(struct node *node, const uint8_t *bytes, size_t len, size_t where)
{
    uint8_t exact[RECORD_MAX]; /* ends where the record ends, for ASan */
    memcpy(exact + RECORD_MAX - len, bytes, len);
    if (record_apply((struct view){exact + RECORD_MAX - len, len}, &same, node->learner))
        fail_msg("accepted: %zu", where);
    assert_int_equal(node->changes, 0);
    assert_int_equal(table_count(node->table), 0);
}

/* Its life so far goes with a zone, newest lines if there are many, and a record of before that is read too. */
static void history_comes_back(void **state)
{
    (void) state;
    struct table   *table = table_create(1, (struct hash_key){0});
    struct name     name  = named(saves[0].name);
    struct zone    *zone  = table_add(table, name_view(&name), SCOPE_ZONE, 0, name_view(&name), TYPE_A);
    struct dossiers dossiers;
    uint8_t         bytes[RECORD_MAX];
    dossiers_init(&dossiers);
    zone->condition = saves[0].is;
    for (unsigned n = 0; n <= DOSSIER_HISTORY + 2; n++) {
        struct node node;
        size_t      len   = record_write(zone, false, &written, bytes);
        unsigned    lines = n < DOSSIER_HISTORY ? n : DOSSIER_HISTORY;
        open_node(&node);
        assert_true(record_apply((struct view){bytes, len}, &same, node.learner));
        const struct zone *read = get(&node, &saves[0]);
        if (n > 0)
            assert_int_equal(read->dossier->history_count, lines);
        for (unsigned i = 0; n > 0 && i < lines; i++) {
            const struct change_line *is  = &read->dossier->history[i],
                                     *was = &zone->dossier->history[(n - lines + i) % DOSSIER_HISTORY];
            assert_int_equal(is->at, shifted(was->at));
            assert_int_equal(is->from, was->from);
            assert_int_equal(is->to, was->to);
            assert_int_equal(is->why, was->why);
        }
        close_node(&node);
        if (n == 0) {
            open_node(&node);
            bytes[0] = 1;
            assert_true(record_apply((struct view){bytes, len - WRITTEN - 1}, &same, node.learner));
            assert_non_null(get(&node, &saves[0]));
            close_node(&node);
        }
        const struct change_line line = {.at   = written.now + 1000 * n,
                                         .from = (enum zone_state)(n % ZONE_STATE_COUNT),
                                         .to   = (enum zone_state)((n + 1) % ZONE_STATE_COUNT),
                                         .why  = (enum zone_why)(n % WHY_COUNT)};
        dossier_note_change(&dossiers, zone, &line);
    }
    size_t len = record_write(zone, false, &written, bytes);
    size_t at  = len - WRITTEN - DOSSIER_HISTORY * 11 - 1;
    const struct {
        size_t  at;
        uint8_t value;
    } cases[] = {{at, 9}, {at + 1, ZONE_STATE_COUNT}, {at + 2, ZONE_STATE_COUNT}, {at + 3, WHY_COUNT}};
    struct node node;
    open_node(&node);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t before     = bytes[cases[i].at];
        bytes[cases[i].at] = cases[i].value;
        check_refused(&node, bytes, len, i);
        bytes[cases[i].at] = before;
    }
    close_node(&node);
    dossiers_fini(&dossiers);
    table_destroy(table);
}

static void cut_records_are_refused(void **state)
{
    (void) state;
    struct node node;
    uint8_t     bytes[RECORD_MAX];
    open_node(&node);
    for (size_t i = 0; i < ARRAY_LEN(saves); i++) {
        size_t len = write_saved(&saves[i], false, bytes);
        for (size_t cut = 0; cut < len; cut++)
            check_refused(&node, bytes, cut, cut);
        len = write_saved(&saves[i], true, bytes);
        for (size_t cut = 0; cut < len; cut++)
            check_refused(&node, bytes, cut, cut);
    }
    close_node(&node);
}

static void what_cannot_be_is_refused(void **state)
{
    (void) state;
    enum {
        NAME     = 7,
        NAME_LEN = 13,
        AFTER    = NAME + NAME_LEN
    }; /* example.com */
    static const struct {
        size_t  at;
        uint8_t value;
    } cases[] = {
        {0, 0}, /* version */
        {0, 4},
        {1, 0}, /* kind */
        {1, 3},
        {2, SCOPE_COUNT}, /* scope */
        {2, 255},
        {5, 255}, /* length of the name */
        {6, 0},
        {6, NAME_LEN - 1},
        {6, NAME_LEN + 1},
        {NAME, 0}, /* its labels */
        {NAME, 64},
        {NAME, 0xc0},
        {AFTER, ZONE_STATE_COUNT},
        {AFTER + 1, REASON_COUNT},
        {AFTER + 2, SOURCE_COUNT},
        {AFTER + 33, 0x80}, /* interval below 0 */
        {AFTER + 57, PIN_EXTERNAL + 1},
        {AFTER + 66, 2},   /* length of the note */
        {AFTER + 70, 255}, /* length of the question's name */
    };
    struct node node;
    uint8_t     bytes[RECORD_MAX];
    open_node(&node);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t len = write_saved(&saves[0], false, bytes);
        assert_int_not_equal(bytes[cases[i].at], cases[i].value);
        bytes[cases[i].at] = cases[i].value;
        check_refused(&node, bytes, len, i);
    }
    char         note[LIMIT_NOTE + 2];
    struct saved longer = saves[3];
    memset(note, 'n', LIMIT_NOTE + 1);
    note[LIMIT_NOTE + 1] = '\0';
    longer.note          = note;
    check_refused(&node, bytes, write_saved(&longer, false, bytes), 999);
    /* a pin covers a subtree */
    size_t len            = write_saved(&saves[1], false, bytes);
    bytes[NAME + 15 + 57] = PIN_EXTERNAL;
    check_refused(&node, bytes, len, 1000);
    close_node(&node);
}

/* Whatever the bytes are: no undefined behaviour, and what is accepted does not stay for ever without a recheck. */
static void any_byte_may_be_any_value(void **state)
{
    (void) state;
    static const uint8_t values[] = {0, 1, 2, 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < ARRAY_LEN(saves); i++) {
        struct node node;
        uint8_t     bytes[RECORD_MAX], changed[RECORD_MAX];
        size_t      len = write_saved(&saves[i], false, bytes);
        open_node(&node);
        for (size_t at = 0; at < len; at++)
            for (size_t j = 0; j < ARRAY_LEN(values); j++) {
                memcpy(changed, bytes, len);
                changed[at] = values[j];
                record_apply((struct view){changed, len}, &same, node.learner);
                memset(changed + at, values[j], len - at < 8 ? len - at : 8);
                record_apply((struct view){changed, len}, &same, node.learner);
            }
        struct zone *zone;
        msec_t       month = same.now + (msec_t) 31 * DAY * 1000;
        for (int n = 0; n < 1000 && (zone = due_now(node.learner, month)); n++)
            learner_apply_zone(node.learner, zone, EVIDENCE_RECHECK_BAD, REASON_TIMEOUT, month);
        learner_reclaim(node.learner);
        close_node(&node);
    }
}

/* The state comes back on a node whose calendar has jumped: nothing is lost, no recheck is put off beyond its
 * interval. */
static void the_calendar_may_jump_by_a_day(void **state)
{
    (void) state;
    static const struct {
        wall_t jump;
        msec_t next; /* of saves[0], from the reader's now; it was 100 s */
    } cases[] = {
        {0, 100000},
        {30, 70000},
        {DAY, -(msec_t) DAY * 1000 + 100000},
        {-30, 130000},
        {-DAY, 4 * FIRST / 10 * 11},
        {-1700000000, 4 * FIRST / 10 * 11}, /* no battery: it is 1970 */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct node         node;
        uint8_t             bytes[RECORD_MAX];
        size_t              len    = write_saved(&saves[0], false, bytes);
        const struct clocks jumped = {.now = same.now, .wall_ms = same.wall_ms + cases[i].jump * 1000};
        open_node(&node);
        assert_true(record_apply((struct view){bytes, len}, &jumped, node.learner));
        struct zone *zone = get(&node, &saves[0]);
        assert_int_equal(zone->condition.state, ZONE_BLOCKED);
        assert_int_equal(zone->condition.next, jumped.now + cases[i].next);
        assert_true(atomic_load(&zone->last_used) <= jumped.now);
        assert_ptr_equal(due_now(node.learner, msec_max(jumped.now + cases[i].next, jumped.now)), zone);
        close_node(&node);
    }
}

/* A pin has at most what was left of it when it was written; before version 3 nobody knows when that was. */
static void a_pin_is_not_lengthened_by_a_clock_set_back(void **state)
{
    (void) state;
    static const struct {
        uint8_t version;
        wall_t  jump;
        msec_t  left;
    } cases[] = {
        {3, 0, 3600000},    {3, 60, 3540000},          {3, 3600, 0},     {3, DAY, -82800000}, {3, -60, 3600000},
        {3, -DAY, 3600000}, {3, -1700000000, 3600000}, {2, 60, 3540000}, {2, -60, 3660000},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct node         node;
        uint8_t             bytes[RECORD_MAX];
        size_t              len    = write_saved(&saves[3], false, bytes);
        const struct clocks jumped = {.now = same.now, .wall_ms = same.wall_ms + cases[i].jump * 1000};
        open_node(&node);
        bytes[0] = cases[i].version;
        if (cases[i].version < 3)
            len -= WRITTEN;
        assert_true(record_apply((struct view){bytes, len}, &jumped, node.learner));
        assert_int_equal(get(&node, &saves[3])->pin_until - jumped.now, cases[i].left);
        close_node(&node);
    }
}

/* Off for a month or three: nobody could ask for it, so it has a day to be asked for. */
static void a_zone_from_disk_is_not_idle_at_once(void **state)
{
    (void) state;
    struct node         node;
    uint8_t             bytes[RECORD_MAX];
    size_t              len   = write_saved(&saves[0], false, bytes);
    const struct clocks later = {.now = same.now, .wall_ms = same.wall_ms + (int64_t) 90 * DAY * 1000};
    open_node(&node);
    assert_true(record_apply((struct view){bytes, len}, &later, node.learner));
    struct zone *zone = get(&node, &saves[0]);
    assert_ptr_equal(due_now(node.learner, later.now + (msec_t) (DAY - 1) * 1000), zone);
    learner_apply_zone(node.learner, zone, EVIDENCE_RECHECK_BAD, REASON_SERVFAIL, later.now + (msec_t) DAY * 1000);
    assert_null(due_now(node.learner, later.now + (msec_t) 10 * DAY * 1000));
    assert_null(get(&node, &saves[0]));
    close_node(&node);
}

static void clocks_turn_into_each_other(void **state)
{
    (void) state;
    static const struct {
        msec_t when;
        wall_t wall;
    } cases[] = {
        {3600000, 1700000000}, {3601000, 1700000001},    {0, 1699996400},
        {-1000, 1699996399},   {MSEC_NEVER, WALL_NEVER}, {3600000 + (msec_t) DAY * 1000, 1700086400},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(clocks_wall(&written, cases[i].when), cases[i].wall);
        assert_int_equal(clocks_msec(&written, cases[i].wall), cases[i].when);
    }
    static const wall_t far[] = {INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1};
    for (size_t i = 0; i < ARRAY_LEN(far); i++) {
        msec_t when = clocks_msec(&written, far[i]);
        assert_true(when != MSEC_NEVER);
        assert_int_equal(when < written.now, far[i] < written.wall_ms / 1000);
    }
}

/* Whenever one looks, before that moment or after it, in the middle of a second or at its end. */
static void a_time_is_shown_as_the_same_second_always(void **state)
{
    (void) state;
    static const msec_t whens[] = {-3600000, -1, 0, 999, 3599999, 3600000, 3601500, 9999999};
    for (size_t i = 0; i < ARRAY_LEN(whens); i++) {
        wall_t shown = clocks_wall(&written, whens[i]);
        for (msec_t passed = -3500; passed <= 3500; passed += 7) {
            const struct clocks later = {.now = written.now + passed, .wall_ms = written.wall_ms + passed};
            assert_int_equal(clocks_wall(&later, whens[i]), shown);
            assert_int_equal(clocks_wall(&later, clocks_msec(&later, shown)), shown);
        }
    }
}

/* A thread may lose its core between the readings of the two clocks. */
static void a_time_from_disk_bears_clocks_that_were_not_read_together(void **state)
{
    (void) state;
    for (msec_t apart = -400; apart <= 400; apart += 7) {
        const struct clocks read  = {.now = same.now, .wall_ms = same.wall_ms};
        const struct clocks shown = {.now = same.now + 5000, .wall_ms = same.wall_ms + 5000 + apart};
        assert_int_equal(clocks_wall(&shown, clocks_msec(&read, 1699999000)), 1699999000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_comes_back),
        cmocka_unit_test(the_longest_record_fits),
        cmocka_unit_test(a_removed_zone_goes_with_its_pin),
        cmocka_unit_test(a_record_without_pin_ends_the_pin),
        cmocka_unit_test(history_comes_back),
        cmocka_unit_test(cut_records_are_refused),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(any_byte_may_be_any_value),
        cmocka_unit_test(the_calendar_may_jump_by_a_day),
        cmocka_unit_test(a_pin_is_not_lengthened_by_a_clock_set_back),
        cmocka_unit_test(a_zone_from_disk_is_not_idle_at_once),
        cmocka_unit_test(clocks_turn_into_each_other),
        cmocka_unit_test(a_time_is_shown_as_the_same_second_always),
        cmocka_unit_test(a_time_from_disk_bears_clocks_that_were_not_read_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
