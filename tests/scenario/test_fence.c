/*
 * test_fence.c: what a zone's `via` forbids never goes there, not even as a question of byway's own. The world itself
 * fails the test with the packet that crosses; the transcripts lead it into temptation.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

#include <stdio.h>

static const struct world_options fenced = {
    .seed   = 1,
    .office = 2,
    .fences = {{"corp.example", VIA_GROUP, GROUP_OFFICE},
               {"open.corp.example", VIA_AUTO, 0},
               {"home.example", VIA_GROUP, SETUP_DOMESTIC},
               {"never.example", VIA_REFUSE, 0}},
};

static void a_fence_holds_whatever_fails(void **state)
{
    (void) state;
    static const enum way ways[] = {SILENT, SERVFAILS, REFUSES, FORMERRS, TRUNCATES, GARBLES, UNREACHABLE};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&fenced);
        SAY(world, DOMESTIC | OFFICE, "example", ways[i]);
        const struct ask *office = world_ask(world, "mx.corp.example", TYPE_MX);
        const struct ask *home   = world_ask(world, "mx.home.example", TYPE_MX);
        world_run(world, 20000);
        assert_int_equal(office->rcode, ways[i] == TRUNCATES ? RCODE_NOERROR : RCODE_SERVFAIL);
        assert_int_equal(home->rcode, ways[i] == TRUNCATES ? RCODE_NOERROR : RCODE_SERVFAIL);
        assert_int_equal(world_count(world, EXTERNAL | DOMESTIC, "corp.example", BY_ALL), 0);
        assert_int_equal(world_count(world, EXTERNAL, "home.example", BY_ALL), 0);
        assert_int_equal(table_count(world_shared(world).table), 0);
        world_end(world);
    }
}

static void a_refused_zone_is_asked_of_nobody(void **state)
{
    (void) state;
    struct world     *world = world_create(&fenced);
    const struct ask *ask   = world_resolve(world, "a.never.example", TYPE_A);
    assert_int_equal(ask->rcode, RCODE_REFUSED);
    assert_int_equal(ask->ede, EDE_PROHIBITED);
    assert_int_equal(world_sendings(world), 0);
    world_end(world);
}

/* An island of `auto` in a fence: what is learned of it must not touch what is round it. */
static void an_island_is_studied_alone(void **state)
{
    (void) state;
    struct world *world = world_create(&fenced);
    world_warm_up(world);
    world_cut(world, "corp.example");
    SAY(world, DOMESTIC, "open.corp.example", SERVFAILS);
    world_learn(world, "mx.open.corp.example", TYPE_MX);
    assert_int_equal(world_count(world, EXTERNAL, "open.corp.example", BY_ALL),
                     world_count(world, EXTERNAL, "corp.example", BY_ALL));
    world_end(world);
}

/* Its registrable domain is fenced: a control question must not be asked below it. */
static void an_island_gives_no_control_name(void **state)
{
    (void) state;
    struct world *world = world_create(&fenced);
    world_resolve(world, "mx.open.corp.example", TYPE_MX);
    world_run(world, 2000);
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    world_resolve(world, "shut.example", TYPE_MX);
    world_run(world, 12000);
    world_end(world);
}

/* the root is fenced, some zones are not. */
static void no_control_crosses_the_fence_of_the_root(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){
        .seed = 1, .fences = {{".", VIA_GROUP, SETUP_DOMESTIC}, {"abroad.example", VIA_AUTO, 0}}});
    world_resolve(world, "a.fine.abroad.example", TYPE_MX);
    world_run(world, 2000);
    SAY(world, EVERYBODY, "dead.abroad.example", SERVFAILS);
    world_resolve(world, "mx.dead.abroad.example", TYPE_MX);
    world_run(world, 12000);
    world_end(world);
}

/* the same, of health probes. */
static void no_health_probe_crosses_the_fence_of_the_root(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){
        .seed = 1, .fences = {{".", VIA_GROUP, SETUP_DOMESTIC}, {"abroad.example", VIA_AUTO, 0}}});
    SAY(world, EVERYBODY, "abroad.example", SILENT);
    world_resolve(world, "a.fine.abroad.example", TYPE_MX);
    world_run(world, 2000);
    world_end(world);
}

