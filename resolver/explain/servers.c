/*
 * servers.c: see servers.h.
 */
#include "explain/servers.h"

#include "explain/direct.h"
#include "explain/known.h"
#include "explain/own.h"
#include "explain/zones.h"

#include <stdio.h>
#include <string.h>

enum {
    PARENT_HOSTS = 2,   /* of the parent's servers that are asked for the delegation */
    OTHER_ZONES  = 3,   /* beside the domain's */
    WHICH_MAX    = 320, /* bytes of text */
    NAME_SHOWN   = 200
};

/* ---- whom ---- */

static void add_host(struct servers_seen *seen, const struct name *host)
{
    for (unsigned i = 0; i < seen->host_count; i++)
        if (name_equal(name_view(&seen->hosts[i]), name_view(host)))
            return;
    if (seen->host_count < EXPLANATION_NS)
        seen->hosts[seen->host_count++] = *host;
    else
        seen->is_cut = true;
}

/* ---- the delegation, where neither side knows the zone's own word ---- */

/* Its records in any section: a referral has them in the authority section. */
static void read_delegation(const struct fact *fact, struct servers_seen *seen)
{
    struct message message;
    struct record  record = {0};
    struct name    owner, host;
    size_t         end;
    if (!fact_is_known(fact) || fact->wire.len == 0 || !message_parse(fact->wire, &message))
        return;
    while (message_next(&message, &record))
        if (record.type == TYPE_NS && name_unpack(message.wire, record.owner, &owner, &end) &&
            name_equal(name_view(&owner), name_view(&seen->zone)) && fact_name(&message, &record, 0, &host))
            add_host(seen, &host);
    seen->from_parent = seen->host_count > 0;
}

static struct view parent_of(struct explanation *explanation, struct view zone)
{
    struct pair soa = pair_ask(explanation, name_parent(zone), TYPE_SOA);
    return fact_zone(pair_best(explanation, &soa));
}

static void ask_parent(struct explanation *explanation, struct servers_seen *seen)
{
    struct view zone = name_view(&seen->zone), parent = parent_of(explanation, zone);
    unsigned    party;
    for (unsigned i = 0; parent.len > 0 && i < PARENT_HOSTS && seen->host_count == 0; i++) {
        if (!direct_party(explanation, parent, i, false, &party))
            continue;
        const struct fact *fact = inquest_ask(explanation->inquest, zone, TYPE_NS, party);
        read_delegation(fact, seen);
        if (fact_is_known(fact) && fact->outcome == OUTCOME_NXDOMAIN && fact->flags & FLAG_AA) {
            finding_about(finding_add(explanation, FINDING_NOT_DELEGATED, GRADE_CAUSE, SIDE_DOMAIN,
                                      "the servers above it know of no such zone: it is not delegated"),
                          zone, TYPE_NS);
            return;
        }
    }
}

/* Of a zone that the domain's depends on domestic is known to fail: it is not waited for again. */
static struct pair ask(struct explanation *explanation, struct view name, uint16_t type, bool whole)
{
    return whole ? pair_ask(explanation, name, type) : pair_ask_external(explanation, name, type);
}

static void find_hosts(struct explanation *explanation, struct servers_seen *seen, bool whole)
{
    struct message     message;
    struct record      record = {0};
    struct name        host;
    struct pair        ns   = ask(explanation, name_view(&seen->zone), TYPE_NS, whole);
    const struct fact *best = pair_best(explanation, &ns);
    while (fact_next(best, TYPE_NS, &message, &record))
        if (fact_name(&message, &record, 0, &host))
            add_host(seen, &host);
    if (seen->host_count == 0 && pair_is_settled(&ns))
        ask_parent(explanation, seen);
}

/* ---- their addresses ---- */

