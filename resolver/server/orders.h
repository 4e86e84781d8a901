/*
 * orders.h: what the keeper wants of a worker, carried out by the worker in the same sequence. None is lost for want of
 * memory: giving one waits for it.
 *
 * Thread: the keeper gives them, the worker takes them.
 */
#ifndef SERVER_ORDERS_H
#define SERVER_ORDERS_H

#include "base/address.h"
#include "core/setup.h"

#include <pthread.h>
#include <uv.h>

enum order_kind {
    ORDER_LISTEN,
    ORDER_DRAIN,
    ORDER_LEAVE,
    ORDER_SETUP,
    ORDER_STOP
};

enum worker_end {
    WORKER_LEAVES,   /* others go on: it has 5 s for all that it has under way */
    WORKER_ENDS,     /* the process does: clients that wait have 1 s, and nothing else is waited for */
    WORKER_HANDS_ON, /* the same, and what comes from now on is left to the next process, which gets its sockets */
};

struct order {
    struct order   *next;
    enum order_kind kind;
    int             udp, tcp; /* ORDER_LISTEN, ORDER_DRAIN: sockets, owned; -1: none */
    struct address  address;
    struct setup   *setup; /* a reference, or NULL */
    enum worker_end end;   /* ORDER_STOP */
    bool            waits; /* it was tried before */
};

struct orders {
    pthread_mutex_t lock;
    struct order   *first, **end;
    uv_async_t     *wake; /* the worker's */
    bool            closed;
};

void orders_init(struct orders *orders, uv_async_t *wake);
/* Frees what was not carried out. */
void orders_fini(struct orders *orders);

/* Any thread. Copies `order` and takes what it owns. */
void orders_give(struct orders *orders, const struct order *order);

/* The worker: the next, which is then its own, to be freed with order_drop(); NULL: none. */
struct order *orders_take(struct orders *orders);
/* The worker: its loop is about to be closed, and is not woken any more. */
void orders_close(struct orders *orders);
void order_drop(struct order *order);

#endif
