/*
 * test_fallback.c: one question, from the first upstream asked to the answer: who is asked when, and whose word counts.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

enum {
    AT_ONCE = 20 /* ms of byway's own that a failure may cost */
};

static void what_domestic_answers_stays_there(void **state)
{
    (void) state;
    static const enum way ways[] = {ANSWERS, NXDOMAINS, HAS_NO_DATA, NO_EDNS, TRUNCATES};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        SAY(world, DOMESTIC, "open.example", ways[i]);
        const struct ask *ask = world_ask(world, "mail.open.example", TYPE_MX);
        assert_true(world_wait(world, ask) <= 3 * DOMESTIC_DELAY);
        assert_int_equal(ask->rcode, ways[i] == NXDOMAINS ? RCODE_NXDOMAIN : RCODE_NOERROR);
        assert_int_equal(ask->ede, EDE_NONE);
        world_run(world, 15000);
        assert_int_equal(world_count(world, EXTERNAL, ".", BY_ALL), 0);
        assert_int_equal(table_count(world_shared(world).table), 0);
        world_end(world);
    }
}

/* Within its patience a slow domestic answer is waited for, and external hears nothing. */
static void a_slow_domestic_answer_stays_there(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    SAY(world, DOMESTIC, "slow.example", ANSWERS, .after = 850);
    const struct ask *ask = world_ask(world, "slow.example", TYPE_MX);
    assert_int_equal(world_wait(world, ask), 850);
    assert_int_equal(ask->group, SETUP_DOMESTIC);
    assert_int_equal(world_count(world, EXTERNAL, ".", BY_ALL), 0);
    world_end(world);
}

static void a_failure_is_followed_at_once(void **state)
{
    (void) state;
    static const enum way ways[] = {SERVFAILS, REFUSES, FORMERRS};
    for (unsigned servers = 1; servers <= 3; servers++)
        for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
            struct world *world = world_create(&(struct world_options){.seed = i, .domestic = servers});
            SAY(world, DOMESTIC, "bad.example", ways[i]);
            const struct ask *ask  = world_ask(world, "bad.example", TYPE_MX);
            msec_t            took = world_wait(world, ask);
            assert_true(took <= 2 * (msec_t) servers * DOMESTIC_DELAY + EXTERNAL_DELAY + AT_ONCE);
            assert_int_equal(ask->rcode, RCODE_NOERROR);
            assert_int_equal(ask->group, SETUP_EXTERNAL);
            assert_int_equal(ask->ede, EDE_OTHER);
            /* a FORMERR costs two datagrams each: the third server is not asked, since external keeps its share */
            for (unsigned server = 0; server < servers && (server < 2 || ways[i] != FORMERRS); server++)
                assert_true(world_count(world, 1u << server, "bad.example", BY_CLIENTS) >= 1);
            world_end(world);
        }
}

/* The network says so, or somebody who would have it believed: the next upstream of the group is asked at once, and the
 * other group when patience is over. */
static void icmp_is_a_hint(void **state)
{
    (void) state;
    for (unsigned servers = 1; servers <= 3; servers++) {
        struct world *world = world_create(&(struct world_options){.seed = servers, .domestic = servers});
        SAY(world, DOMESTIC, "bad.example", UNREACHABLE);
        const struct ask *ask = world_ask(world, "bad.example", TYPE_MX);
        world_run(world, servers * DOMESTIC_DELAY);
        for (unsigned server = 0; server < servers; server++)
            assert_int_equal(world_count(world, 1u << server, "bad.example", BY_CLIENTS), 1);
        world_run(world, PATIENCE_UNKNOWN - 1 - servers * DOMESTIC_DELAY);
        assert_int_equal(world_count(world, EXTERNAL, "bad.example", BY_CLIENTS), 0);
        world_wait(world, ask);
        assert_int_equal(ask->answered - ask->asked, PATIENCE_UNKNOWN + EXTERNAL_DELAY);
        assert_int_equal(ask->group, SETUP_EXTERNAL);
        world_end(world);
    }
}

