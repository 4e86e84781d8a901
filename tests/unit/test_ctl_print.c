/*
 * test_ctl_print.c: what bywayctl shows to people: tables, times, sizes, and nothing that a terminal would obey.
 */
#include "base/units.h"
#include "ctl/look.h"
#include "ctl/order.h"
#include "ctl/print.h"
#include "ctl/safe.h"
#include "ctl/table.h"
#include "lib/check.h"

#include <stdlib.h>
#include <string.h>

#define NOW "2026-01-31T12:00:00Z"

static wall_t now;

static int set_now(void **state)
{
    (void) state;
    return time_parse(NOW, &now) ? 0 : -1;
}

/* What `print` makes of the JSON text; the caller frees. */
static char *printed(print_fn print, const char *json)
{
    char   *text   = NULL;
    size_t  len    = 0;
    FILE   *to     = open_memstream(&text, &len);
    json_t *result = json_loads(json, JSON_DECODE_ANY, NULL);

    assert_non_null(result);
    print(to, result, now);
    fclose(to);
    json_decref(result);
    return text;
}

#define REFUSAL "{\"zone\":\"com.\",\"why\":\"no\"},"
#define SHOWN "com.     no\n"

static void assert_printed(print_fn print, const char *json, const char *expected)
{
    char *text = printed(print, json);

    assert_string_equal(expected, text);
    free(text);
}

static void test_table(void **state)
{
    struct table table;
    char        *text = NULL;
    size_t       len  = 0;
    FILE        *to   = open_memstream(&text, &len);

    (void) state;
    table_init(&table, "NAME >COUNT NOTE");
    table_add(&table, "a-long-name");
    table_add(&table, "7");
    table_add(&table, "x y");
    table_add(&table, "b");
    table_add(&table, "1234567");
    table_add(&table, NULL);
    table_add(&table, "\x1b[2J");
    table_add(&table, "");
    table_add(&table, "\xd8\xb3\n");
    table_print(&table, to);
    table_fini(&table);
    fclose(to);
    assert_string_equal("NAME           COUNT  NOTE\n"
                        "a-long-name        7  x y\n"
                        "b            1234567  -\n"
                        "\\x1b[2J            -  \\xd8\\xb3\\x0a\n",
                        text);
    free(text);
}

static void test_no_rows(void **state)
{
    (void) state;
    assert_printed(print_zones, "[]", "no zones\n");
    assert_printed(print_upstreams, "[]",
                   "GROUP  UPSTREAM  OVER  STATE  SRTT  VAR  SENT  ANSWER  NXDOMAIN  NODATA  SERVFAIL  REFUSED  TIMEOUT"
                   "  UNREACH  MALFORMED  FORGED  ANSWERED  FAILED\n");
    assert_printed(print_cache, "[]", "");
}

static void test_json_is_unchanged_and_harmless(void **state)
{
    static const char *const texts[] = {"plain",   "\x1b[2J\x7f", "\x7f\x7f", "\xd8\xb3\xf0\x9f\x98\x80",
                                        "\"\\/\n", "\xc2\x9b",    ""};

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char   *text  = NULL;
        size_t  len   = 0;
        FILE   *to    = open_memstream(&text, &len);
        json_t *value = json_pack("{s:s}", "key", texts[i]);

        safe_print_json(to, value, JSON_COMPACT);
        fclose(to);
        for (size_t j = 0; j + 1 < len; j++)
            assert_true(text[j] >= 0x20 && text[j] < 0x7f);
        assert_int_equal('\n', text[len - 1]);
        json_t *back = json_loads(text, 0, NULL);
        assert_true(json_equal(value, back));
        json_decref(back);
        json_decref(value);
        free(text);
    }
}

static void test_times(void **state)
{
    static const struct {
        const char *time, *text;
    } rows[] = {
        {"2026-01-31T12:00:00Z", "now"},
        {"2026-01-31T11:59:59Z", "1s ago"},
        {"2026-01-31T11:58:01Z", "119s ago"},
        {"2026-01-31T11:58:00Z", "2m ago"},
        {"2026-01-31T10:00:01Z", "119m ago"},
        {"2026-01-31T10:00:00Z", "2h ago"},
        {"2026-01-29T12:00:01Z", "47h ago"},
        {"2026-01-29T12:00:00Z", "2d ago"},
        {"2026-01-31T12:09:30Z", "in 9m"},
        {"1970-01-01T00:00:00Z", "20484d ago"},
        {"yesterday", ""},
        {"", ""},
    };
    char text[SPAN_TEXT_MAX];

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *time = json_string(rows[i].time);
        assert_string_equal(rows[i].text, when_format(time, now, text));
        json_decref(time);
    }
    assert_string_equal("", when_format(NULL, now, text));
    assert_string_equal("", when_format(json_null(), now, text));
}

