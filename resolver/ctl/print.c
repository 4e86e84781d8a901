/*
 * print.c: see print.h.
 */
#include "ctl/explained.h"
#include "ctl/print_internal.h"

#include <stdlib.h>
#include <string.h>

void print_json(FILE *to, json_t *result, wall_t now)
{
    (void) now;
    safe_print_json(to, result, JSON_INDENT(2));
}

static void print_groups(FILE *to, json_t *groups)
{
    const char *name, *comma = "";
    json_t     *group;
    fputs("upstreams      ", to);
    json_object_foreach(groups, name, group)
    {
        char *safe = safe_text(name);
        fprintf(to, "%s%s %lld of %lld up", comma, safe, (long long) number_of(group, "up"),
                (long long) number_of(group, "total"));
        comma = ", ";
        free(safe);
    }
    fputc('\n', to);
}

static void print_canary(FILE *to, json_t *canary)
{
    if (!json_is_object(canary))
        return;
    say(to, "canary         %s, names tried: %lld, answered: %lld%s", text_of(canary, "address"),
        (long long) number_of(canary, "tried"), (long long) number_of(canary, "answered"),
        json_is_true(json_object_get(canary, "blind")) ? "; it answers everything, so nothing is tried" : "");
}

static void print_ad(FILE *to, json_t *ad)
{
    const char *why = json_string_value(json_object_get(ad, "why"));
    if (!json_is_object(ad))
        return;
    if (json_is_true(json_object_get(ad, "reaches_clients")))
        say(to, "AD             reaches clients%s%s", why ? "; but " : "", why ? why : "");
    else
        say(to, "AD             does not reach clients: %s", why ? why : "-");
}

static void print_peer(FILE *to, json_t *peer, wall_t now)
{
    char        text[SPAN_TEXT_MAX];
    const char *problem = json_string_value(json_object_get(peer, "problem"));
    const char *seen    = when_format(json_object_get(peer, "last_seen"), now, text);
    say(to, "  node         %s, vantage %s, %s, %s%s, zones from it: %lld%s%s", text_of(peer, "node"),
        text_of(peer, "vantage"), json_is_true(json_object_get(peer, "present")) ? "there" : "gone",
        *seen ? "seen " : "never seen", seen, (long long) number_of(peer, "zones"), problem ? "; " : "",
        problem ? problem : "");
}

static void print_cluster(FILE *to, json_t *cluster, wall_t now)
{
    char        text[SPAN_TEXT_MAX];
    const char *problem = json_string_value(json_object_get(cluster, "problem"));
    size_t      i;
    json_t     *peer;
    if (!json_is_object(cluster))
        return;
    say(to, "cluster        %s as %s, vantage %s, by %s since %s%s%s",
        json_is_true(json_object_get(cluster, "connected")) ? "connected" : "alone", text_of(cluster, "node"),
        text_of(cluster, "vantage"), text_of(cluster, "redis"),
        when_format(json_object_get(cluster, "since"), now, text), problem ? ": " : "", problem ? problem : "");
    if (number_of(cluster, "garbage") > 0)
        say(to, "  garbage      values under the cluster's keys that are no statements: %lld",
            (long long) number_of(cluster, "garbage"));
    json_array_foreach(json_object_get(cluster, "peers"), i, peer) print_peer(to, peer, now);
}

void print_status(FILE *to, json_t *result, wall_t now)
{
    json_t    *cache = json_object_get(result, "cache"), *zones = json_object_get(result, "zones");
    json_t    *configuration = json_object_get(result, "configuration"), *store = json_object_get(result, "store");
    json_int_t hits = number_of(cache, "hits"), asked = hits + number_of(cache, "misses");
    char       text[SPAN_TEXT_MAX], more[SPAN_TEXT_MAX];

    say(to, "bywayd %s, up %s, workers: %lld, queries: %lld", text_of(result, "version"),
        span_format(number_of(result, "uptime_s"), text), (long long) number_of(result, "workers"),
        (long long) number_of(result, "queries"));
    say(to, "configuration  %s, read %s", text_of(configuration, "file"),
        when_format(json_object_get(configuration, "read_at"), now, text));
    say(to, "learning       %s", text_of(result, "learning"));
    say(to, "zones          blocked: %lld, suspect: %lld, broken: %lld, recovering: %lld, pinned: %lld",
        (long long) number_of(zones, "blocked"), (long long) number_of(zones, "suspect"),
        (long long) number_of(zones, "broken"), (long long) number_of(zones, "recovering"),
        (long long) number_of(zones, "pinned"));
    print_groups(to, json_object_get(result, "upstreams"));
    print_canary(to, json_object_get(result, "canary"));
    print_ad(to, json_object_get(result, "ad"));
    print_cluster(to, json_object_get(result, "cluster"), now);
    say(to, "cache          entries: %lld, %s of %s, hits: %.0f%%", (long long) number_of(cache, "entries"),
        size_format(number_of(cache, "bytes"), text), size_format(number_of(cache, "memory"), more),
        asked > 0 ? 100.0 * (double) hits / (double) asked : 0.0);
    if (json_is_true(json_object_get(store, "failing")))
        say(to, "state          cannot be written: what is learned now would not survive a restart (failures: %lld)",
            (long long) number_of(store, "failures"));
    else
        say(to, "state          written");
}

