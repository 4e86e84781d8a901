/*
 * zone.c: see zone.h; numbers in brackets are its steps.
 */
#include "learn/zone.h"

static msec_t jittered(msec_t interval, uint32_t jitter)
{
    return interval - interval / 10 + (msec_t) ((interval / 5) * (double) jitter / UINT32_MAX);
}

static void enter(struct condition *zone, enum zone_state state, msec_t now)
{
    if (zone->state != state)
        zone->since = now;
    zone->state = state;
    if (state != ZONE_SUSPECT)
        zone->strikes = 0;
    if (state != ZONE_RECOVERING)
        zone->good = 0;
}

static void clear(struct condition *zone, msec_t now)
{
    enter(zone, ZONE_CLEAR, now);
    zone->reason   = REASON_NONE;
    zone->next     = MSEC_NEVER;
    zone->interval = 0;
}

static void fail(struct condition *zone, enum zone_reason reason, msec_t now)
{
    zone->failures++;
    zone->last_failure = now;
    if (reason != REASON_NONE)
        zone->reason = reason;
}

/* clear, suspect, broken */
static void next_undiverted(struct condition *zone, enum evidence evidence, enum zone_reason reason,
                            const struct zone_limits *limits, msec_t now, uint32_t jitter)
{
    switch (evidence) {
    case EVIDENCE_STRIKE: /* [1] */
        fail(zone, reason, now);
        enter(zone, ZONE_SUSPECT, now);
        if (zone->strikes < UINT8_MAX)
            zone->strikes++;
        zone->next = now + ZONE_SUSPECT_LIFE;
        break;
    case EVIDENCE_CONFIRMED: /* [2] */
    case EVIDENCE_BELIEVED:
        fail(zone, reason, now);
        enter(zone, ZONE_BLOCKED, now);
        zone->interval = limits->recheck_first;
        zone->next     = now + jittered(zone->interval, jitter);
        break;
    case EVIDENCE_FINE: /* [3] */
        clear(zone, now);
        break;
    case EVIDENCE_BROKEN: /* [4] */
        fail(zone, reason, now);
        enter(zone, ZONE_BROKEN, now);
        zone->next = now + ZONE_BROKEN_LIFE;
        break;
    default: /* [9] */
        break;
    }
}

/* blocked, recovering */
static void next_diverted(struct condition *zone, enum evidence evidence, enum zone_reason reason,
                          const struct zone_limits *limits, msec_t now, uint32_t jitter)
{
    switch (evidence) {
    case EVIDENCE_RECHECK_BAD: {
        bool in_turn = now - zone->last_failure >= zone->interval - zone->interval / 10;
        fail(zone, reason, now);
        if (zone->state == ZONE_BLOCKED) /* [5] */
            zone->interval = msec_clamp((1 + in_turn) * zone->interval, limits->recheck_first, limits->recheck_max);
        enter(zone, ZONE_BLOCKED, now); /* [7] */
        zone->next = now + jittered(zone->interval, jitter);
        break;
    }
    case EVIDENCE_RECHECK_GOOD: /* [6] [7] */
        enter(zone, ZONE_RECOVERING, now);
        if (++zone->good >= limits->recover_after)
            clear(zone, now);
        else
            zone->next = now + jittered(msec_min(ZONE_RETRY, limits->recheck_first), jitter);
        break;
    case EVIDENCE_POSTPONED: /* [8] */
        zone->next = now + jittered(ZONE_POSTPONE, jitter);
        break;
    case EVIDENCE_FINE: /* [8] */
        if (zone->state == ZONE_BLOCKED)
            zone->next = msec_min(zone->next, msec_max(now, zone->last_failure + limits->recheck_first));
        break;
    default: /* [9] */
        break;
    }
}

struct condition zone_next(const struct condition *now_is, enum evidence evidence, enum zone_reason reason,
                           const struct zone_limits *limits, msec_t now, uint32_t jitter)
{
    struct condition zone = *now_is;
    if (zone_state_diverts(zone.state))
        next_diverted(&zone, evidence, reason, limits, now, jitter);
    else
        next_undiverted(&zone, evidence, reason, limits, now, jitter);
    return zone;
}
