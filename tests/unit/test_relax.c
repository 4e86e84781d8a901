/*
 * test_relax.c: what is blanked out of a configuration, byte for byte, and what is left alone.
 */
#include "settings/relax.h"

#include "lib/check.h"

#include <stdlib.h>
#include <string.h>

static const struct row {
    const char *text, *plain;
} rows[] = {
    {"", ""},
    {"{\"a\": [1, 2]}", "{\"a\": [1, 2]}"},
    /* comments */
    {"// a", "    "},
    {"{}// a\n{}", "{}    \n{}"},
    {"{}// a\r\n{}", "{}    \r\n{}"},
    {"{}// a\r{}", "{}    \r{}"},
    {"{ /* a\n * b */ }", "{     \n        }"},
    {"/**/1/***/2/*/**/3", "    1     2      3"},
    {"/* // */1// /*\n2", "        1     \n2"},
    {"1 //", "1   "},
    {"[\"//\", \"/*\", \"*/\"]", "[\"//\", \"/*\", \"*/\"]"},
    {"\"\\\"// \\\\\"// \\\"", "\"\\\"// \\\\\"     "},
    /* commas */
    {"[1,]", "[1 ]"},
    {"{\"a\":1,}", "{\"a\":1 }"},
    {"[1,//,]\n]", "[1     \n]"},
    {"[1, /* , */ ]", "[1          ]"},
    {"[[1,],{\"a\":[],},]", "[[1 ],{\"a\":[] } ]"},
    {"[true,\"]\",]", "[true,\"]\" ]"},
    {"[\",]\",1]", "[\",]\",1]"},
    /* wrong before and after */
    {"[,]", "[,]"},
    {"{,}", "{,}"},
    {"[1,,]", "[1,,]"},
    {"[1,,,2]", "[1,,,2]"},
    {"{\"a\":,}", "{\"a\":,}"},
    {"[/**/,]", "[    ,]"},
    {",]", ",]"},
    {"[1],", "[1],"},
    {"[1 / 2]", "[1 / 2]"},
    {"/", "/"},
    {"\"// no end", "\"// no end"},
    {"\"\\", "\"\\"},
};

/* Each text in an allocation of its very size, so that a sanitizer sees a byte too far. */
static void test_rows(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].text), at = 77;
        char  *text = malloc(len + (len == 0));
        memcpy(text, rows[i].text, len);
        for (int again = 0; again < 2; again++) {
            if (!relax(text, len, &at) || strlen(rows[i].plain) != len || memcmp(text, rows[i].plain, len) != 0)
                fail_msg("%s\nbecame\n%.*s", rows[i].text, (int) len, text);
        }
        assert_int_equal(at, 77);
        free(text);
    }
}

static void test_comment_without_end(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        size_t      at;
    } endless[] = {{"/*", 0}, {"{} /*/", 3}, {"[1,\n/* a *", 4}, {"/* */ /* \n// */ /*", 16}};
    for (size_t i = 0; i < ARRAY_LEN(endless); i++) {
        char  *text = strdup(endless[i].text);
        size_t at;
        assert_false(relax(text, strlen(text), &at));
        assert_int_equal(at, endless[i].at);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_comment_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
