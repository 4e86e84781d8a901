/*
 * test_loop.c: an upstream that forwards to byway itself is found, and nobody else is accused.
 */
#include "dns/text.h"
#include "lib/check.h"
#include "lib/world.h"

#include <stdio.h>
#include <string.h>

enum {
    MINUTE = 60 * 1000,
    HOUR   = 60 * MINUTE,
};

static const struct manner forwards_to_us = {.way = LOOPS, .type = TYPE_TXT};

static size_t echoes(const struct world *world, unsigned servers)
{
    size_t count = 0;
    for (size_t i = 0; i < world_sendings(world); i++) {
        const struct sending *sending = world_sending(world, i);
        count += sending->probe && sending->type == TYPE_TXT && sending->server & servers;
    }
    return count;
}

static bool loops(const struct world *world, unsigned server) { return world_server(world, server)->loops; }

static void an_upstream_that_forwards_to_us_is_found(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .echo = true, .tcp_only = EXTERNAL_2});
    world_say(world, DOMESTIC_2 | EXTERNAL_2, ".", forwards_to_us);
    world_run(world, 1000);
    assert_false(loops(world, DOMESTIC_1));
    assert_true(loops(world, DOMESTIC_2));
    assert_false(loops(world, EXTERNAL_1));
    assert_true(loops(world, EXTERNAL_2));
    world_run(world, HOUR - 2 * MINUTE);
    assert_int_equal(echoes(world, DOMESTIC_2), 1); /* it is known, and said once an hour */
    assert_int_equal(echoes(world, DOMESTIC_1), 6); /* after 0, 1, 3, 7, 15, 31 minutes */
    world_say(world, DOMESTIC_1, ".", forwards_to_us);
    world_run(world, 6 * MINUTE);
    assert_int_equal(echoes(world, DOMESTIC_2), 2);
    assert_int_equal(echoes(world, DOMESTIC_1), 7);
    assert_true(loops(world, DOMESTIC_1));
    world_run(world, 10 * HOUR);
    assert_int_equal(echoes(world, DOMESTIC_2), 12);
    assert_int_equal(echoes(world, EXTERNAL_1), 17);
    world_end(world);
}

static void a_reload_asks_again(void **state)
{
    (void) state;
    const struct world_options options = {.seed = 1, .echo = true, .learning = SETUP_LEARN_NOTHING};
    struct world              *world   = world_create(&options);
    world_say(world, DOMESTIC_2, ".", forwards_to_us);
    world_run(world, 1000);
    assert_true(loops(world, DOMESTIC_2));
    world_say(world, DOMESTIC_1, ".", forwards_to_us);
    SAY(world, DOMESTIC_2, ".", NXDOMAINS);
    world_reload(world, &options);
    world_run(world, 1000);
    assert_true(loops(world, DOMESTIC_1));
    assert_false(loops(world, DOMESTIC_2));
    world_end(world);
}

/* That an upstream is silent to this question makes nobody suspect it. */
static void silence_says_nothing(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .echo = true});
    SAY(world, DOMESTIC_1, ".", SILENT, .type = TYPE_TXT);
    world_run(world, 2 * HOUR);
    assert_int_equal(echoes(world, DOMESTIC_1), 7);
    assert_int_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_UP);
    assert_int_equal(prober_read_stats(world_prober(world))->health_probes, 0);
    assert_false(loops(world, DOMESTIC_1));
    world_end(world);
}

/* The question of one upstream says nothing of another one, and one that was never asked nothing of any. */
static void what_was_not_asked_accuses_nobody(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .echo = true});
    world_run(world, 1000);
    char name[NAME_TEXT_MAX], below[NAME_TEXT_MAX + 2];
    for (size_t i = 0; i < world_sendings(world); i++) {
        const struct sending *sending = world_sending(world, i);
        if (sending->type != TYPE_TXT || sending->server != DOMESTIC_2)
            continue;
        name_format(name_view(&sending->name), name);
        snprintf(below, sizeof(below), "x.%s", name);
    }
    world_resolve(world, below, TYPE_TXT);
    world_resolve(world, strchr(name, '.') + 1, TYPE_TXT);
    world_run(world, 1000);
    assert_false(loops(world, DOMESTIC_2));
    assert_int_equal(world_resolve(world, name, TYPE_A)->rcode, RCODE_NXDOMAIN);
    world_run(world, 1000);
    assert_false(loops(world, DOMESTIC_1));
    assert_true(loops(world, DOMESTIC_2));
    assert_int_equal(world_count(world, EVERYBODY, name, BY_CLIENTS), 0);
    world_end(world);
}

/* Every name is fenced to the other side: no loop can lead through such an upstream. */
static void who_is_asked_nothing_is_not_asked_this(void **state)
{
    (void) state;
    struct world *world = world_create(
        &(struct world_options){.seed = 1, .echo = true, .fences = {{".", VIA_GROUP, SETUP_DOMESTIC, false}}});
    world_say(world, DOMESTIC, ".", forwards_to_us);
    world_run(world, 2 * HOUR);
    assert_int_equal(echoes(world, EXTERNAL), 0);
    assert_true(loops(world, DOMESTIC_1));
    world_end(world);
}

static void it_is_beside_the_quota(void **state)
{
    (void) state;
    const struct world_options options = {.seed = 1, .echo = true, .external_qps = 1};
    struct world              *world   = world_create(&options);
    for (unsigned i = 0; i < 20; i++) {
        world_reload(world, &options);
        world_run(world, 10);
    }
    assert_int_equal(echoes(world, EXTERNAL_1), 20);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upstream_that_forwards_to_us_is_found),
        cmocka_unit_test(a_reload_asks_again),
        cmocka_unit_test(silence_says_nothing),
        cmocka_unit_test(what_was_not_asked_accuses_nobody),
        cmocka_unit_test(who_is_asked_nothing_is_not_asked_this),
        cmocka_unit_test(it_is_beside_the_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
