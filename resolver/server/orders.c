/*
 * orders.c: see orders.h.
 */
#include "server/orders.h"

#include <stdlib.h>
#include <unistd.h>

void orders_init(struct orders *orders, uv_async_t *wake)
{
    *orders     = (struct orders){.wake = wake};
    orders->end = &orders->first;
    pthread_mutex_init(&orders->lock, NULL);
}

void orders_fini(struct orders *orders)
{
    struct order *order;
    while ((order = orders_take(orders)))
        order_drop(order);
    pthread_mutex_destroy(&orders->lock);
}

/* It must not be lost for want of 64 bytes. */
static struct order *copy_of(const struct order *order)
{
    struct order *copy;
    while (!(copy = malloc(sizeof(*copy))))
        usleep(1000);
    *copy      = *order;
    copy->next = NULL;
    return copy;
}

void orders_give(struct orders *orders, const struct order *order)
{
    struct order *copy = copy_of(order);
    pthread_mutex_lock(&orders->lock);
    *orders->end = copy;
    orders->end  = &copy->next;
    if (!orders->closed)
        uv_async_send(orders->wake);
    pthread_mutex_unlock(&orders->lock);
}

struct order *orders_take(struct orders *orders)
{
    pthread_mutex_lock(&orders->lock);
    struct order *order = orders->first;
    if (order && !(orders->first = order->next))
        orders->end = &orders->first;
    pthread_mutex_unlock(&orders->lock);
    return order;
}

void orders_close(struct orders *orders)
{
    pthread_mutex_lock(&orders->lock);
    orders->closed = true;
    pthread_mutex_unlock(&orders->lock);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void order_drop(struct order *order)
{
    if (order->kind == ORDER_LISTEN || order->kind == ORDER_DRAIN) {
        close_fd(order->udp);
        close_fd(order->tcp);
    }
    setup_drop(order->setup);
    free(order);
}
