/*
 * test_spf_macro.c: macro strings: what they expand to, and the names that come of them.
 */
#include "mail/spf_macro.h"

#include "spf_zone.h"

static struct address    client;
static struct name       domain, host;
static struct spf_values values;

static struct view view_of(const char *text) { return (struct view){(const uint8_t *) text, strlen(text)}; }

static int set_values(void **state)
{
    (void) state;
    assert_true(address_parse("192.0.2.3", 0, &client));
    domain = named("email.example.com");
    host   = named("mx.example.org");
    values = (struct spf_values){
        .sender        = view_of("strong-bad@email.example.com"),
        .local         = view_of("strong-bad"),
        .sender_domain = view_of("email.example.com"),
        .helo          = view_of("helo.example"),
        .receiver      = view_of("mx.receiver.example"),
        .domain        = name_view(&domain),
        .host          = name_view(&host),
        .client        = &client,
        .now           = 1234567890,
    };
    return 0;
}

static void assert_expands(const char *text, const char *expected)
{
    char out[1000];
    assert_null(spf_macro_check(view_of(text), true));
    size_t len = spf_macro_expand(view_of(text), &values, out, sizeof(out) - 1);
    out[len]   = '\0';
    assert_string_equal(out, expected);
}

/* RFC 7208, 7.4. */
static void the_rfcs_examples_expand(void **state)
{
    (void) state;
    assert_expands("%{s}", "strong-bad@email.example.com");
    assert_expands("%{o}", "email.example.com");
    assert_expands("%{d}", "email.example.com");
    assert_expands("%{d4}", "email.example.com");
    assert_expands("%{d3}", "email.example.com");
    assert_expands("%{d2}", "example.com");
    assert_expands("%{d1}", "com");
    assert_expands("%{dr}", "com.example.email");
    assert_expands("%{d2r}", "example.email");
    assert_expands("%{l}", "strong-bad");
    assert_expands("%{l-}", "strong.bad");
    assert_expands("%{lr}", "strong-bad");
    assert_expands("%{lr-}", "bad.strong");
    assert_expands("%{l1r-}", "strong");
    assert_expands("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com");
    assert_expands("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com");
    assert_expands("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com");
    assert_expands("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com");
    assert_expands("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net");
    assert_true(address_parse("2001:db8::cb01", 0, &client));
    assert_expands("%{ir}.%{v}._spf.%{d2}",
                   "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com");
    assert_expands("%{c}", "2001:db8::cb01");
}

static void the_rest_expands(void **state)
{
    (void) state;
    assert_expands("", "");
    assert_expands("a%%b%_c%-d", "a%b c%20d");
    assert_expands("%{h} %{r} %{t} %{p}", "helo.example mx.receiver.example 1234567890 mx.example.org");
    assert_expands("%{S}", "strong-bad%40email.example.com");
    assert_expands("%{D99999999999999999999999}", "email.example.com");
    values.local = view_of("a+b=c\xc3\xa4~_");
    assert_expands("%{L+=}", "a.b.c%C3%A4~_");
    assert_expands("%{l2r+=}", "b.a");
    values.local = view_of("");
    assert_expands("[%{l}%{l1r}%{L-}]", "[]");
    values.local = view_of("..");
    assert_expands("%{l}|%{l2}", "..|.");
    values.host = (struct view){NULL, 0};
    assert_expands("%{p} %{p1r}", "unknown unknown");
}

static void what_does_not_fit_is_left_off(void **state)
{
    (void) state;
    char out[8];
    assert_int_equal(spf_macro_expand(view_of("%{s}"), &values, out, sizeof(out)), sizeof(out));
    assert_memory_equal(out, "strong-b", sizeof(out));
    assert_int_equal(spf_macro_expand(view_of("x%{s}"), &values, out, 0), 0);
}

