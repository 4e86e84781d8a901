/*
 * test_forged.c: answers that a censor gives in place of the truth are passed by: another comes the same way, or the
 * other side is asked; none is kept, and the zone is learned.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

enum {
    CENSOR = 0x0a0a2222 /* 10.10.34.34 */
};

static const struct world_options knowing = {.seed = 1, .domestic = 1, .external = 1, .censor = CENSOR};

static void assert_true_answer(const struct ask *ask, int group)
{
    assert_int_equal(ask->rcode, RCODE_NOERROR);
    assert_int_equal(ask->group, group);
    assert_int_not_equal(ask->address, CENSOR);
}

/* What stands between forges over UDP; the upstream's own answer follows, or comes over TCP. */
static void a_wrong_type_is_no_answer(void **state)
{
    (void) state;
    static const uint16_t types[] = {TYPE_MX, TYPE_TXT, TYPE_PTR, TYPE_NS};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct world *world = world_create(&knowing);
        world_warm_up(world);
        SAY(world, DOMESTIC, "hit.example", FORGES, .over = TRANSPORT_UDP, .only_over = true);
        SAY(world, DOMESTIC, "hit.example", ANSWERS, .over = TRANSPORT_TCP, .only_over = true);
        const struct ask *ask = world_resolve(world, "mail.hit.example", types[i]);
        assert_int_equal(ask->rcode, RCODE_NOERROR);
        assert_int_equal(ask->records, 1);
        assert_int_equal(ask->address, 0);
        assert_int_equal(world_count(world, EXTERNAL, "hit.example", BY_ALL), 0);
        world_end(world);
    }
}

/* Domestic's own recursion is forged: it says so over TCP, too. */
static void domestic_that_was_deceived_is_left_for_external(void **state)
{
    (void) state;
    struct world *world = world_create(&knowing);
    world_warm_up(world);
    SAY(world, DOMESTIC, "hit.example", FORGES, .address = CENSOR);
    for (unsigned i = 0; i < 3; i++) {
        static const char *const names[] = {"a.hit.example", "b.hit.example", "c.hit.example"};
        assert_true_answer(world_resolve(world, names[i], TYPE_MX), SETUP_EXTERNAL);
        world_run(world, 3000);
    }
    world_run(world, 20000);
    const struct zone *zone = world_zone(world, "hit.example", SCOPE_ZONE, 0);
    assert_non_null(zone);
    assert_int_equal(zone->condition.state, ZONE_BLOCKED);
    assert_int_equal(zone->condition.reason, REASON_FORGED);
    assert_true_answer(world_resolve(world, "d.hit.example", TYPE_MX), SETUP_EXTERNAL);
    assert_int_equal(world_state(world, "other.example"), ZONE_CLEAR);
    world_end(world);
}

/* An address of the right type shows nothing but that it is on the list. */
static void an_address_that_only_a_censor_gives_is_known(void **state)
{
    (void) state;
    for (unsigned known = 0; known < 2; known++) {
        struct world_options options = knowing;
        options.censor               = known ? CENSOR : 0;
        struct world *world          = world_create(&options);
        world_warm_up(world);
        SAY(world, DOMESTIC, "hit.example", ANSWERS, .address = CENSOR);
        const struct ask *ask = world_resolve(world, "www.hit.example", TYPE_A);
        assert_int_equal(ask->rcode, RCODE_NOERROR);
        assert_int_equal(ask->address == CENSOR, !known);
        assert_int_equal(world_count(world, EXTERNAL, "hit.example", BY_CLIENTS), known);
        /* nor does the cache give it out */
        ask = world_resolve(world, "www.hit.example", TYPE_A);
        assert_int_equal(ask->address == CENSOR, !known);
        world_end(world);
    }
}

/* It says nothing of who is there: somebody else has said it. */
static void forged_answers_take_no_upstream_down(void **state)
{
    (void) state;
    struct world *world = world_create(&knowing);
    world_warm_up(world);
    SAY(world, DOMESTIC, "hit.example", FORGES, .address = CENSOR);
    for (unsigned i = 0; i < 20; i++)
        world_resolve(world, "a.hit.example", (uint16_t) (TYPE_MX + (i % 2)));
    world_run(world, 5000);
    assert_true_answer(world_resolve(world, "fine.example", TYPE_A), SETUP_DOMESTIC);
    world_end(world);
}

