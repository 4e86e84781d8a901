/*
 * web.h: HTTP for who watches byway: libmicrohttpd on a loop of libuv, without a thread of its own. It parses what comes,
 * bounds it, and asks for a page; GET and HEAD alone. Knows no page by name. A page may take more than one turn of the
 * loop: its connection rests meanwhile.
 *
 * A connection carries one request and has 10 s for it, be it that its client sends or reads slowly. There are
 * LIMIT_WEB_CLIENTS of them; at the next one the oldest gives way, so that who holds all places for nothing keeps
 * nobody out.
 *
 * Thread: that of the loop.
 */
#ifndef OBSERVE_WEB_H
#define OBSERVE_WEB_H

#include "base/limits.h"
#include "base/types.h"
#include "observe/sheet.h"

#include <uv.h>

enum {
    /* listener, epoll, what wakes it, connections, as many again that are being closed */
    WEB_DESCRIPTORS = 3 + 2 * LIMIT_WEB_CLIENTS
};

struct web_header { /* static; the last one of a list has no name */
    const char *name, *value;
};

struct web_request { /* borrowed */
    const char *path;
    struct view under; /* the argument of that name, whatever bytes it has; data NULL: none */
};

struct web_call;

/* Replies soon, by web_reply…(), or keeps the call by web_keep() and replies in a later turn of the loop. */
typedef void (*web_fn)(void *context, struct web_call *call, const struct web_request *request);

/* The call is over. web_reply_sheet() takes the sheet's text, and says 500 where that is not whole; web_reply() has none. */
void web_reply_sheet(struct web_call *call, const struct sheet *sheet, const struct web_header *headers);
void web_reply(struct web_call *call, unsigned status);
/* gone() is called where nobody waits for the reply any more: the call is over. */
void web_keep(struct web_call *call, void (*gone)(void *cookie), void *cookie);

struct web;

/* Serves on `fd`, a socket that listens and does not block, which it takes, in any case. NULL: no memory or
 * descriptors. */
struct web *web_start(uv_loop_t *loop, int fd, web_fn answer, void *context);
/* Closes the socket and all connections at once, kept calls are gone; is freed when libuv is done. NULL: nothing to
 * close. */
void web_close(struct web *web);

#endif
