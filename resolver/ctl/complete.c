/*
 * complete.c: see complete.h.
 */
#include "ctl/complete.h"

#include "ctl/client.h"
#include "ctl/commands.h"
#include "ctl/options.h"
#include "ctl/order.h"
#include "ctl/safe.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PATIENCE_S = 1, /* of somebody who pressed a key */
    KEPT       = 8  /* words that are no options; no command and what it takes has more, but files */
};

/* What stands before the word in question. */
struct typed {
    char       *words[KEPT]; /* those that are no options; a file's place is all that counts of the rest */
    int         count;
    const char *option; /* whose value is in question; NULL: none */
    const char *socket;
    bool        plain; /* behind "--" */
};

static bool is_socket(const char *word) { return strcmp(word, "-s") == 0 || strcmp(word, "--socket") == 0; }

static void take(struct typed *typed, char *word)
{
    if (strcmp(word, "=") == 0) /* bash makes three words of "--state=blocked" */
        return;
    if (typed->option) {
        if (is_socket(typed->option))
            typed->socket = word;
        typed->option = NULL;
    } else if (!typed->plain && strcmp(word, "--") == 0) {
        typed->plain = true;
    } else if (!typed->plain && (is_socket(word) || commands_have_option(word))) {
        typed->option = word;
    } else if ((typed->plain || word[0] != '-') && typed->count < KEPT) {
        typed->words[typed->count++] = word;
    }
}

static void offer(FILE *to, const char *word, size_t len, const char *start)
{
    if (strncmp(word, start, strlen(start)) == 0 && strlen(start) <= len)
        fprintf(to, "%.*s\n", (int) len, word);
}

/* The words of commands that those typed begin. */
static void offer_commands(FILE *to, const struct typed *typed, const char *start)
{
    const char *last = NULL;
    size_t      count, last_len = 0;
    for (const struct command *commands = commands_list(&count), *command = commands; command < commands + count;
         command++) {
        const char *next = command->words;
        int         i    = 0;
        for (size_t len; i < typed->count && *next; i++, next += len + (next[len] == ' ')) {
            len = strcspn(next, " ");
            if (strlen(typed->words[i]) != len || strncmp(next, typed->words[i], len) != 0)
                break;
        }
        size_t len = strcspn(next, " ");
        if (i < typed->count || len == 0 || (last && len == last_len && strncmp(last, next, len) == 0))
            continue;
        offer(to, next, len, start);
        last     = next;
        last_len = len;
    }
}

static void offer_options(FILE *to, const struct command *command, const char *start)
{
    const char *name;
    for (size_t i = 0; (name = options_name(i)); i++)
        offer(to, name, strlen(name), start);
    for (size_t i = 0; command && i < ARGUMENTS_MAX && command->arguments.list[i].key; i++) {
        const char *flag = command->arguments.list[i].flag;
        if (flag)
            offer(to, flag, strlen(flag), start);
    }
}

static void give_up(int signal)
{
    (void) signal;
    _exit(0);
}

/* A name that is shown otherwise than it is cannot be typed. */
static void offer_zone(FILE *to, const char *zone, const char *start)
{
    char *safe = safe_text(zone);
    if (strcmp(safe, zone) == 0)
        offer(to, zone, strlen(zone), start);
    free(safe);
}

static void offer_zones(FILE *to, const char *socket, const char *start)
{
    struct client client;
    json_t       *zones = NULL, *zone;
    const char   *last  = "";
    size_t        i;
    signal(SIGALRM, give_up);
    alarm(PATIENCE_S);
    if (client_open(&client, socket, PATIENCE_S) == CLIENT_DONE)
        client_call(&client, "zones.list", json_object(), &zones);
    client_close(&client);
    alarm(0);
    order_zones(zones);
    json_array_foreach(zones, i, zone)
    {
        const char *name = json_string_value(json_object_get(zone, "zone"));
        if (!name || strcmp(name, last) == 0) /* one for each of its types */
            continue;
        offer_zone(to, name, start);
        last = name;
    }
    json_decref(zones);
}

static void offer_choices(FILE *to, const char *choices, const char *start)
{
    for (size_t len; *choices; choices += len + (choices[len] == '|')) {
        len = strcspn(choices, "|");
        offer(to, choices, len, start);
    }
}

/* The argument whose value is in question: of the option, or by its place behind the command. */
static const struct argument *argument_of(const struct command *command, const struct typed *typed, int place)
{
    for (size_t i = 0; i < ARGUMENTS_MAX && command->arguments.list[i].key; i++) {
        const struct argument *argument = &command->arguments.list[i];
        if (typed->option ? argument->flag && strcmp(argument->flag, typed->option) == 0
                          : !argument->flag && (place-- == 0 || argument->kind == ARGUMENT_FILES))
            return argument;
    }
    return NULL;
}

/* Zones that are listed are what the zone commands, explain and --under are about; other names are not known here. */
static void offer_values(FILE *to, const struct argument *argument, const char *socket, const char *start)
{
    if (argument->kind == ARGUMENT_CHOICE)
        offer_choices(to, argument->choices, start);
    else if (argument->kind == ARGUMENT_NAME &&
             (strcmp(argument->key, "zone") == 0 || strcmp(argument->key, "domain") == 0 || argument->flag))
        offer_zones(to, socket, start);
}

void complete_print(FILE *to, const char *socket, int count, char *const *words)
{
    struct typed typed = {.socket = socket};
    const char  *start = strcmp(words[count - 1], "=") == 0 ? "" : words[count - 1];
    int          used  = 0;
    for (int i = 0; i < count - 1; i++)
        take(&typed, words[i]);
    const struct command  *command  = command_find(typed.count, typed.words, &used);
    const struct argument *argument = command ? argument_of(command, &typed, typed.count - used) : NULL;
    bool                   option   = !typed.option && !typed.plain && *start == '-';
    bool                   file     = argument && (argument->kind == ARGUMENT_FILE || argument->kind == ARGUMENT_FILES);

    fputs(!option && (file || (typed.option && is_socket(typed.option))) ? "files\n" : "words\n", to);
    if (option)
        offer_options(to, command, start);
    else if (!typed.option)
        offer_commands(to, &typed, start);
    if (argument && !option)
        offer_values(to, argument, typed.socket, start);
}
