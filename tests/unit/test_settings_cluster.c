/*
 * test_settings_cluster.c: the keys "cluster.…": what each value comes to, or what is said of it.
 */
#include "base/supply.h"
#include "lib/check.h"
#include "lib/heap.h"
#include "settings/settings.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CLUSTER(text)                                                                                                  \
    "{\"upstreams\": {\"domestic\": [\"192.0.2.1\"], \"external\": [\"tls://198.51.100.1\"]}, \"presets\": [], "       \
    "\"cluster\": {" text "}}"
#define REDIS(url) CLUSTER("\"redis\": \"" url "\", \"vantage\": \"cn\"")
#define EXPECTED "(expected \"redis://192.0.2.5:6379\" or \"unix:///run/redis/redis.sock\")"
#define WORD "(expected 1 to 63 letters, digits, '.', '_' or '-', not these three alone)"
#define CREDENTIALS                                                                                                    \
    "cluster.redis: user and password do not stand here, nor anything behind '?': set cluster.user and "               \
    "cluster.password_file"
#define TEN "abcdefghij"
#define SIXTY TEN TEN TEN TEN TEN TEN
#define PUBLIC                                                                                                         \
    " is a public address, and Redis is spoken in clear: who is on the way reads and changes what is shared; a "       \
    "private network or a tunnel keeps it out"

static char heard[4096];

static void hear(void *context, const char *text)
{
    (void) context;
    size_t len = strlen(heard);
    snprintf(heard + len, sizeof(heard) - len, "%s%s", len > 0 ? "\n" : "", text);
}

/* What is said is in `heard`. */
static struct settings *read_on(const char *host, const char *text)
{
    const struct settings_sources sources = {.resolv_conf = "/nowhere", .presets = "/nowhere", .host = host};
    char                          path[64];
    int                           fd = memfd_create("byway.json", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    heard[0]               = '\0';
    struct settings *found = settings_read(path, &sources, hear, NULL);
    close(fd);
    return found;
}

static struct settings *good(const char *text)
{
    struct settings *settings = read_on("mx1.example", text);
    if (!settings || heard[0] != '\0')
        fail_msg("%s\nsays: %s", text, heard);
    return settings;
}

struct row {
    const char *config, *expected;
};

static void check_rows(const struct row *rows, size_t count, bool usable)
{
    for (size_t i = 0; i < count; i++) {
        struct settings *settings = read_on("mx1.example", rows[i].config);
        if ((settings != NULL) != usable || strcmp(heard, rows[i].expected) != 0)
            fail_msg("%s\n  expected: %s\n  told:     %s%s", rows[i].config, rows[i].expected, heard,
                     settings ? " (and was read)" : "");
        settings_destroy(settings);
    }
}

static void test_off(void **state)
{
    (void) state;
    static const char *const texts[] = {CLUSTER(""), CLUSTER("\"#redis\": \"redis://192.0.2.5\"")};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct settings *s = good(texts[i]);
        assert_false(s->cluster.on);
        assert_string_equal(s->cluster.name, "byway");
        assert_string_equal(s->cluster.node, "");
        settings_destroy(s);
    }
}

static void test_everything_set(void **state)
{
    (void) state;
    struct settings               *s = good(CLUSTER("\"redis\": \"redis://[2001:db8::5]:6380\", \"name\": \"mail_1\", "
                                                                  "\"vantage\": \"cn\", \"node\": \"mx-2.example\", \"user\": "
                                                                  "\"byway\", \"password_file\": \"/nowhere/password\""));
    const struct settings_cluster *cluster = &s->cluster;
    char                           text[ADDRESS_TEXT_MAX];
    assert_true(cluster->on && !cluster->local);
    assert_string_equal(address_format(&cluster->address, text), "[2001:db8::5]:6380");
    assert_string_equal(cluster->name, "mail_1");
    assert_string_equal(cluster->vantage, "cn");
    assert_string_equal(cluster->node, "mx-2.example");
    assert_string_equal(cluster->user, "byway");
    assert_string_equal(cluster->password_file, "/nowhere/password");
    settings_destroy(s);
}

/* A password without a user is that of Redis' default user. */
static void test_defaults(void **state)
{
    (void) state;
    struct settings *s = good(CLUSTER("\"redis\": \"redis://192.0.2.5\", \"vantage\": \"cn\", \"password_file\": "
                                      "\"/nowhere/password\""));
    char             text[ADDRESS_TEXT_MAX];
    assert_string_equal(address_format(&s->cluster.address, text), "192.0.2.5:6379");
    assert_string_equal(s->cluster.name, "byway");
    assert_string_equal(s->cluster.node, "mx1.example");
    assert_null(s->cluster.user);
    settings_destroy(s);
}

