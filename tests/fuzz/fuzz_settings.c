/* A configuration, and behind a NUL the resolv.conf that it may ask for: an error, or settings whose every bound holds.
 */
#include "base/printable.h"
#include "fuzz.h"
#include "settings/relax.h"
#include "settings/settings.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct heard {
    unsigned errors, warnings;
};

static void hear(void *context, const char *text)
{
    static const char warning[] = "warning: ";
    struct heard     *heard     = context;

    CHECK(*text != '\0');
    for (const char *at = text; *at != '\0'; at += printable_length(at))
        CHECK(printable_length(at) > 0);
    if (strncmp(text, warning, sizeof(warning) - 1) == 0)
        heard->warnings++;
    else
        heard->errors++;
}

struct file { /* in memory, with a path of its own */
    int  fd;
    char path[32];
};

static void put(struct file *file, const uint8_t *data, size_t size)
{
    if (file->path[0] == '\0') {
        file->fd = memfd_create("fuzz", MFD_CLOEXEC);
        CHECK(file->fd >= 0);
        snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
    }
    CHECK(ftruncate(file->fd, 0) == 0 && pwrite(file->fd, data, size, 0) == (ssize_t) size);
}

static void check_groups(const struct settings *settings)
{
    CHECK(settings->group_count >= GROUP_OTHERS && settings->group_count <= LIMIT_GROUPS);
    CHECK(strcmp(settings->groups[GROUP_DOMESTIC].name, "domestic") == 0);
    CHECK(strcmp(settings->groups[GROUP_EXTERNAL].name, "external") == 0);
    for (size_t i = 0; i < settings->group_count; i++)
        CHECK(settings->groups[i].count >= 1 && settings->groups[i].count <= LIMIT_GROUP);
}

/* A fence that is written down stands. */
static void check_rules(const struct settings *settings)
{
    struct policy *policy = policy_create(settings->rules, settings->rule_count);

    CHECK(policy != NULL);
    for (size_t i = 0; i < settings->rule_count; i++) {
        const struct rule *rule  = &settings->rules[i];
        const struct rule *found = policy_find(policy, name_view(&rule->zone));
        CHECK(name_check(name_view(&rule->zone)) == rule->zone.len);
        CHECK(name_equal(name_view(&found->zone), name_view(&rule->zone)));
        CHECK(rule->shipped || (found->via == rule->via && found->group == rule->group && !found->shipped));
        CHECK(rule->via != VIA_GROUP || rule->group < settings->group_count);
    }
    policy_destroy(policy);
}

/* Whoever connects and writes keys needs all of it. */
static void check_cluster(const struct settings_cluster *cluster)
{
    CHECK(memchr(cluster->path, '\0', sizeof(cluster->path)) != NULL);
    CHECK(cluster->name[0] != '\0' && strlen(cluster->name) < sizeof(cluster->name));
    if (!cluster->on)
        return;
    CHECK(cluster->local ? cluster->path[0] == '/' : cluster->address.len > 0);
    CHECK(cluster->vantage[0] != '\0' && strlen(cluster->vantage) < sizeof(cluster->vantage));
    CHECK(cluster->node[0] != '\0' && strlen(cluster->node) < sizeof(cluster->node));
    CHECK(cluster->user == NULL || cluster->password_file != NULL);
}

static void check_settings(const struct settings *settings)
{
    CHECK(settings->listen_count >= 1 && settings->allow.count >= 1);
    CHECK(settings->workers >= 1 && settings->workers <= LIMIT_WORKERS);
    CHECK(settings->deadline >= 1000 && settings->deadline <= 30000);
    CHECK(settings->patience >= 0 && settings->patience <= settings->deadline);
    CHECK(settings->recheck_first >= 1000 && settings->recheck_first <= settings->recheck_max);
    CHECK(settings->recover_after >= 1 && settings->max_zones >= 1);
    CHECK(settings->negative_max_ttl <= 365 * 86400);
    CHECK(settings->min_ttl <= settings->max_ttl && settings->cache_memory >= 1 << 20);
    CHECK(settings->control_socket[0] == '/' && settings->state[0] == '/');
    check_cluster(&settings->cluster);
    check_groups(settings);
    check_rules(settings);
}

/* What is blanked out is no line's end, and nothing of what was JSON before. */
static void check_relax(const uint8_t *data, size_t len)
{
    json_t *before = json_loadb((const char *) data, len, 0, NULL);
    char   *text   = malloc(len + 1);
    size_t  at     = len;

    CHECK(text != NULL);
    memcpy(text, data, len);
    if (!relax(text, len, &at))
        CHECK(before == NULL && data[at] == '/' && data[at + 1] == '*');
    for (size_t i = 0; i < len; i++)
        CHECK(text[i] == (char) data[i] || (text[i] == ' ' && before == NULL && i < at && data[i] != '\n'));
    json_decref(before);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct file             config, resolv_conf;
    static struct settings_sources sources = {.presets = PRESETS, .host = "node"};
    const uint8_t                 *nul     = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t                         len     = nul != NULL ? (size_t) (nul - data) : size;
    struct heard                   heard   = {0};

    check_relax(data, len);
    put(&config, data, len);
    put(&resolv_conf, nul != NULL ? nul + 1 : data, nul != NULL ? size - len - 1 : 0);
    sources.resolv_conf       = resolv_conf.path;
    struct settings *settings = settings_read(config.path, &sources, hear, &heard);

    CHECK((settings == NULL) == (heard.errors > 0));
    if (settings != NULL)
        check_settings(settings);
    settings_destroy(settings);
    return 0;
}
