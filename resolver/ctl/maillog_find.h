/*
 * maillog_find.h: the texts by which DNS trouble shows in the logs of mail servers (maillog_texts.def), and where one
 * of them stands in a block of bytes. Knows nothing of lines.
 *
 * Thread: main.
 */
#ifndef CTL_MAILLOG_FIND_H
#define CTL_MAILLOG_FIND_H

#include "base/types.h"

enum maillog_kind {
    MAILLOG_NONE, /* no trouble, but needed to understand others; or trouble that is not DNS */
#define MAILLOG_KIND(name, word) MAILLOG_##name,
#include "ctl/maillog_texts.def"
    MAILLOG_KINDS
};

/* Where a line names what is to blame. */
enum maillog_place {
    MAILLOG_AFTER,        /* right after the text */
    MAILLOG_BEFORE,       /* in the last <...> before it */
    MAILLOG_MARK,         /* right after the mark, which stands before the text */
    MAILLOG_FIELD,        /* right after the mark, which stands behind the text */
    MAILLOG_IP_AFTER,     /* the first [address] after the text */
    MAILLOG_IP_BEFORE,    /* the last one before it */
    MAILLOG_NEW_DELIVERY, /* qmail-send: whom a delivery is for; later lines have only its number */
    MAILLOG_DELIVERY,
    MAILLOG_NEW_SESSION, /* recordio: the sender of a process */
    MAILLOG_SESSION
};

struct maillog_text {
    const char        *server;
    enum maillog_kind  kind;
    enum maillog_place place;
    const char        *mark;
    const char        *text;
    size_t             mark_len, text_len;
};

enum {
    MAILLOG_SLOTS     = 1 << 15,
    MAILLOG_TEXTS_MAX = 128
};

struct maillog_find {
    uint8_t skip[MAILLOG_SLOTS];     /* how far no text can end its beginning; 0: look at `first` */
    uint8_t first[MAILLOG_SLOTS];    /* 1 + a row; 0: none */
    uint8_t next[MAILLOG_TEXTS_MAX]; /* of the rows that begin alike, in the order of the table */
};

void maillog_find_init(struct maillog_find *find);
/* The first place from `from` on where a text stands whole before `end`, and in *ret_row the first row that has it;
 * NULL: nowhere. */
const char *maillog_find_next(const struct maillog_find *find, const char *from, const char *end, unsigned *ret_row);
/* The next row with a text that stands at `at`, too; 0: none. Row numbers begin with 1. */
unsigned maillog_find_also(const struct maillog_find *find, const char *at, const char *end, unsigned row);

unsigned                   maillog_find_rows(void);
const struct maillog_text *maillog_find_text(unsigned row);
const char                *maillog_find_word(enum maillog_kind kind); /* "sender" */

#endif
