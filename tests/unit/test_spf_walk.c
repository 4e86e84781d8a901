/*
 * test_spf_walk.c: all that a domain's SPF record depends on, whoever sends.
 */
#include "mail/spf_walk.h"

#include "spf_zone.h"

#include <stdio.h>

static struct spf_walk walk;
static unsigned        asked;

static void walk_from(const struct spf_entry *zone, const char *domain)
{
    const struct name        name = named(domain);
    const struct spf_lookup *lookup;
    struct message           reply;
    spf_walk_begin(&walk, &name);
    for (asked = 0; (lookup = spf_walk_lookup(&walk)) != NULL; asked++) {
        assert_true(asked < 3 * SPF_WALK_MAX);
        if (zone_reply(zone, &lookup->name, lookup->type, &reply))
            spf_walk_on_reply(&walk, &reply);
        else
            spf_walk_on_failure(&walk, OUTCOME_UNREACHABLE, "192.0.2.53");
    }
}

static void assert_dependency(unsigned i, const char *name, enum spf_kind by, uint16_t type, unsigned parent)
{
    assert_true(i < walk.count);
    assert_name(&walk.dependencies[i].name, name);
    assert_int_equal(walk.dependencies[i].by, by);
    assert_int_equal(walk.dependencies[i].type, type);
    assert_int_equal(walk.dependencies[i].parent, parent);
}

static const struct spf_problem *only_problem(enum spf_trouble trouble, const char *domain)
{
    assert_int_equal(walk.problem_count, 1);
    assert_int_equal(walk.problems[0].trouble, trouble);
    assert_name(&walk.problems[0].domain, domain);
    return &walk.problems[0];
}

static void every_name_is_listed_with_who_names_it(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT,
         "v=spf1 ip4:192.0.2.1 a mx:b.example include:y.example ptr exists:e.example redirect=z.example"},
        {"a.example", TYPE_A, "192.0.2.1"},
        {"b.example", TYPE_MX, "mx1.b.example"},
        {"b.example", TYPE_MX, "mx2.example.net"},
        {"mx1.b.example", TYPE_A, "192.0.2.1"},
        {"mx2.example.net", TYPE_AAAA, "2001:db8::1"},
        {"y.example", TYPE_TXT, "v=spf1 include:w.example -all a:never.example"},
        {"w.example", TYPE_TXT, "v=spf1 +all"},
        {"e.example", TYPE_A, "127.0.0.2"},
        {"z.example", TYPE_TXT, "v=spf1 ~all"},
        {NULL, 0, NULL},
    };
    walk_from(zone, "a.example");
    assert_int_equal(walk.problem_count, 0);
    assert_false(walk.is_cut);
    assert_int_equal(walk.count, 9);
    assert_dependency(0, "a.example", SPF_NO_TERM, TYPE_TXT, 0);
    assert_dependency(1, "a.example", SPF_A, TYPE_A, 0);
    assert_dependency(2, "b.example", SPF_MX, TYPE_MX, 0);
    assert_dependency(3, "y.example", SPF_INCLUDE, TYPE_TXT, 0);
    assert_dependency(4, "e.example", SPF_EXISTS, TYPE_A, 0);
    assert_dependency(5, "z.example", SPF_REDIRECT, TYPE_TXT, 0);
    assert_dependency(6, "mx1.b.example", SPF_MX, TYPE_A, 0);
    assert_dependency(7, "mx2.example.net", SPF_MX, TYPE_AAAA, 0);
    assert_dependency(8, "w.example", SPF_INCLUDE, TYPE_TXT, 3);
    assert_int_equal(walk.dependencies[0].lookups, 7);
    assert_int_equal(walk.dependencies[3].lookups, 2);
    assert_int_equal(walk.dependencies[8].lookups, 1);
    assert_int_equal(walk.dependencies[5].lookups, 1);
    assert_true(walk.dependencies[8].passes_all);
    assert_false(walk.dependencies[3].passes_all);
    assert_int_equal(spf_walk_voids(&walk), 0);
}

