/*
 * markup.h: text on its way into HTML, where every byte may be anybody's.
 *
 * Thread: pure.
 */
#ifndef OBSERVE_MARKUP_H
#define OBSERVE_MARKUP_H

#include "base/clocks.h"
#include "observe/sheet.h"

/* As content, or as an attribute's value between quotes: it ends neither, begins nothing, and shows every byte that is
 * no character as \xHH. */
void markup_text(struct sheet *sheet, const char *text);

/* "40 s", "12 min", "5 h", "3 d". */
void markup_span(struct sheet *sheet, msec_t span);
/* "1,234,567". */
void markup_count(struct sheet *sheet, uint64_t count);
/* A <time>: "5 min ago", or "in 8 min", or "now", with the time by the calendar in its attribute, and, if `whole`, in
 * small letters beside it. */
void markup_time(struct sheet *sheet, const struct clocks *clocks, msec_t when, bool whole);

#endif
