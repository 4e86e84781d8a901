/*
 * test_quota.c: limits.external_qps: who may still ask external when more want to than may, and what becomes of those
 * who may not.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "probe/prober_internal.h"
#include "query/query.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SECOND = 1000,
};

#define ABROAD                                                                                                         \
    {                                                                                                                  \
        {                                                                                                              \
            .zone = "abroad.example", .via = VIA_GROUP, .group = SETUP_EXTERNAL                                        \
        }                                                                                                              \
    }

static uint64_t over_quota(const struct world *world)
{
    return engine_counters(world_engine(world, 0))->external_over_quota;
}

/* With external_qps 1 and ABROAD: nothing is left but what the next seconds bring. */
static void use_up(struct world *world)
{
    char name[] = "n00.abroad.example";
    for (unsigned i = 0; i < EXTERNAL_RATE_LEAST; i++) {
        snprintf(name, sizeof(name), "n%02u.abroad.example", i);
        assert_int_equal(world_resolve(world, name, TYPE_MX)->group, SETUP_EXTERNAL);
    }
    assert_int_equal(over_quota(world), 0);
}

static bool told_over_quota(const struct ask *ask) { return ask->rcode == RCODE_SERVFAIL && ask->ede == EDE_OTHER; }

/* Ten times the quota in random names; the questions below the blocked zone are far fewer than the quota. */
static void a_stranger_leaves_the_blocked_zones_their_way(void **state)
{
    (void) state;
    enum {
        QPS      = 20,
        SECONDS  = 10,
        STRANGER = 10 * QPS * SECONDS,
        MAIL     = STRANGER / 50,
    };
    static const struct ask *stranger[STRANGER], *mail[MAIL];
    struct world            *world = world_create(&(struct world_options){.seed = 1, .external_qps = QPS});
    char                     name[32];
    unsigned                 over = 0;
    world_warm_up(world);
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    world_learn(world, "shut.example", TYPE_MX);
    SAY(world, EVERYBODY, "test", SERVFAILS);
    for (unsigned i = 0; i < STRANGER; i++) {
        snprintf(name, sizeof(name), "a.random%u.test", i);
        stranger[i] = world_ask(world, name, TYPE_MX);
        snprintf(name, sizeof(name), "n%u.shut.example", i / 50);
        if (i % 50 == 49)
            mail[i / 50] = world_ask(world, name, TYPE_MX);
        world_run(world, SECOND / (10 * QPS));
    }
    world_run(world, SECOND);
    for (unsigned i = 0; i < MAIL; i++) {
        assert_int_equal(mail[i]->group, SETUP_EXTERNAL);
        assert_int_equal(mail[i]->answered - mail[i]->asked, EXTERNAL_DELAY);
    }
    for (unsigned i = 0; i < STRANGER; i++) {
        assert_int_equal(stranger[i]->rcode, RCODE_SERVFAIL);
        over += told_over_quota(stranger[i]);
    }
    assert_int_equal(over_quota(world), over);
    assert_in_range(STRANGER - over + MAIL, QPS * SECONDS, QPS / 2 + QPS * SECONDS + MAIL);
    /* one question each, though both servers of external were asked */
    assert_int_equal(world_count(world, EXTERNAL, "test", BY_CLIENTS), 2 * (STRANGER - over));
    assert_int_equal(world_blocked(world), 1);
    world_end(world);
}

/* Random names below one blocked zone, ten times the quota; mail to other blocked zones has its way. */
static void a_blocked_zone_leaves_the_others_their_way(void **state)
{
    (void) state;
    enum {
        QPS      = 40,
        SECONDS  = 10,
        STRANGER = 10 * QPS * SECONDS,
        OTHERS   = 4,
    };
    struct world *world = world_create(&(struct world_options){.seed = 1, .external_qps = QPS});
    char          name[48];
    world_warm_up(world);
    for (unsigned i = 0; i <= OTHERS; i++) {
        snprintf(name, sizeof(name), "shut%u.example", i);
        SAY(world, DOMESTIC, name, SERVFAILS);
        world_learn(world, name, TYPE_MX);
    }
    for (unsigned i = 0; i < STRANGER; i++) {
        snprintf(name, sizeof(name), "a.random%u.shut0.example", i);
        world_ask(world, name, TYPE_MX);
        if (i % QPS == QPS - 1) {
            snprintf(name, sizeof(name), "n%u.shut%u.example", i, 1 + i / QPS % OTHERS);
            const struct ask *mail = world_ask(world, name, TYPE_MX);
            assert_int_equal(world_wait(world, mail), EXTERNAL_DELAY);
            assert_int_equal(mail->group, SETUP_EXTERNAL);
        }
        world_run(world, SECOND / (10 * QPS));
    }
    assert_in_range(over_quota(world), STRANGER - QPS * (SECONDS + 9), STRANGER - QPS * SECONDS);
    world_end(world);
}

