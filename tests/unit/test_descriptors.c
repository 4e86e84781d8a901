/*
 * test_descriptors.c: shares that never exceed the limit, whatever it is, and a clear no where it does not do.
 */
#include "server/descriptors.h"

#include "base/limits.h"
#include "lib/check.h"

static void plenty_gives_everybody_what_he_may_have(void **state)
{
    (void) state;
    struct descriptors share;
    uint64_t           needed;
    assert_true(descriptors_share(65536, 8, 2, &share, &needed));
    assert_int_equal(share.workers, 8);
    assert_int_equal(share.clients, LIMIT_TCP_CLIENTS);
    assert_int_equal(share.per_client, LIMIT_TCP_CLIENT);
    assert_true(share.sockets >= DESCRIPTORS_PLENTY);
    assert_true(descriptors_share(UINT64_MAX, LIMIT_WORKERS, 64, &share, &needed)); /* RLIM_INFINITY */
    assert_int_equal(share.workers, LIMIT_WORKERS);
}

static void sixty_four_do_for_one_worker(void **state)
{
    (void) state;
    struct descriptors share;
    uint64_t           needed;
    assert_true(descriptors_share(64, 8, 2, &share, &needed));
    assert_int_equal(share.workers, 1);
    assert_true(share.sockets >= 2 && share.clients >= 2 && share.per_client >= 1);
}

static void the_shares_are_never_more_than_there_is(void **state)
{
    (void) state;
    for (unsigned workers = 1; workers <= LIMIT_WORKERS; workers++)
        for (size_t addresses = 1; addresses < 6; addresses++)
            for (uint64_t limit = 1; limit < 5000; limit += 7) {
                struct descriptors share;
                uint64_t           needed;
                if (!descriptors_share(limit, workers, addresses, &share, &needed)) {
                    assert_true(limit < needed);
                    continue;
                }
                assert_true(limit >= needed && share.workers >= 1 && share.workers <= workers);
                uint64_t listeners = 2 * addresses * share.workers;
                uint64_t used      = listeners + (uint64_t) share.workers * share.clients +
                                (uint64_t) (share.workers + 1) * share.sockets;
                assert_true(used < limit);
                assert_true(share.per_client <= share.clients);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plenty_gives_everybody_what_he_may_have),
        cmocka_unit_test(sixty_four_do_for_one_worker),
        cmocka_unit_test(the_shares_are_never_more_than_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
