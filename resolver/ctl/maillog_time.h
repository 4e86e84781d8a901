/*
 * maillog_time.h: when a line of a log was written, by what it begins with. Knows nothing of the rest of the line.
 *
 * Thread: main.
 */
#ifndef CTL_MAILLOG_TIME_H
#define CTL_MAILLOG_TIME_H

#include "base/types.h"

struct maillog_time {
    wall_t now;
    int    year;      /* of `now`, here, which a time without a year is dated by */
    int    minute[5]; /* year, month, day, hour, minute of the local time that was asked for last */
    wall_t minute_began;
};

void maillog_time_init(struct maillog_time *time, wall_t now);

/* "Nov 29 15:41:00" in local time and the latest year in which that is no more than a day ahead (clocks differ, and so
 * do zones); "2026-11-29T15:41:00.123+01:00", also with "Z", "+0100", a blank for the T, and without a zone in local
 * time; "@" and a TAI64N label. False: the line begins with none of them, or with what no calendar has. */
bool maillog_time_read(struct maillog_time *time, struct view line, wall_t *ret);

#endif
