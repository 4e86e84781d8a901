/*
 * print.h: results of the daemon for people (docs/protocol.md has their shapes). What is missing or of another type
 * shows as "-": a daemon of another version must not end the program.
 *
 * Thread: main.
 */
#ifndef CTL_PRINT_H
#define CTL_PRINT_H

#include "base/types.h"

#include <jansson.h>
#include <stdio.h>

/* Borrows `result`. */
typedef void (*print_fn)(FILE *to, json_t *result, wall_t now);

void print_status(FILE *to, json_t *result, wall_t now);
void print_zones(FILE *to, json_t *result, wall_t now);
void print_zone(FILE *to, json_t *result, wall_t now);
void print_pinned(FILE *to, json_t *result, wall_t now);
void print_unpinned(FILE *to, json_t *result, wall_t now);
void print_forgotten(FILE *to, json_t *result, wall_t now);
void print_probe(FILE *to, json_t *result, wall_t now);
void print_imported(FILE *to, json_t *result, wall_t now);
void print_cache(FILE *to, json_t *result, wall_t now);
void print_flushed(FILE *to, json_t *result, wall_t now);
void print_upstreams(FILE *to, json_t *result, wall_t now);
void print_tried(FILE *to, json_t *result, wall_t now);
void print_event(FILE *to, json_t *result, wall_t now);
void print_looked(FILE *to, json_t *result, wall_t now);
void print_explained(FILE *to, json_t *result, wall_t now);
void print_report(FILE *to, json_t *result, wall_t now); /* the same, for whose domain it is */
void print_traced(FILE *to, json_t *result, wall_t now);
void print_maillog(FILE *to, json_t *result, wall_t now);
void print_stats(FILE *to, json_t *result, wall_t now);
void print_reloaded(FILE *to, json_t *result, wall_t now);
void print_json(FILE *to, json_t *result, wall_t now); /* indented */

/* "45s", "5m", "3h", "2d": the unit that leaves at least two of it. */
#define SPAN_TEXT_MAX 32
const char *span_format(int64_t seconds, char text[SPAN_TEXT_MAX]);
/* "5m ago", "in 9m", "now"; "" if `time` is no time. */
const char *when_format(const json_t *time, wall_t now, char text[SPAN_TEXT_MAX]);
/* "64.0 MiB" */
const char *size_format(json_int_t bytes, char text[SPAN_TEXT_MAX]);

#endif
