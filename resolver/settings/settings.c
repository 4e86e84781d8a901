/*
 * settings.c: the reading as a whole, and which keys there are (their list is settings.def). The readers
 * are in keys.c; those of keys with a grammar of their own in addresses.c, cluster.c, forged.c, upstreams.c and zones.c.
 */
#include "settings/settings.h"

#include "base/spelling.h"
#include "settings/duplicates.h"
#include "settings/keys.h"
#include "settings/source.h"
#include "settings/syntax.h"
#include "settings/upstreams.h"

#include <stdlib.h>
#include <string.h>

enum {
    KEY_MAX = 64 /* bytes of a path in settings.def */
};

struct setting {
    const char *path;   /* "section.word" or "word" */
    const char *absent; /* the default as JSON; "": none */
    void (*read)(struct reader *reader, const struct place *place, const json_t *value);
};

static const struct setting known[] = {
#define SETTING(name_, path_, ...) {path_, #__VA_ARGS__, read_##name_},
#include "settings/settings.def"
#undef SETTING
};

/* The section of `path` in `section`, and the word behind it; the section is empty at the top level. */
static const char *path_split(const char *path, char section[KEY_MAX])
{
    const char *dot = strchr(path, '.');
    size_t      len = dot ? (size_t) (dot - path) : 0;
    memcpy(section, path, len);
    section[len] = '\0';
    return dot ? dot + 1 : path;
}

static bool is_section(const char *word)
{
    char section[KEY_MAX];
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        path_split(known[i].path, section);
        if (strcmp(section, word) == 0)
            return true;
    }
    return false;
}

/* The key that `word` of `section` was meant to be, into `hint`: one of the section that is spelt alike, the same word
 * of another one, or a whole path; at the top also a section. "": none. */
static void find_meant(const char *section, const char *word, char hint[KEY_MAX])
{
    char   candidate[KEY_MAX];
    size_t best  = SIZE_MAX;
    bool   whole = strchr(word, '.') != NULL;
    hint[0]      = '\0';
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        const char *known_word = path_split(known[i].path, candidate);
        bool        here       = strcmp(candidate, section) == 0;
        if (whole)
            known_word = known[i].path;
        if (whole || here ? spelling_is_nearer(word, known_word, &best)
                          : best > 1 && spelling_distance(word, known_word) == 0)
            strcpy(hint, known[i].path);
        if (section[0] == '\0' && spelling_is_nearer(word, candidate, &best))
            strcpy(hint, candidate);
    }
}

static void tell_unknown(struct reader *reader, const struct place *place, const char *section, const char *word)
{
    static const char upstreams[] = "upstreams.";
    char              hint[KEY_MAX], hint_section[KEY_MAX];
    find_meant(section, word, hint);
    const char *hint_word = path_split(hint, hint_section);
    if (strncmp(word, upstreams, strlen(upstreams)) == 0)
        reader_error(reader, place, "unknown key (write {\"upstreams\": {\"%.*s\": …}})", KEY_MAX,
                     word + strlen(upstreams));
    else if (hint[0] == '\0')
        reader_error(reader, place, "unknown key");
    else if (hint_section[0] != '\0' && (strcmp(hint_section, section) != 0 || strchr(word, '.')))
        reader_error(reader, place, "unknown key (write {\"%s\": {\"%s\": …}})", hint_section, hint_word);
    else if (hint_section[0] == '\0' && section[0] != '\0')
        reader_error(reader, place, "unknown key (write {\"%s\": …} at the top)", hint);
    else
        reader_error(reader, place, "unknown key (did you mean \"%s\"?)", hint);
}

static bool is_known(const char *section, const char *word)
{
    char candidate[KEY_MAX];
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(path_split(known[i].path, candidate), word) == 0 && strcmp(candidate, section) == 0)
            return true;
    return false;
}

static void check_section(struct reader *reader, const struct place *place, const json_t *value)
{
    const char *word;
    json_t     *ignored;
    if (!value_object(reader, place, value))
        return;
    json_object_foreach((json_t *) value, word, ignored)
    {
        const struct place here = {.up = place, .key = word};
        if (word[0] != '#' && !is_known(place->key, word))
            tell_unknown(reader, &here, place->key, word);
    }
}

