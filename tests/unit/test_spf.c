/*
 * test_spf.c: what an evaluation tells beside its result, which the public suite (tests/mail) looks at: why, where, by
 * which path, after how many lookups.
 */
#include "mail/spf.h"

#include "spf_zone.h"

#include <stdio.h>
#include <stdlib.h>

static struct spf spf;
static unsigned   asked; /* lookups of the last evaluation */

static struct spf_request request_from(const char *client, const char *sender)
{
    struct spf_request request = {.helo = "mx.sender.example", .sender = sender};
    assert_true(address_parse(client, 0, &request.client));
    return request;
}

static void look_up(const struct spf_entry *zone)
{
    const struct spf_lookup *lookup;
    struct message           reply;
    for (asked = 0; (lookup = spf_lookup(&spf)) != NULL; asked++) {
        assert_true(asked < 200);
        if (zone_reply(zone, &lookup->name, lookup->type, &reply))
            spf_on_reply(&spf, &reply);
        else
            spf_on_failure(&spf, OUTCOME_TIMEOUT, "192.0.2.53");
    }
}

static void check(const struct spf_entry *zone, const char *client, const char *sender, enum spf_result result)
{
    struct spf_request request = request_from(client, sender);
    assert_true(spf_begin(&spf, &request));
    look_up(zone);
    assert_string_equal(spf_result_word(spf.result), spf_result_word(result));
}

static void assert_problem(enum spf_trouble trouble, const char *domain, const char *term, size_t at)
{
    assert_int_equal(spf.problem.trouble, trouble);
    assert_name(&spf.problem.domain, domain);
    assert_string_equal(spf.problem.term, term);
    assert_int_equal(spf.problem.at, at);
    assert_string_equal(spf.match.term, "");
}

static void assert_match(const char *domain, const char *term, const char *inner_domain, const char *inner)
{
    assert_int_equal(spf.problem.trouble, SPF_FINE);
    assert_name(&spf.match.domain, domain);
    assert_string_equal(spf.match.term, term);
    assert_name(&spf.inner.domain, inner_domain);
    assert_string_equal(spf.inner.term, inner);
}

static void a_match_tells_the_term_and_whose(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 a:none.example -include:b.example ?all"},
        {"none.example", TYPE_A, NULL},
        {"b.example", TYPE_TXT, "v=spf1 include:c.example ~all"},
        {"c.example", TYPE_TXT, "v=spf1 ip4:192.0.2.0/24 -all"},
        {"r.example", TYPE_TXT, "v=spf1 redirect=c.example"},
        {NULL, 0, NULL},
    };
    check(zone, "192.0.2.7", "who@a.example", SPF_FAIL);
    assert_match("a.example", "-include:b.example", "c.example", "ip4:192.0.2.0/24");
    check(zone, "198.51.100.7", "who@a.example", SPF_NEUTRAL);
    assert_match("a.example", "?all", "", "");
    check(zone, "192.0.2.7", "who@r.example", SPF_PASS);
    assert_match("c.example", "ip4:192.0.2.0/24", "", "");
    check(zone, "198.51.100.7", "who@r.example", SPF_FAIL);
    assert_match("c.example", "-all", "", "");
}

static void without_a_match_nothing_is_told(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 include:b.example"},
        {"b.example", TYPE_TXT, "v=spf1 ?all"},
        {NULL, 0, NULL},
    };
    check(zone, "192.0.2.7", "who@a.example", SPF_NEUTRAL);
    assert_match("", "", "", "");
}

