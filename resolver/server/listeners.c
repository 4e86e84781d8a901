/*
 * listeners.c: see listeners.h.
 */
#include "server/listeners.h"

#include "net/tcp_listen.h"
#include "net/udp_listen.h"
#include "server/refusal.h"

#include <errno.h>
#include <stdlib.h>
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

/* A host without IPv6 has no ::1; where nobody asked for it that is no error. */
static bool forgivable(const struct settings *settings, const struct address *address, int error)
{
    return settings->listen_default && address->any.sa_family == AF_INET6 &&
           (error == EADDRNOTAVAIL || error == EAFNOSUPPORT);
}

static bool bind_one(const struct settings *settings, const struct address *address, struct sockets *ret,
                     char ret_error[ERROR_TEXT_MAX])
{
    char        text[ADDRESS_TEXT_MAX], why[REFUSAL_MAX];
    const char *kind = "UDP";
    int         fd   = udp_listen_bind(address);
    ret->udp         = fd;
    if (fd >= 0) {
        kind     = "TCP";
        fd       = tcp_listen_bind(address);
        ret->tcp = fd;
    }
    if (fd >= 0)
        return true;
    if (forgivable(settings, address, -fd)) {
        log_warning("listen: %s is not there: %s", address_format(address, text),
                    refusal_of_address(address, -fd, why));
        return true;
    }
    snprintf(ret_error, ERROR_TEXT_MAX, "listen: cannot bind %s (%s): %s", address_format(address, text), kind,
             refusal_of_address(address, -fd, why));
    return false;
}

bool listeners_bind(const struct settings *settings, const struct settings *before, unsigned before_workers,
                    struct bound *ret, char ret_error[ERROR_TEXT_MAX])
{
    *ret         = (struct bound){.addresses = settings->listen_count, .workers = settings->workers};
    ret->sockets = calloc(ret->addresses * ret->workers, sizeof(*ret->sockets));
    if (!ret->sockets) {
        snprintf(ret_error, ERROR_TEXT_MAX, "out of memory");
        return false;
    }
    for (size_t i = 0; i < ret->addresses * ret->workers; i++)
        ret->sockets[i] = (struct sockets){-1, -1};
    for (size_t i = 0; i < ret->workers; i++) {
        for (size_t j = 0; j < ret->addresses; j++) {
            if (i < before_workers && lists(before, &settings->listen[j]))
                continue;
            if (!bind_one(settings, &settings->listen[j], &ret->sockets[i * ret->addresses + j], ret_error)) {
                listeners_discard(ret);
                return false;
            }
        }
    }
    return true;
}

void listeners_hand_over(struct bound *bound, struct daemon *daemon)
{
    for (size_t i = 0; i < bound->workers; i++) {
        for (size_t j = 0; j < bound->addresses; j++) {
            struct sockets *sockets = &bound->sockets[i * bound->addresses + j];
            if (sockets->udp >= 0 || sockets->tcp >= 0)
                worker_listen(daemon->workers[i], &daemon->settings->listen[j], sockets->udp, sockets->tcp);
        }
    }
    free(bound->sockets);
    bound->sockets = NULL;
}

void listeners_leave(struct daemon *daemon, const struct settings *before, const struct settings *settings)
{
    for (size_t i = 0; i < before->listen_count; i++)
        for (unsigned j = 0; j < daemon->worker_count && !lists(settings, &before->listen[i]); j++)
            worker_leave(daemon->workers[j], &before->listen[i]);
}
