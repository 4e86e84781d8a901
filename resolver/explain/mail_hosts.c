/*
 * mail_hosts.c: see mail_hosts.h.
 */
#include "explain/mail_hosts.h"

#include "explain/direct.h"
#include "explain/zones.h"

#include <stdlib.h>
#include <string.h>

enum {
    TLSA_HOSTS = 3
};

/* ---- the list ---- */

static int compare(const void *left, const void *right)
{
    const struct mail_host *a = left, *b = right;
    return a->preference != b->preference ? (int) a->preference - (int) b->preference
                                          : name_compare(name_view(&a->name), name_view(&b->name));
}

/* Records of one host, the second of which is number `at`. */
static void tell_duplicate(struct explanation *explanation, const struct fact *mx, unsigned at, const struct name *host)
{
    char            text[NAME_TEXT_MAX];
    struct finding *finding = finding_add(explanation, FINDING_MX_DUPLICATE, GRADE_NOTE, SIDE_DOMAIN,
                                          "%s stands among its MX twice", name_format(name_view(host), text));
    finding_about(finding, name_view(&mx->name), TYPE_MX);
    finding_quote(finding, mx, at);
}

static struct mail_host *find_host(struct explanation *explanation, const struct name *name)
{
    for (unsigned i = 0; i < explanation->host_count; i++)
        if (name_equal(name_view(&explanation->hosts[i].name), name_view(name)))
            return &explanation->hosts[i];
    return NULL;
}

/* Of too many the least preferred is left out. */
static void add_host(struct explanation *explanation, const struct mail_host *host)
{
    unsigned worst = 0;
    if (explanation->host_count < EXPLANATION_MX) {
        explanation->hosts[explanation->host_count++] = *host;
        return;
    }
    explanation->inquest->is_bounded = true;
    for (unsigned i = 1; i < EXPLANATION_MX; i++)
        if (compare(&explanation->hosts[i], &explanation->hosts[worst]) > 0)
            worst = i;
    if (compare(host, &explanation->hosts[worst]) < 0)
        explanation->hosts[worst] = *host;
}

/* Record number `at`. */
static void add_record(struct explanation *explanation, const struct fact *mx, unsigned at, const struct name *name,
                       uint16_t preference)
{
    struct mail_host *known = find_host(explanation, name);
    if (!known) {
        const struct mail_host host = {.name = *name, .preference = preference};
        add_host(explanation, &host);
        return;
    }
    if (!known->is_twice)
        tell_duplicate(explanation, mx, at, name);
    known->is_twice = true;
    if (preference < known->preference)
        known->preference = preference;
}

/* The number of records; those of null MX count, and are no hosts. */
static unsigned read_records(struct explanation *explanation, const struct fact *mx, unsigned *ret_null)
{
    struct message message;
    struct record  record = {0};
    struct name    host;
    unsigned       count = 0;
    *ret_null            = 0;
    for (; fact_next(mx, TYPE_MX, &message, &record); count++) {
        if (!fact_name(&message, &record, 2, &host))
            continue;
        if (name_is_root(name_view(&host)))
            ++*ret_null;
        else
            add_record(explanation, mx, count, &host, (uint16_t) (record.data.data[0] << 8 | record.data.data[1]));
    }
    if (explanation->host_count > 0)
        qsort(explanation->hosts, explanation->host_count, sizeof(explanation->hosts[0]), compare);
    return count;
}

/* ---- each host ---- */

static void take_addresses(struct mail_host *host, const struct fact *fact, uint16_t type)
{
    struct message message;
    struct record  record = {0};
    while (host->address_count < EXPLANATION_ADDRESSES && fact_next(fact, type, &message, &record))
        host->address_count += fact_address(&record, 25, &host->addresses[host->address_count]);
}

/* "192.0.2.1." as a name. */
static bool is_literal(const struct name *name)
{
    for (unsigned at = 0; name->wire[at] != 0; at += 1u + name->wire[at])
        for (unsigned i = 1; i <= name->wire[at]; i++)
            if (name->wire[at + i] < '0' || name->wire[at + i] > '9')
                return false;
    return name_labels(name_view(name)) == 4;
}

static unsigned count_private(const struct mail_host *host)
{
    unsigned count = 0;
    for (unsigned i = 0; i < host->address_count; i++)
        count += !direct_may_ask(&host->addresses[i]);
    return count;
}

static struct finding *find(struct explanation *explanation, const struct mail_host *host, enum finding_tag tag,
                            const char *words)
{
    char            text[NAME_TEXT_MAX];
    struct finding *finding = finding_add(explanation, tag, GRADE_PROBLEM, SIDE_DOMAIN, "its mail host %s %s",
                                          name_format(name_view(&host->name), text), words);
    finding_about(finding, name_view(&host->name), TYPE_A);
    return finding;
}

static void judge_host(struct explanation *explanation, const struct mail_host *host)
{
    const struct fact *a = pair_best(explanation, &host->a), *aaaa = pair_best(explanation, &host->aaaa);
    unsigned           unfit = count_private(host);
    if (!host->is_implicit && is_literal(&host->name)) {
        find(explanation, host, FINDING_MX_LITERAL, "is an address, where a name has to stand");
        return;
    }
    if (!host->is_implicit && ((a && a->judgement.has_alias) || (aaaa && aaaa->judgement.has_alias)))
        find(explanation, host, FINDING_MX_CNAME, "is an alias (CNAME), which it must not be (RFC 2181, 10.3)");
    if (a && aaaa && host->address_count == 0 && !host->is_implicit)
        find(explanation, host, FINDING_MX_NO_ADDRESS,
             a->outcome == OUTCOME_NXDOMAIN ? "does not exist" : "has no address");
    if (unfit > 0)
        find(explanation, host, FINDING_MX_PRIVATE,
             unfit == host->address_count ? "has private addresses alone" : "has a private address, too");
}

