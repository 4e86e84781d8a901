/*
 * test_rate.c: what is made of a zone while domestic is asked much, and while it is asked more than it bears. What it
 * refuses, fails or drops then is nobody's block; and a real block is learned all the same.
 */
#include "lib/world.h"

#include "query/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    SECOND = 1000,
};

#define SHUT "shut.example" /* blocked in truth */

/* The question number `number`, of one of so many zones or of SHUT. */
static void ask_one(struct world *world, unsigned number, unsigned zones)
{
    static const uint16_t types[] = {TYPE_MX, TYPE_A, TYPE_TXT};
    unsigned              zone    = world_random(world, zones + 1);
    char                  name[64];
    if (zone < zones)
        snprintf(name, sizeof(name), "n%u.zone%u.test", number, zone);
    else
        snprintf(name, sizeof(name), "n%u." SHUT, number);
    world_ask(world, name, types[number % ARRAY_LEN(types)]);
}

/* However many questions say that the upstream is well: silence is proved by a control question behind it. */
static void a_block_is_learned_beside_other_traffic(void **state)
{
    (void) state;
    static const enum way ways[] = {SILENT, SERVFAILS, REFUSES};
    for (size_t way = 0; way < ARRAY_LEN(ways); way++)
        for (unsigned domestic = 1; domestic <= 3; domestic++)
            for (unsigned rate = 2; rate <= 50; rate *= 5) {
                struct world *world = world_create(&(struct world_options){.seed = rate, .domestic = domestic});
                world_warm_up(world);
                world_say(world, DOMESTIC, SHUT, (struct manner){.way = ways[way]});
                world_ask(world, SHUT, TYPE_MX);
                for (unsigned i = 0; i < 12 * rate; i++) {
                    ask_one(world, i, 20);
                    world_run(world, SECOND / rate);
                }
                if (world_state(world, SHUT) != ZONE_BLOCKED)
                    fail_msg("way %d, %u domestic, %u a second: %s", (int) ways[way], domestic, rate,
                             zone_state_words[world_state(world, SHUT)]);
                assert_int_equal(world_blocked(world), 1);
                world_end(world);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_learned_beside_other_traffic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
