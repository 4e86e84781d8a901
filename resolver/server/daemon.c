/*
 * daemon.c: see daemon.h. Start and stop of everything, in this order and back.
 *
 * Start: settings, lock in `state`, sockets bound, control socket, privileges dropped, keeper (replay), workers, READY.
 *
 * Stop: workers (they answer what they have), web, control, keeper (snapshot), lock.
 */
#include "server/daemon.h"

#include "base/log.h"
#include "server/clock.h"
#include "server/control_socket.h"
#include "server/day.h"
#include "server/keeper.h"
#include "server/listeners.h"
#include "server/privileges.h"
#include "server/registry.h"
#include "server/reload.h"
#include "server/room.h"
#include "server/status_page.h"
#include "server/web_socket.h"
#include "server/workers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum {
    PULSE       = 1000 /* ms */,
    LOOK_EVERY  = 3000 /* ms between looks at what the outside may have done to us */,
    WORKER_DEAD = 20000 /* ms without a turn of its loop: the watchdog is not fed any more */
};

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
    reload_configuration(signal->data, NULL, error);
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
    if (log_catch_up())
        query_log_on_time(daemon, keeper_traces_lost(daemon));
    if (daemon->now - daemon->looked >= LOOK_EVERY) {
        daemon->looked = daemon->now;
        control_socket_look(daemon);
        listeners_look(daemon);
    }
    day_on_pulse(daemon);
    learner_reclaim(daemon->learner); /* last, and no oftener: it waits until each worker has ended a turn */
}

/* They are held back until somebody handles them: a reload that is asked for while it starts must not end it. They may
 * also be held back by whoever started it. */
static void hold_signals(int how)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(how, &signals, NULL);
}

static bool init_loop(struct daemon *daemon)
{
    if (uv_loop_init(&daemon->loop) != 0) {
        log_error("out of memory or descriptors");
        return false;
    }
    uv_signal_init(&daemon->loop, &daemon->sigterm);
    uv_signal_init(&daemon->loop, &daemon->sigint);
    uv_signal_init(&daemon->loop, &daemon->sighup);
    uv_timer_init(&daemon->loop, &daemon->pulse);
    status_page_open(daemon);
    daemon->sigterm.data = daemon->sigint.data = daemon->sighup.data = daemon->pulse.data = daemon;
    uv_signal_start(&daemon->sigterm, on_stop, SIGTERM);
    uv_signal_start(&daemon->sigint, on_stop, SIGINT);
    uv_signal_start(&daemon->sighup, on_reload, SIGHUP);
    hold_signals(SIG_UNBLOCK);
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

static bool take_lock(struct daemon *daemon, const struct store_owner *owner)
{
    char why[STORE_WHY_MAX];
    if (store_lock(daemon->settings->state, owner, why, &daemon->store) == 0)
        return true;
    log_error("state: %s", why);
    return false;
}

static bool start(struct daemon *daemon)
{
    char               error[ERROR_TEXT_MAX] = "out of memory or descriptors";
    struct bound       bound                 = {0};
    int                control_fd = -1, web_fd = -1;
    bool               gives;
    struct store_owner owner;
    daemon->registry = registry_create();
    daemon->setup    = daemon->registry ? registry_setup(daemon->registry, daemon->settings) : NULL;
    if (!daemon->setup) {
        log_error("%s", error);
        return false;
    }
    if (!privileges_owner(daemon->settings, &gives, &owner) || !take_lock(daemon, gives ? &owner : NULL) ||
        !privileges_prepare(daemon->settings))
        return false;
    if (!listeners_bind(daemon, daemon->settings, NULL, 0, &bound, error) ||
        !web_socket_open(daemon->settings, &web_fd, error) ||
        !control_socket_open(daemon->settings, &control_fd, error)) {
        log_error("%s", error);
        close(web_fd);
        listeners_discard(&bound);
        return false;
    }
    if (gives)
        listeners_give(&bound, owner.user);
    if (!privileges_drop(daemon->settings) || !keeper_open(daemon)) {
        close(control_fd);
        close(web_fd);
    } else if (!web_socket_start(daemon, web_fd, &daemon->web)) {
        log_error("cannot serve metrics.listen: %s", error);
        close(control_fd);
    } else if (!control_socket_start(daemon, control_fd)) {
        log_error("cannot start the control socket: %s", error);
    } else if (!workers_add(daemon, daemon->settings->workers)) {
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
    workers_end(daemon);
    web_close(daemon->web);
    if (daemon->control)
        control_close(daemon->control);
    daemon->control = NULL;
    rooms_end(&daemon->interviews); /* the control socket is closed: it is told nobody */
    rooms_end(&daemon->lookups);
    rooms_end(&daemon->explanations);
    keeper_close(daemon);
    close_loop(daemon);
    setup_drop(daemon->setup);
    registry_destroy(daemon->registry);
}

/* What comes before anything is opened. False: logged. */
static bool prepare(struct daemon *daemon, const char *config_path, const struct settings_sources *sources)
{
    char error[ERROR_TEXT_MAX];
    list_init(&daemon->kept);
    list_init(&daemon->interviews);
    list_init(&daemon->lookups);
    list_init(&daemon->explanations);
    list_init(&daemon->watchers);
    list_init(&daemon->tracers);
    daemon->config_path = config_path;
    daemon->sources     = *sources;
    daemon->started     = clock_now();
    daemon->started_at  = clock_wall();
    daemon->read_at     = daemon->started_at;
    daemon->settings    = reload_read(daemon, NULL, error);
    if (!daemon->settings)
        return false;
    if (workers_share(daemon, daemon->settings, error)) /* first: libuv cannot do without some */
        return init_loop(daemon);
    log_error("%s", error);
    return false;
}

static void serve(struct daemon *daemon)
{
    log_info("bywayd %s serves with %u workers", BYWAY_VERSION, daemon->worker_count);
    sd_notify(0, "READY=1");
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    sd_notify(0, "STOPPING=1");
}

/* Where one of the standard streams is closed the next file that is opened would take its place, be it a socket, and
 * the log would go there. */
static void open_standard_streams(void)
{
    int fd;
    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
        ;
    if (fd >= 0)
        close(fd);
}

static void say_doubts(const struct settings *settings)
{
    char doubt[PRIVILEGES_DOUBT_MAX], unread[REGISTRY_DOUBT_MAX];
    if (privileges_doubt(settings, doubt))
        log_warning("configuration: %s", doubt);
    if (registry_doubt(settings, unread))
        log_warning("configuration: %s", unread);
}

int daemon_run(const char *config_path, const struct settings_sources *sources, const struct control_method *methods)
{
    hold_signals(SIG_BLOCK);
    signal(SIGPIPE, SIG_IGN);
    open_standard_streams();
    log_open();
    struct daemon *daemon = calloc(1, sizeof(*daemon));
    if (!daemon) {
        log_error("out of memory");
        return EXIT_FAILURE;
    }
    daemon->methods = methods;
    bool started    = false;
    if (descriptor_store_open(&daemon->passed) && prepare(daemon, config_path, sources)) {
        say_doubts(daemon->settings);
        started = start(daemon);
        if (started)
            serve(daemon);
        stop(daemon);
    }
    descriptor_store_close(&daemon->passed);
    settings_destroy(daemon->settings);
    free(daemon);
    return started ? EXIT_SUCCESS : EXIT_FAILURE;
}
