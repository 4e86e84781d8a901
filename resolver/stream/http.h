/*
 * http.h: the client's end of DNS over HTTPS (RFC 8484) on one HTTP/2 connection (RFC 9113), without I/O: each question
 * a POST of its own, all at once, answered in any order.
 *
 * What a response says of its age is taken off the TTLs (RFC 8484, 5.1). A question that the server did not process
 * (GOAWAY, REFUSED_STREAM) is told as such, so that it can be asked elsewhere.
 *
 * Thread: owner.
 */
#ifndef STREAM_HTTP_H
#define STREAM_HTTP_H

#include "stream/way.h"

struct http;

enum {
    HTTP_HEADERS_MAX = 16 << 10, /* bytes of one response's headers, names and values */
    HTTP_STREAMS     = 100,      /* at once, until the server says how many */
    HTTP_PAUSE       = 5000,     /* ms of rest where the server is overloaded and does not say how long … */
    HTTP_PAUSE_MAX   = 60000,    /* … and at most, whatever it says */
    HTTP_PROBLEM_MAX = 160       /* bytes */
};

enum http_failure {
    HTTP_REFUSED, /* it was not processed: elsewhere it may be */
    HTTP_FAILED   /* no DNS message came back for it; http_problem() says what did */
};

struct http_hooks {
    void *context;
    void (*send)(void *context, struct view bytes);
    /* Each question ends by one of these, unless the connection ends before. None may end it from within. */
    void (*replied)(void *context, uint16_t id, struct view message); /* `message` has that id, too */
    void (*failed)(void *context, uint16_t id, enum http_failure failure);
    /* So long no questions, please: 429, 503, or another 5xx that says how long. One that does not may be for the
     * question alone: some answer a zone's silence by 502. */
    void (*paused)(void *context, msec_t pause);
};

/* Begins: the preface is sent from within. `way` and `hooks` are borrowed, the latter copied. NULL: no memory. */
struct http *http_create(const struct way *way, const struct http_hooks *hooks);
void         http_destroy(struct http *http); /* NULL is allowed; tells nothing of what is open */
/* What came. False: the connection is broken. */
bool http_feed(struct http *http, struct view bytes);
/* The question's first two bytes are its id, which goes as 0 (RFC 8484, 4.1). False: no memory, or there is
 * no room. */
bool http_send(struct http *http, struct view question);
/* How many questions the server takes at once, those that are open included; 0: none any more. */
unsigned http_room(const struct http *http);
/* It takes no more questions on this connection. */
bool http_is_leaving(const struct http *http);
/* http_feed() has returned false because of what came. */
bool        http_is_broken(const struct http *http);
const char *http_problem(const struct http *http); /* the last; empty: none */

#endif
