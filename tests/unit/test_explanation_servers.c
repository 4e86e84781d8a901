/*
 * test_explanation_servers.c: what an explanation makes of a zone's own servers and of its delegation. Integration tests
 * have no such servers.
 */
#include "explain/servers.h"
#include "explained.h"
#include "lib/check.h"

/* ---- its own servers ---- */

static void a_good_domain(void **state)
{
    const struct explanation *explanation = explain(*state, NULL);
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_found(explanation, FINDING_DELEGATION, GRADE_OK, "all 2 addresses");
    assert_found(explanation, FINDING_MX, GRADE_OK, "1 host");
    assert_int_equal(explanation->reply_count, 0);
    assert_false(explanation->inquest->is_bounded);
}

static void silent_servers_that_both_sides_reach(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, SERVERS_SILENT);
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_found(explanation, FINDING_SERVERS_UNREACHABLE, GRADE_NOTE, "none of the 2 name servers");
}

static void silent_servers_of_a_blocked_domain(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, SERVERS_SILENT, "d *x.example * !silent");
    assert_concluded(explanation, EXPLAINED_BLOCKED, FINDING_BLOCKED);
    assert_found(explanation, FINDING_SERVERS_UNREACHABLE, GRADE_PROBLEM, "external reaches it");
    assert_false(explanation->inquest->is_bounded);
    assert_true(explanation->inquest->now - explanation->inquest->began < INQUEST_TRIES * INQUEST_ASK + 1000);
}

static void some_silent_servers(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "203.0.113.2 * * !silent");
    assert_found(explanation, FINDING_SERVERS_UNREACHABLE, GRADE_PROBLEM, "1 of the 2 addresses");
    assert_int_equal(explanation->reply_count, 0);
    assert_not_found(explanation, FINDING_DELEGATION);
    assert_int_equal(explanation->servers[0].answered, 1);
}

static void silence_where_no_dns_leaves(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, SERVERS_SILENT, NOTHING_DIRECT);
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_found(explanation, FINDING_DIRECT_UNKNOWN, GRADE_NOTE, "so is every other");
    assert_not_found(explanation, FINDING_SERVERS_UNREACHABLE);
}

static void servers_that_do_not_serve_it(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "203.0.113.2 * * !serves other.example");
    assert_found(explanation, FINDING_LAME, GRADE_PROBLEM, "some of its name servers");
    assert_non_null(strstr(find(explanation, FINDING_LAME)->text, "ns2.x.example. (203.0.113.2)"));
    assert_int_equal(explanation->servers[0].lame, 1);
    assert_int_equal(explanation->reply_count, 0);
}

static void servers_none_of_which_serves_it(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, "203.0.113.1 * * !rcode 5", "203.0.113.2 * * !rcode 5", "de *x.example MX !servfail",
                "de *x.example SOA !servfail", "de x.example TXT !servfail");
    assert_concluded(explanation, EXPLAINED_BROKEN, FINDING_LAME);
    assert_found(explanation, FINDING_LAME, GRADE_CAUSE, "all of its name servers");
    assert_string_equal(explanation->replies[0].code, "450 4.1.8");
}

/* They refuse this machine; who looks it up for mail servers gets it. */
static void servers_that_refuse_this_machine(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "203.0.113.1 * * !rcode 5", "203.0.113.2 * * !rcode 5");
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_found(explanation, FINDING_LAME, GRADE_NOTE, "all of its name servers");
}

/* A resolver of the network answers whatever goes to port 53. */
static void somebody_answers_in_the_place_of_all(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, "203.0.113.1 * * !serves . noaa", "203.0.113.2 * * !serves . noaa",
                "198.51.100.10 * * !serves . noaa", "198.51.100.11 * * !serves . noaa");
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_found(explanation, FINDING_DIRECT_UNKNOWN, GRADE_NOTE, "in place of name servers");
    assert_not_found(explanation, FINDING_LAME);
}

