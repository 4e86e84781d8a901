/*
 * client.c: how a client of the control socket comes to its end. See control_internal.h.
 */
#include "control/control_internal.h"

#include <stdlib.h>

void control_unref(struct control *control)
{
    if (--control->refs == 0)
        free(control);
}

void client_unref(struct client *client)
{
    if (--client->refs > 0)
        return;
    control_unref(client->control);
    lines_clear(&client->input);
    free(client);
}

static void client_on_closed(uv_handle_t *handle) { client_unref(handle->data); }

void client_close(struct client *client)
{
    if (client->state == CLIENT_CLOSED)
        return;
    client->state = CLIENT_CLOSED;
    LIST_EACH (item, next, &client->streams) {
        struct control_call *call = CONTAINER_OF(item, struct control_call, link);
        list_remove(item);
        call->stream.gone(call->stream.context, call);
    }
    list_remove(&client->link);
    client->control->client_count--;
    outbox_close(&client->outbox);
    uv_close((uv_handle_t *) &client->pipe, client_on_closed);
}

void control_wake(struct control *control) { uv_timer_start(&control->wake, control->on_wake, 0, 0); }
