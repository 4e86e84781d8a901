/*
 * test_slip.c: what stands where a domain name is wanted, and what is said of it.
 */
#include "dns/slip.h"

#include "dns/text.h"
#include "lib/check.h"
#include "lib/heap.h"

#include <string.h>

static void test_names(void **state)
{
    static const struct {
        const char *text, *name;
    } rows[] = {
        {".", "."},
        {"Corp.Example", "corp.example."},
        {"corp.example.", "corp.example."},
        {"com", "com."},
        {"_dmarc.corp.example", "_dmarc.corp.example."},
        {"_25._tcp.mx.corp.example", "_25._tcp.mx.corp.example."},
        {"a.*.example", "a.*.example."},
        {"a.*.*.example", "a.*.*.example."},
        {"\\*.corp.example", "*.corp.example."},
        {"\\042.corp.example", "*.corp.example."},
        {"user\\@corp.example", "user\\@corp.example."},
        {"10.in-addr.arpa", "10.in-addr.arpa."},
        {"0/25.2.0.192.in-addr.arpa", "0/25.2.0.192.in-addr.arpa."},
        {"5.0/25.2.0.192.IN-ADDR.ARPA.", "5.0/25.2.0.192.in-addr.arpa."},
        {"0/25.customer.example", "0/25.customer.example."},
        {"1.2.3.4.dnsbl.example", "1.2.3.4.dnsbl.example."},
        {"1.2.3.4.5", "1.2.3.4.5."},
        {"256.1", "256.1."},
        {"xn--bcher-kva.example", "xn--bcher-kva.example."},
        {"a:b.example", "a:b.example."},
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char        why[SLIP_WHY_MAX], text[NAME_TEXT_MAX];
        struct name name;
        if (!name_read(rows[i].text, &name, why))
            fail_msg("%s: %s", rows[i].text, why);
        assert_string_equal(name_format(name_view(&name), text), rows[i].name);
    }
}

