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

/* `text` with every byte that is not printable ASCII as \xHH. On the heap; never NULL (ends the program without
 * memory). */
char *safe_text(const char *text);
void  safe_print(FILE *to, const char *text);

/* JSON in ASCII on a line: what is not printable is escaped as JSON does it, so the value is unchanged. `flags` of
 * json_dumps. */
void safe_print_json(FILE *to, const json_t *json, size_t flags);

#endif
