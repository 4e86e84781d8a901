/*
 * test_learning.c: what becomes of a failure: what is learned of which zone, what is not, and how a zone comes back.
 */
#include "lib/world.h"

#include "lib/check.h"
#include "query/query.h"

#include <stdio.h>

static size_t count_type(const struct world *world, unsigned servers, const char *zone, uint16_t type, size_t since)
{
    const struct name name  = named(zone);
    size_t            count = 0;
    for (size_t i = since; i < world_sendings(world); i++) {
        const struct sending *sending = world_sending(world, i);
        count += sending->probe && sending->server & servers && sending->type == type &&
                 name_equal(name_view(&sending->name), name_view(&name));
    }
    return count;
}

/* Apex and question at each domestic upstream in turn, control questions; the third look-up goes straight abroad. */
static void a_blocked_zone_is_confirmed(void **state)
{
    (void) state;
    static const enum way ways[] = {SILENT, SERVFAILS, REFUSES};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        world_warm_up(world);
        SAY(world, DOMESTIC, "shut.example", ways[i]);
        size_t since = world_sendings(world);
        world_resolve(world, "mx.shut.example", TYPE_MX);
        world_run(world, 12000);
        for (unsigned server = DOMESTIC_1; server <= DOMESTIC_2; server *= 2) {
            size_t question = count_type(world, server, "mx.shut.example", TYPE_MX, since);
            size_t all      = world_count(world, server, "shut.example", BY_PROBER);
            assert_in_range(question, 1, 3);
            assert_in_range(all - question, 0, 3); /* the apex, by names that no cache holds */
        }
        assert_in_range(world_count(world, DOMESTIC, "shut.example", BY_PROBER), 3, 8);
        assert_true(world_count(world, DOMESTIC, "good.example", BY_PROBER) +
                        world_count(world, DOMESTIC, "fine.example", BY_PROBER) +
                        world_count(world, DOMESTIC, "well.example", BY_PROBER) >
                    0);
        assert_int_equal(world_state(world, "shut.example"), ZONE_BLOCKED);
        const struct zone *zone = world_zone(world, "shut.example", SCOPE_ZONE, 0);
        assert_int_equal(zone->condition.reason, ways[i] == SERVFAILS ? REASON_SERVFAIL
                                                 : ways[i] == REFUSES ? REASON_REFUSED
                                                                      : REASON_TIMEOUT);
        const struct ask *ask = world_ask(world, "third.shut.example", TYPE_MX);
        assert_int_equal(world_wait(world, ask), EXTERNAL_DELAY);
        assert_int_equal(ask->group, SETUP_EXTERNAL);
        assert_int_equal(world_count(world, DOMESTIC, "third.shut.example", BY_ALL), 0);
        world_end(world);
    }
}

/* Behind the first lookup that meets it: silence must last, and what fails must fail for some seconds. */
/* However many there are. */
static void three_upstreams_are_witnesses_enough(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 3, .domestic = 6});
    unsigned      asked = 0;
    world_warm_up(world);
    world_say(world, DOMESTIC, "shut.example", (struct manner){.way = SERVFAILS});
    world_learn(world, "mx.shut.example", TYPE_MX);
    for (unsigned i = 0; i < 6; i++)
        asked += world_count(world, DOMESTIC_1 << i, "shut.example", BY_PROBER) > 0;
    assert_int_equal(asked, TRIAL_WITNESSES);
    world_end(world);
}

static void how_soon_a_block_is_confirmed(void **state)
{
    (void) state;
    static const struct {
        enum way way;
        msec_t   least, most; /* ms */
    } rows[] = {{SILENT, TRIAL_PATIENT, TRIAL_PATIENT + TRIAL_SPREAD},
                {SERVFAILS, TRIAL_SPREAD, 3 * TRIAL_SPREAD},
                {REFUSES, TRIAL_SPREAD, 3 * TRIAL_SPREAD}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        world_warm_up(world);
        SAY(world, DOMESTIC, "shut.example", rows[i].way);
        msec_t began = world_now(world) + world_wait(world, world_ask(world, "mx.shut.example", TYPE_MX));
        while (world_state(world, "shut.example") != ZONE_BLOCKED && world_now(world) - began < 20000)
            world_run(world, 10);
        assert_in_range(world_now(world) - began, rows[i].least, rows[i].most);
        world_end(world);
    }
}

