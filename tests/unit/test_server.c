/*
 * test_server.c: what the facts mean for an upstream's health. Silence of zones never takes it down, three failed
 * probes in a row do, and any reply brings it back whole.
 */
#include "upstream/server.h"

#include "lib/check.h"

static struct server *udp_server(void)
{
    struct server_options options = {.tcp_only = false};
    assert_true(address_parse("192.0.2.1", 53, &options.address));
    struct server *server = server_create(&options);
    assert_non_null(server);
    return server;
}

/* ---- transcripts: one fact a line ---- */

enum fact {
    END,
    REPLY, /* of a question sent over UDP */
    REPLY_TCP,
    REFUSING, /* a reply that is a failure */
    SILENCE,
    SILENCES, /* of a question sent at `at`; told one second later */
    SILENCE_TCP,
    SILENCES_TCP,
    NO_ROUTE,
    BROKEN_TCP,
    PROBE_BAD,  /* by the root */
    PROBE_GOOD, /* by a name */
    NAME_BAD,
    ROOT_GOOD, /* and other names are left to ask about */
    ROOT_GOOD_LAST,
};

struct line {
    enum fact   fact;
    msec_t      at;
    enum health health; /* after it */
    bool        told;   /* the probe took it down or brought it back */
};

static void silence(struct server *server, bool tcp, msec_t at)
{
    server_on_silence(server, tcp ? TRANSPORT_TCP : TRANSPORT_UDP, at, at + 1000);
}

static bool play(struct server *server, const struct line *line)
{
    switch (line->fact) {
    case REPLY:
        server_on_reply(server, TRANSPORT_UDP, OUTCOME_ANSWER, 10, false, line->at);
        return false;
    case REPLY_TCP:
        server_on_reply(server, TRANSPORT_TCP, OUTCOME_ANSWER, 10, false, line->at);
        return false;
    case REFUSING:
        server_on_reply(server, TRANSPORT_UDP, OUTCOME_SERVFAIL, 10, false, line->at);
        return false;
    case SILENCES: /* two questions at once */
    case SILENCES_TCP:
        silence(server, line->fact == SILENCES_TCP, line->at);
        silence(server, line->fact == SILENCES_TCP, line->at);
        return false;
    case SILENCE:
    case SILENCE_TCP:
        silence(server, line->fact == SILENCE_TCP, line->at);
        return false;
    case NO_ROUTE:
    case BROKEN_TCP:
        server_on_unreachable(server, line->fact == NO_ROUTE ? TRANSPORT_UDP : TRANSPORT_TCP, line->at);
        return false;
    case PROBE_GOOD:
        server_on_reply(server, TRANSPORT_UDP, OUTCOME_ANSWER, 10, false, line->at);
        return server_on_probe(server, PROBE_NAME, false, true, line->at);
    case PROBE_BAD:
        return server_on_probe(server, PROBE_ROOT, false, false, line->at);
    case NAME_BAD:
        return server_on_probe(server, PROBE_NAME, false, false, line->at);
    case ROOT_GOOD:
    case ROOT_GOOD_LAST:
        server_on_reply(server, TRANSPORT_UDP, OUTCOME_ANSWER, 10, true, line->at);
        return server_on_probe(server, PROBE_ROOT, line->fact == ROOT_GOOD_LAST, true, line->at);
    case END:
        break;
    }
    return false;
}