static void a_server_without_tcp(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "203.0.113.1/tcp * * !refused");
    assert_found(explanation, FINDING_TCP_REFUSED, GRADE_PROBLEM, "ns1.x.example. (203.0.113.1)");
    assert_int_equal(explanation->servers[0].list[0].tcp->outcome, OUTCOME_UNREACHABLE);
    assert_not_found(explanation, FINDING_DELEGATION);
}

/* The network lets none out, so it says nothing of that server. */
static void tcp_that_does_not_leave(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, "203.0.113.1/tcp * * !silent", "203.0.113.2/tcp * * !silent", "198.51.100.10/tcp * * !silent",
                "198.51.100.11/tcp * * !refused");
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_found(explanation, FINDING_DIRECT_UNKNOWN, GRADE_NOTE, "over UDP alone");
    assert_not_found(explanation, FINDING_TCP_REFUSED);
}

static void a_server_without_edns(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "203.0.113.2 * * !serves x.example noedns");
    assert_found(explanation, FINDING_EDNS_REFUSED, GRADE_NOTE, "ns2.x.example. (203.0.113.2)");
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
}

static void servers_with_different_versions(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, "203.0.113.2 x.example SOA ns1.x.example. h.example. 8 2 3 4 5");
    assert_found(explanation, FINDING_SERIAL_DIFFERS, GRADE_NOTE, "serials");
    assert_int_equal(servers_serial(explanation->servers[0].list[0].udp), 7);
    assert_not_found(explanation, FINDING_SERVERS_DIFFER);
}

static void servers_with_different_mail_hosts(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "203.0.113.2 x.example MX 10 other.x.example.",
                                                    "203.0.113.2 x.example SOA ns1.x.example. h.example. 7 2 3 4 5");
    assert_found(explanation, FINDING_SERVERS_DIFFER, GRADE_PROBLEM, "different MX records");
    assert_not_found(explanation, FINDING_SERIAL_DIFFERS);
}

/* "mail" and a pointer to x.example: another server's compression is no other record. */
static void servers_that_write_the_same_differently(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "203.0.113.2 x.example MX !raw 000a044d41494cc00c",
                                                    "203.0.113.2 x.example TXT \"v=spf1 mx -all\"",
                                                    "203.0.113.2 x.example SOA ns1.x.example. h.example. 7 2 3 4 5");
    assert_int_equal(explanation->servers[0].list[1].mx->outcome, OUTCOME_ANSWER);
    assert_not_found(explanation, FINDING_SERVERS_DIFFER);
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
}

static void servers_by_ipv6_without_a_route(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, "de ns1.x.example AAAA 2001:db8::1", "2001:db8::1 * * !noroute");
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_int_equal(explanation->servers[0].count, 3);
    assert_int_equal(explanation->servers[0].silent, 0);
    assert_not_found(explanation, FINDING_SERVERS_UNREACHABLE);
    assert_found(explanation, FINDING_DELEGATION, GRADE_OK, "all 2 addresses");
}

static void servers_by_ipv6(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, "de ns1.x.example AAAA 2001:db8::1", "2001:db8::1 * * !serves x.example");
    assert_found(explanation, FINDING_DELEGATION, GRADE_OK, "all 3 addresses");
}

/* lib/hearing.c aborts where one is asked. */
static void private_addresses_are_not_asked(void **state)
{
    const struct explanation *explanation = EXPLAIN(
        *state, "de ns1.x.example A 10.0.0.1", "de ns1.x.example A 203.0.113.1", "de ns1.x.example AAAA fe80::1",
        "de ns2.x.example A 127.0.0.1", "de ns2.x.example AAAA ::ffff:10.0.0.1");
    assert_int_equal(explanation->servers[0].count, 1);
    assert_found(explanation, FINDING_DELEGATION, GRADE_OK, "its name server answers");
}

static void a_name_server_without_an_address(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, "de x.example NS ns1.x.example.", "de x.example NS ns3.x.example.");
    assert_found(explanation, FINDING_SERVER_NO_ADDRESS, GRADE_PROBLEM, "ns3.x.example.");
    assert_concluded(explanation, EXPLAINED_MISCONFIGURED, NOTHING);
}

