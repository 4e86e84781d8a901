/*
 * methods.c: see methods.h. Each method reads its parameters, does its work through the learner, the cache or the
 * daemon, and replies once.
 */
#include "methods/methods.h"

#include "base/units.h"
#include "dns/slip.h"
#include "dns/text.h"
#include "methods/explain.h"
#include "methods/import.h"
#include "methods/listing.h"
#include "methods/lookup.h"
#include "methods/params.h"
#include "methods/present.h"
#include "methods/present_cluster.h"
#include "methods/try.h"
#include "policy/suffix.h"
#include "query/route.h"
#include "server/clock.h"
#include "server/cluster.h"
#include "server/durable.h"
#include "server/events.h"
#include "server/keeper.h"
#include "server/reload.h"
#include "server/traces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is not there ---- */

/* Nothing is there under the name in `key`, says what stands before and behind the name; but where that can match
 * nothing, it says so. */
static void fail_not_found(struct control_call *call, json_t *params, const char *key, const char *before,
                           const char *behind)
{
    struct name name;
    char        why[SLIP_WHY_MAX], text[NAME_TEXT_MAX];
    if (name_read(json_string_value(json_object_get(params, key)), &name, why))
        control_fail(call, CONTROL_NOT_FOUND, "%s%s%s", before, name_format(name_view(&name), text), behind);
    else
        control_fail(call, CONTROL_BAD_PARAMS, "%s: %s", key, why);
}

/* Where nothing is ever learned, it says which way the name goes. */
static void fail_unknown(const struct daemon *daemon, struct control_call *call, json_t *params, struct view name)
{
    char way[PRESENT_WAY_MAX], behind[PRESENT_WAY_MAX + 2] = "";
    if (present_way(daemon->setup, name, way))
        snprintf(behind, sizeof(behind), "; %s", way);
    fail_not_found(call, params, "zone", "nothing is known of ", behind);
}

/* ---- zones ---- */

static void zones_list(void *context, struct control_call *call, json_t *params)
{
    struct listing_filter filter = {.state = -1};
    const char           *state;
    if (!ONLY_KEYS(call, params, "state", "under") || !params_text(call, params, "state", false, &state) ||
        !params_zone(call, params, "under", false, &filter.under))
        return;
    if (state && (filter.state = word_find(zone_state_words, ZONE_STATE_COUNT, state)) < 0) {
        control_fail(call, CONTROL_BAD_PARAMS,
                     "state: expected clear, suspect, blocked, broken or recovering, not \"%.64s\"", state);
        return;
    }
    listing_reply(context, call, json_array(), &filter);
}

/* The entries of one name, the widest scope first: at most one for the zone, one for the name and one for each type. */
struct entries {
    struct zone **zones;
    size_t        count, cap;
    bool          failed;
};

static void gather(void *context, struct zone *zone)
{
    struct entries *entries = context;
    if (entries->count == entries->cap) {
        size_t        cap   = entries->cap ? 2 * entries->cap : 4;
        struct zone **zones = realloc(entries->zones, cap * sizeof(struct zone *));
        if (!zones) {
            entries->failed = true;
            return;
        }
        entries->zones = zones;
        entries->cap   = cap;
    }
    entries->zones[entries->count++] = zone;
}

static int compare_scopes(const void *left, const void *right)
{
    const struct zone *a = *(struct zone *const *) left, *b = *(struct zone *const *) right;
    return a->scope != b->scope ? (int) a->scope - (int) b->scope : (int) a->type - (int) b->type;
}

static void find_entries(struct daemon *daemon, struct view name, struct entries *entries)
{
    table_each_of(daemon->shared.table, name, gather, entries);
    if (entries->count > 1)
        qsort(entries->zones, entries->count, sizeof(struct zone *), compare_scopes);
}

static json_t *present_others(const struct daemon *daemon, const struct entries *entries, const struct clocks *clocks)
{
    json_t *list = entries->failed ? NULL : json_array();
    for (size_t i = 1; list && i < entries->count; i++)
        json_array_append_new(list, present_zone(daemon, entries->zones[i], clocks));
    return list;
}