static void lookups_are_told_by_path(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 a include:y.example mx include:z.example -all"},
        {"a.example", TYPE_A, "198.51.100.1"},
        {"a.example", TYPE_MX, "a.example"},
        {"y.example", TYPE_TXT, "v=spf1 a:a.example a:a.example include:w.example ~all"},
        {"w.example", TYPE_TXT, "v=spf1 exists:a.example.net ~all"},
        {"a.example.net", TYPE_A, NULL},
        {"z.example", TYPE_TXT, "v=spf1 a:a.example a:a.example a:a.example -all"},
        {NULL, 0, NULL},
    };
    check(zone, "192.0.2.7", "who@a.example", SPF_PERMERROR);
    assert_problem(SPF_TERMS, "z.example", "a:a.example", 31);
    assert_int_equal(spf.lookups, 11);
    assert_int_equal(spf.visit_count, 4);
    static const struct {
        const char *domain;
        unsigned    lookups, parent;
    } path[] = {{"a.example", 11, 0}, {"y.example", 5, 0}, {"w.example", 2, 1}, {"z.example", 4, 0}};
    for (unsigned i = 0; i < 4; i++) {
        assert_name(&spf.visits[i].domain, path[i].domain);
        assert_int_equal(spf.visits[i].lookups, path[i].lookups);
        assert_int_equal(spf.visits[i].parent, path[i].parent);
        assert_int_equal(spf.visits[i].by, i == 0 ? SPF_NO_TERM : SPF_INCLUDE);
    }
    assert_int_equal(spf.void_count, 1);
    assert_name(&spf.voids[0].name, "a.example.net");
}

static void void_lookups_are_named(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 a:one.example mx:two.example exists:three.example -all"},
        {"two.example", TYPE_MX, "host.example"},
        {NULL, 0, NULL},
    };
    check(zone, "192.0.2.7", "who@a.example", SPF_PERMERROR);
    assert_problem(SPF_VOIDS, "a.example", "exists:three.example", 36);
    assert_int_equal(spf.void_count, 3);
    assert_name(&spf.voids[0].name, "one.example");
    assert_name(&spf.voids[1].name, "host.example");
    assert_int_equal(spf.voids[1].type, TYPE_A);
    assert_name(&spf.problem.name, "three.example");
    assert_int_equal(spf.problem.outcome, OUTCOME_NXDOMAIN);
}

/* Whose names they are is the client's doing, but that it has none is the term's. */
static void of_ptr_one_lookup_is_void(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 a:one.example a:two.example ptr -all"},
        {"b.example", TYPE_TXT, "v=spf1 ptr -all"},
        {"1.2.0.192.in-addr.arpa", TYPE_PTR, "x.example"},
        {"1.2.0.192.in-addr.arpa", TYPE_PTR, "y.example"},
        {"1.2.0.192.in-addr.arpa", TYPE_PTR, "z.example"},
        {NULL, 0, NULL},
    };
    check(zone, "192.0.2.7", "who@a.example", SPF_PERMERROR);
    assert_problem(SPF_VOIDS, "a.example", "ptr", 35);
    assert_name(&spf.problem.name, "7.2.0.192.in-addr.arpa");
    check(zone, "192.0.2.1", "who@b.example", SPF_FAIL);
    assert_int_equal(spf.void_count, 0);
}

static void syntax_errors_have_a_place(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 include:b.example -all"},
        {"b.example", TYPE_TXT, "v=spf1 ip4:192.0.2.7  ipv4:192.0.2.8 -all"},
        {NULL, 0, NULL},
    };
    check(zone, "192.0.2.7", "who@a.example", SPF_PERMERROR);
    assert_problem(SPF_SYNTAX, "b.example", "ipv4:192.0.2.8", 22);
    assert_non_null(spf.problem.why);
    check(zone, "192.0.2.7", "who@b.example", SPF_PERMERROR);
    assert_problem(SPF_SYNTAX, "b.example", "ipv4:192.0.2.8", 22);
}

static void long_terms_are_cut(void **state)
{
    (void) state;
    static char            record[400] = "v=spf1 ";
    const struct spf_entry zone[]      = {{"a.example", TYPE_TXT, record}, {NULL, 0, NULL}};
    memset(record + 7, 'x', 300);
    check(zone, "192.0.2.7", "who@a.example", SPF_PERMERROR);
    assert_int_equal(strlen(spf.problem.term), SPF_TERM_TEXT_MAX - 1);
    assert_int_equal(spf.problem.at, 7);
}

