/* Messages: what is accepted and refused, what a client's datagram deserves, records in their order. */
#include "dns/message.h"

#include "lib/check.h"
#include "lib/packet.h"

#include <stdlib.h>

static struct packet packet;

static bool parses(struct message *ret) { return message_parse(packet_view(&packet), ret); }

static void keepalive_is_read(void **state)
{
    static const struct {
        const char         *options;
        size_t              len;
        enum keepalive_form form;
        unsigned            idle;
    } rows[] = {
        {"\0\13\0\0", 4, KEEPALIVE_ASKED, 0},
        {"\0\13\0\2\1\2", 6, KEEPALIVE_TOLD, 0x102},
        {"\0\13\0\2\0\0", 6, KEEPALIVE_TOLD, 0},
        {"\0\13\0\1\5", 5, KEEPALIVE_NONE, 0},
        {"\0\13\0\3\1\2\3", 7, KEEPALIVE_NONE, 0},
        {"\0\13\0\3\1\2\3\0\13\0\2\0\7\0\13\0\0", 17, KEEPALIVE_TOLD, 7}, /* the first that makes sense */
        {"\0\12\0\2\0\7", 6, KEEPALIVE_NONE, 0},
        {"", 0, KEEPALIVE_NONE, 0},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct message message;
        packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_MX);
        packet_opt(&packet, 1232, 0, rows[i].options, rows[i].len);
        assert_true(parses(&message));
        assert_false(message.edns.garbled);
        assert_int_equal(message.edns.keepalive.form, rows[i].form);
        assert_int_equal(message.edns.keepalive.idle, rows[i].idle);
    }
}

static void a_reply_is_read(void **state)
{
    static const uint8_t ede[] = {0, 10, 0, 1, 7, 0, 15, 0, 4, 0, 22, 'n', 'o', 0, 15, 0, 2, 0, 3};
    struct message       message;
    struct record        record = {0};

    (void) state;
    packet_begin(&packet, PACKET_REPLY | 2, "Example.COM", TYPE_MX);
    packet_name_record(&packet, 0, "example.com", TYPE_MX, 300, 2, "mx.example.com");
    packet_name_record(&packet, 1, "com", TYPE_NS, 86400, 0, "ns.example.com");
    packet_record(&packet, 2, "mx.example.com", TYPE_A, 60, "\1\2\3\4", 4);
    packet_opt(&packet, 4096, 0x01008000, ede, sizeof ede);
    assert_true(parses(&message));
    assert_int_equal(message.id, 0x1234);
    assert_int_equal(message.flags, PACKET_REPLY | 2);
    assert_int_equal(message.rcode, 0x12);
    assert_true(message.has_question);
    assert_int_equal(message.question.type, TYPE_MX);
    assert_int_equal(message.question.class, CLASS_IN);
    assert_memory_equal(message.question.name.data, "\7Example\3COM", 13);
    assert_true(message.edns.present && message.edns.dnssec_ok && !message.edns.garbled);
    assert_int_equal(message.edns.size, 4096);
    assert_int_equal(message.edns.version, 0);
    assert_int_equal(message.edns.ede, EDE_NO_REACHABLE_AUTHORITY);
    assert_int_equal(message.opt_end, packet.len);
    assert_int_equal(message.start[SECTION_ANSWER], 12 + 13 + 4);
    assert_int_equal(message.start[SECTION_COUNT], packet.len);

    static const struct {
        enum section section;
        uint16_t     type;
        uint32_t     ttl;
        size_t       len;
    } rows[] = {{SECTION_ANSWER, TYPE_MX, 300, 18},
                {SECTION_AUTHORITY, TYPE_NS, 86400, 16},
                {SECTION_ADDITIONAL, TYPE_A, 60, 4},
                {SECTION_ADDITIONAL, TYPE_OPT, 0x01008000, sizeof ede}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(message_next(&message, &record));
        assert_int_equal(record.section, rows[i].section);
        assert_int_equal(record.type, rows[i].type);
        assert_int_equal(record.ttl, rows[i].ttl);
        assert_int_equal(get_u32(packet.data + record.ttl_at), rows[i].ttl);
        assert_int_equal(record.data.len, rows[i].len);
        assert_ptr_equal(record.data.data, packet.data + record.data_at);
    }
    assert_int_equal(record.owner, message.opt_start);
    assert_false(message_next(&message, &record));
    assert_false(message_next(&message, &record));
}

