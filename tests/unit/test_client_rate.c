/*
 * test_client_rate.c: what a client may send when, in virtual time; that nobody pays for another; and that threads together
 * let nobody have more than there is.
 */
#include "policy/client_rate.h"

#include "base/limits.h"
#include "lib/check.h"

#include <pthread.h>
#include <stdio.h>

enum {
    BEGIN   = 1000000, /* ms */
    SECOND  = 1000,
    THREADS = 4,
};

#define KEY ((struct hash_key){1, 2})

static struct address address_of(const char *text)
{
    struct address address;
    assert_true(address_parse(text, 53, &address));
    return address;
}

static struct address stranger(unsigned number)
{
    char text[ADDRESS_TEXT_MAX];
    snprintf(text, sizeof(text), "10.%u.%u.%u", number >> 16 & 255, number >> 8 & 255, number & 255);
    return address_of(text);
}

/* Takes until nothing is left; how many it got. */
static unsigned drain(struct client_rate *rate, uint32_t per_second, const char *client, msec_t now)
{
    struct address address = address_of(client);
    unsigned       count   = 0;
    while (client_rate_take(rate, per_second, &address, now))
        count++;
    return count;
}

static void a_full_bucket_holds_one_second(void **state)
{
    (void) state;
    static const struct {
        uint32_t per_second;
        unsigned all;
    } rows[] = {{1, 16}, {15, 16}, {16, 16}, {17, 17}, {1000, 1000}, {3333, 3333}, {5000, 5000}, {1000000, 1000000}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct client_rate *rate = client_rate_create(KEY);
        assert_int_equal(drain(rate, rows[i].per_second, "192.0.2.1", BEGIN), rows[i].all);
        assert_int_equal(drain(rate, rows[i].per_second, "192.0.2.1", BEGIN), 0);
        client_rate_destroy(rate);
    }
}

/* From an empty bucket, asked for more than there is in every millisecond: the rate, and never more. A message's share
 * of a second is rounded up to 64 ns. */
static void it_refills_at_the_rate(void **state)
{
    (void) state;
    static const uint32_t rates[] = {1, 5, 16, 1000, 3333, 5000, 100000, 1000000};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct client_rate *rate  = client_rate_create(KEY);
        unsigned            count = 0;
        drain(rate, rates[i], "192.0.2.1", BEGIN);
        for (msec_t now = BEGIN + 1; now <= BEGIN + 3 * SECOND; now++)
            count += drain(rate, rates[i], "192.0.2.1", now);
        assert_true(count <= 3 * rates[i]);
        assert_true(count >= 3 * rates[i] - 3 - rates[i] / 10);
        client_rate_destroy(rate);
    }
}

static void a_client_is_an_address_or_a_64(void **state)
{
    (void) state;
    struct client_rate *rate = client_rate_create(KEY);
    assert_int_equal(drain(rate, 20, "192.0.2.1", BEGIN), 20);
    assert_int_equal(drain(rate, 20, "192.0.2.1:4000", BEGIN), 0); /* whatever its port */
    assert_int_equal(drain(rate, 20, "192.0.2.2", BEGIN), 20);
    assert_int_equal(drain(rate, 20, "2001:db8::1", BEGIN), 20);
    assert_int_equal(drain(rate, 20, "2001:db8::ffff:0:0:1", BEGIN), 0);
    assert_int_equal(drain(rate, 20, "2001:db8:0:1::1", BEGIN), 20);
    client_rate_destroy(rate);
}

/* Strangers in numbers beyond the table, each with one message, cost a client nothing and give him next to nothing. */
static void strangers_take_nothing_from_a_client(void **state)
{
    (void) state;
    struct client_rate *rate = client_rate_create(KEY);
    assert_int_equal(drain(rate, 1000, "192.0.2.1", BEGIN), 1000);
    for (unsigned i = 0; i < 4 * LIMIT_CLIENT_RATES; i++) {
        struct address address = stranger(i);
        assert_true(client_rate_take(rate, 1000, &address, BEGIN));
    }
    assert_int_equal(drain(rate, 1000, "192.0.2.2", BEGIN), 1000);
    assert_int_equal(drain(rate, 1000, "192.0.2.1", BEGIN), 0); /* who asks most is not forgotten */
    client_rate_destroy(rate);
}

