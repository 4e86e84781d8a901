/*
 * scribe.c: the writing thread.
 *
 * Happy path: SCRIBE_FREE → submit → SCRIBE_BUSY → the thread writes → SCRIBE_DONE, notify → collect → SCRIBE_FREE.
 *
 * A record that comes while a snapshot is written goes to the old journal, which counts until the snapshot has taken
 * its place, and to the end of the snapshot, which counts from then on. So both are whole whenever the process ends;
 * only between the end mark of the snapshot and the new journal, for some syncs, must a record wait.
 *
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

enum {
    SCRIBE_PIECE    = 1 << 20,  /* bytes of a snapshot between two looks into the mailbox, each synced */
    SCRIBE_TAIL_MAX = 16 << 20, /* bytes that came meanwhile and are kept in memory; beyond, they wait for its end */
};

struct scribe {
    pthread_t        thread;
    struct home     *home;
    scribe_notify_fn notify;
    void            *context;

    /* the thread's alone */
    struct buffer tail;          /* frames that came by mail while the snapshot is written */
    uint64_t      tail_appended; /* records known of with them */
    int           tail_error;    /* no memory for some */

    uv_mutex_t             lock; /* for what follows */
    uv_cond_t              changed;
    enum scribe_state      state;
    struct scribe_job     *job;
    struct buffer          mail;
    uint64_t               mail_appended;
    bool                   mail_open;
    struct scribe_progress progress;
};

void scribe_job_destroy(struct scribe_job *job)
{
    if (!job)
        return;
    buffer_fini(&job->frames);
    buffer_fini(&job->image);
    free(job);
}

/* Not after the owner has gone. The lock is held. */
static void tell(struct scribe *scribe)
{
    if (scribe->state == SCRIBE_BUSY)
        scribe->notify(scribe->context);
}

/* The disk has answered; `kept` records are on it. */
static void note_step(struct scribe *scribe, uint64_t kept)
{
    uv_mutex_lock(&scribe->lock);
    scribe->progress.steps++;
    if (kept > scribe->progress.kept) {
        scribe->progress.kept = kept;
        tell(scribe);
    }
    uv_mutex_unlock(&scribe->lock);
}

/* To the journal, the new one if there is one. */
static int append(struct scribe *scribe, struct scribe_job *job, struct buffer *frames, uint64_t appended)
{
    bool fresh = job->new_journal >= 0;
    int  file  = fresh ? job->new_journal : job->journal;
    int  error;
    journal_seal(frames->data, frames->len, JOURNAL_KIND_JOURNAL, fresh ? job->generation : job->journal_generation);
    error = disk_write(file, (struct view){frames->data, frames->len}, job->journal_bytes);
    if (error == 0 && fdatasync(file) < 0)
        error = -errno;
    if (error == 0 && !home_has(scribe->home, DISK_JOURNAL, file))
        error = -ENOENT;
    if (error == 0)
        job->journal_bytes += frames->len;
    note_step(scribe, error == 0 ? appended : 0);
    return error;
}

static bool take_mail(struct scribe *scribe, bool last, struct buffer *ret, uint64_t *ret_appended)
{
    uv_mutex_lock(&scribe->lock);
    *ret              = scribe->mail;
    *ret_appended     = scribe->mail_appended;
    scribe->mail      = (struct buffer){0};
    scribe->mail_open = scribe->mail_open && !last;
    if (ret->len > 0)
        tell(scribe); /* there is room */
    uv_mutex_unlock(&scribe->lock);
    return ret->len > 0;
}

/* There is a journal whose records a start would replay. Once the snapshot may have replaced the old one, what is
 * appended there is lost, although it is written. */
static bool may_append(const struct scribe_job *job)
{
    return job->append_error == 0 && (job->new_journal >= 0 || (job->journal >= 0 && !job->replaced));
}

