/*
 * test_ctl_explain.c: what bywayctl adds to explain: what follows from port 25, and what of a log's line it is asked.
 */
#include "ctl/maillog_explain.h"
#include "ctl/port25.h"
#include "lib/check.h"

#include <stdlib.h>
#include <string.h>

static json_t *parsed(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

#define ROW(host, outcome)                                                                                             \
    "{\"host\":\"" host "\",\"address\":\"192.0.2.1\",\"outcome\":\"" outcome "\",\"greeting\":null}"
#define CAUSE "{\"tag\":\"blocked\"}"

static void test_what_follows_from_port_25(void **state)
{
    static const struct {
        const char *result, *connect;
        const char *grade, *text; /* of the finding; NULL: there is none */
        const char *verdict;
    } rows[] = {
        {"{\"verdict\":\"fine\"}", "[]", NULL, NULL, "fine"},
        {"{\"verdict\":\"fine\"}", "[" ROW("a.", "greeted") "]", NULL, NULL, "fine"},
        {"{\"verdict\":\"fine\"}", "[" ROW("a.", "timeout") "," ROW("a.", "greeted") "]", NULL, NULL, "fine"},
        {"{\"verdict\":\"fine\"}", "[" ROW("a.", "timeout") "]", "cause",
         "its MX host does not answer from here at port 25: a. (timeout)", "unknown"},
        {"{\"verdict\":\"fine\",\"cause\":null,\"findings\":[]}", "[" ROW("a.", "reset") "," ROW("b.", "silent") "]",
         "cause", "none of its 2 MX hosts answers from here at port 25: a. (reset), b. (silent)", "unknown"},
        {"{\"verdict\":\"blocked\",\"cause\":" CAUSE "}", "[" ROW("a.", "timeout") "]", "problem",
         "its MX host does not answer from here at port 25: a. (timeout)", "blocked"},
        {"{\"verdict\":\"misconfigured\",\"cause\":null}", "[" ROW("a.", "timeout") "]", "cause",
         "its MX host does not answer from here at port 25: a. (timeout)", "misconfigured"},
        {"{\"verdict\":\"fine\"}",
         "[" ROW("a.", "timeout") "," ROW("b.", "greeted") ",{\"host\":\"c.\",\"outcome\":\"refused\",\"greeting\":"
                                                           "\"554 no\"}]",
         "problem", "2 of 3 MX hosts do not answer from here at port 25: a. (timeout), c. (refused: 554 no)", "fine"},
        {"{\"findings\":7}", "[" ROW("a.", "timeout") "]", "cause",
         "its MX host does not answer from here at port 25: a. (timeout)", "unknown"},
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *result = parsed(rows[i].result), *connect = parsed(rows[i].connect);
        port25_add(result, json_incref(connect));
        json_t *findings = json_object_get(result, "findings"), *cause = json_object_get(result, "cause");
        json_t *finding = json_array_get(findings, 0);
        assert_true(json_equal(connect, json_object_get(result, "connect")));
        assert_string_equal(rows[i].verdict, json_string_value(json_object_get(result, "verdict")));
        assert_int_equal(rows[i].text != NULL, json_array_size(findings));
        if (rows[i].text) {
            assert_string_equal(rows[i].text, json_string_value(json_object_get(finding, "text")));
            assert_string_equal(rows[i].grade, json_string_value(json_object_get(finding, "grade")));
            assert_int_equal(strcmp(rows[i].grade, "cause") == 0, json_equal(cause, finding));
        }
        json_decref(connect);
        json_decref(result);
    }
}

/* The text is cut, and a character at its end is whole. */
static void test_a_long_finding(void **state)
{
    json_t *result = json_object(), *connect = json_array();
    (void) state;
    for (int i = 0; i < PORT25_HOSTS_MAX; i++) {
        char    greeting[301] = "554 ";
        json_t *row           = json_pack("{s:s%, s:s}", "host", "abcdefgh", (size_t) (i + 1), "outcome", "refused");
        for (size_t at = strlen(greeting); at + 3 < sizeof(greeting); at += 3)
            memcpy(greeting + at, "\xe4\xb8\xad", 3);
        json_object_set_new(row, "greeting", json_string(greeting));
        json_array_append_new(connect, row);
    }
    port25_add(result, connect);
    const char *text = json_string_value(json_object_get(json_object_get(result, "cause"), "text"));
    assert_non_null(text);
    assert_true(strlen(text) > 900 && strlen(text) < 1200);
    json_decref(result);
}

static struct view view_of(const char *text) { return (struct view){(const uint8_t *) text, strlen(text)}; }

static void test_what_of_a_line_is_asked(void **state)
{
#define POSTFIX "mx1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from u[192.0.2.7]: 450 no; from=<"
    static const struct {
        const char *line, *expected;
    } rows[] = {
        {POSTFIX "a@b.example> to=<c@d.example> proto=ESMTP helo=<h.example>",
         "{\"domain\":\"x.\",\"helo\":\"h.example\",\"ip\":\"192.0.2.7\",\"sender\":\"a@b.example\"}"},
        {POSTFIX "> to=<c@d.example> proto=ESMTP helo=<[192.0.2.7]>", "{\"domain\":\"x.\",\"ip\":\"192.0.2.7\"}"},
        {POSTFIX "a@b..example> helo=<h..example>", "{\"domain\":\"x.\",\"ip\":\"192.0.2.7\"}"},
        {POSTFIX "@b.example> helo=<h\x01.example>", "{\"domain\":\"x.\",\"ip\":\"192.0.2.7\"}"},
        {POSTFIX "a\xff@b.example> helo=<h.example", "{\"domain\":\"x.\",\"ip\":\"192.0.2.7\"}"},
        {"reject: RCPT from u[2001:db8::7]: 450", "{\"domain\":\"x.\",\"ip\":\"2001:db8::7\"}"},
        {"reject: RCPT from u[unknown]: 450", "{\"domain\":\"x.\"}"},
        {"reject: RCPT from u[192.0.2.7", "{\"domain\":\"x.\"}"},
        {"2026-11-29 15:41:00 H=n.example (h.example) [192.0.2.8]:4 F=<a@b.example> rejected RCPT <c@d.example>: x",
         "{\"domain\":\"x.\",\"helo\":\"h.example\",\"ip\":\"192.0.2.8\",\"sender\":\"a@b.example\"}"},
        {"2026-11-29 15:41:00 H=[192.0.2.8] F=<>", "{\"domain\":\"x.\",\"ip\":\"192.0.2.8\"}"},
        {"2026-11-29 15:41:00 H=", "{\"domain\":\"x.\"}"},
        {"", "{\"domain\":\"x.\"}"},
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct maillog_envelope envelope = maillog_envelope_read(view_of(rows[i].line));
        json_t                 *params   = maillog_explain_params("x.", &envelope);
        char                   *text     = json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(rows[i].expected, text);
        free(text);
        json_decref(params);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_follows_from_port_25),
        cmocka_unit_test(test_a_long_finding),
        cmocka_unit_test(test_what_of_a_line_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