static void test_socket(void **state)
{
    (void) state;
    struct settings *s = good(REDIS("unix:///run/redis@1/redis.sock"));
    assert_true(s->cluster.on && s->cluster.local);
    assert_string_equal(s->cluster.path, "/run/redis@1/redis.sock");
    settings_destroy(s);
    s = good(REDIS("unix:///123456" SIXTY TEN TEN TEN TEN)); /* 107 bytes, as many as fit */
    assert_int_equal(strlen(s->cluster.path), 107);
    settings_destroy(s);
}

static void test_bad_places(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {REDIS("redis://redis.example:6379"),
         "cluster.redis: names are not looked up: \"redis.example:6379\" (write Redis' address)"},
        {REDIS("redis://localhost"), "cluster.redis: names are not looked up: \"localhost\" (write Redis' address)"},
        {REDIS("redis://a1:6379"), "cluster.redis: names are not looked up: \"a1:6379\" (write Redis' address)"},
        {REDIS("redis://:secret@192.0.2.5"), CREDENTIALS},
        {REDIS("redis://byway:secret@192.0.2.5:6379/0"), CREDENTIALS},
        {REDIS("byway:secret@192.0.2.5"), CREDENTIALS},
        {REDIS("unix://byway:secret@/run/redis.sock"), CREDENTIALS},
        {REDIS("unix:///run/redis.sock?password=secret"), CREDENTIALS},
        {REDIS("rediss://192.0.2.5:6380"),
         "cluster.redis: Redis is not spoken over TLS: reach it by its Unix socket, a private network or a "
         "tunnel " EXPECTED},
        {REDIS("redis://192.0.2.5:6379/0"),
         "cluster.redis: nothing stands behind the port: byway keeps what it shares in Redis' database 0"},
        {REDIS("redis://2001:db8::5:6379"),
         "cluster.redis: an IPv6 address stands in brackets: \"redis://[2001:db8::5]:6379\""},
        {REDIS("redis://192.0.2.5:0"), "cluster.redis: port 0 in \"192.0.2.5:0\" (expected 1 to 65535)"},
        {REDIS("redis://192.0.2.5:65536"), "cluster.redis: not an address: \"192.0.2.5:65536\" (a port is 1 to 65535)"},
        {REDIS("redis://192.0.2"), "cluster.redis: not an address: \"192.0.2\" " EXPECTED},
        {REDIS("redis://"), "cluster.redis: not an address: \"\" " EXPECTED},
        {REDIS("redis://0.0.0.0"),
         "cluster.redis: nobody can be asked at \"0.0.0.0\": it stands for every address of a machine"},
        {REDIS("192.0.2.5:6379"), "cluster.redis: not where a Redis is: \"192.0.2.5:6379\" " EXPECTED},
        {REDIS("/run/redis.sock"), "cluster.redis: not where a Redis is: \"/run/redis.sock\" " EXPECTED},
        {REDIS(""), "cluster.redis: not where a Redis is: \"\" " EXPECTED},
        {REDIS("unix://redis.sock"), "cluster.redis: not an absolute path: \"redis.sock\" " EXPECTED},
        {REDIS("unix:///1234567" SIXTY TEN TEN TEN TEN), "cluster.redis: path too long (at most 107 bytes)"},
        {CLUSTER("\"redis\": 6379, \"vantage\": \"cn\""),
         "cluster.redis: expected \"redis://192.0.2.5:6379\" or \"unix:///run/redis/redis.sock\", not a number"},
    };
    check_rows(rows, ARRAY_LEN(rows), false);
}