static void ask_server(struct explanation *explanation, struct servers_seen *seen, const struct name *host,
                       const struct address *address, bool whole)
{
    struct inquest    *inquest = explanation->inquest;
    struct view        zone = name_view(&seen->zone), domain = name_view(&explanation->request.domain);
    struct server_seen server = {.host = *host, .address = *address};
    unsigned           party;
    for (unsigned i = 0; i < seen->count; i++)
        if (address_equal(&seen->list[i].address, address))
            return;
    if (seen->count == ARRAY_LEN(seen->list) || !direct_may_ask(address) ||
        !inquest_party(inquest, address, false, &party))
        return;
    server.udp = inquest_ask(inquest, zone, TYPE_SOA, party);
    if (whole && fact_is_present(server.udp)) {
        server.mx  = inquest_ask(inquest, domain, TYPE_MX, party);
        server.txt = inquest_ask(inquest, domain, TYPE_TXT, party);
    }
    if (whole && inquest_party(inquest, address, true, &party))
        server.tcp = inquest_ask(inquest, zone, TYPE_SOA, party);
    seen->list[seen->count++] = server;
}

static void ask_addresses(struct explanation *explanation, struct servers_seen *seen, const struct name *host,
                          const struct fact *fact, uint16_t type, bool whole)
{
    struct message message;
    struct record  record = {0};
    struct address address;
    while (fact_next(fact, type, &message, &record)) {
        if (!fact_address(&record, 53, &address))
            continue;
        ask_server(explanation, seen, host, &address, whole);
    }
}

/* The addresses that came with the delegation: of a host whose own zone fails there are no others. */
static void ask_glue(struct explanation *explanation, struct servers_seen *seen, const struct name *host, bool whole)
{
    for (unsigned i = 0; i < explanation->inquest->fact_count; i++) {
        const struct fact *fact   = explanation->inquest->facts[i];
        struct record      record = {0};
        struct message     message;
        struct name        owner;
        struct address     address;
        size_t             end;
        if (fact->party < PARTY_SERVER || fact->type != TYPE_NS || fact->wire.len == 0 ||
            !name_equal(name_view(&fact->name), name_view(&seen->zone)) || !message_parse(fact->wire, &message))
            continue;
        while (message_next(&message, &record))
            if (record.section == SECTION_ADDITIONAL && fact_address(&record, 53, &address) &&
                name_unpack(message.wire, record.owner, &owner, &end) && name_equal(name_view(&owner), name_view(host)))
                ask_server(explanation, seen, host, &address, whole);
    }
}

static bool has_no_address(const struct explanation *explanation, const struct pair *a, const struct pair *aaaa)
{
    const struct fact *four = pair_best(explanation, a), *six = pair_best(explanation, aaaa);
    return four && six && !fact_is_present(four) && !fact_is_present(six);
}

static void ask_host(struct explanation *explanation, struct servers_seen *seen, const struct name *host, bool whole)
{
    struct pair a    = ask(explanation, name_view(host), TYPE_A, whole);
    struct pair aaaa = ask(explanation, name_view(host), TYPE_AAAA, whole);
    char        text[NAME_TEXT_MAX];
    if (whole)
        zones_note(explanation, ROLE_SERVERS, &a);
    ask_addresses(explanation, seen, host, pair_best(explanation, &a), TYPE_A, whole);
    ask_addresses(explanation, seen, host, pair_best(explanation, &aaaa), TYPE_AAAA, whole);
    if (seen->from_parent)
        ask_glue(explanation, seen, host, whole);
    if (seen->from_parent || !has_no_address(explanation, &a, &aaaa))
        return;
    struct finding *finding = finding_add(explanation, FINDING_SERVER_NO_ADDRESS, GRADE_PROBLEM, SIDE_DOMAIN,
                                          "its name server %s has no address", name_format(name_view(host), text));
    finding->zone           = seen->zone;
    finding_about(finding, name_view(host), TYPE_A);
}

/* ---- what they say ---- */

/* Nobody can be asked there by IPv6 where this machine has none. */
static bool has_no_route(const struct server_seen *server)
{
    return server->address.any.sa_family == AF_INET6 && fact_is_known(server->udp) &&
           server->udp->outcome == OUTCOME_UNREACHABLE;
}

