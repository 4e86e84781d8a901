/*
 * listeners.c: see listeners.h.
 *
 * On an address where this process has no socket the first one is bound so that nobody else can be there, and lets the
 * others join afterwards. Where it has one already, which it may have left a moment ago, that is no test, so the
 * kernel's table is read.
 */
#include "server/listeners.h"

#include "net/tcp_listen.h"
#include "net/udp_listen.h"
#include "server/neighbours.h"
#include "server/refusal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool lists(const struct settings *settings, const struct address *address)
{
    for (size_t i = 0; settings && i < settings->listen_count; i++)
        if (address_equal(&settings->listen[i], address))
            return true;
    return false;
}

void listeners_discard(struct bound *bound)
{
    for (size_t i = 0; bound->sockets && i < bound->workers * bound->addresses; i++) {
        if (bound->sockets[i].udp >= 0)
            close(bound->sockets[i].udp);
        if (bound->sockets[i].tcp >= 0)
            close(bound->sockets[i].tcp);
    }
    free(bound->sockets);
    bound->sockets = NULL;
}

static const int types[] = {SOCK_DGRAM, SOCK_STREAM};

static const char *type_text(int type) { return type == SOCK_STREAM ? "TCP" : "UDP"; }

static int bind_type(const struct address *address, int type, enum socket_place place)
{
    return type == SOCK_STREAM ? tcp_listen_bind(address, place) : udp_listen_bind(address, place);
}

/* A host without IPv6 has no ::1; where nobody asked for it that is no error. */
static bool forgivable(const struct settings *settings, const struct address *address, int error)
{
    return settings->listen_default && address->any.sa_family == AF_INET6 &&
           (error == EADDRNOTAVAIL || error == EAFNOSUPPORT);
}

static void say_taken(const struct address *address, int type, char ret_error[ERROR_TEXT_MAX])
{
    char text[ADDRESS_TEXT_MAX], who[NEIGHBOUR_MAX];
    bool known = neighbours_look(address, type, who) == NEIGHBOURS_ANOTHER;
    snprintf(ret_error, ERROR_TEXT_MAX, "listen: another process serves %s (%s)%s%s", address_format(address, text),
             type_text(type), known ? ": " : "", known ? who : "");
}

static void say_why_not(const struct address *address, int type, int error, char ret_error[ERROR_TEXT_MAX])
{
    char text[ADDRESS_TEXT_MAX], why[REFUSAL_MAX];
    if (error == EADDRINUSE)
        say_taken(address, type, ret_error);
    else
        snprintf(ret_error, ERROR_TEXT_MAX, "listen: cannot bind %s (%s): %s", address_format(address, text),
                 type_text(type), refusal_of_address(address, error, why));
}

/* How the first of the workers' sockets at a new address is bound. -EADDRINUSE: another process is there. */
static int find_place(const struct address *address, int type, enum socket_place *ret)
{
    char            who[NEIGHBOUR_MAX];
    enum neighbours found = neighbours_look(address, type, who);
    *ret                  = found == NEIGHBOURS_OURS ? SOCKET_JOINS : SOCKET_FIRST;
    return found == NEIGHBOURS_ANOTHER ? -EADDRINUSE : 0;
}