static void learning_can_be_off(void **state)
{
    (void) state;
    for (int mode = SETUP_OBSERVE; mode <= SETUP_LEARN_NOTHING; mode++) {
        struct world *world = world_create(&(struct world_options){.seed = 1, .learning = (enum setup_learning) mode});
        world_warm_up(world);
        SAY(world, DOMESTIC, "shut.example", SERVFAILS);
        world_resolve(world, "a.shut.example", TYPE_MX);
        world_run(world, 12000);
        assert_int_equal(world_state(world, "shut.example"), mode == SETUP_OBSERVE ? ZONE_BLOCKED : ZONE_CLEAR);
        const struct ask *ask = world_resolve(world, "b.shut.example", TYPE_MX);
        assert_int_equal(ask->group, SETUP_EXTERNAL);
        assert_true(world_count(world, DOMESTIC, "b.shut.example", BY_CLIENTS) > 0);
        assert_int_equal(atomic_load(&engine_counters(world_engine(world, 0))->would_reroute), mode == SETUP_OBSERVE);
        world_end(world);
    }
}

/* The apex is fine and only one name, or one type of it, fails. */
static void the_scope_is_as_narrow_as_the_failure(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    SAY(world, DOMESTIC, "www.part.example", SERVFAILS);
    SAY(world, DOMESTIC, "txt.part.example", SERVFAILS, .type = TYPE_TXT);
    world_resolve(world, "www.part.example", TYPE_A);
    world_run(world, 12000);
    world_resolve(world, "txt.part.example", TYPE_TXT);
    world_run(world, 12000);
    assert_int_equal(world_state(world, "part.example"), ZONE_CLEAR);
    assert_non_null(world_zone(world, "www.part.example", SCOPE_NAME, 0));
    assert_non_null(world_zone(world, "txt.part.example", SCOPE_TYPE, TYPE_TXT));
    assert_int_equal(world_verdict(world, "txt.part.example", TYPE_A).state, ZONE_CLEAR);
    assert_int_equal(world_verdict(world, "below.www.part.example", TYPE_A).state, ZONE_CLEAR);
    assert_int_equal(world_verdict(world, "www.part.example", TYPE_AAAA).state, ZONE_BLOCKED);
    world_end(world);
}

/* There is no narrower name to compare it with than the apex itself, whose SOA is fine. */
static void a_type_of_the_apex_fails(void **state)
{
    (void) state;
    static const uint16_t types[] = {TYPE_MX, TYPE_A, TYPE_TXT};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        world_warm_up(world);
        SAY(world, DOMESTIC, "part.example", SERVFAILS, .type = types[i]);
        world_resolve(world, "part.example", types[i]);
        world_run(world, 12000);
        assert_int_equal(world_blocked(world), 1);
        assert_non_null(world_zone(world, "part.example", SCOPE_TYPE, types[i]));
        assert_int_equal(world_verdict(world, "part.example", TYPE_AAAA).state, ZONE_CLEAR);
        world_end(world);
    }
}

static struct study_result probe(struct world *world, const char *zone)
{
    struct study_result result = {.scope = SCOPE_COUNT};
    const struct name   name   = named(zone);
    world_probe(world, name_view(&name), &result);
    world_run(world, STUDY_LIFE + 1000);
    assert_int_not_equal(result.scope, SCOPE_COUNT);
    return result;
}

/* The operator asks now: both sides, for the zone and for the question that failed. Where it is blocked that is a
 * recheck, but not of what domestic says while it is down. */