/* Behind a fence nobody else may be asked; a forged answer is not given out all the same. */
static void behind_a_fence_a_forged_answer_is_servfail(void **state)
{
    (void) state;
    struct world_options options = knowing;
    options.fences[0]            = (struct world_fence){"inner.example", VIA_GROUP, SETUP_DOMESTIC};
    struct world *world          = world_create(&options);
    world_warm_up(world);
    SAY(world, DOMESTIC, "inner.example", FORGES, .address = CENSOR);
    assert_int_equal(world_resolve(world, "a.inner.example", TYPE_MX)->rcode, RCODE_SERVFAIL);
    SAY(world, DOMESTIC, "inner.example", ANSWERS, .address = CENSOR);
    assert_int_equal(world_resolve(world, "b.inner.example", TYPE_A)->rcode, RCODE_SERVFAIL);
    assert_int_equal(world_count(world, EXTERNAL, "inner.example", BY_ALL), 0);
    world_end(world);
}

/* A blocklist's answers are addresses of its own choice. */
static void a_blocklist_is_not_held_against_the_list(void **state)
{
    (void) state;
    struct world_options options = knowing;
    options.censor               = 0x7f000002;
    options.fences[0]            = (struct world_fence){"list.example", VIA_GROUP, SETUP_DOMESTIC, .list = true};
    struct world *world          = world_create(&options);
    world_warm_up(world);
    SAY(world, DOMESTIC, "list.example", ANSWERS, .address = 0x7f000002);
    const struct ask *ask = world_resolve(world, "2.0.0.127.list.example", TYPE_A);
    assert_int_equal(ask->rcode, RCODE_NOERROR);
    assert_int_equal(ask->address, 0x7f000002);
    world_end(world);
}

/* External's recursion crosses the border inwards, and is forged there: what domestic says stands. */
static void domestic_is_believed_where_external_is_deceived(void **state)
{
    (void) state;
    struct world *world = world_create(&knowing);
    world_warm_up(world);
    SAY(world, DOMESTIC, "slow.example", ANSWERS, .after = 3000);
    SAY(world, EXTERNAL, "slow.example", FORGES, .address = CENSOR);
    assert_true_answer(world_resolve(world, "a.slow.example", TYPE_MX), SETUP_DOMESTIC);
    world_end(world);
}

static void without_the_word_nothing_goes_abroad_for_it(void **state)
{
    (void) state;
    struct world_options options = knowing;
    options.not_on_forged        = true;
    struct world *world          = world_create(&options);
    world_warm_up(world);
    SAY(world, DOMESTIC, "hit.example", FORGES, .address = CENSOR);
    assert_int_equal(world_resolve(world, "a.hit.example", TYPE_MX)->rcode, RCODE_SERVFAIL);
    assert_int_equal(world_count(world, EXTERNAL, "hit.example", BY_CLIENTS), 0);
    world_end(world);
}

/* ---- NXDOMAIN ---- */

static const struct world_options doubting = {.seed = 2, .domestic = 2, .external = 1, .on_nxdomain = true};

static void a_denial_is_checked_before_it_is_given_out(void **state)
{
    (void) state;
    struct world *world = world_create(&doubting);
    world_warm_up(world);
    SAY(world, DOMESTIC, "hit.example", NXDOMAINS);
    assert_true_answer(world_resolve(world, "mail.hit.example", TYPE_MX), SETUP_EXTERNAL);
    assert_true_answer(world_resolve(world, "mail.hit.example", TYPE_A), SETUP_EXTERNAL);
    /* one domestic denial is enough to ask, and no other domestic one is asked */
    assert_int_equal(world_count(world, DOMESTIC, "hit.example", BY_CLIENTS), 2);
    world_run(world, 10000);
    assert_int_equal(world_state(world, "hit.example"), ZONE_CLEAR); /* it is no failure of the zone's */
    world_end(world);
}

