/*
 * test_exchange.c: which packet is the reply, and what a packet asks for: TCP, less of EDNS, or nothing. A reply that
 * matches is never silence, and what does not match ends nothing.
 */
#include "upstream/exchange.h"

#include "base/limits.h"
#include "lib/check.h"
#include "lib/names.h"
#include "lib/packet.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define UDP TRANSPORT_UDP
#define TCP TRANSPORT_TCP

struct fixture {
    struct server        *server;
    struct inquiry        inquiry;
    struct exchange       exchange;
    struct rng            rng;
    struct packet         packet;
    struct message        message;
    struct judgement      judgement;
    const struct forgery *known;
};

static int open_fixture(void **state)
{
    static const uint8_t  seed[RNG_SEED_BYTES] = {9};
    struct fixture       *fixture              = calloc(1, sizeof(*fixture));
    struct server_options options              = {.key = {1, 2}};
    address_parse("192.0.2.1", 53, &options.address);
    fixture->server = server_create(&options);
    fixture->inquiry =
        (struct inquiry){.name = named("mail.some-rather-long-name.example.com"), .type = TYPE_A, .class = CLASS_IN};
    rng_init(&fixture->rng, seed);
    *state = fixture;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    server_destroy(fixture->server);
    free(fixture);
    return 0;
}

/* As a driver does: sockets that are no longer listened to are given up, and a ticket stands for one. */
static void send_it(struct fixture *fixture, msec_t now)
{
    struct exchange *exchange = &fixture->exchange;
    for (enum transport transport = 0; transport < TRANSPORT_COUNT; transport++)
        if (!exchange_listens(exchange, transport))
            exchange->tickets[transport] = NULL;
    exchange->tickets[exchange->transport] = fixture;
    exchange_on_sent(exchange, now);
}

static void begin(struct fixture *fixture, enum transport transport)
{
    fixture->server->tcp_only = transport == TCP;
    exchange_open(&fixture->exchange, fixture->server, &fixture->inquiry, &fixture->rng, 1000);
    assert_int_equal(fixture->exchange.transport, transport);
    send_it(fixture, 1000);
}

/* The query turned into a reply without records and without OPT, in the case that was sent. */
static void make_reply(struct fixture *fixture, unsigned rcode)
{
    struct packet *packet = &fixture->packet;
    struct message query;
    packet->len = exchange_write(&fixture->exchange, packet->data);
    assert_true(message_parse(packet_view(packet), &query));
    packet->len = query.start[SECTION_ADDITIONAL];
    put_u16(packet->data + 2, (uint16_t) (PACKET_REPLY | rcode));
    put_u16(packet->data + 10, 0);
}

static void add_address(struct fixture *fixture)
{
    static const uint8_t address[] = {192, 0, 2, 25};
    packet_record_here(&fixture->packet, SECTION_ANSWER, TYPE_A, 300, address, sizeof(address));
}

static enum exchange_step take(struct fixture *fixture, enum transport transport, msec_t now)
{
    const struct arrival arrival = {transport, packet_view(&fixture->packet), fixture->known, now};
    return exchange_on_packet(&fixture->exchange, &arrival, &fixture->rng, &fixture->message, &fixture->judgement);
}

/* ---- what is sent ---- */

static void the_query_is_what_was_asked(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned bits = 0; bits < 16; bits++) {
        uint8_t        wire[QUERY_MAX];
        struct message query;
        bool           plain = bits & 4, small = bits & 8;
        *fixture->server                   = (struct server){.address = fixture->server->address};
        fixture->inquiry.dnssec_ok         = bits & 1;
        fixture->inquiry.checking_disabled = bits & 2;
        fixture->inquiry.type              = TYPE_MX;
        if (plain)
            forms_set(&fixture->server->forms, FORM_PLAIN, 999);
        if (small)
            forms_set(&fixture->server->forms, FORM_SMALL, 999);
        begin(fixture, UDP);
        assert_true(message_parse((struct view){wire, exchange_write(&fixture->exchange, wire)}, &query));
        assert_int_equal(query.id, fixture->exchange.id);
        assert_int_equal(query.question.type, TYPE_MX);
        assert_int_equal(query.question.class, CLASS_IN);
        assert_memory_equal(query.question.name.data, fixture->inquiry.name.wire, fixture->inquiry.name.len);
        assert_int_equal(query.flags, FLAG_RD | FLAG_AD | (bits & 2 ? FLAG_CD : 0));
        assert_int_equal(query.edns.present, !plain);
        assert_int_equal(query.edns.dnssec_ok, (bits & 1) && !plain);
        if (!plain)
            assert_int_equal(query.edns.size, small ? 512 : LIMIT_UDP_PAYLOAD);
    }
}

