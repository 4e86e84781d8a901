/*
 * listed.c: zones, and what was done with them, for people; see print.h.
 */
#include "ctl/print_internal.h"

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

static void add_scope(struct table *table, json_t *object)
{
    json_t *type = json_object_get(object, "type");
    add(table, json_is_string(type) ? type : json_object_get(object, "scope"));
}

static void add_zone(struct table *table, json_t *zone, wall_t now)
{
    static const char *const before[] = {"state", "via", "source", "reason", NULL};
    static const char *const after[]  = {"failures", "answered", NULL};
    add(table, json_object_get(zone, "zone"));
    add_scope(table, zone);
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

static void print_said(FILE *to, json_t *nodes, wall_t now)
{
    static const char *const keys[] = {"said", "via", "reason", "everywhere", NULL};
    struct table             table;
    size_t                   i;
    json_t                  *said;
    if (json_array_size(nodes) == 0)
        return;
    fputs("\nsaid by the cluster's nodes\n", to);
    table_init(&table, "AT NODE SCOPE !SAID VIA REASON EVERYWHERE");
    json_array_foreach(nodes, i, said)
    {
        add_when(&table, json_object_get(said, "at"), now);
        add(&table, json_object_get(said, "node"));
        add_scope(&table, said);
        add_keys(&table, said, keys);
    }
    table_print(&table, to);
    table_fini(&table);
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
    print_said(to, json_object_get(result, "nodes"), now);
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
