/*
 * world_reply.h: what a scripted server writes back. Only for world.c.
 */
#ifndef LIB_WORLD_REPLY_H
#define LIB_WORLD_REPLY_H

#include "lib/world.h"

enum {
    WORLD_REPLY_MAX   = 768,
    WORLD_NAMESERVERS = 8 /* of one zone */
};

struct world_facts {
    struct view soa;                      /* owner of the SOA of the question's zone */
    struct view hosts[WORLD_NAMESERVERS]; /* its nameservers; none: `ns` below the owner of the SOA */
    unsigned    host_count;
    struct view target; /* of the alias that stands at the name; len 0: none */
    unsigned    group, server;
};

/* Writes the reply to `question` (a query of byway's) in that way; returns its length. SILENT, UNREACHABLE and CHAOS
 * are not for this. */
size_t world_reply(const struct message *question, const struct manner *manner, enum transport transport,
                   const struct world_facts *facts, uint8_t out[WORLD_REPLY_MAX]);

#endif