/* Domestic fails what external would have answered: that is told as our limit, it is no evidence, and a second later
 * it can be asked again. */
static void nothing_is_learned_from_it(void **state)
{
    (void) state;
    static const struct {
        enum way way;
        msec_t   least, most; /* ms until the answer */
    } rows[] = {{SERVFAILS, 0, 100}, {REFUSES, 0, 100}, {UNREACHABLE, 4500, 4500}, {SILENT, 4500, 4500}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *world  = world_create(&(struct world_options){.seed = i, .external_qps = 1, .fences = ABROAD});
        char          name[] = "z0.test";
        world_warm_up(world);
        SAY(world, DOMESTIC, "test", rows[i].way);
        use_up(world);
        for (unsigned n = 0; n < 5; n++) {
            name[1]               = (char) ('0' + n);
            const struct ask *ask = world_ask(world, name, TYPE_MX);
            if (rows[i].least > 0 && n < 4)
                continue;
            assert_in_range(world_wait(world, ask), rows[i].least, rows[i].most);
            assert_true(told_over_quota(ask));
        }
        world_run(world, SECOND - 1);
        assert_int_equal(over_quota(world), 5);
        assert_int_equal(world_count(world, EXTERNAL, "test", BY_ALL), 0);
        const struct prober_stats *stats = prober_read_stats(world_prober(world));
        assert_int_equal(stats->strikes + stats->confirmations + stats->broken_checks, 0);
        for (size_t is = ZONE_SUSPECT; is < ZONE_STATE_COUNT; is++)
            assert_int_equal(learner_count(world_learner(world)).states[is], 0);

        world_reload(world, &(struct world_options){.external_qps = 1000, .fences = ABROAD});
        world_run(world, SECOND);
        assert_int_equal(world_resolve(world, name, TYPE_MX)->group, SETUP_EXTERNAL);
        world_end(world);
    }
}

static void a_late_domestic_answer_serves(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .external_qps = 1, .fences = ABROAD});
    SAY(world, DOMESTIC, "slow.example", ANSWERS, .after = 2500);
    use_up(world);
    const struct ask *ask = world_ask(world, "slow.example", TYPE_MX);
    assert_int_equal(world_wait(world, ask), 2500);
    assert_int_equal(ask->group, SETUP_DOMESTIC);
    assert_int_equal(over_quota(world), 1);
    world_end(world);
}

/* What would have gone to external first goes to domestic, and nobody else. */
static void the_first_way_gives_way_to_domestic(void **state)
{
    (void) state;
    static const bool pinned[] = {false, true};
    for (size_t i = 0; i < ARRAY_LEN(pinned); i++) {
        struct world *world = world_create(&(struct world_options){.seed = 1, .external_qps = 1, .fences = ABROAD});
        world_warm_up(world);
        SAY(world, DOMESTIC, "shut.example", SERVFAILS);
        if (pinned[i])
            world_pin(world, "shut.example", PIN_EXTERNAL, MSEC_NEVER);
        else
            world_learn(world, "shut.example", TYPE_MX);
        world_run(world, EXTERNAL_RATE_LEAST * SECOND);
        use_up(world);
        size_t   before   = world_count(world, EXTERNAL, "shut.example", BY_CLIENTS);
        uint64_t verdicts = engine_counters(world_engine(world, 0))->external_by_verdict;

        assert_true(told_over_quota(world_resolve(world, "a.shut.example", TYPE_MX)));
        assert_int_equal(world_count(world, DOMESTIC, "a.shut.example", BY_CLIENTS), 2);
        SAY(world, DOMESTIC, "shut.example", ANSWERS);
        const struct ask *ask = world_ask(world, "b.shut.example", TYPE_MX);
        assert_int_equal(world_wait(world, ask), DOMESTIC_DELAY);
        assert_int_equal(ask->group, SETUP_DOMESTIC);
        assert_int_equal(ask->ede, EDE_NONE);
        assert_int_equal(over_quota(world), 2);
        assert_int_equal(world_count(world, EXTERNAL, "shut.example", BY_CLIENTS), before);
        assert_int_equal(engine_counters(world_engine(world, 0))->external_by_verdict, verdicts);
        world_end(world);
    }
}

/* Where domestic must not be asked there is nobody to wait for. */
static void behind_a_fence_it_is_told_at_once(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .external_qps = 1, .fences = ABROAD});
    world_resolve(world, "old.abroad.example", TYPE_MX);
    world_run(world, 400 * SECOND);
    use_up(world);
    const struct ask *ask = world_ask(world, "new.abroad.example", TYPE_MX);
    assert_int_equal(world_wait(world, ask), 0);
    assert_true(told_over_quota(ask));
    ask = world_ask(world, "old.abroad.example", TYPE_MX);
    assert_int_equal(world_wait(world, ask), 0);
    assert_int_equal(ask->ede, EDE_STALE_ANSWER);
    assert_int_equal(ask->records, 1);
    assert_int_equal(over_quota(world), 2);
    world_end(world);
}

