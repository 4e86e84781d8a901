/*
 * shown.h: of any number of zones those that the status page shows: the ones whose state changed last, copied, since
 * the table may lose them meanwhile.
 *
 * Thread: owner.
 */
#ifndef OBSERVE_SHOWN_H
#define OBSERVE_SHOWN_H

#include "base/limits.h"
#include "dns/name.h"
#include "learn/table.h"

enum {
    SHOWN_ZONES = 200 /* a page that can still be read, 120 KB; a search reaches the others */
};

struct shown_zone {
    struct name      name;
    enum zone_scope  scope;
    uint16_t         type; /* SCOPE_TYPE */
    enum zone_source source;
    enum pin         pin;
    msec_t           pin_until;
    struct condition condition;
    uint64_t         answered;
    char             note[LIMIT_NOTE + 1];
};

struct shown {
    unsigned          count; /* of `zones` */
    size_t            found; /* of all that were taken */
    struct shown_zone zones[SHOWN_ZONES];
};

/* Any order; `shown` is zero at first. */
void shown_take(struct shown *shown, const struct zone *zone);
/* At the end: the newest first, and those that changed at once by name. Nothing may be taken any more. */
void shown_sort(struct shown *shown);

#endif
