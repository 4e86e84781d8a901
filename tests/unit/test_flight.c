/*
 * test_flight.c: a question is found by all that makes it the same question, and by nothing less.
 */
#include "query/flight.h"

#include "lib/check.h"
#include "lib/heap.h"
#include "lib/names.h"

static struct inquiry inquiry(const char *text, uint16_t type, uint16_t class, bool dnssec_ok, bool checking_disabled)
{
    return (struct inquiry){.name              = named(text),
                            .type              = type,
                            .class             = class,
                            .dnssec_ok         = dnssec_ok,
                            .checking_disabled = checking_disabled};
}

/* With one bucket all of them are in one chain. */
static void only_the_same_question_is_joined(void **state)
{
    (void) state;
    const struct inquiry all[] = {
        inquiry("example.com", TYPE_A, CLASS_IN, false, false),
        inquiry("example.com", TYPE_AAAA, CLASS_IN, false, false),
        inquiry("example.com", TYPE_A, 3, false, false),
        inquiry("example.com", TYPE_A, CLASS_IN, true, false),
        inquiry("example.com", TYPE_A, CLASS_IN, false, true),
        inquiry("example.com", TYPE_A, CLASS_IN, true, true),
        inquiry("example.org", TYPE_A, CLASS_IN, false, false),
        inquiry("com", TYPE_A, CLASS_IN, false, false),
        inquiry("a.example.com", TYPE_A, CLASS_IN, false, false),
        inquiry(".", TYPE_A, CLASS_IN, false, false),
        inquiry(".", 65535, 65535, true, true),
    };
    for (size_t buckets = 1; buckets <= 64; buckets *= 64) {
        struct flights flights;
        struct flight  flight[ARRAY_LEN(all)] = {{0}};
        assert_true(flights_init(&flights, buckets, (struct hash_key){1, 2}));
        for (size_t i = 0; i < ARRAY_LEN(all); i++) {
            assert_null(flights_find(&flights, &all[i]));
            flights_add(&flights, &flight[i], &all[i]);
        }
        assert_int_equal(flights.count, ARRAY_LEN(all));
        for (size_t i = 0; i < ARRAY_LEN(all); i++) {
            struct inquiry again = all[i];
            assert_ptr_equal(flights_find(&flights, &again), &flight[i]);
        }
        for (size_t i = 0; i < ARRAY_LEN(all); i += 2) {
            flights_remove(&flights, &flight[i]);
            flights_remove(&flights, &flight[i]);
        }
        for (size_t i = 0; i < ARRAY_LEN(all); i++)
            assert_ptr_equal(flights_find(&flights, &all[i]), i % 2 ? &flight[i] : NULL);
        assert_int_equal(flights.count, ARRAY_LEN(all) / 2);
        flights_fini(&flights);
    }
}

static void one_that_was_never_listed_may_be_removed(void **state)
{
    (void) state;
    struct flights flights;
    struct flight  flight = {0};
    assert_true(flights_init(&flights, 16, (struct hash_key){1, 2}));
    flights_remove(&flights, &flight);
    assert_int_equal(flights.count, 0);
    flights_fini(&flights);
}

static void it_may_be_listed_again(void **state)
{
    (void) state;
    struct flights flights;
    struct flight  flight = {0};
    struct inquiry first = inquiry("a.example", TYPE_A, CLASS_IN, false, false), second = first;
    second.type = TYPE_MX;
    assert_true(flights_init(&flights, 1, (struct hash_key){1, 2}));
    flights_add(&flights, &flight, &first);
    flights_remove(&flights, &flight);
    flights_add(&flights, &flight, &second);
    assert_null(flights_find(&flights, &first));
    assert_ptr_equal(flights_find(&flights, &second), &flight);
    flights_fini(&flights);
}

static void without_memory_there_are_no_flights(void **state)
{
    (void) state;
    struct flights flights;
    heap_fail_at(0);
    assert_false(flights_init(&flights, 16, (struct hash_key){1, 2}));
    assert_true(heap_restore());
    flights_fini(&flights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_same_question_is_joined),
        cmocka_unit_test(one_that_was_never_listed_may_be_removed),
        cmocka_unit_test(it_may_be_listed_again),
        cmocka_unit_test(without_memory_there_are_no_flights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
