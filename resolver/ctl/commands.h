/*
 * commands.h: the table of commands. Help and usage are printed from it.
 *
 * Thread: main.
 */
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "ctl/arguments.h"
#include "ctl/print.h"

struct command {
    const char      *words;  /* "zones pin" */
    const char      *method; /* "zones.pin"; NULL: it is no method of the daemon */
    print_fn         print;  /* the result, for people */
    const char      *help;
    struct arguments arguments;
};

/* All of them, in the order of help. */
const struct command *commands_list(size_t *ret_count);

/* The command that the first words name, the longest match; *ret_used: how many words. NULL: none. */
const struct command *command_find(int count, char *const *words, int *ret_used);

/* The words of the command below `start` ("zones"; "": any) that the first words were meant to be; NULL: none is
 * near. */
const char *command_nearest(const char *start, int count, char *const *words);

/* Whether some command has an option of this name ("--for") that takes the next word for its value. */
bool commands_have_option(const char *flag);

/* How to use this command, one line. */
void command_usage(FILE *to, const char *program, const struct command *command);
/* How to use each command that is `start` or begins with it, one a line. */
void commands_usage(FILE *to, const char *program, const char *start);
/* The same with their help; false: there is no such command. */
bool commands_describe(FILE *to, const char *program, const char *start);
/* The table of commands with their help. */
void commands_help(FILE *to);

#endif
