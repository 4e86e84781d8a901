/*
 * import.c: see import.h.
 */
#include "methods/import.h"

#include "base/log.h"
#include "base/units.h"
#include "dns/slip.h"
#include "dns/text.h"
#include "methods/present.h"
#include "policy/suffix.h"
#include "query/route.h"
#include "server/clock.h"
#include "server/cluster.h"
#include "server/keeper.h"

#include <stdio.h>
#include <string.h>

enum {
    REFUSALS_MAX  = 100,
    REFUSALS_TOLD = 3, /* in the log */
    FLUSHES_MAX   = 4, /* each looks at the whole cache: for more zones it is emptied once */
};

struct import {
    struct daemon *daemon;
    json_t        *refusals;
    json_int_t     imported, skipped, refused;
};

struct imported { /* one zone object, read */
    struct name      name;
    enum zone_scope  scope;
    uint16_t         type;
    enum zone_state  state;
    enum zone_reason reason;
    bool             external, pinned;
    msec_t           until;
    int64_t          failed_ms, pinned_ms; /* since 1970; 0: it does not say */
    const char      *note;
    struct name      asked; /* the question that failed there */
    uint16_t         asked_type;
    char             why[SLIP_WHY_MAX]; /* what is wrong with `name` */
};

enum fate {
    FATE_SKIPPED,
    FATE_REFUSED,
    FATE_IMPORTED
};

static void refuse(struct import *import, json_t *zone, const char *why)
{
    import->refused++;
    if (json_array_size(import->refusals) < REFUSALS_MAX)
        json_array_append_new(import->refusals,
                              json_pack("{s:O, s:s}", "zone", json_is_string(zone) ? zone : json_null(), "why", why));
}

/* What was being found out and what was cached of that zone came the way that now ends. */
static void void_old_way(struct import *import, struct view zone)
{
    import->imported++;
    prober_abandon(import->daemon->prober, zone, import->daemon->now);
    if (import->imported <= FLUSHES_MAX)
        cache_flush_under(import->daemon->shared.cache, zone);
}

/* The word of an object's key; `otherwise` where it is absent or null; NULL: not a string. */
static const char *word_of(json_t *object, const char *key, const char *otherwise)
{
    json_t *value = json_object_get(object, key);
    return !value || json_is_null(value) ? otherwise : json_string_value(value);
}

static int index_of(json_t *object, const char *key, const char *otherwise, const char *const *words, int count)
{
    const char *word = word_of(object, key, otherwise);
    return word ? word_find(words, count, word) : -1;
}

/* NULL, or what is wrong with it. */
static const char *read_asked(json_t *object, struct imported *ret)
{
    const char *asked = word_of(object, "asked", ""), *type = word_of(object, "asked_type", "");
    ret->asked      = ret->name;
    ret->asked_type = ret->scope == SCOPE_TYPE ? ret->type : TYPE_SOA;
    if (!asked || (*asked && !(name_parse(asked, &ret->asked) &&
                               name_is_at_or_below(name_view(&ret->asked), name_view(&ret->name)))))
        return "asked: not a name at or below the zone";
    if (!type || (*type && !type_parse(type, &ret->asked_type)))
        return "asked_type: not a record type";
    return NULL;
}

/* Absent: *ret is 0. What lies ahead is taken for now: the other node's clock may be a little ahead. */
static bool read_time(json_t *object, const char *key, const struct clocks *clocks, int64_t *ret)
{
    const char *text = word_of(object, key, "");
    wall_t      when = 0;
    if (!text || (*text && !time_parse(text, &when)))
        return false;
    *ret = when > clocks->wall_ms / 1000 ? clocks->wall_ms : when * 1000;
    return true;
}

