/*
 * survey.h: finding out from external, in the background, which nameservers zones are on: their NS names and, unless
 * the learner knows these already, the addresses. One survey at a time for a zone, LIMIT_CONFIRMATIONS in all, at most
 * 1 + 2 · SURVEY_HOSTS questions each, asked once more when silent; nothing of it crosses a fence. The prober's.
 *
 * A survey of a zone that is listed ends in learner_place(); one of a zone in doubt is kept until its doubt ends.
 */
#ifndef PROBE_SURVEY_H
#define PROBE_SURVEY_H

#include "base/list.h"
#include "core/counters.h"
#include "core/errand.h"
#include "learn/learner.h"

enum {
    SURVEY_LIFE   = 3000, /* ms of silence are a failure: external answers this from cache, or in one recursion */
    SURVEY_RESEND = 1000, /* ms */
    SURVEY_HOSTS  = 3     /* nameservers whose addresses are asked; more add little: all must count */
};

struct surveys {
    struct errands      *errands; /* borrowed, and so is what follows */
    struct learner      *learner;
    struct prober_stats *stats;
    struct list          list, finished; /* owned */
    unsigned             count;
};

void surveys_init(struct surveys *surveys); /* the borrowed fields are set */
/* Ends all of them. */
void surveys_clear(struct surveys *surveys);

/* Begins one of `zone`, unless there is one. */
void surveys_begin(struct surveys *surveys, struct view zone, msec_t now);
/* The outcome; NULL: there is none yet. Valid until the next call of this header. */
const struct survey_result *surveys_result(const struct surveys *surveys, struct view zone);
/* The doubt about `zone` has ended; `entry`: what it has become, or NULL. A survey under way goes on for an entry. */
void surveys_settle(struct surveys *surveys, struct view zone, struct zone *entry);
/* Frees what has ended; not from within done() of an errand. */
void surveys_tend(struct surveys *surveys);

#endif
