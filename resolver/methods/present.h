/*
 * present.h: what the daemon knows, as the JSON of docs/protocol.md. Every function returns a new reference, NULL when
 * there is no memory.
 *
 * Thread: keeper.
 */
#ifndef METHODS_PRESENT_H
#define METHODS_PRESENT_H

#include "base/clocks.h"
#include "dns/text.h"
#include "server/daemon.h"
#include "stream/tls.h"

enum {
    PRESENT_WAY_MAX = NAME_TEXT_MAX + 256 /* bytes of text */
};

/* For a message: which way a rule other than auto sends the name and all like it; NULL: it goes as most do. */
const char *present_way(const struct setup *setup, struct view name, char text[PRESENT_WAY_MAX]);

json_t *present_name(struct view name);
json_t *present_question(struct view name, uint16_t type);
json_t *present_zone(const struct daemon *daemon, const struct zone *zone, const struct clocks *clocks);
/* With evidence and history. */
json_t *present_zone_whole(const struct daemon *daemon, const struct zone *zone, const struct clocks *clocks);
json_t *present_probe(const struct study *study);
json_t *present_cache_line(const struct cache_line *line, const struct setup *setup);
/* Who a TLS connection met last, whether believed or not; null: nobody. */
json_t *present_peer(const struct tls_peer *peer);
json_t *present_upstreams(struct daemon *daemon);
json_t *present_status(struct daemon *daemon);
json_t *present_stats(struct daemon *daemon);

#endif
