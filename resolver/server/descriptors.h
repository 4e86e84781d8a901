/*
 * descriptors.h: who may have how many of the process's file descriptors. Clients over TCP and questions under way get
 * shares of what is free, so that whatever strangers do there is one left to answer the operator, to write what is
 * learned and to feed systemd's watchdog, each of which takes a descriptor for a moment. Pure.
 *
 * Thread: pure.
 */
#ifndef SERVER_DESCRIPTORS_H
#define SERVER_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct descriptors {
    unsigned workers;    /* as many as wished, or fewer */
    unsigned sockets;    /* towards upstreams, of each worker and of the keeper */
    unsigned clients;    /* TCP connections of clients, of each worker */
    unsigned per_client; /* of these from one client */
};

enum {
    DESCRIPTORS_PLENTY = 256, /* sockets: with fewer, ports that a forger must guess are fewer under load */
};

/* Shares `limit` out. False: it does not even do for one worker, which needs *ret_needed. */
bool descriptors_share(uint64_t limit, unsigned workers, size_t addresses, struct descriptors *ret,
                       uint64_t *ret_needed);

#endif