/* ---- the delegation, by the parent alone ---- */

static void a_delegation_with_glue(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, FAILS_EVERYWHERE, "198.51.100.20 x.example NS !refers x.example ns1.x.example 203.0.113.1");
    assert_true(explanation->servers[0].from_parent);
    assert_int_equal(explanation->servers[0].answered, 1);
    assert_concluded(explanation, EXPLAINED_BROKEN, FINDING_UNRESOLVABLE);
}

static void a_delegation_to_silent_servers(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, SERVERS_SILENT, FAILS_EVERYWHERE,
                "198.51.100.20 x.example NS !refers x.example ns1.x.example 203.0.113.1");
    assert_concluded(explanation, EXPLAINED_BROKEN, FINDING_SERVERS_UNREACHABLE);
    assert_found(explanation, FINDING_SERVERS_UNREACHABLE, GRADE_CAUSE, "nor domestic nor external");
    assert_true(explanation->reply_count > 0);
}

static void glue_that_is_private(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, FAILS_EVERYWHERE, "198.51.100.20 x.example NS !refers x.example ns1.x.example 192.168.1.1");
    assert_int_equal(explanation->servers[0].count, 0);
    assert_concluded(explanation, EXPLAINED_BROKEN, FINDING_UNRESOLVABLE);
}

static void what_the_parent_does_not_know(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, FAILS_EVERYWHERE, "198.51.100.20 x.example NS !rcode 3 aa");
    assert_concluded(explanation, EXPLAINED_BROKEN, FINDING_NOT_DELEGATED);
    assert_string_equal(explanation->cure, "only the people of the domain can mend it: send them what --report writes");
}

/* Somebody on the way answers in the parent's place. */
static void what_another_says_in_the_place_of_the_parent(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, FAILS_EVERYWHERE, "198.51.100.20 x.example NS !rcode 3");
    assert_concluded(explanation, EXPLAINED_BROKEN, FINDING_UNRESOLVABLE);
    assert_not_found(explanation, FINDING_NOT_DELEGATED);
}

static void a_parent_that_is_silent(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, FAILS_EVERYWHERE, "198.51.100.20 * * !silent");
    assert_concluded(explanation, EXPLAINED_BROKEN, FINDING_UNRESOLVABLE);
    assert_int_equal(explanation->servers[0].count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_good_domain),
        FIXTURE_TEST(silent_servers_that_both_sides_reach),
        FIXTURE_TEST(silent_servers_of_a_blocked_domain),
        FIXTURE_TEST(some_silent_servers),
        FIXTURE_TEST(silence_where_no_dns_leaves),
        FIXTURE_TEST(servers_that_do_not_serve_it),
        FIXTURE_TEST(servers_none_of_which_serves_it),
        FIXTURE_TEST(servers_that_refuse_this_machine),
        FIXTURE_TEST(somebody_answers_in_the_place_of_all),
        FIXTURE_TEST(a_server_without_tcp),
        FIXTURE_TEST(tcp_that_does_not_leave),
        FIXTURE_TEST(a_server_without_edns),
        FIXTURE_TEST(servers_with_different_versions),
        FIXTURE_TEST(servers_with_different_mail_hosts),
        FIXTURE_TEST(servers_that_write_the_same_differently),
        FIXTURE_TEST(servers_by_ipv6_without_a_route),
        FIXTURE_TEST(servers_by_ipv6),
        FIXTURE_TEST(private_addresses_are_not_asked),
        FIXTURE_TEST(a_name_server_without_an_address),
        FIXTURE_TEST(a_delegation_with_glue),
        FIXTURE_TEST(a_delegation_to_silent_servers),
        FIXTURE_TEST(glue_that_is_private),
        FIXTURE_TEST(what_the_parent_does_not_know),
        FIXTURE_TEST(what_another_says_in_the_place_of_the_parent),
        FIXTURE_TEST(a_parent_that_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
