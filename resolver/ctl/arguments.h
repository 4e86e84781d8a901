/*
 * arguments.h: what a command takes, how it is shown, and how the command line becomes parameters. Pure.
 *
 * Thread: main.
 */
#ifndef CTL_ARGUMENTS_H
#define CTL_ARGUMENTS_H

#include "base/types.h"
#include "dns/slip.h"

#include <jansson.h>

enum argument_kind {
    ARGUMENT_NAME,     /* a domain name */
    ARGUMENT_TYPE,     /* a record type */
    ARGUMENT_CHOICE,   /* one of `choices` */
    ARGUMENT_DURATION, /* "10m" */
    ARGUMENT_TEXT,     /* an operator's note, UTF-8 */
    ARGUMENT_FILE,     /* its path */
    ARGUMENT_FILES,    /* any number of paths, to the end: an array */
    ARGUMENT_UPSTREAM, /* as byway.json has it: its text, or the object as JSON */
    ARGUMENT_FLAG,     /* true by being there */
};

struct argument {
    const char        *key;  /* the parameter */
    const char        *flag; /* "--under"; NULL: by its position */
    const char        *word; /* what stands for the value in help */
    enum argument_kind kind;
    bool               optional;
    const char        *choices; /* "a|b" */
};

enum {
    ARGUMENTS_MAX     = 7,
    ARGUMENTS_WHY_MAX = SLIP_WHY_MAX,
    SYNOPSIS_MAX      = 160
};

struct arguments {
    struct argument list[ARGUMENTS_MAX]; /* ends with key NULL, if not full */
    bool            one_of;              /* exactly one of them must be given */
};

/* " ZONE domestic|external [--for DURATION]"; "" for none. Returns `text`. */
const char *arguments_synopsis(const struct arguments *arguments, char text[SYNOPSIS_MAX]);

/* The words after the command as a JSON object; from `plain` on none of them is an option, whatever it begins with. NULL:
 * wrong usage, `why` names what is wrong. */
json_t *arguments_read(const struct arguments *arguments, int count, char *const *words, int plain,
                       char why[ARGUMENTS_WHY_MAX]);

#endif