static const struct {
    bool        tcp_only;
    struct line lines[12];
} transcripts[] = {
    /* it answered another question after the silent one was sent: that zone's own trouble */
    {false, {{REPLY, 1001, HEALTH_UP}, {SILENCE, 1000, HEALTH_UP}}},
    {false, {{REFUSING, 1001, HEALTH_UP}, {SILENCE, 1000, HEALTH_UP}}},
    {false, {{REPLY, 1000, HEALTH_UP}, {SILENCE, 1000, HEALTH_UP}}},
    /* nothing was heard since the last question but one: suspect, however often, never down */
    {false, {{REPLY, 999, HEALTH_UP}, {SILENCE, 1000, HEALTH_UP}, {SILENCE, 1001, HEALTH_SUSPECT}}},
    {false, {{SILENCE, 1000, HEALTH_UP}, {REPLY, 1001, HEALTH_UP}, {SILENCE, 1002, HEALTH_UP}}},
    {false, {{SILENCE, 1000, HEALTH_UP}, {REFUSING, 1001, HEALTH_UP}, {SILENCE, 1002, HEALTH_UP}}},
    {false,
     {{SILENCE, 1000, HEALTH_UP},
      {SILENCE, 1001, HEALTH_SUSPECT},
      {SILENCE, 1002, HEALTH_SUSPECT},
      {SILENCE, 1003, HEALTH_SUSPECT},
      {NO_ROUTE, 1004, HEALTH_SUSPECT},
      {NO_ROUTE, 1005, HEALTH_SUSPECT}}},
    {false, {{NO_ROUTE, 1000, HEALTH_SUSPECT}, {REPLY, 1001, HEALTH_UP}}},
    /* three failed probes take it down, told once; one reply, even a failing one, heals it */
    {false,
     {{SILENCES, 1000, HEALTH_SUSPECT},
      {PROBE_BAD, 2500, HEALTH_SUSPECT},
      {PROBE_BAD, 3100, HEALTH_SUSPECT},
      {PROBE_BAD, 3700, HEALTH_DOWN, true},
      {PROBE_BAD, 5200, HEALTH_DOWN},
      {SILENCE, 5000, HEALTH_DOWN},
      {PROBE_GOOD, 7700, HEALTH_UP, true}}},
    {false,
     {{NO_ROUTE, 1000, HEALTH_SUSPECT},
      {PROBE_BAD, 1001, HEALTH_SUSPECT},
      {PROBE_BAD, 1101, HEALTH_SUSPECT},
      {PROBE_BAD, 1201, HEALTH_DOWN, true},
      {REFUSING, 1300, HEALTH_UP}}},
    /* a good probe after two bad ones is no news */
    {false,
     {{SILENCES, 1000, HEALTH_SUSPECT},
      {PROBE_BAD, 2500, HEALTH_SUSPECT},
      {PROBE_BAD, 3100, HEALTH_SUSPECT},
      {PROBE_GOOD, 3700, HEALTH_UP},
      {SILENCES, 4000, HEALTH_SUSPECT},
      {PROBE_BAD, 5500, HEALTH_SUSPECT},
      {PROBE_BAD, 6100, HEALTH_SUSPECT},
      {PROBE_BAD, 6700, HEALTH_DOWN, true}}},
    /* a client's answer between the probes begins the row anew */
    {false,
     {{SILENCES, 1000, HEALTH_SUSPECT},
      {PROBE_BAD, 2500, HEALTH_SUSPECT},
      {PROBE_BAD, 3100, HEALTH_SUSPECT},
      {REPLY, 3200, HEALTH_UP},
      {SILENCES, 3300, HEALTH_SUSPECT},
      {PROBE_BAD, 4400, HEALTH_SUSPECT},
      {PROBE_BAD, 5000, HEALTH_SUSPECT},
      {PROBE_BAD, 5600, HEALTH_DOWN, true}}},
    {false,
     {{SILENCES, 1000, HEALTH_SUSPECT},
      {PROBE_BAD, 2500, HEALTH_SUSPECT},
      {PROBE_BAD, 3100, HEALTH_SUSPECT},
      {PROBE_BAD, 3700, HEALTH_DOWN, true},
      {REPLY, 3800, HEALTH_UP},
      {SILENCES, 3900, HEALTH_SUSPECT},
      {PROBE_BAD, 5000, HEALTH_SUSPECT}}},
    {false, {{SILENCES, 1000, HEALTH_SUSPECT}, {REPLY, 2400, HEALTH_UP}, {PROBE_BAD, 2500, HEALTH_UP}}},
    /* names and the root in turn: three in a row, of whatever kind */
    {false,
     {{SILENCES, 1000, HEALTH_SUSPECT},
      {NAME_BAD, 2500, HEALTH_SUSPECT},
      {PROBE_BAD, 3100, HEALTH_SUSPECT},
      {NAME_BAD, 3700, HEALTH_DOWN, true},
      {ROOT_GOOD, 4700, HEALTH_DOWN}, /* a name must be answered, too */
      {PROBE_GOOD, 4800, HEALTH_UP, true}}},
    /* some drop the root's and answer the rest: that is life */
    {false,
     {{SILENCES, 1000, HEALTH_SUSPECT},
      {PROBE_BAD, 2500, HEALTH_SUSPECT},
      {PROBE_GOOD, 3100, HEALTH_UP},
      {SILENCES, 4000, HEALTH_SUSPECT},
      {PROBE_BAD, 5500, HEALTH_SUSPECT},
      {PROBE_GOOD, 6100, HEALTH_UP}}},
    /* some answer the root's and nothing else: three names in a row take it down, the root's does not bring it back */
    {false,
     {{SILENCES, 1000, HEALTH_SUSPECT},
      {NAME_BAD, 2500, HEALTH_SUSPECT},
      {ROOT_GOOD, 2600, HEALTH_SUSPECT},
      {NAME_BAD, 3200, HEALTH_SUSPECT},
      {ROOT_GOOD, 3300, HEALTH_SUSPECT},
      {NAME_BAD, 3900, HEALTH_DOWN, true},
      {ROOT_GOOD_LAST, 5000, HEALTH_DOWN},
      {REPLY, 5100, HEALTH_UP}}},
    /* a name or two may be blocked by now: where no other is left the root's answer must do */
    {false,
     {{SILENCES, 1000, HEALTH_SUSPECT},
      {NAME_BAD, 2500, HEALTH_SUSPECT},
      {ROOT_GOOD, 2600, HEALTH_SUSPECT},
      {NAME_BAD, 3200, HEALTH_SUSPECT},
      {ROOT_GOOD_LAST, 3300, HEALTH_UP}}},
    {false, {{SILENCES, 1000, HEALTH_SUSPECT}, {ROOT_GOOD, 1100, HEALTH_UP}}},
    /* TCP that fails says nothing about UDP, unless there is no UDP */
    {false, {{SILENCE_TCP, 1000, HEALTH_UP}, {BROKEN_TCP, 1000, HEALTH_UP}}},
    {true, {{SILENCES_TCP, 1000, HEALTH_SUSPECT}, {REPLY_TCP, 3000, HEALTH_UP}}},
    {true, {{BROKEN_TCP, 1000, HEALTH_SUSPECT}}},
};

