/*
 * test_statement.c: a statement comes back from its bytes as it was; what is cut, garbled or out of bounds is refused;
 * its field is readable, and one for each that may stand beside another.
 */
#include "cluster/statement.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "base/rng.h"
#include "lib/check.h"
#include "lib/names.h"

#include <stdio.h>
#include <string.h>

enum {
    KIND  = 1, /* where it stands in the bytes */
    SCOPE = 2,
    TYPE  = 3,
    TEXTS = 5,
};

static struct view text(const char *text) { return (struct view){(const uint8_t *) text, strlen(text)}; }

static char        longest_label[STATEMENT_NODE_MAX + 1], longest_note[LIMIT_NOTE + 1];
static struct name longest_name, zone, asked;

static int prepare(void **state)
{
    (void) state;
    memset(longest_label, 'n', STATEMENT_NODE_MAX);
    for (unsigned i = 0; i < LIMIT_NOTE; i++)
        longest_note[i] = "\xc3\xa9"[i % 2];
    name_set(&longest_name, (struct view){(const uint8_t *) "", 1});
    for (size_t left = NAME_WIRE_MAX - 1; left > 0;) {
        size_t label = left > 64 ? 63 : left - 1;
        assert_true(name_prepend(&longest_name, longest_note, label, name_view(&longest_name)));
        left -= label + 1;
    }
    zone  = named("blocked.example");
    asked = named("mx1.blocked.example");
    return longest_name.len == NAME_WIRE_MAX ? 0 : -1;
}

/* One of each kind; the second three as long as may be. */
static unsigned each_kind(struct statement out[6])
{
    const struct zone_id id    = {.name = name_view(&zone), .scope = SCOPE_ZONE},
                         whole = {.name = name_view(&longest_name)};
    const struct zone_id typed = {.name = name_view(&zone), .scope = SCOPE_TYPE, .type = TYPE_MX};
    const struct stamp   stamp = {1764470000000, 3}, last = {UINT64_MAX, UINT32_MAX};
    const struct view    node = text(longest_label);
    out[0]                    = (struct statement){STATEMENT_EVIDENCE, text("cn"), text("mx1"),       stamp,  typed, 2,
                                                   REASON_SERVFAIL,    600000,     name_view(&asked), TYPE_MX};
    out[1] = (struct statement){STATEMENT_PIN,       text(""),    text("a.b-c_D9"),           stamp, id,
                                .pin = PIN_DOMESTIC, .until = -5, .note = text("customer 12")};
    out[2] = (struct statement){STATEMENT_FORGET, text("ir"), text("b"), {0}, id};
    out[3] = (struct statement){
        STATEMENT_EVIDENCE,       node,      node, last, whole, STATEMENT_GOOD_MAX, REASON_FORGED, INT64_MAX,
        name_view(&longest_name), UINT16_MAX};
    out[4] = (struct statement){
        STATEMENT_PIN, node, node, last, whole, .pin = PIN_EXTERNAL, .until = WALL_NEVER, .note = text(longest_note)};
    out[5] = (struct statement){STATEMENT_FORGET, node, node, last, whole};
    return 6;
}

static void check_text(struct view a, struct view b)
{
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
}

static void check_same(const struct statement *is, const struct statement *was)
{
    assert_true(is->kind == was->kind && is->stamp.ms == was->stamp.ms && is->stamp.count == was->stamp.count);
    assert_true(is->id.scope == was->id.scope && is->id.type == was->id.type);
    assert_true(name_equal(is->id.name, was->id.name));
    check_text(is->vantage, was->vantage);
    check_text(is->node, was->node);
    if (is->kind == STATEMENT_EVIDENCE) {
        assert_true(is->good == was->good && is->reason == was->reason && is->interval == was->interval);
        assert_true(name_equal(is->asked, was->asked) && is->asked_type == was->asked_type);
    } else if (is->kind == STATEMENT_PIN) {
        assert_true(is->pin == was->pin && is->until == was->until);
        check_text(is->note, was->note);
    }
}

static void what_is_written_comes_back(void **state)
{
    (void) state;
    struct statement all[6], back;
    for (unsigned i = 0, count = each_kind(all); i < count; i++) {
        uint8_t bytes[STATEMENT_MAX], twice[STATEMENT_MAX];
        size_t  len = statement_write(&all[i], bytes);
        assert_true(len > 0 && len < STATEMENT_MAX);
        assert_true(statement_read((struct view){bytes, len}, &back));
        check_same(&back, &all[i]);
        assert_int_equal(statement_write(&back, twice), len);
        assert_memory_equal(bytes, twice, len);
    }
}

