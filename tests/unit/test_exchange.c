/*
 * test_exchange.c: which packet is the reply, and what it asks for: TCP, no EDNS, or nothing more. What is no reply is
 * ignored, whoever sent it.
 */
#include "upstream/exchange.h"

#include "dns/text.h"
#include "lib/packet.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
    struct server  *server;
    struct inquiry  inquiry;
    struct exchange exchange;
    struct rng      rng;
    struct packet   packet;
    struct message  message;
    struct kind     kind;
};

static int open_world(void **state)
{
    static const uint8_t seed[RNG_SEED_BYTES] = {9};
    struct world        *world                = calloc(1, sizeof(*world));
    struct address       address;
    address_parse("192.0.2.1", 53, &address);
    world->server  = server_create(&address, false, false);
    world->inquiry = (struct inquiry){.type = TYPE_A, .class = CLASS_IN};
    name_parse("mail.some-rather-long-name.example.com", &world->inquiry.name);
    rng_init(&world->rng, seed);
    *state = world;
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;
    server_destroy(world->server);
    free(world);
    return 0;
}

static void begin(struct world *world, enum transport transport)
{
    memset(&world->exchange, 0, sizeof(world->exchange));
    exchange_open(&world->exchange, world->server, &world->inquiry, transport, &world->rng, 1000);
    exchange_on_sent(&world->exchange, 1000);
}

/* The query turned into a reply without records and without OPT, in the case that was sent. */
static void make_reply(struct world *world, unsigned rcode)
{
    struct packet *packet = &world->packet;
    struct message query;
    packet->len = exchange_write(&world->exchange, packet->data);
    assert_true(message_parse(packet_view(packet), &query));
    packet->len = query.start[SECTION_ADDITIONAL];
    put_u16(packet->data + 2, (uint16_t) (PACKET_REPLY | rcode));
    put_u16(packet->data + 10, 0);
}

static void add_address(struct world *world)
{
    static const uint8_t address[] = {192, 0, 2, 25};
    packet_record_here(&world->packet, SECTION_ANSWER, TYPE_A, 300, address, sizeof(address));
}

static enum exchange_step take(struct world *world, msec_t now)
{
    return exchange_on_packet(&world->exchange, packet_view(&world->packet), now, &world->message, &world->kind);
}

/* ---- what is sent ---- */

static void the_query_is_what_was_asked(void **state)
{
    struct world *world = *state;
    uint8_t       wire[QUERY_MAX];
    for (unsigned bits = 0; bits < 8; bits++) {
        struct message query;
        world->inquiry.dnssec_ok         = bits & 1;
        world->inquiry.checking_disabled = bits & 2;
        world->server->plain_since       = bits & 4 ? 999 : 0;
        world->inquiry.type              = TYPE_MX;
        begin(world, TRANSPORT_UDP);
        assert_true(message_parse((struct view){wire, exchange_write(&world->exchange, wire)}, &query));
        assert_int_equal(query.id, world->exchange.id);
        assert_int_equal(query.question.type, TYPE_MX);
        assert_int_equal(query.question.class, CLASS_IN);
        assert_true(name_equal(query.question.name, name_view(&world->inquiry.name)));
        assert_int_equal(query.flags, FLAG_RD | FLAG_AD | (bits & 2 ? FLAG_CD : 0));
        assert_int_equal(query.edns.present, !(bits & 4));
        assert_int_equal(query.edns.dnssec_ok, (bits & 1) && !(bits & 4));
    }
}