/* The alias stands outside, its target inside. */
static void an_alias_into_a_fence(void **state)
{
    (void) state;
    static const char *const targets[] = {"x.corp.example", "x.home.example", "x.never.example"};
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct world *world = world_create(&fenced);
        world_warm_up(world);
        world_alias(world, "www.outside.example", targets[i]);
        SAY(world, DOMESTIC, "www.outside.example", SERVFAILS);
        SAY(world, DOMESTIC, "www.outside.example", ANSWERS, .type = TYPE_CNAME);
        world_resolve(world, "www.outside.example", TYPE_A);
        world_run(world, 20000);
        assert_non_null(world_zone(world, "www.outside.example", SCOPE_NAME, 0));
        assert_null(world_zone(world, targets[i], SCOPE_NAME, 0));
        world_end(world);
    }
}

/* An alias on the shore of an island, whose own zone fails: the SOA above it is behind the fence. */
static void an_alias_at_the_fence(void **state)
{
    (void) state;
    struct world *world = world_create(&fenced);
    world_warm_up(world);
    world_alias(world, "open.corp.example", "elsewhere.example");
    SAY(world, DOMESTIC, "open.corp.example", SERVFAILS);
    world_resolve(world, "open.corp.example", TYPE_A);
    world_run(world, 20000);
    world_end(world);
}

/* Learned before a reload, fenced by it. */
static void a_new_fence_holds_at_once(void **state)
{
    (void) state;
    struct world *world =
        world_create(&(struct world_options){.seed = 1, .recheck_first = 30000, .recheck_max = 60000});
    world_warm_up(world);
    world_resolve(world, "well.home.example", TYPE_MX);
    world_resolve(world, "well.corp.example", TYPE_MX);
    world_run(world, 2000);
    SAY(world, DOMESTIC, "a.corp.example", SERVFAILS);
    world_cut(world, "a.corp.example");
    world_learn(world, "a.corp.example", TYPE_MX);
    struct world_options options = {
        .fences = {{"corp.example", VIA_GROUP, SETUP_EXTERNAL}, {"example", VIA_GROUP, SETUP_EXTERNAL}}};
    world_reload(world, &options);
    SAY(world, DOMESTIC, "other.test", SERVFAILS);
    world_resolve(world, "other.test", TYPE_MX);
    world_run(world, 200000);
    world_end(world);
}

/* The zone is open yet, but the question that failed lies behind the fence now. */
static void a_recheck_asks_nothing_behind_a_new_fence(void **state)
{
    (void) state;
    struct world *world =
        world_create(&(struct world_options){.seed = 1, .office = 1, .recheck_first = 30000, .recheck_max = 60000});
    world_warm_up(world);
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    world_learn(world, "mx.in.shut.example", TYPE_MX);
    assert_int_equal(world_state(world, "shut.example"), ZONE_BLOCKED);
    world_reload(world, &(struct world_options){.fences = {{"in.shut.example", VIA_GROUP, GROUP_OFFICE}}});
    world_run(world, 60000);
    assert_int_equal(world_state(world, "shut.example"), ZONE_CLEAR);
    world_end(world);
}

static const struct world_options open_world  = {.seed = 3, .workers = 2};
static const struct world_options home_fenced = {.fences = {{"home.example", VIA_GROUP, SETUP_DOMESTIC}}};

/* External's answer, kept from before the fence, is no longer given: neither while it is fresh nor when it is stale,
 * whether domestic fails now or failed a moment ago. */
