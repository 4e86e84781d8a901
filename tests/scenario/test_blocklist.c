/*
 * test_blocklist.c: a blocklist's errors (codes in 127.255.255.0/24 and the list's own, addresses outside 127.0.0.0/8)
 * are neither listings nor evidence. That it never goes abroad is in test_fence.c.
 */
#include "lib/world.h"

#include "lib/check.h"

#include <stdio.h>

#define LISTED UINT32_C(0x7f000002)
#define CODE(n) (UINT32_C(0x7fffff00) | (n))
#define PARKED UINT32_C(0xcb007109) /* 203.0.113.9 */
#define REFUSED UINT32_C(0x7f000001)

static const struct world_options blocklists = {
    .seed          = 1,
    .recheck_first = 10000,
    .recheck_max   = 20000,
    .fences = {{"list.example", VIA_GROUP, SETUP_DOMESTIC, true}, {"list.test", VIA_GROUP, SETUP_DOMESTIC, true}}};

static void answers_with(struct world *world, unsigned servers, const char *zone, uint32_t address)
{
    SAY(world, servers, zone, ANSWERS, .address = address);
}

static uint64_t errors(const struct world *world)
{
    return atomic_load(&engine_counters(world_engine(world, 0))->blocklist_errors);
}

/* A SERVFAIL with the text, which only a client that sent EDNS sees. */
static void assert_servfail(const struct ask *ask)
{
    assert_int_equal(ask->rcode, RCODE_SERVFAIL);
    assert_int_equal(ask->ede, EDE_OTHER);
    assert_int_equal(ask->records, 0);
}

static void nothing_was_learned(struct world *world)
{
    world_run(world, 60000);
    assert_int_equal(table_count(world_shared(world).table), 0);
    for (unsigned server = DOMESTIC_1; server <= DOMESTIC_2; server <<= 1)
        assert_int_equal(server_health(world_server(world, server)), HEALTH_UP);
}

static void listings_pass(void **state)
{
    (void) state;
    static const uint32_t addresses[] = {LISTED,     0x7f000001, 0x7f00000b, 0x7f0001ff,
                                         0x7ffffefe, 0x7ffefffe, 0x7f000000};
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        struct world *world = world_create(&blocklists);
        answers_with(world, DOMESTIC, "list.example", addresses[i]);
        const struct ask *ask = world_resolve(world, "2.0.0.127.list.example", TYPE_A);
        assert_int_equal(ask->rcode, RCODE_NOERROR);
        assert_int_equal(ask->address, addresses[i]);
        assert_int_equal(errors(world), 0);
        assert_int_equal(world_complaints(world), 0);
        world_end(world);
    }
}

static void an_error_code_becomes_servfail(void **state)
{
    (void) state;
    struct world *world = world_create(&blocklists);
    answers_with(world, EVERYBODY, "example", CODE(254));
    const struct ask *ask = world_ask(world, "2.0.0.127.list.example", TYPE_A);
    assert_int_equal(world_wait(world, ask), 2 * DOMESTIC_DELAY);
    assert_servfail(ask);
    assert_int_equal(world_count(world, DOMESTIC, "list.example", BY_ALL), 2);
    assert_int_equal(errors(world), 2);
    assert_int_equal(atomic_load(&engine_counters(world_engine(world, 0))->failed), 1);

    /* kept for 5 s as any failure is, and asked again afterwards */
    assert_servfail(world_resolve(world, "2.0.0.127.LIST.example", TYPE_A));
    assert_int_equal(world_count(world, DOMESTIC, "list.example", BY_ALL), 2);
    world_run(world, 5000);
    assert_servfail(world_resolve(world, "2.0.0.127.list.example", TYPE_A));
    assert_int_equal(world_count(world, DOMESTIC, "list.example", BY_ALL), 4);
    answers_with(world, DOMESTIC, "list.example", LISTED);
    world_run(world, 10000);
    assert_int_equal(world_resolve(world, "2.0.0.127.list.example", TYPE_A)->address, LISTED);

    assert_int_equal(world_count(world, EXTERNAL, "list.example", BY_ALL), 0);
    nothing_was_learned(world);
    for (unsigned server = DOMESTIC_1; server <= DOMESTIC_2; server <<= 1) {
        const struct server *upstream = world_server(world, server);
        assert_true(atomic_load(&upstream->outcomes[TRANSPORT_UDP][OUTCOME_ANSWER]) >= 2);
        assert_int_equal(atomic_load(&upstream->outcomes[TRANSPORT_UDP][OUTCOME_SERVFAIL]), 0);
        assert_int_equal(atomic_load(&upstream->last_failure), 0);
    }
    world_end(world);
}

