/*
 * commands.c: see commands.h.
 */
#include "ctl/commands.h"

#include <string.h>

static const struct command commands[] = {
#define COMMAND(words, method, printer, help, ...) {words, method, print_##printer, help, __VA_ARGS__},
#include "ctl/commands.def"
#undef COMMAND
};

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

    *ret_used = 0;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        int used = words_match(commands[i].words, count, words);
        if (used > *ret_used) {
            *ret_used = used;
            best      = &commands[i];
        }
    }
    return best;
}

void commands_usage(FILE *to, const char *program, const char *start)
{
    char   synopsis[SYNOPSIS_MAX];
    size_t len = strlen(start);

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const char *words = commands[i].words;
        if (strncmp(words, start, len) == 0 && (words[len] == ' ' || words[len] == 0))
            fprintf(to, "usage: %s %s%s\n", program, words, arguments_synopsis(&commands[i].arguments, synopsis));
    }
}

void commands_help(FILE *to)
{
    char synopsis[SYNOPSIS_MAX];

    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(to, "  %s%s\n      %s\n", commands[i].words, arguments_synopsis(&commands[i].arguments, synopsis),
                commands[i].help);
}
