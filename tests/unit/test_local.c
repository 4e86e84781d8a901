/*
 * test_local.c: which names byway answers itself, what it says, and what an operator's `zones` takes back.
 */
#include "policy/local.h"

#include "dns/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ZERO6 "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"

static uint8_t out[512];

static struct name named(const char *text)
{
    struct name name;
    if (!name_parse(text, &name))
        fail_msg("not a name: %s", text);
    return name;
}

static struct rule rule(const char *zone, enum via via, bool preset)
{
    return (struct rule){.zone = named(zone), .via = via, .shipped = preset};
}

/* As the registry makes it. */
static struct policy *policy_of(const struct rule *rules, size_t count)
{
    static struct rule all[LOCAL_RULES + 16];
    if (count > 0)
        memcpy(all, rules, count * sizeof(*rules));
    size_t local = local_rules(rules, count, all + count);
    assert_true(local <= LOCAL_RULES);
    struct policy *policy = policy_create(all, count + local);
    assert_non_null(policy);
    return policy;
}

static enum via via_of(const struct policy *policy, const char *text)
{
    struct name name = named(text);
    return policy_find(policy, name_view(&name))->via;
}

static void local_names(void **state)
{
    static const char *const locals[] = {
        "localhost",
        "a.b.LOCALHOST",
        "invalid",
        "x.invalid",
        "facebookcorewwwi.onion",
        "home.arpa",
        "printer.home.arpa",
        "_dns.resolver.arpa",
        "0.in-addr.arpa",
        "4.3.2.10.in-addr.arpa",
        "4.3.16.172.in-addr.arpa",
        "4.3.31.172.in-addr.arpa",
        "1.0.168.192.in-addr.arpa",
        "1.0.0.127.in-addr.arpa",
        "9.9.9.127.in-addr.arpa",
        "254.169.254.169.in-addr.arpa",
        "1.2.0.192.in-addr.arpa",
        "1.100.51.198.in-addr.arpa",
        "1.113.0.203.in-addr.arpa",
        "255.255.255.255.in-addr.arpa",
        "1.1.64.100.in-addr.arpa",
        "1.1.127.100.in-addr.arpa",
        "0." ZERO6 ".ip6.arpa",
        "1." ZERO6 ".ip6.arpa",
        "0.0.d.f.ip6.arpa",
        "8.e.f.ip6.arpa",
        "1.b.e.f.ip6.arpa",
        "8.b.d.0.1.0.0.2.ip6.arpa",
    };
    static const char *const others[] = {
        ".",
        "arpa",
        "in-addr.arpa",
        "ip6.arpa",
        "test",
        "fine.test",
        "example",
        "example.com",
        "local",
        "printer.local",
        "ipv4only.arpa",
        "localhost.example.com",
        "notlocalhost",
        "1.1.15.172.in-addr.arpa",
        "1.1.32.172.in-addr.arpa",
        "172.in-addr.arpa",
        "1.1.63.100.in-addr.arpa",
        "1.1.128.100.in-addr.arpa",
        "1.0.169.192.in-addr.arpa",
        "1.3.0.192.in-addr.arpa",
        "1.101.51.198.in-addr.arpa",
        "1.112.0.203.in-addr.arpa",
        "254.255.255.255.in-addr.arpa",
        "2." ZERO6 ".ip6.arpa",
        "c.f.ip6.arpa",
        "7.e.f.ip6.arpa",
        "c.e.f.ip6.arpa",
        "9.b.d.0.1.0.0.2.ip6.arpa",
    };
    (void) state;
    struct policy *policy = policy_of(NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(locals); i++)
        if (via_of(policy, locals[i]) != VIA_LOCAL)
            fail_msg("%s is not local", locals[i]);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (via_of(policy, others[i]) != VIA_AUTO)
            fail_msg("%s is local", others[i]);
    policy_destroy(policy);
}

