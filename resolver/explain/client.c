/*
 * client.c: see client.h.
 */
#include "explain/client.h"

#include "explain/direct.h"
#include "explain/zones.h"
#include "policy/blocklist.h"

#include <stdio.h>
#include <string.h>

enum {
    PTR_NAMES  = 5,  /* of an address that are looked up */
    LISTS_TEXT = 320 /* bytes */
};

/* ---- names of an address ---- */

static bool prepend_v4(const struct address *address, struct name *name)
{
    uint8_t bytes[4];
    memcpy(bytes, &address->in.sin_addr, 4);
    for (unsigned i = 0; i < 4; i++) {
        char label[8];
        int  len = snprintf(label, sizeof(label), "%u", bytes[i]);
        if (!name_prepend(name, label, (size_t) len, name_view(name)))
            return false;
    }
    return true;
}

static bool prepend_v6(const struct address *address, struct name *name)
{
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < 16; i++) {
        uint8_t byte = address->in6.sin6_addr.s6_addr[i];
        if (!name_prepend(name, &digits[byte >> 4], 1, name_view(name)) ||
            !name_prepend(name, &digits[byte & 15], 1, name_view(name)))
            return false;
    }
    return true;
}

/* Below a list's zone (RFC 5782, 2.1 and 2.4), or that of all names of addresses. False: too long. */
static bool listing_of(const struct address *address, struct view list, struct name *ret)
{
    name_set(ret, list);
    return address->any.sa_family == AF_INET ? prepend_v4(address, ret) : prepend_v6(address, ret);
}

/* "7.2.0.192.in-addr.arpa." and, of IPv6, the nibbles below ip6.arpa (RFC 3596, 2.5). */
static bool reverse_of(const struct address *address, struct name *ret)
{
    static const uint8_t v4[] = "\7in-addr\4arpa", v6[] = "\3ip6\4arpa";
    return address->any.sa_family == AF_INET ? listing_of(address, (struct view){v4, sizeof(v4)}, ret)
                                             : listing_of(address, (struct view){v6, sizeof(v6)}, ret);
}

/* ---- PTR ---- */

static bool same_host(const struct address *a, const struct address *b)
{
    char one[ADDRESS_TEXT_MAX], other[ADDRESS_TEXT_MAX];
    return strcmp(address_format_host(a, one), address_format_host(b, other)) == 0;
}

static bool has_address(const struct fact *fact, uint16_t type, const struct address *wanted)
{
    struct message message;
    struct record  record = {0};
    struct address address;
    while (fact_next(fact, type, &message, &record))
        if (fact_address(&record, 0, &address) && same_host(&address, wanted))
            return true;
    return false;
}

enum confirmation {
    CONFIRMED,
    DENIED,
    UNKNOWN
};

static enum confirmation confirm(struct explanation *explanation, const struct name *host)
{
    const struct address *ip   = &explanation->request.ip;
    uint16_t              type = ip->any.sa_family == AF_INET ? TYPE_A : TYPE_AAAA;
    struct pair           pair = pair_ask(explanation, name_view(host), type);
    const struct fact    *best = pair_best(explanation, &pair);
    zones_note(explanation, ROLE_CLIENT, &pair);
    return !best ? UNKNOWN : has_address(best, type, ip) ? CONFIRMED : DENIED;
}

static void judge_names(struct explanation *explanation, const struct fact *ptr, const char *ip)
{
    struct message message;
    struct record  record = {0};
    struct name    host, first = {0};
    char           text[NAME_TEXT_MAX];
    bool           unknown = false;
    for (unsigned i = 0; i < PTR_NAMES && fact_next(ptr, TYPE_PTR, &message, &record); i++) {
        if (!fact_name(&message, &record, 0, &host))
            continue;
        if (first.len == 0)
            first = host;
        enum confirmation found = confirm(explanation, &host);
        unknown |= found == UNKNOWN;
        if (found != CONFIRMED)
            continue;
        finding_about(finding_add(explanation, FINDING_PTR, GRADE_OK, SIDE_NOBODY, "%s is %s, and that is %s", ip,
                                  name_format(name_view(&host), text), ip),
                      name_view(&ptr->name), TYPE_PTR);
        return;
    }
    struct finding *finding = finding_add(
        explanation, unknown ? FINDING_PTR_UNRESOLVABLE : FINDING_PTR_UNCONFIRMED, GRADE_PROBLEM, SIDE_DOMAIN,
        unknown ? "PTR of %s says %s, whose address cannot be had" : "PTR of %s says %s, which is not that address", ip,
        first.len > 0 ? name_format(name_view(&first), text) : "-");
    finding_about(finding, name_view(&ptr->name), TYPE_PTR);
    finding_quote(finding, ptr, 0);
}

static void look_at_ptr(struct explanation *explanation, const char *ip)
{
    struct name name;
    char        failure[PAIR_TEXT_MAX];
    if (!reverse_of(&explanation->request.ip, &name))
        return;
    struct pair        pair = pair_ask(explanation, name_view(&name), TYPE_PTR);
    const struct fact *best = pair_best(explanation, &pair);
    zones_note(explanation, ROLE_CLIENT, &pair);
    if (pair_fails(&pair))
        finding_about(finding_add(explanation, FINDING_PTR_UNRESOLVABLE, GRADE_PROBLEM, SIDE_DOMAIN,
                                  "the name of %s cannot be had: %s", ip, pair_failure(&pair, failure)),
                      name_view(&name), TYPE_PTR);
    else if (best && fact_is_present(best))
        judge_names(explanation, best, ip);
    else if (best)
        finding_about(
            finding_add(explanation, FINDING_PTR_NONE, GRADE_PROBLEM, SIDE_DOMAIN, "%s has no name (PTR)", ip),
            name_view(&name), TYPE_PTR);
}

