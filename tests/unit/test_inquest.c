/*
 * test_inquest.c: what explain asks, whom, how often, and when it has done; in virtual time, with a script for a network.
 */
#include "explain/inquest.h"

#include "lib/check.h"
#include "lib/heap.h"
#include "lib/names.h"
#include "lib/packet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NOW     = 10000,
    FLIGHTS = 512,
    TOOK    = 20, /* ms from a question to its reply */
    OFFICE  = 0
};

enum manner {
    SILENT,
    ANSWERS, /* one record of the type */
    DENIES,  /* NXDOMAIN, with an SOA */
    FAILS    /* SERVFAIL */
};

struct flight {
    struct exchange *exchange;
    enum transport   transport;
    uint16_t         id;
    msec_t           due;
    bool             open;
};

struct fixture {
    struct inquest      *inquest;
    struct setup         setup;
    struct group         groups[2];
    struct server       *servers[4]; /* domestic's, external's, two of each */
    struct external_rate quota;
    msec_t               now;
    enum manner          manners[4], direct; /* of those servers, and of any zone's */
    struct flight        flights[FLIGHTS];
    unsigned             count, most, open, asked[4], asked_direct;
    unsigned             looks;
    void (*want)(struct fixture *);
    bool refuse_send;
};

/* ---- the network ---- */

static unsigned index_of(const struct fixture *fixture, const struct server *server)
{
    unsigned i = 0;
    while (i < 4 && fixture->servers[i] != server)
        i++;
    return i;
}

static bool on_send(void *context, struct exchange *exchange, struct view query)
{
    struct fixture *fixture = context;
    unsigned        i       = index_of(fixture, exchange->server);
    if (fixture->refuse_send)
        return false;
    assert_true(fixture->count < FLIGHTS);
    fixture->flights[fixture->count++] =
        (struct flight){exchange, exchange->transport, get_u16(query.data), fixture->now + TOOK, true};
    if (!exchange->tickets[exchange->transport])
        fixture->open++;
    fixture->most                          = fixture->open > fixture->most ? fixture->open : fixture->most;
    exchange->tickets[exchange->transport] = fixture;
    if (i < 4)
        fixture->asked[i]++;
    else
        fixture->asked_direct++;
    return true;
}

static void on_release(void *context, struct exchange *exchange, enum transport transport)
{
    struct fixture *fixture      = context;
    exchange->tickets[transport] = NULL;
    fixture->open--;
    for (unsigned i = 0; i < fixture->count; i++)
        if (fixture->flights[i].exchange == exchange && fixture->flights[i].transport == transport)
            fixture->flights[i].open = false;
}

static void reply_to(struct fixture *fixture, const struct flight *flight, enum manner manner)
{
    static struct packet  reply;
    const struct inquiry *inquiry = flight->exchange->inquiry;
    char                  name[NAME_TEXT_MAX];
    name_format(name_view(&inquiry->name), name);
    name[strlen(name) - 1] = '\0';
    packet_begin(&reply,
                 PACKET_REPLY | (manner == FAILS    ? RCODE_SERVFAIL
                                 : manner == DENIES ? RCODE_NXDOMAIN
                                                    : 0),
                 name, inquiry->type);
    put_u16(reply.data, flight->id);
    if (manner == ANSWERS)
        packet_record_here(&reply, 0, inquiry->type, 60, "\300\0\2\1", 4);
    if (manner == DENIES)
        packet_soa(&reply, 1, "example", 60, 60);
    packet_opt(&reply, 1232, 0, NULL, 0);
    inquest_on_packet(fixture->inquest, flight->exchange, flight->transport, packet_view(&reply), fixture->now);
}

static struct flight *next_flight(struct fixture *fixture)
{
    struct flight *next = NULL;
    for (unsigned i = 0; i < fixture->count; i++) {
        struct flight *flight = &fixture->flights[i];
        unsigned       from   = flight->open ? index_of(fixture, flight->exchange->server) : 0;
        if (flight->open && (from < 4 ? fixture->manners[from] : fixture->direct) != SILENT &&
            (!next || flight->due < next->due))
            next = flight;
    }
    return next;
}

/* Until nothing happens any more. */
static void run(struct fixture *fixture)
{
    inquest_begin(fixture->inquest, fixture->now);
    while (!fixture->inquest->ended) {
        struct flight *flight = next_flight(fixture);
        msec_t         timer  = inquest_next(fixture->inquest);
        assert_int_not_equal(timer, MSEC_NEVER);
        if (!flight || timer < flight->due) {
            fixture->now = msec_max(fixture->now, timer);
            inquest_on_time(fixture->inquest, fixture->now);
            continue;
        }
        unsigned from = index_of(fixture, flight->exchange->server);
        fixture->now  = flight->due;
        flight->open  = false;
        reply_to(fixture, flight, from < 4 ? fixture->manners[from] : fixture->direct);
    }
    assert_int_equal(inquest_next(fixture->inquest), MSEC_NEVER);
}