static void check_keys(struct reader *reader, const json_t *root)
{
    const char *word;
    json_t     *value;
    json_object_foreach((json_t *) root, word, value)
    {
        const struct place here = {.key = word};
        if (word[0] == '#')
            continue;
        if (is_section(word))
            check_section(reader, &here, value);
        else if (!is_known("", word))
            tell_unknown(reader, &here, "", word);
    }
}

static void read_setting(struct reader *reader, const struct setting *setting, const json_t *root)
{
    char               section[KEY_MAX];
    const char        *word     = path_split(setting->path, section);
    const struct place above    = {.key = section};
    const struct place here     = {.up = section[0] != '\0' ? &above : NULL, .key = word};
    const json_t      *object   = section[0] != '\0' ? json_object_get(root, section) : root;
    const json_t      *value    = json_object_get(object, word);
    json_t            *fallback = NULL;
    if (!value && setting->absent[0] != '\0') {
        const struct view absent = {(const uint8_t *) setting->absent, strlen(setting->absent)};
        if (!reader_parse(reader, absent, JSON_DECODE_ANY, &fallback, NULL))
            return;
        value = fallback;
    }
    setting->read(reader, &here, value);
    json_decref(fallback);
}

static bool is_used(const struct settings *settings, size_t group)
{
    for (size_t i = 0; i < settings->rule_count; i++)
        if (settings->rules[i].via == VIA_GROUP && settings->rules[i].group == group)
            return true;
    return false;
}

/* A misspelt "domestic" or "external" is a legal group too; that nothing uses it gives it away. */
static void check_unused_groups(struct reader *reader)
{
    const struct settings *settings = reader->settings;
    const struct place     above    = {.key = "upstreams"};
    for (size_t i = GROUP_OTHERS; i < settings->group_count; i++) {
        const struct place here  = {.up = &above, .key = settings->groups[i].name};
        const char        *meant = upstreams_meant(settings->groups[i].name);
        if (is_used(settings, i))
            continue;
        if (meant)
            reader_error(reader, &here, "no zone goes via this group (did you mean \"%s\"?)", meant);
        else if (reader->resolv_conf)
            reader_warning(reader, &here, "no zone goes via this group; the domestic upstreams are those of %s",
                           reader->sources->resolv_conf);
        else
            reader_warning(reader, &here, "no zone goes via this group");
    }
}

struct settings *settings_read(const char *path, const struct settings_sources *sources, settings_report_fn report,
                               void *context)
{
    struct reader reader = {.sources = sources, .report = report, .context = context};
    char          problem[SOURCE_PROBLEM_MAX];
    size_t        len;
    json_t       *root = NULL;
    char         *text = source_read(path, &len, problem);
    if (!text) {
        reader_error(&reader, NULL, "%s: %s", path, problem);
        goto out;
    }
    root = syntax_read(&reader, path, text, len);
    if (!root)
        goto out;
    reader.root     = root;
    reader.settings = calloc(1, sizeof(*reader.settings));
    if (!reader.settings) {
        reader_no_memory(&reader);
        goto out;
    }
    reader.settings->path           = reader_copy(&reader, path);
    reader.settings->listen_default = !json_object_get(root, "listen");
    duplicates_check(&reader, text);
    check_keys(&reader, root);
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        read_setting(&reader, &known[i], root);
    if (!reader.failed)
        check_unused_groups(&reader);
    if (!reader.failed)
        upstreams_warn(&reader);
out:
    json_decref(root);
    free(text);
    if (reader.failed) {
        settings_destroy(reader.settings);
        return NULL;
    }
    return reader.settings;
}

void settings_destroy(struct settings *settings)
{
    if (!settings)
        return;
    for (size_t i = 0; i < settings->group_count; i++) {
        for (size_t j = 0; j < settings->groups[i].count; j++)
            way_fini(&settings->groups[i].upstreams[j].way);
        free(settings->groups[i].name);
        free(settings->groups[i].upstreams);
    }
    free(settings->groups);
    free(settings->forged.blocks);
    free(settings->forged.names);
    free(settings->rules);
    free(settings->listen);
    free(settings->allow.blocks);
    free(settings->client_exempt.blocks);
    free(settings->user);
    free(settings->cluster.user);
    free(settings->cluster.password_file);
    free(settings->control_socket);
    free(settings->control_group);
    free(settings->state);
    free(settings->path);
    free(settings);
}
