/* test_address.c: rows of text, what is read from it, and what is written back. */
#include "base/address.h"

#include "lib/check.h"

#include <string.h>

static void test_addresses_are_read_and_written(void **state)
{
    static const struct {
        const char *text;
        const char *written; /* NULL: refused */
        const char *host;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1:53", "192.0.2.1"},
        {"192.0.2.1:5353", "192.0.2.1:5353", "192.0.2.1"},
        {"255.255.255.255:65535", "255.255.255.255:65535", "255.255.255.255"},
        {"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1"},
        {"2001:db8::1", "[2001:db8::1]:53", "2001:db8::1"},
        {"[2001:db8::1]", "[2001:db8::1]:53", "2001:db8::1"},
        {"[2001:DB8:0:0::1]:853", "[2001:db8::1]:853", "2001:db8::1"},
        {"::1", "[::1]:53", "::1"},
        {"::", "[::]:53", "::"},
        {"::ffff:192.0.2.1", "[::ffff:192.0.2.1]:53", "::ffff:192.0.2.1"},
        {"[fe80::1%lo]:53", "[fe80::1%lo]:53", "fe80::1%lo"},
        {"fe80::1%lo", "[fe80::1%lo]:53", "fe80::1%lo"},
        {"fe80::1%60000", "[fe80::1%60000]:53", "fe80::1%60000"},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%60000]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%60000]:65535", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%60000"},
        {"", NULL, NULL},
        {"localhost", NULL, NULL},
        {"192.0.2", NULL, NULL},
        {"192.0.2.256", NULL, NULL},
        {"192.0.2.1:", NULL, NULL},
        {"192.0.2.1:65536", NULL, NULL},
        {"192.0.2.1:-1", NULL, NULL},
        {"192.0.2.1: 53", NULL, NULL},
        {"192.0.2.1:053", NULL, NULL},
        {"192.0.2.1:99999999999", NULL, NULL},
        {"192.0.2.1 ", NULL, NULL},
        {" 192.0.2.1", NULL, NULL},
        {"[192.0.2.1]:53", NULL, NULL},
        {"192.0.2.1%lo", NULL, NULL},
        {"[2001:db8::1", NULL, NULL},
        {"[2001:db8::1]53", NULL, NULL},
        {"[2001:db8::1]:", NULL, NULL},
        {"2001:db8::1]:53", NULL, NULL},
        {"[]:53", NULL, NULL},
        {":53", NULL, NULL},
        {"fe80::1%", NULL, NULL},
        {"fe80::1%no-such-interface", NULL, NULL},
        {"fe80::1%0", NULL, NULL},
        {"1:2:3:4:5:6:7:8:9", NULL, NULL},
        {"192.0.2.1:5555555555555555555555555555555555555555555555555555555555555555555555555555555555555", NULL, NULL},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address address, before, again;
        char           text[ADDRESS_TEXT_MAX];

        memset(&address, 0x5a, sizeof(address));
        before = address;
        if (rows[i].written == NULL) {
            assert_false(address_parse(rows[i].text, 53, &address));
            assert_memory_equal(&address, &before, sizeof(address));
            continue;
        }
        assert_true(address_parse(rows[i].text, 53, &address));
        assert_string_equal(address_format(&address, text), rows[i].written);
        assert_true(address_parse(text, 1, &again));
        assert_true(address_equal(&address, &again));
        assert_string_equal(address_format_host(&address, text), rows[i].host);
    }
}

static void test_no_address(void **state)
{
    struct address none = {0}, some;
    char           text[ADDRESS_TEXT_MAX];

    (void) state;
    assert_true(address_parse("192.0.2.1", 53, &some));
    assert_string_equal(address_format(&none, text), "none");
    assert_int_equal(address_port(&none), 0);
    assert_true(address_equal(&none, &none));
    assert_false(address_equal(&none, &some));
    assert_false(address_is_loopback(&none));
}

