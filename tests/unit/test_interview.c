/*
 * test_interview.c: what an upstream is asked before it is taken on, and what its answers show; in virtual time, with a
 * recorder for a network.
 */
#include "probe/interview.h"

#include "lib/check.h"
#include "lib/heap.h"
#include "lib/names.h"
#include "lib/packet.h"

#include <stdlib.h>
#include <string.h>

enum {
    NOW   = 10000,
    SENDS = 16
};

struct sent {
    struct exchange *exchange;
    enum transport   transport;
    struct packet    query;
    unsigned         type;
    bool             about_root;
};

struct fixture {
    struct interview *interview;
    struct setup      setup;
    struct server    *server, *by_tcp;
    struct name       censored;
    struct sent       sent[SENDS];
    unsigned          count;
    bool              refuse_send;
    int               open; /* sockets */
};

static bool on_send(void *context, struct exchange *exchange, struct view query)
{
    struct fixture *fixture = context;
    if (fixture->refuse_send)
        return false;
    assert_true(fixture->count < SENDS);
    struct sent *sent = &fixture->sent[fixture->count++];
    sent->exchange    = exchange;
    sent->transport   = exchange->transport;
    sent->type        = exchange->inquiry->type;
    sent->about_root  = exchange->inquiry->name.len == 1;
    sent->query.len   = 0;
    packet_bytes(&sent->query, query.data, query.len);
    if (!exchange->tickets[exchange->transport])
        fixture->open++;
    exchange->tickets[exchange->transport] = fixture;
    return true;
}

static void on_release(void *context, struct exchange *exchange, enum transport transport)
{
    struct fixture *fixture = context;
    assert_ptr_equal(exchange->tickets[transport], fixture);
    exchange->tickets[transport] = NULL;
    fixture->open--;
}

static bool make(struct fixture *fixture)
{
    const struct interview_options options = {.effects  = {.network = fixture, .send = on_send, .release = on_release},
                                              .setup    = &fixture->setup,
                                              .server   = fixture->server,
                                              .by_tcp   = fixture->by_tcp,
                                              .censored = &fixture->censored,
                                              .seed     = {7}};
    fixture->interview                     = interview_create(&options);
    return fixture->interview != NULL;
}

static struct server *make_server(bool tcp_only)
{
    struct server_options options = {.tcp_only = tcp_only};
    address_parse("192.0.2.1", 53, &options.address);
    return server_create(&options);
}

static int open_fixture(void **state)
{
    struct fixture    *fixture = calloc(1, sizeof(*fixture));
    static struct cidr blocks[1];
    assert_true(cidr_parse("198.51.100.66/32", &blocks[0]));
    fixture->setup.references = 1;
    fixture->setup.forgery    = (struct forgery){.blocks = blocks, .block_count = 1};
    fixture->server           = make_server(false);
    fixture->by_tcp           = make_server(true);
    fixture->censored         = named("censored.example");
    *state                    = fixture;
    return make(fixture) ? 0 : -1;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    interview_destroy(fixture->interview);
    bool clean = fixture->open == 0 && fixture->setup.references == 1;
    server_destroy(fixture->server);
    server_destroy(fixture->by_tcp);
    free(fixture);
    return clean ? 0 : -1;
}

/* From now on a connection is all it has. */
static void over_tls(struct fixture *fixture)
{
    interview_destroy(fixture->interview);
    server_destroy(fixture->server);
    server_destroy(fixture->by_tcp);
    fixture->server = make_server(true);
    fixture->by_tcp = NULL;
    assert_true(make(fixture));
}

/* ---- answers ---- */

enum manner {
    RIGHT,   /* the type that was asked; NODATA for the root's MX */
    FORGED,  /* one A, whatever was asked; no OPT */
    SIGNED,  /* RIGHT, with AD and RRSIG */
    NO_OPT,  /* RIGHT without it */
    KNOWN,   /* RIGHT, with an address that is known for a censor's */
    REFUSES, /* REFUSED */
};

