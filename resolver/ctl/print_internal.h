/*
 * print_internal.h: what print.c, listed.c, told.c and tried.c share: values of a result as text, whatever they turn out to be.
 *
 * Thread: main.
 */
#ifndef CTL_PRINT_INTERNAL_H
#define CTL_PRINT_INTERNAL_H

#include "ctl/look.h"
#include "ctl/print.h"
#include "ctl/safe.h"
#include "ctl/table.h"

#include <stdarg.h>
#include <stdlib.h>

static inline const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "-";
}

static inline json_int_t number_of(json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* Formats, then makes the whole safe: what `%s` brings in may be anything. */
__attribute__((format(printf, 2, 0))) static inline void say_list(FILE *to, const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    safe_print(to, text);
    free(text);
}

/* A line's beginning, or all that is left of it. */
__attribute__((format(printf, 2, 3))) static inline void say_part(FILE *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_list(to, format, arguments);
    va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static inline void say(FILE *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_list(to, format, arguments);
    va_end(arguments);
    fputc('\n', to);
}

/* A word within a line, in its colour. */
static inline void say_word(FILE *to, const char *word)
{
    const char *colour = look_word(word);
    fputs(colour, to);
    safe_print(to, word);
    fputs(*colour ? look_plain() : "", to);
}

static inline void add(struct table *table, json_t *value)
{
    char number[32];
    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%lld", (long long) json_integer_value(value));
        table_add(table, number);
    } else if (json_is_real(value)) {
        snprintf(number, sizeof(number), "%.1f", json_real_value(value));
        table_add(table, number);
    } else if (json_is_boolean(value)) {
        table_add(table, json_is_true(value) ? "yes" : "no");
    } else {
        table_add(table, json_string_value(value));
    }
}

static inline void add_keys(struct table *table, json_t *object, const char *const *keys)
{
    for (; *keys; keys++)
        add(table, json_object_get(object, *keys));
}

static inline void add_when(struct table *table, json_t *time, wall_t now)
{
    char text[SPAN_TEXT_MAX];
    table_add(table, when_format(time, now, text));
}

#endif
