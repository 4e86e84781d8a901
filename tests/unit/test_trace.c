/*
 * test_trace.c: which queries somebody may want to hear of.
 */
#include "core/trace.h"

#include "core/setup.h"
#include "lib/check.h"

enum {
    OFFICE = 2 /* a group of the operator's */
};

#define WENT(of) .way = TRACE_BY_GROUP, .group = (of)
#define STEP(does, of) .trace = {.count = 1, .steps = {{.what = (does), .group = (of)}}}

static void each_wish_is_part_of_the_next(void **state)
{
    static const struct {
        struct traced   traced;
        enum trace_want least;
    } rows[] = {
        {{WENT(SETUP_DOMESTIC)}, TRACE_ALL},
        {{WENT(SETUP_DOMESTIC), .rcode = RCODE_NXDOMAIN}, TRACE_ALL},
        {{WENT(OFFICE)}, TRACE_ALL},
        {{.way = TRACE_BY_CACHE, .group = TRACE_NO_GROUP}, TRACE_ALL},
        {{.way = TRACE_BY_LOCAL}, TRACE_ALL},
        {{.way = TRACE_BY_CACHE, .group = SETUP_EXTERNAL}, TRACE_ALL}, /* once, for somebody else */
        {{WENT(SETUP_DOMESTIC), STEP(TRACE_ASK, SETUP_DOMESTIC)}, TRACE_ALL},
        {{WENT(SETUP_DOMESTIC), STEP(TRACE_ROUTE, SETUP_EXTERNAL)}, TRACE_ALL},
        {{WENT(SETUP_DOMESTIC), STEP(TRACE_ASK, SETUP_EXTERNAL)}, TRACE_EXTERNAL},
        {{WENT(SETUP_EXTERNAL)}, TRACE_EXTERNAL}, /* he came last */
        {{WENT(SETUP_EXTERNAL), .rcode = RCODE_SERVFAIL}, TRACE_FAILED},
        {{WENT(SETUP_DOMESTIC), .rcode = RCODE_REFUSED}, TRACE_FAILED},
        {{.way = TRACE_BY_CACHE, .rcode = RCODE_SERVFAIL}, TRACE_FAILED},
        {{.way = TRACE_BY_STALE}, TRACE_FAILED},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int want = TRACE_NOTHING; want <= TRACE_ALL; want++)
            assert_int_equal(trace_is_wanted((enum trace_want) want, &rows[i].traced),
                             want != TRACE_NOTHING && want >= (int) rows[i].least);
        assert_int_equal(trace_failed(&rows[i].traced), rows[i].least == TRACE_FAILED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_wish_is_part_of_the_next)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
