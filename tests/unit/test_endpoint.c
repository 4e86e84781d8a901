/*
 * test_endpoint.c: addresses and blocks that cannot work, and what is said of each.
 */
#include "settings/endpoint.h"

#include "lib/check.h"

#include <string.h>

struct row {
    const char *text, *said; /* NULL: good without a word; "": refused without one */
};

static void check(const char *text, bool good, const char *why, const char *said, bool doubt)
{
    const char *expected = said ? said : "";
    if (good != (said == NULL || doubt) || strcmp(why, expected) != 0)
        fail_msg("%s: %s, says: %s", text, good ? "taken" : "refused", why);
}

/* Both of somebody to ask and of a listener. */
static void test_addresses(void **state)
{
    static const struct row rows[] = {
        {"192.0.2.1", NULL},
        {"192.0.2.1:5353", NULL},
        {"240.0.0.1", NULL},
        {"2001:db8::53", NULL},
        {"2606:4700:4700::1111", NULL},
        {"2620:fe::fe:9", NULL},
        {"[2001:db8::1]:53", NULL},
        {"[2001:db8::1:53]", NULL},
        {"::1", NULL},
        {"[::1%lo]:53", NULL},
        {"fe80::1%lo", NULL},
        {"fe80::1%1", NULL},
        {"64:ff9b::192.0.2.1", NULL},
        {"", ""},
        {"1.2.3", ""},
        {"192.0.2.01", ""},
        {"[2001:db8::1", ""},
        {"[192.0.2.1]:53", ""},
        {" 192.0.2.1", ""},
        {"fe80::1%eth9", "not an address: \"fe80::1%eth9\" (there is no interface \"eth9\")"},
        {"[fe80::1%eth9]:53", "not an address: \"[fe80::1%eth9]:53\" (there is no interface \"eth9\")"},
        {"fe80::1%60000", "not an address: \"fe80::1%60000\" (there is no interface \"60000\")"},
        {"fe80::1%", "not an address: \"fe80::1%\" (there is no interface \"\")"},
        {"fe80::1", "\"fe80::1\" is link-local, and of no use without its interface: write \"fe80::1%eth0\""},
        {"[febf::1]:53", "\"[febf::1]:53\" is link-local, and of no use without its interface: write \"febf::1%eth0\""},
        {"::1:53", "\"::1:53\" is an IPv6 address without a port: write \"[::1]:53\""},
        {"::5", "\"::5\" is no machine's address"},
        {"fe80::1%lo:53",
         "not an address: \"fe80::1%lo:53\" (the port of an IPv6 address stands behind brackets: write "
         "\"[fe80::1%lo]:53\")"},
        {"2001:db8:0:0:0:0:0:1:5353", "not an address: \"2001:db8:0:0:0:0:0:1:5353\" (the port of an IPv6 address "
                                      "stands behind brackets: write \"[2001:db8:0:0:0:0:0:1]:5353\")"},
        {"::ffff:192.0.2.1", "\"::ffff:192.0.2.1\" is an IPv4 address in IPv6's form: write \"192.0.2.1\""},
        {"[::ffff:c000:201]:5353",
         "\"[::ffff:c000:201]:5353\" is an IPv4 address in IPv6's form: write \"192.0.2.1:5353\""},
        {"224.0.0.251:5353", "\"224.0.0.251:5353\" is a multicast address, no machine's own"},
        {"239.255.255.255", "\"239.255.255.255\" is a multicast address, no machine's own"},
        {"[ff02::fb%lo]:53", "\"[ff02::fb%lo]:53\" is a multicast address, no machine's own"},
        {"255.255.255.255", "\"255.255.255.255\" is the broadcast address, no machine's own"},
        {"0.1.2.3", "\"0.1.2.3\" is no machine's address"},
        {"192.0.2.1:0", "port 0 in \"192.0.2.1:0\" (expected 1 to 65535)"},
        {"[::1]:0", "port 0 in \"[::1]:0\" (expected 1 to 65535)"},
        {"192.0.2.1:65536", "not an address: \"192.0.2.1:65536\" (a port is 1 to 65535)"},
        {"[::1]:99999", "not an address: \"[::1]:99999\" (a port is 1 to 65535)"},
        {"192.0.2.0/24", "not an address: \"192.0.2.0/24\" (one address is expected, not a block or a path)"},
        {"192.0.2.1#5353", "not an address: \"192.0.2.1#5353\" (the port stands behind a colon: write "
                           "\"192.0.2.1:5353\")"},
        {"192.0.2.1@53", "not an address: \"192.0.2.1@53\" (the port stands behind a colon: write \"192.0.2.1:53\")"},
        {"dns.example", "not an address: \"dns.example\" (names are not looked up: write an address)"},
        {"localhost", "not an address: \"localhost\" (names are not looked up: write an address)"},
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int use = ENDPOINT_LISTEN; use <= ENDPOINT_ASK; use++) {
            struct address address;
            char           why[ENDPOINT_WHY_MAX];
            bool           good = endpoint_read(rows[i].text, (enum endpoint_use) use, DNS_PORT, &address, why);
            check(rows[i].text, good, why, rows[i].said, false);
        }
    }
}