static void one_failure_is_not_all(void **state)
{
    (void) state;
    static const enum way ways[] = {SERVFAILS, REFUSES, FORMERRS, UNREACHABLE};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        SAY(world, DOMESTIC_1, "half.example", ways[i]);
        const struct ask *ask = world_ask(world, "half.example", TYPE_MX);
        assert_true(world_wait(world, ask) <= 3 * DOMESTIC_DELAY);
        assert_int_equal(ask->group, SETUP_DOMESTIC);
        world_run(world, 15000);
        assert_int_equal(world_count(world, EXTERNAL, ".", BY_ALL), 0);
        world_end(world);
    }
}

static void silence_is_borne_with_patience(void **state)
{
    (void) state;
    static const struct {
        const char *name;
        bool        good; /* domestic answered for it before */
        msec_t      set;  /* fallback.patience */
        msec_t      patience;
    } rows[] = {
        {"unknown", false, 0, PATIENCE_UNKNOWN},
        {"good", true, 0, PATIENCE_GOOD},
        {"set", false, 300, 300},
        {"set, for a good one too", true, 300, 300},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i, .patience = rows[i].set});
        if (rows[i].good)
            world_resolve(world, "before.still.example", TYPE_A);
        SAY(world, DOMESTIC, "still.example", SILENT);
        const struct ask *ask  = world_ask(world, "still.example", TYPE_MX);
        msec_t            took = world_wait(world, ask);
        if (took != rows[i].patience + EXTERNAL_DELAY)
            fail_msg("%s: %d ms", rows[i].name, (int) took);
        assert_int_equal(ask->group, SETUP_EXTERNAL);
        world_end(world);
    }
}

/* What is in the table decides: a suspect is given little time, a blocked zone none. */
static void patience_ends_with_suspicion(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    SAY(world, DOMESTIC, "still.example", SILENT);
    assert_int_equal(world_wait(world, world_ask(world, "a.still.example", TYPE_MX)), 900 + EXTERNAL_DELAY);
    world_run(world, 10);
    assert_int_equal(world_state(world, "still.example"), ZONE_SUSPECT);
    assert_int_equal(world_wait(world, world_ask(world, "b.still.example", TYPE_MX)), 250 + EXTERNAL_DELAY);
    world_run(world, 10);
    assert_int_equal(world_wait(world, world_ask(world, "c.still.example", TYPE_MX)), EXTERNAL_DELAY);
    assert_true(world_count(world, DOMESTIC, "c.still.example", BY_CLIENTS) > 0);
    world_run(world, 12000);
    assert_int_equal(world_state(world, "still.example"), ZONE_BLOCKED);
    assert_int_equal(world_wait(world, world_ask(world, "d.still.example", TYPE_MX)), EXTERNAL_DELAY);
    assert_int_equal(world_count(world, DOMESTIC, "d.still.example", BY_ALL), 0);
    world_end(world);
}

static void the_second_upstream_is_the_hedge(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    for (unsigned known = 0; known < 2; known++) {
        const char *name = known ? "two.example" : "one.example";
        SAY(world, DOMESTIC_1, name, SILENT);
        const struct ask *ask  = world_ask(world, name, TYPE_MX);
        msec_t            took = world_wait(world, ask);
        assert_int_equal(ask->group, SETUP_DOMESTIC);
        assert_in_range(took, HEDGE_MIN + DOMESTIC_DELAY, HEDGE_MAX + DOMESTIC_DELAY);
        assert_int_equal(world_count(world, EXTERNAL, ".", BY_ALL), 0);
        SAY(world, DOMESTIC_1, name, ANSWERS);
        world_resolve(world, "well.example", TYPE_MX);
        world_run(world, 6000);
    }
    world_end(world);
}

