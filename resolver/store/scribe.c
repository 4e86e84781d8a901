/*
 * scribe.c: the writing thread.
 *
 * Happy path: SCRIBE_FREE → submit → SCRIBE_BUSY → the thread writes → SCRIBE_DONE, notify → collect → SCRIBE_FREE.
 * Stopping: a free or done thread is told SCRIBE_STOPPING and joined. A busy one is told SCRIBE_ABANDONED and
 * detached; it gives up the directory and what it owns when its system call returns, if ever.
 */
#include "store/scribe.h"

#include "store/disk.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

enum scribe_state {
    SCRIBE_FREE,
    SCRIBE_BUSY,
    SCRIBE_DONE,
    SCRIBE_STOPPING,
    SCRIBE_ABANDONED,
};

struct scribe {
    pthread_t        thread;
    struct home     *home;
    scribe_notify_fn notify;
    void            *context;

    uv_mutex_t         lock; /* for what follows */
    uv_cond_t          changed;
    enum scribe_state  state;
    struct scribe_job *job;
};

void scribe_job_destroy(struct scribe_job *job)
{
    if (job == NULL)
        return;
    buffer_fini(&job->frames);
    buffer_fini(&job->image);
    free(job);
}

static int append(const struct scribe_job *job, const struct home *home)
{
    int error;

    journal_seal(job->frames.data, job->frames.len, JOURNAL_KIND_JOURNAL, job->journal_generation);
    error = disk_write(job->journal, (struct view){job->frames.data, job->frames.len}, job->journal_bytes);
    if (error == 0 && fdatasync(job->journal) < 0)
        error = -errno;
    if (error == 0 && !home_has(home, DISK_JOURNAL, job->journal))
        error = -ENOENT;
    return error;
}

static int set_aside(const struct scribe_job *job, int directory)
{
    char name[DISK_NAME_MAX];
    int  error = 0;

    if (job->set_aside_snapshot)
        error = disk_set_aside(directory, DISK_SNAPSHOT, name);
    if (error == 0 && job->set_aside_journal)
        error = disk_set_aside(directory, DISK_JOURNAL, name);
    return error;
}

/* The directory is synced between the two: a journal must never be newer than the snapshot that lies beside it. */
static int replace(struct scribe_job *job, int directory)
{
    struct buffer header = {0};
    int           error, snapshot, journal;

    journal_seal(job->image.data + JOURNAL_HEADER_BYTES, job->image.len - JOURNAL_HEADER_BYTES, JOURNAL_KIND_SNAPSHOT,
                 job->generation);
    error = disk_prepare(directory, DISK_SNAPSHOT, (struct view){job->image.data, job->image.len}, &snapshot);
    if (error < 0)
        return error;
    close(snapshot);
    job->replaced = true;
    error         = disk_commit(directory, DISK_SNAPSHOT);
    if (error < 0)
        return error;
    if (!journal_add_header(&header, JOURNAL_KIND_JOURNAL, job->generation))
        return -ENOMEM;
    error = disk_prepare(directory, DISK_JOURNAL, (struct view){header.data, header.len}, &journal);
    buffer_fini(&header);
    if (error < 0)
        return error;
    error = disk_commit(directory, DISK_JOURNAL);
    if (error < 0) {
        close(journal);
        return error;
    }
    job->new_journal = journal;
    return 0;
}

static int write_snapshot(struct scribe_job *job, struct home *home)
{
    bool moved;
    int  error = home_find(home, &moved);

    if (moved) /* it is another's, or older */
        job->set_aside_snapshot = job->set_aside_journal = true;
    if (error == 0)
        error = set_aside(job, home->directory);
    return error < 0 ? error : replace(job, home->directory);
}

static void scribe_free(struct scribe *scribe)
{
    if (scribe->job != NULL && scribe->job->new_journal >= 0)
        close(scribe->job->new_journal);
    scribe_job_destroy(scribe->job);
    uv_mutex_destroy(&scribe->lock);
    uv_cond_destroy(&scribe->changed);
    free(scribe);
}