static void test_sizes(void **state)
{
    char text[SPAN_TEXT_MAX];

    (void) state;
    assert_string_equal("0 B", size_format(0, text));
    assert_string_equal("1023 B", size_format(1023, text));
    assert_string_equal("1.0 KiB", size_format(1024, text));
    assert_string_equal("64.0 MiB", size_format(64 << 20, text));
}

#define ZONE                                                                                                           \
    "{\"zone\":\"blocked.example.\",\"scope\":\"zone\",\"type\":null,\"state\":\"blocked\",\"via\":\"external\","      \
    "\"source\":\"learned\",\"reason\":\"timeout\",\"since\":\"2026-01-31T11:00:00Z\","                                \
    "\"last_failure\":\"2026-01-31T11:59:30Z\",\"next_recheck\":\"2026-01-31T12:10:00Z\",\"failures\":3,"              \
    "\"answered\":120,\"until\":null,\"note\":null}"
#define PIN                                                                                                            \
    "{\"zone\":\"a.example.\",\"scope\":\"type\",\"type\":\"MX\",\"state\":\"clear\",\"via\":\"domestic\","            \
    "\"source\":\"pinned\",\"reason\":null,\"since\":\"2026-01-31T12:00:00Z\",\"last_failure\":null,"                  \
    "\"next_recheck\":null,\"failures\":0,\"answered\":0,\"until\":\"2026-02-01T13:00:00Z\",\"note\":\"a\\u001bb\"}"

static void test_zones(void **state)
{
    (void) state;
    assert_printed(print_zones, "[" ZONE "," PIN "]",
                   "ZONE              SCOPE  STATE    VIA       SOURCE   REASON   SINCE    FAILED   RECHECK  FAILURES"
                   "  ANSWERED  UNTIL   NOTE\n"
                   "blocked.example.  zone   blocked  external  learned  timeout  60m ago  30s ago  in 10m          3"
                   "       120  -       -\n"
                   "a.example.        MX     clear    domestic  pinned   -        now      -        -               0"
                   "         0  in 25h  a\\x1bb\n");
    assert_printed(print_pinned, PIN, "a.example. is pinned to domestic, ends in 25h\n");
    assert_printed(print_unpinned, "{\"zone\":\"a.\",\"kept\":" ZONE "}",
                   "a. is unpinned; what was learned holds again: blocked, via external\n");
    assert_printed(print_unpinned, "{\"zone\":\"a.\",\"kept\":null}", "a. is unpinned\n");
}

static void test_one_zone(void **state)
{
    (void) state;
    assert_printed(print_zone,
                   "{\"zone\":\"b.example.\",\"scope\":\"zone\",\"type\":null,\"state\":\"blocked\",\"failures\":3,"
                   "\"since\":\"2026-01-31T11:00:00Z\",\"note\":null,\"others\":[],"
                   "\"nameservers\":{\"names\":[\"ns1.host.example.\"],\"zones\":7,\"addresses\":["
                   "{\"address\":\"192.0.2.7\",\"counts\":true},{\"address\":\"2001:db8::7\",\"counts\":false}]},"
                   "\"nodes\":[{\"at\":\"2026-01-31T11:59:30Z\",\"node\":\"mx2\",\"scope\":\"zone\",\"type\":null,"
                   "\"said\":\"pinned\",\"reason\":null,\"via\":\"external\",\"everywhere\":true},"
                   "{\"at\":null,\"node\":\"m\\u001b\",\"scope\":\"type\",\"type\":\"MX\","
                   "\"said\":\"blocked\",\"reason\":\"timeout\",\"via\":null,\"everywhere\":null}],"
                   "\"evidence\":[{\"at\":\"2026-01-31T11:00:00Z\",\"from\":\"192.0.2.1:53\",\"group\":\"domestic\","
                   "\"about\":\"apex\",\"question\":\"b.example. SOA\",\"outcome\":\"timeout\"}],"
                   "\"history\":[{\"at\":\"2026-01-31T11:00:00Z\",\"from\":\"suspect\",\"to\":\"blocked\","
                   "\"why\":\"all failed\"}]}",
                   "zone          b.example.\n"
                   "scope         zone\n"
                   "state         blocked\n"
                   "since         2026-01-31T11:00:00Z (60m ago)\n"
                   "failures      3\n"
                   "\nnameservers, of 7 blocked or recovering zones\n"
                   "ns1.host.example.\n"
                   "192.0.2.7\n"
                   "2001:db8::7 (answered domestic lately)\n"
                   "\nsaid by the cluster's nodes\n"
                   "AT       NODE   SCOPE  SAID     VIA       REASON   EVERYWHERE\n"
                   "30s ago  mx2    zone   pinned   external  -        yes\n"
                   "-        m\\x1b  MX     blocked  -         timeout  -\n"
                   "\nevidence, newest first\n"
                   "AT       GROUP     UPSTREAM      ABOUT  QUESTION        OUTCOME\n"
                   "60m ago  domestic  192.0.2.1:53  apex   b.example. SOA  timeout\n"
                   "\nhistory, newest first\n"
                   "AT       FROM     TO       WHY\n"
                   "60m ago  suspect  blocked  all failed\n");
}

