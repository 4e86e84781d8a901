/*
 * test_claims.c: of all workers one asks, and the others know what they wait for.
 */
#include "query/claims.h"

#include "lib/check.h"
#include "lib/names.h"

enum {
    NOW = 7000000
};

static int open_fixture(void **state)
{
    *state = claims_create((struct hash_key){1, 2});
    return *state ? 0 : -1;
}

static int close_fixture(void **state)
{
    claims_destroy(*state);
    return 0;
}

static struct claim claim_of(const struct claims *claims, const char *text, uint64_t epoch)
{
    struct inquiry inquiry = {.name = named(text), .type = TYPE_MX, .class = CLASS_IN};
    struct claim   claim;
    claims_name(claims, &inquiry, epoch, &claim);
    return claim;
}

static void one_asks_and_the_others_wait(void **state)
{
    struct claims *claims = *state;
    struct claim   first = claim_of(claims, "a.example", 1), second = claim_of(claims, "a.example", 1);
    struct claim   other = claim_of(claims, "b.example", 1), later = claim_of(claims, "a.example", 2);
    assert_true(claims_take(claims, &first, false, NOW));
    assert_false(claims_awaited(claims, &first));
    assert_false(claims_take(claims, &second, false, NOW + 5));
    assert_true(claims_awaited(claims, &first));
    assert_true(claims_take(claims, &other, false, NOW));
    assert_true(claims_take(claims, &later, false, NOW)); /* nobody waits for what was asked in another epoch */
    claims_release(claims, &second);                      /* it holds none */
    assert_false(claims_take(claims, &second, false, NOW + 5));
    claims_release(claims, &first);
    assert_true(claims_take(claims, &second, false, NOW + 5));
}

/* Their clocks are not read at one moment. */
static void a_worker_may_be_a_little_behind(void **state)
{
    struct claims *claims = *state;
    for (msec_t behind = 0; behind < 1000; behind += 7) {
        struct claim first = claim_of(claims, "a.example", 1), second = first;
        assert_true(claims_take(claims, &first, false, NOW + behind));
        assert_false(claims_take(claims, &second, false, NOW));
        claims_release(claims, &first);
    }
}

static void a_claim_ends_by_itself(void **state)
{
    struct claims *claims = *state;
    /* the times that it is written with begin anew every twelve days */
    static const msec_t times[] = {NOW, (INT64_C(1) << 30) - 1, INT64_C(1) << 30, (INT64_C(5) << 30) - CLAIM_LIFE / 2};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct claim first = claim_of(claims, "a.example", i), second = first;
        assert_true(claims_take(claims, &first, false, times[i]));
        assert_false(claims_take(claims, &second, false, times[i] + CLAIM_LIFE - 1));
        assert_true(claims_take(claims, &second, false, times[i] + CLAIM_LIFE));
    }
}

/* Whoever asks anew takes it over; the one before must not give it up then. */
static void a_spent_claim_is_taken_over(void **state)
{
    struct claims *claims = *state;
    struct claim   first = claim_of(claims, "a.example", 1), second = first, third = first;
    assert_true(claims_take(claims, &first, false, NOW));
    assert_false(claims_take(claims, &second, true, NOW + 100));
    claims_spend(claims, &first);
    assert_false(claims_take(claims, &second, false, NOW + 200));
    assert_true(claims_take(claims, &second, true, NOW + 200));
    assert_true(second.over && !first.over);
    assert_true(claims_awaited(claims, &second));
    claims_release(claims, &first);
    claims_spend(claims, &first);
    assert_false(claims_take(claims, &third, true, NOW + 300));
    claims_release(claims, &second);
    assert_true(claims_take(claims, &third, false, NOW + 300));
    assert_false(third.over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(one_asks_and_the_others_wait),
        FIXTURE_TEST(a_worker_may_be_a_little_behind),
        FIXTURE_TEST(a_claim_ends_by_itself),
        FIXTURE_TEST(a_spent_claim_is_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