static void write_reply(const struct sent *sent, enum manner manner, struct packet *reply)
{
    const char *name  = sent->about_root ? "" : "censored.example";
    unsigned    flags = PACKET_REPLY | (manner == SIGNED ? FLAG_AD : 0) | (manner == REFUSES ? RCODE_REFUSED : 0);
    packet_begin(reply, flags, name, sent->type);
    put_u16(reply->data, get_u16(sent->query.data));
    if (manner == FORGED)
        packet_record_here(reply, 0, TYPE_A, 60, "\6\6\6\6", 4);
    else if (manner == REFUSES)
        ;
    else if (sent->type == TYPE_SOA)
        packet_soa(reply, 0, name, 60, 60);
    else if (sent->type == TYPE_A)
        packet_record_here(reply, 0, TYPE_A, 60, manner == KNOWN ? "\306\63\144\102" : "\1\1\1\1", 4);
    else if (sent->about_root)
        packet_soa(reply, 1, name, 60, 60);
    else
        packet_name_record(reply, 0, name, TYPE_MX, 60, 2, "mail.example");
    if (manner == SIGNED)
        packet_record(reply, 0, name, TYPE_RRSIG, 60, "signature", 9);
    if (manner != FORGED && manner != NO_OPT)
        packet_opt(reply, 1232, 0, NULL, 0);
}

static void answer(struct fixture *fixture, unsigned i, enum manner manner, msec_t now)
{
    static struct packet reply;
    const struct sent   *sent = &fixture->sent[i];
    write_reply(sent, manner, &reply);
    interview_on_packet(fixture->interview, sent->exchange, sent->transport, packet_view(&reply), now);
}

/* As far as the questions that show a forger: sent[3] is TCP's, sent[4] the root's MX, then the name's MX and A; over
 * TLS each comes one sooner. */
static void get_to_baits(struct fixture *fixture, enum manner manner)
{
    interview_begin(fixture->interview, NOW);
    assert_int_equal(fixture->count, 1);
    answer(fixture, 0, manner, NOW + 90);
    assert_int_equal(fixture->count, 2);
    answer(fixture, 1, manner, NOW + 130);
    assert_int_equal(fixture->count, 3);
    answer(fixture, 2, manner, NOW + 160);
}

/* ---- tests ---- */

static void a_sound_upstream(void **state)
{
    struct fixture   *fixture   = *state;
    struct interview *interview = fixture->interview;
    get_to_baits(fixture, SIGNED);
    assert_int_equal(fixture->count, 7);
    for (unsigned i = 3; i < 7; i++)
        answer(fixture, i, RIGHT, NOW + 200);
    assert_false(interview->ended); /* it listens on for what comes behind */
    assert_int_equal(interview_next(interview), NOW + 160 + INTERVIEW_LISTEN);
    interview_on_time(interview, interview_next(interview));
    assert_true(interview->ended);
    assert_int_equal(interview_next(interview), MSEC_NEVER);
    assert_true(interview_reached(interview) && interview_has_edns(interview));
    assert_true(interview->authentic && interview->is_signed);
    assert_int_equal(interview_cold(interview), 90);
    assert_int_equal(interview_warm(interview), 30);
    assert_int_equal(interview_worst(interview), DOUBT_NONE);
    assert_int_equal(interview->bait[0].exchange.outcome, OUTCOME_NODATA);
    assert_int_equal(interview->bait[1].exchange.outcome, OUTCOME_ANSWER);
}

static void over_a_connection_one_answer_is_all(void **state)
{
    struct fixture *fixture = *state;
    over_tls(fixture);
    get_to_baits(fixture, RIGHT);
    assert_int_equal(fixture->count, 6);
    for (unsigned i = 3; i < 6; i++)
        answer(fixture, i, RIGHT, NOW + 200);
    assert_true(fixture->interview->ended);
    assert_false(fixture->interview->authentic || fixture->interview->is_signed);
}