/* Every cut of a good message is refused. Bytes too many are no part of it. */
static void a_cut_message_is_refused(void **state)
{
    struct message message;

    (void) state;
    packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_MX);
    packet_name_record(&packet, 0, "example.com", TYPE_MX, 300, 2, "mx.example.com");
    packet_soa(&packet, 1, "com", 300, 60);
    packet_opt(&packet, 1232, 0, NULL, 0);
    for (size_t len = 0; len < packet.len; len++) {
        uint8_t *copy = malloc(len + 1); /* its end is watched */
        memcpy(copy, packet.data, len);
        copy = realloc(copy, len > 0 ? len : 1);
        assert_false(message_parse((struct view){copy, len}, &message));
        assert_int_equal(message.has_question, len >= 12 + 13 + 4);
        free(copy);
    }
    size_t len = packet.len;
    packet_bytes(&packet, "", 1);
    assert_true(parses(&message));
    assert_int_equal(message.wire.len, len);
}

/* One record each, in a section; its owner is the question. */
static void records_are_checked(void **state)
{
    static const struct {
        unsigned    section, type;
        size_t      len;
        const char *data;
        bool        good;
    } rows[] = {
        {0, TYPE_NS, 4, "\1a\xc0\x0c", true},
        {0, TYPE_NS, 5, "\1a\xc0\x0c.", false}, /* does not fill the rdata */
        {0, TYPE_NS, 3, "\1a\xc0", false},
        {0, TYPE_NS, 0, "", false},
        {0, TYPE_NS, 2, "\xc0\x29", false}, /* itself */
        {0, TYPE_NS, 2, "\xc0\x00", false}, /* the header */
        {0, TYPE_NS, 2, "\xc0\xff", false}, /* beyond the end */
        {0, TYPE_NS, 2, "\xc0\x23", false}, /* this record's TTL */
        {0, TYPE_NS, 2, "\xc0\x0f", false}, /* letters of the question */
        {0, TYPE_CNAME, 1, "", true},
        {0, TYPE_PTR, 2, "\xc0\x0c", true},
        {0, TYPE_DNAME, 2, "\xc0\x0c", true},
        {0, 3, 3, "\1a", true},
        {0, 9, 4, "\1a\0.", false},
        {0, 14, 4, "\xc0\x0c\xc0\x0c", true},
        {0, 14, 2, "\xc0\x0c", false},
        {0, TYPE_MX, 4, "\0\1\xc0\x0c", true},
        {0, TYPE_MX, 2, "\0\1", false},
        {0, TYPE_MX, 1, "\0", false},
        {0, TYPE_MX, 0, "", false},
        {0, TYPE_SRV, 0, "", false},
        {0, TYPE_SRV, 5, "\0\0\0\0\0", false},
        {0, TYPE_SRV, 8, "\0\0\0\0\0\0\xc0\x0c", true},
        {0, TYPE_SRV, 8, "\0\0\0\0\0\0\1a", false},
        {1, TYPE_SOA, 24, "\xc0\x0c\xc0\x0c....................", true},
        {1, TYPE_SOA, 24, "\xc0\x20\xc0\x0c....................", false}, /* the type: a label over class and TTL */
        {1, TYPE_SOA, 23, "\xc0\x0c\xc0\x0c...................", false},
        {0, TYPE_TXT, 2, "\xc0\xff", true}, /* no names there: not looked at */
        {0, 65280, 0, "", true},
        {0, TYPE_TSIG, 0, "", false},
        {2, TYPE_TSIG, 0, "", true},
        {2, TYPE_OPT, 0, "", false}, /* not at the root */
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct message message;

        packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_MX);
        packet_record_here(&packet, rows[i].section, rows[i].type, 0, rows[i].data, rows[i].len);
        uint8_t *copy = malloc(packet.len); /* its end is watched */
        memcpy(copy, packet.data, packet.len);
        assert_int_equal(message_parse((struct view){copy, packet.len}, &message), rows[i].good);
        free(copy);
    }
}

