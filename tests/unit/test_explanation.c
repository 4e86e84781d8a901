/*
 * test_explanation.c: stories of why mail of a domain fails, told in virtual time: blocks and what is behind them,
 * forgery, signatures, fences. What holds in every story is checked by lib/hearing.c.
 */
#include "explained.h"
#include "lib/check.h"

/* ---- blocks, and what is behind them ---- */

static void pin(struct fixture *fixture, const char *text)
{
    struct name  zone   = named(text);
    struct view  view   = name_view(&zone);
    struct zone *pinned = table_add(fixture->hearing.shared.table, view, SCOPE_ZONE, 0, view, TYPE_MX);
    assert_non_null(pinned);
    pinned->pin = PIN_EXTERNAL;
    table_publish(pinned);
}

/* x.example is served by hoster.example alone, which is blocked. */
#define AT_A_HOSTER                                                                                                    \
    "e x.example NS ns.hoster.example.", "de hoster.example SOA ns.hoster.example. h.example. 1 2 3 4 5",              \
        "e ns.hoster.example A 203.0.113.9", "d *hoster.example * !silent", "d *x.example * !silent",                  \
        "203.0.113.9 *x.example * !serves x.example"

static void a_domain_behind_blocked_name_servers(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, AT_A_HOSTER);
    assert_concluded(explanation, EXPLAINED_BLOCKED, FINDING_DEPENDS_ON_BLOCKED);
    struct name hoster = named("hoster.example");
    assert_true(name_equal(name_view(&explanation->findings[explanation->cause].zone), name_view(&hoster)));
    assert_non_null(strstr(explanation->cure, "hoster.example."));
    assert_found(explanation, FINDING_BLOCKED, GRADE_PROBLEM, "domestic is silent");
}

/* What is behind it does no harm any more; the domain itself is not carried yet. */
static void a_domain_behind_name_servers_that_are_carried(void **state)
{
    pin(*state, "hoster.example");
    const struct explanation *explanation = EXPLAIN(*state, AT_A_HOSTER);
    assert_concluded(explanation, EXPLAINED_BLOCKED, FINDING_BLOCKED);
    assert_found(explanation, FINDING_DEPENDS_ON_BLOCKED, GRADE_NOTE, "its name server is");
}

static void name_servers_that_are_blocked_alone(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, "de x.example NS ns.hoster.example.", "e ns.hoster.example A 203.0.113.1",
                "de hoster.example SOA ns.hoster.example. h.example. 1 2 3 4 5", "d *hoster.example * !silent");
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_found(explanation, FINDING_DEPENDS_ON_BLOCKED, GRADE_NOTE, "its name server is");
}

/* Mail goes without these. */
static void what_fails_at_domestic_alone_and_is_not_needed(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, "d _dmarc.x.example TXT !servfail", "d _25._tcp.mail.x.example TLSA !servfail");
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_found(explanation, FINDING_DMARC, GRADE_OK, "p=reject");
    assert_found(explanation, FINDING_TLSA_UNRESOLVABLE, GRADE_PROBLEM, "_25._tcp.mail.x.example. TLSA fails here");
    assert_not_found(explanation, FINDING_BLOCKED);
}

static void a_blocked_domain_is_blocked_once(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "d *x.example * !servfail");
    assert_concluded(explanation, EXPLAINED_BLOCKED, FINDING_BLOCKED);
    assert_not_found(explanation, FINDING_DMARC_UNRESOLVABLE);
    assert_not_found(explanation, FINDING_TLSA_UNRESOLVABLE);
}

static void domestic_is_down(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "d * * !silent", SERVERS_SILENT, NOTHING_DIRECT);
    assert_concluded(explanation, EXPLAINED_UNKNOWN, FINDING_DOMESTIC_DOWN);
}

static void nothing_answers(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "de * * !noroute", SERVERS_SILENT, NOTHING_DIRECT);
    assert_concluded(explanation, EXPLAINED_UNKNOWN, FINDING_DOMESTIC_DOWN);
}

/* ---- forgery ---- */

#define CONTRADICTED "d x.example MX 10 wrong.example."
#define CANARY_ANSWERS "c x.example A 192.0.2.66"

static void know(struct fixture *fixture, enum forging_state known)
{
    struct name domain = named("x.example");
    forging_set(fixture->hearing.shared.forging, name_view(&domain), known, fixture->hearing.now);
}