static void test_the_rest(void **state)
{
    (void) state;
    assert_printed(print_status,
                   "{\"version\":\"0.1.0\",\"uptime_s\":86400,\"workers\":2,\"queries\":1234567,"
                   "\"cache\":{\"entries\":1000,\"bytes\":409600,\"memory\":67108864,\"hits\":75,\"misses\":25},"
                   "\"zones\":{\"suspect\":1,\"blocked\":40,\"broken\":2,\"recovering\":1,\"pinned\":3},"
                   "\"upstreams\":{\"domestic\":{\"up\":2,\"total\":2},\"external\":{\"up\":1,\"total\":2}},"
                   "\"configuration\":{\"file\":\"/etc/byway/byway.json\",\"read_at\":\"" NOW "\"},"
                   "\"learning\":\"on\",\"store\":{\"failing\":true,\"failures\":7},"
                   "\"ad\":{\"reaches_clients\":false,\"why\":\"nobody is \\u001b\"},"
                   "\"cluster\":{\"connected\":true,\"node\":\"mx1\",\"vantage\":\"cn\",\"redis\":\"redis://r\","
                   "\"since\":\"" NOW "\",\"problem\":null,\"garbage\":0,\"peers\":["
                   "{\"node\":\"mx2\",\"vantage\":\"cn\",\"present\":true,\"last_seen\":\"" NOW "\",\"zones\":5},"
                   "{\"node\":\"mx3\",\"vantage\":null,\"present\":false,\"last_seen\":null,\"zones\":0}]}}",
                   "bywayd 0.1.0, up 24h, workers: 2, queries: 1234567\n"
                   "configuration  /etc/byway/byway.json, read now\n"
                   "learning       on\n"
                   "zones          blocked: 40, suspect: 1, broken: 2, recovering: 1, pinned: 3\n"
                   "upstreams      domestic 2 of 2 up, external 1 of 2 up\n"
                   "AD             does not reach clients: nobody is \\x1b\n"
                   "cluster        connected as mx1, vantage cn, by redis://r since now\n"
                   "  node         mx2, vantage cn, there, seen now, zones from it: 5\n"
                   "  node         mx3, vantage -, gone, never seen, zones from it: 0\n"
                   "cache          entries: 1000, 400.0 KiB of 64.0 MiB, hits: 75%\n"
                   "state          cannot be written: what is learned now would not survive a restart (failures: 7)\n");
    assert_printed(
        print_cache,
        "[{\"name\":\"a.example.\",\"type\":\"MX\",\"kind\":\"answer\",\"group\":\"domestic\",\"ttl_s\":287,"
        "\"dnssec_ok\":true,\"checking_disabled\":false,\"records\":[\"a.example. 287 IN MX 1 m.example.\"]},"
        "{\"name\":\"a.example.\",\"type\":\"A\",\"kind\":\"servfail\",\"group\":null,\"ttl_s\":-5,"
        "\"dnssec_ok\":false,\"checking_disabled\":true,\"records\":[]}]",
        "a.example. MX answer from domestic, DO, 4m left\n"
        "    a.example. 287 IN MX 1 m.example.\n"
        "a.example. A servfail, CD, expired 5s ago\n");
    assert_printed(print_probe,
                   "{\"zone\":null,\"probes\":[{\"group\":\"domestic\",\"from\":\"192.0.2.1:53\","
                   "\"question\":\"a. SOA\",\"outcome\":\"answer\",\"ms\":7}]}",
                   "GROUP     UPSTREAM      QUESTION  OUTCOME  MS\n"
                   "domestic  192.0.2.1:53  a. SOA    answer    7\n"
                   "\nthe zone is clear\n");
    assert_printed(print_imported,
                   "{\"imported\":1,\"skipped\":2,\"refused\":1,\"refusals\":[{\"zone\":null,\"why\":\"no zone\"}]}",
                   "imported: 1, skipped: 2, refused: 1\nREFUSED  WHY\n-        no zone\n");
    assert_printed(print_imported,
                   "{\"imported\":0,\"skipped\":0,\"refused\":500,\"refusals\":[" REFUSAL REFUSAL REFUSAL REFUSAL
                       REFUSAL REFUSAL REFUSAL REFUSAL REFUSAL REFUSAL REFUSAL "{}]}",
                   "imported: 0, skipped: 0, refused: 500\nREFUSED  WHY\n" SHOWN SHOWN SHOWN SHOWN SHOWN SHOWN SHOWN
                       SHOWN SHOWN SHOWN "and 490 more\n");
    assert_printed(print_forgotten, "{\"zone\":\"a.\",\"forgotten\":1,\"flushed\":12}",
                   "a. is forgotten; cache entries dropped: 12\n");
    assert_printed(print_forgotten, "{\"zone\":\"a.\",\"flushed\":0,\"stored\":false}",
                   "a. is forgotten; cache entries dropped: 0\nnot on disk yet: see \"bywayctl status\"\n");
    assert_printed(print_flushed, "{\"flushed\":3}", "cache entries dropped: 3\n");
    assert_printed(
        print_stats, "{\"b\":2,\"a\":9007199254740993,\"c\":0}",
        "COUNTER             VALUE\na        9007199254740993\nb                       2\nc                       0\n");
    assert_printed(print_reloaded, "{\"file\":\"/f\",\"read_at\":\"" NOW "\",\"warnings\":[\"no IPv6\"]}",
                   "/f is in force\nwarning: no IPv6\n");
}

