/*
 * test_recent.c: domains are known for a day from their last mark, whatever their case, and others are not.
 */
#include "learn/recent.h"

#include "lib/check.h"
#include "lib/names.h"

#include <stdio.h>

static const struct hash_key key = {1, 2};

static void a_mark_lives_a_day(void **state)
{
    (void) state;
    static const struct {
        msec_t marked, asked;
        bool   known;
    } cases[] = {
        {0, 0, true},
        {0, RECENT_LIFE - 1, true},
        {0, RECENT_LIFE, false},
        {5000, 5000, true},
        {5999, 5999 + RECENT_LIFE - 1000, true},
        {5000, 5000 + RECENT_LIFE, false},
        {5000, 4000, true}, /* marked by a thread whose clock was read later */
        {(msec_t) 400 * RECENT_LIFE, (msec_t) 401 * RECENT_LIFE - 1, true},
        {(msec_t) 400 * RECENT_LIFE, (msec_t) 401 * RECENT_LIFE, false},
    };
    struct name example = named("example.com");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct recent *good = recent_create(key, RECENT_SLOTS, RECENT_LIFE);
        assert_non_null(good);
        assert_false(recent_known(good, name_view(&example), cases[i].asked));
        recent_mark(good, name_view(&example), cases[i].marked);
        if (recent_known(good, name_view(&example), cases[i].asked) != cases[i].known)
            fail_msg("row %zu", i);
        recent_destroy(good);
    }
}

static void a_new_mark_renews_it(void **state)
{
    (void) state;
    struct recent *good    = recent_create(key, RECENT_SLOTS, RECENT_LIFE);
    struct name    example = named("example.com");
    recent_mark(good, name_view(&example), 0);
    recent_mark(good, name_view(&example), RECENT_LIFE);
    assert_true(recent_known(good, name_view(&example), 2 * RECENT_LIFE - 1));
    recent_destroy(good);
}

static void case_does_not_matter(void **state)
{
    (void) state;
    struct recent *good = recent_create(key, RECENT_SLOTS, RECENT_LIFE);
    struct name    low = named("example.com"), high = low;
    high.wire[1] = 'E';
    recent_mark(good, name_view(&high), 0);
    assert_true(recent_known(good, name_view(&low), 0));
    recent_unmark(good, name_view(&low));
    assert_false(recent_known(good, name_view(&high), 0));
    recent_destroy(good);
}

/* Whatever the domain of a name is, the mark that it was given is found from the name. */
static void marks_are_found_from_below(void **state)
{
    (void) state;
    static const char v6[] = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    static const struct {
        const char *marked, *asked;
        bool        found;
    } cases[] = {
        {"example.com", "example.com", true},
        {"example.com", "MAIL.Example.COM", true},
        {"example.com", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.example.com", true},
        {"example.com", "badexample.com", false},
        {"example.com", "com", false},
        {"com", "example.com", false}, /* never a domain */
        {"mail.example.com", "example.com", false},
        {"2.0.192.in-addr.arpa", "1.2.0.192.in-addr.arpa", true},
        {"0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", v6, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct recent *good   = recent_create(key, RECENT_SLOTS, RECENT_LIFE);
        struct name    marked = named(cases[i].marked), asked = named(cases[i].asked);
        assert_int_equal(recent_age(good, name_view(&asked), 9000), MSEC_NEVER);
        recent_mark(good, name_view(&marked), 5000);
        if (recent_age(good, name_view(&asked), 9000) != (cases[i].found ? 4000 : MSEC_NEVER))
            fail_msg("row %zu", i);
        assert_int_equal(recent_age(good, name_view(&asked), 5000 + RECENT_LIFE), MSEC_NEVER);
        recent_destroy(good);
    }
}

static void the_youngest_mark_counts(void **state)
{
    (void) state;
    struct recent *good    = recent_create(key, RECENT_SLOTS, RECENT_LIFE);
    struct name    example = named("example.com"), mail = named("mail.example.com");
    recent_mark(good, name_view(&mail), 1000);
    recent_mark(good, name_view(&example), 3000);
    assert_int_equal(recent_age(good, name_view(&mail), 4000), 1000);
    recent_mark(good, name_view(&mail), 4000);
    assert_int_equal(recent_age(good, name_view(&mail), 4000), 0);
    assert_int_equal(recent_age(good, name_view(&example), 4000), 1000);
    recent_destroy(good);
}

/* Of many marked domains most are known; of as many others none is, since 32 bits of the hash tell them apart. */
static void others_are_not_taken_for_it(void **state)
{
    (void) state;
    enum {
        COUNT = 4000
    };
    struct recent *good  = recent_create(key, RECENT_SLOTS, RECENT_LIFE);
    unsigned       known = 0;
    for (unsigned i = 0; i < 2 * COUNT; i++) {
        char text[32];
        snprintf(text, sizeof(text), "domain-%u.example", i);
        struct name name = named(text);
        if (i < COUNT)
            recent_mark(good, name_view(&name), 0);
        else
            assert_false(recent_known(good, name_view(&name), 0));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        char text[32];
        snprintf(text, sizeof(text), "domain-%u.example", i);
        struct name name = named(text);
        known += recent_known(good, name_view(&name), 0);
    }
    assert_true(known > COUNT * 9 / 10);
    recent_destroy(good);
}

static void unmarking_one_that_lost_its_slot_harms_nobody(void **state)
{
    (void) state;
    struct recent *good    = recent_create(key, RECENT_SLOTS, RECENT_LIFE);
    struct name    example = named("example.com");
    unsigned       i       = 0;
    struct name    other   = example;
    do {
        char text[32];
        snprintf(text, sizeof(text), "domain-%u.example", i++);
        other = named(text);
    } while (name_hash(key, name_view(&other)) % RECENT_SLOTS != name_hash(key, name_view(&example)) % RECENT_SLOTS);
    recent_mark(good, name_view(&other), 0);
    recent_mark(good, name_view(&example), 0);
    assert_false(recent_known(good, name_view(&other), 0));
    recent_unmark(good, name_view(&other));
    assert_true(recent_known(good, name_view(&example), 0));
    recent_destroy(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_lives_a_day),
        cmocka_unit_test(a_new_mark_renews_it),
        cmocka_unit_test(case_does_not_matter),
        cmocka_unit_test(marks_are_found_from_below),
        cmocka_unit_test(the_youngest_mark_counts),
        cmocka_unit_test(others_are_not_taken_for_it),
        cmocka_unit_test(unmarking_one_that_lost_its_slot_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