static void all_the_codes_and_no_other_zone(void **state)
{
    (void) state;
    struct world *world = world_create(&blocklists);
    for (uint32_t code = 0; code < 256; code += 51) {
        char name[60];
        snprintf(name, sizeof(name), "%u.0.0.127.list.example", (unsigned) code);
        answers_with(world, DOMESTIC, name, CODE(code));
        assert_servfail(world_resolve(world, name, TYPE_A));
        snprintf(name, sizeof(name), "%u.0.0.127.nolist.example", (unsigned) code);
        answers_with(world, DOMESTIC, name, CODE(code));
        assert_int_equal(world_resolve(world, name, TYPE_A)->address, CODE(code));
    }
    world_end(world);
}

/* A question for ANY has it too; one without A records has none. */
static void other_types(void **state)
{
    (void) state;
    struct world *world = world_create(&blocklists);
    answers_with(world, DOMESTIC, "list.example", CODE(254));
    assert_servfail(world_resolve(world, "2.0.0.127.list.example", TYPE_ANY));
    assert_int_equal(world_resolve(world, "2.0.0.127.list.example", TYPE_TXT)->rcode, RCODE_NOERROR);
    world_alias(world, "3.0.0.127.list.example", "elsewhere.example");
    assert_servfail(world_resolve(world, "3.0.0.127.list.example", TYPE_A));
    world_end(world);
}

/* What the list did not say: its domain is parked, or a resolver puts its own address in the place of NXDOMAIN. */
static void an_address_outside_127_becomes_servfail(void **state)
{
    (void) state;
    static const uint16_t    types[] = {TYPE_A, TYPE_AAAA, TYPE_ANY};
    static const char *const names[] = {"2.0.0.127.list.example", "example.com.dbl.list.example",
                                        "mail.dbl.list.example", "0123456789abcdef0123456789abcdef.list.example"};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        for (size_t j = 0; j < ARRAY_LEN(names); j++) {
            struct world *world = world_create(&blocklists);
            answers_with(world, EVERYBODY, "example", PARKED);
            assert_servfail(world_resolve(world, names[j], types[i]));
            assert_int_equal(errors(world), 2);
            assert_int_equal(world_resolve(world, "www.list.example", types[i])->rcode, RCODE_NOERROR);
            assert_int_equal(world_resolve(world, "2.0.0.127.nolist.example", types[i])->rcode, RCODE_NOERROR);
            assert_int_equal(errors(world), 2);
            assert_int_equal(world_complaints(world), 1);
            assert_int_equal(world_complaint(world)->answer_len, types[i] == TYPE_AAAA ? 16 : 4);
            assert_int_equal(world_count(world, EXTERNAL, "list.example", BY_ALL), 0);
            nothing_was_learned(world);
            world_end(world);
        }
}

static void a_list_may_refuse_in_its_own_way(void **state)
{
    (void) state;
    struct world_options options = blocklists;
    options.fences[0].refusal    = REFUSED;
    struct world *world          = world_create(&options);
    answers_with(world, DOMESTIC, ".", REFUSED);
    assert_servfail(world_resolve(world, "2.0.0.127.list.example", TYPE_A));
    assert_int_equal(world_resolve(world, "2.0.0.127.list.test", TYPE_A)->address, REFUSED);
    answers_with(world, DOMESTIC, ".", LISTED);
    assert_int_equal(world_resolve(world, "3.0.0.127.list.example", TYPE_A)->address, LISTED);
    world_end(world);
}

