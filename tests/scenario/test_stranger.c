/*
 * test_stranger.c: what a stranger with names and servers of his own cannot do to what is known of others.
 */
#include "lib/world.h"

#include "base/limits.h"
#include "lib/check.h"

#include <stdio.h>

static bool confirm(struct world *world, const char *text, enum zone_scope scope)
{
    struct name          name = named(text);
    const struct zone_id id   = {.name = name_view(&name), .scope = scope};
    return learner_apply(world_learner(world), &id, EVIDENCE_CONFIRMED, REASON_TIMEOUT, name_view(&name), TYPE_MX,
                         world_now(world)) != NULL;
}

/* His server fails domestic's questions alone, so each of his names is truly blocked: he has as many as he likes. */
static void a_stranger_does_not_push_out_what_is_confirmed(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .max_zones = 1000});
    char          text[64];
    SAY(world, DOMESTIC, ".", SERVFAILS);
    for (unsigned i = 0; i < 10; i++) {
        snprintf(text, sizeof(text), "mail%u.test", i);
        confirm(world, text, SCOPE_ZONE);
        world_run(world, 1);
    }
    for (unsigned i = 0; i < 4000; i++) {
        snprintf(text, sizeof(text), "x%u.evil.example", i);
        confirm(world, text, i % 2 ? SCOPE_ZONE : SCOPE_NAME);
        world_run(world, 1);
    }
    assert_int_equal(world_blocked(world), 10 + LIMIT_DOMAIN_ZONES);
    for (unsigned i = 0; i < 10; i++) {
        snprintf(text, sizeof(text), "mail%u.test", i);
        assert_int_equal(world_state(world, text), ZONE_BLOCKED);
    }
    /* the domain itself stands for all below it; its places come back with what leaves them */
    assert_true(confirm(world, "evil.example", SCOPE_ZONE));
    assert_false(confirm(world, "new.evil.example", SCOPE_ZONE));
    struct name name = named("x0.evil.example");
    assert_int_equal(learner_forget(world_learner(world), name_view(&name), MSEC_NEVER, world_now(world)), 1);
    assert_true(confirm(world, "new.evil.example", SCOPE_ZONE));
    assert_true(confirm(world, "other.example", SCOPE_ZONE));
    world_end(world);
}

/* Domains that are dead on both sides come in any number; a zone that becomes blocked is confirmed all the same. */
static void dead_zones_leave_room_for_confirmations(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    char          text[64];
    world_warm_up(world);
    SAY(world, EVERYBODY, "test", SILENT);
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    for (unsigned i = 0; i < 2 * LIMIT_CONFIRMATIONS; i++) {
        snprintf(text, sizeof(text), "mx.dead%u.test", i);
        world_ask(world, text, TYPE_MX);
        world_run(world, 4);
    }
    world_run(world, 4500);
    assert_true(prober_read_stats(world_prober(world))->skipped > 0);
    world_resolve(world, "mx.shut.example", TYPE_MX);
    world_run(world, 8000);
    assert_int_equal(world_state(world, "shut.example"), ZONE_BLOCKED);
    world_end(world);
}

/* What byway itself asks of external because of a stranger's names is taken from his part of the quota. */
static void background_questions_are_within_the_quota(void **state)
{
    (void) state;
    enum {
        QPS     = 20,
        SECONDS = 20,
    };
    struct world *world = world_create(&(struct world_options){.seed = 1, .external_qps = QPS});
    char          text[64];
    world_warm_up(world);
    SAY(world, DOMESTIC, "test", SERVFAILS);
    for (unsigned i = 0; i < 10 * SECONDS; i++) {
        snprintf(text, sizeof(text), "mx.zone%u.test", i);
        world_ask(world, text, TYPE_MX);
        world_run(world, 100);
    }
    world_run(world, 5000);
    /* 25 s of the rate, and the half of a full bucket that the unconfirmed may take at once */
    assert_in_range(world_count(world, EXTERNAL, "test", BY_ALL), 10 * SECONDS, QPS * (SECONDS + 5) + QPS / 2);
    assert_true(world_count(world, EXTERNAL, "test", BY_PROBER) > 0);
    world_end(world);
}

/* broken zones keep suspicions out. */
static void broken_zones_leave_room_for_suspicions(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    for (unsigned i = 0; i < LIMIT_SUSPECTS; i++) {
        char text[64];
        snprintf(text, sizeof(text), "d%u.test", i);
        struct name          name = named(text);
        const struct zone_id id   = {.name = name_view(&name), .scope = SCOPE_ZONE};
        learner_apply(world_learner(world), &id, EVIDENCE_BROKEN, REASON_TIMEOUT, name_view(&name), TYPE_MX,
                      world_now(world));
    }
    struct name          name = named("shut.example");
    const struct zone_id id   = {.name = name_view(&name), .scope = SCOPE_ZONE};
    assert_non_null(learner_apply(world_learner(world), &id, EVIDENCE_STRIKE, REASON_TIMEOUT, name_view(&name), TYPE_MX,
                                  world_now(world)));
    world_end(world);
}

/* A zone that was proved fine, or is pinned, is listed already; struck it is one more that is not confirmed. */
static void struck_entries_keep_to_the_cap(void **state)
{
    (void) state;
    struct world        *world  = world_create(&(struct world_options){.seed = 1});
    struct name          proved = named("proved.test");
    const struct zone_id id     = {.name = name_view(&proved), .scope = SCOPE_ZONE};
    char                 text[64];
    learner_prove(world_learner(world), name_view(&proved), world_now(world));
    for (unsigned i = 0; i < LIMIT_SUSPECTS; i++) {
        snprintf(text, sizeof(text), "s%u.test", i);
        struct name          name = named(text);
        const struct zone_id s    = {.name = name_view(&name), .scope = SCOPE_ZONE};
        assert_non_null(learner_apply(world_learner(world), &s, EVIDENCE_STRIKE, REASON_TIMEOUT, name_view(&name),
                                      TYPE_MX, world_now(world)));
    }
    learner_apply(world_learner(world), &id, EVIDENCE_STRIKE, REASON_TIMEOUT, name_view(&proved), TYPE_MX,
                  world_now(world));
    assert_int_equal(learner_count(world_learner(world)).states[ZONE_SUSPECT], LIMIT_SUSPECTS);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_does_not_push_out_what_is_confirmed),
        cmocka_unit_test(dead_zones_leave_room_for_confirmations),
        cmocka_unit_test(background_questions_are_within_the_quota),
        cmocka_unit_test(struck_entries_keep_to_the_cap),
        cmocka_unit_test(broken_zones_leave_room_for_suspicions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