static void what_was_kept_stays_behind_a_new_fence(void **state)
{
    (void) state;
    for (int fence = 0; fence < 2; fence++)
        for (msec_t age = 1000; age <= 401000; age += 400000) {
            struct world *world = world_create(&open_world);
            SAY(world, DOMESTIC, "home.example", SERVFAILS);
            assert_int_equal(world_resolve(world, "a.home.example", TYPE_A)->group, SETUP_EXTERNAL);
            world_run(world, age);
            SAY(world, EXTERNAL, "home.example", SERVFAILS);
            world_reload(world, fence ? &home_fenced : &open_world);
            for (unsigned again = 0; again < 2; again++) {
                const struct ask *ask = world_resolve(world, "a.home.example", TYPE_A);
                assert_int_equal(ask->rcode, fence ? RCODE_SERVFAIL : RCODE_NOERROR);
                assert_int_equal(ask->group, fence ? -1 : SETUP_EXTERNAL);
            }
            world_run(world, 10000);
            SAY(world, DOMESTIC, "home.example", ANSWERS);
            if (fence)
                assert_int_equal(world_resolve(world, "a.home.example", TYPE_A)->group, SETUP_DOMESTIC);
            world_end(world);
        }
}

/* The fence comes while a query waits for what another worker asks, in any of the moments round the answer. */
static void who_waits_for_a_claim_stays_behind_a_new_fence(void **state)
{
    (void) state;
    bool before = false, behind = false;
    for (msec_t at = 850; at < 1050; at++) {
        const struct world_question question = {.name = "a.home.example", .type = TYPE_A, .worker = 1};
        struct world               *world    = world_create(&open_world);
        SAY(world, DOMESTIC, "home.example", SILENT);
        const struct ask *first = world_ask(world, "a.home.example", TYPE_A);
        world_run(world, 20);
        const struct ask *second = world_ask_by(world, &question);
        world_run(world, at - 20);
        bool waits = second->answers == 0;
        before |= waits && first->answers == 1;
        behind |= waits && first->answers == 0;
        world_reload(world, &home_fenced);
        world_wait(world, second);
        assert_int_equal(second->group, waits ? -1 : SETUP_EXTERNAL);
        world_wait(world, first);
        world_end(world);
    }
    assert_true(before && behind);
}

static void pins_are_obeyed(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    world_pin(world, "pinned.example", PIN_DOMESTIC, MSEC_NEVER);
    SAY(world, DOMESTIC, "pinned.example", SERVFAILS);
    const struct ask *ask = world_resolve(world, "a.pinned.example", TYPE_MX);
    assert_int_equal(ask->rcode, RCODE_SERVFAIL);
    world_run(world, 20000);
    assert_int_equal(world_count(world, EXTERNAL, "pinned.example", BY_ALL), 0);

    world_pin(world, "pinned.example", PIN_EXTERNAL, MSEC_NEVER);
    ask = world_ask(world, "b.pinned.example", TYPE_MX);
    assert_int_equal(world_wait(world, ask), EXTERNAL_DELAY);
    assert_int_equal(world_count(world, DOMESTIC, "b.pinned.example", BY_ALL), 0);
    world_run(world, 20000);
    assert_int_equal(world_state(world, "pinned.example"), ZONE_CLEAR);
    world_end(world);
}

/* ---- a preset's blocklists ---- */

static const struct world_options blocklists = {
    .seed          = 1,
    .recheck_first = 10000,
    .recheck_max   = 20000,
    .fences = {{"list.example", VIA_GROUP, SETUP_DOMESTIC, true}, {"list.test", VIA_GROUP, SETUP_DOMESTIC, true}}};

static void ask_much(struct world *world, const char *const names[], size_t count)
{
    static const uint16_t types[] = {TYPE_A, TYPE_TXT, TYPE_AAAA, TYPE_SOA, TYPE_NS};
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < ARRAY_LEN(types); j++) {
                world_ask(world, names[i], types[j]);
                world_run(world, 700);
            }
    world_run(world, 100000);
}