/* A public resolver among the domestic ones: whichever is asked first, the other's answer counts. So with one that
 * makes up answers. */
static void the_next_upstream_may_be_served(void **state)
{
    (void) state;
    uint64_t total = 0;
    for (unsigned turn = 0; turn < 4; turn++) {
        unsigned      refused = turn & 1 ? DOMESTIC_1 : DOMESTIC_2;
        struct world *world   = world_create(&blocklists);
        answers_with(world, DOMESTIC, "list.example", LISTED);
        answers_with(world, refused, "list.example", turn & 2 ? CODE(254) : PARKED);
        for (size_t i = 0; i < 6; i++) {
            char name[40];
            snprintf(name, sizeof(name), "%zu.0.0.127.list.example", i);
            const struct ask *ask  = world_ask(world, name, TYPE_A);
            msec_t            took = world_wait(world, ask);
            assert_int_equal(ask->rcode, RCODE_NOERROR);
            assert_int_equal(ask->address, LISTED);
            assert_int_equal(ask->ede, EDE_NONE);
            assert_true(took <= 2 * DOMESTIC_DELAY);
            assert_true(world_count(world, DOMESTIC, name, BY_ALL) <= 2);
        }
        total += errors(world);
        assert_int_equal(world_complaints(world), errors(world) > 0);
        if (errors(world) > 0)
            assert_true(address_equal(&world_complaint(world)->upstream, &world_server(world, refused)->address));
        nothing_was_learned(world);
        world_end(world);
    }
    assert_true(total > 0);
}

/* One is refused by the list, the other is silent: the deadline says what is known. */
static void an_error_code_and_silence(void **state)
{
    (void) state;
    struct world *world = world_create(&blocklists);
    answers_with(world, DOMESTIC_1, "list.example", CODE(254));
    SAY(world, DOMESTIC_2, "list.example", SILENT);
    const struct ask *ask = world_resolve(world, "2.0.0.127.list.example", TYPE_A);
    assert_servfail(ask);
    assert_int_equal(world_count(world, EXTERNAL, "list.example", BY_ALL), 0);
    world_run(world, 20000);
    assert_int_equal(table_count(world_shared(world).table), 0);
    world_end(world);
}

static void who_joins_gets_the_same(void **state)
{
    (void) state;
    struct world_options options = blocklists;
    options.workers              = 2;
    struct world *world          = world_create(&options);
    answers_with(world, DOMESTIC, "list.example", CODE(255));
    const struct world_question question = {.name = "2.0.0.127.list.example", .type = TYPE_A, .worker = 1};
    const struct ask *asks[] = {world_ask(world, question.name, TYPE_A), world_ask(world, question.name, TYPE_A),
                                world_ask_by(world, &question)};
    world_run(world, 2000);
    for (size_t i = 0; i < ARRAY_LEN(asks); i++)
        assert_servfail(asks[i]);
    assert_int_equal(world_count(world, DOMESTIC, "list.example", BY_ALL), 2);
    world_end(world);
}

/* As with any failure, an old answer is better than none. */
static void a_stale_answer_goes_before(void **state)
{
    (void) state;
    struct world *world = world_create(&blocklists);
    answers_with(world, DOMESTIC, "list.example", LISTED);
    world_resolve(world, "2.0.0.127.list.example", TYPE_A);
    world_run(world, 400000);
    answers_with(world, DOMESTIC, "list.example", CODE(255));
    const struct ask *ask = world_resolve(world, "2.0.0.127.list.example", TYPE_A);
    assert_int_equal(ask->address, LISTED);
    assert_int_equal(ask->ede, EDE_STALE_ANSWER);
    world_end(world);
}