static void test_slips(void **state)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"", "not a domain name: \"\""},
        {"corp..example", "not a domain name: \"corp..example\""},
        {"corp example", "not a domain name: \"corp example\""},
        {".corp.example", "not a domain name: \".corp.example\" (write \"corp.example\")"},
        {"corp.example..", "not a domain name: \"corp.example..\" (write \"corp.example.\")"},
        {" corp.example\n", "blanks are no part of a domain name: \" corp.example\n\" (write \"corp.example\")"},
        {"@", "\"@\" is a name in a zone file only (write the zone's name, or \".\" for all names)"},
        /* wildcards */
        {"*.corp.example", "a wildcard matches nothing: \"*.corp.example\" (write \"corp.example\")"},
        {"*.*.corp.example.", "a wildcard matches nothing: \"*.*.corp.example.\" (write \"corp.example.\")"},
        {"*corp.example", "a wildcard matches nothing: \"*corp.example\" (write \"corp.example\")"},
        {"*.a.*.example", "a wildcard matches nothing: \"*.a.*.example\""},
        {"*", "a wildcard matches nothing: \"*\" (write \".\")"},
        {"*.", "a wildcard matches nothing: \"*.\" (write \".\")"},
        {"corp.*", "a wildcard matches nothing: \"corp.*\""},
        {"corp.*.", "a wildcard matches nothing: \"corp.*.\""},
        {"mail*.corp.example", "a wildcard matches nothing: \"mail*.corp.example\""},
        /* addresses and blocks */
        {"1.2.3.4", "an address is no domain name: \"1.2.3.4\" (write \"4.3.2.1.in-addr.arpa\")"},
        {"1.2.3.4.", "an address is no domain name: \"1.2.3.4.\" (write \"4.3.2.1.in-addr.arpa\")"},
        {"[192.0.2.1]", "an address is no domain name: \"[192.0.2.1]\" (write \"1.2.0.192.in-addr.arpa\")"},
        {"1.2.3.4/32", "an address is no domain name: \"1.2.3.4/32\" (write \"4.3.2.1.in-addr.arpa\")"},
        {"10.0.0.0/8", "an address block is no domain name: \"10.0.0.0/8\" (write \"10.in-addr.arpa\")"},
        {"10.0.0.0/8.", "an address block is no domain name: \"10.0.0.0/8.\" (write \"10.in-addr.arpa\")"},
        {"10.1.2.3/8", "an address block is no domain name: \"10.1.2.3/8\" (write \"10.in-addr.arpa\")"},
        {"10/8", "an address block is no domain name: \"10/8\" (write \"10.in-addr.arpa\")"},
        {"10", "an address block is no domain name: \"10\" (write \"10.in-addr.arpa\")"},
        {"192.168", "an address block is no domain name: \"192.168\" (write \"168.192.in-addr.arpa\")"},
        {"192.168.0.0/16", "an address block is no domain name: \"192.168.0.0/16\" (write \"168.192.in-addr.arpa\")"},
        {"192.0.2.0/24", "an address block is no domain name: \"192.0.2.0/24\" (write \"2.0.192.in-addr.arpa\")"},
        {"10.0.0.0/255.0.0.0",
         "an address block is no domain name: \"10.0.0.0/255.0.0.0\" (write \"10.in-addr.arpa\")"},
        {"0.0.0.0/0", "an address block is no domain name: \"0.0.0.0/0\" (write \"in-addr.arpa\")"},
        {"10.0.0.0/33", "an address block is no domain name: \"10.0.0.0/33\""},
        {"10.0.0.0/255.0.255.0", "an address block is no domain name: \"10.0.0.0/255.0.255.0\""},
        {"::1/129", "an address block is no domain name: \"::1/129\""},
        {"172.16.0.0/12",
         "an address block is no domain name: \"172.16.0.0/12\" (write each zone from \"16.172.in-addr.arpa\" to "
         "\"31.172.in-addr.arpa\", or \"172.in-addr.arpa\" for all of 172.0.0.0/8)"},
        {"192.0.2.128/25",
         "an address block is no domain name: \"192.0.2.128/25\" (write each zone from \"128.2.0.192.in-addr.arpa\" to "
         "\"255.2.0.192.in-addr.arpa\", or \"2.0.192.in-addr.arpa\" for all of 192.0.2.0/24)"},
        {"2001:db8::/32", "an address block is no domain name: \"2001:db8::/32\" (write \"8.b.d.0.1.0.0.2.ip6.arpa\")"},
        {"fd00::/8", "an address block is no domain name: \"fd00::/8\" (write \"d.f.ip6.arpa\")"},
        {"fc00::/7", "an address block is no domain name: \"fc00::/7\" (write each zone from \"c.f.ip6.arpa\" to "
                     "\"d.f.ip6.arpa\", or \"f.ip6.arpa\" for all of f000::/4)"},
        {"2001:db8::1", "an address is no domain name: \"2001:db8::1\" (write "
                        "\"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa\")"},
        /* URLs, mail, paths, ports */
        {"https://corp.example/path",
         "a URL is no domain name: \"https://corp.example/path\" (write \"corp.example\")"},
        {"https://user:pw@www.corp.example:8443/a.b?c",
         "a URL is no domain name: \"https://user:pw@www.corp.example:8443/a.b?c\" (write \"www.corp.example\")"},
        {"http://192.0.2.1/", "an address is no domain name: \"http://192.0.2.1/\" (write \"1.2.0.192.in-addr.arpa\")"},
        {"http://10.in-addr.arpa/", "a URL is no domain name: \"http://10.in-addr.arpa/\" (write \"10.in-addr.arpa\")"},
        {"user@corp.example", "a mail address is no domain name: \"user@corp.example\" (write \"corp.example\")"},
        {"@corp.example", "a mail address is no domain name: \"@corp.example\" (write \"corp.example\")"},
        {"mailto:a@b@corp.example",
         "a mail address is no domain name: \"mailto:a@b@corp.example\" (write \"corp.example\")"},
        {"user@[192.0.2.1]", "an address is no domain name: \"user@[192.0.2.1]\" (write \"1.2.0.192.in-addr.arpa\")"},
        {"*@corp.example", "a mail address is no domain name: \"*@corp.example\" (write \"corp.example\")"},
        {"corp.example/path.html",
         "a path is no part of a domain name: \"corp.example/path.html\" (write \"corp.example\")"},
        {"corp.example/", "a path is no part of a domain name: \"corp.example/\" (write \"corp.example\")"},
        {"/corp.example/", "a path is no part of a domain name: \"/corp.example/\" (write \"corp.example\")"},
        {"corp.example:53", "a port is no part of a domain name: \"corp.example:53\" (write \"corp.example\")"},
        {"a.example,b.example", "one domain name is expected, not a list: \"a.example,b.example\""},
        /* beyond ASCII */
        {"b\xc3\xbc"
         "cher.example",
         "not a domain name: \"b\xc3\xbc"
         "cher.example\" (write \"xn--bcher-kva.example\")"},
        {"*.B\xc3\x9c"
         "CHER.example",
         "a wildcard matches nothing: \"*.B\xc3\x9c"
         "CHER.example\" (write \"xn--bcher-kva.example\")"},
        {"https://\xe4\xb8\xad\xe5\x9b\xbd/",
         "a URL is no domain name: \"https://\xe4\xb8\xad\xe5\x9b\xbd/\" (write \"xn--fiqs8s\")"},
        {"b\xfc"
         "cher.example",
         "not a domain name: \"b\xfc"
         "cher.example\" (write it in its xn-- form)"},
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char        why[SLIP_WHY_MAX];
        struct name name;
        if (name_read(rows[i].text, &name, why))
            fail_msg("%s is taken", rows[i].text);
        assert_string_equal(why, rows[i].said);
    }
}

