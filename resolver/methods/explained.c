/*
 * explained.c: see explained.h.
 */
#include "methods/explained.h"

#include "base/printable.h"
#include "explain/direct.h"
#include "explain/servers.h"
#include "explain/zones.h"
#include "methods/present.h"

#include <string.h>

static json_t *name_or_null(const struct name *name)
{
    return name->len > 0 ? present_name(name_view(name)) : json_null();
}

/* What strangers' records brought in may be no UTF-8. */
static json_t *safe_text(const char *text)
{
    char safe[4 * FINDING_TEXT_MAX + 1];
    return *text ? json_string(printable_copy(text, safe, sizeof(safe))) : json_null();
}

static json_t *type_or_null(uint16_t type)
{
    char text[TYPE_TEXT_MAX];
    return type ? json_string(type_format(type, text)) : json_null();
}

static json_t *present_finding(const struct finding *finding)
{
    const char *side = finding_side_word(finding->side);
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:s?}", "tag", finding_word(finding->tag), "grade",
                     finding_grade_word(finding->grade), "text", safe_text(finding->text), "zone",
                     name_or_null(&finding->zone), "name", name_or_null(&finding->name), "type",
                     type_or_null(finding->type), "record", safe_text(finding->record), "side", side);
}

static json_t *present_findings(const struct explanation *explanation)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < explanation->finding_count; i++)
        json_array_append_new(list, present_finding(&explanation->findings[i]));
    return list;
}

static json_t *present_replies(const struct explanation *explanation)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < explanation->reply_count; i++) {
        const struct mail_reply *reply = &explanation->replies[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "server", reply->server, "check", reply->check,
                                              "code", reply->code, "text", safe_text(reply->text)));
    }
    return list;
}

/* ---- zones ---- */

static json_t *outcome_or_null(const struct fact *fact)
{
    return fact_is_known(fact) ? json_string(outcome_word(fact->outcome)) : json_null();
}

static json_t *present_server(const struct server_seen *server, const struct fact *fact, const char *over)
{
    char     text[ADDRESS_TEXT_MAX];
    msec_t   ms     = fact->ms;
    bool     usable = fact_is_present(fact);
    uint32_t serial = servers_serial(fact);
    json_t  *object =
        json_pack("{s:o, s:s, s:s, s:s}", "name", present_name(name_view(&server->host)), "address",
                  address_format(&server->address, text), "over", over, "outcome", outcome_word(fact->outcome));
    json_object_set_new(object, "ms", outcome_usable(fact->outcome) ? json_integer(ms) : json_null());
    json_object_set_new(object, "authoritative", usable ? json_boolean(fact->flags & FLAG_AA) : json_null());
    json_object_set_new(object, "serial", usable ? json_integer(serial) : json_null());
    return object;
}

static json_t *present_servers(const struct servers_seen *seen)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < seen->count; i++) {
        if (fact_is_known(seen->list[i].udp))
            json_array_append_new(list, present_server(&seen->list[i], seen->list[i].udp, "udp"));
        if (fact_is_known(seen->list[i].tcp))
            json_array_append_new(list, present_server(&seen->list[i], seen->list[i].tcp, "tcp"));
    }
    return list;
}

static const char *via_of(const struct daemon *daemon, struct view zone)
{
    const struct rule *rule    = policy_find(daemon->setup->policy, zone);
    struct verdict     verdict = table_find(daemon->shared.table, zone, TYPE_SOA);
    if (rule->via == VIA_GROUP)
        return daemon->setup->groups[rule->group].name;
    if (rule->via != VIA_AUTO)
        return rule->via == VIA_REFUSE ? "refuse" : "local";
    if (verdict.pin != PIN_NONE)
        return verdict.pin == PIN_EXTERNAL ? "external" : "domestic";
    return verdict.zone && zone_state_diverts(verdict.state) ? "external" : "domestic";
}

static const struct fact *find_soa(const struct explanation *explanation, const struct name *zone, unsigned party)
{
    for (unsigned i = 0; i < explanation->inquest->fact_count; i++) {
        const struct fact *fact = explanation->inquest->facts[i];
        if (fact->party == party && fact->type == TYPE_SOA && !fact->unvalidated &&
            name_equal(name_view(&fact->name), name_view(zone)))
            return fact;
    }
    return NULL;
}

static json_t *present_reliance(const struct explanation *explanation, const struct daemon *daemon, unsigned i)
{
    const struct reliance *reliance = &explanation->zones[i];
    const struct fact     *domestic = find_soa(explanation, &reliance->zone, PARTY_DOMESTIC);
    const struct fact     *external = find_soa(explanation, &reliance->zone, PARTY_EXTERNAL);
    struct verdict         verdict  = table_find(daemon->shared.table, name_view(&reliance->zone), TYPE_SOA);
    char                   role[ROLES_TEXT_MAX];
    return json_pack("{s:o, s:s, s:s, s:s, s:o, s:o, s:o}", "zone", present_name(name_view(&reliance->zone)), "role",
                     roles_format(reliance->roles, role), "state",
                     zone_state_words[verdict.zone ? verdict.state : ZONE_CLEAR], "via",
                     via_of(daemon, name_view(&reliance->zone)), "domestic", outcome_or_null(domestic), "external",
                     outcome_or_null(external), "servers", present_servers(&explanation->servers[i]));
}

