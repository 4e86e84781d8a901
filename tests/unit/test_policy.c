/*
 * test_policy.c: the longest match, who wins for the same zone, and what is a blocklist.
 */
#include "policy/policy.h"

#include "base/rng.h"
#include "dns/text.h"
#include "lib/check.h"
#include "lib/names.h"

static struct rule rule(const char *zone, enum via via, uint8_t group, bool preset)
{
    return (struct rule){.zone = named(zone), .via = via, .group = group, .shipped = preset, .is_list = preset};
}

static struct policy *small_policy(void)
{
    const struct rule rules[] = {
        rule("corp.example", VIA_GROUP, 2, false),
        rule("open.corp.example", VIA_AUTO, 0, false),
        rule("deep.open.corp.example", VIA_REFUSE, 0, false),
        rule("spamhaus.org", VIA_GROUP, 0, true),
        rule("uribl.com", VIA_GROUP, 0, true),
        rule("uribl.com", VIA_AUTO, 0, false),
        rule("dnswl.org", VIA_GROUP, 3, false),
        rule("dnswl.org", VIA_GROUP, 0, true),
        rule("twice.example", VIA_GROUP, 4, true),
        rule("twice.example", VIA_GROUP, 5, true),
        rule("a.b.c.d.e.f", VIA_GROUP, 6, false),
    };
    struct policy *policy = policy_create(rules, ARRAY_LEN(rules));
    assert_non_null(policy);
    return policy;
}

static void the_longest_match_wins(void **state)
{
    (void) state;
    struct policy *policy = small_policy();
    static const struct {
        const char *name;
        const char *zone; /* of the rule that is to be found */
        enum via    via;
        uint8_t     group;
    } rows[] = {
        {".", ".", VIA_AUTO, 0},
        {"example", ".", VIA_AUTO, 0},
        {"org", ".", VIA_AUTO, 0},
        {"corp.example", "corp.example", VIA_GROUP, 2},
        {"mail.corp.example", "corp.example", VIA_GROUP, 2},
        {"MAIL.Corp.EXAMPLE", "corp.example", VIA_GROUP, 2},
        {"xcorp.example", ".", VIA_AUTO, 0},
        {"corp.example.org", ".", VIA_AUTO, 0},
        {"corpexample", ".", VIA_AUTO, 0},
        {"open.corp.example", "open.corp.example", VIA_AUTO, 0},
        {"a.b.open.corp.example", "open.corp.example", VIA_AUTO, 0},
        {"x.deep.open.corp.example", "deep.open.corp.example", VIA_REFUSE, 0},
        {"deep.corp.example", "corp.example", VIA_GROUP, 2},
        {"2.0.0.127.zen.spamhaus.org", "spamhaus.org", VIA_GROUP, 0},
        {"multi.uribl.com", "uribl.com", VIA_AUTO, 0},
        {"list.dnswl.org", "dnswl.org", VIA_GROUP, 3},
        {"twice.example", "twice.example", VIA_GROUP, 4},
        {"f", ".", VIA_AUTO, 0},
        {"b.c.d.e.f", ".", VIA_AUTO, 0},
        {"z.a.b.c.d.e.f", "a.b.c.d.e.f", VIA_GROUP, 6},
        {"\\000\\255.corp.example", "corp.example", VIA_GROUP, 2},
        {"a\\.corp.example", ".", VIA_AUTO, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct name        name = named(rows[i].name), zone = named(rows[i].zone);
        const struct rule *found = policy_find(policy, name_view(&name));
        assert_non_null(found);
        if (!name_equal(name_view(&found->zone), name_view(&zone)) || found->via != rows[i].via ||
            found->group != rows[i].group)
            fail_msg("%s: another rule than %s", rows[i].name, rows[i].zone);
    }
    policy_destroy(policy);
}

static void a_preset_says_what_a_blocklist_is(void **state)
{
    (void) state;
    const struct rule rules[] = {
        rule("list.example", VIA_GROUP, 0, true),      rule("list.example", VIA_GROUP, 2, false),
        rule("open.list.example", VIA_AUTO, 0, false), rule("opened.example", VIA_AUTO, 0, false),
        rule("opened.example", VIA_GROUP, 0, true),    rule("deep.opened.example", VIA_GROUP, 0, true),
        rule("example", VIA_GROUP, 3, false),
    };
    static const struct {
        const char *name;
        const char *list; /* NULL: none */
    } rows[] = {
        {"list.example", "list.example"},
        {"2.0.0.127.LIST.example", "list.example"},
        {"x.open.list.example", "list.example"}, /* the way is the operator's, what it is the preset's */
        {"x.opened.example", "opened.example"},
        {"x.deep.opened.example", "deep.opened.example"},
        {"example", NULL},
        {"nolist.example", NULL},
        {".", NULL},
        {"list.test", NULL},
    };
    struct policy *policy = policy_create(rules, ARRAY_LEN(rules));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct name       name = named(rows[i].name), list = named(rows[i].list ? rows[i].list : ".");
        const struct blocklist *found = policy_find(policy, name_view(&name))->blocklist;
        if (rows[i].list == NULL ? found != NULL
                                 : found == NULL || !name_equal(name_view(&found->zone), name_view(&list)))
            fail_msg("%s: another list", rows[i].name);
    }
    policy_destroy(policy);
}