static void a_contradiction_and_the_canary(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, CONTRADICTED, CANARY_ANSWERS);
    assert_concluded(explanation, EXPLAINED_FORGED, FINDING_FORGED);
    assert_string_equal((const char *) explanation->hosts[0].name.wire, "\4mail\1x\7example");
}

static void a_contradiction_of_compression_alone(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "d x.example MX !raw 000a046d61696cc00c", CANARY_ANSWERS);
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
}

static void a_contradiction_alone(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, CONTRADICTED);
    assert_not_found(explanation, FINDING_FORGED);
}

static void a_canary_alone(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, CANARY_ANSWERS);
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
}

static void a_domain_that_external_is_lied_to_about(void **state)
{
    know(*state, FORGING_INNER);
    const struct explanation *explanation = EXPLAIN(*state, CONTRADICTED, CANARY_ANSWERS);
    assert_not_found(explanation, FINDING_FORGED);
    assert_string_equal((const char *) explanation->hosts[0].name.wire, "\5wrong\7example");
}

static void a_domain_that_is_known_to_be_forged(void **state)
{
    know(*state, FORGING_FORGED);
    const struct explanation *explanation = explain(*state, NULL);
    assert_concluded(explanation, EXPLAINED_FORGED, FINDING_FORGED);
    assert_found(explanation, FINDING_FORGED, GRADE_CAUSE, "comparing with external");
}

static void a_denial_of_domestic_alone(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "d *x.example * !rcode 3");
    assert_concluded(explanation, EXPLAINED_FORGED, FINDING_FORGED);
}

static void a_denial_that_is_true(void **state)
{
    know(*state, FORGING_INNER);
    assert_concluded(EXPLAIN(*state, "d *x.example * !rcode 3"), EXPLAINED_BROKEN, FINDING_NO_DOMAIN);
}

static void addresses_by_where_one_asks_from(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "d x.example A 203.0.113.81");
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_found(explanation, FINDING_ADDRESSES_DIFFER, GRADE_NOTE, "different addresses");
}

static void a_forged_domain_that_is_pinned(void **state)
{
    pin(*state, "x.example");
    const struct explanation *explanation = EXPLAIN(*state, "d *x.example * !rcode 3");
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_found(explanation, FINDING_FORGED, GRADE_NOTE, "does not exist");
    assert_found(explanation, FINDING_PINNED, GRADE_NOTE, "external");
}

/* ---- validation ---- */

#define SIGNED_UNTIL(when) "!signs SOA 8 2 300 " when " 20230101000000 1 x.example. AAAA"

static void signatures_that_have_expired(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "de *x.example * " SIGNED_UNTIL("20231111000000"));
    assert_concluded(explanation, EXPLAINED_BROKEN, FINDING_DNSSEC_BOGUS);
    assert_found(explanation, FINDING_DNSSEC_BOGUS, GRADE_CAUSE, "expired 3 days ago");
}

static void signatures_that_have_just_expired(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "de *x.example * " SIGNED_UNTIL("20231114120000"));
    assert_found(explanation, FINDING_DNSSEC_BOGUS, GRADE_CAUSE, "expired 10 hours ago");
}

static void signatures_that_have_expired_this_hour(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "de *x.example * " SIGNED_UNTIL("20231114221000"));
    assert_found(explanation, FINDING_DNSSEC_BOGUS, GRADE_CAUSE, "expired 3 minutes ago");
}

static void an_answer_that_only_validation_refuses(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "de *x.example * " SIGNED_UNTIL("20301114120000"));
    assert_concluded(explanation, EXPLAINED_BROKEN, FINDING_DNSSEC_BOGUS);
    assert_found(explanation, FINDING_DNSSEC_BOGUS, GRADE_CAUSE, "signatures have expired");
}

/* A forger on the way makes domestic's resolvers, which validate, fail. */
static void validation_that_refuses_a_forger(void **state)
{
    const struct explanation *explanation = EXPLAIN(*state, "d *x.example * !doubts 3");
    assert_concluded(explanation, EXPLAINED_BLOCKED, FINDING_BLOCKED);
    assert_not_found(explanation, FINDING_DNSSEC_BOGUS);
}

static void external_has_validated_it(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, "d *x.example * !servfail 7", "e x.example SOA +ad ns1.x.example. h.example. 7 2 3 4 5",
                "e x.example MX +ad 10 mail.x.example.");
    assert_found(explanation, FINDING_BLOCKED, GRADE_CAUSE, "SERVFAIL");
}