/* An evaluation would end at ten; who is to mend it wants to know how many there are. */
static void lookups_are_counted_beyond_the_limit(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 a a a include:y.example include:y.example a -all"},
        {"a.example", TYPE_A, "192.0.2.1"},
        {"y.example", TYPE_TXT, "v=spf1 a:a.example a:a.example a:a.example a:a.example ~all"},
        {NULL, 0, NULL},
    };
    walk_from(zone, "a.example");
    assert_int_equal(walk.dependencies[0].lookups, 14);
    assert_dependency(4, "y.example", SPF_INCLUDE, TYPE_TXT, 0);
    assert_int_equal(walk.dependencies[4].lookups, 5);
    assert_int_equal(walk.dependencies[5].lookups, 5);
    assert_int_equal(walk.problem_count, 0);
}

static void it_goes_on_behind_what_fails(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT,
         "v=spf1 include:y.example ipv4:192.0.2.1 include:gone.example include:z.example a:a.example mx:z.example "
         "-all"},
        {"a.example", TYPE_A, FAILS},
        {"y.example", TYPE_TXT, FAILS},
        {"z.example", TYPE_TXT, "v=spf1 a:ok.example"},
        {"z.example", TYPE_TXT, "v=spf1"},
        {"z.example", TYPE_MX, FAILS},
        {NULL, 0, NULL},
    };
    walk_from(zone, "a.example");
    static const struct {
        enum spf_trouble trouble;
        const char      *name;
    } problems[] = {{SPF_SYNTAX, ""},           {SPF_UNRESOLVED, "y.example"}, {SPF_NO_RECORD, "gone.example"},
                    {SPF_SEVERAL, "z.example"}, {SPF_UNRESOLVED, "a.example"}, {SPF_UNRESOLVED, "z.example"}};
    assert_int_equal(walk.problem_count, ARRAY_LEN(problems));
    for (unsigned i = 0; i < ARRAY_LEN(problems); i++) {
        assert_int_equal(walk.problems[i].trouble, problems[i].trouble);
        assert_name(&walk.problems[i].domain, "a.example");
        assert_name(&walk.problems[i].name, problems[i].name);
    }
    assert_string_equal(walk.problems[0].term, "ipv4:192.0.2.1");
    assert_int_equal(walk.problems[0].at, 25);
    assert_string_equal(walk.problems[1].who, "192.0.2.53");
    assert_int_equal(walk.dependencies[1].outcome, OUTCOME_UNREACHABLE);
    assert_string_equal(walk.dependencies[1].who, "192.0.2.53");
}

static void a_domain_without_a_record_is_told(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {{NULL, 0, NULL}};
    walk_from(zone, "a.example");
    assert_int_equal(only_problem(SPF_NO_RECORD, "a.example")->outcome, OUTCOME_NXDOMAIN);
    assert_int_equal(asked, 1);
}

static void voids_are_counted(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 a a:gone.example mx exists:six.example a:six.example mx:null.example -all"},
        {"six.example", TYPE_AAAA, "2001:db8::1"},
        {"null.example", TYPE_MX, ""},
        {NULL, 0, NULL},
    };
    walk_from(zone, "a.example");
    assert_int_equal(walk.count, 7);
    assert_int_equal(walk.dependencies[1].outcome, OUTCOME_NODATA);
    assert_int_equal(walk.dependencies[2].outcome, OUTCOME_NXDOMAIN);
    assert_int_equal(walk.dependencies[4].outcome, OUTCOME_NODATA);
    assert_int_equal(walk.dependencies[5].outcome, OUTCOME_ANSWER);
    assert_int_equal(walk.dependencies[6].outcome, OUTCOME_ANSWER);
    assert_int_equal(spf_walk_voids(&walk), 4);
}