/* ---- blocklists ---- */

static bool zone_of_list(const struct blocklist *list, struct name *ret)
{
    name_set(ret, name_view(&list->zone));
    return list->entry.len == 0 || name_prepend(ret, list->entry.label, list->entry.len, name_view(ret));
}

struct lists {
    unsigned asked, silent;
};

static void judge_listing(struct explanation *explanation, const struct blocklist *list, const struct fact *fact,
                          const char *ip, const char *zone)
{
    struct message message;
    struct view    address;
    if (!message_parse(fact->wire, &message))
        return;
    bool            refuses = blocklist_error(list, name_view(&fact->name), &message, &address);
    const char     *words   = refuses ? blocklist_error_words(address) : NULL;
    struct finding *finding =
        refuses ? finding_add(explanation, FINDING_LIST_REFUSES, GRADE_NOTE, SIDE_HERE,
                              "%s does not serve our resolver%s%s: its answers are no listings", zone,
                              words ? ": " : "", words ? words : "")
                : finding_add(explanation, FINDING_LISTED, GRADE_PROBLEM, SIDE_DOMAIN, "%s is listed by %s", ip, zone);
    finding_about(finding, name_view(&fact->name), TYPE_A);
    finding_quote(finding, fact, 0);
}

static void ask_list(struct explanation *explanation, const struct blocklist *list, const char *ip, struct lists *lists)
{
    const struct rule *rule;
    struct name        zone, name;
    char               text[NAME_TEXT_MAX];
    if (!zone_of_list(list, &zone) || !listing_of(&explanation->request.ip, name_view(&zone), &name))
        return;
    rule = policy_find_for(explanation->inquest->env->setup->policy, name_view(&name), TYPE_A);
    if (rule->via != VIA_GROUP || rule->group != SETUP_DOMESTIC)
        return; /* the operator has his own way to it */
    const struct fact *fact = inquest_ask(explanation->inquest, name_view(&name), TYPE_A, PARTY_DOMESTIC);
    lists->asked++;
    lists->silent += fact_has_failed(fact);
    if (fact_is_present(fact))
        judge_listing(explanation, list, fact, ip, name_format(name_view(&zone), text));
}

static void look_at_lists(struct explanation *explanation, const char *ip)
{
    const struct policy    *policy = explanation->inquest->env->setup->policy;
    const struct blocklist *list;
    struct lists            lists  = {0};
    unsigned                before = explanation->finding_count;
    for (unsigned i = 0; i < EXPLANATION_LISTS && (list = policy_asked_list(policy, i)) != NULL; i++)
        ask_list(explanation, list, ip, &lists);
    if (explanation->final && lists.asked > 0 && explanation->finding_count == before)
        finding_add(explanation, FINDING_UNLISTED, GRADE_OK, SIDE_NOBODY, "%s is on none of %u blocklists%s", ip,
                    lists.asked - lists.silent, lists.silent > 0 ? " that answer" : "");
}

/* ---- HELO ---- */

static void look_at_helo(struct explanation *explanation)
{
    struct view        helo = name_view(&explanation->request.helo_name);
    struct pair        a = pair_ask(explanation, helo, TYPE_A), aaaa = pair_ask(explanation, helo, TYPE_AAAA);
    struct pair        mx       = pair_ask(explanation, helo, TYPE_MX);
    const struct fact *best     = pair_best(explanation, &a);
    const struct fact *best_six = pair_best(explanation, &aaaa), *best_mx = pair_best(explanation, &mx);
    char               failure[PAIR_TEXT_MAX];
    const char        *text = explanation->request.helo;
    zones_note(explanation, ROLE_HELO, &a);
    if (pair_fails(&a))
        finding_about(finding_add(explanation, FINDING_HELO_UNRESOLVABLE, GRADE_PROBLEM, SIDE_DOMAIN,
                                  "the HELO name %s cannot be had: %s", text, pair_failure(&a, failure)),
                      helo, TYPE_A);
    if (!best || !best_six || !best_mx)
        return;
    if (best->outcome == OUTCOME_NXDOMAIN)
        finding_about(finding_add(explanation, FINDING_HELO_MISSING, GRADE_PROBLEM, SIDE_DOMAIN,
                                  "the HELO name %s does not exist", text),
                      helo, TYPE_A);
    else if (!fact_is_present(best) && !fact_is_present(best_six) && !fact_is_present(best_mx))
        finding_about(finding_add(explanation, FINDING_HELO_NO_ADDRESS, GRADE_PROBLEM, SIDE_DOMAIN,
                                  "the HELO name %s has no address", text),
                      helo, TYPE_A);
    else
        finding_about(finding_add(explanation, FINDING_HELO, GRADE_OK, SIDE_NOBODY, "the HELO name %s exists", text),
                      helo, TYPE_A);
}

void client_look(struct explanation *explanation)
{
    char ip[ADDRESS_TEXT_MAX];
    if (explanation->request.ip.len > 0) {
        address_format_host(&explanation->request.ip, ip);
        look_at_ptr(explanation, ip);
        if (direct_may_ask(&explanation->request.ip)) /* no list knows an inner one, and none is to hear of it */
            look_at_lists(explanation, ip);
    }
    if (explanation->request.helo_name.len > 0)
        look_at_helo(explanation);
}
