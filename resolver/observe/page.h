/*
 * page.h: the status page as HTML: is all well, the upstreams, the zones that were learned, the last day. One text that
 * needs nothing else: its style is in it, it has no script, and PAGE_POLICY forbids all but that. What is in it comes
 * from anybody, names of zones above all, and is escaped.
 *
 * Thread: pure.
 */
#ifndef OBSERVE_PAGE_H
#define OBSERVE_PAGE_H

#include "observe/concerns.h"
#include "observe/history.h"
#include "observe/look.h"
#include "observe/sheet.h"
#include "observe/shown.h"

#define PAGE_TYPE "text/html; charset=utf-8"
#define PAGE_POLICY                                                                                                    \
    "default-src 'none'; style-src '" LOOK_HASH "'; img-src data:; form-action 'self'; base-uri 'none'; "              \
    "frame-ancestors 'none'"

struct page {                                         /* all is borrowed */
    const char            *host, *version, *learning; /* learning.mode */
    struct clocks          clocks;
    msec_t                 started;
    const struct standing *standing;
    const struct history  *history;
    const char            *under; /* what was searched for, as it was typed; NULL: nothing */
    const char            *wrong; /* why that is no name; NULL: it is one */
    const struct shown    *shown; /* sorted */
};

/* Without a last byte where sheet->failed. */
void page_write(struct sheet *sheet, const struct page *page);

#endif