static void zones_are_above(void **state)
{
    (void) state;
    static const struct {
        struct {
            const char *zone;
            enum via    via;
            bool        preset;
        } rule;
        const char *name;
        enum via    via;
    } rows[] = {
        {{"10.in-addr.arpa", VIA_GROUP, false}, "1.2.3.10.in-addr.arpa", VIA_GROUP},
        {{"10.in-addr.arpa", VIA_AUTO, false}, "10.in-addr.arpa", VIA_AUTO},
        {{"10.in-addr.arpa", VIA_GROUP, false}, "1.1.168.192.in-addr.arpa", VIA_LOCAL},
        {{"1.10.in-addr.arpa", VIA_GROUP, false}, "9.1.10.in-addr.arpa", VIA_GROUP},
        {{"1.10.in-addr.arpa", VIA_GROUP, false}, "9.2.10.in-addr.arpa", VIA_LOCAL},
        {{"172.in-addr.arpa", VIA_GROUP, false}, "1.20.172.in-addr.arpa", VIA_GROUP},
        {{"in-addr.arpa", VIA_REFUSE, false}, "1.10.in-addr.arpa", VIA_REFUSE},
        {{"arpa", VIA_AUTO, false}, "1.0.0.127.in-addr.arpa", VIA_AUTO},
        {{"127.in-addr.arpa", VIA_GROUP, false}, "1.0.0.127.in-addr.arpa", VIA_GROUP},
        {{".", VIA_GROUP, false}, "1.10.in-addr.arpa", VIA_LOCAL}, /* a default for all names is no word on these */
        {{".", VIA_GROUP, false}, "localhost", VIA_LOCAL},
        {{"onion", VIA_GROUP, false}, "x.onion", VIA_GROUP},
        {{"arpa", VIA_GROUP, true}, "1.10.in-addr.arpa", VIA_LOCAL},
        {{"10.in-addr.arpa", VIA_GROUP, true}, "1.10.in-addr.arpa", VIA_GROUP},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct rule one    = rule(rows[i].rule.zone, rows[i].rule.via, rows[i].rule.preset);
        struct policy    *policy = policy_of(&one, 1);
        if (via_of(policy, rows[i].name) != rows[i].via)
            fail_msg("%s: %s goes another way", rows[i].rule.zone, rows[i].name);
        policy_destroy(policy);
    }
}

static void ds_is_the_parents(void **state)
{
    static const struct {
        const char *name;
        uint16_t    type;
        enum via    via;
    } rows[] = {
        {"10.in-addr.arpa", TYPE_DS, VIA_AUTO},
        {"10.in-addr.arpa", TYPE_SOA, VIA_LOCAL},
        {"1.10.in-addr.arpa", TYPE_DS, VIA_LOCAL},
        {"HOME.arpa", TYPE_DS, VIA_AUTO},
        {"localhost", TYPE_DS, VIA_LOCAL},
        {"onion", TYPE_DS, VIA_LOCAL},
        {"1.0.0.127.in-addr.arpa", TYPE_DS, VIA_LOCAL},
        {"corp.example", TYPE_DS, VIA_GROUP},
    };
    (void) state;
    const struct rule corp   = rule("corp.example", VIA_GROUP, false);
    struct policy    *policy = policy_of(&corp, 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct name name = named(rows[i].name);
        if (policy_find_for(policy, name_view(&name), rows[i].type)->via != rows[i].via)
            fail_msg("%s, type %u: another way", rows[i].name, rows[i].type);
    }
    policy_destroy(policy);
}

static char answered[2048];

static void take_line(void *context, const char *line)
{
    (void) context;
    size_t len = strlen(answered);
    snprintf(answered + len, sizeof(answered) - len, "%s%s", len > 0 ? " | " : "", line);
}

static const char *ask(const struct policy *policy, const char *text, uint16_t type, unsigned flags, bool edns,
                       struct message *ret)
{
    struct asked asked = {
        .id = 77, .flags = (uint16_t) flags, .edns = edns, .dnssec_ok = edns, .limit = 512, .type = type, .class = 1};
    asked.name               = named(text);
    const struct rule *found = policy_find_for(policy, name_view(&asked.name), type);
    assert_int_equal(found->via, VIA_LOCAL);
    size_t len = local_answer(&asked, found, policy_at_or_below(policy, name_view(&asked.name)), out);
    assert_true(len <= sizeof(out));
    assert_true(message_parse((struct view){out, len}, ret));
    assert_true(name_equal(ret->question.name, name_view(&asked.name)));
    assert_int_equal(ret->question.type, type);
    assert_int_equal(ret->id, 77);
    assert_int_equal(ret->flags & ~FLAG_RCODE, FLAG_QR | FLAG_AA | FLAG_RA | (flags & (FLAG_RD | FLAG_CD)));
    assert_int_equal(ret->edns.present, edns);
    assert_int_equal(ret->edns.dnssec_ok, edns);
    assert_int_equal(ret->count[SECTION_ANSWER] + ret->count[SECTION_AUTHORITY], 1);
    answered[0]          = '\0';
    struct record record = {0};
    assert_true(message_next(ret, &record));
    assert_int_equal(record.ttl, 10800);
    records_format((struct view){out, len}, 10800, take_line, NULL);
    return answered;
}

#define SOA(zone) zone ". 10800 IN SOA " zone ". nobody.invalid. 1 3600 1200 604800 10800"

