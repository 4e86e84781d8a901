/*
 * web_socket.c: see web_socket.h.
 */
#include "server/web_socket.h"

#include "net/tcp_listen.h"
#include "server/keeper.h"
#include "server/metrics.h"
#include "server/neighbours.h"
#include "server/refusal.h"
#include "server/status_page.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    HTTP_NOT_FOUND = 404
};

static void say_why_not(const struct address *address, int error, char ret_error[ERROR_TEXT_MAX])
{
    char text[ADDRESS_TEXT_MAX], who[NEIGHBOUR_MAX], why[REFUSAL_MAX];
    address_format(address, text);
    if (error == EADDRINUSE && neighbours_look(address, SOCK_STREAM, who) == NEIGHBOURS_ANOTHER)
        snprintf(ret_error, ERROR_TEXT_MAX, "metrics.listen: another process serves %s: %s", text, who);
    else
        snprintf(ret_error, ERROR_TEXT_MAX, "metrics.listen: cannot bind %s: %s", text,
                 refusal_of_address(address, error, why));
}

static bool open_at(const struct address *address, enum socket_place place, int *ret_fd, char ret_error[ERROR_TEXT_MAX])
{
    *ret_fd = -1;
    if (address->len == 0)
        return true;
    *ret_fd = tcp_listen_bind(address, place);
    if (*ret_fd >= 0)
        return true;
    say_why_not(address, -*ret_fd, ret_error);
    return false;
}

bool web_socket_open(const struct settings *settings, int *ret_fd, char ret_error[ERROR_TEXT_MAX])
{
    return open_at(&settings->metrics, SOCKET_FIRST, ret_fd, ret_error);
}

static void answer(void *context, struct web_call *call, const struct web_request *request)
{
    struct daemon *daemon = context;
    keeper_begin(daemon);
    if (strcmp(request->path, "/metrics") == 0)
        metrics_reply(daemon, call);
    else if (strcmp(request->path, "/") == 0)
        status_page_reply(daemon, call, request->under);
    else
        web_reply(call, HTTP_NOT_FOUND);
}

bool web_socket_start(struct daemon *daemon, int fd, struct web **ret)
{
    *ret = fd >= 0 ? web_start(&daemon->loop, fd, answer, daemon) : NULL;
    return fd < 0 || *ret;
}

static bool same_place(const struct settings *a, const struct settings *b)
{
    return a->metrics.len == b->metrics.len && (a->metrics.len == 0 || address_equal(&a->metrics, &b->metrics));
}

static bool same_port(const struct address *a, const struct address *b)
{
    return a->len > 0 && a->any.sa_family == b->any.sa_family && address_port(a) == address_port(b);
}

static bool listens_there(const struct settings *settings, const struct address *address)
{
    for (size_t i = 0; i < settings->listen_count; i++)
        if (same_port(&settings->listen[i], address))
            return true;
    return false;
}

/* From an address to the wildcard that includes it, or back, it is this process's own socket that is in the way, which
 * is closed once the new one is there. Those for DNS stay, and are no place for HTTP. */
static enum socket_place place_for(const struct daemon *daemon, const struct settings *next)
{
    char who[NEIGHBOUR_MAX];
    bool moves = same_port(&daemon->settings->metrics, &next->metrics) && !listens_there(next, &next->metrics) &&
                 !listens_there(daemon->settings, &next->metrics);
    return moves && neighbours_look(&next->metrics, SOCK_STREAM, who) == NEIGHBOURS_OURS ? SOCKET_JOINS : SOCKET_FIRST;
}

bool web_socket_move(struct daemon *daemon, const struct settings *next, struct web **ret,
                     char ret_error[ERROR_TEXT_MAX])
{
    int fd;
    *ret = daemon->web;
    if (same_place(daemon->settings, next))
        return true;
    if (!open_at(&next->metrics, place_for(daemon, next), &fd, ret_error))
        return false;
    if (web_socket_start(daemon, fd, ret))
        return true;
    snprintf(ret_error, ERROR_TEXT_MAX, "metrics.listen: out of memory or descriptors");
    *ret = daemon->web;
    return false;
}