static void count(struct servers_seen *seen)
{
    for (unsigned i = 0; i < seen->count; i++) {
        const struct server_seen *server = &seen->list[i];
        if (!fact_is_known(server->udp) || has_no_route(server))
            continue;
        if (direct_serves(server->udp))
            seen->answered++;
        else if (direct_is_silent(server->udp))
            seen->silent++;
        else
            seen->lame++;
    }
}

/* ---- findings ---- */

/* "ns1.x.example. (192.0.2.1), ..." of those for which `is` holds. */
static const char *which(const struct servers_seen *seen, bool (*is)(const struct server_seen *), char text[WHICH_MAX])
{
    size_t len = 0;
    text[0]    = '\0';
    for (unsigned i = 0; i < seen->count && len < WHICH_MAX - 1; i++) {
        char name[NAME_TEXT_MAX], address[ADDRESS_TEXT_MAX];
        if (is(&seen->list[i]))
            len += (size_t) snprintf(text + len, WHICH_MAX - len, "%s%s (%s)", len > 0 ? ", " : "",
                                     name_format(name_view(&seen->list[i].host), name),
                                     address_format_host(&seen->list[i].address, address));
    }
    return text;
}

static bool silent_server(const struct server_seen *server)
{
    return !has_no_route(server) && direct_is_silent(server->udp);
}
static bool deaf_to_tcp(const struct server_seen *server)
{
    return direct_serves(server->udp) && fact_is_known(server->tcp) && !fact_is_present(server->tcp);
}
static bool without_edns(const struct server_seen *server) { return direct_serves(server->udp) && !server->udp->edns; }
static bool lame_server(const struct server_seen *server)
{
    return fact_is_known(server->udp) && !has_no_route(server) && !direct_serves(server->udp) &&
           !direct_is_silent(server->udp);
}

static struct finding *about_zone(struct finding *finding, const struct servers_seen *seen)
{
    finding->zone = seen->zone;
    finding_about(finding, name_view(&seen->zone), TYPE_SOA);
    return finding;
}

/* "none of the 4 name servers of x.example. answers" */
static const char *none_of(const struct servers_seen *seen, char text[WHICH_MAX])
{
    char zone[NAME_TEXT_MAX];
    name_format(name_view(&seen->zone), zone);
    if (seen->host_count == 1)
        snprintf(text, WHICH_MAX, "the one name server of %.*s does not answer", NAME_SHOWN, zone);
    else
        snprintf(text, WHICH_MAX, "none of the %u name servers of %.*s answers", seen->host_count, NAME_SHOWN, zone);
    return text;
}

static void tell_all_silent(struct explanation *explanation, const struct servers_seen *seen, const struct pair *soa)
{
    char none[WHICH_MAX], text[WHICH_MAX];
    bool known    = !own_is_down(explanation, PARTY_EXTERNAL) && !pair_is_fenced_in(soa);
    bool harmless = fact_is_usable(soa->domestic) || known_carries(explanation, name_view(&seen->zone), TYPE_SOA);
    none_of(seen, none);
    which(seen, silent_server, text);
    if (pair_fails(soa) && known)
        about_zone(finding_add(explanation, FINDING_SERVERS_UNREACHABLE, GRADE_CAUSE, SIDE_DOMAIN,
                               "%s: neither this machine nor domestic nor external reaches it: %s", none, text),
                   seen);
    else if (pair_fails(soa))
        about_zone(finding_add(explanation, FINDING_SERVERS_UNREACHABLE, GRADE_PROBLEM, SIDE_NOBODY,
                               "%s this machine, nor domestic: %s", none, text),
                   seen);
    else
        about_zone(finding_add(explanation, FINDING_SERVERS_UNREACHABLE, harmless ? GRADE_NOTE : GRADE_PROBLEM,
                               SIDE_HERE, "%s this machine; %s reaches it: %s", none,
                               fact_is_usable(soa->external) ? "external" : "domestic", text),
                   seen);
}

/* By IPv6 this network may lead nowhere, which says nothing of the servers. */
static bool silent_by_four(const struct server_seen *server)
{
    return server->address.any.sa_family == AF_INET && silent_server(server);
}