static void a_probe_is_a_recheck(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    world_learn(world, "mail.shut.example", TYPE_MX);
    const struct zone *zone     = world_zone(world, "shut.example", SCOPE_ZONE, 0);
    uint32_t           failures = zone->condition.failures;

    struct study_result result = probe(world, "shut.example");
    assert_true(result.decided && !result.fine && result.external);
    assert_int_equal(zone->condition.failures, failures + 1);
    assert_int_equal(zone->condition.reason, REASON_SERVFAIL);

    SAY(world, DOMESTIC, "shut.example", ANSWERS, .type = TYPE_SOA);
    assert_false(probe(world, "shut.example").fine); /* the question fails yet */
    assert_int_equal(zone->condition.state, ZONE_BLOCKED);

    SAY(world, DOMESTIC, ".", SILENT);
    world_ask(world, "mail.other.example", TYPE_MX);
    world_run(world, 10000);
    assert_int_equal(server_health(world_server(world, DOMESTIC_1)), HEALTH_DOWN);
    failures = zone->condition.failures;
    assert_false(probe(world, "shut.example").fine);
    assert_int_equal(zone->condition.failures, failures);

    SAY(world, DOMESTIC, ".", ANSWERS);
    world_run(world, 10000);
    result = probe(world, "shut.example");
    assert_true(result.fine && result.external);
    assert_int_equal(zone->condition.state, ZONE_RECOVERING);
    assert_true(probe(world, "shut.example").fine);
    assert_int_equal(world_state(world, "shut.example"), ZONE_CLEAR);

    assert_true(probe(world, "never.example").fine); /* nothing is learned of what was not listed */
    assert_int_equal(world_state(world, "never.example"), ZONE_CLEAR);
    world_end(world);
}

/* A silent name takes some seconds to judge; its zone is cleared as soon as the CNAME is answered. */
static void an_alias_does_not_keep_its_zone_under_suspicion(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    world_alias(world, "www.shop.example", "host.cdn.test");
    SAY(world, DOMESTIC, "cdn.test", SILENT);
    SAY(world, DOMESTIC, "www.shop.example", SILENT);
    SAY(world, DOMESTIC, "www.shop.example", ANSWERS, .type = TYPE_CNAME);
    world_resolve(world, "www.shop.example", TYPE_A);
    world_run(world, 6000);
    assert_int_equal(world_state(world, "shop.example"), ZONE_CLEAR);
    const struct ask *ask = world_ask(world, "mail.shop.example", TYPE_MX);
    assert_int_equal(world_wait(world, ask), DOMESTIC_DELAY);
    world_run(world, 20000);
    assert_non_null(world_zone(world, "www.shop.example", SCOPE_NAME, 0));
    assert_int_equal(world_state(world, "shop.example"), ZONE_CLEAR);
    world_end(world);
}

static void an_alias_and_its_target_stand_apart(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    world_alias(world, "www.shop.example", "host.cdn.test");
    SAY(world, DOMESTIC, "cdn.test", SILENT);
    SAY(world, DOMESTIC, "www.shop.example", SERVFAILS);
    SAY(world, DOMESTIC, "www.shop.example", ANSWERS, .type = TYPE_CNAME);
    world_resolve(world, "www.shop.example", TYPE_A);
    world_run(world, 25000);
    assert_non_null(world_zone(world, "www.shop.example", SCOPE_NAME, 0));
    assert_int_equal(world_state(world, "shop.example"), ZONE_CLEAR);
    assert_int_equal(world_state(world, "cdn.test"), ZONE_BLOCKED);
    world_end(world);
}

/* The other way round: its target would be fine, but domestic does not even get at the CNAME. */
static void an_alias_in_a_blocked_zone(void **state)
{
    (void) state;
    static const enum way ways[] = {SILENT, SERVFAILS};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        world_warm_up(world);
        world_alias(world, "www.shop.example", "host.cdn.test");
        SAY(world, DOMESTIC, "shop.example", ways[i]);
        world_resolve(world, "www.shop.example", TYPE_A);
        world_run(world, 25000);
        assert_int_equal(world_state(world, "shop.example"), ZONE_BLOCKED);
        assert_int_equal(world_state(world, "cdn.test"), ZONE_CLEAR);
        assert_int_equal(world_blocked(world), 1);
        assert_int_equal(world_resolve(world, "mail.shop.example", TYPE_MX)->group, SETUP_EXTERNAL);
        assert_int_equal(world_resolve(world, "host.cdn.test", TYPE_A)->group, SETUP_DOMESTIC);
        world_end(world);
    }
}

static void a_public_suffix_is_never_learned(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    world_cut(world, "co.uk");
    world_cut(world, "com");
    SAY(world, DOMESTIC, "co.uk", SERVFAILS);
    SAY(world, DOMESTIC, "com", SERVFAILS);
    world_resolve(world, "a.b.co.uk", TYPE_MX);
    world_resolve(world, "com", TYPE_MX);
    world_resolve(world, "deep.er.c.com", TYPE_MX);
    world_run(world, 25000);
    assert_int_equal(world_state(world, "b.co.uk"), ZONE_BLOCKED);
    assert_int_equal(world_state(world, "c.com"), ZONE_BLOCKED);
    assert_int_equal(world_verdict(world, "other.co.uk", TYPE_MX).state, ZONE_CLEAR);
    assert_int_equal(world_verdict(world, "other.com", TYPE_MX).state, ZONE_CLEAR);
    world_end(world);
}

