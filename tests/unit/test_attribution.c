/*
 * test_attribution.c: which zone a failure is charged to. Too high a zone takes the innocent along, and one with a
 * fence below it would let out what must stay.
 */
#include "policy/attribution.h"

#include "dns/text.h"
#include "lib/check.h"
#include "lib/names.h"

#define REVERSE6 "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"

static const struct {
    const char *name, *shown, *zone; /* NULL: none */
} rows[] = {
    /* what external showed */
    {"mail.example.com", "example.com", "example.com"},
    {"a.b.example.com", "b.example.com", "b.example.com"},
    {"a.b.example.com", "a.b.example.com", "a.b.example.com"},
    {"example.com", "example.com", "example.com"},
    {"a.b.example.com", "example.com", "example.com"},
    /* nothing, or nothing that fits: the registrable domain */
    {"a.b.example.com", NULL, "example.com"},
    {"example.com", NULL, "example.com"},
    {"a.example.com", "other.com", "example.com"},
    {"a.example.com", "x.a.example.com", "example.com"},
    {"a.example.com", "ple.com", "example.com"},
    /* a public suffix, or above one */
    {"a.example.com", "com", "example.com"},
    {"a.example.com", ".", "example.com"},
    {"a.example.co.uk", "co.uk", "example.co.uk"},
    {"a.example.co.uk", "uk", "example.co.uk"},
    {"a.example.github.io", "github.io", "example.github.io"},
    {"a.example.github.io", "io", "example.github.io"},
    {"com", "com", NULL},
    {"com", NULL, NULL},
    {"co.uk", "uk", NULL},
    {"github.io", "github.io", NULL},
    {".", ".", NULL},
    {".", NULL, NULL},
    /* reverse zones: /24 to begin with, never above /16; /48 and /32 */
    {"4.3.2.192.in-addr.arpa", NULL, "3.2.192.in-addr.arpa"},
    {"4.3.2.192.in-addr.arpa", "3.2.192.in-addr.arpa", "3.2.192.in-addr.arpa"},
    {"4.3.2.192.in-addr.arpa", "2.192.in-addr.arpa", "2.192.in-addr.arpa"},
    {"4.3.2.192.in-addr.arpa", "192.in-addr.arpa", "3.2.192.in-addr.arpa"},
    {"4.3.2.192.in-addr.arpa", "in-addr.arpa", "3.2.192.in-addr.arpa"},
    {"192.in-addr.arpa", "192.in-addr.arpa", NULL},
    {"4.0-63.3.2.192.in-addr.arpa", "0-63.3.2.192.in-addr.arpa", "0-63.3.2.192.in-addr.arpa"},
    {REVERSE6, NULL, "3.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
    {REVERSE6, "8.b.d.0.1.0.0.2.ip6.arpa", "8.b.d.0.1.0.0.2.ip6.arpa"},
    {REVERSE6, "b.d.0.1.0.0.2.ip6.arpa", "3.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
    {REVERSE6, "ip6.arpa", "3.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},

    /* fences are holes: intra.fenced.com via office, deep.open.fenced.com refused */
    {"a.fenced.com", NULL, "fenced.com"},
    {"a.fenced.com", "fenced.com", "fenced.com"},
    {"a.b.fenced.com", "fenced.com", "fenced.com"},
    {"a.b.fenced.com", "b.fenced.com", "b.fenced.com"},
    {"fenced.com", "fenced.com", "fenced.com"},
    {"open.fenced.com", NULL, "fenced.com"},
    {"x.open.fenced.com", "fenced.com", "fenced.com"},
    {"notintra.fenced.com", "fenced.com", "fenced.com"},
    {"intra.fenced.com", "fenced.com", NULL},
    {"a.b.intra.fenced.com", "fenced.com", NULL},
    {"a.b.intra.fenced.com", "b.intra.fenced.com", NULL},
    {"deep.open.fenced.com", NULL, NULL},
    /* openings in a fence: corp.org via office, but lab.corp.org and far.in.corp.org auto */
    {"a.b.lab.corp.org", "corp.org", "lab.corp.org"},
    {"a.b.lab.corp.org", NULL, "lab.corp.org"},
    {"a.b.lab.corp.org", "b.lab.corp.org", "b.lab.corp.org"},
    {"lab.corp.org", "corp.org", "lab.corp.org"},
    {"a.corp.org", "corp.org", NULL},
    {"a.far.in.corp.org", "corp.org", "far.in.corp.org"},
    {"a.far.in.corp.org", "in.corp.org", "far.in.corp.org"},
    {"a.in.corp.org", "in.corp.org", NULL},
    /* a fence in a reverse zone */
    {"4.1.0.10.in-addr.arpa", "1.0.10.in-addr.arpa", NULL},
    {"4.3.2.172.in-addr.arpa", "2.172.in-addr.arpa", "2.172.in-addr.arpa"},
    {"4.9.2.172.in-addr.arpa", "2.172.in-addr.arpa", NULL},
    /* case */
    {"MAIL.Example.COM", "EXAMPLE.com", "example.com"},
};

static struct policy *fences(void)
{
    const struct rule rules[] = {
        {.zone = named("intra.fenced.com"), .via = VIA_GROUP, .group = 2},
        {.zone = named("deep.open.fenced.com"), .via = VIA_REFUSE},
        {.zone = named("corp.org"), .via = VIA_GROUP, .group = 2},
        {.zone = named("lab.corp.org"), .via = VIA_AUTO},
        {.zone = named("far.in.corp.org"), .via = VIA_AUTO},
        {.zone = named("10.in-addr.arpa"), .via = VIA_GROUP, .group = 0},
        {.zone = named("9.2.172.in-addr.arpa"), .via = VIA_GROUP, .group = 2},
    };
    return policy_create(rules, ARRAY_LEN(rules));
}

static void the_zone_of_a_failure(void **state)
{
    (void) state;
    struct policy *policy = fences();
    struct suffix *suffix = suffix_open();
    assert_non_null(suffix);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct name name = named(rows[i].name), shown = {0}, expected = {0};
        if (rows[i].shown)
            shown = named(rows[i].shown);
        if (rows[i].zone)
            expected = named(rows[i].zone);
        struct view zone = attribution_zone(policy, suffix, name_view(&name), name_view(&shown));
        if (zone.len != expected.len || (zone.len && !name_equal(zone, name_view(&expected)))) {
            char text[NAME_TEXT_MAX] = "none";
            fail_msg("row %zu: %s", i, zone.len ? name_format(zone, text) : text);
        }
        if (zone.len) /* a tail of the name itself, which outlives what was shown */
            assert_ptr_equal(zone.data, name.wire + name.len - zone.len);
    }
    suffix_close(suffix);
    policy_destroy(policy);
}

/* Whatever is shown: never a fence, never a public suffix. */
static void no_zone_is_fenced(void **state)
{
    (void) state;
    static const char *const names[] = {
        "a.b.c.fenced.com", "x.intra.fenced.com",    "a.open.fenced.com", "a.b.lab.corp.org",
        "www.corp.org",     "4.3.2.10.in-addr.arpa", "a.example.com",     "a.b.example.co.uk",
    };
    struct policy *policy = fences();
    struct suffix *suffix = suffix_open();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct name name = named(names[i]);
        for (size_t labels = 0; labels <= name_labels(name_view(&name)); labels++) {
            struct view zone = attribution_zone(policy, suffix, name_view(&name), name_tail(name_view(&name), labels));
            if (zone.len == 0)
                continue;
            assert_int_equal(policy_find(policy, zone)->via, VIA_AUTO);
            assert_true(suffix_learnable(suffix, zone));
        }
    }
    suffix_close(suffix);
    policy_destroy(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_zone_of_a_failure),
        cmocka_unit_test(no_zone_is_fenced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
