/*
 * journal.h: the bytes of a state file (docs/state.md): a header, then framed records. Pure: it sees buffers, never a
 * file.
 *
 * A record's checksum begins with the header's, so that a block of an older file which a crash brought back into this
 * one is not taken for a record of it; and it covers the length, so that a tail of zeros is not a row of empty records.
 *
 * Thread: pure.
 */
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "base/types.h"

enum journal_kind {
    JOURNAL_KIND_SNAPSHOT = 'S', /* closed by an end mark; without it the file is damaged */
    JOURNAL_KIND_JOURNAL  = 'J', /* may end anywhere */
};

enum {
    JOURNAL_VERSION      = 1,
    JOURNAL_HEADER_BYTES = 20,
    JOURNAL_FRAME_BYTES  = 8,
    JOURNAL_RECORD_MAX   = 1 << 20, /* a longer one is damage; keeps a damaged length from costing a long search */
};

/* Bytes that grow. All zero: empty. */
struct buffer {
    uint8_t *data; /* owned */
    size_t   len;
    size_t   cap;
};

void buffer_fini(struct buffer *buffer); /* leaves it empty and usable */
/* Takes the bytes of `more`, which is then empty. False: no memory, nothing changed. */
bool buffer_take(struct buffer *buffer, struct buffer *more);

/* Appends a header. False: no memory, nothing added. */
bool journal_add_header(struct buffer *buffer, enum journal_kind kind, uint64_t generation);
/* Appends a record of 1 to JOURNAL_RECORD_MAX bytes, its checksum still missing. False: no memory, nothing added. */
bool journal_add_record(struct buffer *buffer, struct view record);
/* Appends the mark that closes a snapshot, its checksum still missing. */
bool journal_add_end(struct buffer *buffer);
/* Fills in the checksums of the frames in `frames` (no header among them). */
void journal_seal(uint8_t *frames, size_t len, enum journal_kind kind, uint64_t generation);

enum journal_verdict {
    JOURNAL_COMPLETE, /* all of it was read */
    JOURNAL_TORN,     /* the last record of a journal is cut: what a crash leaves */
    JOURNAL_SHORT,    /* not even a header */
    JOURNAL_FOREIGN,  /* no state file, or of the other kind */
    JOURNAL_NEWER,    /* of a version we do not know */
    JOURNAL_DAMAGED,
};

struct journal_reader {
    struct view          bytes; /* borrows the whole file */
    enum journal_kind    kind;
    uint64_t             generation; /* 0: the header was not readable */
    uint32_t             seed;
    size_t               good; /* bytes up to the end of the last good record */
    enum journal_verdict verdict;
};

/* Reads the header. False: the verdict says why there is nothing to read. */
bool journal_open(struct journal_reader *reader, struct view bytes, enum journal_kind kind);
/* The next record, borrowed. False: the verdict is final. */
bool journal_next(struct journal_reader *reader, struct view *ret_record);

/* "complete", "torn", "too short", … for a report. */
const char *journal_verdict_text(enum journal_verdict verdict);

#endif