static void the_zone_is_the_one_external_shows(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    world_cut(world, "child.big.example");
    world_cut(world, "big.example");
    SAY(world, DOMESTIC, "child.big.example", SERVFAILS);
    world_resolve(world, "x.child.big.example", TYPE_MX);
    world_run(world, 12000);
    assert_int_equal(world_state(world, "child.big.example"), ZONE_BLOCKED);
    assert_int_equal(world_state(world, "big.example"), ZONE_CLEAR);
    world_end(world);
}

static void broken_is_not_blocked(void **state)
{
    (void) state;
    static const enum way ways[] = {SILENT, SERVFAILS};
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        world_warm_up(world);
        SAY(world, EVERYBODY, "dead.example", ways[i]);
        const struct ask *ask = world_resolve(world, "mx.dead.example", TYPE_MX);
        assert_int_equal(ask->rcode, RCODE_SERVFAIL);
        world_run(world, 20000);
        assert_int_equal(world_state(world, "dead.example"), ZONE_BROKEN);
        assert_int_equal(world_blocked(world), 0);
        /* its owner has repaired it: the next good answer clears it */
        SAY(world, EVERYBODY, "dead.example", ANSWERS);
        ask = world_resolve(world, "again.dead.example", TYPE_MX);
        assert_int_equal(ask->group, SETUP_DOMESTIC);
        world_run(world, 10);
        assert_int_equal(world_state(world, "dead.example"), ZONE_CLEAR);
        world_end(world);
    }
}

/* Before anything is confirmed: fallback.on is obeyed by it. */
static void a_suspicion_says_why(void **state)
{
    (void) state;
    static const struct {
        enum way         first, second;
        enum zone_reason reason;
    } rows[] = {
        {SILENT, SILENT, REASON_TIMEOUT},        {REFUSES, REFUSES, REASON_REFUSED},
        {SERVFAILS, SERVFAILS, REASON_SERVFAIL}, {SILENT, REFUSES, REASON_REFUSED},
        {REFUSES, SILENT, REASON_REFUSED},       {REFUSES, SERVFAILS, REASON_SERVFAIL},
        {SILENT, SERVFAILS, REASON_SERVFAIL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        SAY(world, DOMESTIC_1, "shut.example", rows[i].first);
        SAY(world, DOMESTIC_2, "shut.example", rows[i].second);
        world_resolve(world, "mx.shut.example", TYPE_MX);
        world_run(world, 5);
        struct verdict verdict = world_verdict(world, "mx.shut.example", TYPE_MX);
        assert_int_equal(verdict.state, ZONE_SUSPECT);
        assert_int_equal(verdict.reason, rows[i].reason);
        world_end(world);
    }
}

/* One that is broken is not looked at again for ten minutes; what domestic answers ends that at once. */
static void a_broken_zone_is_let_be(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    SAY(world, EVERYBODY, "dead.example", SERVFAILS);
    world_resolve(world, "mx.dead.example", TYPE_MX);
    world_run(world, 12000);
    assert_int_equal(world_state(world, "dead.example"), ZONE_BROKEN);
    world_resolve(world, "again.dead.example", TYPE_MX);
    world_run(world, 12000);
    assert_int_equal(prober_read_stats(world_prober(world))->broken_checks, 1);
    world_run(world, ZONE_BROKEN_LIFE);
    assert_int_equal(world_state(world, "dead.example"), ZONE_CLEAR);
    world_resolve(world, "later.dead.example", TYPE_MX);
    world_run(world, 12000);
    assert_int_equal(prober_read_stats(world_prober(world))->broken_checks, 2);
    assert_int_equal(world_state(world, "dead.example"), ZONE_BROKEN);
    SAY(world, DOMESTIC, "well.dead.example", ANSWERS);
    assert_int_equal(world_resolve(world, "well.dead.example", TYPE_MX)->group, SETUP_DOMESTIC);
    world_run(world, 100);
    assert_int_equal(world_state(world, "dead.example"), ZONE_CLEAR);
    world_end(world);
}

/* Domestic answered below it lately; now that it is blocked, its silence must not speak against others' evidence. */
static void a_blocked_zone_serves_no_control(void **state)
{
    (void) state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world *world = world_create(&(struct world_options){.seed = seed});
        world_resolve(world, "mail.shut.example", TYPE_MX);
        world_warm_up(world);
        SAY(world, DOMESTIC, "shut.example", SERVFAILS);
        for (unsigned i = 0; i < 3 && world_state(world, "shut.example") != ZONE_BLOCKED; i++) {
            char name[] = "a.shut.example";
            name[0]     = (char) ('a' + i);
            world_resolve(world, name, TYPE_MX);
            world_run(world, 12000);
        }
        assert_int_equal(world_state(world, "shut.example"), ZONE_BLOCKED);
        SAY(world, DOMESTIC, "other.test", SERVFAILS);
        world_learn(world, "mail.other.test", TYPE_MX);
        world_end(world);
    }
}