static void *scribe_run(void *argument)
{
    struct scribe *scribe = argument;
    bool           abandoned;

    uv_mutex_lock(&scribe->lock);
    while (scribe->state != SCRIBE_STOPPING && scribe->state != SCRIBE_ABANDONED) {
        struct scribe_job *job = scribe->job;

        if (scribe->state != SCRIBE_BUSY) {
            uv_cond_wait(&scribe->changed, &scribe->lock);
            continue;
        }
        uv_mutex_unlock(&scribe->lock);
        if (job->frames.len > 0)
            job->append_error = append(job, scribe->home);
        if (job->image.len > 0)
            job->snapshot_error = write_snapshot(job, scribe->home);
        uv_mutex_lock(&scribe->lock);
        if (scribe->state == SCRIBE_BUSY) {
            scribe->state = SCRIBE_DONE;
            scribe->notify(scribe->context);
            uv_cond_broadcast(&scribe->changed);
        }
    }
    abandoned = scribe->state == SCRIBE_ABANDONED;
    uv_mutex_unlock(&scribe->lock);
    if (abandoned) {
        home_close(scribe->home);
        scribe_free(scribe);
    }
    return NULL;
}

/* Signals are for the other threads; and a blocked SIGXFSZ lets a write over RLIMIT_FSIZE fail instead of kill. */
static int thread_start(struct scribe *scribe)
{
    sigset_t all, before;
    int      error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&scribe->thread, NULL, scribe_run, scribe);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct scribe *scribe_start(struct home *home, scribe_notify_fn notify, void *context)
{
    struct scribe *scribe = calloc(1, sizeof(*scribe));

    if (scribe == NULL)
        return NULL;
    scribe->home    = home;
    scribe->notify  = notify;
    scribe->context = context;
    if (uv_mutex_init(&scribe->lock) < 0)
        goto out_scribe;
    if (uv_cond_init(&scribe->changed) < 0)
        goto out_lock;
    if (thread_start(scribe) == 0)
        return scribe;
    uv_cond_destroy(&scribe->changed);
out_lock:
    uv_mutex_destroy(&scribe->lock);
out_scribe:
    free(scribe);
    return NULL;
}

void scribe_submit(struct scribe *scribe, struct scribe_job *job)
{
    uv_mutex_lock(&scribe->lock);
    assert(scribe->state == SCRIBE_FREE);
    job->new_journal = -1;
    scribe->job      = job;
    scribe->state    = SCRIBE_BUSY;
    uv_cond_broadcast(&scribe->changed);
    uv_mutex_unlock(&scribe->lock);
}

struct scribe_job *scribe_collect(struct scribe *scribe, unsigned patience_ms)
{
    uint64_t           end = uv_hrtime() + (uint64_t) patience_ms * 1000000, now;
    struct scribe_job *job = NULL;

    uv_mutex_lock(&scribe->lock);
    while (scribe->state == SCRIBE_BUSY && (now = uv_hrtime()) < end)
        uv_cond_timedwait(&scribe->changed, &scribe->lock, end - now);
    if (scribe->state == SCRIBE_DONE) {
        job           = scribe->job;
        scribe->job   = NULL;
        scribe->state = SCRIBE_FREE;
    }
    uv_mutex_unlock(&scribe->lock);
    return job;
}

bool scribe_stop(struct scribe *scribe)
{
    bool busy;

    uv_mutex_lock(&scribe->lock);
    busy          = scribe->state == SCRIBE_BUSY;
    scribe->state = busy ? SCRIBE_ABANDONED : SCRIBE_STOPPING;
    if (busy)
        pthread_detach(scribe->thread);
    uv_cond_broadcast(&scribe->changed);
    uv_mutex_unlock(&scribe->lock);
    if (!busy) {
        pthread_join(scribe->thread, NULL);
        scribe_free(scribe);
    }
    return !busy;
}
