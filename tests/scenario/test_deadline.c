/*
 * test_deadline.c: when nobody has an answer: who hears what, and when; what is remembered of it.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

static void the_deadline_is_kept(void **state)
{
    (void) state;
    static const msec_t deadlines[] = {0, 1000, 2500, 6000};
    for (size_t i = 0; i < ARRAY_LEN(deadlines); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i, .deadline = deadlines[i]});
        SAY(world, EVERYBODY, ".", SILENT);
        const struct ask *ask = world_ask(world, "void.example", TYPE_MX);
        assert_int_equal(world_wait(world, ask), deadlines[i] ? deadlines[i] : 4500);
        assert_int_equal(ask->rcode, RCODE_SERVFAIL);
        assert_int_equal(ask->ede, EDE_NETWORK_ERROR);
        assert_int_equal(engine_counters(world_engine(world, 0))->deadlines, 1);
        world_end(world);
    }
}

static void when_all_fail_the_client_hears_it_at_once(void **state)
{
    (void) state;
    static const enum way ways[] = {SERVFAILS, REFUSES, FORMERRS};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        SAY(world, EVERYBODY, "dead.example", ways[i]);
        const struct ask *ask = world_ask(world, "dead.example", TYPE_MX);
        assert_true(world_wait(world, ask) <= 4 * (DOMESTIC_DELAY + EXTERNAL_DELAY));
        assert_int_equal(ask->rcode, RCODE_SERVFAIL);
        assert_int_equal(ask->ede, EDE_NO_REACHABLE_AUTHORITY);
        assert_int_equal(engine_counters(world_engine(world, 0))->deadlines, 0);
        world_end(world);
    }
}

/* ICMP alone ends nothing, for anybody can forge it. Once probes have found the same, it is heard at once. */
static void icmp_is_heard_where_probes_say_the_same(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    SAY(world, EVERYBODY, ".", UNREACHABLE);
    const struct ask *ask = world_ask(world, "first.example", TYPE_MX);
    assert_int_equal(world_wait(world, ask), 4500);
    assert_int_equal(ask->ede, EDE_NETWORK_ERROR);
    world_run(world, 6000);
    ask = world_ask(world, "second.example", TYPE_MX);
    assert_true(world_wait(world, ask) <= 4 * (DOMESTIC_DELAY + EXTERNAL_DELAY));
    assert_int_equal(ask->rcode, RCODE_SERVFAIL);
    assert_int_equal(ask->ede, EDE_NETWORK_ERROR);
    world_end(world);
}

/* RFC 9520: 5 s, doubling; meanwhile nobody is asked. */
static void a_failure_is_remembered(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1, .learning = SETUP_LEARN_NOTHING});
    SAY(world, EVERYBODY, "dead.example", SERVFAILS);
    for (msec_t hold = 5000; hold <= 40000; hold *= 2) {
        world_resolve(world, "dead.example", TYPE_MX);
        size_t asked = world_count(world, EVERYBODY, "dead.example", BY_CLIENTS);
        world_run(world, hold - 1000);
        const struct ask *ask = world_ask(world, "dead.example", TYPE_MX);
        assert_int_equal(ask->answers, 1);
        assert_int_equal(ask->rcode, RCODE_SERVFAIL);
        assert_int_equal(world_count(world, EVERYBODY, "dead.example", BY_CLIENTS), asked);
        world_run(world, 2000);
    }
    SAY(world, DOMESTIC, "dead.example", ANSWERS);
    world_run(world, 80000);
    assert_int_equal(world_resolve(world, "dead.example", TYPE_MX)->rcode, RCODE_NOERROR);
    world_end(world);
}

static void a_stale_answer_is_better_than_none(void **state)
{
    (void) state;
    static const struct {
        enum way way;
        msec_t   took;
    } rows[] = {{SILENT, STALE_AFTER}, {SERVFAILS, 1000}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        world_resolve(world, "old.example", TYPE_MX);
        world_run(world, 400000);
        SAY(world, EVERYBODY, ".", rows[i].way);
        const struct ask *ask = world_ask(world, "old.example", TYPE_MX);
        assert_true(world_wait(world, ask) <= rows[i].took);
        assert_int_equal(ask->rcode, RCODE_NOERROR);
        assert_int_equal(ask->ede, EDE_STALE_ANSWER);
        assert_int_equal(ask->records, 1);
        /* while the failure is remembered, too */
        ask = world_ask(world, "old.example", TYPE_MX);
        assert_int_equal(ask->answers, 1);
        assert_int_equal(ask->ede, EDE_STALE_ANSWER);
        world_end(world);
    }
}

static void no_stale_denial(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    SAY(world, EVERYBODY, "old.example", NXDOMAINS);
    world_resolve(world, "no.old.example", TYPE_MX);
    world_run(world, 400000);
    SAY(world, EVERYBODY, ".", SERVFAILS);
    assert_int_equal(world_resolve(world, "no.old.example", TYPE_MX)->rcode, RCODE_SERVFAIL);
    world_end(world);
}

