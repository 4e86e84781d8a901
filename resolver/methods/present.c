/*
 * present.c: see present.h.
 */
#include "methods/present.h"

#include "base/units.h"
#include "dns/text.h"
#include "learn/learner.h"
#include "methods/present_cluster.h"
#include "query/route.h"
#include "server/clock.h"
#include "server/cluster.h"
#include "server/sums.h"
#include "stream/pin.h"
#include "stream/remote.h"
#include "upstream/trust.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static json_t *text_or_null(const char *text) { return text && *text ? json_string(text) : json_null(); }

const char *present_way(const struct setup *setup, struct view name, char text[PRESENT_WAY_MAX])
{
    const struct rule *rule = policy_find(setup->policy, name);
    char               zone[NAME_TEXT_MAX];
    name_format(name_view(&rule->zone), zone);
    if (rule->via == VIA_LOCAL)
        snprintf(text, PRESENT_WAY_MAX, "byway answers for %s itself", zone);
    else if (rule->via == VIA_REFUSE)
        snprintf(text, PRESENT_WAY_MAX, "the configuration's zones refuse %s", zone);
    else if (rule->or_empty)
        snprintf(text, PRESENT_WAY_MAX,
                 "%s has private addresses: only %.64s is asked, and where that fails or is silent for 1 s the zone is "
                 "empty",
                 zone, setup->groups[rule->group].name);
    else if (rule->via == VIA_GROUP)
        snprintf(text, PRESENT_WAY_MAX, "%s %s only to %.64s",
                 rule->shipped ? "the presets send" : "the configuration's zones send", zone,
                 setup->groups[rule->group].name);
    return rule->via == VIA_AUTO ? NULL : text;
}

json_t *present_name(struct view name)
{
    char text[NAME_TEXT_MAX];
    return json_string(name_format(name, text));
}

/* MSEC_NEVER: null. */
static json_t *time_text(const struct clocks *clocks, msec_t when)
{
    char text[TIME_TEXT_MAX];
    return when == MSEC_NEVER ? json_null() : json_string(time_format(clocks_wall(clocks, when), text));
}

static json_t *address_text(const struct address *address)
{
    char text[ADDRESS_TEXT_MAX];
    return json_string(address_format(address, text));
}

static json_t *present_type(uint16_t type)
{
    char text[TYPE_TEXT_MAX];
    return json_string(type_format(type, text));
}

json_t *present_question(struct view name, uint16_t type)
{
    char name_text[NAME_TEXT_MAX], type_text[TYPE_TEXT_MAX];
    return json_sprintf("%s %s", name_format(name, name_text), type_format(type, type_text));
}

/* What a line of evidence asked; a random label is not shown: it stood for any. */
static json_t *present_asked(const struct zone *zone, const struct evidence_line *line)
{
    char        name_text[NAME_TEXT_MAX], type_text[TYPE_TEXT_MAX];
    struct view name = zone_asked(zone);
    if (line->about == ABOUT_CONTROL)
        return json_null();
    if (line->about == ABOUT_APEX && line->labels < name_labels(name))
        name = name_tail(name, line->labels);
    return json_sprintf("%s%s %s", line->about == ABOUT_APEX && line->below ? "<random>." : "",
                        name_format(name, name_text), type_format(line->type, type_text));
}

static bool is_blocked(const struct zone *zone) { return zone_diverts(zone); }

/* A pin says what the operator said, also where a fence has come over it since: an export hands it on. */
static const char *via_of(const struct daemon *daemon, const struct zone *zone)
{
    bool external = zone->pin != PIN_NONE
                        ? zone->pin == PIN_EXTERNAL
                        : route_leads_external(daemon->setup, daemon->shared.table, zone_name(zone), zone->type);
    return external ? "external" : "domestic";
}

static json_t *present_pinned_at(const struct daemon *daemon, const struct zone *zone)
{
    int64_t at = zone->pin != PIN_NONE ? cluster_pinned_at(daemon, zone_name(zone)) : 0;
    char    text[TIME_TEXT_MAX];
    return at ? json_string(time_format(at / 1000, text)) : json_null();
}

