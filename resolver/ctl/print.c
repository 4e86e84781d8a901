/*
 * print.c: see print.h.
 */
#include "ctl/print_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    REFUSALS_SHOWN = 10 /* of an import: --json has more */
};

/* An array of objects, one a row, the columns named by their keys; "at" is a time. */
static void print_rows(FILE *to, json_t *array, const char *header, const char *const *keys, wall_t now)
{
    struct table table;
    size_t       i;
    json_t      *row;
    table_init(&table, header);
    json_array_foreach(array, i, row)
    {
        bool timed = strcmp(*keys, "at") == 0;
        if (timed)
            add_when(&table, json_object_get(row, "at"), now);
        add_keys(&table, row, keys + timed);
    }
    table_print(&table, to);
    table_fini(&table);
}

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
    say(to, "cache          entries: %lld, %s of %s, hits: %.0f%%", (long long) number_of(cache, "entries"),
        size_format(number_of(cache, "bytes"), text), size_format(number_of(cache, "memory"), more),
        asked > 0 ? 100.0 * (double) hits / (double) asked : 0.0);
    if (json_is_true(json_object_get(store, "failing")))
        say(to, "state          cannot be written: what is learned now would not survive a restart (failures: %lld)",
            (long long) number_of(store, "failures"));
    else
        say(to, "state          written");
}

static void add_zone(struct table *table, json_t *zone, wall_t now)
{
    static const char *const before[] = {"state", "via", "source", "reason", NULL};
    static const char *const after[]  = {"failures", "answered", NULL};
    json_t                  *type     = json_object_get(zone, "type");
    add(table, json_object_get(zone, "zone"));
    add(table, json_is_string(type) ? type : json_object_get(zone, "scope"));
    add_keys(table, zone, before);
    add_when(table, json_object_get(zone, "since"), now);
    add_when(table, json_object_get(zone, "last_failure"), now);
    add_when(table, json_object_get(zone, "next_recheck"), now);
    add_keys(table, zone, after);
    add_when(table, json_object_get(zone, "until"), now);
    add(table, json_object_get(zone, "note"));
}

void print_zones(FILE *to, json_t *result, wall_t now)
{
    struct table table;
    size_t       i;
    json_t      *zone;
    if (json_array_size(result) == 0) {
        fputs(look_now()->bare ? "" : "no zones\n", to);
        return;
    }
    table_init(&table, "ZONE SCOPE !STATE VIA SOURCE REASON SINCE FAILED RECHECK >FAILURES >ANSWERED UNTIL ~NOTE");
    json_array_foreach(result, i, zone) { add_zone(&table, zone, now); }
    table_print(&table, to);
    table_fini(&table);
}

static void print_one_zone(FILE *to, json_t *zone, wall_t now)
{
    json_t *list = json_pack("[O]", zone);
    print_zones(to, list, now);
    json_decref(list);
}

static void print_nameservers(FILE *to, json_t *servers)
{
    json_t *name, *address;
    size_t  i;
    if (!json_is_object(servers))
        return;
    fputs("\n", to);
    say(to, "nameservers, of %lld blocked or recovering zones", (long long) number_of(servers, "zones"));
    json_array_foreach(json_object_get(servers, "names"), i, name)
        say(to, "%s", json_is_string(name) ? json_string_value(name) : "");
    json_array_foreach(json_object_get(servers, "addresses"), i, address)
        say(to, "%s%s", text_of(address, "address"),
            json_is_true(json_object_get(address, "counts")) ? "" : " (answered domestic lately)");
}

static void print_state(FILE *to, const char *state)
{
    fprintf(to, "%-13s ", "state");
    say_word(to, state);
    fputc('\n', to);
}

