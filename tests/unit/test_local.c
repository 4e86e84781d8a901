/*
 * test_local.c: which names byway answers itself, which it fences to domestic and stands in for, what it says, and what
 * an operator's `zones` takes back.
 */
#include "policy/local.h"

#include "dns/text.h"
#include "lib/check.h"
#include "lib/names.h"

#include <stdio.h>
#include <string.h>

#define ZERO6 "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"

enum {
    HOME = 3 /* the group that private addresses are fenced to */
};

static uint8_t out[512];

static struct rule rule(const char *zone, enum via via, bool preset)
{
    return (struct rule){.zone = named(zone), .via = via, .shipped = preset, .is_list = preset};
}

/* As the registry makes it. */
static struct policy *policy_of(const struct rule *rules, size_t count)
{
    static struct rule all[LOCAL_RULES + 16];
    if (count > 0)
        memcpy(all, rules, count * sizeof(*rules));
    size_t local = local_rules(rules, count, HOME, all + count);
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
        "1.0.0.127.in-addr.arpa",
        "9.9.9.127.in-addr.arpa",
        "1.2.0.192.in-addr.arpa",
        "1.100.51.198.in-addr.arpa",
        "1.113.0.203.in-addr.arpa",
        "255.255.255.255.in-addr.arpa",
        "0." ZERO6 ".ip6.arpa",
        "1." ZERO6 ".ip6.arpa",
        "8.b.d.0.1.0.0.2.ip6.arpa",
    };
    static const char *const privates[] = {
        "10.in-addr.arpa",         "4.3.2.10.IN-ADDR.arpa",    "4.3.16.172.in-addr.arpa",
        "4.3.31.172.in-addr.arpa", "1.0.168.192.in-addr.arpa", "254.169.254.169.in-addr.arpa",
        "1.1.64.100.in-addr.arpa", "1.1.127.100.in-addr.arpa", "c.f.ip6.arpa",
        "0.0.d.f.ip6.arpa",        "8.e.f.ip6.arpa",           "1.9.e.f.ip6.arpa",
        "1.a.e.f.ip6.arpa",        "1.b.e.f.ip6.arpa",
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
        "b.f.ip6.arpa",
        "e.f.ip6.arpa",
        "7.e.f.ip6.arpa",
        "c.e.f.ip6.arpa",
        "9.b.d.0.1.0.0.2.ip6.arpa",
    };
    (void) state;
    struct policy *policy = policy_of(NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(locals); i++)
        if (via_of(policy, locals[i]) != VIA_LOCAL)
            fail_msg("%s is not local", locals[i]);
    for (size_t i = 0; i < ARRAY_LEN(privates); i++) {
        const struct name  name  = named(privates[i]);
        const struct rule *found = policy_find(policy, name_view(&name));
        if (found->via != VIA_GROUP || found->group != HOME || !found->or_empty || found->blocklist)
            fail_msg("%s is not fenced as it should be", privates[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (via_of(policy, others[i]) != VIA_AUTO)
            fail_msg("%s has a rule", others[i]);
    policy_destroy(policy);
}

static void zones_are_above(void **state)
{
    (void) state;
    enum {
        LOCAL,
        STANDS_IN,
        AUTO,
        GROUP,
        REFUSE
    }; /* GROUP: without byway's own answer behind it */
    static const struct {
        struct {
            const char *zone;
            enum via    via;
            bool        preset;
        } rule;
        const char *name;
        int         way;
    } rows[] = {
        {{"10.in-addr.arpa", VIA_GROUP, false}, "1.2.3.10.in-addr.arpa", GROUP},
        {{"10.in-addr.arpa", VIA_AUTO, false}, "10.in-addr.arpa", AUTO},
        {{"10.in-addr.arpa", VIA_GROUP, false}, "1.1.168.192.in-addr.arpa", STANDS_IN},
        {{"1.10.in-addr.arpa", VIA_GROUP, false}, "9.1.10.in-addr.arpa", GROUP},
        {{"1.10.in-addr.arpa", VIA_GROUP, false}, "9.2.10.in-addr.arpa", STANDS_IN},
        {{"172.in-addr.arpa", VIA_GROUP, false}, "1.20.172.in-addr.arpa", GROUP},
        {{"in-addr.arpa", VIA_REFUSE, false}, "1.10.in-addr.arpa", REFUSE},
        {{"f.ip6.arpa", VIA_AUTO, false}, "1.d.f.ip6.arpa", AUTO},
        {{"arpa", VIA_AUTO, false}, "1.0.0.127.in-addr.arpa", AUTO},
        {{"127.in-addr.arpa", VIA_GROUP, false}, "1.0.0.127.in-addr.arpa", GROUP},
        {{".", VIA_GROUP, false}, "1.10.in-addr.arpa", STANDS_IN}, /* a default for all names is no word on these */
        {{".", VIA_GROUP, false}, "localhost", LOCAL},
        {{"onion", VIA_GROUP, false}, "x.onion", GROUP},
        {{"arpa", VIA_GROUP, true}, "1.10.in-addr.arpa", STANDS_IN},
        {{"10.in-addr.arpa", VIA_GROUP, true}, "1.10.in-addr.arpa", GROUP},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct rule  one    = rule(rows[i].rule.zone, rows[i].rule.via, rows[i].rule.preset);
        const struct name  name   = named(rows[i].name);
        struct policy     *policy = policy_of(&one, 1);
        const struct rule *found  = policy_find(policy, name_view(&name));
        static const int ways[] = {[VIA_AUTO] = AUTO, [VIA_GROUP] = GROUP, [VIA_REFUSE] = REFUSE, [VIA_LOCAL] = LOCAL};
        if ((found->or_empty ? STANDS_IN : ways[found->via]) != rows[i].way)
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
        {"2.0.192.in-addr.arpa", TYPE_DS, VIA_AUTO},
        {"2.0.192.in-addr.arpa", TYPE_SOA, VIA_LOCAL},
        {"1.2.0.192.in-addr.arpa", TYPE_DS, VIA_LOCAL},
        {"HOME.arpa", TYPE_DS, VIA_AUTO},
        {"10.in-addr.arpa", TYPE_DS, VIA_GROUP}, /* no external for this either */
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
    const struct name  top = named("10.IN-addr.arpa"), below = named("1.10.in-addr.arpa"), other = named("x.test");
    const struct rule *rule = policy_find(policy, name_view(&top));
    assert_false(rule_stands_in(rule, name_view(&top), TYPE_DS));
    assert_true(rule_stands_in(rule, name_view(&top), TYPE_PTR));
    assert_true(rule_stands_in(rule, name_view(&below), TYPE_DS));
    assert_false(rule_stands_in(policy_find(policy, name_view(&other)), name_view(&other), TYPE_A));
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
    struct client_query asked = {
        .id = 77, .flags = (uint16_t) flags, .edns = edns, .dnssec_ok = edns, .limit = 512, .type = type, .class = 1};
    asked.name               = named(text);
    const struct rule *found = policy_find_for(policy, name_view(&asked.name), type);
    assert_true(found->via == VIA_LOCAL || found->or_empty);
    bool   is_there = policy_at_or_below(policy, name_view(&asked.name));
    size_t len      = local_answer(&asked, found, is_there, found->or_empty ? EDE_NETWORK_ERROR : EDE_NONE, out);
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
    assert_int_equal(record.ttl, found->or_empty ? 0 : 10800);
    assert_int_equal(ret->edns.ede, found->or_empty && edns ? EDE_NETWORK_ERROR : EDE_NONE);
    records_format((struct view){out, len}, record.ttl, take_line, NULL);
    return answered;
}

#define SOA(zone) zone ". 10800 IN SOA " zone ". nobody.invalid. 1 3600 1200 604800 10800"
#define BRIEF(zone) zone ". 0 IN SOA " zone ". nobody.invalid. 1 3600 1200 604800 0" /* nobody shall keep it */

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
        {"4.3.2.10.in-addr.arpa", TYPE_PTR, RCODE_NXDOMAIN, BRIEF("10.in-addr.arpa")},
        {"10.in-addr.arpa", TYPE_PTR, 0, BRIEF("10.in-addr.arpa")},
        {"10.in-addr.arpa", TYPE_SOA, 0, BRIEF("10.in-addr.arpa")},
        {"10.in-addr.arpa", TYPE_NS, 0, "10.in-addr.arpa. 0 IN NS 10.in-addr.arpa."},
        {"4.3.99.100.in-addr.arpa", TYPE_PTR, RCODE_NXDOMAIN, BRIEF("99.100.in-addr.arpa")},
        {"1.d.f.ip6.arpa", TYPE_PTR, RCODE_NXDOMAIN, BRIEF("d.f.ip6.arpa")},
        {"9.2.0.192.in-addr.arpa", TYPE_PTR, RCODE_NXDOMAIN, SOA("2.0.192.in-addr.arpa")},
        {"1.0.0.127.in-addr.arpa", TYPE_PTR, 0, "1.0.0.127.in-addr.arpa. 10800 IN PTR localhost."},
        {"1.0.0.127.in-addr.arpa", TYPE_TXT, 0, SOA("1.0.0.127.in-addr.arpa")},
        {"2.0.0.127.in-addr.arpa", TYPE_PTR, RCODE_NXDOMAIN, SOA("127.in-addr.arpa")},
        {"0.0.127.in-addr.arpa", TYPE_PTR, 0, SOA("127.in-addr.arpa")}, /* something stands below it */
        {"1." ZERO6 ".ip6.arpa", TYPE_PTR, 0, "1." ZERO6 ".ip6.arpa. 10800 IN PTR localhost."},
        {"0." ZERO6 ".ip6.arpa", TYPE_PTR, 0, SOA("0." ZERO6 ".ip6.arpa")},
        {"5.10.in-addr.arpa", TYPE_PTR, 0, BRIEF("10.in-addr.arpa")}, /* the operator's zone is below */
        {"6.10.in-addr.arpa", TYPE_PTR, RCODE_NXDOMAIN, BRIEF("10.in-addr.arpa")},
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
