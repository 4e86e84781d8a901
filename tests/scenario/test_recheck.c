/*
 * test_recheck.c: how often blocked zones are tried again, whose turn it is, what that may cost, and that no client
 * waits for it.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

#include <stdio.h>

enum {
    SECOND   = 1000,
    INTERVAL = 1200 * SECOND,
    EACH     = 1, /* question: apex or question, in turn */
    SAVED    = 256,
    WHOLE    = 10000 /* recheck_share: as many questions as the clients ask */
};

/* Zone `number` below test, as if it had been learned long ago and used `idle` ms ago. */
static struct zone *blocked_before(struct world *world, unsigned number, msec_t due, msec_t idle)
{
    char text[32];
    snprintf(text, sizeof(text), "mail.zone%03u.test", number);
    const struct name    asked = named(text), zone = named(text + 5);
    const struct learned learned = {.id         = {.name = name_view(&zone), .scope = SCOPE_ZONE},
                                    .condition  = {.state    = ZONE_BLOCKED,
                                                   .reason   = REASON_SERVFAIL,
                                                   .failures = 1,
                                                   .interval = INTERVAL,
                                                   .next     = due},
                                    .asked      = name_view(&asked),
                                    .asked_type = TYPE_MX,
                                    .last_used  = world_now(world) - idle};
    return learner_restore(world_learner(world), &learned, world_now(world));
}

static uint64_t rechecks(const struct world *world) { return prober_read_stats(world_prober(world))->rechecks; }

/* Names that domestic answers, each asked once. */
static void ask_at_home(struct world *world, unsigned count, msec_t every)
{
    char name[32];
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "n%u.good.example", i);
        world_ask(world, name, TYPE_MX);
        world_run(world, every);
    }
}

/* At night nobody asks, and blocks end too. */
static void without_clients_one_zone_a_second(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    SAY(world, DOMESTIC, "test", SERVFAILS);
    for (unsigned i = 0; i < 100; i++)
        blocked_before(world, i, world_now(world), 0);
    world_run(world, SECOND / 2);
    for (unsigned i = 0; i < 30; i++) {
        uint64_t before = rechecks(world);
        world_run(world, SECOND);
        assert_int_equal(rechecks(world), before + 1);
    }
    world_end(world);
}

/* However many are due. */
static void rechecks_take_no_more_than_their_share(void **state)
{
    (void) state;
    enum {
        QUESTIONS = 2000,
        SHARE     = 10 /* % */
    };
    struct world *world = world_create(&(struct world_options){.seed = 2, .recheck_share = SHARE * WHOLE / 100});
    SAY(world, DOMESTIC, "test", SERVFAILS);
    for (unsigned i = 0; i < 500; i++)
        blocked_before(world, i, world_now(world), 0);
    ask_at_home(world, QUESTIONS, 10);
    size_t asked = world_count(world, DOMESTIC, "test", BY_PROBER);
    assert_in_range(asked, QUESTIONS * SHARE / 100 - 2 * EACH, QUESTIONS * SHARE / 100 + EACH);
    assert_in_range(rechecks(world), asked / EACH, asked / EACH + 1);
    world_end(world);
}

/* To the last question, and at once: what one question has saved is not kept until a second one comes. */
static void a_question_saved_is_a_question_that_may_be_asked(void **state)
{
    (void) state;
    static const struct {
        uint32_t share;
        unsigned questions, rechecks; /* so many of the ones allow so many of the others */
    } rows[] = {{WHOLE, 1, 1},         {WHOLE, 5, 5},         {WHOLE / 2, 2, 1}, {WHOLE / 2, 1, 0},
                {WHOLE / 5 * 2, 5, 2}, {WHOLE / 5 * 2, 4, 1}, {WHOLE / 3, 3, 0}, {WHOLE / 3, 4, 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i, .recheck_share = rows[i].share});
        SAY(world, DOMESTIC, "test", SERVFAILS);
        for (unsigned k = 0; k < 20; k++)
            blocked_before(world, k, world_now(world), 0);
        world_run(world, SECOND / 10);
        assert_int_equal(rechecks(world), 1); /* the one of this second */
        ask_at_home(world, rows[i].questions, 1);
        world_run(world, SECOND / 2);
        if (rechecks(world) != 1 + rows[i].rechecks)
            fail_msg("row %zu: %u rechecks", i, (unsigned) rechecks(world) - 1);
        world_end(world);
    }
}

static msec_t first_probe(const struct world *world, unsigned servers)
{
    for (size_t i = 0; i < world_sendings(world); i++)
        if (world_sending(world, i)->probe && (world_sending(world, i)->server & servers))
            return world_sending(world, i)->at;
    fail_msg("nothing was sent");
    return 0;
}