/* RFC 7828: never over UDP; and the reply's word counts if it is the reply. */
static void keepalive_is_asked_for_over_tcp(void **state)
{
    struct world *world = *state;
    for (enum transport transport = 0; transport < TRANSPORT_COUNT; transport++) {
        uint8_t        wire[QUERY_MAX];
        struct message query;
        bool           tcp = transport == TRANSPORT_TCP;
        begin(world, transport);
        assert_true(message_parse((struct view){wire, exchange_write(&world->exchange, wire)}, &query));
        assert_int_equal(query.opt_end - query.opt_start, tcp ? 11 + 4 : 11);
        assert_int_equal(query.edns.keepalive.form, tcp ? KEEPALIVE_ASKED : KEEPALIVE_NONE);

        make_reply(world, RCODE_SERVFAIL);
        packet_opt(&world->packet, 1232, 0, "\0\13\0\2\0\7", 6);
        world->packet.data[MESSAGE_HEADER + 1] ^= 1; /* another name */
        assert_int_equal(take(world, 1010), EXCHANGE_IGNORE);
        assert_int_equal(world->exchange.keepalive.form, KEEPALIVE_NONE);
        world->packet.data[MESSAGE_HEADER + 1] ^= 1;
        assert_int_equal(take(world, 1020), EXCHANGE_REPLY);
        assert_int_equal(world->exchange.keepalive.form, tcp ? KEEPALIVE_TOLD : KEEPALIVE_NONE);
        assert_int_equal(world->exchange.keepalive.idle, tcp ? 7 : 0);
        exchange_reopen(&world->exchange, TRANSPORT_TCP, true, &world->rng, 2000);
        assert_int_equal(world->exchange.keepalive.form, KEEPALIVE_NONE);
    }
}

static void each_send_of_one_question_is_the_same(void **state)
{
    struct world *world = *state;
    uint8_t       first[QUERY_MAX], second[QUERY_MAX];
    begin(world, TRANSPORT_UDP);
    size_t len = exchange_write(&world->exchange, first);
    assert_int_equal(exchange_write(&world->exchange, second), len);
    assert_memory_equal(first, second, len);
    uint16_t id = world->exchange.id;
    exchange_reopen(&world->exchange, TRANSPORT_TCP, true, &world->rng, 2000);
    assert_int_not_equal(world->exchange.id, id);
    assert_int_equal(world->exchange.sends, 0);
    assert_int_equal(world->exchange.started, 1000);
}