/* RFC 7828: never over UDP; and the reply's word counts if it is the reply. */
static void keepalive_is_asked_for_over_tcp(void **state)
{
    struct fixture *fixture = *state;
    for (enum transport transport = 0; transport < TRANSPORT_COUNT; transport++) {
        uint8_t        wire[QUERY_MAX];
        struct message query;
        begin(fixture, transport);
        assert_true(message_parse((struct view){wire, exchange_write(&fixture->exchange, wire)}, &query));
        assert_int_equal(query.opt_end - query.opt_start, transport == TCP ? 11 + 4 : 11);
        assert_int_equal(query.edns.keepalive.form, transport == TCP ? KEEPALIVE_ASKED : KEEPALIVE_NONE);

        make_reply(fixture, RCODE_SERVFAIL);
        packet_opt(&fixture->packet, 1232, 0, "\0\13\0\2\0\7", 6);
        assert_int_equal(take(fixture, transport, 1020), EXCHANGE_REPLY);
        assert_int_equal(fixture->exchange.keepalive.form, transport == TCP ? KEEPALIVE_TOLD : KEEPALIVE_NONE);
        assert_int_equal(fixture->exchange.keepalive.idle, transport == TCP ? 7 : 0);
    }
}

static void each_send_of_one_question_is_the_same(void **state)
{
    struct fixture *fixture = *state;
    uint8_t         first[QUERY_MAX], second[QUERY_MAX];
    begin(fixture, UDP);
    size_t len = exchange_write(&fixture->exchange, first);
    assert_false(exchange_on_resend(&fixture->exchange, 1400));
    assert_int_equal(exchange_write(&fixture->exchange, second), len);
    assert_memory_equal(first, second, len);
}

static void a_server_of_tcp_only_is_asked_over_tcp(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, TCP);
    assert_int_equal(fixture->server->tcp_sent, 1);
    assert_int_equal(fixture->server->sent, 0);
}

/* ---- what comes back ---- */

static void the_reply_is_taken(void **state)
{
    struct fixture *fixture = *state;
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
        begin(fixture, UDP);
        atomic_store(&fixture->server->health, HEALTH_DOWN);
        make_reply(fixture, cases[i].rcode);
        if (cases[i].record)
            add_address(fixture);
        assert_int_equal(take(fixture, UDP, 1040), EXCHANGE_REPLY);
        assert_int_equal(fixture->exchange.state, EXCHANGE_DONE);
        assert_int_equal(fixture->exchange.outcome, cases[i].outcome);
        assert_int_equal(server_health(fixture->server), HEALTH_UP);
        assert_int_equal(fixture->server->outcomes[UDP][cases[i].outcome], 1);
    }
    assert_int_equal(rtt_smoothed(&fixture->server->rtt[UDP]), 40);
}

static void bytes_behind_the_message_are_no_part_of_it(void **state)
{
    struct fixture *fixture = *state;
    for (enum transport transport = 0; transport < TRANSPORT_COUNT; transport++) {
        begin(fixture, transport);
        make_reply(fixture, 0);
        add_address(fixture);
        size_t len = fixture->packet.len;
        packet_bytes(&fixture->packet, "trailing", 8);
        assert_int_equal(take(fixture, transport, 1040), EXCHANGE_REPLY);
        assert_int_equal(fixture->exchange.outcome, OUTCOME_ANSWER);
        assert_int_equal(fixture->message.wire.len, len);
    }
}

enum spoil {
    BYTE, /* flip bits of the one at `at` */
    TYPE_OF_QUESTION,
    CLASS_OF_QUESTION,
    LABEL_OF_QUESTION,
    NO_QUESTION, /* and no records; `at`: the rcode */
    CUT,         /* so many bytes at the end */
    OTHER_TYPE,  /* of the answer */
    SHORT_ADDRESS,
    BROKEN_ADDITIONAL,
};

struct spoiled {
    enum spoil spoil;
    size_t     at;
    uint8_t    flip;
};

/* Each has the right id, and cannot be believed, or understood. */
static const struct spoiled spoiled[] = {
    {BYTE, 2, 0x80}, /* QR */
    {BYTE, 2, 0x08},     {BYTE, 2, 0x10},
    {BYTE, 2, 0x28}, /* opcode */
    {BYTE, 5, 0x03}, /* two questions */
    {BYTE, 7, 0x02}, /* more records than there are */
    {TYPE_OF_QUESTION},  {CLASS_OF_QUESTION},
    {LABEL_OF_QUESTION}, /* another question */
    {NO_QUESTION, 0},    {NO_QUESTION, RCODE_NXDOMAIN},
    {NO_QUESTION, 9},    {CUT, 1},
    {CUT, 10},           {OTHER_TYPE},
    {SHORT_ADDRESS},     {BROKEN_ADDITIONAL},
};