/* ---- life ---- */

static void on_look(void *owner, struct inquest *inquest)
{
    struct fixture *fixture = owner;
    assert_ptr_equal(inquest, fixture->inquest);
    fixture->looks++;
    fixture->want(fixture);
}

static bool make(struct fixture *fixture)
{
    const struct inquest_options options = {.effects = {.network = fixture, .send = on_send, .release = on_release},
                                            .shared  = {.quota = &fixture->quota},
                                            .setup   = &fixture->setup,
                                            .seed    = {7},
                                            .look    = on_look,
                                            .owner   = fixture};
    fixture->inquest                     = inquest_create(&options);
    return fixture->inquest != NULL;
}

static int open_fixture(void **state)
{
    struct fixture   *fixture = calloc(1, sizeof(*fixture));
    const struct rule fence   = {.zone = named("fenced.example"), .via = VIA_GROUP, .group = OFFICE};
    for (unsigned i = 0; i < 4; i++) {
        struct server_options options = {.address = {.len = 0}};
        char                  text[]  = "192.0.2.1";
        text[8]                       = (char) ('1' + i);
        assert_true(address_parse(text, 53, &options.address));
        fixture->servers[i]                                            = server_create(&options);
        fixture->groups[i / 2].servers[fixture->groups[i / 2].count++] = fixture->servers[i];
        fixture->manners[i]                                            = ANSWERS;
    }
    fixture->setup = (struct setup){
        .references = 1, .policy = policy_create(&fence, 1), .groups = fixture->groups, .group_count = 2};
    fixture->direct = ANSWERS;
    fixture->now    = NOW;
    external_rate_init(&fixture->quota, 1000);
    *state = fixture;
    return make(fixture) ? 0 : -1;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    inquest_destroy(fixture->inquest);
    bool clean = fixture->open == 0 && fixture->setup.references == 1;
    for (unsigned i = 0; i < 4; i++)
        server_destroy(fixture->servers[i]);
    policy_destroy(fixture->setup.policy);
    free(fixture);
    return clean ? 0 : -1;
}

static const struct fact *ask(struct fixture *fixture, const char *text, unsigned party)
{
    struct name name = named(text);
    return inquest_ask(fixture->inquest, name_view(&name), TYPE_A, party);
}

/* ---- tests ---- */

static void want_both(struct fixture *fixture)
{
    ask(fixture, "a.example", PARTY_DOMESTIC);
    ask(fixture, "A.example", PARTY_DOMESTIC);
    ask(fixture, "a.example", PARTY_EXTERNAL);
}

static void both_sides_are_asked_once(void **state)
{
    struct fixture *fixture = *state;
    fixture->want           = want_both;
    fixture->manners[2] = fixture->manners[3] = DENIES;
    run(fixture);
    assert_int_equal(fixture->inquest->fact_count, 2);
    assert_int_equal(fixture->count, 2);
    const struct fact *domestic = ask(fixture, "a.example", PARTY_DOMESTIC);
    const struct fact *external = ask(fixture, "a.example", PARTY_EXTERNAL);
    assert_true(fact_is_present(domestic));
    assert_int_equal(domestic->ms, TOOK);
    assert_true(domestic->edns && domestic->wire.len > MESSAGE_HEADER);
    assert_true(fact_is_usable(external) && !fact_is_present(external));
    assert_int_equal(external->outcome, OUTCOME_NXDOMAIN);
    assert_true(external->judgement.has_soa);
    assert_false(fixture->inquest->is_bounded);
}

/* The second question hangs on the answer to the first. */
static void want_chain(struct fixture *fixture)
{
    if (fact_is_present(ask(fixture, "a.example", PARTY_DOMESTIC)))
        ask(fixture, "b.example", PARTY_DOMESTIC);
}

static void what_hangs_on_an_answer_is_asked_behind_it(void **state)
{
    struct fixture *fixture = *state;
    fixture->want           = want_chain;
    run(fixture);
    assert_int_equal(fixture->count, 2);
    assert_int_equal(fixture->looks, 3);
    assert_int_equal(fixture->now, NOW + 2 * TOOK);
}

