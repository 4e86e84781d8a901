/*
 * test_ctl_arguments.c: bywayctl's command line: which command, which parameters, which complaint.
 */
#include "ctl/commands.h"
#include "ctl/options.h"
#include "lib/check.h"

#include <string.h>

enum {
    WORDS_MAX = 16
};

/* Splits at blanks; "_" stands for a blank in a word. */
static int split(char *line, char *words[WORDS_MAX])
{
    int count = 0;

    for (char *word; (word = strsep(&line, " "));) {
        assert_true(count < WORDS_MAX);
        for (char *blank = word; (blank = strchr(blank, '_'));)
            *blank = ' ';
        words[count++] = word;
    }
    return count;
}

static void test_rows(void **state)
{
    static const struct {
        const char *line;
        const char *method; /* NULL: no such command */
        const char *params; /* or, after a '!', what the complaint must hold */
    } rows[] = {
        {"status", "status", "{}"},
        {"status now", "status", "!\"now\""},
        {"nosuch", NULL, NULL},
        {"explain A.example --ip 192.0.2.7 --helo=h --sender a@b.example --selector s --connect --report", "explain",
         "{\"connect\":true,\"domain\":\"a.example.\",\"helo\":\"h\",\"ip\":\"192.0.2.7\",\"report\":true,\"selector\":"
         "\"s\","
         "\"sender\":\"a@b.example\"}"},
        {"explain user@a.example", "explain", "{\"domain\":\"user@a.example\"}"},
        {"explain --connect", "explain", "!no DOMAIN given"},
        {"cache", NULL, NULL},
        {"zone", NULL, NULL},
        {"zones", "zones.list", "{}"},
        {"zones --state blocked", "zones.list", "{\"state\":\"blocked\"}"},
        {"zones --state=blocked --under Example", "zones.list", "{\"state\":\"blocked\",\"under\":\"example.\"}"},
        {"zones --state block", "zones.list", "!block"},
        {"zones --state |", "zones.list", "!none of"},
        {"zones --state=", "zones.list", "!none of"},
        {"zones --state", "zones.list", "!--state needs a value"},
        {"zones --state blocked --state blocked", "zones.list", "!--state given twice"},
        {"zones --nosuch x", "zones.list", "!unexpected \"--nosuch\""},
        {"zones -state blocked", "zones.list", "!unexpected \"-state\" (did you mean \"--state\"?)"},
        {"zones --sate blocked", "zones.list", "!unexpected \"--sate\" (did you mean \"--state\"?)"},
        {"zones sohw a.example", "zones.list", "!\"sohw\""},
        {"zones show", "zones.show", "!no ZONE given"},
        {"zones show a.example b.example", "zones.show", "!\"b.example\""},
        {"zones show a..example", "zones.show", "!not a domain name: \"a..example\""},
        {"zones show .", "zones.show", "{\"zone\":\".\"}"},
        {"zones show \xc3\xa9.example", "zones.show", "!(write \"xn--9ca.example\")"},
        {"zones show https://a.example/a_b", "zones.show", "!a URL is no domain name"},
        {"zones show *.A.example", "zones.show", "{\"zone\":\"*.A.example\"}"},
        {"zones pin user@a.example external", "zones.pin", "{\"via\":\"external\",\"zone\":\"user@a.example\"}"},
        {"zones pin A.Example external", "zones.pin", "{\"via\":\"external\",\"zone\":\"a.example.\"}"},
        {"zones pin a.example --for 1d domestic --note by_hand,_--for_now", "zones.pin",
         "{\"for\":\"1d\",\"note\":\"by hand, --for now\",\"via\":\"domestic\",\"zone\":\"a.example.\"}"},
        {"zones pin a.example external --note --for", "zones.pin",
         "{\"note\":\"--for\",\"via\":\"external\",\"zone\":\"a.example.\"}"},
        {"zones pin a.example", "zones.pin", "!no domestic|external given"},
        {"zones pin a.example abroad", "zones.pin", "!\"abroad\" is none of domestic|external"},
        {"zones pin a.example domestic|external", "zones.pin", "!none of"},
        {"zones pin a.example external --for 1", "zones.pin", "!not a duration: \"1\""},
        {"zones pin a.example external --note \xff", "zones.pin", "!not UTF-8"},
        {"zones unpin a.example", "zones.unpin", "{\"zone\":\"a.example.\"}"},
        {"zones forget a.example", "zones.forget", "{\"zone\":\"a.example.\"}"},
        {"zones probe a.example", "zones.probe", "{\"zone\":\"a.example.\"}"},
        {"zones export", "zones.export", "{}"},
        {"zones import -", "zones.import", "{\"file\":\"-\"}"},
        {"zones import", "zones.import", "!no FILE given"},
        {"cache show a.example", "cache.show", "{\"name\":\"a.example.\"}"},
        {"cache show a.example mx", "cache.show", "{\"name\":\"a.example.\",\"type\":\"MX\"}"},
        {"cache show a.example type65280", "cache.show", "{\"name\":\"a.example.\",\"type\":\"TYPE65280\"}"},
        {"cache show a.example nosuch", "cache.show", "!not a record type: \"nosuch\""},
        {"cache flush", "cache.flush", "!exactly one is needed of NAME|--under NAME|--all"},
        {"cache flush a.example", "cache.flush", "{\"name\":\"a.example.\"}"},
        {"cache flush --under a.example", "cache.flush", "{\"under\":\"a.example.\"}"},
        {"cache flush --all", "cache.flush", "{\"all\":true}"},
        {"cache flush --all=yes", "cache.flush", "!--all takes no value"},
        {"cache flush --all a.example", "cache.flush", "!exactly one"},
        {"upstreams", "upstreams.list", "{}"},
        {"try", "upstreams.try", "!no UPSTREAM given"},
        {"try 192.0.2.1", "upstreams.try", "{\"upstream\":\"192.0.2.1\"}"},
        {"try tls://192.0.2.1#a.example --censored B.example", "upstreams.try",
         "{\"censored\":\"b.example.\",\"upstream\":\"tls://192.0.2.1#a.example\"}"},
        {"try {\"address\":\"192.0.2.1\"}", "upstreams.try", "{\"upstream\":{\"address\":\"192.0.2.1\"}}"},
        {"try {\"address\":", "upstreams.try", "!not JSON"},
        {"try {\"a\":1,\"a\":2}", "upstreams.try", "!not JSON"},
        {"try \xff", "upstreams.try", "!not UTF-8"},
        {"stats", "stats", "{}"},
        {"reload", "reload", "{}"},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char  line[128], why[ARGUMENTS_WHY_MAX] = "";
        char *words[WORDS_MAX];
        int   used = 0;

        snprintf(line, sizeof(line), "%s", rows[i].line);
        int                   count   = split(line, words);
        const struct command *command = command_find(count, words, &used);
        if (!rows[i].method) {
            assert_null(command);
            continue;
        }
        assert_non_null(command);
        assert_string_equal(rows[i].method, command->method);
        json_t *params = arguments_read(&command->arguments, count - used, words + used, count - used, why);
        if (rows[i].params[0] == '!') {
            assert_null(params);
            if (!strstr(why, rows[i].params + 1))
                fail_msg("%s: \"%s\" says nothing of \"%s\"", rows[i].line, why, rows[i].params + 1);
            continue;
        }
        if (!params)
            fail_msg("%s: %s", rows[i].line, why);
        char *text = json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(rows[i].params, text);
        free(text);
        json_decref(params);
    }
}