/* The moment it is due, or the moment that the second is over: the prober does not come upon it by chance. */
static void a_recheck_is_not_late(void **state)
{
    (void) state;
    for (unsigned saved = 0; saved < 3; saved++)
        for (msec_t until = 7; until < SECOND; until += 131) {
            struct world *world = world_create(&(struct world_options){.seed = saved, .recheck_share = WHOLE});
            SAY(world, DOMESTIC, "test", SERVFAILS);
            blocked_before(world, 0, world_now(world) + 37, 0); /* between two looks */
            world_run(world, SECOND / 4);
            assert_int_equal(rechecks(world), 1);
            msec_t first = first_probe(world, DOMESTIC);
            ask_at_home(world, saved, 1);
            world_run(world, SECOND / 4); /* it was seen that there is something saved */
            msec_t due = world_now(world) + until, may = saved ? due : msec_max(due, first + SECOND);
            blocked_before(world, 1, due, 0);
            world_run(world, may - 1 - world_now(world));
            assert_int_equal(rechecks(world), 1);
            world_run(world, 1);
            assert_int_equal(rechecks(world), 2);
            world_end(world);
        }
}

/* A busy hour without a zone that is due is no licence to recheck hundreds in the next second. */
static void what_is_saved_is_bounded(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 3, .recheck_share = WHOLE});
    SAY(world, DOMESTIC, "test", SERVFAILS);
    ask_at_home(world, 3 * SAVED, 10);
    for (unsigned i = 0; i < 2 * SAVED; i++)
        blocked_before(world, i, world_now(world), 0);
    world_run(world, SECOND / 2);
    assert_int_equal(rechecks(world), SAVED / EACH);
    world_end(world);
}

static void only_so_many_run_at_once(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 4, .recheck_share = WHOLE});
    SAY(world, DOMESTIC, "test", SILENT);
    ask_at_home(world, SAVED, 10);
    for (unsigned i = 0; i < 100; i++)
        blocked_before(world, i, world_now(world), 0);
    world_run(world, STUDY_LIFE - 500);
    assert_int_equal(rechecks(world), RECHECKS_AT_ONCE);
    world_run(world, STUDY_LIFE);
    assert_int_equal(rechecks(world), 2 * RECHECKS_AT_ONCE);
    world_end(world);
}

/* Of many that are due the one comes first that a client has just met. */
static void who_is_used_comes_first(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 5});
    SAY(world, DOMESTIC, "test", SERVFAILS);
    msec_t due = world_now(world) + 10 * SECOND;
    for (unsigned i = 0; i < 50; i++)
        blocked_before(world, i, due, 3600 * SECOND);
    assert_int_equal(world_resolve(world, "a.zone037.test", TYPE_MX)->group, SETUP_EXTERNAL);
    world_run(world, SECOND);
    assert_int_equal(world_resolve(world, "a.zone011.test", TYPE_MX)->group, SETUP_EXTERNAL);
    world_run(world, due + SECOND / 2 - world_now(world));
    assert_int_equal(rechecks(world), 1);
    assert_int_equal(world_count(world, DOMESTIC, "zone011.test", BY_PROBER), EACH);
    world_run(world, SECOND);
    assert_int_equal(rechecks(world), 2);
    assert_int_equal(world_count(world, DOMESTIC, "zone037.test", BY_PROBER), EACH);
    world_end(world);
}

/* Its recheck hears nothing for five seconds: clients go on being served, and nobody begins another one. */
static void one_at_a_time_and_no_client_waits(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 6});
    struct zone  *zone  = blocked_before(world, 0, world_now(world), 0);
    SAY(world, DOMESTIC, "test", SILENT);
    world_run(world, SECOND / 2);
    assert_int_equal(rechecks(world), 1);
    for (unsigned i = 0; i < 4; i++) {
        char name[] = "a.zone000.test";
        name[0]     = (char) ('a' + i);
        assert_int_equal(world_wait(world, world_ask(world, name, TYPE_MX)), EXTERNAL_DELAY);
        learner_apply_zone(world_learner(world), zone, EVIDENCE_FINE, REASON_NONE, world_now(world));
        world_run(world, SECOND);
    }
    assert_int_equal(world_count(world, DOMESTIC, "zone000.test", BY_CLIENTS), 0);
    assert_int_equal(world_count(world, DOMESTIC, "zone000.test", BY_PROBER), EACH);
    assert_int_equal(rechecks(world), 1);
    assert_int_equal(zone->condition.state, ZONE_BLOCKED);
    world_end(world);
}

