/*
 * test_settings.c: configurations and what is said of them, one row each; then what good ones come to, and that the
 * files which ship, the schema and the manual page agree with settings.def.
 */
#include "settings/settings.h"

#include "base/supply.h"
#include "base/units.h"
#include "dns/text.h"
#include "lib/check.h"
#include "lib/heap.h"
#include "lib/identity.h"
#include "lib/names.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVERS "\"upstreams\": {\"domestic\": [\"192.0.2.1\"], \"external\": [\"198.51.100.1\"]}"
#define WITH(text) "{" SERVERS ", " text "}"
#define UPSTREAMS(text) "{\"upstreams\": {" text "}}"
#define FORM                                                                                                           \
    "(expected \"192.0.2.1\", \"192.0.2.1:5353\", \"[2001:db8::1]:53\", \"tcp://192.0.2.1\", "                         \
    "\"tls://192.0.2.1#dns.example.net\" or \"https://192.0.2.1/dns-query#dns.example.net\")"
#define DURATION "a duration like \"250ms\", \"10m\" or \"1d\""
#define SIZE "a size like \"512KiB\", \"64MiB\" or \"2GiB\""
#define EIGHT(sep)                                                                                                     \
    "\"192.0.2.1\"" sep "\"192.0.2.2\"" sep "\"192.0.2.3\"" sep "\"192.0.2.4\"" sep "\"192.0.2.5\"" sep                \
    "\"192.0.2.6\"" sep "\"192.0.2.7\"" sep "\"192.0.2.8\""

static char source_root[PATH_MAX];

static const struct settings_sources sources = {.resolv_conf = "resolv.conf", .presets = "presets"};

struct told {
    char text[16384];
    bool plain; /* hears that external is plain DNS, too */
};

static void hear(void *context, const char *text)
{
    struct told *told = context;
    size_t       len  = strlen(told->text);
    if (strstr(text, "plain DNS: who stands") && !told->plain) /* most of these have such an external */
        return;
    assert_null(strchr(text, '\n'));
    snprintf(told->text + len, sizeof(told->text) - len, "%s%s", len > 0 ? "\n" : "", text);
}

static void put(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void put_text(const char *path, const char *text) { put(path, text, strlen(text)); }

static struct settings *read_text(const char *text, struct told *told)
{
    *told = (struct told){.plain = false};
    put_text("byway.json", text);
    return settings_read("byway.json", &sources, hear, told);
}

/* Reads `text`, which must be usable without a word. */
static struct settings *good(const char *text)
{
    struct told      told;
    struct settings *settings = read_text(text, &told);
    if (!settings || told.text[0] != '\0')
        fail_msg("%s\nsays: %s", text, told.text);
    return settings;
}

struct row {
    const char *config, *expected;
};

static void check_rows(const struct row *rows, size_t count)
{
    size_t bad = 0;
    for (size_t i = 0; i < count; i++) {
        struct told      told;
        struct settings *settings = read_text(rows[i].config, &told);
        if (settings || strcmp(told.text, rows[i].expected) != 0) {
            print_error("%s\n  expected: %s\n  told:     %s%s\n", rows[i].config, rows[i].expected, told.text,
                        settings ? " (and was read)" : "");
            bad++;
        }
        settings_destroy(settings);
    }
    assert_int_equal(bad, 0);
}

static void test_syntax(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"", "byway.json:1:1: the file is empty (expected one object: {\"upstreams\": …})"},
        {" \n // nothing\n",
         "byway.json:1:1: the file has nothing but comments (expected one object: {\"upstreams\": …})"},
        {"{\n  \"listen\" []\n}", "byway.json:2:12: ':' expected near '['"},
        {"{\"workers\": 1,,}", "byway.json:1:15: string or '}' expected near ','"},
        {"{\"workers\":,}", "byway.json:1:12: unexpected token near ','"},
        {"{,}", "byway.json:1:2: string or '}' expected near ','"},
        {"{\"workers\": 01}", "byway.json:1:13: invalid token near '0'"},
        {"{\"workers\": 1\n\"listen\": []}", "byway.json:2:8: ',' or '}' expected near '\"listen\"'"},
        {"{\"presets\": [\"a\" \"b\"]}", "byway.json:1:20: ',' or ']' expected near '\"b\"'"},
        {"{\"workers\": 1\n", "byway.json:2:1: ',' or '}' expected near end of file"},
        {"{\"user\": \"a", "byway.json:1:11: premature end of input near '\"a'"},
        {"{'workers': 1}",
         "byway.json:1:2: string or '}' expected near ''' (strings have double quotes, \"like this\")"},
        {"{\"user\": \xe2\x80\x9c"
         "byway\xe2\x80\x9d}",
         "byway.json:1:10: invalid token near '\xe2\x80\x9c' (strings have double quotes, \"like this\")"},
        {"{\n# listen\n}", "byway.json:2:1: string or '}' expected near '#' (a comment begins with //)"},
        {"{\"workers\" = 1}", "byway.json:1:12: ':' expected near '=' (a key and its value have ':' between them)"},
        {"workers: 1", "byway.json:1:7: '{' expected near 'workers'"},
        {"{\"workers\": 0x10}", "byway.json:1:14: ',' or '}' expected near 'x'"},
        {"{\"user\": True}", "byway.json:1:13: invalid token near 'True' (strings have double quotes, \"like this\")"},
        {WITH("\"workers\": 1") " x", "byway.json:1:88: end of file expected near 'x'"},
        {"[]", "byway.json: expected one object, not a list"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

/* Places are those of the text as it was written, its columns in characters. */
static void test_comments(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"{ // ein B\xc3\xbc"
         "cherwurm\n /* \xc3\xa4\xc3\xb6\xc3\xbc\r\n */ \"listen\" [] }",
         "byway.json:3:14: ':' expected near '['"},
        {"/* \xe4\xb8\xad\xe6\x96\x87 */ { \"a\" 1 }", "byway.json:1:16: ':' expected near '1'"},
        {"{ \"workers\": 1 } /* and\nso on", "byway.json:1:18: this comment does not end (expected \"*/\")"},
        {"{ /* a \xe9 in Latin-1 */ \"user\": \"\xe9\" }", "byway.json:1:33: not UTF-8: byte 0xe9"},
        {"{" SERVERS ", // one\n\"workers\": 1, /* \"workers\": 3,\n */ \"workers\": 2,}",
         "workers: given twice (lines 2 and 3)"},
        {"{" SERVERS ", \"#\": 1, // \"log\": {},\n\"#\": 2, \"log\": {}, \"log\": {},}",
         "log: given twice (lines 2 and 2)"},
    };
    check_rows(rows, ARRAY_LEN(rows));
    settings_destroy(
        good("// first\n{ /**/ \"upstreams\": { // groups\n"
             "  \"domestic\": [\"192.0.2.1\", /* near */ ], \"external\": [\"198.51.100.1\",\n// far\n],\n},\n"
             "\"#\": \"// no comment, \\\" /* nor this ,}\", \"state\": \"/a//b/*c*/,]\" , } // last"));
}

static void test_encodings(void **state)
{
    (void) state;
    static const struct {
        const char *bytes;
        size_t      len;
        const char *expected;
    } rows[] = {
#define ROW(bytes, expected) {bytes, sizeof(bytes) - 1, "text.json:" expected}
        ROW("\xef\xbb\xbf{}", "1:1: the file begins with a byte order mark (BOM): save it as UTF-8 without one"),
        ROW("\xff\xfe{\0}\0", "1:1: the file is written in UTF-16 or UTF-32: save it as UTF-8"),
        ROW("\xfe\xff\0{\0}", "1:1: the file is written in UTF-16 or UTF-32: save it as UTF-8"),
        ROW("{\0}\0", "1:1: the file is written in UTF-16 or UTF-32: save it as UTF-8"),
        ROW("\0{\0}", "1:1: the file is written in UTF-16 or UTF-32: save it as UTF-8"),
        ROW("{}\0{}", "1:3: a NUL byte: the file is no text"),
        ROW("\0\0\0", "1:1: a NUL byte: the file is no text"),
        ROW("{\n \"\xfc\": 1}", "2:3: not UTF-8: byte 0xfc"),
#undef ROW
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct told told = {""};
        put("text.json", rows[i].bytes, rows[i].len);
        assert_null(settings_read("text.json", &sources, hear, &told));
        assert_string_equal(told.text, rows[i].expected);
    }
}

