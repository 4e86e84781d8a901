/*
 * present_cluster.c: see present_cluster.h.
 */
#include "methods/present_cluster.h"

#include "base/units.h"
#include "dns/text.h"
#include "server/clock.h"
#include "server/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROBLEM_MAX  = 192,
    REDIS_TEXT   = 160,
    TELL_SECONDS = 1000,
    SAID_MAX     = 64, /* statements shown: of one name a node may have one for each type */
};

static json_t *text_or_null(const char *text) { return *text ? json_string(text) : json_null(); }

static json_t *time_or_null(int64_t wall_ms)
{
    char text[TIME_TEXT_MAX];
    return wall_ms > 0 ? json_string(time_format(wall_ms / 1000, text)) : json_null();
}

/* Why less is taken from it than it says. */
static void say_problem(const struct session_peer *peer, const struct replica_node_counts *counts,
                        char out[PROBLEM_MAX])
{
    int64_t ahead = counts->ahead ? (int64_t) counts->ahead_ms : peer->ahead;
    if (counts->ahead || llabs(peer->ahead) > REPLICA_AHEAD)
        snprintf(out, PROBLEM_MAX, "its clock is %lld s %s", (long long) llabs(ahead) / TELL_SECONDS,
                 ahead > 0 ? "ahead of this node's: what it says is not taken"
                           : "behind this node's: it does not take what this node says");
    else if (peer->skipped)
        snprintf(out, PROBLEM_MAX, "it has said more than %d a second: %llu were read later", SESSION_PEER_RATE,
                 (unsigned long long) peer->skipped);
    else if (counts->full)
        snprintf(out, PROBLEM_MAX, "it has said too much: half of learning.max_zones is taken of one node");
    else
        out[0] = '\0';
}

static json_t *present_peer(const struct daemon *daemon, unsigned index, const struct clocks *clocks)
{
    struct replica_node_counts counts;
    const struct session_peer *peer = cluster_peer(daemon, index, &counts);
    char                       problem[PROBLEM_MAX];
    int64_t                    seen = peer->seen ? clocks->wall_ms - (clocks->now - peer->seen) : peer->seen_wall_ms;
    say_problem(peer, &counts, problem);
    return json_pack("{s:s, s:o, s:b, s:o, s:I, s:o}", "node", peer->node, "vantage", text_or_null(peer->vantage),
                     "present", peer->present, "last_seen", time_or_null(seen), "zones", (json_int_t) counts.zones,
                     "problem", text_or_null(problem));
}

static json_t *present_peers(const struct daemon *daemon, unsigned count, const struct clocks *clocks)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(list, present_peer(daemon, i, clocks));
    return list;
}

static const char *redis_text(const struct settings_cluster *settings, char out[REDIS_TEXT])
{
    char text[ADDRESS_TEXT_MAX];
    if (settings->local)
        snprintf(out, REDIS_TEXT, "unix://%s", settings->path);
    else
        snprintf(out, REDIS_TEXT, "redis://%s", address_format(&settings->address, text));
    return out;
}

json_t *present_cluster(const struct daemon *daemon)
{
    const struct settings_cluster *settings = &daemon->settings->cluster;
    struct session_report          report;
    struct clocks                  clocks = clock_both();
    char                           redis[REDIS_TEXT];
    if (!cluster_read(daemon, &report))
        return json_null();
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:I, s:I, s:I, s:o}", "redis", redis_text(settings, redis),
                     "name", settings->name, "vantage", settings->vantage, "node", settings->node, "connected",
                     report.connected, "since", time_or_null(clocks.wall_ms - (clocks.now - report.since)), "problem",
                     text_or_null(report.problem), "sent", (json_int_t) report.sent, "received",
                     (json_int_t) report.received, "garbage", (json_int_t) report.garbage, "peers",
                     present_peers(daemon, report.peers, &clocks));
}

/* ---- of one zone ---- */

struct said_list {
    unsigned                count;
    const struct statement *said[SAID_MAX];
};

/* Operators' words first, of which there are few; then the newest. */
static bool goes_before(const struct statement *a, const struct statement *b)
{
    bool evidence = a->kind == STATEMENT_EVIDENCE;
    if (evidence != (b->kind == STATEMENT_EVIDENCE))
        return !evidence;
    return statement_compare(a->stamp, a->node, b->stamp, b->node) > 0;
}

static void put_in_order(void *context, const struct statement *said)
{
    struct said_list *list = context;
    unsigned          at   = list->count;
    while (at > 0 && goes_before(said, list->said[at - 1]))
        at--;
    if (at == SAID_MAX)
        return;
    if (list->count < SAID_MAX)
        list->count++;
    memmove(&list->said[at + 1], &list->said[at], (list->count - 1 - at) * sizeof(list->said[0]));
    list->said[at] = said;
}

static const char *said_word(const struct statement *said)
{
    if (said->kind == STATEMENT_EVIDENCE)
        return said->good ? "good" : "blocked";
    if (said->kind == STATEMENT_PIN)
        return said->pin == PIN_NONE ? "unpinned" : "pinned";
    return "forgotten";
}

static json_t *present_statement(const struct statement *said)
{
    static const char *const vias[]   = {[PIN_NONE] = "", [PIN_DOMESTIC] = "domestic", [PIN_EXTERNAL] = "external"};
    bool                     evidence = said->kind == STATEMENT_EVIDENCE;
    char                     type[TYPE_TEXT_MAX] = "";
    if (said->id.scope == SCOPE_TYPE)
        type_format(said->id.type, type);
    return json_pack("{s:o, s:o, s:s, s:o, s:s, s:o, s:o, s:o}", "at", time_or_null((int64_t) said->stamp.ms), "node",
                     json_stringn((const char *) said->node.data, said->node.len), "scope",
                     zone_scope_words[said->id.scope], "type", text_or_null(type), "said", said_word(said), "reason",
                     text_or_null(evidence && !said->good ? zone_reason_words[said->reason] : ""), "via",
                     text_or_null(vias[said->pin]), "everywhere",
                     evidence ? json_null() : json_boolean(said->vantage.len == 0));
}

json_t *present_said(const struct daemon *daemon, struct view zone)
{
    struct said_list list = {0};
    if (!cluster_each_of(daemon, zone, put_in_order, &list))
        return json_null();
    json_t *ret = json_array();
    for (unsigned i = 0; i < list.count; i++)
        json_array_append_new(ret, present_statement(list.said[i]));
    return ret;
}