static void ask_tlsa(struct explanation *explanation, const struct mail_host *host)
{
    struct name name;
    if (!name_prepend(&name, "_tcp", 4, name_view(&host->name)) || !name_prepend(&name, "_25", 3, name_view(&name)))
        return;
    struct pair        tlsa = pair_ask(explanation, name_view(&name), TYPE_TLSA);
    const struct fact *best = pair_best(explanation, &tlsa);
    char               text[NAME_TEXT_MAX], failure[PAIR_TEXT_MAX];
    zones_note(explanation, ROLE_MX, &tlsa);
    if (pair_fails(&tlsa) && !pair_fails(&host->a))
        finding_about(finding_add(explanation, FINDING_TLSA_UNRESOLVABLE, GRADE_PROBLEM, SIDE_DOMAIN,
                                  "whether %s has TLSA records cannot be had, and senders that do DANE put its "
                                  "mail off: %s",
                                  name_format(name_view(&host->name), text), pair_failure(&tlsa, failure)),
                      name_view(&name), TYPE_TLSA);
    else if (fact_is_present(best))
        finding_about(finding_add(explanation, FINDING_TLSA, GRADE_OK, SIDE_NOBODY, "%s has TLSA records",
                                  name_format(name_view(&host->name), text)),
                      name_view(&name), TYPE_TLSA);
}

static void look_at(struct explanation *explanation, struct mail_host *host)
{
    host->a    = pair_ask(explanation, name_view(&host->name), TYPE_A);
    host->aaaa = pair_ask(explanation, name_view(&host->name), TYPE_AAAA);
    zones_note(explanation, host->is_implicit ? ROLE_DOMAIN : ROLE_MX, &host->a);
    take_addresses(host, pair_best(explanation, &host->a), TYPE_A);
    take_addresses(host, pair_best(explanation, &host->aaaa), TYPE_AAAA);
    judge_host(explanation, host);
}

/* ---- all ---- */

static void look_without(struct explanation *explanation, const struct name *domain)
{
    struct mail_host *host  = &explanation->hosts[0];
    explanation->host_count = 1;
    *host                   = (struct mail_host){.name = *domain, .is_implicit = true};
    look_at(explanation, host);
    if (!pair_best(explanation, &host->a) || !pair_best(explanation, &host->aaaa))
        return;
    if (host->address_count > 0)
        finding_about(finding_add(explanation, FINDING_MX_NONE, GRADE_NOTE, SIDE_DOMAIN,
                                  "it has no MX record: mail goes to its own address"),
                      name_view(domain), TYPE_MX);
    else
        finding_about(finding_add(explanation, FINDING_MX_NONE, GRADE_PROBLEM, SIDE_DOMAIN,
                                  "it has neither an MX record nor an address: no mail can go there, and servers "
                                  "that look at senders refuse its own"),
                      name_view(domain), TYPE_MX);
}

static void judge_null(struct explanation *explanation, const struct fact *mx, unsigned nulls)
{
    struct finding *finding = finding_add(
        explanation, FINDING_MX_NULL, GRADE_PROBLEM, SIDE_DOMAIN, "%s",
        explanation->host_count > 0 ? "beside hosts it has a null MX, which has to stand alone (RFC 7505)"
        : nulls > 1                 ? "it has a null MX more than once"
                    : "it takes no mail (null MX, RFC 7505), and servers that look at senders refuse its own");
    finding_about(finding, name_view(&mx->name), TYPE_MX);
    finding_quote(finding, mx, 0);
}

static void judge_failure(struct explanation *explanation, const struct pair *mx)
{
    char failure[PAIR_TEXT_MAX];
    finding_about(finding_add(explanation, FINDING_UNRESOLVABLE, GRADE_CAUSE, SIDE_DOMAIN,
                              "its MX records cannot be had: %s", pair_failure(mx, failure)),
                  name_view(&mx->name), TYPE_MX);
}

void mail_hosts_look(struct explanation *explanation)
{
    const struct name *domain = &explanation->request.domain;
    struct pair        mx     = pair_ask(explanation, name_view(domain), TYPE_MX);
    const struct fact *best   = pair_best(explanation, &mx);
    unsigned           records, nulls;
    explanation->host_count = 0;
    zones_note(explanation, ROLE_DOMAIN, &mx);
    if (pair_fails(&mx) && !zones_own_fails(explanation))
        judge_failure(explanation, &mx);
    if (!best)
        return;
    records = read_records(explanation, best, &nulls);
    if (records == 0) {
        look_without(explanation, domain);
        return;
    }
    if (nulls > 0)
        judge_null(explanation, best, nulls);
    for (unsigned i = 0; i < explanation->host_count; i++)
        look_at(explanation, &explanation->hosts[i]);
    for (unsigned i = 0; i < explanation->host_count && i < TLSA_HOSTS; i++)
        ask_tlsa(explanation, &explanation->hosts[i]);
    if (nulls == 0)
        finding_about(finding_add(explanation, FINDING_MX, GRADE_OK, SIDE_NOBODY, "mail goes to %u host%s",
                                  explanation->host_count, explanation->host_count == 1 ? "" : "s"),
                      name_view(domain), TYPE_MX);
}