static void a_complaint_an_hour(void **state)
{
    (void) state;
    struct world *world = world_create(&blocklists);
    answers_with(world, DOMESTIC, "list.example", CODE(254));
    answers_with(world, DOMESTIC, "list.test", CODE(255));
    unsigned first = 0, after = 0;
    for (unsigned minute = 0; minute < 130; minute++) {
        char name[60];
        snprintf(name, sizeof(name), "%u.0.0.127.zen.list.example", minute);
        world_resolve(world, name, TYPE_A);
        world_run(world, 60000);
        first += world_complaints(world) == 1;
        after += world_complaints(world) == 2;
    }
    assert_in_range(first, 59, 61);
    assert_in_range(after, 59, 61);
    assert_int_equal(world_complaints(world), 3);
    const struct observation *complaint = world_complaint(world);
    const struct name         list = named("list.example"), name = named("120.0.0.127.zen.list.example");
    assert_true(name_equal(name_view(&complaint->zone), name_view(&list)));
    assert_true(name_equal(name_view(&complaint->name), name_view(&name)));
    assert_int_equal(complaint->answer_len, 4);
    assert_int_equal(complaint->answer[3], 254);

    world_resolve(world, "2.0.0.127.list.test", TYPE_A); /* each list has its own hour */
    world_run(world, 1000);
    assert_int_equal(world_complaints(world), 4);
    assert_int_equal(world_complaint(world)->answer[3], 255);
    world_end(world);
}

static void passed_on_by_setting(void **state)
{
    (void) state;
    struct world_options options = blocklists;
    options.pass_list_errors     = true;
    struct world *world          = world_create(&options);
    answers_with(world, DOMESTIC, "list.example", CODE(254));
    for (size_t i = 0; i < 2; i++) { /* the second is a hit of the cache */
        const struct ask *ask = world_resolve(world, "2.0.0.127.list.example", TYPE_A);
        assert_int_equal(ask->rcode, RCODE_NOERROR);
        assert_int_equal(ask->address, CODE(254));
        assert_int_equal(ask->ede, EDE_NONE);
        assert_int_equal(world_count(world, DOMESTIC, "list.example", BY_ALL), 1);
        assert_int_equal(errors(world), 1);
    }
    world_run(world, 1000);
    assert_int_equal(world_complaints(world), 1);
    nothing_was_learned(world);
    world_end(world);
}

/* ---- where the operator says which way ---- */

static void another_group_of_the_operators(void **state)
{
    (void) state;
    struct world *world =
        world_create(&(struct world_options){.seed   = 1,
                                             .office = 1,
                                             .fences = {{"list.example", VIA_GROUP, SETUP_DOMESTIC, true},
                                                        {"list.example", VIA_GROUP, GROUP_OFFICE, false}}});
    answers_with(world, OFFICE, "list.example", CODE(254));
    assert_servfail(world_resolve(world, "2.0.0.127.list.example", TYPE_A));
    answers_with(world, OFFICE, "list.example", LISTED);
    assert_int_equal(world_resolve(world, "3.0.0.127.list.example", TYPE_A)->address, LISTED);
    assert_int_equal(world_count(world, DOMESTIC | EXTERNAL, "list.example", BY_ALL), 0);
    assert_int_equal(world_complaints(world), 1);
    world_end(world);
}

static const struct world_options opened = {
    .seed = 1, .fences = {{"list.example", VIA_GROUP, SETUP_DOMESTIC, true}, {"zen.list.example", VIA_AUTO, 0, false}}};

/* Opened by the operator: external may be asked, but not because the list refuses domestic. */
static void an_error_code_does_not_open_external(void **state)
{
    (void) state;
    for (unsigned turn = 0; turn < 2; turn++) {
        struct world *world = world_create(&opened);
        world_warm_up(world);
        answers_with(world, DOMESTIC, "list.example", turn ? CODE(254) : PARKED);
        answers_with(world, EXTERNAL, "list.example", LISTED);
        for (size_t i = 0; i < 5; i++) {
            char name[60];
            snprintf(name, sizeof(name), "%zu.0.0.127.zen.list.example", i);
            assert_servfail(world_resolve(world, name, TYPE_A));
        }
        world_run(world, 60000);
        assert_int_equal(world_count(world, EXTERNAL, "list.example", BY_ALL), 0);
        assert_int_equal(table_count(world_shared(world).table), 0);

        /* silence does */
        SAY(world, DOMESTIC, "list.example", SILENT);
        const struct ask *ask = world_resolve(world, "9.0.0.127.zen.list.example", TYPE_A);
        assert_int_equal(ask->address, LISTED);
        world_end(world);
    }
}