static void counts_that_lie_are_refused(void **state)
{
    struct message message;

    (void) state;
    for (size_t at = 4; at < 12; at += 2)
        for (unsigned wrong = 0; wrong < 4; wrong++) {
            uint16_t count;

            packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_MX);
            packet_name_record(&packet, 0, "example.com", TYPE_MX, 300, 2, "mx.example.com");
            packet_name_record(&packet, 1, "com", TYPE_NS, 300, 0, "ns.example.com");
            packet_opt(&packet, 1232, 0, NULL, 0);
            assert_true(parses(&message));
            count = get_u16(packet.data + at);
            put_u16(packet.data + at, (uint16_t[]){0, 2, 255, 65535}[wrong]);
            bool parsed = parses(&message);
            if (wrong != 0)
                assert_false(parsed);
            else if (at > 4) /* what is not counted lies behind the message */
                assert_true(parsed && message.wire.len < packet.len);
            assert_int_equal(count, 1);
        }
}

static void opt_has_its_place(void **state)
{
    struct message message;

    (void) state;
    packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_A);
    packet_opt(&packet, 1232, 0, NULL, 0);
    packet_opt(&packet, 1232, 0, NULL, 0);
    assert_false(parses(&message)); /* two */

    for (unsigned section = 0; section < 2; section++) {
        packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_A);
        packet_record(&packet, section, "", TYPE_OPT, 0, NULL, 0);
        assert_false(parses(&message));
    }

    packet_begin(&packet, PACKET_REPLY, "", TYPE_A);
    packet_record_here(&packet, 2, TYPE_OPT, 0, NULL, 0);
    assert_false(parses(&message)); /* the root, but by a pointer */

    packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_A);
    packet_record(&packet, 2, "example.com", TYPE_TSIG, 0, NULL, 0);
    packet_opt(&packet, 1232, 0, NULL, 0);
    assert_false(parses(&message)); /* TSIG is last, or nothing */
}

/* An owner of 255 bytes is the longest; the packet after it is still found. */
static void long_owners_are_read(void **state)
{
    struct message message;
    char           name[300];

    (void) state;
    for (unsigned last = 61; last <= 62; last++) {
        memset(name, 'a', sizeof name);
        name[63] = name[127] = name[191] = '.';
        name[192 + last]                 = '\0';
        packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_A);
        packet_record(&packet, 0, name, TYPE_A, 0, "1234", 4);
        assert_int_equal(parses(&message), last == 61);
    }
}

