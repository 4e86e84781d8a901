/*
 * control.c: clients of the control socket, from accept to close. Knows the protocol's framing, bounds and rights, and
 * nothing of what a method does.
 *
 * The good way of a request: bytes gather in the client's buffer (client_on_read), a line is cut off it (client_pump)
 * and read (request.c), its method is run with a call to answer, and the answer goes through the client's outbox
 * (outbox.c).
 *
 * What else can happen: input that is no request gets an error, and a line too long ends the connection, for nothing
 * after it can be framed. A client that asks faster than it reads is not read until it has caught up. One that reads
 * nothing is closed after a while. One that has gone leaves calls behind, whose answers are dropped.
 *
 * Methods are run from client_pump() alone, and that from libuv's callbacks alone: never inside control_reply(), so a
 * method's code is not entered again while it answers.
 */
#include "control/control_internal.h"

#include "base/supply.h"
#include "control/peer.h"
#include "control/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    CALLS_MAX   = 64,       /* unanswered requests of one client; then it is not read */
    READ_CHUNK  = 64 << 10, /* free space offered to each read */
    STALL_MS    = 30000,    /* a client on the same machine that takes nothing for so long is stuck */
    STALL_TICKS = 4,        /* looks at a client in that time */
    ACCEPT_MS   = 100,      /* until a connection for which there was no memory is looked at again */
};

static void client_pump(struct client *client);

static void client_on_moved(struct outbox *outbox, int status)
{
    struct client *client = CONTAINER_OF(outbox, struct client, outbox);
    if (status < 0)
        client_close(client);
    else
        client_pump(client);
}

static void control_on_stall_tick(uv_timer_t *timer)
{
    struct control *control = timer->data;
    LIST_EACH (link, next, &control->clients) {
        struct client *client = CONTAINER_OF(link, struct client, link);
        uint64_t       taken  = outbox_taken(&client->outbox);
        bool           waits  = taken != client->outbox.handed;
        client->still         = waits && taken == client->taken ? client->still + 1 : 0;
        client->taken         = taken;
        if (client->still >= STALL_TICKS)
            client_close(client);
    }
}

/* Requests. */

static const struct control_method *method_find(const struct control *control, const char *name)
{
    for (const struct control_method *method = control->options.methods; method->name; method++)
        if (strcmp(method->name, name) == 0)
            return method;
    return NULL;
}

static void call_run(struct client *client, const struct control_method *method, const struct request *request)
{
    struct control_call *call   = malloc(sizeof(*call));
    json_t              *params = request->params ? json_incref(request->params) : json_object();
    if (!call || !params) {
        free(call);
        json_decref(params);
        client_close(client);
        return;
    }
    *call = (struct control_call){.client   = client,
                                  .id       = request->id ? json_incref(request->id) : NULL,
                                  .method   = method->name,
                                  .refusals = supply_refusals()};
    list_init(&call->link);
    client->calls++;
    client->refs++;
    client->control->running = client;
    method->run(client->control->options.context, call, params);
    client->control->running = NULL;
    json_decref(params);
}

static void client_on_line(struct client *client, struct view line)
{
    struct request               request;
    char                         why[REQUEST_WHY_MAX];
    int                          code   = request_read(line, &request, why);
    const struct control_method *method = NULL;
    if (code != 0) {
        client_fail(client, request.id, code, why);
        goto out;
    }
    method = method_find(client->control, request.method);
    if (!method) {
        code = CONTROL_UNKNOWN_METHOD;
        snprintf(why, sizeof(why), "no such method");
    } else if (method->changes && !client->may_change) {
        code = CONTROL_DENIED;
        snprintf(why, sizeof(why), "%s needs root, the daemon's user, or the control group", method->name);
    } else if (request.params && !json_is_object(request.params)) {
        code = CONTROL_BAD_PARAMS;
        snprintf(why, sizeof(why), "\"params\" must be an object");
    }
    if (code == 0)
        call_run(client, method, &request);
    else if (request.id)
        client_fail(client, request.id, code, why);
out:
    request_done(&request);
}