json_t *present_zone(const struct daemon *daemon, const struct zone *zone, const struct clocks *clocks)
{
    const struct condition *is     = &zone->condition;
    bool                    pinned = zone->pin != PIN_NONE, failed = is->state != ZONE_CLEAR;
    return json_pack(
        "{s:o, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "zone",
        present_name(zone_name(zone)), "scope", zone_scope_words[zone->scope], "type",
        zone->scope == SCOPE_TYPE ? present_type(zone->type) : json_null(), "state", zone_state_words[is->state], "via",
        via_of(daemon, zone), "source", zone_source_words[pinned ? SOURCE_PINNED : zone->source], "reason",
        text_or_null(zone_reason_words[is->reason]), "since", time_text(clocks, is->since), "last_failure",
        is->failures ? time_text(clocks, is->last_failure) : json_null(), "next_recheck",
        is_blocked(zone) ? time_text(clocks, is->next) : json_null(), "failures", (json_int_t) is->failures, "answered",
        (json_int_t) atomic_load(&zone->answered), "pinned_at", present_pinned_at(daemon, zone), "until",
        pinned ? time_text(clocks, zone->pin_until) : json_null(), "note", text_or_null(zone->note), "asked",
        failed ? present_name(zone_asked(zone)) : json_null(), "asked_type",
        failed ? present_type(zone->asked_type) : json_null());
}

static json_t *present_evidence(const struct zone *zone, const struct clocks *clocks)
{
    json_t  *list  = json_array();
    unsigned count = zone->dossier ? zone->dossier->evidence_count : 0;
    for (unsigned i = 0; i < count && i < DOSSIER_EVIDENCE; i++) {
        const struct evidence_line *line = &zone->dossier->evidence[(count - 1 - i) % DOSSIER_EVIDENCE];
        json_array_append_new(list, json_pack("{s:o, s:s, s:s, s:s, s:o, s:s}", "at", time_text(clocks, line->at),
                                              "from", line->who, "group", line->external ? "external" : "domestic",
                                              "about", evidence_about_words[line->about], "question",
                                              present_asked(zone, line), "outcome", outcome_word(line->outcome)));
    }
    return list;
}

static json_t *present_history(const struct zone *zone, const struct clocks *clocks)
{
    json_t  *list  = json_array();
    unsigned count = zone->dossier ? zone->dossier->history_count : 0;
    for (unsigned i = 0; i < count && i < DOSSIER_HISTORY; i++) {
        const struct change_line *line = &zone->dossier->history[(count - 1 - i) % DOSSIER_HISTORY];
        json_array_append_new(list, json_pack("{s:o, s:s, s:s, s:s}", "at", time_text(clocks, line->at), "from",
                                              zone_state_words[line->from], "to", zone_state_words[line->to], "why",
                                              zone_why_words[line->why]));
    }
    return list;
}

static json_t *present_nameservers(const struct nameserver_set *set)
{
    if (!set)
        return json_null();
    json_t *names = json_array(), *addresses = json_array();
    for (unsigned i = 0; i < set->name_count; i++)
        json_array_append_new(names, present_name(set->names[i]));
    for (unsigned i = 0; i < set->address_count; i++) {
        static const uint8_t mapped[12]             = {[10] = 0xff, [11] = 0xff};
        const uint8_t       *bytes                  = set->addresses[i]->address;
        bool                 v4                     = memcmp(bytes, mapped, sizeof(mapped)) == 0;
        char                 text[INET6_ADDRSTRLEN] = "";
        inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? bytes + sizeof(mapped) : bytes, text, sizeof(text));
        json_array_append_new(addresses,
                              json_pack("{s:s, s:b}", "address", text, "counts", nameserver_counts(set->addresses[i])));
    }
    return json_pack("{s:o, s:o, s:I}", "names", names, "addresses", addresses, "zones",
                     (json_int_t) set->member_count);
}

json_t *present_zone_whole(const struct daemon *daemon, const struct zone *zone, const struct clocks *clocks)
{
    json_t *object = present_zone(daemon, zone, clocks);
    json_object_set_new(object, "nameservers", present_nameservers(zone->set));
    json_object_set_new(object, "evidence", present_evidence(zone, clocks));
    json_object_set_new(object, "history", present_history(zone, clocks));
    return object;
}