/* Appends what has come, and keeps it for the snapshot that is being written; the last mail comes after that. */
static void read_mail(struct scribe *scribe, struct scribe_job *job, bool last)
{
    struct buffer frames;
    uint64_t      appended;
    if (!last && scribe->tail.len > SCRIBE_TAIL_MAX)
        return;
    if (!take_mail(scribe, last, &frames, &appended))
        return;
    if (may_append(job))
        job->append_error = append(scribe, job, &frames, appended);
    if (!last) {
        scribe->tail_appended = appended;
        if (!buffer_take(&scribe->tail, &frames))
            scribe->tail_error = -ENOMEM;
    }
    buffer_fini(&frames);
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

/* In pieces that are synced each: of a disk that has much to do a sync of the journal would wait for all of it. */
static int write_image(struct scribe *scribe, struct scribe_job *job, int file)
{
    journal_seal(job->image.data + JOURNAL_HEADER_BYTES, job->image.len - JOURNAL_HEADER_BYTES, JOURNAL_KIND_SNAPSHOT,
                 job->generation);
    for (size_t pos = 0, len; pos < job->image.len; pos += len) {
        int error;

        len   = job->image.len - pos < SCRIBE_PIECE ? job->image.len - pos : SCRIBE_PIECE;
        error = disk_write(file, (struct view){job->image.data + pos, len}, pos);
        if (error == 0 && fdatasync(file) < 0)
            error = -errno;
        note_step(scribe, 0);
        if (error < 0)
            return error;
        read_mail(scribe, job, false);
    }
    return 0;
}

/* What came meanwhile, newer than all before it, and the end mark. */
static int write_tail(struct scribe *scribe, struct scribe_job *job, int file)
{
    struct buffer *tail = &scribe->tail;
    int            error;
    if (scribe->tail_error < 0 || !journal_add_end(tail))
        return -ENOMEM;
    journal_seal(tail->data, tail->len, JOURNAL_KIND_SNAPSHOT, job->generation);
    error = disk_write(file, (struct view){tail->data, tail->len}, job->image.len);
    if (error == 0 && fsync(file) < 0)
        error = -errno;
    job->snapshot_bytes = job->image.len + tail->len;
    note_step(scribe, 0);
    return error;
}

static int prepare_journal(struct scribe *scribe, struct scribe_job *job, int directory, int *ret_file)
{
    struct buffer header = {0};
    int           error  = -ENOMEM;
    if (journal_add_header(&header, JOURNAL_KIND_JOURNAL, job->generation))
        error = disk_prepare(directory, DISK_JOURNAL, (struct view){header.data, header.len}, ret_file);
    buffer_fini(&header);
    note_step(scribe, 0);
    return error;
}

/* Both files are ready before the first takes its place, for then the old journal counts no more. From the tail on no
 * mail is read: it could be in neither. The directory is synced between the two: a journal must never be newer than the
 * snapshot that lies beside it. */
static int replace(struct scribe *scribe, struct scribe_job *job, int directory)
{
    int snapshot, journal = -1;
    int error = disk_create(directory, DISK_SNAPSHOT, &snapshot);
    if (error < 0)
        return error;
    error = write_image(scribe, job, snapshot);
    if (error == 0)
        error = prepare_journal(scribe, job, directory, &journal);
    if (error == 0) {
        read_mail(scribe, job, false);
        error = write_tail(scribe, job, snapshot);
    }
    if (error < 0)
        goto out;
    job->replaced = true;
    error         = disk_commit(directory, DISK_SNAPSHOT);
    note_step(scribe, 0);
    if (error == 0)
        error = disk_commit(directory, DISK_JOURNAL);
    if (error < 0)
        goto out;
    close(snapshot);
    job->new_journal   = journal;
    job->journal_bytes = JOURNAL_HEADER_BYTES;
    job->append_error  = 0;
    note_step(scribe, job->appended > scribe->tail_appended ? job->appended : scribe->tail_appended);
    return 0;
out:
    if (journal >= 0)
        disk_discard(directory, DISK_JOURNAL, journal);
    disk_discard(directory, DISK_SNAPSHOT, snapshot);
    return error;
}

static int write_snapshot(struct scribe *scribe, struct scribe_job *job)
{
    bool moved;
    int  error = home_find(scribe->home, &moved);
    if (moved) /* it is another's, or older */
        job->set_aside_snapshot = job->set_aside_journal = true;
    if (error == 0)
        error = set_aside(job, scribe->home->directory);
    if (error == 0)
        error = replace(scribe, job, scribe->home->directory);
    buffer_fini(&scribe->tail);
    scribe->tail_appended = 0;
    scribe->tail_error    = 0;
    return error;
}

static void write_job(struct scribe *scribe, struct scribe_job *job)
{
    if (job->frames.len > 0)
        job->append_error = append(scribe, job, &job->frames, job->appended);
    if (job->image.len > 0)
        job->snapshot_error = write_snapshot(scribe, job);
    read_mail(scribe, job, true);
}

static void scribe_free(struct scribe *scribe)
{
    if (scribe->job && scribe->job->new_journal >= 0)
        close(scribe->job->new_journal);
    scribe_job_destroy(scribe->job);
    buffer_fini(&scribe->mail);
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
        write_job(scribe, job);
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
    if (!scribe)
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
    job->new_journal  = -1;
    scribe->job       = job;
    scribe->state     = SCRIBE_BUSY;
    scribe->mail_open = job->image.len > 0;
    uv_cond_broadcast(&scribe->changed);
    uv_mutex_unlock(&scribe->lock);
}

bool scribe_post(struct scribe *scribe, struct buffer *frames, uint64_t appended)
{
    bool taken;
    uv_mutex_lock(&scribe->lock);
    taken = scribe->mail_open && scribe->mail.len == 0;
    if (taken) {
        scribe->mail          = *frames;
        scribe->mail_appended = appended;
        *frames               = (struct buffer){0};
    }
    uv_mutex_unlock(&scribe->lock);
    return taken;
}

struct scribe_progress scribe_progress(struct scribe *scribe)
{
    struct scribe_progress progress;
    uv_mutex_lock(&scribe->lock);
    progress = scribe->progress;
    uv_mutex_unlock(&scribe->lock);
    return progress;
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
