/*
 * keys.c: the plain keys one by one: a value, its bounds, and what it is checked against.
 */
#include "settings/keys.h"

#include "base/units.h"
#include "settings/upstreams.h"
#include "settings/zones.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    QUOTE_MAX = 80
};

#define SECOND ((msec_t) 1000)
#define DAY (86400 * SECOND)

/* Two keys of a section of which one must not be longer than the other; both are read. */
struct pair {
    const char *section, *shorter, *longer;
};

static void tell_order(struct reader *reader, const struct pair *pair, bool blame_shorter, msec_t bound)
{
    const json_t      *section = json_object_get(reader->root, pair->section);
    const char        *other   = blame_shorter ? pair->longer : pair->shorter;
    const struct place above   = {.key = pair->section};
    const struct place here    = {.up = &above, .key = blame_shorter ? pair->shorter : pair->longer};
    char               text[DURATION_TEXT_MAX];
    reader_error(reader, &here, "must not be %s than %s.%s, which is %s%s", blame_shorter ? "longer" : "shorter",
                 pair->section, other, duration_format(bound, text),
                 json_object_get(section, other) ? "" : " by default");
}

/* Blames the key that the file sets: a default cannot be wrong. */
static void check_order(struct reader *reader, const struct pair *pair, msec_t shorter, msec_t longer)
{
    bool longer_is_set = json_object_get(json_object_get(reader->root, pair->section), pair->longer) != NULL;
    if (shorter > longer)
        tell_order(reader, pair, !longer_is_set, longer_is_set ? shorter : longer);
}

void read_workers(struct reader *reader, const struct place *place, const json_t *value)
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

void read_user(struct reader *reader, const struct place *place, const json_t *value)
{
    const char *name = value ? value_text(reader, place, value, "a user's name") : NULL;
    if (!name)
        return;
    if (getpwnam(name))
        reader->settings->user = reader_copy(reader, name);
    else
        reader_error(reader, place, "no such user: \"%.*s\"", QUOTE_MAX, name);
}

void read_upstreams(struct reader *reader, const struct place *place, const json_t *value)
{
    upstreams_read(reader, place, value);
}

void read_zones(struct reader *reader, const struct place *place, const json_t *value)
{
    zones_read(reader, place, value);
}

void read_presets(struct reader *reader, const struct place *place, const json_t *value)
{
    zones_read_presets(reader, place, value);
}

void read_blocklists_errors(struct reader *reader, const struct place *place, const json_t *value)
{
    static const char *const words[] = {"servfail", "pass", NULL};
    size_t                   word    = 0;
    if (value_word(reader, place, value, words, &word))
        reader->settings->pass_list_errors = word == 1;
}