static void where_one_upstream_fails_the_next_is_asked(void **state)
{
    struct fixture *fixture = *state;
    fixture->want           = want_both;
    fixture->manners[0] = fixture->manners[1] = FAILS;
    fixture->manners[2]                       = SILENT;
    run(fixture);
    const struct fact *domestic = ask(fixture, "a.example", PARTY_DOMESTIC);
    const struct fact *external = ask(fixture, "a.example", PARTY_EXTERNAL);
    assert_true(fact_has_failed(domestic));
    assert_int_equal(domestic->outcome, OUTCOME_SERVFAIL);
    assert_int_equal(fixture->asked[0], 1);
    assert_int_equal(fixture->asked[1], 1);
    assert_true(fact_is_present(external));
    assert_ptr_equal(external->server, fixture->servers[3]);
    assert_int_equal(external->ms, INQUEST_ASK + TOOK);
}

static void silence_says_nothing_of_health(void **state)
{
    struct fixture *fixture = *state;
    fixture->want           = want_both;
    for (unsigned i = 0; i < 4; i++)
        fixture->manners[i] = SILENT;
    run(fixture);
    assert_int_equal(ask(fixture, "a.example", PARTY_DOMESTIC)->outcome, OUTCOME_TIMEOUT);
    assert_int_equal(fixture->now, NOW + INQUEST_TRIES * INQUEST_ASK);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(server_health(fixture->servers[i]), HEALTH_UP);
}

static void want_fenced(struct fixture *fixture)
{
    unsigned       party;
    struct address address;
    assert_true(address_parse("192.0.2.99", 53, &address));
    assert_true(inquest_party(fixture->inquest, &address, false, &party));
    ask(fixture, "mail.fenced.example", PARTY_DOMESTIC);
    ask(fixture, "mail.fenced.example", PARTY_EXTERNAL);
    ask(fixture, "mail.fenced.example", party);
}

static void nothing_crosses_a_fence(void **state)
{
    struct fixture *fixture = *state;
    fixture->want           = want_fenced;
    run(fixture);
    assert_int_equal(fixture->asked[2] + fixture->asked[3] + fixture->asked_direct, 0);
    assert_int_equal(ask(fixture, "mail.fenced.example", PARTY_EXTERNAL)->state, FACT_FENCED);
    assert_int_equal(ask(fixture, "mail.fenced.example", PARTY_SERVER)->state, FACT_FENCED);
    assert_true(fact_is_present(ask(fixture, "mail.fenced.example", PARTY_DOMESTIC)));
}

static void want_server(struct fixture *fixture)
{
    unsigned       udp, tcp, again;
    struct address address;
    assert_true(address_parse("192.0.2.99", 53, &address));
    assert_true(inquest_party(fixture->inquest, &address, false, &udp));
    assert_true(inquest_party(fixture->inquest, &address, true, &tcp));
    assert_true(inquest_party(fixture->inquest, &address, false, &again));
    assert_int_equal(udp, PARTY_SERVER);
    assert_int_equal(tcp, PARTY_SERVER + 1);
    assert_int_equal(again, udp);
    ask(fixture, "a.example", udp);
    ask(fixture, "a.example", tcp);
}

static void a_zones_server_is_asked_each_way(void **state)
{
    struct fixture *fixture = *state;
    fixture->want           = want_server;
    run(fixture);
    assert_int_equal(fixture->asked_direct, 2);
    assert_int_equal(fixture->flights[0].transport, TRANSPORT_UDP);
    assert_int_equal(fixture->flights[1].transport, TRANSPORT_TCP);
    assert_true(fact_is_present(ask(fixture, "a.example", PARTY_SERVER + 1)));
}

static void a_silent_server_costs_its_own_time(void **state)
{
    struct fixture *fixture = *state;
    fixture->want           = want_server;
    fixture->direct         = SILENT;
    run(fixture);
    assert_int_equal(fixture->now, NOW + INQUEST_SERVER);
    assert_int_equal(ask(fixture, "a.example", PARTY_SERVER)->outcome, OUTCOME_TIMEOUT);
}

static void want_many(struct fixture *fixture)
{
    char text[24];
    for (unsigned i = 0; i < INQUEST_FACTS + 5; i++) {
        snprintf(text, sizeof(text), "n%u.example", i);
        if (!ask(fixture, text, PARTY_DOMESTIC))
            assert_true(i >= INQUEST_FACTS);
    }
}

static void questions_are_bounded(void **state)
{
    struct fixture *fixture = *state;
    fixture->want           = want_many;
    run(fixture);
    assert_int_equal(fixture->count, INQUEST_FACTS);
    assert_int_equal(fixture->most, INQUEST_AT_ONCE);
    assert_true(fixture->inquest->is_bounded);
    for (unsigned i = 0; i < INQUEST_FACTS; i++)
        assert_true(fact_is_present(fixture->inquest->facts[i]));
}

/* Forty names, one behind the other. */
static void want_endless(struct fixture *fixture)
{
    char text[24];
    for (unsigned i = 0; i < 40; i++) {
        snprintf(text, sizeof(text), "n%u.example", i);
        if (fact_is_waited_for(ask(fixture, text, PARTY_DOMESTIC)))
            return;
    }
}