static void test_a_long_note(void **state)
{
    static char           note[300] = "--note=";
    char                 *words[]   = {(char *) "zones", (char *) "pin", (char *) "a", (char *) "external", note};
    char                  why[ARGUMENTS_WHY_MAX];
    int                   used;
    const struct command *command = command_find(5, words, &used);

    (void) state;
    memset(note + 7, 'x', 256);
    json_t *params = arguments_read(&command->arguments, 3, words + 2, 3, why);
    assert_non_null(params);
    json_decref(params);
    note[7 + 256] = 'x';
    assert_null(arguments_read(&command->arguments, 3, words + 2, 3, why));
}

/* A name may begin as an option does. */
static void test_words_that_are_no_options(void **state)
{
    char   *words[] = {(char *) "--under", (char *) "MX"};
    char    why[ARGUMENTS_WHY_MAX];
    int     used;
    char   *shown[] = {(char *) "cache", (char *) "show"};
    json_t *params  = arguments_read(&command_find(2, shown, &used)->arguments, 2, words, 0, why);

    (void) state;
    assert_string_equal("--under.", json_string_value(json_object_get(params, "name")));
    json_decref(params);
    assert_null(arguments_read(&command_find(2, shown, &used)->arguments, 2, words, 2, why));
}

static void test_usage(void **state)
{
    static const struct {
        const char *start, *usage;
    } rows[] = {
        {"zones pin",
         "usage: bywayctl zones pin ZONE domestic|external [--for DURATION] [--note TEXT] [--everywhere]\n"},
        {"cache", "usage: bywayctl cache show NAME [TYPE]\nusage: bywayctl cache flush NAME|--under NAME|--all\n"},
        {"zone", ""},
        {"stats", "usage: bywayctl stats\n"},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char  *text = NULL;
        size_t len  = 0;
        FILE  *to   = open_memstream(&text, &len);

        commands_usage(to, "bywayctl", rows[i].start);
        fclose(to);
        assert_string_equal(rows[i].usage, text);
        free(text);
    }
}