void read_fallback_on(struct reader *reader, const struct place *place, const json_t *value)
{
    static const char *const words[]  = {"timeout", "servfail", "refused", "forged", "nxdomain", NULL};
    struct settings         *settings = reader->settings;
    bool *const flags[] = {&settings->fall_on_timeout, &settings->fall_on_servfail, &settings->fall_on_refused,
                           &settings->fall_on_forged, &settings->fall_on_nxdomain};
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

void read_fallback_deadline(struct reader *reader, const struct place *place, const json_t *value)
{
    if (!value_duration(reader, place, value, SECOND, DEADLINE_MAX, &reader->settings->deadline))
        reader->settings->deadline = DEADLINE_MAX; /* so that patience is not blamed too */
}

void read_fallback_patience(struct reader *reader, const struct place *place, const json_t *value)
{
    struct settings *settings = reader->settings;
    if (json_is_string(value) && strcmp(json_string_value(value), "auto") == 0)
        return;
    if (!json_is_string(value))
        value_text(reader, place, value, "\"auto\" or a duration like \"250ms\"");
    else if (value_duration(reader, place, value, 0, DEADLINE_MAX, &settings->patience)) {
        static const struct pair pair = {"fallback", "patience", "deadline"};
        settings->patience            = msec_max(settings->patience, 1);
        if (settings->patience > settings->deadline)
            tell_order(reader, &pair, true, settings->deadline);
    }
}

void read_learning_mode(struct reader *reader, const struct place *place, const json_t *value)
{
    static const char *const words[] = {
        [LEARNING_ON] = "on", [LEARNING_OBSERVE] = "observe", [LEARNING_OFF] = "off", NULL};
    size_t word;
    if (value_word(reader, place, value, words, &word))
        reader->settings->learning = (enum learning_mode) word;
}

void read_learning_recheck_first(struct reader *reader, const struct place *place, const json_t *value)
{
    value_duration(reader, place, value, SECOND, 30 * DAY, &reader->settings->recheck_first);
}

void read_learning_recheck_max(struct reader *reader, const struct place *place, const json_t *value)
{
    static const struct pair pair     = {"learning", "recheck_first", "recheck_max"};
    struct settings         *settings = reader->settings;
    if (value_duration(reader, place, value, SECOND, 30 * DAY, &settings->recheck_max))
        check_order(reader, &pair, settings->recheck_first, settings->recheck_max);
}

void read_learning_recover_after(struct reader *reader, const struct place *place, const json_t *value)
{
    int64_t times;
    if (value_number(reader, place, value, 1, 100, &times))
        reader->settings->recover_after = (unsigned) times;
}

void read_learning_recheck_share(struct reader *reader, const struct place *place, const json_t *value)
{
    value_percent(reader, place, value, 10, 10000, &reader->settings->recheck_share);
}

void read_learning_max_zones(struct reader *reader, const struct place *place, const json_t *value)
{
    int64_t zones;
    if (value_number(reader, place, value, 1000, 10000000, &zones))
        reader->settings->max_zones = (size_t) zones;
}

void read_limits_external_qps(struct reader *reader, const struct place *place, const json_t *value)
{
    int64_t questions;
    if (value_number(reader, place, value, 1, 1000000, &questions))
        reader->settings->external_qps = (uint32_t) questions;
}

void read_limits_client_qps(struct reader *reader, const struct place *place, const json_t *value)
{
    int64_t messages;
    if (value_number(reader, place, value, 0, 1000000, &messages))
        reader->settings->client_qps = (uint32_t) messages;
}

void read_cache_memory(struct reader *reader, const struct place *place, const json_t *value)
{
    value_size(reader, place, value, (uint64_t) 1 << 20, (uint64_t) 1 << 40, &reader->settings->cache_memory);
}

void read_cache_min_ttl(struct reader *reader, const struct place *place, const json_t *value)
{
    value_seconds(reader, place, value, &reader->settings->min_ttl);
}

void read_cache_max_ttl(struct reader *reader, const struct place *place, const json_t *value)
{
    static const struct pair pair     = {"cache", "min_ttl", "max_ttl"};
    struct settings         *settings = reader->settings;
    if (value_seconds(reader, place, value, &settings->max_ttl))
        check_order(reader, &pair, settings->min_ttl * SECOND, settings->max_ttl * SECOND);
}

void read_cache_negative_max_ttl(struct reader *reader, const struct place *place, const json_t *value)
{
    value_seconds(reader, place, value, &reader->settings->negative_max_ttl);
}

void read_cache_stale(struct reader *reader, const struct place *place, const json_t *value)
{
    value_seconds(reader, place, value, &reader->settings->stale);
}

void read_control_socket(struct reader *reader, const struct place *place, const json_t *value)
{
    value_path(reader, place, value, sizeof(((struct sockaddr_un *) NULL)->sun_path),
               &reader->settings->control_socket);
}

void read_control_group(struct reader *reader, const struct place *place, const json_t *value)
{
    const char *name = value ? value_text(reader, place, value, "a group's name") : NULL;
    if (!name)
        return;
    if (getgrnam(name))
        reader->settings->control_group = reader_copy(reader, name);
    else
        reader_error(reader, place, "no such group on this system: \"%.*s\"", QUOTE_MAX, name);
}

void read_state(struct reader *reader, const struct place *place, const json_t *value)
{
    /* The files in it need room for their names. */
    value_path(reader, place, value, PATH_MAX - NAME_MAX, &reader->settings->state);
}

void read_log_level(struct reader *reader, const struct place *place, const json_t *value)
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

void read_log_format(struct reader *reader, const struct place *place, const json_t *value)
{
    static const char *const words[] = {[LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json", NULL};
    size_t                   word;
    if (value_word(reader, place, value, words, &word))
        reader->settings->log_format = (enum log_format) word;
}

void read_log_queries(struct reader *reader, const struct place *place, const json_t *value)
{
    static const char *const words[] = {[LOG_QUERIES_OFF]      = "off",
                                        [LOG_QUERIES_FAILED]   = "failed",
                                        [LOG_QUERIES_EXTERNAL] = "external",
                                        [LOG_QUERIES_ALL]      = "all",
                                        NULL};
    size_t                   word;
    if (value_word(reader, place, value, words, &word))
        reader->settings->log_queries = (enum log_queries) word;
}
