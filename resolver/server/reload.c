/*
 * reload.c: see reload.h. All or nothing, in four steps:
 *   1. read           reload_read(): the file; an error ends it here
 *   2. compare        immovable(): what cannot change while running ends it too
 *   3. make ready     make_ready(): shares of descriptors, the setup, sockets, workers, the control socket; each may
 *                     fail, and then all of it is undone
 *   4. put in force   put_in_force(): cannot fail
 */
#include "server/reload.h"

#include "base/log.h"
#include "server/clock.h"
#include "server/control_socket.h"
#include "server/day.h"
#include "server/events.h"
#include "server/keeper.h"
#include "server/listeners.h"
#include "server/traces.h"
#include "server/web_socket.h"
#include "server/workers.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

struct reports {
    json_t *warnings; /* or NULL */
    json_t *held;     /* warnings that wait to be logged; NULL: they are at once */
    char   *first;    /* ERROR_TEXT_MAX bytes */
    size_t  errors;
};

static void warn(struct reports *reports, const char *text)
{
    if (!reports->held || json_array_append_new(reports->held, json_string(text)) < 0)
        log_warning("configuration: %s", text);
    if (reports->warnings)
        json_array_append_new(reports->warnings, json_string(text));
}

static void report(void *context, const char *text)
{
    static const char prefix[] = "warning: ";
    struct reports   *reports  = context;
    if (strncmp(text, prefix, sizeof(prefix) - 1) == 0) {
        warn(reports, text + sizeof(prefix) - 1);
        return;
    }
    log_error("configuration: %s", text);
    if (reports->errors++ == 0)
        snprintf(reports->first, ERROR_TEXT_MAX, "%s", text);
}

struct settings *reload_read(const struct daemon *daemon, json_t *warnings, char ret_error[ERROR_TEXT_MAX])
{
    struct reports   reports  = {.warnings = warnings, .first = ret_error, .held = json_array()};
    struct settings *settings = settings_read(daemon->config_path, &daemon->sources, report, &reports);
    if (settings && !daemon->settings) /* at the start: what follows is logged as it says */
        log_configure(settings->log_level, settings->log_format);
    size_t  i;
    json_t *text;
    json_array_foreach(reports.held, i, text) log_warning("configuration: %s", json_string_value(text));
    json_decref(reports.held);
    if (!settings && reports.errors > 1) {
        size_t used = strlen(ret_error);
        snprintf(ret_error + used, ERROR_TEXT_MAX - used, " (and %zu more in the log)", reports.errors - 1);
    }
    return settings;
}

/* A stored answer names its group by index. */
static bool same_groups(const struct settings *a, const struct settings *b)
{
    if (a->group_count != b->group_count)
        return false;
    for (size_t i = 0; i < a->group_count; i++)
        if (strcmp(a->groups[i].name, b->groups[i].name) != 0)
            return false;
    return true;
}

static bool same_refusals(const struct refusals *a, const struct refusals *b)
{
    return a->count == b->count && memcmp(a->addresses, b->addresses, a->count * sizeof(a->addresses[0])) == 0;
}

static size_t next_list(const struct settings *settings, size_t i)
{
    while (i < settings->rule_count && !settings->rules[i].is_list)
        i++;
    return i;
}

/* Else something may be stored that nobody looked at for errors: it was no blocklist's then, or no error, or was passed
 * on. */
static bool same_blocklists(const struct settings *a, const struct settings *b)
{
    size_t i = next_list(a, 0), j = next_list(b, 0);
    for (; i < a->rule_count && j < b->rule_count; i = next_list(a, i + 1), j = next_list(b, j + 1))
        if (!name_equal(name_view(&a->rules[i].zone), name_view(&b->rules[j].zone)) ||
            !same_refusals(&a->rules[i].refusals, &b->rules[j].refusals))
            return false;
    return i == a->rule_count && j == b->rule_count && a->pass_list_errors == b->pass_list_errors;
}

static bool same_forgery(const struct forgery *a, const struct forgery *b)
{
    if (a->block_count != b->block_count || a->name_count != b->name_count ||
        (a->block_count && memcmp(a->blocks, b->blocks, a->block_count * sizeof(a->blocks[0])) != 0))
        return false;
    for (size_t i = 0; i < a->name_count; i++)
        if (!name_equal(name_view(&a->names[i]), name_view(&b->names[i])))
            return false;
    return true;
}

/* Else something may be stored that was believed then, and would be passed by now. */
static bool same_suspicion(const struct settings *a, const struct settings *b)
{
    bool same_canary = a->canary.len == b->canary.len && (a->canary.len == 0 || address_equal(&a->canary, &b->canary));
    return same_canary && same_forgery(&a->forged, &b->forged) && a->fall_on_forged == b->fall_on_forged &&
           a->fall_on_nxdomain == b->fall_on_nxdomain;
}

static bool is_trusted_in(const struct group_setting *group, const struct upstream_setting *upstream)
{
    for (size_t i = 0; i < group->count; i++)
        if (way_equal(&group->upstreams[i].way, &upstream->way) && group->upstreams[i].trusted)
            return true;
    return false;
}

