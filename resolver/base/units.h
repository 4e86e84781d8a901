/*
 * units.h: durations, sizes and times as people write them.
 *
 * Thread: pure.
 */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include "base/types.h"

#define DURATION_TEXT_MAX 32
#define TIME_TEXT_MAX 32

/* "250ms", "10s", "5m", "2h", "1d", "1w": a whole number (no sign, no blanks) and one unit; "0" needs a unit too.
 * False: not a duration, or too large for msec_t. */
bool duration_parse(const char *text, msec_t *ret);
/* The largest unit that divides it: "90s", "1d", "0ms". Returns `text`. */
const char *duration_format(msec_t duration, char text[DURATION_TEXT_MAX]);

/* "512B", "64KiB", "64MiB", "2GiB". False: not a size, or over 2^62. */
bool size_parse(const char *text, uint64_t *ret);

/* RFC 3339 in UTC with "Z", seconds: "2026-01-31T12:00:00Z". Returns `text`. */
const char *time_format(wall_t when, char text[TIME_TEXT_MAX]);
bool        time_parse(const char *text, wall_t *ret);

#endif