static void of_names_with_macros_the_fixed_part_is_listed(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT,
         "v=spf1 include:%{ir}.spf.y.example exists:%{i}._spf.%{d2} exists:x%{l} a:%{o}.net redirect=r.%{d}"},
        {"a.example.net", TYPE_A, "192.0.2.1"},
        {"r.a.example", TYPE_TXT, "v=spf1 a:%{d} exists:%{d}.%{o} -all"},
        {"r.a.example", TYPE_A, "192.0.2.1"},
        {"r.a.example.a.example", TYPE_A, "192.0.2.1"},
        {NULL, 0, NULL},
    };
    walk_from(zone, "a.example");
    assert_int_equal(walk.problem_count, 0);
    assert_int_equal(walk.count, 7);
    assert_dependency(1, "spf.y.example", SPF_INCLUDE, TYPE_TXT, 0);
    assert_false(walk.dependencies[1].whole);
    assert_dependency(2, "_spf.a.example", SPF_EXISTS, TYPE_A, 0);
    assert_false(walk.dependencies[2].whole);
    assert_dependency(3, "a.example.net", SPF_A, TYPE_A, 0);
    assert_dependency(4, "r.a.example", SPF_REDIRECT, TYPE_TXT, 0);
    assert_dependency(5, "r.a.example", SPF_A, TYPE_A, 4);
    assert_dependency(6, "r.a.example.a.example", SPF_EXISTS, TYPE_A, 4);
    assert_int_equal(asked, 5);
    assert_int_equal(walk.dependencies[0].lookups, 7);
}

static void loops_end(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 include:b.example -all"},
        {"b.example", TYPE_TXT, "v=spf1 redirect=A.example"},
        {NULL, 0, NULL},
    };
    walk_from(zone, "a.example");
    const struct spf_problem *problem = only_problem(SPF_LOOP, "b.example");
    assert_string_equal(problem->term, "redirect=A.example");
    assert_name(&problem->name, "A.example");
    assert_int_equal(walk.count, 2);
    assert_int_equal(walk.dependencies[0].lookups, 2);
}

static void names_that_are_none_are_told(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {{"a.example", TYPE_TXT, "v=spf1 a:b..example -all"}, {NULL, 0, NULL}};
    walk_from(zone, "a.example");
    assert_string_equal(only_problem(SPF_NO_DOMAIN, "a.example")->term, "a:b..example");
}

static void an_mx_with_eleven_is_told(void **state)
{
    (void) state;
    struct spf_entry zone[14] = {{"a.example", TYPE_TXT, "v=spf1 mx -all"}, {"h.example", TYPE_A, "192.0.2.1"}};
    for (unsigned i = 2; i < 13; i++)
        zone[i] = (struct spf_entry){"a.example", TYPE_MX, "h.example"};
    walk_from(zone, "a.example");
    only_problem(SPF_HOSTS, "a.example");
    assert_int_equal(walk.count, 2 + SPF_HOSTS_MAX);
}

/* Each includes the next three. */
static void what_is_too_much_is_left_out(void **state)
{
    (void) state;
    static char             names[60][16], texts[60][80];
    static struct spf_entry zone[61];
    for (unsigned i = 0; i < 60; i++) {
        snprintf(names[i], sizeof(names[i]), "n%u.example", i);
        snprintf(texts[i], sizeof(texts[i]), "v=spf1 ip4:x include:n%u.example include:n%u.example include:n%u.example",
                 i + 1, i + 2, i + 3);
        zone[i] = (struct spf_entry){names[i], TYPE_TXT, texts[i]};
    }
    walk_from(zone, "n0.example");
    assert_true(walk.is_cut);
    assert_int_equal(walk.count, SPF_WALK_MAX);
    assert_int_equal(walk.problem_count, SPF_PROBLEMS_MAX);
    assert_int_equal(asked, SPF_WALK_MAX);
}

static void what_comes_after_the_end_changes_nothing(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {{"a.example", TYPE_TXT, "v=spf1 -all"}, {NULL, 0, NULL}};
    walk_from(zone, "a.example");
    spf_walk_on_failure(&walk, OUTCOME_TIMEOUT, NULL);
    assert_int_equal(walk.problem_count, 0);
    assert_null(spf_walk_lookup(&walk));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_listed_with_who_names_it),
        cmocka_unit_test(lookups_are_counted_beyond_the_limit),
        cmocka_unit_test(it_goes_on_behind_what_fails),
        cmocka_unit_test(a_domain_without_a_record_is_told),
        cmocka_unit_test(voids_are_counted),
        cmocka_unit_test(of_names_with_macros_the_fixed_part_is_listed),
        cmocka_unit_test(loops_end),
        cmocka_unit_test(names_that_are_none_are_told),
        cmocka_unit_test(an_mx_with_eleven_is_told),
        cmocka_unit_test(what_is_too_much_is_left_out),
        cmocka_unit_test(what_comes_after_the_end_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