/* NULL, or what is wrong with it. */
static const char *read_imported(json_t *object, struct imported *ret)
{
    const char *zone = word_of(object, "zone", NULL), *type = word_of(object, "type", ""),
               *via      = word_of(object, "via", "external");
    const char   *until  = word_of(object, "until", "");
    int           scope  = index_of(object, "scope", "zone", zone_scope_words, SCOPE_COUNT);
    int           state  = index_of(object, "state", NULL, zone_state_words, ZONE_STATE_COUNT);
    int           reason = index_of(object, "reason", "", zone_reason_words, REASON_COUNT);
    int           source = index_of(object, "source", "learned", zone_source_words, SOURCE_COUNT);
    wall_t        end;
    struct clocks clocks = clock_both();
    if (!zone || (!name_parse(zone, &ret->name) && !name_read(zone, &ret->name, ret->why)))
        return zone ? ret->why : "zone: missing, or not a string";
    if (scope == SCOPE_ZONE && !name_read(zone, &ret->name, ret->why)) /* a name may be what somebody asked for */
        return ret->why;
    if (scope < 0 || (scope == SCOPE_TYPE && (!type || !type_parse(type, &ret->type))))
        return "scope and type: expected zone, name, or type with a type";
    if (state < 0)
        return "state: expected clear, suspect, blocked, broken or recovering";
    if (reason < 0 || source < 0)
        return "reason or source: unknown";
    if (!via || (strcmp(via, "external") != 0 && strcmp(via, "domestic") != 0))
        return "via: expected domestic or external";
    if (!until || (*until && !time_parse(until, &end)))
        return "until: not a time";
    if (!read_time(object, "last_failure", &clocks, &ret->failed_ms) ||
        !read_time(object, "pinned_at", &clocks, &ret->pinned_ms))
        return "last_failure or pinned_at: not a time";
    ret->scope    = (enum zone_scope) scope;
    ret->type     = scope == SCOPE_TYPE ? ret->type : 0;
    ret->state    = (enum zone_state) state;
    ret->reason   = (enum zone_reason) reason;
    ret->pinned   = source == SOURCE_PINNED;
    ret->external = strcmp(via, "external") == 0;
    ret->until    = *until ? clocks_msec(&clocks, end) : MSEC_NEVER;
    ret->note     = word_of(object, "note", "");
    if (!ret->note || strlen(ret->note) > LIMIT_NOTE)
        return "note: not a string of at most 256 bytes";
    return read_asked(object, ret);
}

static enum fate import_pin(struct daemon *daemon, const struct imported *read, const char **ret_why)
{
    struct zone *there  = table_get(daemon->shared.table, name_view(&read->name), SCOPE_ZONE, 0);
    bool         stands = there && there->pin != PIN_NONE;
    /* of two of one time the greater name of a node decides, which is no reason to say it anew */
    if ((stands && read->pinned_ms <= cluster_pinned_at(daemon, name_view(&read->name))) || read->until <= daemon->now)
        return FATE_SKIPPED;
    if (!route_allows(daemon->setup, name_view(&read->name), 0, read->external ? SETUP_EXTERNAL : SETUP_DOMESTIC)) {
        *ret_why = "a fence forbids it";
        return FATE_REFUSED;
    }
    enum pin pin = read->external ? PIN_EXTERNAL : PIN_DOMESTIC;
    if (!read->pinned_ms)
        cluster_tell_pin(daemon, name_view(&read->name), pin, read->until, read->note, false);
    else if (!cluster_tell_past_pin(daemon, name_view(&read->name), pin, read->until, read->note, read->pinned_ms))
        return FATE_SKIPPED;
    if (!learner_pin(daemon->learner, name_view(&read->name), pin, read->until, read->note, daemon->now)) {
        *ret_why = "out of memory";
        return FATE_REFUSED;
    }
    return FATE_IMPORTED;
}

/* NULL, or why it may not be. */
static const char *forbidden(struct daemon *daemon, struct view name)
{
    struct learner_counts counts = learner_count(daemon->learner);
    if (policy_find(daemon->setup->policy, name)->via != VIA_AUTO)
        return "a fence forbids external";
    if (!suffix_learnable(daemon->shared.suffix, name))
        return "a public suffix, or above one";
    if (counts.states[ZONE_BLOCKED] + counts.states[ZONE_RECOVERING] >= daemon->settings->max_zones)
        return "learning.max_zones is reached";
    return NULL;
}

