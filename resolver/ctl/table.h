/*
 * table.h: aligned columns for people, as wide as look.h allows. Knows nothing of what is in them.
 *
 * Thread: main.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include "base/types.h"

#include <stdio.h>

enum {
    TABLE_COLUMNS = 20
};

struct table {
    size_t columns;
    char   kind[TABLE_COLUMNS]; /* '>', '~', '!' or 0 */
    size_t width[TABLE_COLUMNS];
    char **cells; /* row by row, the header first */
    size_t count, cap;
};

/* `header`: column names with a blank between. Before a name: '>' numbers, which stand right; '~' free text, which is cut
 * first; '!' words that may have a colour. */
void table_init(struct table *table, const char *header);
/* Adds a cell, row by row; copies, made safe for a terminal. NULL or "" shows as "-". */
void table_add(struct table *table, const char *text);
/* Header and rows, two blanks between columns, none at a line's end. A table wider than a line may be has its widest free
 * text cut, then what stands at the line's end; an ellipsis says so. */
void table_print(struct table *table, FILE *to);
void table_fini(struct table *table);

#endif
