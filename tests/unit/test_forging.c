/*
 * test_forging.c: what the canary has shown of a domain lives as long as it should; names are told from domains; fifty
 * a second are tried.
 */
#include "learn/forging.h"

#include "lib/check.h"
#include "lib/names.h"

#include <stdio.h>

static const struct hash_key key = {1, 2};

static void a_state_lives_its_time(void **state)
{
    (void) state;
    static const struct {
        enum forging_state put;
        msec_t             life;
    } cases[] = {
        {FORGING_SILENT, FORGING_SILENT_LIFE}, {FORGING_SHOWN, FORGING_OPEN},
        {FORGING_FORGED, FORGING_SEEMS_LIFE},  {FORGING_INNER, FORGING_SEEMS_LIFE},
        {FORGING_HOME, FORGING_HONEST_LIFE},   {FORGING_NOBODY, FORGING_SEEMS_LIFE},
        {FORGING_HONEST, FORGING_HONEST_LIFE},
    };
    static const msec_t starts[] = {1, 1000000, (msec_t) 1 << 37};
    struct name         example  = named("example.com");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t j = 0; j < ARRAY_LEN(starts); j++) {
            struct forging *forging = forging_create(key);
            msec_t          start = starts[j], since = 0;
            assert_non_null(forging);
            assert_int_equal(forging_of(forging, name_view(&example), start, &since), FORGING_UNTRIED);
            forging_set(forging, name_view(&example), cases[i].put, start);
            assert_int_equal(forging_of(forging, name_view(&example), start + cases[i].life - 1, &since), cases[i].put);
            assert_true(since == start);
            assert_int_equal(forging_of(forging, name_view(&example), start - 5, &since), cases[i].put);
            assert_int_equal(forging_of(forging, name_view(&example), start + cases[i].life, &since),
                             cases[i].put == FORGING_SHOWN ? FORGING_FORGED : FORGING_UNTRIED);
            forging_set(forging, name_view(&example), FORGING_UNTRIED, start);
            assert_int_equal(forging_of(forging, name_view(&example), start, &since), FORGING_UNTRIED);
            forging_destroy(forging);
        }
}

static void what_is_asked_is_silent_or_to_be_asked_again(void **state)
{
    (void) state;
    struct forging *forging = forging_create(key);
    struct name     example = named("example.com"), www = named("www.example.com"), high = www;
    msec_t          since;
    high.wire[1] = 'W';
    assert_false(forging_knows(forging, name_view(&www), 1000));
    forging_ask(forging, name_view(&example), name_view(&high), 1000);
    assert_true(forging_knows(forging, name_view(&www), 1000));
    assert_false(forging_knows(forging, name_view(&example), 1000)); /* a domain's own name is a name like others */
    assert_int_equal(forging_of(forging, name_view(&example), 1000, &since), FORGING_ASKED);
    /* a further name changes nothing of the domain */
    forging_ask(forging, name_view(&example), name_view(&example), 3000);
    assert_int_equal(forging_of(forging, name_view(&example), 3000, &since), FORGING_ASKED);
    assert_int_equal(since, 1000);
    forging_end(forging, name_view(&example), name_view(&www), true, 6000);
    assert_int_equal(forging_of(forging, name_view(&example), 6000, &since), FORGING_SILENT);
    assert_true(forging_knows(forging, name_view(&www), 6000 + FORGING_SILENT_LIFE - 1));
    assert_false(forging_knows(forging, name_view(&www), 6000 + FORGING_SILENT_LIFE));
    forging_end(forging, name_view(&example), name_view(&www), false, 7000);
    assert_int_equal(forging_of(forging, name_view(&example), 7000, &since), FORGING_UNTRIED);
    assert_false(forging_knows(forging, name_view(&www), 7000));
    /* what was found out stays */
    forging_set(forging, name_view(&example), FORGING_FORGED, 8000);
    forging_ask(forging, name_view(&example), name_view(&www), 8000);
    forging_end(forging, name_view(&example), name_view(&www), true, 9000);
    assert_int_equal(forging_of(forging, name_view(&example), 9000, &since), FORGING_FORGED);
    forging_clear(forging);
    assert_int_equal(forging_of(forging, name_view(&example), 9000, &since), FORGING_UNTRIED);
    assert_false(forging_knows(forging, name_view(&www), 9000));
    forging_destroy(forging);
}

