/*
 * options.h: bywayctl's own options, which may stand anywhere on the command line. Pure.
 *
 * Thread: main.
 */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include "base/types.h"

#include <stdio.h>

enum {
    OPTIONS_WHY_MAX = 256
};

struct options {
    const char *socket; /* NULL: none was given */
    bool        json, no_headers, help, version;
    int         plain; /* which of the words that are left is the first from behind "--", where nothing is an option */
};

/* Takes the options out of `words`, of which *count are left, in their order: the command and what belongs to it. The
 * value of a command's own option is never taken for one ("--note --json"), and nothing that stands behind "--". False:
 * wrong usage, `why` says what. */
bool options_take(int *count, char **words, struct options *ret, char why[OPTIONS_WHY_MAX]);

/* How to use the program, and each option; `socket`: the default. */
void options_help(FILE *to, const char *socket);
/* The names of all, one by one; NULL: there are no more. */
const char *options_name(size_t at);

#endif