static void letters_are_mixed_unless_the_server_loses_them(void **state)
{
    struct world *world = *state;
    static const struct {
        enum case_memory memory;
        bool             mixed;
    } cases[] = {{CASE_UNKNOWN, true}, {CASE_KEPT, true}, {CASE_LOST, false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t wire[QUERY_MAX];
        bool    upper              = false;
        size_t  end                = (size_t) MESSAGE_HEADER + world->inquiry.name.len;
        world->server->case_memory = cases[i].memory;
        begin(world, TRANSPORT_UDP);
        exchange_write(&world->exchange, wire);
        for (size_t at = MESSAGE_HEADER; at < end; at++)
            upper |= isupper(wire[at]) != 0;
        assert_int_equal(upper, cases[i].mixed);
    }
}

static void a_server_of_tcp_only_is_asked_over_tcp(void **state)
{
    struct world *world     = *state;
    world->server->tcp_only = true;
    begin(world, TRANSPORT_UDP);
    assert_int_equal(world->exchange.transport, TRANSPORT_TCP);
    assert_int_equal(world->server->tcp_sent, 1);
    assert_int_equal(world->server->sent, 0);
}

/* ---- what comes back ---- */

static void the_reply_is_taken(void **state)
{
    struct world *world = *state;
    static const struct {
        unsigned     rcode;
        bool         record;
        enum outcome outcome;
    } cases[] = {{0, true, OUTCOME_ANSWER},
                 {0, false, OUTCOME_NODATA},
                 {RCODE_NXDOMAIN, false, OUTCOME_NXDOMAIN},
                 {RCODE_SERVFAIL, false, OUTCOME_SERVFAIL},
                 {RCODE_REFUSED, false, OUTCOME_REFUSED}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin(world, TRANSPORT_UDP);
        atomic_store(&world->server->health, HEALTH_DOWN);
        make_reply(world, cases[i].rcode);
        if (cases[i].record)
            add_address(world);
        assert_int_equal(take(world, 1040), EXCHANGE_REPLY);
        assert_int_equal(world->exchange.state, EXCHANGE_DONE);
        assert_int_equal(world->exchange.outcome, cases[i].outcome);
        assert_int_equal(server_health(world->server), HEALTH_UP);
        assert_int_equal(world->server->outcomes[TRANSPORT_UDP][cases[i].outcome], 1);
    }
    assert_int_equal(rtt_smoothed(&world->server->rtt[TRANSPORT_UDP]), 40);
}

/* Each row spoils a good reply in one way. */
static void what_is_no_reply_is_ignored(void **state)
{
    struct world *world = *state;
    enum {
        TYPE_AT = 1000,
        CLASS_AT,
        LABEL_AT,
        CUT,
        LONGER
    };
    static const struct {
        size_t   at; /* of a byte, or what else */
        uint16_t flip;
    } cases[] = {
        {0, 0x01},    {0, 0x80},     {1, 0x01},        {1, 0x80}, /* id */
        {2, 0x80},                                                /* QR */
        {2, 0x08},    {2, 0x10},     {2, 0x28},                   /* opcode */
        {5, 0x03},                                                /* two questions */
        {7, 0x02},                                                /* more records than there are */
        {TYPE_AT, 1}, {CLASS_AT, 1}, {LABEL_AT, 0x01},            /* question */
        {CUT, 1},     {CUT, 10},     {LONGER, 1},
    };
    for (enum transport transport = TRANSPORT_UDP; transport < TRANSPORT_COUNT; transport++)
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            begin(world, transport);
            atomic_store(&world->server->health, HEALTH_SUSPECT);
            make_reply(world, 0);
            add_address(world);
            size_t  after = (size_t) MESSAGE_HEADER + world->inquiry.name.len;
            uint8_t flip  = (uint8_t) cases[i].flip;
            switch (cases[i].at) {
            case TYPE_AT:
                world->packet.data[after + 1] ^= flip;
                break;
            case CLASS_AT:
                world->packet.data[after + 3] ^= flip;
                break;
            case LABEL_AT:
                world->packet.data[MESSAGE_HEADER + 1] ^= flip;
                break;
            case CUT:
                world->packet.len -= flip;
                break;
            case LONGER:
                world->packet.data[world->packet.len++] = 0;
                break;
            default:
                world->packet.data[cases[i].at] ^= flip;
            }
            uint64_t ignored = world->server->ignored;
            bool     guess   = cases[i].at < 2 && transport == TRANSPORT_UDP;
            if (take(world, 1040) != (guess ? EXCHANGE_ASK_TCP : EXCHANGE_IGNORE))
                fail_msg("row %zu was taken", i);
            assert_int_equal(world->exchange.state, EXCHANGE_OPEN);
            assert_int_equal(world->server->ignored, ignored + 1);
            assert_int_equal(server_health(world->server), HEALTH_SUSPECT);

            make_reply(world, 0); /* the real one may still come */
            assert_int_equal(take(world, 1050), EXCHANGE_REPLY);
        }
}

static void what_is_too_short_is_ignored(void **state)
{
    struct world *world = *state;
    begin(world, TRANSPORT_UDP);
    make_reply(world, 0);
    size_t whole = world->packet.len;
    for (world->packet.len = 0; world->packet.len < whole; world->packet.len++)
        assert_int_equal(take(world, 1040), world->packet.len < 2 ? EXCHANGE_ASK_TCP : EXCHANGE_IGNORE);
    assert_int_equal(take(world, 1040), EXCHANGE_REPLY);
}

/* Where TCP was seen to fail a guesser must not be able to end the wait for the reply. */
static void a_guess_moves_to_tcp_unless_that_fails(void **state)
{
    struct world *world = *state;
    for (int doubtful = 0; doubtful < 2; doubtful++) {
        begin(world, TRANSPORT_UDP);
        make_reply(world, 0);
        world->packet.data[1] ^= 1;
        if (doubtful)
            server_on_unreachable(world->server, TRANSPORT_TCP, 1030);
        assert_int_equal(server_tcp_doubtful(world->server, 1040), doubtful);
        assert_int_equal(take(world, 1040), doubtful ? EXCHANGE_IGNORE : EXCHANGE_ASK_TCP);
    }
}

