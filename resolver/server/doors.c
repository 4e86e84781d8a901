/*
 * doors.c: see doors.h.
 */
#include "server/doors.h"

#include "base/log.h"

#include <stdlib.h>

enum {
    LEFT_LIFE = 40000, /* ms: longer than the longest deadline that settings allow */
};

struct listener {
    struct list        link;
    struct udp_listen *udp;
    bool               left; /* reads no more; its late answers still go out */
    msec_t             left_at;
};

void doors_init(struct doors *doors)
{
    *doors = (struct doors){0};
    list_init(&doors->listeners);
}

static bool add_listener(struct doors *doors, int udp)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    if (!listener)
        return false;
    listener->udp = udp_listen_start(doors->loop, udp, doors->handle, doors->begin, doors->context);
    if (!listener->udp) {
        free(listener);
        return false;
    }
    list_append(&doors->listeners, &listener->link);
    return true;
}

/* False: not on both yet. */
static bool listen_on(struct doors *doors, struct order *order)
{
    if (order->udp >= 0 && add_listener(doors, order->udp))
        order->udp = -1;
    if (order->tcp >= 0 && tcp_listen_add(doors->tcp, order->tcp))
        order->tcp = -1;
    return order->udp < 0 && order->tcp < 0;
}

void doors_open(struct doors *doors, struct order *order)
{
    char text[ADDRESS_TEXT_MAX];
    if (listen_on(doors, order)) {
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

static void leave_listener(struct listener *listener, msec_t now)
{
    if (listener->left)
        return;
    udp_listen_stop(listener->udp);
    listener->left    = true;
    listener->left_at = now;
}

void doors_leave(struct doors *doors, const struct address *address, msec_t now)
{
    LIST_EACH (item, next, &doors->listeners) {
        struct listener *listener = CONTAINER_OF(item, struct listener, link);
        struct address   bound    = udp_listen_address(listener->udp);
        if (address_equal(&bound, address))
            leave_listener(listener, now);
    }
    tcp_listen_remove(doors->tcp, address);
    drop_waiting(doors, address);
}

void doors_stop(struct doors *doors, msec_t now, unsigned quiet_ms)
{
    drop_waiting(doors, NULL);
    LIST_EACH (item, next, &doors->listeners)
        leave_listener(CONTAINER_OF(item, struct listener, link), now);
    tcp_listen_stop(doors->tcp, quiet_ms);
}

static void free_listener(struct doors *doors, struct listener *listener)
{
    list_remove(&listener->link);
    doors->drops_before += udp_listen_read_stats(listener->udp)->kernel_dropped;
    udp_listen_free(listener->udp);
    free(listener);
}

static void try_again(struct doors *doors)
{
    struct order *order = doors->waiting, *next;
    doors->waiting      = NULL;
    for (; order; order = next) {
        next = order->next;
        doors_open(doors, order);
    }
}

void doors_look(struct doors *doors, msec_t now)
{
    LIST_EACH (item, next, &doors->listeners) {
        struct listener *listener = CONTAINER_OF(item, struct listener, link);
        if (listener->left && now - listener->left_at > LEFT_LIFE)
            free_listener(doors, listener);
    }
    try_again(doors);
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
