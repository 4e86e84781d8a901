/*
 * clients.c: who may ask. Called once for each query, before anything is done for it.
 */
#include "policy/clients.h"

bool clients_allow(const struct clients *clients, const struct address *client)
{
    for (size_t i = 0; i < clients->count; i++)
        if (cidr_contains(&clients->blocks[i], client))
            return true;
    return false;
}
