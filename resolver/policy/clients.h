/*
 * clients.h: who may ask. Plain data: a list of CIDR blocks.
 *
 * Thread: pure, once read.
 */
#ifndef POLICY_CLIENTS_H
#define POLICY_CLIENTS_H

#include "base/address.h"

struct clients {
    struct cidr *blocks; /* owned */
    size_t       count;
};

bool clients_allow(const struct clients *clients, const struct address *client);

#endif