static void it_ends_in_time(void **state)
{
    struct fixture *fixture = *state;
    fixture->want           = want_endless;
    fixture->manners[0] = fixture->manners[1] = SILENT;
    run(fixture);
    assert_true(fixture->now <= NOW + INQUEST_LIFE);
    assert_true(fixture->inquest->is_bounded);
    for (unsigned i = 0; i < fixture->inquest->fact_count; i++)
        assert_false(fact_is_waited_for(fixture->inquest->facts[i]));
}

static void the_quota_holds(void **state)
{
    struct fixture *fixture = *state;
    fixture->want           = want_both;
    external_rate_init(&fixture->quota, 1);
    for (unsigned i = 0; i < 100; i++)
        external_rate_take(&fixture->quota, true, 0, NOW);
    run(fixture);
    assert_int_equal(ask(fixture, "a.example", PARTY_EXTERNAL)->state, FACT_LEFT_OUT);
    assert_int_equal(fixture->asked[2] + fixture->asked[3], 0);
    assert_true(fixture->inquest->is_bounded);
}

static void what_cannot_be_sent_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    fixture->want           = want_both;
    fixture->refuse_send    = true;
    run(fixture);
    assert_int_equal(ask(fixture, "a.example", PARTY_DOMESTIC)->outcome, OUTCOME_UNREACHABLE);
    assert_int_equal(fixture->now, NOW);
}

/* Anybody can forge ICMP: over UDP the answer is waited for all the same. */
static void icmp_is_a_hint(void **state)
{
    struct fixture *fixture = *state;
    fixture->want           = want_both;
    inquest_begin(fixture->inquest, NOW);
    inquest_on_unreachable(fixture->inquest, fixture->flights[0].exchange, TRANSPORT_UDP, NOW + 1);
    assert_true(fact_is_waited_for(ask(fixture, "a.example", PARTY_DOMESTIC)));
    fixture->now             = NOW + TOOK;
    fixture->flights[0].open = false;
    reply_to(fixture, &fixture->flights[0], ANSWERS);
    assert_true(fact_is_present(ask(fixture, "a.example", PARTY_DOMESTIC)));
}

static void a_server_that_refuses_connections_is_unreachable(void **state)
{
    struct fixture *fixture = *state;
    fixture->want           = want_server;
    inquest_begin(fixture->inquest, NOW);
    assert_int_equal(fixture->flights[1].transport, TRANSPORT_TCP);
    inquest_on_unreachable(fixture->inquest, fixture->flights[1].exchange, TRANSPORT_TCP, NOW + 1);
    assert_int_equal(ask(fixture, "a.example", PARTY_SERVER + 1)->outcome, OUTCOME_UNREACHABLE);
}

static void it_may_be_given_up(void **state)
{
    struct fixture *fixture = *state;
    fixture->want           = want_both;
    inquest_begin(fixture->inquest, NOW);
    assert_int_equal(fixture->open, 2); /* close_fixture() wants them closed */
}

static void memory_may_run_out(void **state)
{
    (void) state;
    for (size_t nth = 0;; nth++) {
        struct fixture *fixture;
        assert_int_equal(open_fixture((void **) &fixture), 0);
        inquest_destroy(fixture->inquest);
        heap_fail_at(nth);
        bool made = make(fixture);
        if (made) {
            fixture->want = want_both;
            run(fixture);
            for (unsigned i = 0; i < fixture->inquest->fact_count; i++)
                assert_false(fact_is_waited_for(fixture->inquest->facts[i]));
        }
        bool failed = heap_restore() != 0;
        assert_int_equal(close_fixture((void **) &fixture), 0);
        if (!failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(both_sides_are_asked_once),
        FIXTURE_TEST(what_hangs_on_an_answer_is_asked_behind_it),
        FIXTURE_TEST(where_one_upstream_fails_the_next_is_asked),
        FIXTURE_TEST(silence_says_nothing_of_health),
        FIXTURE_TEST(nothing_crosses_a_fence),
        FIXTURE_TEST(a_zones_server_is_asked_each_way),
        FIXTURE_TEST(a_silent_server_costs_its_own_time),
        FIXTURE_TEST(questions_are_bounded),
        FIXTURE_TEST(it_ends_in_time),
        FIXTURE_TEST(the_quota_holds),
        FIXTURE_TEST(what_cannot_be_sent_is_unknown),
        FIXTURE_TEST(icmp_is_a_hint),
        FIXTURE_TEST(a_server_that_refuses_connections_is_unreachable),
        FIXTURE_TEST(it_may_be_given_up),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
