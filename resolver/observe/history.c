/*
 * history.c: see history.h.
 */
#include "observe/history.h"

void history_init(struct history *history, const struct history_totals *totals, msec_t now)
{
    *history                    = (struct history){.end = now + HISTORY_EVERY, .last = *totals};
    history->intervals[0].known = true;
    history_add(history, totals, now);
}

static uint32_t added(uint32_t to, uint64_t more) { return more > UINT32_MAX - to ? UINT32_MAX : to + (uint32_t) more; }

static void next_interval(struct history *history, bool known)
{
    history->at                     = (history->at + 1) % HISTORY_INTERVALS;
    history->intervals[history->at] = (struct history_interval){.known = known};
    history->end += HISTORY_EVERY;
}

void history_add(struct history *history, const struct history_totals *totals, msec_t now)
{
    struct history_interval *interval = &history->intervals[history->at];
    for (unsigned i = 0; i < HISTORY_SERIES; i++)
        if (totals->of[i] > history->last.of[i])
            interval->of[i] = added(interval->of[i], totals->of[i] - history->last.of[i]);
    if (totals->blocked > interval->blocked)
        interval->blocked = totals->blocked;
    history->last = *totals;
    if (now - history->end >= (msec_t) HISTORY_INTERVALS * HISTORY_EVERY) /* nothing of what is kept is of this day */
        history->end +=
            (now - history->end) / HISTORY_EVERY * HISTORY_EVERY - (msec_t) HISTORY_INTERVALS * HISTORY_EVERY;
    while (history->end <= now)
        next_interval(history, history->end + HISTORY_EVERY > now);
    if (totals->blocked > history->intervals[history->at].blocked)
        history->intervals[history->at].blocked = totals->blocked;
}

void history_rebase(struct history *history, const struct history_totals *totals) { history->last = *totals; }

const struct history_interval *history_interval(const struct history *history, unsigned ago)
{
    return &history->intervals[(history->at + HISTORY_INTERVALS - ago) % HISTORY_INTERVALS];
}

uint64_t history_answers(const struct history_interval *interval)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < HISTORY_ANSWERS; i++)
        sum += interval->of[i];
    return sum;
}
