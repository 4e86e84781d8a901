/*
 * table.c: see table.h.
 */
#include "ctl/table.h"
#include "ctl/safe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void table_init(struct table *table, const char *header)
{
    char *names = strdup(header), *rest = names;
    *table = (struct table){0};
    if (!names)
        abort();
    for (char *name; (name = strsep(&rest, " "));) {
        assert(table->columns < TABLE_COLUMNS);
        table->right[table->columns++] = *name == '>';
    }
    free(names);

    names = rest = strdup(header);
    if (!names)
        abort();
    for (char *name; (name = strsep(&rest, " "));)
        table_add(table, *name == '>' ? name + 1 : name);
    free(names);
}

void table_add(struct table *table, const char *text)
{
    if (table->count == table->cap) {
        table->cap   = table->cap ? 2 * table->cap : 256;
        table->cells = realloc(table->cells, table->cap * sizeof(*table->cells));
        if (!table->cells)
            abort();
    }
    char  *cell   = safe_text(text && *text ? text : "-");
    size_t column = table->count % table->columns;
    size_t width  = strlen(cell);

    table->cells[table->count++] = cell;
    if (width > table->width[column])
        table->width[column] = width;
}

void table_print(const struct table *table, FILE *to)
{
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        bool   last   = column == table->columns - 1;
        int    width  = (int) table->width[column];

        if (table->right[column])
            fprintf(to, "%*s", width, table->cells[i]);
        else if (last)
            fputs(table->cells[i], to);
        else
            fprintf(to, "%-*s", width, table->cells[i]);
        fputs(last ? "\n" : "  ", to);
    }
}

void table_fini(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){0};
}
