/*
 * pair.c: see pair.h.
 */
#include "explain/pair.h"

#include "explain/explanation.h"
#include "explain/known.h"

#include <stdio.h>
#include <string.h>

struct pair pair_ask(struct explanation *explanation, struct view name, uint16_t type)
{
    struct inquest    *inquest = explanation->inquest;
    const struct rule *rule    = policy_find_for(inquest->env->setup->policy, name, type);
    struct pair        pair    = {.type = type};
    name_set_lower(&pair.name, name);
    pair.is_trusted = known_forging(explanation, name_view(&pair.name)) == KNOWN_TRUE;
    pair.domestic   = inquest_ask(inquest, name, type, PARTY_DOMESTIC);
    pair.external   = inquest_ask(inquest, name, type, PARTY_EXTERNAL);
    if (rule->via == VIA_GROUP && rule->group > PARTY_EXTERNAL)
        pair.other = inquest_ask(inquest, name, type, rule->group);
    return pair;
}

struct pair pair_ask_external(struct explanation *explanation, struct view name, uint16_t type)
{
    struct pair pair = {.type = type};
    name_set_lower(&pair.name, name);
    pair.external = inquest_ask(explanation->inquest, name, type, PARTY_EXTERNAL);
    return pair;
}

/* The zones that were found to be forged so far. */
static bool is_distrusted(const struct explanation *explanation, const struct pair *pair)
{
    return known_forging(explanation, name_view(&pair->name)) == KNOWN_FORGED ||
           (explanation->is_forged &&
            name_is_at_or_below(name_view(&pair->name), name_view(&explanation->zones[0].zone)));
}

const struct fact *pair_best(const struct explanation *explanation, const struct pair *pair)
{
    if (pair->other)
        return fact_is_usable(pair->other) ? pair->other : NULL;
    if (fact_is_usable(pair->external) && (pair_is_denied(pair) || is_distrusted(explanation, pair)))
        return pair->external;
    if (fact_is_usable(pair->domestic))
        return pair->domestic;
    return fact_is_usable(pair->external) ? pair->external : NULL;
}

bool pair_is_minor(struct view name, uint16_t type)
{
    static const uint8_t dmarc[] = "\6_dmarc";
    return type == TYPE_TLSA || (name.len >= sizeof(dmarc) && memcmp(name.data, dmarc, sizeof(dmarc) - 1) == 0);
}

static bool says_no_name(const struct fact *fact) { return fact_is_known(fact) && fact->outcome == OUTCOME_NXDOMAIN; }

bool pair_is_denied(const struct pair *pair)
{
    return !pair->is_trusted && says_no_name(pair->domestic) && fact_is_usable(pair->external) &&
           !says_no_name(pair->external);
}

bool pair_divides(const struct pair *pair)
{
    return (fact_has_failed(pair->domestic) && fact_is_usable(pair->external)) || pair_is_denied(pair);
}

static bool is_fenced(const struct fact *fact) { return fact && fact->state == FACT_FENCED; }

bool pair_fails(const struct pair *pair)
{
    if (pair->other)
        return fact_has_failed(pair->other);
    return (fact_has_failed(pair->domestic) && (fact_has_failed(pair->external) || is_fenced(pair->external))) ||
           (fact_has_failed(pair->external) && is_fenced(pair->domestic));
}

bool pair_is_fenced_in(const struct pair *pair) { return pair_fails(pair) && is_fenced(pair->external); }

static const char *failure_words(const struct fact *fact)
{
    if (fact_is_known(fact))
        return outcome_word(fact->outcome);
    return is_fenced(fact) ? "may not be asked" : "not asked";
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
    if (pair->other)
        snprintf(text, PAIR_TEXT_MAX, "%s%s", failure_words(pair->other), error_words(pair->other));
    else
        snprintf(text, PAIR_TEXT_MAX, "domestic: %s%s; external: %s%s", failure_words(pair->domestic),
                 error_words(pair->domestic), failure_words(pair->external), error_words(pair->external));
    return text;
}