/* RFC 1035 lets a server that could not read the query leave the question out; no other may. */
static void a_reply_without_question_may_only_complain(void **state)
{
    struct world *world = *state;
    static const struct {
        unsigned           rcode;
        bool               edns;
        enum exchange_step step;
    } cases[] = {{0, true, EXCHANGE_IGNORE},
                 {RCODE_NXDOMAIN, true, EXCHANGE_IGNORE},
                 {RCODE_SERVFAIL, true, EXCHANGE_IGNORE},
                 {RCODE_REFUSED, false, EXCHANGE_IGNORE},
                 {RCODE_FORMERR, true, EXCHANGE_ASK_PLAIN},
                 {RCODE_NOTIMP, true, EXCHANGE_ASK_PLAIN},
                 {RCODE_FORMERR, false, EXCHANGE_REPLY},
                 {RCODE_NOTIMP, false, EXCHANGE_REPLY}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        world->server->plain_since = cases[i].edns ? 0 : 999;
        begin(world, TRANSPORT_UDP);
        make_reply(world, cases[i].rcode);
        world->packet.len = MESSAGE_HEADER;
        put_u16(world->packet.data + 4, 0);
        if (take(world, 1040) != cases[i].step)
            fail_msg("row %zu", i);
    }
}

static void a_truncated_reply_asks_for_tcp(void **state)
{
    struct world *world = *state;
    begin(world, TRANSPORT_UDP);
    make_reply(world, 0);
    world->packet.data[2] |= FLAG_TC >> 8;
    assert_int_equal(take(world, 1040), EXCHANGE_ASK_TCP);
    assert_int_equal(world->exchange.state, EXCHANGE_OPEN);

    /* cut in the middle of its record */
    add_address(world);
    world->packet.len -= 3;
    assert_int_equal(take(world, 1040), EXCHANGE_ASK_TCP);

    /* over TCP there is no way on: never an answer */
    exchange_reopen(&world->exchange, TRANSPORT_TCP, true, &world->rng, 1100);
    exchange_on_sent(&world->exchange, 1100);
    make_reply(world, 0);
    add_address(world);
    world->packet.data[2] |= FLAG_TC >> 8;
    assert_int_equal(take(world, 1140), EXCHANGE_REPLY);
    assert_int_equal(world->exchange.outcome, OUTCOME_MALFORMED);
}

static void ask_plain(struct world *world)
{
    begin(world, TRANSPORT_UDP);
    assert_true(world->exchange.edns);
    make_reply(world, RCODE_FORMERR);
    assert_int_equal(take(world, 1040), EXCHANGE_ASK_PLAIN);
    assert_true(server_edns(world->server, 1040)); /* one reply may be forged */
    exchange_reopen(&world->exchange, TRANSPORT_UDP, false, &world->rng, 1040);
    exchange_on_sent(&world->exchange, 1040);
}

static void refused_edns_is_remembered_when_it_was_the_edns(void **state)
{
    struct world *world = *state;
    ask_plain(world);
    make_reply(world, RCODE_FORMERR); /* nothing left to take away */
    assert_int_equal(take(world, 1080), EXCHANGE_REPLY);
    assert_int_equal(world->exchange.outcome, OUTCOME_REFUSED);
    assert_true(server_edns(world->server, 1080));
    ask_plain(world);
    make_reply(world, 0);
    assert_int_equal(take(world, 1080), EXCHANGE_REPLY);
    begin(world, TRANSPORT_UDP);
    assert_false(world->exchange.edns);
}

static void only_a_single_send_is_measured(void **state)
{
    struct world *world = *state;
    begin(world, TRANSPORT_UDP);
    exchange_on_sent(&world->exchange, 1300);
    make_reply(world, 0);
    assert_int_equal(take(world, 1310), EXCHANGE_REPLY);
    assert_false(rtt_known(&world->server->rtt[TRANSPORT_UDP]));
    assert_int_equal(world->server->sent, 2);
}

static void endings_without_reply(void **state)
{
    struct world *world = *state;
    begin(world, TRANSPORT_UDP);
    exchange_on_timeout(&world->exchange);
    assert_int_equal(world->exchange.state, EXCHANGE_DONE);
    assert_int_equal(world->exchange.outcome, OUTCOME_TIMEOUT);
    assert_int_equal(server_health(world->server), HEALTH_UP); /* a zone's silence is not the server's */
    begin(world, TRANSPORT_UDP);
    exchange_on_unreachable(&world->exchange, 1001);
    assert_int_equal(world->exchange.state, EXCHANGE_DONE);
    assert_int_equal(world->exchange.outcome, OUTCOME_UNREACHABLE);
    assert_int_equal(server_health(world->server), HEALTH_SUSPECT);
}

