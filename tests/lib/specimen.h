/*
 * specimen.h: a status page as of a day on which something happened, for tests of what is shown and for a picture of
 * it. Its names and addresses are those of documentation.
 */
#ifndef LIB_SPECIMEN_H
#define LIB_SPECIMEN_H

#include "observe/page.h"

struct specimen {
    struct page              page;
    struct standing          standing;
    struct standing_upstream upstreams[3];
    struct history           history;
    struct shown             shown;
};

/* All is well in it. */
void specimen_init(struct specimen *specimen);
/* One more zone, which became `state` so many minutes ago. */
void specimen_add_zone(struct specimen *specimen, struct view name, enum zone_state state, enum zone_reason reason,
                       unsigned minutes);

#endif
