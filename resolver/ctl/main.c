/*
 * main.c: bywayctl. Reads the command line by the table of commands, asks the daemon one thing, prints what it said.
 *
 * commands.def  what there is         arguments  words → parameters      client  the socket
 * options       bywayctl's own, anywhere on the line
 * print, value  results for people    table      aligned columns         safe    nothing raw to a terminal
 * explained, report  the result of explain: for the administrator, for whose domain it is
 * port25        explain --connect: knock (sockets), greeting (what is said there)
 * order         zones as they are shown          look       how wide, colours, UTF-8
 * complete      what the shell asks for            progress   while it is waited for
 * import        the one command that is more than a call
 * maillog       the one that needs no daemon
 */
#include "base/printable.h"
#include "control/errors.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/complete.h"
#include "ctl/import.h"
#include "ctl/look.h"
#include "ctl/maillog.h"
#include "ctl/options.h"
#include "ctl/order.h"
#include "ctl/port25.h"
#include "ctl/progress.h"
#include "ctl/safe.h"

#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SOCKET_DEFAULT "/run/byway/control.sock"

enum {
    PATIENCE_S = 10 /* that the daemon may be silent */
};

enum {
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_USAGE,
    EXIT_ABSENT
};

/* One line to standard error, whatever bytes it is made of. */
__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    char   *text = NULL, *safe;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    safe = malloc(4 * strlen(text) + 1);
    if (!safe)
        abort();
    fprintf(stderr, "bywayctl: %s\n", printable_copy(text, safe, 4 * strlen(text) + 1));
    free(safe);
    free(text);
}

/* A full disk is found out only when the text leaves. */
static int printed(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_DONE;
    complain("cannot write the answer: %m");
    return EXIT_FAILED;
}

static void print_help(void)
{
    options_help(stdout, SOCKET_DEFAULT);
    printf("\ncommands:\n");
    commands_help(stdout);
    printf("\nexit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no daemon there\n");
}

static int complain_of_client(const struct client *client, const char *words, enum client_result result)
{
    if (result == CLIENT_ABSENT) {
        complain("%s", client->why);
        return EXIT_ABSENT;
    }
    complain("%s: %s", words, client->why);
    return client->code == CONTROL_BAD_PARAMS ? EXIT_USAGE : EXIT_FAILED;
}

/* False: no memory. */
static bool sort_answer(const struct command *command, json_t *answer)
{
    if (strcmp(command->method, "zones.list") == 0)
        return order_zones(answer);
    if (strcmp(command->method, "zones.export") == 0)
        return order_zones(json_object_get(answer, "zones"));
    return true;
}

/* How long the daemon may be silent. A probe, explain too, waits for upstreams; a reload and an import may have much to
 * read. */
static unsigned patience_of(const struct command *command)
{
    static const char *const slow[] = {"zones.probe", "zones.import", "reload", "explain"};
    for (size_t i = 0; i < ARRAY_LEN(slow); i++)
        if (strcmp(command->method, slow[i]) == 0)
            return 30;
    return PATIENCE_S;
}

/* Of an import: what was refused, in one line; the table has more of it. */
static int judge_import(const struct command *command, json_t *answer)
{
    json_int_t  refused = json_integer_value(json_object_get(answer, "refused"));
    json_t     *first   = json_array_get(json_object_get(answer, "refusals"), 0);
    const char *zone    = json_string_value(json_object_get(first, "zone"));
    const char *why     = json_string_value(json_object_get(first, "why"));

    if (refused == 0)
        return EXIT_DONE;
    complain("%s: zones refused: %lld, the first: %s: %s", command->words, (long long) refused, zone ? zone : "-",
             why ? why : "-");
    return EXIT_FAILED;
}

struct watching {
    const struct command *command;
    bool                  json;
};

/* One line, which is out before the next one is waited for. Nobody reads any more: that is the end. */
static void on_told(void *context, json_t *told)
{
    const struct watching *watching = context;
    json_t                *event    = json_object_get(told, "event");
    if (event && watching->json)
        safe_print_json(stdout, event, JSON_COMPACT);
    else if (event)
        watching->command->print(stdout, event, (wall_t) time(NULL));
    else
        complain("%s: lines lost, since they were not read fast enough: %lld", watching->command->words,
                 (long long) json_integer_value(json_object_get(told, "lost")));
    if (printed() != EXIT_DONE)
        exit(EXIT_FAILED);
}

/* Takes `params`. */
static int command_watch(const struct options *options, const struct command *command, json_t *params)
{
    struct client         client;
    const struct watching watching = {command, options->json};
    const char           *path     = options->socket ? options->socket : SOCKET_DEFAULT;
    enum client_result    result   = client_open(&client, path, PATIENCE_S);
    if (result == CLIENT_DONE)
        result = client_stream(&client, command->method, params, on_told, (void *) &watching);
    else
        json_decref(params);
    client_close(&client);
    return result == CLIENT_DONE ? EXIT_DONE : complain_of_client(&client, command->words, result);
}

static bool is_stream(const struct command *command)
{
    return strcmp(command->method, "events") == 0 || strcmp(command->method, "trace") == 0;
}

static int show(const struct options *options, const struct command *command, json_t *answer)
{
    if (options->json)
        safe_print_json(stdout, answer, JSON_COMPACT);
    else
        command->print(stdout, answer, (wall_t) time(NULL));
    return printed();
}

