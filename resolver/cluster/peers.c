/*
 * peers.c: which other nodes there are: see session_internal.h.
 */
#include "cluster/session_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PRESENCE_TEXT = 200, /* bytes of another node's that are looked at */
};

/* A place for one more: that of the one which was not seen for longest, if all are taken. NULL: all are present. */
static struct peer *free_peer(struct session *session)
{
    struct peer *oldest = NULL;
    if (session->report.peers < SESSION_PEERS)
        return &session->peers[session->report.peers++];
    for (unsigned i = 0; i < SESSION_PEERS; i++) {
        struct peer *peer = &session->peers[i];
        if (!peer->is.present && (!oldest || peer->is.seen < oldest->is.seen))
            oldest = peer;
    }
    return oldest;
}

struct peer *peers_get(struct session *session, struct view node)
{
    if (session_is_self(session, node))
        return NULL;
    for (unsigned i = 0; i < session->report.peers; i++)
        if (strlen(session->peers[i].is.node) == node.len &&
            memcmp(session->peers[i].is.node, node.data, node.len) == 0)
            return &session->peers[i];
    struct peer *peer = free_peer(session);
    if (!peer)
        return NULL;
    *peer = (struct peer){.credit = SESSION_PEER_BURST};
    memcpy(peer->is.node, node.data, node.len);
    return peer;
}

bool peers_admit(struct session *session, struct view node, msec_t now)
{
    struct peer *peer = peers_get(session, node);
    if (!peer)
        return session_is_self(session, node);
    double gained  = (double) (now - peer->credited) * SESSION_PEER_RATE / 1000;
    peer->credit   = peer->credit + gained < SESSION_PEER_BURST ? peer->credit + gained : SESSION_PEER_BURST;
    peer->credited = now;
    if (peer->credit < 1) {
        peer->is.skipped++;
        return false;
    }
    return true;
}

void peers_charge(struct session *session, struct view node)
{
    struct peer *peer = peers_get(session, node);
    if (peer)
        peer->credit--;
}

int64_t session_ahead(const struct session *session, const struct clocks *clocks)
{
    int64_t redis = session->redis_wall_ms + (clocks->now - session->redis_at);
    return session->redis_at ? clocks->wall_ms - redis : 0;
}

bool peers_clock_is_right(const struct session *session, const struct clocks *clocks)
{
    return session->redis_at && llabs(session_ahead(session, clocks)) < REPLICA_AHEAD;
}

struct presence {
    char     vantage[STATEMENT_NODE_MAX + 1];
    uint64_t instance;
    int64_t  wall_ms;
};

static bool presence_read(const redisReply *value, struct presence *ret)
{
    char text[PRESENCE_TEXT];
    if (value->type != REDIS_REPLY_STRING || value->len >= sizeof(text) || memchr(value->str, '\0', value->len))
        return false;
    memcpy(text, value->str, value->len + 1);
    char *blank = strchr(text, ' '), *end;
    if (!blank || !statement_is_label((struct view){(const uint8_t *) text, (size_t) (blank - text)}))
        return false;
    *blank = '\0';
    memcpy(ret->vantage, text, (size_t) (blank - text) + 1);
    ret->instance = strtoull(blank + 1, &end, 16);
    if (end == blank + 1 || *end != ' ')
        return false;
    blank        = end;
    ret->wall_ms = strtoll(blank + 1, &end, 10);
    return end != blank + 1 && *end == ' ' && ret->wall_ms >= 0 && ret->wall_ms < INT64_MAX / 2;
}

static void set_present(struct session *session, struct peer *peer, bool present)
{
    if (peer->is.present == present)
        return;
    peer->is.present = present;
    session->hooks.peer_changed(session->hooks.context, peer->is.node, present);
}

static bool is_news(const struct peer *peer, const struct presence *presence)
{
    return presence->wall_ms != peer->is.seen_wall_ms || presence->instance != peer->instance;
}

/* A presence that has changed since it was last read is a sign of life; the first that is read may be of a node that has
 * gone long ago. */
static void note(struct session *session, struct peer *peer, const struct presence *presence,
                 const struct clocks *clocks)
{
    bool first = peer->is.vantage[0] == '\0';
    bool news  = is_news(peer, presence);
    memcpy(peer->is.vantage, presence->vantage, sizeof(peer->is.vantage));
    peer->instance        = presence->instance;
    peer->is.seen_wall_ms = presence->wall_ms;
    bool fresh            = llabs(presence->wall_ms - clocks->wall_ms) < SESSION_PRESENT;
    if (first ? fresh : news) {
        peer->is.seen  = clocks->now;
        peer->is.ahead = presence->wall_ms - clocks->wall_ms;
        set_present(session, peer, true);
    }
}

/* Two processes by one name would overwrite each other's statements: the one whose instance is greater stays, and the
 * other one comes back only when that has not been heard of since. */
static bool is_rival(struct session *session, const struct presence *presence)
{
    struct rival was = session->rival;
    if (presence->instance == session->instance)
        return false;
    session->rival = (struct rival){.instance = presence->instance, .wall_ms = presence->wall_ms};
    if (session->stage == STAGE_JOINING)
        return presence->instance == was.instance && presence->wall_ms != was.wall_ms;
    return presence->instance > session->instance;
}

/* It is named for as long as anything that it has said can count. One that goes on writing so old a date has a clock that
 * is behind. */
static bool is_long_gone(const struct session *session, const struct peer *peer, const struct presence *presence,
                         const struct clocks *clocks)
{
    return !is_news(peer, presence) && presence->wall_ms < clocks->wall_ms - (int64_t) REPLICA_LIFE &&
           peers_clock_is_right(session, clocks);
}

static void drop(struct session *session, struct peer *peer) { *peer = session->peers[--session->report.peers]; }

static void forget_absent(struct session *session, msec_t now)
{
    for (unsigned i = session->report.peers; i-- > 0;) {
        struct peer *peer = &session->peers[i];
        if (now - peer->is.seen > SESSION_PRESENT)
            set_present(session, peer, false);
        if (peer->is.seen && now - peer->is.seen > (msec_t) REPLICA_LIFE)
            drop(session, peer);
    }
}

bool peers_read(struct session *session, const redisReply *reply, const struct clocks *clocks)
{
    bool rival = false;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *field = reply->element[i];
        struct view       node  = {(const uint8_t *) field->str, field->len};
        struct presence   presence;
        if (field->type != REDIS_REPLY_STRING || !statement_is_label(node) ||
            !presence_read(reply->element[i + 1], &presence))
            continue;
        struct peer *peer = peers_get(session, node);
        if (peer && is_long_gone(session, peer, &presence, clocks)) {
            const redisReply *value = reply->element[i + 1];
            session_prune(session, "nodes", node, (struct view){(const uint8_t *) value->str, value->len});
            set_present(session, peer, false);
            drop(session, peer);
        } else if (peer)
            note(session, peer, &presence, clocks);
        else if (session_is_self(session, node))
            rival = is_rival(session, &presence);
    }
    forget_absent(session, clocks->now);
    return !rival;
}
