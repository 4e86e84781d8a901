/*
 * doors.c: see doors.h.
 */
#include "server/doors.h"

#include "base/log.h"

#include <stdlib.h>

enum {
    LEFT_LIFE   = 40000, /* ms: longer than the longest deadline that settings allow */
    LEAVE_QUIET = 200,   /* ms of silence that ends a connection then: what the client had sent before has come */
    END_QUIET   = 50,    /* the same where the process ends: that takes no time if nobody waits */
};

struct listener {
    struct list        link;
    struct address     address; /* as it is configured: the kernel forgets a scope that it has no use for */
    struct udp_listen *udp;
    bool               left; /* reads no more; its late answers still go out */
    msec_t             left_at;
};

void doors_init(struct doors *doors)
{
    *doors = (struct doors){0};
    list_init(&doors->listeners);
}

static struct listener *add_listener(struct doors *doors, const struct order *order)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    if (!listener)
        return NULL;
    listener->udp     = udp_listen_start(doors->loop, order->udp, doors->handle, doors->begin, doors->context);
    listener->address = order->address;
    if (!listener->udp) {
        free(listener);
        return NULL;
    }
    list_append(&doors->listeners, &listener->link);
    return listener;
}

static void leave_listener(struct listener *listener, msec_t now)
{
    if (listener->left)
        return;
    udp_listen_stop(listener->udp);
    listener->left    = true;
    listener->left_at = now;
}

static bool take_tcp(struct doors *doors, const struct order *order)
{
    if (order->kind == ORDER_LISTEN)
        return tcp_listen_add(doors->tcp, order->tcp, &order->address);
    tcp_listen_drain(doors->tcp, order->tcp);
    return true;
}

/* False: not both are done yet. */
static bool take(struct doors *doors, struct order *order, msec_t now)
{
    struct listener *listener = order->udp >= 0 ? add_listener(doors, order) : NULL;
    if (listener)
        order->udp = -1;
    if (listener && order->kind == ORDER_DRAIN)
        leave_listener(listener, now);
    if (order->tcp >= 0 && take_tcp(doors, order))
        order->tcp = -1;
    return order->udp < 0 && order->tcp < 0;
}

void doors_open(struct doors *doors, struct order *order, msec_t now)
{
    char text[ADDRESS_TEXT_MAX];
    if (take(doors, order, now)) {
        order_drop(order);
        return;
    }
    if (!order->waits)
        log_warning("no memory to listen on %s: trying again", address_format(&order->address, text));
    order->waits   = true;
    order->next    = doors->waiting;
    doors->waiting = order;
}

/* NULL: any address. */
static void drop_waiting(struct doors *doors, const struct address *address)
{
    struct order **at = &doors->waiting;
    while (*at) {
        struct order *order = *at;
        if (address && !address_equal(&order->address, address)) {
            at = &order->next;
            continue;
        }
        *at = order->next;
        order_drop(order);
    }
}

void doors_leave(struct doors *doors, const struct address *address, msec_t now)
{
    LIST_EACH (item, next, &doors->listeners) {
        struct listener *listener = CONTAINER_OF(item, struct listener, link);
        if (address_equal(&listener->address, address))
            leave_listener(listener, now);
    }
    tcp_listen_remove(doors->tcp, address);
    drop_waiting(doors, address);
}

void doors_stop(struct doors *doors, enum worker_end end, msec_t now)
{
    drop_waiting(doors, NULL);
    LIST_EACH (item, next, &doors->listeners) {
        struct listener *listener = CONTAINER_OF(item, struct listener, link);
        if (end == WORKER_HANDS_ON)
            udp_listen_hand_on(listener->udp);
        else
            leave_listener(listener, now);
    }
    if (end == WORKER_HANDS_ON)
        tcp_listen_hand_on(doors->tcp);
    tcp_listen_stop(doors->tcp, end == WORKER_LEAVES ? LEAVE_QUIET : END_QUIET);
}

static void free_listener(struct doors *doors, struct listener *listener)
{
    list_remove(&listener->link);
    doors->drops_before += udp_listen_read_stats(listener->udp)->kernel_dropped;
    udp_listen_free(listener->udp);
    free(listener);
}

static void try_again(struct doors *doors, msec_t now)
{
    struct order *order = doors->waiting, *next;
    doors->waiting      = NULL;
    for (; order; order = next) {
        next = order->next;
        doors_open(doors, order, now);
    }
}

void doors_look(struct doors *doors, msec_t now)
{
    LIST_EACH (item, next, &doors->listeners) {
        struct listener *listener = CONTAINER_OF(item, struct listener, link);
        if (listener->left && now - listener->left_at > LEFT_LIFE)
            free_listener(doors, listener);
    }
    try_again(doors, now);
}

uint64_t doors_drops(const struct doors *doors)
{
    uint64_t drops = doors->drops_before;
    LIST_EACH (item, next, &doors->listeners)
        drops += udp_listen_read_stats(CONTAINER_OF(item, struct listener, link)->udp)->kernel_dropped;
    return drops;
}

void doors_close(struct doors *doors)
{
    LIST_EACH (item, next, &doors->listeners)
        free_listener(doors, CONTAINER_OF(item, struct listener, link));
}