static void zones_show(void *context, struct control_call *call, json_t *params)
{
    struct name    name;
    struct entries entries = {0};
    if (!ONLY_KEYS(call, params, "zone") || !params_name(call, params, "zone", true, &name))
        return;
    find_entries(context, name_view(&name), &entries);
    if (entries.count == 0 && entries.failed) {
        control_reply(call, NULL);
        return;
    }
    if (entries.count == 0) {
        fail_unknown(context, call, params, name_view(&name));
        return;
    }
    struct clocks clocks = clock_both();
    json_t       *object = present_zone_whole(context, entries.zones[0], &clocks);
    json_object_set_new(object, "others", present_others(context, &entries, &clocks));
    json_object_set_new(object, "nodes", present_said(context, name_view(&name)));
    durable_reply(context, call, object);
    free(entries.zones);
}

static void zones_pin(void *context, struct control_call *call, json_t *params)
{
    struct daemon *daemon = context;
    struct name    name;
    const char    *via, *length, *note;
    msec_t         lasts = 0;
    char           text[NAME_TEXT_MAX], way[PRESENT_WAY_MAX];
    bool           everywhere;
    if (!ONLY_KEYS(call, params, "zone", "via", "for", "note", "everywhere") ||
        !params_flag(call, params, "everywhere", &everywhere) || !params_zone(call, params, "zone", true, &name) ||
        !params_text(call, params, "via", true, &via) || !params_text(call, params, "for", false, &length) ||
        !params_text(call, params, "note", false, &note))
        return;
    bool external = strcmp(via, "external") == 0;
    if (!external && strcmp(via, "domestic") != 0) {
        control_fail(call, CONTROL_BAD_PARAMS, "via: expected domestic or external, not \"%.64s\"", via);
        return;
    }
    if (length && (!duration_parse(length, &lasts) || lasts <= 0 || lasts > (msec_t) 3650 * 86400 * 1000)) {
        control_fail(call, CONTROL_BAD_PARAMS, "for: expected a duration up to 3650d such as \"2h\", not \"%.64s\"",
                     length);
        return;
    }
    if (note && strlen(note) > LIMIT_NOTE) {
        control_fail(call, CONTROL_BAD_PARAMS, "note: longer than %d bytes", LIMIT_NOTE);
        return;
    }
    if (!route_allows(daemon->setup, name_view(&name), 0, external ? SETUP_EXTERNAL : SETUP_DOMESTIC)) {
        control_fail(call, CONTROL_FAILED, "%s cannot be pinned to %s: %s", name_format(name_view(&name), text), via,
                     present_way(daemon->setup, name_view(&name), way));
        return;
    }
    prober_abandon(daemon->prober, name_view(&name), daemon->now);
    enum pin pin   = external ? PIN_EXTERNAL : PIN_DOMESTIC;
    msec_t   until = length ? daemon->now + lasts : MSEC_NEVER;
    /* first, so that a kill in between leaves the word, from which the rest follows at the next start */
    cluster_tell_pin(daemon, name_view(&name), pin, until, note, everywhere);
    struct zone *zone = learner_pin(daemon->learner, name_view(&name), pin, until, note, daemon->now);
    if (!zone) {
        control_fail(call, CONTROL_INTERNAL, "out of memory");
        return;
    }
    cache_flush_under(daemon->shared.cache, name_view(&name));
    struct clocks clocks = clock_both();
    durable_reply(daemon, call, present_zone(daemon, zone, &clocks));
}