static bool is_blank(struct view line)
{
    for (size_t i = 0; i < line.len; i++)
        if (!memchr(" \t\r", line.data[i], 3))
            return false;
    return true;
}

static bool client_has_caught_up(const struct client *client)
{
    return client->calls < CALLS_MAX && client->outbox.bytes < LIMIT_TCP_OUTPUT;
}

static void client_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct client *client = handle->data;
    uint8_t       *room   = lines_room(&client->input, READ_CHUNK);

    (void) suggested;
    *ret = uv_buf_init((char *) room, room ? READ_CHUNK : 0);
}

static void client_on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct client *client = stream->data;
    (void) buffer;
    if (count < 0 && count != UV_EOF) {
        client_close(client);
        return;
    }
    if (count == UV_EOF) {
        uv_read_stop(stream);
        client->reading = false;
        client->state   = CLIENT_ENDED;
    } else {
        lines_add(&client->input, (size_t) count);
    }
    client_pump(client);
}

/* Reads on or pauses, as the client's state and its backlog want it. */
static void client_set_reading(struct client *client)
{
    uv_stream_t *stream = (uv_stream_t *) &client->pipe;
    bool         wanted = client->state == CLIENT_OPEN && client_has_caught_up(client);
    if (wanted && !client->reading && uv_read_start(stream, client_on_alloc, client_on_read) != 0) {
        client_close(client);
        return;
    }
    if (!wanted && client->reading)
        uv_read_stop(stream);
    client->reading = wanted;
}

/* Does what can be done for this client now: lines, pausing, closing. */
static void client_pump(struct client *client)
{
    struct view line;
    while (client->state != CLIENT_CLOSED && !client->control->closing && client_has_caught_up(client) &&
           lines_next(&client->input, client->state == CLIENT_ENDED, &line)) {
        if (is_blank(line))
            continue;
        list_remove(&client->link);
        list_append(&client->control->clients, &client->link);
        client_on_line(client, line);
    }
    if (client->control->closing)
        client_close(client);
    if (client->state == CLIENT_CLOSED)
        return;

    lines_trim(&client->input);
    if (lines_unfinished(&client->input) > LIMIT_CONTROL_LINE) {
        client->state = CLIENT_ENDED;
        lines_clear(&client->input);
        client_fail(client, NULL, CONTROL_INVALID_REQUEST, "a request line is too long");
    }
    if (client->state == CLIENT_ENDED && client->input.len == 0 && client->calls == client->stream_count &&
        client->outbox.bytes == 0)
        client_close(client);
    if (client->state != CLIENT_CLOSED)
        client_set_reading(client);
}

static void control_on_connection(uv_stream_t *listener, int status);

static void control_on_wake(uv_timer_t *timer)
{
    struct control *control = timer->data;
    if (control->waits)
        control_on_connection((uv_stream_t *) &control->listener, 0);
    LIST_EACH (link, next, &control->clients) {
        client_pump(CONTAINER_OF(link, struct client, link));
        if (control->closing) /* by a method: the list is gone */
            return;
    }
}

/* Connections. */

/* A full house: the idlest client that waits for nothing gives way. */
static bool control_make_room(struct control *control)
{
    if (control->client_count < LIMIT_CONTROL_CLIENTS)
        return true;
    LIST_EACH (link, next, &control->clients) {
        struct client *client = CONTAINER_OF(link, struct client, link);
        if (client->calls == 0 && client->outbox.bytes == 0) {
            client_close(client);
            return true;
        }
    }
    return false;
}