static void answers(void **state)
{
    static const struct {
        const char *name;
        uint16_t    type;
        unsigned    rcode;
        const char *record; /* SOA stands in the authority section unless it was asked for */
    } rows[] = {
        {"localhost", TYPE_A, 0, "localhost. 10800 IN A 127.0.0.1"},
        {"localhost", TYPE_AAAA, 0, "localhost. 10800 IN AAAA ::1"},
        {"localhost", TYPE_ANY, 0, "localhost. 10800 IN A 127.0.0.1"},
        {"localhost", TYPE_MX, 0, SOA("localhost")},
        {"localhost", TYPE_SOA, 0, SOA("localhost")},
        {"localhost", TYPE_DS, 0, SOA("localhost")},
        {"a.b.localhost", TYPE_A, 0, "a.b.localhost. 10800 IN A 127.0.0.1"},
        {"a.b.localhost", TYPE_TXT, 0, SOA("localhost")},
        {"invalid", TYPE_A, RCODE_NXDOMAIN, SOA("invalid")},
        {"invalid", TYPE_SOA, RCODE_NXDOMAIN, SOA("invalid")},
        {"mx.invalid", TYPE_MX, RCODE_NXDOMAIN, SOA("invalid")},
        {"x.onion", TYPE_AAAA, RCODE_NXDOMAIN, SOA("onion")},
        {"home.arpa", TYPE_SOA, 0, SOA("home.arpa")},
        {"home.arpa", TYPE_NS, 0, "home.arpa. 10800 IN NS home.arpa."},
        {"home.arpa", TYPE_ANY, 0, SOA("home.arpa")},
        {"home.arpa", TYPE_A, 0, SOA("home.arpa")},
        {"a.home.arpa", TYPE_A, RCODE_NXDOMAIN, SOA("home.arpa")},
        {"_dns.resolver.arpa", 64, 0, SOA("resolver.arpa")},
        {"4.3.2.10.in-addr.arpa", TYPE_PTR, RCODE_NXDOMAIN, SOA("10.in-addr.arpa")},
        {"10.in-addr.arpa", TYPE_PTR, 0, SOA("10.in-addr.arpa")},
        {"4.3.99.100.in-addr.arpa", TYPE_PTR, RCODE_NXDOMAIN, SOA("99.100.in-addr.arpa")},
        {"1.0.0.127.in-addr.arpa", TYPE_PTR, 0, "1.0.0.127.in-addr.arpa. 10800 IN PTR localhost."},
        {"1.0.0.127.in-addr.arpa", TYPE_TXT, 0, SOA("1.0.0.127.in-addr.arpa")},
        {"2.0.0.127.in-addr.arpa", TYPE_PTR, RCODE_NXDOMAIN, SOA("127.in-addr.arpa")},
        {"0.0.127.in-addr.arpa", TYPE_PTR, 0, SOA("127.in-addr.arpa")}, /* something stands below it */
        {"1." ZERO6 ".ip6.arpa", TYPE_PTR, 0, "1." ZERO6 ".ip6.arpa. 10800 IN PTR localhost."},
        {"0." ZERO6 ".ip6.arpa", TYPE_PTR, 0, SOA("0." ZERO6 ".ip6.arpa")},
        {"5.10.in-addr.arpa", TYPE_PTR, 0, SOA("10.in-addr.arpa")}, /* the operator's zone is below */
        {"6.10.in-addr.arpa", TYPE_PTR, RCODE_NXDOMAIN, SOA("10.in-addr.arpa")},
    };
    (void) state;
    const struct rule claim  = rule("4.5.10.in-addr.arpa", VIA_GROUP, false);
    struct policy    *policy = policy_of(&claim, 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (unsigned way = 0; way < 4; way++) {
            struct message message;
            const char    *line =
                ask(policy, rows[i].name, rows[i].type, way & 1 ? FLAG_RD | FLAG_CD | FLAG_AD : 0, way & 2, &message);
            bool negative = strstr(line, "SOA") && rows[i].type != TYPE_SOA && rows[i].type != TYPE_ANY;
            if (message.rcode != rows[i].rcode || strcmp(line, rows[i].record) != 0)
                fail_msg("%s %u: %u %s", rows[i].name, rows[i].type, message.rcode, line);
            if (message.rcode == RCODE_NOERROR)
                assert_int_equal(message.count[SECTION_AUTHORITY], negative);
        }
    policy_destroy(policy);
}

/* 255 bytes: the answer still fits every client. */
static void the_longest_name_fits(void **state)
{
    (void) state;
    char label[64], text[300];
    memset(label, 'x', 63);
    label[63] = '\0';
    snprintf(text, sizeof(text), "%s.%s.%s.%.51s.localhost", label, label, label, label);
    struct policy *policy = policy_of(NULL, 0);
    struct message message;
    assert_int_equal(named(text).len, NAME_WIRE_MAX);
    ask(policy, text, TYPE_MX, FLAG_RD, true, &message);
    ask(policy, text, TYPE_AAAA, FLAG_RD, true, &message);
    policy_destroy(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_names), cmocka_unit_test(zones_are_above),       cmocka_unit_test(ds_is_the_parents),
        cmocka_unit_test(answers),     cmocka_unit_test(the_longest_name_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
