/*
 * store.c: what is written when. It keeps two promises: a record that was appended is on disk within STORE_SYNC_MS of
 * a disk that works, and memory stays bounded with one that does not.
 *
 * Happy path: store_append() frames the record into `pending`; the scribe appends all of it to the journal and syncs.
 * When the journal has outgrown the snapshot, the owner is asked for all records, and a new snapshot with an empty
 * journal takes the place of both; what is appended meanwhile is posted to the scribe, which appends it in between.
 *
 * Failure: an append that fails leaves the journal's end unknown, so the journal is given up (STORE_GAP): records are
 * no longer queued, for the next snapshot has them anyway. It is tried at once, then with doubling pauses. The same
 * happens when `pending` outgrows its bound because the disk hangs; that it does is told as a failure. A compaction
 * that fails before the rename costs nothing: appending goes on. After the rename the old journal counts no more:
 * STORE_GAP.
 *
 * Closing: wait for the job under way, write the rest, wait; who hangs is left behind, and the lock with him, so that
 * a late write cannot meet another daemon.
 */
#include "store/store.h"

#include "store/disk.h"
#include "store/home.h"
#include "store/replay.h"
#include "store/scribe.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STORE_PAUSE_MS     = 50,      /* between two syncs: bursts share one; well inside STORE_SYNC_MS */
    STORE_LATE_MS      = 2000,    /* a call of the disk under way for longer is told: one that hangs never fails */
    STORE_RETRY_MIN_MS = 1000,    /* the first wait after a failed snapshot */
    STORE_RETRY_MAX_MS = 30000,   /* a whole snapshot is collected for each try */
    STORE_PENDING_MAX  = 4 << 20, /* bytes waiting for a slow disk; beyond, a snapshot is cheaper */
    STORE_JOURNAL_MIN  = 1 << 20, /* bytes below which compaction is not worth its syncs */
    STORE_OUTGROWN_MAX = 1 << 28, /* bytes by which a journal may outgrow its snapshot: a start reads both */
};

enum store_state {
    STORE_LOCKED,   /* nothing read yet */
    STORE_REPLAYED, /* nothing written yet */
    STORE_JOURNAL,  /* journal and `pending` together have every record */
    STORE_GAP,      /* they do not: a snapshot is due */
};

struct store {
    enum store_state state;
    struct home     *home;
    struct replay    found;

    uv_loop_t       *loop;
    uv_async_t       done; /* the scribe has finished a job, or come further in it */
    uv_timer_t       timer;
    unsigned         handles; /* not yet closed */
    struct scribe   *scribe;
    store_collect_fn collect;
    store_report_fn  report;
    void            *context;

    int           journal; /* open file; -1: none that may be appended to */
    uint64_t      journal_bytes;
    uint64_t      journal_generation;
    uint64_t      generation; /* the highest ever tried */
    uint64_t      snapshot_bytes;
    struct buffer pending; /* frames */

    bool               busy;          /* a job is with the scribe */
    bool               imaging;       /* and it has a snapshot */
    struct buffer      image;         /* being collected */
    bool               image_whole;   /* no record is missing for want of memory */
    uint64_t           steps;         /* the scribe's, when last looked at */
    uint64_t           steps_since;   /* loop time: when it was seen to have come so far */
    uint64_t           next_write;    /* loop time */
    uint64_t           next_snapshot; /* loop time */
    unsigned           retry_ms;      /* the pause after the last failure; 0: the last snapshot worked */
    bool               late;          /* that it fails is known of a late call only */
    struct store_stats stats;
};

int store_lock(const char *directory, const struct store_owner *owner, char *ret_why, struct store **ret)
{
    struct store *store = calloc(1, sizeof(*store));
    int           error;
    if (!store) {
        snprintf(ret_why, STORE_WHY_MAX, "out of memory");
        return -ENOMEM;
    }
    store->journal = -1;
    error          = home_open(directory, owner, ret_why, &store->home);
    if (error < 0) {
        free(store);
        return error;
    }
    *ret = store;
    return 0;
}

