/*
 * pair.c: see pair.h.
 */
#include "explain/pair.h"

#include "explain/explanation.h"

#include <stdio.h>

struct pair pair_ask(struct explanation *explanation, struct view name, uint16_t type)
{
    struct pair pair = {.type = type};
    name_set_lower(&pair.name, name);
    pair.domestic = inquest_ask(explanation->inquest, name, type, PARTY_DOMESTIC);
    pair.external = inquest_ask(explanation->inquest, name, type, PARTY_EXTERNAL);
    return pair;
}

struct pair pair_ask_external(struct explanation *explanation, struct view name, uint16_t type)
{
    struct pair pair = {.type = type};
    name_set_lower(&pair.name, name);
    pair.external = inquest_ask(explanation->inquest, name, type, PARTY_EXTERNAL);
    return pair;
}

const struct fact *pair_best(const struct explanation *explanation, const struct pair *pair)
{
    bool distrusted = explanation->is_forged && fact_is_usable(pair->external);
    if (fact_is_usable(pair->domestic) && !distrusted)
        return pair->domestic;
    return fact_is_usable(pair->external) ? pair->external : NULL;
}

bool pair_divides(const struct pair *pair) { return fact_has_failed(pair->domestic) && fact_is_usable(pair->external); }

bool pair_fails(const struct pair *pair)
{
    return pair_is_settled(pair) && !fact_is_usable(pair->domestic) && !fact_is_usable(pair->external) &&
           (fact_has_failed(pair->domestic) || fact_has_failed(pair->external));
}

static const char *failure_words(const struct fact *fact)
{
    if (fact_is_known(fact))
        return outcome_word(fact->outcome);
    return fact && fact->state == FACT_FENCED ? "may not be asked" : "not asked";
}

static const char *error_words(const struct fact *fact)
{
    if (!fact_has_failed(fact))
        return "";
    switch (fact->judgement.ede) {
    case EDE_BOGUS:
        return " (DNSSEC bogus)";
    case EDE_SIGNATURE_EXPIRED:
        return " (signature expired)";
    case EDE_SIGNATURE_NOT_YET_VALID:
        return " (signature not yet valid)";
    case EDE_DNSKEY_MISSING:
        return " (DNSKEY missing)";
    case EDE_RRSIGS_MISSING:
        return " (RRSIGs missing)";
    case EDE_NO_REACHABLE_AUTHORITY:
        return " (no reachable authority)";
    case EDE_NETWORK_ERROR:
        return " (network error)";
    default:
        return "";
    }
}

const char *pair_failure(const struct pair *pair, char text[PAIR_TEXT_MAX])
{
    snprintf(text, PAIR_TEXT_MAX, "domestic: %s%s; external: %s%s", failure_words(pair->domestic),
             error_words(pair->domestic), failure_words(pair->external), error_words(pair->external));
    return text;
}