/* Each row: what comes for the name's MX and its A, at most two each. */
static void signs_of_a_forger(void **state)
{
    static const struct {
        enum manner          mx[2], a[2];
        unsigned             mx_count, a_count;
        enum interview_doubt worst;
    } rows[] = {
        {{RIGHT}, {RIGHT}, 1, 1, DOUBT_NONE},
        {{RIGHT, RIGHT}, {RIGHT}, 2, 1, DOUBT_NONE}, /* a datagram that was doubled */
        {{FORGED}, {RIGHT}, 1, 1, DOUBT_TYPE},
        {{FORGED, RIGHT}, {RIGHT}, 2, 1, DOUBT_TYPE},
        {{RIGHT}, {FORGED, RIGHT}, 1, 2, DOUBT_SEVERAL},
        {{RIGHT}, {KNOWN}, 1, 1, DOUBT_KNOWN},
        {{RIGHT}, {KNOWN, RIGHT}, 1, 2, DOUBT_KNOWN},
        {{RIGHT}, {FORGED}, 1, 1, DOUBT_NO_OPT},
        {{NO_OPT}, {RIGHT}, 1, 1, DOUBT_NO_OPT},
        {{REFUSES}, {REFUSES}, 1, 1, DOUBT_NONE},
        {{0}, {0}, 0, 0, DOUBT_NONE},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture *fixture;
        assert_int_equal(open_fixture((void **) &fixture), 0);
        get_to_baits(fixture, RIGHT);
        for (unsigned j = 0; j < rows[i].mx_count; j++)
            answer(fixture, 5, rows[i].mx[j], NOW + 170 + j);
        for (unsigned j = 0; j < rows[i].a_count; j++)
            answer(fixture, 6, rows[i].a[j], NOW + 180 + j);
        interview_on_time(fixture->interview, NOW + INTERVIEW_LIFE);
        assert_true(fixture->interview->ended);
        if (interview_worst(fixture->interview) != rows[i].worst)
            fail_msg("row %u: %d", i, interview_worst(fixture->interview));
        assert_int_equal(close_fixture((void **) &fixture), 0);
    }
    (void) state;
}

/* It never said OPT: that an answer has none means nothing. */
static void who_never_sends_opt_is_no_forger(void **state)
{
    struct fixture *fixture = *state;
    get_to_baits(fixture, NO_OPT);
    answer(fixture, 5, NO_OPT, NOW + 170);
    interview_on_time(fixture->interview, NOW + INTERVIEW_LIFE);
    assert_int_equal(interview_worst(fixture->interview), DOUBT_NONE);
    assert_false(interview_has_edns(fixture->interview));
}

static void what_is_for_another_question_is_not_heard(void **state)
{
    static struct packet reply;
    struct fixture      *fixture = *state;
    get_to_baits(fixture, RIGHT);
    const struct sent *sent = &fixture->sent[6];
    write_reply(sent, FORGED, &reply);
    reply.data[0] ^= 1; /* a guess */
    interview_on_packet(fixture->interview, sent->exchange, sent->transport, packet_view(&reply), NOW + 170);
    write_reply(&fixture->sent[5], FORGED, &reply);
    put_u16(reply.data, get_u16(sent->query.data)); /* another type */
    interview_on_packet(fixture->interview, sent->exchange, sent->transport, packet_view(&reply), NOW + 170);
    interview_on_packet(fixture->interview, sent->exchange, sent->transport, (struct view){reply.data, 5}, NOW + 170);
    assert_int_equal(fixture->interview->bait[2].count, 0);
    for (unsigned i = 0; i < INTERVIEW_HEARD + 2; i++) {
        write_reply(sent, FORGED, &reply);
        reply.data[reply.len - 1] = (uint8_t) i;
        interview_on_packet(fixture->interview, sent->exchange, sent->transport, packet_view(&reply), NOW + 180);
    }
    assert_int_equal(fixture->interview->bait[2].count, INTERVIEW_HEARD);
}