/* At every byte; and with one behind. */
static void what_is_cut_or_longer_is_refused(void **state)
{
    (void) state;
    struct statement all[6], back;
    for (unsigned i = 0, count = each_kind(all); i < count; i++) {
        uint8_t bytes[STATEMENT_MAX + 1] = {0};
        size_t  len                      = statement_write(&all[i], bytes);
        for (size_t cut = 0; cut < len; cut++)
            assert_false(statement_read((struct view){bytes, cut}, &back));
        assert_false(statement_read((struct view){bytes, len + 1}, &back));
    }
    assert_false(statement_read((struct view){NULL, 0}, &back));
}

/* Bytes of one statement, with others in their place. */
static bool reads_with(const struct statement *statement, size_t at, const void *bytes, size_t count)
{
    uint8_t          all[STATEMENT_MAX];
    struct statement back;
    size_t           len = statement_write(statement, all);
    assert_true(at + count <= len);
    memcpy(all + at, bytes, count);
    return statement_read((struct view){all, len}, &back);
}

static void what_is_out_of_bounds_is_refused(void **state)
{
    (void) state;
    struct statement all[6];
    each_kind(all);
    const struct statement *evidence = &all[0], *pin = &all[1], *forget = &all[2];
    size_t                  named_at = TEXTS + 2 + evidence->vantage.len + 2 + evidence->node.len + 8 + 4 + 2;
    size_t                  good_at = named_at + zone.len, pin_at = TEXTS + 2 + 2 + pin->node.len + 12 + 2 + zone.len;
    assert_true(reads_with(evidence, 0, "A", 1));
    assert_false(reads_with(evidence, 0, "B", 1));
    assert_false(reads_with(evidence, 0, "\3", 1)); /* a zone's record */
    assert_false(reads_with(evidence, KIND, "\3", 1));
    assert_false(reads_with(evidence, SCOPE, "\3", 1));
    assert_false(reads_with(evidence, SCOPE, "\0", 1)); /* it has a type */
    assert_false(reads_with(evidence, SCOPE, "\1", 1));
    assert_false(reads_with(pin, SCOPE, "\1", 1)); /* is of a zone */
    assert_false(reads_with(forget, SCOPE, "\2", 1));
    assert_false(reads_with(forget, TYPE, "\0\1", 2));
    assert_false(reads_with(evidence, TEXTS + 2, " ", 1)); /* of the vantage */
    assert_false(reads_with(evidence, TEXTS + 2 + 2 + 2, "*", 1));
    assert_false(reads_with(evidence, named_at, "\x3f", 1)); /* the zone's first label */
    assert_false(reads_with(evidence, named_at, "\xc0\x00", 2));
    assert_false(reads_with(evidence, named_at + 1, "other", 5)); /* the question is not below it */
    assert_true(reads_with(evidence, good_at, "\0\4", 2));
    assert_false(reads_with(evidence, good_at + 1, "\5", 1));   /* the reason */
    assert_false(reads_with(evidence, good_at + 2, "\x80", 1)); /* the interval */
    assert_true(reads_with(pin, pin_at, "\0", 1));
    assert_false(reads_with(pin, pin_at, "\3", 1));
    assert_false(reads_with(pin, pin_at + 1 + 8 + 2 + 3, "\0", 1));   /* the note would end there for some */
    assert_false(reads_with(pin, pin_at + 1 + 8 + 2 + 3, "\xff", 1)); /* no UTF-8: it could not be shown */
}

static void a_note_and_a_label_have_their_length(void **state)
{
    (void) state;
    struct statement all[6], back;
    char             longer[LIMIT_NOTE + 1], label[STATEMENT_NODE_MAX + 1];
    uint8_t          bytes[STATEMENT_MAX];
    memset(longer, 'x', sizeof(longer));
    memset(label, 'x', sizeof(label));
    each_kind(all);
    all[1].note = (struct view){(const uint8_t *) longer, sizeof(longer)};
    assert_false(statement_read((struct view){bytes, statement_write(&all[1], bytes)}, &back));
    for (unsigned i = 0; i < 4; i++) {
        each_kind(all);
        struct view *changed = i % 2 ? &all[2].vantage : &all[2].node;
        *changed             = (struct view){(const uint8_t *) label, i < 2 ? sizeof(label) : 0};
        bool may             = changed->len == 0 && changed == &all[2].vantage; /* of all vantages */
        assert_int_equal(statement_read((struct view){bytes, statement_write(&all[2], bytes)}, &back), may);
    }
    all[0].vantage = (struct view){0};
    assert_false(statement_read((struct view){bytes, statement_write(&all[0], bytes)}, &back));
}

