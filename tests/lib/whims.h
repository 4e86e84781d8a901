/*
 * whims.h: parties of a hearing that say whatever comes to their mind, drawn from bytes, and behind the last of these by
 * chance: silence, failures, denials, records of every kind whose targets are a few names, so that they meet again,
 * aliases that run in circles, long texts, rubbish.
 */
#ifndef LIB_WHIMS_H
#define LIB_WHIMS_H

#include "lib/hearing.h"

enum {
    WHIMS_RULES = 4
};
extern const struct rule whims_rules[WHIMS_RULES]; /* fences of every kind round some of the names, and a blocklist */

struct whims {
    struct view bytes; /* what is left of them */
    struct rng *rng;   /* NULL: where the bytes have ended, a draw is 0, which is nodata */
};

/* A hearing_play_fn, whose context is a struct whims. */
enum hearing_play whims_play(void *context, const struct hearing_question *question, struct packet *reply);

#endif
