/*
 * test_trust.c: whether AD can reach clients, and what keeps it from them.
 */
#include "upstream/trust.h"

#include "lib/check.h"

#include <string.h>

/* One upstream a letter: "e" over an encrypted way, "p" plain, "l" plain on this machine; a capital is trusted. */
static struct group group_of(const char *name, const char *letters)
{
    struct group group = {.name = name};
    for (; *letters; letters++) {
        char                  kind    = (char) (*letters | 0x20);
        struct server_options options = {.encrypted = kind == 'e', .trusted = kind != *letters};
        assert_true(address_parse(kind == 'l' ? "127.0.0.1" : "192.0.2.1", 53, &options.address));
        assert_non_null(group.servers[group.count++] = server_create(&options));
    }
    return group;
}

static void close_group(struct group *group)
{
    for (unsigned i = 0; i < group->count; i++)
        server_destroy(group->servers[i]);
}

#define PLAIN(group) group " has a trusted upstream that is asked in plain DNS: who stands on the way can set AD"

static void what_the_marks_come_to(void **state)
{
    static const struct {
        const char *domestic, *external;
        bool        reaches;
        const char *why;
    } rows[] = {
        {"p", "e", false, "no upstream of domestic or external is trusted"},
        {"lpe", "pe", false, "no upstream of domestic or external is trusted"},
        {"p", "E", false, "no upstream of domestic is trusted: only what external answers can have AD"},
        {"L", "e", true, "no upstream of external is trusted: zones that go there have no AD"},
        {"L", "E", true, ""},
        {"EE", "EL", true, ""},
        {"El", "E", true, "only 1 of 2 upstreams of domestic is trusted: answers of the others have no AD"},
        {"L", "EEe", true, "only 2 of 3 upstreams of external are trusted: answers of the others have no AD"},
        {"P", "E", true, PLAIN("domestic")},
        {"Pl", "Pe", true,
         "only 1 of 2 upstreams of domestic is trusted: answers of the others have no AD; " PLAIN(
             "domestic") "; only 1 of 2 upstreams of external is trusted: answers of the others have no "
                         "AD; " PLAIN("external")},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct group domestic = group_of("domestic", rows[i].domestic),
                     external = group_of("external", rows[i].external);
        char why[TRUST_TEXT_MAX];
        assert_int_equal(trust_reaches(&domestic, &external, why), rows[i].reaches);
        assert_string_equal(why, rows[i].why);
        close_group(&domestic);
        close_group(&external);
    }
}

static void what_is_too_long_is_cut(void **state)
{
    char name[400], why[TRUST_TEXT_MAX];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct group domestic = group_of(name, "Pl"), external = group_of(name, "Pe");
    assert_true(trust_reaches(&domestic, &external, why));
    assert_int_equal(strlen(why), TRUST_TEXT_MAX - 1);
    close_group(&domestic);
    close_group(&external);
    (void) state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_marks_come_to),
        cmocka_unit_test(what_is_too_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
