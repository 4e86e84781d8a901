/*
 * markup.c: see markup.h.
 */
#include "observe/markup.h"

#include "base/printable.h"
#include "base/units.h"

#include <inttypes.h>
#include <string.h>

enum {
    SECOND = 1000,
    MINUTE = 60 * SECOND,
    HOUR   = 60 * MINUTE,
    DAY    = 24 * HOUR
};

static const char *entity(char byte)
{
    switch (byte) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void markup_text(struct sheet *sheet, const char *text)
{
    while (*text && !sheet->failed) {
        size_t      len     = printable_length(text);
        const char *instead = entity(*text);
        if (instead)
            sheet_put(sheet, instead);
        else if (len > 0)
            sheet_put_bytes(sheet, text, len);
        else
            sheet_format(sheet, "\\x%02x", (unsigned char) *text);
        text += len > 0 ? len : 1;
    }
}

void markup_span(struct sheet *sheet, msec_t span)
{
    if (span < 90 * SECOND)
        sheet_format(sheet, "%d s", (int) (span / SECOND));
    else if (span < 90 * MINUTE)
        sheet_format(sheet, "%d min", (int) (span / MINUTE));
    else if (span < (msec_t) 36 * HOUR)
        sheet_format(sheet, "%d h", (int) (span / HOUR));
    else
        sheet_format(sheet, "%" PRId64 " d", span / DAY);
}

void markup_count(struct sheet *sheet, uint64_t count)
{
    if (count >= 1000) {
        markup_count(sheet, count / 1000);
        sheet_format(sheet, ",%03d", (int) (count % 1000));
    } else {
        sheet_format(sheet, "%d", (int) count);
    }
}

void markup_time(struct sheet *sheet, const struct clocks *clocks, msec_t when, bool whole)
{
    char   text[TIME_TEXT_MAX];
    msec_t span = clocks->now - when;
    time_format(clocks_wall(clocks, when), text);
    sheet_format(sheet, "<time datetime=\"%s\">", text);
    if (span > -SECOND && span < SECOND) {
        sheet_put(sheet, "now");
    } else if (span < 0) {
        sheet_put(sheet, "in ");
        markup_span(sheet, -span);
    } else {
        markup_span(sheet, span);
        sheet_put(sheet, " ago");
    }
    if (whole) { /* without the seconds */
        text[strcspn(text, "T")] = ' ';
        sheet_format(sheet, " <small>%.16s</small>", text);
    }
    sheet_put(sheet, "</time>");
}