static void zones_unpin(void *context, struct control_call *call, json_t *params)
{
    struct daemon *daemon = context;
    struct name    name;
    bool           everywhere;
    if (!ONLY_KEYS(call, params, "zone", "everywhere") || !params_flag(call, params, "everywhere", &everywhere) ||
        !params_name(call, params, "zone", true, &name))
        return;
    const struct zone *pinned = table_get(daemon->shared.table, name_view(&name), SCOPE_ZONE, 0);
    if (!(pinned && pinned->pin != PIN_NONE) && !everywhere && cluster_pinned_at(daemon, name_view(&name)) == 0) {
        fail_not_found(call, params, "zone", "", " is not pinned");
        return;
    }
    cluster_tell_pin(daemon, name_view(&name), PIN_NONE, MSEC_NEVER, NULL, everywhere);
    learner_unpin(daemon->learner, name_view(&name), daemon->now);
    prober_abandon(daemon->prober, name_view(&name), daemon->now);
    cache_flush_under(daemon->shared.cache, name_view(&name));
    struct clocks clocks = clock_both();
    struct zone  *zone   = table_get(daemon->shared.table, name_view(&name), SCOPE_ZONE, 0);
    durable_reply(daemon, call,
                  json_pack("{s:o, s:o}", "zone", present_name(name_view(&name)), "kept",
                            zone ? present_zone(daemon, zone, &clocks) : json_null()));
}

static void zones_forget(void *context, struct control_call *call, json_t *params)
{
    struct daemon *daemon = context;
    struct name    name;
    bool           everywhere;
    if (!ONLY_KEYS(call, params, "zone", "everywhere") || !params_flag(call, params, "everywhere", &everywhere) ||
        !params_name(call, params, "zone", true, &name))
        return;
    size_t forgotten = learner_forget(daemon->learner, name_view(&name), MSEC_NEVER, daemon->now);
    if (forgotten == 0 && !everywhere && !cluster_knows(daemon, name_view(&name))) {
        fail_not_found(call, params, "zone", "nothing is known of ", "");
        return;
    }
    cluster_tell_forget(daemon, name_view(&name), everywhere);
    prober_abandon(daemon->prober, name_view(&name), daemon->now);
    size_t flushed = cache_flush_under(daemon->shared.cache, name_view(&name));
    durable_reply(daemon, call,
                  json_pack("{s:o, s:I, s:I}", "zone", present_name(name_view(&name)), "forgotten",
                            (json_int_t) forgotten, "flushed", (json_int_t) flushed));
}

static void count_one(void *context, struct zone *zone)
{
    (void) zone;
    ++*(size_t *) context;
}

static void on_probed(void *context, void *cookie, const struct study *study)
{
    struct daemon *daemon = context;
    struct clocks  clocks = clock_both();
    struct zone   *zone   = table_get(daemon->shared.table, name_view(&study->zone), study->scope, study->type);
    control_reply(cookie, json_pack("{s:o, s:o}", "zone", zone ? present_zone(daemon, zone, &clocks) : json_null(),
                                    "probes", present_probe(study)));
}

static void zones_probe(void *context, struct control_call *call, json_t *params)
{
    struct daemon *daemon = context;
    struct name    name;
    size_t         count = 0;
    char           way[PRESENT_WAY_MAX];
    if (!ONLY_KEYS(call, params, "zone") || !params_name(call, params, "zone", true, &name))
        return;
    table_each_of(daemon->shared.table, name_view(&name), count_one, &count);
    if (count == 0) {
        fail_unknown(daemon, call, params, name_view(&name));
        return;
    }
    if (!route_allows(daemon->setup, name_view(&name), 0, SETUP_DOMESTIC) ||
        !route_allows(daemon->setup, name_view(&name), 0, SETUP_EXTERNAL)) {
        control_fail(call, CONTROL_FAILED, "there are no two sides to ask: %s",
                     present_way(daemon->setup, name_view(&name), way));
        return;
    }
    if (!prober_probe(daemon->prober, name_view(&name), on_probed, call, daemon->now))
        control_fail(call, CONTROL_FAILED, "too many zones are being studied already: try again");
}

static void zones_export(void *context, struct control_call *call, json_t *params)
{
    const struct listing_filter all = {.state = -1};
    if (ONLY_KEYS(call, params, ))
        listing_reply(context, call, json_pack("{s:i, s:[]}", "version", 1, "zones"), &all);
}

