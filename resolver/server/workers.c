/*
 * workers.c: see workers.h.
 */
#include "server/workers.h"

#include "base/log.h"
#include "observe/web.h"
#include "server/keeper.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>

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

bool workers_add(struct daemon *daemon, unsigned count)
{
    while (daemon->worker_count < count) {
        struct worker *worker = new_worker(daemon);
        if (!worker)
            return false;
        daemon->workers[daemon->worker_count++] = worker;
    }
    return true;
}

void workers_dismiss(struct daemon *daemon, unsigned keep)
{
    while (daemon->worker_count > keep) {
        struct worker *worker = daemon->workers[--daemon->worker_count];
        worker_stop(worker, WORKER_LEAVES);
        if (daemon->leaving_count == LIMIT_WORKERS)
            keeper_reap_workers(daemon, true);
        daemon->leaving[daemon->leaving_count++] = worker;
    }
}

void workers_end(struct daemon *daemon)
{
    enum worker_end end = daemon->passed.keeps ? WORKER_HANDS_ON : WORKER_ENDS;
    for (unsigned i = 0; i < daemon->leaving_count; i++)
        worker_stop(daemon->leaving[i], end);
    for (unsigned i = 0; i < daemon->worker_count; i++)
        worker_stop(daemon->workers[i], end);
    workers_dismiss(daemon, 0);
    keeper_reap_workers(daemon, true);
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

bool workers_share(struct daemon *daemon, struct settings *settings, char ret_error[ERROR_TEXT_MAX])
{
    struct descriptors share;
    uint64_t           limit = raise_descriptors(), needed;
    uint64_t           web   = settings->metrics.len > 0 ? WEB_DESCRIPTORS : 0;
    if (!descriptors_share(limit > web ? limit - web : 0, settings->workers, settings->listen_count, &share, &needed)) {
        snprintf(ret_error, ERROR_TEXT_MAX,
                 "%" PRIu64 " file descriptors are too few: %" PRIu64 " are needed at least (LimitNOFILE, ulimit -n)",
                 limit, needed + web);
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