/* One domestic upstream is refused by the list, so the list can be reached; that the other fails is no block. */
static void an_error_code_is_no_evidence(void **state)
{
    (void) state;
    static const enum way ways[] = {SILENT, SERVFAILS, REFUSES};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&opened);
        world_warm_up(world);
        answers_with(world, DOMESTIC_1, "list.example", CODE(254));
        SAY(world, DOMESTIC_2, "list.example", ways[i]);
        answers_with(world, EXTERNAL, "list.example", LISTED);
        for (size_t j = 0; j < 5; j++) {
            char name[60];
            snprintf(name, sizeof(name), "%zu.0.0.127.zen.list.example", j);
            assert_int_equal(world_resolve(world, name, TYPE_A)->address, LISTED);
            world_run(world, 12000);
        }
        assert_int_equal(prober_read_stats(world_prober(world))->strikes, 0);
        assert_int_equal(table_count(world_shared(world).table), 0);
        world_end(world);
    }
}

/* Nor is it one that domestic is fine, where it is passed on. */
static void an_error_code_is_no_good_sign(void **state)
{
    (void) state;
    struct world_options options = opened;
    options.pass_list_errors     = true;
    struct world     *world      = world_create(&options);
    const struct name domain     = named("list.example");
    answers_with(world, DOMESTIC, "list.example", CODE(254));
    assert_int_equal(world_resolve(world, "2.0.0.127.zen.list.example", TYPE_A)->address, CODE(254));
    assert_false(recent_known(world_shared(world).good, name_view(&domain), world_now(world)));
    answers_with(world, DOMESTIC, "list.example", LISTED);
    assert_int_equal(world_resolve(world, "3.0.0.127.zen.list.example", TYPE_A)->address, LISTED);
    assert_true(recent_known(world_shared(world).good, name_view(&domain), world_now(world)));
    world_end(world);
}

/* External is no better than domestic where the list refuses it. */
static void external_is_refused_as_well(void **state)
{
    (void) state;
    struct world *world = world_create(&opened);
    world_warm_up(world);
    SAY(world, DOMESTIC, "list.example", SERVFAILS);
    answers_with(world, EXTERNAL, "list.example", CODE(254));
    assert_servfail(world_resolve(world, "2.0.0.127.zen.list.example", TYPE_A));
    world_run(world, 60000);
    assert_int_equal(prober_read_stats(world_prober(world))->broken_checks, 0);
    assert_int_equal(table_count(world_shared(world).table), 0);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listings_pass),
        cmocka_unit_test(an_error_code_becomes_servfail),
        cmocka_unit_test(all_the_codes_and_no_other_zone),
        cmocka_unit_test(other_types),
        cmocka_unit_test(an_address_outside_127_becomes_servfail),
        cmocka_unit_test(a_list_may_refuse_in_its_own_way),
        cmocka_unit_test(the_next_upstream_may_be_served),
        cmocka_unit_test(an_error_code_and_silence),
        cmocka_unit_test(who_joins_gets_the_same),
        cmocka_unit_test(a_stale_answer_goes_before),
        cmocka_unit_test(a_complaint_an_hour),
        cmocka_unit_test(passed_on_by_setting),
        cmocka_unit_test(another_group_of_the_operators),
        cmocka_unit_test(an_error_code_does_not_open_external),
        cmocka_unit_test(an_error_code_is_no_evidence),
        cmocka_unit_test(an_error_code_is_no_good_sign),
        cmocka_unit_test(external_is_refused_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
