/*
 * zone.h: the state chart of one zone, as a pure function.
 *
 * CONSTANTS
 *   ZONE_SUSPECT_LIFE 60 s
 *     a suspicion that was neither confirmed nor renewed is dropped: strikes of different weather do not add up
 *   ZONE_BROKEN_LIFE 1 h
 *     a broken zone is looked at afresh after that: its owner may have repaired it
 *   ZONE_RETRY 60 s
 *     from a first good recheck to the next one (or recheck_first, if that is shorter)
 *   ZONE_IDLE 30 days
 *     a blocked zone that nobody asked for is forgotten instead of rechecked
 *   ZONE_IDLE_LEFT 1 day
 *     one that comes from disk has at least that left: while byway was off nobody could ask for it, and the calendar
 *     may have been set meanwhile
 *   ZONE_POSTPONE 60 s
 *     a recheck that could not be judged (domestic down) is tried again after that
 *   recheck_first, recheck_max, recover_after
 *     settings
 *
 * STATES AND EVIDENCE
 *   1. clear, broken: a STRIKE makes it suspect with one strike;
 *      another one within the suspect's life counts up to 255.
 *   2. suspect, broken, clear: CONFIRMED or BELIEVED makes it blocked, next recheck after recheck_first.
 *   3. suspect, broken: FINE makes it clear.
 *   4. clear, suspect, broken: BROKEN makes it broken (again).
 *   5. blocked: RECHECK_BAD doubles the interval, from recheck_first up to recheck_max, if it was in turn: no sooner
 *      than the interval after the last failure. What hurried it (kin, a batch, an answer, the operator) shall not make
 *      the end of the block be noticed later.
 *   6. blocked: RECHECK_GOOD makes it recovering, next recheck after ZONE_RETRY; it keeps its old interval.
 *   7. recovering: RECHECK_GOOD counts; at recover_after in a row it is clear.
 *      RECHECK_BAD falls back to blocked with the old interval.
 *   8. blocked, recovering: POSTPONED moves the recheck and changes nothing else.
 *      blocked: FINE (a client's query found domestic well) brings the recheck forward to now, or to recheck_first
 *      after the last failure: that one answer may have come from a cache, and so may all that follow it. A recovering
 *      zone's rechecks keep their distance.
 *   9. every other pair: nothing.
 * Intervals are jittered by -10 % … +10 %, so that zones learned together are not rechecked together.
 *
 * Thread: pure.
 */
#ifndef LEARN_ZONE_H
#define LEARN_ZONE_H

#include "base/types.h"
#include "learn/words.h"

enum { /* ms */
    ZONE_SUSPECT_LIFE = 60 * 1000,
    ZONE_BROKEN_LIFE  = 60 * 60 * 1000,
    ZONE_RETRY        = 60 * 1000,
    ZONE_POSTPONE     = 60 * 1000,
};
#define ZONE_IDLE ((msec_t) 30 * 86400 * 1000)
#define ZONE_IDLE_LEFT ((msec_t) 86400 * 1000)

enum evidence {
    EVIDENCE_STRIKE,    /* a query was answered externally after domestic failed or was silent beyond its patience */
    EVIDENCE_CONFIRMED, /* a confirmation: apex and question fail at every domestic upstream, the control question does
                           not, external answers */
    EVIDENCE_BELIEVED,  /* one failed query, control fine, external answers, of a zone whose nameservers serve blocked
                           zones, or that was blocked before */
    EVIDENCE_FINE,      /* domestic answered */
    EVIDENCE_BROKEN,    /* both sides fail, both sides' control questions do not */
    EVIDENCE_RECHECK_GOOD, /* domestic answered a recheck */
    EVIDENCE_RECHECK_BAD,
    EVIDENCE_POSTPONED, /* the recheck says nothing: domestic is down */
    EVIDENCE_COUNT
};

struct zone_limits {
    msec_t   recheck_first, recheck_max; /* ms */
    unsigned recover_after;
};

struct condition {
    enum zone_state  state : 8;
    enum zone_reason reason : 8;
    uint8_t          strikes;  /* of a suspect */
    uint8_t          good;     /* good rechecks in a row */
    uint32_t         failures; /* strikes, confirmations and bad rechecks since it was listed */
    msec_t           since;    /* when `state` began */
    msec_t           last_failure;
    msec_t next; /* blocked, recovering: the next recheck; suspect, broken: the end of its life; clear: MSEC_NEVER */
    msec_t interval; /* blocked, recovering: current recheck interval */
};

/* Its questions go to external first. */
static inline bool zone_state_diverts(enum zone_state state)
{
    return state == ZONE_BLOCKED || state == ZONE_RECOVERING;
}

/* `jitter`: 32 random bits. `reason`: of a failure, else REASON_NONE. */
struct condition zone_next(const struct condition *now_is, enum evidence evidence, enum zone_reason reason,
                           const struct zone_limits *limits, msec_t now, uint32_t jitter);

#endif
