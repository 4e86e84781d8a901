/*
 * validation.c: see validation.h.
 */
#include "explain/validation.h"

#include "explain/zones.h"

#include <stdio.h>

static bool says_bogus(const struct fact *fact)
{
    return fact_has_failed(fact) && judge_bogus(&fact->judgement) != BOGUS_NOT;
}

static bool is_servfail(const struct fact *fact) { return fact_is_known(fact) && fact->outcome == OUTCOME_SERVFAIL; }

static bool is_validated(const struct fact *fact) { return fact_is_usable(fact) && fact->flags & FLAG_AD; }

static const struct fact *unvalidated(struct explanation *explanation, const struct pair *pair, enum party party)
{
    return inquest_ask_unvalidated(explanation->inquest, name_view(&pair->name), pair->type, party);
}

static bool is_signed(const struct fact *fact)
{
    struct message message;
    struct record  record = {0};
    if (!fact_is_usable(fact) || !message_parse(fact->wire, &message))
        return false;
    while (message_next(&message, &record))
        if (record.type == TYPE_RRSIG)
            return true;
    return false;
}

/* A SERVFAIL alone may be anything: without validation there has to be an answer, and signatures in it. */
static bool fails_at(struct explanation *explanation, const struct pair *pair, enum party party)
{
    const struct fact *fact = party == PARTY_DOMESTIC ? pair->domestic : pair->external;
    if (says_bogus(fact) && judge_bogus(&fact->judgement) == BOGUS_OWN_FAULT)
        return true;
    return is_servfail(fact) && is_signed(unvalidated(explanation, pair, party));
}

bool validation_fails(struct explanation *explanation, const struct pair *pair)
{
    if (is_validated(pair->domestic) || is_validated(pair->external))
        return false;
    return fails_at(explanation, pair, PARTY_DOMESTIC) ||
           (!fact_is_usable(pair->domestic) && fails_at(explanation, pair, PARTY_EXTERNAL));
}

/* When the signatures of that answer end, s since 1970 (RFC 4034, 3.1.5: modulo 2^32, near now); 0: it has none. */
static wall_t expiration(const struct fact *fact, wall_t now)
{
    struct message message;
    struct record  record = {0};
    if (!fact_next(fact, TYPE_RRSIG, &message, &record) || record.data.len < 18)
        return 0;
    const uint8_t *at    = record.data.data + 8;
    uint32_t       until = (uint32_t) at[0] << 24 | (uint32_t) at[1] << 16 | (uint32_t) at[2] << 8 | at[3];
    return now + (int32_t) (until - (uint32_t) now);
}

/* "signatures expired 3 days ago" */
static const char *why(struct explanation *explanation, const struct pair *pair, char text[PAIR_TEXT_MAX])
{
    for (enum party party = PARTY_DOMESTIC; party <= PARTY_EXTERNAL; party++) {
        const struct fact *said  = party == PARTY_DOMESTIC ? pair->domestic : pair->external;
        wall_t             until = fails_at(explanation, pair, party)
                                       ? expiration(unvalidated(explanation, pair, party), explanation->wall)
                                       : 0;
        long long          past  = until ? (long long) (explanation->wall - until) : 0;
        if (past > 2 * 86400)
            snprintf(text, PAIR_TEXT_MAX, "its signatures expired %lld days ago", past / 86400);
        else if (past > 2 * 3600)
            snprintf(text, PAIR_TEXT_MAX, "its signatures expired %lld hours ago", past / 3600);
        else if (past > 0)
            snprintf(text, PAIR_TEXT_MAX, "its signatures expired %lld minutes ago", past / 60);
        else if (says_bogus(said) && said->judgement.ede == EDE_SIGNATURE_EXPIRED)
            snprintf(text, PAIR_TEXT_MAX, "its signatures have expired");
        else if (says_bogus(said) && said->judgement.ede == EDE_SIGNATURE_NOT_YET_VALID)
            snprintf(text, PAIR_TEXT_MAX, "its signatures are not yet valid");
        else
            continue;
        return text;
    }
    snprintf(text, PAIR_TEXT_MAX, "its signatures are missing or wrong");
    return text;
}

static void look_at(struct explanation *explanation, const struct reliance *reliance)
{
    char               text[PAIR_TEXT_MAX], zone[NAME_TEXT_MAX], failure[PAIR_TEXT_MAX];
    struct pair        pair = pair_ask(explanation, name_view(&reliance->zone), TYPE_SOA);
    enum finding_grade grade;
    if (!validation_fails(explanation, &pair)) {
        pair = reliance->failing;
        if (pair.type == 0 || !validation_fails(explanation, &pair))
            return;
    }
    grade                   = reliance->roles == ROLE_SERVERS ? GRADE_PROBLEM : GRADE_CAUSE;
    struct finding *finding = finding_add(
        explanation, FINDING_DNSSEC_BOGUS, grade, SIDE_DOMAIN, "%s fails at all who validate (DNSSEC): %s; %s",
        name_format(name_view(&reliance->zone), zone), why(explanation, &pair, text), pair_failure(&pair, failure));
    finding->zone = reliance->zone;
    finding_about(finding, name_view(&pair.name), pair.type);
}

void validation_look(struct explanation *explanation)
{
    for (unsigned i = 0; i < explanation->zone_count; i++)
        look_at(explanation, &explanation->zones[i]);
}