/* Resends and the next server of the group are the same question. */
static void it_counts_questions_not_packets(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .external_qps = 1, .fences = ABROAD});
    SAY(world, EXTERNAL_1, "abroad.example", SILENT);
    SAY(world, EXTERNAL_2, "abroad.example", TRUNCATES);
    char              name[] = "n00.abroad.example";
    const struct ask *asks[EXTERNAL_RATE_LEAST];
    for (unsigned i = 0; i < EXTERNAL_RATE_LEAST; i++) {
        snprintf(name, sizeof(name), "n%02u.abroad.example", i);
        asks[i] = world_ask(world, name, TYPE_MX);
    }
    for (unsigned i = 0; i < EXTERNAL_RATE_LEAST; i++) {
        world_wait(world, asks[i]);
        assert_int_equal(asks[i]->group, SETUP_EXTERNAL);
    }
    assert_true(world_count(world, EXTERNAL, "abroad.example", BY_CLIENTS) >= 3 * EXTERNAL_RATE_LEAST);
    assert_int_equal(over_quota(world), 0);
    world_end(world);
}

/* While domestic is down all of its zones share the upper half. */
static void an_outage_leaves_the_lower_half(void **state)
{
    (void) state;
    struct world *world  = world_create(&(struct world_options){.seed = 1, .external_qps = 1, .fences = ABROAD});
    char          name[] = "z00.abroad.example";
    world_warm_up(world);
    SAY(world, DOMESTIC, ".", SILENT);
    world_resolve(world, "first.test", TYPE_MX);
    world_run(world, 30 * SECOND);
    assert_int_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_DOWN);
    for (unsigned i = 0; i < EXTERNAL_RATE_LEAST; i++) {
        snprintf(name, sizeof(name), "z%02u.test", i);
        world_ask(world, name, TYPE_MX);
    }
    assert_int_equal(engine_counters(world_engine(world, 0))->external_by_outage, EXTERNAL_RATE_LEAST / 2);
    assert_int_equal(over_quota(world), EXTERNAL_RATE_LEAST / 2);
    for (unsigned i = 0; i < EXTERNAL_RATE_LEAST / 2; i++) {
        snprintf(name, sizeof(name), "%c.abroad.example", 'a' + i);
        assert_int_equal(world_resolve(world, name, TYPE_MX)->group, SETUP_EXTERNAL);
    }
    world_run(world, 5 * SECOND);
    world_end(world);
}

/* Who waited for another worker's question hears what that worker did. */
static void all_workers_tell_the_same(void **state)
{
    (void) state;
    struct world *world =
        world_create(&(struct world_options){.seed = 1, .workers = 3, .external_qps = 1, .fences = ABROAD});
    const struct ask *asks[3];
    SAY(world, DOMESTIC, "shut.example", SERVFAILS, .after = 100);
    use_up(world);
    for (unsigned worker = 0; worker < ARRAY_LEN(asks); worker++)
        asks[worker] =
            world_ask_by(world, &(struct world_question){.name = "shut.example", .type = TYPE_MX, .worker = worker});
    for (unsigned worker = 0; worker < ARRAY_LEN(asks); worker++) {
        world_wait(world, asks[worker]);
        assert_true(told_over_quota(asks[worker]));
    }
    assert_int_equal(over_quota(world), 1);
    assert_int_equal(world_count(world, DOMESTIC, "shut.example", BY_CLIENTS), 2);
    world_end(world);
}

/* No question is left to find out where the cuts are: every confirmation ends all the same. */
static void no_trial_waits_for_the_quota(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .external_qps = 1});
    world_warm_up(world);
    for (unsigned i = 0; i < 30; i++) {
        char name[40];
        snprintf(name, sizeof(name), "mx.shut%u.example", i);
        world_say(world, DOMESTIC, name, (struct manner){.way = SERVFAILS});
        world_ask(world, name, TYPE_MX);
    }
    world_run(world, 60 * 1000);
    assert_true(prober_read_stats(world_prober(world))->confirmations > 0);
    assert_int_equal(world_prober(world)->study_counts[STUDY_CONFIRM], 0);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_leaves_the_blocked_zones_their_way),
        cmocka_unit_test(a_blocked_zone_leaves_the_others_their_way),
        cmocka_unit_test(nothing_is_learned_from_it),
        cmocka_unit_test(a_late_domestic_answer_serves),
        cmocka_unit_test(the_first_way_gives_way_to_domestic),
        cmocka_unit_test(behind_a_fence_it_is_told_at_once),
        cmocka_unit_test(it_counts_questions_not_packets),
        cmocka_unit_test(an_outage_leaves_the_lower_half),
        cmocka_unit_test(all_workers_tell_the_same),
        cmocka_unit_test(no_trial_waits_for_the_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
