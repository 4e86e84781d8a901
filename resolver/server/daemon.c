/*
 * daemon.c: see daemon.h. Start, reload and stop of everything, in this order and back.
 *
 *   start: settings, lock in `state`, sockets bound, control socket, privileges dropped, keeper (replay), workers,
 * READY stop:  workers (they answer what they have), control, keeper (snapshot), lock
 */
#include "server/daemon.h"

#include "base/log.h"
#include "server/clock.h"
#include "server/commands.h"
#include "server/keeper.h"
#include "server/listeners.h"
#include "server/privileges.h"
#include "server/refusal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum {
    PULSE       = 1000 /* ms */,
    WORKER_DEAD = 20000 /* ms without a turn of its loop: the watchdog is not fed any more */
};

/* ---- workers ---- */

static struct worker *new_worker(struct daemon *daemon)
{
    struct worker_options options = {.shared = daemon->shared,
                                     .number = daemon->worker_count,
                                     .setup  = daemon->setup,
                                     .keeper = &daemon->wake,
                                     .share  = daemon->share};
    if (getentropy(options.seed, sizeof(options.seed)) != 0)
        return NULL;
    return worker_start(&options);
}

static bool add_workers(struct daemon *daemon, unsigned count)
{
    while (daemon->worker_count < count) {
        struct worker *worker = new_worker(daemon);
        if (!worker)
            return false;
        daemon->workers[daemon->worker_count++] = worker;
    }
    return true;
}

/* They end on their own; keeper_bury() frees them. More at once than there may be workers are waited for. */
static void dismiss_workers(struct daemon *daemon, unsigned keep)
{
    while (daemon->worker_count > keep) {
        struct worker *worker = daemon->workers[--daemon->worker_count];
        worker_stop(worker);
        if (daemon->leaving_count == LIMIT_WORKERS)
            keeper_bury(daemon, true);
        daemon->leaving[daemon->leaving_count++] = worker;
    }
}

/* ---- settings ---- */

struct reports {
    json_t *warnings; /* or NULL */
    char   *first;    /* ERROR_TEXT_MAX bytes, or NULL */
    size_t  errors;
};

static void report(void *context, const char *text)
{
    static const char prefix[] = "warning: ";
    struct reports   *reports  = context;
    if (strncmp(text, prefix, sizeof(prefix) - 1) == 0) {
        log_warning("configuration: %s", text + sizeof(prefix) - 1);
        if (reports->warnings)
            json_array_append_new(reports->warnings, json_string(text + sizeof(prefix) - 1));
        return;
    }
    log_error("configuration: %s", text);
    if (reports->errors++ == 0 && reports->first)
        snprintf(reports->first, ERROR_TEXT_MAX, "%s", text);
}

static struct settings *read_settings(struct daemon *daemon, struct reports *reports)
{
    struct settings *settings = settings_read(daemon->config_path, &daemon->sources, report, reports);
    if (!settings && reports->first && reports->errors > 1) {
        size_t used = strlen(reports->first);
        snprintf(reports->first + used, ERROR_TEXT_MAX - used, " (and %zu more in the log)", reports->errors - 1);
    }
    return settings;
}

static bool open_control(const struct settings *settings, int *ret_fd, char ret_error[ERROR_TEXT_MAX])
{
    *ret_fd = control_bind(settings->control_socket, privileges_control_group(settings));
    if (*ret_fd >= 0)
        return true;
    char text[REFUSAL_MAX];
    snprintf(ret_error, ERROR_TEXT_MAX, "%s", refusal_of_control(settings->control_socket, -*ret_fd, text));
    return false;
}

static bool start_control(struct daemon *daemon, int fd)
{
    const struct control_options options = {
        .methods = commands, .group = privileges_control_group(daemon->settings), .context = daemon};
    daemon->control = control_start(&daemon->loop, fd, &options);
    return daemon->control != NULL;
}

/* A socket for each question that waits: the soft limit is made for programs that use select(). */
static uint64_t raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

