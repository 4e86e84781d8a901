/*
 * test_suffix.c: where registrable domains begin, reverse zones, and names that no host has.
 */
#include "policy/suffix.h"

#include "dns/text.h"
#include "lib/check.h"

#include <pthread.h>
#include <string.h>

static const struct {
    const char *name;
    const char *registrable; /* NULL: none */
} rows[] = {
    {".", NULL},
    {"com", NULL},
    {"co.uk", NULL},
    {"example.com", "example.com"},
    {"mail.example.com", "example.com"},
    {"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.example.co.uk", "example.co.uk"},
    {"example.co.uk", "example.co.uk"},
    {"mx.Example.CO.UK", "example.co.uk"},

    /* the private section */
    {"github.io", NULL},
    {"user.github.io", "user.github.io"},
    {"www.user.github.io", "user.github.io"},

    /* wildcards and their exceptions */
    {"ck", NULL},
    {"anything.ck", NULL},
    {"shop.anything.ck", "shop.anything.ck"},
    {"www.ck", "www.ck"},
    {"a.www.ck", "www.ck"},

    /* names that the list does not know: one label is a suffix */
    {"local", NULL},
    {"corp.local", "corp.local"},
    {"mail.corp.local", "corp.local"},

    /* in punycode, as the wire has it */
    {"xn--p1ai", NULL},
    {"mail.xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai"},

    /* bytes that no host name has are a plain label */
    {"_spf.example.com", "example.com"},
    {"_domainkey._x.example.com", "example.com"},
    {"\\000.com", "\\000.com"},
    {"a\\.com", NULL},
    {"a\\.co.uk", "a\\.co.uk"},
    {"x.a\\.co.uk", "a\\.co.uk"},
    {"\\255\\200.example.org", "example.org"},
    {"\\209\\128\\209\\132", NULL},
    {"a.\\209\\128\\209\\132", "a.\\209\\128\\209\\132"},
    {"*.ck", NULL},
    {"a.!www.ck", "a.!www.ck"},
    {"*.example.com", "example.com"},

    /* reverse: the /24, never above the /16 */
    {"arpa", NULL},
    {"in-addr.arpa", NULL},
    {"192.in-addr.arpa", NULL},
    {"0.192.in-addr.arpa", "0.192.in-addr.arpa"},
    {"2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa"},
    {"7.2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa"},
    {"7.2.0.192.IN-ADDR.ARPA", "2.0.192.in-addr.arpa"},
    {"0/25.2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa"},
    {"7.0/25.2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa"},
    {"7.0-127.2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa"},
    {"ip6.arpa", NULL},
    {"2.ip6.arpa", NULL},
    {"b.d.0.1.0.0.2.ip6.arpa", NULL},
    {"8.b.d.0.1.0.0.2.ip6.arpa", "8.b.d.0.1.0.0.2.ip6.arpa"},
    {"0.8.b.d.0.1.0.0.2.ip6.arpa", "0.8.b.d.0.1.0.0.2.ip6.arpa"},
    {"3.2.1.0.8.b.d.0.1.0.0.2.ip6.arpa", "3.2.1.0.8.b.d.0.1.0.0.2.ip6.arpa"},
    {"0.4.3.2.1.0.8.b.d.0.1.0.0.2.ip6.arpa", "3.2.1.0.8.b.d.0.1.0.0.2.ip6.arpa"},
    {"xin-addr.arpa", "xin-addr.arpa"},
    {"in-addr.arpa.example", "arpa.example"},
};

static int open_fixture(void **state)
{
    *state = suffix_open();
    return *state == NULL;
}

static int close_fixture(void **state)
{
    suffix_close(*state);
    return 0;
}

/* Number of the first row that is not as it should be, or -1. */
static int first_wrong(const struct suffix *suffix)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct name name, expected = {0};
        if (!name_parse(rows[i].name, &name) ||
            (rows[i].registrable != NULL && !name_parse(rows[i].registrable, &expected)))
            return (int) i;
        struct view found = suffix_registrable(suffix, name_view(&name));
        if (found.len != expected.len || suffix_learnable(suffix, name_view(&name)) != (found.len > 0))
            return (int) i;
        if (found.len > 0 &&
            (!name_equal(found, name_view(&expected)) || found.data + found.len != name.wire + name.len))
            return (int) i;
    }
    return -1;
}

static void registrable_domains(void **state)
{
    int wrong = first_wrong(*state);
    if (wrong >= 0)
        fail_msg("%s: expected %s", rows[wrong].name,
                 rows[wrong].registrable != NULL ? rows[wrong].registrable : "none");
}

static void case_is_kept_in_the_tail(void **state)
{
    static const uint8_t wire[] = "\2mX\7ExAmPlE\3CoM";
    struct view          found  = suffix_registrable(*state, (struct view){wire, sizeof wire});
    assert_ptr_equal(found.data, wire + 3);
    assert_int_equal(found.len, sizeof wire - 3);
}

static void the_longest_names_are_read(void **state)
{
    struct name many = {.len = 1};
    for (size_t i = 0; i < 127; i++) {
        struct name below;
        assert_true(name_prepend(&below, "x", 1, name_view(&many)));
        many = below;
    }
    assert_int_equal(many.len, 255);
    assert_int_equal(suffix_registrable(*state, name_view(&many)).len, 5);

    struct name wide = {.len = 1};
    char        label[63];
    memset(label, 'y', sizeof label);
    for (size_t i = 0; i < 4; i++) {
        struct name below;
        assert_true(name_prepend(&below, label, i < 3 ? 63 : 61, name_view(&wide)));
        wide = below;
    }
    assert_int_equal(wide.len, 255);
    assert_int_equal(suffix_registrable(*state, name_view(&wide)).len, 2 * 64 + 1);
}

static void *ask_often(void *suffix)
{
    for (size_t i = 0; i < 50; i++)
        if (first_wrong(suffix) >= 0)
            return suffix;
    return NULL;
}

static void threads_share_it(void **state)
{
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, *state), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registrable_domains),
        cmocka_unit_test(case_is_kept_in_the_tail),
        cmocka_unit_test(the_longest_names_are_read),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
