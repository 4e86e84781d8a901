/*
 * table.c: see table.h.
 */
#include "ctl/table.h"
#include "ctl/look.h"
#include "ctl/safe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    GAP     = 2, /* blanks between columns */
    CUT_MIN = 8  /* columns of free text that are left, however narrow the terminal */
};

static bool is_mark(char letter) { return letter == '>' || letter == '~' || letter == '!'; }

void table_init(struct table *table, const char *header)
{
    char *names = strdup(header), *rest = names;
    *table = (struct table){0};
    if (!names)
        abort();
    for (char *name; (name = strsep(&rest, " "));) {
        assert(table->columns < TABLE_COLUMNS);
        table->kind[table->columns++] = is_mark(*name) ? *name : 0;
    }
    free(names);
    if (look_now()->bare)
        return;

    names = rest = strdup(header);
    if (!names)
        abort();
    for (char *name; (name = strsep(&rest, " "));)
        table_add(table, is_mark(*name) ? name + 1 : name);
    free(names);
}

static size_t width_of(const char *cell)
{
    size_t columns;
    safe_fit(cell, SIZE_MAX, &columns);
    return columns;
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
    size_t width  = width_of(cell);

    table->cells[table->count++] = cell;
    if (width > table->width[column])
        table->width[column] = width;
}

static size_t width_from(const struct table *table, size_t column)
{
    size_t all = GAP * (table->columns - 1 - column);
    for (; column < table->columns; column++)
        all += table->width[column];
    return all;
}

/* Takes from the widest free text until a line has place, or there is nothing to take. */
static void fit(struct table *table, size_t room)
{
    for (size_t all = width_from(table, 0); all > room; all--) {
        size_t *widest = NULL;
        for (size_t i = 0; i < table->columns; i++)
            if (table->kind[i] == '~' && table->width[i] > CUT_MIN && (!widest || table->width[i] > *widest))
                widest = &table->width[i];
        if (!widest)
            return;
        --*widest;
    }
}

static void pad(FILE *to, size_t blanks) { fprintf(to, "%*s", (int) blanks, ""); }

static size_t print_ellipsis(FILE *to, size_t room)
{
    size_t columns = width_of(look_ellipsis());
    if (columns > room)
        return 0;
    fputs(look_ellipsis(), to);
    return columns;
}

/* As many bytes of the cell, in its colour. */
static void print_text(const struct table *table, FILE *to, size_t at, size_t bytes)
{
    bool        header = at < table->columns && !look_now()->bare;
    const char *cell = table->cells[at], *colour = "";
    if (header)
        colour = look_bold();
    else if (table->kind[at % table->columns] == '!')
        colour = look_word(cell);
    fprintf(to, "%s%.*s%s", colour, (int) bytes, cell, *colour ? look_plain() : "");
}

/* A cell in its place; no blanks behind it. Returns the columns it took. */
static size_t print_cell(const struct table *table, FILE *to, size_t at)
{
    const char *cell  = table->cells[at];
    size_t      width = table->width[at % table->columns], own = width_of(cell), cut = width_of(look_ellipsis());
    bool        right = table->kind[at % table->columns] == '>';
    if (own <= width) {
        pad(to, right ? width - own : 0);
        print_text(table, to, at, strlen(cell));
        return right ? width : own;
    }
    print_text(table, to, at, safe_fit(cell, width - cut, &own));
    return own + print_ellipsis(to, cut);
}

/* The last of a line that has no place for more: whole, if an ellipsis finds place behind it. A number is whole or is
 * left out. */
static void print_end(const struct table *table, FILE *to, size_t at, size_t room)
{
    const char *cell   = table->cells[at];
    bool        number = table->kind[at % table->columns] == '>';
    size_t      cut = width_of(look_ellipsis()), own = width_of(cell);
    if (own + 1 + cut <= room) {
        print_text(table, to, at, strlen(cell));
        pad(to, 1);
    } else if (!number && room > cut) {
        print_text(table, to, at, safe_fit(cell, room - cut, &own));
    }
    print_ellipsis(to, room);
}

static void print_row(const struct table *table, FILE *to, size_t first, size_t room)
{
    size_t cut = width_of(look_ellipsis());
    for (size_t i = 0; i < table->columns; i++) {
        bool   last   = i == table->columns - 1;
        size_t all    = table->width[i];
        size_t wanted = last ? width_of(table->cells[first + i]) : all + GAP + cut;
        if (room < wanted && room < width_from(table, i)) {
            print_end(table, to, first + i, room);
            break;
        }
        size_t used = print_cell(table, to, first + i);
        pad(to, last ? 0 : all - used + GAP);
        room -= last ? 0 : all + GAP;
    }
    fputc('\n', to);
}

void table_print(struct table *table, FILE *to)
{
    size_t room = look_now()->width;
    if (room > 0)
        fit(table, room);
    for (size_t i = 0; i < table->count; i += table->columns)
        print_row(table, to, i, room > 0 ? room : SIZE_MAX);
}

void table_fini(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){0};
}