static void make_spoiled(struct fixture *fixture, const struct spoiled *how)
{
    struct packet *packet = &fixture->packet;
    size_t         after  = (size_t) MESSAGE_HEADER + fixture->inquiry.name.len;
    make_reply(fixture, 0);
    if (how->spoil == OTHER_TYPE)
        packet_record_here(packet, SECTION_ANSWER, TYPE_TXT, 300, "\3abc", 4);
    else if (how->spoil == SHORT_ADDRESS)
        packet_record_here(packet, SECTION_ANSWER, TYPE_A, 300, "abc", 3);
    else
        add_address(fixture);
    switch (how->spoil) {
    case BYTE:
        packet->data[how->at] ^= how->flip;
        break;
    case TYPE_OF_QUESTION:
        packet->data[after + 1] ^= 1;
        break;
    case CLASS_OF_QUESTION:
        packet->data[after + 3] ^= 1;
        break;
    case LABEL_OF_QUESTION:
        packet->data[MESSAGE_HEADER + 1] ^= 1;
        break;
    case NO_QUESTION:
        packet->len = MESSAGE_HEADER;
        put_u16(packet->data + 2, (uint16_t) (PACKET_REPLY | how->at));
        put_u32(packet->data + 4, 0);
        break;
    case CUT:
        packet->len -= how->at;
        break;
    case BROKEN_ADDITIONAL:
        packet_record_here(packet, SECTION_ADDITIONAL, TYPE_NS, 300, "\100x", 2);
        break;
    default:
        break;
    }
}

/* TCP is asked as well, and the true reply may come by either. */
static void what_is_doubtful_is_asked_over_tcp_too(void **state)
{
    struct fixture *fixture = *state;
    for (enum transport answers = 0; answers < TRANSPORT_COUNT; answers++)
        for (size_t i = 0; i < ARRAY_LEN(spoiled); i++) {
            begin(fixture, UDP);
            atomic_store(&fixture->server->health, HEALTH_SUSPECT);
            uint64_t ignored = fixture->server->ignored;
            uint16_t id      = fixture->exchange.id;
            make_spoiled(fixture, &spoiled[i]);
            if (take(fixture, UDP, 1040) != EXCHANGE_AGAIN)
                fail_msg("row %zu", i);
            assert_int_equal(fixture->exchange.transport, TCP);
            assert_true(exchange_listens(&fixture->exchange, UDP));
            assert_int_equal(fixture->exchange.id, id);
            assert_int_equal(fixture->server->ignored, ignored + 1);
            assert_int_equal(server_health(fixture->server), HEALTH_SUSPECT);
            assert_int_equal(fixture->exchange.state, EXCHANGE_OPEN);
            send_it(fixture, 1041);

            make_spoiled(fixture, &spoiled[i]); /* once more: TCP is asked already */
            assert_int_equal(take(fixture, UDP, 1042), EXCHANGE_IGNORE);
            make_reply(fixture, RCODE_SERVFAIL); /* that too may be forged, as long as TCP may tell */
            assert_int_equal(take(fixture, UDP, 1043), EXCHANGE_IGNORE);
            make_reply(fixture, 0);
            add_address(fixture);
            assert_int_equal(take(fixture, answers, 1050), EXCHANGE_REPLY);
            assert_int_equal(fixture->exchange.outcome, OUTCOME_ANSWER);
        }
}

/* Nobody else can answer there. */
static void what_comes_over_tcp_is_final(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_LEN(spoiled); i++) {
        begin(fixture, TCP);
        make_spoiled(fixture, &spoiled[i]);
        if (take(fixture, TCP, 1040) != EXCHANGE_REPLY)
            fail_msg("row %zu", i);
        assert_int_equal(fixture->exchange.outcome, OUTCOME_MALFORMED);
        assert_int_equal(fixture->exchange.state, EXCHANGE_DONE);
    }
}

/* Without TCP there is the time in which a true reply comes behind a forged one. */
static void a_doubtful_reply_is_not_waited_upon_for_long(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, UDP);
    make_spoiled(fixture, &(struct spoiled){OTHER_TYPE});
    assert_int_equal(take(fixture, UDP, 1040), EXCHANGE_AGAIN);
    send_it(fixture, 1040);
    assert_int_equal(exchange_due(&fixture->exchange), 1040 + EXCHANGE_LIFE);
    assert_false(exchange_on_unreachable(&fixture->exchange, TCP, true, 1060));
    fixture->exchange.tickets[TCP] = NULL;
    assert_int_equal(exchange_due(&fixture->exchange), 1040 + EXCHANGE_DOUBTFUL);
    assert_true(server_tcp_doubtful(fixture->server, 1060));
    assert_int_equal(take(fixture, UDP, 1070), EXCHANGE_IGNORE);
    make_reply(fixture, RCODE_SERVFAIL); /* nobody is left to tell better */
    struct exchange open = fixture->exchange;
    assert_int_equal(take(fixture, UDP, 1080), EXCHANGE_REPLY);
    fixture->exchange = open;
    exchange_on_timeout(&fixture->exchange);
    assert_int_equal(fixture->exchange.outcome, OUTCOME_MALFORMED);
}

/* What comes over TCP and is about something else is not the upstream's word, as long as the true reply may come. */
static void another_reply_over_tcp_is_ignored_for_a_while(void **state)
{
    struct fixture *fixture = *state;
    for (msec_t after = 0; after <= 500; after += 250) {
        begin(fixture, UDP);
        make_spoiled(fixture, &(struct spoiled){OTHER_TYPE});
        assert_int_equal(take(fixture, UDP, 1040), EXCHANGE_AGAIN);
        send_it(fixture, 1040);
        make_spoiled(fixture, &(struct spoiled){LABEL_OF_QUESTION});
        assert_int_equal(take(fixture, TCP, 1040 + after - (after > 250)), EXCHANGE_IGNORE);
        if (after == 500) {
            fixture->exchange.tcp_over = false;
            assert_int_equal(take(fixture, TCP, 1040 + after), EXCHANGE_REPLY);
            assert_int_equal(fixture->exchange.outcome, OUTCOME_MALFORMED);
        }
    }
}

