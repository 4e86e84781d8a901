/*
 * scribe.h: the one thread that writes. It takes a job at a time, so that a slow, full or hanging disk blocks nobody
 * else; a job that hangs for ever can be left behind.
 *
 * What is appended while it writes a snapshot comes by its mailbox: it looks there between any two pieces of the
 * snapshot, so that a record need not wait for the end of all of it.
 *
 * Not libuv's pool: a job that hangs there would hold back name lookups, and the process' exit.
 *
 * Thread: keeper.
 */
#ifndef STORE_SCRIBE_H
#define STORE_SCRIBE_H

#include "store/home.h"
#include "store/journal.h"

struct scribe;

/* First the frames are appended to the open journal, then the snapshot replaces everything; each step is skipped where
 * its bytes are empty. A journal that is not found in its place any more fails; a snapshot goes where the path leads,
 * and sets aside what lies in a directory that was put there. */
struct scribe_job {
    int           journal;       /* open file, or -1: none that may be appended to */
    uint64_t      journal_bytes; /* where the frames go; in the end where the next go, in the new one if there is one */
    uint64_t      journal_generation;
    struct buffer frames;     /* owned */
    struct buffer image;      /* owned; header and frames of a whole snapshot, no end mark */
    uint64_t      appended;   /* records known of when it was made: frames or image has them */
    uint64_t      generation; /* of the snapshot and of the empty journal made with it */
    bool          set_aside_snapshot, set_aside_journal; /* do it before they are replaced */

    /* results */
    int      append_error;   /* 0, or -errno: the end of the journal, of the new one if there is one, is unknown */
    int      snapshot_error; /* 0, or -errno: see `replaced` */
    bool     replaced;       /* the new snapshot may be in place: the old journal counts no more */
    int      new_journal;    /* open file, after a snapshot without error; else -1 */
    uint64_t snapshot_bytes; /* after one without error */
};

void scribe_job_destroy(struct scribe_job *job); /* closes no file; NULL is allowed */

typedef void (*scribe_notify_fn)(void *context); /* on the scribe's thread: a job is done, or part of it */

/* Borrows `home`, until scribe_stop(). NULL: no memory or no thread. */
struct scribe *scribe_start(struct home *home, scribe_notify_fn notify, void *context);
/* Takes the job. The scribe must be free. */
void scribe_submit(struct scribe *scribe, struct scribe_job *job);
/* To the mailbox of a scribe that writes a snapshot: takes the frames, with which `appended` records are known of.
 * False: the mailbox is full or closed, and they stay where they are. Room is told by notify(). What does not get to a
 * journal or a snapshot is dropped, and then the job's results say that both failed. */
bool scribe_post(struct scribe *scribe, struct buffer *frames, uint64_t appended);

struct scribe_progress {
    uint64_t steps; /* calls of the disk that have returned */
    uint64_t kept;  /* records on disk, of those appended */
};
struct scribe_progress scribe_progress(struct scribe *scribe);

/* The job that is done, now the caller's; NULL: none, after having waited at most `patience_ms` for it. */
struct scribe_job *scribe_collect(struct scribe *scribe, unsigned patience_ms);
/* Ends the thread and frees. notify() is not called any more. False: it hangs in a job; it is left behind with its
 * job, its journal and `home`, which it closes when the disk comes back. */
bool scribe_stop(struct scribe *scribe);

#endif
