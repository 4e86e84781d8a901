/*
 * forged.c: the keys "forged.…": addresses and alias targets that only a censor gives out, and the canary.
 */
#include "base/units.h"
#include "dns/slip.h"
#include "settings/endpoint.h"
#include "settings/keys.h"
#include "settings/presets.h"
#include "settings/source.h"
#include "settings/upstreams.h"

#include <stdlib.h>
#include <string.h>

enum {
    QUOTE_MAX = 80,
    SHORTEST4 = 96 + 8, /* bits: what is wider is no censor's own */
    SHORTEST6 = 8,
    WAIT_MIN  = 50, /* ms; nearer than that no border is */
    WAIT_MAX  = 2000
};

static bool room_for(struct reader *reader, void **list, size_t count, size_t size)
{
    void *longer = realloc(*list, (count + 1) * size);
    if (longer)
        *list = longer;
    else
        reader_no_memory(reader);
    return longer != NULL;
}

/* False: it is none; `why` says what is wrong. */
static bool add_block(struct reader *reader, const char *text, char why[ENDPOINT_WHY_MAX])
{
    struct forgery *forged = &reader->settings->forged;
    struct cidr     block;
    if (!cidr_parse(text, &block)) {
        if (!block_read(text, &block, why) && why[0] == '\0')
            snprintf(why, ENDPOINT_WHY_MAX, "not an address or a block: \"%.*s\"", QUOTE_MAX, text);
        return false;
    }
    if (block.bits < (strchr(text, ':') ? SHORTEST6 : SHORTEST4)) {
        snprintf(why, ENDPOINT_WHY_MAX, "too much for a censor's own: \"%.*s\" (expected a /8 or longer)", QUOTE_MAX,
                 text);
        return false;
    }
    if (room_for(reader, (void **) &forged->blocks, forged->block_count, sizeof(block)))
        forged->blocks[forged->block_count++] = block;
    return true;
}

static bool add_name(struct reader *reader, const char *text, char why[SLIP_WHY_MAX])
{
    struct forgery *forged = &reader->settings->forged;
    struct name     name;
    if (!name_read(text, &name, why))
        return false;
    if (name.len == 1) {
        snprintf(why, SLIP_WHY_MAX, "the root is no censor's own");
        return false;
    }
    name_lower(name.wire, name.len);
    if (room_for(reader, (void **) &forged->names, forged->name_count, sizeof(name)))
        forged->names[forged->name_count++] = name;
    return true;
}

void read_forged_addresses(struct reader *reader, const struct place *place, const json_t *value)
{
    if (!value_list(reader, place, value, "a list of addresses and blocks"))
        return;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct place here = {.up = place, .index = i};
        const char        *text = value_text(reader, &here, json_array_get(value, i), "an address or a block");
        char               why[ENDPOINT_WHY_MAX];
        if (text && !add_block(reader, text, why))
            reader_error(reader, &here, "%s", why);
    }
}

void read_forged_names(struct reader *reader, const struct place *place, const json_t *value)
{
    if (!value_list(reader, place, value, "a list of names"))
        return;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct place here = {.up = place, .index = i};
        const char        *text = value_text(reader, &here, json_array_get(value, i), "a name that an alias leads to");
        char               why[SLIP_WHY_MAX];
        if (text && !add_name(reader, text, why))
            reader_error(reader, &here, "%s", why);
    }
}

/* One address, block or name a line. */
static void take_lines(struct reader *reader, const struct place *place, const char *path, char *text)
{
    char  *line;
    size_t number = 0, taken = 0;
    while ((line = source_line(&text))) {
        char why[ENDPOINT_WHY_MAX + SLIP_WHY_MAX];
        number++;
        line[strcspn(line, "# \t")] = '\0';
        if (line[0] == '\0')
            continue;
        taken++;
        bool is_block = strchr(line, ':') || strspn(line, "0123456789./") == strlen(line);
        if (is_block ? !add_block(reader, line, why) : !add_name(reader, line, why))
            reader_error(reader, place, "%s:%zu: %s", path, number, why);
    }
    if (taken == 0)
        reader_error(reader, place, "%s: names nothing", path);
}

void read_forged_presets(struct reader *reader, const struct place *place, const json_t *value)
{
    presets_read(reader, place, value, ".forged", take_lines);
}

void read_forged_canary(struct reader *reader, const struct place *place, const json_t *value)
{
    static const char expected[] = "an address across the border where no DNS server listens";
    struct settings  *settings   = reader->settings;
    char              why[ENDPOINT_WHY_MAX], who[UPSTREAMS_ANSWER_MAX];
    const char       *text = value ? value_text(reader, place, value, expected) : NULL;
    if (!text)
        return;
    if (!endpoint_read(text, ENDPOINT_ASK, DNS_PORT, &settings->canary, why)) {
        if (why[0] != '\0')
            reader_error(reader, place, "%s", why);
        else
            reader_error(reader, place, "not an address: \"%.*s\" (expected %s)", QUOTE_MAX, text, expected);
        return;
    }
    if (upstreams_answer_at(settings, &settings->canary, who))
        reader_error(reader, place, "\"%.*s\" answers itself (%s): expected %s", QUOTE_MAX, text, who, expected);
    else if (!settings->fall_on_forged)
        reader_warning(reader, place, "of no use, since fallback.on does not have \"forged\"");
}

void read_forged_wait(struct reader *reader, const struct place *place, const json_t *value)
{
    struct settings *settings = reader->settings;
    if (value_duration(reader, place, value, WAIT_MIN, WAIT_MAX, &settings->wait) &&
        settings->wait > settings->deadline / 2) {
        char text[DURATION_TEXT_MAX];
        reader_error(reader, place, "expected half of fallback.deadline (%s) at most",
                     duration_format(settings->deadline, text));
    }
}