static void what_cannot_be_resolved_is_told_with_who_failed(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 include:y.example -all"},
        {"y.example", TYPE_TXT, FAILS},
        {"m.example", TYPE_TXT, "v=spf1 ip4:192.0.2.9 mx -all"},
        {"m.example", TYPE_MX, "host.example"},
        {"host.example", TYPE_A, FAILS},
        {NULL, 0, NULL},
    };
    check(zone, "192.0.2.7", "who@a.example", SPF_TEMPERROR);
    assert_problem(SPF_UNRESOLVED, "a.example", "include:y.example", 7);
    assert_name(&spf.problem.name, "y.example");
    assert_int_equal(spf.problem.type, TYPE_TXT);
    assert_int_equal(spf.problem.outcome, OUTCOME_TIMEOUT);
    assert_string_equal(spf.problem.who, "192.0.2.53");
    check(zone, "192.0.2.7", "who@m.example", SPF_TEMPERROR);
    assert_problem(SPF_UNRESOLVED, "m.example", "mx", 21);
    assert_name(&spf.problem.name, "host.example");
    assert_int_equal(spf.problem.type, TYPE_A);
    check(zone, "192.0.2.9", "who@m.example", SPF_PASS);
    check(zone, "192.0.2.7", "who@y.example", SPF_TEMPERROR);
    assert_problem(SPF_UNRESOLVED, "y.example", "", 0);
    assert_name(&spf.problem.name, "y.example");
}

static void missing_and_several_records_are_told(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 ip4:192.0.2.1 include:none.example -all"},
        {"b.example", TYPE_TXT, "v=spf1 redirect=two.example"},
        {"none.example", TYPE_TXT, "google-site-verification=1"},
        {"two.example", TYPE_TXT, "v=spf1 -all"},
        {"two.example", TYPE_TXT, "v=spf1 ~all"},
        {"e.example", TYPE_TXT, "v=spf1 include:%{l}.example -all"},
        {NULL, 0, NULL},
    };
    check(zone, "192.0.2.7", "who@a.example", SPF_PERMERROR);
    assert_problem(SPF_NO_RECORD, "a.example", "include:none.example", 21);
    assert_name(&spf.problem.name, "none.example");
    assert_int_equal(spf.problem.outcome, OUTCOME_ANSWER);
    check(zone, "192.0.2.7", "who@b.example", SPF_PERMERROR);
    assert_problem(SPF_SEVERAL, "b.example", "redirect=two.example", 7);
    check(zone, "192.0.2.7", "who@none.example", SPF_NONE);
    assert_problem(SPF_NO_RECORD, "none.example", "", 0);
    check(zone, "192.0.2.7", "who@gone.example", SPF_NONE);
    assert_int_equal(spf.problem.outcome, OUTCOME_NXDOMAIN);
    check(zone, "192.0.2.7", "x..y@e.example", SPF_PERMERROR);
    assert_problem(SPF_NO_DOMAIN, "e.example", "include:%{l}.example", 7);
}

static void loops_are_seen_at_once(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 include:b.example -all"},
        {"b.example", TYPE_TXT, "v=spf1 ip4:192.0.2.1 redirect=c.example"},
        {"c.example", TYPE_TXT, "v=spf1 include:B.example -all"},
        {"self.example", TYPE_TXT, "v=spf1 redirect=%{d}"},
        {NULL, 0, NULL},
    };
    check(zone, "192.0.2.7", "who@a.example", SPF_PERMERROR);
    assert_problem(SPF_LOOP, "c.example", "include:B.example", 7);
    assert_int_equal(asked, 3);
    check(zone, "192.0.2.1", "who@a.example", SPF_PASS);
    check(zone, "192.0.2.7", "who@self.example", SPF_PERMERROR);
    assert_problem(SPF_LOOP, "self.example", "redirect=%{d}", 7);
    assert_name(&spf.problem.name, "self.example");
}

/* The same record twice, one after the other, is none. */
static void twice_is_no_loop(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 include:b.example include:b.example include:c.example -all"},
        {"b.example", TYPE_TXT, "v=spf1 ip4:192.0.2.1"},
        {"c.example", TYPE_TXT, "v=spf1 include:b.example ip4:192.0.2.2"},
        {NULL, 0, NULL},
    };
    check(zone, "192.0.2.2", "who@a.example", SPF_PASS);
    assert_int_equal(spf.lookups, 4);
    assert_int_equal(spf.visit_count, 5);
}

