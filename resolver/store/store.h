/*
 * store.h: what must survive a restart: an append-only journal of opaque records with a checksum each, compacted into a
 * snapshot. Knows nothing of zones.
 *
 * Directory: locked while open, and so is `lock` in it, `snapshot`, `journal`. Both files: a header {magic
 * "byway", kind, version, generation}, then records {length u32, crc32c u32, bytes}. A journal is replayed on the
 * snapshot of the same generation; a torn tail is cut off silently (that is what a crash leaves), anything else that is
 * wrong with its content sets the file aside as NAME.bad-N with a report, keeping the records before it; so does a
 * record that the owner does not understand, for the next snapshot will lack it. Formats: docs/state.md.
 *
 * Writing happens on a thread of its own: a slow, full, read-only or hanging disk never blocks the caller. While the
 * disk fails nothing is queued: the owner still has everything, and a whole snapshot is written as soon as the disk
 * works again. Failures are counted, the first one and the recovery are reported.
 *
 * Thread: keeper.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/types.h"

#include <sys/types.h>
#include <uv.h>

struct store;

typedef void (*store_report_fn)(void *context, const char *text);   /* warnings, one line */
typedef bool (*store_record_fn)(void *context, struct view record); /* false: it is not understood */

/* The user that the process will become. */
struct store_owner {
    uid_t user;
    gid_t group;
};

enum {
    STORE_WHY_MAX = 384 /* bytes of a sentence for the operator, which names the file */
};

/* Takes the lock, before anything else is touched; nothing is read. Creates the directory (0750) if it is missing. It
 * must be for bywayd alone: files of others in it are an error, and nothing is changed. `owner`, NULL but for root:
 * what root has made there becomes his. -EWOULDBLOCK: another process has it; -errno otherwise; `ret_why`
 * (STORE_WHY_MAX bytes) says what is wrong. */
int store_lock(const char *directory, const struct store_owner *owner, char *ret_why, struct store **ret);

/* Hands every surviving record, oldest first, to `each`; a file with one that is not understood is set aside as well.
 * Never fails for what it finds in the files; *ret_records counts. Blocking; used once, before the loop runs, by the
 * user that will write. -errno: a file, or the directory, is there and cannot be used, with `ret_why` as above; nothing
 * is changed. */
int store_replay(struct store *store, store_record_fn each, store_report_fn report, void *context, char *ret_why,
                 size_t *ret_records);

/* Gives all current records to the snapshot writer by calling store_snapshot_add() for each; called on the loop's
 * thread when a compaction is due, and by store_close(). It must not call store_append(). */
typedef void (*store_collect_fn)(void *context);

/* Starts writing, after store_replay(); a fresh snapshot is due at once if the replay found anything set aside. */
int store_start(struct store *store, uv_loop_t *loop, store_collect_fn collect, store_report_fn report, void *context);

/* Queues a record of 1 byte to 1 MiB: written and fdatasync'ed within STORE_SYNC_MS (250 ms) on a disk that works.
 * Copies. */
void store_append(struct store *store, struct view record);
void store_snapshot_add(struct store *store, struct view record);

struct store_stats {
    uint64_t appended;  /* records */
    uint64_t synced;    /* of the appended, on disk, in the journal or in a snapshot */
    uint64_t snapshots; /* written */
    uint64_t failures;  /* writes that failed, or took longer than 2 s */
    uint64_t journal_bytes;
    bool     failing; /* such a write, and none has made up for it yet */
    bool     refused; /* an error of the disk, not its lateness, keeps what is appended off it for now */
};
void store_read_stats(const struct store *store, struct store_stats *ret);

/* Writes what is queued, a snapshot, and waits for the disk at most `patience_ms`; releases the lock. The memory is
 * freed by the loop's next turn (at once if the store was not started). A write that still hangs is left behind, and
 * with it the lock until it ends, so that the write cannot come to meet another daemon's. */
void store_close(struct store *store, unsigned patience_ms);

#endif
