/*
 * value.c: single values for people. See print.h.
 */
#include "base/units.h"
#include "ctl/print.h"

#include <inttypes.h>

const char *span_format(int64_t seconds, char text[SPAN_TEXT_MAX])
{
    static const struct {
        char    letter;
        int64_t seconds;
    } units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
    size_t i  = 0;

    while (units[i].seconds > 1 && seconds < 2 * units[i].seconds)
        i++;
    snprintf(text, SPAN_TEXT_MAX, "%" PRId64 "%c", seconds / units[i].seconds, units[i].letter);
    return text;
}

const char *when_format(const json_t *time, wall_t now, char text[SPAN_TEXT_MAX])
{
    char   span[SPAN_TEXT_MAX];
    wall_t when;
    text[0] = 0;
    if (!json_is_string(time) || !time_parse(json_string_value(time), &when))
        return text;
    if (when > now)
        snprintf(text, SPAN_TEXT_MAX, "in %.20s", span_format(when - now, span));
    else if (when < now)
        snprintf(text, SPAN_TEXT_MAX, "%.20s ago", span_format(now - when, span));
    else
        snprintf(text, SPAN_TEXT_MAX, "now");
    return text;
}

const char *size_format(json_int_t bytes, char text[SPAN_TEXT_MAX])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double                   size    = (double) bytes;
    size_t                   i       = 0;
    for (; size >= 1024 && i + 1 < ARRAY_LEN(units); i++)
        size /= 1024;
    snprintf(text, SPAN_TEXT_MAX, "%.*f %s", i == 0 ? 0 : 1, size, units[i]);
    return text;
}