static void test_unknown_keys(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {WITH("\"lisen\": []"), "lisen: unknown key (did you mean \"listen\"?)"},
        {WITH("\"cahce\": {}"), "cahce: unknown key (did you mean \"cache\"?)"},
        {WITH("\"cache\": {\"min-ttl\": \"1s\"}"), "cache.min-ttl: unknown key (did you mean \"cache.min_ttl\"?)"},
        {WITH("\"cache\": {\"deadline\": 1}"), "cache.deadline: unknown key (write {\"fallback\": {\"deadline\": …}})"},
        {WITH("\"patience\": \"1s\""), "patience: unknown key (write {\"fallback\": {\"patience\": …}})"},
        {WITH("\"Recheck-First\": 1"), "Recheck-First: unknown key (write {\"learning\": {\"recheck_first\": …}})"},
        {WITH("\"cache.memory\": 1"), "[\"cache.memory\"]: unknown key (write {\"cache\": {\"memory\": …}})"},
        {WITH("\"cache.memroy\": 1"), "[\"cache.memroy\"]: unknown key (write {\"cache\": {\"memory\": …}})"},
        {WITH("\"cache\": {\"cache.memory\": 1}"),
         "cache[\"cache.memory\"]: unknown key (write {\"cache\": {\"memory\": …}})"},
        {WITH("\"cache\": {\"workers\": 1}"), "cache.workers: unknown key (write {\"workers\": …} at the top)"},
        {WITH("\"upstreams.office\": []"),
         "[\"upstreams.office\"]: unknown key (write {\"upstreams\": {\"office\": …}})"},
        {WITH("\"Workers\": 1"), "Workers: unknown key (did you mean \"workers\"?)"},
        {WITH("\"CACHE\": {}"), "CACHE: unknown key (did you mean \"cache\"?)"},
        {WITH("\"a.b\": 1"), "[\"a.b\"]: unknown key"},
        {WITH("\"zones\": [{\"Zone\": \"a\", \"via\": \"auto\"}]"),
         "zones[0].Zone: unknown key (did you mean \"zone\"?)\nzones[0].zone: missing (expected a zone's name)"},
        {WITH("\"colour\": 1, \"#colour\": 2"), "colour: unknown key"},
        {WITH("\"a\\nb\": 1"), "[\"a\\x0ab\"]: unknown key"},
        {WITH("\"\\u009b2J\": 1"), "[\"\\xc2\\x9b2J\"]: unknown key"},
        {WITH("\"\\u202eyek\": 1"), "[\"\\xe2\\x80\\xaeyek\"]: unknown key"},
        {WITH("\"b\xc3\xbc"
              "cher\": 1"),
         "[\"b\xc3\xbc"
         "cher\"]: unknown key"},
        {WITH("\"log\": {\"\\u001b[31m\": 1}"), "log[\"\\x1b[31m\"]: unknown key"},
        {WITH("\"user\": \"\\u009b31m\""), "user: no such user: \"\\xc2\\x9b31m\""},
        {WITH("\"zones\": [{\"zone\": \"a\", \"via\": \"auto\", \"vai\": 1, \"#\": 1}]"),
         "zones[0].vai: unknown key (did you mean \"via\"?)"},
        {UPSTREAMS("\"domestic\": [{\"address\": \"192.0.2.1\", \"trust\": true}], \"external\": [\"192.0.2.2\"]"),
         "upstreams.domestic[0].trust: unknown key (did you mean \"trusted\"?)"},
        {UPSTREAMS("\"domestic\": [{\"address\": \"192.0.2.1\", \"mixcase\": true}], \"external\": [{\"address\": "
                   "\"192.0.2.2\", \"mix_case\": \"yes\", \"trusted\": null}]"),
         "upstreams.domestic[0].mixcase: unknown key (did you mean \"mix_case\"?)\n"
         "upstreams.external[0].trusted: expected true or false\n"
         "upstreams.external[0].mix_case: expected true or false"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_duplicates(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"{" SERVERS ",\n\"workers\": 1,\n\"workers\": 2}", "workers: given twice (lines 2 and 3)"},
        {WITH("\"cache\": {\"stale\": \"1s\",\n\"st\\u0061le\": \"2s\"}"), "cache.stale: given twice (lines 1 and 2)"},
        {WITH("\"presets\": [], \"presets\": [], \"presets\": []"),
         "presets: given twice (lines 1 and 1)\npresets: given twice (lines 1 and 1)"},
        {WITH("\"zones\": [\n{\"zone\": \"a\", \"via\": \"auto\"},\n{\"zone\": \"b\", \"via\": \"auto\",\n"
              "\"via\": \"refuse\"}]"),
         "zones[1].via: given twice (lines 3 and 4)"},
        {UPSTREAMS("\"domestic\": [\"192.0.2.1\"], \"external\": [\"192.0.2.2\"], \"external\": [\"192.0.2.3\"]"),
         "upstreams.external: given twice (lines 1 and 1)"},
        {WITH("\"log\": {\"level\": \"info\"}, \"#\": \"}\\\"\", \"#\": {\"a\": 1, \"a\": 2}, \"log\": {}"),
         "log: given twice (lines 1 and 1)"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_scalars(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {WITH("\"workers\": 0"), "workers: 0 is out of range (1 to 64)"},
        {WITH("\"workers\": 65"), "workers: 65 is out of range (1 to 64)"},
        {WITH("\"workers\": -9223372036854775808"), "workers: -9223372036854775808 is out of range (1 to 64)"},
        {WITH("\"workers\": 2.0"), "workers: expected a whole number, not a fraction"},
        {WITH("\"workers\": \"2\""), "workers: expected a whole number, not a string"},
        {WITH("\"workers\": null"), "workers: expected a whole number, not null"},
        {WITH("\"user\": \"no-such-user-here\""), "user: no such user: \"no-such-user-here\""},
        {WITH("\"user\": 0"), "user: expected a user's name, not a number"},
        {WITH("\"control\": {\"group\": \"no-such-group-here\"}"),
         "control.group: no such group on this system: \"no-such-group-here\""},
        {WITH("\"control\": {\"socket\": \"control.sock\"}"), "control.socket: not an absolute path: \"control.sock\""},
        {WITH("\"control\": []"), "control: expected an object, not a list"},
        {WITH("\"state\": \"\""), "state: not an absolute path: \"\""},
        {WITH("\"state\": {}"), "state: expected an absolute path, not an object"},
        {WITH("\"fallback\": {\"deadline\": \"999ms\"}"), "fallback.deadline: 999ms is out of range (1s to 30s)"},
        {WITH("\"fallback\": {\"deadline\": \"31s\"}"), "fallback.deadline: 31s is out of range (1s to 30s)"},
        {WITH("\"fallback\": {\"deadline\": 4500}"), "fallback.deadline: expected " DURATION ", not a number"},
        {WITH("\"fallback\": {\"deadline\": \"4.5s\"}"),
         "fallback.deadline: not a duration: \"4.5s\" (expected " DURATION ")"},
        {WITH("\"fallback\": {\"patience\": \"3s\", \"deadline\": \"2s\"}"),
         "fallback.patience: must not be longer than fallback.deadline, which is 2s"},
        {WITH("\"fallback\": {\"patience\": \"10s\"}"),
         "fallback.patience: must not be longer than fallback.deadline, which is 4500ms by default"},
        {WITH("\"fallback\": {\"patience\": \"31s\"}"), "fallback.patience: 31s is out of range (0ms to 30s)"},
        {WITH("\"fallback\": {\"patience\": \"Auto\"}"),
         "fallback.patience: not a duration: \"Auto\" (expected " DURATION ")"},
        {WITH("\"fallback\": {\"patience\": true}"),
         "fallback.patience: expected \"auto\" or a duration like \"250ms\", not true"},
        {WITH("\"fallback\": {\"on\": [\"timeout\", \"nodata\", \"timeout\", 1]}"),
         "fallback.on[1]: unknown word: \"nodata\" (expected one of \"timeout\", \"servfail\", \"refused\", "
         "\"forged\", \"nxdomain\")\n"
         "fallback.on[2]: \"timeout\" is listed already\n"
         "fallback.on[3]: expected one of \"timeout\", \"servfail\", \"refused\", \"forged\", \"nxdomain\", not a "
         "number"},
        {WITH("\"fallback\": {\"on\": \"timeout\"}"), "fallback.on: expected a list of outcomes, not a string"},
        {WITH("\"blocklists\": {\"errors\": \"nxdomain\"}"),
         "blocklists.errors: unknown word: \"nxdomain\" (expected one of \"servfail\", \"pass\")"},
        {WITH("\"blocklists\": {\"errors\": false}"),
         "blocklists.errors: expected one of \"servfail\", \"pass\", not false"},
        {WITH("\"learning\": {\"mode\": \"maybe\"}"),
         "learning.mode: unknown word: \"maybe\" (expected one of \"on\", \"observe\", \"off\")"},
        {WITH("\"learning\": {\"recheck_first\": \"2h\", \"recheck_max\": \"1h\"}"),
         "learning.recheck_max: must not be shorter than learning.recheck_first, which is 2h"},
        {WITH("\"learning\": {\"recheck_first\": \"2d\"}"),
         "learning.recheck_first: must not be longer than learning.recheck_max, which is 1d by default"},
        {WITH("\"learning\": {\"recheck_max\": \"1m\"}"),
         "learning.recheck_max: must not be shorter than learning.recheck_first, which is 10m by default"},
        {WITH("\"learning\": {\"recheck_first\": \"10ms\"}"),
         "learning.recheck_first: 10ms is out of range (1s to 30d)"},
        {WITH("\"learning\": {\"recover_after\": 101, \"max_zones\": 999}"),
         "learning.recover_after: 101 is out of range (1 to 100)\n"
         "learning.max_zones: 999 is out of range (1000 to 10000000)"},
        {WITH("\"learning\": {\"recheck_share\": 0.09}"), "learning.recheck_share: 0.09 is out of range (0.1 to 100)"},
        {WITH("\"learning\": {\"recheck_share\": 101}"), "learning.recheck_share: 101 is out of range (0.1 to 100)"},
        {WITH("\"learning\": {\"recheck_share\": 1e308}"),
         "learning.recheck_share: 1e+308 is out of range (0.1 to 100)"},
        {WITH("\"learning\": {\"recheck_share\": -1}"), "learning.recheck_share: -1 is out of range (0.1 to 100)"},
        {WITH("\"learning\": {\"recheck_share\": \"1%\"}"),
         "learning.recheck_share: expected a number of percent, not a string"},
        {WITH("\"limits\": {\"external_qps\": 0}"), "limits.external_qps: 0 is out of range (1 to 1000000)"},
        {WITH("\"limits\": {\"external_qps\": 1000001}"),
         "limits.external_qps: 1000001 is out of range (1 to 1000000)"},
        {WITH("\"limits\": {\"external_qps\": 0.5}"), "limits.external_qps: expected a whole number, not a fraction"},
        {WITH("\"limits\": {\"client_qps\": -1}"), "limits.client_qps: -1 is out of range (0 to 1000000)"},
        {WITH("\"limits\": {\"client_qps\": 1000001}"), "limits.client_qps: 1000001 is out of range (0 to 1000000)"},
        {WITH("\"limits\": {\"client_exempt\": \"127.0.0.1\"}"),
         "limits.client_exempt: expected a list of CIDR blocks, not a string"},
        {WITH("\"limits\": {\"client_exempt\": [\"192.0.2.1/24\"]}"),
         "limits.client_exempt[0]: not a CIDR block: \"192.0.2.1/24\" (bits are set behind its prefix: write "
         "\"192.0.2.0/24\", "
         "or \"192.0.2.1\" for this address alone)"},
        {WITH("\"limits\": {\"external_qbs\": 5}"),
         "limits.external_qbs: unknown key (did you mean \"limits.external_qps\"?)"},
        {WITH("\"cache\": {\"memory\": \"1MB\"}"), "cache.memory: not a size: \"1MB\" (expected " SIZE ")"},
        {WITH("\"cache\": {\"memory\": \"1023KiB\"}"), "cache.memory: 1023KiB is out of range (1MiB to 1024GiB)"},
        {WITH("\"cache\": {\"memory\": \"1025GiB\"}"), "cache.memory: 1025GiB is out of range (1MiB to 1024GiB)"},
        {WITH("\"cache\": {\"memory\": 67108864}"), "cache.memory: expected " SIZE ", not a number"},
        {WITH("\"cache\": {\"min_ttl\": \"2h\", \"max_ttl\": \"1h\"}"),
         "cache.max_ttl: must not be shorter than cache.min_ttl, which is 2h"},
        {WITH("\"cache\": {\"min_ttl\": \"2d\"}"),
         "cache.min_ttl: must not be longer than cache.max_ttl, which is 1d by default"},
        {WITH("\"cache\": {\"negative_max_ttl\": \"1500ms\"}"),
         "cache.negative_max_ttl: 1500ms is not a whole number of seconds"},
        {WITH("\"cache\": {\"negative-max-ttl\": \"1h\"}"),
         "cache.negative-max-ttl: unknown key (did you mean \"cache.negative_max_ttl\"?)"},
        {WITH("\"cache\": {\"min_ttl\": \"500ms\", \"stale\": \"366d\"}"),
         "cache.min_ttl: 500ms is not a whole number of seconds\n"
         "cache.stale: 366d is out of range (0ms to 365d)"},
        {WITH("\"log\": {\"queries\": \"extern\", \"querys\": \"all\"}"),
         "log.querys: unknown key (did you mean \"log.queries\"?)\n"
         "log.queries: unknown word: \"extern\" (expected one of \"off\", \"failed\", \"external\", \"all\")"},
        {WITH("\"log\": {\"level\": \"loud\", \"format\": \"xml\"}"),
         "log.level: unknown word: \"loud\" (expected one of \"error\", \"warning\", \"info\", \"debug\")\n"
         "log.format: unknown word: \"xml\" (expected one of \"text\", \"json\")"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_addresses(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {WITH("\"listen\": []"), "listen: expected one address at least"},
        {WITH("\"listen\": \"127.0.0.1\""), "listen: expected a list of addresses, not a string"},
        {WITH("\"listen\": [\"localhost\", \"127.0.0.1:0\", \"127.0.0.1\", \"127.0.0.1:53\", 53]"),
         "listen[0]: not an address: \"localhost\" (names are not looked up: write an address)\n"
         "listen[1]: port 0 in \"127.0.0.1:0\" (expected 1 to 65535)\n"
         "listen[3]: \"127.0.0.1:53\" is listed already\n"
         "listen[4]: expected an address like \"127.0.0.1:53\" or \"[::1]:53\", not a number"},
        {WITH("\"metrics\": {\"listen\": [\"127.0.0.1\"]}"),
         "metrics.listen: expected an address like \"127.0.0.1:9153\" or \"[::1]:9153\", not a list"},
        {WITH("\"metrics\": {\"listen\": \"9153\"}"),
         "metrics.listen: not an address: \"9153\" (expected an address like \"127.0.0.1:9153\" or \"[::1]:9153\")"},
        {WITH("\"metrics\": {\"listen\": \"::1:9153\"}"),
         "metrics.listen: \"::1:9153\" is an IPv6 address without a port: write \"[::1]:9153\""},
        {WITH("\"listen\": [\"192.0.2.80:9153\"], \"metrics\": {\"listen\": \"192.0.2.80\"}"),
         "metrics.listen: \"192.0.2.80\" is in listen already, which answers DNS there"},
        {WITH("\"allow\": []"), "allow: expected one block at least, or nobody may ask"},
        {WITH("\"allow\": [\"10.0.0.1/8\"]"),
         "allow[0]: not a CIDR block: \"10.0.0.1/8\" (bits are set behind its prefix: write \"10.0.0.0/8\", or "
         "\"10.0.0.1\" for this address alone)"},
        {WITH("\"allow\": [\"everybody\", \"::ffff:10.0.0.0/104\"]"),
         "allow[0]: not a CIDR block: \"everybody\" (expected a block like \"192.0.2.0/24\" or \"2001:db8::/32\")\n"
         "allow[1]: \"::ffff:10.0.0.0/104\" is an IPv4 block in IPv6's form: write \"10.0.0.0/8\""},
        {"{}", "upstreams.external: missing (expected a list of upstreams beyond the border)"},
        {UPSTREAMS(""), "upstreams.external: missing (expected a list of upstreams beyond the border)"},
        {"{\"upstreams\": []}", "upstreams: expected an object, not a list"},
        {UPSTREAMS("\"external\": [], \"domestic\": \"192.0.2.1\""),
         "upstreams.domestic: expected a list of upstreams, not a string\n"
         "upstreams.external: 0 upstreams are out of range (1 to 8)"},
        {UPSTREAMS("\"external\": [" EIGHT(", ") ", \"192.0.2.9\"]"),
         "upstreams.external: 9 upstreams are out of range (1 to 8)"},
        {UPSTREAMS("\"external\": [\"198.51.100.1\", \"1.2.3\", 4, {\"address\": \"tcp://1\", \"trusted\": 1}, {}]"),
         "upstreams.external[1]: not an address: \"1.2.3\" " FORM "\n"
         "upstreams.external[2]: expected an upstream's address as a string, or an object with \"address\", not a "
         "number\n"
         "upstreams.external[3].trusted: expected true or false\n"
         "upstreams.external[3].address: not an address: \"tcp://1\" " FORM "\n"
         "upstreams.external[4].address: missing " FORM},
        {UPSTREAMS("\"external\": [\"TLS://192.0.2.1\", \"udp://192.0.2.1\"]"),
         "upstreams.external[0]: unknown form \"TLS://\" in \"TLS://192.0.2.1\" " FORM "\n"
         "upstreams.external[1]: unknown form \"udp://\" in \"udp://192.0.2.1\" " FORM},
        {UPSTREAMS("\"external\": [\"tcp://::1:53\", \"tcp://dns.example\"]"),
         "upstreams.external[0]: \"::1:53\" is an IPv6 address without a port: write \"[::1]:53\"\n"
         "upstreams.external[1]: not an address: \"dns.example\" (names are not looked up: write an address)"},
        {UPSTREAMS("\"external\": [\"0.0.0.0\", \"192.0.2.1:0\", \"[::]:53\"]"),
         "upstreams.external[0]: nobody can be asked at \"0.0.0.0\": it stands for every address of a machine\n"
         "upstreams.external[1]: port 0 in \"192.0.2.1:0\" (expected 1 to 65535)\n"
         "upstreams.external[2]: nobody can be asked at \"[::]:53\": it stands for every address of a machine"},
        {UPSTREAMS("\"domestic\": [\"127.0.0.1\"], \"external\": [\"tcp://::1\"], \"office\": [\"127.0.0.1:53\"]"),
         "upstreams.domestic[0]: 127.0.0.1:53 is an address this server listens on: it would ask itself\n"
         "upstreams.external[0]: [::1]:53 is an address this server listens on: it would ask itself\n"
         "upstreams.office[0]: 127.0.0.1:53 is an address this server listens on: it would ask itself"},
        {"{\"listen\": [\"0.0.0.0:5300\"], \"upstreams\": {\"domestic\": [\"192.0.2.1\"], \"external\": "
         "[\"127.0.0.2:5300\", \"127.0.0.2:5301\", \"192.0.2.9:5300\"]}}",
         "upstreams.external[0]: 127.0.0.2:5300 is an address this server listens on: it would ask itself"},
        {UPSTREAMS("\"domestic\": [\"192.0.2.1\", \"tcp://192.0.2.1\", \"192.0.2.1:53\"], "
                   "\"external\": [\"tcp://192.0.2.1\", \"192.0.2.1:54\"]"),
         "upstreams.domestic[2]: 192.0.2.1:53 is in this group already\n"
         "upstreams.external[0]: 192.0.2.1:53 is a domestic upstream too: an upstream is on one side of the border"},
        {UPSTREAMS("\"external\": [\"198.51.100.1\"], \"auto\": [\"192.0.2.5\"], \"refuse\": [], \"a b\": []"),
         "upstreams.auto: a group cannot have this name: \"via\" gives it another meaning\n"
         "upstreams.refuse: a group cannot have this name: \"via\" gives it another meaning\n"
         "upstreams[\"a b\"]: not a group's name (1 to 32 letters, digits, '.', '_' or '-')"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

/* A near miss of the two groups that matter is no group of its own: mail would be lost, or a query leak. */
static void test_groups(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {UPSTREAMS("\"domestc\": [\"192.0.2.1\"], \"external\": [\"198.51.100.1\"]"),
         "upstreams.domestc: did you mean \"domestic\"?"},
        {UPSTREAMS("\"Domestic\": [\"192.0.2.1\"], \"extrenal\": [\"198.51.100.1\"]"),
         "upstreams.Domestic: did you mean \"domestic\"?\nupstreams.extrenal: did you mean \"external\"?"},
        {"{\"upstreams\": {\"domestik\": [\"192.0.2.1\"], \"external\": [\"198.51.100.1\"]}, "
         "\"zones\": [{\"zone\": \"a\", \"via\": \"domestik\"}]}",
         "upstreams.domestik: did you mean \"domestic\"?"},
        {UPSTREAMS("\"domestic\": [\"192.0.2.1\"], \"external\": [\"198.51.100.1\"], \"domesitc\": [\"192.0.2.2\"]"),
         "upstreams.domesitc: no zone goes via this group (did you mean \"domestic\"?)"},
        {UPSTREAMS("\"domestic\": [\"192.0.2.1\"], \"external\": [\"198.51.100.1\"], \"externals\": [\"192.0.2.2\"]"),
         "upstreams.externals: no zone goes via this group (did you mean \"external\"?)"},
        {"{\"upstreams\": {\"domestic\": [\"192.0.2.1\"], \"external\": [\"198.51.100.1\"], \"office\": "
         "[\"10.0.0.1\"]}, \"zones\": [{\"zone\": \"a\", \"via\": \"ofice\"}, {\"zone\": \"b\", \"via\": "
         "\"Domestic\"}, {\"zone\": \"c\", \"via\": \"reufse\"}, {\"zone\": \"d\", \"via\": \"192.0.2.1\"}]}",
         "zones[0].via: no such group: \"ofice\" (did you mean \"office\"?)\n"
         "zones[1].via: no such group: \"Domestic\" (did you mean \"domestic\"?)\n"
         "zones[2].via: no such group: \"reufse\" (did you mean \"refuse\"?)\n"
         "zones[3].via: no such group: \"192.0.2.1\" (expected \"auto\", \"refuse\" or a key of upstreams)"},
    };
    check_rows(rows, ARRAY_LEN(rows));
    /* one that a zone goes via is meant, however it is called */
    settings_destroy(good("{\"upstreams\": {\"domestic\": [\"192.0.2.1\"], \"external\": [\"198.51.100.1\"], "
                          "\"domestic2\": [\"10.0.0.1\"]}, \"zones\": [{\"zone\": \"a\", \"via\": \"domestic2\"}]}"));
}

/* As the manual says: sixteen, with the two that must be. */
static void test_sixteen_groups(void **state)
{
    (void) state;
    for (unsigned count = 16; count <= 17; count++) {
        char         text[4096] = "{\"upstreams\": {\"domestic\": [\"192.0.2.1\"], \"external\": [\"198.51.100.1\"]";
        struct told  told;
        const size_t room = sizeof(text);
        for (unsigned i = 2; i < count; i++)
            snprintf(text + strlen(text), room - strlen(text), ", \"site%u\": [\"10.0.0.%u\"]", i, i);
        snprintf(text + strlen(text), room - strlen(text), "}, \"zones\": [");
        for (unsigned i = 2; i < count; i++)
            snprintf(text + strlen(text), room - strlen(text), "%s{\"zone\": \"z%u\", \"via\": \"site%u\"}",
                     i > 2 ? ", " : "", i, i);
        snprintf(text + strlen(text), room - strlen(text), "]}");
        struct settings *settings = read_text(text, &told);
        assert_int_equal(settings != NULL, count == 16);
        assert_int_equal(strstr(told.text, "upstreams.site16: too many groups (at most 16)") != NULL, count == 17);
        settings_destroy(settings);
    }
}

static void test_zones(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {WITH("\"zones\": {}"), "zones: expected a list of objects with \"zone\" and \"via\", not an object"},
        {WITH("\"zones\": [\"a.example\", {}, {\"zone\": 1, \"via\": 2}]"),
         "zones[0]: expected an object, not a string\n"
         "zones[1].zone: missing (expected a zone's name)\n"
         "zones[1].via: missing (expected \"auto\", \"refuse\" or a group's name)\n"
         "zones[2].zone: expected a zone's name, not a number\n"
         "zones[2].via: expected \"auto\", \"refuse\" or a group's name, not a number"},
        {WITH("\"zones\": [{\"zone\": \"a..b\", \"via\": \"office\"}]"),
         "zones[0].zone: not a domain name: \"a..b\"\n"
         "zones[0].via: no such group: \"office\" (expected \"auto\", \"refuse\" or a key of upstreams)"},
        {WITH("\"zones\": [{\"zone\": \"*.corp.example\", \"via\": \"domestic\"}, {\"zone\": \"172.16.0.0/12\", "
              "\"via\": \"domestic\"}, {\"zone\": \"@\", \"via\": \"auto\"}, {\"zone\": \"b\xc3\xbc"
              "cher.example\", \"via\": \"auto\"}]"),
         "zones[0].zone: a wildcard matches nothing: \"*.corp.example\" (write \"corp.example\")\n"
         "zones[1].zone: an address block is no domain name: \"172.16.0.0/12\" (write each zone from "
         "\"16.172.in-addr.arpa\" to \"31.172.in-addr.arpa\", or \"172.in-addr.arpa\" for all of 172.0.0.0/8)\n"
         "zones[2].zone: \"@\" is a name in a zone file only (write the zone's name, or \".\" for all names)\n"
         "zones[3].zone: not a domain name: \"b\xc3\xbc"
         "cher.example\" (write \"xn--bcher-kva.example\")"},
        {WITH("\"zones\": [{\"zone\": \"A.example\", \"via\": \"auto\"}, {\"zone\": \"b\", \"via\": \"refuse\"}, "
              "{\"zone\": \"a.EXAMPLE.\", \"via\": \"refuse\"}]"),
         "zones[2].zone: \"a.example.\" is listed already, at zones[0]"},
        {WITH("\"presets\": \"dnsbl\""), "presets: expected a list of presets' names, not a string"},
        {WITH("\"presets\": [\"dnsbll\", \"../presets/dnsbl\", 1, \"dnsbl\", \"dnsbl\", \"\"]"),
         "presets[0]: no such preset: \"dnsbll\" (presets has: \"bad\", \"dnsbl\", \"empty\", \"folder\", \"nul\")\n"
         "presets[1]: not a preset's name: \"../presets/dnsbl\"\n"
         "presets[2]: expected a preset's name, not a number\n"
         "presets[4]: \"dnsbl\" is listed already\n"
         "presets[5]: not a preset's name: \"\""},
        {WITH("\"presets\": [\"bad\", \"empty\", \"folder\", \"nul\"]"),
         "presets[0]: presets/bad.zones:2: not a domain name: \"b..example\"\n"
         "presets[0]: presets/bad.zones:3: a wildcard matches nothing: \"*.c.example\" (write \"c.example\")\n"
         "presets[0]: presets/bad.zones:4: not an address in 127.0.0.0/8: \"192.0.2.1\"\n"
         "presets[0]: presets/bad.zones:5: not an address in 127.0.0.0/8: \"127.0.0\"\n"
         "presets[0]: presets/bad.zones:7: an address is no domain name: \"127.0.0.1\" (write "
         "\"1.0.0.127.in-addr.arpa\")\n"
         "presets[0]: presets/bad.zones:8: one domain name is expected, not a list: \"f.example,\"\n"
         "presets[0]: presets/bad.zones:9: not an address in 127.0.0.0/8: \"the\"\n"
         "presets[0]: presets/bad.zones:10: more than 4 addresses behind the zone\n"
         "presets[0]: presets/bad.zones:11: behind ip= not a label of 22 bytes at most, nor @: \"\"\n"
         "presets[0]: presets/bad.zones:12: behind ip= not a label of 22 bytes at most, nor @: \"a.b\"\n"
         "presets[0]: presets/bad.zones:13: ip= twice\n"
         "presets[1]: presets/empty.zones: names no zone\n"
         "presets[2]: presets/folder.zones: a directory, where a file is expected\n"
         "presets[3]: presets/nul.zones: not a text file (it holds a NUL byte)"},
        /* A bad group is told once, not again at every zone that goes there. */
        {UPSTREAMS(
             "\"external\": [\"198.51.100.1\"], \"office\": 1}, \"zones\": [{\"zone\": \"a\", \"via\": \"office\"}"
             "], \"log\": {"),
         "upstreams.office: expected a list of upstreams, not a number"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_all_errors_at_once(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"{\"workers\": \"x\", \"workers\": 99, \"lisen\": 1, \"cache\": {\"memory\": 1}, \"log\": 3}",
         "workers: given twice (lines 1 and 1)\n"
         "lisen: unknown key (did you mean \"listen\"?)\n"
         "log: expected an object, not a number\n"
         "workers: 99 is out of range (1 to 64)\n"
         "upstreams.external: missing (expected a list of upstreams beyond the border)\n"
         "cache.memory: expected " SIZE ", not a number"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_sources(void **state)
{
    (void) state;
    struct told             told = {""};
    struct settings_sources other;

    assert_null(settings_read("nowhere.json", &sources, hear, &told));
    assert_string_equal(told.text, "nowhere.json: No such file or directory");

    told.text[0] = '\0';
    assert_null(settings_read("presets", &sources, hear, &told));
    assert_string_equal(told.text, "presets: a directory, where a file is expected");

    told.text[0] = '\0';
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_null(settings_read("fifo", &sources, hear, &told));
    assert_string_equal(told.text, "fifo: not a regular file");

    told.text[0] = '\0';
    put_text("large.json", "{}");
    assert_int_equal(truncate("large.json", (16 << 20) + 1), 0);
    assert_null(settings_read("large.json", &sources, hear, &told));
    assert_string_equal(told.text, "large.json: larger than 16 MiB");

    told.text[0] = '\0';
    put_text("byway.json", UPSTREAMS("\"external\": [\"198.51.100.1\"]"));
    other = (struct settings_sources){.resolv_conf = "nowhere.conf", .presets = "no-presets"};
    assert_null(settings_read("byway.json", &other, hear, &told));
    assert_string_equal(told.text, "upstreams.domestic: missing, and nowhere.conf cannot stand in for it: No such file "
                                   "or directory\n"
                                   "presets[0]: no such preset: \"dnsbl\" (no-presets has: none)");

    static const struct row conf[] = {
        {"", "upstreams.domestic: missing, and own.conf names none: set upstreams.domestic"},
        {"search example\n#nameserver 192.0.2.1\nnameserver\n",
         "upstreams.domestic: missing, and own.conf names none: set upstreams.domestic"},
        {"nameserver 127.0.0.1\nnameserver ::1\n",
         "upstreams.domestic: missing, and own.conf names no server but this one: set upstreams.domestic"},
        {"nameserver dns\nnameserver ::ffff:192.0.2.1\nnameserver fe80::1%eth9\nnameserver 0.0.0.0\nnameserver 1.2.3\n",
         "warning: upstreams.domestic: own.conf: not an address: \"dns\" (names are not looked up: write an address)\n"
         "warning: upstreams.domestic: own.conf: \"::ffff:192.0.2.1\" is an IPv4 address in IPv6's form: write "
         "\"192.0.2.1\"\n"
         "warning: upstreams.domestic: own.conf: not an address: \"fe80::1%eth9\" (there is no interface \"eth9\")\n"
         "warning: upstreams.domestic: own.conf: nobody can be asked at \"0.0.0.0\": it stands for every address of a "
         "machine\n"
         "warning: upstreams.domestic: own.conf: not an address: \"1.2.3\"\n"
         "upstreams.domestic: missing, and own.conf names none that can be asked: set upstreams.domestic"},
        {"nameserver 198.51.100.1\n",
         "upstreams.external[0]: 198.51.100.1:53 is a domestic upstream too, by own.conf: set upstreams.domestic"},
    };
    other = (struct settings_sources){.resolv_conf = "own.conf", .presets = "presets"};
    for (size_t i = 0; i < ARRAY_LEN(conf); i++) {
        told.text[0] = '\0';
        put_text("own.conf", conf[i].config);
        assert_null(settings_read("byway.json", &other, hear, &told));
        assert_string_equal(told.text, conf[i].expected);
    }
}

static void assert_address(const struct address *address, const char *expected)
{
    char text[ADDRESS_TEXT_MAX];
    assert_string_equal(address_format(address, text), expected);
}

static void assert_rule(const struct rule *rule, const char *zone, enum via via, unsigned group, bool preset)
{
    char text[NAME_TEXT_MAX];
    assert_string_equal(name_format(name_view(&rule->zone), text), zone);
    assert_int_equal(rule->via, via);
    assert_int_equal(rule->group, group);
    assert_int_equal(rule->shipped, preset);
    assert_int_equal(rule->is_list, preset);
    assert_false(rule->or_empty);
}

/* Also the nameservers of resolv.conf: ours left out, twice the same taken once, no option mistaken for one. */
static void test_defaults(void **state)
{
    (void) state;
    struct settings *s = good(UPSTREAMS("\"external\": [\"198.51.100.1\"]"));
    assert_string_equal(s->path, "byway.json");
    assert_true(s->listen_default);
    assert_int_equal(s->listen_count, 2);
    assert_address(&s->listen[0], "127.0.0.1:53");
    assert_address(&s->listen[1], "[::1]:53");
    assert_int_equal(s->allow.count, 2);
    assert_in_range(s->workers, 1, LIMIT_WORKERS);
    assert_null(s->user);

    assert_int_equal(s->group_count, 2);
    assert_string_equal(s->groups[GROUP_DOMESTIC].name, "domestic");
    assert_int_equal(s->groups[GROUP_DOMESTIC].count, 2);
    assert_address(&s->groups[GROUP_DOMESTIC].upstreams[0].way.address, "192.0.2.53:53");
    assert_address(&s->groups[GROUP_DOMESTIC].upstreams[1].way.address, "[2001:db8::53]:53");
    assert_string_equal(s->groups[GROUP_EXTERNAL].name, "external");
    assert_int_equal(s->groups[GROUP_EXTERNAL].count, 1);
    assert_false(s->groups[GROUP_EXTERNAL].upstreams[0].trusted);
    assert_false(s->groups[GROUP_EXTERNAL].upstreams[0].mix_case);
    assert_int_equal(s->groups[GROUP_EXTERNAL].upstreams[0].way.form, WAY_UDP);

    assert_int_equal(s->rule_count, 2);
    assert_rule(&s->rules[0], "bl.example.", VIA_GROUP, GROUP_DOMESTIC, true);
    assert_true(s->rules[0].entry.is_asked && s->rules[0].entry.len == 3);
    assert_memory_equal(s->rules[0].entry.label, "zen", 3);
    assert_false(s->rules[1].entry.is_asked);
    assert_rule(&s->rules[1], "dnswl.example.", VIA_GROUP, GROUP_DOMESTIC, true);
    assert_int_equal(s->rules[0].refusals.count, 0);
    assert_int_equal(s->rules[1].refusals.count, 2);
    assert_memory_equal(s->rules[1].refusals.addresses, "\177\0\0\377\177\0\0\1", 8);

    assert_false(s->pass_list_errors);
    assert_true(s->fall_on_timeout && s->fall_on_servfail && s->fall_on_refused && s->fall_on_forged);
    assert_false(s->fall_on_nxdomain);
    assert_int_equal(s->forged.block_count + s->forged.name_count, 0);
    assert_int_equal(s->patience, 0);
    assert_int_equal(s->deadline, 4500);
    assert_int_equal(s->learning, LEARNING_ON);
    assert_int_equal(s->recheck_first, 600000);
    assert_int_equal(s->recheck_max, 86400000);
    assert_int_equal(s->recover_after, 2);
    assert_int_equal(s->recheck_share, 100);
    assert_int_equal(s->max_zones, 100000);
    assert_int_equal(s->external_qps, 1000);
    assert_int_equal(s->client_qps, 5000);
    assert_int_equal(s->client_exempt.count, 2);
    assert_int_equal(s->cache_memory, 64 << 20);
    assert_int_equal(s->min_ttl, 0);
    assert_int_equal(s->max_ttl, 86400);
    assert_int_equal(s->negative_max_ttl, 3600);
    assert_int_equal(s->stale, 86400);
    assert_string_equal(s->control_socket, "/run/byway/control.sock");
    assert_null(s->control_group);
    assert_string_equal(s->state, "/var/lib/byway");
    assert_int_equal(s->log_level, LOG_LEVEL_INFO);
    assert_int_equal(s->log_format, LOG_FORMAT_TEXT);
    assert_int_equal(s->log_queries, LOG_QUERIES_OFF);
    settings_destroy(s);
}

static void test_everything_set(void **state)
{
    (void) state;
    struct settings *s = good(
        "{\"#\": \"a comment\", \"#\": {\"x\": 1, \"x\": 2},\n"
        "\"listen\": [\"192.0.2.80\", \"[2001:db8::80]:5300\"], \"allow\": [\"10.0.0.0/8\", \"2001:db8::/32\"],\n"
        "\"workers\": 64, \"user\": \"root\",\n"
        "\"upstreams\": {\"#\": 1, \"office\": [\"10.1.1.1\"], \"external\": [\"tcp://198.51.100.1:5353\",\n"
        "  {\"address\": \"2001:db8::9\", \"trusted\": true, \"mix_case\": true, \"#\": 1}], \"domestic\": [" EIGHT(
            ", ") "]},\n"
                  "\"zones\": [{\"zone\": \"Corp.Example\", \"via\": \"office\", \"#\": 1}, {\"zone\": \".\", \"via\": "
                  "\"auto\"},\n"
                  "  {\"zone\": \"bl.example\", \"via\": \"external\"}, {\"zone\": \"no.example.\", \"via\": "
                  "\"refuse\"}],\n"
                  "\"presets\": [], \"blocklists\": {\"errors\": \"pass\"},\n"
                  "\"fallback\": {\"on\": [], \"patience\": \"0ms\", \"deadline\": \"30s\"},\n"
                  "\"learning\": {\"mode\": \"off\", \"recheck_first\": \"1s\", \"recheck_max\": \"1s\", "
                  "\"recover_after\": 1,\n"
                  "  \"recheck_share\": 0.1, \"max_zones\": 10000000}, \"limits\": {\"external_qps\": 1000000,\n"
                  "  \"client_qps\": 0, \"client_exempt\": []},\n"
                  "\"cache\": {\"memory\": \"1MiB\", \"min_ttl\": \"1h\", \"max_ttl\": \"1h\", \"stale\": \"0s\",\n"
                  "  \"negative_max_ttl\": \"0s\"},\n"
                  "\"control\": {\"socket\": \"/a\", \"group\": \"root\"}, \"state\": \"/b\", \"cluster\": {}, "
                  "\"metrics\": {\"listen\": \"::1\"},\n"
                  "\"log\": {\"level\": \"debug\", \"format\": \"json\",\n"
                  "  \"queries\": \"external\"}}\n");
    assert_false(s->listen_default);
    assert_address(&s->listen[0], "192.0.2.80:53");
    assert_address(&s->listen[1], "[2001:db8::80]:5300");
    assert_int_equal(s->workers, 64);
    assert_string_equal(s->user, "root");
    assert_int_equal(s->group_count, 3);
    assert_string_equal(s->groups[2].name, "office");
    assert_int_equal(s->groups[GROUP_DOMESTIC].count, 8);
    assert_int_equal(s->groups[GROUP_EXTERNAL].count, 2);
    assert_int_equal(s->groups[GROUP_EXTERNAL].upstreams[0].way.form, WAY_TCP);
    assert_address(&s->groups[GROUP_EXTERNAL].upstreams[0].way.address, "198.51.100.1:5353");
    assert_address(&s->groups[GROUP_EXTERNAL].upstreams[1].way.address, "[2001:db8::9]:53");
    assert_true(s->groups[GROUP_EXTERNAL].upstreams[1].trusted);
    assert_false(s->groups[GROUP_EXTERNAL].upstreams[0].mix_case);
    assert_true(s->groups[GROUP_EXTERNAL].upstreams[1].mix_case);
    assert_int_equal(s->rule_count, 4);
    assert_rule(&s->rules[0], "corp.example.", VIA_GROUP, 2, false);
    assert_rule(&s->rules[1], ".", VIA_AUTO, 0, false);
    assert_rule(&s->rules[2], "bl.example.", VIA_GROUP, GROUP_EXTERNAL, false);
    assert_rule(&s->rules[3], "no.example.", VIA_REFUSE, 0, false);
    assert_true(s->pass_list_errors);
    assert_false(s->fall_on_timeout || s->fall_on_servfail || s->fall_on_refused);
    assert_int_equal(s->patience, 1); /* 0 would be auto */
    assert_int_equal(s->learning, LEARNING_OFF);
    assert_int_equal(s->recheck_share, 10);
    assert_address(&s->metrics, "[::1]:9153");
    assert_int_equal(s->external_qps, 1000000);
    assert_int_equal(s->client_qps, 0);
    assert_int_equal(s->client_exempt.count, 0);
    assert_int_equal(s->max_ttl, 3600);
    assert_int_equal(s->negative_max_ttl, 0);
    assert_int_equal(s->stale, 0);
    assert_string_equal(s->control_group, "root");
    assert_int_equal(s->log_format, LOG_FORMAT_JSON);
    assert_int_equal(s->log_queries, LOG_QUERIES_EXTERNAL);
    settings_destroy(s);
}

/* ---- encrypted upstreams ---- */

#define EXTERNAL(value) "{\"upstreams\": {\"domestic\": [\"192.0.2.1\"], \"external\": [" value "]}}"
#define PIN "sha256/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static void test_ways(void **state)
{
    (void) state;
    static const struct {
        const char *text, *shown, *name, *path;
        uint16_t    port;
    } rows[] = {
        {"tls://192.0.2.53", "tls://192.0.2.53:853", NULL, NULL, 853},
        {"tls://192.0.2.53:8530#dns.example.net", "tls://192.0.2.53:8530#dns.example.net", "dns.example.net", NULL,
         8530},
        {"tls://[2001:db8::53]#dns.example.net", "tls://[2001:db8::53]:853#dns.example.net", "dns.example.net", NULL,
         853},
        {"tls://2001:db8::53#2001:db8::1", "tls://[2001:db8::53]:853#2001:db8::1", "2001:db8::1", NULL, 853},
        {"https://192.0.2.53", "https://192.0.2.53:443/dns-query", NULL, "/dns-query", 443},
        {"https://192.0.2.53/", "https://192.0.2.53:443/dns-query", NULL, "/dns-query", 443},
        {"https://192.0.2.53:4430/q/a#a.example", "https://192.0.2.53:4430/q/a#a.example", "a.example", "/q/a", 4430},
        {"tcp://192.0.2.53", "tcp://192.0.2.53:53", NULL, NULL, 53},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512], shown[WAY_TEXT_MAX];
        snprintf(text, sizeof(text), EXTERNAL("\"%s\""), rows[i].text);
        struct settings  *s   = good(text);
        const struct way *way = &s->groups[GROUP_EXTERNAL].upstreams[0].way;
        assert_string_equal(way_format(way, shown), rows[i].shown);
        assert_int_equal(address_port(&way->address), rows[i].port);
        assert_true(rows[i].name ? strcmp(way->name, rows[i].name) == 0 : !way->name);
        assert_true(rows[i].path ? strcmp(way->path, rows[i].path) == 0 : !way->path);
        settings_destroy(s);
    }
}

static void test_way_keys(void **state)
{
    (void) state;
    static const char word[] = "a secret\nand more\n";
    struct identity   ca     = identity_make(&(struct identity_options){.name = "CA", .is_ca = true, .until = 86400});
    char             *pem    = identity_pem(&ca);
    put_text("word", word);
    assert_int_equal(chmod("word", 0600), 0);
    char directory[PATH_MAX], text[2 * PATH_MAX + 1024];
    assert_non_null(getcwd(directory, sizeof(directory)));
    put_text("ca.pem", pem);
    snprintf(text, sizeof(text),
             EXTERNAL("{\"address\": \"tls://192.0.2.53#dns.example.net\", \"sni\": \"off\", \"ca\": \"%s/ca.pem\", "
                      "\"pins\": [\"" PIN
                      "\"], \"bind\": \"192.0.2.7\", \"proxy\": {\"address\": \"socks5://192.0.2.9\", "
                      "\"user\": \"me\", \"password_file\": \"%s/word\"}, \"trusted\": true}"),
             directory, directory);
    struct settings  *s   = good(text);
    const struct way *way = &s->groups[GROUP_EXTERNAL].upstreams[0].way;
    char              shown[ADDRESS_TEXT_MAX];
    assert_string_equal(way->sni, "");
    assert_string_equal(way->ca, pem);
    assert_int_equal(way->pin_count, 1);
    for (unsigned i = 0; i < WAY_PIN; i++)
        assert_int_equal(way->pins[0][i], i);
    assert_string_equal(address_format(&way->bind, shown), "192.0.2.7:0");
    assert_string_equal(address_format(&way->proxy, shown), "192.0.2.9:1080");
    assert_string_equal(way->proxy_user, "me");
    assert_string_equal(way->proxy_word, "a secret");
    assert_true(s->groups[GROUP_EXTERNAL].upstreams[0].trusted);
    settings_destroy(s);
    s = good(
        EXTERNAL("{\"address\": \"tcp://192.0.2.53\", \"bind\": \"lo\", \"proxy\": \"socks5://[2001:db8::9]:9\"}"));
    way = &s->groups[GROUP_EXTERNAL].upstreams[0].way;
    assert_string_equal(way->interface, "lo");
    assert_string_equal(address_format(way_dials(way), shown), "[2001:db8::9]:9");
    settings_destroy(s);
    free(pem);
    identity_drop(&ca);
}

/* An address behind a proxy is one of the proxy's side: it is neither ours nor the same behind another one. */
static void test_the_far_sides_loopback(void **state)
{
    (void) state;
    settings_destroy(good(EXTERNAL("{\"address\": \"tcp://127.0.0.1\", \"proxy\": \"socks5://192.0.2.9\"}, "
                                   "{\"address\": \"tcp://127.0.0.1\", \"proxy\": \"socks5://192.0.2.10\"}")));
    static const struct row rows[] = {
        {EXTERNAL("{\"address\": \"tcp://127.0.0.1\", \"proxy\": \"socks5://192.0.2.9\"}, "
                  "{\"address\": \"tcp://127.0.0.1\", \"proxy\": \"socks5://192.0.2.9:1080\"}"),
         "upstreams.external[1]: 127.0.0.1:53 is in this group already"},
        {EXTERNAL("\"tcp://127.0.0.1\""),
         "upstreams.external[0]: 127.0.0.1:53 is an address this server listens on: it would ask itself"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_bad_ways(void **state)
{
    (void) state;
    put_text("nothing.pem", "nothing\n");
    static const struct row rows[] = {
        {EXTERNAL("\"tls://dns.example.net\""),
         "upstreams.external[0]: names are not looked up: \"tls://dns.example.net\" (write the address, and behind '#' "
         "the name that it must prove: \"tls://192.0.2.1#dns.example.net\")"},
        {EXTERNAL("\"tls://<address>#<name>\", {\"address\": \"<address>\"}, \"192.0.2.1>\", \"1.2<3\""),
         "upstreams.external[0]: \"tls://<address>#<name>\" is a placeholder: write an upstream of your own there, "
         "like "
         "\"tls://192.0.2.1#dns.example.net\", its address and the name that it must prove\n"
         "upstreams.external[1].address: \"<address>\" is a placeholder: write an upstream of your own there, like "
         "\"tls://192.0.2.1#dns.example.net\", its address and the name that it must prove\n"
         "upstreams.external[2]: not an address: \"192.0.2.1>\" " FORM "\n"
         "upstreams.external[3]: not an address: \"1.2<3\" " FORM},
        {EXTERNAL("\"tls://192.0.2.1#dns..example\", \"tls://192.0.2.1#\", \"tls://192.0.2.1/x\""),
         "upstreams.external[0]: not a name that a certificate can have: \"dns..example\" (behind '#', without a final "
         "dot)\n"
         "upstreams.external[1]: not a name that a certificate can have: \"\" (behind '#', without a final dot)\n"
         "upstreams.external[2]: not an address: \"192.0.2.1/x\" (one address is expected, not a block or a path)"},
        {EXTERNAL("\"https://192.0.2.1/dns-query{?dns}\""),
         "upstreams.external[0]: not the path of a URL: \"/dns-query{?dns}\" (expected one like \"/dns-query\")"},
        {EXTERNAL("{\"address\": \"192.0.2.5\", \"sni\": \"off\", \"pins\": [\"" PIN "\"], \"ca\": \"/ca\"}"),
         "upstreams.external[0].sni: is for a tls:// or https:// upstream\n"
         "upstreams.external[0].ca: is for a tls:// or https:// upstream\n"
         "upstreams.external[0].pins: is for a tls:// or https:// upstream"},
        {EXTERNAL("{\"address\": \"tls://192.0.2.5\", \"pins\": [\"sha256/AAEC\"]}"),
         "upstreams.external[0].pins[0]: not a pin: \"sha256/AAEC\" (expected \"sha256/\" and 44 letters of base64, "
         "the "
         "last of them '=': the hash of the server's SubjectPublicKeyInfo)"},
        {EXTERNAL("{\"address\": \"tls://192.0.2.5\", \"pins\": []}"),
         "upstreams.external[0].pins: 0 pins are out of range (1 to 8)"},
        {EXTERNAL("{\"address\": \"tls://192.0.2.5\", \"ca\": \"ca.pem\"}"),
         "upstreams.external[0].ca: not an absolute path: \"ca.pem\""},
        {EXTERNAL("{\"address\": \"tls://192.0.2.5\", \"ca\": \"/nowhere/ca.pem\"}"),
         "upstreams.external[0].ca: /nowhere/ca.pem: No such file or directory"},
        {EXTERNAL("{\"address\": \"192.0.2.5\", \"proxy\": \"socks5://192.0.2.9\"}"),
         "upstreams.external[0].proxy: a proxy carries TCP alone: write the upstream as tcp://, tls:// or https://"},
        {EXTERNAL("{\"address\": \"tls://192.0.2.5\", \"proxy\": \"http://192.0.2.9\"}"),
         "upstreams.external[0].proxy: not a proxy: \"http://192.0.2.9\" (expected one like "
         "\"socks5://192.0.2.9:1080\")"},
        {EXTERNAL("{\"address\": \"tls://192.0.2.5\", \"proxy\": {\"address\": \"socks5://192.0.2.9\", \"user\": "
                  "\"me\"}}"),
         "upstreams.external[0].proxy.password_file: missing: \"user\" and \"password_file\" go together"},
        {EXTERNAL("{\"address\": \"tls://192.0.2.5\", \"bind\": \"2001:db8::1\"}"),
         "upstreams.external[0].bind: \"2001:db8::1\" and what is asked are not both IPv6"},
        {EXTERNAL("{\"address\": \"tls://192.0.2.5\", \"bind\": \"192.0.2.1:5\"}"),
         "upstreams.external[0].bind: a source address has no port: \"192.0.2.1:5\""},
        {EXTERNAL("{\"address\": \"tls://192.0.2.5\", \"bind\": \"no such\"}"),
         "upstreams.external[0].bind: neither an address nor an interface's name: \"no such\""},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_forged(void **state)
{
    (void) state;
    put_text("presets/xx.forged", "# who says so\n10.10.34.34 # an address\nd0::11\n\nBlocked.example\n");
    put_text("presets/bad.forged", "10.10.34.34\n300.1.1.1\nx..example\n");
    put_text("presets/none.forged", "# nothing\n");
    struct settings *s = good(WITH("\"forged\": {\"addresses\": [\"192.0.2.0/24\", \"2001:db8::/32\", \"127.0.0.1\"], "
                                   "\"names\": [\"page.example\"], \"presets\": [\"xx\"]}"));
    assert_int_equal(s->forged.block_count, 5);
    assert_int_equal(s->forged.blocks[0].bits, 96 + 24);
    assert_int_equal(s->forged.blocks[3].bits, 128);
    assert_int_equal(s->forged.name_count, 2);
    const struct name blocked = named("blocked.example");
    assert_true(name_equal(name_view(&s->forged.names[1]), name_view(&blocked)));
    settings_destroy(s);
    static const struct row rows[] = {
        {WITH("\"forged\": {\"addresses\": [\"0.0.0.0/0\", \"1.2.3\", 4], \"names\": [\".\", \"a..b\"]}"),
         "forged.addresses[0]: too much for a censor's own: \"0.0.0.0/0\" (expected a /8 or longer)\n"
         "forged.addresses[1]: not an address or a block: \"1.2.3\"\n"
         "forged.addresses[2]: expected an address or a block, not a number\n"
         "forged.names[0]: the root is no censor's own\n"
         "forged.names[1]: not a domain name: \"a..b\""},
        {WITH("\"forged\": {\"presets\": [\"bad\", \"none\"]}"),
         "forged.presets[0]: presets/bad.forged:2: not an address or a block: \"300.1.1.1\"\n"
         "forged.presets[0]: presets/bad.forged:3: not a domain name: \"x..example\"\n"
         "forged.presets[1]: presets/none.forged: names nothing"},
        {WITH("\"forged\": {\"presets\": [\"dnsbl\"]}"),
         "forged.presets[0]: no such preset: \"dnsbl\" (presets has: \"bad\", \"none\", \"xx\")"},
    };
    check_rows(rows, ARRAY_LEN(rows));
    assert_int_equal(unlink("presets/xx.forged") | unlink("presets/bad.forged") | unlink("presets/none.forged"), 0);
}

/* Those that ship are read without a word. */
static void test_canary(void **state)
{
    (void) state;
    char             text[ADDRESS_TEXT_MAX];
    struct settings *s = good(WITH("\"forged\": {}"));
    assert_int_equal(s->canary.len, 0);
    assert_int_equal(s->wait, 250);
    settings_destroy(s);
    s = good(WITH("\"forged\": {\"canary\": \"203.0.113.9\", \"wait\": \"400ms\"}"));
    assert_string_equal(address_format(&s->canary, text), "203.0.113.9:53");
    assert_int_equal(s->wait, 400);
    settings_destroy(s);
    static const struct row rows[] = {
        {WITH("\"forged\": {\"canary\": \"canary.example\", \"wait\": \"10ms\"}"),
         "forged.canary: not an address: \"canary.example\" (names are not looked up: write an address)\n"
         "forged.wait: 10ms is out of range (50ms to 2s)"},
        {WITH("\"forged\": {\"canary\": 53}"),
         "forged.canary: expected an address across the border where no DNS server listens, not a number"},
        {WITH("\"forged\": {\"canary\": \"198.51.100.1\"}"),
         "forged.canary: \"198.51.100.1\" answers itself (it is in upstreams.external): expected an address across the "
         "border where no DNS server listens"},
        {WITH("\"listen\": [\"127.0.0.1:53\"], \"forged\": {\"canary\": \"127.0.0.1\"}"),
         "forged.canary: \"127.0.0.1\" answers itself (this server listens there): expected an address across the "
         "border "
         "where no DNS server listens"},
        {WITH("\"fallback\": {\"deadline\": \"1s\"}, \"forged\": {\"wait\": \"501ms\"}"),
         "forged.wait: expected half of fallback.deadline (1s) at most"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void test_shipped_forged_presets(void **state)
{
    (void) state;
    char presets[PATH_MAX];
    assert_in_range(snprintf(presets, sizeof(presets), "%s/config/presets", source_root), 1, sizeof(presets) - 1);
    const struct settings_sources shipped_sources = {.resolv_conf = "resolv.conf", .presets = presets};
    struct told                   told            = {.plain = false};
    put_text("byway.json", WITH("\"forged\": {\"presets\": [\"id\", \"ir\", \"mm\", \"pk\", \"tr\"]}"));
    struct settings *s = settings_read("byway.json", &shipped_sources, hear, &told);
    if (!s || told.text[0] != '\0')
        fail_msg("%s", told.text);
    assert_int_equal(s->forged.block_count, 4 + 1 + 4 + 2 + 1);
    assert_int_equal(s->forged.name_count, 3);
    settings_destroy(s);
}

static void test_plain_external_is_warned_of(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {EXTERNAL("\"198.51.100.1\""), "warning: upstreams.external: 198.51.100.1:53 is plain DNS: who stands at the "
                                       "border reads and forges it; tls:// or https:// keeps it out"},
        {EXTERNAL("\"tls://198.51.100.2\", \"tcp://198.51.100.1\", \"198.51.100.3\""),
         "warning: upstreams.external: tcp://198.51.100.1:53 and others are plain DNS: who stands at the border reads "
         "and "
         "forges it; tls:// or https:// keeps it out"},
        {EXTERNAL("\"tls://198.51.100.2\", \"https://198.51.100.2\""), ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct told told = {.plain = true};
        put_text("byway.json", rows[i].config);
        struct settings *s = settings_read("byway.json", &sources, hear, &told);
        assert_non_null(s);
        assert_string_equal(told.text, rows[i].expected);
        settings_destroy(s);
    }
}

static void test_warnings(void **state)
{
    (void) state;
    struct told      told;
    struct settings *s = read_text(
        UPSTREAMS("\"domestic\": [\"192.0.2.1\"], \"external\": [\"198.51.100.1\"], \"office\": [\"192.0.2.2\"]"),
        &told);
    assert_non_null(s);
    assert_string_equal(told.text, "warning: upstreams.office: no zone goes via this group");
    settings_destroy(s);

    s = read_text(UPSTREAMS("\"external\": [\"198.51.100.1\"], \"inside\": [\"192.0.2.2\"]"), &told);
    assert_non_null(s);
    assert_string_equal(told.text, "warning: upstreams.inside: no zone goes via this group; the domestic upstreams are "
                                   "those of resolv.conf");
    settings_destroy(s);

    s = read_text("{\"listen\": [\"2001:db8::1:53\"], \"upstreams\": {\"domestic\": [\"2001:db8::2:53\"], "
                  "\"external\": [\"198.51.100.1\"]}}",
                  &told);
    assert_non_null(s);
    assert_string_equal(told.text,
                        "warning: listen[0]: \"2001:db8::1:53\" is taken for an address with port 53; if 53 is its "
                        "port, write \"[2001:db8::1]:53\"\n"
                        "warning: upstreams.domestic[0]: \"2001:db8::2:53\" is taken for an address with port 53; if "
                        "53 is its port, write \"[2001:db8::2]:53\"");
    settings_destroy(s);

    const struct settings_sources other = {.resolv_conf = "many.conf", .presets = "presets"};
    put_text("many.conf", "nameserver dns.example\nnameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n"
                          "nameserver 10.0.0.4\nnameserver 10.0.0.5\nnameserver 10.0.0.6\nnameserver 10.0.0.7\n"
                          "nameserver 10.0.0.8\nnameserver 10.0.0.9\n");
    put_text("byway.json", UPSTREAMS("\"external\": [\"198.51.100.1\"]"));
    told.text[0] = '\0';
    s            = settings_read("byway.json", &other, hear, &told);
    assert_non_null(s);
    assert_string_equal(
        told.text, "warning: upstreams.domestic: many.conf: not an address: \"dns.example\" (names are not looked up: "
                   "write an address)\n"
                   "warning: upstreams.domestic: many.conf: 10.0.0.9 is left out, a group has 8 upstreams at most");
    assert_int_equal(s->groups[GROUP_DOMESTIC].count, LIMIT_GROUP);
    settings_destroy(s);
}

/* Every allocation fails once, jansson's too: that is told, and nothing is lost (the sanitizer looks). */
static void test_out_of_memory(void **state)
{
    (void) state;
    static const char text[] =
        "{\"listen\": [\"192.0.2.80\"], \"user\": \"root\", \"upstreams\": {\"external\": [\"198.51.100.1\"], "
        "\"office\": [\"10.1.1.1\"]}, \"zones\": [{\"zone\": \"a\", \"via\": \"office\"}], \"control\": {\"group\": "
        "\"root\"}}";
    struct told told = {""};
    json_set_alloc_funcs(supply_take, supply_give);
    size_t before = heap_count();
    settings_destroy(good(text));
    size_t count = heap_count() - before;
    assert_in_range(count, 100, 1000);
    for (size_t i = 0; i < count; i++) {
        told.text[0] = '\0';
        heap_fail_at(i);
        struct settings *settings = settings_read("byway.json", &sources, hear, &told);
        assert_true(heap_restore());
        if (settings || !strstr(told.text, "out of memory"))
            fail_msg("allocation %zu: %s", i, told.text);
    }
    json_set_alloc_funcs(malloc, free);
}

static const struct shipped {
    const char *path;
} shipped[] = {{"config/byway.json"},
               {"config/examples/mail-server.json"},
               {"config/examples/office.json"},
               {"config/examples/zones.json"}};

static void test_shipped_files(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(shipped); i++) {
        char        path[PATH_MAX];
        struct told told = {""};
        assert_in_range(snprintf(path, sizeof(path), "%s/%s", source_root, shipped[i].path), 1, sizeof(path) - 1);
        struct settings *s = settings_read(path, &sources, hear, &told);
        if (!s || told.text[0] != '\0')
            fail_msg("%s", told.text);
        settings_destroy(s);
    }
}

struct listed {
    const char *path, *absent;
};
static const struct listed listed[] = {
#define SETTING(name_, path_, ...) {path_, #__VA_ARGS__},
#include "settings/settings.def"
#undef SETTING
};

/* "properties" of the schema at `path`; NULL: not there. */
static const json_t *schema_of(const json_t *schema, const char *path)
{
    char        copy[64], *rest = copy;
    const char *word;
    assert_in_range(snprintf(copy, sizeof(copy), "%s", path), 1, sizeof(copy) - 1);
    while ((word = strsep(&rest, ".")))
        schema = json_object_get(json_object_get(schema, "properties"), word);
    return schema;
}

static size_t count_leaves(const json_t *schema)
{
    size_t      count = 0;
    const char *word;
    json_t     *value;
    json_object_foreach(json_object_get(schema, "properties"), word, value)
    {
        count += strcmp(word, "upstreams") == 0 || !json_object_get(value, "properties") ? 1 : count_leaves(value);
    }
    return count;
}

static void test_schema_lists_the_same_keys(void **state)
{
    (void) state;
    char path[PATH_MAX];
    assert_in_range(snprintf(path, sizeof(path), "%s/config/byway.schema.json", source_root), 1, sizeof(path) - 1);
    json_t *schema = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(schema);
    for (size_t i = 0; i < ARRAY_LEN(listed); i++) {
        const json_t *key    = schema_of(schema, listed[i].path);
        json_t       *absent = json_loads(listed[i].absent, JSON_DECODE_ANY, NULL);
        if (!key)
            fail_msg("%s is not in the schema", listed[i].path);
        if (absent && !json_equal(absent, json_object_get(key, "default")))
            fail_msg("%s: the schema has another default", listed[i].path);
        json_decref(absent);
    }
    assert_int_equal(count_leaves(schema), ARRAY_LEN(listed));
    json_decref(schema);
}

static void test_manual_names_every_key(void **state)
{
    (void) state;
    static char text[65536];
    char        path[PATH_MAX], wanted[128];
    assert_in_range(snprintf(path, sizeof(path), "%s/docs/man/byway.json.5", source_root), 1, sizeof(path) - 1);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(listed); i++) {
        snprintf(wanted, sizeof(wanted), ".It Cm %s", listed[i].path);
        if (!strstr(text, wanted))
            fail_msg("%s is not in the manual", listed[i].path);
    }
}

static char directory[] = "/tmp/test_settings.XXXXXX";

static int open_fixture(void **state)
{
    (void) state;
    /* The files that ship stand beside this one; a relative name of it counts from where the build runs. */
    char here[PATH_MAX];
    snprintf(here, sizeof(here), "%.*s/../..", (int) (strrchr(__FILE__, '/') - __FILE__), __FILE__);
    if (!realpath(here, source_root) || !mkdtemp(directory) || chdir(directory) < 0 || mkdir("presets", 0700) < 0 ||
        mkdir("presets/folder.zones", 0700) < 0)
        return -1;
    put_text("resolv.conf", "# nameserver 192.0.2.99\nsearch example\nnameserver 127.0.0.1\nnameserver 192.0.2.53\n"
                            "  nameserver\t2001:db8::53 # second\nnameserver ::1\nnameserver 192.0.2.53\n"
                            "nameservers 192.0.2.98\nnameserver\noptions timeout:1");
    put_text("presets/dnsbl.zones",
             "# lists\n\nBL.example. ip=zen # the first\r\n\tdnswl.example 127.0.0.255\t127.0.0.1#two");
    put_text("presets/bad.zones", "a.example\nb..example\n*.c.example\nd.example 127.0.0.1 192.0.2.1 127.0.0.2\n"
                                  "e.example 127.0.0\n\n127.0.0.1\nf.example, 127.0.0.1\ng.example the seventh\n"
                                  "h.example 127.1.1.1 127.1.1.2 127.1.1.3 127.1.1.4 127.1.1.5\n"
                                  "i.example ip=\nj.example ip=a.b\nk.example 127.0.0.1 ip=@ ip=zen\n");
    put_text("presets/empty.zones", "# nothing\n");
    put("presets/nul.zones", "a.example\n\0b.example\n", 21);
    put_text("presets/README", "no preset\n");
    return 0;
}

static int close_fixture(void **state)
{
    (void) state;
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything_set),
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_way_keys),
        cmocka_unit_test(test_the_far_sides_loopback),
        cmocka_unit_test(test_bad_ways),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_canary),
        cmocka_unit_test(test_shipped_forged_presets),
        cmocka_unit_test(test_plain_external_is_warned_of),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_sixteen_groups),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_all_errors_at_once),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_shipped_files),
        cmocka_unit_test(test_schema_lists_the_same_keys),
        cmocka_unit_test(test_manual_names_every_key),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
