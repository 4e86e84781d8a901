/*
 * test_markup.c: whatever bytes a text has, HTML gets none that it would take for its own.
 */
#include "observe/markup.h"

#include "lib/check.h"

#include <stdlib.h>
#include <string.h>

static void assert_text(struct sheet *sheet, const char *expected)
{
    assert_false(sheet->failed);
    assert_int_equal(sheet->len, strlen(expected));
    assert_memory_equal(sheet->text, expected, sheet->len);
    free(sheet->text);
    *sheet = (struct sheet){.most = sheet->most};
}

static void text_is_escaped(void **state)
{
    (void) state;
    struct sheet sheet = {.most = 1 << 16};
    markup_text(&sheet, "<script>alert(\"1\")</script>&'");
    assert_text(&sheet, "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;");
    markup_text(&sheet, "b\xc3\xbc"
                        "cher \xe2\x80\xae\x01\x7f\xff\xc3");
    assert_text(&sheet, "b\xc3\xbc"
                        "cher \\xe2\\x80\\xae\\x01\\x7f\\xff\\xc3");
}

static void no_byte_passes_that_html_knows(void **state)
{
    (void) state;
    for (int byte = 1; byte < 256; byte++) {
        struct sheet sheet = {.most = 1 << 16};
        markup_text(&sheet, (const char[]){'a', (char) byte, 'b', '\0'});
        assert_false(sheet.failed);
        for (size_t i = 1; i + 1 < sheet.len; i++)
            assert_true(sheet.text[i] >= ' ' && sheet.text[i] < 0x7f && !strchr("<>\"'", sheet.text[i]));
        free(sheet.text);
    }
}

static void spans_and_counts(void **state)
{
    (void) state;
    static const struct {
        msec_t      span;
        const char *text;
    } spans[] = {{0, "0 s"},          {89999, "89 s"},        {90000, "1 min"},      {89 * 60000 + 59999, "89 min"},
                 {90 * 60000, "1 h"}, {35 * 3600000, "35 h"}, {36 * 3600000, "1 d"}, {400LL * 86400000, "400 d"}};
    static const struct {
        uint64_t    count;
        const char *text;
    } counts[] = {
        {0, "0"}, {999, "999"}, {1000, "1,000"}, {1002003, "1,002,003"}, {UINT64_MAX, "18,446,744,073,709,551,615"}};
    struct sheet sheet = {.most = 1 << 16};
    for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
        markup_span(&sheet, spans[i].span);
        assert_text(&sheet, spans[i].text);
    }
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        markup_count(&sheet, counts[i].count);
        assert_text(&sheet, counts[i].text);
    }
}

static void times_are_told_from_now(void **state)
{
    (void) state;
    const struct clocks clocks = {.now = 10000000, .wall_ms = 1795969260000};
    struct sheet        sheet  = {.most = 1 << 16};
    markup_time(&sheet, &clocks, clocks.now, false);
    assert_text(&sheet, "<time datetime=\"2026-11-29T16:21:00Z\">now</time>");
    markup_time(&sheet, &clocks, clocks.now - 300000, true);
    assert_text(&sheet, "<time datetime=\"2026-11-29T16:16:00Z\">5 min ago <small>2026-11-29 16:16</small></time>");
    markup_time(&sheet, &clocks, clocks.now + 40000, false);
    assert_text(&sheet, "<time datetime=\"2026-11-29T16:21:40Z\">in 40 s</time>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(no_byte_passes_that_html_knows),
        cmocka_unit_test(spans_and_counts),
        cmocka_unit_test(times_are_told_from_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