/* One that answers others has all the patience there is; one that is not known to do so has little. */
static void silence_and_a_failure_together(void **state)
{
    (void) state;
    static const struct {
        unsigned silent, failing;
        bool     ill; /* the silent one is suspected by then */
        msec_t   most;
    } rows[] = {
        {DOMESTIC_1, DOMESTIC_2, false, PATIENCE_UNKNOWN},
        {DOMESTIC_2, DOMESTIC_1, false, PATIENCE_UNKNOWN},
        {DOMESTIC_1, DOMESTIC_2, true, DOMESTIC_DELAY + HEDGE_FAILED + AT_ONCE},
        {DOMESTIC_2, DOMESTIC_1, true, DOMESTIC_DELAY + HEDGE_FAILED + AT_ONCE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        if (rows[i].ill)
            server_suspect(world_server(world, rows[i].silent));
        SAY(world, rows[i].silent, ".", SILENT);
        SAY(world, rows[i].failing, "odd.example", SERVFAILS);
        const struct ask *ask = world_ask(world, "odd.example", TYPE_MX);
        assert_true(world_wait(world, ask) <= rows[i].most + EXTERNAL_DELAY);
        assert_int_equal(ask->group, SETUP_EXTERNAL);
        world_end(world);
    }
}

static size_t datagrams(const struct world *world, unsigned servers)
{
    size_t count = 0;
    for (size_t i = 0; i < world_sendings(world); i++) {
        const struct sending *sending = world_sending(world, i);
        count += sending->transport == TRANSPORT_UDP && !sending->probe && (sending->server & servers);
    }
    return count;
}

static void six_datagrams_are_enough(void **state)
{
    (void) state;
    for (unsigned domestic = 1; domestic <= 8; domestic++)
        for (unsigned external = 1; external <= 8; external++) {
            struct world *world =
                world_create(&(struct world_options){.seed = 1, .domestic = domestic, .external = external});
            SAY(world, EVERYBODY, "void.example", SILENT);
            const struct ask *ask = world_ask(world, "void.example", TYPE_MX);
            assert_int_equal(world_wait(world, ask), 4500);
            assert_int_equal(ask->rcode, RCODE_SERVFAIL);
            world_run(world, 10000);
            assert_in_range(datagrams(world, EVERYBODY), 4, LIMIT_UDP_SENDS);
            assert_true(datagrams(world, EXTERNAL) >= 2);
            world_end(world);
        }
}

static void a_cut_answer_is_fetched_over_tcp(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    SAY(world, EVERYBODY, "long.example", TRUNCATES);
    const struct ask *ask = world_resolve(world, "long.example", TYPE_TXT);
    assert_int_equal(ask->records, 1);
    assert_int_equal(ask->group, SETUP_DOMESTIC);

    /* TCP to one is broken: the next; to both: external */
    static const enum way broken[] = {UNREACHABLE, SERVFAILS, SILENT};
    char                  name[]   = "x0.long.example";
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct manner manner = {.way = broken[i], .only_over = true, .over = TRANSPORT_TCP};
        name[1]++;
        world_say(world, DOMESTIC_1, name, manner);
        ask = world_resolve(world, name, TYPE_TXT);
        assert_int_equal(ask->records, 1);
        assert_int_equal(ask->group, SETUP_DOMESTIC);
        world_run(world, 20000);
        name[1]++;
        world_say(world, DOMESTIC, name, manner);
        ask = world_resolve(world, name, TYPE_TXT);
        assert_int_equal(ask->records, 1);
        assert_int_equal(ask->group, SETUP_EXTERNAL);
        world_run(world, 20000);
    }
    world_end(world);
}

static void what_is_no_reply_is_waited_out(void **state)
{
    (void) state;
    static const enum way ways[] = {GARBLES, MISLEADS};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        SAY(world, DOMESTIC, "noise.example", ways[i]);
        const struct ask *ask = world_ask(world, "noise.example", TYPE_MX);
        assert_true(world_wait(world, ask) <= PATIENCE_UNKNOWN + EXTERNAL_DELAY + AT_ONCE);
        assert_int_equal(ask->group, SETUP_EXTERNAL);
        world_end(world);
    }
}

