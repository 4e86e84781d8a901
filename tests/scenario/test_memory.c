/*
 * test_memory.c: every allocation of a few transcripts fails once: nothing crashes, nothing leaks (ASan), and every
 * question is still answered once and in time.
 */
#include "lib/check.h"
#include "lib/heap.h"
#include "lib/world_internal.h"
#include "query/query.h"

/* `nth` < 0: nothing fails. Returns the allocations that it took. */
static size_t life_of_a_blocked_zone(struct world *world, long nth)
{
    size_t before = heap_count();
    if (nth >= 0)
        heap_fail_at((size_t) nth);
    world_warm_up(world);
    world_alias(world, "www.shut.example", "host.cdn.test");
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    SAY(world, DOMESTIC, "cdn.test", SILENT);
    SAY(world, EVERYBODY, "dead.example", SERVFAILS);
    SAY(world, CANARY, "hit.example", FORGES);
    SAY(world, DOMESTIC, "hit.example", HAS_NO_DATA, .no_soa = true);
    world_ask(world, "hit.example", TYPE_TXT);
    world_ask(world, "mx.shut.example", TYPE_MX);
    world_ask(world, "www.shut.example", TYPE_A);
    world_ask(world, "dead.example", TYPE_MX);
    world_run(world, 30000);
    SAY(world, DOMESTIC, ".", ANSWERS);
    world_ask(world, "a.shut.example", TYPE_MX);
    world_run(world, 200000);
    world_ask(world, "b.shut.example", TYPE_MX);
    world_run(world, 10000);
    heap_restore();
    return heap_count() - before;
}

static const struct world_options options = {.seed = 1, .recheck_first = 20000, .recheck_max = 40000, .canary = true};

static void every_allocation_may_fail(void **state)
{
    (void) state;
    struct world *world = world_create(&options);
    size_t        count = life_of_a_blocked_zone(world, -1);
    assert_int_equal(world_blocked(world), 0);
    world_end(world);
    assert_true(count > 20);
    for (size_t nth = 0; nth < count; nth++) {
        world = world_create(&options);
        life_of_a_blocked_zone(world, (long) nth);
        world_end(world);
    }
}

static void no_memory_at_all(void **state)
{
    (void) state;
    struct world *world = world_create(&options);
    world_warm_up(world);
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    heap_fail_all();
    for (unsigned i = 0; i < 20; i++) {
        char name[] = "a.shut.example";
        name[0]     = (char) ('a' + i);
        world_ask(world, name, TYPE_MX);
        world_run(world, i < 10 ? 1 : 5000);
    }
    heap_restore();
    const struct ask *ask = world_resolve(world, "z.shut.example", TYPE_MX);
    assert_int_equal(ask->rcode, RCODE_NOERROR);
    world_end(world);
}

/* A reload finds no memory to watch the upstreams with: nothing is learned, and all is answered. */
static void nobody_is_watched(void **state)
{
    (void) state;
    struct world *world = world_create(&options);
    world_warm_up(world);
    heap_fail_all();
    prober_set_setup(world_prober(world), world->setup, world_now(world));
    assert_true(heap_restore());
    world_say(world, DOMESTIC, "shut.example", (struct manner){.way = SERVFAILS});
    world_say(world, EVERYBODY, "dead.example", (struct manner){.way = SERVFAILS});
    assert_int_equal(world_resolve(world, "mx.dead.example", TYPE_MX)->rcode, RCODE_SERVFAIL);
    for (unsigned i = 0; i < 20; i++) {
        char name[] = "a.shut.example";
        name[0]     = (char) ('a' + i);
        assert_int_equal(world_resolve(world, name, TYPE_MX)->group, SETUP_EXTERNAL);
        world_run(world, 1000);
    }
    assert_int_equal(world_blocked(world), 0);
    assert_int_not_equal(world_state(world, "dead.example"), ZONE_BROKEN);
    world_end(world);
}

static void a_world_that_cannot_begin(void **state)
{
    (void) state;
    size_t        before = heap_count();
    struct world *world  = world_create(&options);
    size_t        count  = heap_count() - before;
    world_end(world);
    for (size_t nth = 0; nth < count; nth++) {
        heap_fail_at(nth);
        assert_null(world_create(&options));
        assert_true(heap_restore());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(no_memory_at_all),
        cmocka_unit_test(nobody_is_watched),
        cmocka_unit_test(a_world_that_cannot_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
