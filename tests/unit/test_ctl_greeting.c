/*
 * test_ctl_greeting.c: what a mail server says first, in whatever pieces it comes.
 */
#include "ctl/greeting.h"
#include "lib/check.h"

#include <stdlib.h>
#include <string.h>

static bool hear(struct greeting *greeting, const char *text, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1); /* of its own size, so that a sanitizer sees who reads beyond it */
    assert_non_null(copy);
    memcpy(copy, text, len);
    bool enough = greeting_hear(greeting, (struct view){copy, len});
    free(copy);
    return enough;
}

static void test_greetings(void **state)
{
    static const struct {
        const char *text, *first;
        bool        enough;
        /* if the server is silent from then on, or closes */
        enum greeting_outcome silent, closed;
    } rows[] = {
        {"", "", false, GREETING_SILENT, GREETING_CLOSED},
        {"220 mail.example ESMTP", "", false, GREETING_SILENT, GREETING_CLOSED},
        {"220 mail.example ESMTP\r\n", "220 mail.example ESMTP", true, GREETING_GREETED, GREETING_GREETED},
        {"220 mail.example\n", "220 mail.example", true, GREETING_GREETED, GREETING_GREETED},
        {"220\r\n", "220", true, GREETING_GREETED, GREETING_GREETED},
        {"220 \r\n", "220 ", true, GREETING_GREETED, GREETING_GREETED},
        {"220-a\r\n", "220-a", false, GREETING_GREETED, GREETING_CLOSED},
        {"220-a\r\n220-b\r\n220 c\r\n", "220-a", true, GREETING_GREETED, GREETING_GREETED},
        {"220-a\r\n220 c\r\n554 x\r\n", "220-a", true, GREETING_GREETED, GREETING_GREETED},
        {"220-a\r\n221 c\r\n", "220-a", true, GREETING_GARBAGE, GREETING_GARBAGE},
        {"220-a\r\nb\r\n", "220-a", true, GREETING_GARBAGE, GREETING_GARBAGE},
        {"554 no\r\n", "554 no", true, GREETING_REFUSED, GREETING_REFUSED},
        {"421-no\r\n", "421-no", false, GREETING_REFUSED, GREETING_REFUSED},
        {"250 ok\r\n", "250 ok", true, GREETING_GARBAGE, GREETING_GARBAGE},
        {"354 go\r\n", "354 go", true, GREETING_GARBAGE, GREETING_GARBAGE},
        {"220x\r\n", "220x", true, GREETING_GARBAGE, GREETING_GARBAGE},
        {"2200 x\r\n", "2200 x", true, GREETING_GARBAGE, GREETING_GARBAGE},
        {"22\r\n", "22", true, GREETING_GARBAGE, GREETING_GARBAGE},
        {"\r\n", "", true, GREETING_GARBAGE, GREETING_GARBAGE},
        {"\r\r\n", "\r", true, GREETING_GARBAGE, GREETING_GARBAGE},
        {"SSH-2.0-x\r\n", "SSH-2.0-x", true, GREETING_GARBAGE, GREETING_GARBAGE},
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t piece = 1; piece <= strlen(rows[i].text) + 1; piece++) {
            struct greeting greeting = {0};
            bool            enough   = false;
            for (size_t at = 0, len = strlen(rows[i].text); at < len; at += piece)
                enough = hear(&greeting, rows[i].text + at, len - at < piece ? len - at : piece) || enough;
            assert_int_equal(enough, rows[i].enough);
            assert_string_equal(greeting.first, rows[i].first);
            assert_int_equal(greeting_judge(&greeting, GREETING_SILENT), rows[i].silent);
            assert_int_equal(greeting_judge(&greeting, GREETING_CLOSED), rows[i].closed);
        }
}

static void test_no_line_is_too_long(void **state)
{
    static char     text[2 * GREETING_MAX];
    struct greeting greeting = {0};
    (void) state;
    memset(text, 'x', sizeof(text));
    memcpy(text, "220 ", 4);
    assert_false(hear(&greeting, text, GREETING_MAX / 2));
    assert_true(hear(&greeting, "\n", 1));
    assert_int_equal(strlen(greeting.first), GREETING_LINE_MAX);
    assert_int_equal(greeting_judge(&greeting, GREETING_SILENT), GREETING_GREETED);

    greeting = (struct greeting){0};
    assert_true(hear(&greeting, text, sizeof(text)));
    assert_string_equal(greeting.first, "");
    assert_int_equal(greeting_judge(&greeting, GREETING_SILENT), GREETING_GARBAGE);
}

static void test_lines_without_end(void **state)
{
    struct greeting greeting = {0};
    size_t          lines    = 1;
    (void) state;
    while (!hear(&greeting, "220-x\r\n", 7))
        lines++;
    assert_true(7 * lines >= GREETING_MAX && 7 * (lines - 1) < GREETING_MAX);
    assert_int_equal(greeting_judge(&greeting, GREETING_SILENT), GREETING_GREETED);
}

static void test_bytes_that_are_no_text(void **state)
{
    struct greeting greeting = {0};
    (void) state;
    assert_true(hear(&greeting, "220 a\0b\xff\r\n", 10));
    assert_string_equal(greeting.first, "220 a?b\xff");
    assert_int_equal(greeting_judge(&greeting, GREETING_SILENT), GREETING_GREETED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greetings),
        cmocka_unit_test(test_no_line_is_too_long),
        cmocka_unit_test(test_lines_without_end),
        cmocka_unit_test(test_bytes_that_are_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