int store_replay(struct store *store, store_record_fn each, store_report_fn report, void *context, char *ret_why,
                 size_t *ret_records)
{
    int error;
    assert(store->state == STORE_LOCKED);
    store->found =
        (struct replay){.home = store->home, .each = each, .report = report, .context = context, .why = ret_why};
    error = home_check(store->home, ret_why);
    if (error == 0)
        error = replay_run(&store->found);
    if (error < 0)
        return error;
    store->state = STORE_REPLAYED;
    *ret_records = store->found.records;
    return 0;
}

/* From here on the next snapshot alone can have everything. */
static void enter_gap(struct store *store)
{
    store->state = STORE_GAP;
    buffer_fini(&store->pending);
}

static void close_journal(struct store *store)
{
    if (store->journal >= 0)
        close(store->journal);
    store->journal = -1;
}

static bool journal_outgrown(const struct store *store)
{
    uint64_t spare = store->snapshot_bytes < STORE_OUTGROWN_MAX ? store->snapshot_bytes : STORE_OUTGROWN_MAX;
    return store->journal_bytes > STORE_JOURNAL_MIN && store->journal_bytes > store->snapshot_bytes + spare;
}

static void note_result(struct store *store, int error)
{
    bool known = store->stats.failing == (error < 0) && !store->late;
    char text[160];
    store->stats.failures += error < 0;
    store->stats.failing = error < 0;
    store->late          = false;
    if (known)
        return;
    if (error < 0)
        snprintf(text, sizeof(text), "writing failed: %s; what is learned is kept in memory", strerror(-error));
    else
        snprintf(text, sizeof(text), "writing works again");
    store->report(store->context, text);
}

static void note_late(struct store *store)
{
    store->stats.failures++;
    if (store->stats.failing)
        return;
    store->stats.failing = store->late = true;
    store->report(store->context, "the disk has not answered for 2 s; what is learned is kept in memory");
}

static void postpone_snapshot(struct store *store)
{
    unsigned pause       = store->retry_ms == 0 ? STORE_RETRY_MIN_MS : 2 * store->retry_ms;
    store->retry_ms      = pause < STORE_RETRY_MAX_MS ? pause : STORE_RETRY_MAX_MS;
    store->next_snapshot = uv_now(store->loop) + store->retry_ms;
}

/* False: no memory for it. */
static bool collect_image(struct store *store, uint64_t generation)
{
    store->image_whole = journal_add_header(&store->image, JOURNAL_KIND_SNAPSHOT, generation);
    if (store->image_whole)
        store->collect(store->context);
    if (!store->image_whole)
        buffer_fini(&store->image);
    return store->image_whole;
}

void store_snapshot_add(struct store *store, struct view record)
{
    if (store->image_whole)
        store->image_whole = journal_add_record(&store->image, record);
}

static void add_snapshot(struct store *store, struct scribe_job *job)
{
    if (!collect_image(store, store->generation + 1)) {
        note_result(store, -ENOMEM);
        postpone_snapshot(store);
        return;
    }
    job->image              = store->image;
    job->generation         = ++store->generation;
    job->set_aside_snapshot = store->found.set_aside_snapshot;
    job->set_aside_journal  = store->found.set_aside_journal;
    store->image            = (struct buffer){0};
    if (store->state == STORE_GAP)
        close_journal(store); /* it lacks records: it must not be appended to if this snapshot fails */
    store->state = STORE_JOURNAL;
}

static void on_timer(uv_timer_t *timer);

static void wake_at(struct store *store, uint64_t when)
{
    uint64_t now = uv_now(store->loop);
    uv_timer_start(&store->timer, on_timer, when > now ? when - now : 0, 0);
}

