/*
 * greeting.h: what a mail server says first, and what to make of it (RFC 5321, 4.2). Knows no socket.
 *
 * Thread: pure.
 */
#ifndef CTL_GREETING_H
#define CTL_GREETING_H

#include "base/types.h"

enum greeting_outcome {
    GREETING_GREETED,
    GREETING_REFUSED, /* the connection, or in words: "554 no service here" */
    GREETING_TIMEOUT, /* of the connection */
    GREETING_UNREACHABLE,
    GREETING_RESET,
    GREETING_SILENT, /* connected, and no greeting */
    GREETING_CLOSED,
    GREETING_GARBAGE
};

enum {
    GREETING_LINE_MAX = 512, /* bytes of a line that are looked at: RFC 5321, 4.5.3.1.5 */
    GREETING_MAX      = 8192 /* bytes that are read at all */
};

/* Begins as {0}. */
struct greeting {
    char   first[GREETING_LINE_MAX + 1]; /* the first line without its end, raw but for NUL; "": not whole yet */
    char   line[GREETING_LINE_MAX + 1];  /* the one under way */
    size_t line_len, bytes;
    bool   whole; /* its last line has come */
    bool   wrong; /* it is none */
};

/* Takes what came next. True: enough has come. */
bool greeting_hear(struct greeting *greeting, struct view bytes);
/* What it is, if nothing more comes because of `end`. */
enum greeting_outcome greeting_judge(const struct greeting *greeting, enum greeting_outcome end);
const char           *greeting_word(enum greeting_outcome outcome); /* "greeted" */

#endif
