/*
 * study.h: finding out about one zone with questions to the upstreams: a confirmation after a strike, the check of a
 * zone that fails on both sides (both: trial.c); a recheck, the operator's probe, a look at a zone below a blocked one
 * (inspection.c). One object for all, because they ask the same questions and differ in what they make of the outcomes.
 *
 * What is asked of domestic
 *   question  the one that failed.
 *   apex      whether the zone as a whole can be reached: the CNAME of a random label below it, which no cache holds,
 *             and where no wildcard's alias leads elsewhere. DO is set: a denial with proof may come from a cache all
 *             the same (RFC 8198), and decides nothing. Of an alias it is the CNAME itself, of a zone that fails on
 *             both sides its SOA.
 *
 * A TRIAL, of a zone whose questions fail
 *   1. IDENTIFY: if external did not show the zone's SOA with its answer, it is asked for it. (An alias: whether
 *      domestic answers for the CNAME itself tells its own zone from that of its target; the target is tried by
 *      itself.)
 *   2. Up to TRIAL_WITNESSES domestic upstreams are asked in rounds: all for the apex, all for the question, and so on;
 *      a lone one for both at once. Rounds are TRIAL_SPREAD apart, and one that is silent takes TRIAL_SILENCE.
 *   3. A usable answer to the question ends it: FINE. One to the apex acquits the zone: the question alone, and the
 *      same name with another type, tell scope `name` from `type`.
 *   4. Failures are weighed. Of an upstream each round counts once, and what the client's query saw is the first. The
 *      weight is the product of the shares that each upstream fails just now anyway (upstream/trouble.h), one factor
 *      for each failure; at TRIAL_WEIGHT the verdict is given. An upstream that fails more than TRIAL_TROUBLE of all
 *      that it should answer is no witness. A control question (monitor.h) goes out with each round, at the same moment
 *      and behind what the round asks: where a limit by the second refused the one, it refuses the other too. A round
 *      counts only if that was answered; so nothing is asked while none may be. Once the weight is enough nothing is
 *      asked but one more of them, behind the last failure: an upstream's trouble may have begun in the midst of it.
 *      Silence may be a slow recursion: for an answer to that the verdict waits until TRIAL_PATIENT.
 *   5. A zone is blocked if its apex failed too, and external answers the same apex. If external does not (some zones'
 *      servers deny nothing), the SOA stands for it from then on.
 *   6. A zone whose nameservers serve blocked zones, or that was blocked before, is believed: its rounds begin at once,
 *      and TRIAL_WEIGHT_BELIEVED will do.
 *   7. After TRIAL_ROUNDS, or TRIAL_LIFE, nothing is known. The same as soon as all witnesses have failed their last
 *      control question or are in trouble: then the suspicion ends with it.
 *
 * BY THE CANARY'S WORD (`shown`) domestic's answers for the name may be forged. Injectors send no authority section, so a
 * denial with SOA, or an alias, is honest; anything else is forged, and so is whatever fails. The question is the CNAME
 * of the name. Now and then the true answer overtakes the forged one: TRIAL_HONEST of the apex and TRIAL_HONEST_TOO of
 * the question, none of them forged, are needed to say that the zone is served inside; else the trial goes on. External
 * is asked at once, and with each further round, by a way that cannot be forged if there is one: its recursion may cross
 * the border inwards, and without its answer no zone is blocked. From the first answers of both it is known whom clients
 * had better believe meanwhile: credence_of().
 *
 * A zone that fails on both sides is tried by its SOA at one upstream of each, from TRIAL_LATER on, until the weight is
 * TRIAL_WEIGHT_BROKEN for both together. That changes no query's way, and is worth no further control question.
 *
 * AN INSPECTION asks once. A recheck of a blocked zone: apex or question, in turn, at one domestic upstream or another;
 * of a recovering one: both. Answered for the apex the zone is open: a question that fails all the same is blocked by
 * itself, and is learned in its own scope when somebody asks it. Answered for the question it is open too: the question
 * failed when it was last asked. Where it did not, the answer may come from a cache, and must come once more behind its
 * end there (learner_wait_out()).
 *
 * Thread: keeper.
 */
