/*
 * zones.c: see zones.h.
 */
#include "settings/zones.h"

#include "base/spelling.h"
#include "dns/slip.h"
#include "dns/text.h"
#include "settings/presets.h"
#include "settings/source.h"
#include "settings/upstreams.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUOTE_MAX = 80
};

static bool rules_reserve(struct reader *reader, size_t more)
{
    struct settings *settings = reader->settings;
    size_t           wanted   = settings->rule_count + more;
    struct rule     *rules    = realloc(settings->rules, (wanted + 1) * sizeof(*rules));
    if (!rules) {
        reader_no_memory(reader);
        return false;
    }
    settings->rules = rules;
    return true;
}

static void tell_no_group(struct reader *reader, const struct place *place, const char *text)
{
    const struct settings *settings = reader->settings;
    const char            *meant    = NULL;
    size_t                 best     = SIZE_MAX;
    for (size_t i = 0; i < settings->group_count; i++)
        if (spelling_is_nearer(text, settings->groups[i].name, &best))
            meant = settings->groups[i].name;
    if (spelling_is_nearer(text, "refuse", &best))
        meant = "refuse";
    if (spelling_is_nearer(text, "auto", &best))
        meant = "auto";
    if (meant)
        reader_error(reader, place, "no such group: \"%.*s\" (did you mean \"%s\"?)", QUOTE_MAX, text, meant);
    else
        reader_error(reader, place, "no such group: \"%.*s\" (expected \"auto\", \"refuse\" or a key of upstreams)",
                     QUOTE_MAX, text);
}

/* Reads `via` into *ret. */
static bool via_read(struct reader *reader, const struct place *place, const char *text, struct rule *ret)
{
    size_t group;
    if (strcmp(text, "auto") == 0) {
        ret->via = VIA_AUTO;
    } else if (strcmp(text, "refuse") == 0) {
        ret->via = VIA_REFUSE;
    } else if (upstreams_find(reader->settings, text, &group)) {
        ret->via   = VIA_GROUP;
        ret->group = (uint8_t) group;
    } else {
        tell_no_group(reader, place, text);
        return false;
    }
    return true;
}

/* `seen` maps a zone's text to its index in the list. */
static bool zone_is_new(struct reader *reader, const struct place *place, const struct name *zone, size_t index,
                        json_t *seen)
{
    char text[NAME_TEXT_MAX];
    name_format(name_view(zone), text);
    const json_t *first = json_object_get(seen, text);
    if (first) {
        reader_error(reader, place, "\"%.*s\" is listed already, at zones[%lld]", QUOTE_MAX, text,
                     (long long) json_integer_value(first));
        return false;
    }
    if (json_object_set_new(seen, text, json_integer((json_int_t) index)) == 0)
        return true;
    reader_no_memory(reader);
    return false;
}

/* The text under `key`, which must be there. */
static const char *required_text(struct reader *reader, const struct place *place, const json_t *object,
                                 const char *expected)
{
    const json_t *value = json_object_get(object, place->key);
    if (value)
        return value_text(reader, place, value, expected);
    reader_error(reader, place, "missing (expected %s)", expected);
    return NULL;
}

static void zone_read(struct reader *reader, const struct place *place, const json_t *value, json_t *seen)
{
    static const char *const words[] = {"zone", "via", NULL};
    const struct place       at_zone = {.up = place, .key = "zone"};
    const struct place       at_via  = {.up = place, .key = "via"};
    struct rule              rule    = {.shipped = false};
    if (!value_object(reader, place, value))
        return;
    reader_known_keys(reader, place, value, words);
    const char *zone = required_text(reader, &at_zone, value, "a zone's name");
    char        why[SLIP_WHY_MAX];
    if (zone && !name_read(zone, &rule.zone, why)) {
        reader_error(reader, &at_zone, "%s", why);
        zone = NULL;
    }
    bool        is_new = zone && zone_is_new(reader, &at_zone, &rule.zone, place->index, seen);
    const char *via    = required_text(reader, &at_via, value, "\"auto\", \"refuse\" or a group's name");
    if (via && via_read(reader, &at_via, via, &rule) && is_new)
        reader->settings->rules[reader->settings->rule_count++] = rule;
}

