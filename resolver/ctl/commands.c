/*
 * commands.c: see commands.h.
 */
#include "ctl/commands.h"

#include "base/spelling.h"

#include <string.h>

enum {
    NEAR_MAX = 64 /* bytes of words that may be a command's */
};

static const struct command commands[] = {
#define COMMAND(words, method, printer, help, ...) {words, method, print_##printer, help, __VA_ARGS__},
#include "ctl/commands.def"
#undef COMMAND
};

const struct command *commands_list(size_t *ret_count)
{
    *ret_count = ARRAY_LEN(commands);
    return commands;
}

/* How many of the words are the command's; 0: they are another's. */
static int words_match(const char *command, int count, char *const *words)
{
    int used = 0;
    while (*command) {
        size_t len = strcspn(command, " ");
        if (used == count || strlen(words[used]) != len || strncmp(words[used], command, len) != 0)
            return 0;
        used++;
        command += len + (command[len] == ' ');
    }
    return used;
}

const struct command *command_find(int count, char *const *words, int *ret_used)
{
    const struct command *best = NULL;
    *ret_used                  = 0;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        int used = words_match(commands[i].words, count, words);
        if (used > *ret_used) {
            *ret_used = used;
            best      = &commands[i];
        }
    }
    return best;
}

/* Whether `command` is `start`, or begins with it. */
static bool is_below(const char *command, const char *start)
{
    size_t len = strlen(start);
    return strncmp(command, start, len) == 0 && (command[len] == ' ' || command[len] == 0);
}

/* As many of the given words as `command` has, with a blank between. */
static void join(const char *command, int count, char *const *words, char text[NEAR_MAX])
{
    size_t len = 0;
    text[0]    = 0;
    for (int i = 0; i < count && command && len < NEAR_MAX; i++) {
        len += (size_t) snprintf(text + len, NEAR_MAX - len, "%s%s", i > 0 ? " " : "", words[i]);
        command = strchr(command + 1, ' ');
    }
}

const char *command_nearest(const char *start, int count, char *const *words)
{
    const char *nearest = NULL;
    size_t      best = SIZE_MAX, known = strlen(start);
    char        given[NEAR_MAX];
    for (int pass = 0; pass < 2; pass++) { /* of those as near, one of two words: it explains both */
        for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
            const char *candidate = commands[i].words;
            if ((strchr(candidate, ' ') == NULL) != pass ||
                (*start && (strcmp(candidate, start) == 0 || !is_below(candidate, start))))
                continue;
            join(candidate, count, words, given);
            if (strlen(given) >= known && spelling_is_nearer(given + known, candidate + known, &best))
                nearest = candidate;
        }
    }
    return nearest;
}

bool commands_have_option(const char *flag)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const struct argument *list = commands[i].arguments.list;
        for (size_t j = 0; j < ARGUMENTS_MAX && list[j].key; j++)
            if (list[j].flag && list[j].kind != ARGUMENT_FLAG && strcmp(list[j].flag, flag) == 0)
                return true;
    }
    return false;
}

void command_usage(FILE *to, const char *program, const struct command *command)
{
    char synopsis[SYNOPSIS_MAX];
    fprintf(to, "usage: %s %s%s\n", program, command->words, arguments_synopsis(&command->arguments, synopsis));
}

void commands_usage(FILE *to, const char *program, const char *start)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (is_below(commands[i].words, start))
            command_usage(to, program, &commands[i]);
}

bool commands_describe(FILE *to, const char *program, const char *start)
{
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (!is_below(commands[i].words, start))
            continue;
        found = true;
        command_usage(to, program, &commands[i]);
        fprintf(to, "      %s\n", commands[i].help);
    }
    return found;
}

void commands_help(FILE *to)
{
    char synopsis[SYNOPSIS_MAX];
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(to, "  %s%s\n      %s\n", commands[i].words, arguments_synopsis(&commands[i].arguments, synopsis),
                commands[i].help);
}