static void uses_are_seen(void **state)
{
    (void) state;
    assert_true(spf_macro_uses(view_of("a.%{d}.%{P1r-}"), 'p'));
    assert_false(spf_macro_uses(view_of("p.%%{p}.%{d}"), 'p'));
    assert_false(spf_macro_uses(view_of(""), 'p'));
}

static void names_are_read(void **state)
{
    (void) state;
    char        text[300];
    struct name name;
    assert_true(spf_name_read(view_of("Mail.example."), &name));
    assert_name(&name, "Mail.example");
    static const char *const bad[] = {"", ".", "..", "a..b", ".a", "a.."};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(spf_name_read(view_of(bad[i]), &name));
    memset(text, 'x', sizeof(text));
    assert_true(spf_name_read((struct view){(uint8_t *) text, 63}, &name));
    assert_false(spf_name_read((struct view){(uint8_t *) text, 64}, &name));
    text[63] = text[127] = text[191] = '.';
    assert_true(spf_name_read((struct view){(uint8_t *) text, 253}, &name));
    assert_int_equal(name.len, 255);
    assert_int_equal(name_check(name_view(&name)), 255);
    assert_false(spf_name_read((struct view){(uint8_t *) text, 254}, &name));
}

/* From the left, and only whole labels. */
static void long_names_are_cut(void **state)
{
    (void) state;
    char        sender[SPF_VALUE_MAX];
    struct name name;
    memset(sender, 'x', sizeof(sender));
    for (size_t i = 40; i < sizeof(sender); i += 41)
        sender[i] = '.';
    values.sender = (struct view){(uint8_t *) sender, 409};
    assert_true(spf_name_expand(view_of("%{s}.%{s}.%{s}.%{s}.example"), &values, &name));
    assert_int_equal(name_labels(name_view(&name)), 7); /* six of 40, and example: 253 characters */
    assert_true(spf_name_expand(view_of("%{s}.%{s}.examples"), &values, &name));
    assert_int_equal(name_labels(name_view(&name)), 6);
    memset(sender, 'x', sizeof(sender));
    assert_false(spf_name_expand(view_of("%{s}.%{s}.%{s}.%{s}.%{s}"), &values, &name));
    assert_true(spf_name_expand(view_of("%{s}%{s}%{s}%{s}.b.example"), &values, &name));
    assert_name(&name, "b.example");
    values.sender = (struct view){(uint8_t *) sender, 70};
    assert_false(spf_name_expand(view_of("%{s}.example"), &values, &name));
}

static void of_names_the_part_that_is_known_is_given(void **state)
{
    (void) state;
    static const struct {
        const char *spec, *known; /* NULL: nothing */
        bool        whole;
    } rows[] = {
        {"b.example", "b.example", true},
        {"%{d}.b.example", "email.example.com.b.example", true},
        {"%{o2}", "example.com", true},
        {"%{i}.b.example", "b.example", false},
        {"x.%{l}y.b.example", "b.example", false},
        {"%{ir}.%{v}._spf.%{d2}", "_spf.example.com", false},
        {"%{l}%{d}", "example.com", false},
        {"%{l}", NULL, false},
        {"%{l}.", NULL, false},
        {"%{l}x%%", NULL, false},
        {"b..example", NULL, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct name name;
        bool        whole;
        assert_int_equal(spf_name_known(view_of(rows[i].spec), &values, &name, &whole), rows[i].known != NULL);
        assert_int_equal(whole, rows[i].whole);
        if (rows[i].known)
            assert_name(&name, rows[i].known);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_rfcs_examples_expand, set_values),
        cmocka_unit_test_setup(the_rest_expands, set_values),
        cmocka_unit_test_setup(what_does_not_fit_is_left_off, set_values),
        cmocka_unit_test_setup(uses_are_seen, set_values),
        cmocka_unit_test_setup(names_are_read, set_values),
        cmocka_unit_test_setup(long_names_are_cut, set_values),
        cmocka_unit_test_setup(of_names_the_part_that_is_known_is_given, set_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