/* What the process may open bounds how many workers there are, and what each may take. */
static bool share_descriptors(struct daemon *daemon, struct settings *settings, char ret_error[ERROR_TEXT_MAX])
{
    struct descriptors share;
    uint64_t           limit = raise_descriptors(), needed;
    if (!descriptors_share(limit, settings->workers, settings->listen_count, &share, &needed)) {
        snprintf(ret_error, ERROR_TEXT_MAX,
                 "%" PRIu64 " file descriptors are too few: %" PRIu64 " are needed at least (LimitNOFILE, ulimit -n)",
                 limit, needed);
        return false;
    }
    if (share.workers < settings->workers || share.sockets < DESCRIPTORS_PLENTY)
        log_warning("only %" PRIu64 " file descriptors (LimitNOFILE, ulimit -n): %u of %u workers; each has %u sockets "
                    "towards upstreams and takes %u TCP connections",
                    limit, share.workers, settings->workers, share.sockets, share.clients);
    settings->workers = share.workers;
    daemon->share     = share;
    return true;
}

/* ---- reload ---- */

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

static bool is_trusted_in(const struct group_setting *group, const struct upstream_setting *upstream)
{
    for (size_t i = 0; i < group->count; i++)
        if (address_equal(&group->upstreams[i].address, &upstream->address) && group->upstreams[i].trusted)
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

/* What cannot change while running is said, not ignored. */
static const char *immovable(const struct settings *now, const struct settings *next)
{
    if (!same_text(now->state, next->state))
        return "state: cannot change while running; restart bywayd";
    if (!same_text(now->user, next->user))
        return "user: cannot change while running; restart bywayd";
    return NULL;
}

static bool move_control(struct daemon *daemon, const struct settings *next, int *ret_fd,
                         char ret_error[ERROR_TEXT_MAX])
{
    if (!same_text(daemon->settings->control_socket, next->control_socket) || !daemon->control)
        return open_control(next, ret_fd, ret_error);
    if (same_text(daemon->settings->control_group, next->control_group))
        return true;
    int error = control_set_group(daemon->control, privileges_control_group(next));
    if (error != 0)
        snprintf(ret_error, ERROR_TEXT_MAX, "control.group: cannot give %s to it: %s", next->control_socket,
                 strerror(-error));
    return error == 0;
}

/* Everything that can fail has been done: from here on the new settings are in force. */
static void put_in_force(struct daemon *daemon, struct settings *next, struct setup *setup, struct bound *bound)
{
    struct settings *before       = daemon->settings;
    struct setup    *setup_before = daemon->setup;
    bool             flush = !same_groups(before, next) || trust_ended(before, next) || !same_blocklists(before, next);
    daemon->settings       = next;
    daemon->setup          = setup;
    daemon->read_at        = clock_wall();
    log_configure(next->log_level, next->log_format);
    epoch_set_setup(table_epoch(daemon->shared.table), setup->serial); /* before anything is flushed */
    for (unsigned i = 0; i < daemon->worker_count; i++)
        worker_set_setup(daemon->workers[i], setup);
    for (unsigned i = 0; i < daemon->leaving_count; i++)
        worker_set_setup(daemon->leaving[i], setup); /* they too begin nothing that a new fence forbids */
    listeners_hand_over(bound, daemon);
    dismiss_workers(daemon, next->workers);
    listeners_leave(daemon, before, next);
    keeper_set_setup(daemon);
    if (flush)
        cache_flush_all(daemon->shared.cache);
    setup_drop(setup_before);
    settings_destroy(before);
}

static bool apply(struct daemon *daemon, struct settings *next, char ret_error[ERROR_TEXT_MAX])
{
    const char   *cannot     = immovable(daemon->settings, next);
    unsigned      workers    = daemon->worker_count;
    int           control_fd = -1;
    struct bound  bound      = {0};
    struct setup *setup      = NULL;
    snprintf(ret_error, ERROR_TEXT_MAX, "%s", cannot ? cannot : "out of memory or descriptors");
    if (cannot || !share_descriptors(daemon, next, ret_error) || !(setup = registry_setup(daemon->registry, next)))
        return false;
    if (!listeners_bind(next, daemon->settings, workers, &bound, ret_error))
        goto undo;
    if (!add_workers(daemon, next->workers) || !move_control(daemon, next, &control_fd, ret_error)) {
        dismiss_workers(daemon, workers);
        goto undo;
    }
    put_in_force(daemon, next, setup, &bound);
    if (control_fd >= 0) {
        struct control *before = daemon->control;
        if (!start_control(daemon, control_fd))
            log_error("control.socket: out of memory; there is no control socket until the next reload");
        if (before)
            control_close(before);
    }
    return true;

undo:
    if (control_fd >= 0)
        close(control_fd);
    listeners_discard(&bound);
    setup_drop(setup);
    return false;
}

bool daemon_reload(struct daemon *daemon, json_t *warnings, char ret_error[ERROR_TEXT_MAX])
{
    struct reports reports = {.warnings = warnings, .first = ret_error};
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long) clock_now() * 1000);
    struct settings *next = read_settings(daemon, &reports);
    bool             good = next && apply(daemon, next, ret_error);
    if (!good && next)
        settings_destroy(next);
    if (good)
        log_info("reloaded %s", daemon->config_path);
    else
        log_error("reload: %s; the old configuration stays", ret_error);
    sd_notify(0, "READY=1");
    return good;
}

