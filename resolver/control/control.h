/*
 * control.h: the control socket: JSON-RPC 2.0, one object a line, pipelined (docs/protocol.md). Knows the protocol and
 * who may change what; what a method does is the table's business (methods/methods).
 *
 * Thread: keeper.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/limits.h"
#include "base/types.h"
#include "control/errors.h"

#include <jansson.h>
#include <sys/types.h>
#include <uv.h>

struct control;
struct control_call; /* one request that waits for its reply */

struct control_method {
    const char *name;    /* "zones.list" */
    bool        changes; /* needs the right to change */
    /* Answers now or later with exactly one of control_reply() and control_fail(). `params` is an object (empty if none
     * was sent), borrowed until return. */
    void (*run)(void *context, struct control_call *call, json_t *params);
};

/* Bound and listening, mode 0660, of the group `gid` where not (gid_t)-1; *ret_given is -errno where the group cannot
 * have it, because this process is neither root nor in it. A socket file that nobody listens on is replaced; one that
 * is alive is -EADDRINUSE, a file that is no socket -ENOTSOCK. -errno on failure; creates the parent directory (0755).
 */
int control_bind(const char *path, gid_t gid, int *ret_given);
/* Gives a socket file to the group; never through a link. 0 or -errno. */
int control_give(const char *path, gid_t gid);

struct control_options {
    const struct control_method *methods; /* borrowed; ends with name NULL */
    gid_t                        group;   /* may change things too; (gid_t)-1: none */
    void                        *context;
    unsigned                     stall_ms; /* a client that takes nothing that long is closed; 0: 30 s */
};
/* Takes `fd`. The process ignores SIGPIPE, and its jansson takes memory from base/supply. NULL: no memory, or not a
 * socket of control_bind(). */
struct control *control_start(uv_loop_t *loop, int fd, const struct control_options *options);

/* Sends the result (takes the reference); NULL is an internal error, and so is one for a part of which jansson was
 * refused memory since the method was called. If the client has gone it is dropped. `call` is no longer valid
 * afterwards. No method is run from inside these two. */
void control_reply(struct control_call *call, json_t *result);
void control_fail(struct control_call *call, enum control_error code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* False: its client has gone, and nobody hears what comes of it. */
bool control_is_heard(const struct control_call *call);

/* A result with an array that is too long to be made at once: it is made while the client takes it, and what else is
 * sent to this client waits behind it. */
struct control_series {
    void *context;
    /* Puts some more elements, or none, into `elements`, an empty array, and takes a few ms at most; false: there are
     * no more. Called when the client has taken what came before, from the loop alone. */
    bool (*more)(void *context, json_t *elements);
    /* Called once, when there are no more or the client has gone: now or later the call is to be ended with
     * control_end_series(). `context` is not used afterwards. */
    void (*last)(void *context, struct control_call *call);
};
/* Begins the reply. `result` (takes the reference) has, as its last value or itself, an empty array: there the elements
 * go. Copies `series`. */
void control_reply_series(struct control_call *call, json_t *result, const struct control_series *series);
/* As control_reply(): sends the end of it, which makes the line whole. */
void control_end_series(struct control_call *call);

/* A stream: notifications with the method's own name, whose parameters carry the request's id, until the client ends. */
struct control_stream {
    void *context;
    /* Called once, when the client has gone: now or later the call is to be ended with control_end_stream(). */
    void (*gone)(void *context, struct control_call *call);
};
/* Begins it; copies `stream`. A request without an id, which nothing could carry, is gone at once. */
void control_begin_stream(struct control_call *call, const struct control_stream *stream);
/* Sends one notification, of `event` (takes the reference), of a stream, or of a call that waits for its reply: how far
 * it has come. A client that is behind loses it, and is told of how many it lost before the next one that it gets. NULL is
 * lost, too. */
void control_notify(struct control_call *call, json_t *event);
/* Once gone() was called. `call` is no longer valid afterwards. */
void control_end_stream(struct control_call *call);

/* Who else may change things, from the next connection on; the socket file gets that group. For a reload that keeps the
 * path, on which control_bind() would find the old socket alive. -errno: the file's group cannot be changed. With
 * (gid_t)-1 the file keeps its group. */
int control_set_group(struct control *control, gid_t group);

enum control_place {
    CONTROL_IN_PLACE,
    CONTROL_GONE,     /* somebody has removed the socket file: nobody finds it any more */
    CONTROL_REPLACED, /* and put something else there */
};
enum control_place control_look(struct control *control);

/* Stops listening, removes the socket file where it is its own and it may, and closes clients; calls that wait must
 * still be answered (to nobody, but for a call whose method closes the control itself and answers before it returns).
 * Freed when the last one is and libuv is done. */
void control_close(struct control *control);

#endif
