/*
 * history.h: the last day in intervals of five minutes, as it is drawn: how many answers were given by which way, how
 * many zones were blocked, what became of the questions to the two groups. In memory alone, 16 KB.
 *
 * It is given totals, which only grow, and keeps what they grew by. Knows neither who counts nor how it is shown.
 *
 * Thread: owner.
 */
#ifndef OBSERVE_HISTORY_H
#define OBSERVE_HISTORY_H

#include "base/types.h"

enum {
    HISTORY_EVERY     = 5 * 60 * 1000,     /* ms in an interval: a pixel or two of a phone's screen */
    HISTORY_INTERVALS = 24 * 3600 / 5 / 60 /* a day of them, the one that is not over yet included */
};

enum history_series {
    HISTORY_HERE,                             /* answers: from the cache, byway's own, declined */
    HISTORY_DOMESTIC,                         /* by domestic, or another group than the two */
    HISTORY_EXTERNAL,                         /* by external */
    HISTORY_STALE,                            /* stale ones */
    HISTORY_SERVFAIL,                         /* SERVFAIL, whoever made it; in none of the others */
    HISTORY_ANSWERS,                          /* how many of these there are */
    HISTORY_DOMESTIC_ASKED = HISTORY_ANSWERS, /* questions to the group that have ended, … */
    HISTORY_DOMESTIC_UNANSWERED,              /* … and those of them that nobody answered */
    HISTORY_EXTERNAL_ASKED,
    HISTORY_EXTERNAL_UNANSWERED,
    HISTORY_OVER_QUOTA, /* questions kept from external */
    HISTORY_LOST,       /* queries for which there was no room */
    HISTORY_SERIES,
};

struct history_totals {
    uint64_t of[HISTORY_SERIES];
    uint32_t blocked; /* zones now; the interval keeps the highest */
};

struct history_interval {
    bool     known; /* byway ran, at least for a part of it */
    uint32_t of[HISTORY_SERIES];
    uint32_t blocked;
};

struct history {
    msec_t                  end; /* of the interval that is not over yet */
    unsigned                at;  /* that interval */
    struct history_totals   last;
    struct history_interval intervals[HISTORY_INTERVALS];
};

/* What was counted before is nobody's. */
void history_init(struct history *history, const struct history_totals *totals, msec_t now);

/* What has come since the last time is the present interval's. To be called at least when it ends: what comes later
 * than that is counted for it all the same, and intervals that were missed altogether are unknown. */
void history_add(struct history *history, const struct history_totals *totals, msec_t now);
/* What is counted has changed, with no time between: nothing comes of it. */
void history_rebase(struct history *history, const struct history_totals *totals);

/* `ago` intervals before the present one. */
const struct history_interval *history_interval(const struct history *history, unsigned ago);
/* Of that interval, the answers of all kinds. */
uint64_t history_answers(const struct history_interval *interval);

#endif