static void a_denial_that_external_shares_is_given_out(void **state)
{
    (void) state;
    struct world *world = world_create(&doubting);
    world_warm_up(world);
    world_resolve(world, "www.gone.example", TYPE_A); /* domestic answers for the domain */
    SAY(world, DOMESTIC, "gone.example", NXDOMAINS);
    SAY(world, EXTERNAL, "gone.example", NXDOMAINS);
    assert_int_equal(world_resolve(world, "nobody.gone.example", TYPE_A)->rcode, RCODE_NXDOMAIN);
    assert_int_equal(world_count(world, EXTERNAL, "gone.example", BY_CLIENTS), 1);
    /* and kept, as any other */
    world_run(world, 50 * 1000);
    assert_int_equal(world_resolve(world, "nobody.gone.example", TYPE_A)->rcode, RCODE_NXDOMAIN);
    assert_int_equal(world_count(world, EXTERNAL, "gone.example", BY_CLIENTS), 1);
    world_end(world);
}

/* External was asked first, for domestic was slow, and denies the name: that is the check. */
static void a_late_denial_that_external_has_confirmed_is_given_out(void **state)
{
    (void) state;
    struct world *world = world_create(&doubting);
    world_warm_up(world);
    world_resolve(world, "www.slow.example", TYPE_A);
    SAY(world, DOMESTIC, "slow.example", NXDOMAINS, .after = 2500);
    SAY(world, EXTERNAL, "slow.example", NXDOMAINS);
    assert_int_equal(world_resolve(world, "nobody.slow.example", TYPE_A)->rcode, RCODE_NXDOMAIN);
    world_end(world);
}

static void a_denial_that_nobody_could_check_is_servfail(void **state)
{
    (void) state;
    struct world *world = world_create(&doubting);
    world_warm_up(world);
    SAY(world, DOMESTIC, "hit.example", NXDOMAINS);
    SAY(world, EXTERNAL, "hit.example", SILENT);
    const struct ask *ask = world_resolve(world, "mail.hit.example", TYPE_MX);
    assert_int_equal(ask->rcode, RCODE_SERVFAIL);
    world_run(world, 20000);
    assert_int_equal(world_state(world, "hit.example"), ZONE_CLEAR);
    world_end(world);
}

/* What does not bounce is not worth it, and without the setting nothing is. */
static void not_every_denial_is_checked(void **state)
{
    (void) state;
    static const struct {
        const char *name;
        uint16_t    type;
        bool        on;
    } rows[] = {{"_dmarc.hit.example", TYPE_TXT, true},
                {"1.2.0.192.in-addr.arpa", TYPE_PTR, true},
                {"mail.hit.example", TYPE_SRV, true},
                {"mail.hit.example", TYPE_MX, false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world_options options = doubting;
        options.on_nxdomain          = rows[i].on;
        struct world *world          = world_create(&options);
        world_warm_up(world);
        SAY(world, DOMESTIC, "hit.example", NXDOMAINS);
        SAY(world, DOMESTIC, "in-addr.arpa", NXDOMAINS);
        assert_int_equal(world_resolve(world, rows[i].name, rows[i].type)->rcode, RCODE_NXDOMAIN);
        assert_int_equal(world_count(world, EXTERNAL, ".", BY_CLIENTS), 0);
        world_end(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_type_is_no_answer),
        cmocka_unit_test(domestic_that_was_deceived_is_left_for_external),
        cmocka_unit_test(an_address_that_only_a_censor_gives_is_known),
        cmocka_unit_test(forged_answers_take_no_upstream_down),
        cmocka_unit_test(behind_a_fence_a_forged_answer_is_servfail),
        cmocka_unit_test(a_blocklist_is_not_held_against_the_list),
        cmocka_unit_test(domestic_is_believed_where_external_is_deceived),
        cmocka_unit_test(without_the_word_nothing_goes_abroad_for_it),
        cmocka_unit_test(a_denial_is_checked_before_it_is_given_out),
        cmocka_unit_test(a_denial_that_external_shares_is_given_out),
        cmocka_unit_test(a_late_denial_that_external_has_confirmed_is_given_out),
        cmocka_unit_test(a_denial_that_nobody_could_check_is_servfail),
        cmocka_unit_test(not_every_denial_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
