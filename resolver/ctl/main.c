/*
 * main.c: bywayctl. Reads the command line by the table of commands, asks the daemon one thing, prints what it said.
 *
 * commands.def  what there is         arguments  words → parameters      client  the socket
 * print, value  results for people    table      aligned columns         safe    nothing raw to a terminal
 * order         zones as they are shown
 * import        the one command that is more than a call
 */
#include "control/errors.h"
#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/import.h"
#include "ctl/order.h"
#include "ctl/safe.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SOCKET_DEFAULT "/run/byway/control.sock"

enum {
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_USAGE,
    EXIT_ABSENT
};

enum {
    PATIENCE_S = 60
}; /* a probe takes some 10 s */

struct options {
    const char *socket;
    bool        json, help, version;
    int         used; /* words of the command line before the command */
};

/* One line to standard error, whatever bytes it is made of. */
__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    char   *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    fputs("bywayctl: ", stderr);
    safe_print(stderr, text);
    fputc('\n', stderr);
    free(text);
}

static void print_help(void)
{
    printf("usage: bywayctl [-s SOCKET] [--json] COMMAND ...\n"
           "Talks to a running bywayd.\n\n"
           "  -s, --socket SOCKET   where it listens (default: %s)\n"
           "  --json                print its answer as JSON\n"
           "  -h, --help            this text\n"
           "  -V, --version         the version of this program\n\n"
           "commands:\n",
           SOCKET_DEFAULT);
    commands_help(stdout);
    printf("\nexit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no daemon there\n");
}

/* Reads what comes before the command. False: complained. */
static bool options_read(int count, char *const *words, struct options *ret)
{
    *ret = (struct options){.socket = SOCKET_DEFAULT};
    for (; ret->used < count && words[ret->used][0] == '-'; ret->used++) {
        const char *word = words[ret->used];

        if (strcmp(word, "--json") == 0) {
            ret->json = true;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            ret->help = true;
        } else if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
            ret->version = true;
        } else if (strncmp(word, "--socket=", 9) == 0) {
            ret->socket = word + 9;
        } else if (strcmp(word, "-s") == 0 || strcmp(word, "--socket") == 0) {
            if (++ret->used == count) {
                complain("%s needs a value", word);
                return false;
            }
            ret->socket = words[ret->used];
        } else {
            complain("unknown option \"%s\" (see bywayctl --help)", word);
            return false;
        }
    }
    return true;
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

/* Takes `params`. */
static int command_run(const struct options *options, const struct command *command, json_t *params)
{
    struct client      client;
    json_t            *answer = NULL;
    const char        *file   = json_string_value(json_object_get(params, "file"));
    enum client_result result = client_open(&client, options->socket, PATIENCE_S);

    if (result == CLIENT_DONE)
        result = file ? import_run(&client, file, &answer)
                      : client_call(&client, command->method, json_incref(params), &answer);
    client_close(&client);
    json_decref(params);
    if (result != CLIENT_DONE)
        return complain_of_client(&client, command->words, result);

    if (!sort_answer(command, answer)) {
        complain("%s: out of memory", command->words);
        json_decref(answer);
        return EXIT_FAILED;
    }
    if (options->json)
        safe_print_json(stdout, answer, JSON_COMPACT);
    else
        command->print(stdout, answer, (wall_t) time(NULL));
    json_int_t refused = file ? json_integer_value(json_object_get(answer, "refused")) : 0;
    json_decref(answer);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain("cannot write the answer: %m");
        return EXIT_FAILED;
    }
    if (refused > 0) {
        complain("%s: zones refused: %lld", command->words, (long long) refused);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    struct options options;
    char           why[ARGUMENTS_WHY_MAX];
    int            used = 0;

    if (!options_read(argc - 1, argv + 1, &options))
        return EXIT_USAGE;
    if (options.help) {
        print_help();
        return EXIT_DONE;
    }
    if (options.version) {
        puts("bywayctl " BYWAY_VERSION);
        return EXIT_DONE;
    }

    int          count = argc - 1 - options.used;
    char *const *words = argv + 1 + options.used;
    if (count == 0) {
        complain("no command given (see bywayctl --help)");
        return EXIT_USAGE;
    }
    const struct command *command = command_find(count, words, &used);
    if (!command) {
        complain("unknown command \"%s\" (see bywayctl --help)", words[0]);
        commands_usage(stderr, "bywayctl", words[0]);
        return EXIT_USAGE;
    }
    if (count > used && (strcmp(words[used], "--help") == 0 || strcmp(words[used], "-h") == 0)) {
        commands_usage(stdout, "bywayctl", command->words);
        return EXIT_DONE;
    }
    json_t *params = arguments_read(&command->arguments, count - used, words + used, why);
    if (!params) {
        complain("%s: %s", command->words, why);
        commands_usage(stderr, "bywayctl", command->words);
        return EXIT_USAGE;
    }
    return command_run(&options, command, params);
}