json_t *present_probe(const struct study *study)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < study->count; i++) {
        const struct errand *errand = &study->errand[i];
        if (errand->exchange.state != EXCHANGE_DONE)
            continue;
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:s, s:I}", "group",
                                              errand->exchange.part & PART_EXTERNAL ? "external" : "domestic", "from",
                                              address_text(&errand->exchange.server->address), "question",
                                              present_question(name_view(&errand->inquiry.name), errand->inquiry.type),
                                              "outcome", outcome_word(errand->exchange.outcome), "ms",
                                              (json_int_t) (errand->ended - errand->exchange.started)));
    }
    return list;
}

/* ---- cache ---- */

static void append_line(void *context, const char *line) { json_array_append_new(context, json_string(line)); }

json_t *present_cache_line(const struct cache_line *line, const struct setup *setup)
{
    json_t          *records = json_array();
    struct message   message;
    struct judgement judgement = {.outcome = OUTCOME_SERVFAIL};
    bool             good      = !line->failure && message_parse(line->message, &message);
    if (good) {
        judge_reply(&message, &judgement);
        records_format(line->message, line->ttl_left, append_line, records);
    }
    char class[TYPE_TEXT_MAX];
    return json_pack("{s:o, s:o, s:s, s:b, s:b, s:o, s:s, s:o, s:I, s:I, s:o}", "name", present_name(line->key.name),
                     "type", present_type(line->key.type), "class", class_format(line->key.class, class), "dnssec_ok",
                     line->key.dnssec_ok, "checking_disabled", line->key.checking_disabled, "group",
                     good && line->origin < setup->group_count ? json_string(setup->groups[line->origin].name)
                                                               : json_null(),
                     "kind", outcome_word(judgement.outcome), "rcode",
                     good ? json_string(message.rcode == RCODE_NXDOMAIN ? "NXDOMAIN" : "NOERROR") : json_null(),
                     "ttl_s", (json_int_t) line->ttl_left, "bytes", (json_int_t) line->message.len, "records", records);
}

/* ---- upstreams, status, stats ---- */

static json_t *present_outcomes(const struct server *server, enum transport transport)
{
    json_t *object = json_object();
    for (int i = 0; i < OUTCOME_COUNT; i++)
        json_object_set_new(object, outcome_word((enum outcome) i),
                            json_integer((json_int_t) atomic_load(&server->outcomes[transport][i])));
    return object;
}

static json_t *present_ms(const struct rtt *rtt, msec_t value)
{
    return rtt_known(rtt) ? json_integer(value) : json_null();
}

static const char *health_word(enum health health)
{
    return health == HEALTH_UP ? "up" : health == HEALTH_SUSPECT ? "suspect" : "down";
}

static json_t *present_transport(const struct server *server, enum transport transport, msec_t now)
{
    const struct rtt *rtt   = &server->rtt[transport];
    bool              doubt = transport == TRANSPORT_TCP && !server->tcp_only;
    const char       *state = doubt ? health_word(server_tcp_doubtful(server, now) ? HEALTH_SUSPECT : HEALTH_UP)
                                    : health_word(server_health(server));
    return json_pack("{s:s, s:o, s:o, s:I, s:o}", "state", state, "srtt_ms", present_ms(rtt, rtt_smoothed(rtt)),
                     "rttvar_ms", present_ms(rtt, rtt_variance(rtt)), "sent",
                     (json_int_t) atomic_load(transport == TRANSPORT_TCP ? &server->tcp_sent : &server->sent),
                     "outcomes", present_outcomes(server, transport));
}

static json_t *present_when(const struct clocks *clocks, msec_t when)
{
    return when ? time_text(clocks, when) : json_null();
}

json_t *present_peer(const struct tls_peer *peer)
{
    char pin[PIN_TEXT_MAX], before[TIME_TEXT_MAX], after[TIME_TEXT_MAX];
    if (peer->subject[0] == '\0' && peer->issuer[0] == '\0')
        return json_null();
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "subject", peer->subject, "issuer", peer->issuer, "not_before",
                     time_format(peer->not_before, before), "not_after", time_format(peer->not_after, after), "pin",
                     peer->has_pin ? json_string(pin_format(peer->pin, pin)) : json_null());
}

