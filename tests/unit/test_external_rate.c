/*
 * test_external_rate.c: what may be taken when, in virtual time; and that threads together take no more than there is.
 */
#include "policy/external_rate.h"

#include "lib/check.h"

#include <pthread.h>

enum {
    BEGIN   = 1000000, /* ms */
    SECOND  = 1000,
    THREADS = 4,
};

static unsigned drain_zone(struct external_rate *quota, uint8_t zone, msec_t now)
{
    unsigned count = 0;
    while (external_rate_take(quota, true, zone, now))
        count++;
    return count;
}

/* Takes until nothing is left, if confirmed for every zone; how many it got. */
static unsigned drain(struct external_rate *quota, bool confirmed, msec_t now)
{
    unsigned count = 0;
    for (unsigned zone = 0; confirmed && zone < EXTERNAL_RATE_ZONES; zone++)
        count += drain_zone(quota, (uint8_t) zone, now);
    while (external_rate_take(quota, false, 0, now))
        count++;
    return count;
}

static void a_full_bucket_holds_one_second(void **state)
{
    (void) state;
    static const struct {
        uint32_t per_second;
        unsigned all, unconfirmed;
    } rows[] = {{1, 16, 8},
                {5, 16, 8},
                {16, 16, 8},
                {17, 17, 8},
                {100, 100, 50},
                {1000, 1000, 500},
                {3333, 3333, 1666},
                {999999, 999999, 499999},
                {1000000, 1000000, 500000}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct external_rate quota;
        external_rate_init(&quota, rows[i].per_second);
        assert_int_equal(drain(&quota, true, BEGIN), rows[i].all);
        external_rate_init(&quota, rows[i].per_second);
        assert_int_equal(drain(&quota, false, BEGIN), rows[i].unconfirmed);
        assert_int_equal(drain(&quota, true, BEGIN), rows[i].all - rows[i].unconfirmed);
    }
}

/* From an empty bucket, asked for more than there is in every millisecond: the rate, and never more. */
static void it_refills_at_the_rate(void **state)
{
    (void) state;
    static const uint32_t rates[] = {1, 5, 16, 1000, 3333, 999999, 1000000};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct external_rate quota;
        unsigned             count = 0;
        external_rate_init(&quota, rates[i]);
        drain(&quota, true, BEGIN);
        for (msec_t now = BEGIN + 1; now <= BEGIN + 3 * SECOND; now++)
            count += drain(&quota, true, now);
        assert_true(count <= 3 * rates[i]);
        assert_true(count >= 3 * rates[i] - 1 - 3 * rates[i] / 1000);
    }
}

static void a_clock_that_stands_still_gives_nothing_back(void **state)
{
    (void) state;
    struct external_rate quota;
    external_rate_init(&quota, 1000);
    drain(&quota, true, BEGIN);
    for (unsigned i = 0; i < 10000; i++)
        assert_false(external_rate_take(&quota, true, 200, BEGIN));
    assert_true(external_rate_take(&quota, true, 200, BEGIN + 1));
    assert_false(external_rate_take(&quota, true, 200, BEGIN + 1));
}

/* What was refused has cost nothing. */
static void who_is_refused_takes_nothing(void **state)
{
    (void) state;
    struct external_rate quota;
    external_rate_init(&quota, 100);
    drain(&quota, false, BEGIN);
    for (unsigned i = 0; i < 10000; i++)
        assert_false(external_rate_take(&quota, false, 0, BEGIN));
    assert_int_equal(drain(&quota, true, BEGIN), 50);
}

/* However long nobody asked, a full bucket is all there is; at the end of time nothing overflows. */
static void a_long_gap_fills_one_bucket(void **state)
{
    (void) state;
    static const msec_t gaps[] = {SECOND, 86400 * SECOND, INT64_MAX / 1000000 - BEGIN - 60 * SECOND};
    for (size_t i = 0; i < ARRAY_LEN(gaps); i++) {
        struct external_rate quota;
        external_rate_init(&quota, 100);
        drain(&quota, true, BEGIN);
        assert_int_equal(drain(&quota, true, BEGIN + gaps[i]), 100);
    }
}

