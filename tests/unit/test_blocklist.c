/*
 * test_blocklist.c: what is an error among a blocklist's answers. One that is missed rejects all mail, one that is none
 * lets all spam through.
 */
#include "policy/blocklist.h"

#include "lib/check.h"
#include "lib/names.h"
#include "lib/packet.h"

#include <arpa/inet.h>
#include <string.h>

#define QNAME "2.0.0.127.list.example"

static struct packet packet;

static struct blocklist list = {.zone     = {.len = 14, .wire = "\4list\7example"},
                                .refusals = {2, {{127, 0, 0, 1}, {127, 0, 0, 255}}}};

/* The address that is an error, or "". */
static const char *error_for(const char *qname)
{
    static char       text[INET6_ADDRSTRLEN];
    const struct name name = named(qname);
    struct message    message;
    struct view       address = {.len = 77};
    assert_true(message_parse(packet_view(&packet), &message));
    text[0] = '\0';
    if (blocklist_error(&list, name_view(&name), &message, &address))
        inet_ntop(address.len == 4 ? AF_INET : AF_INET6, address.data, text, sizeof(text));
    else
        assert_int_equal(address.len, 77);
    return text;
}

static const char *error_of(void) { return error_for(QNAME); }

static void listings_are_in_127(void **state)
{
    (void) state;
    static const struct {
        uint8_t     address[4];
        const char *error;
    } rows[] = {
        {{127, 255, 255, 252}, "127.255.255.252"},
        {{127, 255, 255, 254}, "127.255.255.254"},
        {{127, 255, 255, 255}, "127.255.255.255"},
        {{127, 255, 255, 0}, "127.255.255.0"},
        {{127, 0, 0, 1}, "127.0.0.1"}, /* this list's way to refuse, and the next */
        {{127, 0, 0, 255}, "127.0.0.255"},
        {{127, 0, 0, 0}, ""},
        {{127, 0, 0, 2}, ""},
        {{127, 0, 1, 255}, ""},
        {{127, 255, 254, 255}, ""},
        {{127, 254, 255, 255}, ""},
        {{126, 255, 255, 254}, "126.255.255.254"},
        {{128, 0, 0, 2}, "128.0.0.2"},
        {{0, 0, 0, 0}, "0.0.0.0"},
        {{10, 1, 2, 3}, "10.1.2.3"},
        {{203, 0, 113, 9}, "203.0.113.9"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        packet_begin(&packet, PACKET_REPLY, QNAME, TYPE_A);
        packet_record_here(&packet, 0, TYPE_A, 60, rows[i].address, 4);
        assert_string_equal(error_of(), rows[i].error);
    }
}

static void a_refusal_is_that_lists_alone(void **state)
{
    (void) state;
    const struct refusals before = list.refusals;
    list.refusals.count          = 1;
    packet_begin(&packet, PACKET_REPLY, QNAME, TYPE_A);
    packet_record_here(&packet, 0, TYPE_A, 60, "\177\0\0\377", 4);
    assert_string_equal(error_of(), "");
    list.refusals.count = 0;
    packet_record_here(&packet, 0, TYPE_A, 60, "\177\0\0\1", 4);
    assert_string_equal(error_of(), "");
    list.refusals = before;
    assert_string_equal(error_of(), "127.0.0.255");
}

/* Whatever the name leads to: a set of which not all are listings, an alias, the address of a parked domain. */
static void one_among_several_is_enough(void **state)
{
    (void) state;
    packet_begin(&packet, PACKET_REPLY, QNAME, TYPE_A);
    packet_name_record(&packet, 0, QNAME, TYPE_CNAME, 60, 0, "there.example");
    assert_string_equal(error_of(), "");
    packet_record(&packet, 0, "there.example", TYPE_A, 60, "\177\0\0\2", 4);
    assert_string_equal(error_of(), "");
    packet_record(&packet, 0, "there.example", TYPE_A, 60, "\313\0\161\11", 4);
    assert_string_equal(error_of(), "203.0.113.9");
    packet_begin(&packet, PACKET_REPLY, QNAME, TYPE_A);
    packet_record_here(&packet, 0, TYPE_A, 60, "\177\0\0\2", 4);
    packet_record_here(&packet, 0, TYPE_A, 60, "\177\377\377\376", 4);
    packet_record_here(&packet, 0, TYPE_A, 60, "\177\377\377\377", 4);
    assert_string_equal(error_of(), "127.255.255.254");
}

/* Lists have none (RFC 5782, 2.4: of an IPv6 address, too, they say it with A). */
static void an_ipv6_address_is_no_listing(void **state)
{
    (void) state;
    static const char *const addresses[] = {"2001:db8::9", "::1", "::ffff:127.0.0.2", "::"};
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
        uint8_t bytes[16];
        char    text[INET6_ADDRSTRLEN];
        assert_int_equal(inet_pton(AF_INET6, addresses[i], bytes), 1);
        packet_begin(&packet, PACKET_REPLY, QNAME, TYPE_AAAA);
        packet_record_here(&packet, 0, TYPE_AAAA, 60, bytes, 16);
        assert_string_equal(error_of(), inet_ntop(AF_INET6, bytes, text, sizeof(text)));
    }
}

