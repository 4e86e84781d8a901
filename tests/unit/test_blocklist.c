/*
 * test_blocklist.c: what is an error code among a blocklist's answers. One that is missed rejects all mail, one that is
 * none lets all spam through.
 */
#include "../lib/packet.h"
#include "query/blocklist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define QNAME "2.0.0.127.list.example"

static struct packet packet;

/* -1: none */
static int error_of(void)
{
    struct message message;
    uint8_t        code = 77;
    assert_true(message_parse(packet_view(&packet), &message));
    if (blocklist_error(&message, &code))
        return code;
    assert_int_equal(code, 77);
    return -1;
}

static void the_last_256_addresses_of_127_are_errors(void **state)
{
    (void) state;
    static const struct {
        uint8_t address[4];
        int     code;
    } rows[] = {
        {{127, 255, 255, 252}, 252}, {{127, 255, 255, 254}, 254}, {{127, 255, 255, 255}, 255},
        {{127, 255, 255, 0}, 0},     {{127, 0, 0, 1}, -1},        {{127, 0, 0, 2}, -1},
        {{127, 0, 1, 255}, -1},      {{127, 255, 254, 255}, -1},  {{127, 254, 255, 255}, -1},
        {{126, 255, 255, 254}, -1},  {{10, 1, 2, 3}, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        packet_begin(&packet, PACKET_REPLY, QNAME, TYPE_A);
        packet_record_here(&packet, 0, TYPE_A, 60, rows[i].address, 4);
        assert_int_equal(error_of(), rows[i].code);
    }
}

static void one_among_several_is_enough(void **state)
{
    (void) state;
    packet_begin(&packet, PACKET_REPLY, QNAME, TYPE_A);
    packet_name_record(&packet, 0, QNAME, TYPE_CNAME, 60, 0, "there.example");
    packet_record(&packet, 0, "there.example", TYPE_A, 60, "\177\0\0\2", 4);
    assert_int_equal(error_of(), -1);
    packet_record(&packet, 0, "there.example", TYPE_A, 60, "\177\377\377\376", 4);
    packet_record(&packet, 0, "there.example", TYPE_A, 60, "\177\377\377\377", 4);
    assert_int_equal(error_of(), 254);
}

static void only_addresses_among_the_answers_count(void **state)
{
    (void) state;
    packet_begin(&packet, PACKET_REPLY, QNAME, TYPE_TXT);
    assert_int_equal(error_of(), -1);
    packet_record_here(&packet, 0, TYPE_TXT, 60, "\3\377\377\377", 4);
    packet_record_here(&packet, 0, TYPE_A, 60, "\177\377\377", 3);
    packet_record_here(&packet, 0, TYPE_A, 60, "\177\377\377\376\0", 5);
    packet_record_here(&packet, 0, TYPE_AAAA, 60, "\177\377\377\376\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    packet_record_here(&packet, 1, TYPE_A, 60, "\177\377\377\376", 4);
    packet_record_here(&packet, 2, TYPE_A, 60, "\177\377\377\376", 4);
    assert_int_equal(error_of(), -1);
}

static void a_code_has_words_or_none(void **state)
{
    (void) state;
    for (unsigned code = 0; code < 256; code++)
        assert_int_equal(blocklist_error_words((uint8_t) code) != NULL, code == 252 || code == 254 || code == 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_256_addresses_of_127_are_errors),
        cmocka_unit_test(one_among_several_is_enough),
        cmocka_unit_test(only_addresses_among_the_answers_count),
        cmocka_unit_test(a_code_has_words_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
