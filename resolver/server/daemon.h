/*
 * daemon.h: everything that runs, put together. The keeper is the main thread: its loop owns what is here. For the
 * files of this folder only.
 *
 * Thread: keeper.
 */
#ifndef SERVER_DAEMON_H
#define SERVER_DAEMON_H

#include "base/list.h"
#include "control/control.h"
#include "observe/history.h"
#include "probe/prober.h"
#include "server/descriptor_store.h"
#include "server/dispatch.h"
#include "server/query_log.h"
#include "server/registry.h"
#include "server/worker.h"
#include "store/store.h"

struct cluster; /* see cluster.h */

struct daemon {
    const char                  *config_path;
    struct settings_sources      sources;
    const struct control_method *methods;  /* of the control socket */
    struct settings             *settings; /* in force */
    wall_t                       read_at;
    wall_t                       started_at;
    msec_t                       started;

    uv_loop_t    loop;
    uv_async_t   wake;  /* from workers */
    uv_timer_t   timer; /* the prober's */
    uv_timer_t   pulse; /* once a second: watchdog, reclaim */
    uv_signal_t  sigterm, sigint, sighup;
    uv_prepare_t before_sleep;
    msec_t       now;
    msec_t       timer_due;
    bool         catching_up;
    bool         loading;       /* the table is being filled from disk: nothing is written back */
    bool         importing;     /* many zones change at once: that is told in one line */
    bool         reload_failed; /* the file was last read in vain */
    uint64_t     watchdog_us;
    msec_t       looked; /* at what the outside may have done, last */

    struct registry        *registry;
    struct setup           *setup;
    struct shared           shared;
    struct external_rate    quota; /* in shared */
    struct learner         *learner;
    struct prober          *prober;
    struct dispatch         dispatch;
    struct store           *store;
    struct cluster         *cluster;
    struct control         *control;
    struct web             *web;          /* NULL: none */
    struct descriptor_store passed;       /* the service manager's */
    struct address          missing;      /* [::1] of the default listen, on a host that has none; len 0: none */
    bool                    missing_told; /* that something else keeps it from being listened on */
    bool                    control_lost; /* that nobody finds it has been said */
    struct list             kept;         /* replies that wait for the disk, see durable.h */
    struct list             interviews;   /* under way, see room.h */
    struct list             lookups;      /* the same */
    struct list             explanations; /* the same */
    unsigned                interview_count, lookup_count, explanation_count;
    struct list             gatherings; /* pages that somebody waits for, see status_page.h */
    uv_idle_t               gather_turn;
    struct history          history;  /* see day.h */
    struct list             watchers; /* of events, see events.h */
    struct list             tracers;  /* of queries, see traces.h */
    struct query_log        query_log;
    atomic_int              watched;          /* what tracers and the log want; in shared */
    uint64_t                kept_from_abroad; /* questions, as was told last */
    msec_t                  kept_told;
    struct descriptors      share; /* of the workers that are started next; the keeper has what it began with */
    struct worker          *workers[LIMIT_WORKERS];
    unsigned                worker_count;
    struct worker          *leaving[LIMIT_WORKERS]; /* answer what they have and end, which takes seconds */
    unsigned                leaving_count;
    uint64_t                zone_changes[ZONE_STATE_COUNT][REASON_COUNT]; /* to a state, for a reason */
    struct counters         ended;                                        /* counters of workers that have ended */
    struct responses        ended_responses;
    uint64_t                ended_drops; /* their worker_kernel_drops() */
};

/* Reads the configuration, starts everything, runs until a signal, winds up. `methods`: what the control socket offers,
 * borrowed. The exit status. */
int daemon_run(const char *config_path, const struct settings_sources *sources, const struct control_method *methods);

enum {
    ERROR_TEXT_MAX = 512 /* bytes */
};

#endif
