/*
 * call.c: see control.h and control_internal.h. The answer of a call becomes a line in its client's outbox.
 */
#include "control/control_internal.h"

#include "base/supply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    STREAM_MAX = 256 << 10, /* bytes that wait for a client who watches; then it loses lines */
    OUTPUT_MAX = 128 << 20  /* bytes that wait for all clients together: four tables of 100,000 zones */
};

static json_t *error_document(json_t *id, int code, const char *message)
{
    uint64_t refusals = supply_refusals();
    json_t  *text     = json_string(message);
    if (!text && supply_refusals() == refusals) /* not UTF-8: better a plain word than none */
        text = json_string("failed, for a reason that is not text");
    return json_pack("{s:s, s:O, s:{s:i, s:o}}", "jsonrpc", "2.0", "id", id, "error", "code", code, "message", text);
}

/* As a line, NULL: no memory. Takes `document`. */
static char *line_of(json_t *document, size_t *ret_len)
{
    char *text = document ? outbox_text(document, ret_len) : NULL;
    json_decref(document);
    if (text)
        text[(*ret_len)++] = '\n';
    return text;
}

/* Takes `document`; NULL means there was no memory for it. */
static void client_send(struct client *client, json_t *document)
{
    if (client->state == CLIENT_CLOSED) {
        json_decref(document);
        return;
    }
    size_t  waits = client->control->outboxes.bytes, len;
    json_t *id    = json_incref(json_object_get(document, "id"));
    char   *text  = line_of(document, &len);

    if (text && (waits >= OUTPUT_MAX || len > OUTPUT_MAX - waits)) { /* errors may exceed it */
        free(text);
        text = line_of(error_document(id, CONTROL_FAILED, "too many answers wait for their readers"), &len);
    }
    json_decref(id);
    if (!text || !outbox_add(&client->outbox, text, len))
        client_close(client);
}

void client_fail(struct client *client, json_t *id, int code, const char *message)
{
    client_send(client, error_document(id ? id : json_null(), code, message));
}

/* Ends a call whose answer, if it may have one, was sent. */
static void call_finish(struct control_call *call)
{
    struct client  *client  = call->client;
    struct control *control = client->control;
    json_decref(call->id);
    free(call);
    client->calls--;
    if (!client->reading && !control->closing)
        control_wake(control);
    client_unref(client);
}

void control_reply(struct control_call *call, json_t *result)
{
    if (!result || supply_refusals() != call->refusals) {
        json_decref(result);
        control_fail(call, CONTROL_INTERNAL, "no memory for the result");
        return;
    }
    if (call->id && call->client->state != CLIENT_CLOSED)
        client_send(call->client, json_pack("{s:s, s:O, s:O}", "jsonrpc", "2.0", "id", call->id, "result", result));
    json_decref(result);
    call_finish(call);
}

void control_fail(struct control_call *call, enum control_error code, const char *format, ...)
{
    char   *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    va_end(arguments);
    if (call->id && call->client->state != CLIENT_CLOSED)
        client_fail(call->client, call->id, (int) code, message ? message : "no memory");
    free(message);
    call_finish(call);
}

bool control_is_heard(const struct control_call *call) { return call->id && call->client->state != CLIENT_CLOSED; }

void control_reply_series(struct control_call *call, json_t *result, const struct control_series *series)
{
    struct client *client = call->client;
    bool           heard  = call->id && client->state != CLIENT_CLOSED;
    size_t         len;
    if (heard && result) {
        char *text   = line_of(json_pack("{s:s, s:O, s:O}", "jsonrpc", "2.0", "id", call->id, "result", result), &len);
        call->series = text ? outbox_add_series(&client->outbox, text, len, series, call) : NULL;
    }
    json_decref(result);
    if (call->series) {
        if (!outbox_go_on(&client->outbox))
            client_close(client);
        return;
    }
    if (heard) /* no memory */
        client_close(client);
    series->last(series->context, call);
}

void control_end_series(struct control_call *call)
{
    if (call->series && !outbox_end_series(call->series))
        client_close(call->client);
    call_finish(call);
}

/* ---- streams ---- */

void control_begin_stream(struct control_call *call, const struct control_stream *stream)
{
    call->stream = *stream;
    call->client->stream_count++;
    if (call->id && call->client->state != CLIENT_CLOSED)
        list_append(&call->client->streams, &call->link);
    else
        stream->gone(stream->context, call);
}

/* `key`: of what is told. Takes `told`. */
static void notify(struct control_call *call, const char *key, json_t *told)
{
    client_send(call->client, json_pack("{s:s, s:s, s:{s:O, s:o}}", "jsonrpc", "2.0", "method", call->method, "params",
                                        "id", call->id, key, told));
}

void control_notify(struct control_call *call, json_t *event)
{
    if (!event || !call->id || call->client->state == CLIENT_CLOSED || call->client->outbox.bytes >= STREAM_MAX) {
        call->lost++;
        json_decref(event);
        return;
    }
    if (call->lost > 0)
        notify(call, "lost", json_integer((json_int_t) call->lost));
    call->lost = 0;
    notify(call, "event", event);
}

void control_end_stream(struct control_call *call)
{
    call->client->stream_count--;
    call_finish(call);
}