/* What domestic answered before the block earns the zone no patience behind it. */
static void a_blocked_zone_is_not_known_good(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    world_resolve(world, "mail.shut.example", TYPE_MX);
    SAY(world, DOMESTIC, "shut.example", SILENT);
    msec_t first = world_wait(world, world_ask(world, "a.shut.example", TYPE_MX));
    assert_in_range(first, PATIENCE_GOOD, PATIENCE_GOOD + EXTERNAL_DELAY + 20);
    world_run(world, 12000);
    assert_int_equal(world_state(world, "shut.example"), ZONE_BLOCKED);
    const struct name name = named("shut.example");
    assert_int_equal(learner_forget(world_learner(world), name_view(&name), MSEC_NEVER, world_now(world)), 1);
    msec_t behind = world_wait(world, world_ask(world, "b.shut.example", TYPE_MX));
    assert_in_range(behind, PATIENCE_UNKNOWN_MIN, PATIENCE_UNKNOWN + EXTERNAL_DELAY + 20);
    world_end(world);
}

static void a_late_answer_clears_the_suspicion(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 1});
    world_warm_up(world);
    SAY(world, DOMESTIC, "slow.example", ANSWERS, .after = 1500);
    const struct ask *ask = world_resolve(world, "slow.example", TYPE_MX);
    assert_int_equal(ask->group, SETUP_EXTERNAL);
    world_run(world, 100);
    assert_int_equal(world_state(world, "slow.example"), ZONE_SUSPECT);
    world_run(world, 600);
    assert_int_equal(world_state(world, "slow.example"), ZONE_CLEAR);
    world_run(world, 20000);
    assert_int_equal(world_state(world, "slow.example"), ZONE_CLEAR);
    world_end(world);
}

/* Domestic validates slowly: external has answered before it says that the zone itself is at fault. */
/* Of another zone it says nothing. */
static void a_late_answer_clears_no_other_suspicion(void **state)
{
    (void) state;
    struct world *world = world_create(&(struct world_options){.seed = 9});
    world_warm_up(world);
    world_say(world, DOMESTIC, "shut.example", (struct manner){.way = SILENT});
    world_say(world, DOMESTIC, "slow.example", (struct manner){.way = ANSWERS, .after = 3000});
    world_ask(world, "mail.shut.example", TYPE_MX);
    world_ask(world, "mail.slow.example", TYPE_MX);
    world_run(world, 2500);
    assert_int_equal(world_state(world, "shut.example"), ZONE_SUSPECT);
    assert_int_equal(world_state(world, "slow.example"), ZONE_SUSPECT);
    world_run(world, 600);
    assert_int_equal(world_state(world, "shut.example"), ZONE_SUSPECT);
    assert_int_equal(world_state(world, "slow.example"), ZONE_CLEAR);
    world_run(world, 10000);
    assert_int_equal(world_state(world, "shut.example"), ZONE_BLOCKED);
    world_end(world);
}

