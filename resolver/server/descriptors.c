/*
 * descriptors.c: see descriptors.h.
 */
#include "server/descriptors.h"

#include "base/limits.h"

enum {
    KEEPER_HAS   = 25,    /* standard streams, loop, lock, journal, control socket, spares of its upstream sockets */
    WORKER_HAS   = 14,    /* loop, spares */
    LISTENER_HAS = 2,     /* UDP and TCP, of each worker on each address */
    MOMENTARY    = 8,     /* bywayctl, a snapshot, a reload's file, systemd */
    SOCKETS_MIN  = 4,     /* for each thread: two upstreams, over UDP and TCP */
    SOCKETS_MAX  = 65536, /* more than there are ports */
    CLIENTS_MIN  = 2,
};

static uint64_t fixed(unsigned workers, size_t addresses)
{
    return KEEPER_HAS + MOMENTARY + (uint64_t) workers * (WORKER_HAS + LISTENER_HAS * addresses);
}

static uint64_t needed(unsigned workers, size_t addresses)
{
    return fixed(workers, addresses) + (workers + 1) * SOCKETS_MIN + workers * CLIENTS_MIN;
}

static unsigned clamp(uint64_t value, unsigned least, unsigned most)
{
    return value < least ? least : value > most ? most : (unsigned) value;
}

/* Of what is free half goes to questions over UDP and a quarter to clients; the rest is for TCP to upstreams and for
 * bywayctl. */
bool descriptors_share(uint64_t limit, unsigned workers, size_t addresses, struct descriptors *ret,
                       uint64_t *ret_needed)
{
    *ret_needed = needed(1, addresses);
    while (workers > 1 && limit < needed(workers, addresses))
        workers--;
    if (limit < needed(workers, addresses))
        return false;
    uint64_t free   = limit - fixed(workers, addresses);
    ret->workers    = workers;
    ret->sockets    = clamp(free / 2 / (workers + 1), SOCKETS_MIN / 2, SOCKETS_MAX);
    ret->clients    = clamp(free / 4 / workers, CLIENTS_MIN, LIMIT_TCP_CLIENTS);
    ret->per_client = clamp(ret->clients / 4, 1, LIMIT_TCP_CLIENT);
    return true;
}