static json_t *present_zones(const struct explanation *explanation, const struct daemon *daemon)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < explanation->zone_count; i++)
        json_array_append_new(list, present_reliance(explanation, daemon, i));
    return list;
}

static json_t *present_hosts(const struct explanation *explanation)
{
    json_t *list = json_array();
    char    text[ADDRESS_TEXT_MAX];
    for (unsigned i = 0; i < explanation->host_count; i++) {
        const struct mail_host *host      = &explanation->hosts[i];
        json_t                 *addresses = json_array();
        for (unsigned a = 0; a < host->address_count; a++) /* who reads this may connect to them */
            if (direct_may_ask(&host->addresses[a]))
                json_array_append_new(addresses, json_string(address_format_host(&host->addresses[a], text)));
        json_array_append_new(list, json_pack("{s:o, s:i, s:o}", "host", present_name(name_view(&host->name)),
                                              "preference", (int) host->preference, "addresses", addresses));
    }
    return list;
}

/* ---- facts ---- */

static void append_record(void *context, const char *line) { json_array_append_new(context, json_string(line)); }

static json_t *present_records(const struct fact *fact)
{
    json_t        *list = json_array();
    struct message message;
    struct record  record = {0};
    if (fact_is_present(fact) && message_parse(fact->wire, &message) && message_next(&message, &record))
        records_format(fact->wire, record.ttl, append_record, list);
    return list;
}

static json_t *present_side(const struct fact *fact)
{
    if (!fact)
        return json_null();
    if (!fact_is_known(fact))
        return json_pack("{s:s}", "skipped", fact->state == FACT_FENCED ? "fence" : "bound");
    bool has_ede = fact_has_failed(fact) && fact->judgement.outcome == fact->outcome && fact->judgement.ede > 0;
    return json_pack("{s:s, s:I, s:o, s:o}", "outcome", outcome_word(fact->outcome), "ms", (json_int_t) fact->ms,
                     "records", present_records(fact), "ede",
                     has_ede ? json_integer(fact->judgement.ede) : json_null());
}

static const struct fact *other_side(const struct inquest *inquest, const struct fact *of, unsigned party)
{
    for (unsigned i = 0; i < inquest->fact_count; i++) {
        const struct fact *fact = inquest->facts[i];
        if (fact->party == party && fact->type == of->type && fact->unvalidated == of->unvalidated &&
            name_equal(name_view(&fact->name), name_view(&of->name)))
            return fact;
    }
    return NULL;
}

/* The group that is neither, to which a rule sends the name. */
static json_t *present_group(const struct setup *setup, const struct fact *fact)
{
    json_t *object = present_side(fact);
    json_object_set_new(object, "group", json_string(setup->groups[fact->party].name));
    return object;
}

/* What was asked of a zone's servers stands with the zones. */
static json_t *present_facts(const struct explanation *explanation)
{
    const struct inquest *inquest = explanation->inquest;
    json_t               *list    = json_array();
    char                  type[TYPE_TEXT_MAX];
    for (unsigned i = 0; i < inquest->fact_count; i++) {
        const struct fact *fact     = inquest->facts[i];
        const struct fact *domestic = other_side(inquest, fact, PARTY_DOMESTIC);
        if (fact->party >= PARTY_SERVER || fact->unvalidated || (fact->party == PARTY_EXTERNAL && domestic))
            continue;
        bool    both   = fact->party <= PARTY_EXTERNAL;
        json_t *object = json_pack("{s:o, s:s, s:o, s:o}", "name", present_name(name_view(&fact->name)), "type",
                                   type_format(fact->type, type), "domestic", present_side(both ? domestic : NULL),
                                   "external", present_side(both ? other_side(inquest, fact, PARTY_EXTERNAL) : NULL));
        if (!both)
            json_object_set_new(object, "other", present_group(inquest->env->setup, fact));
        json_array_append_new(list, object);
    }
    return list;
}

json_t *explained_present(const struct explanation *explanation, const struct daemon *daemon, msec_t took)
{
    const struct finding *cause = explanation->cause >= 0 ? &explanation->findings[explanation->cause] : NULL;
    return json_pack("{s:o, s:I, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "domain",
                     present_name(name_view(&explanation->request.domain)), "took_ms", (json_int_t) took, "bounded",
                     explanation->inquest->is_bounded, "verdict", explanation_verdict_word(explanation->verdict),
                     "cause", cause ? present_finding(cause) : json_null(), "cure", safe_text(explanation->cure),
                     "replies", present_replies(explanation), "findings", present_findings(explanation), "zones",
                     present_zones(explanation, daemon), "hosts", present_hosts(explanation), "facts",
                     present_facts(explanation));
}
