/*
 * test_shown.c: of many zones the newest are shown, in whatever order the table has them.
 */
#include "observe/shown.h"

#include "base/rng.h"
#include "lib/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MANY = 1000
};

static struct zone *zone_of(const char *text, msec_t since)
{
    struct name  name = named(text);
    struct zone *zone = calloc(1, sizeof(*zone) + name.len);
    assert_non_null(zone);
    zone->name_len = zone->asked_len = name.len;
    memcpy(zone->asked, name.wire, name.len);
    zone->condition = (struct condition){.state = ZONE_BLOCKED, .since = since};
    return zone;
}

static void take(struct shown *shown, unsigned number, msec_t since)
{
    char text[32];
    snprintf(text, sizeof(text), "z%u.example", number);
    struct zone *zone = zone_of(text, since);
    shown_take(shown, zone);
    free(zone);
}

static void check(const struct shown *shown)
{
    assert_int_equal(shown->found, MANY);
    assert_int_equal(shown->count, SHOWN_ZONES);
    for (unsigned i = 0; i < SHOWN_ZONES; i++)
        assert_int_equal(shown->zones[i].condition.since, MANY - i);
}

static void the_newest_are_shown(void **state)
{
    (void) state;
    static struct shown shown;
    unsigned            order[MANY];
    struct rng          rng;
    rng_init(&rng, (const uint8_t[RNG_SEED_BYTES]){7});
    for (unsigned kind = 0; kind < 3; kind++) { /* rising, falling, by chance */
        for (unsigned i = 0; i < MANY; i++)
            order[i] = kind == 1 ? MANY - i : i + 1;
        for (unsigned i = MANY - 1; kind == 2 && i > 0; i--) {
            unsigned other = rng_below(&rng, i + 1), held = order[i];
            order[i]     = order[other];
            order[other] = held;
        }
        shown = (struct shown){0};
        for (unsigned i = 0; i < MANY; i++)
            take(&shown, order[i], order[i]);
        shown_sort(&shown);
        check(&shown);
    }
}

static void few_are_sorted(void **state)
{
    (void) state;
    static struct shown shown;
    shown = (struct shown){0};
    shown_sort(&shown);
    assert_int_equal(shown.count, 0);
    take(&shown, 2, 5);
    take(&shown, 1, 5);
    take(&shown, 3, 9);
    shown_sort(&shown);
    static const char *const expected[] = {"z3.example.", "z1.example.", "z2.example."};
    char                     text[NAME_TEXT_MAX];
    assert_int_equal(shown.found, 3);
    for (unsigned i = 0; i < ARRAY_LEN(expected); i++)
        assert_string_equal(name_format(name_view(&shown.zones[i].name), text), expected[i]);
}

static void a_zone_is_copied_whole(void **state)
{
    (void) state;
    static struct shown shown;
    shown               = (struct shown){0};
    struct zone *zone   = zone_of("a.example", 7);
    char         note[] = "ask Anna";
    zone->note          = note;
    zone->pin           = PIN_EXTERNAL;
    zone->scope         = SCOPE_TYPE;
    zone->type          = 15;
    zone->answered      = 12;
    shown_take(&shown, zone);
    free(zone);
    const struct shown_zone *one = &shown.zones[0];
    assert_string_equal(one->note, "ask Anna");
    assert_int_equal(one->pin, PIN_EXTERNAL);
    assert_int_equal(one->scope, SCOPE_TYPE);
    assert_int_equal(one->type, 15);
    assert_int_equal(one->answered, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_are_shown),
        cmocka_unit_test(few_are_sorted),
        cmocka_unit_test(a_zone_is_copied_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