static enum fate import_blocked(struct daemon *daemon, const struct imported *read, const char **ret_why)
{
    struct view  name  = name_view(&read->name);
    struct zone *there = table_get(daemon->shared.table, name, read->scope, read->type);
    if (there && there->condition.state != ZONE_CLEAR)
        return FATE_SKIPPED;
    *ret_why = forbidden(daemon, name);
    if (*ret_why)
        return FATE_REFUSED;
    struct clocks        clocks = clock_both();
    int64_t              failed = read->failed_ms ? read->failed_ms : clocks.wall_ms;
    const struct hearsay heard  = {.id         = {.name = name, .scope = read->scope, .type = read->type},
                                   .reason     = read->reason,
                                   .interval   = daemon->settings->recheck_first,
                                   .asked      = name_view(&read->asked),
                                   .asked_type = read->asked_type};
    if (!cluster_tell_failure(daemon, &heard, failed))
        return FATE_SKIPPED;
    msec_t spread =
        rng_below(prober_rng(daemon->prober), (uint32_t) msec_min(daemon->settings->recheck_first, INT32_MAX) + 1);
    const struct learned learned = {.id         = {.name = name, .scope = read->scope, .type = read->type},
                                    .condition  = {.state        = ZONE_BLOCKED,
                                                   .reason       = read->reason,
                                                   .failures     = 1,
                                                   .since        = daemon->now,
                                                   .last_failure = daemon->now - (clocks.wall_ms - failed),
                                                   .interval     = daemon->settings->recheck_first,
                                                   .next         = daemon->now + spread},
                                    .source     = SOURCE_IMPORTED,
                                    .asked      = name_view(&read->asked),
                                    .asked_type = read->asked_type,
                                    .last_used  = daemon->now};
    if (learner_restore(daemon->learner, &learned, daemon->now))
        return FATE_IMPORTED;
    *ret_why = "out of memory";
    return FATE_REFUSED;
}

static void import_one(struct import *import, json_t *object)
{
    struct imported read  = {0};
    json_t         *label = json_object_get(object, "zone");
    const char     *wrong = json_is_object(object) ? read_imported(object, &read) : "not a zone object";
    enum fate       zone = FATE_SKIPPED, pin = FATE_SKIPPED;
    /* first what was learned: a new entry keeps the question that it is made with */
    bool valid = !wrong;
    if (valid && zone_state_diverts(read.state))
        zone = import_blocked(import->daemon, &read, &wrong);
    if (valid && read.pinned)
        pin = import_pin(import->daemon, &read, &wrong);
    if (zone == FATE_IMPORTED || pin == FATE_IMPORTED)
        void_old_way(import, name_view(&read.name));
    else if (wrong)
        refuse(import, label, wrong);
    else
        import->skipped++;
}

/* The first few of what was refused; the reply has more. */
static void tell_refusals(const struct import *import)
{
    char    text[640] = "";
    size_t  len       = 0, index;
    json_t *refusal;
    json_array_foreach(import->refusals, index, refusal)
    {
        const char *zone = json_string_value(json_object_get(refusal, "zone"));
        if (index == REFUSALS_TOLD || len >= sizeof(text))
            break;
        len += (size_t) snprintf(text + len, sizeof(text) - len, "%s%.64s (%.120s)", index > 0 ? ", " : "",
                                 zone ? zone : "no name", json_string_value(json_object_get(refusal, "why")));
    }
    log_warning("import: zones refused: %lld, the first: %s", (long long) import->refused, text);
}

static void tell(const struct import *import)
{
    if (import->imported > 0)
        log_info("import: zones taken: %lld, skipped: %lld, refused: %lld", (long long) import->imported,
                 (long long) import->skipped, (long long) import->refused);
    if (import->refused > 0)
        tell_refusals(import);
}

json_t *import_zones(struct daemon *daemon, json_t *zones)
{
    struct import import = {.daemon = daemon, .refusals = json_array()};
    json_t       *zone;
    size_t        index;
    daemon->importing = true;
    json_array_foreach(zones, index, zone) import_one(&import, zone);
    daemon->importing = false;
    tell(&import);
    if (import.imported > FLUSHES_MAX)
        cache_flush_all(daemon->shared.cache);
    return json_pack("{s:I, s:I, s:I, s:o}", "imported", import.imported, "skipped", import.skipped, "refused",
                     import.refused, "refusals", import.refusals);
}