/* What ships with byway yields to `zones`, but is no blocklist for that. */
static void not_all_that_is_shipped_is_a_blocklist(void **state)
{
    (void) state;
    struct rule rules[] = {rule("shipped.example", VIA_GROUP, 0, false), rule("shipped.example", VIA_GROUP, 2, false),
                           rule("list.example", VIA_GROUP, 0, true)};
    struct name below = named("x.shipped.example"), list = named("x.list.example");
    rules[0].shipped      = true;
    struct policy *policy = policy_create(rules, ARRAY_LEN(rules));
    assert_int_equal(policy_find(policy, name_view(&below))->group, 2);
    assert_null(policy_find(policy, name_view(&below))->blocklist);
    assert_non_null(policy_find(policy, name_view(&list))->blocklist);
    policy_destroy(policy);
}

static void a_complaint_is_due_once_an_hour(void **state)
{
    (void) state;
    enum {
        HOUR = 3600000
    };
    const struct rule rules[] = {rule("a.example", VIA_GROUP, 0, true), rule("b.example", VIA_GROUP, 0, true)};
    struct policy    *policy  = policy_create(rules, ARRAY_LEN(rules));
    struct name       a = named("x.a.example"), b = named("x.b.example");
    struct blocklist *list = policy_find(policy, name_view(&a))->blocklist;
    assert_true(blocklist_complain(list, 5));
    assert_false(blocklist_complain(list, 5));
    assert_false(blocklist_complain(list, 4 + HOUR));
    assert_true(blocklist_complain(policy_find(policy, name_view(&b))->blocklist, 6));
    assert_true(blocklist_complain(list, 5 + HOUR));
    assert_false(blocklist_complain(list, 6 + HOUR));
    policy_destroy(policy);
}

static void without_rules_all_is_auto(void **state)
{
    (void) state;
    struct policy     *policy = policy_create(NULL, 0);
    struct name        name   = named("mail.example.org");
    const struct rule *found  = policy_find(policy, name_view(&name));
    assert_int_equal(found->via, VIA_AUTO);
    assert_false(found->shipped);
    assert_true(name_is_root(name_view(&found->zone)));
    policy_destroy(policy);
    policy_destroy(NULL);
}

static void a_rule_for_the_root_replaces_the_built_in_one(void **state)
{
    (void) state;
    const struct rule  rules[] = {rule(".", VIA_GROUP, 1, false), rule("example", VIA_AUTO, 0, false)};
    struct policy     *policy  = policy_create(rules, ARRAY_LEN(rules));
    struct name        other = named("other.org"), below = named("mail.example");
    const struct rule *found = policy_find(policy, name_view(&other));
    assert_int_equal(found->via, VIA_GROUP);
    assert_int_equal(found->group, 1);
    assert_int_equal(policy_find(policy, name_view(&below))->via, VIA_AUTO);
    policy_destroy(policy);
}

/* Names of few letters, so that they meet often. */
static struct name random_name(struct rng *rng)
{
    struct name name   = {.len = 1};
    size_t      labels = rng_below(rng, 6);
    for (size_t i = 0; i < labels; i++) {
        uint8_t     label[2] = {(uint8_t) ('a' + rng_below(rng, 3)), (uint8_t) ('a' + rng_below(rng, 2))};
        struct name below;
        assert_true(name_prepend(&below, label, 1 + rng_below(rng, 2), name_view(&name)));
        name = below;
    }
    return name;
}