static void test_upstreams(void **state)
{
    char *text = printed(print_upstreams,
                         "[{\"group\":\"domestic\",\"address\":\"192.0.2.1:53\",\"transport\":\"udp\",\"state\":\"up\","
                         "\"srtt_ms\":12,\"rttvar_ms\":4,\"sent\":9,\"outcomes\":{\"answer\":8,\"timeout\":1},"
                         "\"tcp\":{\"state\":\"down\",\"srtt_ms\":null,\"rttvar_ms\":null,\"sent\":3,\"outcomes\":{}},"
                         "\"last_answer\":\"" NOW "\",\"last_failure\":null,\"trusted\":false}]");

    (void) state;
    assert_non_null(strstr(text, "domestic  192.0.2.1:53  udp   up       12    4     9       8"));
    assert_non_null(strstr(text, "domestic  192.0.2.1:53  tcp   down      -    -     3       -"));
    free(text);
    text = printed(print_upstreams, "[{\"group\":\"domestic\",\"address\":\"192.0.2.1:53\",\"transport\":\"udp\","
                                    "\"state\":\"up\",\"loop\":true,\"tcp\":{\"state\":\"suspect\",\"sent\":3}},"
                                    "{\"group\":\"domestic\",\"address\":\"192.0.2.2:53\",\"transport\":\"udp\","
                                    "\"state\":\"up\",\"loop\":false},"
                                    "{\"group\":\"domestic\",\"address\":\"192.0.2.3:53\",\"transport\":\"udp\","
                                    "\"state\":\"suspect\",\"outdone\":true,\"tcp\":{\"state\":\"down\",\"sent\":3}}]");
    assert_non_null(strstr(text, "192.0.2.3:53  udp   outdone  "));
    assert_non_null(strstr(text, "192.0.2.3:53  tcp   down  "));
    assert_non_null(strstr(text, "192.0.2.1:53  udp   loop     "));
    assert_non_null(strstr(text, "192.0.2.1:53  tcp   loop     "));
    assert_non_null(strstr(text, "192.0.2.2:53  udp   up       "));
    free(text);
}