/* Its kin opens while its own recheck waits: that is no reason for a second one. */
static void kin_that_opens_begins_no_second_recheck(void **state)
{
    (void) state;
    struct world     *world   = world_create(&(struct world_options){.seed = 11, .recheck_share = WHOLE});
    struct zone      *waits   = blocked_before(world, 0, world_now(world), 0);
    struct zone      *opens   = blocked_before(world, 1, world_now(world) + INTERVAL, 0);
    struct delegation servers = {.name_count = 1, .address_count = 1, .addresses = {{1}}};
    servers.names[0]          = named("ns1.host.test");
    learner_place(world_learner(world), waits, &servers);
    learner_place(world_learner(world), opens, &servers);
    SAY(world, DOMESTIC, "test", SILENT);
    ask_at_home(world, 8, 100);
    assert_int_equal(rechecks(world), 1);
    learner_apply_zone(world_learner(world), opens, EVIDENCE_RECHECK_GOOD, REASON_NONE, world_now(world));
    world_run(world, STUDY_LIFE - 2 * SECOND);
    assert_int_equal(rechecks(world), 1);
    assert_int_equal(world_count(world, DOMESTIC, "zone000.test", BY_PROBER), EACH);
    world_end(world);
}

static unsigned lines_about(const struct zone *zone, enum evidence_about about, enum outcome outcome)
{
    unsigned count = 0;
    for (unsigned i = 0; zone->dossier && i < zone->dossier->evidence_count && i < DOSSIER_EVIDENCE; i++)
        count += zone->dossier->evidence[i].about == about && zone->dossier->evidence[i].outcome == outcome &&
                 !zone->dossier->evidence[i].external;
    return count;
}

/* The operator sees why a zone is still held. */
static void a_recheck_leaves_its_evidence(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 13});
    struct zone  *zone  = blocked_before(world, 0, world_now(world), 0);
    SAY(world, DOMESTIC, "test", REFUSES);
    world_run(world, SECOND);
    assert_int_equal(lines_about(zone, ABOUT_APEX, OUTCOME_REFUSED), 1);
    assert_int_equal(lines_about(zone, ABOUT_QUESTION, OUTCOME_REFUSED), 0);
    assert_int_equal(zone->condition.reason, REASON_REFUSED);
    world_run(world, zone->condition.next + SECOND - world_now(world));
    assert_int_equal(lines_about(zone, ABOUT_APEX, OUTCOME_REFUSED), 1);
    assert_int_equal(lines_about(zone, ABOUT_QUESTION, OUTCOME_REFUSED), 1);
    SAY(world, DOMESTIC, "test", ANSWERS);
    world_run(world, zone->condition.next + SECOND - world_now(world));
    assert_int_equal(zone->condition.state, ZONE_RECOVERING);
    assert_int_equal(lines_about(zone, ABOUT_APEX, OUTCOME_ANSWER) + lines_about(zone, ABOUT_APEX, OUTCOME_NODATA), 1);
    world_run(world, zone->condition.next + SECOND - world_now(world)); /* one that recovers: both */
    assert_int_equal(world_state(world, "zone000.test"), ZONE_CLEAR);
    assert_int_equal(world_count(world, DOMESTIC, "zone000.test", BY_PROBER), 5);
    world_end(world);
}

/* Nameserver sets are not written to disk. */
static void after_a_start_the_sets_grow_again(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 12});
    world_host(world, "zone000.test", "ns1.host.example");
    world_host(world, "zone001.test", "ns1.host.example");
    SAY(world, DOMESTIC, "test", SERVFAILS);
    const struct zone *one = blocked_before(world, 0, world_now(world), 0);
    const struct zone *two = blocked_before(world, 1, world_now(world), 0);
    world_run(world, 5 * SECOND);
    assert_int_equal(rechecks(world), 2);
    assert_non_null(one->set);
    assert_ptr_equal(one->set, two->set);
    assert_int_equal(prober_read_stats(world_prober(world))->delegations, 2);
    world_run(world, 3 * INTERVAL); /* once */
    assert_true(rechecks(world) > 2);
    assert_int_equal(prober_read_stats(world_prober(world))->delegations, 2);
    world_end(world);
}

static void go_down(struct world *world)
{
    SAY(world, DOMESTIC, ".", SILENT);
    for (unsigned i = 0; i < 40; i++) {
        char name[] = "a00.down.example";
        name[1]     = (char) ('0' + i / 10);
        name[2]     = (char) ('0' + i % 10);
        world_ask(world, name, TYPE_MX);
        world_run(world, SECOND / 10);
    }
    assert_int_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_DOWN);
    assert_int_equal(server_health(world_server(world, DOMESTIC_2)), HEALTH_DOWN);
}

