/*
 * test_store.c: the store on a real directory, cut, corrupted, filled up, made to hang, and killed.
 *
 * The owner's records are numbers from 1 on, so that what a replay hands out can be judged: it must be 1, 2, … n, with
 * n at least what was reported as synced (nothing is lost) and at most what was appended (nothing is invented).
 */
#include "store/store.h"

#include "base/bytes.h"
#include "lib/check.h"
#include "lib/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    RECORD_MAX  = 8192,
    PATIENCE_MS = 10000,
};

struct owner {
    char          directory[64];
    struct store *store;
    uv_loop_t     loop;
    uint32_t      count;       /* records it has */
    size_t        record_size; /* 4 or more */
    unsigned      reports;
    char          last_report[256];
    uint32_t      replayed; /* how many records */
    uint32_t      last;     /* and the number of the last */
    bool          may_skip; /* the snapshot is harmed, the journal goes on after it */
    uint32_t      strange;  /* number of a record that is not understood; 0: none */
};

/* The disk: how many syncs of snapshot.tmp it still does, the next one hangs; negative: all. */
static atomic_int snapshot_syncs = -1;
/* Which allocation of the scribe's fails, counted from its next sync of snapshot.tmp on; 0: none. */
static atomic_int scribe_refused;

/* What a read of the state's files ends with; 0: all is well. */
static int read_error;

static void name_of(int file, char ret[128])
{
    char    link[64];
    ssize_t len;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
    len                    = readlink(link, ret, 127);
    ret[len > 0 ? len : 0] = '\0';
}

ssize_t read(int file, void *bytes, size_t len)
{
    char name[128];

    if (read_error == 0)
        return syscall(SYS_read, file, bytes, len);
    name_of(file, name);
    errno = read_error;
    return strstr(name, "/journal") != NULL ? -1 : syscall(SYS_read, file, bytes, len);
}

/* The calls that change the disk: that many more work, then those that follow fail (one, or all); negative: all work.
 * Each takes a moment, so that records come between any two. */
static atomic_int calls_left = -1;
static bool       fails_for_ever;
static int        failure;

/* True: this one fails. */
static bool disk_fails(void)
{
    if (calls_left < 0)
        return false;
    usleep(1000);
    if (calls_left > 0) {
        calls_left--;
        return false;
    }
    if (!fails_for_ever)
        calls_left = -1;
    errno = failure;
    return true;
}

int renameat(int from, const char *old, int to, const char *new)
{
    return disk_fails() ? -1 : (int) syscall(SYS_renameat2, from, old, to, new, 0);
}

ssize_t pwrite(int file, const void *bytes, size_t len, off_t offset)
{
    return disk_fails() ? -1 : syscall(SYS_pwrite64, file, bytes, len, offset);
}

int openat(int directory, const char *name, int flags, ...)
{
    va_list arguments;
    mode_t  mode;

    va_start(arguments, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return (flags & O_CREAT) != 0 && disk_fails() ? -1 : (int) syscall(SYS_openat, directory, name, flags, mode);
}

static int sync_as(long call, int file)
{
    char name[128];

    if (disk_fails())
        return -1;
    name_of(file, name);
    if (strstr(name, "/snapshot.tmp") != NULL && snapshot_syncs >= 0) {
        while (snapshot_syncs == 0)
            usleep(1000);
        snapshot_syncs--;
    }
    if (strstr(name, "/snapshot.tmp") != NULL && scribe_refused > 0) {
        heap_fail_at((size_t) scribe_refused - 1);
        scribe_refused = 0;
    }
    return (int) syscall(call, file);
}

int fsync(int file) { return sync_as(SYS_fsync, file); }
int fdatasync(int file) { return sync_as(SYS_fdatasync, file); }

static void owner_report(void *context, const char *text)
{
    struct owner *owner = context;

    assert_null(strchr(text, '\n'));
    owner->reports++;
    snprintf(owner->last_report, sizeof(owner->last_report), "%s", text);
}

static struct view owner_record(const struct owner *owner, uint32_t number, uint8_t bytes[RECORD_MAX])
{
    memset(bytes, (int) number, owner->record_size);
    put_u32(bytes, number);
    return (struct view){bytes, owner->record_size};
}

static void owner_collect(void *context)
{
    struct owner *owner = context;
    uint8_t       bytes[RECORD_MAX];

    for (uint32_t i = 1; i <= owner->count; i++)
        store_snapshot_add(owner->store, owner_record(owner, i, bytes));
}

static void owner_append(struct owner *owner)
{
    uint8_t bytes[RECORD_MAX];

    owner->count++;
    store_append(owner->store, owner_record(owner, owner->count, bytes));
}

static bool owner_on_replay(void *context, struct view record)
{
    struct owner *owner = context;
    uint8_t       bytes[RECORD_MAX];
    uint32_t      number = get_u32(record.data);

    if (owner->may_skip)
        assert_true(number > owner->last);
    else
        assert_int_equal(number, owner->last + 1);
    assert_int_equal(record.len, owner->record_size);
    assert_memory_equal(record.data, owner_record(owner, number, bytes).data, record.len);
    owner->last = number;
    owner->replayed++;
    return number != owner->strange;
}

/* Locks and replays; `replayed` says how far it came. */
static void owner_read(struct owner *owner)
{
    size_t records = 99;
    char   why[STORE_WHY_MAX];

    owner->replayed = owner->last = 0;
    owner->reports                = 0;
    assert_int_equal(store_lock(owner->directory, NULL, why, &owner->store), 0);
    assert_int_equal(store_replay(owner->store, owner_on_replay, owner_report, owner, why, &records), 0);
    assert_int_equal(records, owner->replayed);
    owner->count = owner->replayed;
}

static void owner_start(struct owner *owner)
{
    assert_int_equal(uv_loop_init(&owner->loop), 0);
    assert_int_equal(store_start(owner->store, &owner->loop, owner_collect, owner_report, owner), 0);
}

static void owner_open(struct owner *owner)
{
    owner_read(owner);
    owner_start(owner);
}

static uint64_t owner_close(struct owner *owner, unsigned patience_ms)
{
    uint64_t before = uv_hrtime(), took;

    store_close(owner->store, patience_ms);
    took = (uv_hrtime() - before) / 1000000;
    uv_run(&owner->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&owner->loop), 0);
    return took;
}

static struct store_stats stats(const struct owner *owner)
{
    struct store_stats stats;

    store_read_stats(owner->store, &stats);
    return stats;
}

static void tick(uv_timer_t *timer) { (void) timer; }

/* Runs the loop until `done`; false after PATIENCE_MS. */
static bool run_until(struct owner *owner, bool (*done)(const struct owner *owner))
{
    uint64_t   end = uv_hrtime() + (uint64_t) PATIENCE_MS * 1000000;
    uv_timer_t timer;

    uv_timer_init(&owner->loop, &timer);
    uv_timer_start(&timer, tick, 10, 10);
    while (!done(owner) && uv_hrtime() < end)
        uv_run(&owner->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *) &timer, NULL);
    uv_run(&owner->loop, UV_RUN_NOWAIT);
    return done(owner);
}

static bool all_synced(const struct owner *owner)
{
    return stats(owner).synced == stats(owner).appended && stats(owner).snapshots + stats(owner).synced > 0;
}
static bool is_failing(const struct owner *owner) { return stats(owner).failing; }
static bool has_healed(const struct owner *owner) { return !stats(owner).failing && all_synced(owner); }
static bool has_snapshot(const struct owner *owner) { return stats(owner).snapshots >= 1; }