static void a_list_stays_at_home_whatever_fails(void **state)
{
    (void) state;
    static const char *const names[] = {"2.0.0.127.list.example", "list.example", "key.list.example",
                                        "example.com.list.test", "www.outside.example"};
    static const enum way    ways[]  = {SILENT, SERVFAILS, REFUSES, FORMERRS, GARBLES, UNREACHABLE, CHAOS};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&blocklists);
        world_warm_up(world);
        world_alias(world, "www.outside.example", "2.0.0.127.list.example");
        SAY(world, DOMESTIC, "list.example", ways[i]);
        SAY(world, DOMESTIC, "list.test", ways[i]);
        SAY(world, DOMESTIC, "www.outside.example", ways[i]);
        ask_much(world, names, ARRAY_LEN(names));
        assert_int_equal(world_count(world, EXTERNAL, "list.example", BY_ALL), 0);
        assert_int_equal(world_count(world, EXTERNAL, "list.test", BY_ALL), 0);
        assert_true(world_count(world, EXTERNAL, "www.outside.example", BY_ALL) > 0);
        assert_int_equal(world_count(world, DOMESTIC, "list.example", BY_PROBER), 0);
        assert_null(world_zone(world, "list.example", SCOPE_ZONE, 0));
        assert_null(world_zone(world, "2.0.0.127.list.example", SCOPE_NAME, 0));
        assert_null(world_zone(world, "list.test", SCOPE_ZONE, 0));
        world_end(world);
    }
}

/* A blocked zone round the list, with the lookups of its delegation and rechecks: the list below is not part of it. */
static void a_blocked_zone_round_a_list(void **state)
{
    (void) state;
    struct world *world =
        world_create(&(struct world_options){.seed          = 1,
                                             .recheck_first = 10000,
                                             .recheck_max   = 20000,
                                             .fences = {{"dnsbl.round.example", VIA_GROUP, SETUP_DOMESTIC, true}}});
    world_warm_up(world);
    world_cut(world, "round.example");
    world_cut(world, "other.round.example");
    SAY(world, DOMESTIC, "round.example", SERVFAILS);
    static const char *const names[] = {"2.0.0.127.dnsbl.round.example", "mx.round.example", "a.other.round.example"};
    ask_much(world, names, ARRAY_LEN(names));
    assert_int_equal(world_state(world, "round.example"), ZONE_BLOCKED);
    assert_int_equal(world_resolve(world, "www.round.example", TYPE_A)->group, SETUP_EXTERNAL);
    assert_int_equal(world_count(world, EXTERNAL, "dnsbl.round.example", BY_ALL), 0);
    assert_int_equal(world_resolve(world, "3.0.0.127.dnsbl.round.example", TYPE_A)->rcode, RCODE_SERVFAIL);
    world_end(world);
}

/* What works is a candidate for control questions: a list is none, whoever else is studied. */
static void a_list_is_no_control_question(void **state)
{
    (void) state;
    struct world *world = world_create(&blocklists);
    SAY(world, DOMESTIC, "list.example", ANSWERS, .address = UINT32_C(0x7f000002));
    for (size_t i = 0; i < 8; i++) {
        char name[40];
        snprintf(name, sizeof(name), "%zu.0.0.127.list.example", i);
        world_resolve(world, name, TYPE_A);
        world_run(world, 2000);
    }
    SAY(world, DOMESTIC, "shut.test", SERVFAILS);
    world_resolve(world, "a.shut.test", TYPE_MX);
    world_run(world, 60000);
    assert_int_equal(world_count(world, EVERYBODY, "list.example", BY_PROBER), 0);
    assert_int_equal(world_count(world, EXTERNAL, "list.example", BY_ALL), 0);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fence_holds_whatever_fails),
        cmocka_unit_test(a_refused_zone_is_asked_of_nobody),
        cmocka_unit_test(an_island_is_studied_alone),
        cmocka_unit_test(an_island_gives_no_control_name),
        cmocka_unit_test(no_control_crosses_the_fence_of_the_root),
        cmocka_unit_test(no_health_probe_crosses_the_fence_of_the_root),
        cmocka_unit_test(an_alias_into_a_fence),
        cmocka_unit_test(an_alias_at_the_fence),
        cmocka_unit_test(a_new_fence_holds_at_once),
        cmocka_unit_test(a_recheck_asks_nothing_behind_a_new_fence),
        cmocka_unit_test(what_was_kept_stays_behind_a_new_fence),
        cmocka_unit_test(who_waits_for_a_claim_stays_behind_a_new_fence),
        cmocka_unit_test(pins_are_obeyed),
        cmocka_unit_test(a_list_stays_at_home_whatever_fails),
        cmocka_unit_test(a_blocked_zone_round_a_list),
        cmocka_unit_test(a_list_is_no_control_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