static void test_equality_and_loopback(void **state)
{
    static const struct {
        const char *a, *b;
        bool        equal, a_is_loopback;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1:53", true, true},
        {"127.0.0.1:1", "127.0.0.1:2", false, true},
        {"127.255.0.9", "127.255.0.8", false, true},
        {"::1", "[::1]:53", true, true},
        {"::ffff:127.0.0.1", "127.0.0.1", false, true},
        {"128.0.0.1", "126.0.0.1", false, false},
        {"::2", "::3", false, false},
        {"fe80::1%1", "fe80::1%2", false, false},
        {"::ffff:128.0.0.1", "::", false, false},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address a, b;

        assert_true(address_parse(rows[i].a, 53, &a) && address_parse(rows[i].b, 53, &b));
        assert_int_equal(address_equal(&a, &b), rows[i].equal);
        assert_int_equal(address_is_loopback(&a), rows[i].a_is_loopback);
    }
}

static void test_wildcard(void **state)
{
    static const struct {
        const char *text;
        bool        wildcard;
    } rows[] = {{"0.0.0.0", true}, {"[::]:5353", true}, {"0.0.0.1", false}, {"::1", false}, {"127.0.0.1", false}};

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address address;

        assert_true(address_parse(rows[i].text, 53, &address));
        assert_int_equal(address_is_wildcard(&address), rows[i].wildcard);
    }
}

static void test_what_tells_clients_apart(void **state)
{
    static const struct {
        const char *a, *b;
        bool        same;
    } rows[] = {
        {"192.0.2.1:1", "192.0.2.1:2", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
        {"2001:db8::1", "2001:db8:0:1::1", false},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address a, b;

        assert_true(address_parse(rows[i].a, 53, &a) && address_parse(rows[i].b, 53, &b));
        struct view one = address_client(&a), other = address_client(&b);
        assert_int_equal(one.len, other.len);
        assert_int_equal(memcmp(one.data, other.data, one.len) == 0, rows[i].same);
    }
}

static void test_blocks_are_read(void **state)
{
    static const struct {
        const char *text;
        int         bits; /* -1: refused */
    } rows[] = {
        {"192.0.2.0/24", 120},
        {"192.0.2.1", 128},
        {"0.0.0.0/0", 96},
        {"::/0", 0},
        {"2001:db8::/32", 32},
        {"2001:db8::1", 128},
        {"::ffff:0.0.0.0/96", 96},
        {"192.0.2.1/24", -1},
        {"192.0.2.0/33", -1},
        {"2001:db8::/129", -1},
        {"2001:db8::/31", 31},
        {"2001:db9::/31", -1},
        {"192.0.2.0/", -1},
        {"192.0.2.0/+8", -1},
        {"192.0.2.0/024", -1},
        {"192.0.2.0/24/24", -1},
        {"/24", -1},
        {"", -1},
        {"192.0.2.0:53/24", -1},
        {"fe80::%lo/64", -1},
        {"[::1]/128", -1},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cidr cidr = {.bits = 200};

        assert_int_equal(cidr_parse(rows[i].text, &cidr), rows[i].bits >= 0);
        assert_int_equal(cidr.bits, rows[i].bits >= 0 ? rows[i].bits : 200);
    }
}

static void test_blocks_contain(void **state)
{
    static const struct {
        const char *cidr, *address;
        bool        inside;
    } rows[] = {
        {"192.0.2.0/24", "192.0.2.255", true},
        {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.0/24", "::ffff:192.0.2.9", true}, /* what a dual-stack socket shows */
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.0", false},
        {"0.0.0.0/0", "255.1.2.3", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "192.0.2.1", true},
        {"2001:db8::/31", "2001:db9:ffff::", true},
        {"2001:db8::/31", "2001:dba::", false},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cidr    cidr;
        struct address address;

        assert_true(cidr_parse(rows[i].cidr, &cidr) && address_parse(rows[i].address, 53, &address));
        assert_int_equal(cidr_contains(&cidr, &address), rows[i].inside);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_are_read_and_written),
        cmocka_unit_test(test_no_address),
        cmocka_unit_test(test_equality_and_loopback),
        cmocka_unit_test(test_wildcard),
        cmocka_unit_test(test_what_tells_clients_apart),
        cmocka_unit_test(test_blocks_are_read),
        cmocka_unit_test(test_blocks_contain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
