/* Names and types as text: both ways, and what is no name. ldns is the judge of the form. */
#include "dns/text.h"

#include "lib/check.h"
#include "lib/packet.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

static void names_have_one_text(void **state)
{
    static const struct {
        const char *wire, *text;
    } rows[] = {
        {"", "."},
        {"\4mail\7example", "mail.example."},
        {"\4MaIl", "MaIl."},
        {"\3a.b\1c", "a\\.b.c."},
        {"\1\\", "\\\\."},
        {"\2 \t", "\\032\\009."},
        {"\2\"\x7f", "\\\"\\127."},
        {"\3;()", "\\;\\(\\)."},
        {"\2@$", "\\@\\$."},
        {"\2\xc3\xa9", "\\195\\169."},
        {"\6_dmarc\1*", "_dmarc.*."},
    };
    char text[NAME_TEXT_MAX];

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct view wire = {(const uint8_t *) rows[i].wire, strlen(rows[i].wire) + 1};
        struct name name;

        assert_string_equal(name_format(wire, text), rows[i].text);
        assert_true(name_parse(text, &name));
        assert_true(name_equal(name_view(&name), wire));
    }
}

/* Names of every byte there is: our text read by ldns gives the same name back. */
static void every_byte_survives(void **state)
{
    char text[NAME_TEXT_MAX];

    (void) state;
    for (unsigned c = 0; c < 256; c++) {
        uint8_t     wire[NAME_WIRE_MAX];
        struct view view = {wire, sizeof wire};
        struct name name, lower;
        ldns_rdf   *dname = NULL;

        memset(wire, (int) c, sizeof wire);
        wire[0] = wire[64] = wire[128] = 63;
        wire[192]                      = 61;
        wire[254]                      = 0;
        assert_true(strlen(name_format(view, text)) < NAME_TEXT_MAX);
        assert_int_equal(ldns_str2rdf_dname(&dname, text), LDNS_STATUS_OK);
        assert_int_equal(ldns_rdf_size(dname), sizeof wire);
        assert_memory_equal(ldns_rdf_data(dname), wire, sizeof wire);
        ldns_rdf_deep_free(dname);
        assert_true(name_parse(text, &name));
        name_set_lower(&lower, view);
        assert_memory_equal(name.wire, lower.wire, sizeof wire);
    }
}

static void names_are_read(void **state)
{
    static const struct {
        const char *text, *wire; /* NULL: not a name */
    } rows[] = {
        {".", ""},
        {"Mail.Example", "\4mail\7example"},
        {"mail.example.", "\4mail\7example"},
        {"a\\.b", "\3a.b"},
        {"\\065", "\1a"},
        {"_x-y.*", "\4_x-y\1*"},
        {"", NULL},
        {"..", NULL},
        {".a", NULL},
        {"a..b", NULL},
        {"a..", NULL},
        {"\\256", NULL},
        {"\\25", NULL},
        {"a\\", NULL},
        {"exam ple", NULL},
        {" a", NULL},
        {"a\n", NULL},
        {"m\xc3\xbcnchen.example", NULL},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct name name;

        assert_int_equal(name_parse(rows[i].text, &name), rows[i].wire != NULL);
        if (rows[i].wire == NULL)
            continue;
        assert_int_equal(name.len, strlen(rows[i].wire) + 1);
        assert_memory_equal(name.wire, rows[i].wire, name.len);
    }
}

static void long_texts_are_refused(void **state)
{
    char        text[5000];
    struct name name;

    (void) state;
    for (size_t label = 62; label <= 66; label++) {
        memset(text, 'a', label);
        text[label] = '\0';
        assert_int_equal(name_parse(text, &name), label <= 63);
    }
    for (size_t labels = 125; labels <= 130; labels++) {
        for (size_t i = 0; i < labels; i++)
            memcpy(text + 2 * i, "a.", 3);
        assert_int_equal(name_parse(text, &name), labels <= 127);
    }
    for (size_t len = 240; len < sizeof text; len += len < 300 ? 1 : 100) {
        for (size_t i = 0; i < len; i++)
            text[i] = i % 50 == 49 ? '.' : 'a';
        text[len] = '\0';
        assert_int_equal(name_parse(text, &name), len + (len % 50 == 0 ? 0 : 1) + 1 <= NAME_WIRE_MAX);
    }
}

