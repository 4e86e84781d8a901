/*
 * settings.c: the keys one by one (their list is settings.def), and the reading as a whole. Called by server/ at start,
 * for --check and at reload. Groups and zones, the two keys with a grammar of their own, are in upstreams.c and
 * zones.c.
 */
#include "settings/settings.h"

#include "settings/duplicates.h"
#include "settings/reader.h"
#include "settings/source.h"
#include "settings/upstreams.h"
#include "settings/zones.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    DNS_PORT  = 53,
    KEY_MAX   = 64, /* bytes of a path in settings.def */
    QUOTE_MAX = 80
};

#define SECOND ((msec_t) 1000)
#define DAY (86400 * SECOND)

static void read_listen(struct reader *reader, const struct place *place, const json_t *value)
{
    static const char expected[] = "an address like \"127.0.0.1:53\" or \"[::1]:53\"";
    struct settings  *settings   = reader->settings;
    if (!value_list(reader, place, value, "a list of addresses"))
        return;
    size_t count = json_array_size(value);
    if (count == 0) {
        reader_error(reader, place, "expected one address at least");
        return;
    }
    settings->listen = calloc(count, sizeof(*settings->listen));
    if (!settings->listen) {
        reader_no_memory(reader);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct place here     = {.up = place, .index = i};
        const char        *text     = value_text(reader, &here, json_array_get(value, i), expected);
        struct address     address  = {.len = 0};
        bool               repeated = false;
        if (!text)
            continue;
        bool good = address_parse(text, DNS_PORT, &address) && address_port(&address) != 0;
        for (size_t j = 0; good && j < settings->listen_count; j++)
            repeated = repeated || address_equal(&settings->listen[j], &address);
        if (!good)
            reader_error(reader, &here, "not an address: \"%.*s\" (expected %s)", QUOTE_MAX, text, expected);
        else if (repeated)
            reader_error(reader, &here, "\"%.*s\" is listed already", QUOTE_MAX, text);
        else
            settings->listen[settings->listen_count++] = address;
    }
}

static void read_blocks(struct reader *reader, const struct place *place, const json_t *value, struct clients *ret)
{
    static const char expected[] = "a block like \"192.0.2.0/24\" or \"2001:db8::/32\", without bits behind the prefix";
    size_t            count      = json_array_size(value);
    ret->blocks                  = calloc(count + 1, sizeof(*ret->blocks));
    if (!ret->blocks) {
        reader_no_memory(reader);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct place here = {.up = place, .index = i};
        const char        *text = value_text(reader, &here, json_array_get(value, i), expected);
        if (!text)
            continue;
        if (cidr_parse(text, &ret->blocks[ret->count]))
            ret->count++;
        else
            reader_error(reader, &here, "not a CIDR block: \"%.*s\" (expected %s)", QUOTE_MAX, text, expected);
    }
}

static void read_allow(struct reader *reader, const struct place *place, const json_t *value)
{
    if (!value_list(reader, place, value, "a list of CIDR blocks"))
        return;
    if (json_array_size(value) == 0)
        reader_error(reader, place, "expected one block at least, or nobody may ask");
    else
        read_blocks(reader, place, value, &reader->settings->allow);
}

static void read_workers(struct reader *reader, const struct place *place, const json_t *value)
{
    int64_t workers = sysconf(_SC_NPROCESSORS_ONLN);
    if (workers < 1)
        workers = 1;
    if (workers > LIMIT_WORKERS)
        workers = LIMIT_WORKERS;
    if (value && !value_number(reader, place, value, 1, LIMIT_WORKERS, &workers))
        return;
    reader->settings->workers = (unsigned) workers;
}

static void read_user(struct reader *reader, const struct place *place, const json_t *value)
{
    const char *name = value ? value_text(reader, place, value, "a user's name") : NULL;
    if (!name)
        return;
    if (getpwnam(name))
        reader->settings->user = reader_copy(reader, name);
    else
        reader_error(reader, place, "no such user: \"%.*s\"", QUOTE_MAX, name);
}

static void read_upstreams(struct reader *reader, const struct place *place, const json_t *value)
{
    upstreams_read(reader, place, value);
}

static void read_zones(struct reader *reader, const struct place *place, const json_t *value)
{
    zones_read(reader, place, value);
}

static void read_presets(struct reader *reader, const struct place *place, const json_t *value)
{
    presets_read(reader, place, value);
}

static void read_blocklists_errors(struct reader *reader, const struct place *place, const json_t *value)
{
    static const char *const words[] = {"servfail", "pass", NULL};
    size_t                   word    = 0;
    if (value_word(reader, place, value, words, &word))
        reader->settings->pass_list_errors = word == 1;
}

