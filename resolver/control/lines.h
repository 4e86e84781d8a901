/*
 * lines.h: bytes of a stream, cut into lines.
 *
 * A reader takes room, fills some of it, cuts lines until there is none, and settles; views are good until then.
 *
 * Thread: keeper.
 */
#ifndef CONTROL_LINES_H
#define CONTROL_LINES_H

#include "base/types.h"

struct lines { /* all zero: empty */
    uint8_t *data;
    size_t   len, cap;
    size_t   used;    /* cut off already */
    size_t   scanned; /* known to hold no line end behind `used` */
};

/* At least `want` bytes to fill; NULL: no memory. */
uint8_t *lines_room(struct lines *lines, size_t want);
void     lines_add(struct lines *lines, size_t filled);
/* The next line without its LF. `ended`: nothing follows, so what is left is a line too. */
bool lines_next(struct lines *lines, bool ended, struct view *ret);
/* Gives up what was cut off, and the memory if nothing is left. */
void lines_trim(struct lines *lines);
/* Length of the unfinished line, once lines_next() found no more; else 0. */
size_t lines_unfinished(const struct lines *lines);
void   lines_clear(struct lines *lines);

#endif
