/*
 * test_ctl_table.c: tables on a terminal: nothing wider than it, wide characters in line, colours that count for nothing.
 */
#include "ctl/look.h"
#include "ctl/safe.h"
#include "ctl/table.h"
#include "lib/check.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define HEADER "ZONE !STATE >N ~NOTE"

/* The table of one row, and of a short one below it. */
static char *shown(struct look look, const char *note)
{
    struct table table;
    char        *text = NULL;
    size_t       len  = 0;
    FILE        *to   = open_memstream(&text, &len);

    look_set(&look);
    table_init(&table, HEADER);
    for (size_t i = 0; i < 2; i++) {
        table_add(&table, i == 0 ? "blocked.example." : "a.");
        table_add(&table, i == 0 ? "blocked" : "clear");
        table_add(&table, "7");
        table_add(&table, i == 0 ? note : "b");
    }
    table_print(&table, to);
    table_fini(&table);
    fclose(to);
    return text;
}

static void assert_shown(struct look look, const char *note, const char *expected)
{
    char *text = shown(look, note);
    assert_string_equal(expected, text);
    free(text);
}

static int plain(void **state)
{
    (void) state;
    look_set(&(struct look){0});
    return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

static void test_free_text_is_cut_first(void **state)
{
    (void) state;
    assert_shown((struct look){.width = 40}, "a note of many words",
                 "ZONE              STATE    N  NOTE\n"
                 "blocked.example.  blocked  7  a note ...\n"
                 "a.                clear    7  b\n");
    assert_shown((struct look){.width = 40, .utf8 = true}, "a note of many words",
                 "ZONE              STATE    N  NOTE\n"
                 "blocked.example.  blocked  7  a note of\xe2\x80\xa6\n"
                 "a.                clear    7  b\n");
    assert_shown((struct look){.width = 40}, "ten chars.",
                 "ZONE              STATE    N  NOTE\n"
                 "blocked.example.  blocked  7  ten chars.\n"
                 "a.                clear    7  b\n");
}

/* What cannot be cut ends the line. */
static void test_a_narrow_terminal(void **state)
{
    (void) state;
    assert_shown((struct look){.width = 24}, "a note of many words",
                 "ZONE              STA...\n"
                 "blocked.example.  blo...\n"
                 "a.                cle...\n");
    assert_shown((struct look){.width = 32, .utf8 = true}, "a note of many words",
                 "ZONE              STATE    N  N\xe2\x80\xa6\n"
                 "blocked.example.  blocked  7  a\xe2\x80\xa6\n"
                 "a.                clear    7  b\n");
    assert_shown((struct look){.width = 30, .utf8 = true}, "a note of many words",
                 "ZONE              STATE    N \xe2\x80\xa6\n"
                 "blocked.example.  blocked  7 \xe2\x80\xa6\n"
                 "a.                clear    7 \xe2\x80\xa6\n");
    assert_shown((struct look){.width = 28, .utf8 = true}, "a note of many words",
                 "ZONE              STATE    \xe2\x80\xa6\n"
                 "blocked.example.  blocked  \xe2\x80\xa6\n"
                 "a.                clear    \xe2\x80\xa6\n");
    for (size_t width = 1; width < 80; width++)
        for (int utf8 = 0; utf8 < 2; utf8++) {
            char  *text = shown((struct look){.width = width, .utf8 = utf8}, "\xd8\xb3\xe4\xb8\xad\xe4\xb8\xad a note");
            char  *rest = text;
            size_t columns;
            for (char *line; *(line = strsep(&rest, "\n"));) {
                safe_fit(line, SIZE_MAX, &columns);
                assert_true(columns <= width);
            }
            free(text);
        }
}

static void test_wide_characters_stay_in_line(void **state)
{
    struct table table;
    char        *text = NULL;
    size_t       len  = 0;
    FILE        *to   = open_memstream(&text, &len);

    (void) state;
    look_set(&(struct look){.utf8 = true});
    table_init(&table, "~NOTE END");
    table_add(&table, "\xe4\xb8\xad\xe6\x96\x87"); /* two of two columns */
    table_add(&table, "x");
    table_add(&table, "e\xcc\x81t\xc3\xa9"); /* a combining accent */
    table_add(&table, "x");
    table_add(&table, "\xe2\x80\xae\x1b\xff");
    table_add(&table, "x");
    table_print(&table, to);
    table_fini(&table);
    fclose(to);
    assert_string_equal("NOTE                  END\n"
                        "\xe4\xb8\xad\xe6\x96\x87                  x\n"
                        "e\xcc\x81t\xc3\xa9                   x\n"
                        "\\xe2\\x80\\xae\\x1b\\xff  x\n",
                        text);
    free(text);
}

static void test_colours_take_no_place(void **state)
{
    (void) state;
    assert_shown((struct look){.width = 40, .colour = true}, "a note of many words",
                 "\x1b[1mZONE\x1b[0m              \x1b[1mSTATE\x1b[0m    \x1b[1mN\x1b[0m  \x1b[1mNOTE\x1b[0m\n"
                 "blocked.example.  \x1b[31mblocked\x1b[0m  7  a note ...\n"
                 "a.                clear    7  b\n");
}

static void test_without_header(void **state)
{
    (void) state;
    assert_shown((struct look){.bare = true, .colour = true}, "n",
                 "blocked.example.  \x1b[31mblocked\x1b[0m  7  n\n"
                 "a.                clear    7  b\n");
}

static void test_the_width(void **state)
{
    static const char *const nonsense[] = {"", "0", "-1", "x", "80x", "99999999999999999999"};
    (void) state;
    assert_int_equal(80, look_width(NULL, 80));
    assert_int_equal(132, look_width("132", 80));
    for (size_t i = 0; i < ARRAY_LEN(nonsense); i++)
        assert_int_equal(80, look_width(nonsense[i], 80));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_free_text_is_cut_first),
        cmocka_unit_test(test_a_narrow_terminal),
        cmocka_unit_test(test_wide_characters_stay_in_line),
        cmocka_unit_test(test_colours_take_no_place),
        cmocka_unit_test(test_without_header),
        cmocka_unit_test(test_the_width),
    };
    return cmocka_run_group_tests(tests, plain, NULL);
}