static const char *path(const struct owner *owner, const char *name);

/* On a slow disk so much may come while a snapshot is written that another one follows. All is synced a moment before
 * the job is done and the journal's bytes are known. */
static bool is_compact(const struct owner *owner)
{
    struct store_stats now = stats(owner);
    struct stat        snapshot, journal;

    return now.snapshots >= 2 && all_synced(owner) && stat(path(owner, "snapshot"), &snapshot) == 0 &&
           stat(path(owner, "journal"), &journal) == 0 && journal.st_size == (off_t) now.journal_bytes &&
           (now.journal_bytes <= 1 << 20 || now.journal_bytes <= 2 * (uint64_t) snapshot.st_size);
}

static const char *path(const struct owner *owner, const char *name)
{
    static char text[2][128];
    static int  turn;

    turn ^= 1;
    snprintf(text[turn], sizeof(text[turn]), "%s/%s", owner->directory, name);
    return text[turn];
}

static bool exists(const struct owner *owner, const char *name) { return access(path(owner, name), F_OK) == 0; }

struct content {
    uint8_t bytes[65536];
    size_t  len;
};

static void load(const struct owner *owner, const char *name, struct content *ret)
{
    FILE *file = fopen(path(owner, name), "rb");

    assert_non_null(file);
    ret->len = fread(ret->bytes, 1, sizeof(ret->bytes), file);
    fclose(file);
}