/* ---- fences ---- */

static const struct explanation *explain_other(struct fixture *fixture, const char *domain, const char *line,
                                               const char *more)
{
    const char *const            lines[] = {"de kept.example SOA ns.example. h.example. 1 2 3 4 5",
                                            "de sent.example SOA ns.example. h.example. 1 2 3 4 5",
                                            "de *kept.example MX 10 mail.x.example.",
                                            "de *sent.example MX 10 mail.x.example.",
                                            "o office.example SOA ns.example. h.example. 1 2 3 4 5",
                                            "o *office.example MX 10 mail.x.example.",
                                            line,
                                            more,
                                            NULL};
    const struct explain_request request = {.domain = named(domain)};
    return explain_request(fixture, lines, &request);
}

static void a_fence_round_a_domain_that_fails(void **state)
{
    const struct explanation *explanation = explain_other(*state, "kept.example", "d *kept.example * !servfail", NULL);
    assert_concluded(explanation, EXPLAINED_UNKNOWN, FINDING_UNRESOLVABLE);
    assert_found(explanation, FINDING_FENCED, GRADE_NOTE, "domestic");
}

static void a_fence_towards_a_group_of_the_operators_own(void **state)
{
    const struct explanation *explanation = explain_other(*state, "office.example", NULL, NULL);
    assert_concluded(explanation, EXPLAINED_MISCONFIGURED, NOTHING); /* it has no SPF */
    assert_found(explanation, FINDING_FENCED, GRADE_NOTE, "office");
    assert_found(explanation, FINDING_MX, GRADE_OK, "1 host");
}

/* What the configuration sends to external is seen by nobody else, and no block harms it. */
static void a_fence_towards_external(void **state)
{
    const struct explanation *explanation =
        explain_other(*state, "sent.example", "d *sent.example * !silent", "de sent.example TXT \"v=spf1 -all\"");
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_found(explanation, FINDING_FENCED, GRADE_NOTE, "external");
    assert_found(explanation, FINDING_MX, GRADE_OK, "1 host");
}

/* The fence's own group knows what lies behind it. */
static void a_fence_on_the_way_of_an_include(void **state)
{
    const struct explanation *explanation = EXPLAIN(
        *state, "de x.example TXT \"v=spf1 include:sent.example include:kept.example include:office.example -all\"",
        "de *sent.example TXT \"v=spf1 -all\"", "de *kept.example TXT \"v=spf1 -all\"",
        "o *office.example TXT \"v=spf1 -all\"");
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_found(explanation, FINDING_FENCED, GRADE_NOTE, "external");
}

static void a_fence_round_a_name_server(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, "de x.example NS ns1.x.example.", "de x.example NS ns.office.example.",
                "o ns.office.example A 203.0.113.2");
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_not_found(explanation, FINDING_SERVER_NO_ADDRESS);
}

static void a_fence_round_a_clients_name(void **state)
{
    const char *const      lines[] = {"de 25.113.0.203.in-addr.arpa PTR mail.office.example.",
                                      "o mail.office.example A 203.0.113.25", NULL};
    struct explain_request request = {.domain = named("x.example"), .sender = "a@x.example"};
    assert_true(address_parse("203.0.113.25", 0, &request.ip));
    const struct explanation *explanation = explain_request(*state, lines, &request);
    assert_concluded(explanation, EXPLAINED_FINE, NOTHING);
    assert_not_found(explanation, FINDING_PTR_UNCONFIRMED);
    assert_not_found(explanation, FINDING_PTR_UNRESOLVABLE);
}

static void a_client_whose_name_fails(void **state)
{
    const char *const lines[] = {"de 25.113.0.203.in-addr.arpa PTR mail.away.example.", "de *away.example * !servfail",
                                 NULL};
    struct explain_request request = {.domain = named("x.example"), .sender = "a@x.example"};
    assert_true(address_parse("203.0.113.25", 0, &request.ip));
    assert_found(explain_request(*state, lines, &request), FINDING_PTR_UNRESOLVABLE, GRADE_PROBLEM, "cannot be had");
}