static void ten_includes_deep_is_the_most(void **state)
{
    (void) state;
    static char             names[12][16], texts[12][40];
    static struct spf_entry zone[13];
    for (unsigned i = 0; i < 12; i++) {
        snprintf(names[i], sizeof(names[i]), "n%u.example", i);
        snprintf(texts[i], sizeof(texts[i]), i == 10 ? "v=spf1 ip4:192.0.2.7" : "v=spf1 include:n%u.example", i + 1);
        zone[i] = (struct spf_entry){names[i], TYPE_TXT, texts[i]};
    }
    check(zone, "192.0.2.7", "who@n0.example", SPF_PASS);
    assert_int_equal(spf.visit_count, SPF_VISITS_MAX);
    assert_int_equal(spf.lookups, SPF_TERMS_MAX);
    assert_match("n0.example", "include:n1.example", "n10.example", "ip4:192.0.2.7");
    strcpy(texts[10], "v=spf1 include:n11.example");
    check(zone, "192.0.2.7", "who@n0.example", SPF_PERMERROR);
    assert_problem(SPF_TERMS, "n10.example", "include:n11.example", 7);
    assert_int_equal(asked, 11);
}

static void ten_exchangers_are_the_most(void **state)
{
    (void) state;
    static struct spf_entry zone[13] = {{"a.example", TYPE_TXT, "v=spf1 mx ~all"},
                                        {"host.example", TYPE_A, "192.0.2.1"}};
    for (unsigned i = 0; i < 10; i++)
        zone[2 + i] = (struct spf_entry){"a.example", TYPE_MX, "host.example"};
    check(zone, "192.0.2.7", "who@a.example", SPF_SOFTFAIL);
    assert_int_equal(asked, 12);
    static struct spf_entry more[14];
    memcpy(more, zone, sizeof(zone));
    more[12] = zone[11];
    check(more, "192.0.2.1", "who@a.example", SPF_PERMERROR);
    assert_problem(SPF_HOSTS, "a.example", "mx", 7);
}

/* What does not fit is an error, and never half a record. */
static void records_have_a_bound(void **state)
{
    (void) state;
    char                  *text   = malloc(SPF_RECORDS_SIZE + 2);
    const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, text}, {"b.example", TYPE_TXT, "v=spf1 include:a.example"}, {NULL, 0, NULL}};
    assert_non_null(text);
    memset(text, ' ', SPF_RECORDS_SIZE + 1);
    memcpy(text, "v=spf1", 6);
    memcpy(text + SPF_RECORDS_SIZE - 4, "+all", 4);
    text[SPF_RECORDS_SIZE] = '\0';
    check(zone, "192.0.2.7", "who@a.example", SPF_PASS);
    check(zone, "192.0.2.7", "who@b.example", SPF_PERMERROR);
    assert_problem(SPF_LONG, "b.example", "include:a.example", 7);
    text[SPF_RECORDS_SIZE]     = ' ';
    text[SPF_RECORDS_SIZE + 1] = '\0';
    check(zone, "192.0.2.7", "who@a.example", SPF_PERMERROR);
    assert_int_equal(spf.problem.trouble, SPF_LONG);
    free(text);
}

static void explanations_come_with_fail_alone(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 ip4:192.0.2.1 ~ip4:192.0.2.2 -all exp=why.%{d}"},
        {"why.a.example", TYPE_TXT, "%{i} (%{p}) of %{h} is no server of %{o}, says %{r} at %{t}: %{S}"},
        {"7.2.0.192.in-addr.arpa", TYPE_PTR, "no.example"},
        {"7.2.0.192.in-addr.arpa", TYPE_PTR, "seven.example"},
        {"seven.example", TYPE_A, "192.0.2.7"},
        {NULL, 0, NULL},
    };
    check(zone, "192.0.2.1", "who@a.example", SPF_PASS);
    assert_string_equal(spf.explanation, "");
    assert_int_equal(asked, 1);
    check(zone, "192.0.2.2", "who@a.example", SPF_SOFTFAIL);
    assert_string_equal(spf.explanation, "");
    struct spf_request request = request_from("192.0.2.7", "who am i@a.example");
    request.receiver           = "mx.example.net";
    request.now                = 1234567890;
    assert_true(spf_begin(&spf, &request));
    look_up(zone);
    assert_string_equal(spf.explanation,
                        "192.0.2.7 (seven.example) of mx.sender.example is no server of a.example, says "
                        "mx.example.net at 1234567890: who%20am%20i%40a.example");
    assert_int_equal(asked, 5);
    assert_match("a.example", "-all", "", "");
}

