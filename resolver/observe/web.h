/*
 * web.h: HTTP for who watches byway: libmicrohttpd on a loop of libuv, without a thread of its own. It parses what comes,
 * bounds it, and asks for a page; GET and HEAD alone. Knows no page by name.
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

#include <uv.h>

enum {
    /* listener, epoll, connections, as many again that are being closed */
    WEB_DESCRIPTORS = 2 + 2 * LIMIT_WEB_CLIENTS
};

struct web_page {
    unsigned    status; /* of HTTP */
    const char *type;   /* Content-Type; static */
    char       *text;   /* on the heap; NULL where `len` is 0 */
    size_t      len;
};

/* What there is at `path`. Returns soon. False: no such page. */
typedef bool (*web_fn)(void *context, const char *path, struct web_page *ret);

struct web;

/* Serves on `fd`, a socket that listens and does not block, which it takes, in any case. NULL: no memory or
 * descriptors. */
struct web *web_start(uv_loop_t *loop, int fd, web_fn page, void *context);
/* Closes the socket and all connections at once; is freed when libuv is done. NULL: nothing to close. */
void web_close(struct web *web);

#endif