static void health_follows_the_facts(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(transcripts); i++) {
        struct server *server = udp_server();
        server->tcp_only      = transcripts[i].tcp_only;
        for (size_t j = 0; transcripts[i].lines[j].fact != END; j++) {
            const struct line *line = &transcripts[i].lines[j];
            bool               told = play(server, line);
            if (server_health(server) != line->health)
                fail_msg("transcript %zu, line %zu: health is %d", i, j, (int) server_health(server));
            if (told != line->told)
                fail_msg("transcript %zu, line %zu: told %d", i, j, told);
        }
        server_destroy(server);
    }
}

static void a_healthy_server_is_not_probed(void **state)
{
    (void) state;
    struct server *server = udp_server();
    assert_false(server_wants_probe(server, 1000));
    server_on_silence(server, TRANSPORT_UDP, 1000, 2000);
    assert_false(server_wants_probe(server, 2000));
    server_on_silence(server, TRANSPORT_UDP, 1001, 2000);
    assert_true(server_wants_probe(server, 2000));
    server_on_reply(server, TRANSPORT_UDP, OUTCOME_NXDOMAIN, -1, false, 2001);
    assert_false(server_wants_probe(server, 2001));
    server_destroy(server);
}

/* Two more at once, then 1, 2, 4, 4 … s: one that returns is back within 5 s. */
static void probes_of_a_dead_server_become_rarer(void **state)
{
    (void) state;
    static const msec_t waits[] = {100, 100, 1000, 2000, 4000, 4000, 4000};
    struct server      *server  = udp_server();
    msec_t              now     = 10000;
    server_on_unreachable(server, TRANSPORT_UDP, now);
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        assert_true(server_wants_probe(server, now));
        server_on_probe(server, PROBE_ROOT, false, false, now);
        assert_false(server_wants_probe(server, now + waits[i] - 1));
        now += waits[i];
    }
    server_on_reply(server, TRANSPORT_UDP, OUTCOME_ANSWER, 10, false, now);
    server_on_probe(server, PROBE_NAME, false, true, now);
    server_suspect(server);
    assert_false(server_wants_probe(server, now + SERVER_PROBE_REST - 1));
    assert_true(server_wants_probe(server, now + SERVER_PROBE_REST));
    server_destroy(server);
}