static void print_causes(FILE *to, json_t *list)
{
    size_t      i;
    const char *before = "\n";
    json_t     *entry;
    json_array_foreach(list, i, entry)
    {
        json_t *explained = json_object_get(entry, "explain");
        if (!json_is_object(explained))
            continue;
        fputs(before, to);
        before = "";
        explained_sentence(to, explained);
        explained_cure(to, explained, "  ");
    }
}

/* Nothing where no daemon said it. */
static void print_cured(FILE *to, json_t *list)
{
    json_int_t all = 0, cured = 0;
    bool       known = false;
    size_t     i;
    json_t    *entry;
    json_array_foreach(list, i, entry)
    {
        json_t *now = json_object_get(entry, "cured");
        known       = known || json_is_boolean(now);
        all += number_of(entry, "count");
        cured += json_is_true(now) ? number_of(entry, "count") : 0;
    }
    if (!known)
        return;
    fputs("\n", to);
    say(to, "cured by now: %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT, cured, all);
}

void print_maillog(FILE *to, json_t *result, wall_t now)
{
    struct table table;
    size_t       i;
    json_t      *entry;
    if (json_array_size(result) == 0) {
        fputs(look_now()->bare ? "" : "nothing that DNS held up\n", to);
        return;
    }
    table_init(&table, ">COUNT DOMAIN KIND FIRST LAST CURED ~REPLY");
    json_array_foreach(result, i, entry)
    {
        add(&table, json_object_get(entry, "count"));
        add(&table, json_object_get(entry, "domain"));
        add(&table, json_object_get(entry, "kind"));
        add_when(&table, json_object_get(entry, "first"), now);
        add_when(&table, json_object_get(entry, "last"), now);
        add(&table, json_object_get(entry, "cured"));
        add(&table, json_object_get(entry, "reply"));
    }
    table_print(&table, to);
    table_fini(&table);
    print_cured(to, result);
    print_causes(to, result);
}

void print_cache(FILE *to, json_t *result, wall_t now)
{
    size_t  i, j;
    json_t *entry, *record;
    char    span[SPAN_TEXT_MAX];
    (void) now;
    json_array_foreach(result, i, entry)
    {
        json_int_t ttl   = number_of(entry, "ttl_s");
        json_t    *group = json_object_get(entry, "group");

        say(to, "%s %s %s%s%s%s%s, %s%s%s", text_of(entry, "name"), text_of(entry, "type"), text_of(entry, "kind"),
            json_is_string(group) ? " from " : "", json_is_string(group) ? json_string_value(group) : "",
            json_is_true(json_object_get(entry, "dnssec_ok")) ? ", DO" : "",
            json_is_true(json_object_get(entry, "checking_disabled")) ? ", CD" : "", ttl < 0 ? "expired " : "",
            span_format(ttl < 0 ? -ttl : ttl, span), ttl < 0 ? " ago" : " left");
        json_array_foreach(json_object_get(entry, "records"), j, record)
        {
            if (json_is_string(record))
                say(to, "    %s", json_string_value(record));
        }
    }
}

void print_flushed(FILE *to, json_t *result, wall_t now)
{
    (void) now;
    say(to, "cache entries dropped: %lld", (long long) number_of(result, "flushed"));
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

void print_stats(FILE *to, json_t *result, wall_t now)
{
    size_t       count = 0, size = json_object_size(result);
    const char **keys = calloc(size + 1, sizeof(*keys));
    const char  *key;
    json_t      *value;
    struct table table;
    (void) now;
    if (!keys)
        abort();
    json_object_foreach(result, key, value) { keys[count++] = key; }
    qsort(keys, count, sizeof(*keys), compare_keys);
    table_init(&table, "COUNTER >VALUE");
    for (size_t i = 0; i < count; i++) {
        table_add(&table, keys[i]);
        add(&table, json_object_get(result, keys[i]));
    }
    table_print(&table, to);
    table_fini(&table);
    free(keys);
}

void print_reloaded(FILE *to, json_t *result, wall_t now)
{
    size_t  i;
    json_t *warning;
    (void) now;
    say(to, "%s is in force", text_of(result, "file"));
    json_array_foreach(json_object_get(result, "warnings"), i, warning)
    {
        if (json_is_string(warning))
            say(to, "warning: %s", json_string_value(warning));
    }
}