static void what_has_no_header_is_ignored(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, UDP);
    for (size_t len = 0; len < MESSAGE_HEADER; len++) {
        make_reply(fixture, 0);
        fixture->packet.len = len;
        assert_int_equal(take(fixture, UDP, 1040), EXCHANGE_IGNORE);
        assert_int_equal(fixture->exchange.doubted, 0);
    }
    make_reply(fixture, 0);
    assert_int_equal(take(fixture, UDP, 1040), EXCHANGE_REPLY);
}

/* An id that was never sent: somebody guesses. One guess must not end the wait, many must not go on for ever. */
static void a_guess_is_asked_over_tcp_too(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, UDP);
    make_reply(fixture, 0);
    fixture->packet.data[1] ^= 1;
    assert_int_equal(take(fixture, UDP, 1040), EXCHANGE_AGAIN);
    assert_int_equal(fixture->exchange.transport, TCP);
    assert_true(exchange_listens(&fixture->exchange, UDP));
    send_it(fixture, 1040);
    for (unsigned strays = 2; strays < EXCHANGE_STRAYS; strays++)
        assert_int_equal(take(fixture, UDP, 1041), EXCHANGE_IGNORE);
    assert_int_equal(take(fixture, UDP, 1042), EXCHANGE_LEAVE);
    assert_false(exchange_listens(&fixture->exchange, UDP));
    make_reply(fixture, 0);
    assert_int_equal(take(fixture, TCP, 1050), EXCHANGE_REPLY);
}

/* Where TCP was seen to fail a guesser must not be able to end the wait for the reply. */
static void a_guess_is_ignored_where_tcp_fails(void **state)
{
    struct fixture *fixture = *state;
    for (enum transport transport = 0; transport < TRANSPORT_COUNT; transport++) {
        begin(fixture, transport);
        make_reply(fixture, 0);
        fixture->packet.data[1] ^= 1;
        server_on_unreachable(fixture->server, TCP, 1030);
        for (unsigned strays = 0; strays < 100; strays++)
            assert_int_equal(take(fixture, transport, 1040), EXCHANGE_IGNORE);
        make_reply(fixture, 0);
        assert_int_equal(take(fixture, transport, 1050), EXCHANGE_REPLY);
    }
}

/* RFC 1035 lets a server that could not read the query leave the question out, and those do that will not answer. */
static void a_reply_without_question_may_only_complain(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        unsigned     rcode;
        enum outcome outcome;
    } cases[] = {{RCODE_SERVFAIL, OUTCOME_SERVFAIL},
                 {RCODE_REFUSED, OUTCOME_REFUSED},
                 {RCODE_FORMERR, OUTCOME_REFUSED},
                 {RCODE_NOTIMP, OUTCOME_REFUSED}};
    for (enum transport transport = 0; transport < TRANSPORT_COUNT; transport++)
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            begin(fixture, transport);
            fixture->exchange.form = FORM_PLAIN;
            make_reply(fixture, cases[i].rcode);
            fixture->packet.len = MESSAGE_HEADER;
            put_u16(fixture->packet.data + 4, 0);
            if (take(fixture, transport, 1040) != EXCHANGE_REPLY)
                fail_msg("row %zu", i);
            assert_int_equal(fixture->exchange.outcome, cases[i].outcome);
        }
}

static void a_truncated_reply_asks_for_tcp(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned cut = 0; cut <= 3; cut += 3) { /* also in the middle of its record */
        begin(fixture, UDP);
        make_reply(fixture, 0);
        add_address(fixture);
        fixture->packet.len -= cut;
        fixture->packet.data[2] |= FLAG_TC >> 8;
        assert_int_equal(take(fixture, UDP, 1040), EXCHANGE_AGAIN);
        assert_int_equal(fixture->exchange.transport, TCP);
        assert_false(exchange_listens(&fixture->exchange, UDP));
        assert_int_equal(fixture->exchange.doubted, 0);

        send_it(fixture, 1100); /* there is no way on from there: never an answer */
        make_reply(fixture, 0);
        add_address(fixture);
        fixture->packet.data[2] |= FLAG_TC >> 8;
        assert_int_equal(take(fixture, TCP, 1140), EXCHANGE_REPLY);
        assert_int_equal(fixture->exchange.outcome, OUTCOME_MALFORMED);
    }
}

/* ---- less of EDNS ---- */

static const uint8_t opt[] = {0, 0, TYPE_OPT, 4, 208, 0, 0, 0, 0, 0, 0};

static void make_refusal(struct fixture *fixture, unsigned rcode, bool copies_opt)
{
    make_reply(fixture, rcode);
    if (copies_opt) {
        packet_bytes(&fixture->packet, opt, sizeof(opt));
        put_u16(fixture->packet.data + 10, 1);
    }
}