/* One that drops some is asked less and less often, until it was steady for half a minute. */
static void the_rest_is_long_for_who_drops_some(void **state)
{
    (void) state;
    for (msec_t well = 29999; well <= 30000; well++) {
        struct server *server = udp_server();
        msec_t         now    = 10000;
        server_on_probe(server, PROBE_NAME, false, true, now);
        server_on_probe(server, PROBE_NAME, false, true, now += 2000);
        server_on_probe(server, PROBE_NAME, false, true, now += well);
        server_on_reply(server, TRANSPORT_UDP, OUTCOME_ANSWER, 10, false, now);
        assert_false(server_note_life(server)); /* that is no news */
        server_suspect(server);
        now += well < 30000 ? 8000 : 2000;
        assert_false(server_wants_probe(server, now - 1));
        assert_true(server_wants_probe(server, now));
        server_destroy(server);
    }
}

static void tcp_is_doubted_for_a_while(void **state)
{
    (void) state;
    struct server *server = udp_server();
    assert_false(server_tcp_doubtful(server, 0));
    server_on_silence(server, TRANSPORT_TCP, 1000, 2000);
    assert_true(server_tcp_doubtful(server, 2000 + SERVER_TCP_RETRY - 1));
    assert_false(server_tcp_doubtful(server, 2000 + SERVER_TCP_RETRY));
    server_on_unreachable(server, TRANSPORT_TCP, 20000);
    assert_true(server_tcp_doubtful(server, 20001));
    server_on_reply(server, TRANSPORT_UDP, OUTCOME_ANSWER, 10, false, 20002);
    assert_true(server_tcp_doubtful(server, 20003));
    server_on_reply(server, TRANSPORT_TCP, OUTCOME_ANSWER, 10, false, 20004);
    assert_false(server_tcp_doubtful(server, 20005));
    server_destroy(server);
}

/* Failing where another one of the group answers, a few times in a row; one answer ends it, a failure does not. */
static void who_is_outdone_is_known(void **state)
{
    (void) state;
    struct server *server = udp_server();
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < SERVER_OUTDONE; i++) {
            assert_false(server_is_outdone(server));
            assert_true(server_is_well(server));
            server_on_outdone(server);
        }
        assert_true(server_is_outdone(server));
        assert_false(server_is_well(server));
        server_on_reply(server, TRANSPORT_UDP, OUTCOME_SERVFAIL, 10, false, 1000);
        server_on_reply(server, TRANSPORT_UDP, OUTCOME_ANSWER, 10, true, 1000); /* to a probe by the root */
        assert_true(server_is_outdone(server));
        server_on_reply(server, TRANSPORT_UDP, OUTCOME_NXDOMAIN, 10, false, 1000);
    }
    assert_false(server_is_outdone(server));
    server_destroy(server);
}

/* Three replies in a row that lost it, and it is not mixed for a while, or until one keeps it. */
static void letter_case_is_given_up_for_a_while(void **state)
{
    struct server_options options = {.mix_case = true};
    (void) state;
    assert_true(address_parse("192.0.2.1", 53, &options.address));
    struct server *server = server_create(&options);
    assert_true(server_mixes_case(server, 1000));
    server_on_case(server, false, 1000);
    server_on_case(server, false, 1000);
    server_on_case(server, true, 1000); /* begins the row anew */
    server_on_case(server, false, 2000);
    server_on_case(server, false, 2000);
    assert_true(server_mixes_case(server, 2000));
    server_on_case(server, false, 3000);
    assert_false(server_mixes_case(server, 3000));
    assert_false(server_mixes_case(server, 3000 + 600 * 1000 - 1)); /* ten minutes */
    assert_true(server_mixes_case(server, 3000 + 600 * 1000));
    server_on_case(server, true, 4000);
    assert_true(server_mixes_case(server, 4000));
    server_destroy(server);

    server = udp_server();
    assert_false(server_mixes_case(server, 1000));
    server_destroy(server);
}