#ifndef PROBE_STUDY_H
#define PROBE_STUDY_H

#include "base/list.h"
#include "core/errand.h"

enum {
    STUDY_LIFE   = 5000, /* ms; silence that long is a timeout: a cold recursion takes up to 2 s */
    STUDY_HURRY  = 600, /* ms; a lost datagram must not hold up step 1, on which the verdict of further lookups waits */
    STUDY_RESEND = 1500, /* ms; of inspections but rechecks, whose two questions are hardly lost both */

    TRIAL_WITNESSES = 3,
    TRIAL_SPREAD    = 1000, /* ms; a limit by the second must not be counted twice in one */
    TRIAL_SILENCE   = 1500, /* ms; longer than most cold recursions: what answers later acquits */
    TRIAL_PATIENT   = 4000, /* ms; so long it is waited for such an answer before the verdict is given */
    TRIAL_LATER     = 6000, /* ms; until it is asked whether a zone is broken: till then its failure is in the cache */
    TRIAL_RESEND    = 700,  /* ms; of a lone upstream's silence: a lost datagram is likelier than a block */
    TRIAL_ROUNDS    = 8,
    TRIAL_LIFE      = 20000, /* ms */

    TRIAL_HONEST     = 3,
    TRIAL_HONEST_TOO = 2,

    CREDENCE_LATE      = 1200, /* ms; by then it must be known whom to believe: clients wait */
    EXTERNAL_QUESTIONS = 2,    /* by the canary's word: the SOA of the name, and the CNAME of a random one */
};
#define TRIAL_WEIGHT 1e-5
#define TRIAL_WEIGHT_BELIEVED 1e-3
#define TRIAL_WEIGHT_BROKEN 1e-4
#define TRIAL_TROUBLE 0.3

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
    STUDY_DONE
};

enum study_turn { /* what a recheck asks */
    TURN_BOTH,
    TURN_APEX,
    TURN_QUESTION
};

enum study_part {
    PART_APEX,
    PART_ALIAS, /* the apex of one */
    PART_QUESTION,
    PART_OTHER_TYPE,
    PART_IDENTIFY,
    PART_MASK     = 0x0f,
    PART_EXTERNAL = 0x10
}; /* in exchange.part */

struct study_result {
    bool             decided;  /* false: nothing may be learned */
    bool             fine;     /* domestic answers */
    bool             late;     /* what was silent was only slow: the client's own question was answered */
    bool             believed; /* by point 6 */
    bool             trouble;  /* undecided, and by the upstreams' own doing */
    bool             apex;     /* decided or not: domestic answers for the apex (an alias: for its CNAME) */
    bool             external; /* broken check, probe: external answers */
    enum zone_scope  scope;    /* if it fails at domestic */
    enum zone_reason reason;
    msec_t           cached; /* as long as a cache may keep domestic's answer to the question, ms; 0: there is none */
};

struct failures {
    uint16_t rounds;  /* bit n: in round n; bit 0: the client's query */
    msec_t   noticed; /* the last one; 0: none but the client's */
};

struct witness { /* an upstream in a trial */
    struct server  *server;
    bool            external;
    struct failures any, question;
    uint16_t        vouched;                /* rounds whose control question was answered */
    msec_t          sent[TRIAL_ROUNDS + 1]; /* when each round asked it; 0: it did not */
    bool            silent;                 /* what failed last was so by silence */
    bool            wants_control;
};

enum credence { /* of a trial by the canary's word, whose answers may be given out until it ends */
    CREDENCE_OPEN,
    CREDENCE_DOMESTIC,
    CREDENCE_EXTERNAL,
    CREDENCE_NOBODY
};

struct sincerity { /* of what domestic has said in a trial by the canary's word */
    unsigned honest, forged, failed;
};

enum {
    STUDY_ERRANDS = 12 /* one for each part and upstream */
};

struct study;
/* What a study does. trial_script: confirmations and checks of what is broken; inspection_script: all others. */
struct study_script {
    void (*start)(struct study *study, msec_t now);
    void (*on_ended)(struct study *study, struct errand *errand, msec_t now); /* one of its errands; it may end too */
};
extern const struct study_script trial_script, inspection_script;

