/*
 * events.h: what happens, told live to whoever watches on the control socket (`events`): zones learned and recovered, pins,
 * forging, upstreams down and up, outages, blocklists, the quota, the cluster, reloads. Where nobody watches nothing is made.
 *
 * Thread: keeper.
 */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include "control/control.h"
#include "core/observation.h"
#include "server/daemon.h"
#include "upstream/server.h"

/* Tells this client of each from now on, until it goes. */
void events_watch(struct daemon *daemon, struct control_call *call);

/* The zone's state has changed from `from`. */
void events_on_zone(struct daemon *daemon, const struct zone *zone, enum zone_state from, enum zone_why why);
/* It was pinned, or unpinned. */
void events_on_pin(struct daemon *daemon, struct view zone, enum pin pin);
/* The canary has answered for the name. */
void events_on_forged(struct daemon *daemon, struct view name);
/* `problem`: what was wrong with the last connection to it; empty: nothing, or it is UDP. */
void events_on_upstream(struct daemon *daemon, const struct server *server, bool up, const char *problem);
void events_on_blocklist(struct daemon *daemon, const struct observation *complaint);
/* Questions were kept from external since this was last told. */
void events_on_quota(struct daemon *daemon, uint64_t kept);
/* This node is connected to its peers now, or alone. `problem`: why. */
void events_on_cluster(struct daemon *daemon, bool connected, const char *problem);
/* Another node is there now, or gone. */
void events_on_peer(struct daemon *daemon, const char *node, bool present);
/* `error`: why the new configuration is not in force; NULL: it is. */
void events_on_reload(struct daemon *daemon, const char *error);

#endif
