/*
 * web.c: see web.h.
 *
 * libmicrohttpd has an epoll descriptor with all of its sockets in it; libuv waits for that one. What it cannot do is to
 * end a connection that moves a byte now and then: its time-out is for silence. So each has a deadline here, behind
 * which its socket is shut down, and libmicrohttpd sees that it has ended.
 */
#include "observe/web.h"

#include "base/list.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    WITHIN = 10,   /* s for a connection */
    MEMORY = 16384 /* bytes of a request's head and of the reply's, of each connection */
};

struct web {
    uv_poll_t          poll;
    uv_timer_t         timer;
    unsigned           handles; /* that libuv has not closed yet */
    struct MHD_Daemon *http;
    struct list        clients; /* struct client.link, the oldest first; not those that were cut off */
    unsigned           count;
    web_fn             page;
    void              *context;
};

struct client {
    struct list link;
    int         fd;
    uint64_t    end; /* ms of the loop's clock */
};

static void cut_off(struct web *web, struct client *client)
{
    shutdown(client->fd, SHUT_RDWR);
    list_remove(&client->link);
    web->count--;
}

static struct client *oldest(const struct web *web)
{
    return list_empty(&web->clients) ? NULL : CONTAINER_OF(web->clients.next, struct client, link);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **ret_client,
                          enum MHD_ConnectionNotificationCode what)
{
    struct web    *web    = context;
    struct client *client = *ret_client;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        client = malloc(sizeof(*client));
        if (!client) {
            shutdown(fd, SHUT_RDWR);
            return;
        }
        struct client *first = oldest(web);
        if (first && web->count == LIMIT_WEB_CLIENTS)
            cut_off(web, first);
        *client = (struct client){.fd = fd, .end = uv_now(web->timer.loop) + WITHIN * 1000};
        list_append(&web->clients, &client->link);
        web->count++;
        *ret_client = client;
    } else if (client) {
        if (!list_empty(&client->link)) { /* else it was cut off */
            list_remove(&client->link);
            web->count--;
        }
        free(client);
    }
}

/* ---- requests ---- */

/* Takes the page's text. Without memory there is no reply: the connection is closed. */
static enum MHD_Result reply(struct MHD_Connection *connection, const struct web_page *page, const char *allow)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(page->len, page->text, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(page->text);
        return MHD_NO;
    }
    bool good = MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    if (page->type)
        good = good && MHD_add_response_header(response, "Content-Type", page->type) == MHD_YES;
    if (allow)
        good = good && MHD_add_response_header(response, "Allow", allow) == MHD_YES;
    enum MHD_Result result = good ? MHD_queue_response(connection, page->status, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

/* Answered at its head: what a body would say is not waited for. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **request)
{
    struct web     *web  = context;
    struct web_page page = {.status = MHD_HTTP_METHOD_NOT_ALLOWED};
    (void) version, (void) upload, (void) upload_size, (void) request;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return reply(connection, &page, "GET, HEAD");
    if (!web->page(web->context, url, &page))
        page = (struct web_page){.status = MHD_HTTP_NOT_FOUND};
    return reply(connection, &page, NULL);
}

/* ---- the loop ---- */

static void on_timer(uv_timer_t *timer);

static void run(struct web *web)
{
    uint64_t               now = uv_now(web->timer.loop), due = UINT64_MAX;
    MHD_UNSIGNED_LONG_LONG wait;
    struct client         *client;
    while ((client = oldest(web)) && client->end <= now)
        cut_off(web, client);
    MHD_run(web->http);
    if (MHD_get_timeout(web->http, &wait) == MHD_YES)
        due = wait;
    if ((client = oldest(web)) && (client->end - now) < due)
        due = client->end - now;
    if (due == UINT64_MAX)
        uv_timer_stop(&web->timer);
    else
        uv_timer_start(&web->timer, on_timer, due, 0);
}

static void on_timer(uv_timer_t *timer) { run(timer->data); }

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void) status, (void) events;
    run(poll->data);
}

static void on_closed(uv_handle_t *handle)
{
    struct web *web = handle->data;
    if (--web->handles == 0)
        free(web);
}

static struct MHD_Daemon *start_http(struct web *web, int fd)
{
    return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, web, MHD_OPTION_LISTEN_SOCKET, fd,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, web, MHD_OPTION_CONNECTION_LIMIT,
                            2u * LIMIT_WEB_CLIENTS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) WITHIN,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) MEMORY, MHD_OPTION_END);
}

struct web *web_start(uv_loop_t *loop, int fd, web_fn page, void *context)
{
    struct web *web = calloc(1, sizeof(*web));
    if (!web) {
        close(fd);
        return NULL;
    }
    web->page    = page;
    web->context = context;
    list_init(&web->clients);
    uv_timer_init(loop, &web->timer);
    web->timer.data = web->poll.data = web;
    web->handles                     = 1;
    web->http                        = start_http(web, fd);
    if (!web->http) {
        close(fd);
        web_close(web);
        return NULL;
    }
    if (uv_poll_init(loop, &web->poll, MHD_get_daemon_info(web->http, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd) != 0) {
        web_close(web);
        return NULL;
    }
    web->handles = 2;
    uv_poll_start(&web->poll, UV_READABLE, on_poll);
    return web;
}

void web_close(struct web *web)
{
    if (!web)
        return;
    if (web->handles == 2) /* before its descriptor is closed */
        uv_close((uv_handle_t *) &web->poll, on_closed);
    uv_close((uv_handle_t *) &web->timer, on_closed);
    if (web->http)
        MHD_stop_daemon(web->http);
}
