/*
 * test_plot.c: a plot draws each value where it is, leaves out what is not known, and says in words what it shows.
 */
#include "observe/plot.h"

#include "base/types.h"
#include "lib/check.h"

#include <stdlib.h>
#include <string.h>

enum {
    POINTS = 4
};

static double value_at(const void *context, unsigned series, unsigned point)
{
    const double(*values)[POINTS] = context;
    return values[series][point];
}

static const struct plot_series series[] = {{"low", "a"}, {"high", "b"}};

static char *draw(const double values[2][POINTS], unsigned count, bool lines)
{
    struct sheet      sheet = {.most = 1 << 20};
    const struct plot plot  = {.id           = "p",
                               .title        = "Things",
                               .marks        = (const char *const[]){"then", "between", "now"},
                               .mark_count   = 3,
                               .series       = series,
                               .series_count = count,
                               .lines        = lines,
                               .top          = 1,
                               .points       = POINTS,
                               .value        = value_at,
                               .context      = values};
    plot_write(&sheet, &plot);
    sheet_put_bytes(&sheet, "", 1);
    assert_false(sheet.failed);
    return sheet.text;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in \"%s\"", part, text);
}

static void areas_stand_on_each_other(void **state)
{
    (void) state;
    static const double values[2][POINTS] = {{1, 1, 0, 2}, {0, 3, 0, 2}};
    char               *text              = draw(values, 2, false);
    assert_has(text, "<span class=\"top\" aria-hidden=\"true\">5</span>");
    assert_has(text, "<path class=\"b\" d=\"M0 100H0V80H1V20H2V100H3V20H4V100Z\"/>"
                     "<path class=\"a\" d=\"M0 100H0V80H2V100H3V60H4V100Z\"/>");
    assert_has(text,
               "<desc id=\"p-about\">From then to now. Highest: 4, 25 % of the way. At the end: low 2, high 2.</desc>");
    assert_has(text, "</svg> low</li>");
    assert_has(text, "<path class=\"grid\" d=\"M2 0V100\"/>");
    assert_has(text, "<span>then</span><span>between</span><span>now</span>");
    free(text);
}

static void what_is_not_known_is_a_band(void **state)
{
    (void) state;
    static const double values[2][POINTS] = {{-1, -1, 5, -1}, {0}};
    char               *text              = draw(values, 1, false);
    assert_has(text, "<rect class=\"gap\" x=\"0\" y=\"0\" width=\"2\" height=\"100\"/>"
                     "<rect class=\"gap\" x=\"3\" y=\"0\" width=\"1\" height=\"100\"/>");
    assert_has(text, "<path class=\"a\" d=\"M0 100H2V0H3V100H4V100Z\"/>");
    assert_has(text, "At the end: low unknown.");
    assert_null(strstr(text, "legend"));
    free(text);
}

static void lines_break_where_nothing_is_known(void **state)
{
    (void) state;
    static const double values[2][POINTS] = {{10, 5, -1, 5}, {-1, -1, -1, -1}};
    char               *text              = draw(values, 2, true);
    assert_has(text, "<path class=\"b\" d=\"M0 100\"/><path class=\"a\" d=\"M0 100M0  0H1V50H2M3  50H4\"/>");
    free(text);
}

static void the_top_is_a_round_number(void **state)
{
    (void) state;
    static const double values[][2] = {{0, 1},    {1, 1},   {1.1, 2}, {2, 2},       {2.1, 5},
                                       {5.1, 10}, {10, 10}, {11, 20}, {4321, 5000}, {1e9, 1e9}};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        assert_true(plot_nice(values[i][0]) == values[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(areas_stand_on_each_other),
        cmocka_unit_test(what_is_not_known_is_a_band),
        cmocka_unit_test(lines_break_where_nothing_is_known),
        cmocka_unit_test(the_top_is_a_round_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