static void test_nearest(void **state)
{
    static const struct {
        const char *start, *line, *nearest;
    } rows[] = {
        {"", "zone", "zones"},
        {"", "zone show a", "zones show"},
        {"", "stauts", "status"},
        {"", "Status", "status"},
        {"", "cache", NULL},
        {"", "cache-flush a", "cache flush"},
        {"", "upstream", "upstreams"},
        {"", "diagnose a.example", NULL},
        {"", "explian a.example", "explain"},
        {"zones", "zones shwo a", "zones show"},
        {"zones", "zones list", NULL},
        {"zones", "zones --under a", NULL},
        {"zones pin", "zones pin a abroad", NULL},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char        line[128];
        char       *words[WORDS_MAX];
        const char *nearest;

        snprintf(line, sizeof(line), "%s", rows[i].line);
        nearest = command_nearest(rows[i].start, split(line, words), words);
        if (strcmp(nearest ? nearest : "-", rows[i].nearest ? rows[i].nearest : "-") != 0)
            fail_msg("%s: %s", rows[i].line, nearest ? nearest : "nothing is near");
    }
}

static void test_options(void **state)
{
    static const struct {
        const char *line, *rest; /* or, after a '!', the complaint */
        const char *socket;
        bool        json, help, version, no_headers;
        int         plain; /* 0: there is no "--" */
    } rows[] = {
        {"status", "status", NULL},
        {"-s /a --json status", "status", "/a", .json = true},
        {"status --json -s /a", "status", "/a", .json = true},
        {"zones --json show -s/a a.example", "zones show a.example", "/a", .json = true},
        {"zones --under b.example --socket=/a --state blocked", "zones --under b.example --state blocked", "/a"},
        {"-s /a --socket /b status", "status", "/b"},
        {"zones pin a external --note --json", "zones pin a external --note --json", NULL},
        {"zones pin a external --note -s --json", "zones pin a external --note -s", NULL, .json = true},
        {"zones pin a external --for --json=1", "zones pin a external --for --json=1", NULL},
        {"zones pin a external --note=--help", "zones pin a external --note=--help", NULL},
        {"zones pin -h", "zones pin", NULL, .help = true},
        {"--help zones", "zones", NULL, .help = true},
        {"zones import -", "zones import -", NULL},
        {"cache flush --all --json", "cache flush --all", NULL, .json = true},
        {"status --nosuch", "status --nosuch", NULL},
        {"zones -state blocked", "zones -state blocked", NULL},
        {"status -s./a", "status", "./a"},
        {"zones --no-headers --state blocked", "zones --state blocked", NULL, .no_headers = true},
        {"zones --state blocked --no-headers", "zones --state blocked", NULL, .no_headers = true},
        {"zones show -- --json", "zones show --json", NULL, .plain = 2},
        {"zones show --json -- -s -- -h", "zones show -s -- -h", NULL, .json = true, .plain = 2},
        {"zones pin a external --note -- --json", "zones pin a external --note --", NULL, .json = true},
        {"zones -- show a", "zones show a", NULL, .plain = 1},
        {"zones --", "zones", NULL},
        {"-V", "", NULL, .version = true},
        {"-s", "!-s needs a value"},
        {"status -s", "!-s needs a value"},
        {"--socket= status", "!the path of the socket is empty"},
        {"--jsno status", "!unknown option \"--jsno\" (did you mean \"--json\"?)"},
        {"-json status", "!unknown option \"-json\" (did you mean \"--json\"?)"},
        {"-x status", "!unknown option \"-x\" (see bywayctl --help)"},
    };

    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char           line[128], rest[128] = "", why[OPTIONS_WHY_MAX] = "";
        char          *words[WORDS_MAX];
        struct options options;

        snprintf(line, sizeof(line), "%s", rows[i].line);
        int count = split(line, words);
        if (!options_take(&count, words, &options, why)) {
            assert_int_equal(rows[i].rest[0], '!');
            assert_string_equal(why, rows[i].rest + 1);
            continue;
        }
        for (int j = 0; j < count; j++)
            sprintf(rest + strlen(rest), "%s%s", j > 0 ? " " : "", words[j]);
        assert_string_equal(rest, rows[i].rest);
        assert_string_equal(options.socket ? options.socket : "", rows[i].socket ? rows[i].socket : "");
        assert_true(options.json == rows[i].json && options.help == rows[i].help && options.version == rows[i].version);
        assert_true(options.no_headers == rows[i].no_headers);
        if (rows[i].plain > 0)
            assert_int_equal(rows[i].plain, options.plain);
        else
            assert_true(options.plain >= count);
    }
}