static void refused_edns_is_left_away(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        unsigned rcode;
        bool     copies_opt, again;
    } rows[] = {{RCODE_FORMERR, false, true},
                {RCODE_FORMERR, true, true},
                {RCODE_NOTIMP, false, true},
                {RCODE_NOTIMP, true, false}, /* it read the OPT, and means something else */
                {RCODE_REFUSED, false, false}};
    for (enum transport transport = 0; transport < TRANSPORT_COUNT; transport++)
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            begin(fixture, transport);
            for (unsigned tries = transport == TCP ? 2 : 1; rows[i].again && tries > 0; tries--) {
                make_refusal(fixture, rows[i].rcode, rows[i].copies_opt);
                assert_int_equal(take(fixture, transport, 1040), EXCHANGE_AGAIN);
                assert_int_equal(fixture->exchange.transport, transport);
                assert_int_equal(fixture->exchange.bare, transport == TCP);
                assert_int_equal(fixture->exchange.form, tries > 1 ? FORM_WHOLE : FORM_PLAIN);
                send_it(fixture, 1040);
            }
            make_refusal(fixture, rows[i].rcode, rows[i].copies_opt && !rows[i].again);
            assert_int_equal(take(fixture, transport, 1080), EXCHANGE_REPLY);
            assert_int_equal(fixture->exchange.outcome, OUTCOME_REFUSED);
        }
}

/* The reply to the plain question shows that it was the EDNS; for one name, until several need it. */
static void that_it_was_the_edns_is_remembered(void **state)
{
    struct fixture   *fixture = *state;
    const struct name other   = {.len = 7, .wire = "\5other"};
    begin(fixture, UDP);
    make_reply(fixture, RCODE_FORMERR);
    assert_int_equal(take(fixture, UDP, 1040), EXCHANGE_AGAIN);
    send_it(fixture, 1040);
    make_reply(fixture, RCODE_FORMERR);
    assert_int_equal(take(fixture, UDP, 1080), EXCHANGE_REPLY);
    begin(fixture, UDP);
    assert_int_equal(fixture->exchange.form, FORM_WHOLE);
    make_reply(fixture, RCODE_FORMERR);
    assert_int_equal(take(fixture, UDP, 1040), EXCHANGE_AGAIN);
    send_it(fixture, 1040);
    make_reply(fixture, 0);
    assert_int_equal(take(fixture, UDP, 1080), EXCHANGE_REPLY);
    begin(fixture, UDP);
    assert_int_equal(fixture->exchange.form, FORM_PLAIN);
    assert_int_equal(forms_of(&fixture->server->forms, name_view(&other), 1100), FORM_WHOLE);
}

/* ---- silence ---- */

/* The third datagram says that 512 bytes will do, and TCP is asked beside it; once a second. */
static void silence_is_asked_in_every_form(void **state)
{
    struct fixture *fixture = *state;
    uint8_t         wire[QUERY_MAX];
    begin(fixture, UDP);
    assert_false(exchange_on_resend(&fixture->exchange, 1400));
    send_it(fixture, 1400);
    assert_true(exchange_on_resend(&fixture->exchange, 2200));
    struct message query;
    assert_true(message_parse((struct view){wire, exchange_write(&fixture->exchange, wire)}, &query));
    assert_int_equal(query.edns.size, 512);
    send_it(fixture, 2200);
    exchange_try_tcp(&fixture->exchange);
    assert_true(exchange_listens(&fixture->exchange, UDP));
    send_it(fixture, 2200);
    assert_false(exchange_on_resend(&fixture->exchange, 4000)); /* it was done */

    struct exchange both = fixture->exchange;
    make_reply(fixture, 0);
    assert_int_equal(take(fixture, UDP, 2300), EXCHANGE_REPLY);
    fixture->exchange = both;
    fixture->packet.data[2] |= FLAG_TC >> 8; /* TCP is asked already */
    assert_int_equal(take(fixture, UDP, 2300), EXCHANGE_LEAVE);
    fixture->exchange = both;
    assert_false(exchange_on_unreachable(&fixture->exchange, TCP, true, 2300));
    assert_int_equal(exchange_due(&fixture->exchange), 2200 + EXCHANGE_LIFE);

    begin(fixture, UDP); /* another question, in the same second */
    fixture->exchange.sends[UDP] = 2;
    assert_false(exchange_on_resend(&fixture->exchange, 2900));
    assert_true(exchange_on_resend(&fixture->exchange, 2200 + SERVER_LADDER_EVERY));
}

/* Only what is too long for a small datagram shows that small ones are needed. */
static void that_a_small_one_was_needed_is_remembered(void **state)
{
    struct fixture *fixture = *state;
    char            text[400];
    memset(text, 200, sizeof(text));
    for (int big = 0; big < 2; big++) {
        *fixture->server = (struct server){.address = fixture->server->address};
        begin(fixture, UDP);
        fixture->exchange.sends[UDP] = 2;
        assert_true(exchange_on_resend(&fixture->exchange, 2200));
        exchange_try_tcp(&fixture->exchange);
        send_it(fixture, 2200);
        make_reply(fixture, 0);
        for (int i = 0; i <= 2 * big; i++)
            packet_record_here(&fixture->packet, SECTION_ANSWER, TYPE_TXT, 300, text, 201);
        add_address(fixture);
        assert_int_equal(take(fixture, TCP, 2300), EXCHANGE_REPLY);
        exchange_open(&fixture->exchange, fixture->server, &fixture->inquiry, &fixture->rng, 3000);
        assert_int_equal(fixture->exchange.form, big ? FORM_SMALL : FORM_WHOLE);
    }
}

