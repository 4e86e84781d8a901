/*
 * trouble.h: what share of the questions that it should answer an upstream fails just now, by a rate limit, lost
 * datagrams, or whatever else is its own trouble and no zone's. So much of what it says against a zone says nothing.
 *
 * CONSTANTS
 *   TROUBLE_SPAN    60 s   looked at, in steps of 5 s …
 *   TROUBLE_BRIEF   10 s   … and the end of it by itself: trouble that has just begun must not drown in a good minute
 *   TROUBLE_PRIOR   10     questions, one of them failed, that are supposed where nothing was seen yet
 *   TROUBLE_LEAST   1 %    nobody is better than that
 *   TROUBLE_SOME    3      failures make the share by themselves, whatever is supposed
 *
 * Thread: owner.
 */
#ifndef UPSTREAM_TROUBLE_H
#define UPSTREAM_TROUBLE_H

#include "base/types.h"

enum {
    TROUBLE_STEP  = 5000, /* ms */
    TROUBLE_STEPS = 12,
    TROUBLE_BRIEF = 2, /* steps */
    TROUBLE_PRIOR = 10,
    TROUBLE_SOME  = 3,
};
#define TROUBLE_LEAST 0.01

struct trouble { /* all zero: nothing was seen */
    struct {
        uint32_t well, failed;
    } steps[TROUBLE_STEPS];
    msec_t step; /* the newest, in steps of the clock */
};

/* So many questions were answered, and so many failed that should have been answered. */
void trouble_note(struct trouble *trouble, unsigned well, unsigned failed, msec_t now);
/* From TROUBLE_LEAST to 1. */
double trouble_share(struct trouble *trouble, msec_t now);

#endif