/* -1: none was passed that will do. */
static int take_passed(struct descriptor_store *passed, const struct address *address, int type, unsigned worker)
{
    int fd = descriptor_store_take(passed, address, type, worker);
    if (fd >= 0 && type == SOCK_DGRAM && udp_listen_prepare(fd, address) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int *socket_of(struct bound *bound, size_t worker, size_t address, int type)
{
    struct sockets *sockets = &bound->sockets[worker * bound->addresses + address];
    return type == SOCK_STREAM ? &sockets->tcp : &sockets->udp;
}

/* One address, for all workers from `first` on; 0: it is a new one. 0 or -errno. */
static int bind_address(struct descriptor_store *passed, const struct address *address, int type, unsigned first,
                        struct bound *bound, size_t number)
{
    enum socket_place place = SOCKET_JOINS;
    int               error = first == 0 ? find_place(address, type, &place) : 0;
    for (unsigned i = first; error == 0 && i < bound->workers; i++) {
        int fd = take_passed(passed, address, type, i);
        if (fd < 0)
            fd = bind_type(address, type, place);
        if (fd < 0)
            error = fd;
        else
            *socket_of(bound, i, number, type) = fd;
        place = SOCKET_JOINS;
    }
    return error;
}

bool listeners_bind(struct daemon *daemon, const struct settings *settings, const struct settings *before,
                    unsigned before_workers, struct bound *ret, char ret_error[ERROR_TEXT_MAX])
{
    *ret         = (struct bound){.addresses = settings->listen_count, .workers = settings->workers};
    ret->sockets = calloc(ret->addresses * ret->workers, sizeof(*ret->sockets));
    if (!ret->sockets) {
        snprintf(ret_error, ERROR_TEXT_MAX, "out of memory");
        return false;
    }
    for (size_t i = 0; i < ret->addresses * ret->workers; i++)
        ret->sockets[i] = (struct sockets){-1, -1};
    for (size_t i = 0; i < 2 * ret->addresses; i++) {
        const struct address *address = &settings->listen[i / 2];
        bool                  missing = address_equal(&daemon->missing, address);
        bool                  known   = lists(before, address) && !missing;
        int error = bind_address(&daemon->passed, address, types[i % 2], known ? before_workers : 0, ret, i / 2);
        if (error == 0)
            continue;
        say_why_not(address, types[i % 2], -error, ret_error);
        if (!forgivable(settings, address, -error)) {
            listeners_discard(ret);
            return false;
        }
        if (!missing)
            log_warning("%s; it is tried again", ret_error);
        ret->missing = *address;
        i |= 1; /* not over TCP either */
    }
    return true;
}

void listeners_warn(const struct settings *settings, settings_report_fn report, void *context)
{
    char where[ADDRESS_TEXT_MAX], who[NEIGHBOUR_MAX], text[ERROR_TEXT_MAX];
    for (size_t i = 0; i < 2 * settings->listen_count; i++) {
        const struct address *address = &settings->listen[i / 2];
        if (neighbours_look(address, types[i % 2], who) != NEIGHBOURS_ANOTHER)
            continue;
        snprintf(text, sizeof(text),
                 "warning: listen: another process serves %s (%s) too and gets some of the questions: %s",
                 address_format(address, where), type_text(types[i % 2]), who);
        report(context, text);
    }
}

void listeners_give(struct bound *bound, uid_t user)
{
    bool given = true;
    for (size_t i = 0; i < bound->workers * bound->addresses; i++) {
        given &= bound->sockets[i].udp < 0 || fchown(bound->sockets[i].udp, user, (gid_t) -1) == 0;
        given &= bound->sockets[i].tcp < 0 || fchown(bound->sockets[i].tcp, user, (gid_t) -1) == 0;
    }
    if (!given)
        log_warning("cannot give the listening sockets to \"user\": %s; a reload cannot add workers", strerror(errno));
}

/* Of workers or addresses that are no more: nobody else reads what came to them meanwhile. */
static void drain_rest(struct daemon *daemon)
{
    int fd, type;
    while ((fd = descriptor_store_take_any(&daemon->passed, &type)) >= 0)
        worker_drain(daemon->workers[0], type == SOCK_DGRAM ? fd : -1, type == SOCK_STREAM ? fd : -1);
}

void listeners_hand_over(struct bound *bound, struct daemon *daemon)
{
    daemon->missing = bound->missing;
    drain_rest(daemon); /* first: it takes names from the store, and one may have been there twice */
    for (unsigned i = 0; i < bound->workers; i++) {
        for (size_t j = 0; j < bound->addresses; j++) {
            const struct address *address = &daemon->settings->listen[j];
            struct sockets       *sockets = &bound->sockets[i * bound->addresses + j];
            if (sockets->udp >= 0)
                descriptor_store_put(&daemon->passed, address, SOCK_DGRAM, i, sockets->udp);
            if (sockets->tcp >= 0)
                descriptor_store_put(&daemon->passed, address, SOCK_STREAM, i, sockets->tcp);
            if (sockets->udp >= 0 || sockets->tcp >= 0)
                worker_listen(daemon->workers[i], address, sockets->udp, sockets->tcp);
        }
    }
    free(bound->sockets);
    bound->sockets = NULL;
}

static void forget(const struct address *address, unsigned worker)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        descriptor_store_remove(address, types[i], worker);
}

void listeners_leave(struct daemon *daemon, const struct settings *before, const struct settings *settings)
{
    for (size_t i = 0; i < before->listen_count; i++) {
        for (unsigned j = 0; j < daemon->worker_count && !lists(settings, &before->listen[i]); j++) {
            forget(&before->listen[i], j);
            worker_leave(daemon->workers[j], &before->listen[i]);
        }
    }
}

void listeners_forget(const struct daemon *daemon, const struct settings *settings, unsigned first)
{
    for (unsigned i = first; i < daemon->worker_count; i++)
        for (size_t j = 0; j < settings->listen_count; j++)
            forget(&settings->listen[j], i);
}

void listeners_look(struct daemon *daemon)
{
    struct bound   bound;
    struct address missing = daemon->missing;
    char           text[ADDRESS_TEXT_MAX], error[ERROR_TEXT_MAX];
    if (missing.len == 0)
        return;
    if (!listeners_bind(daemon, daemon->settings, daemon->settings, daemon->worker_count, &bound, error)) {
        if (!daemon->missing_told)
            log_warning("%s", error);
        daemon->missing_told = true;
        return;
    }
    listeners_hand_over(&bound, daemon);
    daemon->missing_told = false;
    if (daemon->missing.len == 0)
        log_info("listen: %s is there now", address_format(&missing, text));
}