static void an_explanation_nowhere_is_none(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 -all exp=%{l}.example"}, {"why.example", TYPE_TXT, "why"}, {NULL, 0, NULL}};
    check(zone, "192.0.2.1", "why@a.example", SPF_FAIL);
    assert_string_equal(spf.explanation, "why");
    check(zone, "192.0.2.1", "w..y@a.example", SPF_FAIL);
    assert_string_equal(spf.explanation, "");
    assert_int_equal(asked, 1);
}

/* Whatever is longer than a line of SMTP is cut. */
static void explanations_have_a_bound(void **state)
{
    (void) state;
    static char            text[601];
    const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 -all exp=why.example"}, {"why.example", TYPE_TXT, text}, {NULL, 0, NULL}};
    memset(text, 'x', 600);
    check(zone, "192.0.2.1", "who@a.example", SPF_FAIL);
    assert_int_equal(strlen(spf.explanation), SPF_EXPLANATION_MAX - 1);
}

static void the_clients_names_are_looked_up_once(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 exists:%{p}.no.example ptr:other.example exists:%{p}.ok.example -all"},
        {"7.2.0.192.in-addr.arpa", TYPE_PTR, "far.example.net"},
        {"7.2.0.192.in-addr.arpa", TYPE_PTR, "sub.a.example"},
        {"far.example.net", TYPE_A, "192.0.2.7"},
        {"sub.a.example", TYPE_A, "192.0.2.7"},
        {"sub.a.example.ok.example", TYPE_A, "127.0.0.2"},
        {NULL, 0, NULL},
    };
    check(zone, "192.0.2.7", "who@a.example", SPF_PASS);
    assert_int_equal(asked, 1 + 3 + 2);
    assert_int_equal(spf.lookups, 3);
    assert_match("a.example", "exists:%{p}.ok.example", "", "");
}

static void failing_names_of_the_client_are_left_out(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 ptr ?all"},
        {"7.2.0.192.in-addr.arpa", TYPE_PTR, "x.a.example"},
        {"7.2.0.192.in-addr.arpa", TYPE_PTR, "y.a.example"},
        {"x.a.example", TYPE_A, FAILS},
        {"y.a.example", TYPE_A, "192.0.2.7"},
        {"8.2.0.192.in-addr.arpa", TYPE_PTR, FAILS},
        {NULL, 0, NULL},
    };
    check(zone, "192.0.2.7", "who@a.example", SPF_PASS);
    check(zone, "192.0.2.8", "who@a.example", SPF_NEUTRAL);
    assert_match("a.example", "?all", "", "");
}

static void helo_stands_for_an_empty_sender(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"mx.sender.example", TYPE_TXT, "v=spf1 exists:%{l}.%{o}.ok.example -all"},
        {"postmaster.mx.sender.example.ok.example", TYPE_A, "127.0.0.2"},
        {"a.example", TYPE_TXT, "v=spf1 exists:%{s}.ok.example -all"},
        {"postmaster@a.example.ok.example", TYPE_A, "127.0.0.2"},
        {NULL, 0, NULL},
    };
    check(zone, "192.0.2.7", "", SPF_PASS);
    check(zone, "192.0.2.7", "a.example", SPF_PASS);
    check(zone, "192.0.2.7", "@a.example", SPF_PASS);
    check(zone, "192.0.2.7", "who@a.example", SPF_FAIL);
}

static void what_is_too_long_is_refused(void **state)
{
    (void) state;
    static char        text[SPF_VALUE_MAX + 1];
    struct spf_request request = request_from("192.0.2.7", "who@a.example");
    memset(text, 'x', SPF_VALUE_MAX);
    request.helo = text;
    assert_false(spf_begin(&spf, &request));
    request.helo     = "";
    request.receiver = text;
    assert_false(spf_begin(&spf, &request));
    request.receiver = NULL;
    request.sender   = text;
    assert_false(spf_begin(&spf, &request));
    text[SPF_VALUE_MAX - strlen("postmaster@")] = '\0';
    assert_false(spf_begin(&spf, &request));
    text[SPF_VALUE_MAX - strlen("postmaster@") - 1] = '\0';
    assert_true(spf_begin(&spf, &request));
    assert_null(spf_lookup(&spf));
    assert_int_equal(spf.result, SPF_NONE);
    assert_problem(SPF_NO_DOMAIN, "", "", 0);
}