/* A name with one label more than a preset's zone may be a host of its owner's: www, a mail server. */
static void hosts_have_addresses(void **state)
{
    (void) state;
    static const struct {
        const char *name;
        bool        lookup;
    } rows[] = {
        {"list.example", false},
        {"www.list.example", false},
        {"LIST.Example", false},
        {"a-rather-long-mail-server.list.example", false}, /* 25 bytes */
        {"abcdefghijklmnopqrstuvwxyz.list.example", true}, /* 128 bits in base 32 */
        {"0123456789abcdef0123456789abcdef01234567.list.example", true},
        {"mail.zen.list.example", true},
        {"example.com.dbl.list.example", true},
        {"1.2.3.4.list.example", true},
        {"b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.list.example", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        packet_begin(&packet, PACKET_REPLY, rows[i].name, TYPE_A);
        packet_record_here(&packet, 0, TYPE_A, 60, "\313\0\161\11", 4);
        if ((error_for(rows[i].name)[0] != '\0') != rows[i].lookup)
            fail_msg("%s", rows[i].name);
        packet_begin(&packet, PACKET_REPLY, rows[i].name, TYPE_A);
        packet_record_here(&packet, 0, TYPE_A, 60, "\177\377\377\376", 4); /* no host has that */
        assert_string_equal(error_for(rows[i].name), "127.255.255.254");
    }
}

static void only_addresses_among_the_answers_count(void **state)
{
    (void) state;
    packet_begin(&packet, PACKET_REPLY, QNAME, TYPE_TXT);
    assert_string_equal(error_of(), "");
    packet_record_here(&packet, 0, TYPE_TXT, 60, "\3\377\377\377", 4);
    packet_record_here(&packet, 0, TYPE_A, 60, "\177\377\377", 3);
    packet_record_here(&packet, 0, TYPE_A, 60, "\177\377\377\376\0", 5);
    packet_record_here(&packet, 0, TYPE_AAAA, 60, "\1\2\3\4", 4);
    packet_record_here(&packet, 1, TYPE_A, 60, "\177\377\377\376", 4);
    packet_record_here(&packet, 2, TYPE_A, 60, "\177\377\377\376", 4);
    packet_record_here(&packet, 2, TYPE_A, 60, "\313\0\161\11", 4);
    assert_string_equal(error_of(), "");
}

static void an_error_has_words_or_none(void **state)
{
    (void) state;
    uint8_t bytes[16] = {127, 255, 255};
    for (unsigned code = 0; code < 256; code++) {
        bytes[3] = (uint8_t) code;
        assert_int_equal(blocklist_error_words((struct view){bytes, 4}) != NULL,
                         code == 252 || code == 254 || code == 255);
    }
    assert_string_equal(blocklist_error_words((struct view){(const uint8_t *) "\177\0\0\1", 4}),
                        "this list refuses so");
    assert_non_null(strstr(blocklist_error_words((struct view){(const uint8_t *) "\313\0\161\11", 4}), "outside"));
    assert_non_null(strstr(blocklist_error_words((struct view){bytes, 16}), "outside"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listings_are_in_127),         cmocka_unit_test(a_refusal_is_that_lists_alone),
        cmocka_unit_test(one_among_several_is_enough), cmocka_unit_test(an_ipv6_address_is_no_listing),
        cmocka_unit_test(hosts_have_addresses),        cmocka_unit_test(only_addresses_among_the_answers_count),
        cmocka_unit_test(an_error_has_words_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
