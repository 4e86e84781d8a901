/*
 * order.h: the order in which zones are shown. The daemon gives them in none.
 *
 * Thread: main.
 */
#ifndef CTL_ORDER_H
#define CTL_ORDER_H

#include <jansson.h>
#include <stdbool.h>

/* Sorts an array of zone objects: names as RFC 4034, 6.1 (by labels from the root), then the widest scope first, then
 * by type. What has no name comes first. False: no memory, and the array is as it was. */
bool order_zones(json_t *zones);

#endif
