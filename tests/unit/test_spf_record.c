/*
 * test_spf_record.c: which texts are SPF records, their terms, and what is said of terms that are none.
 */
#include "mail/spf_record.h"

#include "lib/check.h"

#include <stdlib.h>
#include <string.h>

static struct view view_of(const char *text) { return (struct view){(const uint8_t *) text, strlen(text)}; }

static void versions_are_told_apart(void **state)
{
    (void) state;
    static const char *const good[] = {"v=spf1", "V=SpF1", "v=spf1 ", "v=spf1 -all"};
    static const char *const bad[]  = {"", "v=spf", "v=spf10", "v=spf1-all", " v=spf1", "v=spf2.0/pra", "v=spf1\t-all"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(spf_record_is(view_of(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(spf_record_is(view_of(bad[i])));
}

/* The term alone in a record, in memory of its own size. */
static enum spf_reading read_term(const char *term, struct spf_term *ret, const char **ret_why)
{
    static uint8_t *record;
    size_t          len = strlen(term), at = 0;
    free(record);
    record = malloc(7 + len);
    assert_non_null(record);
    memcpy(record, "v=spf1 ", 7);
    memcpy(record + 7, term, len);
    enum spf_reading reading = spf_term_next((struct view){record, 7 + len}, &at, ret, ret_why);
    if (strlen(term) == 0) {
        free(record);
        record = NULL;
    }
    return reading;
}

static void terms_are_read(void **state)
{
    (void) state;
    static const struct {
        const char   *text;
        enum spf_kind kind;
        char          qualifier;
        const char   *spec;
        uint8_t       bits4, bits6;
    } rows[] = {
        {"all", SPF_ALL, '+', "", 0, 0},
        {"+ALL", SPF_ALL, '+', "", 0, 0},
        {"~a", SPF_A, '~', "", 32, 128},
        {"?a/0", SPF_A, '?', "", 0, 128},
        {"a//0", SPF_A, '+', "", 32, 0},
        {"a/24//64", SPF_A, '+', "", 24, 64},
        {"-mx:b.example/32//128", SPF_MX, '-', "b.example", 32, 128},
        {"a:x/y.example/9", SPF_A, '+', "x/y.example", 9, 128},
        {"a:%{d1r/}", SPF_A, '+', "%{d1r/}", 32, 128},
        {"a:%{d}/8", SPF_A, '+', "%{d}", 8, 128},
        {"ptr", SPF_PTR, '+', "", 0, 0},
        {"ptr:b.example.", SPF_PTR, '+', "b.example.", 0, 0},
        {"Include:_spf.b.example", SPF_INCLUDE, '+', "_spf.b.example", 0, 0},
        {"exists:%{i}.b.example", SPF_EXISTS, '+', "%{i}.b.example", 0, 0},
        {"exists:x.1-1", SPF_EXISTS, '+', "x.1-1", 0, 0},
        {"exists:x%%", SPF_EXISTS, '+', "x%%", 0, 0},
        {"redirect=b.example", SPF_REDIRECT, 0, "b.example", 0, 0},
        {"EXP=b.example", SPF_EXP, 0, "b.example", 0, 0},
        {"ra=postmaster", SPF_UNKNOWN, 0, "postmaster", 0, 0},
        {"a-b_c.d=", SPF_UNKNOWN, 0, "", 0, 0},
        {"v=spf1", SPF_UNKNOWN, 0, "spf1", 0, 0},
        {"all=%{r}", SPF_UNKNOWN, 0, "%{r}", 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct spf_term term;
        const char     *why;
        assert_int_equal(read_term(rows[i].text, &term, &why), SPF_READ);
        assert_int_equal(term.kind, rows[i].kind);
        assert_int_equal(term.qualifier, rows[i].qualifier);
        assert_int_equal(term.spec.len, strlen(rows[i].spec));
        assert_true(term.spec.len == 0 || memcmp(term.spec.data, rows[i].spec, term.spec.len) == 0);
        assert_int_equal(term.bits4, rows[i].bits4);
        assert_int_equal(term.bits6, rows[i].bits6);
        assert_int_equal(term.at, 7);
        assert_int_equal(term.text.len, strlen(rows[i].text));
    }
}

static void networks_are_read(void **state)
{
    (void) state;
    static const struct {
        const char *text, *inside, *outside;
    } rows[] = {
        {"ip4:192.0.2.1", "192.0.2.1", "192.0.2.2"},
        {"ip4:192.0.2.1/24", "192.0.2.255", "192.0.3.0"},
        {"ip6:2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
        {"IP6:2001:DB8::1", "2001:db8::1", "2001:db8::2"},
        {"ip6:::192.0.2.1/128", "::192.0.2.1", "::192.0.2.2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct spf_term term;
        struct address  address;
        const char     *why;
        assert_int_equal(read_term(rows[i].text, &term, &why), SPF_READ);
        assert_true(address_parse(rows[i].inside, 0, &address));
        assert_true(cidr_contains(&term.network, &address));
        assert_true(address_parse(rows[i].outside, 0, &address));
        assert_false(cidr_contains(&term.network, &address));
    }
}

static const struct {
    const char *text, *why; /* part of it */
} errors[] = {
    {"all:b.example", "behind all"},
    {"all.", "no mechanism"},
    {"include", "missing"},
    {"include:", "missing"},
    {"include=b.example/", NULL}, /* a modifier of that name says nothing to us */
    {"include:b.example/24", "top-level"},
    {"a:", "missing"},
    {"a/33", "IPv4 prefix"},
    {"a/08", "IPv4 prefix"},
    {"a//129", "IPv6 prefix"},
    {"a/8/8", "colon"},
    {"a/", "colon"},
    {"a:museum", "one label"},
    {"a:museum.", "one label"},
    {"a:b.example.-com", "top-level"},
    {"a:b.123", "top-level"},
    {"a:%{d}com", "one label"},
    {"a:192.0.2.1", "ip4:"},
    {"a:2001:db8::1", "ip6:"},
    {"ptr/24", "colon"},
    {"exists", "missing"},
    {"ip4", "missing"},
    {"ip4:", "missing"},
    {"ip4:192.0.2", "no IPv4"},
    {"ip4:192.0.02.1", "no IPv4"},
    {"ip4:192.0.2.1/33", "prefix"},
    {"ip4:192.0.2.1/", "prefix"},
    {"ip4:192.0.2.1//24", "prefix"},
    {"ip4:2001:db8::1", "no IPv4"},
    {"ip6:192.0.2.1", "no IPv6"},
    {"ip6:2001:db8::/129", "prefix"},
    {"ip6:11111111111111111111111111111111111111111111111111111111111111", "no IPv6"},
    {"ip:192.0.2.1", "ip4: and ip6:"},
    {"ipv6:2001:db8::1", "ip4: and ip6:"},
    {"redirect:b.example", "modifier"},
    {"redirect=", "missing"},
    {"exp=-all", "one label"},
    {"moo", "no mechanism"},
    {"=all", "no mechanism"},
    {"1up=foo", "no mechanism"},
    {"--all", "no mechanism"},
    {"-", "no mechanism"},
    {"-redirect=b.example", "no mechanism"},
    {"x=%", "begins no macro"},
    {"x=%(d}", "begins no macro"},
    {"x=%{", "no letter"},
    {"x=%{1}", "no letter"},
    {"x=%{a}", "this letter"},
    {"x=%{d0}", "none of its parts"},
    {"x=%{d", "does not end"},
    {"x=%{d2x}", "does not end"},
    {"a:%{c}.example", "explanations"},
    {"a:b\x01.example", "visible"},
    {"a:b\xc3\xa4.example", "visible"},
};

static void what_is_wrong_is_said(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        struct spf_term term;
        const char     *why = NULL;
        assert_int_equal(read_term(errors[i].text, &term, &why), errors[i].why ? SPF_READ_WRONG : SPF_READ);
        if (errors[i].why && !strstr(why, errors[i].why))
            fail_msg("%s: %s", errors[i].text, why);
        assert_int_equal(term.text.len, strlen(errors[i].text));
    }
    struct spf_term term;
    const char     *why;
    assert_int_equal(read_term("", &term, &why), SPF_READ_END);
}

static void modifiers_stand_apart(void **state)
{
    (void) state;
    struct spf_outline outline;
    struct spf_term    wrong;
    const char        *why;
    assert_true(spf_record_check(view_of("v=spf1 exp=e.example redirect=r.example a  "), &outline, &wrong, &why));
    assert_int_equal(outline.redirect.at, 21);
    assert_int_equal(outline.exp.at, 7);
    assert_false(outline.has_all);
    assert_true(spf_record_check(view_of("v=spf1 all x=1 x=2"), &outline, &wrong, &why));
    assert_true(outline.has_all);
    assert_int_equal(outline.redirect.kind, SPF_NO_TERM);
    assert_false(spf_record_check(view_of("v=spf1 redirect=r.example Redirect=r.example"), &outline, &wrong, &why));
    assert_int_equal(wrong.at, 26);
    assert_false(spf_record_check(view_of("v=spf1 exp=r.example -all exp=r.example"), &outline, &wrong, &why));
    assert_int_equal(wrong.at, 26);
    assert_non_null(strstr(why, "already"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_told_apart), cmocka_unit_test(terms_are_read),
        cmocka_unit_test(networks_are_read),       cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(modifiers_stand_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