#define CERTIFICATE                                                                                                    \
    "\"certificate\":{\"subject\":\"dns.example\",\"issuer\":\"Root\",\"not_before\":\"2026-01-01T00:00:00Z\","        \
    "\"not_after\":\"2026-02-10T12:00:00Z\",\"pin\":\"sha256/AAAA=\"}"

/* Its form stands under OVER, its `tcp` says nothing new; what its connections tell stands below. */
static void test_encrypted_upstreams(void **state)
{
    char *text =
        printed(print_upstreams, "[{\"group\":\"external\",\"address\":\"192.0.2.1:853\",\"transport\":\"tls\","
                                 "\"upstream\":\"tls://192.0.2.1:853#dns.example\",\"state\":\"down\","
                                 "\"problem\":\"its certificate expired\",\"problem_since\":\"2026-01-31T11:00:00Z\","
                                 "\"tls\":\"TLSv1.3\"," CERTIFICATE ",\"tcp\":{\"state\":\"down\",\"sent\":3}}]");
    (void) state;
    assert_non_null(strstr(text, "external  192.0.2.1:853  tls   down  "));
    assert_null(strstr(text, " tcp "));
    assert_non_null(strstr(text, "external tls://192.0.2.1:853#dns.example: its certificate expired (since 60m ago)\n"
                                 "external tls://192.0.2.1:853#dns.example: certificate of dns.example by Root, until "
                                 "2026-02-10T12:00:00Z (in 10d)\n"));
    free(text);
}

static void test_tried(void **state)
{
    (void) state;
    assert_printed(print_tried,
                   "{\"upstream\":\"tls://192.0.2.1:853#dns.example\",\"reachable\":true,\"problem\":null,"
                   "\"outcome\":\"answer\",\"cold_ms\":131,\"warm_ms\":43,\"tls\":\"TLSv1.3\"," CERTIFICATE
                   ",\"edns\":true,\"signed\":true,\"authenticated\":true,\"tcp\":null,\"forged\":\"no\","
                   "\"answers\":[{\"question\":\"a.example. MX\",\"outcome\":\"answer\",\"ms\":44,\"edns\":true,"
                   "\"records\":[\"a.example. 300 IN MX 10 mail.example.\",\"more\"],\"doubt\":null}],"
                   "\"warnings\":[\"one pin alone\"]}",
                   "tls://192.0.2.1:853#dns.example\n"
                   "reachable     yes: answer, first after 131 ms, then 43 ms\n"
                   "encrypted     TLSv1.3\n"
                   "certificate   dns.example, issued by Root, until 2026-02-10T12:00:00Z (in 10d)\n"
                   "pin           sha256/AAAA=\n"
                   "EDNS          yes\n"
                   "DNSSEC        signatures, AD: it validates\n"
                   "forged        no\n"
                   "warning       one pin alone\n"
                   "\n"
                   "QUESTION       OUTCOME  MS  OPT  DOUBT  RECORD\n"
                   "a.example. MX  answer   44  yes  -      a.example. 300 IN MX 10 mail.example.\n");
    assert_printed(print_tried,
                   "{\"upstream\":\"192.0.2.1:53\",\"reachable\":true,\"outcome\":\"refused\",\"cold_ms\":30,"
                   "\"warm_ms\":null,\"edns\":false,\"signed\":null,\"authenticated\":null,\"forged\":null,"
                   "\"tcp\":{\"outcome\":\"unreachable\",\"ms\":null,\"problem\":\"connection refused\"}}",
                   "192.0.2.1:53\n"
                   "reachable     yes: refused, after 30 ms, and then silent\n"
                   "over TCP      unreachable: connection refused\n"
                   "EDNS          no\n"
                   "DNSSEC        -, -\n"
                   "forged        not seen; --censored NAME asks for a name that is forged here\n");
    assert_printed(print_tried, "{\"upstream\":\"192.0.2.1:53\",\"reachable\":false,\"problem\":\"silent\"}",
                   "192.0.2.1:53\nreachable     no: silent\nforged        -\n");
}