static void only_a_single_send_is_measured(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, UDP);
    exchange_on_sent(&fixture->exchange, 1300);
    make_reply(fixture, 0);
    assert_int_equal(take(fixture, UDP, 1310), EXCHANGE_REPLY);
    assert_false(rtt_known(&fixture->server->rtt[UDP]));
    assert_int_equal(fixture->server->sent, 2);

    begin(fixture, UDP); /* what came behind a question over TCP, too, is not known to which it is the reply */
    make_spoiled(fixture, &(struct spoiled){OTHER_TYPE});
    assert_int_equal(take(fixture, UDP, 1010), EXCHANGE_AGAIN);
    send_it(fixture, 1010);
    struct exchange both = fixture->exchange;
    make_reply(fixture, 0);
    assert_int_equal(take(fixture, UDP, 1030), EXCHANGE_REPLY);
    assert_false(rtt_known(&fixture->server->rtt[UDP]));
    fixture->exchange = both;
    assert_int_equal(take(fixture, TCP, 1030), EXCHANGE_REPLY);
    assert_int_equal(rtt_smoothed(&fixture->server->rtt[TCP]), 20);
}

static void silence_is_told_once(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, UDP);
    exchange_tell_silence(&fixture->exchange, 1000 + EXCHANGE_SILENT - 1);
    assert_int_equal(atomic_load(&fixture->server->silences), 0);
    exchange_tell_silence(&fixture->exchange, 1000 + EXCHANGE_SILENT);
    assert_int_equal(atomic_load(&fixture->server->silences), 1);
    exchange_tell_silence(&fixture->exchange, 1000 + 2 * EXCHANGE_SILENT);
    assert_int_equal(atomic_load(&fixture->server->silences), 1);
}

/* ---- endings without reply ---- */

static void what_is_given_up_has_timed_out(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, UDP);
    assert_int_equal(exchange_due(&fixture->exchange), 1000 + EXCHANGE_LIFE);
    exchange_on_timeout(&fixture->exchange);
    assert_int_equal(fixture->exchange.state, EXCHANGE_DONE);
    assert_int_equal(fixture->exchange.outcome, OUTCOME_TIMEOUT);
    assert_int_equal(server_health(fixture->server), HEALTH_UP); /* a zone's silence is not the server's */
}

/* Anybody can forge ICMP. It ends nothing but what probes have found dead already. */
static void icmp_is_a_hint(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, UDP);
    assert_false(exchange_on_unreachable(&fixture->exchange, UDP, true, 1001));
    assert_true(fixture->exchange.hinted);
    assert_int_equal(server_health(fixture->server), HEALTH_SUSPECT); /* a probe looks, now and then */
    assert_int_equal(fixture->server->hints, 1);
    atomic_store(&fixture->server->health, HEALTH_UP);
    assert_false(exchange_on_unreachable(&fixture->exchange, UDP, true, 1001 + SERVER_HINT_EVERY - 1));
    assert_int_equal(server_health(fixture->server), HEALTH_UP);
    assert_false(exchange_on_unreachable(&fixture->exchange, UDP, true, 1001 + SERVER_HINT_EVERY));
    assert_int_equal(server_health(fixture->server), HEALTH_SUSPECT);
    struct exchange open = fixture->exchange;
    make_reply(fixture, 0);
    assert_int_equal(take(fixture, UDP, 1040), EXCHANGE_REPLY);
    fixture->exchange = open;
    exchange_on_timeout(&fixture->exchange);
    assert_int_equal(fixture->exchange.outcome, OUTCOME_UNREACHABLE);
    fixture->exchange = open;
    atomic_store(&fixture->server->health, HEALTH_DOWN);
    assert_true(exchange_on_unreachable(&fixture->exchange, UDP, true, 1001));
    assert_int_equal(fixture->exchange.outcome, OUTCOME_UNREACHABLE);
}

static void what_the_system_refuses_ends_it(void **state)
{
    struct fixture *fixture = *state;
    for (enum transport transport = 0; transport < TRANSPORT_COUNT; transport++) {
        begin(fixture, transport);
        fixture->exchange.sends[transport] = 0;
        atomic_store(&fixture->server->health, HEALTH_UP);
        assert_true(exchange_on_unreachable(&fixture->exchange, transport, false, 1001));
        assert_int_equal(fixture->exchange.state, EXCHANGE_DONE);
        assert_int_equal(fixture->exchange.outcome, OUTCOME_UNREACHABLE);
        assert_int_equal(server_health(fixture->server), HEALTH_SUSPECT);
    }
}

