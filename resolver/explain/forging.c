/*
 * forging.c: see forging.h.
 */
#include "explain/forging.h"

#include "explain/known.h"

static bool was_forged(const struct fact *fact) { return fact_is_known(fact) && fact->outcome == OUTCOME_FORGED; }

static bool share_a_record(const struct fact *one, const struct fact *other)
{
    struct message message, others;
    struct record  record = {0};
    while (fact_next(one, one->type, &message, &record)) {
        struct record candidate = {0};
        while (fact_next(other, one->type, &others, &candidate))
            if (fact_same_data(&message, &record, &others, &candidate))
                return true;
    }
    return false;
}

/* Both answer, and nothing of it is the same. */
static bool contradict(const struct pair *pair)
{
    if (!fact_is_usable(pair->domestic) || !fact_is_usable(pair->external))
        return false;
    if (!fact_is_present(pair->domestic) || !fact_is_present(pair->external))
        return pair->domestic->outcome != pair->external->outcome;
    return !share_a_record(pair->domestic, pair->external);
}

/* Somebody on the way answers in the place of an address where nobody listens. */
static bool canary_is_answered(struct explanation *explanation)
{
    const struct server *canary = explanation->inquest->env->setup->canary;
    unsigned             party;
    return canary && inquest_party(explanation->inquest, &canary->address, false, &party) &&
           fact_is_usable(inquest_ask(explanation->inquest, name_view(&explanation->request.domain), TYPE_A, party));
}

static const char *evidence(const struct explanation *explanation, const struct pair *soa, bool own_words,
                            bool answered)
{
    if (own_words)
        return "addresses come where something else was asked for, or known false ones";
    if (pair_is_denied(soa))
        return "domestic says that it does not exist, and shows no zone that says so; external has it";
    return known_forging(explanation, name_view(&soa->name)) == KNOWN_FORGED
               ? "as byway has found by comparing with external"
               : (answered ? "an address where nobody listens is answered for it" : "");
}

void forging_look(struct explanation *explanation, const struct pair *soa)
{
    struct view        domain = name_view(&explanation->request.domain);
    struct pair        a = pair_ask(explanation, domain, TYPE_A), mx = pair_ask(explanation, domain, TYPE_MX);
    bool               answered    = canary_is_answered(explanation);
    bool               own_words   = was_forged(soa->domestic) || was_forged(a.domestic) || was_forged(mx.domestic);
    bool               contradicts = contradict(&a) || contradict(&mx);
    bool               denied      = pair_is_denied(soa) && judge_is_unfounded(&soa->domestic->judgement);
    enum known_forging known       = known_forging(explanation, domain);
    explanation->is_forged =
        own_words || known == KNOWN_FORGED || (known == KNOWN_UNKNOWN && (denied || (contradicts && answered)));
    if (explanation->is_forged) {
        struct finding *finding = finding_add(explanation, FINDING_FORGED,
                                              known_carries(explanation, domain, TYPE_MX) ? GRADE_NOTE : GRADE_CAUSE,
                                              SIDE_HERE, "answers about it are forged on the way to domestic: %s",
                                              evidence(explanation, soa, own_words, answered));
        finding->outcome        = pair_is_denied(soa) ? OUTCOME_NXDOMAIN : OUTCOME_FORGED;
        finding_about(finding, domain, 0);
    } else if (contradict(&a) && fact_is_present(a.domestic) && fact_is_present(a.external)) {
        finding_about(finding_add(explanation, FINDING_ADDRESSES_DIFFER, GRADE_NOTE, SIDE_NOBODY,
                                  "domestic and external give different addresses, as they do for who is served by "
                                  "where he asks from"),
                      domain, TYPE_A);
    }
}