/* A daemon of another version, or a broken one: whatever it says, nothing ends or shows what it should not. */
static void test_strange_results(void **state)
{
    static const print_fn    prints[]  = {print_status,    print_zones,  print_zone,     print_pinned,   print_unpinned,
                                          print_forgotten, print_probe,  print_imported, print_cache,    print_flushed,
                                          print_upstreams, print_tried,  print_stats,    print_reloaded, print_json,
                                          print_explained, print_report, print_maillog};
    static const char *const results[] = {
        "null",
        "7",
        "\"\\u001b\"",
        "[]",
        "{}",
        "[[],7,null,\"\\u001b\",{}]",
        "{\"zone\":7,\"cache\":[],\"zones\":\"\\u001b\",\"upstreams\":{\"\\u001b\":7},\"evidence\":{},\"history\":[7],"
        "\"others\":[7],\"probes\":[{\"group\":\"\\u001b\"}],\"warnings\":[7,\"\\u001b\"],\"since\":\"\\u001b\","
        "\"refusals\":[7],\"\\u001b\":1}",
        "{\"cause\":7,\"replies\":[7,{}],\"findings\":[7,{\"grade\":\"ok\"},{\"grade\":\"cause\"},{\"grade\":"
        "\"problem\","
        "\"side\":\"domain\",\"record\":\"\\u001b\"}],\"zones\":[7,{\"state\":\"blocked\",\"servers\":[7,{\"address\":"
        "\":53\"}]}],"
        "\"connect\":[7,{}],\"took_ms\":-1,\"verdict\":\"\",\"domain\":\"\"}",
        "[{\"explain\":{}},{\"explain\":{\"cause\":{\"text\":\"\\u001b\"},\"cure\":\"\\u001b\"}}]"};

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(prints); i++)
        for (size_t j = 0; j < ARRAY_LEN(results); j++) {
            char *text = printed(prints[i], results[j]);
            for (const char *byte = text; *byte; byte++)
                assert_true(*byte == '\n' || (*byte >= 0x20 && *byte < 0x7f));
            free(text);
        }
}

/* What it says of the cluster, apart from the rest of the page. */
static void test_cluster_status(void **state)
{
    (void) state;
    char   *text = NULL;
    size_t  len  = 0;
    FILE   *to   = open_memstream(&text, &len);
    json_t *status =
        json_pack("{s:{s:b, s:s, s:s, s:s, s:s, s:s, s:i, s:[{s:s, s:s, s:b, s:s, s:i, s:s}]}}", "cluster", "connected",
                  0, "node", "mx1", "vantage", "cn", "redis", "redis://192.0.2.5:6379", "since", NOW, "problem",
                  "closed by Redis", "garbage", 3, "peers", "node", "mx2", "vantage", "cn", "present", 0, "last_seen",
                  NOW, "zones", 5, "problem", "its clock is wrong");
    assert_non_null(status);
    print_status(to, status, 0);
    fclose(to);
    assert_non_null(strstr(text, "cluster        alone as mx1, vantage cn, by redis://192.0.2.5:6379 since "));
    assert_non_null(strstr(text, ": closed by Redis\n"));
    assert_non_null(strstr(text, "  garbage      values under the cluster's keys that are no statements: 3\n"));
    assert_non_null(strstr(text, "  node         mx2, vantage cn, gone, seen "));
    assert_non_null(strstr(text, ", zones from it: 5; its clock is wrong\n"));
    free(text);
    json_decref(status);
}

static void test_cluster_events(void **state)
{
    (void) state;
    assert_printed(print_event, "{\"time\":\"" NOW "\",\"event\":\"cluster\",\"node\":\"mx2\",\"state\":\"down\"}",
                   NOW " cluster   node mx2 is down\n");
    assert_printed(print_event,
                   "{\"time\":\"" NOW "\",\"event\":\"cluster\",\"state\":\"alone\",\"problem\":\"closed by Redis\"}",
                   NOW " cluster   alone: closed by Redis\n");
    assert_printed(print_event, "{\"time\":\"" NOW "\",\"event\":\"cluster\",\"state\":\"connected\",\"problem\":null}",
                   NOW " cluster   connected\n");
}

