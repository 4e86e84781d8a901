/*
 * replay.h: reads what an earlier process left, and decides what may be built upon. Blocking.
 *
 * Thread: keeper, before the loop runs.
 */
#ifndef STORE_REPLAY_H
#define STORE_REPLAY_H

#include "store/home.h"
#include "store/journal.h"
#include "store/store.h"

struct replay {
    /* inputs */
    const struct home *home;
    store_record_fn    each;
    store_report_fn    report;
    void              *context;
    char              *why; /* takes the reason of a failure, STORE_WHY_MAX bytes */

    /* results */
    size_t   records;
    uint64_t generation;     /* the highest one seen */
    uint64_t snapshot_bytes; /* its size */
    bool     journal_usable; /* it may be appended to at `journal_bytes`; else a snapshot is due */
    uint64_t journal_bytes;
    bool     set_aside_snapshot, set_aside_journal; /* could not be done, and must be before they are replaced */
};

/* -errno, with `why`: a file could not be read. Whatever is found in the files is no error. */
int replay_run(struct replay *replay);

#endif