/* What domestic does not answer while it is down is no word about the zone: its interval stays as it is. */
static void an_outage_postpones_rechecks(void **state)
{
    (void) state;
    static const msec_t begins[] = {10 * SECOND, -SECOND}; /* ms before the recheck is due, or behind that */
    for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
        struct world *world = world_create(&(struct world_options){.seed = 7 + i});
        msec_t        due   = world_now(world) + 20 * SECOND;
        struct zone  *zone  = blocked_before(world, 0, due, 0);
        world_warm_up(world);
        SAY(world, DOMESTIC, "zone000.test", SILENT);
        world_run(world, due - begins[i] - world_now(world));
        go_down(world);
        world_run(world, 20 * SECOND);
        assert_int_equal(rechecks(world), begins[i] < 0);
        assert_int_equal(world_count(world, DOMESTIC, "zone000.test", BY_PROBER), begins[i] < 0 ? EACH : 0);
        assert_int_equal(zone->condition.state, ZONE_BLOCKED);
        assert_int_equal(zone->condition.failures, 1);
        assert_int_equal(zone->condition.interval, INTERVAL);
        assert_in_range(zone->condition.next, due + ZONE_POSTPONE / 10 * 9, due + 2 * ZONE_POSTPONE);
        SAY(world, DOMESTIC, ".", ANSWERS);
        world_run(world, 4 * ZONE_POSTPONE);
        assert_int_equal(world_state(world, "zone000.test"), ZONE_CLEAR);
        world_end(world);
    }
}

/* One name, or one type of it: that question and no other, and it comes back by itself. */
static void a_narrow_entry_is_rechecked_as_it_is(void **state)
{
    (void) state;
    static const enum zone_scope scopes[] = {SCOPE_NAME, SCOPE_TYPE};
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        struct world *world = world_create(&(struct world_options){.seed = 9 + i});
        world_warm_up(world);
        SAY(world, DOMESTIC, "www.part.example", SERVFAILS, .type = scopes[i] == SCOPE_TYPE ? TYPE_AAAA : 0);
        world_resolve(world, "www.part.example", TYPE_AAAA);
        world_run(world, 12 * SECOND);
        const struct zone *zone =
            world_zone(world, "www.part.example", scopes[i], scopes[i] == SCOPE_TYPE ? TYPE_AAAA : 0);
        assert_non_null(zone);
        size_t since = world_sendings(world);
        world_run(world, zone->condition.next + SECOND - world_now(world));
        unsigned seen = 0;
        for (size_t k = since; k < world_sendings(world); k++) {
            const struct sending *sending = world_sending(world, k);
            const struct name     name    = named("www.part.example");
            if (!sending->probe || !(sending->server & DOMESTIC) || sending->name.len <= 1)
                continue;
            assert_true(name_equal(name_view(&sending->name), name_view(&name)));
            assert_int_equal(sending->type, TYPE_AAAA);
            seen++;
        }
        assert_int_equal(seen, 1);
        assert_int_equal(zone->condition.state, ZONE_BLOCKED);
        SAY(world, DOMESTIC, "www.part.example", ANSWERS);
        world_run(world, 1800 * SECOND);
        assert_int_equal(world_blocked(world), 0);
        world_end(world);
    }
}

/* A reload gives up what is under way; the zone is not left for a minute because of that. */
static void a_recheck_that_a_reload_gave_up_begins_anew(void **state)
{
    (void) state;
    const struct world_options options = {.seed = 1};
    struct world              *world   = world_create(&options);
    SAY(world, DOMESTIC, "test", SILENT);
    blocked_before(world, 0, world_now(world), 0);
    world_run(world, 2 * SECOND);
    assert_int_equal(rechecks(world), 1);
    world_reload(world, &options);
    SAY(world, DOMESTIC, "test", ANSWERS);
    world_run(world, 2 * SECOND);
    assert_int_equal(rechecks(world), 2);
    assert_int_equal(world_state(world, "zone000.test"), ZONE_RECOVERING);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recheck_that_a_reload_gave_up_begins_anew),
        cmocka_unit_test(without_clients_one_zone_a_second),
        cmocka_unit_test(rechecks_take_no_more_than_their_share),
        cmocka_unit_test(a_question_saved_is_a_question_that_may_be_asked),
        cmocka_unit_test(a_recheck_is_not_late),
        cmocka_unit_test(what_is_saved_is_bounded),
        cmocka_unit_test(only_so_many_run_at_once),
        cmocka_unit_test(who_is_used_comes_first),
        cmocka_unit_test(one_at_a_time_and_no_client_waits),
        cmocka_unit_test(kin_that_opens_begins_no_second_recheck),
        cmocka_unit_test(a_recheck_leaves_its_evidence),
        cmocka_unit_test(after_a_start_the_sets_grow_again),
        cmocka_unit_test(an_outage_postpones_rechecks),
        cmocka_unit_test(a_narrow_entry_is_rechecked_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