static void what_comes_after_the_result_changes_nothing(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {{"a.example", TYPE_TXT, "v=spf1 -all"}, {NULL, 0, NULL}};
    struct message                reply;
    const struct name             name = named("a.example");
    check(zone, "192.0.2.7", "who@a.example", SPF_FAIL);
    assert_true(zone_reply(zone, &name, TYPE_TXT, &reply));
    spf_on_reply(&spf, &reply);
    spf_on_failure(&spf, OUTCOME_TIMEOUT, NULL);
    assert_null(spf_lookup(&spf));
    assert_int_equal(spf.result, SPF_FAIL);
}

static void a_reply_that_says_servfail_is_a_failure(void **state)
{
    (void) state;
    struct packet      packet;
    struct message     reply;
    struct spf_request request = request_from("192.0.2.7", "who@a.example");
    assert_true(spf_begin(&spf, &request));
    packet_begin(&packet, PACKET_REPLY | RCODE_SERVFAIL, "a.example", TYPE_TXT);
    assert_true(message_parse(packet_view(&packet), &reply));
    spf_on_reply(&spf, &reply);
    assert_null(spf_lookup(&spf));
    assert_int_equal(spf.result, SPF_TEMPERROR);
    assert_int_equal(spf.problem.outcome, OUTCOME_SERVFAIL);
    assert_string_equal(spf.problem.who, "");
}

static void who_failed_is_cut(void **state)
{
    (void) state;
    char               who[2 * SPF_WHO_MAX] = "";
    struct spf_request request              = request_from("192.0.2.7", "who@a.example");
    memset(who, 'w', sizeof(who) - 1);
    assert_true(spf_begin(&spf, &request));
    spf_on_failure(&spf, OUTCOME_UNREACHABLE, who);
    assert_int_equal(strlen(spf.problem.who), SPF_WHO_MAX - 1);
}

static void six_is_asked_for_six(void **state)
{
    (void) state;
    static const struct spf_entry zone[] = {
        {"a.example", TYPE_TXT, "v=spf1 a/24//64 -all"},
        {"a.example", TYPE_AAAA, "2001:db8::1"},
        {"a.example", TYPE_A, "192.0.2.1"},
        {NULL, 0, NULL},
    };
    check(zone, "2001:db8::ffff", "who@a.example", SPF_PASS);
    check(zone, "2001:db8:0:1::1", "who@a.example", SPF_FAIL);
    check(zone, "::ffff:192.0.2.99", "who@a.example", SPF_PASS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_match_tells_the_term_and_whose),
        cmocka_unit_test(without_a_match_nothing_is_told),
        cmocka_unit_test(lookups_are_told_by_path),
        cmocka_unit_test(void_lookups_are_named),
        cmocka_unit_test(of_ptr_one_lookup_is_void),
        cmocka_unit_test(syntax_errors_have_a_place),
        cmocka_unit_test(long_terms_are_cut),
        cmocka_unit_test(what_cannot_be_resolved_is_told_with_who_failed),
        cmocka_unit_test(missing_and_several_records_are_told),
        cmocka_unit_test(loops_are_seen_at_once),
        cmocka_unit_test(twice_is_no_loop),
        cmocka_unit_test(ten_includes_deep_is_the_most),
        cmocka_unit_test(ten_exchangers_are_the_most),
        cmocka_unit_test(records_have_a_bound),
        cmocka_unit_test(explanations_come_with_fail_alone),
        cmocka_unit_test(an_explanation_nowhere_is_none),
        cmocka_unit_test(explanations_have_a_bound),
        cmocka_unit_test(the_clients_names_are_looked_up_once),
        cmocka_unit_test(failing_names_of_the_client_are_left_out),
        cmocka_unit_test(helo_stands_for_an_empty_sender),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(what_comes_after_the_result_changes_nothing),
        cmocka_unit_test(a_reply_that_says_servfail_is_a_failure),
        cmocka_unit_test(who_failed_is_cut),
        cmocka_unit_test(six_is_asked_for_six),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