static void save(const struct owner *owner, const char *name, const uint8_t *bytes, size_t len)
{
    FILE *file = fopen(path(owner, name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static int remove_one(const char *name, const struct stat *status, int type, struct FTW *ftw)
{
    (void) status, (void) type, (void) ftw;
    return remove(name);
}

static int open_fixture(void **state)
{
    static struct owner owner;
    const char         *base = getenv("TMPDIR");

    owner = (struct owner){.record_size = 11};
    snprintf(owner.directory, sizeof(owner.directory), "%.40s/store-XXXXXX", base != NULL ? base : "/tmp");
    *state = &owner;
    return mkdtemp(owner.directory) != NULL ? 0 : -1;
}

static int close_fixture(void **state)
{
    struct owner *owner = *state;

    return nftw(owner->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* fork() whose child never hangs, and ends where an assertion fails instead of going on with the tests. */
static pid_t fork_child(void)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        setenv("CMOCKA_TEST_ABORT", "1", 1);
    }
    return child;
}

/* A snapshot with the records 1–3 and a journal with 4–8, as a killed process leaves them. */
static void leave_files(struct owner *owner, struct content *ret_snapshot, struct content *ret_journal)
{
    owner_open(owner);
    for (int i = 0; i < 3; i++)
        owner_append(owner);
    assert_true(run_until(owner, all_synced));
    owner_close(owner, PATIENCE_MS);
    owner_open(owner);
    for (int i = 0; i < 5; i++)
        owner_append(owner);
    assert_true(run_until(owner, all_synced));
    load(owner, "snapshot", ret_snapshot);
    load(owner, "journal", ret_journal);
    owner_close(owner, PATIENCE_MS);
}

static void put_files(const struct owner *owner, const struct content *snapshot, const struct content *journal)
{
    char name[32];

    save(owner, "snapshot", snapshot->bytes, snapshot->len);
    save(owner, "journal", journal->bytes, journal->len);
    for (int n = 1; n <= 9; n++) {
        snprintf(name, sizeof(name), "snapshot.bad-%d", n);
        unlink(path(owner, name));
        snprintf(name, sizeof(name), "journal.bad-%d", n);
        unlink(path(owner, name));
    }
}

static void owner_forget(struct owner *owner) { store_close(owner->store, 0); }

static void test_first_start_and_the_next(void **state)
{
    struct owner *owner = *state;

    assert_int_equal(rmdir(owner->directory), 0);
    owner_open(owner);
    assert_int_equal(owner->replayed, 0);
    assert_int_equal(owner->reports, 0);
    for (int i = 0; i < 100; i++)
        owner_append(owner);
    assert_true(run_until(owner, all_synced));
    owner_close(owner, PATIENCE_MS);
    for (int i = 0; i < 3; i++) {
        owner_open(owner);
        assert_int_equal(owner->replayed, 100 + i);
        assert_int_equal(owner->reports, 0);
        owner_append(owner); /* not synced when the close begins */
        owner_close(owner, PATIENCE_MS);
    }
    assert_false(exists(owner, "snapshot.tmp"));
    assert_false(exists(owner, "journal.tmp"));
}

static void test_one_process_at_a_time(void **state)
{
    struct owner *owner = *state;
    char          why[STORE_WHY_MAX], expected[STORE_WHY_MAX];
    int           status;
    pid_t         child;

    owner_open(owner);
    child = fork_child();
    if (child == 0) {
        struct store *second;

        snprintf(expected, sizeof(expected), "another bywayd (process %d) uses %s", getppid(), owner->directory);
        _exit(store_lock(owner->directory, NULL, why, &second) == -EWOULDBLOCK && strcmp(why, expected) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    owner_close(owner, PATIENCE_MS);
    child = fork_child();
    if (child == 0) {
        struct store *second;

        _exit(store_lock(owner->directory, NULL, why, &second) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_a_directory_that_cannot_be(void **state)
{
    struct owner *owner = *state;
    struct store *store;
    char          why[STORE_WHY_MAX];

    assert_int_equal(store_lock(path(owner, "no/such"), NULL, why, &store), -ENOENT);
    save(owner, "file", (const uint8_t *) "", 0);
    assert_int_equal(store_lock(path(owner, "file"), NULL, why, &store), -ENOTDIR);
}

static void test_journal_cut_at_every_byte(void **state)
{
    struct owner         *owner = *state;
    static struct content snapshot, journal, cut;

    leave_files(owner, &snapshot, &journal);
    for (size_t len = 0; len <= journal.len; len++) {
        cut     = journal;
        cut.len = len;
        put_files(owner, &snapshot, &cut);
        owner_read(owner);
        owner_forget(owner);
        assert_int_equal(owner->replayed, len < 20 ? 3 : 3 + (len - 20) / (8 + owner->record_size));
        assert_int_equal(owner->reports, len < 20);
        assert_int_equal(exists(owner, "journal.bad-1"), len < 20);
    }
}

static void test_a_torn_journal_is_built_upon(void **state)
{
    struct owner         *owner = *state;
    static struct content snapshot, journal;

    leave_files(owner, &snapshot, &journal);
    journal.bytes[journal.len - 3] ^= 1;
    memset(journal.bytes + journal.len, 0, 1000);
    journal.len += 1000;
    put_files(owner, &snapshot, &journal);
    owner_open(owner);
    assert_int_equal(owner->replayed, 7);
    owner_append(owner);
    owner_append(owner);
    assert_true(run_until(owner, all_synced));
    assert_int_equal(stats(owner).snapshots, 0);
    load(owner, "journal", &journal);
    assert_int_equal(journal.len, 20 + 6 * (8 + owner->record_size));
    owner_close(owner, PATIENCE_MS);
    put_files(owner, &snapshot, &journal); /* as a kill would leave them */
    owner_read(owner);
    assert_int_equal(owner->replayed, 9);
    assert_int_equal(owner->reports, 0);
    owner_forget(owner);
}

static void test_every_byte_corrupted(void **state)
{
    struct owner         *owner = *state;
    static struct content files[2], harmed[2], aside;

    leave_files(owner, &files[0], &files[1]);
    for (int which = 0; which < 2; which++) {
        const char *bad  = which == 0 ? "snapshot.bad-1" : "journal.bad-1";
        size_t      last = files[which].len - 8 - owner->record_size; /* of a journal: where the last frame begins */

        owner->may_skip = which == 0;
        for (size_t at = 0; at < files[which].len; at++) {
            size_t before = at < 20 ? 0 : (at - 20) / (8 + owner->record_size);
            bool   seen   = which == 0 || at < last;

            memcpy(harmed, files, sizeof(files));
            harmed[which].bytes[at] ^= (uint8_t) (1 << at % 8);
            put_files(owner, &harmed[0], &harmed[1]);
            owner_read(owner);
            owner_forget(owner);
            assert_int_equal(owner->replayed, before + (which == 0 ? 5 : 3));
            assert_int_equal(owner->reports, seen);
            assert_int_equal(exists(owner, bad), seen);
            if (seen) {
                load(owner, bad, &aside);
                assert_int_equal(aside.len, harmed[which].len);
                assert_memory_equal(aside.bytes, harmed[which].bytes, aside.len);
            }
        }
    }
}

/* A start that is killed before it could write a snapshot must not have lost what it could read, nor fill the disk. */
static void test_harm_is_found_again_until_it_is_replaced(void **state)
{
    struct owner         *owner = *state;
    static struct content snapshot, journal;

    leave_files(owner, &snapshot, &journal);
    journal.bytes[60] ^= 1; /* in the third of five records */
    put_files(owner, &snapshot, &journal);
    for (int i = 0; i < 3; i++) {
        owner_read(owner);
        assert_int_equal(owner->replayed, 5);
        assert_int_equal(owner->reports, 1);
        assert_non_null(strstr(owner->last_report, "set aside as journal.bad-1"));
        owner_forget(owner);
    }
    owner_open(owner);
    assert_true(run_until(owner, has_snapshot));
    owner_append(owner);
    assert_true(run_until(owner, all_synced));
    owner_close(owner, PATIENCE_MS);
    owner_read(owner);
    assert_int_equal(owner->replayed, 6);
    assert_int_equal(owner->reports, 0);
    owner_forget(owner);
    assert_true(exists(owner, "journal.bad-1"));
    assert_false(exists(owner, "journal.bad-2"));
    save(owner, "journal", (const uint8_t *) "garbage", 7);
    owner_read(owner);
    owner_forget(owner);
    assert_true(exists(owner, "journal.bad-2"));
}

/* What a newer version wrote is not lost to the first snapshot of an older one. */
static void test_a_record_that_is_not_understood(void **state)
{
    static const char *const names[] = {"snapshot", "journal"};
    struct owner            *owner   = *state;
    static struct content    files[2], aside;

    leave_files(owner, &files[0], &files[1]);
    for (int which = 0; which < 2; which++) {
        char bad[32];

        snprintf(bad, sizeof(bad), "%s.bad-1", names[which]);
        put_files(owner, &files[0], &files[1]);
        owner->strange = which == 0 ? 2 : 5;
        owner_open(owner);
        assert_int_equal(owner->replayed, 8);
        assert_int_equal(owner->reports, 1);
        assert_non_null(strstr(owner->last_report, "not known to this version"));
        owner_append(owner);
        assert_true(run_until(owner, has_snapshot) && run_until(owner, all_synced));
        owner_close(owner, PATIENCE_MS);
        load(owner, bad, &aside);
        assert_int_equal(aside.len, files[which].len);
        assert_memory_equal(aside.bytes, files[which].bytes, aside.len);
        assert_false(exists(owner, which == 0 ? "journal.bad-1" : "snapshot.bad-1"));
    }
}

/* As millions of zones make it: it is to be read, and only the memory for it, which is not given here, may be wanting.
 */
static void test_a_large_file_is_not_refused(void **state)
{
    struct owner         *owner = *state;
    static struct content snapshot, journal;
    size_t                records;
    char                  why[STORE_WHY_MAX];

    leave_files(owner, &snapshot, &journal);
    assert_int_equal(truncate(path(owner, "snapshot"), (off_t) 20 << 30), 0);
    assert_int_equal(store_lock(owner->directory, NULL, why, &owner->store), 0);
    heap_fail_at(0);
    assert_int_equal(store_replay(owner->store, owner_on_replay, owner_report, owner, why, &records), -ENOMEM);
    heap_restore();
    owner_forget(owner);
    assert_false(exists(owner, "snapshot.bad-1"));
    assert_int_equal(truncate(path(owner, "snapshot"), ((off_t) 64 << 30) + 1), 0);
    owner_read(owner);
    owner_forget(owner);
    assert_int_equal(owner->replayed, 0);
    assert_non_null(strstr(owner->last_report, "set aside as snapshot.bad-1"));
}

static void test_what_lies_in_the_files_place(void **state)
{
    struct owner         *owner = *state;
    static struct content snapshot, journal;

    leave_files(owner, &snapshot, &journal);

    put_files(owner, &snapshot, &journal); /* removed by somebody */
    unlink(path(owner, "snapshot"));
    owner->may_skip = true;
    owner_read(owner);
    assert_int_equal(owner->replayed, 5);
    assert_int_equal(owner->reports, 1);
    owner_forget(owner);

    put_files(owner, &snapshot, &journal); /* a newer version */
    snapshot.bytes[7] = 2;
    save(owner, "snapshot", snapshot.bytes, snapshot.len);
    owner_read(owner);
    assert_int_equal(owner->replayed, 5);
    assert_non_null(strstr(owner->last_report, "newer version"));
    owner_forget(owner);
    snapshot.bytes[7] = 1;
}

/* What cannot be read may hold everything: it is an error that names it, and stays as it is. */
static void check_refused(struct owner *owner, int error, const char *why_part)
{
    size_t records;
    char   why[STORE_WHY_MAX] = "";

    owner->replayed = owner->last = owner->reports = 0;
    assert_int_equal(store_lock(owner->directory, NULL, why, &owner->store), 0);
    assert_int_equal(store_replay(owner->store, owner_on_replay, owner_report, owner, why, &records), error);
    owner_forget(owner);
    assert_int_equal(owner->reports, 0);
    assert_non_null(strstr(why, owner->directory));
    if (strstr(why, why_part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", why_part, why);
    assert_false(exists(owner, "snapshot.bad-1") || exists(owner, "journal.bad-1"));
}

static void test_what_cannot_be_read_is_no_damage(void **state)
{
    static const char *const names[] = {"snapshot", "journal"};
    struct owner            *owner   = *state;
    static struct content    snapshot, journal;

    leave_files(owner, &snapshot, &journal);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char expected[32];

        snprintf(expected, sizeof(expected), "%s is no regular file", names[i]);
        put_files(owner, &snapshot, &journal);
        assert_int_equal(unlink(path(owner, names[i])), 0);
        assert_int_equal(mkdir(path(owner, names[i]), 0700), 0);
        check_refused(owner, -EINVAL, expected);
        assert_int_equal(rmdir(path(owner, names[i])), 0);
        assert_int_equal(mkfifo(path(owner, names[i]), 0600), 0);
        check_refused(owner, -EINVAL, expected);
        assert_int_equal(unlink(path(owner, names[i])), 0);
        assert_int_equal(symlink("/etc/passwd", path(owner, names[i])), 0);
        check_refused(owner, -ELOOP, expected);
        assert_int_equal(unlink(path(owner, names[i])), 0);
    }
    put_files(owner, &snapshot, &journal);
    read_error = EIO;
    check_refused(owner, -EIO, "/journal: Input/output error");
    read_error = 0;
    owner_read(owner);
    assert_int_equal(owner->replayed, 8);
    owner_forget(owner);
}

enum {
    NOBODY = 65534
};

/* As another user; the value is that of `check`. Skips where this is not root. */
static void as_nobody(struct owner *owner, void (*check)(struct owner *owner))
{
    pid_t child;
    int   status;

    if (geteuid() != 0)
        skip();
    child = fork_child();
    if (child == 0) {
        if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
            _exit(1);
        check(owner);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void give_all(const struct owner *owner)
{
    static const char *const names[] = {"", "lock", "snapshot", "journal"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(chown(path(owner, names[i]), NOBODY, NOBODY), 0);
}

static void check_snapshot_is_roots(struct owner *owner)
{
    check_refused(owner, -EACCES, "/snapshot belongs to root, and bywayd runs as nobody: chown it");
}

static void check_journal_is_roots(struct owner *owner)
{
    check_refused(owner, -EACCES, "/journal belongs to root, and bywayd runs as nobody: chown it");
}

static void check_mode_is_wrong(struct owner *owner) { check_refused(owner, -EACCES, "/journal: Permission denied"); }

static void check_directory_is_roots(struct owner *owner)
{
    check_refused(owner, -EACCES, " belongs to root, and bywayd runs as nobody: chown it");
}

static void check_no_lock(struct owner *owner)
{
    struct store *store;
    char          why[STORE_WHY_MAX];

    assert_int_equal(store_lock(owner->directory, NULL, why, &store), -EACCES);
    assert_non_null(strstr(why, " belongs to root, and bywayd runs as nobody: chown it"));
}

/* Records 1 to 8 are there and nothing else; a ninth is kept like them. */
static void check_all_is_well(struct owner *owner)
{
    owner_open(owner);
    assert_int_equal(owner->replayed, 8);
    assert_int_equal(owner->reports, 0);
    owner_append(owner);
    assert_true(run_until(owner, all_synced));
    owner_close(owner, PATIENCE_MS);
    owner_read(owner);
    assert_int_equal(owner->replayed, 9);
    owner_forget(owner);
}

static void test_files_of_another_user(void **state)
{
    struct owner         *owner = *state;
    static struct content snapshot, journal;

    if (geteuid() != 0)
        skip();
    leave_files(owner, &snapshot, &journal);
    put_files(owner, &snapshot, &journal);
    give_all(owner);
    assert_int_equal(chown(path(owner, "snapshot"), 0, 0), 0);
    assert_int_equal(chmod(path(owner, "snapshot"), 0600), 0);
    as_nobody(owner, check_snapshot_is_roots);
    give_all(owner);
    assert_int_equal(chown(path(owner, "journal"), 0, 0), 0);
    assert_int_equal(chmod(path(owner, "journal"), 0600), 0);
    as_nobody(owner, check_journal_is_roots);
    give_all(owner);
    assert_int_equal(chmod(path(owner, "journal"), 0), 0);
    as_nobody(owner, check_mode_is_wrong);
    assert_int_equal(chmod(path(owner, "journal"), 0600), 0);
    assert_int_equal(chown(owner->directory, 0, 0), 0);
    assert_int_equal(chmod(owner->directory, 0755), 0);
    as_nobody(owner, check_directory_is_roots);
    assert_int_equal(chmod(owner->directory, 0700), 0);
    as_nobody(owner, check_no_lock);
    assert_int_equal(chmod(owner->directory, 0755), 0);
    assert_int_equal(unlink(path(owner, "lock")), 0);
    as_nobody(owner, check_no_lock);
    /* These are replaced, for nothing is lost with them. */
    save(owner, "lock", (const uint8_t *) "", 0);
    give_all(owner);
    assert_int_equal(chown(path(owner, "lock"), 0, 0), 0);
    assert_int_equal(chmod(path(owner, "lock"), 0600), 0);
    save(owner, "snapshot.tmp", (const uint8_t *) "x", 1);
    save(owner, "journal.tmp", (const uint8_t *) "x", 1);
    save(owner, "journal.bad-1", (const uint8_t *) "x", 1);
    as_nobody(owner, check_all_is_well);
}

/* Root, which is to become another user, gives him what it has made itself and nothing else. */
static void test_what_is_given_away(void **state)
{
    static const struct store_owner nobody  = {.user = NOBODY, .group = NOBODY};
    static const char *const        given[] = {"", "lock", "snapshot", "journal.bad-1"};
    struct owner                   *owner   = *state;
    struct stat                     status;
    char                            why[STORE_WHY_MAX], link[80], other[80];

    if (geteuid() != 0)
        skip();
    save(owner, "snapshot", (const uint8_t *) "x", 1);
    save(owner, "journal", (const uint8_t *) "x", 1);
    save(owner, "journal.bad-1", (const uint8_t *) "x", 1);
    assert_int_equal(chown(path(owner, "journal"), 1, 1), 0);
    snprintf(other, sizeof(other), "%s.other", owner->directory);
    snprintf(link, sizeof(link), "%s.link", owner->directory);
    assert_int_equal(symlink(other, path(owner, "snapshot.bad-1")), 0);
    save(owner, "../store-elsewhere", (const uint8_t *) "x", 1);
    assert_int_equal(rename(path(owner, "../store-elsewhere"), other), 0);
    assert_int_equal(linkat(AT_FDCWD, other, AT_FDCWD, path(owner, "snapshot.bad-2"), 0), 0);
    assert_int_equal(mkdir(path(owner, "lost+found"), 0700), 0);
    assert_int_equal(store_lock(owner->directory, &nobody, why, &owner->store), 0);
    owner_forget(owner);
    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        assert_int_equal(stat(path(owner, given[i]), &status), 0);
        assert_true(status.st_uid == NOBODY && status.st_gid == NOBODY);
    }
    assert_true(stat(path(owner, "journal"), &status) == 0 && status.st_uid == 1);
    assert_true(stat(path(owner, "lost+found"), &status) == 0 && status.st_uid == 0);
    assert_true(stat(other, &status) == 0 && status.st_uid == 0);
    assert_int_equal(unlink(other), 0);

    /* behind a link may be a directory of anybody's */
    assert_int_equal(chown(owner->directory, 0, 0), 0);
    assert_int_equal(symlink(owner->directory, link), 0);
    assert_int_equal(store_lock(link, &nobody, why, &owner->store), 0);
    owner_forget(owner);
    assert_true(stat(owner->directory, &status) == 0 && status.st_uid == 0);
    assert_int_equal(unlink(link), 0);
}

/* A directory that was named by mistake is not taken over. */
static void test_a_directory_with_files_of_others(void **state)
{
    static const char *const strangers[]   = {"passwd", ".hidden", "snapshot.old", "journal.bad-", "lock2", "Snapshot"};
    static const struct store_owner nobody = {.user = NOBODY, .group = NOBODY};
    struct owner                   *owner  = *state;
    struct stat                     status;
    char                            why[STORE_WHY_MAX];

    save(owner, ".nfs000000000000001700000001", (const uint8_t *) "", 0);
    assert_int_equal(mkdir(path(owner, "lost+found"), 0700), 0);
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
        save(owner, strangers[i], (const uint8_t *) "", 0);
        assert_int_equal(store_lock(owner->directory, &nobody, why, &owner->store), -ENOTEMPTY);
        assert_non_null(strstr(why, strangers[i]));
        assert_non_null(strstr(why, "must be a directory for bywayd alone"));
        assert_false(exists(owner, "lock"));
        assert_true(stat(owner->directory, &status) == 0 && status.st_uid == geteuid());
        assert_int_equal(unlink(path(owner, strangers[i])), 0);
    }
    owner_open(owner);
    owner_append(owner);
    assert_true(run_until(owner, all_synced));
    owner_close(owner, PATIENCE_MS);
}

/* The journal that a crash between the two renames of a compaction leaves is contained in the snapshot. */
static void test_an_older_journal_is_not_replayed(void **state)
{
    struct owner         *owner = *state;
    static struct content snapshot, journal, newer;

    leave_files(owner, &snapshot, &journal); /* its close wrote the next snapshot, of 1-8 */
    load(owner, "snapshot", &newer);
    put_files(owner, &newer, &journal);
    check_all_is_well(owner);
}

static void test_the_journal_is_compacted(void **state)
{
    struct owner *owner = *state;

    owner->record_size = 4096;
    owner_open(owner);
    for (int i = 0; i < 1600; i++) { /* 6.5 MB: the first snapshot, and one or two more */
        owner_append(owner);
        if (i % 20 == 0)
            uv_run(&owner->loop, UV_RUN_NOWAIT), usleep(2000);
    }
    assert_true(run_until(owner, is_compact));
    owner_close(owner, PATIENCE_MS);
    owner_read(owner);
    assert_int_equal(owner->replayed, 1600);
    owner_forget(owner);
}

/* Everything above RLIMIT_FSIZE fails, as a full disk would; the process must not die of SIGXFSZ. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_a_full_disk_heals_with_a_snapshot(void **state)
{
    struct owner *owner = *state;

    owner_open(owner);
    owner_append(owner);
    assert_true(run_until(owner, all_synced));
    owner->record_size = 11;
    limit_files(40);
    for (int i = 0; i < 50; i++)
        owner_append(owner);
    assert_true(run_until(owner, is_failing));
    assert_true(stats(owner).synced < stats(owner).appended);
    assert_int_equal(owner->reports, 1);
    owner_append(owner);
    limit_files(RLIM_INFINITY);
    assert_true(run_until(owner, has_healed));
    assert_int_equal(owner->reports, 2);
    assert_true(stats(owner).failures >= 1);
    owner_append(owner);
    assert_true(run_until(owner, all_synced));
    owner_close(owner, PATIENCE_MS);
    owner_read(owner);
    assert_int_equal(owner->replayed, 53);
    assert_int_equal(owner->reports, 0);
    owner_forget(owner);
}

/* A journal cut off by a full disk, and the process killed before it healed. */
static void test_killed_while_the_disk_is_full(void **state)
{
    struct owner         *owner = *state;
    static struct content snapshot, journal;

    owner_open(owner);
    assert_true(run_until(owner, has_snapshot));
    for (int i = 0; i < 4; i++)
        owner_append(owner);
    assert_true(run_until(owner, all_synced));
    limit_files(130); /* in the middle of a record */
    for (int i = 0; i < 4; i++)
        owner_append(owner);
    assert_true(run_until(owner, is_failing));
    load(owner, "snapshot", &snapshot);
    load(owner, "journal", &journal);
    limit_files(RLIM_INFINITY);
    owner_close(owner, PATIENCE_MS);
    put_files(owner, &snapshot, &journal);
    owner_read(owner);
    assert_in_range(owner->replayed, 4, 8);
    assert_int_equal(owner->reports, 0);
    owner_forget(owner);
}

/* A directory in the place of NAME.tmp fails the snapshot, or, later, its journal. */
static void test_a_snapshot_that_fails_at_each_step(void **state)
{
    static const char *const obstacles[] = {"snapshot.tmp", "journal.tmp"};
    struct owner            *owner       = *state;

    for (size_t i = 0; i < ARRAY_LEN(obstacles); i++) {
        static struct content files[2];
        uint32_t              before;

        unlink(path(owner, "journal")); /* a snapshot is due */
        owner->may_skip = true;
        assert_int_equal(mkdir(path(owner, obstacles[i]), 0700), 0);
        owner_open(owner);
        before = owner->count;
        owner_append(owner);
        assert_true(run_until(owner, is_failing));
        owner_append(owner);
        if (i == 1) { /* killed here: the snapshot without its journal is enough */
            load(owner, "snapshot", &files[0]);
            assert_true(files[0].len > 20);
        }
        assert_int_equal(rmdir(path(owner, obstacles[i])), 0);
        assert_true(run_until(owner, has_healed));
        owner_append(owner);
        assert_true(run_until(owner, all_synced));
        load(owner, "snapshot", &files[0]);
        load(owner, "journal", &files[1]);
        owner_close(owner, PATIENCE_MS);
        put_files(owner, &files[0], &files[1]);
        owner_read(owner);
        assert_int_equal(owner->replayed, before + 3);
        assert_int_equal(owner->reports, 0);
        owner_forget(owner);
    }
}

/* While a compaction cannot succeed, appending goes on, and what is appended survives a kill. */
static void test_a_failing_compaction_does_not_stop_the_journal(void **state)
{
    struct owner *owner = *state;
    struct stat   status;

    owner->record_size = 8192;
    owner_open(owner);
    owner_append(owner);
    assert_true(run_until(owner, all_synced));
    assert_int_equal(mkdir(path(owner, "snapshot.tmp"), 0700), 0);
    for (int i = 0; i < 200; i++)
        owner_append(owner);
    assert_true(run_until(owner, is_failing));
    owner_append(owner);
    assert_true(run_until(owner, all_synced));
    assert_true(is_failing(owner));
    assert_int_equal(owner->reports, 1);
    assert_int_equal(stat(path(owner, "journal"), &status), 0);
    assert_true(status.st_size > 200 * 8192);
    assert_int_equal(rmdir(path(owner, "snapshot.tmp")), 0);
    assert_true(run_until(owner, has_healed));
    owner_close(owner, PATIENCE_MS);
    owner_read(owner);
    assert_int_equal(owner->replayed, 202);
    owner_forget(owner);
}

static void run_for(struct owner *owner, unsigned ms)
{
    uint64_t end = uv_hrtime() + (uint64_t) ms * 1000000;

    while (uv_hrtime() < end)
        uv_run(&owner->loop, UV_RUN_NOWAIT), usleep(1000);
}

/* The snapshot is in place, its journal is not: what the old journal would still take does not count. */
static void compaction_fails_halfway(struct owner *owner)
{
    assert_int_equal(mkdir(path(owner, "journal.tmp"), 0700), 0);
    for (int i = 0; i < 200; i++)
        owner_append(owner);
    assert_true(run_until(owner, is_failing));
    owner_append(owner);
    run_for(owner, 300);
}

static bool journal_is_large(const struct owner *owner) { return stats(owner).journal_bytes > 3500000; }
static bool failed_twice(const struct owner *owner) { return stats(owner).failures >= 2; }

/* Records were dropped because a compaction hung for long; then it fails, and the next one too. */
static void compaction_hangs_then_fails(struct owner *owner)
{
    int reader;

    assert_int_equal(mkfifo(path(owner, "snapshot.tmp"), 0600), 0);
    for (int i = 0; i < 500; i++)
        owner_append(owner);
    assert_true(run_until(owner, journal_is_large));
    run_for(owner, 200);
    for (int i = 0; i < 700; i++)
        owner_append(owner);
    reader = open(path(owner, "snapshot.tmp"), O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    usleep(100000);
    close(reader);
    while (mkdir(path(owner, "snapshot.tmp"), 0700) < 0) /* until the hanging one has failed and removed it */
        usleep(1000);
    assert_true(run_until(owner, failed_twice));
    owner_append(owner);
    run_for(owner, 300);
}

static void test_killed_after_a_failed_compaction(void **state)
{
    static void (*const failures[])(struct owner * owner) = {compaction_fails_halfway, compaction_hangs_then_fails};
    struct owner *owner                                   = *state;

    owner->record_size = 8000;
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        uint32_t synced = 0;
        int      pipes[2], status;
        pid_t    child;

        assert_int_equal(pipe(pipes), 0);
        child = fork_child();
        if (child == 0) {
            owner_open(owner);
            owner_append(owner);
            assert_true(run_until(owner, has_snapshot) && run_until(owner, all_synced));
            failures[i](owner);
            synced = owner->replayed + (uint32_t) stats(owner).synced;
            if (write(pipes[1], &synced, sizeof(synced)) == sizeof(synced))
                pause();
            _exit(1);
        }
        close(pipes[1]);
        assert_int_equal(read(pipes[0], &synced, sizeof(synced)), sizeof(synced));
        close(pipes[0]);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        rmdir(path(owner, "snapshot.tmp"));
        rmdir(path(owner, "journal.tmp"));
        owner_read(owner);
        assert_true(synced > 100 && owner->replayed >= synced);
        assert_int_equal(owner->reports, 0);
        owner_forget(owner);
    }
}

static bool failed_and_healed(const struct owner *owner) { return stats(owner).failures >= 1 && has_healed(owner); }

static void owner_append_and_heal(struct owner *owner)
{
    owner->reports = 0;
    owner_append(owner);
    assert_true(run_until(owner, failed_and_healed));
    assert_int_equal(owner->reports, 2); /* that it failed, and that it works again */
}

/* As kill -9 would leave it. */
static void check_on_disk(struct owner *owner, uint32_t count)
{
    struct owner other = {.record_size = owner->record_size};
    char         command[300];

    snprintf(other.directory, sizeof(other.directory), "%.56s.copy", owner->directory);
    snprintf(command, sizeof(command), "mkdir %s && cp %s/snapshot %s/journal %s", other.directory, owner->directory,
             owner->directory, other.directory);
    assert_int_equal(system(command), 0);
    owner_read(&other);
    assert_int_equal(other.replayed, count);
    owner_forget(&other);
    assert_int_equal(nftw(other.directory, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Writes to a file that has no name any more succeed, and are lost. */
static void test_files_removed_while_it_runs(void **state)
{
    static const char *const names[] = {"journal", "snapshot"};
    struct owner            *owner   = *state;

    for (int removed = 1; removed <= 2; removed++) {
        owner_open(owner);
        owner_append(owner);
        assert_true(run_until(owner, all_synced));
        for (int i = 0; i < removed; i++)
            assert_int_equal(unlink(path(owner, names[i])), 0);
        owner_append_and_heal(owner);
        owner_append(owner);
        assert_true(run_until(owner, all_synced));
        check_on_disk(owner, owner->count);
        owner_close(owner, PATIENCE_MS);
    }
}

static void test_the_directory_moved_away(void **state)
{
    struct owner         *owner = *state;
    static struct content snapshot, journal, aside;
    char                  elsewhere[80];

    leave_files(owner, &snapshot, &journal);
    snprintf(elsewhere, sizeof(elsewhere), "%s.elsewhere", owner->directory);
    for (int put_back = 0; put_back < 2; put_back++) {
        owner_open(owner);
        owner_append(owner);
        assert_true(run_until(owner, all_synced));
        assert_int_equal(rename(owner->directory, elsewhere), 0);
        if (put_back) { /* a backup, say: not what is known now, but somebody may want it */
            assert_int_equal(mkdir(owner->directory, 0700), 0);
            put_files(owner, &snapshot, &journal);
        }
        owner_append_and_heal(owner);
        owner_append(owner);
        assert_true(run_until(owner, all_synced));
        check_on_disk(owner, owner->count);
        owner_close(owner, PATIENCE_MS);
        assert_int_equal(exists(owner, "journal.bad-1"), put_back);
        assert_int_equal(nftw(elsewhere, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    }
    load(owner, "snapshot.bad-1", &aside);
    assert_int_equal(aside.len, snapshot.len);
    assert_memory_equal(aside.bytes, snapshot.bytes, aside.len);
}

/* In the new place another process is at home. */
static void test_the_directory_is_anothers_now(void **state)
{
    struct owner *owner = *state;
    char          elsewhere[80];
    int           pipes[2], status;
    pid_t         child;
    char          byte, why[STORE_WHY_MAX];

    snprintf(elsewhere, sizeof(elsewhere), "%s.elsewhere", owner->directory);
    owner_open(owner);
    owner_append(owner);
    assert_true(run_until(owner, all_synced));
    assert_int_equal(rename(owner->directory, elsewhere), 0);
    assert_int_equal(pipe(pipes), 0);
    child = fork_child();
    if (child == 0) {
        struct store *second;

        if (store_lock(owner->directory, NULL, why, &second) == 0 && write(pipes[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    owner_append(owner);
    assert_true(run_until(owner, failed_twice));
    assert_false(exists(owner, "snapshot"));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(run_until(owner, has_healed));
    check_on_disk(owner, owner->count);
    owner_close(owner, PATIENCE_MS);
    close(pipes[0]);
    close(pipes[1]);
    assert_int_equal(nftw(elsewhere, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Each is on disk before the next comes, whichever piece is being written; a kill at any of these moments loses none,
 * nor does one after the snapshot has taken their place. */
static void test_records_are_kept_amid_a_compaction(void **state)
{
    struct owner *owner = *state;
    unsigned      amid  = 0;

    owner->record_size = 8000;
    owner_open(owner);
    assert_true(run_until(owner, has_snapshot));
    snapshot_syncs = 0;
    for (int i = 0; i < 400; i++) /* 3.2 MB, over the bound, and four pieces */
        owner_append(owner);
    assert_true(run_until(owner, all_synced));
    run_for(owner, 200);
    for (; stats(owner).snapshots < 2; amid++) {
        owner_append(owner);
        run_for(owner, 20);
        snapshot_syncs++;
        assert_true(run_until(owner, all_synced));
        check_on_disk(owner, owner->count);
    }
    assert_int_equal(amid, 5);
    snapshot_syncs = -1;
    assert_int_equal(stats(owner).failures, 0);
    for (int i = 0; i < 3; i++) {
        owner_append(owner);
        assert_true(run_until(owner, all_synced));
        check_on_disk(owner, owner->count);
    }
    owner_close(owner, PATIENCE_MS);
    owner_read(owner);
    assert_int_equal(owner->replayed, owner->count);
    owner_forget(owner);
}

/* It was never told that they are kept. */
static void test_what_a_held_compaction_keeps_waiting(void **state)
{
    struct owner *owner = *state;
    uint64_t      synced;

    owner->record_size = 8000;
    owner_open(owner);
    assert_true(run_until(owner, has_snapshot));
    snapshot_syncs = 0;
    for (int i = 0; i < 200; i++)
        owner_append(owner);
    assert_true(run_until(owner, all_synced));
    run_for(owner, 200);
    synced = stats(owner).synced;
    for (int i = 0; i < 5; i++)
        owner_append(owner);
    assert_true(run_until(owner, is_failing));
    assert_int_equal(stats(owner).synced, synced);
    assert_false(stats(owner).refused);
    check_on_disk(owner, 200);
    snapshot_syncs = -1;
    assert_true(run_until(owner, has_healed));
    check_on_disk(owner, 205);
    owner_close(owner, PATIENCE_MS);
}

static size_t resident_bytes(void)
{
    size_t pages = 0, resident = 0;
    FILE  *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu %zu", &pages, &resident), 2);
    fclose(file);
    return resident * (size_t) sysconf(_SC_PAGESIZE);
}

/* Opening a FIFO that nobody reads hangs like a dead disk. */
static void test_a_hanging_disk_blocks_nobody(void **state)
{
    struct owner *owner = *state;
    uint64_t      before, took;
    size_t        memory;
    int           reader;

    assert_int_equal(mkfifo(path(owner, "snapshot.tmp"), 0600), 0);
    owner->record_size = 4096;
    owner_open(owner);
    before = uv_hrtime();
    memory = resident_bytes();
    for (int i = 0; i < 20000; i++) { /* 80 MB: must not be kept */
        owner_append(owner);
        if (i % 100 == 0)
            uv_run(&owner->loop, UV_RUN_NOWAIT);
    }
    took = (uv_hrtime() - before) / 1000000;
    assert_true(took < 5000);
    assert_true(resident_bytes() < memory + (48 << 20));
    took = owner_close(owner, 300);
    assert_in_range(took, 250, 2000);
    assert_non_null(strstr(owner->last_report, "before the end"));

    reader = open(path(owner, "snapshot.tmp"), O_RDONLY | O_NONBLOCK); /* lets the thread go, and end */
    assert_true(reader >= 0);
    usleep(200000);
    close(reader);
    usleep(200000);
}

static bool has_answered(const struct owner *owner) { return stats(owner).snapshots >= 1 && has_healed(owner); }

/* It never fails, so it must be told of otherwise; and nothing is given up for it. */
static void test_a_late_disk_is_reported(void **state)
{
    struct owner *owner = *state;
    uint64_t      before;
    int           reader;

    assert_int_equal(mkfifo(path(owner, "snapshot.tmp"), 0600), 0);
    owner_open(owner);
    before = uv_hrtime();
    owner_append(owner);
    assert_true(run_until(owner, is_failing));
    assert_in_range((uv_hrtime() - before) / 1000000, 1900, 5000);
    assert_int_equal(owner->reports, 1);
    assert_non_null(strstr(owner->last_report, "not answered"));
    owner_append(owner);
    reader = open(path(owner, "snapshot.tmp"), O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_true(run_until(owner, has_answered));
    assert_int_equal(owner->reports, 3); /* it answered with an error: one cannot seek there */
    close(reader);
    check_on_disk(owner, 2);
    owner_close(owner, PATIENCE_MS);
}

/* The loop was kept busy for longer than that; the disk was not. */
static void test_a_late_owner_is_no_late_disk(void **state)
{
    struct owner *owner = *state;

    owner_open(owner);
    assert_true(run_until(owner, has_snapshot));
    usleep(100000);
    uv_update_time(&owner->loop);
    owner_append(owner);
    usleep(2200000);
    uv_run(&owner->loop, UV_RUN_NOWAIT);
    assert_true(all_synced(owner));
    assert_int_equal(stats(owner).failures, 0);
    assert_int_equal(owner->reports, 0);
    owner_close(owner, PATIENCE_MS);
}

static void test_memory_fails(void **state)
{
    struct owner *owner = *state;
    struct store *store;
    size_t        records;
    char          why[STORE_WHY_MAX];
    int           error;

    owner_open(owner);
    for (int i = 0; i < 5; i++)
        owner_append(owner);
    owner_close(owner, PATIENCE_MS);

    heap_fail_at(0);
    assert_int_equal(store_lock(owner->directory, NULL, why, &store), -ENOMEM);
    heap_restore();
    for (size_t n = 0; n < 3; n++) {
        owner->replayed = owner->last = 0;
        assert_int_equal(store_lock(owner->directory, NULL, why, &store), 0);
        heap_fail_at(n);
        error = store_replay(store, owner_on_replay, owner_report, owner, why, &records);
        assert_int_equal(error, heap_restore() ? -ENOMEM : 0);
        store_close(store, 0);
    }
    assert_int_equal(owner->replayed, 5);

    owner_read(owner);
    assert_int_equal(uv_loop_init(&owner->loop), 0);
    heap_fail_at(0);
    assert_int_equal(store_start(owner->store, &owner->loop, owner_collect, owner_report, owner), -ENOMEM);
    heap_restore();
    assert_int_equal(store_start(owner->store, &owner->loop, owner_collect, owner_report, owner), 0);
    heap_fail_all();
    for (int i = 0; i < 10; i++)
        owner_append(owner);
    heap_restore();
    assert_true(run_until(owner, has_healed));
    owner_close(owner, PATIENCE_MS);
    owner_read(owner);
    assert_int_equal(owner->replayed, 15);
    owner_forget(owner);
}

/* The first snapshot fails for want of memory, at each place in turn: in the owner's thread, where the job is made, and
 * in the scribe's, while records come. Nothing that was appended is lost. */
static void test_memory_fails_amid_a_snapshot(void **state)
{
    struct owner *owner   = *state;
    bool          refused = true;

    for (size_t n = 0; refused; n++) {
        open_fixture(state);
        owner_read(owner);
        owner->count = 100;
        assert_int_equal(uv_loop_init(&owner->loop), 0);
        heap_fail_at(1 + n); /* 0: the scribe itself */
        assert_int_equal(store_start(owner->store, &owner->loop, owner_collect, owner_report, owner), 0);
        refused = heap_restore();
        owner_append(owner);
        assert_true(run_until(owner, has_snapshot) && run_until(owner, has_healed));
        owner_close(owner, PATIENCE_MS);
        owner_read(owner);
        assert_int_equal(owner->replayed, 101);
        owner_forget(owner);
        close_fixture(state);
    }
    for (int n = 1; n == 1 || refused; n++) {
        open_fixture(state);
        owner_read(owner);
        owner->count   = 100;
        scribe_refused = n;
        snapshot_syncs = 0; /* it hangs until a record has come */
        owner_start(owner);
        owner_append(owner);
        snapshot_syncs = -1;
        assert_true(run_until(owner, has_snapshot));
        refused = stats(owner).failures > 0;
        assert_true(refused || n > 1);
        owner_append(owner);
        assert_true(run_until(owner, has_healed));
        owner_close(owner, PATIENCE_MS);
        owner_read(owner);
        assert_int_equal(owner->replayed, 102);
        owner_forget(owner);
        close_fixture(state);
    }
    open_fixture(state);
}

/* Starts with a snapshot due, appends a record every moment while it is written, and says what it held for synced in
 * the end; -1 before that: the failure did not come. */
static void child_fails(struct owner *owner, int call, int out)
{
    int64_t synced = 0;

    owner_read(owner);
    calls_left = call;
    owner_start(owner);
    for (int i = 0; i < 60; i++) {
        owner_append(owner);
        uv_run(&owner->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    for (int i = 0; i < 20; i++) {
        uv_run(&owner->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    synced = owner->replayed + (int64_t) stats(owner).synced;
    if (calls_left > 0 && !fails_for_ever)
        synced = -1;
    if (write(out, &synced, sizeof(synced)) != sizeof(synced))
        _exit(1);
    kill(getpid(), SIGKILL);
}

/* A journal that has outgrown its snapshot, for each time it was to be compacted that failed. */
static void leave_outgrown(struct owner *owner)
{
    int   status;
    pid_t child;

    owner_open(owner);
    owner_append(owner);
    assert_true(run_until(owner, all_synced));
    owner_close(owner, PATIENCE_MS);
    assert_int_equal(mkdir(path(owner, "snapshot.tmp"), 0700), 0);
    child = fork_child();
    if (child == 0) {
        owner_open(owner);
        for (int i = 0; i < 200; i++)
            owner_append(owner);
        _exit(run_until(owner, all_synced) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(rmdir(path(owner, "snapshot.tmp")), 0);
}

static void copy_all(const char *from, const char *to)
{
    char command[256];

    snprintf(command, sizeof(command), "rm -rf %s && cp -a %s %s", to, from, to);
    assert_int_equal(system(command), 0);
}

/* Each call of the disk fails in turn, once or from then on, while the journal is compacted and records come; then the
 * process is killed. What was called synced is there. */
static void test_killed_after_each_failure(void **state)
{
    struct owner *owner = *state;
    char          base[80];

    owner->record_size = 8000;
    leave_outgrown(owner);
    snprintf(base, sizeof(base), "%s.base", owner->directory);
    copy_all(owner->directory, base);
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        int64_t synced = 0;

        for (int n = 0; n < 30 && synced >= 0; n++) {
            int   pipes[2], status;
            pid_t child;

            copy_all(base, owner->directory);
            assert_int_equal(pipe(pipes), 0);
            child = fork_child();
            if (child == 0) {
                failure        = for_ever ? ENOSPC : EIO;
                fails_for_ever = for_ever;
                child_fails(owner, n, pipes[1]);
            }
            close(pipes[1]);
            assert_int_equal(read(pipes[0], &synced, sizeof(synced)), sizeof(synced));
            assert_int_equal(waitpid(child, &status, 0), child);
            close(pipes[0]);
            owner_read(owner);
            owner_forget(owner);
            if (owner->replayed < synced)
                fail_msg("call %d of the disk: %d synced, %u there", n, (int) synced, owner->replayed);
        }
        assert_true(for_ever || synced < 0);
    }
    assert_int_equal(nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Appends for ever, and says after each sync how far it came. */
static void child_run(struct owner *owner, int out)
{
    owner_open(owner);
    for (;;) {
        uint32_t synced;
        uint32_t base = owner->replayed;

        for (int i = 0; i < 5; i++)
            owner_append(owner);
        uv_run(&owner->loop, UV_RUN_NOWAIT);
        synced = base + (uint32_t) stats(owner).synced;
        if (write(out, &synced, sizeof(synced)) != sizeof(synced))
            _exit(1);
        usleep(500);
    }
}

static void test_killed_at_any_time(void **state)
{
    struct owner *owner  = *state;
    uint32_t      before = 0;

    owner->record_size = 8000; /* a megabyte, and with it a compaction, comes soon */
    for (int round = 0; round < 12; round++) {
        int      pipes[2], status;
        uint32_t synced = 0, told;
        pid_t    child;

        assert_int_equal(pipe(pipes), 0);
        child = fork_child();
        if (child == 0) {
            close(pipes[0]);
            child_run(owner, pipes[1]);
        }
        close(pipes[1]);
        usleep(30000 + (useconds_t) round * 17000);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(pipes[0], &told, sizeof(told)) == sizeof(told))
            synced = told;
        close(pipes[0]);
        owner_read(owner);
        assert_int_equal(owner->reports, 0);
        assert_true(owner->replayed >= synced);
        assert_true(owner->replayed >= before);
        before = owner->replayed;
        owner_forget(owner);
    }
    assert_true(before > 0);
}

/* A small disk of our own, full and then read-only. Needs the right to mount. */
static void small_disk(struct owner *owner)
{
    uint32_t kept;

    owner->record_size = 4096;
    owner_open(owner);
    owner_append(owner);
    assert_true(run_until(owner, all_synced));
    for (int i = 0; i < 100; i++)
        owner_append(owner);
    assert_true(run_until(owner, is_failing));
    assert_non_null(strstr(owner->last_report, "No space left"));
    assert_int_equal(mount("none", owner->directory, "tmpfs", MS_REMOUNT, "size=8m"), 0);
    assert_true(run_until(owner, has_healed));
    owner_close(owner, PATIENCE_MS);

    assert_int_equal(mount("none", owner->directory, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=8m"), 0);
    owner_open(owner);
    assert_int_equal(owner->replayed, 101);
    owner_append(owner);
    kept = owner->count;
    assert_true(run_until(owner, is_failing));
    assert_int_equal(mount("none", owner->directory, "tmpfs", MS_REMOUNT, "size=8m"), 0);
    assert_true(run_until(owner, has_healed));
    owner_close(owner, PATIENCE_MS);
    owner_read(owner);
    assert_int_equal(owner->replayed, kept);
    owner_forget(owner);
}

static void test_a_small_disk(void **state)
{
    struct owner *owner = *state;
    int           status;
    pid_t         child = fork_child();

    if (child == 0) {
        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("none", owner->directory, "tmpfs", 0, "size=256k") < 0)
            _exit(77);
        small_disk(owner);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_first_start_and_the_next),
        FIXTURE_TEST(test_one_process_at_a_time),
        FIXTURE_TEST(test_a_directory_that_cannot_be),
        FIXTURE_TEST(test_journal_cut_at_every_byte),
        FIXTURE_TEST(test_a_torn_journal_is_built_upon),
        FIXTURE_TEST(test_every_byte_corrupted),
        FIXTURE_TEST(test_harm_is_found_again_until_it_is_replaced),
        FIXTURE_TEST(test_a_record_that_is_not_understood),
        FIXTURE_TEST(test_a_large_file_is_not_refused),
        FIXTURE_TEST(test_what_lies_in_the_files_place),
        FIXTURE_TEST(test_what_cannot_be_read_is_no_damage),
        FIXTURE_TEST(test_files_of_another_user),
        FIXTURE_TEST(test_what_is_given_away),
        FIXTURE_TEST(test_a_directory_with_files_of_others),
        FIXTURE_TEST(test_an_older_journal_is_not_replayed),
        FIXTURE_TEST(test_the_journal_is_compacted),
        FIXTURE_TEST(test_a_full_disk_heals_with_a_snapshot),
        FIXTURE_TEST(test_killed_while_the_disk_is_full),
        FIXTURE_TEST(test_a_snapshot_that_fails_at_each_step),
        FIXTURE_TEST(test_a_failing_compaction_does_not_stop_the_journal),
        FIXTURE_TEST(test_killed_after_a_failed_compaction),
        FIXTURE_TEST(test_files_removed_while_it_runs),
        FIXTURE_TEST(test_the_directory_moved_away),
        FIXTURE_TEST(test_the_directory_is_anothers_now),
        FIXTURE_TEST(test_records_are_kept_amid_a_compaction),
        FIXTURE_TEST(test_what_a_held_compaction_keeps_waiting),
        FIXTURE_TEST(test_a_hanging_disk_blocks_nobody),
        FIXTURE_TEST(test_a_late_disk_is_reported),
        FIXTURE_TEST(test_a_late_owner_is_no_late_disk),
        FIXTURE_TEST(test_memory_fails),
        FIXTURE_TEST(test_memory_fails_amid_a_snapshot),
        FIXTURE_TEST(test_killed_after_each_failure),
        FIXTURE_TEST(test_killed_at_any_time),
        FIXTURE_TEST(test_a_small_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