static void test_sockets_that_cannot_be(void **state)
{
    char           path[200], why[OPTIONS_WHY_MAX];
    char          *words[] = {(char *) "-s", path, (char *) "status"};
    struct options options;
    int            count = 3;

    (void) state;
    path[0] = 0;
    assert_false(options_take(&count, words, &options, why));
    assert_string_equal(why, "the path of the socket is empty");
    memset(path, 'x', sizeof(path));
    path[108] = 0;
    assert_false(options_take(&count, words, &options, why));
    assert_non_null(strstr(why, "longer than 107 bytes: \"xxx"));
    path[107] = 0;
    assert_true(options_take(&count, words, &options, why));
    assert_string_equal(options.socket, path);
}

/* Of any number of files each is an element, and the options stand where they like between them. */
static void test_files(void **state)
{
    static const char *const rows[][2] = {
        {"maillog", "{}"},
        {"maillog --offline", "{\"offline\":true}"},
        {"maillog a - --offline b", "{\"files\":[\"a\",\"-\",\"b\"],\"offline\":true}"},
        {"maillog \xff", "FILE is not UTF-8"},
        {"maillog a --ofline", "unexpected \"--ofline\" (did you mean \"--offline\"?)"},
    };
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char  line[64], why[ARGUMENTS_WHY_MAX] = "";
        char *words[WORDS_MAX];
        int   used = 0;
        snprintf(line, sizeof(line), "%s", rows[i][0]);
        int                   count   = split(line, words);
        const struct command *command = command_find(count, words, &used);
        int                   left    = count - used;
        json_t               *params  = arguments_read(&command->arguments, left, words + used, left, why);
        char                 *text    = params ? json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS) : strdup(why);
        assert_null(command->method);
        assert_string_equal(text, rows[i][1]);
        free(text);
        json_decref(params);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),       cmocka_unit_test(test_rows),
        cmocka_unit_test(test_a_long_note), cmocka_unit_test(test_words_that_are_no_options),
        cmocka_unit_test(test_usage),       cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_options),     cmocka_unit_test(test_sockets_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