/* Workers take the time once a turn: one that lags finds less, never more. */
static void a_lagging_clock_gains_nothing(void **state)
{
    (void) state;
    struct external_rate quota;
    unsigned             count = 0;
    external_rate_init(&quota, 1000);
    drain(&quota, true, BEGIN);
    for (msec_t now = BEGIN + 1; now <= BEGIN + 1000; now++) {
        count += drain(&quota, true, now - 20);
        count += drain(&quota, true, now);
        count += drain(&quota, true, now - 3);
    }
    assert_int_equal(count, 1000);
}

/* The stranger asks ten times as often as is allowed; what is confirmed, of many zones at the full rate, is never
 * refused. */
static void the_unconfirmed_never_take_from_the_confirmed(void **state)
{
    (void) state;
    struct external_rate quota;
    external_rate_init(&quota, 1000);
    for (msec_t now = BEGIN; now < BEGIN + 5 * SECOND; now++) {
        for (unsigned i = 0; i < 10; i++)
            external_rate_take(&quota, false, 0, now);
        assert_true(external_rate_take(&quota, true, (uint8_t) now, now));
    }
}

/* Of the lower half a zone gets its part alone, and over time a quarter of the rate. */
static void a_zone_has_its_part_of_the_lower_half(void **state)
{
    (void) state;
    static const struct {
        uint32_t per_second;
        unsigned part;
    } rows[] = {{1, 8}, {16, 8}, {32, 8}, {80, 20}, {1000, 250}, {1000000, 250000}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct external_rate quota;
        unsigned             count = 0;
        external_rate_init(&quota, rows[i].per_second);
        drain(&quota, false, BEGIN);
        assert_int_equal(drain_zone(&quota, 7, BEGIN), rows[i].part);
        assert_int_equal(drain_zone(&quota, 7, BEGIN), 0);
        if (rows[i].per_second < 1000)
            continue;
        assert_int_equal(drain_zone(&quota, 8, BEGIN), rows[i].part);
        for (msec_t now = BEGIN + 1; now <= BEGIN + 4 * SECOND; now++) {
            drain(&quota, false, now);
            count += drain_zone(&quota, 7, now);
        }
        assert_in_range(count, 4 * rows[i].part - 1, 4 * rows[i].part);
    }
}

/* A stranger has found a blocked zone and asks for random names below it and below others: mail to the next blocked
 * zone has its way all the same. */
static void a_greedy_zone_never_takes_from_the_others(void **state)
{
    (void) state;
    struct external_rate quota;
    external_rate_init(&quota, 1000);
    for (msec_t now = BEGIN; now < BEGIN + 5 * SECOND; now++) {
        for (unsigned i = 0; i < 10; i++) {
            external_rate_take(&quota, true, 1, now);
            external_rate_take(&quota, false, 0, now);
        }
        if (now % 10 == 0)
            for (uint8_t zone = 2; zone < 9; zone++)
                assert_true(external_rate_take(&quota, true, zone, now));
    }
}

static void a_zone_alone_has_the_whole_rate(void **state)
{
    (void) state;
    struct external_rate quota;
    unsigned             count = 0;
    external_rate_init(&quota, 1000);
    drain(&quota, true, BEGIN);
    for (msec_t now = BEGIN + 1; now <= BEGIN + 3 * SECOND; now++) {
        unsigned taken = drain_zone(&quota, 3, now);
        count += now > BEGIN + 2 * SECOND ? taken : 0;
    }
    assert_int_equal(count, 1000);
}

static void the_unconfirmed_have_the_whole_rate_when_alone(void **state)
{
    (void) state;
    struct external_rate quota;
    unsigned             count = 0;
    external_rate_init(&quota, 1000);
    drain(&quota, false, BEGIN);
    for (msec_t now = BEGIN + 1; now <= BEGIN + 2 * SECOND; now++)
        count += drain(&quota, false, now);
    assert_int_equal(count, 2000);
}

