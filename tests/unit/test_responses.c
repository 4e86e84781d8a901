/*
 * test_responses.c: each answer is counted once, under its way and its code.
 */
#include "core/responses.h"

#include "core/setup.h"

#include "lib/check.h"

static void at_once_by_the_code_of_the_message(void **state)
{
    (void) state;
    struct responses responses                = {0};
    const uint8_t    nxdomain[MESSAGE_HEADER] = {0x12, 0x34, 0x81, 0x83};
    assert_int_equal(responses_count(&responses, RESPONSE_BY_CACHE, nxdomain, sizeof(nxdomain)), sizeof(nxdomain));
    responses_on_code(&responses, RESPONSE_BY_LOCAL, RCODE_BADVERS);
    assert_int_equal(responses.at_once[RESPONSE_BY_CACHE][RCODE_NXDOMAIN], 1);
    assert_int_equal(responses.at_once[RESPONSE_BY_LOCAL][RCODE_BADVERS], 1);
    assert_int_equal(responses.times[RESPONSE_BY_CACHE].buckets[HISTOGRAM_AT_ONCE], 0);
}

static void a_waiter_by_its_way_and_group(void **state)
{
    (void) state;
    static const struct {
        enum trace_way    way;
        uint8_t           group;
        enum response_way by;
    } rows[] = {
        {TRACE_BY_CACHE, TRACE_NO_GROUP, RESPONSE_BY_CACHE},
        {TRACE_BY_STALE, TRACE_NO_GROUP, RESPONSE_BY_STALE},
        {TRACE_BY_LOCAL, SETUP_DOMESTIC, RESPONSE_BY_LOCAL},
        {TRACE_BY_NONE, SETUP_DOMESTIC, RESPONSE_BY_NONE},
        {TRACE_BY_GROUP, SETUP_DOMESTIC, RESPONSE_BY_DOMESTIC},
        {TRACE_BY_GROUP, SETUP_EXTERNAL, RESPONSE_BY_EXTERNAL},
        {TRACE_BY_GROUP, SETUP_EXTERNAL + 1, RESPONSE_BY_OTHER},
        {TRACE_BY_GROUP, SETUP_EXTERNAL + 3, RESPONSE_BY_OTHER},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct responses responses = {0};
        responses_on_waiter(&responses, rows[i].way, rows[i].group, RCODE_SERVFAIL, 100);
        assert_int_equal(responses.waited[rows[i].by][RCODE_SERVFAIL], 1);
        assert_int_equal(responses.times[rows[i].by].buckets[histogram_bucket(100)], 1);
        assert_int_equal(responses.times[rows[i].by].sum, 100);
    }
}

static void sums_of_workers(void **state)
{
    (void) state;
    struct responses one = {0}, other = {0}, sum = {0};
    responses_on_waiter(&one, TRACE_BY_GROUP, SETUP_DOMESTIC, RCODE_NOERROR, 7);
    responses_on_waiter(&other, TRACE_BY_GROUP, SETUP_DOMESTIC, RCODE_NOERROR, 9);
    responses_on_code(&other, RESPONSE_BY_NONE, RCODE_REFUSED);
    responses_add(&sum, &one);
    responses_add(&sum, &other);
    assert_int_equal(sum.waited[RESPONSE_BY_DOMESTIC][RCODE_NOERROR], 2);
    assert_int_equal(sum.times[RESPONSE_BY_DOMESTIC].buckets[histogram_bucket(9)], 2);
    assert_int_equal(sum.times[RESPONSE_BY_DOMESTIC].sum, 16);
    assert_int_equal(sum.at_once[RESPONSE_BY_NONE][RCODE_REFUSED], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_once_by_the_code_of_the_message),
        cmocka_unit_test(a_waiter_by_its_way_and_group),
        cmocka_unit_test(sums_of_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