static void zones_import(void *context, struct control_call *call, json_t *params)
{
    json_t *zones = json_object_get(params, "zones");
    if (!ONLY_KEYS(call, params, "zones", "version"))
        return;
    if (!json_is_array(zones)) {
        control_fail(call, CONTROL_BAD_PARAMS, zones ? "zones: expected an array" : "zones: missing");
        return;
    }
    durable_reply(context, call, import_zones(context, zones));
}

/* ---- cache ---- */

struct shown {
    json_t       *list;
    size_t        count;
    struct setup *setup;
    int           type; /* -1: any */
};

static void show_line(void *context, const struct cache_line *line)
{
    struct shown *shown = context;
    if (shown->type >= 0 && line->key.type != shown->type)
        return;
    json_array_append_new(shown->list, present_cache_line(line, shown->setup));
    shown->count++;
}

static void cache_show(void *context, struct control_call *call, json_t *params)
{
    struct daemon *daemon = context;
    struct name    name;
    const char    *type_text;
    uint16_t       type;
    struct shown   shown = {.setup = daemon->setup, .type = -1};
    if (!ONLY_KEYS(call, params, "name", "type") || !params_name(call, params, "name", true, &name) ||
        !params_text(call, params, "type", false, &type_text))
        return;
    if (type_text && !type_parse(type_text, &type)) {
        control_fail(call, CONTROL_BAD_PARAMS, "type: not a record type: \"%.64s\"", type_text);
        return;
    }
    if (type_text)
        shown.type = type;
    shown.list = json_array();
    cache_each(daemon->shared.cache, name_view(&name), daemon->now, show_line, &shown);
    if (shown.count > 0) {
        control_reply(call, shown.list);
        return;
    }
    fail_not_found(call, params, "name", "the cache has nothing for ", "");
    json_decref(shown.list);
}

static void cache_flush(void *context, struct control_call *call, json_t *params)
{
    struct daemon *daemon = context;
    struct name    name, under;
    json_t        *all = json_object_get(params, "all");
    if (!ONLY_KEYS(call, params, "name", "under", "all") || !params_name(call, params, "name", false, &name) ||
        !params_zone(call, params, "under", false, &under))
        return;
    if ((name.len > 0) + (under.len > 0) + (all != NULL) != 1 || (all && !json_is_true(all))) {
        control_fail(call, CONTROL_BAD_PARAMS, "expected exactly one of name, under, and all: true");
        return;
    }
    size_t flushed = name.len    ? cache_flush_name(daemon->shared.cache, name_view(&name))
                     : under.len ? cache_flush_under(daemon->shared.cache, name_view(&under))
                                 : cache_flush_all(daemon->shared.cache);
    if (name.len && flushed == 0)
        fail_not_found(call, params, "name", "the cache has nothing for ", "");
    else
        control_reply(call, json_pack("{s:I}", "flushed", (json_int_t) flushed));
}

/* ---- the rest ---- */

static void events(void *context, struct control_call *call, json_t *params)
{
    if (ONLY_KEYS(call, params, ))
        events_watch(context, call);
}

static void trace(void *context, struct control_call *call, json_t *params)
{
    struct traces_filter filter = {0};
    const char          *client, *type;
    if (!ONLY_KEYS(call, params, "client", "under", "type", "failed") ||
        !params_text(call, params, "client", false, &client) || !params_text(call, params, "type", false, &type) ||
        !params_flag(call, params, "failed", &filter.failed) ||
        !params_zone(call, params, "under", false, &filter.under))
        return;
    filter.has_client = client != NULL;
    if (client && !cidr_parse(client, &filter.client))
        control_fail(call, CONTROL_BAD_PARAMS, "client: expected an address or a block, not \"%.64s\"", client);
    else if (type && !type_parse(type, &filter.type))
        control_fail(call, CONTROL_BAD_PARAMS, "type: not a type: \"%.64s\"", type);
    else
        traces_watch(context, call, &filter);
}