static void tell_silent(struct explanation *explanation, const struct servers_seen *seen, const struct pair *soa)
{
    char text[WHICH_MAX], zone[NAME_TEXT_MAX];
    bool six = *which(seen, silent_by_four, text) == '\0';
    which(seen, silent_server, text);
    name_format(name_view(&seen->zone), zone);
    if (direct_state(explanation, false) != DIRECT_WORKS)
        about_zone(finding_add(explanation, FINDING_DIRECT_UNKNOWN, GRADE_NOTE, SIDE_NOBODY,
                               "name servers of %s are silent to this machine, but so is every other: no DNS leaves "
                               "from here, so it says nothing of them: %s",
                               zone, text),
                   seen);
    else if (seen->answered > 0 || seen->lame > 0)
        about_zone(finding_add(explanation, FINDING_SERVERS_UNREACHABLE, six ? GRADE_NOTE : GRADE_PROBLEM, SIDE_NOBODY,
                               "%u of the %u addresses of the name servers of %s are silent to this machine: %s",
                               seen->silent, seen->silent + seen->answered + seen->lame, zone, text),
                   seen);
    else
        tell_all_silent(explanation, seen, soa);
}

/* That they do not serve this machine is a cause only where they serve nobody. */
static void tell_lame(struct explanation *explanation, const struct servers_seen *seen, const struct pair *soa)
{
    char               text[WHICH_MAX], zone[NAME_TEXT_MAX];
    bool               all   = seen->answered == 0 && seen->silent == 0;
    enum finding_grade grade = !all                                                           ? GRADE_PROBLEM
                               : pair_fails(soa) && !own_is_down(explanation, PARTY_EXTERNAL) ? GRADE_CAUSE
                                                                                              : GRADE_NOTE;
    which(seen, lame_server, text);
    name_format(name_view(&seen->zone), zone);
    if (direct_state(explanation, false) == DIRECT_ELSEWHERE)
        about_zone(finding_add(explanation, FINDING_DIRECT_UNKNOWN, GRADE_NOTE, SIDE_NOBODY,
                               "somebody on the way answers in place of name servers, whoever is asked, so it says "
                               "nothing of those of %s: %s",
                               zone, text),
                   seen);
    else
        about_zone(finding_add(explanation, FINDING_LAME, grade, grade == GRADE_NOTE ? SIDE_NOBODY : SIDE_DOMAIN,
                               "%s of its name servers answer%s, but do not serve %s: %s", all ? "all" : "some",
                               grade == GRADE_NOTE ? " this machine" : "", zone, text),
                   seen);
}

uint32_t servers_serial(const struct fact *fact)
{
    struct message message;
    struct record  record = {0};
    size_t         end;
    if (!fact_next(fact, TYPE_SOA, &message, &record) || !name_skip(message.wire, record.data_at, &end) ||
        !name_skip(message.wire, end, &end) || end + 4 > message.wire.len)
        return 0;
    const uint8_t *at = message.wire.data + end;
    return (uint32_t) at[0] << 24 | (uint32_t) at[1] << 16 | (uint32_t) at[2] << 8 | at[3];
}

static bool has_record(const struct fact *fact, const struct message *message, const struct record *record)
{
    struct message others;
    struct record  candidate = {0};
    while (fact_next(fact, record->type, &others, &candidate))
        if (fact_same_data(message, record, &others, &candidate))
            return true;
    return false;
}

static bool same_records(const struct fact *one, const struct fact *other, uint16_t type)
{
    struct message message;
    struct record  record = {0};
    if (fact_count(one, type) != fact_count(other, type))
        return false;
    while (fact_next(one, type, &message, &record))
        if (!has_record(other, &message, &record))
            return false;
    return true;
}