/* What is written as meant is taken. */
static void test_what_is_meant_is_a_name(void **state)
{
    static const char *const texts[] = {"*.corp.example", "10.0.0.0/8",  "172.16.0.0/12",     "fc00::/7",
                                        "2001:db8::1",    "a@b.example", "http://a.example/", "\xc3\xbc.example"};
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char        why[SLIP_WHY_MAX], ignored[SLIP_WHY_MAX];
        struct name name;
        assert_false(name_read(texts[i], &name, why));
        char *rest = strchr(why, '(');
        assert_non_null(rest);
        strsep(&rest, "\"");
        while (rest) {
            const char *form = strsep(&rest, "\"");
            assert_true(name_read(form, &name, ignored));
            strsep(&rest, "\"");
        }
    }
}

static void test_long_text(void **state)
{
    static const char *const begins[] = {"", "*.", "a@", "http://", "1.2.3.4/", "::", "a.b/", "\xc3\xbc", "\\", "a:"};
    static char              text[70000];
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
        for (size_t len = 200; len < sizeof(text); len += 34000) {
            char        why[SLIP_WHY_MAX];
            struct name name;
            memset(text, '1', len);
            text[len] = '\0';
            memcpy(text, begins[i], strlen(begins[i]));
            assert_false(name_read(text, &name, why));
        }
    }
}

static void test_out_of_memory(void **state)
{
    static const char *const texts[] = {"corp.example", "*.corp.example", "b\xc3\xbc.example"};
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        for (size_t nth = 0; nth < 20; nth++) {
            char        why[SLIP_WHY_MAX] = "";
            struct name name;
            heap_fail_at(nth);
            bool good = name_read(texts[i], &name, why);
            heap_restore();
            assert_true(good ? i == 0 : why[0] != '\0');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_slips),
        cmocka_unit_test(test_what_is_meant_is_a_name),
        cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
