/*
 * units.c: the text forms of durations, sizes and times. Reads no clock and no locale.
 */
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SIZE_MAX_TEXT (UINT64_C(1) << 62)

struct unit {
    const char *word;
    uint64_t    worth;
};

static const struct unit durations[] = {
    {"w", 604800000}, {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};
static const struct unit sizes[] = {{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};

/* A whole number and one of `units`, at most `max` in all. */
static bool quantity_parse(const char *text, const struct unit *units, size_t count, uint64_t max, uint64_t *ret)
{
    uint64_t    value = 0;
    const char *p     = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t) (*p - '0'), &value))
            return false;
    }
    if (p == text)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(p, units[i].word) != 0)
            continue;
        if (value > max / units[i].worth)
            return false;
        *ret = value * units[i].worth;
        return true;
    }
    return false;
}

bool duration_parse(const char *text, msec_t *ret)
{
    uint64_t value;
    if (!quantity_parse(text, durations, ARRAY_LEN(durations), MSEC_NEVER - 1, &value))
        return false;
    *ret = (msec_t) value;
    return true;
}

const char *duration_format(msec_t duration, char text[DURATION_TEXT_MAX])
{
    size_t i = 0;
    while (duration == 0 ? durations[i].worth != 1 : duration % (msec_t) durations[i].worth != 0)
        i++;
    snprintf(text, DURATION_TEXT_MAX, "%" PRId64 "%s", duration / (msec_t) durations[i].worth, durations[i].word);
    return text;
}

bool size_parse(const char *text, uint64_t *ret)
{
    return quantity_parse(text, sizes, ARRAY_LEN(sizes), SIZE_MAX_TEXT, ret);
}

const char *time_format(wall_t when, char text[TIME_TEXT_MAX])
{
    const wall_t first = -INT64_C(62167219200), last = INT64_C(253402300799); /* RFC 3339 has the years 0000 to 9999 */
    time_t       seconds = when < first ? first : when > last ? last : when;
    struct tm    parts;

    gmtime_r(&seconds, &parts);
    snprintf(text, TIME_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned) (parts.tm_year + 1900) % 10000,
             (unsigned) (parts.tm_mon + 1) % 100, (unsigned) parts.tm_mday % 100, (unsigned) parts.tm_hour % 100,
             (unsigned) parts.tm_min % 100, (unsigned) parts.tm_sec % 100);
    return text;
}

bool time_parse(const char *text, wall_t *ret)
{
    struct tm parts = {0};
    char      again[TIME_TEXT_MAX];
    wall_t    when;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &parts.tm_hour,
               &parts.tm_min, &parts.tm_sec) != 6)
        return false;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    when = timegm(&parts);
    /* Only the one way of writing it that we write ourselves: no 30 February, no sign, no missing zero. */
    if (strcmp(time_format(when, again), text) != 0)
        return false;
    *ret = when;
    return true;
}
