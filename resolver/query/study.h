/*
 * study.h: finding out about one zone with questions to the upstreams: a confirmation after a strike, the check of a
 * zone that fails on both sides, a recheck, the operator's probe. One object for all, because they ask the same
 * questions and differ in what they make of the outcomes.
 *
 * CONSTANTS
 *   STUDY_LIFE     5 s    silence that long is a timeout: a cold recursion takes up to 2 s
 *   STUDY_RESEND   1.5 s  a lost datagram must not look like a block
 *   STUDY_HURRY    600 ms the same for step 1, on which the verdict of further lookups waits
 *   STUDY_PATIENT  3 s    time for the second question of step 5, more than a cold recursion takes
 *   STUDY_BRIEF    1.5 s  silence that long fails a question that is believed (step 6)
 *   STUDY_SERVERS  3      domestic upstreams asked: with apex and question that is 6 of the 8 packets a study may cost
 *
 * STEPS of a confirmation
 *   1. IDENTIFY: if external did not show the zone's SOA with its answer, it is asked for it. (An alias: whether
 * domestic answers for the CNAME itself tells its own zone from that of its target; the target is studied on its own.)
 *   2. ASK: apex SOA and the failed question, at domestic. One usable answer to the question ends it: FINE.
 *   3. NARROW: the apex is fine and the question is not: the same name with another type tells scope `name` from
 * `type`. A question that was silent is asked twice more beside it: where the apex answers, a lost datagram is likelier
 * than a block.
 *   4. CONTROL: a question of which it is known that domestic can answer it, asked of the same upstreams since step 2
 * began (prober.h). Upstreams that fail it do not count; if none is left nothing is learned.
 *   5. AGAIN, mostly while step 2 still waits: an upstream that failed the question, or was silent to it, and has
 * answered a control question since, is asked the failed question, and the apex, once more: an outage may have ended in
 * between, or a datagram was lost. What confirms is a failure behind a good control question.
 *   6. A zone whose nameservers serve blocked zones, or that was blocked before, is believed: one upstream that has
 * answered a control question, and behind it fails the apex, or is silent to it for STUDY_BRIEF, ends it as a zone's
 * block, unless another one answers for the apex.
 * A zone that fails on both sides: its registrable domain's SOA on both sides, control on both sides: `broken` if all
 * that fails. A recheck: a name below the apex that no cache holds, and the question, at domestic, no control: a
 * failure changes nothing but the interval. Where the first is fine the zone is open: a question that fails all the
 * same is blocked by itself, and is learned in its own scope when somebody asks it.
 * A zone that external showed below a blocked one: the same questions; it is fine if domestic answers both.
 */
#ifndef QUERY_STUDY_H
#define QUERY_STUDY_H

#include "base/list.h"
#include "query/errand.h"

enum {
    STUDY_LIFE    = 5000,
    STUDY_RESEND  = 1500,
    STUDY_HURRY   = 600,
    STUDY_PATIENT = 3000,
    STUDY_BRIEF   = 1500,
    STUDY_SERVERS = 3
};

enum study_kind {
    STUDY_CONFIRM,
    STUDY_BROKEN,
    STUDY_RECHECK,
    STUDY_CUT,
    STUDY_PROBE
};
enum {
    STUDY_KINDS = STUDY_PROBE + 1
};
enum study_step {
    STUDY_IDENTIFY,
    STUDY_ASK,
    STUDY_NARROW,
    STUDY_CONTROL,
    STUDY_AGAIN,
    STUDY_DONE
};

enum study_part {
    PART_APEX,
    PART_QUESTION,
    PART_OTHER_TYPE,
    PART_IDENTIFY,
    PART_MASK     = 0x0f,
    PART_EXTERNAL = 0x10
}; /* in exchange.part */

struct study_result {
    bool             decided;  /* false: nothing may be learned */
    bool             fine;     /* domestic answers */
    bool             believed; /* by step 6 */
    bool             apex;     /* decided or not: domestic answers for the apex (an alias: for its CNAME) */
    bool             external; /* broken check, probe: external answers */
    enum zone_scope  scope;    /* if it fails at domestic */
    enum zone_reason reason;
};

enum {
    STUDY_ERRANDS = LIMIT_EXCHANGES
};

struct study;
/* Ended: `study->result` stands. The owner frees it, but not before the call that led here has returned. */
typedef void (*study_done_fn)(void *owner, struct study *study, msec_t now);

struct study {
    struct list         link;
    enum study_kind     kind;
    enum study_step     step;
    struct errands     *errands; /* borrowed */
    study_done_fn       done;
    void               *owner;
    void               *cookie;            /* the operator's call */
    msec_t              started, asked_at; /* asked_at: when step ASK began */
    msec_t              control_since;     /* the upstream must have answered a control question asked since then */
    struct name         zone;              /* candidate; len 0: not known yet */
    struct name         guess;             /* under which the suspicion is listed; len 0: none */
    struct name         name;              /* of the question */
    uint16_t            type;
    enum zone_scope     scope;    /* recheck, probe: of the entry */
    enum zone_reason    reason;   /* of the strike */
    struct name         alias;    /* target; len 0: none */
    bool                by_alias; /* the apex question is the CNAME at `name` */
    bool                question_failed;
    bool                believed; /* one failed question is enough */
    struct study_result result;
    unsigned            again;   /* bit mask of the errands that were asked once more */
    unsigned            strikes; /* that wait until the zone is known */
    bool                placed;  /* the suspicion stands at the zone, not at the guess */
    unsigned            running;
    unsigned            count; /* errands used */
    struct errand       errand[STUDY_ERRANDS];
};

/* Begins: kind, zone, name, type, and the rest of the input are set, all else zero. */
void study_start(struct study *study, msec_t now);
void study_cancel(struct study *study);

/* Step CONTROL: what is known of the control questions of this server, asked at or after `since`; *ret_sent, if GOOD:
 * when the last good one was asked. */
enum control_state {
    CONTROL_PENDING,
    CONTROL_GOOD,
    CONTROL_BAD
};
typedef enum control_state (*control_fn)(void *context, const struct server *server, msec_t since, msec_t *ret_sent);
/* To be called behind step IDENTIFY, whenever something may have changed. */
void study_on_control(struct study *study, control_fn control, void *context, msec_t now);
#endif