/* A log has it, and it is explained by itself: that no mail goes to it is no news. */
static void a_clients_reverse_name(void **state)
{
    const char *const lines[] = {"de 25.113.0.203.in-addr.arpa PTR mail.x.example.", "de mail.x.example A 203.0.113.9",
                                 NULL};
    struct explain_request request = {.domain = named("25.113.0.203.in-addr.arpa"), .sender = "a@x.example"};
    assert_true(address_parse("203.0.113.25", 0, &request.ip));
    assert_concluded(explain_request(*state, lines, &request), EXPLAINED_MISCONFIGURED, FINDING_PTR_UNCONFIRMED);
}

static void a_helo_name_without_an_address(void **state)
{
    const char *const      lines[] = {"de bare.x.example TXT \"nothing\"", NULL};
    struct explain_request request = {.domain    = named("bare.x.example"),
                                      .sender    = "a@x.example",
                                      .helo      = "bare.x.example",
                                      .helo_name = named("bare.x.example")};
    assert_concluded(explain_request(*state, lines, &request), EXPLAINED_MISCONFIGURED, FINDING_HELO_NO_ADDRESS);
}

/* ---- bounds ---- */

#define LONG                                                                                                           \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."                                                 \
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."                                                 \
    "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.example"

static void a_command_is_not_cut(void **state)
{
    const char *const lines[] = {"de " LONG " SOA ns1.x.example. h.example. 1 2 3 4 5", "de " LONG " NS ns1.x.example.",
                                 "de " LONG " MX 10 mail.x.example.", "d *" LONG " * !servfail", NULL};
    const struct explain_request request     = {.domain = named(LONG)};
    const struct explanation    *explanation = explain_request(*state, lines, &request);
    assert_concluded(explanation, EXPLAINED_BLOCKED, FINDING_BLOCKED);
    assert_non_null(strstr(explanation->cure, "zones pin " LONG ". external"));
}

static void a_record_that_wants_too_much(void **state)
{
    const struct explanation *explanation =
        EXPLAIN(*state, "de x.example TXT \"v=spf1 include:a.example include:b.example mx:c.example mx:d.example\"",
                "de *a.example TXT \"v=spf1 mx:%{i}.e.example a:f.example a:g.example include:h.example\"",
                "e * A !silent", "e * AAAA !silent", "d *c.example MX !silent", "d *e.example * !silent");
    assert_true(explanation->inquest->fact_count <= INQUEST_FACTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_clients_reverse_name),
        FIXTURE_TEST(a_helo_name_without_an_address),
        FIXTURE_TEST(a_domain_behind_blocked_name_servers),
        FIXTURE_TEST(a_domain_behind_name_servers_that_are_carried),
        FIXTURE_TEST(name_servers_that_are_blocked_alone),
        FIXTURE_TEST(what_fails_at_domestic_alone_and_is_not_needed),
        FIXTURE_TEST(a_blocked_domain_is_blocked_once),
        FIXTURE_TEST(domestic_is_down),
        FIXTURE_TEST(nothing_answers),
        FIXTURE_TEST(a_contradiction_and_the_canary),
        FIXTURE_TEST(a_contradiction_of_compression_alone),
        FIXTURE_TEST(a_contradiction_alone),
        FIXTURE_TEST(a_canary_alone),
        FIXTURE_TEST(a_domain_that_external_is_lied_to_about),
        FIXTURE_TEST(a_domain_that_is_known_to_be_forged),
        FIXTURE_TEST(a_denial_of_domestic_alone),
        FIXTURE_TEST(a_denial_that_is_true),
        FIXTURE_TEST(addresses_by_where_one_asks_from),
        FIXTURE_TEST(a_forged_domain_that_is_pinned),
        FIXTURE_TEST(signatures_that_have_expired),
        FIXTURE_TEST(signatures_that_have_just_expired),
        FIXTURE_TEST(signatures_that_have_expired_this_hour),
        FIXTURE_TEST(an_answer_that_only_validation_refuses),
        FIXTURE_TEST(validation_that_refuses_a_forger),
        FIXTURE_TEST(external_has_validated_it),
        FIXTURE_TEST(a_fence_round_a_domain_that_fails),
        FIXTURE_TEST(a_fence_towards_a_group_of_the_operators_own),
        FIXTURE_TEST(a_fence_towards_external),
        FIXTURE_TEST(a_fence_on_the_way_of_an_include),
        FIXTURE_TEST(a_fence_round_a_name_server),
        FIXTURE_TEST(a_fence_round_a_clients_name),
        FIXTURE_TEST(a_client_whose_name_fails),
        FIXTURE_TEST(a_command_is_not_cut),
        FIXTURE_TEST(a_record_that_wants_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
