/*
 * replay.c: the snapshot, then the journal of the same generation. What each difference means:
 *
 *   no snapshot, no journal     a first start
 *   journal older               a crash between the two renames of a compaction: the snapshot has all of it
 *   journal newer, or alone     somebody removed the snapshot: its records are facts still, so they are replayed, with
 *                               a report
 *   torn journal                a crash while appending: cut
 *   a record that the owner     of a newer version: set aside with a report, before a snapshot without it takes its
 *   does not understand         place; the other records are kept
 *   anything else               set aside with a report; the records before the damage are kept
 *
 * A file that cannot be read says nothing of what it holds: that is an error, and the file stays where it is.
 */
#include "store/replay.h"

#include "store/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    REPORT_MAX = 256
};

struct found {
    const char           *name;
    struct buffer         bytes; /* owned */
    struct journal_reader reader;
    bool                  exists;
    bool                  readable; /* its header was */
    bool                  whole;    /* so were all of its records, and all were understood */
};

static void report(const struct replay *replay, const char *name, const char *fault, const char *consequence)
{
    char text[REPORT_MAX];
    snprintf(text, sizeof(text), "%s: %s; %s", name, fault, consequence);
    replay->report(replay->context, text);
}

/* True: it could not be done now. */
static bool set_aside(const struct replay *replay, const char *name, const char *fault)
{
    char kept[DISK_NAME_MAX], consequence[REPORT_MAX / 2];
    int  error = disk_set_aside(replay->home->directory, name, kept);
    if (error < 0)
        snprintf(consequence, sizeof(consequence), "setting it aside failed: %s", strerror(-error));
    else
        snprintf(consequence, sizeof(consequence), "set aside as %s", kept);
    report(replay, name, fault, consequence);
    return error < 0;
}

/* True in *ret_set_aside as from set_aside(). */
static int find(const struct replay *replay, struct found *found, enum journal_kind kind, bool *ret_set_aside)
{
    int error = disk_read(replay->home->directory, found->name, &found->bytes);
    if (error == -ENOENT)
        return 0;
    if (error < 0 && error != -EFBIG)
        return home_explain(replay->home->directory, replay->home->path, found->name, -error, replay->why);
    found->exists = true;
    if (error < 0)
        *ret_set_aside = set_aside(replay, found->name, strerror(-error));
    else if (!journal_open(&found->reader, (struct view){found->bytes.data, found->bytes.len}, kind))
        *ret_set_aside = set_aside(replay, found->name, journal_verdict_text(found->reader.verdict));
    else
        found->readable = true;
    return 0;
}

static void hand_out(struct replay *replay, struct found *found, bool *ret_set_aside)
{
    struct view record;
    size_t      all = 0, strange = 0;
    char        fault[REPORT_MAX / 2];
    while (journal_next(&found->reader, &record)) {
        strange += !replay->each(replay->context, record);
        all++;
    }
    replay->records += all;
    found->whole = found->reader.verdict != JOURNAL_DAMAGED && strange == 0;
    if (found->whole)
        return;
    if (found->reader.verdict == JOURNAL_DAMAGED)
        snprintf(fault, sizeof(fault), "damaged at byte %zu of %zu, %zu records before it kept", found->reader.good,
                 found->bytes.len, all - strange);
    else
        snprintf(fault, sizeof(fault), "%zu of %zu records are not known to this version, the others kept", strange,
                 all);
    *ret_set_aside = set_aside(replay, found->name, fault);
}

int replay_run(struct replay *replay)
{
    struct found snapshot = {.name = DISK_SNAPSHOT}, journal = {.name = DISK_JOURNAL};
    uint64_t     generation;
    int          error;
    error = find(replay, &snapshot, JOURNAL_KIND_SNAPSHOT, &replay->set_aside_snapshot);
    if (error == 0)
        error = find(replay, &journal, JOURNAL_KIND_JOURNAL, &replay->set_aside_journal);
    if (error < 0)
        goto out;
    generation             = snapshot.readable ? snapshot.reader.generation : 0;
    replay->generation     = generation;
    replay->snapshot_bytes = snapshot.bytes.len;
    if (snapshot.readable)
        hand_out(replay, &snapshot, &replay->set_aside_snapshot);
    if (!journal.readable || journal.reader.generation < generation)
        goto out;
    if (!snapshot.exists)
        report(replay, DISK_SNAPSHOT, "missing", "only the journal's records are known");
    else if (snapshot.readable && journal.reader.generation > generation)
        report(replay, DISK_SNAPSHOT, "older than the journal", "what lies between is not known");
    replay->generation = journal.reader.generation;
    hand_out(replay, &journal, &replay->set_aside_journal);
    replay->journal_bytes  = journal.reader.good;
    replay->journal_usable = journal.whole && snapshot.whole && journal.reader.generation == generation;
out:
    buffer_fini(&snapshot.bytes);
    buffer_fini(&journal.bytes);
    return error;
}
