/*
 * credence.c: a trial by the canary's word: which of the two sides is deceived. See study.h.
 */
#include "probe/study_internal.h"

/* What came by the canary's word is told apart by who says it. */
void credence_note(struct study *study, const struct errand *errand)
{
    bool              external = study_asks_external(errand);
    struct sincerity *said     = external                          ? &study->external_said
                                 : study_part(errand) == PART_APEX ? &study->apex_said
                                                                   : &study->question_said;
    bool              forged   = errand->exchange.outcome == OUTCOME_FORGED;
    bool              honest   = study_got_answer(errand);
    said->honest += honest;
    said->forged += forged;
    said->failed += !honest && !forged;
    study->identified |= study_part(errand) == PART_IDENTIFY && honest;
}

static bool is_sincere(const struct sincerity *said, unsigned needed)
{
    return said->forged == 0 && said->honest >= needed;
}

static unsigned told(const struct sincerity *said) { return said->honest + said->forged + said->failed; }

enum credence credence_of(const struct study *study, msec_t now)
{
    const struct sincerity *domestic = &study->apex_said, *external = &study->external_said;
    bool                    late = now - study->started >= CREDENCE_LATE;
    if (external->forged == 0 && external->honest > 0 && (told(external) >= EXTERNAL_QUESTIONS || late))
        return CREDENCE_EXTERNAL;
    if (!late && (told(domestic) == 0 || (external->forged == 0 && told(external) < EXTERNAL_QUESTIONS)))
        return CREDENCE_OPEN;
    if (external->forged > 0)
        return domestic->forged > 0 ? CREDENCE_NOBODY : CREDENCE_DOMESTIC;
    return is_sincere(domestic, 1) ? CREDENCE_DOMESTIC : CREDENCE_EXTERNAL;
}

bool credence_of_external(const struct study *study) { return is_sincere(&study->external_said, TRIAL_HONEST); }

bool credence_acquits(const struct study *study) { return is_sincere(&study->apex_said, TRIAL_HONEST); }

bool credence_is_over(const struct study *study)
{
    return credence_acquits(study) && is_sincere(&study->question_said, TRIAL_HONEST_TOO);
}