void zones_read(struct reader *reader, const struct place *place, const json_t *value)
{
    if (!value_list(reader, place, value, "a list of objects with \"zone\" and \"via\"") ||
        !rules_reserve(reader, json_array_size(value)))
        return;
    json_t *seen = json_object();
    if (!seen) {
        reader_no_memory(reader);
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct place here = {.up = place, .index = i};
        zone_read(reader, &here, json_array_get(value, i), seen);
    }
    json_decref(seen);
}

static const char blanks[] = " \t\r";

static const char *refusal_read(const char *word, struct refusals *ret, char why[SLIP_WHY_MAX])
{
    uint8_t address[4];
    if (inet_pton(AF_INET, word, address) != 1 || address[0] != 127) {
        snprintf(why, SLIP_WHY_MAX, "not an address in 127.0.0.0/8: \"%.*s\"", QUOTE_MAX, word);
        return why;
    }
    if (ret->count == LIST_REFUSALS) {
        snprintf(why, SLIP_WHY_MAX, "more than %d addresses behind the zone", LIST_REFUSALS);
        return why;
    }
    memcpy(ret->addresses[ret->count++], address, sizeof(address));
    return NULL;
}

/* "@", the zone itself, or one label below it. */
static const char *entry_read(const char *label, struct list_entry *ret, char why[SLIP_WHY_MAX])
{
    size_t len = strcmp(label, "@") == 0 ? 0 : strlen(label);
    if (ret->is_asked) {
        snprintf(why, SLIP_WHY_MAX, "ip= twice");
        return why;
    }
    if (*label == '\0' || len > LIST_LABEL_MAX ||
        strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789-@") != strlen(label)) {
        snprintf(why, SLIP_WHY_MAX, "behind ip= not a label of %d bytes at most, nor @: \"%.*s\"", LIST_LABEL_MAX,
                 QUOTE_MAX, label);
        return why;
    }
    *ret = (struct list_entry){.is_asked = true, .len = (uint8_t) len};
    memcpy(ret->label, label, len);
    return NULL;
}

/* What stands behind the zone. NULL, or what is wrong with it. */
static const char *list_read(char *words, struct rule *rule, char why[SLIP_WHY_MAX])
{
    static const char entry[] = "ip=";
    const char       *wrong   = NULL;
    char             *word;
    while (!wrong && (word = strsep(&words, blanks))) {
        if (strncmp(word, entry, strlen(entry)) == 0)
            wrong = entry_read(word + strlen(entry), &rule->entry, why);
        else if (word[0] != '\0')
            wrong = refusal_read(word, &rule->refusals, why);
    }
    return wrong;
}

/* Takes one zone a line, and behind it the addresses by which that list refuses, and where it is asked. A fence with a hole is worse than
 * none, so a bad line is an error. */
static void preset_lines(struct reader *reader, const struct place *place, const char *path, char *text)
{
    struct settings *settings = reader->settings;
    size_t           lines = 1, number = 0, before = settings->rule_count;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    if (!rules_reserve(reader, lines))
        return;
    char *line;
    while ((line = source_line(&text))) {
        struct rule rule = {.via = VIA_GROUP, .group = GROUP_DOMESTIC, .shipped = true, .is_list = true};
        char        why[SLIP_WHY_MAX];
        number++;
        line[strcspn(line, "#")] = '\0';
        const char *zone         = strsep(&line, blanks);
        if (zone[0] == '\0')
            continue;
        const char *wrong = name_read(zone, &rule.zone, why) ? list_read(line, &rule, why) : why;
        if (!wrong)
            settings->rules[settings->rule_count++] = rule;
        else
            reader_error(reader, place, "%s:%zu: %s", path, number, wrong);
    }
    if (settings->rule_count == before)
        reader_error(reader, place, "%s: names no zone", path);
}

void zones_read_presets(struct reader *reader, const struct place *place, const json_t *value)
{
    presets_read(reader, place, value, ".zones", preset_lines);
}