static void test_all_addresses(void **state)
{
    static const struct row rows[] = {
        {"0.0.0.0", "nobody can be asked at \"0.0.0.0\": it stands for every address of a machine"},
        {"[::]:53", "nobody can be asked at \"[::]:53\": it stands for every address of a machine"},
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address address;
        char           why[ENDPOINT_WHY_MAX];
        check(rows[i].text, endpoint_read(rows[i].text, ENDPOINT_LISTEN, DNS_PORT, &address, why), why, NULL, false);
        check(rows[i].text, endpoint_read(rows[i].text, ENDPOINT_ASK, DNS_PORT, &address, why), why, rows[i].said,
              false);
    }
}

/* An address that may be one: it is taken, with a word. */
static void test_doubts(void **state)
{
    static const struct row rows[] = {
        {"2001:db8::1:53", "\"2001:db8::1:53\" is taken for an address with port 53; if 53 is its port, write "
                           "\"[2001:db8::1]:53\""},
        {"2001:db8::1:5353", "\"2001:db8::1:5353\" is taken for an address with port 53; if 5353 is its port, write "
                             "\"[2001:db8::1]:5353\""},
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address address;
        char           why[ENDPOINT_WHY_MAX], text[ADDRESS_TEXT_MAX];
        check(rows[i].text, endpoint_read(rows[i].text, ENDPOINT_ASK, DNS_PORT, &address, why), why, rows[i].said,
              true);
        assert_string_equal(address_format_host(&address, text), rows[i].text);
        assert_int_equal(address_port(&address), 53);
    }
}

static void test_blocks(void **state)
{
    static const struct row rows[] = {
        {"192.0.2.0/24", NULL},
        {"192.0.2.7", NULL},
        {"0.0.0.0/0", NULL},
        {"::/0", NULL},
        {"2001:db8::/32", NULL},
        {"fe80::/10", NULL},
        {"::1", NULL},
        {"everybody", ""},
        {"10/8", ""},
        {"[::1]/128", ""},
        {"10.0.0.0-10.0.0.255", ""},
        {"192.168.1.5/24", "not a CIDR block: \"192.168.1.5/24\" (bits are set behind its prefix: write "
                           "\"192.168.1.0/24\", or \"192.168.1.5\" for this address alone)"},
        {"10.1.2.3/9", "not a CIDR block: \"10.1.2.3/9\" (bits are set behind its prefix: write \"10.0.0.0/9\", or "
                       "\"10.1.2.3\" for this address alone)"},
        {"2001:db8::1/32", "not a CIDR block: \"2001:db8::1/32\" (bits are set behind its prefix: write "
                           "\"2001:db8::/32\", or \"2001:db8::1\" for this address alone)"},
        {"192.168.1.0/33", "not a CIDR block: \"192.168.1.0/33\" (its prefix is 0 to 32)"},
        {"2001:db8::/129", "not a CIDR block: \"2001:db8::/129\" (its prefix is 0 to 128)"},
        {"10.0.0.0/08", "not a CIDR block: \"10.0.0.0/08\" (its prefix is 0 to 32)"},
        {"192.168.1.0/", "not a CIDR block: \"192.168.1.0/\" (its prefix is 0 to 32)"},
        {"192.168.1.0/255.255.255.0", "not a CIDR block: \"192.168.1.0/255.255.255.0\" (a prefix is expected, not a "
                                      "netmask: write \"192.168.1.0/24\")"},
        {"10.9.8.7/255.0.0.0", "not a CIDR block: \"10.9.8.7/255.0.0.0\" (a prefix is expected, not a netmask: write "
                               "\"10.0.0.0/8\")"},
        {"10.0.0.0/255.0.255.0", "not a CIDR block: \"10.0.0.0/255.0.255.0\" (its prefix is 0 to 32)"},
        {"fe80::%lo/10", "not a CIDR block: \"fe80::%lo/10\" (a block has no interface)"},
        {"::ffff:192.0.2.0/120", "\"::ffff:192.0.2.0/120\" is an IPv4 block in IPv6's form: write \"192.0.2.0/24\""},
        {"::ffff:192.0.2.1", "\"::ffff:192.0.2.1\" is an IPv4 block in IPv6's form: write \"192.0.2.1\""},
        {"::ffff:0:0/96", "\"::ffff:0:0/96\" is an IPv4 block in IPv6's form: write \"0.0.0.0/0\""},
        {"0.0.0.0", "no client has the address \"0.0.0.0\": for everybody write \"0.0.0.0/0\""},
        {"::/128", "no client has the address \"::/128\": for everybody write \"::/0\""},
        {"224.0.0.0/4", "no client has a multicast address: \"224.0.0.0/4\""},
        {"ff02::1", "no client has a multicast address: \"ff02::1\""},
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cidr cidr;
        char        why[ENDPOINT_WHY_MAX];
        check(rows[i].text, block_read(rows[i].text, &cidr, why), why, rows[i].said, false);
    }
}

/* Whatever its length, nothing is written beyond what there is room for (the sanitizer looks). */
static void test_long_text(void **state)
{
    static const char *const begins[] = {"", "[", "::1%", "fe80::1:", "1.2.3.4/", "::ffff:1.2.3.4/", "a.b#", "1:2:"};
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
        char           text[600], why[ENDPOINT_WHY_MAX];
        struct address address;
        struct cidr    cidr;
        memset(text, '1', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        memcpy(text, begins[i], strlen(begins[i]));
        assert_false(endpoint_read(text, ENDPOINT_ASK, DNS_PORT, &address, why));
        assert_false(block_read(text, &cidr, why));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_all_addresses), cmocka_unit_test(test_doubts),
        cmocka_unit_test(test_blocks),    cmocka_unit_test(test_long_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