/* ---- signals and pulse ---- */

static void on_stop(uv_signal_t *signal, int number)
{
    struct daemon *daemon = signal->data;
    log_info("stopping on %s", number == SIGTERM ? "SIGTERM" : "SIGINT");
    uv_stop(&daemon->loop);
}

static void on_reload(uv_signal_t *signal, int number)
{
    char error[ERROR_TEXT_MAX];
    (void) number;
    keeper_begin(signal->data);
    daemon_reload(signal->data, NULL, error);
}

static bool all_alive(const struct daemon *daemon)
{
    for (unsigned i = 0; i < daemon->worker_count; i++)
        if (daemon->now - worker_pulse(daemon->workers[i]) > WORKER_DEAD)
            return false;
    return true;
}

static void on_pulse(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    keeper_begin(daemon);
    if (daemon->watchdog_us && all_alive(daemon))
        sd_notify(0, "WATCHDOG=1");
    learner_reclaim(daemon->learner); /* last, and no oftener: it waits until each worker has ended a turn */
}

static bool init_loop(struct daemon *daemon)
{
    signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&daemon->loop) != 0) {
        log_error("out of memory or descriptors");
        return false;
    }
    uv_signal_init(&daemon->loop, &daemon->sigterm);
    uv_signal_init(&daemon->loop, &daemon->sigint);
    uv_signal_init(&daemon->loop, &daemon->sighup);
    uv_timer_init(&daemon->loop, &daemon->pulse);
    daemon->sigterm.data = daemon->sigint.data = daemon->sighup.data = daemon->pulse.data = daemon;
    uv_signal_start(&daemon->sigterm, on_stop, SIGTERM);
    uv_signal_start(&daemon->sigint, on_stop, SIGINT);
    uv_signal_start(&daemon->sighup, on_reload, SIGHUP);
    sd_watchdog_enabled(0, &daemon->watchdog_us);
    uint64_t pulse = PULSE;
    if (daemon->watchdog_us && daemon->watchdog_us / 2000 < pulse)
        pulse = daemon->watchdog_us / 2000;
    uv_timer_start(&daemon->pulse, on_pulse, pulse, pulse);
    return true;
}