static void bogus_by_the_zones_own_fault_stands(void **state)
{
    (void) state;
    static const int codes[] = {EDE_SIGNATURE_EXPIRED, EDE_SIGNATURE_NOT_YET_VALID, EDE_NO_ZONE_KEY};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i, .trusted = EXTERNAL});
        SAY(world, DOMESTIC, "bogus.example", SERVFAILS, .ede = codes[i]);
        const struct ask *ask = world_resolve(world, "bogus.example", TYPE_MX);
        assert_int_equal(ask->rcode, RCODE_SERVFAIL);
        world_run(world, 20000);
        assert_int_equal(world_count(world, EXTERNAL, ".", BY_ALL), 0);
        assert_int_equal(table_count(world_shared(world).table), 0);

        /* asked with CD=1 it is the client who validates: the other way is open */
        ask = world_ask_by(
            world, &(struct world_question){.name = "cd.bogus.example", .type = TYPE_MX, .checking_disabled = true});
        world_wait(world, ask);
        assert_int_equal(ask->group, SETUP_EXTERNAL);
        world_end(world);
    }
}

static void bogus_by_the_border_needs_proof(void **state)
{
    (void) state;
    static const int codes[] = {EDE_BOGUS, EDE_DNSKEY_MISSING, EDE_RRSIGS_MISSING, EDE_NSEC_MISSING};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        for (unsigned proof = 0; proof < 4; proof++) {
            bool          trusted = proof & 1, authentic = proof & 2;
            struct world *world = world_create(&(struct world_options){.seed = i, .trusted = trusted ? EXTERNAL : 0});
            SAY(world, DOMESTIC, "bogus.example", SERVFAILS, .ede = codes[i]);
            SAY(world, EXTERNAL, "bogus.example", ANSWERS, .authentic = authentic);
            const struct ask *ask = world_resolve(world, "bogus.example", TYPE_MX);
            assert_int_equal(ask->rcode, trusted && authentic ? RCODE_NOERROR : RCODE_SERVFAIL);
            world_run(world, 20000);
            assert_true(world_count(world, EXTERNAL, "bogus.example", BY_CLIENTS) > 0);
            world_end(world);
        }
}

static void fallback_on_is_obeyed(void **state)
{
    (void) state;
    static const struct {
        enum way way;
        bool     not_on_timeout, not_on_servfail, not_on_refused;
        bool     external;
    } rows[] = {
        {SILENT, true, false, false, false},      {SERVFAILS, true, false, false, true},
        {SERVFAILS, false, true, false, false},   {REFUSES, false, true, false, true},
        {REFUSES, false, false, true, false},     {FORMERRS, false, false, true, false},
        {UNREACHABLE, true, false, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *world = world_create(&(struct world_options){.seed            = i,
                                                                   .not_on_timeout  = rows[i].not_on_timeout,
                                                                   .not_on_servfail = rows[i].not_on_servfail,
                                                                   .not_on_refused  = rows[i].not_on_refused});
        SAY(world, DOMESTIC, "bad.example", rows[i].way);
        const struct ask *ask = world_resolve(world, "bad.example", TYPE_MX);
        assert_int_equal(ask->rcode, rows[i].external ? RCODE_NOERROR : RCODE_SERVFAIL);
        world_run(world, 10000);
        if (rows[i].external != (world_count(world, EXTERNAL, "bad.example", BY_ALL) > 0))
            fail_msg("row %zu", i);
        world_end(world);
    }
}

/* A blocked zone that external does not answer is tried at home after all. */
static void external_down_for_a_blocked_zone(void **state)
{
    (void) state;
    static const struct {
        enum way way;
        msec_t   most;
    } rows[] = {
        {SILENT, PATIENCE_EXTERNAL + DOMESTIC_DELAY},
        {SERVFAILS, 2 * EXTERNAL_DELAY + DOMESTIC_DELAY + AT_ONCE},
        {UNREACHABLE, PATIENCE_EXTERNAL + DOMESTIC_DELAY},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        world_warm_up(world);
        SAY(world, DOMESTIC, "shut.example", SERVFAILS);
        world_learn(world, "shut.example", TYPE_MX);
        SAY(world, EXTERNAL, ".", rows[i].way);
        SAY(world, DOMESTIC, "shut.example", ANSWERS);
        const struct ask *ask = world_ask(world, "new.shut.example", TYPE_MX);
        assert_true(world_wait(world, ask) <= rows[i].most);
        assert_int_equal(ask->group, SETUP_DOMESTIC);
        world_end(world);
    }
}

/* One upstream of external is down, and the first datagrams to the other are lost. */
static void resends_go_to_the_upstream_that_is_there(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 77});
    world_warm_up(world);
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    world_learn(world, "shut.example", TYPE_MX);
    world_resolve(world, "first.shut.example", TYPE_MX);
    size_t last = world_sendings(world) - 1;
    while (world_sending(world, last)->probe)
        last--;
    unsigned down = world_sending(world, last)->server, there = EXTERNAL_1 + EXTERNAL_2 - down;
    assert_true(down & EXTERNAL);
    SAY(world, down, ".", SILENT);
    for (unsigned i = 0; i < 4; i++) {
        char name[] = "a0.shut.example";
        name[1]     = (char) ('0' + i);
        world_resolve(world, name, TYPE_MX);
        world_run(world, 2000);
    }
    assert_int_equal(server_health(world_server(world, down)), HEALTH_DOWN);
    SAY(world, there, ".", SILENT);
    const struct ask *ask = world_ask(world, "b.shut.example", TYPE_MX);
    world_run(world, 500);
    SAY(world, there, ".", ANSWERS);
    assert_in_range(world_wait(world, ask), 0, 2000);
    assert_int_equal(ask->group, SETUP_EXTERNAL);
    world_end(world);
}

