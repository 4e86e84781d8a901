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
        {FORGING_FORGED, FORGING_FORGED_LIFE}, {FORGING_INNER, FORGING_HONEST_LIFE},
        {FORGING_NOBODY, FORGING_FORGED_LIFE}, {FORGING_HONEST, FORGING_HONEST_LIFE},
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

static void a_name_is_no_domain(void **state)
{
    (void) state;
    struct forging *forging = forging_create(key);
    struct name     example = named("example.com"), high = example;
    msec_t          since;
    high.wire[1] = 'E';
    forging_note(forging, name_view(&high), 1000);
    assert_true(forging_knows(forging, name_view(&example), 1000));
    assert_int_equal(forging_of(forging, name_view(&example), 1000, &since), FORGING_UNTRIED);
    assert_false(forging_knows(forging, name_view(&example), 1000 + FORGING_SILENT_LIFE));
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
            taken += forging_take(forging, second * 1000 + 9 * i);
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
        cmocka_unit_test(a_name_is_no_domain),
        cmocka_unit_test(most_of_many_are_kept_and_none_is_taken_for_another),
        cmocka_unit_test(so_many_a_second),
        cmocka_unit_test(it_is_blind_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
