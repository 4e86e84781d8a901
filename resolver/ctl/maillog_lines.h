/*
 * maillog_lines.h: what the lines of a log say of mail that DNS held up. Knows nothing of files, and nothing of what is
 * done with what it finds.
 *
 * Thread: main.
 */
#ifndef CTL_MAILLOG_LINES_H
#define CTL_MAILLOG_LINES_H

#include "ctl/maillog_envelope.h"
#include "ctl/maillog_find.h"
#include "ctl/maillog_names.h"
#include "ctl/maillog_time.h"

struct maillog_said {
    enum maillog_kind       kind;
    const char             *domain;   /* as the daemon shows names; NULL: the line names none */
    struct view             reply;    /* the server's words, raw */
    struct maillog_envelope envelope; /* of inbound mail */
    bool                    timed;
    wall_t                  when;
};

/* Everything is borrowed until the call returns. */
typedef void (*maillog_said_fn)(void *context, const struct maillog_said *said);

enum {
    MAILLOG_REMEMBERED = 512, /* deliveries and sessions under way: qmail runs 255 of each at most, or as patched 500 */
    MAILLOG_REMEMBERED_MAX = 256 /* bytes of a name, with its NUL; a longer one has bytes that no host's name has */
};

struct maillog_lines {
    struct maillog_find find;
    struct maillog_time time;
    maillog_said_fn     said;
    void               *context;
    struct {
        uint64_t number; /* of the delivery or the process */
        char     domain[MAILLOG_REMEMBERED_MAX];
    } remembered[2][MAILLOG_REMEMBERED];
};

/* `now`: what times without a year are dated by. */
void maillog_lines_init(struct maillog_lines *lines, wall_t now, maillog_said_fn said, void *context);
/* Takes whole lines, in the order of the log; what stands behind the last LF is a line, too. */
void maillog_lines_take(struct maillog_lines *lines, struct view block);

#endif