/* ---- letter case ---- */

static void lower_question(struct world *world)
{
    name_lower(world->packet.data + MESSAGE_HEADER, world->inquiry.name.len);
}

static void letter_case_is_checked_where_it_is_kept(void **state)
{
    struct world *world = *state;
    static const struct {
        enum case_memory   before;
        bool               lower; /* the reply's question */
        enum transport     transport;
        enum exchange_step step;
        enum case_memory   after;
    } cases[] = {
        {CASE_UNKNOWN, false, TRANSPORT_UDP, EXCHANGE_REPLY, CASE_KEPT},
        {CASE_UNKNOWN, true, TRANSPORT_UDP, EXCHANGE_REPLY, CASE_LOST},
        {CASE_KEPT, false, TRANSPORT_UDP, EXCHANGE_REPLY, CASE_KEPT},
        {CASE_LOST, true, TRANSPORT_UDP, EXCHANGE_REPLY, CASE_LOST},
        /* a forger's guess, or the server is another one now: TCP tells */
        {CASE_KEPT, true, TRANSPORT_UDP, EXCHANGE_ASK_TCP, CASE_KEPT},
        {CASE_KEPT, true, TRANSPORT_TCP, EXCHANGE_REPLY, CASE_LOST},
        {CASE_KEPT, false, TRANSPORT_TCP, EXCHANGE_REPLY, CASE_KEPT},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        world->server->case_memory = cases[i].before;
        begin(world, cases[i].transport);
        make_reply(world, 0);
        add_address(world);
        if (cases[i].lower)
            lower_question(world);
        uint64_t answered = world->server->outcomes[cases[i].transport][OUTCOME_ANSWER];
        if (take(world, 1040) != cases[i].step)
            fail_msg("row %zu", i);
        assert_int_equal(world->server->case_memory, cases[i].after);
        bool counted = cases[i].step == EXCHANGE_REPLY;
        assert_int_equal(world->server->outcomes[cases[i].transport][OUTCOME_ANSWER], answered + counted);
    }
}

/* What another's reply has taught meanwhile does not make ours a stranger's. */
static void a_query_under_way_outlives_the_lesson(void **state)
{
    struct world *world = *state;
    begin(world, TRANSPORT_UDP);
    make_reply(world, 0);
    world->server->case_memory = CASE_LOST;
    assert_int_equal(take(world, 1040), EXCHANGE_REPLY);
}

static void a_name_without_letters_teaches_nothing(void **state)
{
    struct world *world = *state;
    name_parse("1.2.3.4", &world->inquiry.name);
    begin(world, TRANSPORT_UDP);
    make_reply(world, 0);
    assert_int_equal(take(world, 1040), EXCHANGE_REPLY);
    assert_int_equal(world->server->case_memory, CASE_UNKNOWN);
}

#define EXCHANGE_TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXCHANGE_TEST(the_query_is_what_was_asked),
        EXCHANGE_TEST(keepalive_is_asked_for_over_tcp),
        EXCHANGE_TEST(each_send_of_one_question_is_the_same),
        EXCHANGE_TEST(letters_are_mixed_unless_the_server_loses_them),
        EXCHANGE_TEST(a_server_of_tcp_only_is_asked_over_tcp),
        EXCHANGE_TEST(the_reply_is_taken),
        EXCHANGE_TEST(what_is_no_reply_is_ignored),
        EXCHANGE_TEST(what_is_too_short_is_ignored),
        EXCHANGE_TEST(a_guess_moves_to_tcp_unless_that_fails),
        EXCHANGE_TEST(a_reply_without_question_may_only_complain),
        EXCHANGE_TEST(a_truncated_reply_asks_for_tcp),
        EXCHANGE_TEST(refused_edns_is_remembered_when_it_was_the_edns),
        EXCHANGE_TEST(only_a_single_send_is_measured),
        EXCHANGE_TEST(endings_without_reply),
        EXCHANGE_TEST(letter_case_is_checked_where_it_is_kept),
        EXCHANGE_TEST(a_query_under_way_outlives_the_lesson),
        EXCHANGE_TEST(a_name_without_letters_teaches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