static void read_fallback_on(struct reader *reader, const struct place *place, const json_t *value)
{
    static const char *const words[]  = {"timeout", "servfail", "refused", NULL};
    struct settings         *settings = reader->settings;
    bool *const flags[] = {&settings->fall_on_timeout, &settings->fall_on_servfail, &settings->fall_on_refused};
    if (!value_list(reader, place, value, "a list of outcomes"))
        return;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const struct place here = {.up = place, .index = i};
        size_t             word;
        if (!value_word(reader, &here, json_array_get(value, i), words, &word))
            continue;
        if (*flags[word])
            reader_error(reader, &here, "\"%s\" is listed already", words[word]);
        *flags[word] = true;
    }
}

#define DEADLINE_MAX (30 * SECOND)

static void read_fallback_deadline(struct reader *reader, const struct place *place, const json_t *value)
{
    if (!value_duration(reader, place, value, SECOND, DEADLINE_MAX, &reader->settings->deadline))
        reader->settings->deadline = DEADLINE_MAX; /* so that patience is not blamed too */
}

static void read_fallback_patience(struct reader *reader, const struct place *place, const json_t *value)
{
    struct settings *settings = reader->settings;
    if (json_is_string(value) && strcmp(json_string_value(value), "auto") == 0)
        return;
    if (!json_is_string(value))
        value_text(reader, place, value, "\"auto\" or a duration like \"250ms\"");
    else if (value_duration(reader, place, value, 0, settings->deadline, &settings->patience))
        settings->patience = msec_max(settings->patience, 1);
}

static void read_learning_mode(struct reader *reader, const struct place *place, const json_t *value)
{
    static const char *const words[] = {
        [LEARNING_ON] = "on", [LEARNING_OBSERVE] = "observe", [LEARNING_OFF] = "off", NULL};
    size_t word;
    if (value_word(reader, place, value, words, &word))
        reader->settings->learning = (enum learning_mode) word;
}

static void read_learning_recheck_first(struct reader *reader, const struct place *place, const json_t *value)
{
    value_duration(reader, place, value, SECOND, 30 * DAY, &reader->settings->recheck_first);
}

static void read_learning_recheck_max(struct reader *reader, const struct place *place, const json_t *value)
{
    struct settings *settings = reader->settings;
    if (value_duration(reader, place, value, SECOND, 30 * DAY, &settings->recheck_max) &&
        settings->recheck_max < settings->recheck_first)
        reader_error(reader, place, "must not be shorter than learning.recheck_first");
}

static void read_learning_recover_after(struct reader *reader, const struct place *place, const json_t *value)
{
    int64_t times;
    if (value_number(reader, place, value, 1, 100, &times))
        reader->settings->recover_after = (unsigned) times;
}

static void read_learning_recheck_share(struct reader *reader, const struct place *place, const json_t *value)
{
    value_percent(reader, place, value, 10, 10000, &reader->settings->recheck_share);
}

static void read_learning_max_zones(struct reader *reader, const struct place *place, const json_t *value)
{
    int64_t zones;
    if (value_number(reader, place, value, 1000, 10000000, &zones))
        reader->settings->max_zones = (size_t) zones;
}

static void read_limits_external_qps(struct reader *reader, const struct place *place, const json_t *value)
{
    int64_t questions;
    if (value_number(reader, place, value, 1, 1000000, &questions))
        reader->settings->external_qps = (uint32_t) questions;
}

static void read_limits_client_qps(struct reader *reader, const struct place *place, const json_t *value)
{
    int64_t messages;
    if (value_number(reader, place, value, 0, 1000000, &messages))
        reader->settings->client_qps = (uint32_t) messages;
}

static void read_limits_client_exempt(struct reader *reader, const struct place *place, const json_t *value)
{
    if (value_list(reader, place, value, "a list of CIDR blocks"))
        read_blocks(reader, place, value, &reader->settings->client_exempt);
}

static void read_cache_memory(struct reader *reader, const struct place *place, const json_t *value)
{
    value_size(reader, place, value, (uint64_t) 1 << 20, (uint64_t) 1 << 40, &reader->settings->cache_memory);
}

static void read_cache_min_ttl(struct reader *reader, const struct place *place, const json_t *value)
{
    value_seconds(reader, place, value, &reader->settings->min_ttl);
}

static void read_cache_max_ttl(struct reader *reader, const struct place *place, const json_t *value)
{
    struct settings *settings = reader->settings;
    if (value_seconds(reader, place, value, &settings->max_ttl) && settings->max_ttl < settings->min_ttl)
        reader_error(reader, place, "must not be shorter than cache.min_ttl");
}

static void read_cache_stale(struct reader *reader, const struct place *place, const json_t *value)
{
    value_seconds(reader, place, value, &reader->settings->stale);
}