/* Ended: `study->result` stands. The owner frees it, but not before the call that led here has returned. */
typedef void (*study_done_fn)(void *owner, struct study *study, msec_t now);
/* The operator's probe has ended: prober_probe(). */
typedef void (*study_probed_fn)(void *context, void *cookie, const struct study *study);

struct study {
    struct list                link;
    const struct study_script *script;
    enum study_kind            kind;
    enum study_step            step;
    struct errands            *errands; /* borrowed */
    study_done_fn              done;
    void                      *owner;
    study_probed_fn            probed; /* a probe's */
    void                      *cookie;
    msec_t                     started;
    struct name                zone;  /* candidate; len 0: not known yet */
    struct name                guess; /* under which the suspicion is listed; len 0: none */
    struct name                name;  /* of the question */
    uint16_t                   type;
    uint8_t             failed[2]; /* upstreams that failed the client's query, domestic and external: bit masks */
    enum zone_scope     scope;     /* recheck, probe: of the entry */
    enum study_turn     turn;
    enum zone_reason    reason;   /* of the strike */
    struct name         alias;    /* target; len 0: none */
    bool                by_alias; /* the apex question is the CNAME at `name` */
    bool                believed;
    bool                forged; /* domestic's answers seem forged: only one that no injector could have sent counts */
    bool                shown;  /* the canary has answered for `name`: see above */
    enum credence       told;   /* the owner's: of credence_of(), what clients were told last */
    bool                identified; /* external has answered for the name */
    struct sincerity    apex_said, question_said, external_said;
    bool                narrow; /* the suspicion is of the name alone: its zone was seen fine lately */
    struct study_result result;
    unsigned            strikes; /* that wait until the zone is known */
    bool                placed;  /* the suspicion stands at the zone, not at the guess */
    unsigned            running;
    unsigned            count; /* errands used */
    struct errand       errand[STUDY_ERRANDS];
    msec_t              asked[STUDY_ERRANDS];  /* when each was asked last */
    bool                proofs[STUDY_ERRANDS]; /* it was answered with a proof of denial */
    /* of a trial */
    struct witness witnesses[TRIAL_WITNESSES];
    unsigned       witness_count;
    unsigned       rounds;    /* so far */
    msec_t         began;     /* the first one */
    msec_t         next;      /* when the next one is due */
    bool           by_soa;    /* the apex question is the SOA */
    bool           acquitted; /* the zone */
    bool           heavy;     /* the weight will do: what is left is to wait for */
};

/* Begins: kind, zone, name, type, and the rest of the input are set, all else zero. */
void study_start(struct study *study, msec_t now);
void study_cancel(struct study *study);
/* The client's own question was answered by domestic after all: that ends a confirmation. */
void study_on_late_answer(struct study *study, msec_t now);

/* What is known of the zone speaks for a block (point 6). */
void trial_believe(struct study *study, msec_t now);

enum credence credence_of(const struct study *study, msec_t now);
/* External was honest as often as domestic has to be. */
bool credence_of_external(const struct study *study);

struct control {
    msec_t       sent;
    enum outcome outcome;
    bool         good; /* answered, and not from a cache */
};

enum {
    CONTROLS_TOLD = 16
};

/* Of those that have ended the one that was sent last; its `sent` is 0 where none has. */
const struct control *control_last(const struct control told[CONTROLS_TOLD]);

/* How an upstream fares, in the eye of who monitors it. */
struct fare {
    double                share; /* trouble_share() */
    msec_t                asked; /* a control question, last; 0: never */
    bool                  ready; /* it may be asked a control question now */
    const struct control *told;  /* the last CONTROLS_TOLD that have ended; `sent` 0: none */
};
typedef void (*fare_fn)(void *context, const struct server *server, struct fare *ret);
/* A trial: to be called whenever something may have changed, and every HEALTH_LOOK; it may end in it. Witnesses that
 * want a control question then are to be asked one in the same moment. */
void trial_look(struct study *study, fare_fn fare, void *context, msec_t now);

#endif