static void query(void *context, struct control_call *call, json_t *params)
{
    struct name name;
    const char *type;
    uint16_t    number = TYPE_A;
    if (!ONLY_KEYS(call, params, "name", "type") || !params_name(call, params, "name", true, &name) ||
        !params_text(call, params, "type", false, &type))
        return;
    if (type && !type_parse(type, &number))
        control_fail(call, CONTROL_BAD_PARAMS, "type: not a type: \"%.64s\"", type);
    else
        lookup_reply(context, call, &name, number);
}

static void explain(void *context, struct control_call *call, json_t *params) { explain_reply(context, call, params); }

static void status(void *context, struct control_call *call, json_t *params)
{
    if (ONLY_KEYS(call, params, ))
        control_reply(call, present_status(context));
}

static void upstreams_list(void *context, struct control_call *call, json_t *params)
{
    if (ONLY_KEYS(call, params, ))
        control_reply(call, present_upstreams(context));
}

static void upstreams_try(void *context, struct control_call *call, json_t *params)
{
    const json_t *upstream = json_object_get(params, "upstream");
    struct name   censored;
    if (!ONLY_KEYS(call, params, "upstream", "censored") || !params_zone(call, params, "censored", false, &censored))
        return;
    if (upstream)
        try_upstream(context, call, upstream, censored.len > 0 ? &censored : NULL);
    else
        control_fail(call, CONTROL_BAD_PARAMS, "upstream: missing");
}

static void stats(void *context, struct control_call *call, json_t *params)
{
    if (ONLY_KEYS(call, params, ))
        control_reply(call, present_stats(context));
}

static void reload(void *context, struct control_call *call, json_t *params)
{
    struct daemon *daemon = context;
    char           error[ERROR_TEXT_MAX], read_at[TIME_TEXT_MAX];
    if (!ONLY_KEYS(call, params, ))
        return;
    json_t *warnings = json_array();
    if (!reload_configuration(daemon, warnings, error)) {
        json_decref(warnings);
        control_fail(call, CONTROL_FAILED, "%s; the old configuration stays", error);
        return;
    }
    control_reply(call, json_pack("{s:s, s:s, s:o}", "file", daemon->config_path, "read_at",
                                  time_format(daemon->read_at, read_at), "warnings", warnings));
}

/* Every method first takes the time: requests come between the loop's other events. */
#define METHOD(function)                                                                                               \
    static void run_##function(void *context, struct control_call *call, json_t *params)                               \
    {                                                                                                                  \
        keeper_begin(context);                                                                                         \
        function(context, call, params);                                                                               \
    }
METHOD(status)
METHOD(zones_list)
METHOD(zones_show)
METHOD(zones_pin)
METHOD(zones_unpin)
METHOD(events)
METHOD(trace)
METHOD(query)
METHOD(explain)
METHOD(zones_forget)
METHOD(zones_probe)
METHOD(zones_export)
METHOD(zones_import)
METHOD(cache_show)
METHOD(cache_flush)
METHOD(upstreams_list)
METHOD(upstreams_try)
METHOD(stats)
METHOD(reload)

const struct control_method methods[] = {
    {"status", false, run_status},
    {"events", false, run_events},
    {"trace", false, run_trace},
    {"query", false, run_query},
    {"explain", false, run_explain},
    {"zones.list", false, run_zones_list},
    {"zones.show", false, run_zones_show},
    {"zones.pin", true, run_zones_pin},
    {"zones.unpin", true, run_zones_unpin},
    {"zones.forget", true, run_zones_forget},
    {"zones.probe", true, run_zones_probe},
    {"zones.export", false, run_zones_export},
    {"zones.import", true, run_zones_import},
    {"cache.show", false, run_cache_show},
    {"cache.flush", true, run_cache_flush},
    {"upstreams.list", false, run_upstreams_list},
    {"upstreams.try", true, run_upstreams_try},
    {"stats", false, run_stats},
    {"reload", true, run_reload},
    {NULL, false, NULL},
};
