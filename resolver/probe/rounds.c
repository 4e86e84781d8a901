/*
 * rounds.c: what has failed in the rounds of a trial. See study.h.
 */
#include "probe/study_internal.h"

bool rounds_is_silent(const struct study *study, unsigned i, msec_t now)
{
    return study->errand[i].exchange.state == EXCHANGE_OPEN && now - study->asked[i] >= TRIAL_SILENCE;
}

static struct witness *witness_of(struct study *study, const struct errand *errand)
{
    for (unsigned i = 0; i < study->witness_count; i++)
        if (study->witnesses[i].server == errand->exchange.server &&
            study->witnesses[i].external == study_asks_external(errand))
            return &study->witnesses[i];
    return NULL;
}

static void note_failure(struct failures *failures, uint16_t round, msec_t now)
{
    if (failures->rounds & round)
        return;
    failures->rounds |= round;
    failures->noticed = now;
}

/* The bit of the round that asked it then; 0: none did. */
static uint16_t round_of(const struct witness *witness, msec_t asked)
{
    for (unsigned i = 1; i <= TRIAL_ROUNDS; i++)
        if (witness->sent[i] == asked)
            return (uint16_t) (1u << i);
    return 0;
}

void rounds_note_failures(struct study *study, msec_t now)
{
    for (unsigned i = 0; i < study->count; i++) {
        const struct errand *errand  = &study->errand[i];
        struct witness      *witness = witness_of(study, errand);
        bool                 silent  = rounds_is_silent(study, i, now);
        bool                 failed  = silent || (errand->exchange.state == EXCHANGE_DONE && !study_got_answer(errand));
        uint16_t             round   = witness && failed ? round_of(witness, study->asked[i]) : 0;
        if (!round || study_part(errand) == PART_OTHER_TYPE || study_part(errand) == PART_IDENTIFY)
            continue;
        silent |= errand->exchange.outcome == OUTCOME_TIMEOUT || errand->exchange.outcome == OUTCOME_UNREACHABLE;
        if (round >= witness->any.rounds)
            witness->silent = silent;
        note_failure(&witness->any, round, now);
        if (study_part(errand) == PART_QUESTION)
            note_failure(&witness->question, round, now);
    }
}

bool rounds_apex_failed(const struct study *study, enum study_part part, bool external, msec_t now)
{
    uint16_t type = study->by_soa || study->kind == STUDY_BROKEN ? TYPE_SOA : TYPE_CNAME;
    for (unsigned i = 0; i < study->count; i++) {
        const struct errand *errand = &study->errand[i];
        if (study_part(errand) == part && study_asks_external(errand) == external && errand->inquiry.type == type &&
            (rounds_is_silent(study, i, now) || (errand->exchange.state == EXCHANGE_DONE && !study_got_answer(errand))))
            return true;
    }
    return false;
}

bool rounds_is_open(const struct study *study, msec_t now)
{
    for (unsigned i = 0; i < study->count; i++)
        if (study->errand[i].exchange.state == EXCHANGE_OPEN && now - study->asked[i] < TRIAL_SILENCE)
            return true;
    return false;
}

void rounds_note_vouched(struct witness *witness, const struct fare *fare)
{
    for (unsigned i = 0; i < CONTROLS_TOLD; i++)
        if (fare->told[i].good)
            witness->vouched |= round_of(witness, fare->told[i].sent);
}