static void tell_differences(struct explanation *explanation, const struct servers_seen *seen)
{
    const struct server_seen *first  = NULL;
    bool                      serial = false, mx = false, txt = false;
    for (unsigned i = 0; i < seen->count; i++) {
        const struct server_seen *server = &seen->list[i];
        if (!direct_serves(server->udp))
            continue;
        if (!first)
            first = server;
        serial |= servers_serial(first->udp) != servers_serial(server->udp);
        mx |= fact_is_usable(first->mx) && fact_is_usable(server->mx) && !same_records(first->mx, server->mx, TYPE_MX);
        txt |= fact_is_usable(first->txt) && fact_is_usable(server->txt) &&
               !same_records(first->txt, server->txt, TYPE_TXT);
    }
    if (serial)
        about_zone(finding_add(explanation, FINDING_SERIAL_DIFFERS, GRADE_NOTE, SIDE_DOMAIN,
                               "its name servers have different versions of the zone (serials)"),
                   seen);
    if (mx || txt)
        about_zone(finding_add(explanation, FINDING_SERVERS_DIFFER, GRADE_PROBLEM, SIDE_DOMAIN,
                               "its name servers give different %s records", mx ? "MX" : "TXT"),
                   seen);
}

static void tell_deaf(struct explanation *explanation, const struct servers_seen *seen, const char *text)
{
    bool works = direct_state(explanation, true) == DIRECT_WORKS;
    about_zone(finding_add(explanation, works ? FINDING_TCP_REFUSED : FINDING_DIRECT_UNKNOWN,
                           works ? GRADE_PROBLEM : GRADE_NOTE, works ? SIDE_DOMAIN : SIDE_NOBODY,
                           works ? "name servers that answer over UDP alone: what does not fit a datagram is lost: %s"
                                 : "name servers answer this machine over UDP alone, but so does every other: %s",
                           text),
               seen);
}

static void tell_each(struct explanation *explanation, const struct servers_seen *seen)
{
    char text[WHICH_MAX];
    bool deaf = *which(seen, deaf_to_tcp, text) != '\0';
    if (deaf)
        tell_deaf(explanation, seen, text);
    if (*which(seen, without_edns, text) != '\0')
        about_zone(finding_add(explanation, FINDING_EDNS_REFUSED, GRADE_NOTE, SIDE_DOMAIN,
                               "name servers that do not know EDNS: %s", text),
                   seen);
    if (seen->answered > 0 && seen->silent + seen->lame == 0 && !deaf)
        about_zone(finding_add(explanation, FINDING_DELEGATION, GRADE_OK, SIDE_NOBODY,
                               seen->answered == 1 ? "its name server answers this machine"
                                                   : "all %u addresses of its name servers answer this machine",
                               seen->answered),
                   seen);
}

static void look_at(struct explanation *explanation, struct servers_seen *seen, const struct name *zone, bool whole)
{
    struct pair soa = pair_ask(explanation, name_view(zone), TYPE_SOA);
    *seen           = (struct servers_seen){.zone = *zone};
    find_hosts(explanation, seen, whole);
    for (unsigned i = 0; i < seen->host_count; i++)
        ask_host(explanation, seen, &seen->hosts[i], whole);
    count(seen);
    explanation->inquest->is_bounded |= seen->is_cut;
    if (seen->silent > 0)
        tell_silent(explanation, seen, &soa);
    if (seen->lame > 0)
        tell_lame(explanation, seen, &soa);
    if (whole) {
        tell_differences(explanation, seen);
        tell_each(explanation, seen);
    }
}

void servers_forget(struct explanation *explanation)
{
    for (unsigned i = 0; i < EXPLANATION_ZONES; i++) {
        struct servers_seen *seen = &explanation->servers[i];
        seen->host_count = seen->count = seen->answered = seen->silent = seen->lame = 0;
    }
}

void servers_look(struct explanation *explanation)
{
    unsigned others = 0, known = explanation->zone_count; /* what a look adds, the next one sees */
    for (unsigned i = 0; i < known; i++)
        if (i == 0 || (zones_divide(explanation, &explanation->zones[i]) && others++ < OTHER_ZONES))
            look_at(explanation, &explanation->servers[i], &explanation->zones[i].zone, i == 0);
}