static void a_late_bogus_is_no_block(void **state)
{
    (void) state;
    static const int codes[] = {EDE_SIGNATURE_EXPIRED, EDE_SIGNATURE_NOT_YET_VALID, EDE_NO_ZONE_KEY};
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        struct world *world = world_create(&(struct world_options){.seed = i});
        world_warm_up(world);
        SAY(world, DOMESTIC, "bogus.example", SERVFAILS, .after = 2500, .ede = codes[i]);
        const struct ask *ask = world_resolve(world, "bogus.example", TYPE_MX);
        assert_int_equal(ask->group, SETUP_EXTERNAL);
        world_run(world, 100);
        assert_int_equal(world_state(world, "bogus.example"), ZONE_SUSPECT);
        /* the client's own question has told it, before the confirmation hears the same */
        world_run(world, 2600 - (world_now(world) - ask->asked));
        assert_int_equal(world_state(world, "bogus.example"), ZONE_CLEAR);
        world_run(world, 20000);
        assert_int_equal(prober_read_stats(world_prober(world))->confirmations, 1);
        assert_int_equal(table_count(world_shared(world).table), 0);
        world_end(world);
    }
}

/* ICMP is no word about a zone: it neither keeps the silence behind it from being evidence, which whoever forges it
 * could wish, nor makes a block of an upstream that is not there. */
static void icmp_is_no_evidence(void **state)
{
    (void) state;
    for (int all = 0; all < 2; all++) {
        struct world *world = world_create(&(struct world_options){.seed = (uint64_t) all});
        world_warm_up(world);
        SAY(world, DOMESTIC, all ? "." : "far.example", UNREACHABLE);
        const struct ask *ask = world_resolve(world, "far.example", TYPE_MX);
        assert_int_equal(ask->group, SETUP_EXTERNAL);
        world_run(world, 12000);
        assert_int_equal(world_state(world, "far.example"), all ? ZONE_CLEAR : ZONE_BLOCKED);
        world_end(world);
    }
}

/* A connection that comes to nothing is another matter than ICMP: nobody can forge it. */
static void who_is_not_there_says_nothing_of_a_zone(void **state)
{
    (void) state;
    for (int one = 0; one < 2; one++) {
        struct world *world = world_create(&(struct world_options){.seed = 4, .tcp_only = DOMESTIC});
        world_warm_up(world);
        world_say(world, DOMESTIC, "far.example", (struct manner){.way = UNREACHABLE});
        if (one)
            world_say(world, DOMESTIC_1, "far.example", (struct manner){.way = SERVFAILS});
        const struct ask *ask = world_resolve(world, "far.example", TYPE_MX);
        assert_int_equal(ask->group, SETUP_EXTERNAL);
        world_run(world, 20);
        assert_int_equal(prober_read_stats(world_prober(world))->strikes, one);
        world_end(world);
    }
}

/* Servers treat both apart: neither that they fail, nor on both sides, says anything of the zone. */
static void what_is_asked_apart_is_no_evidence(void **state)
{
    (void) state;
    static const struct world_question questions[] = {
        {.name = "mx.shut.example", .type = TYPE_MX, .checking_disabled = true},
        {.name = "shut.example", .type = TYPE_ANY},
    };
    for (size_t i = 0; i < ARRAY_LEN(questions); i++)
        for (int both = 0; both < 2; both++) {
            struct world *world = world_create(&(struct world_options){.seed = i});
            world_warm_up(world);
            SAY(world, both ? EVERYBODY : DOMESTIC, "shut.example", SERVFAILS);
            const struct ask *ask = world_ask_by(world, &questions[i]);
            world_run(world, 12000);
            assert_int_equal(ask->rcode, both ? RCODE_SERVFAIL : RCODE_NOERROR);
            const struct prober_stats *stats = prober_read_stats(world_prober(world));
            assert_int_equal(stats->strikes + stats->confirmations + stats->broken_checks, 0);
            assert_int_equal(world_state(world, "shut.example"), ZONE_CLEAR);
            world_end(world);
        }
}