static void read_control_socket(struct reader *reader, const struct place *place, const json_t *value)
{
    value_path(reader, place, value, sizeof(((struct sockaddr_un *) NULL)->sun_path),
               &reader->settings->control_socket);
}

static void read_control_group(struct reader *reader, const struct place *place, const json_t *value)
{
    const char *name = value ? value_text(reader, place, value, "a group's name") : NULL;
    if (!name)
        return;
    if (getgrnam(name))
        reader->settings->control_group = reader_copy(reader, name);
    else
        reader_error(reader, place, "no such group on this system: \"%.*s\"", QUOTE_MAX, name);
}

static void read_state(struct reader *reader, const struct place *place, const json_t *value)
{
    /* The files in it need room for their names. */
    value_path(reader, place, value, PATH_MAX - NAME_MAX, &reader->settings->state);
}

static void read_later(struct reader *reader, const struct place *place, const json_t *value)
{
    if (value)
        reader_error(reader, place, "this version does not have it yet");
}

static void read_log_level(struct reader *reader, const struct place *place, const json_t *value)
{
    static const char *const words[] = {[LOG_LEVEL_ERROR]   = "error",
                                        [LOG_LEVEL_WARNING] = "warning",
                                        [LOG_LEVEL_INFO]    = "info",
                                        [LOG_LEVEL_DEBUG]   = "debug",
                                        NULL};
    size_t                   word;
    if (value_word(reader, place, value, words, &word))
        reader->settings->log_level = (enum log_level) word;
}

static void read_log_format(struct reader *reader, const struct place *place, const json_t *value)
{
    static const char *const words[] = {[LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json", NULL};
    size_t                   word;
    if (value_word(reader, place, value, words, &word))
        reader->settings->log_format = (enum log_format) word;
}

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

/* Tells that `section`'s `word` is unknown, and the key that may have been meant: one that is spelt alike, or the same
 * word in another section. */
static void tell_unknown(struct reader *reader, const struct place *place, const char *section, const char *word)
{
    char   candidate[KEY_MAX], hint[KEY_MAX] = "";
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        const char *known_word = path_split(known[i].path, candidate);
        bool        here       = strcmp(candidate, section) == 0;
        if (here ? word_is_nearer(word, known_word, &best) : best > 1 && strcmp(word, known_word) == 0)
            strcpy(hint, known[i].path);
        if (section[0] == '\0' && word_is_nearer(word, candidate, &best))
            strcpy(hint, candidate);
    }
    if (hint[0] != '\0')
        reader_error(reader, place, "unknown key (did you mean \"%s\"?)", hint);
    else
        reader_error(reader, place, "unknown key");
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

/* A misspelt "domestic" is a legal group; that nothing uses it gives it away. */
static void warn_unused_groups(struct reader *reader)
{
    const struct settings *settings = reader->settings;
    const struct place     above    = {.key = "upstreams"};
    for (size_t i = GROUP_OTHERS; i < settings->group_count; i++) {
        const struct place here = {.up = &above, .key = settings->groups[i].name};
        bool               used = false;
        for (size_t j = 0; j < settings->rule_count; j++)
            used = used || (settings->rules[j].via == VIA_GROUP && settings->rules[j].group == i);
        if (!used)
            reader_warning(reader, &here, "no zone goes via this group");
    }
}

/* NULL: told why. */
static json_t *parse(struct reader *reader, const char *path, const char *text, size_t len)
{
    json_error_t error;
    json_t      *root;
    if (!reader_parse(reader, (struct view){(const uint8_t *) text, len}, 0, &root, &error))
        return NULL;
    if (!root)
        reader_error(reader, NULL, "%s:%d:%d: %s", path, error.line, error.column > 0 ? error.column : 1, error.text);
    else if (!json_is_object(root))
        reader_error(reader, NULL, "%s: expected one object, not a list", path);
    if (root && json_is_object(root))
        return root;
    json_decref(root);
    return NULL;
}

struct settings *settings_read(const char *path, const struct settings_sources *sources, settings_report_fn report,
                               void *context)
{
    struct reader reader = {.sources = sources, .report = report, .context = context};
    const char   *problem;
    size_t        len;
    json_t       *root = NULL;
    char         *text = source_read(path, &len, &problem);
    if (!text) {
        reader_error(&reader, NULL, "%s: %s", path, problem);
        goto out;
    }
    root = parse(&reader, path, text, len);
    if (!root)
        goto out;
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
        warn_unused_groups(&reader);
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
        free(settings->groups[i].name);
        free(settings->groups[i].upstreams);
    }
    free(settings->groups);
    free(settings->rules);
    free(settings->listen);
    free(settings->allow.blocks);
    free(settings->client_exempt.blocks);
    free(settings->user);
    free(settings->control_socket);
    free(settings->control_group);
    free(settings->state);
    free(settings->path);
    free(settings);
}
