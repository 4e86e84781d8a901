/*
 * direct.c: see direct.h.
 */
#include "explain/direct.h"

#include "explain/own.h"

bool direct_may_ask(const struct address *address)
{
    static const char *const inner[] = {"0.0.0.0/8",      "10.0.0.0/8",    "100.64.0.0/10", "127.0.0.0/8",
                                        "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",  "192.168.0.0/16",
                                        "224.0.0.0/3",    "::/96",         "64:ff9b::/32",  "2002::/16",
                                        "fc00::/7",       "fe80::/10",     "ff00::/8"};
    struct cidr              cidr;
    for (size_t i = 0; i < ARRAY_LEN(inner); i++)
        if (cidr_parse(inner[i], &cidr) && cidr_contains(&cidr, address))
            return false;
    return true;
}

static bool first_address(struct explanation *explanation, const struct pair *pair, struct address *ret)
{
    struct message     message;
    struct record      record = {0};
    const struct fact *best   = pair_best(explanation, pair);
    return fact_next(best, TYPE_A, &message, &record) && fact_address(&record, 53, ret) && direct_may_ask(ret);
}

bool direct_party(struct explanation *explanation, struct view zone, unsigned skip, bool tcp, unsigned *ret_party)
{
    struct message     message;
    struct record      record = {0};
    struct name        host;
    struct address     address;
    struct pair        ns   = pair_ask(explanation, zone, TYPE_NS);
    const struct fact *best = pair_best(explanation, &ns);
    while (fact_next(best, TYPE_NS, &message, &record)) {
        if (skip-- > 0 || !fact_name(&message, &record, 0, &host))
            continue;
        struct pair a = pair_ask(explanation, name_view(&host), TYPE_A);
        return first_address(explanation, &a, &address) &&
               inquest_party(explanation->inquest, &address, tcp, ret_party);
    }
    return false;
}

bool direct_serves(const struct fact *fact) { return fact_is_present(fact) && fact->flags & FLAG_AA; }

bool direct_is_silent(const struct fact *fact)
{
    return fact_is_known(fact) && (fact->outcome == OUTCOME_TIMEOUT || fact->outcome == OUTCOME_UNREACHABLE);
}

enum direct direct_state(struct explanation *explanation, bool tcp)
{
    enum direct state = DIRECT_NOT;
    for (unsigned i = 0; i < EXPLANATION_UNRELATED; i++) {
        struct pair        unrelated = own_unrelated(explanation, i);
        struct view        zone      = name_view(&unrelated.name);
        const struct fact *fact;
        unsigned           party;
        if (!direct_party(explanation, zone, 0, tcp, &party))
            continue;
        fact = inquest_ask(explanation->inquest, zone, TYPE_SOA, party);
        if (direct_serves(fact))
            return DIRECT_WORKS;
        if (fact_is_known(fact) && !direct_is_silent(fact))
            state = DIRECT_ELSEWHERE;
    }
    return state;
}