/* Hands everything that is pending to the scribe, and a snapshot if asked. */
static void submit(struct store *store, bool snapshot)
{
    struct scribe_job *job = calloc(1, sizeof(*job));
    store->next_write      = uv_now(store->loop) + STORE_PAUSE_MS;
    if (!job)
        return;
    if (snapshot)
        add_snapshot(store, job);
    if (store->journal >= 0) {
        job->frames             = store->pending;
        job->journal            = store->journal;
        job->journal_bytes      = store->journal_bytes;
        job->journal_generation = store->journal_generation;
        store->pending          = (struct buffer){0};
    } else {
        job->journal = -1;
    }
    if (job->frames.len == 0 && job->image.len == 0) {
        scribe_job_destroy(job);
        return;
    }
    job->appended      = store->stats.appended;
    store->steps       = scribe_progress(store->scribe).steps;
    store->steps_since = uv_now(store->loop);
    store->busy        = true;
    store->imaging     = job->image.len > 0;
    scribe_submit(store->scribe, job);
    wake_at(store, store->steps_since + STORE_LATE_MS);
}

/* Starts what is due, or the timer for it; what comes amid a snapshot is posted. */
static void pump(struct store *store)
{
    uint64_t now           = uv_now(store->loop);
    bool     wants_image   = store->state == STORE_GAP || journal_outgrown(store);
    bool     wants_journal = store->pending.len > 0;
    if (store->busy && store->imaging && wants_journal)
        scribe_post(store->scribe, &store->pending, store->stats.appended);
    if (store->busy || (!wants_image && !wants_journal))
        return;
    if (now >= store->next_write && (wants_journal || now >= store->next_snapshot))
        submit(store, wants_image && now >= store->next_snapshot);
    if (!store->busy)
        wake_at(store,
                wants_journal || store->next_snapshot < store->next_write ? store->next_write : store->next_snapshot);
}

/* Takes in how far the scribe has come. */
static void read_progress(struct store *store)
{
    struct scribe_progress progress = scribe_progress(store->scribe);
    store->stats.synced             = progress.kept;
    if (progress.steps != store->steps)
        store->steps_since = uv_now(store->loop);
    store->steps = progress.steps;
}

/* Takes in what the scribe has done. */
static void take_result(struct store *store, struct scribe_job *job)
{
    bool imaged = job->image.len > 0 && job->snapshot_error == 0;
    bool late   = uv_now(store->loop) - store->steps_since >= STORE_LATE_MS;
    read_progress(store);
    store->busy = false;
    if (imaged || job->append_error < 0 || job->replaced)
        close_journal(store);
    if (imaged) {
        store->journal            = job->new_journal;
        store->journal_generation = job->generation;
        store->snapshot_bytes     = job->snapshot_bytes;
        store->next_snapshot      = 0;
        store->retry_ms           = 0;
        store->stats.snapshots++;
        store->found.set_aside_snapshot = store->found.set_aside_journal = false;
    }
    if (imaged && job->append_error < 0)
        close_journal(store);
    if (store->journal < 0)
        enter_gap(store);
    else
        store->journal_bytes = job->journal_bytes;
    if (job->snapshot_error < 0) {
        postpone_snapshot(store);
        note_result(store, job->snapshot_error);
    } else if (job->append_error < 0) {
        note_result(store, job->append_error);
    } else if ((imaged || store->retry_ms == 0) && (!late || store->pending.len == 0)) {
        /* while snapshots fail an append heals nothing, nor does one that was late while more waits */
        note_result(store, 0);
    }
    scribe_job_destroy(job);
}

static void take_in(struct store *store)
{
    struct scribe_job *job = scribe_collect(store->scribe, 0);
    if (!job)
        read_progress(store);
    else
        take_result(store, job);
}

static void on_done(uv_async_t *done)
{
    struct store *store = done->data;
    take_in(store);
    pump(store);
}

