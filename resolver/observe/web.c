/*
 * web.c: see web.h.
 *
 * libmicrohttpd has an epoll descriptor with all of its sockets in it; libuv waits for that one. What it cannot do is to
 * end a connection that moves a byte now and then: its time-out is for silence. So each has a deadline here, behind
 * which its socket is shut down, and libmicrohttpd sees that it has ended. A connection whose call is kept is suspended,
 * and libmicrohttpd does not look at it until it is resumed: then it asks again, and finds the reply.
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
    struct list        calls; /* struct web_call.link, the oldest first; not those that were cut off */
    unsigned           count;
    bool               resumed; /* some are, and libmicrohttpd has not run since */
    web_fn             answer;
    void              *context;
};

struct page { /* what goes out */
    unsigned                 status;
    const struct web_header *headers; /* NULL: none */
    char                    *text;    /* on the heap; NULL where `len` is 0 */
    size_t                   len;
};

enum state {
    NEW,      /* the head of the request has not come yet */
    ASKED,    /* answer() is called */
    KEPT,     /* suspended; `gone` is to be told */
    REPLIED,  /* `page` is to go out */
    FINISHED, /* it went out, or nobody waits for it */
};

struct web_call { /* a connection, which carries one */
    struct list            link;
    struct web            *web;
    int                    fd;
    uint64_t               end; /* ms of the loop's clock */
    struct MHD_Connection *connection;
    enum state             state;
    struct page            page;
    void (*gone)(void *cookie);
    void *cookie;
};

static void on_timer(uv_timer_t *timer);

static void resume(const struct web_call *call)
{
    MHD_resume_connection(call->connection);
    call->web->resumed = true;
    uv_timer_start(&call->web->timer, on_timer, 0, 0);
}

/* Tells who keeps it. */
static void give_up(struct web_call *call)
{
    if (call->state != KEPT)
        return;
    call->state = FINISHED;
    call->gone(call->cookie);
    resume(call);
}

static void cut_off(struct web *web, struct web_call *call)
{
    shutdown(call->fd, SHUT_RDWR);
    list_remove(&call->link);
    web->count--;
    give_up(call);
}

static struct web_call *oldest(const struct web *web)
{
    return list_empty(&web->calls) ? NULL : CONTAINER_OF(web->calls.next, struct web_call, link);
}

static void begin(struct web *web, struct MHD_Connection *connection, void **ret_call)
{
    int              fd    = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    struct web_call *first = oldest(web), *call = malloc(sizeof(*call));
    if (!call) {
        shutdown(fd, SHUT_RDWR);
        return;
    }
    if (first && web->count == LIMIT_WEB_CLIENTS)
        cut_off(web, first);
    *call = (struct web_call){
        .web = web, .fd = fd, .end = uv_now(web->timer.loop) + WITHIN * 1000, .connection = connection};
    list_append(&web->calls, &call->link);
    web->count++;
    *ret_call = call;
}

static void end(struct web *web, struct web_call *call)
{
    if (!list_empty(&call->link)) { /* else it was cut off */
        list_remove(&call->link);
        web->count--;
    }
    if (call->state == REPLIED)
        free(call->page.text);
    free(call);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **ret_call,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        begin(context, connection, ret_call);
    else if (*ret_call)
        end(context, *ret_call);
}

/* ---- requests ---- */

static void reply(struct web_call *call, const struct page *page)
{
    bool kept   = call->state == KEPT;
    call->page  = *page;
    call->state = REPLIED;
    if (kept)
        resume(call);
}

void web_reply(struct web_call *call, unsigned status) { reply(call, &(struct page){.status = status}); }

void web_reply_sheet(struct web_call *call, const struct sheet *sheet, const struct web_header *headers)
{
    if (sheet->failed) {
        free(sheet->text);
        web_reply(call, MHD_HTTP_INTERNAL_SERVER_ERROR);
    } else {
        reply(call, &(struct page){MHD_HTTP_OK, headers, sheet->text, sheet->len});
    }
}

void web_keep(struct web_call *call, void (*gone)(void *cookie), void *cookie)
{
    call->state  = KEPT;
    call->gone   = gone;
    call->cookie = cookie;
    MHD_suspend_connection(call->connection);
}

static bool add_headers(struct MHD_Response *response, const struct web_header *header)
{
    bool good = MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    for (; good && header && header->name; header++)
        good = MHD_add_response_header(response, header->name, header->value) == MHD_YES;
    return good;
}

/* Takes the page's text. Without memory there is no reply: the connection is closed. */
static enum MHD_Result send_page(struct MHD_Connection *connection, const struct page *page)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(page->len, page->text, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(page->text);
        return MHD_NO;
    }
    enum MHD_Result result =
        add_headers(response, page->headers) ? MHD_queue_response(connection, page->status, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

static void ask(struct web *web, struct web_call *call, const char *path)
{
    struct web_request request = {.path = path};
    const char        *under   = NULL;
    if (MHD_lookup_connection_value_n(call->connection, MHD_GET_ARGUMENT_KIND, "under", strlen("under"), &under,
                                      &request.under.len) == MHD_YES)
        request.under.data = (const uint8_t *) under;
    call->state = ASKED;
    web->answer(web->context, call, &request);
}

/* Called once for the head of a request, which is answered without waiting for a body; where the call was kept, again
 * for each piece of a body, which is thrown away, and at the end. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **request)
{
    static const struct web_header  allow[] = {{"Allow", "GET, HEAD"}, {0}};
    static const struct page        refusal = {.status = MHD_HTTP_METHOD_NOT_ALLOWED, .headers = allow};
    const union MHD_ConnectionInfo *info    = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct web_call                *call    = info->socket_context;
    (void) version, (void) upload, (void) request;
    if (!call)
        return MHD_NO;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return send_page(connection, &refusal);
    if (call->state == NEW)
        ask(context, call, url);
    if (call->state == FINISHED)
        return MHD_NO;
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    if (call->state == KEPT)
        return MHD_YES;
    call->state = FINISHED;
    return send_page(connection, &call->page);
}

/* ---- the loop ---- */

static void run(struct web *web)
{
    uint64_t               now = uv_now(web->timer.loop), due = UINT64_MAX;
    MHD_UNSIGNED_LONG_LONG wait;
    struct web_call       *call;
    while ((call = oldest(web)) && call->end <= now)
        cut_off(web, call);
    web->resumed = false;
    MHD_run(web->http);
    if (MHD_get_timeout(web->http, &wait) == MHD_YES)
        due = wait;
    if ((call = oldest(web)) && (call->end - now) < due)
        due = call->end - now;
    if (web->resumed)
        due = 0;
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
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, web,
                            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_CONNECTION, on_connection, web,
                            MHD_OPTION_CONNECTION_LIMIT, 2u * LIMIT_WEB_CLIENTS, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned) WITHIN, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) MEMORY, MHD_OPTION_END);
}

struct web *web_start(uv_loop_t *loop, int fd, web_fn answer, void *context)
{
    struct web *web = calloc(1, sizeof(*web));
    if (!web) {
        close(fd);
        return NULL;
    }
    web->answer  = answer;
    web->context = context;
    list_init(&web->calls);
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
    LIST_EACH (item, next, &web->calls) /* libmicrohttpd ends none that is suspended */
        give_up(CONTAINER_OF(item, struct web_call, link));
    if (web->handles == 2) /* before its descriptor is closed */
        uv_close((uv_handle_t *) &web->poll, on_closed);
    uv_close((uv_handle_t *) &web->timer, on_closed);
    if (web->http)
        MHD_stop_daemon(web->http);
}