static void silence_ends_it(void **state)
{
    struct fixture   *fixture   = *state;
    struct interview *interview = fixture->interview;
    interview_begin(interview, NOW);
    while (!interview->ended)
        interview_on_time(interview, interview_next(interview));
    assert_false(interview_reached(interview));
    assert_int_equal(interview_cold(interview), -1);
    assert_int_equal(interview_warm(interview), -1);
    assert_int_equal(interview->errand[INTERVIEW_FIRST].exchange.outcome, OUTCOME_TIMEOUT);
    assert_int_equal(interview->errand[INTERVIEW_FIRST].ended, NOW + INTERVIEW_COLD);
}

static void the_first_answer_and_no_other(void **state)
{
    struct fixture   *fixture   = *state;
    struct interview *interview = fixture->interview;
    msec_t            last      = NOW;
    interview_begin(interview, NOW);
    answer(fixture, 0, RIGHT, NOW + INTERVIEW_COLD - 1);
    while (!interview->ended)
        interview_on_time(interview, last = interview_next(interview));
    assert_true(last <= NOW + INTERVIEW_LIFE);
    assert_true(interview_reached(interview));
    assert_int_equal(interview_warm(interview), -1);
}

static void a_network_that_is_down(void **state)
{
    struct fixture *fixture = *state;
    fixture->refuse_send    = true;
    interview_begin(fixture->interview, NOW);
    assert_true(fixture->interview->ended);
    assert_int_equal(fixture->interview->errand[INTERVIEW_FIRST].exchange.outcome, OUTCOME_UNREACHABLE);
}

static void a_connection_that_breaks(void **state)
{
    struct fixture *fixture = *state;
    over_tls(fixture);
    get_to_baits(fixture, RIGHT);
    for (unsigned i = 3; i < 6; i++)
        interview_on_unreachable(fixture->interview, fixture->sent[i].exchange, TRANSPORT_TCP, NOW + 200);
    assert_true(fixture->interview->ended);
    assert_int_equal(fixture->interview->bait[2].exchange.outcome, OUTCOME_UNREACHABLE);
}

static void icmp_is_a_hint(void **state)
{
    struct fixture *fixture = *state;
    get_to_baits(fixture, RIGHT);
    interview_on_unreachable(fixture->interview, fixture->sent[6].exchange, TRANSPORT_UDP, NOW + 170);
    answer(fixture, 6, RIGHT, NOW + 180);
    assert_int_equal(fixture->interview->bait[2].count, 1);
}

/* Everything of it is given back in its midst. */
static void it_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    get_to_baits(fixture, RIGHT);
    answer(fixture, 5, RIGHT, NOW + 170);
    assert_true(fixture->open > 0);
}

static void without_memory(void **state)
{
    struct fixture *fixture = *state;
    interview_destroy(fixture->interview);
    fixture->interview = NULL;
    for (size_t n = 0;; n++) {
        heap_fail_at(n);
        bool made = make(fixture);
        if (!heap_restore())
            break;
        assert_false(made);
    }
    get_to_baits(fixture, RIGHT);
    heap_fail_at(0);
    answer(fixture, 5, RIGHT, NOW + 170);
    assert_true(heap_restore());
    assert_int_equal(fixture->interview->bait[1].count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_sound_upstream),
        FIXTURE_TEST(over_a_connection_one_answer_is_all),
        cmocka_unit_test(signs_of_a_forger),
        FIXTURE_TEST(who_never_sends_opt_is_no_forger),
        FIXTURE_TEST(what_is_for_another_question_is_not_heard),
        FIXTURE_TEST(silence_ends_it),
        FIXTURE_TEST(the_first_answer_and_no_other),
        FIXTURE_TEST(a_network_that_is_down),
        FIXTURE_TEST(a_connection_that_breaks),
        FIXTURE_TEST(icmp_is_a_hint),
        FIXTURE_TEST(it_is_given_up),
        FIXTURE_TEST(without_memory),
    };
    return cmocka_run_group_tests_name("interview", tests, NULL, NULL);
}