/* How its connections fare. */
static void present_remote(json_t *object, const struct server *server, const struct clocks *clocks)
{
    struct remote_report report;
    const struct way    *way = remote_way(server->remote);
    char                 text[WAY_TEXT_MAX];
    remote_read(server->remote, &report);
    bool wrong = report.problem[0] != '\0';
    json_object_set_new(object, "upstream", json_string(way_format(way, text)));
    json_object_set_new(object, "problem", wrong ? json_string(report.problem) : json_null());
    json_object_set_new(object, "problem_since", wrong ? time_text(clocks, report.since) : json_null());
    if (way_is_encrypted(way)) {
        json_object_set_new(object, "tls", report.peer.version[0] ? json_string(report.peer.version) : json_null());
        json_object_set_new(object, "certificate", present_peer(&report.peer));
    }
}

static json_t *present_server(const struct group *group, const struct server *server, const struct clocks *clocks)
{
    const struct way *way = remote_way(server->remote);
    json_t *object = json_pack("{s:s, s:o, s:s}", "group", group->name, "address", address_text(&server->address),
                               "transport", way_form_word(way->form));
    json_t *most   = present_transport(server, server->tcp_only ? TRANSPORT_TCP : TRANSPORT_UDP, clocks->now);
    json_object_update(object, most);
    json_decref(most);
    json_object_set_new(object, "tcp", present_transport(server, TRANSPORT_TCP, clocks->now));
    json_object_set_new(object, "last_answer", present_when(clocks, atomic_load(&server->last_answer)));
    json_object_set_new(object, "last_failure", present_when(clocks, atomic_load(&server->last_failure)));
    json_object_set_new(object, "trusted", json_boolean(server->trusted));
    json_object_set_new(object, "loop", json_boolean(server->loops));
    json_object_set_new(object, "tainted", json_boolean(server_is_tainted(server, clocks->now)));
    json_object_set_new(object, "outdone", json_boolean(server_is_outdone(server)));
    present_remote(object, server, clocks);
    return object;
}

json_t *present_upstreams(struct daemon *daemon)
{
    json_t       *list   = json_array();
    struct clocks clocks = clock_both();
    for (unsigned i = 0; i < daemon->setup->group_count; i++)
        for (unsigned j = 0; j < daemon->setup->groups[i].count; j++)
            json_array_append_new(
                list, present_server(&daemon->setup->groups[i], daemon->setup->groups[i].servers[j], &clocks));
    return list;
}

static void set_number(json_t *object, const char *key, uint64_t number)
{
    json_object_set_new(object, key, json_integer((json_int_t) number));
}

json_t *present_stats(struct daemon *daemon)
{
    json_t                    *object = json_object();
    const struct prober_stats *prober = prober_read_stats(daemon->prober);
    struct counters            counters;
    uint64_t                   drops;
    sums_counters(daemon, &counters, &drops);
#define COUNTER(symbol, help) set_number(object, #symbol, atomic_load(&counters.symbol));
#include "core/counters.def"
#undef COUNTER
    set_number(object, "kernel_drops", drops);
    set_number(object, "strikes", prober->strikes);
    set_number(object, "confirmations", prober->confirmations);
    set_number(object, "confirmed", prober->confirmed);
    set_number(object, "broken_checks", prober->broken_checks);
    set_number(object, "rechecks", prober->rechecks);
    set_number(object, "believed", prober->believed);
    set_number(object, "surveys", prober->delegations);
    set_number(object, "cuts", prober->cuts);
    set_number(object, "controls", prober->controls);
    set_number(object, "control_failures", prober->control_failures);
    set_number(object, "health_probes", prober->health_probes);
    set_number(object, "studies_skipped", prober->skipped);
    set_number(object, "canary_tried", prober->canary_tried);
    set_number(object, "canary_answered", prober->canary_answered);
    return object;
}

