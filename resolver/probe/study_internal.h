/*
 * study_internal.h: the parts of a study to each other: study.c (questions and their end), trial.c, weighing.c,
 * inspection.c.
 *
 * Thread: keeper.
 */
#ifndef PROBE_STUDY_INTERNAL_H
#define PROBE_STUDY_INTERNAL_H

#include "probe/study.h"

static inline enum study_part study_part(const struct errand *errand)
{
    return (enum study_part)(errand->exchange.part & PART_MASK);
}

static inline bool study_asks_external(const struct errand *errand) { return errand->exchange.part & PART_EXTERNAL; }

static inline bool study_got_answer(const struct errand *errand)
{
    return errand->exchange.state == EXCHANGE_DONE && outcome_usable(errand->exchange.outcome);
}

/* ---- study.c ---- */

struct study_question {
    enum study_part part;
    bool            external;
    struct view     name;
    uint16_t        type;
    msec_t          resend; /* ms; 0: a lost datagram is no matter */
};

/* Asks; what the same part has asked of the same upstream before is asked once more, or gives way. It may end before
 * this returns. */
void study_send(struct study *study, const struct study_question *question, struct server *server, msec_t now);
/* The same of the best upstream of its group, which external's quota may forbid. */
void study_send_to_best(struct study *study, const struct study_question *question, msec_t now);
/* A name below the zone that no cache holds. False: the zone's name is too long for one. */
bool study_draw_apex(struct study *study, struct name *ret);
/* How domestic failed. */
enum zone_reason study_reason(const struct study *study);
bool             study_any_usable(const struct study *study, enum study_part part, bool external);
bool             study_any_asked(const struct study *study, enum study_part part, bool external);
/* The study is over. */
void study_conclude(struct study *study, msec_t now);

/* ---- credence.c: of a trial by the canary's word ---- */

/* The errand has ended. */
void credence_note(struct study *study, const struct errand *errand);
/* Domestic reaches the zone, whatever becomes of the name. */
bool credence_acquits(const struct study *study);
/* And the name. */
bool credence_is_over(const struct study *study);

/* ---- rounds.c: of a trial ---- */

/* That errand has been silent for so long that it counts as a failure. */
bool rounds_is_silent(const struct study *study, unsigned i, msec_t now);
/* Tells the witnesses which rounds have failed for each. */
void rounds_note_failures(struct study *study, msec_t now);
/* And in which the witness has answered something else. */
void rounds_note_vouched(struct witness *witness, const struct fare *fare);
/* What was asked at that side in that part has failed. */
bool rounds_apex_failed(const struct study *study, enum study_part part, bool external, msec_t now);
/* Something was asked lately of which nothing is known yet. */
bool rounds_is_open(const struct study *study, msec_t now);

/* ---- weighing.c; `fares`: of its witnesses ---- */

/* There is something to ask that stands for the whole zone. */
bool trial_has_apex(const struct study *study);
/* The zone as a whole is not in question any more: its apex was answered, or there is none to ask for. */
bool trial_is_narrowed(const struct study *study);
/* So much of what it should answer fails that nothing can be told by it. */
bool trial_in_trouble(const struct fare *fare);
/* The failures of the question, or of the apex, are more than the witnesses' own trouble would bring about. */
bool trial_weighs_enough(const struct study *study, const struct fare fares[], bool question);
/* When the witness's last failure was noticed that counts for what is still in question; 0: none was. */
msec_t trial_noticed(const struct study *study, const struct witness *witness);
/* The witness has answered others behind its last failure, too: its own trouble may have begun between the two. */
bool trial_is_closed(const struct study *study, const struct witness *witness, const struct fare *fare);
bool trial_all_closed(const struct study *study, const struct fare fares[]);
/* Nobody whose silence counts may be about to answer still. */
bool trial_all_patient(const struct study *study, msec_t now);

#endif