static void types_have_names(void **state)
{
    static const struct {
        uint16_t    type;
        const char *text;
    } rows[] = {
        {1, "A"},     {15, "MX"},    {16, "TXT"},          {28, "AAAA"},         {33, "SRV"},  {52, "TLSA"},
        {255, "ANY"}, {252, "AXFR"}, {65280, "TYPE65280"}, {65535, "TYPE65535"}, {0, "TYPE0"},
    };
    char     text[TYPE_TEXT_MAX];
    uint16_t type;

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(type_format(rows[i].type, text), rows[i].text);
    for (unsigned i = 0; i <= UINT16_MAX; i++) {
        assert_true(type_parse(type_format((uint16_t) i, text), &type));
        assert_int_equal(type, i);
        snprintf(text, sizeof text, "TYPE%u", i);
        assert_true(type_parse(text, &type));
        assert_int_equal(type, i);
    }
    assert_true(type_parse("mx", &type) && type == 15);
    assert_true(type_parse("type15", &type) && type == 15);
}

static void wrong_types_are_refused(void **state)
{
    static const char *const rows[] = {"",       "TYPE",        "TYPE65536", "TYPE-1", "TYPE1x",
                                       "TYPE 1", "TYPE1000000", "MXX",       "M",      "15"};
    uint16_t                 type   = 7;

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_false(type_parse(rows[i], &type));
    assert_int_equal(type, 7);
}

static void classes_have_names(void **state)
{
    char text[TYPE_TEXT_MAX];

    (void) state;
    assert_string_equal(class_format(CLASS_IN, text), "IN");
    assert_string_equal(class_format(3, text), "CH");
    assert_string_equal(class_format(65280, text), "CLASS65280");
}

static void append(void *context, const char *line)
{
    strcat(context, line);
    strcat(context, "|");
}

static void records_are_lines(void **state)
{
    static struct packet packet;
    char                 lines[1000] = "";

    (void) state;
    packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_A);
    packet_record_here(&packet, 0, TYPE_A, 300, "\300\0\2\1", 4);
    packet_record_here(&packet, 0, TYPE_A, 300, "\300\0\2", 3); /* no address: left out */
    packet_record_here(&packet, 0, 108, 300, "0123456789", 10); /* an EUI48 that is too long */
    packet_record_here(&packet, 0, TYPE_TXT, 300, "\4a\"\n\xc3", 5);
    packet_name_record(&packet, 0, "example.com", TYPE_MX, 300, 2, "mx.example.com");
    packet_soa(&packet, 1, "example.com", 300, 60);
    packet_record(&packet, 2, "mx.example.com", TYPE_A, 300, "1234", 4);
    records_format(packet_view(&packet), 42, append, lines);
    assert_string_equal(lines, "example.com. 42 IN A 192.0.2.1|"
                               "example.com. 42 IN TXT \"a\\\"\\010\\195\"|"
                               "example.com. 42 IN MX 0 mx.example.com.|");

    lines[0] = '\0';
    packet_begin(&packet, PACKET_REPLY, "example.com", TYPE_A);
    packet_name_record(&packet, 1, "example.com", TYPE_NS, 300, 0, "ns.example.com");
    packet_soa(&packet, 1, "example.com", 300, 60);
    records_format(packet_view(&packet), -5, append, lines);
    assert_string_equal(lines, "example.com. 0 IN SOA ns.example. hostmaster.example. 3600 3600 3600 3600 60|");

    lines[0] = '\0';
    packet.len--;
    records_format(packet_view(&packet), 1, append, lines);
    assert_string_equal(lines, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_one_text), cmocka_unit_test(every_byte_survives),
        cmocka_unit_test(names_are_read),      cmocka_unit_test(long_texts_are_refused),
        cmocka_unit_test(types_have_names),    cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(classes_have_names),  cmocka_unit_test(records_are_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