static void client_datagrams_are_received(void **state)
{
    static const struct {
        unsigned       flags, type, questions, opts;
        uint32_t       opt_bits;
        const char    *options;
        size_t         options_len;
        enum reception reception;
    } rows[] = {
        {0x0100, TYPE_MX, 1, 1, 0x8000, "", 0, RECEPTION_QUERY},
        {0x0100, TYPE_MX, 1, 0, 0, "", 0, RECEPTION_QUERY},
        {0xffff & ~0xf800, TYPE_ANY, 1, 0, 0, "", 0, RECEPTION_QUERY}, /* bits that mean nothing in a query */
        {0x0100, 65280, 1, 1, 0, "\0\12\0\2ab", 6, RECEPTION_QUERY},
        {0x8100, TYPE_MX, 1, 0, 0, "", 0, RECEPTION_DROP},
        {0xa800, TYPE_MX, 1, 0, 0, "", 0, RECEPTION_DROP},
        {0x2800, TYPE_SOA, 1, 0, 0, "", 0, RECEPTION_NOTIMP}, /* UPDATE */
        {0x2000, TYPE_SOA, 2, 0, 0, "", 0, RECEPTION_NOTIMP}, /* NOTIFY, and broken: NOTIMP all the same */
        {0x0100, TYPE_AXFR, 1, 0, 0, "", 0, RECEPTION_NOTIMP},
        {0x0100, TYPE_IXFR, 1, 1, 0, "", 0, RECEPTION_NOTIMP},
        {0x0100, TYPE_MX, 0, 1, 0, "", 0, RECEPTION_FORMERR},
        {0x0100, TYPE_MX, 2, 0, 0, "", 0, RECEPTION_FORMERR},
        {0x0100, TYPE_MX, 1, 2, 0, "", 0, RECEPTION_FORMERR},
        {0x0100, TYPE_MX, 1, 1, 0, "\0\12\0\3ab", 6, RECEPTION_FORMERR}, /* an option longer than the OPT */
        {0x0100, TYPE_MX, 1, 1, 0, "\0\12\0", 3, RECEPTION_FORMERR},
        {0x0100, TYPE_MX, 1, 1, 0x00010000, "", 0, RECEPTION_BADVERS},
        {0x0100, TYPE_MX, 1, 1, 0x00ff8000, "\0\12\0", 3, RECEPTION_BADVERS},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct message message;

        packet_begin(&packet, rows[i].flags, rows[i].questions == 0 ? NULL : "example.com", rows[i].type);
        put_u16(packet.data + 4, (uint16_t) rows[i].questions);
        for (unsigned opt = 0; opt < rows[i].opts; opt++)
            packet_opt(&packet, 1232, rows[i].opt_bits, rows[i].options, rows[i].options_len);
        assert_int_equal(message_receive(packet_view(&packet), &message), rows[i].reception);
        if (rows[i].reception != RECEPTION_DROP) {
            assert_int_equal(message.id, 0x1234);
            assert_int_equal(message.flags, rows[i].flags);
            assert_int_equal(message.has_question, rows[i].questions == 1);
        }
    }
}

static void queries_carry_no_records(void **state)
{
    struct message message;

    (void) state;
    for (unsigned section = 0; section < 3; section++) {
        packet_begin(&packet, PACKET_QUERY, "example.com", TYPE_A);
        packet_record(&packet, section, "example.com", TYPE_A, 0, "1234", 4);
        assert_int_equal(message_receive(packet_view(&packet), &message),
                         section < 2 ? RECEPTION_FORMERR : RECEPTION_QUERY);
    }
    packet_begin(&packet, PACKET_QUERY, "example.com", TYPE_IXFR);
    packet_soa(&packet, 1, "example.com", 0, 0);
    assert_int_equal(message_receive(packet_view(&packet), &message), RECEPTION_NOTIMP);
}

static void short_datagrams_are_dropped(void **state)
{
    struct message message;

    (void) state;
    packet_begin(&packet, PACKET_QUERY, "example.com", TYPE_A);
    for (packet.len = 0; packet.len < 12; packet.len++)
        assert_int_equal(message_receive(packet_view(&packet), &message), RECEPTION_DROP);
    for (; packet.len < 12 + 13 + 4; packet.len++) {
        assert_int_equal(message_receive(packet_view(&packet), &message), RECEPTION_FORMERR);
        assert_false(message.has_question);
    }
    assert_int_equal(message_receive(packet_view(&packet), &message), RECEPTION_QUERY);
}

static void what_lies_behind_a_query_is_no_part_of_it(void **state)
{
    struct message message;

    (void) state;
    for (unsigned opt = 0; opt < 2; opt++) {
        packet_begin(&packet, PACKET_QUERY, "example.com", TYPE_A);
        if (opt)
            packet_opt(&packet, 1232, 0, NULL, 0);
        size_t length = packet.len;
        memset(packet.data + length, 0xff, 84);
        packet.len += 84;
        assert_int_equal(message_receive(packet_view(&packet), &message), RECEPTION_QUERY);
        assert_int_equal(message.wire.len, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_read),
        cmocka_unit_test(keepalive_is_read),
        cmocka_unit_test(a_cut_message_is_refused),
        cmocka_unit_test(records_are_checked),
        cmocka_unit_test(counts_that_lie_are_refused),
        cmocka_unit_test(opt_has_its_place),
        cmocka_unit_test(long_owners_are_read),
        cmocka_unit_test(client_datagrams_are_received),
        cmocka_unit_test(queries_carry_no_records),
        cmocka_unit_test(short_datagrams_are_dropped),
        cmocka_unit_test(what_lies_behind_a_query_is_no_part_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
