/*
 * control_internal.h: the control socket's parts to each other, each of which calls only those before it: client.c (how
 * a client ends), call.c (what is answered), control.c (clients and their requests).
 *
 * Thread: keeper.
 */
#ifndef CONTROL_CONTROL_INTERNAL_H
#define CONTROL_CONTROL_INTERNAL_H

#include "base/list.h"
#include "control/control.h"
#include "control/lines.h"
#include "control/outbox.h"

#include <sys/stat.h>

struct control {
    struct control_options options;
    uv_loop_t             *loop;
    uv_pipe_t              listener;
    uv_timer_t             wake;    /* 0 ms: pumps clients after an answer that no write follows; ACCEPT_MS */
    uv_timer_cb            on_wake; /* of `wake` */
    uv_timer_t             stall;   /* looks for clients that take nothing */
    struct outboxes        outboxes;
    struct stat            file; /* the socket's, when it was opened */
    bool                   closing;
    bool                   waits;   /* a connection does, for memory: until it is accepted libuv looks for no other */
    struct client         *running; /* its method runs right now */
    struct list            clients; /* idlest first */
    size_t                 client_count;
    size_t                 refs; /* handles and clients; freed at 0 */
};

enum client_state {
    CLIENT_OPEN,   /* read, unless it has to catch up */
    CLIENT_ENDED,  /* no more input; closed when it has its answers */
    CLIENT_CLOSED, /* the handle closes; answers are dropped */
};

struct client {
    struct control   *control;
    struct list       link; /* control->clients, until CLOSED */
    uv_pipe_t         pipe;
    enum client_state state;
    bool              may_change;
    bool              reading;
    struct lines      input;
    struct outbox     outbox;
    size_t            calls; /* waiting for their answer */
    struct list       streams;
    size_t            stream_count; /* of the calls */
    uint64_t          taken;        /* bytes, at the last tick; and ticks in which it took none */
    unsigned          still;
    size_t            refs; /* the handle and the calls; freed at 0 */
};

struct control_call {
    struct client        *client;
    json_t               *id;     /* NULL: a notification */
    struct outbox_item   *series; /* NULL: none */
    const char           *method; /* its name; borrowed */
    struct list           link;   /* client->streams */
    struct control_stream stream;
    uint64_t              lost;     /* notifications, since the last that was sent */
    uint64_t              refusals; /* of memory, when it began */
};

/* ---- client.c ---- */

void control_unref(struct control *control);
/* Answers that it waits for are dropped. Nothing happens where it is closed already. */
void client_close(struct client *client);
void client_unref(struct client *client);
/* Clients are looked at once this turn of the loop is over: one may have caught up. */
void control_wake(struct control *control);

/* ---- call.c ---- */

/* `id`: NULL where it could not be read. */
void client_fail(struct client *client, json_t *id, int code, const char *message);

#endif