/* The daemon's answer in *ret_answer, unless that is NULL afterwards: then the failure has been told. */
static int call(const struct options *options, const struct command *command, json_t *params, json_t **ret_answer)
{
    struct client      client;
    const char        *path   = options->socket ? options->socket : SOCKET_DEFAULT;
    const char        *file   = json_string_value(json_object_get(params, "file"));
    enum client_result result = client_open(&client, path, patience_of(command));
    client.on_second          = progress_show;
    client.on_told            = progress_told;
    *ret_answer               = NULL;
    if (result == CLIENT_DONE)
        result = file ? import_run(&client, file, ret_answer)
                      : client_call(&client, command->method, json_incref(params), ret_answer);
    progress_end();
    client_close(&client);
    return result == CLIENT_DONE ? EXIT_DONE : complain_of_client(&client, command->words, result);
}

/* Takes `params`. */
static int command_run(const struct options *options, const struct command *command, json_t *params)
{
    json_t     *answer = NULL;
    const char *file   = json_string_value(json_object_get(params, "file"));
    int         status = call(options, command, params, &answer);
    if (!answer)
        goto out;
    status = EXIT_FAILED;
    if (!sort_answer(command, answer)) {
        complain("%s: out of memory", command->words);
        goto out;
    }
    status = show(options, command, answer);
    if (status == EXIT_DONE && file)
        status = judge_import(command, answer);
out:
    json_decref(answer);
    json_decref(params);
    return status;
}

/* An option of the command that is not the daemon's. */
static bool take_flag(json_t *params, const char *key)
{
    bool there = json_object_get(params, key) != NULL;
    json_object_del(params, key);
    return there;
}

static json_t *connect_to_hosts(json_t *answer)
{
    progress_about("connecting to port 25");
    json_t *connect = port25_try(answer, progress_show);
    progress_end();
    return connect;
}

/* Takes `params`. */
static int explain(const struct options *options, const struct command *command, json_t *params)
{
    bool    connects = take_flag(params, "connect"), report = take_flag(params, "report");
    json_t *answer = NULL;
    int     status = EXIT_USAGE;
    if (report && options->json) {
        complain("%s: --report is a text for people: not with --json", command->words);
        command_usage(stderr, "bywayctl", command);
        goto out;
    }
    progress_about(command->words);
    status = call(options, command, params, &answer);
    if (!answer)
        goto out;
    if (connects && json_is_object(answer))
        port25_add(answer, connect_to_hosts(answer));
    if (report)
        print_report(stdout, answer, (wall_t) time(NULL));
    status = report ? printed() : show(options, command, answer);
out:
    json_decref(answer);
    json_decref(params);
    return status;
}

/* Takes `params`. */
static int maillog(const struct options *options, const struct command *command, json_t *params)
{
    const char            *socket = options->socket ? options->socket : SOCKET_DEFAULT;
    struct maillog_options how    = {.files    = json_object_get(params, "files"),
                                     .socket   = json_object_get(params, "offline") ? NULL : socket,
                                     .now      = (wall_t) time(NULL),
                                     .complain = complain};
    json_t                *list   = NULL;
    bool                   good   = maillog_run(&how, &list);
    int                    status = list ? show(options, command, list) : EXIT_FAILED;
    json_decref(list);
    json_decref(params);
    return good ? status : EXIT_FAILED;
}

static int complain_of_command(int count, char *const *words)
{
    const char *nearest = command_nearest("", count, words);
    if (nearest)
        complain("unknown command \"%s\" (did you mean \"%s\"?)", words[0], nearest);
    else
        complain("unknown command \"%s\" (see bywayctl --help)", words[0]);
    commands_usage(stderr, "bywayctl", nearest ? nearest : words[0]);
    return EXIT_USAGE;
}

static int help(int count, char *const *words)
{
    int                   used    = 0;
    const struct command *command = command_find(count, words, &used);
    if (count == 0)
        print_help();
    else if (!commands_describe(stdout, "bywayctl", command ? command->words : words[0]))
        return complain_of_command(count, words);
    return printed();
}

/* A word that stands where no argument does may be a slip for a command of two words. */
static int complain_of_arguments(const struct command *command, int used, const char *why, int count,
                                 char *const *words)
{
    const char *nearest = command_nearest(command->words, count, words);
    if (nearest)
        complain("%s: %s (did you mean \"%s\"?)", command->words, why, nearest);
    else
        complain("%s: %s", command->words, why);
    if (count > used && words[used][0] != '-')
        commands_usage(stderr, "bywayctl", command->words);
    else
        command_usage(stderr, "bywayctl", command);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct options options;
    char           complaint[OPTIONS_WHY_MAX], why[ARGUMENTS_WHY_MAX];
    int            count = argc - 1, used = 0;
    char         **words = argv + 1;
    signal(SIGPIPE, SIG_DFL); /* who stops reading is told nothing, whatever was inherited */
    if (argc > 2 && strcmp(argv[1], "--complete") == 0) { /* the shell's completion asks, of words that are not whole */
        complete_print(stdout, SOCKET_DEFAULT, argc - 2, argv + 2);
        return printed();
    }
    if (!options_take(&count, words, &options, complaint)) {
        complain("%s", complaint);
        return EXIT_USAGE;
    }
    setlocale(LC_CTYPE, "");
    struct look look = look_of(stdout);
    look.bare        = options.no_headers;
    look_set(&look);
    if (options.help)
        return help(count, words);
    if (options.version) {
        puts("bywayctl " BYWAY_VERSION);
        return printed();
    }
    if (count == 0) {
        complain("no command given (see bywayctl --help)");
        return EXIT_USAGE;
    }
    const struct command *command = command_find(count, words, &used);
    if (!command)
        return complain_of_command(count, words);
    json_t *params = arguments_read(&command->arguments, count - used, words + used, options.plain - used, why);
    if (!params)
        return complain_of_arguments(command, used, why, count, words);
    if (!command->method)
        return maillog(&options, command, params);
    if (strcmp(command->method, "explain") == 0)
        return explain(&options, command, params);
    return is_stream(command) ? command_watch(&options, command, params) : command_run(&options, command, params);
}
