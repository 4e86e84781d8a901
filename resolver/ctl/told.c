/*
 * told.c: what a stream of the daemon's tells, a line each. See print.h.
 */
#include "ctl/print_internal.h"

#include <string.h>

/* What is optional, behind what joins it; "" where it is not there. */
static const char *joined(json_t *told, const char *key, const char *by, char text[256])
{
    const char *value = json_string_value(json_object_get(told, key));
    snprintf(text, 256, "%s%s", value ? by : "", value ? value : "");
    return text;
}

static void print_zone_event(FILE *to, json_t *told)
{
    char type[256], reason[256];
    say_part(to, "%s%s: ", text_of(told, "zone"), joined(told, "type", " ", type));
    say_word(to, text_of(told, "from"));
    fputs(" -> ", to);
    say_word(to, text_of(told, "to"));
    say(to, "%s: %s", joined(told, "reason", ", ", reason), text_of(told, "why"));
}

static void print_pin_event(FILE *to, json_t *told)
{
    char via[256];
    bool on = json_is_string(json_object_get(told, "via"));
    say(to, "%s%s%s", text_of(told, "zone"), on ? "" : ", taken off", joined(told, "via", " to ", via));
}

static void print_forged_event(FILE *to, json_t *told)
{
    say(to, "%s: the canary %s was answered for it", text_of(told, "name"), text_of(told, "canary"));
}

static void print_upstream_event(FILE *to, json_t *told)
{
    char problem[256];
    say_part(to, "%s of %s is ", text_of(told, "upstream"), text_of(told, "group"));
    say_word(to, text_of(told, "state"));
    say(to, "%s", joined(told, "problem", ": ", problem));
}

static void print_outage_event(FILE *to, json_t *told)
{
    say(to, "%s of all of %s", text_of(told, "state"), text_of(told, "group"));
}

static void print_blocklist_event(FILE *to, json_t *told)
{
    say(to, "%s: error code %s from upstream %s for %s", text_of(told, "zone"), text_of(told, "answer"),
        text_of(told, "upstream"), text_of(told, "name"));
}

static void print_quota_event(FILE *to, json_t *told)
{
    say(to, "questions kept from external: %lld", (long long) number_of(told, "kept"));
}

static void print_cluster_event(FILE *to, json_t *told)
{
    char        node[256], problem[256];
    const char *of = joined(told, "node", "node ", node);
    say_part(to, "%s%s", of, *of ? " is " : "");
    say_word(to, text_of(told, "state"));
    say(to, "%s", joined(told, "problem", ": ", problem));
}

static void print_reload_event(FILE *to, json_t *told)
{
    char error[256];
    say(to, "%s%s", text_of(told, "file"), joined(told, "error", ": ", error));
}

void print_event(FILE *to, json_t *result, wall_t now)
{
    static const struct {
        const char *word;
        void (*print)(FILE *to, json_t *told);
    } kinds[] = {
        {"zone", print_zone_event},         {"pin", print_pin_event},       {"forged", print_forged_event},
        {"upstream", print_upstream_event}, {"outage", print_outage_event}, {"blocklist", print_blocklist_event},
        {"quota", print_quota_event},       {"reload", print_reload_event}, {"cluster", print_cluster_event},
    };
    const char *word = text_of(result, "event");
    (void) now;
    say_part(to, "%s %-10s", text_of(result, "time"), word);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(word, kinds[i].word) == 0) {
            kinds[i].print(to, result);
            return;
        }
    fputc('\n', to); /* a later version's */
}

/* "ask domestic 192.0.2.1:53 udp at 0", each on a line of its own below the query's. */
static void print_step(FILE *to, json_t *step)
{
    char upstream[256], over[256], outcome[256], group[256];
    say(to, "  %6lld ms  %s%s%s%s%s%s", (long long) number_of(step, "at"), text_of(step, "step"),
        joined(step, "group", " ", group), joined(step, "upstream", " ", upstream), joined(step, "over", " ", over),
        joined(step, "outcome", ": ", outcome), json_is_true(json_object_get(step, "copy")) ? " (a copy)" : "");
}

void print_traced(FILE *to, json_t *result, wall_t now)
{
    json_t *step;
    size_t  i;
    (void) now;
    say_part(to, "%s %s %s %s: ", text_of(result, "time"), text_of(result, "client"), text_of(result, "name"),
             text_of(result, "type"));
    say_word(to, text_of(result, "rcode"));
    say(to, " by %s in %lld ms, %s", text_of(result, "way"), (long long) number_of(result, "ms"),
        text_of(result, "why"));
    json_array_foreach(json_object_get(result, "steps"), i, step) print_step(to, step);
}

void print_looked(FILE *to, json_t *result, wall_t now)
{
    char    upstream[256];
    json_t *step, *zone = json_object_get(result, "zone");
    size_t  i;
    (void) now;
    say_word(to, text_of(result, "rcode"));
    say(to, " by %s%s in %lld ms: %s", text_of(result, "way"), joined(result, "upstream", ", ", upstream),
        (long long) number_of(result, "ms"), text_of(result, "why"));
    if (json_is_object(zone)) {
        say_part(to, "%s is ", text_of(zone, "zone"));
        say_word(to, text_of(zone, "state"));
        say(to, ", via %s, since %s", text_of(zone, "via"), text_of(zone, "since"));
    }
    json_array_foreach(json_object_get(result, "steps"), i, step) print_step(to, step);
    json_array_foreach(json_object_get(result, "answer"), i, step) say(to, "%s", json_string_value(step));
}