static void test_bad_words(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {CLUSTER("\"redis\": \"redis://192.0.2.5\""),
         "cluster.vantage: missing (expected from where this node looks, like \"cn\": nodes with the same word believe "
         "each other)"},
        {CLUSTER("\"redis\": \"redis://192.0.2.5\", \"vantage\": \"\", \"name\": \"a:b\", \"node\": \"a b\""),
         "cluster.name: cannot be used: \"a:b\" " WORD "\ncluster.vantage: cannot be used: \"\" " WORD
         "\ncluster.node: cannot be used: \"a b\" " WORD},
        {CLUSTER("\"redis\": \"redis://192.0.2.5\", \"vantage\": \"-\", \"node\": \"._-\""),
         "cluster.vantage: cannot be used: \"-\" " WORD "\ncluster.node: cannot be used: \"._-\" " WORD},
        {CLUSTER("\"redis\": \"redis://192.0.2.5\", \"vantage\": \"" SIXTY "1234\""),
         "cluster.vantage: cannot be used: \"" SIXTY "1234\" " WORD},
        {CLUSTER("\"redis\": \"redis://192.0.2.5\", \"vantage\": \"cn\", \"user\": \"byway\""),
         "cluster.password_file: missing: \"user\" has a password"},
        {CLUSTER("\"redis\": \"redis://192.0.2.5\", \"vantage\": \"cn\", \"user\": \"by way\""),
         "cluster.user: a user of Redis has 1 to 255 bytes and no blank: \"by way\""},
        {CLUSTER("\"redis\": \"redis://192.0.2.5\", \"vantage\": \"cn\", \"user\": \"\""),
         "cluster.user: a user of Redis has 1 to 255 bytes and no blank: \"\""},
        {CLUSTER("\"redis\": \"redis://192.0.2.5\", \"vantage\": \"cn\", \"password_file\": \"secret\""),
         "cluster.password_file: not an absolute path: \"secret\""},
        {CLUSTER("\"rediss\": \"redis://192.0.2.5\""), "cluster.rediss: unknown key (did you mean \"cluster.redis\"?)\n"
                                                       "warning: cluster.redis: missing: nothing is shared " EXPECTED},
    };
    check_rows(rows, ARRAY_LEN(rows), false);
    settings_destroy(good(CLUSTER("\"redis\": \"redis://192.0.2.5\", \"vantage\": \"" SIXTY "123\"")));
}

static void test_warnings(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {CLUSTER("\"vantage\": \"cn\""), "warning: cluster.redis: missing: nothing is shared " EXPECTED},
        {REDIS("redis://8.8.8.8"), "warning: cluster.redis: 8.8.8.8:6379" PUBLIC},
        {REDIS("redis://172.32.0.1"), "warning: cluster.redis: 172.32.0.1:6379" PUBLIC},
        {REDIS("redis://100.128.0.1"), "warning: cluster.redis: 100.128.0.1:6379" PUBLIC},
        {REDIS("redis://[2600::5]:7000"), "warning: cluster.redis: [2600::5]:7000" PUBLIC},
        {REDIS("redis://127.0.0.2"), ""},
        {REDIS("redis://10.1.2.3"), ""},
        {REDIS("redis://172.31.255.1"), ""},
        {REDIS("redis://192.168.1.1"), ""},
        {REDIS("redis://100.127.0.1"), ""},
        {REDIS("redis://169.254.1.1"), ""},
        {REDIS("redis://[::1]"), ""},
        {REDIS("redis://[fd00::5]"), ""},
        {REDIS("redis://[fe80::5%lo]"), ""},
    };
    check_rows(rows, ARRAY_LEN(rows), true);
}

/* The machine's name stands in for the node's only where it tells it from others, and only when it is needed. */
static void test_machines_name(void **state)
{
    (void) state;
    static const char        on[] = REDIS("redis://192.0.2.5"), off[] = CLUSTER("");
    static const char *const unfit[] = {"localhost", "localhost.localdomain", "", "(none)", SIXTY "1234"};
    for (size_t i = 0; i < ARRAY_LEN(unfit); i++) {
        char expected[256];
        snprintf(expected, sizeof(expected),
                 "cluster.node: missing, and this machine's name \"%s\" cannot stand in for it", unfit[i]);
        assert_null(read_on(unfit[i], on));
        assert_string_equal(heard, expected);
        struct settings *s = read_on(unfit[i], off);
        assert_non_null(s);
        assert_string_equal(heard, "");
        settings_destroy(s);
    }
    char own[256] = "";
    assert_int_equal(gethostname(own, sizeof(own) - 1), 0);
    struct settings *s = read_on(NULL, on);
    if (s)
        assert_string_equal(s->cluster.node, own);
    else
        assert_non_null(strstr(heard, own));
    settings_destroy(s);
}

static void test_out_of_memory(void **state)
{
    (void) state;
    static const char text[] = CLUSTER("\"redis\": \"redis://192.0.2.5\", \"vantage\": \"cn\", \"user\": \"byway\", "
                                       "\"password_file\": \"/nowhere/password\"");
    json_set_alloc_funcs(supply_take, supply_give);
    size_t before = heap_count();
    settings_destroy(good(text));
    size_t count = heap_count() - before;
    assert_in_range(count, 100, 1000);
    for (size_t i = 0; i < count; i++) {
        heap_fail_at(i);
        struct settings *settings = read_on("mx1.example", text);
        assert_true(heap_restore());
        if (settings || !strstr(heard, "out of memory"))
            fail_msg("allocation %zu: %s", i, heard);
    }
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),      cmocka_unit_test(test_everything_set), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_socket),   cmocka_unit_test(test_bad_places),     cmocka_unit_test(test_bad_words),
        cmocka_unit_test(test_warnings), cmocka_unit_test(test_machines_name),  cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
