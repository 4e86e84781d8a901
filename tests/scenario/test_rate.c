/*
 * test_rate.c: what is made of a zone while domestic is asked much, and while it is asked more than it bears. What it
 * refuses, fails or drops then is nobody's block; and a real block is learned all the same.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

#include <stdio.h>

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
                SAY(world, DOMESTIC, SHUT, ways[way]);
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

/* What is asked each second, and how much of that is borne. */
struct strain {
    unsigned asked, percent, domestic;
    bool     together; /* all upstreams have one limit */
    unsigned burst;    /* seconds of what is borne; 0: counted by the second */
    enum way way;
};

enum {
    STRAINS        = 3 * 7 * 3 * 3 * 3 * 2,
    STRAINS_FIRST  = 2,
    STRAINS_APART  = 5, /* of so many one; 5 divides no number of the above */
    STRAIN_ZONES   = 20,
    STRAIN_SECONDS = 25,
};

static struct strain strain_of(unsigned number)
{
    static const unsigned asked[]   = {5, 20, 80};
    static const unsigned percent[] = {10, 20, 50, 80, 100, 125, 200};
    static const enum way ways[]    = {REFUSES, SERVFAILS, SILENT};
    struct strain         strain    = {.together = number % 2, .domestic = 1 + number / 2 % 3};
    number /= 6;
    strain.burst = number % 3 * 2;
    number /= 3;
    strain.way = ways[number % 3];
    number /= 3;
    strain.percent = percent[number % 7];
    strain.asked   = asked[number / 7];
    return strain;
}

/* Of the zones that are healthy. */
static size_t held(struct world *world)
{
    struct learner_counts counts = learner_count(world_learner(world));
    return world_blocked(world) + counts.states[ZONE_BROKEN] - (world_state(world, SHUT) == ZONE_BLOCKED);
}

static void strain(struct world *world, const struct strain *strain, unsigned servers)
{
    uint32_t per_second = strain->asked * strain->percent / 100;
    per_second          = per_second ? per_second : 1;
    world_limit(world, servers,
                (struct world_rate){.per_second = per_second,
                                    .burst      = strain->burst * per_second,
                                    .together   = strain->together,
                                    .way        = strain->way});
}

static void under_strain(unsigned number, unsigned servers)
{
    struct strain s     = strain_of(number);
    struct world *world = world_create(&(struct world_options){.seed = number, .domestic = s.domestic});
    world_warm_up(world);
    strain(world, &s, servers);
    SAY(world, DOMESTIC, SHUT, SERVFAILS);
    for (unsigned i = 0; i < STRAIN_SECONDS * s.asked; i++) {
        ask_one(world, i, STRAIN_ZONES);
        world_run(world, 1 + world_random(world, 2 * SECOND / s.asked));
        if (held(world) > 0)
            fail_msg("strain %u: %zu healthy zones held", number, held(world));
    }
    if (servers == DOMESTIC && s.percent == 200 && s.burst > 0 && !s.together &&
        world_state(world, SHUT) != ZONE_BLOCKED)
        fail_msg("strain %u: a block was not learned", number);
    world_end(world);
}

static void what_is_above_a_rate_is_no_block(void **state)
{
    (void) state;
    for (unsigned number = STRAINS_FIRST; number < STRAINS; number += STRAINS_APART)
        under_strain(number, DOMESTIC);
}

/* Each server of either side has that limit. */
static void what_is_above_a_rate_of_both_sides_is_not_broken(void **state)
{
    (void) state;
    for (unsigned number = STRAINS_FIRST; number < STRAINS; number += STRAINS_APART)
        under_strain(number, EVERYBODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_learned_beside_other_traffic),
        cmocka_unit_test(what_is_above_a_rate_is_no_block),
        cmocka_unit_test(what_is_above_a_rate_of_both_sides_is_not_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
