/*
 * weighing.c: whether a trial's failures say enough: see study.h, whose steps the numbers in brackets are.
 */
#include "query/study_inside.h"

static double power(double base, unsigned exponent)
{
    double product = 1;
    while (exponent-- > 0)
        product *= base;
    return product;
}

bool trial_in_trouble(const struct fare *fare) { return fare->share > TRIAL_TROUBLE; }

/* It answered others before its last failure. */
static bool is_proved(const struct witness *witness, msec_t counted)
{
    return witness->proved > 0 && counted >= witness->proved;
}

static double needed_weight(const struct study *study)
{
    if (study->kind == STUDY_BROKEN)
        return TRIAL_WEIGHT_BROKEN;
    return study->believed ? TRIAL_WEIGHT_BELIEVED : TRIAL_WEIGHT;
}

bool trial_weighs_enough(const struct study *study, const struct fare fares[], bool question) /* [4] */
{
    double weight  = 1;
    bool   sides[] = {false, study->kind != STUDY_BROKEN};
    for (unsigned i = 0; i < study->witness_count; i++) {
        const struct witness *witness  = &study->witnesses[i];
        unsigned              failures = question ? witness->question_failures : witness->failures;
        msec_t                counted  = question ? witness->question_counted : witness->counted;
        if (trial_in_trouble(&fares[i]) || !is_proved(witness, counted) || counted == study->began)
            continue;
        weight *= power(fares[i].share, failures);
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
        if (exchange->server == witness->server && at_external(&study->errand[i]) == witness->external &&
            (exchange->state == EXCHANGE_DONE || now - exchange->started >= TRIAL_PATIENT))
            return true;
    }
    return false;
}

static msec_t counted_of(const struct study *study, const struct witness *witness)
{
    return trial_is_narrowed(study) ? witness->question_counted : witness->counted;
}

bool trial_is_closed(const struct study *study, const struct witness *witness, const struct fare *fare)
{
    return trial_in_trouble(fare) || counted_of(study, witness) == study->began ||
           witness->good >= counted_of(study, witness);
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