static void control_on_connection(uv_stream_t *listener, int status)
{
    struct control *control = listener->data;
    struct client  *client  = status == 0 ? calloc(1, sizeof(*client)) : NULL;
    struct peer     peer;
    int             fd = -1;
    control->waits     = status == 0 && !client;
    if (control->waits)
        uv_timer_start(&control->wake, control_on_wake, ACCEPT_MS, 0);
    if (!client)
        return;
    bool room       = control_make_room(control);
    client->control = control;
    client->refs    = 1;
    control->refs++;
    control->client_count++;
    list_append(&control->clients, &client->link);
    list_init(&client->streams);
    uv_pipe_init(control->loop, &client->pipe, 0);
    client->pipe.data = client;
    outbox_init(&client->outbox, &control->outboxes, (uv_stream_t *) &client->pipe, client_on_moved);
    if (uv_accept(listener, (uv_stream_t *) &client->pipe) != 0 || uv_fileno((uv_handle_t *) &client->pipe, &fd) != 0) {
        client_close(client);
        return;
    }
    peer_read(fd, &peer);
    client->may_change = peer_may_change(&peer, geteuid(), control->options.group);
    if (!room) {
        client->state = CLIENT_ENDED;
        client_fail(client, NULL, CONTROL_FAILED, "too many connections");
    }
    client_pump(client);
}

static void control_on_closed(uv_handle_t *handle) { control_unref(handle->data); }

static bool control_path(struct control *control, struct sockaddr_un *ret)
{
    socklen_t len = sizeof(*ret);
    int       fd  = -1;
    *ret          = (struct sockaddr_un){0};
    return uv_fileno((uv_handle_t *) &control->listener, &fd) == 0 &&
           getsockname(fd, (struct sockaddr *) ret, &len) == 0 && ret->sun_family == AF_UNIX && ret->sun_path[0] == '/';
}

enum control_place control_look(struct control *control)
{
    struct sockaddr_un address;
    struct stat        status;
    if (!control_path(control, &address) || lstat(address.sun_path, &status) != 0)
        return CONTROL_GONE;
    return status.st_dev == control->file.st_dev && status.st_ino == control->file.st_ino ? CONTROL_IN_PLACE
                                                                                          : CONTROL_REPLACED;
}

struct control *control_start(uv_loop_t *loop, int fd, const struct control_options *options)
{
    struct control *control = calloc(1, sizeof(*control));
    if (!control) {
        close(fd);
        return NULL;
    }
    control->options = *options;
    control->loop    = loop;
    control->refs    = 4;
    control->on_wake = control_on_wake;
    if (control->options.stall_ms == 0)
        control->options.stall_ms = STALL_MS;
    list_init(&control->clients);
    uv_timer_init(loop, &control->wake);
    uv_timer_init(loop, &control->stall);
    outboxes_init(&control->outboxes, loop);
    uv_pipe_init(loop, &control->listener, 0);
    control->wake.data = control->stall.data = control->outboxes.turn.data = control->listener.data = control;

    if (uv_pipe_open(&control->listener, fd) != 0) {
        close(fd);
        control_close(control);
        return NULL;
    }
    if (uv_listen((uv_stream_t *) &control->listener, LIMIT_CONTROL_CLIENTS, control_on_connection) != 0) {
        control_close(control);
        return NULL;
    }
    struct sockaddr_un address;
    if (control_path(control, &address))
        (void) lstat(address.sun_path, &control->file);
    unsigned tick = control->options.stall_ms / STALL_TICKS;
    uv_timer_start(&control->stall, control_on_stall_tick, tick, tick);
    return control;
}

int control_set_group(struct control *control, gid_t group)
{
    struct sockaddr_un address;
    bool               wanted = group != (gid_t) -1 && control_look(control) == CONTROL_IN_PLACE;
    control->options.group    = group;
    return wanted && control_path(control, &address) ? control_give(address.sun_path, group) : 0;
}

void control_close(struct control *control)
{
    struct sockaddr_un address;
    control->closing = true;
    if (control_look(control) == CONTROL_IN_PLACE && control_path(control, &address))
        unlink(address.sun_path);
    LIST_EACH (link, next, &control->clients) {
        struct client *client = CONTAINER_OF(link, struct client, link);
        if (client != control->running) /* closed when its method returns: it shall hear how it went */
            client_close(client);
    }
    uv_close((uv_handle_t *) &control->listener, control_on_closed);
    uv_close((uv_handle_t *) &control->wake, control_on_closed);
    uv_close((uv_handle_t *) &control->stall, control_on_closed);
    uv_close((uv_handle_t *) &control->outboxes.turn, control_on_closed);
}