static json_t *present_group_health(const struct setup *setup)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < setup->group_count; i++) {
        int up = 0;
        for (unsigned j = 0; j < setup->groups[i].count; j++)
            up += server_health(setup->groups[i].servers[j]) != HEALTH_DOWN;
        json_object_set_new(object, setup->groups[i].name,
                            json_pack("{s:i, s:i}", "up", up, "total", (int) setup->groups[i].count));
    }
    return object;
}

static json_t *present_store(const struct store *store)
{
    struct store_stats stats;
    store_read_stats(store, &stats);
    return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I}", "failing", stats.failing, "appended",
                     (json_int_t) stats.appended, "synced", (json_int_t) stats.synced, "snapshots",
                     (json_int_t) stats.snapshots, "failures", (json_int_t) stats.failures, "journal_bytes",
                     (json_int_t) stats.journal_bytes);
}

static json_t *present_canary(const struct daemon *daemon)
{
    const struct prober_stats *prober = prober_read_stats(daemon->prober);
    if (!daemon->setup->canary)
        return json_null();
    return json_pack("{s:o, s:b, s:I, s:I}", "address", address_text(&daemon->setup->canary->address), "blind",
                     forging_is_blind(daemon->shared.forging), "tried", (json_int_t) prober->canary_tried, "answered",
                     (json_int_t) prober->canary_answered);
}

static json_t *present_ad(const struct setup *setup)
{
    char why[TRUST_TEXT_MAX];
    bool reaches = trust_reaches(&setup->groups[SETUP_DOMESTIC], &setup->groups[SETUP_EXTERNAL], why);
    return json_pack("{s:b, s:o}", "reaches_clients", reaches, "why", text_or_null(why));
}

/* Where queries are taken: an address of the configuration that cannot be had for now is not there. */
static json_t *present_listen(const struct daemon *daemon)
{
    json_t *list = json_array();
    for (size_t i = 0; i < daemon->settings->listen_count; i++)
        if (!address_equal(&daemon->settings->listen[i], &daemon->missing))
            json_array_append_new(list, address_text(&daemon->settings->listen[i]));
    return list;
}

json_t *present_status(struct daemon *daemon)
{
    static const char *const learning[] = {
        [LEARNING_ON] = "on", [LEARNING_OBSERVE] = "observe", [LEARNING_OFF] = "off"};
    struct counters       counters;
    uint64_t              drops;
    struct learner_counts zones = learner_count(daemon->learner);
    struct cache_stats    cache;
    char                  read_at[TIME_TEXT_MAX];
    sums_counters(daemon, &counters, &drops);
    cache_read_stats(daemon->shared.cache, &cache);
    return json_pack("{s:s, s:I, s:i, s:I, s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:I, s:I, s:I}, s:o, s:{s:s, "
                     "s:s}, s:o, s:s, s:o, s:o, s:o, s:o}",
                     "version", BYWAY_VERSION, "uptime_s", (json_int_t) ((clock_now() - daemon->started) / 1000),
                     "workers", (int) daemon->worker_count, "queries", (json_int_t) counters.queries, "cache",
                     "entries", (json_int_t) cache.entries, "bytes", (json_int_t) cache.bytes, "memory",
                     (json_int_t) cache.memory, "hits", (json_int_t) counters.cache_hits, "misses",
                     (json_int_t) counters.cache_misses, "evictions", (json_int_t) cache.evictions, "zones", "suspect",
                     (json_int_t) zones.states[ZONE_SUSPECT], "blocked", (json_int_t) zones.states[ZONE_BLOCKED],
                     "broken", (json_int_t) zones.states[ZONE_BROKEN], "recovering",
                     (json_int_t) zones.states[ZONE_RECOVERING], "pinned", (json_int_t) zones.pins, "upstreams",
                     present_group_health(daemon->setup), "configuration", "file", daemon->config_path, "read_at",
                     time_format(daemon->read_at, read_at), "listen", present_listen(daemon), "learning",
                     learning[daemon->settings->learning], "store", present_store(daemon->store), "canary",
                     present_canary(daemon), "ad", present_ad(daemon->setup), "cluster", present_cluster(daemon));
}
