/*
 * doors.h: the sockets that one worker listens on, from the order to listen to the last late answer.
 *
 * Thread: worker.
 */
#ifndef SERVER_DOORS_H
#define SERVER_DOORS_H

#include "base/list.h"
#include "net/tcp_listen.h"
#include "net/udp_listen.h"
#include "server/orders.h"

struct doors {
    uv_loop_t         *loop;
    struct tcp_listen *tcp;    /* borrowed */
    udp_listen_fn      handle; /* of datagrams */
    void (*begin)(void *context);
    void         *context;
    struct list   listeners;    /* over UDP */
    struct order *waiting;      /* to be carried out when there is memory for it */
    uint64_t      drops_before; /* the kernel's, of listeners that are freed */
};

/* Sets the lists up; the rest is the caller's to fill in. */
void doors_init(struct doors *doors);

/* Takes an order to listen or to drain. What cannot be listened on for now waits, its queries in the sockets'
 * queues. */
void doors_open(struct doors *doors, struct order *order, msec_t now);
/* What lies in the sockets' queues is served, then others on the address get what comes. Late answers still go out. */
void doors_leave(struct doors *doors, const struct address *address, msec_t now);
/* The same for all; with WORKER_HANDS_ON what comes afterwards stays in the queues, and streams that nobody has
 * accepted yet; TCP clients that are connected are let go as tcp_listen_stop() does. It may be called again. */
void doors_stop(struct doors *doors, enum worker_end end, msec_t now);

/* From time to time: tries again what waits, frees what was left so long ago that nobody can be waiting. */
void doors_look(struct doors *doors, msec_t now);
/* Datagrams that the kernel dropped because the queues were full. */
uint64_t doors_drops(const struct doors *doors);
/* Closes all but TCP, which is the caller's; to be stopped before. */
void doors_close(struct doors *doors);

#endif
