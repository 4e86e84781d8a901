/*
 * servers.h: a zone's own name servers, asked by this machine: over UDP and TCP, IPv4 and IPv6. That they are silent
 * counts only where a server of a domain that has nothing to do with them has answered this machine: many networks let
 * no DNS out but their resolvers'.
 *
 * Thread: keeper.
 */
#ifndef EXPLAIN_SERVERS_H
#define EXPLAIN_SERVERS_H

#include "explain/explanation.h"

/* What an earlier look saw, which may have been of other zones. */
void servers_forget(struct explanation *explanation);
/* Those of the domain's zone, and of what is blocked of the others. */
void servers_look(struct explanation *explanation);

/* Of the SOA record that it brings; 0: it brings none. */
uint32_t servers_serial(const struct fact *fact);

#endif
