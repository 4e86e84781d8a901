/*
 * test_spf_reply.c: what is read of a reply, also where its records are not as they should be.
 */
#include "mail/spf_reply.h"

#include "spf_zone.h"

static struct packet  packet;
static struct message reply;
static uint8_t        out[64];
static size_t         len;

static void begin(uint16_t type) { packet_begin(&packet, PACKET_REPLY, "a.example", type); }

static void txt(unsigned section, const char *data, size_t size)
{
    packet_record_here(&packet, section, TYPE_TXT, 300, data, size);
}

static void parse(void) { assert_true(message_parse(packet_view(&packet), &reply)); }

static void strings_are_joined(void **state)
{
    (void) state;
    begin(TYPE_TXT);
    txt(0, "\4v=sp\0\2f1\5 -all", 15);
    txt(0, "\7another", 8);
    parse();
    assert_int_equal(spf_reply_text(&reply, false, out, sizeof(out), &len), 1);
    assert_int_equal(len, 11);
    assert_memory_equal(out, "v=spf1 -all", 11);
    assert_int_equal(spf_reply_text(&reply, true, out, sizeof(out), &len), 2);
    assert_int_equal(len, 11);
    assert_int_equal(spf_reply_count(&reply, TYPE_TXT), 2);
    assert_int_equal(spf_reply_count(&reply, TYPE_A), 0);
}

static void a_string_ends_with_its_record(void **state)
{
    (void) state;
    begin(TYPE_TXT);
    txt(0, "\377v=spf1", 7);
    txt(0, "", 0);
    parse();
    assert_int_equal(spf_reply_text(&reply, false, out, sizeof(out), &len), 1);
    assert_int_equal(len, 6);
    assert_memory_equal(out, "v=spf1", 6);
}

static void what_does_not_fit_is_told(void **state)
{
    (void) state;
    begin(TYPE_TXT);
    txt(0, "\4v=sp\7f1 -all", 13);
    parse();
    memset(out, 'x', sizeof(out));
    assert_int_equal(spf_reply_text(&reply, false, out, 6, &len), 1);
    assert_int_equal(len, 11);
    assert_memory_equal(out, "v=spf1xx", 8);
    assert_int_equal(spf_reply_text(&reply, false, out, 0, &len), 1);
    assert_int_equal(len, 11);
}

static void only_the_answer_counts(void **state)
{
    (void) state;
    begin(TYPE_TXT);
    txt(1, "\6v=spf1", 7);
    txt(2, "\6v=spf1", 7);
    parse();
    assert_int_equal(spf_reply_text(&reply, false, out, sizeof(out), &len), 0);
    assert_int_equal(spf_reply_count(&reply, TYPE_TXT), 0);
    begin(TYPE_TXT);
    txt(0, "\6v=spf1", 7);
    put_u16(packet.data + packet.len - 7 - 8, 3); /* CHAOS */
    parse();
    assert_int_equal(spf_reply_count(&reply, TYPE_TXT), 0);
}

static void addresses_of_a_wrong_length_cover_nothing(void **state)
{
    (void) state;
    struct address client;
    assert_true(address_parse("192.0.2.7", 0, &client));
    begin(TYPE_A);
    packet_record_here(&packet, 0, TYPE_A, 300, "\300\0\2\7\0", 5);
    packet_record_here(&packet, 0, TYPE_A, 300, "\300\0\2", 3);
    parse();
    assert_false(spf_reply_covers(&reply, &client, 0, 0));
    packet_record_here(&packet, 0, TYPE_A, 300, "\300\0\2\1", 4);
    parse();
    assert_true(spf_reply_covers(&reply, &client, 29, 128));
    assert_false(spf_reply_covers(&reply, &client, 30, 0));
}

static void names_are_counted_beyond_what_is_copied(void **state)
{
    (void) state;
    struct name names[2];
    begin(TYPE_MX);
    packet_name_record(&packet, 0, "a.example", TYPE_MX, 300, 2, "b.example");
    packet_name_record(&packet, 0, "a.example", TYPE_MX, 300, 2, "");
    packet_name_record(&packet, 0, "a.example", TYPE_MX, 300, 2, "c.example");
    parse();
    assert_int_equal(spf_reply_names(&reply, TYPE_MX, names, ARRAY_LEN(names)), 3);
    assert_name(&names[0], "b.example");
    assert_true(name_is_root(name_view(&names[1])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_joined),
        cmocka_unit_test(a_string_ends_with_its_record),
        cmocka_unit_test(what_does_not_fit_is_told),
        cmocka_unit_test(only_the_answer_counts),
        cmocka_unit_test(addresses_of_a_wrong_length_cover_nothing),
        cmocka_unit_test(names_are_counted_beyond_what_is_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