static void a_zone_recovers(void **state)
{
    (void) state;
    struct world *world = world_create(
        &(struct world_options){.seed = 1, .recheck_first = 60000, .recheck_max = 200000, .recover_after = 3});
    world_warm_up(world);
    SAY(world, DOMESTIC, "shut.example", SERVFAILS);
    world_learn(world, "shut.example", TYPE_MX);
    static const msec_t intervals[] = {60000, 120000, 200000, 200000};
    for (size_t i = 0; i < ARRAY_LEN(intervals); i++) {
        const struct zone *zone     = world_zone(world, "shut.example", SCOPE_ZONE, 0);
        uint64_t           rechecks = prober_read_stats(world_prober(world))->rechecks;
        assert_int_equal(zone->condition.interval, intervals[i]);
        assert_in_range(zone->condition.next - zone->condition.last_failure, intervals[i] * 9 / 10,
                        intervals[i] * 11 / 10);
        world_run(world, zone->condition.next - 1 - world_now(world));
        assert_int_equal(prober_read_stats(world_prober(world))->rechecks, rechecks);
        world_run(world, 100);
        assert_int_equal(prober_read_stats(world_prober(world))->rechecks, rechecks + 1);
    }
    /* domestic is back: external serves until that was seen three times in a row */
    SAY(world, DOMESTIC, "shut.example", ANSWERS);
    for (unsigned good = 1; good <= 3; good++) {
        const struct zone *zone = world_zone(world, "shut.example", SCOPE_ZONE, 0);
        assert_int_equal(zone->condition.state, good > 1 ? ZONE_RECOVERING : ZONE_BLOCKED);
        world_run(world, zone->condition.next - 100 - world_now(world));
        assert_int_equal(world_resolve(world, good % 2 ? "x.shut.example" : "y.shut.example", TYPE_A)->group,
                         SETUP_EXTERNAL);
        world_run(world, 200);
    }
    assert_int_equal(world_state(world, "shut.example"), ZONE_CLEAR);
    assert_int_equal(world_resolve(world, "z.shut.example", TYPE_MX)->group, SETUP_DOMESTIC);
    world_end(world);
}

/* Everybody is served. With thirty percent of all exchanges lost no zone is blocked, nor a name. */
static void loss_is_no_censorship(void **state)
{
    (void) state;
    static const struct {
        uint64_t seed;
        unsigned each_way; /* thousandths */
    } rows[] = {{29, 163}, {36, 163}, {38, 163}, {10, 51}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *world = world_create(&(struct world_options){.seed = rows[i].seed, .workers = 2});
        world_warm_up(world);
        world_lose(world, rows[i].each_way);
        for (unsigned n = 0; n < 2000; n++) {
            char name[] = "q000.z00.example";
            snprintf(name, sizeof(name), "q%03u.z%02u.example", n % 1000, world_random(world, 100));
            world_ask_by(world, &(struct world_question){.name = name, .type = TYPE_MX, .worker = n % 2});
            world_run(world, 20 + world_random(world, 60));
        }
        world_run(world, 20000);
        assert_int_equal(world_blocked(world), 0);
        world_end(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blocked_zone_is_confirmed),
        cmocka_unit_test(three_upstreams_are_witnesses_enough),
        cmocka_unit_test(how_soon_a_block_is_confirmed),
        cmocka_unit_test(learning_can_be_off),
        cmocka_unit_test(the_scope_is_as_narrow_as_the_failure),
        cmocka_unit_test(a_type_of_the_apex_fails),
        cmocka_unit_test(a_probe_is_a_recheck),
        cmocka_unit_test(an_alias_does_not_keep_its_zone_under_suspicion),
        cmocka_unit_test(an_alias_and_its_target_stand_apart),
        cmocka_unit_test(an_alias_in_a_blocked_zone),
        cmocka_unit_test(a_public_suffix_is_never_learned),
        cmocka_unit_test(the_zone_is_the_one_external_shows),
        cmocka_unit_test(broken_is_not_blocked),
        cmocka_unit_test(a_suspicion_says_why),
        cmocka_unit_test(a_broken_zone_is_let_be),
        cmocka_unit_test(a_blocked_zone_serves_no_control),
        cmocka_unit_test(a_blocked_zone_is_not_known_good),
        cmocka_unit_test(a_late_answer_clears_the_suspicion),
        cmocka_unit_test(a_late_answer_clears_no_other_suspicion),
        cmocka_unit_test(a_late_bogus_is_no_block),
        cmocka_unit_test(icmp_is_no_evidence),
        cmocka_unit_test(who_is_not_there_says_nothing_of_a_zone),
        cmocka_unit_test(what_is_asked_apart_is_no_evidence),
        cmocka_unit_test(a_zone_recovers),
        cmocka_unit_test(loss_is_no_censorship),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