static void copies_stand_in_for_probes(void **state)
{
    (void) state;
    struct server *server = udp_server();
    msec_t         now    = 10000;
    server_on_unreachable(server, TRANSPORT_UDP, now);
    for (unsigned i = 0; i < SERVER_PROBES_TO_DOWN; i++)
        server_on_probe(server, PROBE_ROOT, false, false, now);
    msec_t failed = now;
    for (; now < failed + SERVER_PROBE_COPIED; now += SERVER_COPY_EVERY) {
        assert_true(server_take_copy(server, now));
        assert_false(server_wants_probe(server, now + SERVER_COPY_EVERY - 1));
    }
    assert_true(server_take_copy(server, now));
    assert_true(server_wants_probe(server, now));
    server_on_probe(server, PROBE_ROOT, false, false, now);
    assert_false(server_wants_probe(server, now + 2 * SERVER_COPY_EVERY - 1));
    assert_true(server_wants_probe(server, now + 2 * SERVER_COPY_EVERY)); /* nobody asks any more */
    server_destroy(server);
}

/* One that is well needs none. */
static void copies_are_few(void **state)
{
    (void) state;
    struct server *server = udp_server();
    assert_false(server_take_copy(server, 1000));
    server_on_silence(server, TRANSPORT_UDP, 1000, 2000);
    assert_false(server_take_copy(server, 2000));
    atomic_store(&server->health, HEALTH_DOWN);
    assert_true(server_take_copy(server, 2000));
    assert_false(server_take_copy(server, 2000 + SERVER_COPY_EVERY - 1));
    assert_true(server_take_copy(server, 2000 + SERVER_COPY_EVERY));
    atomic_store(&server->health, HEALTH_UP);
    for (unsigned i = 0; i < SERVER_OUTDONE; i++)
        server_on_outdone(server);
    assert_true(server_take_copy(server, 2000 + 2 * SERVER_COPY_EVERY));
    server_destroy(server);
}

static void each_fact_is_counted_once(void **state)
{
    (void) state;
    struct server *server = udp_server();
    server_on_sent(server, TRANSPORT_UDP);
    server_on_sent(server, TRANSPORT_UDP);
    server_on_sent(server, TRANSPORT_TCP);
    server_on_silence(server, TRANSPORT_UDP, 0, 1000);
    server_on_timeout(server, TRANSPORT_UDP, OUTCOME_TIMEOUT);
    server_on_unreachable(server, TRANSPORT_TCP, 1000);
    for (int i = 0; i < OUTCOME_COUNT; i++)
        server_on_reply(server, TRANSPORT_TCP, (enum outcome) i, 5, false, 1000);
    assert_int_equal(server->sent, 2);
    assert_int_equal(server->tcp_sent, 1);
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        assert_int_equal(server->outcomes[TRANSPORT_UDP][i], i == OUTCOME_TIMEOUT);
        assert_int_equal(server->outcomes[TRANSPORT_TCP][i], i == OUTCOME_UNREACHABLE ? 2 : 1);
    }
    assert_true(rtt_known(&server->rtt[TRANSPORT_TCP]));
    assert_false(rtt_known(&server->rtt[TRANSPORT_UDP]));
    server_on_reply(server, TRANSPORT_UDP, OUTCOME_ANSWER, -1, false, 2000); /* it was sent twice */
    assert_false(rtt_known(&server->rtt[TRANSPORT_UDP]));
    server_destroy(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_follows_the_facts),
        cmocka_unit_test(a_healthy_server_is_not_probed),
        cmocka_unit_test(probes_of_a_dead_server_become_rarer),
        cmocka_unit_test(the_rest_is_long_for_who_drops_some),
        cmocka_unit_test(tcp_is_doubted_for_a_while),
        cmocka_unit_test(who_is_outdone_is_known),
        cmocka_unit_test(letter_case_is_given_up_for_a_while),
        cmocka_unit_test(copies_stand_in_for_probes),
        cmocka_unit_test(copies_are_few),
        cmocka_unit_test(each_fact_is_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