static void close_handle(uv_handle_t *handle, void *argument)
{
    (void) argument;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_loop(struct daemon *daemon)
{
    uv_signal_stop(&daemon->sigterm);
    uv_walk(&daemon->loop, close_handle, NULL);
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    uv_loop_close(&daemon->loop);
}

/* ---- start and stop ---- */

static bool take_lock(struct daemon *daemon)
{
    int pid   = 0;
    int error = store_lock(daemon->settings->state, &pid, &daemon->store);
    if (error == 0)
        return true;
    if (error == -EWOULDBLOCK && pid > 0)
        log_error("state: another bywayd (process %d) uses %s", pid, daemon->settings->state);
    else if (error == -EWOULDBLOCK)
        log_error("state: another bywayd uses %s", daemon->settings->state);
    else
        log_error("state: cannot use %s: %s", daemon->settings->state, strerror(-error));
    return false;
}

static bool start(struct daemon *daemon)
{
    char         error[ERROR_TEXT_MAX] = "out of memory or descriptors";
    struct bound bound                 = {0};
    int          control_fd            = -1;
    daemon->registry                   = registry_create();
    daemon->setup                      = daemon->registry ? registry_setup(daemon->registry, daemon->settings) : NULL;
    if (!daemon->setup) {
        log_error("%s", error);
        return false;
    }
    if (!privileges_prepare(daemon->settings) || !take_lock(daemon))
        return false;
    if (!listeners_bind(daemon->settings, NULL, 0, &bound, error) ||
        !open_control(daemon->settings, &control_fd, error)) {
        log_error("%s", error);
        listeners_discard(&bound);
        return false;
    }
    if (!privileges_drop(daemon->settings) || !keeper_open(daemon)) {
        close(control_fd);
    } else if (!start_control(daemon, control_fd)) {
        log_error("cannot start the control socket: %s", error);
    } else if (!add_workers(daemon, daemon->settings->workers)) {
        log_error("cannot start the workers: %s", error);
    } else {
        listeners_hand_over(&bound, daemon);
        return true;
    }
    listeners_discard(&bound);
    return false;
}

static void stop(struct daemon *daemon)
{
    dismiss_workers(daemon, 0);
    keeper_bury(daemon, true);
    if (daemon->control)
        control_close(daemon->control);
    daemon->control = NULL;
    keeper_close(daemon);
    close_loop(daemon);
    setup_drop(daemon->setup);
    registry_destroy(daemon->registry);
    settings_destroy(daemon->settings);
}

int daemon_run(const char *config_path, const struct settings_sources *sources)
{
    struct daemon *daemon = calloc(1, sizeof(*daemon));
    if (!daemon) {
        log_error("out of memory");
        return EXIT_FAILURE;
    }
    struct reports reports = {0};
    list_init(&daemon->kept);
    daemon->config_path = config_path;
    daemon->sources     = *sources;
    daemon->started     = clock_now();
    daemon->read_at     = clock_wall();
    daemon->settings    = read_settings(daemon, &reports);
    if (!daemon->settings) {
        free(daemon);
        return EXIT_FAILURE;
    }
    log_configure(daemon->settings->log_level, daemon->settings->log_format);
    char error[ERROR_TEXT_MAX];
    bool shared = share_descriptors(daemon, daemon->settings, error); /* first: libuv cannot do without some */
    if (!shared)
        log_error("%s", error);
    if (!shared || !init_loop(daemon)) {
        settings_destroy(daemon->settings);
        free(daemon);
        return EXIT_FAILURE;
    }
    char doubt[PRIVILEGES_DOUBT_MAX];
    if (privileges_doubt(daemon->settings, doubt))
        log_warning("configuration: %s", doubt);
    bool started = start(daemon);
    if (started) {
        log_info("bywayd %s serves with %u workers", BYWAY_VERSION, daemon->worker_count);
        sd_notify(0, "READY=1");
        uv_run(&daemon->loop, UV_RUN_DEFAULT);
        sd_notify(0, "STOPPING=1");
    }
    stop(daemon);
    free(daemon);
    return started ? EXIT_SUCCESS : EXIT_FAILURE;
}
