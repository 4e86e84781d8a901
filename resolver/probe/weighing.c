/*
 * weighing.c: whether a trial's failures say enough: see study.h, whose steps the numbers in brackets are.
 */
#include "probe/study_internal.h"

const struct control *control_last(const struct control told[CONTROLS_TOLD])
{
    const struct control *last = told;
    for (unsigned i = 1; i < CONTROLS_TOLD; i++)
        if (told[i].sent > last->sent)
            last = &told[i];
    return last;
}

bool trial_has_apex(const struct study *study)
{
    return study->kind == STUDY_BROKEN || study->by_alias || study->zone.len > 0;
}

bool trial_is_narrowed(const struct study *study) { return !trial_has_apex(study) || study->result.apex; }

static double power(double base, unsigned exponent)
{
    double product = 1;
    while (exponent-- > 0)
        product *= base;
    return product;
}

bool trial_in_trouble(const struct fare *fare) { return fare->share > TRIAL_TROUBLE; }

static double needed_weight(const struct study *study)
{
    if (study->kind == STUDY_BROKEN)
        return TRIAL_WEIGHT_BROKEN;
    return study->believed ? TRIAL_WEIGHT_BELIEVED : TRIAL_WEIGHT;
}

/* Of a round whose control question was answered, or, beside one of those, of the client's query. */
static unsigned counting(const struct witness *witness, const struct failures *failures)
{
    uint16_t rounds = failures->rounds & witness->vouched;
    return rounds ? (unsigned) __builtin_popcount(rounds) + (failures->rounds & 1) : 0;
}

bool trial_weighs_enough(const struct study *study, const struct fare fares[], bool question) /* [4] */
{
    double weight  = 1;
    bool   sides[] = {false, study->kind != STUDY_BROKEN};
    for (unsigned i = 0; i < study->witness_count; i++) {
        const struct witness *witness = &study->witnesses[i];
        unsigned              count   = counting(witness, question ? &witness->question : &witness->any);
        if (trial_in_trouble(&fares[i]) || count == 0)
            continue;
        weight *= power(fares[i].share, count);
        sides[witness->external] = true;
    }
    return sides[0] && sides[1] && weight <= needed_weight(study);
}

/* Silence may be a recursion that takes seconds. Of a zone that is believed that is less likely. */
static bool was_patient(const struct study *study, const struct witness *witness, msec_t now)
{
    if (!witness->silent || study->believed)
        return true;
    for (unsigned i = 0; i < study->count; i++) {
        const struct exchange *exchange = &study->errand[i].exchange;
        if (exchange->server == witness->server && study_asks_external(&study->errand[i]) == witness->external &&
            (exchange->state == EXCHANGE_DONE || now - exchange->started >= TRIAL_PATIENT))
            return true;
    }
    return false;
}

static const struct failures *failures_of(const struct study *study, const struct witness *witness)
{
    return trial_is_narrowed(study) ? &witness->question : &witness->any;
}

msec_t trial_noticed(const struct study *study, const struct witness *witness)
{
    return failures_of(study, witness)->noticed;
}

bool trial_is_closed(const struct study *study, const struct witness *witness, const struct fare *fare)
{
    if (study->kind == STUDY_BROKEN || trial_in_trouble(fare) || counting(witness, failures_of(study, witness)) == 0)
        return true;
    for (unsigned i = 0; i < CONTROLS_TOLD; i++)
        if (fare->told[i].good && fare->told[i].sent >= trial_noticed(study, witness))
            return true;
    return false;
}

bool trial_all_closed(const struct study *study, const struct fare fares[])
{
    for (unsigned i = 0; i < study->witness_count; i++)
        if (!trial_is_closed(study, &study->witnesses[i], &fares[i]))
            return false;
    return true;
}

bool trial_all_patient(const struct study *study, msec_t now)
{
    for (unsigned i = 0; i < study->witness_count; i++)
        if (!was_patient(study, &study->witnesses[i], now))
            return false;
    return true;
}