/* Only the words, and the words stay. */
static void test_colours(void **state)
{
    (void) state;
    look_set(&(struct look){.colour = true});
    assert_printed(print_event,
                   "{\"time\":\"" NOW "\",\"event\":\"zone\",\"zone\":\"a.\",\"from\":\"suspect\",\"to\":\"blocked\","
                   "\"reason\":\"timeout\",\"why\":\"\\u001b[1m\"}",
                   NOW " zone      a.: \x1b[33msuspect\x1b[0m -> \x1b[31mblocked\x1b[0m, timeout: \\x1b[1m\n");
    assert_printed(print_traced,
                   "{\"time\":\"" NOW
                   "\",\"client\":\"192.0.2.9:5\",\"name\":\"a.\",\"type\":\"MX\",\"rcode\":\"SERVFAIL\","
                   "\"way\":\"none\",\"ms\":7,\"why\":\"fence\"}",
                   NOW " 192.0.2.9:5 a. MX: \x1b[31mSERVFAIL\x1b[0m by none in 7 ms, fence\n");
    assert_printed(print_traced,
                   "{\"time\":\"" NOW
                   "\",\"client\":\"192.0.2.9:5\",\"name\":\"blocked.\",\"type\":\"A\",\"rcode\":\"NOERROR\","
                   "\"way\":\"cache\",\"ms\":0,\"why\":\"fresh\"}",
                   NOW " 192.0.2.9:5 blocked. A: NOERROR by cache in 0 ms, fresh\n");
    assert_printed(print_zone, "{\"zone\":\"a.\",\"state\":\"recovering\"}",
                   "zone          a.\nstate         \x1b[33mrecovering\x1b[0m\n"
                   "\nevidence, newest first\n"
                   "\x1b[1mAT\x1b[0m  \x1b[1mGROUP\x1b[0m  \x1b[1mUPSTREAM\x1b[0m  \x1b[1mABOUT\x1b[0m  "
                   "\x1b[1mQUESTION\x1b[0m  \x1b[1mOUTCOME\x1b[0m\n"
                   "\nhistory, newest first\n"
                   "\x1b[1mAT\x1b[0m  \x1b[1mFROM\x1b[0m  \x1b[1mTO\x1b[0m  \x1b[1mWHY\x1b[0m\n");
    look_set(&(struct look){0});
}

static void test_order(void **state)
{
    static const char *const sorted[] = {
        "{\"scope\":\"zone\"}",
        "{\"zone\":7}",
        "{\"zone\":\"example.\",\"scope\":\"zone\"}",
        "{\"zone\":\"a.example.\",\"scope\":\"zone\"}",
        "{\"zone\":\"a.example.\",\"scope\":\"name\"}",
        "{\"zone\":\"a.example.\",\"scope\":\"type\",\"type\":\"A\"}",
        "{\"zone\":\"a.example.\",\"scope\":\"type\",\"type\":\"MX\"}",
        "{\"zone\":\"a.example.\",\"scope\":\"type\",\"type\":\"AAAA\"}",
        "{\"zone\":\"x.a.example.\",\"scope\":\"zone\"}",
        "{\"zone\":\"b.example.\",\"scope\":\"zone\"}",
        "{\"zone\":\"\\\\200.example.\",\"scope\":\"zone\"}",
        "{\"zone\":\"a.test.\",\"scope\":\"zone\"}",
    };
    static const size_t shuffles[] = {1, 5, 7, 11}; /* without a divisor in common with the count */

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(shuffles); i++) {
        json_t *zones = json_array();
        for (size_t j = 0, at = 0; j < ARRAY_LEN(sorted); j++, at = (at + shuffles[i]) % ARRAY_LEN(sorted))
            json_array_append_new(zones, json_loads(sorted[at], 0, NULL));
        assert_true(order_zones(zones));
        for (size_t j = 2; j < ARRAY_LEN(sorted); j++) { /* those without a name stay as they came */
            char *text = json_dumps(json_array_get(zones, j), JSON_COMPACT);
            assert_string_equal(sorted[j], text);
            free(text);
        }
        assert_null(json_object_get(json_array_get(zones, 0), "type"));
        json_decref(zones);
    }
    assert_true(order_zones(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_cluster_status),
        cmocka_unit_test(test_cluster_events),
        cmocka_unit_test(test_colours),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_no_rows),
        cmocka_unit_test(test_json_is_unchanged_and_harmless),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_one_zone),
        cmocka_unit_test(test_the_rest),
        cmocka_unit_test(test_upstreams),
        cmocka_unit_test(test_encrypted_upstreams),
        cmocka_unit_test(test_tried),
        cmocka_unit_test(test_strange_results),
    };
    return cmocka_run_group_tests(tests, set_now, NULL);
}