/* Late, unless it turns out that the disk has answered: a loop that stood still runs timers first. */
static void on_timer(uv_timer_t *timer)
{
    struct store *store = timer->data;
    if (store->busy)
        take_in(store);
    if (store->busy && uv_now(store->loop) - store->steps_since < STORE_LATE_MS)
        wake_at(store, store->steps_since + STORE_LATE_MS);
    else if (store->busy)
        note_late(store);
    pump(store);
}

static void notify(void *context) { uv_async_send(&((struct store *) context)->done); }

/* Opens the journal to append to, with its torn tail cut. Without it the first snapshot makes a new one. */
static void open_journal(struct store *store)
{
    store->state = STORE_GAP;
    if (!store->found.journal_usable)
        return;
    store->journal = openat(store->home->directory, DISK_JOURNAL, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (store->journal < 0)
        return;
    if (ftruncate(store->journal, (off_t) store->found.journal_bytes) < 0) {
        close_journal(store);
        return;
    }
    store->state              = STORE_JOURNAL;
    store->journal_bytes      = store->found.journal_bytes;
    store->journal_generation = store->found.generation;
}

int store_start(struct store *store, uv_loop_t *loop, store_collect_fn collect, store_report_fn report, void *context)
{
    int error;
    assert(store->state == STORE_REPLAYED);
    store->scribe = scribe_start(store->home, notify, store);
    if (!store->scribe)
        return -ENOMEM;
    error = uv_async_init(loop, &store->done, on_done);
    if (error < 0) {
        scribe_stop(store->scribe);
        return error;
    }
    uv_timer_init(loop, &store->timer);
    store->done.data      = store;
    store->timer.data     = store;
    store->handles        = 2;
    store->loop           = loop;
    store->collect        = collect;
    store->report         = report;
    store->context        = context;
    store->generation     = store->found.generation;
    store->snapshot_bytes = store->found.snapshot_bytes;
    open_journal(store);
    pump(store);
    return 0;
}

void store_append(struct store *store, struct view record)
{
    assert(store->state == STORE_JOURNAL || store->state == STORE_GAP);
    store->stats.appended++;
    if (store->state == STORE_GAP)
        return;
    if (store->pending.len > STORE_PENDING_MAX || !journal_add_record(&store->pending, record))
        enter_gap(store);
    pump(store);
}

void store_read_stats(const struct store *store, struct store_stats *ret)
{
    *ret               = store->stats;
    ret->journal_bytes = store->journal_bytes;
    ret->refused       = store->stats.failing && !store->late && store->journal < 0;
}

/* Waits for the job under way. False: it hangs. */
static bool await(struct store *store, uint64_t end)
{
    uint64_t           now = uv_hrtime();
    struct scribe_job *job;
    if (!store->busy)
        return true;
    job = scribe_collect(store->scribe, end > now ? (unsigned) ((end - now) / 1000000) : 0);
    if (!job)
        return false;
    take_result(store, job);
    return true;
}

static void on_closed(uv_handle_t *handle)
{
    struct store *store = handle->data;
    if (--store->handles == 0)
        free(store);
}

void store_close(struct store *store, unsigned patience_ms)
{
    uint64_t end  = uv_hrtime() + (uint64_t) patience_ms * 1000000;
    bool     idle = true;
    if (store->handles > 0) {
        if (await(store, end) &&
            (store->state == STORE_GAP || store->pending.len > 0 || store->journal_bytes > JOURNAL_HEADER_BYTES)) {
            submit(store, true);
            await(store, end);
        }
        if (store->busy || store->state == STORE_GAP || store->pending.len > 0)
            store->report(store->context, "the disk did not take everything before the end");
        idle = scribe_stop(store->scribe);
    }
    if (idle) { /* else the scribe still uses them */
        close_journal(store);
        home_close(store->home);
    }
    buffer_fini(&store->pending);
    if (store->handles == 0) {
        free(store);
        return;
    }
    uv_close((uv_handle_t *) &store->done, on_closed);
    uv_close((uv_handle_t *) &store->timer, on_closed);
}