static void another_rate_counts_at_once(void **state)
{
    (void) state;
    struct external_rate quota;
    external_rate_init(&quota, 1);
    assert_int_equal(drain(&quota, true, BEGIN), 16);
    external_rate_set_rate(&quota, 1000,
                           BEGIN); /* 16 s of a slow bucket are missing, of which the fast one has but 1 */
    assert_false(external_rate_take(&quota, true, 0, BEGIN));
    assert_int_equal(drain(&quota, true, BEGIN + 500), 500);
    assert_int_equal(drain(&quota, true, BEGIN + 5 * SECOND), 1000);
    external_rate_set_rate(&quota, 1, BEGIN + 5 * SECOND);
    assert_int_equal(drain(&quota, true, BEGIN + 5 * SECOND), 15); /* 1 s is missing */
    assert_int_equal(drain(&quota, true, BEGIN + 9 * SECOND), 4);
}

/* A reload that leaves the rate as it is fills nothing. */
static void the_same_rate_again_changes_nothing(void **state)
{
    (void) state;
    struct external_rate quota;
    external_rate_init(&quota, 100);
    drain(&quota, true, BEGIN);
    external_rate_set_rate(&quota, 100, BEGIN);
    assert_false(external_rate_take(&quota, true, 0, BEGIN));
    assert_int_equal(drain(&quota, true, BEGIN + 100), 10);
}

struct taker {
    pthread_t             thread;
    struct external_rate *quota;
    bool                  confirmed;
    msec_t                step; /* of its clock */
    unsigned              taken;
};

static void *take_a_thousand_times(void *context)
{
    struct taker *taker = context;
    for (msec_t i = 0; i < 1000; i++)
        for (unsigned n = 0; n < 200; n++)
            taker->taken += external_rate_take(taker->quota, taker->confirmed, (uint8_t) n, BEGIN + i * taker->step);
    return NULL;
}

/* How many questions all threads got of 100,000 a second, while the rate is set again and again. */
static unsigned take_together(msec_t step)
{
    struct external_rate quota;
    struct taker         takers[THREADS] = {0};
    unsigned             taken           = 0;
    external_rate_init(&quota, 100000);
    for (size_t i = 0; i < THREADS; i++) {
        takers[i] = (struct taker){.quota = &quota, .confirmed = i % 2, .step = step};
        assert_int_equal(pthread_create(&takers[i].thread, NULL, take_a_thousand_times, &takers[i]), 0);
    }
    for (unsigned i = 0; i < 1000; i++)
        external_rate_set_rate(&quota, 100000, BEGIN + SECOND);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(takers[i].thread, NULL), 0);
        taken += takers[i].taken;
    }
    return taken;
}

static void threads_share_one_bucket(void **state)
{
    (void) state;
    assert_int_equal(take_together(0), 100000);
    /* each with a clock of its own: the slower ones lag and gain nothing by it */
    assert_in_range(take_together(1), 100000, 200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_bucket_holds_one_second),
        cmocka_unit_test(it_refills_at_the_rate),
        cmocka_unit_test(a_clock_that_stands_still_gives_nothing_back),
        cmocka_unit_test(who_is_refused_takes_nothing),
        cmocka_unit_test(a_long_gap_fills_one_bucket),
        cmocka_unit_test(a_lagging_clock_gains_nothing),
        cmocka_unit_test(the_unconfirmed_never_take_from_the_confirmed),
        cmocka_unit_test(a_zone_has_its_part_of_the_lower_half),
        cmocka_unit_test(a_greedy_zone_never_takes_from_the_others),
        cmocka_unit_test(a_zone_alone_has_the_whole_rate),
        cmocka_unit_test(the_unconfirmed_have_the_whole_rate_when_alone),
        cmocka_unit_test(another_rate_counts_at_once),
        cmocka_unit_test(the_same_rate_again_changes_nothing),
        cmocka_unit_test(threads_share_one_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