/* A name that only domestic knows, external denies: in a domain that domestic has answered for, that is believed of what
 * hangs on an underscore alone, whichever label has it. */
static void a_denial_by_external_may_be_of_an_internal_name(void **state)
{
    (void) state;
    static const struct {
        const char *name;
        bool        believed;
    } rows[] = {
        {"host.good.example", false},  {"a.host.good.example", false},        {"a_b.good.example", false},
        {"_dmarc.good.example", true}, {"key._domainkey.good.example", true}, {"_25._tcp.mail.good.example", true},
        {"a.b._c.good.example", true}, {"host.elsewhere.example", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        world_warm_up(world);
        world_say(world, DOMESTIC, ".", (struct manner){.way = SILENT});
        world_say(world, EXTERNAL, ".", (struct manner){.way = NXDOMAINS});
        const struct ask *ask = world_resolve(world, rows[i].name, TYPE_TXT);
        if (ask->rcode != (rows[i].believed ? RCODE_NXDOMAIN : RCODE_SERVFAIL))
            fail_msg("%s: rcode %u", rows[i].name, ask->rcode);
        world_end(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resends_go_to_the_upstream_that_is_there),
        cmocka_unit_test(what_domestic_answers_stays_there),
        cmocka_unit_test(a_slow_domestic_answer_stays_there),
        cmocka_unit_test(a_failure_is_followed_at_once),
        cmocka_unit_test(icmp_is_a_hint),
        cmocka_unit_test(one_failure_is_not_all),
        cmocka_unit_test(silence_is_borne_with_patience),
        cmocka_unit_test(patience_ends_with_suspicion),
        cmocka_unit_test(the_second_upstream_is_the_hedge),
        cmocka_unit_test(silence_and_a_failure_together),
        cmocka_unit_test(six_datagrams_are_enough),
        cmocka_unit_test(a_cut_answer_is_fetched_over_tcp),
        cmocka_unit_test(what_is_no_reply_is_waited_out),
        cmocka_unit_test(bogus_by_the_zones_own_fault_stands),
        cmocka_unit_test(bogus_by_the_border_needs_proof),
        cmocka_unit_test(fallback_on_is_obeyed),
        cmocka_unit_test(external_down_for_a_blocked_zone),
        cmocka_unit_test(a_denial_by_external_may_be_of_an_internal_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