/* Whatever comes, what is taken is written again as it was. */
static void garbage_is_refused_or_means_what_it_says(void **state)
{
    (void) state;
    static const uint8_t seed[RNG_SEED_BYTES] = {3};
    struct rng           rng;
    struct statement     all[6], back, again;
    unsigned             taken = 0;
    rng_init(&rng, seed);
    unsigned count = each_kind(all);
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t bytes[STATEMENT_MAX], twice[STATEMENT_MAX];
        size_t  len = statement_write(&all[i % count], bytes);
        for (unsigned changes = 1 + rng_below(&rng, 3); changes > 0; changes--)
            bytes[rng_below(&rng, (uint32_t) len)] = (uint8_t) rng_u16(&rng);
        if (!statement_read((struct view){bytes, len}, &back))
            continue;
        taken++;
        size_t length = statement_write(&back, twice);
        assert_true(statement_read((struct view){twice, length}, &again));
        check_same(&again, &back);
    }
    assert_in_range(taken, 10000, 150000);
}

static void case_of_names_is_folded(void **state)
{
    (void) state;
    struct statement  all[6];
    const struct name upper = named("BLOCKED.Example"), asks = named("MX1.blocked.EXAMPLE");
    uint8_t           bytes[STATEMENT_MAX], same[STATEMENT_MAX];
    char              field[STATEMENT_FIELD_MAX], other[STATEMENT_FIELD_MAX];
    each_kind(all);
    size_t len = statement_write(&all[0], bytes), field_len = statement_field(&all[0], field);
    all[0].id.name = name_view(&upper);
    all[0].asked   = name_view(&asks);
    assert_int_equal(statement_write(&all[0], same), len);
    assert_memory_equal(bytes, same, len);
    assert_int_equal(statement_field(&all[0], other), field_len);
    assert_string_equal(field, other);
}

static void a_field_is_for_people(void **state)
{
    (void) state;
    static const char *const right[] = {
        "evidence cn type MX blocked.example. mx1",
        "pin * zone - blocked.example. a.b-c_D9",
        "forget ir zone - blocked.example. b",
    };
    struct statement  all[6];
    const struct name odd = named("a\\032b\\010.example"), root = named(".");
    char              field[STATEMENT_FIELD_MAX];
    unsigned          count = each_kind(all);
    for (unsigned i = 0; i < count; i++) {
        size_t len = statement_field(&all[i], field);
        assert_int_equal(strlen(field), len);
        if (i < ARRAY_LEN(right))
            assert_string_equal(field, right[i]);
    }
    all[2].id.name = name_view(&odd); /* of one word, of one line */
    statement_field(&all[2], field);
    assert_string_equal(field, "forget ir zone - a\\032b\\010.example. b");
    all[2].id.name = name_view(&root);
    statement_field(&all[2], field);
    assert_string_equal(field, "forget ir zone - . b");
}

static void any_two_have_an_order(void **state)
{
    (void) state;
    static const struct {
        struct stamp stamp;
        const char  *node;
    } rows[] = {{{0, 0}, "a"}, {{0, 0}, "aa"}, {{0, 0}, "b"}, {{0, 1}, "a"},         {{0, UINT32_MAX}, "a"},
                {{1, 0}, "a"}, {{1, 0}, "b"},  {{1, 1}, "a"}, {{UINT64_MAX, 0}, "A"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
            int order = statement_compare(rows[i].stamp, text(rows[i].node), rows[k].stamp, text(rows[k].node));
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
}

static void labels_have_few_letters(void **state)
{
    (void) state;
    for (unsigned letter = 0; letter < 256; letter++) {
        char word[] = {'a', (char) letter, 'b', '\0'};
        bool may = letter && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", (int) letter);
        assert_int_equal(statement_is_label((struct view){(const uint8_t *) word, 3}), may);
    }
    assert_true(statement_is_label(text(longest_label)));
    assert_false(statement_is_label(text("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_comes_back),
        cmocka_unit_test(what_is_cut_or_longer_is_refused),
        cmocka_unit_test(what_is_out_of_bounds_is_refused),
        cmocka_unit_test(a_note_and_a_label_have_their_length),
        cmocka_unit_test(garbage_is_refused_or_means_what_it_says),
        cmocka_unit_test(case_of_names_is_folded),
        cmocka_unit_test(a_field_is_for_people),
        cmocka_unit_test(any_two_have_an_order),
        cmocka_unit_test(labels_have_few_letters),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