static const struct rule *find_slowly(const struct rule *rules, size_t count, struct view name)
{
    const struct rule *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!name_is_at_or_below(name, name_view(&rules[i].zone)))
            continue;
        if (best == NULL || rules[i].zone.len > best->zone.len ||
            (rules[i].zone.len == best->zone.len && best->shipped && !rules[i].shipped))
            best = &rules[i];
    }
    return best;
}

static const struct rule *list_slowly(const struct rule *rules, size_t count, struct view name)
{
    const struct rule *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (rules[i].is_list && name_is_at_or_below(name, name_view(&rules[i].zone)) &&
            (best == NULL || rules[i].zone.len > best->zone.len))
            best = &rules[i];
    return best;
}

static void random_policies_agree_with_a_plain_search(void **state)
{
    (void) state;
    struct rng rng;
    rng_init(&rng, (const uint8_t[RNG_SEED_BYTES]){7});
    for (size_t round = 0; round < 200; round++) {
        struct rule rules[40];
        size_t      count = rng_below(&rng, ARRAY_LEN(rules) + 1);
        for (size_t i = 0; i < count; i++)
            rules[i] = (struct rule){.zone    = random_name(&rng),
                                     .via     = (enum via) rng_below(&rng, 3),
                                     .group   = (uint8_t) i,
                                     .shipped = rng_below(&rng, 2) == 0,
                                     .is_list = rng_below(&rng, 2) == 0};
        struct policy *policy = policy_create(rules, count);
        assert_non_null(policy);
        for (size_t i = 0; i < 100; i++) {
            struct name        name     = random_name(&rng);
            const struct rule *expected = find_slowly(rules, count, name_view(&name));
            const struct rule *found    = policy_find(policy, name_view(&name));
            assert_int_equal(found->via, expected == NULL ? VIA_AUTO : expected->via);
            if (expected != NULL)
                assert_int_equal(found->group, expected->group);
            const struct rule *list = list_slowly(rules, count, name_view(&name));
            assert_int_equal(list != NULL, found->blocklist != NULL);
            if (list != NULL)
                assert_true(name_equal(name_view(&list->zone), name_view(&found->blocklist->zone)));
        }
        policy_destroy(policy);
    }
}

static void a_group_is_asked_about_what_is_open_to_it(void **state)
{
    (void) state;
    static const struct {
        struct {
            const char *zone;
            enum via    via;
            uint8_t     group;
        } rules[3];
        uint8_t     group;
        bool        automatic;
        const char *zone; /* NULL: none */
    } rows[] = {
        {{{0}}, 1, true, "."},
        {{{0}}, 2, false, NULL},
        {{{"corp.example", VIA_GROUP, 2}}, 2, false, "corp.example."},
        {{{".", VIA_GROUP, 0}}, 0, true, "."},
        {{{".", VIA_GROUP, 0}}, 1, true, NULL},
        {{{".", VIA_GROUP, 0}, {"abroad.example", VIA_AUTO, 0}}, 1, true, "abroad.example."},
        {{{".", VIA_REFUSE, 0}, {"never.example", VIA_REFUSE, 0}, {"x.example", VIA_GROUP, 1}}, 1, true, "x.example."},
        {{{".", VIA_GROUP, 2}, {"home.example", VIA_AUTO, 0}}, 0, true, "home.example."},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rule rules[3];
        size_t      count = 0;
        for (; count < 3 && rows[i].rules[count].zone; count++)
            rules[count] = rule(rows[i].rules[count].zone, rows[i].rules[count].via, rows[i].rules[count].group, false);
        struct policy     *policy = policy_create(rules, count);
        const struct name *zone   = policy_zone_of(policy, rows[i].group, rows[i].automatic);
        char               text[NAME_TEXT_MAX];
        if (!rows[i].zone)
            assert_null(zone);
        else
            assert_string_equal(rows[i].zone, name_format(name_view(zone), text));
        policy_destroy(policy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_match_wins),
        cmocka_unit_test(a_group_is_asked_about_what_is_open_to_it),
        cmocka_unit_test(a_preset_says_what_a_blocklist_is),
        cmocka_unit_test(not_all_that_is_shipped_is_a_blocklist),
        cmocka_unit_test(a_complaint_is_due_once_an_hour),
        cmocka_unit_test(without_rules_all_is_auto),
        cmocka_unit_test(a_rule_for_the_root_replaces_the_built_in_one),
        cmocka_unit_test(random_policies_agree_with_a_plain_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