/* An upstream is trusted no longer; the cache may have answers with its AD bit. The groups are the same. */
static bool trust_ended(const struct settings *before, const struct settings *next)
{
    for (size_t i = 0; i < before->group_count; i++)
        for (size_t j = 0; j < before->groups[i].count; j++)
            if (before->groups[i].upstreams[j].trusted &&
                !is_trusted_in(&next->groups[i], &before->groups[i].upstreams[j]))
                return true;
    return false;
}

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static bool same_cluster(const struct settings_cluster *a, const struct settings_cluster *b)
{
    bool same_place = a->local == b->local && strcmp(a->path, b->path) == 0 && a->address.len == b->address.len &&
                      (a->address.len == 0 || address_equal(&a->address, &b->address));
    return a->on == b->on && same_place && strcmp(a->name, b->name) == 0 && strcmp(a->vantage, b->vantage) == 0 &&
           strcmp(a->node, b->node) == 0 && same_text(a->user, b->user) &&
           same_text(a->password_file, b->password_file);
}

/* What cannot change while running is said, not ignored. */
static const char *immovable(const struct settings *now, const struct settings *next)
{
    if (!same_text(now->state, next->state))
        return "state: cannot change while running; restart bywayd";
    if (!same_text(now->user, next->user))
        return "user: cannot change while running; restart bywayd";
    return NULL;
}

struct ready { /* what is made before anything is changed */
    struct setup *setup;
    struct bound  bound;
    struct web   *web;        /* daemon->web: it stays where it is */
    int           control_fd; /* -1: the control socket stays where it is */
};

static bool make_ready(struct daemon *daemon, struct settings *next, struct ready *ready,
                       char ret_error[ERROR_TEXT_MAX])
{
    unsigned workers = daemon->worker_count;
    snprintf(ret_error, ERROR_TEXT_MAX, "out of memory or descriptors");
    *ready = (struct ready){.web = daemon->web, .control_fd = -1};
    if (!workers_share(daemon, next, ret_error) || !(ready->setup = registry_setup(daemon->registry, next)))
        return false;
    if (!listeners_bind(daemon, next, daemon->settings, workers, &ready->bound, ret_error) ||
        !web_socket_move(daemon, next, &ready->web, ret_error))
        goto undo;
    if (!workers_add(daemon, next->workers) || !control_socket_move(daemon, next, &ready->control_fd, ret_error)) {
        workers_dismiss(daemon, workers);
        goto undo;
    }
    return true;

undo:
    if (ready->web != daemon->web)
        web_close(ready->web);
    if (ready->control_fd >= 0)
        close(ready->control_fd);
    listeners_discard(&ready->bound);
    setup_drop(ready->setup);
    return false;
}

/* Everything that can fail has been done: from here on the new settings are in force. */
static void put_in_force(struct daemon *daemon, struct settings *next, struct ready *ready)
{
    struct settings *before       = daemon->settings;
    struct setup    *setup_before = daemon->setup;
    bool flush = !same_groups(before, next) || trust_ended(before, next) || !same_blocklists(before, next) ||
                 !same_suspicion(before, next);
    day_bring_up(daemon);
    daemon->settings = next;
    daemon->setup    = ready->setup;
    daemon->read_at  = clock_wall();
    log_configure(next->log_level, next->log_format);
    traces_refresh(daemon);
    day_on_setup(daemon);
    epoch_set_setup(table_epoch(daemon->shared.table), ready->setup->serial); /* before anything is flushed */
    for (unsigned i = 0; i < daemon->worker_count; i++)
        worker_set_setup(daemon->workers[i], ready->setup);
    for (unsigned i = 0; i < daemon->leaving_count; i++)
        worker_set_setup(daemon->leaving[i], ready->setup); /* they too begin nothing that a new fence forbids */
    listeners_hand_over(&ready->bound, daemon);
    listeners_forget(daemon, before, next->workers);
    workers_dismiss(daemon, next->workers);
    listeners_leave(daemon, before, next);
    keeper_set_setup(daemon, !same_cluster(&before->cluster, &next->cluster) || before->max_zones != next->max_zones);
    if (flush)
        cache_flush_all(daemon->shared.cache);
    setup_drop(setup_before);
    settings_destroy(before);
    if (ready->web != daemon->web)
        web_close(daemon->web);
    daemon->web = ready->web;
    if (ready->control_fd >= 0)
        control_socket_replace(daemon, ready->control_fd);
}

static bool apply(struct daemon *daemon, struct settings *next, char ret_error[ERROR_TEXT_MAX])
{
    struct ready ready;
    const char  *cannot = immovable(daemon->settings, next);
    if (cannot) {
        snprintf(ret_error, ERROR_TEXT_MAX, "%s", cannot);
        return false;
    }
    if (!make_ready(daemon, next, &ready, ret_error))
        return false;
    put_in_force(daemon, next, &ready);
    return true;
}

static void warn_of_authorities(const struct settings *settings, struct reports *reports)
{
    char doubt[REGISTRY_DOUBT_MAX];
    if (registry_doubt(settings, doubt))
        warn(reports, doubt);
}

bool reload_configuration(struct daemon *daemon, json_t *warnings, char ret_error[ERROR_TEXT_MAX])
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long) clock_now() * 1000);
    struct settings *next = reload_read(daemon, warnings, ret_error);
    bool             good = next && apply(daemon, next, ret_error);
    if (!good && next)
        settings_destroy(next);
    if (good) {
        struct reports reports = {.warnings = warnings, .first = ret_error};
        listeners_warn(next, report, &reports);
        warn_of_authorities(next, &reports);
        log_info("reloaded %s", daemon->config_path);
    } else {
        log_error("reload: %s; the old configuration stays", ret_error);
    }
    daemon->reload_failed = !good;
    events_on_reload(daemon, good ? NULL : ret_error);
    sd_notify(0, "READY=1");
    return good;
}