void print_zone(FILE *to, json_t *result, wall_t now)
{
    static const char *const evidence[] = {"at", "group", "from", "about", "question", "outcome", NULL};
    static const char *const history[]  = {"at", "from", "to", "why", NULL};
    static const char *const lines[]    = {"zone",     "scope",    "type",  "state",        "via",
                                           "source",   "reason",   "since", "last_failure", "next_recheck",
                                           "failures", "answered", "until", "note"};
    char                     when[SPAN_TEXT_MAX];
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        json_t *value = json_object_get(result, lines[i]);
        when_format(value, now, when);
        if (*when)
            say(to, "%-13s %s (%s)", lines[i], json_string_value(value), when);
        else if (json_is_integer(value))
            say(to, "%-13s %lld", lines[i], (long long) json_integer_value(value));
        else if (json_is_string(value) && strcmp(lines[i], "state") == 0)
            print_state(to, json_string_value(value));
        else if (json_is_string(value))
            say(to, "%-13s %s", lines[i], json_string_value(value));
    }
    if (json_array_size(json_object_get(result, "others")) > 0) {
        fputs("\nof the same name\n", to);
        print_zones(to, json_object_get(result, "others"), now);
    }
    print_nameservers(to, json_object_get(result, "nameservers"));
    fputs("\nevidence, newest first\n", to);
    print_rows(to, json_object_get(result, "evidence"), "AT GROUP UPSTREAM ABOUT ~QUESTION OUTCOME", evidence, now);
    fputs("\nhistory, newest first\n", to);
    print_rows(to, json_object_get(result, "history"), "AT !FROM !TO ~WHY", history, now);
}

/* A slow or failing disk: the change counts, but a crash now loses it. */
static void print_not_stored(FILE *to, json_t *result)
{
    if (json_is_false(json_object_get(result, "stored")))
        say(to, "not on disk yet: see \"bywayctl status\"");
}

void print_pinned(FILE *to, json_t *result, wall_t now)
{
    char until[SPAN_TEXT_MAX];
    when_format(json_object_get(result, "until"), now, until);
    say(to, "%s is pinned to %s%s%s", text_of(result, "zone"), text_of(result, "via"), *until ? ", ends " : "", until);
    print_not_stored(to, result);
}

void print_unpinned(FILE *to, json_t *result, wall_t now)
{
    json_t *kept = json_object_get(result, "kept");
    (void) now;
    if (json_is_object(kept))
        say(to, "%s is unpinned; what was learned holds again: %s, via %s", text_of(result, "zone"),
            text_of(kept, "state"), text_of(kept, "via"));
    else
        say(to, "%s is unpinned", text_of(result, "zone"));
    print_not_stored(to, result);
}

void print_forgotten(FILE *to, json_t *result, wall_t now)
{
    (void) now;
    say(to, "%s is forgotten; cache entries dropped: %lld", text_of(result, "zone"),
        (long long) number_of(result, "flushed"));
    print_not_stored(to, result);
}

void print_probe(FILE *to, json_t *result, wall_t now)
{
    static const char *const probe[] = {"group", "from", "question", "outcome", "ms", NULL};
    json_t                  *zone    = json_object_get(result, "zone");
    print_rows(to, json_object_get(result, "probes"), "GROUP UPSTREAM ~QUESTION OUTCOME >MS", probe, now);
    fputc('\n', to);
    if (json_is_object(zone))
        print_one_zone(to, zone, now);
    else
        fputs("the zone is clear\n", to);
}

void print_imported(FILE *to, json_t *result, wall_t now)
{
    static const char *const refusal[] = {"zone", "why", NULL};
    json_t                  *refusals  = json_object_get(result, "refusals");
    (void) now;
    say(to, "imported: %lld, skipped: %lld, refused: %lld", (long long) number_of(result, "imported"),
        (long long) number_of(result, "skipped"), (long long) number_of(result, "refused"));
    json_t    *first = json_array();
    json_int_t more  = number_of(result, "refused") - REFUSALS_SHOWN;
    for (size_t i = 0; i < REFUSALS_SHOWN && i < json_array_size(refusals); i++)
        json_array_append(first, json_array_get(refusals, i));
    if (json_array_size(first) > 0)
        print_rows(to, first, "REFUSED ~WHY", refusal, now);
    if (more > 0)
        say(to, "and %lld more", (long long) more);
    json_decref(first);
    print_not_stored(to, result);
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