static size_t datagrams(const struct world *world, const char *name)
{
    const struct name wanted = named(name);
    size_t            count  = 0;
    for (size_t i = 0; i < world_sendings(world); i++) {
        const struct sending *sending = world_sending(world, i);
        count += sending->transport == TRANSPORT_UDP && !sending->probe &&
                 name_equal(name_view(&sending->name), name_view(&wanted));
    }
    return count;
}

/* Who joins waits his own time, costs nothing of his own while the question has datagrams left, and shares the answer.
 */
static void joiners_have_their_own_deadline(void **state)
{
    (void) state;
    struct world     *world = world_create(&(struct world_options){.seed = 1});
    const struct ask *asks[5];
    SAY(world, EVERYBODY, "void.example", SILENT);
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        asks[i] = world_ask(world, i % 2 ? "void.example" : "VOID.example", TYPE_MX);
        world_run(world, 300);
    }
    for (size_t i = 0; i < ARRAY_LEN(asks); i++)
        assert_int_equal(world_wait(world, asks[i]), 4500);
    world_run(world, 5000);
    assert_true(datagrams(world, "void.example") <= LIMIT_UDP_SENDS);
    world_end(world);

    world = world_create(&(struct world_options){.seed = 2});
    SAY(world, DOMESTIC, "slow.example", ANSWERS, .after = 600);
    const struct ask *first = world_ask(world, "slow.example", TYPE_MX);
    world_run(world, 100);
    const struct ask *second = world_ask(world, "slow.example", TYPE_MX);
    assert_int_equal(world_wait(world, second), 500);
    assert_int_equal(first->answered, second->answered);
    world_end(world);
}

/* Whichever workers the same question reaches, it is asked once, and all have their answer in time. */
static void workers_share_a_question(void **state)
{
    (void) state;
    static const struct manner manners[] = {
        {.way = ANSWERS, .after = 300}, {.way = SILENT}, {.way = SERVFAILS}, {.way = ANSWERS, .after = 4900}};
    for (size_t i = 0; i < ARRAY_LEN(manners); i++) {
        struct world     *world = world_create(&(struct world_options){.seed = i, .workers = 3});
        const struct ask *asks[3];
        world_say(world, EVERYBODY, "same.example", manners[i]);
        for (unsigned worker = 0; worker < ARRAY_LEN(asks); worker++) {
            asks[worker] = world_ask_by(
                world, &(struct world_question){.name = "same.example", .type = TYPE_MX, .worker = worker});
            world_run(world, 1);
        }
        for (unsigned worker = 0; worker < ARRAY_LEN(asks); worker++) {
            world_wait(world, asks[worker]);
            assert_int_equal(asks[worker]->rcode, asks[0]->rcode);
        }
        world_run(world, 12000);
        assert_true(world_count(world, EVERYBODY, "same.example", BY_CLIENTS) <= LIMIT_UDP_SENDS);
        world_end(world);
    }
}

/* The client's next try finds what came too late for the first. */
static void work_goes_on_behind_the_deadline(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    SAY(world, EVERYBODY, "late.example", ANSWERS, .after = 4900);
    const struct ask *ask = world_ask(world, "late.example", TYPE_MX);
    assert_int_equal(world_wait(world, ask), 4500);
    assert_int_equal(ask->rcode, RCODE_SERVFAIL);
    world_run(world, 500);
    ask = world_ask(world, "late.example", TYPE_MX);
    assert_int_equal(ask->answers, 1);
    assert_int_equal(ask->rcode, RCODE_NOERROR);
    world_end(world);
}

/* Silence is the network's fault: a name asked again and again in an outage is not held back when it is over. */
static void an_outage_leaves_no_failure_behind(void **state)
{
    (void) state;
    static const enum way domestic[] = {SILENT, SERVFAILS};
    for (size_t i = 0; i < ARRAY_LEN(domestic); i++) {
        struct world *world = world_create(&(struct world_options){.seed = 9});
        SAY(world, DOMESTIC, "example", domestic[i]);
        SAY(world, EXTERNAL, "example", SILENT);
        for (int n = 0; n < 40; n++) {
            world_resolve(world, "patient.example", TYPE_MX);
            world_run(world, 5100);
        }
        SAY(world, DOMESTIC | EXTERNAL, "example", ANSWERS);
        world_run(world, 5000);
        assert_int_equal(world_resolve(world, "patient.example", TYPE_MX)->rcode, RCODE_NOERROR);
        world_end(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outage_leaves_no_failure_behind),
        cmocka_unit_test(the_deadline_is_kept),
        cmocka_unit_test(when_all_fail_the_client_hears_it_at_once),
        cmocka_unit_test(a_failure_is_remembered),
        cmocka_unit_test(icmp_is_heard_where_probes_say_the_same),
        cmocka_unit_test(a_stale_answer_is_better_than_none),
        cmocka_unit_test(no_stale_denial),
        cmocka_unit_test(joiners_have_their_own_deadline),
        cmocka_unit_test(workers_share_a_question),
        cmocka_unit_test(work_goes_on_behind_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
