/*
 * look.h: what the output goes to: how wide a line may be, whether it knows colours and UTF-8, whether tables have a
 * header. Set once, before anything is printed; until then nothing is cut, coloured or beyond ASCII.
 *
 * Thread: main.
 */
#ifndef CTL_LOOK_H
#define CTL_LOOK_H

#include "base/types.h"

#include <stdio.h>

struct look {
    size_t width;  /* columns of a line; 0: without end */
    bool   colour; /* escape sequences are understood, and wanted */
    bool   utf8;   /* of the locale */
    bool   bare;   /* tables without their header */
};

/* The look for `to`: of the terminal, if it is one, and of LC_CTYPE, which main has set. */
struct look look_of(FILE *to);
/* COLUMNS goes before what the terminal says of itself; text that is no such number goes for nothing. */
size_t look_width(const char *columns, size_t terminal);

void               look_set(const struct look *look);
const struct look *look_now(void);

/* What stands for text that was cut. */
const char *look_ellipsis(void);

/* Sequences to write before and after; "" without colours. */
const char *look_word(const char *word); /* by what the word means; "" for one that means nothing bad or good */
const char *look_bold(void);
const char *look_plain(void);

#endif
