/*
 * safe.h: text from elsewhere on its way to a terminal. Names, notes and messages may hold any byte; a terminal obeys
 * some of them.
 *
 * Thread: main.
 */
#ifndef CTL_SAFE_H
#define CTL_SAFE_H

#include <jansson.h>
#include <stdio.h>

/* `text` with every byte of what does not show as itself as \xHH: where the locale is not UTF-8 (look.h) all but printable
 * ASCII. On the heap; never NULL (ends the program without memory). */
char *safe_text(const char *text);
void  safe_print(FILE *to, const char *text);
/* How many bytes of safe text find place in `room` columns of a terminal, whole characters, and how many they take. */
size_t safe_fit(const char *safe, size_t room, size_t *ret_columns);

/* JSON in ASCII on a line: what is not printable is escaped as JSON does it, so the value is unchanged. `flags` of
 * json_dumps. */
void safe_print_json(FILE *to, const json_t *json, size_t flags);

#endif
