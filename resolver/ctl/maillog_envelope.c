/*
 * maillog_envelope.c: see maillog_envelope.h.
 *
 * Postfix: RCPT from unknown[192.0.2.7]: ...; from=<a@b.example> to=<c@d.example> proto=ESMTP helo=<b.example>
 * Exim:    H=name (helo) [192.0.2.7] F=<a@b.example> rejected ...
 */
#include "ctl/maillog_envelope.h"

#include <string.h>

static struct view behind(struct view text, const char *mark)
{
    const uint8_t *at = text.len > 0 ? memmem(text.data, text.len, mark, strlen(mark)) : NULL;
    if (!at)
        return (struct view){0};
    at += strlen(mark);
    return (struct view){at, text.len - (size_t) (at - text.data)};
}

/* What stands before `end`, which has to be there. */
static struct view until(struct view text, char end)
{
    const uint8_t *at = text.len > 0 ? memchr(text.data, end, text.len) : NULL;
    return at ? (struct view){text.data, (size_t) (at - text.data)} : (struct view){0};
}

static struct view bracketed(struct view text) { return until(behind(text, "["), ']'); }

struct maillog_envelope maillog_envelope_read(struct view line)
{
    struct view exim = behind(line, " H=");
    if (exim.len > 0)
        return (struct maillog_envelope){.client = bracketed(exim),
                                         .helo   = until(behind(until(exim, '['), "("), ')'),
                                         .sender = until(behind(exim, " F=<"), '>')};
    struct view postfix = behind(line, " from ");
    return (struct maillog_envelope){.client = bracketed(postfix),
                                     .helo   = until(behind(postfix, " helo=<"), '>'),
                                     .sender = until(behind(postfix, " from=<"), '>')};
}