/* Whoever's slot it is. */
static void a_mark_takes_no_finding_away(void **state)
{
    (void) state;
    struct forging *forging = forging_create(key);
    unsigned        lost    = 0;
    msec_t          since;
    for (unsigned i = 0; i < 2000; i++) {
        char        text[32];
        struct name name;
        snprintf(text, sizeof(text), "f%u.example", i);
        name = named(text);
        forging_set(forging, name_view(&name), FORGING_SHOWN, 1000);
    }
    for (unsigned i = 0; i < 100000; i++) {
        char        text[32];
        struct name name;
        snprintf(text, sizeof(text), "m%u.example", i);
        name = named(text);
        forging_ask(forging, name_view(&name), name_view(&name), 1100);
    }
    for (unsigned i = 0; i < 2000; i++) {
        char        text[32];
        struct name name;
        snprintf(text, sizeof(text), "f%u.example", i);
        name = named(text);
        lost += forging_of(forging, name_view(&name), 1200, &since) != FORGING_SHOWN;
    }
    assert_true(lost < 60); /* to each other */
    forging_destroy(forging);
}

static void most_of_many_are_kept_and_none_is_taken_for_another(void **state)
{
    (void) state;
    struct forging *forging = forging_create(key);
    unsigned        known = 0, strangers = 0;
    for (unsigned i = 0; i < 20000; i++) {
        char        text[32];
        struct name name;
        msec_t      since;
        snprintf(text, sizeof(text), "d%u.example", i);
        name = named(text);
        if (i < 10000)
            forging_set(forging, name_view(&name), FORGING_SHOWN, 1000);
        else
            strangers += forging_of(forging, name_view(&name), 1000, &since) != FORGING_UNTRIED;
    }
    for (unsigned i = 0; i < 10000; i++) {
        char        text[32];
        struct name name;
        msec_t      since;
        snprintf(text, sizeof(text), "d%u.example", i);
        name = named(text);
        known += forging_of(forging, name_view(&name), 1000, &since) == FORGING_SHOWN;
    }
    assert_int_equal(strangers, 0);
    assert_in_range(known, 9000, 10000);
    forging_destroy(forging);
}

static void so_many_a_second(void **state)
{
    (void) state;
    struct forging *forging = forging_create(key);
    for (msec_t second = 5; second < 8; second++) {
        unsigned taken = 0;
        for (unsigned i = 0; i < 100; i++)
            taken += forging_take(forging, true, second * 1000 + i);
        assert_int_equal(taken, FORGING_FURTHER);
        for (unsigned i = 0; i < 100; i++)
            taken += forging_take(forging, false, second * 1000 + 9 * i);
        assert_int_equal(taken, FORGING_RATE);
    }
    forging_destroy(forging);
}

static void it_is_blind_or_not(void **state)
{
    (void) state;
    struct forging *forging = forging_create(key);
    assert_false(forging_is_blind(forging));
    forging_set_blind(forging, true);
    assert_true(forging_is_blind(forging));
    forging_set_blind(forging, false);
    assert_false(forging_is_blind(forging));
    forging_destroy(forging);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_lives_its_time),
        cmocka_unit_test(what_is_asked_is_silent_or_to_be_asked_again),
        cmocka_unit_test(a_mark_takes_no_finding_away),
        cmocka_unit_test(most_of_many_are_kept_and_none_is_taken_for_another),
        cmocka_unit_test(so_many_a_second),
        cmocka_unit_test(it_is_blind_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