/* However long nobody asked, a full bucket is all there is; also where the time of a word begins anew (19.5 hours). */
static void a_long_gap_fills_one_bucket(void **state)
{
    (void) state;
    static const msec_t gaps[] = {SECOND, 3 * SECOND, 3600 * SECOND, 70000 * SECOND, 86400 * SECOND, 1 << 30};
    for (size_t i = 0; i < ARRAY_LEN(gaps); i++) {
        struct client_rate *rate = client_rate_create(KEY);
        drain(rate, 100, "192.0.2.1", BEGIN);
        assert_int_equal(drain(rate, 100, "192.0.2.1", BEGIN + gaps[i]), 100);
        client_rate_destroy(rate);
    }
    struct client_rate *rate = client_rate_create(KEY);
    for (msec_t now = BEGIN; now < BEGIN + 200000 * (msec_t) SECOND; now += 50 * SECOND)
        assert_int_equal(drain(rate, 20, "192.0.2.1", now), 20);
    client_rate_destroy(rate);
}

/* Workers take the time once a turn: one that lags finds less, never more. */
static void a_lagging_clock_gains_nothing(void **state)
{
    (void) state;
    struct client_rate *rate  = client_rate_create(KEY);
    unsigned            count = 0;
    drain(rate, 1000, "192.0.2.1", BEGIN);
    for (msec_t now = BEGIN + 1; now <= BEGIN + 1000; now++) {
        count += drain(rate, 1000, "192.0.2.1", now - 20);
        count += drain(rate, 1000, "192.0.2.1", now);
        count += drain(rate, 1000, "192.0.2.1", now - 900);
    }
    assert_int_equal(count, 1000);
    client_rate_destroy(rate);
}

/* A reload: the debt at the old rate is at most a whole bucket of the new one. */
static void the_rate_may_change(void **state)
{
    (void) state;
    struct client_rate *rate = client_rate_create(KEY);
    assert_int_equal(drain(rate, 16, "192.0.2.1", BEGIN), 16);
    assert_int_equal(drain(rate, 1000, "192.0.2.1", BEGIN), 0);
    assert_in_range(drain(rate, 1000, "192.0.2.1", BEGIN + SECOND), 999, 1000);
    assert_int_equal(drain(rate, 16, "192.0.2.1", BEGIN + SECOND), 0);
    client_rate_destroy(rate);
}

static void the_log_hears_once_a_minute(void **state)
{
    (void) state;
    struct client_rate *rate = client_rate_create(KEY);
    assert_true(client_rate_tell(rate, 5));
    assert_false(client_rate_tell(rate, 5));
    assert_false(client_rate_tell(rate, 60 * SECOND));
    assert_true(client_rate_tell(rate, 60 * SECOND + 5));
    assert_false(client_rate_tell(rate, 60 * SECOND + 6));
    client_rate_destroy(rate);
}

struct taker {
    struct client_rate *rate;
    unsigned            got;
};

static void *take(void *argument)
{
    struct taker  *taker   = argument;
    struct address address = {.in = {.sin_family = AF_INET}, .len = sizeof(address.in)};
    for (msec_t now = BEGIN; now < BEGIN + 200; now++)
        for (unsigned i = 0; i < 200; i++)
            taker->got += client_rate_take(taker->rate, 10000, &address, now);
    return NULL;
}

static void threads_share_one_bucket(void **state)
{
    (void) state;
    struct client_rate *rate = client_rate_create(KEY);
    pthread_t           threads[THREADS];
    struct taker        takers[THREADS];
    unsigned            got = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        takers[i] = (struct taker){.rate = rate};
        assert_int_equal(pthread_create(&threads[i], NULL, take, &takers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        got += takers[i].got;
    }
    assert_true(got > 10000 && got <= 12000); /* a bucket, and what 200 ms bring */
    client_rate_destroy(rate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_bucket_holds_one_second),
        cmocka_unit_test(it_refills_at_the_rate),
        cmocka_unit_test(a_client_is_an_address_or_a_64),
        cmocka_unit_test(strangers_take_nothing_from_a_client),
        cmocka_unit_test(a_long_gap_fills_one_bucket),
        cmocka_unit_test(a_lagging_clock_gains_nothing),
        cmocka_unit_test(the_rate_may_change),
        cmocka_unit_test(the_log_hears_once_a_minute),
        cmocka_unit_test(threads_share_one_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