/* The answer to the datagram before is still due. */
static void a_resend_that_the_system_refuses_ends_nothing(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, UDP);
    assert_false(exchange_on_unreachable(&fixture->exchange, UDP, false, 1300));
    assert_int_equal(fixture->exchange.state, EXCHANGE_OPEN);
    assert_int_equal(fixture->exchange.sends[UDP], 2);
    make_reply(fixture, 0);
    add_address(fixture);
    assert_int_equal(take(fixture, UDP, 1340), EXCHANGE_REPLY);
    assert_int_equal(fixture->exchange.outcome, OUTCOME_ANSWER);
}

/* Silence led to TCP beside UDP; then UDP is asked without EDNS, and TCP must do for what is cut there. */
static void tcp_is_asked_anew_behind_a_barer_question(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, UDP);
    exchange_on_sent(&fixture->exchange, 1300);
    assert_true(exchange_on_resend(&fixture->exchange, 1700));
    exchange_on_sent(&fixture->exchange, 1700);
    exchange_try_tcp(&fixture->exchange);
    exchange_on_sent(&fixture->exchange, 1700);
    make_reply(fixture, RCODE_FORMERR);
    assert_int_equal(take(fixture, UDP, 1740), EXCHANGE_AGAIN);
    assert_int_equal(fixture->exchange.transport, UDP);
    exchange_on_sent(&fixture->exchange, 1740);
    make_reply(fixture, FLAG_TC);
    assert_int_equal(take(fixture, UDP, 1780), EXCHANGE_AGAIN);
    assert_int_equal(fixture->exchange.transport, TCP);
}

/* ---- OPT ---- */

static void reply_over_udp(struct fixture *fixture, bool has_opt, msec_t now, enum exchange_step expected)
{
    begin(fixture, UDP);
    make_reply(fixture, 0);
    add_address(fixture);
    if (has_opt)
        packet_opt(&fixture->packet, 1232, 0, "", 0);
    assert_int_equal(take(fixture, UDP, now), expected);
}

/* Who forges at a border sends no OPT. Of an upstream beyond it that always sends one such a reply is not believed: TCP
 * is asked, and what comes with one first wins. */
static void a_reply_that_lacks_its_opt_is_suspicious(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned beyond = 0; beyond < 2; beyond++) {
        fixture->server->beyond = beyond;
        for (unsigned i = 0; i < SERVER_OPT_ALWAYS; i++)
            reply_over_udp(fixture, true, 1040, EXCHANGE_REPLY);
        reply_over_udp(fixture, false, 2000, beyond ? EXCHANGE_AGAIN : EXCHANGE_REPLY);
    }
    assert_int_equal(fixture->exchange.transport, TCP);
    assert_true(exchange_listens(&fixture->exchange, UDP));
    assert_false(server_is_tainted(fixture->server, 2000));
    make_reply(fixture, 0);
    add_address(fixture);
    packet_opt(&fixture->packet, 1232, 0, "", 0);
    assert_int_equal(take(fixture, UDP, 2100), EXCHANGE_REPLY); /* the true one, behind it */
    assert_int_equal(fixture->exchange.outcome, OUTCOME_ANSWER);
    assert_true(server_is_tainted(fixture->server, 2100));
    fixture->server->tcp_only = false;
    exchange_open(&fixture->exchange, fixture->server, &fixture->inquiry, &fixture->rng, 3000);
    assert_int_equal(fixture->exchange.transport, TCP);
    assert_false(server_is_tainted(fixture->server, 2100 + SERVER_TAINT_LIFE));
}

/* An upstream may give OPT up. */
static void one_that_sends_no_opt_any_more_is_believed_in_the_end(void **state)
{
    struct fixture *fixture = *state;
    fixture->server->beyond = true;
    for (unsigned i = 0; i < SERVER_OPT_ALWAYS; i++)
        reply_over_udp(fixture, true, 1040, EXCHANGE_REPLY);
    for (unsigned i = 1; i < SERVER_OPT_LACKED; i++)
        reply_over_udp(fixture, false, 2000, EXCHANGE_AGAIN);
    for (unsigned i = 0; i < 20; i++)
        reply_over_udp(fixture, false, 2000, EXCHANGE_REPLY);
}

/* What was judged before says nothing of it. */
static void a_reply_that_cannot_be_read_has_a_kind_too(void **state)
{
    struct fixture  *fixture = *state;
    struct message   reply;
    struct judgement judgement;
    memset(&judgement, 0xff, sizeof(judgement));
    begin(fixture, TCP);
    make_reply(fixture, 0);
    struct view cut = {fixture->packet.data, fixture->packet.len - 1};
    assert_int_equal(exchange_on_packet(&fixture->exchange, &(struct arrival){TCP, cut, NULL, 1040}, &fixture->rng,
                                        &reply, &judgement),
                     EXCHANGE_REPLY);
    assert_int_equal(judgement.outcome, OUTCOME_MALFORMED);
    assert_int_equal(judge_bogus(&judgement), BOGUS_NOT);
}

/* ---- letter case ---- */

static bool is_mixed(struct fixture *fixture)
{
    uint8_t wire[QUERY_MAX];
    bool    upper = false;
    exchange_write(&fixture->exchange, wire);
    for (size_t at = MESSAGE_HEADER; at < (size_t) MESSAGE_HEADER + fixture->inquiry.name.len; at++)
        upper |= isupper(wire[at]) != 0;
    return upper;
}

static void lower_question(struct fixture *fixture)
{
    name_lower(fixture->packet.data + MESSAGE_HEADER, fixture->inquiry.name.len);
}

static void letters_are_mixed_where_it_is_asked_for(void **state)
{
    struct fixture *fixture = *state;
    for (int mix = 0; mix < 2; mix++) {
        fixture->server->mix_case = mix;
        begin(fixture, UDP);
        assert_int_equal(is_mixed(fixture), mix);
        make_reply(fixture, 0);
        lower_question(fixture); /* who was not asked for it need not keep it */
        assert_int_equal(take(fixture, UDP, 1040), mix ? EXCHANGE_AGAIN : EXCHANGE_REPLY);
    }
    assert_int_equal(fixture->exchange.transport, TCP);
    send_it(fixture, 1040);
    make_reply(fixture, 0);
    lower_question(fixture); /* nobody else can answer there */
    assert_int_equal(take(fixture, TCP, 1050), EXCHANGE_REPLY);
}

/* A few times in a row, and it is given up for a while; one reply that keeps it begins the row anew. */
static void letter_case_is_given_up_and_tried_again(void **state)
{
    struct fixture *fixture   = *state;
    fixture->server->mix_case = true;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned lost = 0; lost < SERVER_CASE_LOST - 1; lost++) {
            begin(fixture, UDP);
            assert_true(is_mixed(fixture));
            make_reply(fixture, 0);
            lower_question(fixture);
            assert_int_equal(take(fixture, UDP, 1040), EXCHANGE_AGAIN);
        }
        if (round == 1)
            break;
        begin(fixture, UDP);
        make_reply(fixture, 0);
        assert_int_equal(take(fixture, UDP, 1040), EXCHANGE_REPLY);
    }
    begin(fixture, UDP);
    make_reply(fixture, 0);
    lower_question(fixture);
    assert_int_equal(take(fixture, UDP, 1040), EXCHANGE_REPLY); /* that is one too many: it is the upstream's habit */
    begin(fixture, UDP);
    assert_false(is_mixed(fixture));
    assert_true(server_mixes_case(fixture->server, 1040 + SERVER_CASE_RETRY));
}

static void a_name_without_letters_teaches_nothing(void **state)
{
    struct fixture *fixture   = *state;
    fixture->server->mix_case = true;
    fixture->inquiry.name     = named("1.2.3.4");
    begin(fixture, UDP);
    make_reply(fixture, 0);
    assert_int_equal(take(fixture, UDP, 1040), EXCHANGE_REPLY);
    assert_int_equal(fixture->server->case_lost, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(the_query_is_what_was_asked),
        FIXTURE_TEST(keepalive_is_asked_for_over_tcp),
        FIXTURE_TEST(each_send_of_one_question_is_the_same),
        FIXTURE_TEST(a_server_of_tcp_only_is_asked_over_tcp),
        FIXTURE_TEST(the_reply_is_taken),
        FIXTURE_TEST(bytes_behind_the_message_are_no_part_of_it),
        FIXTURE_TEST(what_is_doubtful_is_asked_over_tcp_too),
        FIXTURE_TEST(what_comes_over_tcp_is_final),
        FIXTURE_TEST(a_doubtful_reply_is_not_waited_upon_for_long),
        FIXTURE_TEST(another_reply_over_tcp_is_ignored_for_a_while),
        FIXTURE_TEST(what_has_no_header_is_ignored),
        FIXTURE_TEST(a_guess_is_asked_over_tcp_too),
        FIXTURE_TEST(a_guess_is_ignored_where_tcp_fails),
        FIXTURE_TEST(a_reply_without_question_may_only_complain),
        FIXTURE_TEST(a_truncated_reply_asks_for_tcp),
        FIXTURE_TEST(refused_edns_is_left_away),
        FIXTURE_TEST(that_it_was_the_edns_is_remembered),
        FIXTURE_TEST(silence_is_asked_in_every_form),
        FIXTURE_TEST(that_a_small_one_was_needed_is_remembered),
        FIXTURE_TEST(only_a_single_send_is_measured),
        FIXTURE_TEST(silence_is_told_once),
        FIXTURE_TEST(what_is_given_up_has_timed_out),
        FIXTURE_TEST(icmp_is_a_hint),
        FIXTURE_TEST(what_the_system_refuses_ends_it),
        FIXTURE_TEST(a_resend_that_the_system_refuses_ends_nothing),
        FIXTURE_TEST(tcp_is_asked_anew_behind_a_barer_question),
        FIXTURE_TEST(a_reply_that_cannot_be_read_has_a_kind_too),
        FIXTURE_TEST(a_reply_that_lacks_its_opt_is_suspicious),
        FIXTURE_TEST(one_that_sends_no_opt_any_more_is_believed_in_the_end),
        FIXTURE_TEST(letters_are_mixed_where_it_is_asked_for),
        FIXTURE_TEST(letter_case_is_given_up_and_tried_again),
        FIXTURE_TEST(a_name_without_letters_teaches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
